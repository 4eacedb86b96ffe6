#include "quell/batch.h"

#include <string.h>

#include "quell/alloc.h"

int64_t ql_csr_max_row(const ql_csr *m)
{
    int64_t most = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t n = m->indptr[i + 1] - m->indptr[i];
        if (n > most) most = n;
    }
    return most;
}

static ql_status entries_alloc(ql_entries *e, int64_t cells, int64_t stride, int n_tiles,
                               ql_err *err)
{
    e->stride = stride;
    QL_TRY(QL_NEW(e->n_entries, cells, "minibatch", err));
    QL_TRY(QL_NEW(e->gene, cells * stride, "minibatch", err));
    QL_TRY(QL_NEW(e->value, cells * stride, "minibatch", err));
    return QL_NEW(e->tile_start, cells * (n_tiles + 1), "minibatch", err);
}

static void entries_free(ql_entries *e)
{
    ql_free(e->n_entries);
    ql_free(e->gene);
    ql_free(e->value);
    ql_free(e->tile_start);
}

int64_t ql_batch_bytes(int64_t capacity, int64_t max_nnz, ql_tiling tiling, bool separate)
{
    int64_t per_cell =
        ql_pad(max_nnz + 1) * (int64_t)(4 + sizeof(ql_real)) + 4 * (tiling.n_tiles + 1) + 8;
    return capacity *
           (per_cell * (separate ? 2 : 1) + ql_pad(max_nnz + 1) * (int64_t)sizeof(ql_real));
}

ql_status ql_batch_alloc(ql_batch *b, int64_t capacity, int64_t max_nnz, ql_tiling tiling,
                         bool separate, ql_err *err)
{
    int64_t stride = ql_pad(max_nnz + 1);
    *b = (ql_batch){.capacity = capacity, .tiling = tiling, .separate = separate};
    QL_TRY(entries_alloc(&b->in, capacity, stride, tiling.n_tiles, err));
    if (separate) {
        QL_TRY(entries_alloc(&b->out, capacity, stride, tiling.n_tiles, err));
    } else {
        b->out = b->in;
        b->out.value = NULL;
        QL_TRY(QL_NEW(b->out.value, capacity * stride, "minibatch", err));
    }
    QL_TRY(QL_NEW(b->size, ql_pad(capacity), "minibatch", err));
    QL_TRY(QL_NEW(b->total, ql_pad(capacity), "minibatch", err));
    return QL_NEW(b->weight, ql_pad(capacity), "minibatch", err);
}

void ql_batch_free(ql_batch *b)
{
    if (b->separate)
        entries_free(&b->out);
    else
        ql_free(b->out.value);
    entries_free(&b->in);
    ql_free(b->size);
    ql_free(b->total);
    ql_free(b->weight);
    *b = (ql_batch){0};
}

void ql_batch_resize(ql_batch *b, int64_t n, ql_real weight)
{
    b->n = n;
    b->n_pad = ql_pad(n);
    for (int64_t i = 0; i < b->n_pad; i++) {
        b->weight[i] = i < n ? weight : 0;
        b->size[i] = 1;
    }
}

static void append(ql_entries *e, int64_t i, int32_t gene, ql_real value)
{
    int64_t at = i * e->stride + e->n_entries[i]++;
    e->gene[at] = gene;
    e->value[at] = value;
}

/* Cell i's entries from a row as it stands; returns the sum of the counts. */
static double take_row(ql_entries *e, int64_t i, const ql_csr *m, int64_t row)
{
    int64_t first = m->indptr[row], n = m->indptr[row + 1] - first;
    ql_real *value = e->value + i * e->stride;
    double total = 0;
    e->n_entries[i] = n;
    memcpy(e->gene + i * e->stride, m->indices + first, (size_t)n * sizeof(int32_t));
    for (int64_t k = 0; k < n; k++) {
        value[k] = (ql_real)m->data[first + k];
        total += (double)m->data[first + k];
    }
    return total;
}

/* Split the molecules of a row between input and target; returns the input's total. */
static double thin_row(ql_batch *b, int64_t i, const ql_batch_source *s, int64_t row)
{
    ql_rng rng = ql_rng_start(s->seed, QL_RNG_INPUT, s->epoch, (uint64_t)row);
    double total = 0;
    b->in.n_entries[i] = b->out.n_entries[i] = 0;
    for (int64_t k = s->counts->indptr[row]; k < s->counts->indptr[row + 1]; k++) {
        uint32_t y = (uint32_t)s->counts->data[k];
        uint32_t held = ql_rng_binomial(&rng, y, s->thin);
        if (held) append(&b->out, i, s->counts->indices[k], (ql_real)held);
        if (y > held) append(&b->in, i, s->counts->indices[k], (ql_real)(y - held));
        total += (double)(y - held);
    }
    return total;
}

static void mark_tiles(ql_entries *e, const ql_tiling *t, int64_t i)
{
    int32_t *start = e->tile_start + i * (t->n_tiles + 1);
    const int32_t *gene = e->gene + i * e->stride;
    int32_t n = (int32_t)e->n_entries[i], k = 0;
    for (int tile = 0; tile < t->n_tiles; tile++) {
        start[tile] = k;
        while (k < n && gene[k] < (tile + 1) * QL_TILE) k++;
    }
    start[t->n_tiles] = n;
}

/* Counts in value become inputs: scaled, logged, divided by the gene's sd. */
static void map_inputs(ql_entries *e, int64_t i, ql_real inv_size, const ql_input_map *map,
                       const ql_kern *kern)
{
    int64_t n = e->n_entries[i], n_pad = ql_pad(n);
    ql_real *value = e->value + i * e->stride;
    const int32_t *gene = e->gene + i * e->stride;
    for (int64_t k = 0; k < n; k++) value[k] = value[k] * inv_size;
    for (int64_t k = n; k < n_pad; k++) value[k] = 0;
    if (map->log) kern->log1p(n_pad, value, value);
    for (int64_t k = 0; k < n; k++) value[k] = value[k] * map->inv_sd[gene[k]];
}

void ql_batch_fill(ql_batch *b, int64_t i, const ql_batch_source *source, int64_t row,
                   const ql_input_map *map, const ql_kern *kern)
{
    double total, scale = source->target_scale > 0 ? source->target_scale : 1;
    if (source->thin > 0) {
        total = thin_row(b, i, source, row);
        /* the mean is on the input's depth; the target's is this much of it */
        scale = source->thin / (1 - source->thin);
    } else {
        total = take_row(&b->in, i, source->counts, row);
        /* where targets share the input's arrays, this writes the same genes again */
        take_row(&b->out, i, source->targets ? source->targets : source->counts, row);
    }
    b->total[i] = total;
    mark_tiles(&b->in, &b->tiling, i);
    if (b->separate) mark_tiles(&b->out, &b->tiling, i);
    double size = map->size_factors && total > 0 ? total / map->median_total : 1;
    b->size[i] = (ql_real)(size * scale);
    map_inputs(&b->in, i, (ql_real)(1 / size), map, kern);
}
