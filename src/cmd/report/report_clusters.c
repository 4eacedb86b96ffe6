/* Clusters of the cells: how they were found, how large they are, which genes stand out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/chart.h"
#include "quell/order.h"
#include "report_page.h"

#define RECORDS "uns/quell/cluster"
enum { MOST_RECORDS = 64, MOST_CLUSTERS = 60, MARKERS = 4, MOST_SAMPLES = 6 };

const ql_column *report_clustering(const report_data *d)
{
    static const char *const known[] = {"leiden",   "louvain", "scdha",
                                        "spectral", "kmeans",  "clusters"};
    const ql_frame *f = &d->ds.cells;
    ql_names records = {0};
    const ql_column *found = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
        found = ql_frame_column(f, known[i]);
    (void)ql_results_members(d->file, RECORDS, MOST_RECORDS, &records);
    for (int64_t i = 0; i < records.n && !found; i++)
        found = ql_frame_column(f, ql_name(&records, i));
    ql_names_free(&records);
    return found && found->type == QL_COL_STRING ? found : NULL;
}

/* ---- how they were found ---- */

static double number_at(const report_data *d, const char *group, const char *name,
                        const char *member)
{
    char key[400];
    double v;
    (void)snprintf(key, sizeof key, "%s/%s/%s", group, name, member);
    return ql_results_number(d->file, key, &v) ? v : NAN;
}

static void put_text_at(const report_data *d, const char *name, const char *member, ql_str *out)
{
    char key[400];
    ql_str text = {0};
    (void)snprintf(key, sizeof key, RECORDS "/%s/%s", name, member);
    (void)ql_results_text(d->file, key, &text);
    report_put_text(ql_str_text(&text), out);
    ql_str_free(&text);
}

static void put_records(const report_data *d, ql_str *out)
{
    ql_names records = {0};
    if (ql_results_members(d->file, RECORDS, MOST_RECORDS, &records) && records.n > 0) {
        ql_str_puts(out, "<table><tr><th>column of obs</th><th>method</th><th>latent space</th><th "
                         "class=\"num\">resolution</th><th class=\"num\">modularity</th></tr>\n");
        for (int64_t i = 0; i < records.n; i++) {
            const char *name = ql_name(&records, i);
            ql_str_puts(out, "<tr>");
            report_put_text(name, out);
            put_text_at(d, name, "method", out);
            put_text_at(d, name, "use", out);
            report_put_number(2, number_at(d, "uns", name, "params/resolution"), out);
            report_put_number(3, number_at(d, RECORDS, name, "modularity"), out);
            ql_str_puts(out, "</tr>\n");
        }
        ql_str_puts(out, "</table>\n");
    }
    ql_names_free(&records);
}

/* ---- what they are ---- */

/* Cells by cluster and, where there is such a column, by sample. */
typedef struct {
    const report_data *d;
    int32_t *of; /* [cells] -1: in none; owned */
    int n;
    const char *name[MOST_CLUSTERS]; /* borrowed from the column; the largest first */
    int64_t cells[MOST_CLUSTERS];
    double *sum;   /* [n, genes] of levelled logarithms; owned */
    double *all;   /* [genes]; owned */
    double *depth; /* [cells] of one cluster, to be sorted; owned */
} clusters;

static void clusters_free(clusters *c)
{
    ql_free(c->of);
    ql_free(c->sum);
    ql_free(c->all);
    ql_free(c->depth);
}

/* Numbers the words of the column by how frequent they are; false: there are too many. */
static bool number_words(const ql_names *words, const ql_name_index *index, int64_t *count,
                         clusters *c)
{
    for (int64_t i = 0; i < words->n; i++)
        if (*ql_name(words, i)) count[ql_name_index_find(index, ql_name(words, i))]++;
    for (c->n = 0;; c->n++) {
        int64_t best = 0;
        for (int64_t i = 0; i < words->n; i++)
            if (count[i] > count[best]) best = i;
        if (count[best] <= 0) break;
        if (c->n == MOST_CLUSTERS) return false;
        c->name[c->n] = ql_name(words, best);
        c->cells[c->n] = count[best];
        count[best] = -c->n - 1; /* which cluster the word is */
    }
    for (int64_t i = 0; i < words->n; i++) {
        const char *word = ql_name(words, i);
        c->of[i] = *word ? (int32_t)(-count[ql_name_index_find(index, word)] - 1) : -1;
    }
    return c->n > 1;
}

static ql_status find_clusters(const ql_column *column, clusters *c, bool *some, ql_err *err)
{
    const ql_names *words = &column->strings;
    ql_name_index *index = NULL;
    int64_t *count = NULL;
    ql_status st;
    *some = false;
    if (words->n == 0) return QL_OK;
    QL_GO(ql_name_index_new(words, &index, err));
    QL_GO(QL_NEW(count, words->n, "groups of cells", err));
    QL_GO(QL_NEW(c->of, words->n, "groups of cells", err));
    *some = number_words(words, index, count, c);
out:
    ql_name_index_free(index);
    ql_free(count);
    return st;
}

/* Sums of ln(1 + count at the mean depth), by cluster and over all clustered cells. */
static ql_status sum_genes(clusters *c, ql_err *err)
{
    const report_data *d = c->d;
    const ql_csr *m = &d->ds.counts;
    double total = 0;
    QL_TRY(QL_NEW(c->sum, c->n * m->n_cols, "means of clusters", err));
    QL_TRY(QL_NEW(c->all, m->n_cols, "means of clusters", err));
    QL_TRY(QL_NEW(c->depth, m->n_rows, "depths of cells", err));
    for (int64_t i = 0; i < m->n_rows; i++) total += d->depth[i];
    const double depth = total / (double)m->n_rows;
    for (int64_t i = 0; i < m->n_rows; i++) {
        if (c->of[i] < 0 || !(d->depth[i] > 0)) continue;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            const double x = ql_log10(1 + m->data[k] * depth / d->depth[i]);
            c->sum[c->of[i] * m->n_cols + m->indices[k]] += x;
            c->all[m->indices[k]] += x;
        }
    }
    return QL_OK;
}

/* The genes whose mean logarithm in the cluster is farthest above that in the other cells. */
static int find_markers(const clusters *c, int cluster, int64_t best[MARKERS])
{
    const int64_t genes = c->d->ds.counts.n_cols;
    const double *sum = c->sum + cluster * genes, inside = (double)c->cells[cluster];
    double others = -inside, above[MARKERS];
    int n = 0;
    for (int k = 0; k < c->n; k++) others += (double)c->cells[k];
    for (int64_t g = 0; g < genes; g++) {
        const double by = sum[g] / inside - (c->all[g] - sum[g]) / others;
        if (!(by > 0) || (n == MARKERS && by <= above[n - 1])) continue;
        int at = n < MARKERS ? n++ : n - 1;
        for (; at > 0 && above[at - 1] < by; at--) {
            above[at] = above[at - 1];
            best[at] = best[at - 1];
        }
        above[at] = by;
        best[at] = g;
    }
    return n;
}

static double median_depth(const clusters *c, int cluster)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->d->ds.counts.n_rows; i++)
        if (c->of[i] == cluster) c->depth[n++] = c->d->depth[i];
    qsort(c->depth, (size_t)n, sizeof *c->depth, ql_by_value);
    return n ? c->depth[n / 2] : NAN;
}

static void put_markers(const clusters *c, int cluster, ql_str *out)
{
    int64_t best[MARKERS];
    const int n = c->d->ds.genes_differ ? 0 : find_markers(c, cluster, best);
    ql_str_puts(out, "<td>");
    for (int i = 0; i < n; i++) {
        ql_str_puts(out, i ? ", " : "");
        ql_html_text(out, ql_name(&c->d->ds.genes.index, best[i]));
    }
    ql_str_puts(out, "</td>");
}

static void put_clusters(const clusters *c, ql_str *out)
{
    double cells = 0;
    for (int k = 0; k < c->n; k++) cells += (double)c->cells[k];
    ql_str_puts(
        out, "<table><tr><th>cluster</th><th class=\"num\">cells</th><th class=\"num\">%</th><th "
             "class=\"num\">molecules, median</th><th>genes that stand out</th></tr>\n");
    for (int k = 0; k < c->n; k++) {
        ql_str_puts(out, "<tr>");
        report_put_text(c->name[k], out);
        report_put_number(0, (double)c->cells[k], out);
        report_put_number(1, 100 * (double)c->cells[k] / cells, out);
        report_put_number(0, median_depth(c, k), out);
        put_markers(c, k, out);
        ql_str_puts(out, "</tr>\n");
    }
    ql_str_puts(
        out,
        "</table><p class=\"mute\">Genes with the largest difference of mean logarithms, counts at "
        "equal depth, from all other cells: to recognise clusters by, not a test.</p>\n");
}

/* ---- clusters by sample ---- */

/* Of the columns that say where cells come from the first that parts them. */
static ql_status find_samples(const report_data *d, clusters *s, const char **title, ql_err *err)
{
    static const char *const names[] = {"sample", "batch", "donor", "patient", "condition"};
    bool some = false;
    *title = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !some; i++) {
        const ql_column *column = ql_frame_column(&d->ds.cells, names[i]);
        if (!column || column->type != QL_COL_STRING) continue;
        clusters_free(s);
        *s = (clusters){.d = d};
        QL_TRY(find_clusters(column, s, &some, err));
        if (some) *title = names[i];
    }
    return QL_OK;
}

static void put_shares(const clusters *c, const clusters *s, const char *title, ql_str *out)
{
    const int shown = s->n < MOST_SAMPLES ? s->n : MOST_SAMPLES;
    ql_str_printf(out, "<table><tr><th>%% of the cluster by %s</th>", title);
    for (int k = 0; k < shown; k++) {
        ql_str_puts(out, "<th class=\"num\">");
        ql_html_text(out, s->name[k]);
        ql_str_puts(out, "</th>");
    }
    ql_str_puts(out, "</tr>\n");
    for (int k = 0; k < c->n; k++) {
        int64_t n[MOST_SAMPLES] = {0};
        for (int64_t i = 0; i < c->d->ds.counts.n_rows; i++)
            if (c->of[i] == k && s->of[i] >= 0 && s->of[i] < shown) n[s->of[i]]++;
        ql_str_puts(out, "<tr>");
        report_put_text(c->name[k], out);
        for (int j = 0; j < shown; j++)
            report_put_number(1, 100 * (double)n[j] / (double)c->cells[k], out);
        ql_str_puts(out, "</tr>\n");
    }
    ql_str_puts(out, "</table>\n");
}

static ql_status put_samples(const clusters *c, ql_str *out, ql_err *err)
{
    clusters s = {.d = c->d};
    const char *title;
    ql_status st = find_samples(c->d, &s, &title, err);
    if (st == QL_OK && title) put_shares(c, &s, title, out);
    clusters_free(&s);
    return st;
}

ql_status report_put_clusters(const report_data *d, ql_str *out, ql_err *err)
{
    const ql_column *column = report_clustering(d);
    clusters c = {.d = d};
    bool some;
    ql_status st;
    if (!column) return QL_OK;
    QL_GO(find_clusters(column, &c, &some, err));
    if (!some) goto out;
    QL_GO(sum_genes(&c, err));
    report_put_heading(out, "Clusters");
    put_records(d, out);
    ql_str_puts(out, "<h3>obs/");
    ql_html_text(out, column->name);
    ql_str_puts(out, "</h3>\n");
    put_clusters(&c, out);
    QL_GO(put_samples(&c, out, err));
    report_end_section(out);
out:
    clusters_free(&c);
    return st;
}
