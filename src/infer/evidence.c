#include "quell/evidence.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/fmath.h"

void ql_weights_add(ql_weights *w, double log_weight)
{
    if (w->n == 0) w->most = log_weight;
    w->n++;
    if (log_weight > w->most) {
        const double shrink = ql_exp(w->most - log_weight);
        w->sum *= shrink;
        w->square *= shrink * shrink;
        w->most = log_weight;
    }
    const double share = isfinite(w->most) ? ql_exp(log_weight - w->most) : 0;
    w->sum += share;
    w->square += share * share;
}

double ql_weights_log_mean(const ql_weights *w)
{
    if (w->n == 0 || !(w->sum > 0)) return -INFINITY;
    return w->most + ql_log(w->sum / (double)w->n);
}

double ql_weights_ess(const ql_weights *w)
{
    return w->square > 0 ? w->sum * w->sum / w->square : 0;
}

double ql_weights_stderr(const ql_weights *w)
{
    if (w->n < 2 || !(w->sum > 0)) return NAN;
    const double n = (double)w->n, mean_square = n * w->square / (w->sum * w->sum);
    const double variance = (mean_square - 1) * n / (n - 1);
    return variance > 0 ? sqrt(variance / n) : 0;
}

/* ---- of cells ---- */

/* Room for a block of cells. */
typedef struct {
    const ql_generative *g;
    ql_gen_key key;
    float *mean, *var, *z;         /* [block, n_latent] */
    double *log_q, *log_p, *depth; /* [block]; depth: molecules, where they are drawn */
    ql_gen_library *library;       /* [block]; NULL: observed */
    ql_weights *weights;           /* [block] */
    double *sum, *square;          /* [block] of ln p(x | z) less its first value */
    double *first;
} blocks;

static ql_status room(blocks *b, const ql_generative *g, ql_err *err)
{
    const int64_t n = g->block;
    b->g = g;
    QL_TRY(QL_NEW(b->mean, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->var, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->z, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->log_q, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->log_p, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->weights, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->sum, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->square, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->first, n, "likelihoods", err));
    if (!g->library) return QL_OK;
    QL_TRY(QL_NEW(b->depth, n, "libraries", err));
    return QL_NEW(b->library, n, "libraries", err);
}

static void release(blocks *b)
{
    void *const all[] = {b->mean,    b->var, b->z,      b->log_q, b->log_p,  b->depth,
                         b->library, b->sum, b->square, b->first, b->weights};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
}

static double kl_normal(double mean, double var, double prior_mean, double prior_var)
{
    const double d = mean - prior_mean;
    return 0.5 * ((var + d * d) / prior_var - 1 - ql_log(var / prior_var));
}

static double kl_of(const blocks *b, int64_t i)
{
    const int64_t width = b->g->n_latent;
    double kl = 0;
    for (int64_t u = 0; u < width; u++)
        kl += kl_normal((double)b->mean[i * width + u], (double)b->var[i * width + u], 0, 1);
    if (!b->library) return kl;
    const ql_gen_library *l = &b->library[i];
    return kl + kl_normal(l->mean, l->var, l->prior_mean, l->prior_var);
}

/* ln of the normal density but for its constant, which cancels where it is used */
static double log_normal(double x, double mean, double var)
{
    const double d = x - mean;
    return -0.5 * (d * d / var + ql_log(var));
}

/* The molecules of cell i in this draw; returns ln p - ln q of their logarithm. */
static double draw_library(blocks *b, int64_t i, int64_t cell, int64_t draw)
{
    const ql_gen_library *l = &b->library[i];
    const ql_rng_block words =
        ql_rng_at(b->key.seed, b->key.stream, (uint64_t)cell, (uint64_t)draw, UINT32_MAX);
    const double x = l->mean + sqrt(l->var) * ql_rng_normal(words.word[0]);
    b->depth[i] = ql_exp(x);
    return log_normal(x, l->prior_mean, l->prior_var) - log_normal(x, l->mean, l->var);
}

static ql_status one_draw(blocks *b, const ql_gen_cells *cells, int64_t draw, ql_err *err)
{
    const ql_generative *g = b->g;
    for (int64_t i = 0; i < cells->n; i++) {
        float *z = b->z + i * g->n_latent;
        ql_gen_draw(b->key, cells->row[i], draw, g->n_latent, b->mean + i * g->n_latent,
                    b->var + i * g->n_latent, z, &b->log_q[i]);
        b->log_q[i] -= ql_gen_log_prior(g->n_latent, z);
        if (b->library) b->log_q[i] -= draw_library(b, i, cells->row[i], draw);
    }
    QL_TRY(g->log_lik(g->ctx, cells, b->z, b->depth, b->log_p, err));
    for (int64_t i = 0; i < cells->n; i++) {
        if (draw == 0) b->first[i] = b->log_p[i];
        const double d = b->log_p[i] - b->first[i];
        b->sum[i] += d;
        b->square[i] += d * d;
        ql_weights_add(&b->weights[i], b->log_p[i] - b->log_q[i]);
    }
    return QL_OK;
}

static ql_evidence conclude(const blocks *b, int64_t i, int samples)
{
    const double n = samples, mean = b->sum[i] / n;
    const double variance = (b->square[i] - n * mean * mean) / (n - 1);
    ql_evidence e = {.log_lik = ql_weights_log_mean(&b->weights[i]),
                     .log_lik_se = ql_weights_stderr(&b->weights[i]),
                     .ess = ql_weights_ess(&b->weights[i]),
                     .reconstruction = b->first[i] + mean,
                     .kl = kl_of(b, i)};
    e.elbo = e.reconstruction - e.kl;
    e.elbo_se = samples < 2 ? NAN : sqrt(variance > 0 ? variance / n : 0);
    return e;
}

static ql_status one_block(blocks *b, const ql_gen_cells *cells, int samples, ql_evidence *out,
                           ql_err *err)
{
    const ql_generative *g = b->g;
    for (int64_t i = 0; i < cells->n; i++) {
        b->weights[i] = (ql_weights){0};
        b->sum[i] = b->square[i] = 0;
    }
    QL_TRY(g->encode(g->ctx, cells, b->mean, b->var, err));
    if (b->library) QL_TRY(g->library(g->ctx, cells, b->library, err));
    for (int s = 0; s < samples; s++) QL_TRY(one_draw(b, cells, s, err));
    for (int64_t i = 0; i < cells->n; i++) out[i] = conclude(b, i, samples);
    return QL_OK;
}

ql_status ql_evidence_of(const ql_generative *g, const ql_gen_cells *cells, int samples,
                         uint64_t seed, ql_evidence *out, ql_err *err)
{
    blocks b = {.key = {seed, QL_RNG_POSTERIOR}};
    ql_status st;
    QL_TRY(ql_gen_need_prior(g, err));
    QL_GO(room(&b, g, err));
    for (int64_t at = 0; at < cells->n; at += g->block) {
        ql_gen_cells part = *cells;
        part.row += at;
        part.n = cells->n - at < g->block ? cells->n - at : g->block;
        QL_GO(one_block(&b, &part, samples, out + at, err));
    }
out:
    release(&b);
    return st;
}
