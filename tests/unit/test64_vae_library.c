/* The library size that is drawn, in float64: its divergence in closed form and by differences,
 * what it does to means, and the gradient of the whole network, with the noise held, against
 * central differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "quell/variational.h"

#include "fixture_vae.h"

static const double prior_mean[] = {3.5, 4, 3.2, 3.6}, prior_var[] = {0.4, 0.3, 0.7, 0.5};

static void like(double got, double want, double within, const char *what)
{
    if (!(fabs(got - want) <= within * (1 + fabs(want))))
        fail_msg("%s: %.12g, %.12g expected", what, got, want);
}

static ql_ae_config library_config(int n_hidden, const int64_t *hidden)
{
    ql_ae_config c = vae_config("zinb", QL_THETA_GENE, n_hidden, hidden);
    c.vae.latent_library = true;
    return c;
}

/* ---- the divergence ---- */

/* (ln(V2 / V1) + (V1 + (m1 - m2)^2) / V2 - 1) / 2 by hand, and its derivatives by differences. */
static void divergence_between_normals(void **state)
{
    (void)state;
    like(ql_kl_between(0.3, exp(-1.2) + 1e-4, 0, 1).kl, 0.295481127662, 1e-11, "from N(0, 1)");
    like(ql_kl_between(1, 0.5, 2, 2).kl, 0.5681471805599454, 1e-12, "from N(2, 2)");
    assert_true(ql_kl_between(1.5, 0.3, 1.5, 0.3).kl == 0);
    const double at[] = {1.2, 0.4, 0.9, 1.7}, h = 1e-6;
    const ql_kl_pair k = ql_kl_between(at[0], at[1], at[2], at[3]);
    const double by[] = {k.by_mean, k.by_var, k.by_prior_mean, k.by_prior_var};
    for (int i = 0; i < 4; i++) {
        double x[2][4];
        for (int side = 0; side < 2; side++)
            for (int j = 0; j < 4; j++) x[side][j] = at[j] + (i == j ? (side ? h : -h) : 0);
        const double up = ql_kl_between(x[1][0], x[1][1], x[1][2], x[1][3]).kl;
        const double down = ql_kl_between(x[0][0], x[0][1], x[0][2], x[0][3]).kl;
        like(by[i], (up - down) / (2 * h), 1e-8, "a derivative");
    }
}

/* ---- the whole network ---- */

static void with_prior(void *ctx, probe *p)
{
    ql_ae *ae = &p->model.ae;
    if (ctx) annotate(ctx, p);
    /* the last group stands for cells of no known batch */
    const int64_t skip = 4 - ae->library.n_groups;
    ql_ae_library_set_prior(ae, prior_mean + skip, prior_var + skip, true);
}

static void check_library(const char *what, const ql_ae_config *c, model_shape shape, double thin)
{
    probe p;
    annotation a;
    probe_start_with(&p, c, shape, thin, with_prior, c->vae.cov.n > 0 ? &a : NULL);
    check_probe(what, &p);
}

static void gradients(void **state)
{
    (void)state;
    ql_ae_config c = library_config(3, bottle);
    check_library("one prior", &c, small, 0);
    c.vae.library_sees_total = true;
    check_library("the molecules are seen", &c, small, 0);
    check_library("thinned inputs", &c, small, 0.3);
    c.vae.cov = covariates;
    c.dropout = 0.2;
    check_library("a prior for each batch", &c, small, 0);
    c.vae.encode_covariates = true;
    check_library("covariates are encoded", &c, large, 0);
    c = library_config(2, linear);
    c.likelihood = ql_vae_likelihood_find("normal", QL_THETA_CELL);
    c.vae.kl.beta = 0.1;
    check_library("a linear decoder, normal", &c, small, 0);
    c = library_config(5, deep);
    c.likelihood = ql_vae_likelihood_find("poisson", QL_THETA_GENE);
    c.recompute = true;
    c.layer_norm = true;
    c.batch_norm = false;
    check_library("deep, layer norm, poisson", &c, large, 0);
}

/* A library far below its bound is held there: its mean learns from the divergence alone. */
static void with_no_library(void *ctx, probe *p)
{
    ql_ae *ae = &p->model.ae;
    with_prior(ctx, p);
    ql_param(&ae->params, ae->library.net.mean.bias)[0] = -30;
}

static void gradients_at_the_bound(void **state)
{
    (void)state;
    probe p;
    ql_ae_config c = library_config(3, bottle);
    probe_start_with(&p, &c, small, 0, with_no_library, NULL);
    check_probe("libraries held at their bound", &p);
}

/* ---- what it does ---- */

typedef struct {
    double sum[200];
    ql_ae_library of[200];
} seen;

static void add_means(void *ctx, const ql_ae_tile *t)
{
    seen *s = ctx;
    for (int64_t g = 0; g < t->genes.count; g++)
        for (int64_t i = 0; i < t->n; i++)
            s->sum[t->first_row + t->first + i] += t->mean[g * t->ld + i];
}

static ql_status take_library(void *ctx, const ql_ae *ae, int64_t first, int64_t n, ql_err *err)
{
    seen *s = ctx;
    (void)err;
    for (int64_t i = 0; i < n; i++) s->of[first + i] = ql_ae_library_of(ae, i);
    return QL_OK;
}

static void visit(probe *p, ql_batch_source source, seen *out)
{
    ql_err err = {0};
    *out = (seen){0};
    const ql_ae_visitor v = {.tile = add_means, .cells = take_library, .ctx = out};
    assert_int_equal(ql_ae_visit(&p->model.ae, &source, p->model.rows, p->model.n, 0, &v, &err),
                     QL_OK);
}

/* Means add up to exp(m), to the molecules where depths are matched, to what is given. */
static void means_add_up(void **state)
{
    (void)state;
    probe p;
    seen s;
    annotation a;
    double given[200];
    ql_ae_config c = library_config(3, bottle);
    c.vae.cov = covariates;
    probe_start_with(&p, &c, small, 0, with_prior, &a);
    for (int64_t i = 0; i < p.model.n; i++) given[i] = 10 + (double)i;
    visit(&p, p.source, &s);
    for (int64_t i = 0; i < p.model.n; i++) {
        const int64_t batch = p.model.rows[i] % 3;
        like(s.sum[i], exp(s.of[i].mean), 1e-9, "molecules of the posterior's mean");
        like(s.of[i].prior_mean, prior_mean[batch], 1e-12, "the batch's prior");
        like(s.of[i].prior_var, prior_var[batch], 1e-12, "the batch's prior");
    }
    ql_batch_source with = p.source;
    with.library = given;
    visit(&p, with, &s);
    for (int64_t i = 0; i < p.model.n; i++) like(s.sum[i], given[i], 1e-9, "given molecules");
    p.model.ae.cfg.match_depth = true;
    visit(&p, p.source, &s);
    for (int64_t i = 0; i < p.model.n; i++) {
        double total = 0;
        const int64_t row = p.model.rows[i];
        for (int64_t k = p.model.counts.indptr[row]; k < p.model.counts.indptr[row + 1]; k++)
            total += (double)p.model.counts.data[k];
        like(s.sum[i], total, 1e-9, "observed molecules");
    }
    probe_end(&p);
}

/* A cell's loss with drawn codes has both divergences. */
static void losses_have_the_divergence(void **state)
{
    (void)state;
    probe p;
    seen s;
    double loss[2][200];
    ql_err err = {0};
    ql_ae_config c = library_config(3, bottle);
    probe_start_with(&p, &c, small, 0, with_prior, NULL);
    ql_batch_source source = p.source;
    source.draw = true;
    visit(&p, source, &s);
    for (int k = 0; k < 2; k++) {
        const double mean = prior_mean[3] + k, var = prior_var[3];
        ql_ae_library_set_prior(&p.model.ae, &mean, &var, false);
        assert_int_equal(
            ql_ae_cell_loss(&p.model.ae, &source, p.model.rows, p.model.n, loss[k], &err), QL_OK);
    }
    for (int64_t i = 0; i < p.model.n; i++) {
        const double d = s.of[i].mean - prior_mean[3];
        like(loss[1][i] - loss[0][i], ((d - 1) * (d - 1) - d * d) / (2 * prior_var[3]), 1e-8,
             "the other prior");
    }
    probe_end(&p);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    ql_err err = {0};
    ql_ae_config c = library_config(3, bottle);
    assert_int_equal(ql_ae_check(&c, &err), QL_OK);
    c.likelihood = ql_vae_likelihood_find("bernoulli", QL_THETA_GENE);
    assert_int_equal(ql_ae_check(&c, &err), QL_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divergence_between_normals), cmocka_unit_test(gradients),
        cmocka_unit_test(gradients_at_the_bound),     cmocka_unit_test(means_add_up),
        cmocka_unit_test(losses_have_the_divergence), cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
