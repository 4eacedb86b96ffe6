/* Sparse matrices, against a dense twin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/csr.h"
#include "quell/rng.h"

enum { ROWS = 37, COLS = 300 };

static uint32_t draw(ql_rng *rng, uint32_t n)
{
    return ql_rng_below(rng, n);
}

/* Rows of any order with duplicates and zeros; dense[ROWS][COLS] gets the sums. Some rows are
 * empty, some longer than the sort for short ones goes; every third is in order already. */
static void make_messy(uint64_t seed, ql_csr *m, double *dense, int64_t *n_duplicates)
{
    ql_rng rng = ql_rng_start(seed, QL_RNG_SPLIT, 0, 0);
    int64_t nnz = 0;
    assert_int_equal(ql_csr_alloc(m, ROWS, COLS, ROWS * 200, NULL), QL_OK);
    memset(dense, 0, sizeof(double[ROWS][COLS]));
    *n_duplicates = 0;
    for (int i = 0; i < ROWS; i++) {
        uint8_t seen[COLS] = {0};
        uint32_t n = i % 5 == 0 ? 0 : draw(&rng, i % 2 ? 200 : 40);
        for (uint32_t k = 0; k < n; k++) {
            uint32_t col = i % 3 == 0 ? k : draw(&rng, COLS);
            float value = (float)draw(&rng, 4) - (i % 7 == 0 ? 1 : 0);
            m->indices[nnz] = (int32_t)col;
            m->data[nnz++] = value;
            dense[i * COLS + (int)col] += (double)value;
            *n_duplicates += seen[col];
            seen[col] = 1;
        }
        m->indptr[i + 1] = nnz;
    }
}

static void check_equal(const ql_csr *m, const double *dense)
{
    int64_t k = 0;
    assert_int_equal(m->indptr[0], 0);
    for (int64_t i = 0; i < m->n_rows; i++) {
        for (int64_t j = 0; j < m->n_cols; j++) {
            double expected = dense[i * m->n_cols + j];
            if (expected == 0) continue;
            assert_true(k < m->indptr[i + 1]);
            assert_int_equal(m->indices[k], j);
            assert_true((double)m->data[k] == expected);
            k++;
        }
        assert_int_equal(m->indptr[i + 1], k);
    }
}

static void rows_become_sorted_and_unique(void **state)
{
    (void)state;
    static double dense[ROWS * COLS];
    for (uint64_t seed = 0; seed < 20; seed++) {
        ql_csr m;
        int64_t expected, merged, again;
        make_messy(seed, &m, dense, &expected);
        assert_int_equal(ql_csr_normalise(&m, &merged, NULL), QL_OK);
        assert_int_equal(merged, expected);
        check_equal(&m, dense);
        assert_int_equal(ql_csr_normalise(&m, &again, NULL), QL_OK);
        assert_int_equal(again, 0);
        check_equal(&m, dense);
        ql_csr_free(&m);
    }
}

/* Column numbers that need all four digits of the sort. */
static void wide_rows_are_sorted(void **state)
{
    (void)state;
    enum { N = 1000 };
    ql_csr m;
    ql_rng rng = ql_rng_start(5, QL_RNG_SPLIT, 0, 0);
    assert_int_equal(ql_csr_alloc(&m, 1, INT32_MAX, N, NULL), QL_OK);
    for (int k = 0; k < N; k++) {
        m.indices[k] = (int32_t)draw(&rng, INT32_MAX);
        m.data[k] = (float)(m.indices[k] % 1000 + 1);
    }
    m.indices[17] = INT32_MAX - 1;
    m.data[17] = (float)((INT32_MAX - 1) % 1000 + 1);
    m.indptr[1] = N;
    assert_int_equal(ql_csr_normalise(&m, NULL, NULL), QL_OK);
    for (int64_t k = 1; k < m.indptr[1]; k++) {
        assert_true(m.indices[k] > m.indices[k - 1]);
        if (k < m.indptr[1] - 1) assert_int_equal((int)m.data[k] % (m.indices[k] % 1000 + 1), 0);
    }
    assert_int_equal(m.indices[m.indptr[1] - 1], INT32_MAX - 1);
    ql_csr_free(&m);
}

/* NaN is no zero: it must reach the check that reports it. */
static void nan_is_kept(void **state)
{
    (void)state;
    ql_csr m;
    assert_int_equal(ql_csr_alloc(&m, 1, 4, 3, NULL), QL_OK);
    const int32_t indices[] = {2, 0, 2};
    const float data[] = {NAN, 0, 1};
    memcpy(m.indices, indices, sizeof indices);
    memcpy(m.data, data, sizeof data);
    m.indptr[1] = 3;
    assert_int_equal(ql_csr_normalise(&m, NULL, NULL), QL_OK);
    assert_int_equal(ql_csr_nnz(&m), 1);
    assert_true(isnan(m.data[0]));
    ql_csr_free(&m);
}

static void transposing_turns_the_matrix(void **state)
{
    (void)state;
    static double dense[ROWS * COLS], turned[ROWS * COLS];
    int64_t n;
    ql_csr m, t, back;
    make_messy(3, &m, dense, &n);
    assert_int_equal(ql_csr_normalise(&m, NULL, NULL), QL_OK);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLS; j++) turned[j * ROWS + i] = dense[i * COLS + j];
    assert_int_equal(ql_csr_transpose(&m, &t, NULL), QL_OK);
    assert_int_equal(t.n_rows, COLS);
    assert_int_equal(t.n_cols, ROWS);
    check_equal(&t, turned);
    assert_int_equal(ql_csr_transpose(&t, &back, NULL), QL_OK);
    check_equal(&back, dense);
    ql_csr_free(&m);
    ql_csr_free(&t);
    ql_csr_free(&back);
}

static void subsets_keep_what_is_flagged(void **state)
{
    (void)state;
    static double dense[ROWS * COLS], cut[ROWS * COLS];
    uint8_t rows[ROWS], cols[COLS];
    int64_t n, at = 0, n_rows = 0, n_cols = 0;
    ql_csr m, s;
    make_messy(4, &m, dense, &n);
    assert_int_equal(ql_csr_normalise(&m, NULL, NULL), QL_OK);
    for (int i = 0; i < ROWS; i++) n_rows += rows[i] = i % 3 != 1;
    for (int j = 0; j < COLS; j++) n_cols += cols[j] = j % 4 == 2;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLS; j++)
            if (rows[i] && cols[j]) cut[at++] = dense[i * COLS + j];

    assert_int_equal(ql_csr_subset(&m, rows, cols, &s, NULL), QL_OK);
    assert_int_equal(s.n_rows, n_rows);
    assert_int_equal(s.n_cols, n_cols);
    check_equal(&s, cut);
    ql_csr_free(&s);
    assert_int_equal(ql_csr_subset(&m, NULL, NULL, &s, NULL), QL_OK);
    check_equal(&s, dense);
    ql_csr_free(&s);
    memset(rows, 0, sizeof rows);
    assert_int_equal(ql_csr_subset(&m, rows, NULL, &s, NULL), QL_OK);
    assert_int_equal(s.n_rows, 0);
    assert_int_equal(ql_csr_nnz(&s), 0);
    ql_csr_free(&s);
    ql_csr_free(&m);
}

static void sums_are_those_of_the_dense_matrix(void **state)
{
    (void)state;
    static double dense[ROWS * COLS];
    double row[ROWS], col[COLS], row_only[ROWS];
    int64_t n;
    ql_csr m;
    make_messy(6, &m, dense, &n);
    ql_csr_sums(&m, row, col);
    ql_csr_sums(&m, row_only, NULL);
    ql_csr_sums(&m, NULL, col);
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int j = 0; j < COLS; j++) sum += dense[i * COLS + j];
        assert_true(row[i] == sum && row_only[i] == sum);
    }
    for (int j = 0; j < COLS; j++) {
        double sum = 0;
        for (int i = 0; i < ROWS; i++) sum += dense[i * COLS + j];
        assert_true(col[j] == sum);
    }
    ql_csr_free(&m);
}

static void empty_and_impossible_shapes(void **state)
{
    (void)state;
    ql_err err;
    ql_csr m, t;
    assert_int_equal(ql_csr_alloc(&m, 0, 0, 0, &err), QL_OK);
    assert_int_equal(ql_csr_nnz(&m), 0);
    assert_int_equal(ql_csr_normalise(&m, NULL, &err), QL_OK);
    assert_int_equal(ql_csr_transpose(&m, &t, &err), QL_OK);
    ql_csr_free(&t);
    ql_csr_free(&m);
    ql_csr_free(&m);
    ql_csr_free(NULL);
    assert_int_equal(ql_csr_alloc(&m, -1, 1, 1, &err), QL_EDATA);
    assert_int_equal(ql_csr_alloc(&m, 1, (int64_t)INT32_MAX + 1, 1, &err), QL_EDATA);
    assert_int_equal(ql_csr_alloc(&m, 1, 1, INT64_MAX / 2, &err), QL_EMEMORY);
    assert_int_equal(ql_csr_alloc(&m, INT64_MAX, 1, 1, &err), QL_EDATA);
    assert_null(m.indptr);
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    static double dense[ROWS * COLS];
    int64_t n, before = ql_alloc_bytes(), failures = 0;
    ql_err err;
    for (int64_t k = 1; k < 20; k++) {
        ql_csr m = {0}, s = {0}, t = {0};
        make_messy(8, &m, dense, &n);
        ql_alloc_fail_after(k);
        ql_status st = ql_csr_normalise(&m, NULL, &err);
        if (st == QL_OK) st = ql_csr_subset(&m, NULL, NULL, &s, &err);
        if (st == QL_OK) st = ql_csr_transpose(&m, &t, &err);
        ql_alloc_fail_after(0);
        assert_true(st == QL_OK || st == QL_EMEMORY);
        failures += st != QL_OK;
        ql_csr_free(&m);
        ql_csr_free(&s);
        ql_csr_free(&t);
        assert_int_equal(ql_alloc_bytes(), before);
    }
    assert_in_range(failures, 9, 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_sorted_and_unique),
        cmocka_unit_test(wide_rows_are_sorted),
        cmocka_unit_test(nan_is_kept),
        cmocka_unit_test(transposing_turns_the_matrix),
        cmocka_unit_test(subsets_keep_what_is_flagged),
        cmocka_unit_test(sums_are_those_of_the_dense_matrix),
        cmocka_unit_test(empty_and_impossible_shapes),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
