/* quell de: Bayesian differential expression. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "generate/rank_groups.h"
#include "generate/use_run.h"
#include "quell/alloc.h"
#include "quell/differential.h"

enum { MEMORY = 256 << 20 }; /* most bytes for the shares of the pairs */

typedef struct {
    ql_common_args common;
    use_args use;
    const char *output, *h5ad, *groupby, *group1, *group2, *mode;
    bool batch_correct, two_sided;
    double delta, pseudocount, fdr, interval;
    int pairs;
} de_args;

static const char *const modes[] = {"change", "vanilla", NULL};

#define S de_args
/* clang-format off */
static const ql_option de_rows[] = {
    {.name = "groupby", .letter = 'g', QL_STRING_AT(S, groupby), .unit = "COLUMN", .group = "Groups",
     .help = "the column of obs that says the groups",
     .more = "Without --group1 every group is compared with the rest."},
    {.name = "group1", QL_STRING_AT(S, group1), .unit = "GROUP", .group = "Groups", .unset = "each in turn",
     .help = "a value of that column, or terms COLUMN=VALUE",
     .more = "Terms such as condition=stim,cell_type!=B cells|NK choose any cells, without --groupby."},
    {.name = "group2", QL_STRING_AT(S, group2), .unit = "GROUP", .group = "Groups", .unset = "all other cells",
     .help = "what it is compared with"},
    {.name = "mode", QL_CHOICE_AT(S, mode), .choices = modes, .def = "change", .group = "Test",
     .help = "what counts as different",
     .more = "change: the ratio of the expected shares is larger than 2^delta, in the likelier direction. "
             "vanilla: group1's share is the larger one."},
    {.name = "delta", QL_DOUBLE_AT(S, delta), .def = "0.25", .min = 0, .max = 100, .group = "Test",
     .help = "change: log2 ratio from which on a gene has changed",
     .more = "auto: from the spread of the genes' mean changes, at least 0.1."},
    {.name = "two-sided", QL_FLAG_AT(S, two_sided), .group = "Test", .level = QL_OPT_EXPERT,
     .help = "change: add the probabilities of both directions"},
    {.name = "pseudocount", QL_DOUBLE_AT(S, pseudocount), .group = "Test", .min = 0, .max = 1,
     .level = QL_OPT_EXPERT, .unset = "from the genes that are hardly seen",
     .help = "change: added to shares before the logarithm"},
    {.name = "fdr", QL_DOUBLE_AT(S, fdr), .def = "0.05", .min = 0, .max = 1, .group = "Test",
     .help = "expected share of false ones among the tagged genes"},
    {.name = "interval", QL_DOUBLE_AT(S, interval), .def = "0.95", .min = 0, .max = 1,
     .bits = QL_OPT_MIN_EXCLUDED | QL_OPT_MAX_EXCLUDED, .group = "Test",
     .help = "probability that lfc_low to lfc_high holds"},
    {.name = "pairs", .letter = 'n', QL_INT_AT(S, pairs), .def = "5000", .min = 2, .max = 1000000,
     .group = "Test", .help = "pairs of cells drawn from the two groups"},
    {.name = "batch-correct", QL_FLAG_AT(S, batch_correct), .group = "Test",
     .help = "decode both of a pair in every batch in turn"},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the table to write: .tsv, .csv, .gz",
     .more = "A gene a line, the most certain first; of several comparisons one after the other."},
    {.name = "h5ad", QL_STRING_AT(S, h5ad), .unit = "FILE", .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "also write the input with the genes as scanpy ranks them",
     .more = "uns/rank_genes_groups, for scanpy.get.rank_genes_groups_df and its plots. pvals are posterior "
             "probabilities of no difference, pvals_adj expected false discovery rates."},
    {.name = NULL},
};
/* clang-format on */
#undef S

/* Rows of all comparisons so far. */
typedef struct {
    const de_args *a;
    use_run *u;
    ql_frame frame;
    ql_names comparison, group1, group2;
    double *column[QL_N_DE + 2]; /* and pseudocount, delta */
    rank_groups ranks;           /* for --h5ad */
    int64_t n, cap;
} de_table;

static void table_free(de_table *t)
{
    ql_frame_free(&t->frame);
    rank_groups_free(&t->ranks);
    ql_names_free(&t->comparison);
    ql_names_free(&t->group1);
    ql_names_free(&t->group2);
    for (int k = 0; k < QL_N_DE + 2; k++) ql_free(t->column[k]);
}

static ql_status make_room(de_table *t, int64_t n_groups, ql_err *err)
{
    const int64_t n = n_groups * t->u->g.n_genes;
    t->cap = n;
    if (t->a->h5ad) QL_TRY(rank_groups_new(&t->ranks, n_groups, t->u->g.n_genes, err));
    for (int k = 0; k < QL_N_DE + 2; k++) QL_TRY(QL_NEW(t->column[k], n, "a table of genes", err));
    return QL_OK;
}

static ql_status add_name(ql_names *names, const char *text, ql_err *err)
{
    return ql_names_add(names, text, strlen(text), err);
}

static ql_status add_rows(de_table *t, const ql_de_result *r, const char *one, const char *other,
                          ql_err *err)
{
    ql_str comparison = {0};
    ql_status st = QL_OK;
    ql_str_printf(&comparison, "%s vs %s", one, other);
    for (int64_t k = 0; k < r->n_genes && st == QL_OK; k++, t->n++) {
        const int64_t g = r->by_rank[k];
        for (int c = 0; c < QL_N_DE; c++) t->column[c][t->n] = r->of[c][g];
        t->column[QL_N_DE][t->n] = r->pseudocount;
        t->column[QL_N_DE + 1][t->n] = r->delta;
        st = add_name(&t->frame.index, ql_name(t->u->model.genes, g), err);
        if (st == QL_OK) st = add_name(&t->comparison, ql_str_text(&comparison), err);
        if (st == QL_OK) st = add_name(&t->group1, one, err);
        if (st == QL_OK) st = add_name(&t->group2, other, err);
    }
    ql_str_free(&comparison);
    return st;
}

static ql_status write_rows(de_table *t, ql_err *err)
{
    ql_frame *f = &t->frame;
    uint8_t *is_de = NULL;
    ql_status st;
    QL_GO(ql_frame_add(f, "comparison", QL_COL_STRING, &t->comparison, err));
    for (int c = 0; c < QL_DE_IS_DE; c++) QL_GO(use_column(f, ql_de_names[c], t->column[c], err));
    QL_GO(QL_NEW(is_de, t->n, "a table of genes", err));
    for (int64_t i = 0; i < t->n; i++) is_de[i] = t->column[QL_DE_IS_DE][i] != 0;
    QL_GO(ql_frame_add(f, ql_de_names[QL_DE_IS_DE], QL_COL_BOOL, is_de, err));
    QL_GO(use_column(f, "pseudocount", t->column[QL_N_DE], err));
    QL_GO(use_column(f, "delta", t->column[QL_N_DE + 1], err));
    QL_GO(ql_frame_add(f, "group1", QL_COL_STRING, &t->group1, err));
    QL_GO(ql_frame_add(f, "group2", QL_COL_STRING, &t->group2, err));
    QL_GO(use_write_table(t->u, t->a->output, f));
out:
    ql_free(is_de);
    return st;
}

static ql_status write_ranks(const de_table *t)
{
    const de_args *a = t->a;
    ql_err *err = &t->u->run->err;
    char method[32];
    if (!a->h5ad) return QL_OK;
    (void)snprintf(method, sizeof method, "quell de --mode %s", a->mode);
    const rank_groups_params params = {.groupby = a->groupby ? a->groupby : a->group1,
                                       .reference = a->group2 ? a->group2 : "rest",
                                       .method = method,
                                       .genes = t->u->model.genes};
    QL_TRY(rank_groups_write(&t->ranks, &params, t->u->writer, err));
    return use_commit_h5ad(t->u, "uns/rank_genes_groups");
}

/* Half of what the budget leaves, if that is less. Decides how often codes are decoded, no value.
 */
static int64_t memory_for_pairs(void)
{
    const int64_t half = ql_alloc_room() / 2;
    return half < MEMORY ? half : MEMORY;
}

static ql_status compare(de_table *t, const ql_de_groups *groups, const char *one,
                         const char *other)
{
    const de_args *a = t->a;
    ql_err *err = &t->u->run->err;
    const ql_de_options opt = {.vanilla = !strcmp(a->mode, "vanilla"),
                               .two_sided = a->two_sided,
                               .batch_correct = a->batch_correct,
                               .delta = a->delta,
                               .pseudocount = a->pseudocount,
                               .interval = a->interval,
                               .fdr = a->fdr,
                               .n_pairs = a->pairs,
                               .memory = memory_for_pairs(),
                               .seed = t->u->seed};
    ql_de_result r = {0};
    QL_TRY(ql_differential(&t->u->g, groups, &opt, &r, err));
    ql_log_info(t->u->run->log,
                "%s (%lld cells) vs %s (%lld cells): %lld genes at an expected FDR of %g", one,
                (long long)groups->n[0], other, (long long)groups->n[1], (long long)r.n_de, a->fdr);
    ql_status st = add_rows(t, &r, one, other, err);
    if (st == QL_OK && a->h5ad) st = rank_groups_add(&t->ranks, one, &r, opt.vanilla, err);
    ql_de_free(&r);
    return st;
}

/* ---- groups ---- */

/* Usable cells, those of the group first: of[] is 1 for them, 2 for the others; 0: neither. */
static ql_status split(de_table *t, const uint8_t *of, const char *one, const char *other)
{
    const use_run *u = t->u;
    ql_err *err = &u->run->err;
    int64_t *rows = NULL, n[2] = {0, 0};
    QL_TRY(QL_NEW(rows, 2 * u->n_usable, "groups of cells", err));
    for (int64_t i = 0; i < u->n_usable; i++) {
        const int64_t cell = u->usable[i];
        if (of[cell]) rows[(of[cell] - 1) * u->n_usable + n[of[cell] - 1]++] = cell;
    }
    const ql_de_groups groups = {.counts = &u->f.rows,
                                 .total = u->total,
                                 .row = {rows, rows + u->n_usable},
                                 .n = {n[0], n[1]}};
    ql_status st =
        n[0] > 0 && n[1] > 0
            ? compare(t, &groups, one, other)
            : ql_fail(err, QL_EDATA, "%s has no cells with molecules in the model's genes",
                      n[0] > 0 ? other : one);
    ql_free(rows);
    return st;
}

/* A group by its name in --groupby, or by terms. */
static ql_status one_group(const de_table *t, const char *option, const char *text, uint8_t *keep)
{
    const ql_frame *cells = &t->u->f.ds.cells;
    ql_err *err = &t->u->run->err;
    if (!t->a->groupby) return cell_select(option, text, cells, keep, err);
    ql_str term = {0};
    ql_str_printf(&term, "%s=%s", t->a->groupby, text);
    ql_status st = term.failed ? ql_fail(err, QL_EMEMORY, "no memory for a name")
                               : cell_select(option, ql_str_text(&term), cells, keep, err);
    ql_str_free(&term);
    return st;
}

static ql_status two_groups(de_table *t)
{
    const de_args *a = t->a;
    const int64_t n = t->u->n_cells;
    ql_err *err = &t->u->run->err;
    uint8_t *one = NULL, *other = NULL;
    ql_status st;
    QL_GO(make_room(t, 1, err));
    QL_GO(QL_NEW(one, n, "groups of cells", err));
    QL_GO(QL_NEW(other, n, "groups of cells", err));
    QL_GO(one_group(t, "--group1", a->group1, one));
    if (a->group2) QL_GO(one_group(t, "--group2", a->group2, other));
    for (int64_t i = 0; i < n; i++) {
        if (one[i] && other[i]) {
            st = ql_fail(err, QL_EUSAGE, "cell %s is in both groups",
                         ql_name(&t->u->f.ds.cells.index, i));
            goto out;
        }
        if (!one[i]) one[i] = !a->group2 || other[i] ? 2 : 0;
    }
    QL_GO(split(t, one, a->group1, a->group2 ? a->group2 : "rest"));
out:
    ql_free(one);
    ql_free(other);
    return st;
}

static ql_status each_group(de_table *t)
{
    const int64_t n = t->u->n_cells;
    ql_err *err = &t->u->run->err;
    ql_names names = {0};
    int64_t *group = NULL;
    uint8_t *of = NULL;
    ql_status st;
    QL_GO(QL_NEW(group, n, "groups of cells", err));
    QL_GO(QL_NEW(of, n, "groups of cells", err));
    QL_GO(cell_groups("--groupby", t->a->groupby, &t->u->f.ds.cells, group, &names, err));
    if (names.n < 2) {
        st = ql_fail(err, QL_EUSAGE, "--groupby %s: all cells are of one group", t->a->groupby);
        goto out;
    }
    QL_GO(make_room(t, names.n, err));
    for (int64_t k = 0; k < names.n; k++) {
        for (int64_t i = 0; i < n; i++) of[i] = group[i] == k ? 1 : 2;
        QL_GO(split(t, of, ql_name(&names, k), "rest"));
    }
out:
    ql_free(group);
    ql_free(of);
    ql_names_free(&names);
    return st;
}

static ql_status check(const void *args, ql_run *run)
{
    const de_args *a = args;
    if (!a->groupby && !a->group1)
        return ql_fail(&run->err, QL_EUSAGE, "give --groupby COLUMN, or --group1 COLUMN=VALUE");
    if (a->group2 && !a->group1) return ql_fail(&run->err, QL_EUSAGE, "--group2 needs --group1");
    if (a->use.decode_as)
        return ql_fail(&run->err, QL_EUSAGE,
                       "--decode-as is not for de: --batch-correct takes all batches in turn");
    return QL_OK;
}

static ql_status work(const void *args, use_run *u)
{
    const de_args *a = args;
    de_table t = {.a = a, .u = u};
    ql_status st = a->group1 ? two_groups(&t) : each_group(&t);
    if (st == QL_OK) st = write_rows(&t, &u->run->err);
    if (st == QL_OK) st = write_ranks(&t);
    table_free(&t);
    return st;
}

/* How many groups there are is not known before the cells are read. */
static int64_t de_bytes(const void *args, const ql_rows *shape, const ql_fit_options *fit)
{
    enum { GROUPS = 16, NAMES = 64 };
    const de_args *a = args;
    const int64_t genes = shape->n_cols, rows = genes * (a->group1 ? 1 : GROUPS);
    const int64_t shares = 2 * (int64_t)a->pairs * genes * (int64_t)sizeof(float);
    return (shares < MEMORY ? shares : MEMORY) + 2 * use_code_bytes(a->pairs, fit) +
           2 * (int64_t)a->pairs * 32 + use_decode_bytes(shape, 1) +
           use_table_bytes(rows, QL_N_DE + 2) + rows * NAMES + shape->n_rows * 32;
}

static const use_command de_use = {
    .use = offsetof(de_args, use),
    .output = {offsetof(de_args, output), offsetof(de_args, h5ad)},
    .h5ad = offsetof(de_args, h5ad),
    .check = check,
    .bytes = de_bytes,
    .work = work,
};

static ql_status de_run(const void *args, ql_run *run)
{
    return use_run_work(&de_use, args, run);
}

static const ql_opt_table tables[] = {{de_rows, 0}, USE_TABLES(de_args, use), {NULL, 0}};

const ql_command ql_cmd_de = {
    .name = "de",
    .group = "Generative models",
    .summary = "Bayesian differential expression of groups of cells",
    .positionals = use_positionals,
    .examples = {{"quell de pbmc.h5ad -m vae.quell.h5 -g cell_type -o markers.tsv",
                  "every cell type against the rest"},
                 {"quell de x.h5ad -m m.h5 -g by --group1 drug --group2 none -o drug.tsv",
                  "two groups of cells"}},
    .tables = tables,
    QL_ARGS(de_args),
    .run = de_run,
};
