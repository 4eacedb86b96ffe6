/* Generative models whose answers are known in closed form. */
#ifndef FIXTURE_GENERATIVE_H
#define FIXTURE_GENERATIVE_H

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/generative.h"

#include "fixture_random.h"

/* ---- probabilistic PCA: x ~ N(mu + W z, s2), columns of W orthogonal, so that the posterior
 * N(W_k'(x - mu) / (|W_k|^2 + s2), s2 / (|W_k|^2 + s2)) is a diagonal normal ---- */

enum { PPCA_GENES = 12, PPCA_LATENT = 3 };

typedef struct {
    double w[PPCA_GENES][PPCA_LATENT], mu[PPCA_GENES], s2, length2[PPCA_LATENT];
    double widen; /* factor of the proposal's variance; 1: the exact posterior */
    double move;  /* added to its mean */
} ppca;

static inline void ppca_row(const ql_gen_cells *c, int64_t i, double *x)
{
    int32_t gene[PPCA_GENES];
    float count[PPCA_GENES];
    memset(x, 0, PPCA_GENES * sizeof *x);
    const int64_t n = ql_rows_get(c->counts, c->row[i], gene, count);
    for (int64_t k = 0; k < n; k++) x[gene[k]] = (double)count[k];
}

static inline ql_status ppca_encode(void *ctx, const ql_gen_cells *c, float *mean, float *var,
                                    ql_err *err)
{
    const ppca *m = ctx;
    (void)err;
    for (int64_t i = 0; i < c->n; i++) {
        double x[PPCA_GENES];
        ppca_row(c, i, x);
        for (int k = 0; k < PPCA_LATENT; k++) {
            double dot = 0;
            for (int g = 0; g < PPCA_GENES; g++) dot += m->w[g][k] * (x[g] - m->mu[g]);
            const double total = m->length2[k] + m->s2;
            if (mean) mean[i * PPCA_LATENT + k] = (float)(dot / total + m->move);
            if (var) var[i * PPCA_LATENT + k] = (float)(m->widen * m->s2 / total);
        }
    }
    return QL_OK;
}

static inline ql_status ppca_log_lik(void *ctx, const ql_gen_cells *c, const float *z,
                                     const double *library, double *out, ql_err *err)
{
    const ppca *m = ctx;
    (void)library;
    (void)err;
    for (int64_t i = 0; i < c->n; i++) {
        double x[PPCA_GENES];
        ppca_row(c, i, x);
        out[i] = -0.5 * PPCA_GENES * log(6.283185307179586 * m->s2);
        for (int g = 0; g < PPCA_GENES; g++) {
            double d = x[g] - m->mu[g];
            for (int k = 0; k < PPCA_LATENT; k++) d -= m->w[g][k] * (double)z[i * PPCA_LATENT + k];
            out[i] -= 0.5 * d * d / m->s2;
        }
    }
    return QL_OK;
}

/* The means, and the standard deviation for theta; a test sets it where it is wanted. */
static inline ql_status ppca_decode(void *ctx, const ql_gen_codes *c, float *mean, float *theta,
                                    float *pi, ql_err *err)
{
    const ppca *m = ctx;
    (void)pi;
    (void)err;
    for (int64_t i = 0; i < c->n; i++)
        for (int g = 0; g < PPCA_GENES; g++) {
            double x = m->mu[g];
            for (int k = 0; k < PPCA_LATENT; k++)
                x += m->w[g][k] * (double)c->z[i * PPCA_LATENT + k];
            mean[i * PPCA_GENES + g] = (float)x;
            if (theta) theta[i * PPCA_GENES + g] = (float)sqrt(m->s2);
        }
    return QL_OK;
}

/* ln N(x; mu, W W' + s2): along W_k the variance is |W_k|^2 + s2, else s2. */
static inline double ppca_exact(const ppca *m, const double *x)
{
    double rest = 0, out = -0.5 * PPCA_GENES * log(6.283185307179586);
    for (int g = 0; g < PPCA_GENES; g++) rest += (x[g] - m->mu[g]) * (x[g] - m->mu[g]);
    for (int k = 0; k < PPCA_LATENT; k++) {
        double dot = 0, total = m->length2[k] + m->s2;
        for (int g = 0; g < PPCA_GENES; g++) dot += m->w[g][k] * (x[g] - m->mu[g]);
        const double along = dot * dot / m->length2[k];
        rest -= along;
        out -= 0.5 * (log(total) + along / total);
    }
    return out - 0.5 * ((PPCA_GENES - PPCA_LATENT) * log(m->s2) + rest / m->s2);
}

static inline ql_generative ppca_new(ppca *m, double widen, double move)
{
    ql_rng r = random_start(5);
    *m = (ppca){.s2 = 0.5, .widen = widen, .move = move};
    for (int g = 0; g < PPCA_GENES; g++) {
        m->mu[g] = random_in(&r, 2, 4);
        m->w[g][g % PPCA_LATENT] = random_in(&r, -1, 1); /* disjoint supports: orthogonal */
        m->length2[g % PPCA_LATENT] += m->w[g][g % PPCA_LATENT] * m->w[g][g % PPCA_LATENT];
    }
    return (ql_generative){.ctx = m,
                           .law = QL_LAW_NORMAL,
                           .n_genes = PPCA_GENES,
                           .n_latent = PPCA_LATENT,
                           .block = 7,
                           .threads = 1,
                           .encode = ppca_encode,
                           .log_lik = ppca_log_lik};
}

/* ---- the same under a second code: z_k ~ N(slope_k z2_k + shift_yk, spread), of labels y that are
 * as likely as each other, or of none. All is normal, so that p(x) is a mixture over y of
 * ppca_exact with other columns and means. The encoder of z2 is made up. ---- */

enum { PPCA_LABELS = 3 };

typedef struct {
    ppca below;
    double slope[PPCA_LATENT], shift[PPCA_LABELS][PPCA_LATENT], spread;
    int n_labels; /* 0: z2 is seen from x and z follows it; else z is seen from x, z2 from z and y
                   */
} ppca2;

typedef struct {
    double mean, var;
} normal;

static inline double log_density(double x, normal n)
{
    return -0.5 * (log(6.283185307179586 * n.var) + (x - n.mean) * (x - n.mean) / n.var);
}

/* p(z_k | z2_k, y) */
static inline normal ppca2_prior(const ppca2 *m, int k, double z2, int y)
{
    return (normal){m->slope[k] * z2 + m->shift[y][k], m->spread};
}

/* q(z2_k): from what the encoder of the model below says of z_k, or from z_k and y. */
static inline normal ppca2_upper(double seen, int y)
{
    return (normal){0.4 * seen - 0.1 * y, 0.8};
}

static inline double ppca2_draw(uint64_t seed, int64_t row, int64_t draw, int k, int y, normal q)
{
    const ql_rng_block b =
        ql_rng_at(seed, QL_RNG_LADDER, (uint64_t)row, (uint64_t)draw, (uint32_t)(4 * k + y));
    return q.mean + sqrt(q.var) * ql_rng_normal(b.word[0]);
}

static inline ql_status ppca2_levels(void *ctx, const ql_gen_cells *c, uint64_t seed, int64_t draw,
                                     const ql_gen_levels *out, ql_err *err)
{
    const ppca2 *m = ctx;
    for (int64_t i = 0; i < c->n; i++) {
        const ql_gen_cells one = {c->counts, c->row + i, c->cell, 1};
        float mean[PPCA_LATENT], var[PPCA_LATENT];
        QL_TRY(ppca_encode(ctx, &one, mean, var, err));
        for (int k = 0; k < PPCA_LATENT; k++) {
            const int64_t at = i * PPCA_LATENT + k;
            normal q = {(double)mean[k], (double)var[k]}, p = {0, 3};
            if (m->n_labels == 0) { /* q(z | x) times p(z | z2) */
                const normal up = ppca2_upper(q.mean, 0);
                p = ppca2_prior(m, k, ppca2_draw(seed, c->row[i], draw, k, 0, up), 0);
                const double v = 1 / (1 / q.var + 1 / p.var);
                q = (normal){v * (q.mean / q.var + p.mean / p.var), v};
            }
            if (out->mean) out->mean[at] = (float)q.mean;
            if (out->var) out->var[at] = (float)q.var;
            if (out->prior_mean) out->prior_mean[at] = (float)p.mean;
            if (out->prior_var) out->prior_var[at] = (float)p.var;
        }
    }
    return QL_OK;
}

/* ln [p(z | z2, y) p(z2) / q(z2)] of cell i's code, z2 drawn. */
static inline double ppca2_ratio(const ppca2 *m, const float *z, const float *seen, uint64_t seed,
                                 int64_t row, int64_t draw, int y)
{
    double sum = 0;
    for (int k = 0; k < PPCA_LATENT; k++) {
        const normal up = ppca2_upper((double)seen[k], y);
        const double z2 = ppca2_draw(seed, row, draw, k, y, up);
        sum += log_density((double)z[k], ppca2_prior(m, k, z2, y)) +
               log_density(z2, (normal){0, 1}) - log_density(z2, up);
    }
    return sum;
}

static inline ql_status ppca2_log_prior(void *ctx, const ql_gen_cells *c, uint64_t seed,
                                        int64_t draw, const ql_gen_priors *p, ql_err *err)
{
    const ppca2 *m = ctx;
    for (int64_t i = 0; i < c->n; i++) {
        const ql_gen_cells one = {c->counts, c->row + i, c->cell, 1};
        const float *z = p->z + i * PPCA_LATENT;
        float mean[PPCA_LATENT];
        double sum = 0;
        QL_TRY(ppca_encode(ctx, &one, mean, NULL, err));
        for (int y = 0; y < (m->n_labels > 0 ? m->n_labels : 1); y++)
            sum += exp(ppca2_ratio(m, z, m->n_labels > 0 ? z : mean, seed, c->row[i], draw, y)) /
                   (m->n_labels > 0 ? m->n_labels : 1);
        p->log_prior[i] = log(sum);
        p->kl[i] = p->log_q[i] - p->log_prior[i];
    }
    return QL_OK;
}

static inline double ppca2_exact(const ppca2 *m, const double *x)
{
    const int labels = m->n_labels > 0 ? m->n_labels : 1;
    double sum = 0;
    for (int y = 0; y < labels; y++) {
        ppca flat = m->below;
        for (int k = 0; k < PPCA_LATENT; k++) {
            const double var = m->slope[k] * m->slope[k] + m->spread;
            flat.length2[k] *= var;
            for (int g = 0; g < PPCA_GENES; g++) {
                flat.mu[g] += m->below.w[g][k] * m->shift[y][k];
                flat.w[g][k] *= sqrt(var);
            }
        }
        sum += exp(ppca_exact(&flat, x)) / labels;
    }
    return log(sum);
}

static inline ql_generative ppca2_new(ppca2 *m, int n_labels, double widen, double move)
{
    *m = (ppca2){.spread = 0.6, .n_labels = n_labels};
    ql_generative g = ppca_new(&m->below, widen, move);
    ql_rng r = random_start(6);
    for (int k = 0; k < PPCA_LATENT; k++) {
        m->slope[k] = random_in(&r, 0.8, 1.6);
        for (int y = 0; y < PPCA_LABELS; y++) m->shift[y][k] = random_in(&r, -1.5, 1.5);
    }
    g.ctx = m;
    g.n_second = PPCA_LATENT;
    g.n_labels = n_labels;
    g.levels = ppca2_levels;
    g.log_prior = ppca2_log_prior;
    return g;
}

/* ---- counts: shares are softmax(b + W z + batch * c), mean = library * share; the posterior is
 * made up: its mean is read off two marker genes ---- */

typedef struct {
    int64_t n_genes, n_latent;
    double *bias, *w, *batch; /* [n_genes], [n_genes, n_latent], [n_genes] */
    double theta, pi, var;    /* of all genes; of the codes */
    const float *z;           /* [rows of the counts, n_latent]: means of the posteriors */
    const int64_t *level;     /* [cells] batch; NULL: 0 */
    int calls;
} count_model;

static inline ql_status count_encode(void *ctx, const ql_gen_cells *c, float *mean, float *var,
                                     ql_err *err)
{
    const count_model *m = ctx;
    (void)err;
    for (int64_t i = 0; i < c->n; i++)
        for (int64_t k = 0; k < m->n_latent; k++) {
            if (mean) mean[i * m->n_latent + k] = m->z[c->row[i] * m->n_latent + k];
            if (var) var[i * m->n_latent + k] = (float)m->var;
        }
    return QL_OK;
}

static inline ql_status count_decode(void *ctx, const ql_gen_codes *c, float *mean, float *theta,
                                     float *pi, ql_err *err)
{
    count_model *m = ctx;
    (void)err;
    m->calls++;
    for (int64_t i = 0; i < c->n; i++) {
        double sum = 0, batch = (double)c->batch;
        float *row = mean + i * m->n_genes;
        if (c->batch == QL_OWN_BATCH)
            batch = m->level && c->cell ? (double)m->level[c->cell[i]] : 0;
        for (int64_t g = 0; g < m->n_genes; g++) {
            double a = m->bias[g] + m->batch[g] * batch;
            for (int64_t k = 0; k < m->n_latent; k++)
                a += m->w[g * m->n_latent + k] * (double)c->z[i * m->n_latent + k];
            row[g] = (float)exp(a);
            sum += (double)row[g];
        }
        for (int64_t g = 0; g < m->n_genes; g++) {
            row[g] = (float)(c->library[i] * (double)row[g] / sum);
            if (theta) theta[i * m->n_genes + g] = (float)m->theta;
            if (pi) pi[i * m->n_genes + g] = (float)m->pi;
        }
    }
    return QL_OK;
}

static inline ql_generative count_model_new(count_model *m, int64_t n_genes, int64_t n_latent,
                                            ql_law law)
{
    ql_rng r = random_start(9);
    ql_err err;
    *m =
        (count_model){.n_genes = n_genes, .n_latent = n_latent, .theta = 2, .pi = 0.2, .var = 0.01};
    if (QL_NEW(m->bias, n_genes, "bias", &err) || QL_NEW(m->batch, n_genes, "batch", &err) ||
        QL_NEW(m->w, n_genes * n_latent, "w", &err))
        return (ql_generative){0};
    for (int64_t g = 0; g < n_genes; g++) m->bias[g] = random_in(&r, -1, 1);
    return (ql_generative){.ctx = m,
                           .law = law,
                           .n_genes = n_genes,
                           .n_latent = n_latent,
                           .block = 16,
                           .threads = 1,
                           .encode = count_encode,
                           .decode = count_decode};
}

static inline void count_model_free(count_model *m)
{
    ql_free(m->bias);
    ql_free(m->batch);
    ql_free(m->w);
}

/* Counts of ones: [rows, genes], every entry a molecule. */
static inline void full_counts(int64_t rows, int64_t genes, ql_csr *m)
{
    ql_err err;
    assert_int_equal(ql_csr_alloc(m, rows, genes, rows * genes, &err), QL_OK);
    for (int64_t k = 0; k < rows * genes; k++) {
        m->indices[k] = (int32_t)(k % genes);
        m->data[k] = 1;
    }
    for (int64_t i = 0; i < rows; i++) m->indptr[i + 1] = (i + 1) * genes;
}

#endif
