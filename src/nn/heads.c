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

tile_block ql_head_block_at(const ql_heads *h, const ql_batch *b, int64_t tile, int64_t first)
{
    int64_t left = b->n - first, n = left < QL_BLOCK ? left : QL_BLOCK;
    return (tile_block){tile, first, n, ql_pad(n), ql_tile_genes(&h->tiling, tile)};
}

void ql_head_dense(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                   const ql_head_pass *pass, const tile_block *t, int head, ql_real *out)
{
    const ql_tensor *w = &p->tensor[h->weight[head]];
    if (h->kind[head] == QL_KIND_GROUP) {
        kern->gemm(&(ql_gemm){.m = t->genes.count,
                              .n = t->ld,
                              .p = h->n_groups,
                              .a = ql_param(p, h->weight[head]) + t->genes.first * w->ld,
                              .a_row = w->ld,
                              .a_col = 1,
                              .b = pass->group + t->first,
                              .ldb = pass->batch->n_pad,
                              .c = out,
                              .ldc = t->ld});
        return;
    }
    kern->gemm(&(ql_gemm){.m = t->genes.count,
                          .n = t->ld,
                          .p = h->n_in,
                          .a = ql_param(p, h->weight[head]) + t->genes.first * w->ld,
                          .a_row = w->ld,
                          .a_col = 1,
                          .b = pass->hidden[h->branch[head]] + t->first,
                          .ldb = pass->batch->n_pad,
                          .c = out,
                          .ldc = t->ld,
                          .start = QL_FROM_BIAS,
                          .bias = ql_param(p, h->bias[head]) + t->genes.first});
}

/* The mean's come first: others may be made of them. Of shares they are e, and may be kept. */
static void pre_activations(const ql_heads *h, const ql_params *p, const ql_kern *kern,
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

/* What a mean is multiplied with, for each cell of the block: [t->ld]. */
static const ql_real *size_of(const ql_heads *h, const ql_batch *b, const tile_block *t,
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

/* Loss of the block's cells into loss [n]; pre-activations in s->act become gradients. */
static void likelihood(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                       const ql_batch *b, const tile_block *t, ql_head_space *s, double *loss)
{
    const ql_real *log_theta =
        h->disp_gene >= 0 ? ql_param(p, h->disp_gene) + t->genes.first : NULL;
    const ql_real *size = size_of(h, b, t, s), *mean = ql_head_mean_in(h, t, s);
    int64_t n = list_entries(kern, b, t, size, &s->entries);
    take_heads(h, kern, ql_pad(n), mean, log_theta, s);
    ql_lik_args list = {.n = ql_pad(n),
                        .mean = s->list[QL_HEAD_MEAN],
                        .disp = s->list[QL_HEAD_DISP],
                        .pi = s->list[QL_HEAD_PI],
                        .count = s->entries.count,
                        .size = s->entries.size,
                        .weight = s->entries.weight,
                        .loss = s->loss,
                        .ridge = h->ridge};
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

void ql_head_update_vector(ql_params *p, int tensor, ql_span genes, ql_real *grad,
                           const ql_head_pass *pass, double rate)
{
    const int64_t n = ql_pad(genes.count);
    ql_opt_step step = *pass->step;
    step.rate = (ql_real)((double)step.rate * rate);
    for (int64_t g = genes.count; g < n; g++) grad[g] = 0;
    ql_params_update_range(p, tensor, genes.first, n, grad, &step);
}

void ql_head_row_sums(const ql_kern *kern, const tile_block *t, const ql_real *x, ql_real *scratch,
                      ql_real *sums)
{
    kern->row_sums(t->genes.count, t->ld, x, t->ld, t->first == 0 ? sums : scratch);
    if (t->first == 0) return;
    for (int64_t g = 0; g < t->genes.count; g++) sums[g] = sums[g] + scratch[g];
}

/* What a block adds to the gradient by the hidden layer. */
static void hidden_gradient(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                            const ql_head_pass *pass, const tile_block *t, int head, ql_real *part,
                            const ql_head_space *s)
{
    const ql_tensor *w = &p->tensor[h->weight[head]];
    kern->gemm(&(ql_gemm){.m = h->n_in,
                          .n = t->ld,
                          .p = t->genes.count,
                          .a = ql_param(p, h->weight[head]) + t->genes.first * w->ld,
                          .a_row = 1,
                          .a_col = w->ld,
                          .b = s->act[head],
                          .ldb = t->ld,
                          .c = part + t->first,
                          .ldc = pass->batch->n_pad,
                          .start = QL_FROM_C});
}

/* Genes whose weight gradient is made and used at a time: what it takes stays in the innermost
 * cache. */
enum { UPDATE_GENES = 24 };

/* What a block adds to the gradient by the weights (begun anew at the first block); with the last
 * block the weights are updated. */
static void weight_gradient(const ql_heads *h, ql_params *p, const ql_kern *kern,
                            const ql_head_pass *pass, const tile_block *t, int head,
                            ql_head_space *s)
{
    const int64_t ld = p->tensor[h->weight[head]].ld;
    const bool group = h->kind[head] == QL_KIND_GROUP;
    const ql_real *in_t = group ? pass->group_t : pass->hidden_t[h->branch[head]];
    ql_opt_step step = *pass->step;
    if (group) step.rate = (ql_real)((double)step.rate * h->disp_rate);
    const bool alone = t->first == 0 && ql_is_last_block(pass->batch, t);
    const bool kept = h->tied && head == QL_HEAD_MEAN;
    for (int64_t g = 0; g < t->genes.count; g += UPDATE_GENES) {
        int64_t left = t->genes.count - g, n = left < UPDATE_GENES ? left : UPDATE_GENES;
        ql_real *dw = s->dw[head] + (alone ? 0 : g * ld);
        if (kept) dw = h->kept + (t->genes.first + g) * ld;
        kern->gemm(&(ql_gemm){.m = n,
                              .n = ld,
                              .p = t->n,
                              .a = s->act[head] + g * t->ld,
                              .a_row = t->ld,
                              .a_col = 1,
                              .b = in_t + t->first * ld,
                              .ldb = ld,
                              .c = dw,
                              .ldc = ld,
                              .start = t->first == 0 ? QL_FROM_ZERO : QL_FROM_C});
        if (ql_is_last_block(pass->batch, t) && !kept)
            ql_params_update(p, h->weight[head], t->genes.first + g, n, dw, &step);
    }
}

/* A strip's partial gradient by the last hidden layer of a branch. */
static ql_real *part_of(const ql_heads *h, int64_t strip, int branch)
{
    return h->parts + (strip * h->n_branches + branch) * h->n_in * h->capacity;
}

void ql_head_block(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                   const ql_head_pass *pass, const tile_block *t, ql_head_space *s, double *loss)
{
    pre_activations(h, p, kern, pass, t, s);
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
        if (h->kind[k] == QL_KIND_GROUP) weight_gradient(h, p, kern, pass, t, k, s);
        if (h->kind[k] != QL_KIND_DENSE) continue;
        ql_head_row_sums(kern, t, s->act[k], s->sums, s->db[k]);
        hidden_gradient(h, p, kern, pass, t, k, part_of(h, strip, h->branch[k]), s);
        weight_gradient(h, p, kern, pass, t, k, s);
        if (last) ql_head_update_vector(p, h->bias[k], t->genes, s->db[k], pass, 1);
    }
    if (h->disp_gene < 0 || to <= QL_HEAD_DISP) return;
    ql_head_row_sums(kern, t, s->act[QL_HEAD_DISP], s->sums, s->db[QL_HEAD_DISP]);
    if (last && h->disp_rate > 0)
        ql_head_update_vector(p, h->disp_gene, t->genes, s->db[QL_HEAD_DISP], pass, h->disp_rate);
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
        memset(part_of(h, strip, k), 0, (size_t)(h->n_in * b->n_pad) * sizeof(ql_real));
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
    ql_strip_sum(kern, h->tiling.n_strips, part_of(h, 0, branch), stride, first, n, out + first);
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
    pre_activations(h, p, kern, pass, &t, space);
    h->lik->link(&(ql_lik_args){
        .n = t.genes.count,
        .ld = t.ld,
        .mean = space->act[QL_HEAD_MEAN],
        .mean_in = ql_head_mean_in(h, &t, space),
        .disp = space->act[QL_HEAD_DISP],
        .pi = space->act[QL_HEAD_PI],
        .disp_gene = h->disp_gene >= 0 ? ql_param(p, h->disp_gene) + t.genes.first : NULL,
        .size = size_of(h, pass->batch, &t, space)});
    if (h->inverse.inv_sd)
        invert(&h->inverse, kern, &t, pass->batch->size + first, space->act[QL_HEAD_MEAN]);
}
