/* Sparse matrices, against a dense twin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "fixture_alloc.h"
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

/* As large as several blocks of the threaded transpose; every third row unsorted if asked for. */
static void make_wide(ql_csr *m, bool sorted)
{
    enum { N_ROWS = 700, N_COLS = 3001, PER_ROW = 1000 };
    assert_int_equal(ql_csr_alloc(m, N_ROWS, N_COLS, (int64_t)N_ROWS * PER_ROW, NULL), QL_OK);
    for (int64_t i = 0; i < N_ROWS; i++) {
        for (int64_t k = 0; k < PER_ROW; k++) {
            int64_t at = i * PER_ROW + (sorted || i % 3 ? k : PER_ROW - 1 - k);
            m->indices[at] = (int32_t)((i + 3 * k) % 3000 / 3 * 3 + i % 2);
            m->data[at] = (float)(i * 3 + k % 7 + 1);
        }
        m->indptr[i + 1] = (i + 1) * PER_ROW;
    }
    if (sorted) assert_int_equal(ql_csr_normalise(m, NULL, NULL), QL_OK);
}

static void assert_same(const ql_csr *a, const ql_csr *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    assert_memory_equal(a->indptr, b->indptr, (size_t)(a->n_rows + 1) * sizeof *a->indptr);
    assert_memory_equal(a->indices, b->indices, (size_t)ql_csr_nnz(a) * sizeof *a->indices);
    assert_memory_equal(a->data, b->data, (size_t)ql_csr_nnz(a) * sizeof *a->data);
}

/* Entry by entry, in the order of the rows. */
static void transpose_slowly(const ql_csr *m, ql_csr *t)
{
    assert_int_equal(ql_csr_alloc(t, m->n_cols, m->n_rows, ql_csr_nnz(m), NULL), QL_OK);
    int64_t at = 0;
    int64_t *next = ql_alloc(m->n_rows + 1, sizeof *next);
    assert_non_null(next);
    for (int64_t j = 0; j < m->n_cols; j++) {
        for (int64_t i = 0; i < m->n_rows; i++) {
            /* rows have one entry of a column at most */
            int64_t k = m->indptr[i] + next[i];
            if (k >= m->indptr[i + 1] || m->indices[k] != j) continue;
            next[i]++;
            t->indices[at] = (int32_t)i;
            t->data[at++] = m->data[k];
        }
        t->indptr[j + 1] = at;
    }
    ql_free(next);
}

static void threads_do_not_change_the_transpose(void **state)
{
    (void)state;
    ql_csr m, expected, t, back;
    make_wide(&m, true);
    transpose_slowly(&m, &expected);
    for (int threads = 1; threads < 8; threads += 2) {
        assert_int_equal(ql_csr_transpose_threads(&m, threads, &t, NULL), QL_OK);
        assert_same(&t, &expected);
        assert_int_equal(ql_csr_transpose_threads(&t, threads, &back, NULL), QL_OK);
        assert_same(&back, &m);
        ql_csr_free(&t);
        ql_csr_free(&back);
    }
    ql_csr_free(&m);
    ql_csr_free(&expected);
}

static void unsorted_rows_are_transposed_too(void **state)
{
    (void)state;
    ql_csr m, one, t;
    make_wide(&m, false);
    assert_int_equal(ql_csr_transpose(&m, &one, NULL), QL_OK);
    assert_int_equal(ql_csr_transpose_threads(&m, 3, &t, NULL), QL_OK);
    assert_same(&one, &t);
    ql_csr_free(&t);
    assert_int_equal(ql_csr_normalise_threads(&m, 3, NULL, NULL), QL_OK);
    ql_csr_free(&one);
    assert_int_equal(ql_csr_transpose(&m, &one, NULL), QL_OK);
    for (int64_t j = 0; j < one.n_rows; j++)
        for (int64_t k = one.indptr[j] + 1; k < one.indptr[j + 1]; k++)
            assert_true(one.indices[k] > one.indices[k - 1]);
    ql_csr_free(&one);
    ql_csr_free(&m);
}

static void threads_do_not_change_the_order(void **state)
{
    (void)state;
    static double dense[ROWS * COLS];
    int64_t n, n_one = -1, n_more = -1;
    ql_csr one, more;
    make_messy(5, &one, dense, &n);
    make_messy(5, &more, dense, &n);
    assert_int_equal(ql_csr_normalise(&one, &n_one, NULL), QL_OK);
    assert_int_equal(ql_csr_normalise_threads(&more, 4, &n_more, NULL), QL_OK);
    assert_int_equal(n_one, n_more);
    assert_same(&one, &more);
    assert_int_equal(ql_csr_normalise_threads(&more, 4, &n_more, NULL), QL_OK);
    assert_int_equal(n_more, 0);
    assert_same(&one, &more);
    ql_csr_free(&one);
    ql_csr_free(&more);
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

static void make_messy_one(void *m)
{
    static double dense[ROWS * COLS];
    int64_t n;
    make_messy(8, m, dense, &n);
}

/* What could not be made is not there to be freed. */
static ql_status every_operation(void *m, ql_err *err)
{
    ql_csr s, t;
    ql_status st = ql_csr_normalise(m, NULL, err);
    if (st == QL_OK) st = ql_csr_subset(m, NULL, NULL, &s, err);
    if (st == QL_OK) {
        ql_csr_free(&s);
        st = ql_csr_transpose(m, &t, err);
    }
    if (st == QL_OK) ql_csr_free(&t);
    ql_csr_free(m);
    return st;
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    ql_csr m = {0};
    assert_in_range(fail_each_allocation(make_messy_one, every_operation, &m), 9, 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_sorted_and_unique),
        cmocka_unit_test(wide_rows_are_sorted),
        cmocka_unit_test(nan_is_kept),
        cmocka_unit_test(transposing_turns_the_matrix),
        cmocka_unit_test(threads_do_not_change_the_transpose),
        cmocka_unit_test(unsorted_rows_are_transposed_too),
        cmocka_unit_test(threads_do_not_change_the_order),
        cmocka_unit_test(subsets_keep_what_is_flagged),
        cmocka_unit_test(sums_are_those_of_the_dense_matrix),
        cmocka_unit_test(empty_and_impossible_shapes),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
