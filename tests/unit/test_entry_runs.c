/* Entries in any order to rows: the same as a stable sort in memory, whatever the runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../src/mat/run_code.h"
#include "fixture_alloc.h"
#include "quell/entry_runs.h"
#include "quell/rng.h"

static const char *folder(void)
{
    const char *t = getenv("TMPDIR");
    return t && *t ? t : "/tmp";
}

/* ---- the code of an entry ---- */

static void entries_come_back(void **state)
{
    static const int32_t at[] = {0, 1, 2, 63, 64, 127, 128, 8191, 100000, INT32_MAX - 1, INT32_MAX};
    static const float value[] = {1,  2,     63, 64,       16777215,  16777216, 3e38f,  0.5f,
                                  -1, -0.0f, 0,  INFINITY, -INFINITY, NAN,      1e-40f, 8388607.5f};
    enum { N_AT = sizeof at / sizeof *at, N_VALUES = sizeof value / sizeof *value };
    (void)state;
    for (int a = 0; a < N_AT * N_AT * N_AT; a++) {
        ql_entry before = {at[a % N_AT], at[a / N_AT % N_AT], 7};
        for (int v = 0; v < N_VALUES; v++) {
            ql_entry e = {at[a % N_AT], at[a / N_AT / N_AT], value[v]}, back = before;
            if (a % 2) e.row = INT32_MAX;
            uint8_t bytes[QL_ENTRY_BYTES];
            int64_t n = ql_entry_put(&before, &e, bytes);
            assert_in_range(n, 3, QL_ENTRY_BYTES);
            assert_int_equal(ql_entry_get(bytes, n, &back), n);
            assert_memory_equal(&back, &e, sizeof e);
            for (int64_t cut = 0; cut < n; cut++) {
                back = before;
                assert_int_equal(ql_entry_get(bytes, cut, &back), 0);
            }
        }
    }
}

static void entries_are_short(void **state)
{
    uint8_t bytes[QL_ENTRY_BYTES];
    (void)state;
    assert_int_equal(ql_entry_put(&(ql_entry){5, 900, 1}, &(ql_entry){6, 1950, 12}, bytes), 4);
    assert_int_equal(ql_entry_put(&(ql_entry){5, 900, 1}, &(ql_entry){6, 900, 1}, bytes), 3);
}

/* ---- sorting ---- */

enum { ROWS = 5003, COLS = 300, ENTRIES = 20000 };

typedef struct {
    int32_t row[ENTRIES], col[ENTRIES];
    float value[ENTRIES];
    int64_t n;
} entries;

typedef enum { RANDOM, BY_COLUMN, BY_ROW, BACKWARDS, ONE_ROW, N_ORDERS } order;

static int by_column(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Duplicates, rows without entries (every seventh, and the last ones), values that tell which entry
 * it is. */
static entries *make(order how)
{
    entries *e = calloc(1, sizeof *e);
    int64_t key[ENTRIES];
    ql_rng rng = ql_rng_start(3, QL_RNG_SPLIT, how, 0);
    for (int64_t k = 0; k < ENTRIES; k++) {
        int64_t row = ql_rng_below(&rng, ROWS - 20), col = ql_rng_below(&rng, COLS);
        if (row % 7 == 0) row++;
        if (how == ONE_ROW) row = 500;
        key[k] = how == BY_COLUMN ? col * ROWS + row : row * COLS + col;
    }
    if (how != RANDOM) qsort(key, ENTRIES, sizeof *key, by_column);
    for (int64_t k = 0; k < ENTRIES; k++) {
        int64_t from = how == BACKWARDS ? ENTRIES - 1 - k : k;
        e->row[k] = (int32_t)(how == BY_COLUMN ? key[from] % ROWS : key[from] / COLS);
        e->col[k] = (int32_t)(how == BY_COLUMN ? key[from] / ROWS : key[from] % COLS);
        e->value[k] = k % 5 ? (float)(k + 1) : (float)k / 3;
    }
    e->n = ENTRIES;
    return e;
}

/* What comes out, row after row. */
typedef struct {
    int64_t n_rows, n, most;
    int64_t end[ROWS];
    int32_t col[ENTRIES];
    float value[ENTRIES];
    int64_t stop_at;
} rows;

static ql_status take(void *ctx, ql_csr *band, bool *stop, ql_err *err)
{
    rows *r = ctx;
    (void)err;
    assert_int_equal(band->indptr[0], 0);
    assert_int_equal(band->n_cols, COLS);
    for (int64_t i = 0; i < band->n_rows; i++) {
        for (int64_t k = band->indptr[i]; k < band->indptr[i + 1]; k++) {
            r->col[r->n] = band->indices[k];
            r->value[r->n++] = band->data[k];
        }
        r->end[r->n_rows++] = r->n;
    }
    if (band->indptr[band->n_rows] > r->most) r->most = band->indptr[band->n_rows];
    /* as the sink does */
    memset(band->indptr, 255, (size_t)band->n_rows * sizeof *band->indptr);
    band->n_cols = 1;
    *stop = r->n_rows >= r->stop_at;
    return QL_OK;
}

/* The stable order, found by counting. */
static void assert_rows(const entries *e, const rows *r)
{
    int64_t at[ROWS + 1] = {0};
    assert_int_equal(r->n_rows, ROWS);
    assert_int_equal(r->n, e->n);
    for (int64_t k = 0; k < e->n; k++) at[e->row[k] + 1]++;
    for (int64_t i = 0; i < ROWS; i++) at[i + 1] += at[i];
    for (int64_t i = 0; i < ROWS; i++) assert_int_equal(r->end[i], at[i + 1]);
    for (int64_t k = 0; k < e->n; k++) {
        int64_t to = at[e->row[k]]++;
        assert_int_equal(r->col[to], e->col[k]);
        assert_true(r->value[to] == e->value[k]);
    }
}

static void add_all(ql_entry_runs *q, const entries *e, int64_t piece)
{
    ql_err err = {0};
    for (int64_t k = 0; k < e->n; k += piece) {
        int64_t n = e->n - k < piece ? e->n - k : piece;
        assert_int_equal(ql_runs_add(q, e->row + k, e->col + k, e->value + k, n, &err), QL_OK);
    }
}

static void sort_and_check(const entries *e, int64_t run_entries, int64_t piece, int64_t band)
{
    ql_entry_runs *q = NULL;
    rows *r = calloc(1, sizeof *r);
    r->stop_at = ROWS + 1;
    assert_int_equal(ql_runs_new(folder(), run_entries, &q, NULL), QL_OK);
    add_all(q, e, piece);
    assert_int_equal(ql_runs_bytes(q) > 0, run_entries < e->n);
    assert_int_equal(ql_runs_merge(q, ROWS, COLS, band, take, r, NULL), QL_OK);
    assert_rows(e, r);
    ql_runs_free(q);
    free(r);
}

static void any_order_is_sorted(void **state)
{
    (void)state;
    int64_t held = ql_alloc_bytes();
    for (int how = 0; how < N_ORDERS; how++) {
        entries *e = make((order)how);
        sort_and_check(e, ENTRIES + 5, 4096, 1 << 20); /* no file */
        sort_and_check(e, ENTRIES, 777, 100);
        sort_and_check(e, 1 << 10, 1 << 12, 5000);
        sort_and_check(e, 37, 1000, 1); /* a band is a row */
        free(e);
    }
    assert_int_equal(ql_alloc_bytes(), held);
}

static void nothing_is_sorted(void **state)
{
    (void)state;
    entries *e = calloc(1, sizeof *e);
    sort_and_check(e, 10, 1, 100);
    free(e);
}

/* Bands keep to what they were told, unless a row is longer. */
static void bands_are_small(void **state)
{
    (void)state;
    entries *e = make(BY_COLUMN);
    ql_entry_runs *q = NULL;
    rows *r = calloc(1, sizeof *r);
    r->stop_at = ROWS + 1;
    assert_int_equal(ql_runs_new(folder(), 500, &q, NULL), QL_OK);
    add_all(q, e, 100);
    assert_int_equal(ql_runs_merge(q, ROWS, COLS, 300, take, r, NULL), QL_OK);
    assert_in_range(r->most, 200, 300);
    ql_runs_free(q);
    free(r);
    free(e);
}

static void stopping(void **state)
{
    (void)state;
    entries *e = make(RANDOM);
    ql_entry_runs *q = NULL;
    rows *r = calloc(1, sizeof *r);
    r->stop_at = 1;
    assert_int_equal(ql_runs_new(folder(), 500, &q, NULL), QL_OK);
    add_all(q, e, 100);
    assert_int_equal(ql_runs_merge(q, ROWS, COLS, 300, take, r, NULL), QL_OK);
    assert_true(r->n_rows < 500);
    ql_runs_free(q);
    free(r);
    free(e);
}

/* What was held is what was said, and the file has no name. */
static void held_as_said(void **state)
{
    enum { RUN = 2000, BAND = 1000 };
    (void)state;
    entries *e = make(BY_COLUMN);
    ql_entry_runs *q = NULL;
    rows *r = calloc(1, sizeof *r);
    char name[4096];
    r->stop_at = ROWS + 1;
    (void)snprintf(name, sizeof name, "%s/quell-runs-XXXXXX", folder());
    assert_non_null(mkdtemp(name));
    int64_t before = ql_alloc_bytes();
    ql_alloc_set_cap(before + ql_runs_held(RUN, BAND, e->n, ROWS, 200) + (64 << 10));
    assert_int_equal(ql_runs_new(name, RUN, &q, NULL), QL_OK);
    add_all(q, e, 100);
    assert_int_equal(rmdir(name), 0); /* nothing is in it */
    assert_int_equal(ql_runs_merge(q, ROWS, COLS, BAND, take, r, NULL), QL_OK);
    ql_alloc_set_cap(0);
    assert_rows(e, r);
    ql_runs_free(q);
    free(r);
    free(e);
}

static void no_folder(void **state)
{
    (void)state;
    entries *e = make(RANDOM);
    ql_entry_runs *q = NULL;
    ql_err err = {0};
    assert_int_equal(ql_runs_new("/nowhere/at/all", 100, &q, NULL), QL_OK);
    assert_int_equal(ql_runs_add(q, e->row, e->col, e->value, 99, &err), QL_OK);
    assert_int_equal(ql_runs_add(q, e->row, e->col, e->value, 99, &err), QL_ECREATE);
    assert_non_null(strstr(err.msg, "/nowhere/at/all"));
    ql_runs_free(q);
    free(e);
}

/* Runs of all entries written and merged again. */
static ql_status there_and_back(void *ctx, ql_err *err)
{
    const entries *e = ctx;
    ql_entry_runs *q = NULL;
    rows *r = calloc(1, sizeof *r);
    r->stop_at = ROWS + 1;
    ql_status st = ql_runs_new(folder(), 150, &q, err);
    if (st == QL_OK) st = ql_runs_add(q, e->row, e->col, e->value, ENTRIES, err);
    if (st == QL_OK) st = ql_runs_merge(q, ROWS, COLS, 300, take, r, err);
    if (st == QL_OK) assert_rows(e, r);
    ql_runs_free(q);
    free(r);
    return st;
}

static void no_memory(void **state)
{
    (void)state;
    entries *e = make(RANDOM);
    assert_true(fail_each_allocation(NULL, there_and_back, e) >= 10);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back),   cmocka_unit_test(entries_are_short),
        cmocka_unit_test(any_order_is_sorted), cmocka_unit_test(nothing_is_sorted),
        cmocka_unit_test(bands_are_small),     cmocka_unit_test(stopping),
        cmocka_unit_test(held_as_said),        cmocka_unit_test(no_folder),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
