#include "quell/evidence.h"

#include <math.h>

#include "proposal.h"
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

enum { ENCODER_PART = 4, ENCODER_LEAST = 2 }; /* of the draws: a fourth, two at least */
enum { PRIOR_DRAWS = 8 }; /* of z2, for a normal distribution like the prior of a code under it */

/* Room for a block of cells. */
typedef struct {
    const ql_generative *g;
    const ql_evidence_options *opt;
    int own;                       /* draws from the encoder's posterior, before the others */
    proposals *at;                 /* the others are from these; NULL: there are none */
    float *mean, *var, *z;         /* [block, n_latent] */
    double *log_q, *log_p, *depth; /* [block]; depth: molecules, where they are drawn */
    double *log_own;               /* [block] ln q of the encoder alone */
    double *log_prior, *kl;        /* [block] of a draw; kl: where there is a second code, else 0 */
    float *prior_mean, *prior_var; /* [block, n_latent] with a second code */
    ql_gen_library *library;       /* [block]; NULL: observed */
    ql_weights *weights;           /* [block] */
    double *sum, *square;          /* [block] of ln p(x | z) - kl less its first value */
    double *first, *sum_kl;
} blocks;

static ql_status room(blocks *b, ql_err *err)
{
    const ql_generative *g = b->g;
    const int64_t n = g->block;
    QL_TRY(QL_NEW(b->mean, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->var, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->z, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->log_q, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->log_p, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->log_own, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->weights, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->sum, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->square, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->first, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->kl, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->log_prior, n, "likelihoods", err));
    QL_TRY(QL_NEW(b->prior_mean, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->prior_var, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(b->sum_kl, n, "likelihoods", err));
    if (!g->library) return QL_OK;
    QL_TRY(QL_NEW(b->depth, n, "libraries", err));
    return QL_NEW(b->library, n, "libraries", err);
}

static void release(blocks *b)
{
    void *const all[] = {b->mean,      b->var,     b->z,      b->log_q,     b->log_p,
                         b->depth,     b->library, b->sum,    b->square,    b->first,
                         b->weights,   b->kl,      b->sum_kl, b->log_prior, b->prior_mean,
                         b->prior_var, b->log_own};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
}

static double kl_normal(double mean, double var, double prior_mean, double prior_var)
{
    const double d = mean - prior_mean;
    return 0.5 * ((var + d * d) / prior_var - 1 - ql_log(var / prior_var));
}

/* In closed form, but for that of codes with a second one, which is the mean of the draws'. */
static double kl_of(const blocks *b, int64_t i)
{
    const int64_t width = b->g->n_latent;
    double kl = b->sum_kl[i] / b->own;
    for (int64_t u = 0; u < width && b->g->n_second == 0; u++)
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
        ql_rng_at(b->opt->seed, QL_RNG_POSTERIOR, (uint64_t)cell, (uint64_t)draw, UINT32_MAX);
    const double x = l->mean + sqrt(l->var) * ql_rng_normal(words.word[0]);
    b->depth[i] = ql_exp(x);
    return log_normal(x, l->prior_mean, l->prior_var) - log_normal(x, l->mean, l->var);
}

/* ln q(z | x) of the encoder. */
static double log_encoder(const blocks *b, int64_t i, const float *z)
{
    const int64_t width = b->g->n_latent;
    double sum = -QL_HALF_LOG_2PI * (double)width;
    for (int64_t u = 0; u < width; u++)
        sum +=
            log_normal((double)z[u], (double)b->mean[i * width + u], (double)b->var[i * width + u]);
    return sum;
}

/* Of the mixture that the draws are from, all of them together: no draw has a larger weight than
 * the encoder alone would give it, but for the factor of its part (Owen & Zhou 2000, "Safe and
 * effective importance sampling"). */
static double log_mixture(const blocks *b, int64_t i, const float *z)
{
    const double own = b->log_own[i];
    if (!b->at) return own;
    const double part = (double)b->own / b->opt->samples,
                 other = proposals_log_density(b->at, i, z);
    const double most = own > other ? own : other;
    return most + ql_log(part * ql_exp(own - most) + (1 - part) * ql_exp(other - most));
}

static void draw_code(const blocks *b, int64_t i, int64_t cell, int64_t draw, float *z)
{
    const int64_t width = b->g->n_latent;
    if (draw < b->own)
        ql_gen_draw((ql_gen_key){b->opt->seed, QL_RNG_POSTERIOR}, cell, draw, width,
                    b->mean + i * width, b->var + i * width, z, NULL);
    else
        proposals_draw(b->at, i, (ql_gen_key){b->opt->seed, QL_RNG_PROPOSAL}, cell, draw, z);
}

/* The bound is of the encoder's draws alone. */
static void add_bound(blocks *b, int64_t i, int64_t draw)
{
    if (draw >= b->own) return;
    const double bound = b->log_p[i] - b->kl[i];
    if (draw == 0) b->first[i] = bound;
    const double d = bound - b->first[i];
    b->sum_kl[i] += b->kl[i];
    b->sum[i] += d;
    b->square[i] += d * d;
}

/* ln p(z), or what takes its place. */
static ql_status find_priors(blocks *b, const ql_gen_cells *cells, int64_t draw, ql_err *err)
{
    const ql_generative *g = b->g;
    const ql_gen_priors p = {b->z, b->log_own, b->log_prior, b->kl};
    if (g->n_second > 0) return g->log_prior(g->ctx, cells, b->opt->seed, draw, &p, err);
    for (int64_t i = 0; i < cells->n; i++)
        b->log_prior[i] = ql_gen_log_prior(g->n_latent, b->z + i * g->n_latent);
    return QL_OK;
}

/* Where z2 is drawn before the code, what the code is drawn from follows it. A label is drawn after
 * it. */
static ql_status draw_second(blocks *b, const ql_gen_cells *cells, int64_t draw, ql_err *err)
{
    const ql_generative *g = b->g;
    const bool follow = b->at && g->n_labels == 0;
    const ql_gen_levels levels = {b->mean, b->var, follow ? b->prior_mean : NULL,
                                  follow ? b->prior_var : NULL};
    if (g->n_second == 0) return QL_OK;
    QL_TRY(g->levels(g->ctx, cells, b->opt->seed, draw, &levels, err));
    for (int64_t i = 0; i < cells->n && follow; i++) {
        const int64_t at = i * g->n_latent;
        proposals_follow(b->at, i, b->prior_mean + at, b->prior_var + at, b->var + at);
    }
    return QL_OK;
}

static ql_status draw_codes(blocks *b, const ql_gen_cells *cells, int64_t draw, ql_err *err)
{
    QL_TRY(draw_second(b, cells, draw, err));
    for (int64_t i = 0; i < cells->n; i++) {
        float *z = b->z + i * b->g->n_latent;
        draw_code(b, i, cells->row[i], draw, z);
        b->log_own[i] = log_encoder(b, i, z);
    }
    return find_priors(b, cells, draw, err);
}

static ql_status one_draw(blocks *b, const ql_gen_cells *cells, int64_t draw, ql_err *err)
{
    const ql_generative *g = b->g;
    QL_TRY(draw_codes(b, cells, draw, err));
    for (int64_t i = 0; i < cells->n; i++) {
        b->log_q[i] = log_mixture(b, i, b->z + i * g->n_latent) - b->log_prior[i];
        if (b->library) b->log_q[i] -= draw_library(b, i, cells->row[i], draw);
    }
    QL_TRY(g->log_lik(g->ctx, cells, b->z, b->depth, b->log_p, err));
    for (int64_t i = 0; i < cells->n; i++) {
        add_bound(b, i, draw);
        ql_weights_add(&b->weights[i], b->log_p[i] - b->log_q[i]);
    }
    return QL_OK;
}

static ql_evidence conclude(const blocks *b, int64_t i)
{
    const double n = b->own, mean = b->sum[i] / n;
    const double variance = (b->square[i] - n * mean * mean) / (n - 1);
    ql_evidence e = {.log_lik = ql_weights_log_mean(&b->weights[i]),
                     .log_lik_se = ql_weights_stderr(&b->weights[i]),
                     .ess = ql_weights_ess(&b->weights[i]),
                     .reconstruction = b->first[i] + mean + b->sum_kl[i] / n,
                     .kl = kl_of(b, i)};
    e.elbo = e.reconstruction - e.kl;
    e.elbo_se = b->own < 2 ? NAN : sqrt(variance > 0 ? variance / n : 0);
    return e;
}

/* p(z | z2) is averaged over draws of z2: the moments of the mixture. */
static ql_status average_priors(blocks *b, const ql_gen_cells *cells, ql_err *err)
{
    const ql_generative *g = b->g;
    const int64_t size = cells->n * g->n_latent;
    double *mean = b->at->prior_mean, *square = b->at->prior_var;
    const ql_gen_levels levels = {.prior_mean = b->prior_mean, .prior_var = b->prior_var};
    for (int64_t k = 0; k < size; k++) mean[k] = square[k] = 0;
    for (int64_t s = 0; s < PRIOR_DRAWS; s++) {
        QL_TRY(g->levels(g->ctx, cells, b->opt->seed, s, &levels, err));
        for (int64_t k = 0; k < size; k++) {
            const double m = (double)b->prior_mean[k];
            mean[k] += m / PRIOR_DRAWS;
            square[k] += (m * m + (double)b->prior_var[k]) / PRIOR_DRAWS;
        }
    }
    for (int64_t k = 0; k < size; k++) square[k] -= mean[k] * mean[k];
    return QL_OK;
}

/* Modes at the library's own mean, where it is drawn. */
static ql_status fit_proposals(blocks *b, const ql_gen_cells *cells, ql_err *err)
{
    if (!b->at) return QL_OK;
    if (b->g->n_second > 0) QL_TRY(average_priors(b, cells, err));
    for (int64_t i = 0; i < cells->n && b->library; i++) b->depth[i] = ql_exp(b->library[i].mean);
    return proposals_fit(b->at, cells, b->mean, b->var, b->depth, err);
}

static ql_status one_block(blocks *b, const ql_gen_cells *cells, ql_evidence *out, ql_err *err)
{
    const ql_generative *g = b->g;
    for (int64_t i = 0; i < cells->n; i++) {
        b->weights[i] = (ql_weights){0};
        b->sum[i] = b->square[i] = b->sum_kl[i] = b->kl[i] = 0;
    }
    QL_TRY(g->encode(g->ctx, cells, b->mean, b->var, err));
    if (b->library) QL_TRY(g->library(g->ctx, cells, b->library, err));
    QL_TRY(fit_proposals(b, cells, err));
    for (int s = 0; s < b->opt->samples; s++) QL_TRY(one_draw(b, cells, s, err));
    for (int64_t i = 0; i < cells->n; i++) out[i] = conclude(b, i);
    return QL_OK;
}

/* The rest of the draws, if any, are from proposals. */
static int own_draws(const ql_generative *g, const ql_evidence_options *opt)
{
    const int part = (opt->samples + ENCODER_PART - 1) / ENCODER_PART;
    const int own = part < ENCODER_LEAST ? ENCODER_LEAST : part;
    const bool fitted = g->decode && g->n_latent <= PROPOSAL_MOST;
    if (opt->encoder_only || !fitted) return opt->samples;
    return own < opt->samples ? own : opt->samples;
}

ql_status ql_evidence_of(const ql_generative *g, const ql_gen_cells *cells,
                         const ql_evidence_options *opt, ql_evidence *out, ql_err *err)
{
    blocks b = {.g = g, .opt = opt, .own = own_draws(g, opt)};
    proposals at = {0};
    ql_status st;
    QL_GO(room(&b, err));
    if (b.own < opt->samples) {
        QL_GO(proposals_new(&at, g, err));
        b.at = &at;
    }
    for (int64_t first = 0; first < cells->n; first += g->block) {
        ql_gen_cells part = *cells;
        part.row += first;
        part.n = cells->n - first < g->block ? cells->n - first : g->block;
        QL_GO(one_block(&b, &part, out + first, err));
    }
out:
    release(&b);
    proposals_free(&at);
    return st;
}

int64_t ql_evidence_bytes(int64_t n_genes)
{
    return proposals_bytes(n_genes);
}
