#include "de_pairs.h"

#include <string.h>

#include "quell/alloc.h"

void de_pairs_free(de_pairs *p)
{
    for (int k = 0; k < 2; k++) {
        ql_free(p->z[k]);
        ql_free(p->cell[k]);
        ql_free(p->most[k]);
        ql_free(p->share[k]);
    }
    ql_free(p->batch);
    ql_free(p->library);
    ql_free(p->scratch);
    *p = (de_pairs){0};
}

static ql_status room(de_pairs *p, int64_t memory, ql_err *err)
{
    const int64_t fits = memory / (2 * p->ld * (int64_t)sizeof(float));
    p->genes_at_once = fits < 1 ? 1 : fits < p->g->n_genes ? fits : p->g->n_genes;
    for (int k = 0; k < 2; k++) {
        QL_TRY(QL_NEW(p->z[k], p->n * p->g->n_latent, "codes of pairs", err));
        QL_TRY(QL_NEW(p->cell[k], p->n, "codes of pairs", err));
        QL_TRY(QL_NEW(p->most[k], p->g->n_genes, "shares of pairs", err));
        QL_TRY(QL_NEW(p->share[k], p->genes_at_once * p->ld, "shares of pairs", err));
    }
    QL_TRY(QL_NEW(p->batch, p->n, "codes of pairs", err));
    QL_TRY(QL_NEW(p->library, p->n, "codes of pairs", err));
    QL_TRY(QL_NEW(p->scratch, (int64_t)DE_SCRATCH_ROWS * 2 * p->ld, "shares of pairs", err));
    for (int64_t i = 0; i < p->n; i++) p->library[i] = 1;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < p->genes_at_once * p->ld; i++) p->share[k][i] = 1;
    return QL_OK;
}

/* Pair i takes any cell of the group and any of the cell's draws, of which each has
 * floor(n / cells) + 1: the draws pooled, and drawn from with replacement. */
static ql_status draw_group(de_pairs *p, const ql_de_groups *groups, int which, uint64_t seed,
                            ql_err *err)
{
    const int64_t n = groups->n[which], width = p->g->n_latent, reps = p->n / n + 1;
    const ql_gen_cells cells = {groups->counts, groups->row[which], groups->cell, n};
    const ql_gen_key key = {seed, QL_RNG_POSTERIOR};
    ql_rng rng = ql_rng_start(seed, QL_RNG_CELLS, (uint64_t)which, 0);
    float *mean = NULL, *var = NULL;
    ql_status st;
    QL_GO(QL_NEW(mean, n * width, "codes", err));
    QL_GO(QL_NEW(var, n * width, "codes", err));
    QL_GO(ql_gen_encode(p->g, &cells, mean, var, err));
    for (int64_t i = 0; i < p->n; i++) {
        const int64_t k = ql_rng_below(&rng, (uint32_t)n);
        const int64_t rep = ql_rng_below(&rng, (uint32_t)reps), row = groups->row[which][k];
        ql_gen_draw(key, row, rep, width, mean + k * width, var + k * width,
                    p->z[which] + i * width, NULL);
        p->cell[which][i] = groups->cell ? groups->cell[row] : row;
    }
out:
    ql_free(mean);
    ql_free(var);
    return st;
}

ql_status de_pairs_draw(de_pairs *p, const ql_generative *g, const ql_de_groups *groups,
                        const ql_de_options *opt, ql_err *err)
{
    const bool correct = opt->batch_correct && g->n_batches > 1;
    const int64_t batches = correct ? g->n_batches : 1;
    const int64_t each = opt->n_pairs / batches > 0 ? opt->n_pairs / batches : 1;
    p->g = g;
    p->n = each * batches;
    p->ld = ql_pad(p->n);
    QL_TRY(ql_kern_select(&p->kern, err));
    QL_TRY(room(p, opt->memory, err));
    for (int64_t i = 0; i < p->n; i++) p->batch[i] = correct ? i / each : QL_OWN_BATCH;
    for (int k = 0; k < 2; k++) QL_TRY(draw_group(p, groups, k, opt->seed, err));
    return QL_OK;
}

/* ---- decoding ---- */

typedef struct {
    de_pairs *p;
    int which;
    int64_t pair0; /* first pair of the run of one batch */
    int64_t first, n;
} filling;

static ql_status keep_genes(void *ctx, int64_t at, int64_t n, const float *mean, const float *theta,
                            const float *pi, ql_err *err)
{
    const filling *f = ctx;
    const int64_t n_genes = f->p->g->n_genes, ld = f->p->ld;
    (void)theta;
    (void)pi;
    (void)err;
    for (int64_t g = 0; g < f->n; g++) {
        float *to = f->p->share[f->which] + g * ld + f->pair0 + at;
        for (int64_t i = 0; i < n; i++) to[i] = mean[i * n_genes + f->first + g];
    }
    return QL_OK;
}

static ql_status keep_most(void *ctx, int64_t at, int64_t n, const float *mean, const float *theta,
                           const float *pi, ql_err *err)
{
    const filling *f = ctx;
    const int64_t n_genes = f->p->g->n_genes;
    float *most = f->p->most[f->which];
    (void)at;
    (void)theta;
    (void)pi;
    (void)err;
    for (int64_t i = 0; i < n; i++)
        for (int64_t g = 0; g < n_genes; g++)
            if (mean[i * n_genes + g] > most[g]) most[g] = mean[i * n_genes + g];
    return QL_OK;
}

/* Decode the pairs of a group, batch by batch. */
static ql_status decode(filling *f, ql_gen_sink sink, ql_err *err)
{
    const de_pairs *p = f->p;
    sink.ctx = f;
    for (int64_t i = 0, end; i < p->n; i = end) {
        for (end = i + 1; end < p->n && p->batch[end] == p->batch[i];) end++;
        const ql_gen_codes codes = {.n = end - i,
                                    .z = p->z[f->which] + i * p->g->n_latent,
                                    .library = p->library + i,
                                    .cell = p->cell[f->which] + i,
                                    .batch = p->batch[i]};
        f->pair0 = i;
        QL_TRY(ql_gen_decode(p->g, &codes, &sink, err));
    }
    return QL_OK;
}

ql_status de_pairs_fill(de_pairs *p, int64_t first, int64_t n, ql_err *err)
{
    if (p->n_here == n && p->first == first) return QL_OK;
    for (int k = 0; k < 2; k++) {
        filling f = {.p = p, .which = k, .first = first, .n = n};
        QL_TRY(decode(&f, (ql_gen_sink){.block = keep_genes}, err));
    }
    p->first = first;
    p->n_here = n;
    return QL_OK;
}

static void most_at_hand(de_pairs *p)
{
    for (int k = 0; k < 2; k++) {
        for (int64_t g = 0; g < p->g->n_genes; g++) {
            const float *share = p->share[k] + g * p->ld;
            for (int64_t i = 0; i < p->n; i++)
                if (share[i] > p->most[k][g]) p->most[k][g] = share[i];
        }
    }
}

ql_status de_pairs_extremes(de_pairs *p, ql_err *err)
{
    if (p->genes_at_once == p->g->n_genes) {
        QL_TRY(de_pairs_fill(p, 0, p->g->n_genes, err));
        most_at_hand(p);
        return QL_OK;
    }
    for (int k = 0; k < 2; k++) {
        filling f = {.p = p, .which = k};
        QL_TRY(decode(&f, (ql_gen_sink){.block = keep_most}, err));
    }
    return QL_OK;
}
