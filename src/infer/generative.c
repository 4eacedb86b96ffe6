#include "quell/generative.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/fmath.h"

void ql_gen_draw(ql_gen_key key, int64_t cell, int64_t draw, int64_t n_latent, const float *mean,
                 const float *var, float *z, double *log_q)
{
    ql_rng rng = ql_rng_start(key.seed, key.stream, (uint64_t)cell, (uint64_t)draw);
    double sum = 0;
    for (int64_t u = 0; u < n_latent; u++) {
        const double v = (double)var[u];
        /* The density is that of the number which is decoded, after rounding. */
        z[u] = (float)((double)mean[u] + sqrt(v) * ql_rng_normal(ql_rng_word(&rng)));
        const double d = (double)z[u] - (double)mean[u];
        sum += 0.5 * (d * d / v + ql_log(v));
    }
    if (log_q) *log_q = -(sum + (double)n_latent * QL_HALF_LOG_2PI);
}

double ql_gen_log_prior(int64_t n_latent, const float *z)
{
    double sum = 0;
    for (int64_t u = 0; u < n_latent; u++) sum += 0.5 * (double)z[u] * (double)z[u];
    return -(sum + (double)n_latent * QL_HALF_LOG_2PI);
}

static int64_t block_at(const ql_generative *g, int64_t at, int64_t n)
{
    return n - at < g->block ? n - at : g->block;
}

ql_status ql_gen_encode(const ql_generative *g, const ql_gen_cells *cells, float *mean, float *var,
                        ql_err *err)
{
    for (int64_t at = 0; at < cells->n; at += g->block) {
        ql_gen_cells part = *cells;
        part.row += at;
        part.n = block_at(g, at, cells->n);
        QL_TRY(g->encode(g->ctx, &part, mean ? mean + at * g->n_latent : NULL,
                         var ? var + at * g->n_latent : NULL, err));
    }
    return QL_OK;
}

void ql_gen_expect(int64_t n, int64_t n_genes, float *mean, const float *pi)
{
    for (int64_t i = 0; i < n; i++) {
        float *m = mean + i * n_genes;
        double before = 0, after = 0;
        for (int64_t g = 0; g < n_genes; g++) {
            before += (double)m[g];
            m[g] *= 1 - pi[i * n_genes + g];
            after += (double)m[g];
        }
        const float scale = after > 0 ? (float)(before / after) : 1;
        for (int64_t g = 0; g < n_genes; g++) m[g] *= scale;
    }
}

ql_status ql_gen_decode(const ql_generative *g, const ql_gen_codes *codes, const ql_gen_sink *sink,
                        ql_err *err)
{
    const int64_t most = codes->n < g->block ? codes->n : g->block;
    const bool has_theta = g->law == QL_LAW_NB || g->law == QL_LAW_ZINB || g->law == QL_LAW_NORMAL;
    float *mean = NULL, *theta = NULL, *pi = NULL;
    ql_status st;
    QL_GO(QL_NEW(mean, most * g->n_genes, "decoded cells", err));
    if (sink->all && has_theta) QL_GO(QL_NEW(theta, most * g->n_genes, "decoded cells", err));
    if ((sink->all || sink->expected) && g->law == QL_LAW_ZINB)
        QL_GO(QL_NEW(pi, most * g->n_genes, "decoded cells", err));
    for (int64_t at = 0; at < codes->n; at += g->block) {
        ql_gen_codes part = *codes;
        part.n = block_at(g, at, codes->n);
        part.z += at * g->n_latent;
        if (part.library) part.library += at;
        if (part.cell) part.cell += at;
        QL_GO(g->decode(g->ctx, &part, mean, theta, pi, err));
        if (sink->expected && pi) ql_gen_expect(part.n, g->n_genes, mean, pi);
        QL_GO(sink->block(sink->ctx, at, part.n, mean, theta, pi, err));
    }
out:
    ql_free(mean);
    ql_free(theta);
    ql_free(pi);
    return st;
}
