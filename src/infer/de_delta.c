/* The size of change worth calling one, from the genes' mean changes. */
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/differential.h"
#include "quell/fmath.h"
#include "quell/quantile.h"

enum { PARTS = 3, ROUNDS = 200 };
#define COEFFICIENT 0.6
#define LEAST_DELTA 0.1
#define LEAST_VAR   1e-6

typedef struct {
    double share[PARTS], mean[PARTS], var[PARTS];
} mixture;

/* One round; returns the mean log-likelihood of before it. */
static double improve(mixture *m, const double *x, int64_t n)
{
    double weight[PARTS] = {0}, sum[PARTS] = {0}, square[PARTS] = {0}, log_lik = 0;
    for (int64_t i = 0; i < n; i++) {
        double p[PARTS], most = -INFINITY, total = 0;
        for (int k = 0; k < PARTS; k++) {
            const double d = x[i] - m->mean[k];
            p[k] = ql_log(m->share[k]) - 0.5 * (ql_log(m->var[k]) + d * d / m->var[k]);
            if (p[k] > most) most = p[k];
        }
        for (int k = 0; k < PARTS; k++) total += p[k] = ql_exp(p[k] - most);
        log_lik += most + ql_log(total);
        for (int k = 0; k < PARTS; k++) {
            const double r = p[k] / total;
            weight[k] += r;
            sum[k] += r * x[i];
            square[k] += r * x[i] * x[i];
        }
    }
    for (int k = 0; k < PARTS; k++) {
        const double w = weight[k] + 1e-12;
        m->share[k] = w / (double)n;
        m->mean[k] = sum[k] / w;
        const double var = square[k] / w - m->mean[k] * m->mean[k];
        m->var[k] = (var > 0 ? var : 0) + LEAST_VAR;
    }
    return log_lik / (double)n;
}

ql_status ql_de_delta(const double *lfc, int64_t n, double *out, ql_err *err)
{
    static const double start[PARTS] = {0.05, 0.5, 0.95};
    mixture m;
    double *sorted = NULL, mean = 0, var = 0, before = -INFINITY;
    *out = LEAST_DELTA;
    if (n < PARTS) return QL_OK;
    QL_TRY(QL_NEW(sorted, n, "mean changes", err));
    memcpy(sorted, lfc, (size_t)n * sizeof *sorted);
    for (int64_t i = 0; i < n; i++) mean += lfc[i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += (lfc[i] - mean) * (lfc[i] - mean) / (double)n;
    for (int k = 0; k < PARTS; k++) {
        m.share[k] = 1.0 / PARTS;
        m.mean[k] = ql_quantile(sorted, n, start[k]);
        m.var[k] = var / PARTS + LEAST_VAR;
    }
    ql_free(sorted);
    for (int round = 0; round < ROUNDS; round++) {
        const double now = improve(&m, lfc, n);
        if (now - before < 1e-8) break;
        before = now;
    }
    double low = m.mean[0], high = m.mean[0];
    for (int k = 1; k < PARTS; k++) {
        if (m.mean[k] < low) low = m.mean[k];
        if (m.mean[k] > high) high = m.mean[k];
    }
    const double delta = COEFFICIENT * 0.5 * (fabs(low) + fabs(high));
    if (delta > LEAST_DELTA) *out = delta;
    return QL_OK;
}
