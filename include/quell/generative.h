/* What uses of a trained generative model ask of it: posteriors of codes, what codes decode to, how
 * likely counts are under a code. Everything in src/infer goes through these functions, so that it
 * runs on the count VAE (quell/vae_generative.h) and, in tests, on models whose answers are known
 * in closed form.
 *
 * The model: z ~ N(0, 1) in each of n_latent units, x ~ law(mean(z, covariates, library), theta,
 * pi); q(z | x) is a diagonal normal. Or z is drawn of a second code z2 ~ N(0, 1), n_second units,
 * and of a label y, each of n_labels as likely as another: z ~ p(z | z2, y), a diagonal normal.
 * Arrays are row-major, a cell or a code a row. */
#ifndef QUELL_GENERATIVE_H
#define QUELL_GENERATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/rng.h"
#include "quell/rows.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Distribution of a count by mean, theta and pi. */
typedef enum {
    QL_LAW_POISSON,
    QL_LAW_NB,       /* variance mean + mean^2 / theta */
    QL_LAW_ZINB,     /* NB, and 0 with probability pi */
    QL_LAW_NORMAL,   /* standard deviation theta */
    QL_LAW_BERNOULLI /* 1 with probability mean */
} ql_law;

/* The batch in which codes are decoded. */
enum { QL_OWN_BATCH = -1 };

/* Cells by their counts. */
typedef struct {
    const ql_rows *counts; /* columns are the model's genes */
    const int64_t *row;    /* [n] rows of counts */
    const int64_t *cell;   /* [rows of counts] row of the model's covariates; NULL: the same */
    int64_t n;
} ql_gen_cells;

/* Codes to be decoded. */
typedef struct {
    int64_t n;
    const float *z;        /* [n, n_latent] */
    const double *library; /* [n] molecules; where means are shares of them */
    const int64_t *cell;   /* [n] row of the covariates; NULL: the first */
    int64_t batch;         /* level of the first covariate instead of the cell's own, or
                              QL_OWN_BATCH */
} ql_gen_codes;

/* Posterior and prior of the logarithm of a cell's molecules, where the model has them. */
typedef struct {
    double mean, var, prior_mean, prior_var;
} ql_gen_library;

/* [n, n_latent] of q(z | x, z2); and of p(z | z2, y), y as likely as the encoder finds it: NULL
 * both, not wanted. */
typedef struct {
    float *mean, *var, *prior_mean, *prior_var;
} ql_gen_levels;

/* Of codes with a second one: log_prior [n], the logarithm of what has the expectation p(z) over
 * z2; kl [n], what the bound has beside ln p(x | z) if z is drawn from q(z | x, z2), whose
 * logarithm is log_q [n]. */
typedef struct {
    const float *z;
    const double *log_q;
    double *log_prior, *kl;
} ql_gen_priors;

typedef struct ql_generative {
    void *ctx;
    ql_law law;
    int64_t n_genes, n_latent;
    int64_t block;     /* most cells or codes of a call */
    int64_t n_batches; /* levels of the first categorical covariate; 0: there is none */
    int threads;       /* for work beside the model's own */
    int64_t n_second;  /* units of z2; 0: z ~ N(0, 1) */
    int64_t n_labels;  /* with n_second: labels that z is drawn of; 0: there are none */

    /* mean and var [n, n_latent] of q(z | x). */
    ql_status (*encode)(void *ctx, const ql_gen_cells *cells, float *mean, float *var, ql_err *err);

    /* mean, theta, pi [n, n_genes]; theta and pi may be NULL, and are not touched where the law has
     * none. With library 1 the means of a count VAE are the shares of the genes. */
    ql_status (*decode)(void *ctx, const ql_gen_codes *codes, float *mean, float *theta, float *pi,
                        ql_err *err);

    /* ln p(x | z) in nats, ln x! included: code i with cell i. library NULL: the cell's own. Absent
     * genes are the caller's: counts that lack them, with a library that allows for them. */
    ql_status (*log_lik)(void *ctx, const ql_gen_cells *cells, const float *z,
                         const double *library, double *out, ql_err *err);

    /* [n]; NULL: the library is what is observed. */
    ql_status (*library)(void *ctx, const ql_gen_cells *cells, ql_gen_library *out, ql_err *err);

    /* With n_second: mean and var [n, n_latent] of p(z | z2, y), z2 [n, n_second], label [n] (NULL:
     * n_labels is 0), n at most a block. */
    ql_status (*prior)(void *ctx, int64_t n, const float *z2, const int64_t *label, float *mean,
                       float *var, ql_err *err);

    /* With n_second, at z2 drawn by the encoder, keyed by seed, draw and row. Labels of cells are
     * not looked at. Normal distributions of z; and of codes z [n, n_latent] what takes the place
     * of ln p(z). */
    ql_status (*levels)(void *ctx, const ql_gen_cells *cells, uint64_t seed, int64_t draw,
                        const ql_gen_levels *out, ql_err *err);
    ql_status (*log_prior)(void *ctx, const ql_gen_cells *cells, uint64_t seed, int64_t draw,
                           const ql_gen_priors *p, ql_err *err);
} ql_generative;

/* What random numbers are keyed by: seed, a number of the cell that does not depend on its place in
 * a call, and a number of the draw. */
typedef struct {
    uint64_t seed;
    ql_rng_stream stream;
} ql_gen_key;

/* z [n_latent] = mean + sqrt(var) eps with the noise of (cell, draw); *log_q (may be NULL) is
 * ln q(z | x). */
void ql_gen_draw(ql_gen_key key, int64_t cell, int64_t draw, int64_t n_latent, const float *mean,
                 const float *var, float *z, double *log_q);

/* ln N(z; 0, 1) */
double ql_gen_log_prior(int64_t n_latent, const float *z);

/* ql_generative.encode of any number of cells, in blocks; mean or var may be NULL. */
QL_MUST_USE ql_status ql_gen_encode(const ql_generative *g, const ql_gen_cells *cells, float *mean,
                                    float *var, ql_err *err);

/* means [n, n_genes] become expected counts, with pi of the same shape; as ql_gen_sink.expected. */
void ql_gen_expect(int64_t n, int64_t n_genes, float *mean, const float *pi);

/* Decode any number of codes and hand their means on in blocks: row [n, n_genes] of codes first ..
 * first + n - 1. theta and pi are NULL unless all is wanted and the law has them. */
typedef struct {
    ql_status (*block)(void *ctx, int64_t first, int64_t n, const float *mean, const float *theta,
                       const float *pi, ql_err *err);
    void *ctx;
    bool all;
    bool expected; /* means are those of the counts, of a zero-inflated law too: (1 - pi) mean, made
                      to add up to what the means did */
} ql_gen_sink;
QL_MUST_USE ql_status ql_gen_decode(const ql_generative *g, const ql_gen_codes *codes,
                                    const ql_gen_sink *sink, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
