/* quell interpolate: what lies between two groups of cells. */
#include <stdio.h>
#include <string.h>

#include "generate/use_run.h"
#include "quell/alloc.h"
#include "quell/latent_arithmetic.h"

typedef struct {
    ql_common_args common;
    use_args use;
    const char *output, *from, *to, *path;
    double library;
    int steps;
} interpolate_args;

static const char *const paths[] = {"line", "arc", NULL};

#define S interpolate_args
/* clang-format off */
static const ql_option interpolate_rows[] = {
    {.name = "from", QL_STRING_AT(S, from), .unit = "CELLS", .group = "Cells", .bits = QL_OPT_REQUIRED,
     .help = "where the way begins: the mean of these cells",
     .more = "CELLS are terms COLUMN=VALUE or COLUMN!=VALUE with commas between; VALUE may be several, "
             "with | between; name=BARCODE is one cell."},
    {.name = "to", QL_STRING_AT(S, to), .unit = "CELLS", .group = "Cells", .bits = QL_OPT_REQUIRED,
     .help = "where it ends"},
    {.name = "steps", .letter = 'n', QL_INT_AT(S, steps), .def = "11", .min = 2, .max = 1000,
     .group = "Way", .help = "points on the way, both ends included"},
    {.name = "path", QL_CHOICE_AT(S, path), .choices = paths, .def = "line", .group = "Way",
     .help = "straight, or on an arc around the origin"},
    {.name = "library", QL_DOUBLE_AT(S, library), .def = "10000", .min = 0, .max = 1e9, .group = "Way",
     .bits = QL_OPT_MIN_EXCLUDED, .help = "molecules that every point has"},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the table to write: .tsv, .csv, .gz",
     .more = "A gene a line, a point a column: expected molecules."},
    {.name = NULL},
};
/* clang-format on */
#undef S

typedef struct {
    const interpolate_args *a;
    use_run *u;
    int64_t *rows, *cell, n;
    float *z, *codes;
    double *end[2], *library;
    double *value; /* [steps, n_genes] */
} job;

static void release(job *j)
{
    void *const all[] = {j->rows,   j->z,       j->codes, j->end[0],
                         j->end[1], j->library, j->value, j->cell};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
}

static ql_status find_end(job *j, int which, const char *option, const char *text)
{
    const int64_t width = j->u->g.n_latent;
    ql_err *err = &j->u->run->err;
    ql_free(j->rows);
    ql_free(j->z);
    j->z = NULL;
    QL_TRY(use_run_select(j->u, option, text, &j->rows, &j->n, err));
    QL_TRY(use_run_encode(j->u, j->rows, j->n, &j->z, err));
    QL_TRY(QL_NEW(j->end[which], width, "codes", err));
    for (int64_t i = 0; i < j->n; i++)
        for (int64_t k = 0; k < width; k++)
            j->end[which][k] += (double)j->z[i * width + k] / (double)j->n;
    ql_log_info(j->u->run->log, "%s: mean of %lld cells", option + 2, (long long)j->n);
    /* the covariates of the first cell of --from are those of all points */
    for (int s = 0; which == 0 && s < j->a->steps; s++) j->cell[s] = j->rows[0];
    return QL_OK;
}

static ql_status keep(void *ctx, int64_t first, int64_t n, const float *mean, const float *theta,
                      const float *pi, ql_err *err)
{
    const job *j = ctx;
    const int64_t genes = j->u->g.n_genes;
    (void)theta;
    (void)pi;
    (void)err;
    for (int64_t k = 0; k < n * genes; k++) j->value[first * genes + k] = (double)mean[k];
    return QL_OK;
}

static ql_status write_points(job *j)
{
    const int steps = j->a->steps;
    ql_err *err = &j->u->run->err;
    ql_frame frame = {0};
    char name[32];
    ql_status st;
    QL_GO(ql_names_copy(j->u->model.genes, &frame.index, err));
    for (int s = 0; s < steps; s++) {
        snprintf(name, sizeof name, "%.4f", (double)s / (double)(steps - 1));
        QL_GO(use_column(&frame, name, j->value + s * j->u->g.n_genes, err));
    }
    QL_GO(use_write_table(j->u, j->a->output, &frame));
out:
    ql_frame_free(&frame);
    return st;
}

static ql_status work_on(job *j)
{
    const interpolate_args *a = j->a;
    const use_run *u = j->u;
    ql_err *err = &u->run->err;
    const int64_t width = u->g.n_latent;
    QL_TRY(QL_NEW(j->cell, a->steps, "cells", err));
    QL_TRY(QL_NEW(j->library, a->steps, "libraries", err));
    QL_TRY(QL_NEW(j->codes, a->steps * width, "codes", err));
    QL_TRY(QL_NEW(j->value, a->steps * u->g.n_genes, "points", err));
    for (int s = 0; s < a->steps; s++) j->library[s] = a->library;
    QL_TRY(find_end(j, 0, "--from", a->from));
    QL_TRY(find_end(j, 1, "--to", a->to));
    ql_latent_walk(j->end[0], j->end[1], width, a->steps, !strcmp(a->path, "arc"), j->codes);
    const ql_gen_codes codes = {
        .n = a->steps, .z = j->codes, .library = j->library, .cell = j->cell, .batch = u->batch};
    const ql_gen_sink sink = {.block = keep, .ctx = j, .expected = true};
    QL_TRY(ql_gen_decode(&u->g, &codes, &sink, err));
    return write_points(j);
}

static ql_status work(const void *args, use_run *u)
{
    job j = {.a = args, .u = u};
    const ql_status st = work_on(&j);
    release(&j);
    return st;
}

static int64_t interpolate_bytes(const void *args, const ql_rows *shape, const ql_fit_options *fit)
{
    const interpolate_args *a = args;
    return use_code_bytes(shape->n_rows, fit) + shape->n_rows * 16 +
           use_table_bytes(shape->n_cols, a->steps + 2) + use_decode_bytes(shape, 2);
}

static const use_command interpolate_use = {
    .use = offsetof(interpolate_args, use),
    .output = {offsetof(interpolate_args, output)},
    .bytes = interpolate_bytes,
    .work = work,
};

static ql_status interpolate_run(const void *args, ql_run *run)
{
    return use_run_work(&interpolate_use, args, run);
}

static const ql_opt_table tables[] = {
    {interpolate_rows, 0}, USE_TABLES(interpolate_args, use), {NULL, 0}};

const ql_command ql_cmd_interpolate = {
    .name = "interpolate",
    .group = "Generative models",
    .summary = "decode the way from one group of cells to another",
    .positionals = use_positionals,
    .examples = {{"quell interpolate x.h5ad -m m.h5 --from type=A --to type=B -o way.tsv",
                  "11 points between the means of two types"},
                 {"quell interpolate x.h5ad -m m.h5 --from name=C1 --to name=C2 -o way.tsv",
                  "the same between two cells"}},
    .tables = tables,
    QL_ARGS(interpolate_args),
    .run = interpolate_run,
};
