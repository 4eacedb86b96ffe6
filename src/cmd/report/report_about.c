/* What the report says of the run and of the file: options, scales, how to go on, citation. */
#include "report_page.h"

#include <string.h>

#include "quell/chart.h"

static void put_row(ql_str *out, const char *name, const char *value)
{
    ql_str_puts(out, "<tr><th>");
    ql_html_text(out, name);
    ql_str_puts(out, "</th><td>");
    ql_html_text(out, value);
    ql_str_puts(out, "</td></tr>\n");
}

/* ---- what was done ---- */

static double molecules(const report_data *d)
{
    double sum = 0;
    for (int64_t i = 0; i < d->ds.counts.n_rows; i++) sum += d->depth[i];
    return sum;
}

static void put_options(const report_data *d, ql_str *out)
{
    ql_str text = {0};
    if (ql_results_text(d->file, REPORT_RUN "/options", &text)) {
        ql_str_puts(out, "<details><summary>All options</summary><pre>");
        ql_html_text(out, ql_str_text(&text));
        ql_str_puts(out, "</pre></details>\n");
    }
    ql_str_free(&text);
}

void report_put_run(const report_data *d, ql_str *out)
{
    static const struct {
        const char *name, *key;
    } texts[] = {{"Program", REPORT_RUN "/version"},
                 {"Likelihood", REPORT_RUN "/model"},
                 {"Counts taken from", REPORT_RUN "/matrix"},
                 {"Hash of the counts", REPORT_RUN "/counts_fnv1a"},
                 {"Model trained by", REPORT_RUN "/applied/version"}};
    ql_str text = {0};
    report_put_heading(out, "What was done");
    ql_str_puts(out, "<table>\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ql_str_clear(&text);
        if (ql_results_text(d->file, texts[i].key, &text))
            put_row(out, texts[i].name, ql_str_text(&text));
    }
    ql_str_clear(&text);
    ql_str_printf(&text, "%lld cells, %lld genes, %.4g molecules", (long long)d->ds.counts.n_rows,
                  (long long)d->ds.counts.n_cols, molecules(d));
    put_row(out, "Input", ql_str_text(&text));
    ql_str_puts(out, "</table>\n");
    ql_str_free(&text);
    put_options(d, out);
    report_end_section(out);
}

/* ---- scales, how to go on ---- */

/* What the file says of a matrix or score: appended to text; nothing where it says nothing. */
static void find_scale(const report_data *d, const char *name, ql_str *text)
{
    static const char *const records[] = {REPORT_RUN "/scale", "uns/quell/embed/scale"};
    ql_str key = {0};
    for (size_t i = 0; i < sizeof records / sizeof *records && text->len == 0; i++) {
        ql_str_clear(&key);
        ql_str_printf(&key, "%s/%s", records[i], name);
        (void)ql_results_text(d->file, ql_str_text(&key), text);
    }
    ql_str_free(&key);
}

enum { MEMBERS = 100 };

static bool is_among(const ql_names *names, const char *name)
{
    for (int64_t i = 0; i < names->n; i++)
        if (!strcmp(ql_name(names, i), name)) return true;
    return false;
}

static void put_scale(const report_data *d, const char *group, const char *name,
                      const char *otherwise, ql_str *out)
{
    ql_str key = {0}, text = {0};
    find_scale(d, name, &text);
    ql_str_printf(&key, *group ? "%s/%s" : "%s%s", group, name);
    if (text.len || otherwise)
        put_row(out, ql_str_text(&key), text.len ? ql_str_text(&text) : otherwise);
    ql_str_free(&key);
    ql_str_free(&text);
}

/* Every layer, the latent spaces that the file says something of, scores of cells. */
void report_put_scales(const report_data *d, ql_str *out)
{
    static const char not_ours[] = "not of quell: this file does not say what it is";
    ql_names layers = {0}, spaces = {0}, scales = {0};
    (void)ql_results_members(d->file, "layers", MEMBERS, &layers);
    (void)ql_results_members(d->file, "obsm", MEMBERS, &spaces);
    (void)ql_results_members(d->file, REPORT_RUN "/scale", MEMBERS, &scales);
    report_put_heading(out, "What the numbers are");
    ql_str_puts(out, "<table>\n");
    for (int64_t i = 0; i < layers.n; i++) {
        const char *name = ql_name(&layers, i);
        const bool counts = strncmp(ql_str_text(&d->matrix), "layers/", 7) == 0 &&
                            strcmp(ql_str_text(&d->matrix) + 7, name) == 0;
        put_scale(d, "layers", name, counts ? "the counts that were denoised" : not_ours, out);
    }
    for (int64_t i = 0; i < spaces.n; i++) put_scale(d, "obsm", ql_name(&spaces, i), NULL, out);
    for (int64_t i = 0; i < scales.n; i++)
        if (!is_among(&layers, ql_name(&scales, i)) && !is_among(&spaces, ql_name(&scales, i)))
            put_scale(d, "", ql_name(&scales, i), NULL, out);
    ql_str_puts(out, "</table>\n");
    report_end_section(out);
    ql_names_free(&layers);
    ql_names_free(&spaces);
    ql_names_free(&scales);
}

void report_put_next(ql_str *out)
{
    report_put_heading(out, "How to go on");
    ql_str_puts(
        out,
        "<p>With quell, to clusters and a layout, which this page then shows:</p><pre>"
        "quell neighbors OUT.h5ad -o near.h5ad\nquell cluster near.h5ad -o clusters.h5ad\n"
        "quell layout clusters.h5ad -o umap.h5ad\nquell report umap.h5ad -o umap.html</pre>\n"
        "<p>In scanpy (Python):</p><pre>import scanpy as sc\na = sc.read_h5ad(\"OUT.h5ad\")\n"
        "sc.pp.neighbors(a, use_rep=\"X_dca\")\nsc.tl.leiden(a)\nsc.tl.umap(a)\n"
        "d = sc.AnnData(a.layers[\"denoised\"], a.obs, a.var)\n"
        "sc.pp.normalize_total(d, target_sum=1e4)\nsc.pp.log1p(d)</pre>\n"
        "<p>In Seurat (R):</p><pre>library(Seurat)\nlibrary(zellkonverter)\n"
        "sce = readH5AD(\"OUT.h5ad\")\ns = as.Seurat(sce, counts = \"X\", data = NULL)\n"
        "s = FindNeighbors(s, reduction = \"X_dca\", dims = 1:32)</pre>\n"
        "<p>Denoised values are for looking at genes. Do not test for differential expression on "
        "them: values borrowed from other cells are not independent.</p>\n");
    report_end_section(out);
}

void report_put_citation(const report_data *d, ql_str *out)
{
    ql_str version = {0};
    report_put_heading(out, "Citation");
    ql_str_puts(out, "<p>");
    if (ql_results_text(d->file, REPORT_RUN "/version", &version))
        ql_html_text(out, ql_str_text(&version));
    ql_str_puts(
        out,
        ", and the paper whose model it is: Eraslan G, Simon LM, Mircea M, Mueller NS, Theis FJ. "
        "Single-cell RNA-seq denoising using a deep count autoencoder. Nature Communications 10, "
        "390 "
        "(2019). doi:10.1038/s41467-018-07931-2</p>\n");
    report_end_section(out);
    ql_str_free(&version);
}
