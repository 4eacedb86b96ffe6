#include "mixture_nll.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/special.h"

#define LEAST_MEAN 1e-12 /* of a gene that none of the models expects */

typedef struct {
    const ql_fitted *f;
    double *sum; /* [strips, capacity] */
    double *nll; /* [n] */
} job;

/* With z = mu / theta: theta ln(1 + z) + x ln(1 + 1 / z) - ln(Gamma(x + theta) / Gamma(theta)). */
static double loss(double x, double mu, double theta)
{
    const double z = mu / theta;
    double sum = theta * ql_log1p(z);
    if (x > 0) sum += x * ql_log1p(1 / z) - (ql_lgamma(x + theta) - ql_lgamma(theta));
    return sum;
}

static void add_tile(void *ctx, const ql_ae_tile *t)
{
    const job *j = ctx;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    double *sum = j->sum + t->strip * j->f->ae.capacity + t->first;
    for (int64_t g = 0; g < t->genes.count; g++) {
        const double theta = (double)j->f->theta[t->genes.first + g];
        for (int64_t i = 0; i < t->n; i++) {
            const double mu = (double)t->mean[g * t->ld + i];
            sum[i] += loss((double)x[g * t->ld + i], mu > LEAST_MEAN ? mu : LEAST_MEAN, theta);
        }
    }
}

static ql_status begin(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const job *j = ctx;
    (void)first_row;
    (void)n;
    (void)err;
    memset(j->sum, 0, sizeof *j->sum * (size_t)(ae->heads.tiling.n_strips * ae->capacity));
    return QL_OK;
}

/* Fold the strips of a batch, cell by cell in order. */
static ql_status end(void *ctx, int64_t first_row, int64_t n, ql_err *err)
{
    const job *j = ctx;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int strip = 0; strip < j->f->ae.heads.tiling.n_strips; strip++)
            sum += j->sum[strip * j->f->ae.capacity + i];
        j->nll[first_row + i] = sum;
    }
    return QL_OK;
}

ql_status ql_mixture_nll(ql_fitted *f, const ql_rows *counts, const int64_t *rows, int64_t n,
                         double *nll, ql_err *err)
{
    job j = {.f = f, .nll = nll};
    const ql_batch_source source = {.counts = counts};
    const ql_ae_visitor visitor = {add_tile, begin, end, &j};
    QL_TRY(
        QL_NEW(j.sum, (int64_t)f->ae.heads.tiling.n_strips * f->ae.capacity, "likelihoods", err));
    ql_status st = ql_ae_visit(&f->ae, &source, rows, n, 0, &visitor, err);
    ql_free(j.sum);
    return st;
}
