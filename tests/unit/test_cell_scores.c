/* Likelihood of cells under other dispersions, distances, and ranks among peers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/train/mahalanobis.h"
#include "fixture_model.h"
#include "quell/outlier.h"

/* ---- likelihood ---- */

typedef struct {
    const model_fixture *f;
    const ql_likelihood *likelihood;
    double theta; /* of every gene, instead of the model's; 0: the model's */
    double *nll;
} by_formula;

static void add_formula(void *ctx, const ql_ae_tile *t)
{
    const by_formula *b = ctx;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    for (int64_t g = 0; g < t->genes.count; g++) {
        for (int64_t i = 0; i < t->n; i++) {
            const int64_t at = g * t->ld + i;
            double theta = b->theta > 0 ? b->theta : t->theta ? (double)t->theta[at] : 0;
            double y = (double)x[at], pi = t->pi ? (double)t->pi[at] : 0;
            b->nll[t->first_row + t->first + i] +=
                b->likelihood->nll(y, (double)t->mean[at], theta, pi) -
                (b->likelihood->gaussian ? 0 : lgamma(y + 1));
        }
    }
}

static void check_nll(const ql_likelihood *likelihood, double theta)
{
    model_fixture f;
    ql_ae_config c = adam_config(likelihood->name);
    c.match_depth = true;
    c.ridge = 0.1;
    model_new(&f, &c, (model_shape){.cells = 90, .genes = 150, .seed = 51});
    double want[90] = {0}, got[90];
    ql_real log_theta[150];
    const size_t size = (size_t)f.ae.params.size * sizeof(ql_real);
    ql_real *before = malloc(size);
    assert_non_null(before);
    memcpy(before, f.ae.params.w, size);
    for (int g = 0; g < 150; g++) log_theta[g] = (ql_real)log(theta);
    by_formula b = {&f, likelihood, likelihood->disp == QL_DISP_GENE ? theta : 0, want};
    const ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
    const ql_ae_visitor visitor = {.tile = add_formula, .ctx = &b};
    assert_int_equal(ql_ae_visit(&f.ae, &source, f.rows, f.n, 0, &visitor, NULL), QL_OK);
    assert_int_equal(
        ql_ae_cell_nll(&f.ae, &source, f.rows, f.n, theta > 0 ? log_theta : NULL, got, NULL),
        QL_OK);
    for (int64_t i = 0; i < f.n; i++)
        if (!(fabs(got[i] - want[i]) <= 2e-5 * fabs(want[i]) + 1e-3))
            fail_msg("%s: %.8g instead of %.8g", likelihood->name, got[i], want[i]);
    assert_memory_equal(before, f.ae.params.w, size);
    assert_true(f.ae.heads.ridge > 0);
    ql_err err;
    ql_alloc_fail_after(1);
    assert_int_equal(ql_ae_cell_nll(&f.ae, &source, f.rows, f.n, log_theta, got, &err), QL_EMEMORY);
    ql_alloc_fail_after(0);
    assert_memory_equal(before, f.ae.params.w, size);
    free(before);
    model_free(&f);
}

static void likelihood_under_other_dispersions(void **state)
{
    (void)state;
    for (int l = 0; ql_likelihoods[l]; l++) {
        if (ql_likelihoods[l]->gaussian) continue; /* a squared error, no likelihood of counts */
        check_nll(ql_likelihoods[l], 0);
        check_nll(ql_likelihoods[l], 0.7);
    }
}

/* ---- distance ---- */

static void distances_of_a_known_covariance(void **state)
{
    (void)state;
    /* corners of a rectangle: variances 4 and 1, no covariance; a third coordinate never varies */
    const float x[] = {2, 1, 5, 2, -1, 5, -2, 1, 5, -2, -1, 5, 4, 0, 5, 0, 0, 6};
    const int64_t rows[] = {0, 1, 2, 3};
    ql_gauss g;
    assert_int_equal(ql_gauss_fit(&g, x, 3, rows, 4, NULL), QL_OK);
    assert_true(fabs(ql_gauss_distance(&g, x) - sqrt(2.0 / 3)) < 1e-5);
    assert_true(fabs(ql_gauss_distance(&g, x + 12) - sqrt(4.0 / 3)) < 1e-5);
    assert_true(ql_gauss_distance(&g, x + 15) > 100);
    ql_gauss_free(&g);
    assert_int_equal(ql_gauss_fit(&g, x, 3, rows, 1, NULL), QL_OK); /* nothing varies */
    assert_true(ql_gauss_distance(&g, x) < 1e-6 && isfinite(ql_gauss_distance(&g, x + 15)));
    ql_gauss_free(&g);
}

/* Variances 5, covariance 4: its inverse is {5, -4; -4, 5} / 9. */
static void distances_along_and_across(void **state)
{
    (void)state;
    const float x[] = {3, 3, -3, -3, 1, -1, -1, 1, 1, 0};
    const int64_t rows[] = {0, 1, 2, 3};
    ql_gauss g;
    assert_int_equal(ql_gauss_fit(&g, x, 2, rows, 4, NULL), QL_OK);
    assert_true(fabs(ql_gauss_distance(&g, x) - 1) < 1e-5);
    assert_true(fabs(ql_gauss_distance(&g, x + 4) - 1) < 1e-5);
    assert_true(fabs(ql_gauss_distance(&g, x + 8) - sqrt(5.0 / 18)) < 1e-5);
    ql_gauss_free(&g);
}

/* ---- ranks ---- */

enum { CELLS = 60 };

typedef struct {
    double total[CELLS], error[CELLS], pearson[CELLS], distance[CELLS];
    int64_t peers[CELLS];
    ql_cell_scores scores;
} cells;

/* Scores that are powers of the depth, except that every third cell's error is twice as large. */
static void make_cells(cells *c, bool alike)
{
    *c = (cells){.scores = {.n_cells = CELLS}};
    for (int i = 0; i < CELLS; i++) {
        c->total[i] = alike ? 1000 : 500 + 37 * i;
        c->error[i] = pow(c->total[i], -0.5) * (i % 3 == 0 ? 2 : 1);
        c->pearson[i] = 1;
        c->distance[i] = pow(c->total[i], 0.3);
        c->peers[i] = i;
    }
    c->scores.of[QL_SCORE_ERROR] = c->error;
    c->scores.of[QL_SCORE_PEARSON] = c->pearson;
    c->scores.of[QL_SCORE_DISTANCE] = c->distance;
}

static void depth_alone_makes_no_outlier(void **state)
{
    (void)state;
    for (int n = 12; n <= CELLS; n += 48) { /* a straight trend, and a curved one */
        cells c;
        ql_outlier o;
        make_cells(&c, false);
        assert_int_equal(ql_outlier_fit(&o, &c.scores, c.total, c.peers, n, NULL), QL_OK);
        for (int i = 0; i < n; i++) {
            double s = ql_outlier_statistic(&o, &c.scores, c.total, i);
            double share = ql_outlier_share(&o, s, true);
            assert_true(i % 3 == 0 ? share >= 0.65 : share < 0.67);
        }
        ql_outlier_free(&o);
    }
}

static void shares_count_the_cell_itself(void **state)
{
    (void)state;
    double sorted[] = {1, 2, 2, 4};
    const ql_outlier o = {.n = 4, .sorted = sorted};
    assert_true(ql_outlier_share(&o, 2, true) == 0.25);
    assert_true(ql_outlier_share(&o, 4, true) == 0.75);
    assert_true(ql_outlier_share(&o, 0, false) == 0);
    assert_true(ql_outlier_share(&o, 9, false) == 0.8);
    assert_true(isnan(ql_outlier_share(&o, NAN, false)));
}

static void depths_that_are_alike(void **state)
{
    (void)state;
    cells c;
    ql_outlier o;
    make_cells(&c, true);
    assert_int_equal(ql_outlier_fit(&o, &c.scores, c.total, c.peers, CELLS, NULL), QL_OK);
    for (int i = 0; i < CELLS; i++)
        assert_true(isfinite(ql_outlier_statistic(&o, &c.scores, c.total, i)));
    assert_true(ql_outlier_statistic(&o, &c.scores, c.total, 0) >
                ql_outlier_statistic(&o, &c.scores, c.total, 1));
    ql_outlier_free(&o);
}

static void one_peer(void **state)
{
    (void)state;
    cells c;
    ql_outlier o;
    make_cells(&c, false);
    c.error[5] = NAN;
    assert_int_equal(ql_outlier_fit(&o, &c.scores, c.total, c.peers, 1, NULL), QL_OK);
    double own = ql_outlier_statistic(&o, &c.scores, c.total, 0);
    assert_true(ql_outlier_share(&o, own, true) == 0);
    assert_true(isnan(ql_outlier_statistic(&o, &c.scores, c.total, 5)));
    ql_outlier_free(&o);
    assert_int_equal(ql_outlier_fit(&o, &c.scores, c.total, c.peers, 0, NULL), QL_EINTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likelihood_under_other_dispersions),
        cmocka_unit_test(distances_of_a_known_covariance),
        cmocka_unit_test(distances_along_and_across),
        cmocka_unit_test(depth_alone_makes_no_outlier),
        cmocka_unit_test(shares_count_the_cell_itself),
        cmocka_unit_test(depths_that_are_alike),
        cmocka_unit_test(one_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
