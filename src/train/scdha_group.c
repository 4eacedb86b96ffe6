#include "scdha_group.h"

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"
#include "quell/rng.h"

/* Filters and models begin with other weights though they have the same cells. */
#define FILTER_SEED ((uint64_t)1 << 62)

/* ---- cells ---- */

static ql_status take_cells(const scdha_group *g, const scdha_source *from, uint64_t seed,
                            ql_csr *out, ql_err *err)
{
    int64_t *list = NULL;
    ql_status st =
        ql_scdha_draw(seed, from->rows->n_rows, g->n_cells, g->opt->cell_weight, &list, err);
    if (st == QL_OK)
        st = ql_scdha_take(from->scale, g->kern, from->rows, list, g->n_cells, from->column,
                           from->n_columns, out, err);
    ql_free(list);
    return st;
}

static ql_status give_cells(scdha_group *g, const scdha_source *from, ql_err *err)
{
    const bool all = g->n_cells == from->rows->n_rows;
    if (all) QL_TRY(take_cells(g, from, 0, &g->shared, err));
    for (int i = 0; i < g->n; i++) {
        scdha_unit *u = &g->unit[i];
        u->cells = all ? &g->shared : &u->own;
        if (!all) QL_TRY(take_cells(g, from, u->seed, &u->own, err));
        QL_TRY(QL_NEW(u->order, g->n_cells, "cell order", err));
        QL_TRY(ql_wide_batch_new(&u->batch, g->batch_size, ql_csr_max_row(u->cells), err));
    }
    return QL_OK;
}

/* ---- networks ---- */

static ql_status new_filter(const scdha_group *g, scdha_unit *u, ql_err *err)
{
    const ql_scdha_options *o = g->opt;
    const ql_scdha_filter_config c = {.n_genes = g->n_columns,
                                      .width = o->filter_width,
                                      .rate = o->filter_rate,
                                      .weight_decay = o->filter_decay,
                                      .seed = u->seed + FILTER_SEED};
    return ql_scdha_filter_new(&c, g->batch_size, g->kern, &u->filter, err);
}

static ql_status new_net(const scdha_group *g, scdha_unit *u, ql_err *err)
{
    const ql_scdha_options *o = g->opt;
    const ql_scdha_net_config c = {.n_genes = g->n_columns,
                                   .hidden = o->hidden,
                                   .latent = o->latent,
                                   .batch_norm = o->batch_norm,
                                   .cell_noise = o->cell_noise,
                                   .noise = o->noise,
                                   .beta = o->beta,
                                   .rate = o->rate,
                                   .weight_decay = o->weight_decay,
                                   .seed = u->seed};
    return ql_scdha_net_new(&c, g->batch_size, g->kern, &u->net, err);
}

ql_status scdha_group_new(scdha_group *g, const ql_scdha_options *opt, bool filter,
                          const scdha_source *from, const ql_kern *kern, ql_err *err)
{
    const int64_t n = filter ? opt->filters : opt->models;
    *g = (scdha_group){.opt = opt,
                       .kern = kern,
                       .filter = filter,
                       .n_cells = opt->train_cells,
                       .batch_size = opt->batch_size,
                       .n_columns = from->n_columns,
                       .n = (int)n};
    for (int i = 0; i < g->n; i++) g->unit[i].seed = opt->seed + (uint64_t)i + 1;
    QL_TRY(give_cells(g, from, err));
    for (int i = 0; i < g->n; i++)
        QL_TRY(filter ? new_filter(g, &g->unit[i], err) : new_net(g, &g->unit[i], err));
    return QL_OK;
}

void scdha_group_free(scdha_group *g)
{
    for (int i = 0; i < g->n; i++) {
        scdha_unit *u = &g->unit[i];
        ql_csr_free(&u->own);
        ql_free(u->order);
        ql_wide_batch_free(&u->batch);
        ql_scdha_filter_free(&u->filter);
        ql_scdha_net_free(&u->net);
    }
    ql_csr_free(&g->shared);
    *g = (scdha_group){0};
}

/* ---- an epoch ---- */

static void shuffle(const scdha_group *g, scdha_unit *u)
{
    for (int64_t i = 0; i < g->n_cells; i++) u->order[i] = i;
    ql_rng rng = ql_rng_start(u->seed + (g->filter ? FILTER_SEED : 0), QL_RNG_SHUFFLE,
                              (uint64_t)g->epoch, 0);
    ql_rng_shuffle(&rng, u->order, g->n_cells);
}

/* Full minibatches only: what is left over waits for another order. */
static void unit_epoch(void *ctx, int64_t item)
{
    scdha_group *g = ctx;
    scdha_unit *u = &g->unit[item];
    const ql_scdha_phase phase = g->epoch < g->opt->warm_up ? QL_SCDHA_WARM_UP : QL_SCDHA_MAIN;
    const int64_t n_steps = g->n_cells / g->batch_size;
    double sum = 0, loss;
    shuffle(g, u);
    u->epoch_skipped = 0;
    if (!g->filter && g->epoch == g->opt->warm_up) ql_scdha_net_restart(&u->net);
    for (int64_t i = 0; i < n_steps; i++) {
        u->cut = g->may_cut && ql_interrupt_check(NULL) != QL_OK;
        if (u->cut) return;
        ql_wide_batch_fill(&u->batch, u->cells, u->order + i * g->batch_size, g->batch_size);
        const bool stepped = g->filter ? ql_scdha_filter_step(&u->filter, &u->batch, &loss)
                                       : ql_scdha_net_step(&u->net, &u->batch, phase, &loss);
        if (stepped) sum += loss;
        u->epoch_skipped += !stepped;
    }
    u->skipped += u->epoch_skipped;
    u->loss = sum / (double)(n_steps - u->epoch_skipped);
}

ql_status scdha_group_epoch(scdha_group *g, ql_err *err)
{
    ql_parallel_for(g->opt->threads, g->n, unit_epoch, g);
    for (int i = 0; i < g->n; i++) {
        if (g->unit[i].cut) return ql_interrupt_check(err);
        if (g->unit[i].loss - g->unit[i].loss == 0) continue;
        ql_fail(err, QL_EDIVERGED, "the loss of network %d is not finite in epoch %lld", i + 1,
                (long long)g->epoch + 1);
        return ql_hint(err, QL_EDIVERGED, "a lower --learning-rate may help");
    }
    g->epoch++;
    return QL_OK;
}
