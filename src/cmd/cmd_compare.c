/* quell compare: how far labelings of the same cells agree, and how well they part a latent space.
 */
#include <math.h>
#include <string.h>

#include "input/label_source.h"
#include "quell/agreement.h"
#include "quell/alloc.h"
#include "quell/json.h"
#include "space/space_job.h"

typedef struct {
    ql_common_args common;
    ql_seed_args seed;
    space_args space;
    const char *format;
    bool confusion, silhouette;
    int silhouette_cells;
} compare_args;

/* One labeling against the first. */
typedef struct {
    ql_confusion table; /* rows: groups of the first */
    double rand, mutual, purity, silhouette;
} comparison;

typedef struct {
    const compare_args *a;
    ql_run *run;
    int n;
    label_source *source; /* [n] */
    comparison *against;  /* [n]; the first against itself */
    space_job space;
    ql_points points;
    double *x; /* of the points */
    ql_str use;
    bool spaced; /* there are points */
    ql_str out;
} job;

/* ---- the work ---- */

/* Labels of both, of the cells that have one in each: a, b [cells of the first]; returns how many.
 */
static int64_t pair_labels(const label_source *first, const label_source *other,
                           const int64_t *place, int32_t *a, int32_t *b)
{
    int64_t n = 0;
    for (int64_t i = 0; i < first->cells.n; i++) {
        if (place[i] < 0) continue;
        a[n] = first->labels.code[i];
        b[n] = other->labels.code[place[i]];
        n += a[n] >= 0 && b[n] >= 0;
    }
    return n;
}

static ql_status tabulate(job *j, int which, const int64_t *place, int32_t *a, int32_t *b)
{
    const label_source *first = &j->source[0], *other = &j->source[which];
    comparison *c = &j->against[which];
    ql_err *err = &j->run->err;
    const int64_t n = pair_labels(first, other, place, a, b);
    if (n == 0)
        return ql_fail(err, QL_EDATA, "%s and %s have no labelled cell in common", first->name,
                       other->name);
    if (n < first->cells.n || n < other->cells.n)
        ql_log_info(j->run->log, "%s: %lld cells have a label in both", other->name, (long long)n);
    QL_TRY(
        ql_confusion_make(n, a, first->labels.names.n, b, other->labels.names.n, &c->table, err));
    c->rand = ql_adjusted_rand(&c->table);
    c->mutual = ql_mutual_information(&c->table);
    c->purity = ql_purity(&c->table);
    return QL_OK;
}

/* Label of each point, by the cells' names. */
static ql_status label_points(const job *j, int which, int32_t *label)
{
    const label_source *s = &j->source[which];
    int64_t *place;
    ql_err *err = &j->run->err;
    QL_TRY(QL_NEW(place, j->source[0].cells.n, "cells", err));
    ql_status st = label_source_match(&j->source[0], s, place, err);
    for (int64_t i = 0; st == QL_OK && i < j->points.n; i++) {
        int64_t at = place[j->points.cell[i]];
        label[i] = at < 0 ? -1 : s->labels.code[at];
    }
    ql_free(place);
    return st;
}

static ql_status score_space(job *j, int which)
{
    int32_t *label;
    int64_t used;
    ql_err *err = &j->run->err;
    QL_TRY(QL_NEW(label, j->points.n, "labels", err));
    ql_status st = label_points(j, which, label);
    const ql_silhouette_task task = {
        j->x,           j->points.n, j->points.n_dims, label, j->source[which].labels.names.n,
        j->run->threads};
    if (st == QL_OK)
        st = ql_silhouette_sampled(&task, j->a->silhouette_cells, (uint64_t)j->a->seed.seed,
                                   &j->against[which].silhouette, &used, err);
    if (st == QL_OK && which == 0 && used < j->points.n && used == j->a->silhouette_cells)
        ql_log_info(j->run->log,
                    "silhouette: of %lld cells drawn by --seed (--silhouette-cells takes more)",
                    (long long)used);
    ql_free(label);
    return st;
}

static ql_status open_space(job *j)
{
    ql_err *err = &j->run->err;
    if (!j->a->silhouette && !j->a->space.use) return QL_OK;
    j->spaced = true;
    QL_TRY(space_open(&j->space, &j->a->space, j->source[0].path, j->run));
    QL_TRY(space_points(&j->space, j->a->space.use, &j->points, &j->use));
    const int64_t n = j->points.n * j->points.n_dims;
    QL_TRY(QL_NEW(j->x, n, "the latent space", err));
    for (int64_t i = 0; i < n; i++) j->x[i] = (double)j->points.x[i];
    return QL_OK;
}

static ql_status compare(job *j)
{
    ql_err *err = &j->run->err;
    const int64_t cells = j->source[0].cells.n;
    int64_t *place = NULL;
    int32_t *a = NULL, *b = NULL;
    ql_status st;
    QL_GO(QL_NEW(place, cells, "cells", err));
    QL_GO(QL_NEW(a, cells, "labels", err));
    QL_GO(QL_NEW(b, cells, "labels", err));
    for (int i = 0; i < j->n; i++) {
        QL_GO(label_source_match(&j->source[0], &j->source[i], place, err));
        QL_GO(tabulate(j, i, place, a, b));
        if (j->spaced) QL_GO(score_space(j, i));
    }
out:
    ql_free(place);
    ql_free(a);
    ql_free(b);
    return st;
}

/* ---- the result ---- */

static int64_t groups_in_use(const int64_t *size, int64_t n)
{
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++) used += size[i] > 0;
    return used;
}

/* A name in a table: what would end a field becomes a space. */
static void put_name(ql_str *out, const char *name)
{
    for (; *name; name++) {
        const bool ends = *name == '\t' || *name == '\n' || *name == '\r';
        ql_str_bytes(out, ends ? " " : name, 1);
    }
}

static void put_number(ql_str *out, double x)
{
    if (isnan(x))
        ql_str_puts(out, "\t");
    else
        ql_str_printf(out, "\t%.4f", x);
}

static void put_scores(job *j)
{
    ql_str *out = &j->out;
    ql_str_printf(out, "reference\tlabels\tcells\tgroups_reference\tgroups\tari\tnmi\tpurity%s\n",
                  j->spaced ? "\tsilhouette" : "");
    for (int i = j->spaced ? 0 : 1; i < j->n; i++) {
        const comparison *c = &j->against[i];
        put_name(out, j->source[0].name);
        ql_str_puts(out, "\t");
        put_name(out, j->source[i].name);
        ql_str_printf(out, "\t%lld\t%lld\t%lld", (long long)c->table.n,
                      (long long)groups_in_use(c->table.sum_a, c->table.n_a),
                      (long long)groups_in_use(c->table.sum_b, c->table.n_b));
        put_number(out, c->rand);
        put_number(out, c->mutual);
        put_number(out, c->purity);
        if (j->spaced) put_number(out, c->silhouette);
        ql_str_puts(out, "\n");
    }
}

/* Rows: groups of the reference. */
static void put_confusion(job *j, int which)
{
    const ql_confusion *c = &j->against[which].table;
    const ql_names *rows = &j->source[0].labels.names, *cols = &j->source[which].labels.names;
    put_name(&j->out, j->source[which].name);
    for (int64_t b = 0; b < cols->n; b++) {
        ql_str_puts(&j->out, "\t");
        put_name(&j->out, ql_name(cols, b));
    }
    ql_str_puts(&j->out, "\n");
    for (int64_t a = 0; a < rows->n; a++) {
        put_name(&j->out, ql_name(rows, a));
        for (int64_t b = 0; b < cols->n; b++)
            ql_str_printf(&j->out, "\t%lld", (long long)c->count[a * c->n_b + b]);
        ql_str_puts(&j->out, "\n");
    }
}

static void json_names(ql_json *json, const char *key, const ql_names *names)
{
    ql_json_begin_array(json, key);
    for (int64_t i = 0; i < names->n; i++) ql_json_string(json, NULL, ql_name(names, i));
    ql_json_end_array(json);
}

static void json_confusion(ql_json *json, const job *j, int which)
{
    const ql_confusion *c = &j->against[which].table;
    ql_json_begin_object(json, "confusion");
    json_names(json, "rows", &j->source[0].labels.names);
    json_names(json, "columns", &j->source[which].labels.names);
    ql_json_begin_array(json, "cells");
    for (int64_t a = 0; a < c->n_a; a++) {
        ql_json_begin_array(json, NULL);
        for (int64_t b = 0; b < c->n_b; b++) ql_json_int(json, NULL, c->count[a * c->n_b + b]);
        ql_json_end_array(json);
    }
    ql_json_end_array(json);
    ql_json_end_object(json);
}

static void put_json(job *j)
{
    ql_json json = {.out = &j->out};
    ql_json_begin_array(&json, NULL);
    for (int i = j->spaced ? 0 : 1; i < j->n; i++) {
        const comparison *c = &j->against[i];
        ql_json_begin_object(&json, NULL);
        ql_json_string(&json, "reference", j->source[0].name);
        ql_json_string(&json, "labels", j->source[i].name);
        ql_json_int(&json, "cells", c->table.n);
        ql_json_int(&json, "groups_reference", groups_in_use(c->table.sum_a, c->table.n_a));
        ql_json_int(&json, "groups", groups_in_use(c->table.sum_b, c->table.n_b));
        ql_json_double(&json, "ari", c->rand);
        ql_json_double(&json, "nmi", c->mutual);
        ql_json_double(&json, "purity", c->purity);
        if (j->spaced) {
            ql_json_string(&json, "use", ql_str_text(&j->use));
            ql_json_double(&json, "silhouette", c->silhouette);
        }
        if (j->a->confusion) json_confusion(&json, j, i);
        ql_json_end_object(&json);
    }
    ql_json_end_array(&json);
    ql_str_puts(&j->out, "\n");
}

static ql_status print(job *j)
{
    if (strcmp(j->a->format, "json") == 0) {
        put_json(j);
    } else if (j->a->confusion) {
        for (int i = 1; i < j->n; i++) {
            if (i > 1) ql_str_puts(&j->out, "\n");
            put_confusion(j, i);
        }
    } else {
        put_scores(j);
    }
    if (j->out.failed) return ql_fail(&j->run->err, QL_EMEMORY, "no memory for the table");
    fputs(ql_str_text(&j->out), j->run->out);
    return QL_OK;
}

/* ---- the command ---- */

static ql_status work(job *j)
{
    ql_err *err = &j->run->err;
    const bool space = j->a->silhouette || j->a->space.use;
    j->n = j->run->n_args;
    if (j->n < 2 && !space) {
        ql_fail(err, QL_EUSAGE, "one labeling has nothing to be compared with");
        return ql_hint(err, QL_EUSAGE,
                       "name a second one, or --silhouette for how well it parts the cells");
    }
    QL_TRY(QL_NEW(j->source, j->n, "labelings", err));
    QL_TRY(QL_NEW(j->against, j->n, "labelings", err));
    for (int i = 0; i < j->n; i++)
        QL_TRY(
            label_source_read(j->run->args[i], i ? j->source[0].path : NULL, &j->source[i], err));
    QL_TRY(open_space(j));
    QL_TRY(compare(j));
    return print(j);
}

static ql_status compare_run(const void *args, ql_run *run)
{
    job j = {.a = args, .run = run};
    ql_status st = work(&j);
    for (int i = 0; i < j.n; i++) {
        if (j.source) label_source_free(&j.source[i]);
        if (j.against) ql_confusion_free(&j.against[i].table);
    }
    ql_free(j.source);
    ql_free(j.against);
    ql_free(j.x);
    ql_points_free(&j.points);
    ql_str_free(&j.use);
    ql_str_free(&j.out);
    space_close(&j.space);
    return st;
}

static const char *const formats[] = {"tsv", "json", NULL};

#define S compare_args
/* clang-format off */
static const ql_option compare_rows[] = {
    {.name = "format", QL_CHOICE_AT(S, format), .def = "tsv", .choices = formats, .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "form of what is printed"},
    {.name = "confusion", QL_FLAG_AT(S, confusion), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "print how many cells each pair of groups shares",
     .more = "tsv: instead of the scores, one table after the other; json: beside them."},
    {.name = "silhouette", QL_FLAG_AT(S, silhouette), .group = "Output",
     .help = "also how well each labeling parts a latent space",
     .more = "Mean silhouette width by Euclidean distance in a latent space of the first file; --use asks "
             "for it too."},
    {.name = "silhouette-cells", QL_INT_AT(S, silhouette_cells), .def = "20000", .min = 2, .max = 2e9,
     .group = "Output", .level = QL_OPT_EXPERT, .help = "draw this many cells where there are more",
     .more = "Time grows with the square of it. Up to this number the width is exact."},
    {.name = NULL},
};
/* clang-format on */
#undef S

static const ql_opt_table compare_tables[] = {{ql_space_use_rows, offsetof(compare_args, space)},
                                              {compare_rows, 0},
                                              {ql_seed_rows, offsetof(compare_args, seed)},
                                              {NULL, 0}};

static const ql_positional compare_positionals[] = {
    {"LABELS...", "FILE:COLUMN, first the reference; a COLUMN alone is one of the first file"},
    {NULL, NULL},
};

const ql_command ql_cmd_compare = {
    .name = "compare",
    .group = "After an embedding",
    .summary = "how far labels of cells agree: ARI, NMI, silhouette",
    .positionals = compare_positionals,
    .examples = {{"quell compare pbmc.h5ad:cell_type leiden louvain",
                  "two clusterings in obs against the cell types beside them"},
                 {"quell compare truth.csv:type pbmc.h5ad:leiden --confusion",
                  "labels of a table, matched by the cells' names; which groups share cells"}},
    .more =
        "A file is an h5ad, whose obs has the column, or a table (.csv, .tsv, .txt) with a header "
        "and the cells' names first; its second column is taken where none is named. Cells "
        "without a label in one of two labelings are left out of their comparison.",
    .tables = compare_tables,
    QL_ARGS(compare_args),
    .bits = QL_CMD_BRIEF,
    .run = compare_run,
};
