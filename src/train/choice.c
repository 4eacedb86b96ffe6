#include "quell/choice.h"

#include <math.h>
#include <string.h>

#include "ensemble_internal.h"
#include "molecule_parts.h"
#include "quell/alloc.h"

/* A candidate with less is not worth its training. */
#define LEAST_WEIGHT 0.03

enum { SELECT, REPORT, N_PARTS };

typedef struct {
    const ql_member_spec *specs;
    int n; /* candidates; number n is the mixture */
    const ql_choice_options *opt;
    const ql_kern *kern;
    ql_choice *out;
    int64_t n_cells;
    double *cell[N_PARTS]; /* [n + 1, cells] log-likelihood above the gene means, all folds */
    double *held[N_PARTS]; /* [cells] molecules, all folds */
    double *fold;          /* [n + 1, folds] gain of `report` */
} choosing;

/* ---- one fold ---- */

static ql_status score_part(choosing *c, ql_fitted *f, const ql_molecule_parts *p, int part,
                            int which, double *gain, ql_score *score, ql_err *err)
{
    const ql_held_out parts = {&p->seen, part == SELECT ? &p->select : &p->report, NULL};
    const double lost = part == SELECT ? p->select_lost : p->report_lost;
    const ql_prediction by = c->opt->posterior ? QL_PRED_POSTERIOR : QL_PRED_MEAN;
    QL_TRY(ql_score_cells(&f->ae, &parts, f->prep.gene_total, lost, f->theta, score, gain, err));
    for (int64_t i = 0; i < c->n_cells; i++)
        c->cell[part][which * c->n_cells + i] += gain[i * QL_N_PREDS + by];
    return QL_OK;
}

/* The ensemble as it is weighted now. */
static ql_status score(choosing *c, ql_fitted *f, const ql_molecule_parts *p, int which, int fold,
                       ql_err *err)
{
    const ql_prediction by = c->opt->posterior ? QL_PRED_POSTERIOR : QL_PRED_MEAN;
    double *gain;
    ql_score s;
    QL_TRY(QL_NEW(gain, c->n_cells * QL_N_PREDS, "scores", err));
    ql_status st = score_part(c, f, p, SELECT, which, gain, &s, err);
    if (st == QL_OK) st = score_part(c, f, p, REPORT, which, gain, &s, err);
    if (st == QL_OK) c->fold[which * c->opt->folds + fold] = s.line[by].gain;
    ql_free(gain);
    return st;
}

static ql_status score_alone(choosing *c, ql_fitted *f, const ql_rows *seen,
                             const ql_molecule_parts *p, int which, int fold, ql_err *err)
{
    ql_ensemble *e = f->others;
    for (int i = 0; i < e->n; i++) e->facts.share[i] = i == which;
    ql_ensemble_set_shares(e);
    QL_TRY(ql_fitted_theta(f, seen, err));
    return score(c, f, p, which, fold, err);
}

static ql_status score_mixture(choosing *c, ql_fitted *f, const ql_rows *seen,
                               const ql_molecule_parts *p, int fold, ql_err *err)
{
    const ql_held_out select = {&p->seen, &p->select, NULL};
    ql_ensemble *e = f->others;
    for (int i = 0; i < e->n; i++) e->facts.share[i] = 1.0 / e->n;
    ql_ensemble_set_shares(e);
    QL_TRY(ql_fitted_theta(f, seen, err));
    QL_TRY(ql_ensemble_weigh(f, &select, c->opt->posterior ? f->theta : NULL, false, err));
    QL_TRY(ql_fitted_theta(f, seen, err));
    for (int i = 0; i < e->n; i++) c->out->candidate[i].weight += e->facts.share[i] / c->opt->folds;
    return score(c, f, p, c->n, fold, err);
}

static ql_status fit_fold(choosing *c, const ql_molecule_parts *p, ql_fitted *f, ql_err *err)
{
    double equal[QL_MEMBERS_MOST];
    ql_member_spec first = c->specs[0], specs[QL_MEMBERS_MOST];
    int64_t *rank = NULL;
    ql_rows seen = ql_rows_of_csr(&p->seen); /* no gene is empty: nothing is written */
    memcpy(specs, c->specs, (size_t)c->n * sizeof *specs);
    if (first.fit.gene_rank) {
        QL_TRY(QL_NEW(rank, p->seen.n_cols, "gene order", err));
        for (int64_t g = 0; g < p->seen.n_cols; g++) rank[g] = first.fit.gene_rank[p->gene[g]];
    }
    for (int i = 0; i < c->n; i++) {
        equal[i] = 1.0 / c->n;
        specs[i].fit.gene_rank = rank;
        specs[i].fit.start = NULL; /* candidates start from the seed */
        specs[i].fit.resumable = false;
        specs[i].fit.shrink_genes = false; /* of what was chosen alone */
        if (specs[i].fit.cov) specs[i].fit.cov = &p->cov;
    }
    const ql_ensemble_options opt = {
        .threads = c->opt->threads, .share = equal, .posterior = c->opt->posterior};
    ql_status st = ql_ensemble_fit(&seen, specs, c->n, &opt, c->kern, NULL, f, err);
    ql_free(rank);
    return st;
}

static void count_held(choosing *c, const ql_molecule_parts *p)
{
    const ql_csr *const part[N_PARTS] = {&p->select, &p->report};
    for (int k = 0; k < N_PARTS; k++)
        for (int64_t i = 0; i < c->n_cells; i++)
            for (int64_t e = part[k]->indptr[i]; e < part[k]->indptr[i + 1]; e++)
                c->held[k][i] += (double)part[k]->data[e];
}

static ql_status run_fold(choosing *c, const ql_rows *counts, int fold, ql_err *err)
{
    const uint64_t seed = c->opt->seed + 2 * (uint64_t)fold; /* seed + 1 is for the second cut */
    ql_molecule_parts p = {0};
    ql_fitted f = {0};
    ql_status st;
    QL_GO(ql_molecule_parts_make(counts, c->specs[0].fit.cov, c->opt->most_cells, c->opt->seed,
                                 seed, &p, err));
    QL_GO(fit_fold(c, &p, &f, err));
    ql_rows seen = ql_rows_of_csr(&p.seen);
    count_held(c, &p);
    for (int i = 0; i < c->n; i++) QL_GO(score_alone(c, &f, &seen, &p, i, fold, err));
    QL_GO(score_mixture(c, &f, &seen, &p, fold, err));
out:
    ql_fitted_free(&f);
    ql_molecule_parts_free(&p);
    return st;
}

/* ---- verdicts ---- */

/* Sum of (a - b) over cells per held-out molecule, and its standard error as that of a ratio; b
 * NULL: 0. */
static double ratio(const choosing *c, int part, const double *a, const double *b, double *error)
{
    double sum = 0, molecules = 0, square = 0;
    for (int64_t i = 0; i < c->n_cells; i++) {
        sum += a[i] - (b ? b[i] : 0);
        molecules += c->held[part][i];
    }
    const double value = molecules > 0 ? sum / molecules : 0;
    for (int64_t i = 0; i < c->n_cells; i++) {
        const double d = a[i] - (b ? b[i] : 0) - value * c->held[part][i];
        square += d * d;
    }
    *error = molecules > 0 ? sqrt(square) / molecules : 0;
    return value;
}

static const double *cells_of(const choosing *c, int part, int which)
{
    return c->cell[part] + which * c->n_cells;
}

static bool clearly_better(const choosing *c, int a, int b)
{
    double error;
    const double by = ratio(c, SELECT, cells_of(c, SELECT, a), cells_of(c, SELECT, b), &error);
    return by > 2 * error;
}

/* The simplest that the best does not clearly beat, unless the mixture beats that. */
static int choose(const choosing *c)
{
    int best = 0, chosen;
    for (int i = 1; i < c->n; i++)
        if (c->out->candidate[i].select > c->out->candidate[best].select) best = i;
    chosen = best;
    for (int k = 0; k < c->n; k++) {
        const int i = c->opt->order[k];
        if (i != best && clearly_better(c, best, i)) continue;
        chosen = i;
        break;
    }
    return clearly_better(c, c->n, chosen) ? c->n : chosen;
}

static double fold_sd(const choosing *c, int which)
{
    const double *x = c->fold + which * c->opt->folds;
    double mean = 0, square = 0;
    if (c->opt->folds < 2) return NAN;
    for (int k = 0; k < c->opt->folds; k++) mean += x[k] / c->opt->folds;
    for (int k = 0; k < c->opt->folds; k++) square += (x[k] - mean) * (x[k] - mean);
    return sqrt(square / (c->opt->folds - 1));
}

static void judge(choosing *c)
{
    ql_choice *out = c->out;
    double ignored;
    for (int i = 0; i <= c->n; i++) {
        ql_candidate *k = &out->candidate[i];
        k->select = ratio(c, SELECT, cells_of(c, SELECT, i), NULL, &ignored);
        k->report = ratio(c, REPORT, cells_of(c, REPORT, i), NULL, &k->report_error);
        k->report_folds = fold_sd(c, i);
    }
    out->chosen = choose(c);
    for (int i = 0; i <= c->n; i++)
        out->candidate[i].difference =
            ratio(c, REPORT, cells_of(c, REPORT, i), cells_of(c, REPORT, out->chosen),
                  &out->candidate[i].difference_error);
    double sum = 0;
    for (int i = 0; i < c->n; i++) {
        out->member[i] =
            out->chosen == c->n ? out->candidate[i].weight >= LEAST_WEIGHT : i == out->chosen;
        if (out->chosen < c->n) out->candidate[i].weight = out->member[i];
        if (out->member[i]) sum += out->candidate[i].weight;
    }
    for (int i = 0; i < c->n; i++)
        out->candidate[i].weight = out->member[i] ? out->candidate[i].weight / sum : 0;
}

static ql_status allocate(choosing *c, ql_err *err)
{
    for (int k = 0; k < N_PARTS; k++) {
        QL_TRY(QL_NEW(c->cell[k], (c->n + 1) * c->n_cells, "scores", err));
        QL_TRY(QL_NEW(c->held[k], c->n_cells, "scores", err));
    }
    return QL_NEW(c->fold, (int64_t)(c->n + 1) * c->opt->folds, "scores", err);
}

ql_status ql_choose(const ql_rows *counts, const ql_member_spec *specs, int n,
                    const ql_choice_options *opt, const ql_kern *kern, ql_choice *out, ql_err *err)
{
    choosing c = {.specs = specs, .n = n, .opt = opt, .kern = kern, .out = out};
    ql_status st;
    c.n_cells =
        opt->most_cells > 0 && opt->most_cells < counts->n_rows ? opt->most_cells : counts->n_rows;
    *out = (ql_choice){.n = n, .folds = opt->folds, .n_cells = c.n_cells};
    QL_GO(allocate(&c, err));
    for (int k = 0; k < opt->folds; k++) {
        if (opt->fold) opt->fold(opt->ctx, k);
        QL_GO(run_fold(&c, counts, k, err));
    }
    judge(&c);
out:
    for (int k = 0; k < N_PARTS; k++) {
        ql_free(c.cell[k]);
        ql_free(c.held[k]);
    }
    ql_free(c.fold);
    return st;
}

int64_t ql_choice_bytes(const ql_rows *counts, int n, int64_t most_cells)
{
    const int64_t cells =
        most_cells > 0 && most_cells < counts->n_rows ? most_cells : counts->n_rows;
    const double row = counts->n_rows > 0 ? (double)counts->nnz / (double)counts->n_rows : 0;
    /* the parts while they are cut, and what each candidate says of an entry held out */
    return (int64_t)((double)cells * row) * (24 + n * 4) +
           cells * (int64_t)sizeof(double) * (2 * (n + 2) + QL_N_PREDS);
}
