/* Areas under the curve, and those of classifiers on rows they have not seen. */
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/logistic.h"
#include "quell/parallel.h"
#include "quell/rank_test.h"
#include "quell/rng.h"

/* ---- DeLong ---- */

/* Mean and variance of the mean of (all - own) / n_other over the rows of a kind: what share of the
 * other kind is below each. */
static void placements(const double *all, const double *own, const uint8_t *kind, int which,
                       int64_t n, double n_other, double *mean, double *variance)
{
    double sum = 0, square = 0, count = 0;
    for (int64_t i = 0; i < n; i++)
        if ((kind[i] != 0) == which) sum += (all[i] - own[i]) / n_other, count += 1;
    *mean = sum / count;
    for (int64_t i = 0; i < n; i++) {
        if ((kind[i] != 0) != which) continue;
        const double d = (all[i] - own[i]) / n_other - *mean;
        square += d * d;
    }
    *variance = count > 1 ? square / (count - 1) / count : 0;
}

ql_status ql_auroc_of(const double *score, const uint8_t *kind, int64_t n, ql_auroc *out,
                      ql_err *err)
{
    ql_ranked *list = NULL;
    double *all = NULL, *own = NULL, below, above, v1, v0;
    int64_t n1 = 0, k = 0;
    ql_status st;
    *out = (ql_auroc){NAN, NAN};
    QL_GO(QL_NEW(list, n, "ranks", err));
    QL_GO(QL_NEW(all, n, "ranks", err));
    QL_GO(QL_NEW(own, n, "ranks", err));
    for (int64_t i = 0; i < n; i++) n1 += kind[i] != 0;
    if (n1 == 0 || n1 == n) goto out;
    for (int64_t i = 0; i < n; i++) list[i] = (ql_ranked){score[i], i};
    ql_midranks(list, n, all);
    for (int which = 0; which < 2; which++) {
        k = 0;
        for (int64_t i = 0; i < n; i++)
            if ((kind[i] != 0) == which) list[k++] = (ql_ranked){score[i], i};
        ql_midranks(list, k, own);
    }
    placements(all, own, kind, 1, n, (double)(n - n1), &below, &v1);
    placements(all, own, kind, 0, n, (double)n1, &above, &v0);
    *out = (ql_auroc){below, sqrt(v1 + v0)};
out:
    ql_free(list);
    ql_free(all);
    ql_free(own);
    return st;
}

/* ---- folds ---- */

typedef struct {
    const ql_csr *x;
    const uint8_t *kind;
    const int64_t *group;
    const ql_folds *how;
    int64_t *fold_of; /* [n_groups] */
    ql_auroc *out;    /* [folds] */
    ql_status *status;
    ql_err *err; /* [folds] */
} folds;

/* 1 / standard deviation of each column over the rows; 0 of one that does not vary. */
static ql_status factors(const ql_csr *x, const int64_t *row, int64_t n, double *factor,
                         ql_err *err)
{
    double *square = NULL;
    QL_TRY(QL_NEW(square, x->n_cols, "features", err));
    memset(factor, 0, (size_t)x->n_cols * sizeof *factor);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = x->indptr[row[i]]; k < x->indptr[row[i] + 1]; k++) {
            const double v = (double)x->data[k];
            factor[x->indices[k]] += v;
            square[x->indices[k]] += v * v;
        }
    }
    for (int64_t f = 0; f < x->n_cols; f++) {
        const double mean = factor[f] / (double)n, var = square[f] / (double)n - mean * mean;
        factor[f] = var > 1e-12 * (mean * mean) && var > 0 ? 1 / sqrt(var) : 0;
    }
    ql_free(square);
    return QL_OK;
}

/* row [rows]: those that the fold is fitted on, then its own; returns how many come first. */
static int64_t divide(const folds *f, int64_t fold, int64_t *row)
{
    const int64_t n = f->x->n_rows;
    int64_t n_fit = 0, end = n;
    for (int64_t i = 0; i < n; i++)
        if (f->fold_of[f->group[i]] != fold) row[n_fit++] = i;
    for (int64_t i = n - 1; i >= 0; i--)
        if (f->fold_of[f->group[i]] == fold) row[--end] = i;
    return n_fit;
}

static ql_status one_fold(const folds *f, int64_t fold)
{
    const int64_t n = f->x->n_rows;
    ql_err *err = &f->err[fold];
    int64_t *row = NULL;
    double *factor = NULL, *w = NULL, *score = NULL;
    uint8_t *kind = NULL;
    ql_status st;
    QL_GO(QL_NEW(row, n, "rows", err));
    QL_GO(QL_NEW(kind, n, "rows", err));
    QL_GO(QL_NEW(score, n, "rows", err));
    QL_GO(QL_NEW(factor, f->x->n_cols, "features", err));
    QL_GO(QL_NEW(w, f->x->n_cols + 1, "features", err));
    const int64_t n_fit = divide(f, fold, row), n_test = n - n_fit;
    QL_GO(factors(f->x, row, n_fit, factor, err));
    ql_labelled data = {f->x, f->kind, row, factor, n_fit};
    QL_GO(ql_logistic_fit(&data, f->how->ridge, w, err));
    data.row = row + n_fit;
    data.n = n_test;
    ql_logistic_score(&data, w, score);
    for (int64_t i = 0; i < n_test; i++) kind[i] = f->kind[data.row[i]];
    st = ql_auroc_of(score, kind, n_test, &f->out[fold], err);
out:
    ql_free(row);
    ql_free(kind);
    ql_free(score);
    ql_free(factor);
    ql_free(w);
    return st;
}

static void run_fold(void *ctx, int64_t fold)
{
    const folds *f = ctx;
    f->status[fold] = one_fold(f, fold);
}

/* Figures of folds that lack a kind are left out. */
static ql_auroc average(const ql_auroc *of, int n)
{
    double sum = 0, variance = 0, used = 0;
    for (int k = 0; k < n; k++) {
        if (isnan(of[k].auroc)) continue;
        used += 1;
        sum += of[k].auroc;
        variance += of[k].se * of[k].se;
    }
    return used > 0 ? (ql_auroc){sum / used, sqrt(variance) / used} : (ql_auroc){NAN, NAN};
}

ql_status ql_auroc_across(const ql_csr *x, const uint8_t *kind, const int64_t *group,
                          int64_t n_groups, const ql_folds *how, ql_auroc *out, ql_err *err)
{
    folds f = {.x = x, .kind = kind, .group = group, .how = how};
    ql_rng rng = ql_rng_start(how->seed, QL_RNG_FOLDS, 0, 0);
    int64_t *order = NULL;
    ql_status st;
    QL_GO(QL_NEW(order, n_groups, "folds", err));
    QL_GO(QL_NEW(f.fold_of, n_groups, "folds", err));
    QL_GO(QL_NEW(f.out, how->folds, "folds", err));
    QL_GO(QL_NEW(f.status, how->folds, "folds", err));
    QL_GO(QL_NEW(f.err, how->folds, "folds", err));
    for (int64_t i = 0; i < n_groups; i++) order[i] = i;
    ql_rng_shuffle(&rng, order, n_groups);
    for (int64_t i = 0; i < n_groups; i++) f.fold_of[order[i]] = i % how->folds;
    ql_parallel_for(how->threads, how->folds, run_fold, &f);
    for (int k = 0; k < how->folds; k++) {
        if (f.status[k] == QL_OK) continue;
        st = ql_fail(err, f.status[k], "%s", f.err[k].msg);
        goto out;
    }
    *out = average(f.out, how->folds);
out:
    ql_free(order);
    ql_free(f.fold_of);
    ql_free(f.out);
    ql_free(f.status);
    ql_free(f.err);
    return st;
}
