/* Preprocessing on matrices small enough to do by hand, and what must not depend on scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/preprocess.h"

#include "fixture_random.h"
#include "fixture_rows.h"

static const ql_kern *table(void)
{
    const ql_kern *k = NULL;
    assert_int_equal(ql_kern_select(&k, NULL), QL_OK);
    return k;
}

static void csr_of(int64_t rows, int64_t cols, const double *dense, ql_csr *m)
{
    int64_t k = 0;
    assert_int_equal(ql_csr_alloc(m, rows, cols, rows * cols, NULL), QL_OK);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t g = 0; g < cols; g++) {
            if (dense[i * cols + g] == 0) continue;
            m->indices[k] = (int32_t)g;
            m->data[k++] = (float)dense[i * cols + g];
        }
        m->indptr[i + 1] = k;
    }
}

static const ql_prep_options standard = {
    .log = true, .size_factors = true, .center = true, .scale = true};

/* Five cells, four genes. Gene 1 has no counts, gene 2 is the same share of every cell, cell 2 is
 * empty. Totals 4, 8, 0, 12, 16; median of the four kept: 10. */
static const double hand[5 * 4] = {
    1, 0, 2, 1, /* x 10/4: 2.5, -, 5, 2.5 */
    4, 0, 4, 0, /* x 10/8: 5, -, 5, 0 */
    0, 0, 0, 0, /*                        */
    0, 0, 6, 6, /* x 10/12: 0, -, 5, 5 */
    6, 0, 8, 2, /* x 10/16: 3.75, -, 5, 1.25 */
};
static const double scaled[4][3] = {{2.5, 5, 2.5}, {5, 5, 0}, {0, 5, 5}, {3.75, 5, 1.25}};

static void hand_moments(bool log, int gene, double *mean, double *sd)
{
    double sum = 0, square = 0;
    for (int i = 0; i < 4; i++) sum += log ? log1p(scaled[i][gene]) : scaled[i][gene];
    *mean = sum / 4;
    for (int i = 0; i < 4; i++) {
        double d = (log ? log1p(scaled[i][gene]) : scaled[i][gene]) - *mean;
        square += d * d;
    }
    *sd = sqrt(square / 3);
}

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-6 * (1 + fabs(want)))) fail_msg("%.9g instead of %.9g", got, want);
}

static void a_hand_matrix(void **state)
{
    (void)state;
    ql_csr m;
    ql_prep p;
    csr_of(5, 4, hand, &m);
    assert_int_equal(ql_prep_counts(ROWS_OF(&m), standard, table(), 2, &p, NULL), QL_OK);
    const int64_t genes[] = {0, 2, 3}, cells[] = {0, 1, 3, 4};
    assert_int_equal(p.n_genes, 4);
    assert_int_equal(p.n_cells, 5);
    assert_int_equal(p.n_kept_genes, 3);
    assert_memory_equal(p.kept_gene, genes, sizeof genes);
    assert_int_equal(p.n_kept_cells, 4);
    assert_memory_equal(p.kept_cell, cells, sizeof cells);
    assert_true(p.median_total == 10 && p.grand_total == 40);
    const double totals[] = {4, 8, 0, 12, 16}, gene_totals[] = {11, 20, 9};
    assert_memory_equal(p.total, totals, sizeof totals);
    assert_memory_equal(p.gene_total, gene_totals, sizeof gene_totals);
    for (int g = 0; g < 3; g++) {
        double mean, sd, rate = 0;
        hand_moments(true, g, &mean, &sd);
        for (int i = 0; i < 4; i++) rate += scaled[i][g] / 4;
        near((double)p.mean[g], mean);
        near((double)p.log_rate[g], log(rate));
        if (g == 1) sd = 1; /* constant: no variance to divide by */
        near((double)p.sd[g], sd);
        near((double)p.inv_sd[g], 1 / sd);
        near((double)p.shift[g], -mean / sd);
    }
    assert_true(p.sd[1] == 1);
    assert_int_equal(m.n_cols, 3);
    assert_int_equal(m.n_rows, 5);
    const int32_t columns[] = {0, 1, 2, 0, 1, 1, 2, 0, 1, 2};
    assert_memory_equal(m.indices, columns, sizeof columns);
    ql_prep_free(&p);
    ql_csr_free(&m);
}

/* The map of a constant gene's entries gives exactly what centring takes away. */
static void constant_genes_become_zero(void **state)
{
    (void)state;
    ql_csr m;
    ql_prep p;
    csr_of(5, 4, hand, &m);
    assert_int_equal(ql_prep_counts(ROWS_OF(&m), standard, table(), 1, &p, NULL), QL_OK);
    near(log1p(5) * (double)p.inv_sd[1] + (double)p.shift[1], 0);
    ql_input_map map = ql_prep_map(&p);
    assert_ptr_equal(map.inv_sd, p.inv_sd);
    assert_ptr_equal(map.shift, p.shift);
    assert_true(map.log && map.size_factors && map.median_total == 10);
    ql_prep_free(&p);
    ql_csr_free(&m);
}

static void each_option_is_one_step_left_out(void **state)
{
    (void)state;
    for (int bits = 0; bits < 16; bits++) {
        const ql_prep_options o = {bits & 1, bits & 2, bits & 4, bits & 8};
        ql_csr m;
        ql_prep p;
        csr_of(5, 4, hand, &m);
        assert_int_equal(ql_prep_counts(ROWS_OF(&m), o, table(), 1, &p, NULL), QL_OK);
        double mean = 0, square = 0;
        const int rows[] = {0, 1, 3, 4};
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < 4; i++) {
                double x = o.size_factors ? scaled[i][0] : hand[rows[i] * 4];
                if (o.log) x = log1p(x);
                if (pass == 0)
                    mean += x / 4;
                else
                    square += (x - mean) * (x - mean);
            }
        }
        near((double)p.mean[0], mean);
        near((double)p.inv_sd[0], o.scale ? 1 / sqrt(square / 3) : 1);
        near((double)p.shift[0], o.center ? -mean * (double)p.inv_sd[0] : 0);
        assert_true((ql_prep_map(&p).shift != NULL) == o.center);
        ql_prep_free(&p);
        ql_csr_free(&m);
    }
}

static void median_of_an_odd_number(void **state)
{
    (void)state;
    const double x[3 * 2] = {1, 1, 30, 0, 3, 4};
    ql_csr m;
    ql_prep p;
    csr_of(3, 2, x, &m);
    assert_int_equal(ql_prep_counts(ROWS_OF(&m), standard, table(), 1, &p, NULL), QL_OK);
    assert_true(p.median_total == 7);
    ql_prep_free(&p);
    ql_csr_free(&m);
}

static void one_cell_is_enough(void **state)
{
    (void)state;
    const double x[1 * 3] = {2, 0, 5};
    ql_csr m;
    ql_prep p;
    csr_of(1, 3, x, &m);
    assert_int_equal(ql_prep_counts(ROWS_OF(&m), standard, table(), 1, &p, NULL), QL_OK);
    assert_int_equal(p.n_kept_cells, 1);
    assert_true(p.sd[0] == 1 && p.sd[1] == 1);
    ql_prep_free(&p);
    ql_csr_free(&m);
}

static void nothing_left_is_an_error(void **state)
{
    (void)state;
    const double x[2 * 2] = {0};
    ql_csr m;
    ql_prep p;
    ql_err err = {0};
    int64_t held = 0;
    csr_of(2, 2, x, &m);
    held = ql_alloc_bytes();
    assert_int_equal(ql_prep_counts(ROWS_OF(&m), standard, table(), 1, &p, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "no counts"));
    assert_int_equal(ql_alloc_bytes(), held);
    ql_csr_free(&m);
}

/* A cell sequenced c times as deep is the same cell: its size factor grows by c, its inputs stay.
 * (Totals are chosen so that the median does not move.) */
static void depth_of_a_cell_does_not_matter(void **state)
{
    (void)state;
    double deep[5 * 4];
    memcpy(deep, hand, sizeof deep);
    for (int g = 0; g < 4; g++) deep[4 * 4 + g] *= 8;
    ql_csr a, b;
    ql_prep p, q;
    csr_of(5, 4, hand, &a);
    csr_of(5, 4, deep, &b);
    assert_int_equal(ql_prep_counts(ROWS_OF(&a), standard, table(), 1, &p, NULL), QL_OK);
    assert_int_equal(ql_prep_counts(ROWS_OF(&b), standard, table(), 1, &q, NULL), QL_OK);
    assert_true(p.median_total == q.median_total);
    assert_true(q.total[4] == 8 * p.total[4]);
    assert_memory_equal(p.mean, q.mean, 3 * sizeof(ql_real));
    assert_memory_equal(p.sd, q.sd, 3 * sizeof(ql_real));
    assert_memory_equal(p.log_rate, q.log_rate, 3 * sizeof(ql_real));
    ql_prep_free(&p);
    ql_prep_free(&q);
    ql_csr_free(&a);
    ql_csr_free(&b);
}

static void random_counts(int64_t rows, int64_t cols, ql_csr *m)
{
    ql_rng r = random_start(4);
    double *x;
    assert_int_equal(QL_NEW(x, rows * cols, "counts", NULL), QL_OK);
    for (int64_t i = 0; i < rows * cols; i++)
        x[i] = random_poisson(&r, (double)(i % cols % 7) * 0.4);
    csr_of(rows, cols, x, m);
    ql_free(x);
}

/* Any number of threads, the same bits; and the moments are right where rows are longer than a
 * chunk. */
static void threads_change_no_bit(void **state)
{
    (void)state;
    enum { ROWS = 37, COLS = 3000 };
    ql_csr first;
    ql_prep one;
    random_counts(ROWS, COLS, &first);
    assert_int_equal(ql_prep_counts(ROWS_OF(&first), standard, table(), 1, &one, NULL), QL_OK);
    for (int threads = 2; threads <= 7; threads += 1 + threads / 2) {
        ql_csr m;
        ql_prep p;
        random_counts(ROWS, COLS, &m);
        assert_int_equal(ql_prep_counts(ROWS_OF(&m), standard, table(), threads, &p, NULL), QL_OK);
        size_t bytes = (size_t)one.n_kept_genes * sizeof(ql_real);
        assert_memory_equal(one.mean, p.mean, bytes);
        assert_memory_equal(one.sd, p.sd, bytes);
        assert_memory_equal(one.log_rate, p.log_rate, bytes);
        ql_prep_free(&p);
        ql_csr_free(&m);
    }
    double sum = 0;
    for (int64_t i = 0; i < ROWS; i++) /* the last gene, from scratch */
        for (int64_t k = first.indptr[i]; k < first.indptr[i + 1]; k++)
            if (first.indices[k] == one.n_kept_genes - 1)
                sum += log1p((double)first.data[k] * one.median_total / one.total[i]);
    near((double)one.mean[one.n_kept_genes - 1], sum / ROWS);
    ql_prep_free(&one);
    ql_csr_free(&first);
}

/* ---- thinning ---- */

static double at(const ql_csr *m, int64_t row, int32_t col)
{
    for (int64_t k = m->indptr[row]; k < m->indptr[row + 1]; k++)
        if (m->indices[k] == col) return (double)m->data[k];
    return 0;
}

static void thinning_divides_the_molecules(void **state)
{
    (void)state;
    enum { ROWS = 60, COLS = 90 };
    const int64_t rows[] = {3, 0, 59, 17, 17, 20};
    ql_csr m, kept, held;
    random_counts(ROWS, COLS, &m);
    assert_int_equal(ql_thin_rows(ROWS_OF(&m), rows, 6, 0.3, 9, QL_RNG_THIN, &kept, &held, NULL),
                     QL_OK);
    double n = 0, out = 0;
    assert_int_equal(kept.n_rows, 6);
    assert_int_equal(held.n_cols, COLS);
    for (int64_t i = 0; i < 6; i++) {
        for (int32_t g = 0; g < COLS; g++) {
            assert_true(at(&kept, i, g) + at(&held, i, g) == at(&m, rows[i], g));
            n += at(&m, rows[i], g);
            out += at(&held, i, g);
        }
    }
    assert_true(fabs(out - 0.3 * n) < 5 * sqrt(0.21 * n));
    for (int64_t k = 0; k < ql_csr_nnz(&kept); k++) assert_true(kept.data[k] >= 1);
    for (int64_t k = 0; k < ql_csr_nnz(&held); k++) assert_true(held.data[k] >= 1);
    for (int32_t g = 0; g < COLS; g++)
        assert_true(at(&held, 3, g) == at(&held, 4, g)); /* the same row */
    ql_csr_free(&kept);
    ql_csr_free(&held);
    ql_csr_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hand_matrix),
        cmocka_unit_test(constant_genes_become_zero),
        cmocka_unit_test(each_option_is_one_step_left_out),
        cmocka_unit_test(median_of_an_odd_number),
        cmocka_unit_test(one_cell_is_enough),
        cmocka_unit_test(nothing_left_is_an_error),
        cmocka_unit_test(depth_of_a_cell_does_not_matter),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(thinning_divides_the_molecules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
