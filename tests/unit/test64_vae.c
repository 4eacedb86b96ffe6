/* Variational models in float64: values and gradients of the likelihoods and of the divergence
 * against numbers from the formulas of the published reference (Lopez et al. 2018), schedules, and
 * the gradient of the whole network, with the noise held, against central differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "quell/fit.h"

#include "fixture_lanes.h"
#include "fixture_vae.h"

#define NONE 1e300

/* ---- likelihoods ---- */

typedef struct {
    double loss, mean, theta, pi; /* ln y! included; gradients by mu, theta and the logit of pi */
} wanted;

typedef struct {
    double y, mu, theta, logit;
    wanted nb, zinb;
} entry;

/* From float64 code of the reference's formulas, with its epsilon 1e-8. */
static const entry table[] = {
    {0,
     1.5,
     0.8,
     -0.7,
     {-0.844842132878, -0.3478260854, -0.403878764, NONE},
     {-0.479839818468, -0.161340048, -0.187340231, 0.2043351321}},
    {3,
     1.5,
     0.8,
     -0.7,
     {-2.52467110886, 0.3478260808, 0.4544718282, NONE},
     {-2.92785715775, NONE, NONE, -0.3318122278}},
    {0,
     0.02,
     3,
     1.1,
     {-0.0199336280898, NONE, NONE, NONE},
     {-0.00494112046006, -0.2443942989, -5.418961049e-06, 0.003716299338}},
    {40,
     25,
     2,
     -3,
     {-4.57024893919, 0.04444444438, 0.144688042, NONE},
     {-4.61883629076, NONE, NONE, -0.04742587318}},
};
enum { N_ENTRIES = sizeof table / sizeof *table };

/* -loss and its gradients by mu, theta and the logit. The size factor is L; mu = L times what comes
 * for the mean (Bernoulli: its exponential). */
static wanted evaluate(const ql_likelihood *lik, const entry *e, double library)
{
    lanes l;
    const double share = e->mu / library;
    const double a[3] = {lik->heads.odds ? log(share) : share, log(e->theta), e->logit};
    double grad[3], loss = lanes_loss(&l, lik, a, e->y, library, 0, grad);
    return (wanted){-loss, -grad[0] / e->mu, -grad[1] / e->theta, -grad[2]};
}

static void like(double got, double want, const char *what, int i)
{
    if (want == NONE) return;
    if (!(fabs(got - want) <= 1e-9 + 1e-9 * fabs(want)))
        fail_msg("%s of entry %d: %.12g, %.12g expected", what, i, got, want);
}

static void likelihoods_of_the_reference(void **state)
{
    (void)state;
    static const ql_theta_kind kinds[] = {QL_THETA_GENE, QL_THETA_GROUP, QL_THETA_CELL};
    for (int i = 0; i < N_ENTRIES; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            for (double library = 1; library < 1e5; library *= 40) {
                const ql_likelihood *nb = ql_vae_likelihood_find("nb", kinds[k]);
                const ql_likelihood *zinb = ql_vae_likelihood_find("zinb", kinds[k]);
                wanted n = evaluate(nb, &table[i], library);
                wanted z = evaluate(zinb, &table[i], library);
                like(n.loss, table[i].nb.loss, "nb", i);
                like(n.mean, table[i].nb.mean, "nb by mu", i);
                like(n.theta, table[i].nb.theta, "nb by theta", i);
                like(z.loss, table[i].zinb.loss, "zinb", i);
                like(z.mean, table[i].zinb.mean, "zinb by mu", i);
                like(z.theta, table[i].zinb.theta, "zinb by theta", i);
                like(z.pi, table[i].zinb.pi, "zinb by the logit", i);
            }
        }
    }
}

static void values_of_the_registry(void **state)
{
    (void)state;
    for (int l = 0; ql_vae_likelihoods[l]; l++) {
        const ql_likelihood *lik = ql_vae_likelihoods[l];
        for (int i = 0; i < N_ENTRIES; i++) {
            const double pi = 1 / (1 + exp(-table[i].logit));
            double mu = table[i].mu;
            if (lik->heads.odds) { /* the logit is ln(mu / L) here */
                const double odds = table[i].mu / 100;
                mu = odds / (1 + odds);
            }
            const double want = -lik->nll(table[i].y, mu, table[i].theta, pi);
            like(evaluate(lik, &table[i], 100).loss, want, lik->name, i);
        }
    }
}

/* Poisson, normal and Bernoulli in closed form. */
static void gradients_of_the_others(void **state)
{
    (void)state;
    for (int i = 0; i < N_ENTRIES; i++) {
        const entry *e = &table[i];
        const double d = e->y - e->mu, p = e->mu / 7 / (1 + e->mu / 7);
        wanted g = evaluate(ql_vae_likelihood_find("poisson", QL_THETA_GENE), e, 7);
        like(g.mean, e->y / e->mu - 1, "poisson", i);
        g = evaluate(ql_vae_likelihood_find("normal", QL_THETA_CELL), e, 7);
        like(g.mean, d / (e->theta * e->theta), "normal", i);
        like(g.theta, d * d / pow(e->theta, 3) - 1 / e->theta, "normal by theta", i);
        g = evaluate(ql_vae_likelihood_find("bernoulli", QL_THETA_GENE), e, 7);
        like(g.mean * e->mu, e->y > 0 ? 1 - p : -p, "bernoulli by the logit", i);
    }
}

/* Beyond e^-15 and e^15 dispersions are as there, and learn no more. */
static void dispersions_are_held(void **state)
{
    (void)state;
    static const ql_theta_kind kinds[] = {QL_THETA_GENE, QL_THETA_CELL};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const ql_likelihood *nb = ql_vae_likelihood_find("nb", kinds[k]);
        for (double log_theta = -15; log_theta <= 15; log_theta += 30) {
            const entry at = {.y = 3, .mu = 1.5, .theta = exp(log_theta)};
            const entry beyond = {.y = 3, .mu = 1.5, .theta = exp(1.1 * log_theta)};
            like(evaluate(nb, &beyond, 1).loss, evaluate(nb, &at, 1).loss, "held", (int)log_theta);
            assert_true(evaluate(nb, &beyond, 1).theta == 0);
        }
    }
}

/* ---- the divergence ---- */

static void divergence_of_the_reference(void **state)
{
    (void)state;
    /* through the layer: one unit, one cell, m and v as biases */
    ql_params p = {0};
    ql_err err = {0};
    ql_hidden center = {.n_in = 1, .n_out = 1, .act = ql_activation_find("linear")};
    ql_latent l = {.n_in = 1, .n_out = 1};
    double in[QL_PAD] = {0}, weight[QL_PAD] = {1};
    const int64_t cell[1] = {4};
    const ql_kern *kern = ql_kern_find("scalar");
    ql_hidden_declare(&center, &p, "center", true);
    ql_latent_declare(&l, &p, "variance");
    assert_int_equal(ql_params_alloc(&p, 0, &err), QL_OK);
    assert_int_equal(ql_hidden_alloc(&center, QL_PAD, &err), QL_OK);
    assert_int_equal(ql_latent_alloc(&l, QL_PAD, &err), QL_OK);
    ql_param(&p, center.bias)[0] = 0.3;
    ql_param(&p, l.bias)[0] = -1.2;
    ql_hidden_forward(&center, &p, kern, in, 1, QL_PAD, (ql_pass){0});
    ql_latent_pass pass = {.cell = cell};
    ql_latent_forward(&l, &p, kern, in, &center, 1, QL_PAD, &pass);
    const ql_kl_rule rule = {.beta = 1};
    double kl = ql_latent_gradient(&l, &rule, 0, 0, &center, 1, QL_PAD, weight);
    like(kl, 0.295481127662, "the divergence", 0);
    like(center.grad[0], 0.3, "the divergence by m", 0);
    like(l.grad[0], -0.349236943295, "the divergence by v", 0);
    /* and with noise: v moves the code by eps (V - 1e-4) / (2 sqrt V) */
    pass = (ql_latent_pass){.draw = true, .seed = 5, .step = 2, .cell = cell};
    ql_hidden_forward(&center, &p, kern, in, 1, QL_PAD, (ql_pass){0});
    ql_latent_forward(&l, &p, kern, in, &center, 1, QL_PAD, &pass);
    const double v = exp(-1.2) + 1e-4, eps = l.noise[0];
    assert_true(eps != 0);
    like(center.out[0], 0.3 + sqrt(v) * eps, "the code", 0);
    center.grad[0] = 2;
    ql_latent_gradient(&l, &(ql_kl_rule){0}, 0, 0, &center, 1, QL_PAD, weight);
    like(l.grad[0], 2 * eps * exp(-1.2) / (2 * sqrt(v)), "the code by v", 0);
    /* held beyond its bounds */
    ql_param(&p, l.bias)[0] = 25;
    ql_latent_forward(&l, &p, kern, in, &center, 1, QL_PAD, &pass);
    like(l.var[0] / (exp(20) + 1e-4), 1, "a held variance", 0);
    ql_latent_gradient(&l, &rule, 0, 0, &center, 1, QL_PAD, weight);
    assert_true(l.grad[0] == 0);
    ql_latent_free(&l);
    ql_hidden_free(&center);
    ql_params_free(&p);
}

static void schedules(void **state)
{
    (void)state;
    const ql_kl_rule scvi = {.beta = 1, .course = QL_KL_LINEAR, .period = 400, .epochs = true};
    const struct {
        uint64_t epoch;
        double weight;
    } epochs[] = {{0, 0}, {1, 1.0 / 400}, {79, 0.1975}, {399, 399.0 / 400}, {400, 1}, {5000, 1}};
    for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++)
        assert_true(ql_kl_weight(&scvi, 77, epochs[i].epoch) == epochs[i].weight);
    const ql_kl_rule steps = {.beta = 2, .course = QL_KL_LINEAR, .period = 100};
    assert_true(ql_kl_weight(&steps, 50, 9) == 1 && ql_kl_weight(&steps, 100, 0) == 2);
    const ql_kl_rule cycles = {.beta = 2, .course = QL_KL_CYCLICAL, .period = 100};
    const double course[] = {0, 1, 2, 2};
    for (uint64_t at = 0; at < 400; at += 25)
        assert_true(ql_kl_weight(&cycles, at, 0) == course[at / 25 % 4]);
    const ql_kl_rule constant = {.beta = 0.5, .period = 100};
    assert_true(ql_kl_weight(&constant, 0, 0) == 0.5);
    const ql_kl_rule room = {.beta = 3, .capacity = 10, .period = 100};
    assert_true(ql_kl_weight(&room, 0, 0) == 3);
    assert_true(ql_kl_capacity(&room, 50, 0) == 5 && ql_kl_capacity(&room, 200, 0) == 10);
}

/* The reference's numbers of epochs and of validation cells. */
static void rules_of_scvi(void **state)
{
    (void)state;
    const struct {
        int64_t cells, epochs;
    } epochs[] = {{10000, 400}, {20000, 400}, {100000, 80}, {1000000, 8}, {8000000, 1}};
    for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++)
        assert_int_equal(ql_scvi_epochs(epochs[i].cells), epochs[i].epochs);
    const ql_train_options o = {.validation = 0.1, .batch_size = 128};
    assert_int_equal(ql_scvi_validation(4409, &o), 441); /* 3969 = 31 * 128 + 1 would train */
    assert_int_equal(ql_scvi_validation(4410, &o), 442); /* 3969 again */
    assert_int_equal(ql_scvi_validation(4411, &o), 443); /* 3970, with two over */
    assert_int_equal(ql_scvi_validation(4412, &o), 441); /* 3971, with three */
    assert_int_equal(ql_scvi_validation(4400, &o), 440);
    assert_int_equal(ql_scvi_validation(10, &o), 1);
}

/* ---- the whole network ---- */

/* Every likelihood with every dispersion, with and without covariates. */
static void likelihoods_and_dispersions(void **state)
{
    (void)state;
    static const char *const names[] = {"zinb", "nb", "normal", "poisson", "bernoulli"};
    static const char *const thetas[] = {"gene", "group", "cell"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int theta = 0; theta < 3; theta++) {
            for (int with = 0; with < 2; with++) {
                char what[64];
                ql_ae_config c = vae_config(names[i], (ql_theta_kind)theta, 3, bottle);
                if (c.likelihood->disp == QL_DISP_NONE && theta > 0) continue;
                if (theta == QL_THETA_GROUP || with) c.vae.cov = covariates;
                c.vae.encode_covariates = with;
                snprintf(what, sizeof what, "%s, %s, covariates %d", names[i], thetas[theta], with);
                check_vae(what, &c, small);
            }
        }
    }
}

static void shapes(void **state)
{
    (void)state;
    ql_ae_config c = vae_config("zinb", QL_THETA_GENE, 2, linear);
    check_vae("linear decoder", &c, small);
    c.vae.cov = covariates;
    check_vae("linear decoder, covariates", &c, small);
    c = vae_config("nb", QL_THETA_GROUP, 5, deep);
    c.vae.cov = covariates;
    c.vae.group_by_label = true;
    c.dropout = 0.2;
    check_vae("deep, by label, dropout", &c, small);
    c.vae.encode_covariates = true;
    check_vae("deep, covariates encoded", &c, small);
    c.vae.shallow = true;
    check_vae("deep, covariates once", &c, small);
    c = vae_config("zinb", QL_THETA_CELL, 3, bottle);
    c.vae.cov = covariates;
    check_vae("3 tiles, 2 blocks", &c, large);
    c.recompute = true;
    check_vae("the same, made again", &c, large);
    c.l1 = 1e-4;
    c.l2 = 2e-4;
    c.ridge = 0.1;
    c.batch_norm = false;
    check_vae("penalties, no norm", &c, large);
}

static void rules_of_the_divergence(void **state)
{
    (void)state;
    const struct {
        const char *what;
        ql_kl_rule rule;
    } rules[] = {
        {"no divergence", {.beta = 0}},
        {"beta 4", {.beta = 4}},
        {"warming up", {.beta = 1, .course = QL_KL_LINEAR, .period = 2, .epochs = true}},
        {"free bits", {.beta = 1, .free_bits = 0.3}},
        {"more free bits than any unit takes", {.beta = 1, .free_bits = 30}},
        {"a large capacity", {.beta = 3, .capacity = 100}},
        {"a small capacity", {.beta = 3, .capacity = 0.01}},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        ql_ae_config c = vae_config("nb", QL_THETA_GENE, 3, bottle);
        c.vae.kl = rules[i].rule;
        check_vae(rules[i].what, &c, small);
    }
}

/* A classifier on the code, of variational and of other models; a quarter of the cells has no
 * label.
 */
static void labels(void **state)
{
    (void)state;
    ql_ae_config c = vae_config("zinb", QL_THETA_GENE, 3, bottle);
    c.vae.cov = covariates;
    c.label_weight = 2;
    check_vae("labels", &c, small);
    c = vae_config("nb", QL_THETA_GENE, 2, linear);
    c.vae.cov = (ql_cov_shape){.n = 3, .n_levels = {3, 0, 2}, .n_labels = 3};
    c.label_weight = 0.5;
    c.dropout = 0.2;
    check_vae("labels, linear decoder", &c, large);
    c = model_config("nb-conddisp", 3, bottle);
    c.vae.cov = covariates;
    c.label_weight = 2;
    check_vae("labels, a deterministic code", &c, small);
    c.code_act = ql_activation_find("sigmoid");
    c.dropout = 0.3;
    check_vae("labels, a curved code", &c, small);
}

/* Dispersions by label have a group of their own for cells without one, the last. */
static void unlabelled_cells_are_the_last_group(void **state)
{
    (void)state;
    probe p;
    annotation a;
    ql_ae_config c = vae_config("nb", QL_THETA_GROUP, 3, bottle);
    c.vae.cov = covariates;
    c.vae.group_by_label = true;
    probe_start_with(&p, &c, small, 0, annotate, &a);
    const ql_batch *b = &p.model.ae.batch[0];
    for (int64_t i = 0; i < b->n; i++) {
        const int label = (int)a.value[4 * b->cell[i] + 3], group = label < 0 ? 3 : label;
        for (int k = 0; k < 4; k++) assert_true(p.model.ae.group[k * b->n_pad + i] == (k == group));
    }
    probe_end(&p);
}

/* A gene is seen with the odds of its bias times the cell's size. */
static void odds_grow_with_a_cells_size(void **state)
{
    (void)state;
    probe p;
    ql_err err = {0};
    double nll[200], least = INFINITY, most = 0;
    const ql_ae_config c = vae_config("bernoulli", QL_THETA_GENE, 3, bottle);
    probe_start(&p, &c, small, 0);
    ql_ae *ae = &p.model.ae;
    const ql_tensor *t = ql_params_find(&ae->params, "mean/weight");
    assert_non_null(t);
    memset(ae->params.w + t->offset, 0, (size_t)(t->rows * t->ld) * sizeof *ae->params.w);
    const ql_real *bias = ae->params.w + ql_params_find(&ae->params, "mean/bias")->offset;
    assert_int_equal(ql_ae_cell_nll(ae, &p.source, p.model.rows, p.model.n, NULL, nll, &err),
                     QL_OK);
    for (int64_t i = 0; i < p.model.n; i++) {
        const ql_csr *m = &p.model.counts;
        const int64_t row = p.model.rows[i];
        const double size = log(ae->batch[0].size[i]);
        double want = 0;
        for (int64_t g = 0; g < m->n_cols; g++) want += log1p(exp(bias[g] + size));
        for (int64_t k = m->indptr[row]; k < m->indptr[row + 1]; k++)
            want -= bias[m->indices[k]] + size;
        like(nll[i], want, "bernoulli", (int)i);
        least = fmin(least, size);
        most = fmax(most, size);
    }
    assert_true(most - least > 0.1);
    probe_end(&p);
}

/* Kept or made again, shares are the same, and so is the loss. */
static void recomputing_changes_nothing(void **state)
{
    (void)state;
    double loss[2], *gradient[2];
    probe p[2];
    annotation a;
    for (int again = 0; again < 2; again++) {
        ql_ae_config c = vae_config("zinb", QL_THETA_GROUP, 3, bottle);
        c.vae.cov = covariates;
        c.recompute = again;
        probe_start_with(&p[again], &c, large, 0, annotate, &a);
        loss[again] = loss_of(&p[again]);
        gradient[again] = p[again].before;
    }
    assert_true(loss[0] == loss[1]);
    for (int64_t i = 0; i < p[0].model.ae.params.size; i++)
        assert_true(fabs(gradient[0][i] - gradient[1][i]) < 1e-12);
    for (int i = 0; i < 2; i++) probe_end(&p[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likelihoods_of_the_reference),
        cmocka_unit_test(values_of_the_registry),
        cmocka_unit_test(gradients_of_the_others),
        cmocka_unit_test(dispersions_are_held),
        cmocka_unit_test(divergence_of_the_reference),
        cmocka_unit_test(schedules),
        cmocka_unit_test(rules_of_scvi),
        cmocka_unit_test(likelihoods_and_dispersions),
        cmocka_unit_test(shapes),
        cmocka_unit_test(rules_of_the_divergence),
        cmocka_unit_test(labels),
        cmocka_unit_test(unlabelled_cells_are_the_last_group),
        cmocka_unit_test(odds_grow_with_a_cells_size),
        cmocka_unit_test(recomputing_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
