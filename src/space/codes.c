#include "quell/codes.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"

void ql_codes_free(ql_codes *c)
{
    ql_free(c->word);
    *c = (ql_codes){0};
}

ql_status ql_codes_of(const float *x, int64_t n, int64_t n_bits, const float *threshold,
                      ql_codes *out, ql_err *err)
{
    *out = (ql_codes){.n = n, .n_bits = n_bits, .n_words = (n_bits + 63) / 64};
    QL_TRY(QL_NEW(out->word, n * out->n_words, "codes", err));
    for (int64_t i = 0; i < n; i++)
        for (int64_t d = 0; d < n_bits; d++)
            if (x[i * n_bits + d] > threshold[d])
                out->word[i * out->n_words + d / 64] |= (uint64_t)1 << (d % 64);
    return QL_OK;
}

/* ---- thresholds ---- */

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static ql_status medians_of(const float *x, int64_t n, int64_t n_bits, float *out, ql_err *err)
{
    float *column;
    QL_TRY(QL_NEW(column, n, "medians", err));
    for (int64_t d = 0; d < n_bits; d++) {
        for (int64_t i = 0; i < n; i++) column[i] = x[i * n_bits + d];
        qsort(column, (size_t)n, sizeof *column, by_value);
        out[d] = column[(n - 1) / 2];
    }
    ql_free(column);
    return QL_OK;
}

ql_status ql_codes_threshold(const float *x, int64_t n, int64_t n_bits, float *threshold,
                             int *medians, double *saturated, ql_err *err)
{
    int64_t near = 0, outside = 0;
    for (int64_t i = 0; i < n * n_bits; i++) {
        near += fabsf(x[i]) <= 0.1f || fabsf(x[i] - 1) <= 0.1f;
        outside += x[i] < 0 || x[i] > 1;
    }
    *saturated = (double)near / (double)(n * n_bits);
    *medians = outside > 0;
    if (*medians) return medians_of(x, n, n_bits, threshold, err);
    for (int64_t d = 0; d < n_bits; d++) threshold[d] = 0.5f;
    return QL_OK;
}

/* ---- how many there are ---- */

typedef struct {
    const uint64_t *word;
    int64_t n_words;
} code;

static int by_code(const void *a, const void *b)
{
    const code *x = a, *y = b;
    return memcmp(x->word, y->word, (size_t)x->n_words * sizeof *x->word);
}

ql_status ql_codes_count(const ql_codes *c, int64_t *n_different, double *alone, ql_err *err)
{
    code *all;
    int64_t n_alone = 0;
    QL_TRY(QL_NEW(all, c->n, "codes", err));
    for (int64_t i = 0; i < c->n; i++) all[i] = (code){c->word + i * c->n_words, c->n_words};
    qsort(all, (size_t)c->n, sizeof *all, by_code);
    *n_different = 0;
    for (int64_t i = 0, end; i < c->n; i = end) {
        for (end = i + 1; end < c->n && by_code(&all[i], &all[end]) == 0;) end++;
        ++*n_different;
        n_alone += end - i == 1;
    }
    *alone = (double)n_alone / (double)c->n;
    ql_free(all);
    return QL_OK;
}

/* ---- search ---- */

typedef struct {
    const ql_codes *points, *queries;
    int k;
    int32_t *index, *bits;
    int32_t *differ;  /* [threads, points] */
    int64_t *n_below; /* [threads, n_bits + 2] */
    atomic_bool stop;
} search;

static int32_t difference(const uint64_t *a, const uint64_t *b, int64_t n_words)
{
    int32_t n = 0;
    for (int64_t w = 0; w < n_words; w++) n += __builtin_popcountll(a[w] ^ b[w]);
    return n;
}

/* A counting sort of what is near enough: place [b] is where the next point of b bits goes. */
static void search_one(const search *s, int64_t query, int32_t *differ, int64_t *place)
{
    const ql_codes *p = s->points;
    const uint64_t *q = s->queries->word + query * p->n_words;
    memset(place, 0, (size_t)(p->n_bits + 2) * sizeof *place);
    for (int64_t i = 0; i < p->n; i++) {
        differ[i] = difference(p->word + i * p->n_words, q, p->n_words);
        place[differ[i] + 1]++;
    }
    for (int64_t b = 0; b <= p->n_bits; b++) place[b + 1] += place[b];
    for (int64_t i = 0; i < p->n; i++) {
        const int64_t at = place[differ[i]];
        if (at >= s->k) continue;
        place[differ[i]]++;
        s->index[query * s->k + at] = (int32_t)i;
        s->bits[query * s->k + at] = differ[i];
    }
}

static void search_part(void *ctx, ql_team *team, int rank)
{
    search *s = ctx;
    int32_t *differ = s->differ + rank * s->points->n;
    int64_t *place = s->n_below + rank * (s->points->n_bits + 2);
    for (int64_t q; (q = ql_team_next(team, rank, 0, s->queries->n)) >= 0;) {
        if (atomic_load(&s->stop)) continue;
        search_one(s, q, differ, place);
        if (rank == 0 && ql_interrupt_check(NULL) != QL_OK) atomic_store(&s->stop, true);
    }
}

ql_status ql_codes_search(const ql_codes *points, const ql_codes *queries, int k, int threads,
                          int32_t *index, int32_t *bits, ql_err *err)
{
    search s = {.points = points, .queries = queries, .k = k, .index = index, .bits = bits};
    ql_status st;
    if (k < 1 || k > points->n || points->n_bits != queries->n_bits)
        return ql_fail(err, QL_EINTERNAL, "%d of %lld codes", k, (long long)points->n);
    QL_GO(QL_NEW(s.differ, threads * points->n, "a search among codes", err));
    QL_GO(QL_NEW(s.n_below, threads * (points->n_bits + 2), "a search among codes", err));
    ql_team_run(threads, search_part, &s);
    st = ql_interrupt_check(err);
out:
    ql_free(s.differ);
    ql_free(s.n_below);
    return st;
}
