/* One block of cells of one tile: pre-activations of all heads, likelihood, gradients, updates. */
#include <string.h>

#include "heads_internal.h"

tile_block ql_head_block_at(const ql_heads *h, const ql_batch *b, int64_t tile, int64_t first)
{
    int64_t left = b->n - first, n = left < QL_BLOCK ? left : QL_BLOCK;
    return (tile_block){tile, first, n, ql_pad(n), ql_tile_genes(&h->tiling, tile)};
}

void ql_head_special_mean(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                          const ql_head_pass *pass, const tile_block *t, ql_head_space *s)
{
    ql_real *x = s->act[QL_HEAD_MEAN];
    if (h->share && h->keep) return;
    ql_head_dense(h, p, kern, pass, t, QL_HEAD_MEAN, x);
    if (h->share)
        kern->exp_less(t->genes.count, t->ld, x, h->most + t->tile * h->capacity + t->first);
    else
        kern->add_row(t->genes.count, t->ld, x, h->offset + t->first, x);
}

void ql_head_pre_activations(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                             const ql_head_pass *pass, const tile_block *t, ql_head_space *s)
{
    for (int k = 0; k < QL_MAX_HEADS; k++) {
        if (k == QL_HEAD_MEAN && ql_head_is_special(h))
            ql_head_special_mean(h, p, kern, pass, t, s);
        else if (h->kind[k] == QL_KIND_DENSE || h->kind[k] == QL_KIND_GROUP)
            ql_head_dense(h, p, kern, pass, t, k, s->act[k]);
        if (h->kind[k] == QL_KIND_UNIT) ql_head_unit(h, p, kern, pass, t, k, s);
        if (h->kind[k] == QL_KIND_ELEMENT) ql_head_element(h, p, t, s);
    }
}

const ql_real *ql_head_size(const ql_heads *h, const ql_batch *b, const tile_block *t,
                            const ql_head_space *s)
{
    if (!h->share) return b->size + t->first;
    const ql_real *scale = ql_head_scale(h, t);
    for (int64_t i = 0; i < t->ld; i++) s->size[i] = scale[i] * b->library[t->first + i];
    return s->size;
}

/* The entries with counts as contiguous lists, ordered by cell and padded; how many there are. */
static int64_t list_entries(const ql_kern *kern, const ql_batch *b, const tile_block *t,
                            const ql_real *size, ql_entry_lists *to)
{
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++) {
        ql_span e = ql_entries_in(&b->out, &b->tiling, t->first + i, t->tile);
        ql_cell_entries cell = {.gene = b->out.gene + e.first,
                                .count = b->out.value + e.first,
                                .first = (int32_t)t->genes.first,
                                .ld = (int32_t)t->ld,
                                .column = (int32_t)i,
                                .size = size[i],
                                .weight = b->weight[t->first + i]};
        kern->list_cell(e.count, &cell, to, n);
        n += e.count;
    }
    for (int64_t k = n; k < ql_pad(n); k++) {
        to->count[k] = to->size[k] = 1;
        to->weight[k] = 0;
        to->place[k] = to->row[k] = 0;
    }
    return n;
}

/* The heads' values at the listed entries. */
static void take_heads(const ql_heads *h, const ql_kern *kern, int64_t n, const ql_real *mean,
                       const ql_real *log_theta, ql_head_space *s)
{
    kern->take(n, s->entries.place, mean, s->list[QL_HEAD_MEAN]);
    for (int k = QL_HEAD_MEAN + 1; k < QL_MAX_HEADS; k++)
        if (ql_in_tile(h->kind[k])) kern->take(n, s->entries.place, s->act[k], s->list[k]);
    if (log_theta) kern->take(n, s->entries.row, log_theta, s->list[QL_HEAD_DISP]);
}

static void put_heads(const ql_heads *h, const ql_kern *kern, int64_t n, ql_head_space *s)
{
    for (int k = 0; k < QL_MAX_HEADS; k++)
        if (h->kind[k] != QL_KIND_NONE) kern->put(n, s->entries.place, s->list[k], s->act[k]);
}

/* Sum of x[0..n) in four chains. */
static double sum_of(const ql_real *x, int64_t n)
{
    double s[4] = {0};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
        for (int c = 0; c < 4; c++) s[c] += (double)x[k + c];
    for (; k < n; k++) s[k % 4] += (double)x[k];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Each cell's loss at counts of zero, then what its entries change; the list is ordered by cell. */
static void add_losses(const ql_batch *b, const tile_block *t, const ql_head_space *s, double *loss)
{
    const ql_real *entry = s->loss;
    for (int64_t i = 0; i < t->n; i++) {
        int64_t n = ql_entries_in(&b->out, &b->tiling, t->first + i, t->tile).count;
        loss[i] += (double)s->block_loss[i] + sum_of(entry, n);
        entry += n;
    }
}

/* What a likelihood takes of the entries with counts, n of them with the pads. */
static ql_lik_args list_args(const ql_heads *h, const ql_head_space *s, int64_t n)
{
    return (ql_lik_args){.n = n,
                         .mean = s->list[QL_HEAD_MEAN],
                         .disp = s->list[QL_HEAD_DISP],
                         .pi = s->list[QL_HEAD_PI],
                         .count = s->entries.count,
                         .size = s->entries.size,
                         .weight = s->entries.weight,
                         .loss = s->loss,
                         .ridge = h->ridge};
}

/* Loss of the block's cells into loss [n]; pre-activations in s->act become gradients. */
static void likelihood(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                       const ql_batch *b, const tile_block *t, ql_head_space *s, double *loss)
{
    const ql_real *log_theta =
        h->disp_gene >= 0 ? ql_param(p, h->disp_gene) + t->genes.first : NULL;
    const ql_real *size = ql_head_size(h, b, t, s), *mean = ql_head_mean_in(h, t, s);
    int64_t n = list_entries(kern, b, t, size, &s->entries);
    take_heads(h, kern, ql_pad(n), mean, log_theta, s);
    ql_lik_args list = list_args(h, s, ql_pad(n));
    h->lik->list(&list);
    memset(s->block_loss, 0, (size_t)t->ld * sizeof(ql_real));
    ql_lik_args sweep = {.n = t->genes.count,
                         .ld = t->ld,
                         .mean = s->act[QL_HEAD_MEAN],
                         .mean_in = mean,
                         .disp = s->act[QL_HEAD_DISP],
                         .pi = s->act[QL_HEAD_PI],
                         .disp_gene = log_theta,
                         .size = size,
                         .weight = b->weight + t->first,
                         .loss = s->block_loss,
                         .product = s->product,
                         .ridge = h->ridge};
    h->lik->sweep(&sweep);
    put_heads(h, kern, n, s);
    add_losses(b, t, s, loss);
}

void ql_head_block(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                   const ql_head_pass *pass, const tile_block *t, ql_head_space *s, double *loss)
{
    ql_head_pre_activations(h, p, kern, pass, t, s);
    likelihood(h, p, kern, pass->batch, t, s, loss);
}

/* Gradients of one block, and with the tile's last block the update of its parameters. */
void ql_head_backward(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                      const tile_block *t, int64_t strip, int from, int to, ql_head_space *s)
{
    const bool last = ql_is_last_block(pass->batch, t);
    if (h->kind[QL_HEAD_PI] == QL_KIND_ELEMENT)
        ql_head_element_backward(h, p, kern, pass, t, strip, s);
    for (int k = from; k < to; k++) {
        if (h->kind[k] == QL_KIND_UNIT) ql_head_unit_backward(h, kern, t, k, strip, s);
        if (h->kind[k] == QL_KIND_GROUP) ql_head_weight_gradient(h, p, kern, pass, t, k, s);
        if (h->kind[k] != QL_KIND_DENSE) continue;
        ql_head_row_sums(kern, t, s->act[k], s->sums, s->db[k]);
        ql_head_hidden_gradient(h, p, kern, pass, t, k, ql_head_part(h, strip, h->branch[k]), s);
        ql_head_weight_gradient(h, p, kern, pass, t, k, s);
        if (last) ql_head_update_vector(p, h->bias[k], t->genes, s->db[k], pass, 1);
    }
    if (h->disp_gene < 0 || to <= QL_HEAD_DISP) return;
    ql_head_row_sums(kern, t, s->act[QL_HEAD_DISP], s->sums, s->db[QL_HEAD_DISP]);
    if (last && h->disp_rate > 0)
        ql_head_update_vector(p, h->disp_gene, t->genes, s->db[QL_HEAD_DISP], pass, h->disp_rate);
}
