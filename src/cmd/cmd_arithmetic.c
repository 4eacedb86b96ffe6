/* quell arithmetic: A - B + C in the latent space. */

#include "generate/use_run.h"
#include "quell/alloc.h"
#include "quell/latent_arithmetic.h"

typedef struct {
    ql_common_args common;
    use_args use;
    const char *output, *plus, *minus, *to, *compare, *balance;
    bool similar;
    int top;
} arithmetic_args;

#define S arithmetic_args
/* clang-format off */
static const ql_option arithmetic_rows[] = {
    {.name = "plus", QL_STRING_AT(S, plus), .unit = "CELLS", .group = "Cells", .bits = QL_OPT_REQUIRED,
     .help = "A: cells with what is to be added",
     .more = "CELLS are terms COLUMN=VALUE or COLUMN!=VALUE with commas between; VALUE may be several, "
             "with | between: condition=stim,cell_type!=B cells."},
    {.name = "minus", QL_STRING_AT(S, minus), .unit = "CELLS", .group = "Cells", .bits = QL_OPT_REQUIRED,
     .help = "B: the same without it"},
    {.name = "to", QL_STRING_AT(S, to), .unit = "CELLS", .group = "Cells", .bits = QL_OPT_REQUIRED,
     .help = "C: cells it is added to"},
    {.name = "compare", QL_STRING_AT(S, compare), .unit = "CELLS", .group = "Cells", .unset = "nothing",
     .help = "real cells that the prediction should be like"},
    {.name = "balance", QL_STRING_AT(S, balance), .unit = "COLUMN", .group = "Cells", .unset = "all cells alike",
     .help = "weigh the values of this column equally in A and B",
     .more = "So that A - B is the change within cell types and not one of their numbers. Values that only "
             "one of the two has are left out."},
    {.name = "similar", QL_FLAG_AT(S, similar), .group = "Cells",
     .help = "with --balance: values near C weigh more",
     .more = "How much more is what foretells the change of each value best from those of the others."},
    {.name = "top", QL_INT_AT(S, top), .def = "100", .min = 2, .max = 1000000, .group = "Cells",
     .help = "genes that differ most, whose agreement is also told"},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the table to write, a gene a line: .tsv, .csv, .gz",
     .more = "Means are molecules per 10000 of the model's genes."},
    {.name = NULL},
};
/* clang-format on */
#undef S

enum { PLUS, MINUS, TO, COMPARE, N_SETS };
enum { OBSERVED, PREDICTED, UNSHIFTED, TRUTH, N_PROFILES };

typedef struct {
    const arithmetic_args *a;
    use_run *u;
    int64_t *rows[N_SETS], n[N_SETS];
    float *z[N_SETS];
    int64_t *stratum[2], n_strata; /* of A's and B's cells; NULL: one */
    ql_names strata;               /* values of --balance */
    double *weight;                /* [n_strata] */
    double *shift, *room;
    ql_gene_means mean[N_PROFILES]; /* of C's cells; C + shift; C decoded as it is; real cells */
} job;

static void release(job *j)
{
    for (int k = 0; k < N_SETS; k++) {
        ql_free(j->rows[k]);
        ql_free(j->z[k]);
    }
    for (int k = 0; k < 2; k++) ql_free(j->stratum[k]);
    ql_names_free(&j->strata);
    ql_free(j->weight);
    ql_free(j->shift);
    ql_free(j->room);
}

static ql_status choose(job *j)
{
    const arithmetic_args *a = j->a;
    const char *const text[N_SETS] = {a->plus, a->minus, a->to, a->compare};
    static const char *const option[N_SETS] = {"--plus", "--minus", "--to", "--compare"};
    ql_err *err = &j->u->run->err;
    for (int k = 0; k < N_SETS; k++) {
        if (!text[k]) continue;
        QL_TRY(use_run_select(j->u, option[k], text[k], &j->rows[k], &j->n[k], err));
        ql_log_info(j->u->run->log, "%s: %lld cells", option[k] + 2, (long long)j->n[k]);
        if (k != COMPARE) QL_TRY(use_run_encode(j->u, j->rows[k], j->n[k], &j->z[k], err));
    }
    const int64_t genes = j->u->g.n_genes;
    QL_TRY(QL_NEW(j->shift, j->u->g.n_latent, "a shift", err));
    QL_TRY(QL_NEW(j->room, 3 * N_PROFILES * genes, "gene means", err));
    for (int k = 0; k < N_PROFILES; k++) {
        double *at = j->room + 3 * k * genes;
        j->mean[k] = (ql_gene_means){at, at + genes, at + 2 * genes};
    }
    return QL_OK;
}

static ql_status find_strata(job *j)
{
    ql_err *err = &j->u->run->err;
    int64_t *of = NULL;
    ql_status st;
    j->n_strata = 1;
    if (!j->a->balance) return QL_OK;
    QL_GO(QL_NEW(of, j->u->n_cells, "groups of cells", err));
    QL_GO(cell_groups("--balance", j->a->balance, &j->u->f.ds.cells, of, &j->strata, err));
    j->n_strata = j->strata.n;
    for (int k = 0; k < 2; k++) {
        QL_GO(QL_NEW(j->stratum[k], j->n[k], "groups of cells", err));
        for (int64_t i = 0; i < j->n[k]; i++) j->stratum[k][i] = of[j->rows[k][i]];
    }
out:
    ql_free(of);
    return st;
}

static void tell_weights(const job *j)
{
    ql_str text = {0};
    for (int64_t k = 0; k < j->strata.n; k++)
        if (j->weight[k] > 0)
            ql_str_printf(&text, "%s%s %.3f", text.len ? ", " : "", ql_name(&j->strata, k),
                          j->weight[k]);
    ql_log_info(j->u->run->log, "shift: mean over values of %s: %.900s", j->a->balance,
                ql_str_text(&text));
    ql_str_free(&text);
}

static ql_status find_shift(job *j)
{
    const int64_t width = j->u->g.n_latent;
    ql_err *err = &j->u->run->err;
    QL_TRY(find_strata(j));
    const ql_latent_group plus = {j->z[PLUS], j->stratum[0], j->n[PLUS]};
    const ql_latent_group minus = {j->z[MINUS], j->stratum[1], j->n[MINUS]};
    const ql_latent_group to = {j->z[TO], NULL, j->n[TO]};
    QL_TRY(QL_NEW(j->weight, j->n_strata, "weights of groups", err));
    QL_TRY(ql_latent_shift(&plus, &minus, j->a->similar ? &to : NULL, width, j->n_strata, j->shift,
                           j->weight, err));
    if (j->a->balance) tell_weights(j);
    return QL_OK;
}

/* C's codes with and without the shift. */
static ql_status predict(job *j)
{
    const use_run *u = j->u;
    ql_err *err = &u->run->err;
    const ql_gen_codes codes = {
        .n = j->n[TO], .z = j->z[TO], .cell = j->rows[TO], .batch = u->batch};
    QL_TRY(ql_means_of_codes(&u->g, &codes, &j->mean[UNSHIFTED], err));
    for (int64_t i = 0; i < j->n[TO]; i++)
        for (int64_t k = 0; k < u->g.n_latent; k++) {
            float *z = &j->z[TO][i * u->g.n_latent + k];
            *z = (float)((double)*z + j->shift[k]);
        }
    return ql_means_of_codes(&u->g, &codes, &j->mean[PREDICTED], err);
}

/* What is compared with the real cells, by all genes or by those that differ most. */
static const struct {
    const char *name;
    int profile;
    bool top;
    const char *key; /* in the summary; NULL: not there */
} comparisons[] = {
    {"prediction, all genes", PREDICTED, false, "r2_all"},
    {"prediction, genes that differ most", PREDICTED, true, "r2_top"},
    {"cells it was added to, all genes", OBSERVED, false, NULL},
    {"cells it was added to, genes that differ most", OBSERVED, true, "r2_top_unshifted"},
};

/* l: each profile's ln of the means. */
static void tell_agreement(const job *j, double *const *l, const int64_t *top, int64_t n_top)
{
    const ql_run *run = j->u->run;
    ql_log_info(run->log, "agreement of gene means, ln(1 + per 10000), with the real cells:");
    ql_log_info(run->log, "  %-44s %8s %10s", "", "R2", "explained");
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        const bool some = comparisons[i].top;
        const ql_agreement a = ql_agree(l[comparisons[i].profile], l[TRUTH], some ? top : NULL,
                                        some ? n_top : j->u->g.n_genes);
        ql_log_info(run->log, "  %-44s %8.4f %10.4f", comparisons[i].name, a.r2, a.explained);
        if (comparisons[i].key) ql_summary_double(run->summary, comparisons[i].key, a.r2);
    }
}

static ql_status tell(job *j)
{
    const int64_t genes = j->u->g.n_genes;
    ql_err *err = &j->u->run->err;
    double *l[N_PROFILES], *block = NULL;
    int64_t *top = NULL, n_top = 0;
    ql_status st;
    QL_GO(QL_NEW(block, N_PROFILES * genes, "gene means", err));
    QL_GO(QL_NEW(top, genes, "genes", err));
    for (int k = 0; k < N_PROFILES; k++) {
        l[k] = block + k * genes;
        ql_log_of_means(j->mean[k].mean, genes, l[k]);
    }
    QL_GO(ql_top_genes(&j->mean[TRUTH], j->n[COMPARE], &j->mean[OBSERVED], j->n[TO], genes,
                       j->a->top, top, &n_top, err));
    tell_agreement(j, l, top, n_top);
out:
    ql_free(block);
    ql_free(top);
    return st;
}

static ql_status write_genes(job *j)
{
    static const char *const names[N_PROFILES] = {"observed", "predicted", "decoded", "compared"};
    ql_err *err = &j->u->run->err;
    ql_frame frame = {0};
    ql_status st;
    QL_GO(ql_names_copy(j->u->model.genes, &frame.index, err));
    for (int k = 0; k < N_PROFILES; k++)
        if (k != TRUTH || j->a->compare) QL_GO(use_column(&frame, names[k], j->mean[k].mean, err));
    QL_GO(use_write_table(j->u, j->a->output, &frame));
out:
    ql_frame_free(&frame);
    return st;
}

static ql_status work_on(job *j)
{
    const use_run *u = j->u;
    ql_err *err = &u->run->err;
    QL_TRY(choose(j));
    QL_TRY(find_shift(j));
    QL_TRY(ql_means_of_cells(&u->f.rows, j->rows[TO], j->n[TO], u->total, &j->mean[OBSERVED], err));
    QL_TRY(predict(j));
    if (j->a->compare) {
        QL_TRY(ql_means_of_cells(&u->f.rows, j->rows[COMPARE], j->n[COMPARE], u->total,
                                 &j->mean[TRUTH], err));
        QL_TRY(tell(j));
    }
    return write_genes(j);
}

static ql_status work(const void *args, use_run *u)
{
    job j = {.a = args, .u = u};
    const ql_status st = work_on(&j);
    release(&j);
    return st;
}

static int64_t arithmetic_bytes(const void *args, const ql_rows *shape, const ql_fit_options *fit)
{
    enum { CELL = 96, FIGURES = 6 * N_PROFILES };
    (void)args;
    return N_SETS * (use_code_bytes(shape->n_rows, fit) + shape->n_rows * CELL) +
           use_table_bytes(shape->n_cols, FIGURES) + use_decode_bytes(shape, 2);
}

static ql_status check(const void *args, ql_run *run)
{
    const arithmetic_args *a = args;
    if (!a->similar || a->balance) return QL_OK;
    return ql_fail(&run->err, QL_EUSAGE, "--similar needs --balance COLUMN");
}

static const use_command arithmetic_use = {
    .use = offsetof(arithmetic_args, use),
    .output = {offsetof(arithmetic_args, output)},
    .check = check,
    .bytes = arithmetic_bytes,
    .work = work,
};

static ql_status arithmetic_run(const void *args, ql_run *run)
{
    return use_run_work(&arithmetic_use, args, run);
}

static const ql_opt_table tables[] = {
    {arithmetic_rows, 0}, USE_TABLES(arithmetic_args, use), {NULL, 0}};

const ql_command ql_cmd_arithmetic = {
    .name = "arithmetic",
    .group = "Generative models",
    .summary = "add what a condition does to other cells: A - B + C",
    .positionals = use_positionals,
    .examples = {{"quell arithmetic x.h5ad -m m.h5 --plus t=1 --minus t=0 --to k=B -o b.tsv",
                  "what treatment t does to cells of kind B"},
                 {"quell arithmetic x.h5ad -m m.h5 --config b.conf --compare k=B,t=1",
                  "other options from a file, compared with real cells"}},
    .tables = tables,
    QL_ARGS(arithmetic_args),
    .run = arithmetic_run,
};
