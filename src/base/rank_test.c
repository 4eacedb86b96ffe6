#include "quell/rank_test.h"

#include <stdlib.h>

#include "quell/fmath.h"

void ql_midranks(ql_ranked *list, int64_t n, double *rank)
{
    qsort(list, (size_t)n, sizeof *list, ql_by_rank);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && list[end].value == list[i].value;) end++;
        for (int64_t k = i; k < end; k++) rank[list[k].at] = 0.5 * (double)(i + 1 + end);
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
