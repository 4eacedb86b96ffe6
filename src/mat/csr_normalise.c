/* Sorted rows without duplicates or zeros, from rows in any state. */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/csr.h"
#include "quell/parallel.h"

enum { SHORT_ROW = 48, DIGIT_BITS = 8, N_DIGITS = 1 << DIGIT_BITS };

/* An entry of a row being sorted. */
typedef struct {
    int32_t col;
    float value;
} entry;

/* Two rows' worth of entries to sort with; grown to the longest row that needs sorting. */
typedef struct {
    entry *a, *b;
    int64_t cap;
    int n_passes; /* digits of the largest column number */
} scratch;

static ql_status scratch_reserve(scratch *s, int64_t n, ql_err *err)
{
    if (n <= s->cap) return QL_OK;
    ql_free(s->a);
    ql_free(s->b);
    *s = (scratch){.n_passes = s->n_passes};
    int64_t cap = n + n / 2;
    QL_TRY(QL_NEW(s->a, cap, "sorting the rows of a matrix", err));
    QL_TRY(QL_NEW(s->b, cap, "sorting the rows of a matrix", err));
    s->cap = cap;
    return QL_OK;
}

/* Both sorts are stable: duplicates are summed in the order of the file. */
static void sort_short(entry *e, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        entry x = e[i];
        int64_t k = i;
        for (; k > 0 && e[k - 1].col > x.col; k--) e[k] = e[k - 1];
        e[k] = x;
    }
}

static void radix_pass(const entry *from, entry *to, int64_t n, int shift)
{
    int64_t start[N_DIGITS] = {0};
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) start[(from[i].col >> shift) & (N_DIGITS - 1)]++;
    for (int d = 0; d < N_DIGITS; d++) {
        int64_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < n; i++) to[start[(from[i].col >> shift) & (N_DIGITS - 1)]++] = from[i];
}

/* Sorts the n entries in s->a; the result is in the array returned. */
static const entry *sort_entries(scratch *s, int64_t n)
{
    if (n <= SHORT_ROW) {
        sort_short(s->a, n);
        return s->a;
    }
    for (int pass = 0; pass < s->n_passes; pass++) {
        radix_pass(s->a, s->b, n, pass * DIGIT_BITS);
        entry *swap = s->a;
        s->a = s->b;
        s->b = swap;
    }
    return s->a;
}

static ql_status sort_row(int32_t *indices, float *data, int64_t n, scratch *s, ql_err *err)
{
    QL_TRY(scratch_reserve(s, n, err));
    for (int64_t k = 0; k < n; k++) s->a[k] = (entry){indices[k], data[k]};
    const entry *sorted = sort_entries(s, n);
    for (int64_t k = 0; k < n; k++) {
        indices[k] = sorted[k].col;
        data[k] = sorted[k].value;
    }
    return QL_OK;
}

static bool is_sorted(const int32_t *indices, int64_t n)
{
    for (int64_t k = 1; k < n; k++)
        if (indices[k] < indices[k - 1]) return false;
    return true;
}

/* Whether nothing is to be done: strictly ascending, no zeros. */
static bool is_normal(const int32_t *indices, const float *data, int64_t n)
{
    int odd = n > 0 && data[0] == 0.0f;
    for (int64_t k = 1; k < n; k++) odd |= (indices[k] <= indices[k - 1]) | (data[k] == 0.0f);
    return !odd;
}

/* Sum duplicates and drop zeros of the sorted entries [begin, end) and put what is left from `to`
 * on (to <= begin). Returns the end of what was put; *merged grows by the entries summed away. */
static int64_t compact_row(ql_csr *m, int64_t begin, int64_t end, int64_t to, int64_t *merged)
{
    for (int64_t k = begin; k < end;) {
        int32_t col = m->indices[k];
        double sum = (double)m->data[k];
        int64_t first = k++;
        for (; k < end && m->indices[k] == col; k++) sum += (double)m->data[k];
        *merged += k - first - 1;
        if (sum == 0.0) continue;
        m->indices[to] = col;
        m->data[to++] = (float)sum;
    }
    return to;
}

static int64_t move_row(ql_csr *m, int64_t begin, int64_t n, int64_t to)
{
    if (to != begin) {
        memmove(m->indices + to, m->indices + begin, (size_t)n * sizeof *m->indices);
        memmove(m->data + to, m->data + begin, (size_t)n * sizeof *m->data);
    }
    return to + n;
}

/* Are rows of a block of rows all in order? */
enum { BLOCK_ROWS = 1024 };

typedef struct {
    const ql_csr *m;
    atomic_bool all_normal;
} order_check;

static void check_rows(void *ctx, int64_t block)
{
    order_check *check = ctx;
    const ql_csr *m = check->m;
    int64_t end = (block + 1) * BLOCK_ROWS;
    if (end > m->n_rows) end = m->n_rows;
    for (int64_t i = block * BLOCK_ROWS; i < end && atomic_load(&check->all_normal); i++) {
        int64_t at = m->indptr[i];
        if (!is_normal(m->indices + at, m->data + at, m->indptr[i + 1] - at))
            atomic_store(&check->all_normal, false);
    }
}

static int count_passes(int64_t n_cols)
{
    int n = 1;
    while (n < 4 && ((n_cols - 1) >> (n * DIGIT_BITS)) > 0) n++;
    return n;
}

ql_status ql_csr_normalise(ql_csr *m, int64_t *n_duplicates, ql_err *err)
{
    scratch s = {.n_passes = count_passes(m->n_cols)};
    int64_t to = 0, merged = 0, begin = 0;
    ql_status st = QL_OK;

    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t end = m->indptr[i + 1], n = end - begin;
        int32_t *indices = m->indices + begin;
        float *data = m->data + begin;
        if (is_normal(indices, data, n)) {
            to = move_row(m, begin, n, to);
        } else {
            if (!is_sorted(indices, n)) QL_GO(sort_row(indices, data, n, &s, err));
            to = compact_row(m, begin, end, to, &merged);
        }
        m->indptr[i + 1] = to;
        begin = end;
    }
    if (n_duplicates) *n_duplicates = merged;
out:
    ql_free(s.a);
    ql_free(s.b);
    return st;
}

ql_status ql_csr_normalise_threads(ql_csr *m, int threads, int64_t *n_duplicates, ql_err *err)
{
    order_check check = {.m = m};
    atomic_init(&check.all_normal, true);
    ql_parallel_for(threads, (m->n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS, check_rows, &check);
    if (!atomic_load(&check.all_normal)) return ql_csr_normalise(m, n_duplicates, err);
    if (n_duplicates) *n_duplicates = 0;
    return QL_OK;
}
