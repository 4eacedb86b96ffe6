/* Ladders in float64: the combination of two normal distributions, what is left of a ladder whose
 * second code says nothing, and the gradient of the whole network, with the noise held, against
 * central differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "quell/variational.h"

#include "fixture_vae.h"

static ql_ae_config ladder_config(const char *likelihood, int n_hidden, const int64_t *hidden)
{
    ql_ae_config c = vae_config(likelihood, QL_THETA_GENE, n_hidden, hidden);
    c.vae.latent2 = 3;
    return c;
}

static void gradients(void **state)
{
    (void)state;
    ql_ae_config c = ladder_config("zinb", 3, bottle);
    check_vae("a ladder", &c, small);
    c.dropout = 0.2;
    c.vae.kl = (ql_kl_rule){.beta = 0.7, .course = QL_KL_LINEAR, .period = 2, .epochs = true};
    check_vae("warming up, dropout", &c, small);
    c = ladder_config("nb", 2, linear);
    c.vae.cov = covariates;
    c.vae.latent_library = true;
    c.label_weight = 2;
    check_vae("linear decoder, library, labels", &c, small);
    c = ladder_config("poisson", 5, deep);
    c.vae.cov = covariates;
    c.vae.encode_covariates = true;
    c.batch_norm = false;
    c.layer_norm = true;
    check_vae("deep, 140 cells", &c, large);
}

/* A linear-Gaussian model in closed form: with z ~ N(1, 2) and x | z ~ N(z, 0.5), the posterior of
 * z at x = 3 has precision 1 / 2 + 1 / 0.5 and mean (1 / 2 + 3 / 0.5) over it. */
static void combination(void **state)
{
    (void)state;
    const ql_normal prior = {1, 2}, seen = {3, 0.5};
    const ql_normal both = ql_combine_normals(seen, prior);
    assert_true(fabs(both.var - 0.4) < 1e-15 && fabs(both.mean - 2.6) < 1e-15);
    /* and by quadrature: moments of the product of the densities */
    double sum = 0, first = 0, second = 0;
    for (double z = -10; z < 15; z += 1e-3) {
        const double p = exp(-0.5 * ((z - 1) * (z - 1) / 2 + (z - 3) * (z - 3) / 0.5));
        sum += p;
        first += p * z;
        second += p * z * z;
    }
    first /= sum;
    assert_true(fabs(both.mean - first) < 1e-9);
    assert_true(fabs(both.var - (second / sum - first * first)) < 1e-9);
}

static void set_tensor(ql_ae *ae, const char *name, double value)
{
    const ql_tensor *t = ql_params_find(&ae->params, name);
    assert_non_null(t);
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++) ae->params.w[t->offset + i * t->ld + j] = value;
}

static void encode(probe *p, float *mean, float *var)
{
    ql_err err = {0};
    assert_int_equal(
        ql_ae_encode(&p->model.ae, &p->source, p->model.rows, p->model.n, mean, var, &err), QL_OK);
}

/* V_p as large as can be: the first code is that of a model without a second. V_p = 1 and m_p = 0:
 * each posterior is multiplied by N(0, 1). */
static void a_second_code_that_says_nothing(void **state)
{
    (void)state;
    enum { N = 25 * 4 };
    static const char *const zero[] = {"prior_mean/weight", "prior_mean/bias", "prior_var/weight"};
    probe p, plain;
    float mean[2][N], var[2][N];
    ql_ae_config c = ladder_config("nb", 3, bottle);
    probe_start(&p, &c, small, 0);
    c.vae.latent2 = 0;
    probe_start(&plain, &c, small, 0);
    for (int i = 0; i < plain.model.ae.params.n_tensors; i++) {
        const ql_tensor *to = &plain.model.ae.params.tensor[i];
        const ql_tensor *from = ql_params_find(&p.model.ae.params, to->name);
        memcpy(plain.model.ae.params.w + to->offset, p.model.ae.params.w + from->offset,
               (size_t)(to->rows * to->ld) * sizeof(double));
    }
    for (size_t k = 0; k < sizeof zero / sizeof *zero; k++) set_tensor(&p.model.ae, zero[k], 0);
    set_tensor(&p.model.ae, "prior_var/bias", 20);
    encode(&p, mean[0], var[0]);
    encode(&plain, mean[1], var[1]);
    for (int64_t k = 0; k < p.model.n * 4; k++) {
        assert_true(fabs((double)(mean[0][k] - mean[1][k])) < 1e-5);
        assert_true(fabs((double)(var[0][k] / var[1][k]) - 1) < 1e-5);
    }
    set_tensor(&p.model.ae, "prior_var/bias", log(1 - 1e-4));
    encode(&p, mean[0], var[0]);
    for (int64_t k = 0; k < p.model.n * 4; k++) {
        const double v = (double)var[1][k], want = v / (1 + v);
        assert_true(fabs((double)var[0][k] / want - 1) < 1e-5);
        assert_true(fabs((double)mean[0][k] - (double)mean[1][k] / (1 + v)) < 1e-5);
    }
    probe_end(&p);
    probe_end(&plain);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    ql_err err = {0};
    ql_ae_config c = ladder_config("nb", 3, bottle);
    assert_int_equal(ql_ae_check(&c, &err), QL_OK);
    c.vae.kl.capacity = 1;
    assert_int_equal(ql_ae_check(&c, &err), QL_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(combination),
        cmocka_unit_test(gradients),
        cmocka_unit_test(a_second_code_that_says_nothing),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
