#include "quell/batch.h"

#include <string.h>

#include "quell/alloc.h"

static ql_status genes_alloc(ql_entries *e, int64_t cells, int64_t stride, int n_tiles, ql_err *err)
{
    QL_TRY(QL_NEW(e->n_entries, cells, "minibatch", err));
    QL_TRY(QL_NEW(e->gene, cells * stride + QL_PAD, "minibatch", err));
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
    int64_t stride = ql_pad(max_nnz + 1);
    int64_t genes = stride * 4 + 4 * (tiling.n_tiles + 1) + 8;
    return capacity * (genes * (separate ? 2 : 1) + 2 * stride * (int64_t)sizeof(ql_real) + 40);
}

/* The kernels work in whole vectors and may look beyond the last cell's entries: QL_PAD more. */
ql_status ql_batch_alloc(ql_batch *b, int64_t capacity, int64_t max_nnz, ql_tiling tiling,
                         bool separate, ql_err *err)
{
    int64_t stride = ql_pad(max_nnz + 1);
    *b = (ql_batch){.capacity = capacity, .tiling = tiling, .separate = separate};
    b->in.stride = b->other.stride = stride;
    QL_TRY(genes_alloc(&b->in, capacity, stride, tiling.n_tiles, err));
    if (separate) QL_TRY(genes_alloc(&b->other, capacity, stride, tiling.n_tiles, err));
    QL_TRY(QL_NEW(b->in.value, capacity * stride + QL_PAD, "minibatch", err));
    QL_TRY(QL_NEW(b->other.value, capacity * stride + QL_PAD, "minibatch", err));
    QL_TRY(QL_NEW(b->size, ql_pad(capacity), "minibatch", err));
    QL_TRY(QL_NEW(b->total, ql_pad(capacity), "minibatch", err));
    QL_TRY(QL_NEW(b->row, ql_pad(capacity), "minibatch", err));
    QL_TRY(QL_NEW(b->cell, ql_pad(capacity), "minibatch", err));
    QL_TRY(QL_NEW(b->library, ql_pad(capacity), "minibatch", err));
    return QL_NEW(b->weight, ql_pad(capacity), "minibatch", err);
}

int64_t ql_batch_ordered_bytes(int64_t capacity, int64_t max_nnz, ql_tiling tiling)
{
    return capacity *
           (ql_pad(max_nnz + 1) * (4 + (int64_t)sizeof(ql_real)) + 4 * (tiling.n_tiles + 1) + 8);
}

ql_status ql_batch_alloc_ordered(ql_batch *b, ql_err *err)
{
    b->ordered.stride = b->in.stride;
    QL_TRY(genes_alloc(&b->ordered, b->capacity, b->in.stride, b->tiling.n_tiles, err));
    return QL_NEW(b->ordered.value, b->capacity * b->in.stride + QL_PAD, "minibatch", err);
}

void ql_batch_free(ql_batch *b)
{
    entries_free(&b->ordered);
    entries_free(&b->in);
    entries_free(&b->other);
    ql_free(b->size);
    ql_free(b->total);
    ql_free(b->weight);
    ql_free(b->row);
    ql_free(b->cell);
    ql_free(b->library);
    *b = (ql_batch){0};
}

static bool targets_differ(const ql_batch_source *source)
{
    return source->targets || source->thin > 0 || source->lose > 0;
}

void ql_batch_begin(ql_batch *b, const ql_batch_source *source, int64_t n, ql_real weight)
{
    b->n = n;
    b->n_pad = ql_pad(n);
    b->seed = source->seed;
    b->epoch = source->epoch;
    b->clean = source->clean;
    b->code = NULL;
    b->out = targets_differ(source) ? b->other : b->in;
    b->out.value = b->other.value;
    for (int64_t i = 0; i < b->n_pad; i++) {
        b->weight[i] = i < n ? weight : 0;
        b->size[i] = b->library[i] = 1;
    }
}

static void append(ql_entries *e, int64_t i, int32_t gene, ql_real value)
{
    int64_t at = i * e->stride + e->n_entries[i]++;
    e->gene[at] = gene;
    e->value[at] = value;
}

/* n floats at the start of value become numbers of the engine, where these are wider. */
static void widen(ql_real *value, int64_t n)
{
    if (sizeof(ql_real) == sizeof(float)) return;
    for (int64_t k = n - 1; k >= 0; k--) {
        float x;
        memcpy(&x, (const char *)value + (size_t)k * sizeof x, sizeof x);
        value[k] = (ql_real)x;
    }
}

/* Cell i's genes, and their counts into value, from a row as it stands. */
static void take_row(ql_entries *e, int64_t i, const ql_rows *m, int64_t row, ql_real *value)
{
    value += i * e->stride;
    e->n_entries[i] = 0;
    if (!m) return; /* codes are decoded, of no counts */
    e->n_entries[i] = ql_rows_get(m, row, e->gene + i * e->stride, (float *)(void *)value);
    widen(value, e->n_entries[i]);
}

/* Sum of a cell's counts, in eight chains: exact for whole numbers whatever the order. */
static double sum_counts(const ql_real *x, int64_t n)
{
    double s[8] = {0};
    int64_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (int c = 0; c < 8; c++) s[c] += (double)x[k + c];
    for (; k < n; k++) s[k % 8] += (double)x[k];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

/* Split the molecules of a row between input and target; what stays in the input moves down in
 * place. */
static void thin_row(ql_batch *b, int64_t i, const ql_batch_source *s, int64_t row)
{
    ql_rng rng = ql_rng_start(s->seed, QL_RNG_INPUT, s->epoch, (uint64_t)row);
    const int64_t at = i * b->in.stride;
    take_row(&b->in, i, s->counts, row, b->in.value);
    int64_t n = b->in.n_entries[i];
    b->in.n_entries[i] = b->out.n_entries[i] = 0;
    for (int64_t k = at; k < at + n; k++) {
        int32_t gene = b->in.gene[k];
        uint32_t y = (uint32_t)b->in.value[k];
        uint32_t held = ql_rng_binomial(&rng, y, s->thin);
        if (held) append(&b->out, i, gene, (ql_real)held);
        if (y > held) append(&b->in, i, gene, (ql_real)(y - held));
    }
}

/* All of a row is the target; what is not lost of it is the input. */
static void lose_molecules(ql_batch *b, int64_t i, const ql_batch_source *s, int64_t row)
{
    ql_rng rng = ql_rng_start(s->seed, QL_RNG_CORRUPT, s->epoch, (uint64_t)row);
    const int64_t at = i * b->out.stride;
    take_row(&b->out, i, s->counts, row, b->out.value);
    b->in.n_entries[i] = 0;
    for (int64_t k = at; k < at + b->out.n_entries[i]; k++) {
        uint32_t y = (uint32_t)b->out.value[k], lost = ql_rng_binomial(&rng, y, s->lose);
        if (y > lost) append(&b->in, i, b->out.gene[k], (ql_real)(y - lost));
    }
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

/* Fills both sides of the batch; where the input's counts are. */
static const ql_real *take_counts(ql_batch *b, int64_t i, const ql_batch_source *source,
                                  int64_t row)
{
    if (!targets_differ(source)) {
        take_row(&b->in, i, source->counts, row, b->out.value);
        return b->out.value + i * b->out.stride;
    }
    if (source->thin > 0) {
        thin_row(b, i, source, row);
    } else if (source->lose > 0) {
        lose_molecules(b, i, source, row);
    } else {
        take_row(&b->in, i, source->counts, row, b->in.value);
        take_row(&b->out, i, source->targets, row, b->out.value);
    }
    mark_tiles(&b->out, &b->tiling, i);
    return b->in.value + i * b->in.stride;
}

/* A cell's inputs by place, sorted by tile: count, add up, put. */
static void order_entries(ql_batch *b, int64_t i, const int32_t *place)
{
    const int64_t at = i * b->in.stride, n = b->in.n_entries[i], n_tiles = b->tiling.n_tiles;
    int32_t *start = b->ordered.tile_start + i * (n_tiles + 1);
    memset(start, 0, (size_t)(n_tiles + 1) * sizeof *start);
    for (int64_t k = at; k < at + n; k++) {
        int32_t p = place ? place[b->in.gene[k]] : b->in.gene[k];
        start[p / QL_TILE + 1]++;
    }
    for (int64_t t = 0; t < n_tiles; t++) start[t + 1] += start[t];
    for (int64_t k = at; k < at + n; k++) {
        int32_t p = place ? place[b->in.gene[k]] : b->in.gene[k];
        int64_t to = at + start[p / QL_TILE]++;
        b->ordered.gene[to] = p;
        b->ordered.value[to] = b->in.value[k];
    }
    /* each start has moved to its tile's end, where the next one begins */
    memmove(start + 1, start, (size_t)n_tiles * sizeof *start);
    start[0] = 0;
}

static double size_factor(const ql_input_map *map, double total)
{
    return map->size_factors && total > 0 ? total / map->median_total : 1;
}

static double target_total(const ql_batch *b, int64_t i)
{
    return sum_counts(b->out.value + i * b->out.stride, b->out.n_entries[i]);
}

static double target_size(const ql_batch *b, int64_t i, const ql_input_map *map)
{
    return size_factor(map, target_total(b, i));
}

/* Targets as the network's input would have them, were it not damaged. */
static void scale_targets(ql_batch *b, int64_t i, const ql_batch_source *source,
                          const ql_input_map *map, const ql_kern *kern)
{
    const int64_t at = i * b->out.stride, n = ql_pad(b->out.n_entries[i]);
    ql_real *value = b->out.value + at;
    if (!targets_differ(source))
        memcpy(value, b->in.value + at, (size_t)n * sizeof *value);
    else
        kern->input_values(n, value, b->out.gene + at, (ql_real)(1 / target_size(b, i, map)),
                           map->inv_sd, map->log, value);
}

void ql_batch_fill(ql_batch *b, int64_t i, const ql_batch_source *source, int64_t row,
                   const ql_input_map *map, const ql_kern *kern)
{
    const ql_real *count = take_counts(b, i, source, row);
    const int64_t n = b->in.n_entries[i], at = i * b->in.stride;
    double total = sum_counts(count, n),
           scale = source->target_scale > 0 ? source->target_scale : 1;
    /* the mean is on the input's depth; the target's is this much of it */
    if (source->thin > 0) scale = source->thin / (1 - source->thin);
    double size = size_factor(map, total);
    b->total[i] = total;
    b->row[i] = row;
    b->cell[i] = source->cell ? source->cell[row] : row;
    /* the target is whole: its size factor is no function of the input's */
    if (source->lose > 0) scale = target_size(b, i, map) / size;
    b->size[i] = (ql_real)(size * scale);
    b->library[i] = (ql_real)(source->lose > 0 ? target_total(b, i) : total * scale);
    mark_tiles(&b->in, &b->tiling, i);
    kern->input_values(ql_pad(n), count, b->in.gene + at, (ql_real)(1 / size), map->inv_sd,
                       map->log, b->in.value + at);
    if (b->ordered.gene) order_entries(b, i, map->place);
    if (source->target_input) scale_targets(b, i, source, map, kern);
}
