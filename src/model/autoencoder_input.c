/* The first layer of its three kinds: on sparse inputs, on corrupted ones, which are made a block
 * at a time, and on what a convolution makes of them. */
#include "autoencoder_internal.h"

enum { REDUCE_CELLS = 16 /* cells summed over strips per item */ };

/* ---- shape and memory ---- */

void ql_ae_input_declare_terms(ql_ae *ae)
{
    const ql_ae_config *c = &ae->cfg;
    ae->input_terms = (ql_input_terms){.n_out = ae->input.n_out,
                                       .tiling = ae->input.tiling,
                                       .weight = ae->input.weight,
                                       .orthogonal = c->orthogonal,
                                       .tied = c->tied,
                                       .seed = c->seed};
    if (c->contractive > 0)
        ae->input_terms.jacobian = ae->center == 0 ? QL_JACOBIAN_EXACT : QL_JACOBIAN_PROBE;
}

int64_t ql_ae_input_width(const ql_ae_config *cfg, int64_t n_genes)
{
    return cfg->conv.filters > 0 ? ql_conv_features(&cfg->conv, n_genes) : n_genes;
}

int64_t ql_ae_input_scratch(const ql_ae_config *cfg)
{
    if (cfg->conv.filters > 0) return ql_conv_space(&cfg->conv);
    return ql_corrupt_is_dense(&cfg->corrupt) ? QL_INPUT_BLOCK : 0;
}

ql_status ql_ae_input_alloc_conv(ql_ae *ae, ql_err *err)
{
    if (ae->cfg.conv.filters == 0) return QL_OK;
    for (int i = 0; i < 2; i++) QL_TRY(ql_batch_alloc_ordered(&ae->batch[i], err));
    return ql_conv_alloc(&ae->conv, &ae->map, err);
}

/* ---- forward ---- */

static ql_conv_pass conv_pass(const ql_ae *ae, const ql_batch *b, const ql_corrupt *c, int rank)
{
    return (ql_conv_pass){b, c, &ae->input, &ae->params, ae->kern, ae->tile_x[rank]};
}

/* One tile of the first layer going forward; c NULL: in inference, without corruption. */
static void input_tile(ql_ae *ae, const ql_batch *b, const ql_corrupt *c, int64_t strip,
                       int64_t tile, int rank)
{
    if (ae->cfg.conv.filters > 0) {
        const ql_conv_pass pass = conv_pass(ae, b, c, rank);
        ql_conv_forward_tile(&ae->conv, &pass, strip, tile);
    } else if (c && ae->tile_x) {
        ql_input_dense_forward_tile(&ae->input, &ae->params, ae->kern, b, c, strip, tile,
                                    ae->tile_x[rank]);
    } else {
        ql_input_forward_tile(&ae->input, &ae->params, ae->kern, b, strip, tile);
    }
}

static void input_strip(ql_ae *ae, const ql_batch *b, const ql_corrupt *c, int64_t strip, int rank)
{
    const ql_span tiles = ql_strip_tiles(&ae->input.tiling, strip);
    ql_input_begin_strip(&ae->input, b, strip);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++)
        input_tile(ae, b, c, strip, tile, rank);
}

void ql_ae_input_forward(ql_ae *ae, ql_ae_worker *w, const ql_batch *b, const ql_corrupt *c)
{
    QL_AE_EACH(w, ae->input.tiling.n_strips, strip, input_strip(ae, b, c, strip, w->rank));
}

void ql_ae_input_reduce(ql_ae *ae, ql_ae_worker *w, const ql_batch *b)
{
    QL_AE_EACH(w, ql_ae_items(b->n + 1, REDUCE_CELLS), item,
               ql_input_reduce(&ae->input, ae->kern, b, item * REDUCE_CELLS, REDUCE_CELLS));
}

/* ---- backward ---- */

/* Update the input layer; a tile that has just been updated is in the cache, so the next minibatch
 * goes forward through it at once. */
static void input_backward_strip(ql_ae *ae, const ql_opt_step *step, const ql_batch *b,
                                 const ql_batch *next, int64_t strip, int rank)
{
    const ql_real *sum, *by_units = ql_ae_input_grad(ae, &sum);
    ql_span tiles = ql_strip_tiles(&ae->input.tiling, strip);
    if (next) ql_input_begin_strip(&ae->input, next, strip);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        if (ae->tile_x)
            ql_input_dense_backward_tile(&ae->input, &ae->params, ae->kern, b, &ae->cfg.corrupt,
                                         tile, by_units, ae->tile_dw[rank], ae->tile_x[rank],
                                         &ae->input_terms, step);
        else
            ql_input_backward_tile(&ae->input, &ae->params, ae->kern, b, tile, by_units, sum,
                                   ae->tile_dw[rank], &ae->input_terms, step);
        if (next) input_tile(ae, next, &ae->cfg.corrupt, strip, tile, rank);
    }
}

static void conv_backward_strip(ql_ae *ae, const ql_opt_step *step, const ql_batch *b,
                                int64_t strip, int rank)
{
    const ql_hidden *first = &ae->hidden[0];
    const ql_conv_pass pass = conv_pass(ae, b, &ae->cfg.corrupt, rank);
    ql_span tiles = ql_strip_tiles(&ae->input.tiling, strip);
    ql_conv_begin_strip(&ae->conv, strip);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++)
        ql_conv_backward_tile(&ae->conv, &pass, &ae->params, strip, tile, first->grad, first->out_t,
                              ae->tile_dw[rank], step);
}

/* The filters belong to all tiles: the next minibatch waits for their update. */
static void conv_backward(ql_ae *ae, const ql_opt_step *step, ql_ae_worker *w, const ql_batch *b,
                          const ql_batch *next)
{
    const int n_strips = ae->input.tiling.n_strips;
    QL_AE_EACH(w, n_strips, strip, conv_backward_strip(ae, step, b, strip, w->rank));
    if (w->rank == 0) ql_conv_update(&ae->conv, &ae->params, ae->kern, n_strips, step);
    ql_team_barrier(w->team);
    if (next) ql_ae_input_forward(ae, w, next, &ae->cfg.corrupt);
}

void ql_ae_input_backward(ql_ae *ae, ql_ae_worker *w, const ql_batch *b, const ql_batch *next,
                          const ql_opt_step *step)
{
    if (ae->cfg.conv.filters > 0)
        conv_backward(ae, step, w, b, next);
    else
        QL_AE_EACH(w, ae->input.tiling.n_strips, strip,
                   input_backward_strip(ae, step, b, next, strip, w->rank));
}
