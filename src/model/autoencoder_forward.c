/* A minibatch forward, as training and inference share it: its cells are filled in, the input layer
 * goes by strips, the hidden layers on one thread; then the heads' view of it. */
#include "autoencoder_internal.h"

enum { FILL_CELLS = 8 /* cells filled per item */ };

int64_t ql_ae_fill_items(int64_t n)
{
    return ql_ae_items(n, FILL_CELLS);
}

static void fill_cells(const ql_ae *ae, const ql_ae_filling *f, int64_t item)
{
    int64_t first = item * FILL_CELLS, end = first + FILL_CELLS;
    for (int64_t i = first; i < end && i < f->batch->n; i++)
        ql_batch_fill(f->batch, i, f->source, f->rows ? f->rows[i] : f->at + i, &ae->map, ae->kern);
}

void ql_ae_fill(const ql_ae *ae, ql_ae_worker *w, const ql_ae_filling *f, int64_t first,
                int64_t end)
{
    QL_AE_EACH(w, end - first, item, fill_cells(ae, f, first + item));
}

/* Hidden layers [first, end). */
static void layers_forward(ql_ae *ae, const ql_batch *b, const ql_kern *kern, ql_pass pass,
                           int first, int end)
{
    for (int i = first; i < end; i++)
        ql_hidden_forward(&ae->hidden[i], &ae->params, kern, i ? ql_ae_layer_in(ae, i, b) : NULL,
                          b->n, b->n_pad, pass);
}

void ql_ae_decoder_forward(ql_ae *ae, const ql_batch *b, const ql_kern *kern, ql_pass pass)
{
    layers_forward(ae, b, kern, pass, ae->center + 1, ae->n_hidden);
    ql_ae_fork_forward(ae, kern, b, pass);
    (void)ql_ae_layer_in(ae, ae->n_hidden, b); /* of heads that see covariates */
}

void ql_ae_hidden_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source, ql_pass pass)
{
    const ql_kern *kern = pass.training ? ql_ae_train_kern(ae) : ae->kern;
    const int end = ae->center < ae->n_hidden ? ae->center + 1 : ae->n_hidden;
    ql_ae_cov_begin(ae, b, source);
    if (b->code) {
        ql_ae_latent_given(ae, b);
    } else {
        ql_input_finish(&ae->input, b, ql_param(&ae->params, ae->hidden[0].bias),
                        ae->hidden[0].pre);
        ql_ae_input_cov_forward(ae, b);
        layers_forward(ae, b, kern, pass, 0, end);
        ql_ae_latent_forward(ae, b, source, kern, pass);
        ql_ae_library_forward(ae, b, source, kern, pass);
    }
    ql_ae_labels_forward(ae, b, source, kern, pass);
    ql_ae_decoder_forward(ae, b, kern, pass);
}

ql_head_pass ql_ae_head_pass(ql_ae *ae, const ql_batch *b, const ql_opt_step *step)
{
    ql_head_pass pass = {.batch = b, .step = step};
    for (int k = 0; k < ae->heads.n_branches; k++) {
        const ql_hidden *last = ql_ae_layer(ae, k, ae->n_hidden - 1);
        pass.hidden[k] = last->out;
        pass.hidden_t[k] = last->out_t;
    }
    if (ae->joined[ae->n_hidden].n_extra > 0) {
        pass.hidden[0] = ae->joined[ae->n_hidden].in;
        pass.hidden_t[0] = ae->joined[ae->n_hidden].in_t;
    }
    pass.group = ae->group;
    pass.group_t = ae->group_t;
    return pass;
}

/* What a source says of cells by their place in the visit. */
static void take_given(const ql_ae *ae, ql_batch *b, const ql_batch_source *source, int64_t at)
{
    if (source->code) b->code = source->code + at * ql_ae_latent_width(ae);
    for (int64_t i = 0; source->library && i < b->n; i++)
        b->library[i] = (ql_real)source->library[at + i];
}

void ql_ae_forward(ql_ae *ae, ql_ae_worker *w, const ql_batch_source *source, const int64_t *rows,
                   int64_t at, int64_t n)
{
    ql_batch *b = &ae->batch[0];
    ql_ae_filling fill = {b, source, rows ? rows + at : NULL, at};
    if (w->rank == 0) ql_batch_begin(b, source, n, 1);
    ql_team_barrier(w->team);
    ql_ae_fill(ae, w, &fill, 0, ql_ae_fill_items(n));
    if (w->rank == 0) take_given(ae, b, source, at);
    if (!source->code) {
        ql_ae_input_forward(ae, w, b, NULL);
        ql_ae_input_reduce(ae, w, b);
    }
    if (w->rank == 0) ql_ae_hidden_forward(ae, b, source, (ql_pass){0});
    ql_team_barrier(w->team);
}

void ql_ae_normalise(ql_ae *ae, ql_ae_worker *w, const ql_kern *kern, const ql_head_pass *pass)
{
    if (!ae->heads.share && !ae->heads.odds) return;
    if (ae->heads.share)
        QL_AE_EACH(
            w, ae->heads.tiling.n_strips, strip,
            ql_heads_norm_strip(&ae->heads, &ae->params, kern, pass, strip, &ae->space[w->rank]));
    if (w->rank == 0) ql_heads_norm_finish(&ae->heads, kern, pass->batch);
    ql_team_barrier(w->team);
}
