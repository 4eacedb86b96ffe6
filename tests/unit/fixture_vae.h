/* Small variational models with covariates and labels, for gradients in float64. */
#ifndef FIXTURE_VAE_H
#define FIXTURE_VAE_H

#include "quell/latent.h"
#include "quell/likelihood.h"

#include "fixture_gradient.h"

/* A categorical covariate of three levels, a number, one of two levels; labels of which some cells
 * have none. */
typedef struct {
    float value[200 * 4];
} annotation;

static inline void annotate(void *ctx, probe *p)
{
    annotation *a = ctx;
    for (int64_t i = 0; i < p->model.counts.n_rows; i++) {
        float *row = a->value + 4 * i;
        row[0] = (float)(i % 3);
        row[1] = (float)sin((double)i);
        row[2] = (float)(i / 3 % 2);
        row[3] = (float)(i % 4) - 1;
    }
    p->model.ae.cov = (ql_cov_values){.value = a->value};
}

static const ql_cov_shape covariates = {.n = 3, .n_levels = {3, 0, 2}, .n_labels = 3};
static const model_shape small = {.cells = 25, .genes = 36, .seed = 21};
static const model_shape large = {.cells = 140, .genes = 270, .seed = 22};
static const int64_t bottle[] = {8, 4, 8}, linear[] = {9, 4}, deep[] = {7, 6, 3, 6, 8};

static inline ql_ae_config vae_config(const char *likelihood, ql_theta_kind theta, int n_hidden,
                                      const int64_t *hidden)
{
    ql_ae_config c = model_config("nb", n_hidden, hidden);
    c.likelihood = ql_vae_likelihood_find(likelihood, theta);
    c.linear_latent = true;
    c.norm_gain = true;
    c.rate = 1;
    c.vae = (ql_vae_config){.on = true, .kl = {.beta = 1}};
    assert_non_null(c.likelihood);
    return c;
}

/* The gradient of the whole network, with the noise held. */
static inline void check_vae(const char *what, const ql_ae_config *c, model_shape shape)
{
    probe p;
    annotation a;
    probe_start_with(&p, c, shape, 0, annotate, &a);
    check_probe(what, &p);
}

#endif
