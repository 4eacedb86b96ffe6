/* Means averaged over several covariates: each cell's code is decoded once for each of them, and a
 * tile's values are added up while it is in the cache. */
#include <string.h>

#include "autoencoder_internal.h"
#include "quell/alloc.h"

/* Numbers of what normalises one decoding's shares. */
static int64_t tile_reals(const ql_ae *ae)
{
    return ae->heads.tiling.n_tiles * ae->capacity;
}

ql_status ql_ae_decodings_new(const ql_ae *ae, int n, ql_ae_decodings *d, ql_err *err)
{
    const ql_heads *h = &ae->heads;
    *d = (ql_ae_decodings){.n = n};
    QL_TRY(QL_NEW(d->hidden, n * h->n_in * ae->capacity, "averages over batches", err));
    if (h->share) {
        QL_TRY(QL_NEW(d->most, n * tile_reals(ae), "averages over batches", err));
        QL_TRY(QL_NEW(d->scale, n * tile_reals(ae), "averages over batches", err));
    }
    if (h->n_groups == 0) return QL_OK;
    return QL_NEW(d->group, n * h->n_groups * ae->capacity, "averages over batches", err);
}

void ql_ae_decodings_free(ql_ae_decodings *d)
{
    ql_free(d->hidden);
    ql_free(d->most);
    ql_free(d->scale);
    ql_free(d->group);
    *d = (ql_ae_decodings){0};
}

/* What the heads see of decoding k is set aside, as the next one takes its place. */
static void set_aside(ql_ae *ae, ql_ae_decodings *d, int k)
{
    const ql_heads *h = &ae->heads;
    const ql_batch *b = &ae->batch[0];
    const ql_head_pass pass = ql_ae_head_pass(ae, b, NULL);
    const size_t real = sizeof(ql_real);
    memcpy(d->hidden + k * h->n_in * ae->capacity, pass.hidden[0],
           (size_t)(h->n_in * b->n_pad) * real);
    if (h->share) {
        memcpy(d->most + k * tile_reals(ae), h->most, (size_t)tile_reals(ae) * real);
        memcpy(d->scale + k * tile_reals(ae), h->scale, (size_t)tile_reals(ae) * real);
    }
    if (h->n_groups > 0)
        memcpy(d->group + k * h->n_groups * ae->capacity, ae->group,
               (size_t)(h->n_groups * b->n_pad) * real);
}

void ql_ae_decodings_make(ql_ae *ae, ql_ae_worker *w, const ql_batch_source *source,
                          ql_ae_decodings *d)
{
    const ql_batch *b = &ae->batch[0];
    const ql_head_pass pass = ql_ae_head_pass(ae, b, NULL);
    for (int k = 0; k < d->n; k++) {
        if (w->rank == 0) {
            ql_ae_cov_decode(ae, b, source->decode[k]);
            ql_ae_decoder_forward(ae, b, ae->kern, (ql_pass){0});
        }
        ql_team_barrier(w->team);
        ql_ae_normalise(ae, w, ae->kern, &pass);
        if (w->rank == 0) set_aside(ae, d, k);
        ql_team_barrier(w->team);
    }
}

void ql_ae_decodings_values(ql_ae *ae, const ql_ae_decodings *d, int64_t tile, int64_t first,
                            int64_t n, ql_head_space *space)
{
    ql_heads h = ae->heads; /* a view of it, normalised otherwise */
    ql_head_pass pass = ql_ae_head_pass(ae, &ae->batch[0], NULL);
    /* what only training needs */
    ql_real *const sum[QL_MAX_HEADS] = {space->entries.count, space->entries.size,
                                        space->entries.weight};
    const int64_t size = ql_tile_genes(&h.tiling, tile).count * ql_pad(n);
    h.keep = false;
    for (int k = 0; k < d->n; k++) {
        if (h.share) {
            h.most = d->most + k * tile_reals(ae);
            h.scale = d->scale + k * tile_reals(ae);
        }
        pass.hidden[0] = d->hidden + k * h.n_in * ae->capacity;
        pass.group = d->group ? d->group + k * h.n_groups * ae->capacity : NULL;
        ql_heads_values(&h, &ae->params, ae->kern, &pass, tile, first, n, space);
        for (int head = 0; head < QL_MAX_HEADS; head++)
            for (int64_t i = 0; h.kind[head] != QL_KIND_NONE && i < size; i++)
                sum[head][i] = (k ? sum[head][i] : 0) + space->act[head][i];
    }
    for (int head = 0; head < QL_MAX_HEADS; head++)
        for (int64_t i = 0; h.kind[head] != QL_KIND_NONE && i < size; i++)
            space->act[head][i] = sum[head][i] / (ql_real)d->n;
}
