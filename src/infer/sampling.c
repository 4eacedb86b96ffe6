#include "quell/sampling.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/parallel.h"
#include "quell/variates.h"

typedef struct {
    const ql_generative *g;
    const ql_sampling *s;
    float *z;        /* [n, n_latent] */
    double *library; /* [n] */
    int64_t *cell;   /* [n] row of the covariates */
    ql_csr *out;
    int64_t room; /* entries of out */
    /* of a block */
    const float *mean, *theta, *pi;
    float *count; /* [block, n_genes] */
    int64_t first;
} job;

/* ---- codes ---- */

static ql_status posterior_codes(job *j, ql_err *err)
{
    const ql_gen_key key = {j->s->seed, QL_RNG_POSTERIOR};
    const int64_t n = j->s->cells.n, width = j->g->n_latent;
    float *mean = NULL, *var = NULL;
    ql_status st;
    QL_GO(QL_NEW(mean, n * width, "codes", err));
    QL_GO(QL_NEW(var, n * width, "codes", err));
    QL_GO(ql_gen_encode(j->g, &j->s->cells, mean, var, err));
    for (int64_t i = 0; i < n; i++)
        ql_gen_draw(key, i, j->s->draw, width, mean + i * width, var + i * width, j->z + i * width,
                    NULL);
out:
    ql_free(mean);
    ql_free(var);
    return st;
}

static void draw_normal(ql_rng *rng, int64_t n, float *z)
{
    for (int64_t u = 0; u < n; u++) z[u] = (float)ql_rng_normal(ql_rng_word(rng));
}

/* What the codes of n samples are drawn of. */
typedef struct {
    float *z2;         /* [n, n_second] */
    int64_t *label;    /* [n] */
    float *mean, *var; /* [n, n_latent] */
} priors;

static ql_status room_of_priors(priors *p, const ql_generative *g, int64_t n, ql_err *err)
{
    if (g->n_second == 0) return QL_OK;
    QL_TRY(QL_NEW(p->z2, n * g->n_second, "codes", err));
    QL_TRY(QL_NEW(p->label, n, "labels", err));
    QL_TRY(QL_NEW(p->mean, n * g->n_latent, "codes", err));
    return QL_NEW(p->var, n * g->n_latent, "codes", err);
}

/* The label comes last: a given one leaves all other numbers as they are. */
static void draw_priors(const job *j, int64_t first, int64_t n, priors *p)
{
    const ql_generative *g = j->g;
    for (int64_t i = 0; i < n; i++) {
        ql_rng rng =
            ql_rng_start(j->s->seed, QL_RNG_PRIOR, (uint64_t)(first + i), (uint64_t)j->s->draw);
        draw_normal(&rng, g->n_second, p->z2 + i * g->n_second);
        draw_normal(&rng, g->n_latent, j->z + (first + i) * g->n_latent);
        if (!p->label || g->n_labels == 0) continue;
        p->label[i] =
            j->s->label != QL_ANY_LABEL ? j->s->label : ql_rng_below(&rng, (uint32_t)g->n_labels);
    }
}

static ql_status prior_block(job *j, int64_t first, int64_t n, priors *p, ql_err *err)
{
    const ql_generative *g = j->g;
    float *z = j->z + first * g->n_latent;
    draw_priors(j, first, n, p);
    if (g->n_second == 0) return QL_OK;
    QL_TRY(g->prior(g->ctx, n, p->z2, g->n_labels > 0 ? p->label : NULL, p->mean, p->var, err));
    for (int64_t k = 0; k < n * g->n_latent; k++)
        z[k] = (float)((double)p->mean[k] + sqrt((double)p->var[k]) * (double)z[k]);
    return QL_OK;
}

static ql_status prior_codes(job *j, ql_err *err)
{
    const int64_t all = j->s->cells.n, block = j->g->block;
    priors p = {0};
    ql_status st = room_of_priors(&p, j->g, block, err);
    for (int64_t at = 0; st == QL_OK && at < all; at += block)
        st = prior_block(j, at, all - at < block ? all - at : block, &p, err);
    ql_free(p.z2);
    ql_free(p.label);
    ql_free(p.mean);
    ql_free(p.var);
    return st;
}

/* Molecules that a sample is to have: those of its cell, or what the model thinks of them. */
static ql_status libraries(job *j, ql_err *err)
{
    const ql_gen_cells *c = &j->s->cells;
    const ql_generative *g = j->g;
    ql_gen_library l;
    for (int64_t i = 0; i < c->n; i++) {
        const int64_t row = c->row ? c->row[i] : i; /* none: the library is given */
        if (c->row) j->cell[i] = c->cell ? c->cell[row] : row;
        if (j->s->library) {
            j->library[i] = j->s->library[i];
        } else if (g->library) {
            const ql_gen_cells one = {c->counts, c->row + i, c->cell, 1};
            QL_TRY(g->library(g->ctx, &one, &l, err));
            const ql_rng_block words =
                ql_rng_at(j->s->seed, QL_RNG_PRIOR, (uint64_t)i, (uint64_t)j->s->draw, UINT32_MAX);
            const double e = ql_rng_normal(words.word[0]);
            j->library[i] = ql_exp(j->s->prior ? l.prior_mean + sqrt(l.prior_var) * e
                                               : l.mean + sqrt(l.var) * e);
        } else {
            j->library[i] = j->s->total[row];
        }
    }
    return QL_OK;
}

/* ---- counts ---- */

static void draw_cell(void *ctx, int64_t i)
{
    const job *j = ctx;
    const int64_t n_genes = j->g->n_genes, at = i * n_genes;
    const uint64_t sample = (uint64_t)(j->first + i);
    for (int64_t g = 0; g < n_genes; g++) {
        /* A gene has as many words as it takes; the draw is in the high bits of its number. */
        ql_rng rng = ql_rng_start(j->s->seed, QL_RNG_COUNTS, sample,
                                  (uint64_t)g | (uint64_t)j->s->draw << 32);
        const double theta = j->theta ? (double)j->theta[at + g] : 0;
        const double pi = j->pi ? (double)j->pi[at + g] : 0;
        j->count[at + g] =
            (float)ql_draw_count(&rng, j->g->law, (double)j->mean[at + g], theta, pi);
    }
}

static ql_status make_room(job *j, int64_t more, ql_err *err)
{
    const int64_t used = ql_csr_nnz(j->out);
    if (used + more <= j->room) return QL_OK;
    const int64_t room = used + more + j->room / 2;
    int32_t *indices = ql_realloc(j->out->indices, room, sizeof *indices);
    if (indices) j->out->indices = indices;
    float *data = ql_realloc(j->out->data, room, sizeof *data);
    if (data) j->out->data = data;
    if (!indices || !data)
        return ql_fail(err, QL_EMEMORY, "no memory for %lld sampled counts", (long long)room);
    j->room = room;
    return QL_OK;
}

/* Rows that are not written yet end where the last one does: nnz is then right all the time. */
static ql_status keep_block(job *j, int64_t n, ql_err *err)
{
    const int64_t n_genes = j->g->n_genes;
    int64_t entries = 0, at = ql_csr_nnz(j->out);
    for (int64_t k = 0; k < n * n_genes; k++) entries += j->count[k] != 0;
    QL_TRY(make_room(j, entries, err));
    for (int64_t i = 0; i < n; i++) {
        for (int64_t g = 0; g < n_genes; g++) {
            const float x = j->count[i * n_genes + g];
            if (x == 0) continue;
            j->out->indices[at] = (int32_t)g;
            j->out->data[at++] = x;
        }
        j->out->indptr[j->first + i + 1] = at;
    }
    for (int64_t i = j->first + n; i < j->out->n_rows; i++) j->out->indptr[i + 1] = at;
    return QL_OK;
}

static ql_status draw_block(void *ctx, int64_t first, int64_t n, const float *mean,
                            const float *theta, const float *pi, ql_err *err)
{
    job *j = ctx;
    j->first = first;
    j->mean = mean;
    j->theta = theta;
    j->pi = pi;
    ql_parallel_for(j->g->threads, n, draw_cell, j);
    return keep_block(j, n, err);
}

static ql_status counts(job *j, ql_err *err)
{
    const int64_t n = j->s->cells.n, n_genes = j->g->n_genes;
    const ql_gen_codes codes = {
        .n = n, .z = j->z, .library = j->library, .cell = j->cell, .batch = j->s->batch};
    const ql_gen_sink sink = {.block = draw_block, .ctx = j, .all = true};
    const int64_t block = n < j->g->block ? n : j->g->block;
    QL_TRY(ql_csr_alloc(j->out, n, n_genes, 0, err));
    QL_TRY(QL_NEW(j->count, block * n_genes, "sampled counts", err));
    return ql_gen_decode(j->g, &codes, &sink, err);
}

ql_status ql_sample(const ql_generative *g, const ql_sampling *s, ql_csr *out, float *z,
                    ql_err *err)
{
    job j = {.g = g, .s = s, .out = out, .z = z};
    float *own = NULL;
    ql_status st;
    *out = (ql_csr){0};
    if (!z) QL_GO(QL_NEW(own, s->cells.n * g->n_latent, "codes", err));
    if (!z) j.z = own;
    QL_GO(QL_NEW(j.library, s->cells.n, "libraries", err));
    QL_GO(QL_NEW(j.cell, s->cells.n, "cells", err));
    QL_GO(libraries(&j, err));
    QL_GO(s->prior ? prior_codes(&j, err) : posterior_codes(&j, err));
    QL_GO(counts(&j, err));
out:
    ql_free(own);
    ql_free(j.library);
    ql_free(j.cell);
    ql_free(j.count);
    if (st != QL_OK) ql_csr_free(out);
    return st;
}
