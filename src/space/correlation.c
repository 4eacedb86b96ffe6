#include "correlation.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/parallel.h"

enum {
    BLOCK = 32,
    TILE = 512
}; /* points of a that a thread takes; points of b looked at at once */

ql_status ql_directions_make(const double *x, int64_t n, int64_t d, ql_directions *out, ql_err *err)
{
    *out = (ql_directions){.n = n, .d = d};
    QL_TRY(QL_NEW(out->turned, n * d, "directions of the cells", err));
    for (int64_t i = 0; i < n; i++) {
        double mean = 0, square = 0;
        for (int64_t j = 0; j < d; j++) mean += x[i * d + j];
        mean /= (double)d;
        for (int64_t j = 0; j < d; j++) square += (x[i * d + j] - mean) * (x[i * d + j] - mean);
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t j = 0; j < d; j++) out->turned[j * n + i] = (x[i * d + j] - mean) * scale;
    }
    return QL_OK;
}

void ql_directions_free(ql_directions *v)
{
    ql_free(v->turned);
    *v = (ql_directions){0};
}

void ql_directions_distance(const ql_directions *a, int64_t i, const ql_directions *b, int64_t from,
                            int64_t to, double *out)
{
    const int64_t n = to - from;
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t k = 0; k < a->d; k++) {
        const double value = a->turned[k * a->n + i], *other = b->turned + k * b->n + from;
        for (int64_t j = 0; j < n; j++) out[j] += value * other[j];
    }
    for (int64_t j = 0; j < n; j++) {
        double distance = 1 - out[j];
        out[j] = distance < 0 ? 0 : distance;
    }
}

typedef struct {
    const ql_directions *a, *b;
    bool same;
    int64_t k;
    int32_t *index;
    double *distance;
} job;

/* Insertion into a sorted list of at most k; found: how many there are. */
static int64_t insert(int32_t *index, double *distance, int64_t found, int64_t k, int32_t at,
                      double value)
{
    int64_t p = found < k ? found : k - 1;
    while (p > 0 && distance[p - 1] > value) {
        distance[p] = distance[p - 1];
        index[p] = index[p - 1];
        p--;
    }
    distance[p] = value;
    index[p] = at;
    return found < k ? found + 1 : k;
}

static void search(void *ctx, int64_t block)
{
    const job *w = ctx;
    const int64_t first = block * BLOCK, n = w->b->n, k = w->k;
    const int64_t last = first + BLOCK < w->a->n ? first + BLOCK : w->a->n;
    int64_t found[BLOCK] = {0};
    double d[TILE];
    for (int64_t from = 0; from < n; from += TILE) {
        const int64_t to = from + TILE < n ? from + TILE : n;
        for (int64_t i = first; i < last; i++) {
            int32_t *index = w->index + i * k;
            double *distance = w->distance + i * k;
            int64_t *have = &found[i - first];
            ql_directions_distance(w->a, i, w->b, from, to, d);
            for (int64_t j = from; j < to; j++)
                if ((*have < k || d[j - from] < distance[k - 1]) && !(w->same && i == j))
                    *have = insert(index, distance, *have, k, (int32_t)j, d[j - from]);
        }
    }
}

ql_status ql_directions_nearest(const ql_directions *a, const ql_directions *b, bool same,
                                int64_t k, int threads, int32_t *index, double *distance,
                                ql_err *err)
{
    job w = {a, b, same, k, index, distance};
    if (k < 1 || k > b->n - same)
        return ql_fail(err, QL_EUSAGE, "%lld nearest of %lld cells", (long long)k, (long long)b->n);
    ql_parallel_for(threads, (a->n + BLOCK - 1) / BLOCK, search, &w);
    return QL_OK;
}
