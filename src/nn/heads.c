#include "quell/heads.h"

#include <string.h>

#include "heads_internal.h"
#include "quell/alloc.h"

static const char *const head_names[QL_MAX_HEADS][2] = {
    [QL_HEAD_MEAN] = {"mean/weight", "mean/bias"},
    [QL_HEAD_DISP] = {"dispersion/weight", "dispersion/bias"},
    [QL_HEAD_PI] = {"dropout/weight", "dropout/bias"},
};

static void declare_head(ql_heads *h, ql_params *p, int64_t n_genes, int head)
{
    const char *const *name = head_names[head];
    const bool unit = h->kind[head] == QL_KIND_UNIT, element = h->kind[head] == QL_KIND_ELEMENT;
    if (h->kind[head] == QL_KIND_GROUP) {
        h->weight[head] = ql_params_add(p, "log_theta", n_genes, h->n_groups, true);
        return;
    }
    const int64_t values = unit || (element && h->shared_pi) ? 1 : n_genes;
    if (!h->tied || head != QL_HEAD_MEAN)
        h->weight[head] =
            ql_params_add(p, name[0], element ? 1 : values, element ? values : h->n_in, true);
    h->bias[head] = ql_params_add(p, name[1], 1, values, true);
}

void ql_heads_declare(ql_heads *h, ql_params *p, int64_t n_genes, int64_t n_in,
                      const ql_head_layout *layout, bool shared_pi)
{
    h->n_in = n_in;
    h->tiling = ql_tiling_of(n_genes);
    h->shared_pi = shared_pi && layout->kind[QL_HEAD_PI] == QL_KIND_ELEMENT;
    h->disp_gene = -1;
    h->n_branches = 1;
    h->n_groups = layout->groups;
    h->share = layout->share;
    h->odds = layout->odds;
    for (int k = 0; k < QL_MAX_HEADS; k++) {
        const bool tied = h->tied && k == QL_HEAD_MEAN;
        h->kind[k] = layout->kind[k];
        h->bias[k] = -1;
        if (!tied) h->weight[k] = -1;
        h->branch[k] = layout->fork && h->kind[k] == QL_KIND_DENSE && k > 0 ? h->n_branches++ : 0;
        if (ql_in_tile(h->kind[k])) declare_head(h, p, n_genes, k);
    }
    if (h->kind[QL_HEAD_DISP] == QL_KIND_GENE)
        h->disp_gene = ql_params_add(p, "log_theta", 1, n_genes, true);
    h->disp_rate = 1;
}

/* Numbers of all strips' partial gradients by the last hidden layers. */
static int64_t part_reals(const ql_heads *h, int64_t capacity)
{
    return (int64_t)h->tiling.n_strips * h->n_branches * h->n_in * capacity;
}

int64_t ql_heads_bytes(const ql_heads *h, int64_t capacity)
{
    return part_reals(h, capacity) * (int64_t)sizeof(ql_real) +
           h->tiling.n_strips * capacity * (int64_t)sizeof(double) +
           ql_head_share_reals(h, capacity) * (int64_t)sizeof(ql_real) +
           ql_head_shared_bytes(h, capacity);
}

ql_status ql_heads_alloc(ql_heads *h, int64_t capacity, ql_err *err)
{
    h->capacity = capacity;
    QL_TRY(QL_NEW(h->parts, part_reals(h, capacity), "output heads", err));
    QL_TRY(QL_NEW(h->loss, h->tiling.n_strips * capacity, "output heads", err));
    QL_TRY(ql_head_share_alloc(h, err));
    return ql_head_shared_alloc(h, err);
}

void ql_heads_free(ql_heads *h)
{
    ql_free(h->parts);
    ql_free(h->loss);
    ql_free(h->unit);
    ql_free(h->scalar);
    ql_head_share_free(h);
    *h = (ql_heads){0};
}

/* Lists are filled a vector at a time and may run over by one. */
enum { SPACE_AREA = QL_TILE * QL_BLOCK, LIST_AREA = SPACE_AREA + QL_PAD };

static int64_t space_reals(int64_t width)
{
    return QL_MAX_HEADS * (SPACE_AREA + LIST_AREA) + 4 * LIST_AREA +
           QL_MAX_HEADS * QL_TILE * (ql_pad(width) + 1) + QL_TILE + 3 * QL_BLOCK;
}

int64_t ql_head_space_bytes(int64_t width)
{
    return space_reals(width) * (int64_t)sizeof(ql_real) + 2 * LIST_AREA * (int64_t)sizeof(int32_t);
}

ql_status ql_head_space_alloc(ql_head_space *s, int64_t width, ql_err *err)
{
    ql_real *at;
    QL_TRY(QL_NEW(at, space_reals(width) + 2 * LIST_AREA, "tile work space", err));
    s->memory = at;
    ql_real **const lists[] = {&s->entries.count, &s->entries.size, &s->entries.weight, &s->loss};
    for (int k = 0; k < QL_MAX_HEADS; k++) {
        s->act[k] = at;
        s->list[k] = at + SPACE_AREA;
        at += SPACE_AREA + LIST_AREA;
    }
    for (int k = 0; k < 4; k++, at += LIST_AREA) *lists[k] = at;
    for (int k = 0; k < QL_MAX_HEADS; k++) {
        s->dw[k] = at;
        s->db[k] = at + QL_TILE * ql_pad(width);
        at += QL_TILE * (ql_pad(width) + 1);
    }
    s->sums = at;
    s->block_loss = at + QL_TILE;
    s->product = s->block_loss + QL_BLOCK;
    s->size = s->product + QL_BLOCK;
    s->entries.place = (int32_t *)(void *)(at + QL_TILE + 3 * QL_BLOCK);
    s->entries.row = s->entries.place + LIST_AREA;
    return QL_OK;
}

void ql_head_space_free(ql_head_space *s)
{
    ql_free(s->memory);
    *s = (ql_head_space){0};
}

/* What one block adds to a strip. */
static void strip_block(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                        const tile_block *t, int64_t strip, ql_head_space *s)
{
    ql_real *own = s->act[QL_HEAD_MEAN];
    double *loss = h->loss + strip * h->capacity + t->first;
    const bool keep = pass->step && h->share && h->keep;
    if (keep) s->act[QL_HEAD_MEAN] = ql_head_kept(h, t, h->slope);
    ql_head_block(h, p, kern, pass, t, s, loss);
    if (pass->step && h->share)
        kern->column_sums(t->genes.count, t->ld, s->act[QL_HEAD_MEAN],
                          h->pull + strip * h->capacity + t->first);
    s->act[QL_HEAD_MEAN] = own;
    if (!pass->step || (h->share && !keep)) return;
    ql_head_backward(h, p, kern, pass, t, strip, keep ? QL_HEAD_DISP : QL_HEAD_MEAN, QL_MAX_HEADS,
                     s);
}

void ql_heads_strip(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                    int64_t strip, ql_head_space *space)
{
    const ql_batch *b = pass->batch;
    const ql_span tiles = ql_strip_tiles(&h->tiling, strip);
    double *loss = h->loss + strip * h->capacity;
    memset(loss, 0, (size_t)b->n * sizeof *loss);
    for (int k = 0; pass->step && k < h->n_branches; k++)
        memset(ql_head_part(h, strip, k), 0, (size_t)(h->n_in * b->n_pad) * sizeof(ql_real));
    if (pass->step) ql_head_shared_begin(h, b, strip);
    if (h->share) memset(h->pull + strip * h->capacity, 0, (size_t)b->n_pad * sizeof(ql_real));
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        for (int64_t first = 0; first < b->n; first += QL_BLOCK) {
            tile_block t = ql_head_block_at(h, b, tile, first);
            strip_block(h, p, kern, pass, &t, strip, space);
        }
    }
}

void ql_heads_reduce(ql_heads *h, const ql_kern *kern, const ql_batch *b, int branch, int64_t first,
                     int64_t n, ql_real *out)
{
    int64_t size = h->n_in * b->n_pad, stride = h->n_branches * h->n_in * h->capacity;
    if (first + n > size) n = size - first;
    if (n <= 0) return;
    ql_strip_sum(kern, h->tiling.n_strips, ql_head_part(h, 0, branch), stride, first, n,
                 out + first);
}

void ql_heads_cell_loss(const ql_heads *h, const ql_batch *b, double *loss)
{
    for (int64_t i = 0; i < b->n; i++) {
        loss[i] = 0;
        for (int s = 0; s < h->tiling.n_strips; s++) loss[i] += h->loss[s * h->capacity + i];
    }
}

/* Bounds of a mean before its size factor, as those of the count likelihoods. */
#define RATE_LO (ql_real)1e-5
#define RATE_HI (ql_real)1e6

/* Predicted inputs (l / sd) become counts at the cells' depth. size [t->ld] */
static void invert(const ql_input_map *map, const ql_kern *kern, const tile_block *t,
                   const ql_real *size, ql_real *mean)
{
    for (int64_t g = 0; g < t->genes.count; g++) {
        ql_real *x = mean + g * t->ld, inv_sd = map->inv_sd[t->genes.first + g];
        for (int64_t i = 0; i < t->ld; i++) x[i] /= inv_sd;
        if (map->log) kern->exp(t->ld, x, x);
        for (int64_t i = 0; i < t->ld; i++) {
            ql_real rate = map->log ? x[i] - 1 : x[i];
            rate = rate < RATE_LO ? RATE_LO : rate > RATE_HI ? RATE_HI : rate;
            x[i] = rate * size[i];
        }
    }
}

void ql_heads_values(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                     const ql_head_pass *pass, int64_t tile, int64_t first, int64_t n,
                     ql_head_space *space)
{
    tile_block t = {tile, first, n, ql_pad(n), ql_tile_genes(&h->tiling, tile)};
    ql_head_pre_activations(h, p, kern, pass, &t, space);
    h->lik->link(&(ql_lik_args){
        .n = t.genes.count,
        .ld = t.ld,
        .mean = space->act[QL_HEAD_MEAN],
        .mean_in = ql_head_mean_in(h, &t, space),
        .disp = space->act[QL_HEAD_DISP],
        .pi = space->act[QL_HEAD_PI],
        .disp_gene = h->disp_gene >= 0 ? ql_param(p, h->disp_gene) + t.genes.first : NULL,
        .size = ql_head_size(h, pass->batch, &t, space)});
    if (h->inverse.inv_sd)
        invert(&h->inverse, kern, &t, pass->batch->size + first, space->act[QL_HEAD_MEAN]);
}
