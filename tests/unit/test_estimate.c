/* The dispersions fitted after training, on counts whose dispersions are known and against the
 * definition in float64; the posterior mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quell/estimate.h"

#include "fixture_model.h"
#include "fixture_rows.h"

/* Counts [cells, genes] with the given means and thetas; every cell the same depth. */
typedef struct {
    int64_t cells, genes;
    double *mean, *theta;
    ql_csr counts;
    ql_prep prep;
    ql_ae ae;
    int64_t *rows;
    float *fitted;
} study;

static void draw_counts(study *s, uint64_t seed)
{
    ql_rng r = random_start(seed);
    int64_t k = 0;
    assert_int_equal(ql_csr_alloc(&s->counts, s->cells, s->genes, s->cells * s->genes, NULL),
                     QL_OK);
    for (int64_t i = 0; i < s->cells; i++) {
        for (int64_t g = 0; g < s->genes; g++) {
            uint32_t y = random_nb(&r, s->mean[g], s->theta[g]);
            if (!y) continue;
            s->counts.indices[k] = (int32_t)g;
            s->counts.data[k++] = (float)y;
        }
        s->counts.indptr[i + 1] = k;
    }
}

/* A model that says each gene's mean for every cell. */
static void model_of_means(study *s, int threads)
{
    const ql_kern *kern = NULL;
    const ql_prep_options opt = {.log = true}; /* no size factors: every cell has depth 1 */
    const int64_t hidden[] = {4};
    ql_ae_config c = model_config("nb", 1, hidden);
    assert_int_equal(ql_kern_select(&kern, NULL), QL_OK);
    assert_int_equal(ql_prep_counts(ROWS_OF(&s->counts), opt, kern, 1, &s->prep, NULL), QL_OK);
    assert_int_equal(s->prep.n_kept_genes, s->genes);
    const ql_ae_sizes sizes = {.n_genes = s->genes,
                               .max_row_nnz = ql_csr_max_row(&s->counts),
                               .batch_size = 100,
                               .n_threads = threads};
    assert_int_equal(
        ql_ae_new(&s->ae, &c, &sizes, ql_prep_map(&s->prep), s->prep.log_rate, kern, NULL), QL_OK);
    const ql_tensor *w = &s->ae.params.tensor[s->ae.heads.weight[QL_HEAD_MEAN]];
    memset(s->ae.params.w + w->offset, 0, (size_t)(w->rows * w->ld) * sizeof(ql_real));
    assert_int_equal(QL_NEW(s->rows, s->cells, "rows", NULL), QL_OK);
    for (int64_t i = 0; i < s->cells; i++) s->rows[i] = s->cells - 1 - i;
}

static void study_new(study *s, int64_t cells, int64_t genes)
{
    *s = (study){.cells = cells, .genes = genes};
    assert_int_equal(QL_NEW(s->mean, genes, "means", NULL), QL_OK);
    assert_int_equal(QL_NEW(s->theta, genes, "thetas", NULL), QL_OK);
    assert_int_equal(QL_NEW(s->fitted, genes, "thetas", NULL), QL_OK);
}

static void study_fit(study *s, uint64_t seed, int threads)
{
    draw_counts(s, seed);
    model_of_means(s, threads);
    ql_batch_source source = {.counts = ROWS_OF(&s->counts)};
    assert_int_equal(ql_fit_theta(&s->ae, &source, s->rows, s->cells, s->fitted, NULL), QL_OK);
}

static void study_free(study *s)
{
    ql_ae_free(&s->ae);
    ql_prep_free(&s->prep);
    ql_csr_free(&s->counts);
    ql_free(s->mean);
    ql_free(s->theta);
    ql_free(s->fitted);
    ql_free(s->rows);
}

static void typical_genes(study *s)
{
    ql_rng r = random_start(9);
    for (int64_t g = 0; g < s->genes; g++) {
        s->mean[g] = exp(random_in(&r, -1, 3));
        s->theta[g] = exp(0.5 + 0.8 * random_normal(&r));
    }
}

static void thetas_are_recovered(void **state)
{
    (void)state;
    study s;
    double error = 0, bias = 0;
    study_new(&s, 1500, 150);
    typical_genes(&s);
    study_fit(&s, 1, 1);
    for (int64_t g = 0; g < s.genes; g++) {
        double d = log((double)s.fitted[g] / s.theta[g]);
        error += d * d / (double)s.genes;
        bias += d / (double)s.genes;
        if (fabs(d) > 0.7)
            fail_msg("theta %g, mean %g: fitted %g", s.theta[g], s.mean[g], (double)s.fitted[g]);
    }
    print_message("ln theta: error %.3f, bias %+.3f\n", sqrt(error), bias);
    assert_true(sqrt(error) < 0.2 && fabs(bias) < 0.07);
    study_free(&s);
}

static void poisson_counts_have_large_thetas(void **state)
{
    (void)state;
    study s;
    study_new(&s, 800, 100);
    typical_genes(&s);
    for (int64_t g = 0; g < s.genes; g++) s.theta[g] = 1e6;
    study_fit(&s, 2, 1);
    for (int64_t g = 0; g < s.genes; g++)
        if (s.mean[g] > 2) assert_true((double)s.fitted[g] > 50);
    study_free(&s);
}

/* Reads without molecule barcodes count to hundreds of thousands. */
static void very_large_counts(void **state)
{
    (void)state;
    study s;
    study_new(&s, 400, 60);
    ql_rng r = random_start(10);
    for (int64_t g = 0; g < s.genes; g++) {
        s.mean[g] = exp(random_in(&r, 8, 12.5));
        s.theta[g] = exp(random_in(&r, -0.5, 1.5));
    }
    study_fit(&s, 3, 1);
    for (int64_t g = 0; g < s.genes; g++) {
        double d = log((double)s.fitted[g] / s.theta[g]);
        if (fabs(d) > 0.4)
            fail_msg("theta %g, mean %g: fitted %g", s.theta[g], s.mean[g], (double)s.fitted[g]);
    }
    study_free(&s);
}

/* ---- the definition ---- */

enum { GRID = QL_THETA_GRID };

static double nb_log_lik(double x, double mu, double theta)
{
    return lgamma(x + theta) - lgamma(theta) - theta * log1p(mu / theta) - x * log(mu + theta);
}

static void naive_likelihoods(const study *s, const double *grid, double *lik)
{
    for (int64_t g = 0; g < s->genes; g++) {
        double l[GRID] = {0}, most = -1e300, mu = exp((double)s->prep.log_rate[g]);
        for (int64_t i = 0; i < s->cells; i++) {
            double x = 0;
            for (int64_t k = s->counts.indptr[i]; k < s->counts.indptr[i + 1]; k++)
                if (s->counts.indices[k] == g) x = (double)s->counts.data[k];
            for (int k = 0; k < GRID; k++) l[k] += nb_log_lik(x, mu, grid[k]);
        }
        for (int k = 0; k < GRID; k++) most = fmax(most, l[k]);
        for (int k = 0; k < GRID; k++) lik[g * GRID + k] = exp(l[k] - most);
    }
}

static void naive_posterior(const double *lik, const double *prior, double *post)
{
    double sum = 0;
    for (int k = 0; k < GRID; k++) sum += post[k] = prior[k] * lik[k];
    for (int k = 0; k < GRID; k++) post[k] /= sum;
}

static void fits_are_the_definition(void **state)
{
    (void)state;
    study s;
    double grid[GRID], prior[GRID], post[GRID], *lik;
    study_new(&s, 300, 40);
    typical_genes(&s);
    study_fit(&s, 4, 1);
    assert_int_equal(QL_NEW(lik, s.genes * GRID, "likelihoods", NULL), QL_OK);
    for (int k = 0; k < GRID; k++) {
        grid[k] = exp(-3 + 0.5 * k);
        prior[k] = 1.0 / GRID;
    }
    naive_likelihoods(&s, grid, lik);
    for (int round = 0; round < 100; round++) {
        double next[GRID] = {0};
        for (int64_t g = 0; g < s.genes; g++) {
            naive_posterior(lik + g * GRID, prior, post);
            for (int k = 0; k < GRID; k++) next[k] += post[k];
        }
        for (int k = 0; k < GRID; k++)
            prior[k] = (next[k] + 1e-3) / ((double)s.genes + GRID * 1e-3);
    }
    for (int64_t g = 0; g < s.genes; g++) {
        double inverse = 0;
        naive_posterior(lik + g * GRID, prior, post);
        for (int k = 0; k < GRID; k++) inverse += post[k] / grid[k];
        if (!(fabs((double)s.fitted[g] * inverse - 1) < 2e-3))
            fail_msg("gene %lld: %g instead of %g", (long long)g, (double)s.fitted[g], 1 / inverse);
    }
    ql_free(lik);
    study_free(&s);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    study a, b;
    study_new(&a, 200, 400);
    study_new(&b, 200, 400);
    for (int64_t g = 0; g < 400; g++)
        a.mean[g] = b.mean[g] = 3, a.theta[g] = b.theta[g] = 0.5 + 0.01 * (double)g;
    study_fit(&a, 5, 1);
    study_fit(&b, 5, 3);
    assert_memory_equal(a.fitted, b.fitted, 400 * sizeof(float));
    study_free(&a);
    study_free(&b);
}

/* More cells than are used: an even choice of them. */
static void many_cells_are_sampled(void **state)
{
    (void)state;
    study s;
    study_new(&s, QL_THETA_CELLS + 1500, 20);
    for (int64_t g = 0; g < 20; g++) s.mean[g] = 4, s.theta[g] = 2;
    study_fit(&s, 6, 1);
    for (int64_t g = 0; g < 20; g++)
        assert_true(fabs(log((double)s.fitted[g] / 2)) < 0.32); /* the grid's step is 0.5 */
    study_free(&s);
}

/* Gamma prior with mean mu and shape theta, x molecules seen: a gamma with mean mu (x + theta) /
 * (mu + theta). */
static void posterior_mean(void **state)
{
    (void)state;
    assert_true(ql_posterior_mean(2, 3, 0) == 2.0f * (3.0f / 5.0f));
    assert_true(fabs((double)ql_posterior_mean(2, 3, 2) - 2) < 1e-6); /* as expected: unchanged */
    assert_true(fabs((double)ql_posterior_mean(5, 1e6f, 50) - 5) <
                1e-3); /* theta large: the mean */
    assert_true(fabs((double)ql_posterior_mean(5, 1e-4f, 50) - 50) <
                1e-2); /* theta small: the count */
    ql_rng r = random_start(12);
    for (int again = 0; again < 200; again++) { /* by integration over the rate */
        double mu = random_in(&r, 0.3, 6), theta = random_in(&r, 0.6, 8), x = ql_rng_below(&r, 12),
               w = 0, m = 0;
        for (double l = 0.0025; l < 80; l += 0.005) {
            double p = exp((theta - 1 + x) * log(l) - l * (theta / mu + 1) + x);
            w += p;
            m += p * l;
        }
        double got = (double)ql_posterior_mean((float)mu, (float)theta, (float)x);
        if (!(fabs(got - m / w) < 5e-3 * (1 + m / w)))
            fail_msg("%g %g %g: %g, %g", mu, theta, x, got, m / w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posterior_mean),
        cmocka_unit_test(thetas_are_recovered),
        cmocka_unit_test(poisson_counts_have_large_thetas),
        cmocka_unit_test(very_large_counts),
        cmocka_unit_test(fits_are_the_definition),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(many_cells_are_sampled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
