/* Poisson factors against scikit-learn's NMF under the Kullback-Leibler loss
 * (tests/tools/ensemble_values.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quell/factors.h"

#include "fixture_rows.h"

enum { CELLS = 40, GENES = 30 };

static void counts_without(const uint8_t *lacks, ql_csr *m)
{
    int64_t k = 0;
    assert_int_equal(ql_csr_alloc(m, CELLS, GENES, CELLS * GENES, NULL), QL_OK);
    for (int i = 0; i < CELLS; i++) {
        for (int g = 0; g < GENES; g++) {
            int x = (i * 7 + g * 13 + i * g) % 4 * ((i + g) % 3 == 0 ? 9 : 1);
            if (g % 5 == 0) x += 2;
            if (x == 0 || (lacks && lacks[g])) continue;
            m->indices[k] = g;
            m->data[k++] = (float)x;
        }
        m->indptr[i + 1] = k;
    }
}

static void counts_of_the_rule(ql_csr *m)
{
    counts_without(NULL, m);
}

static const int64_t *all_rows(void)
{
    static int64_t rows[CELLS];
    for (int i = 0; i < CELLS; i++) rows[i] = i;
    return rows;
}

static void fit(const ql_csr *m, int rank, uint64_t seed, ql_factors *f)
{
    const ql_factors_options opt = {.rank = rank, .rounds = 5000, .tolerance = 1e-9, .seed = seed};
    ql_err err = {0};
    assert_int_equal(ql_factors_fit(ROWS_OF(m), all_rows(), CELLS, &opt, f, &err), QL_OK);
}

/* sum of x ln(x / mu) - x + mu */
static double loss(const ql_factors *f, const ql_csr *m)
{
    ql_real mu[GENES * CELLS];
    double sum = 0;
    ql_err err = {0};
    assert_int_equal(ql_factors_rates(f, ROWS_OF(m), all_rows(), CELLS, CELLS, mu, &err), QL_OK);
    for (int k = 0; k < GENES * CELLS; k++) sum += (double)mu[k];
    for (int i = 0; i < CELLS; i++)
        for (int64_t e = m->indptr[i]; e < m->indptr[i + 1]; e++) {
            const double x = (double)m->data[e];
            sum += x * log(x / (double)mu[m->indices[e] * CELLS + i]) - x;
        }
    return sum;
}

static void losses_are_sklearns(void **state)
{
    (void)state;
    static const struct {
        int rank;
        double best, most; /* of scikit-learn: the best of ten starts, what ours may be */
    } cases[] = {{1, 4313.0344, 4313.1}, {3, 1217.2158, 1217.6}, {5, 639.3504, 641.0}};
    ql_csr m;
    counts_of_the_rule(&m);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double ours = INFINITY;
        for (uint64_t seed = 1; seed <= 3; seed++) { /* local optima, as scikit-learn has them */
            ql_factors f;
            fit(&m, cases[c].rank, seed, &f);
            ours = fmin(ours, loss(&f, &m));
            ql_factors_free(&f);
        }
        assert_true(ours > cases[c].best - 0.1); /* no one is below the optimum */
        assert_true(ours < cases[c].most);
    }
    ql_csr_free(&m);
}

static void rates_keep_the_depth(void **state)
{
    (void)state;
    static const uint8_t lacks[GENES] = {[3] = 1, [20] = 1};
    ql_csr m;
    ql_factors f;
    ql_real mu[GENES * CELLS];
    ql_err err = {0};
    counts_of_the_rule(&m);
    fit(&m, 5, 2, &f);
    for (int k = 0; k < 2; k++) {
        if (k == 1) { /* other counts, which have not all genes */
            ql_csr_free(&m);
            counts_without(lacks, &m);
            ql_factors_lack(&f, lacks);
        }
        assert_int_equal(ql_factors_rates(&f, ROWS_OF(&m), all_rows(), CELLS, CELLS, mu, &err),
                         QL_OK);
        for (int i = 0; i < CELLS; i++) {
            double depth = 0, sum = 0;
            for (int64_t e = m.indptr[i]; e < m.indptr[i + 1]; e++) depth += (double)m.data[e];
            for (int g = 0; g < GENES; g++) sum += (double)mu[g * CELLS + i];
            assert_true(fabs(sum - depth) < 1e-3 * depth);
        }
    }
    for (int i = 0; i < CELLS; i++) assert_true(mu[3 * CELLS + i] == 0 && mu[20 * CELLS + i] == 0);
    ql_factors_free(&f);
    ql_csr_free(&m);
}

/* A prior of very many molecules makes all cells alike. */
/* Cells, or profiles, that are told to be like the mean are like each other. */
static void hold_back(double cell_prior, double gene_prior)
{
    ql_csr m;
    ql_factors f;
    ql_real mu[GENES * CELLS];
    ql_err err = {0};
    counts_of_the_rule(&m);
    const ql_factors_options opt = {.rank = 3,
                                    .rounds = 50,
                                    .tolerance = 1e-6,
                                    .cell_prior = cell_prior,
                                    .gene_prior = gene_prior,
                                    .seed = 1};
    assert_int_equal(ql_factors_fit(ROWS_OF(&m), all_rows(), CELLS, &opt, &f, &err), QL_OK);
    assert_int_equal(ql_factors_rates(&f, ROWS_OF(&m), all_rows(), CELLS, CELLS, mu, &err), QL_OK);
    double depth[2] = {0};
    for (int i = 0; i < 2; i++)
        for (int64_t e = m.indptr[i]; e < m.indptr[i + 1]; e++) depth[i] += (double)m.data[e];
    for (int g = 0; g < GENES; g++) {
        const double a = (double)mu[g * CELLS] / depth[0], b = (double)mu[g * CELLS + 1] / depth[1];
        assert_true(fabs(a - b) < 1e-4);
    }
    ql_factors_free(&f);
    ql_csr_free(&m);
}

static void priors_hold_back(void **state)
{
    (void)state;
    hold_back(1e7, 0);
    hold_back(0, 1e9);
}

static void same_seed_same_bits(void **state)
{
    (void)state;
    ql_csr m;
    ql_factors a, b, other;
    counts_of_the_rule(&m);
    fit(&m, 3, 4, &a);
    fit(&m, 3, 4, &b);
    fit(&m, 3, 5, &other);
    const size_t size = (size_t)(a.n_genes * a.width) * sizeof *a.profile;
    assert_memory_equal(a.profile, b.profile, size);
    assert_true(memcmp(a.profile, other.profile, size) != 0);
    ql_factors_free(&a);
    ql_factors_free(&b);
    ql_factors_free(&other);
    ql_csr_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_sklearns),
        cmocka_unit_test(rates_keep_the_depth),
        cmocka_unit_test(priors_hold_back),
        cmocka_unit_test(same_seed_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
