/* The cells of a result as maps, coloured by choice: a radio button for each colour, no script. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/chart.h"
#include "quell/order.h"
#include "report_page.h"

enum { MOST_GROUPS = 20, SHADES = 8, MOST_MAPS = 8 };
static const char *const kinds[] = {"c0",  "c1",  "c2",  "c3",  "c4",  "c5",  "c6",
                                    "c7",  "c8",  "c9",  "c10", "c11", "c12", "c13",
                                    "c14", "c15", "c16", "c17", "c18", "c19"};
static const char *const shades[] = {"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"};

/* The group of each cell and what the groups are called. */
typedef struct {
    int *of; /* [cells]; owned */
    ql_str name[MOST_GROUPS + 1];
    const char *colour[MOST_GROUPS + 1];
    int n;
    bool is_scale; /* numbers from lo to hi, not kinds */
    double lo, hi;
    int64_t shown; /* cells */
} grouping;

static void grouping_free(grouping *g)
{
    ql_free(g->of);
    for (int i = 0; i <= MOST_GROUPS; i++) ql_str_free(&g->name[i]);
    memset(g, 0, sizeof *g);
}

/* Even steps between the smallest and the largest; what is not finite is grey. */
static void group_numbers(const double *v, int64_t n, grouping *g)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) continue;
        lo = fmin(lo, v[i]);
        hi = fmax(hi, v[i]);
    }
    const double step = hi > lo ? (hi - lo) / SHADES : 1;
    for (int64_t i = 0; i < n; i++)
        g->of[i] = !isfinite(v[i]) ? SHADES : (int)fmin((v[i] - lo) / step, SHADES - 1);
    for (int s = 0; s < SHADES; s++) g->colour[s] = shades[s];
    g->colour[SHADES] = "grey";
    g->n = SHADES + 1;
    g->is_scale = true;
    g->lo = lo;
    g->hi = hi;
}

/* The most frequent values have colours of their own, first come first where equal. */
static ql_status group_strings(const ql_names *names, grouping *g, ql_err *err)
{
    ql_name_index *index = NULL;
    int64_t *count = NULL;
    ql_status st;
    QL_GO(ql_name_index_new(names, &index, err));
    QL_GO(QL_NEW(count, names->n, "groups of cells", err));
    for (int64_t i = 0; i < names->n; i++) {
        count[ql_name_index_find(index, ql_name(names, i))]++;
        g->of[i] = MOST_GROUPS;
    }
    for (int k = 0; k < MOST_GROUPS; k++) {
        int64_t best = 0;
        for (int64_t i = 0; i < names->n; i++)
            if (count[i] > count[best]) best = i;
        if (names->n == 0 || count[best] == 0) break;
        count[best] = 0;
        ql_str_puts(&g->name[k], ql_name(names, best));
        g->colour[k] = kinds[k];
        for (int64_t i = 0; i < names->n; i++)
            if (!strcmp(ql_name(names, i), ql_name(names, best))) g->of[i] = k;
        g->n = k + 1;
    }
    for (int k = g->n; k <= MOST_GROUPS; k++) g->colour[k] = "grey";
    ql_str_puts(&g->name[MOST_GROUPS], "others");
    g->n = MOST_GROUPS + 1;
out:
    ql_name_index_free(index);
    ql_free(count);
    return st;
}

/* What cells can be coloured by: a column of obs, or, without one, their molecules. */
typedef struct {
    const char *title;
    const ql_column *column; /* NULL: molecules per cell */
} map;

static ql_status group_cells(const report_data *d, const map *m, grouping *g, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows;
    double *v;
    QL_TRY(QL_NEW(g->of, n, "groups of cells", err));
    if (m->column && m->column->type == QL_COL_STRING)
        return group_strings(&m->column->strings, g, err);
    QL_TRY(QL_NEW(v, n, "colours of cells", err));
    for (int64_t i = 0; i < n; i++)
        v[i] = m->column ? ql_column_number(m->column, i) : ql_log10(d->depth[i]);
    group_numbers(v, n, g);
    ql_free(v);
    return QL_OK;
}

/* How many cells each of so many maps shows. */
static int64_t cells_shown(const report_data *d, int n_maps)
{
    const int64_t n = d->ds.counts.n_rows, most = REPORT_MAP_POINTS / n_maps;
    return n < most && n < REPORT_POINTS ? n : most < REPORT_POINTS ? most : REPORT_POINTS;
}

/* The shown cells of one group, gathered. */
static int64_t gather(const report_data *d, const grouping *g, int group, double *x, double *y)
{
    const int64_t n = d->ds.counts.n_rows, shown = g->shown;
    int64_t m = 0;
    for (int64_t k = 0; k < shown; k++) {
        const int64_t i = k * n / shown;
        if (g->of[i] != group) continue;
        x[m] = d->place[0][i];
        y[m++] = d->place[1][i];
    }
    return m;
}

static double median(const double *v, int64_t n, double *work)
{
    memcpy(work, v, sizeof *v * (size_t)n);
    qsort(work, (size_t)n, sizeof *work, ql_by_value);
    return work[n / 2];
}

static void put_ramp(const grouping *g, bool is_log, ql_str *out)
{
    if (!(g->lo <= g->hi)) return;
    const double lo = is_log ? ql_exp10(g->lo) : g->lo, hi = is_log ? ql_exp10(g->hi) : g->hi;
    ql_str_printf(
        out, "<p class=\"key\"><span>%.4g</span><b class=\"ramp\"></b><span>%.4g</span>%s</p>\n",
        lo, hi, is_log ? "<span>(logarithmic)</span>" : "");
}

static ql_status draw_map(const report_data *d, const map *m, const grouping *g, ql_str *out,
                          ql_err *err)
{
    ql_series series[MOST_GROUPS + 1];
    ql_chart_note notes[MOST_GROUPS];
    double *xy;
    int64_t at = 0;
    int n = 0, n_notes = 0;
    QL_TRY(QL_NEW(xy, 3 * REPORT_POINTS, "points", err));
    for (int k = g->n; k-- > 0;) {
        double *x = xy + at, *y = xy + REPORT_POINTS + at;
        const int64_t shown = gather(d, g, k, x, y);
        at += shown;
        if (shown == 0) continue;
        const char *name = g->is_scale ? NULL : ql_str_text(&g->name[k]);
        series[n++] = (ql_series){x, y, shown, name, g->colour[k]};
        if (name && k < MOST_GROUPS)
            notes[n_notes++] = (ql_chart_note){median(x, shown, xy + 2 * REPORT_POINTS),
                                               median(y, shown, xy + 2 * REPORT_POINTS), name};
    }
    ql_chart_put(&(ql_chart){.title = m->title,
                             .width = 760,
                             .height = 560,
                             .mark = QL_MARK_POINTS,
                             .series = series,
                             .n_series = n,
                             .bare = true,
                             .notes = notes,
                             .n_notes = n_notes},
                 out);
    if (g->is_scale) put_ramp(g, !m->column, out);
    ql_free(xy);
    return QL_OK;
}

/* Has the column some, but not too many different words? */
static ql_status tells_groups(const ql_column *c, bool *does, ql_err *err)
{
    enum { MOST = 60 };
    ql_name_index *index = NULL;
    int64_t n_values = 0;
    *does = false;
    if (c->type != QL_COL_STRING || c->strings.n == 0) return QL_OK;
    QL_TRY(ql_name_index_new(&c->strings, &index, err));
    for (int64_t i = 0; i < c->strings.n && n_values <= MOST; i++)
        n_values += ql_name_index_find(index, ql_name(&c->strings, i)) == i;
    ql_name_index_free(index);
    *does = n_values > 1 && n_values <= MOST;
    return QL_OK;
}

/* What is looked for first: clusters, then what cells may differ by for no reason of biology. */
enum { N_FIRST = 8 };

static void first_columns(const report_data *d, const char *color, const ql_column *first[N_FIRST])
{
    static const char *const known[] = {"sample",  "batch",     "donor",
                                        "patient", "condition", "cell_type"};
    enum { N_KNOWN = sizeof known / sizeof *known };
    first[0] = color ? ql_frame_column(&d->ds.cells, color) : NULL;
    first[1] = report_clustering(d);
    for (int i = 0; i < N_KNOWN; i++) first[2 + i] = ql_frame_column(&d->ds.cells, known[i]);
}

static bool has_map(const map *maps, int n, const ql_column *c)
{
    for (int i = 0; i < n; i++)
        if (maps[i].column == c) return true;
    return false;
}

static ql_status add_map(const ql_column *c, bool asked, map *maps, int *n, ql_err *err)
{
    static const char own[] = "quell_";
    bool does = asked;
    if (!c || *n >= MOST_MAPS - 2 || has_map(maps, *n, c)) return QL_OK;
    if (!asked && strncmp(c->name, own, strlen(own)) == 0) return QL_OK;
    if (!asked) QL_TRY(tells_groups(c, &does, err));
    if (does) maps[(*n)++] = (map){c->name, c};
    return QL_OK;
}

static ql_status choose_maps(const report_data *d, const char *color, map *maps, int *n,
                             ql_err *err)
{
    const ql_frame *f = &d->ds.cells;
    const ql_column *first[N_FIRST], *outlier = ql_frame_column(f, "quell_outlier");
    *n = 0;
    first_columns(d, color, first);
    if (color && !first[0])
        return ql_fail(err, QL_EUSAGE, "--color: obs has no column '%s'", color);
    for (int i = 0; i < N_FIRST; i++) QL_TRY(add_map(first[i], i == 0, maps, n, err));
    for (int c = 0; c < f->n_columns; c++) QL_TRY(add_map(&f->columns[c], false, maps, n, err));
    maps[(*n)++] = (map){"molecules per cell", NULL};
    if (outlier && outlier != first[0]) maps[(*n)++] = (map){outlier->name, outlier};
    return QL_OK;
}

static void put_buttons(const map *maps, int n, ql_str *out)
{
    for (int i = 0; i < n; i++) {
        ql_str_printf(out,
                      "<input type=\"radio\" name=\"map\" id=\"map%d\"%s><label for=\"map%d\">", i,
                      i == 0 ? " checked" : "", i);
        ql_html_text(out, maps[i].title);
        ql_str_puts(out, "</label>\n");
    }
}

static void put_source(const report_data *d, int64_t shown, ql_str *out)
{
    ql_str_puts(out, "<p class=\"mute\">");
    ql_html_text(out, ql_str_text(&d->key));
    if (strcmp(ql_str_text(&d->key), "X_umap") != 0)
        ql_str_puts(out,
                    ", its first two principal components: neighbours in all dimensions may be "
                    "drawn over each other. With obsm/X_umap in the file that is drawn instead");
    ql_str_puts(out, ".");
    if (shown < d->ds.counts.n_rows)
        ql_str_printf(out, " %lld of the cells are shown.", (long long)shown);
    ql_str_puts(out, "</p>\n");
}

ql_status report_put_cells(const report_data *d, const char *color, ql_str *out, ql_err *err)
{
    map maps[MOST_MAPS];
    grouping g = {0};
    int n;
    ql_status st = choose_maps(d, color, maps, &n, err);
    if (st != QL_OK || !d->place[0] || !d->place[1]) return st;
    report_put_heading(out, "Cells");
    ql_str_puts(out, "<div class=\"tabs\">");
    put_buttons(maps, n, out);
    for (int i = 0; st == QL_OK && i < n; i++) {
        ql_str_puts(out, "<div class=\"pane\">");
        g.shown = cells_shown(d, n);
        st = group_cells(d, &maps[i], &g, err);
        if (st == QL_OK) st = draw_map(d, &maps[i], &g, out, err);
        grouping_free(&g);
        ql_str_puts(out, "</div>\n");
    }
    ql_str_puts(out, "</div>\n");
    put_source(d, cells_shown(d, n), out);
    report_end_section(out);
    return st;
}
