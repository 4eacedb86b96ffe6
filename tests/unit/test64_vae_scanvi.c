/* scANVI's second code in float64: the gradient of the whole network, with the noise held, against
 * central differences, and its bound against the logarithm of what it bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "quell/variational.h"

#include "fixture_vae.h"

static ql_ae_config scanvi_config(const char *likelihood, int n_hidden, const int64_t *hidden)
{
    ql_ae_config c = vae_config(likelihood, QL_THETA_GENE, n_hidden, hidden);
    c.vae.cov = covariates;
    c.vae.scanvi = true;
    c.label_weight = 2;
    return c;
}

static void gradients(void **state)
{
    (void)state;
    ql_ae_config c = scanvi_config("zinb", 3, bottle);
    check_vae("scANVI", &c, small);
    c.dropout = 0.2;
    c.vae.kl = (ql_kl_rule){.beta = 0.7, .course = QL_KL_LINEAR, .period = 2, .epochs = true};
    check_vae("warming up, dropout", &c, small);
    c = scanvi_config("nb", 2, linear);
    c.vae.latent_library = true;
    c.batch_norm = false;
    c.layer_norm = true;
    check_vae("linear decoder, latent library", &c, small);
    c = scanvi_config("poisson", 5, deep);
    c.vae.encode_covariates = true;
    check_vae("deep, 140 cells", &c, large);
}

static void none_labelled(void *ctx, probe *p)
{
    annotation *a = ctx;
    annotate(a, p);
    for (int64_t i = 0; i < p->model.counts.n_rows; i++) a->value[4 * i + 3] = -1;
}

static void all_labelled(void *ctx, probe *p)
{
    annotation *a = ctx;
    annotate(a, p);
    for (int64_t i = 0; i < p->model.counts.n_rows; i++) a->value[4 * i + 3] = (float)(i % 3);
}

static void labels_of_none_and_of_all(void **state)
{
    (void)state;
    probe p;
    annotation a;
    ql_ae_config c = scanvi_config("nb", 3, bottle);
    probe_start_with(&p, &c, small, 0, none_labelled, &a);
    check_probe("no labels", &p);
    probe_start_with(&p, &c, small, 0, all_labelled, &a);
    check_probe("all labelled", &p);
}

/* ---- the bound ---- */

static void make_constant(ql_ae *ae, const char *name, double value)
{
    const ql_tensor *t = ql_params_find(&ae->params, name);
    assert_non_null(t);
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++) ae->params.w[t->offset + i * t->ld + j] = value;
}

/* q(z2) = N(0, 1) and p(z1 | z2, y) = N(0, 1), whatever is seen, and no label more likely than
 * another: then a cell's divergence is ln q(z1 | x) - ln N(z1; 0, 1), its labels cost nothing. */
static void a_prior_that_says_nothing(void **state)
{
    (void)state;
    static const char *const zero[] = {"upper_mean/weight", "upper_mean/bias", "upper_var/weight",
                                       "lower_mean/weight", "lower_mean/bias", "lower_var/weight",
                                       "label/weight",      "label/bias"};
    probe p;
    annotation a;
    ql_err err = {0};
    double loss[200], nll[200];
    float mean[200 * 4], var[200 * 4];
    ql_ae_config c = scanvi_config("nb", 3, bottle);
    probe_start_with(&p, &c, small, 0, annotate, &a);
    ql_ae *ae = &p.model.ae;
    for (size_t k = 0; k < sizeof zero / sizeof *zero; k++) make_constant(ae, zero[k], 0);
    make_constant(ae, "upper_var/bias", log(1 - 1e-4));
    make_constant(ae, "lower_var/bias", log(1 - 1e-4));
    ql_batch_source source = p.source;
    source.draw = true;
    assert_int_equal(ql_ae_encode(ae, &source, p.model.rows, p.model.n, mean, var, &err), QL_OK);
    assert_int_equal(ql_ae_cell_nll(ae, &source, p.model.rows, p.model.n, NULL, nll, &err), QL_OK);
    assert_int_equal(ql_ae_cell_loss(ae, &source, p.model.rows, p.model.n, loss, &err), QL_OK);
    /* the draws are still in the model, whose one batch holds all cells */
    for (int64_t i = 0; i < p.model.n; i++) {
        double want = 0;
        for (int64_t u = 0; u < 4; u++) {
            const double z = ae->hidden[ae->center].out[u * ae->batch[0].n_pad + i];
            const double d = z - (double)mean[4 * i + u], v = (double)var[4 * i + u];
            want += -0.5 * (d * d / v + log(v)) + 0.5 * z * z;
        }
        if (!(fabs(loss[i] - nll[i] - want) < 1e-4 * (1 + fabs(want))))
            fail_msg("cell %lld: %.9g, %.9g expected", (long long)i, loss[i] - nll[i], want);
    }
    probe_end(&p);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    ql_err err = {0};
    ql_ae_config c = scanvi_config("nb", 3, bottle);
    assert_int_equal(ql_ae_check(&c, &err), QL_OK);
    c.vae.kl.free_bits = 0.1;
    assert_int_equal(ql_ae_check(&c, &err), QL_EUSAGE);
    c = scanvi_config("nb", 3, bottle);
    c.vae.cov.n_labels = 0;
    assert_int_equal(ql_ae_check(&c, &err), QL_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients),
        cmocka_unit_test(labels_of_none_and_of_all),
        cmocka_unit_test(a_prior_that_says_nothing),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
