/* Likelihoods against a model whose likelihood is known in closed form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quell/evidence.h"

#include "fixture_generative.h"

enum { CELLS = 60 };

typedef struct {
    ppca model;
    ql_generative g;
    ql_csr counts;
    ql_rows rows;
    int64_t row[CELLS];
    double exact[CELLS];
} task;

/* Cells drawn from the model itself. */
static void task_new(task *t, double widen, double move)
{
    ql_rng r = random_start(31);
    t->g = ppca_new(&t->model, widen, move);
    t->g.ctx = &t->model;
    full_counts(CELLS, PPCA_GENES, &t->counts);
    for (int64_t i = 0; i < CELLS; i++) {
        double z[PPCA_LATENT], x[PPCA_GENES];
        for (int k = 0; k < PPCA_LATENT; k++) z[k] = random_normal(&r);
        for (int g = 0; g < PPCA_GENES; g++) {
            x[g] = t->model.mu[g] + sqrt(t->model.s2) * random_normal(&r);
            for (int k = 0; k < PPCA_LATENT; k++) x[g] += t->model.w[g][k] * z[k];
            t->counts.data[i * PPCA_GENES + g] = (float)x[g];
            x[g] = (double)(float)x[g];
        }
        t->exact[i] = ppca_exact(&t->model, x);
        t->row[i] = i;
    }
    t->rows = ql_rows_of_csr(&t->counts);
}

static void evidence(const task *t, int samples, uint64_t seed, ql_evidence *e)
{
    const ql_gen_cells cells = {.counts = &t->rows, .row = t->row, .n = CELLS};
    ql_err err;
    const ql_evidence_options opt = {.samples = samples, .seed = seed};
    assert_int_equal(ql_evidence_of(&t->g, &cells, &opt, e, &err), QL_OK);
}

static double mean_log_lik(const ql_evidence *e)
{
    double sum = 0;
    for (int i = 0; i < CELLS; i++) sum += e[i].log_lik / CELLS;
    return sum;
}

/* With the exact posterior every weight is p(x): one draw is enough, and the bound is tight. */
static void exact_posterior(void **state)
{
    (void)state;
    task t;
    ql_evidence e[CELLS];
    task_new(&t, 1, 0);
    for (int samples = 1; samples <= 8; samples *= 8) {
        evidence(&t, samples, 3, e);
        for (int i = 0; i < CELLS; i++) {
            assert_true(fabs(e[i].log_lik - t.exact[i]) < 2e-5);
            if (samples == 1) continue;
            assert_true(e[i].log_lik_se < 1e-5);
            assert_true(fabs(e[i].ess - samples) < 1e-6);
        }
    }
    evidence(&t, 20000, 3, e);
    for (int i = 0; i < CELLS; i++) /* E ln p(x | z) - KL is the bound */
        assert_true(fabs(e[i].elbo - t.exact[i]) < 5 * e[i].elbo_se);
    ql_csr_free(&t.counts);
}

/* With another proposal: below ln p(x), and the better the more draws; in the end at it. */
static void poor_proposal(void **state)
{
    (void)state;
    task t;
    ql_evidence e[CELLS];
    double last = -INFINITY, exact = 0;
    task_new(&t, 1.5, 0.3);
    for (int i = 0; i < CELLS; i++) exact += t.exact[i] / CELLS;
    for (int samples = 2; samples <= 2048; samples *= 8) {
        double now = 0;
        for (uint64_t seed = 0; seed < 20; seed++) {
            evidence(&t, samples, seed, e);
            now += mean_log_lik(e) / 20;
        }
        assert_true(now > last && now < exact + 1e-3);
        last = now;
    }
    assert_true(fabs(last - exact) < 2e-3);
    double off = 0, elbo = 0;
    for (int i = 0; i < CELLS; i++) {
        off += (e[i].log_lik - t.exact[i]) / e[i].log_lik_se / CELLS;
        elbo += e[i].elbo / CELLS;
        assert_true(fabs(e[i].log_lik - t.exact[i]) < 5 * e[i].log_lik_se);
        assert_true(e[i].ess > 100 && e[i].ess < 2048);
    }
    assert_true(fabs(off) < 0.6); /* the standard error is one: no bias of its size */
    assert_true(elbo < exact - 0.05);
    ql_csr_free(&t.counts);
}

/* An encoder that is far off: what is fitted to the cells makes up for it, in 64 draws, and the
 * standard error says how far off the result is. */
static void fitted_proposals(void **state)
{
    (void)state;
    enum { REPEATS = 40, DRAWS = 64 };
    task t;
    ql_evidence e[CELLS];
    double covered = 0, ess[2] = {0};
    task_new(&t, 2.5, 0.8);
    for (int fitted = 0; fitted < 2; fitted++) {
        t.g.decode = fitted ? ppca_decode : NULL;
        evidence(&t, DRAWS, 3, e);
        for (int i = 0; i < CELLS; i++) ess[fitted] += e[i].ess / CELLS;
    }
    print_message("effective draws: %.1f, fitted %.1f\n", ess[0], ess[1]);
    assert_true(ess[1] > 2 * ess[0] && ess[1] > 0.6 * DRAWS);
    for (uint64_t seed = 0; seed < REPEATS; seed++) {
        evidence(&t, DRAWS, seed, e);
        for (int i = 0; i < CELLS; i++)
            covered += fabs(e[i].log_lik - t.exact[i]) < 1.96 * e[i].log_lik_se;
    }
    print_message("covered: %.3f\n", covered / (CELLS * REPEATS));
    assert_true(covered / (CELLS * REPEATS) > 0.93); /* the parts are as large as they are meant */
    evidence(&t, 20000, 1, e);
    for (int i = 0; i < CELLS; i++) {
        assert_true(fabs(e[i].log_lik - t.exact[i]) < 4.5 * e[i].log_lik_se + 1e-4);
        assert_true(e[i].log_lik_se < 0.01);
        assert_true(e[i].elbo < e[i].log_lik);
    }
    ql_csr_free(&t.counts);
}

/* A block of cells is no part of the result, nor is their order. */
static void blocks(void **state)
{
    (void)state;
    task t;
    ql_evidence a[CELLS], b[CELLS];
    task_new(&t, 1.3, 0.1);
    t.g.decode = ppca_decode;
    evidence(&t, 9, 1, a);
    t.g.block = 100;
    for (int i = 0; i < CELLS; i++) t.row[i] = CELLS - 1 - i;
    evidence(&t, 9, 1, b);
    for (int i = 0; i < CELLS; i++) {
        assert_true(a[i].log_lik == b[CELLS - 1 - i].log_lik);
        assert_true(a[i].elbo == b[CELLS - 1 - i].elbo);
    }
    ql_csr_free(&t.counts);
}

/* ---- second codes ---- */

/* Cells of a model with a second code, of the label that comes. */
static void second_new(task *t, ppca2 *m, int n_labels, double widen, double move)
{
    ql_rng r = random_start(32);
    t->g = ppca2_new(m, n_labels, widen, move);
    full_counts(CELLS, PPCA_GENES, &t->counts);
    for (int64_t i = 0; i < CELLS; i++) {
        const int y = n_labels > 0 ? (int)(i % n_labels) : 0;
        double x[PPCA_GENES];
        for (int g = 0; g < PPCA_GENES; g++)
            x[g] = m->below.mu[g] + sqrt(m->below.s2) * random_normal(&r);
        for (int k = 0; k < PPCA_LATENT; k++) {
            const normal p = ppca2_prior(m, k, random_normal(&r), y);
            const double z = p.mean + sqrt(p.var) * random_normal(&r);
            for (int g = 0; g < PPCA_GENES; g++) x[g] += m->below.w[g][k] * z;
        }
        for (int g = 0; g < PPCA_GENES; g++) {
            t->counts.data[i * PPCA_GENES + g] = (float)x[g];
            x[g] = (double)(float)x[g];
        }
        t->exact[i] = ppca2_exact(m, x);
        t->row[i] = i;
    }
    t->rows = ql_rows_of_csr(&t->counts);
}

/* ln p(x) is that over both codes and, where there are labels, over them: from below, the nearer
 * the more draws, within its standard error; and nearer with codes from what is fitted to the
 * cells. */
static void second_codes(void **state)
{
    (void)state;
    for (int n_labels = 0; n_labels <= PPCA_LABELS; n_labels += PPCA_LABELS) {
        task t;
        ppca2 m;
        ql_evidence e[CELLS];
        double exact = 0, last = -INFINITY, ess[2] = {0}, off = 0;
        second_new(&t, &m, n_labels, 1.5, 0.6);
        for (int i = 0; i < CELLS; i++) exact += t.exact[i] / CELLS;
        for (int fitted = 0; fitted < 2; fitted++) {
            t.g.decode = fitted ? ppca_decode : NULL;
            last = -INFINITY;
            for (int samples = 4; samples <= 256; samples *= 8) {
                double now = 0;
                for (uint64_t seed = 0; seed < 5; seed++) {
                    evidence(&t, samples, seed, e);
                    now += mean_log_lik(e) / 5;
                }
                assert_true(now > last && now < exact + 0.01);
                last = now;
            }
            evidence(&t, 64, 3, e);
            for (int i = 0; i < CELLS; i++) ess[fitted] += e[i].ess / CELLS;
        }
        evidence(&t, 8000, 3, e);
        for (int i = 0; i < CELLS; i++) {
            assert_true(fabs(e[i].log_lik - t.exact[i]) < 5 * e[i].log_lik_se);
            assert_true(e[i].log_lik_se < 0.05 && e[i].elbo < t.exact[i]);
            assert_true(fabs(e[i].elbo - e[i].reconstruction + e[i].kl) < 1e-9);
            off += (e[i].log_lik - t.exact[i]) / e[i].log_lik_se / CELLS;
        }
        print_message("%d labels: effective draws %.1f, fitted %.1f\n", n_labels, ess[0], ess[1]);
        assert_true(fabs(off) < 0.6 && fabs(last - exact) < 0.02);
        assert_true(ess[1] > 1.5 * ess[0]);
        ql_csr_free(&t.counts);
    }
}

/* Streamed sums against plain ones, with weights far apart and in any order. */
static void weights(void **state)
{
    (void)state;
    static const double log_w[] = {-1500, -1502.5, -1490, -1490.1, -1600, -1489.9};
    enum { N = 6 };
    ql_weights w = {0};
    double sum = 0, square = 0;
    for (int i = 0; i < N; i++) {
        ql_weights_add(&w, log_w[i]);
        sum += exp(log_w[i] + 1490);
        square += exp(2 * (log_w[i] + 1490));
    }
    const double mean = sum / N, var = (square / N - mean * mean) / (mean * mean) * N / (N - 1);
    assert_true(fabs(ql_weights_log_mean(&w) - (log(mean) - 1490)) < 1e-12);
    assert_true(fabs(ql_weights_ess(&w) - sum * sum / square) < 1e-12);
    assert_true(fabs(ql_weights_stderr(&w) - sqrt(var / N)) < 1e-12);
    ql_weights one = {0}, none = {0};
    ql_weights_add(&one, -3);
    assert_true(isnan(ql_weights_stderr(&one)) && ql_weights_log_mean(&one) == -3);
    ql_weights_add(&none, -INFINITY);
    assert_true(ql_weights_log_mean(&none) == -INFINITY);
}

/* Of cells on a curve with noise, and one far below it. */
static void anomaly(void **state)
{
    (void)state;
    enum { N = 400 };
    double value[N], total[N], out[N], sum = 0, square = 0;
    ql_rng r = random_start(2);
    ql_err err;
    for (int i = 0; i < N; i++) {
        total[i] = exp(random_in(&r, 6, 9));
        const double l = log(total[i]);
        value[i] = -100 * l * l + 40 * l + 20 * random_normal(&r);
    }
    value[7] -= 400;
    value[9] = NAN;
    total[11] = 0;
    assert_int_equal(ql_evidence_anomaly(value, total, N, out, &err), QL_OK);
    assert_true(isnan(out[9]) && isnan(out[11]));
    assert_true(out[7] > 15 && out[7] < 25);
    out[7] = out[9] = out[11] = 0;
    for (int i = 0; i < N; i++) sum += out[i], square += out[i] * out[i];
    assert_true(fabs(sum / N) < 0.1 && fabs(sqrt(square / N) - 1) < 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_posterior),  cmocka_unit_test(poor_proposal),
        cmocka_unit_test(fitted_proposals), cmocka_unit_test(blocks),
        cmocka_unit_test(weights),          cmocka_unit_test(anomaly),
        cmocka_unit_test(second_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
