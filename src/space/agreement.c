/* The contingency table of two labelings and what is read off it. */
#include "quell/agreement.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/fmath.h"

/* of a table: 1 GiB */
#define MOST_ENTRIES ((int64_t)1 << 27)

ql_status ql_confusion_make(int64_t n, const int32_t *a, int64_t n_a, const int32_t *b, int64_t n_b,
                            ql_confusion *out, ql_err *err)
{
    ql_status st;
    *out = (ql_confusion){.n = n, .n_a = n_a, .n_b = n_b};
    if (n_b > 0 && n_a > MOST_ENTRIES / n_b)
        return ql_fail(
            err, QL_EDATA,
            "%lld and %lld groups: so many are names of cells rather than groups of them",
            (long long)n_a, (long long)n_b);
    QL_GO(QL_NEW(out->count, n_a * n_b, "the table of two labelings", err));
    QL_GO(QL_NEW(out->sum_a, n_a, "the table of two labelings", err));
    QL_GO(QL_NEW(out->sum_b, n_b, "the table of two labelings", err));
    for (int64_t i = 0; i < n; i++) {
        out->count[a[i] * n_b + b[i]]++;
        out->sum_a[a[i]]++;
        out->sum_b[b[i]]++;
    }
    return QL_OK;
out:
    ql_confusion_free(out);
    return st;
}

void ql_confusion_free(ql_confusion *c)
{
    ql_free(c->count);
    ql_free(c->sum_a);
    ql_free(c->sum_b);
    *c = (ql_confusion){0};
}

/* Pairs within the groups; whole below 2^53, so exact for up to 1e8 cells. */
static double pairs(const int64_t *count, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += 0.5 * (double)count[i] * (double)(count[i] - 1);
    return sum;
}

double ql_adjusted_rand(const ql_confusion *c)
{
    double both = pairs(c->count, c->n_a * c->n_b);
    double a = pairs(c->sum_a, c->n_a), b = pairs(c->sum_b, c->n_b), all = pairs(&c->n, 1);
    double expected = all > 0 ? a * b / all : 0, most = 0.5 * (a + b);
    return most == expected ? 1 : (both - expected) / (most - expected);
}

static double entropy(const int64_t *count, int64_t n, double total)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double p = (double)count[i] / total;
        if (p > 0) sum -= p * ql_log(p);
    }
    return sum;
}

double ql_mutual_information(const ql_confusion *c)
{
    const double n = (double)c->n;
    if (c->n == 0) return 1;
    double sum = 0, mean = 0.5 * (entropy(c->sum_a, c->n_a, n) + entropy(c->sum_b, c->n_b, n));
    for (int64_t i = 0; i < c->n_a; i++)
        for (int64_t j = 0; j < c->n_b; j++) {
            double p = (double)c->count[i * c->n_b + j] / n;
            if (p > 0) sum += p * ql_log(p * (n / (double)c->sum_a[i]) * (n / (double)c->sum_b[j]));
        }
    if (mean <= 0) return 1;
    return sum <= 0 ? 0 : fmin(sum / mean, 1);
}

double ql_purity(const ql_confusion *c)
{
    int64_t sum = 0;
    for (int64_t j = 0; j < c->n_b; j++) {
        int64_t most = 0;
        for (int64_t i = 0; i < c->n_a; i++)
            if (c->count[i * c->n_b + j] > most) most = c->count[i * c->n_b + j];
        sum += most;
    }
    return c->n > 0 ? (double)sum / (double)c->n : 1;
}

ql_status ql_adjusted_rand_of(int64_t n, const int32_t *a, int64_t n_a, const int32_t *b,
                              int64_t n_b, double *out, ql_err *err)
{
    ql_confusion c;
    QL_TRY(ql_confusion_make(n, a, n_a, b, n_b, &c, err));
    *out = ql_adjusted_rand(&c);
    ql_confusion_free(&c);
    return QL_OK;
}
