#include "quell/rank_test.h"

#include <stdlib.h>

#include "quell/fmath.h"

static int by_value(const void *a, const void *b)
{
    const ql_rank_item *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

void ql_midranks(const float *x, int64_t n, ql_rank_item *work, double *rank)
{
    for (int64_t i = 0; i < n; i++) work[i] = (ql_rank_item){x[i], i};
    qsort(work, (size_t)n, sizeof *work, by_value);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && work[end].value == work[i].value;) end++;
        for (int64_t k = i; k < end; k++) rank[work[k].at] = 0.5 * (double)(i + 1 + end);
    }
}

void ql_rank_sum_add(ql_rank_sum *s, const double *rank, const uint8_t *in, int64_t n)
{
    const double middle = 0.5 * (double)(n + 1), weight = 1 / (double)(n + 1);
    double sum = 0, square = 0, members = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = rank[i] - middle;
        square += d * d;
        if (!in[i]) continue;
        members += 1;
        sum += d;
    }
    const double others = (double)n - members;
    if (n < 2 || members < 1 || others < 1) return;
    s->sum += weight * sum;
    s->variance += weight * weight * members * others / ((double)n * (double)(n - 1)) * square;
}

double ql_two_sided(double z)
{
    return 2 * ql_normal_cdf(z < 0 ? z : -z);
}
