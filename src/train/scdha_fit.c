#include "quell/scdha_fit.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/clock.h"
#include "quell/interrupt.h"
#include "quell/order.h"
#include "quell/scdha_choice.h"
#include "quell/scdha_dispersion.h"
#include "scdha_state.h"

/* ---- sizes ---- */

enum { SMALL = 2000, LARGE = 50000 }; /* cells, where the reference's rules change */

ql_scdha_options ql_scdha_defaults(ql_scdha_rules rules)
{
    const bool own = rules == QL_SCDHA_OWN;
    return (ql_scdha_options){.rules = rules,
                              .filters = 3,
                              .filter_width = 32,
                              .filter_epochs = 10,
                              .filter_rate = 1e-3,
                              .filter_decay = NAN,
                              .models = 3,
                              .snapshots = 3,
                              .hidden = 64,
                              .warm_up = 10,
                              .epochs = 20,
                              .weight_decay = NAN,
                              .noise = 0.25,
                              .cell_noise = own,
                              .gene_rule = own ? QL_SCDHA_DISPERSION : QL_SCDHA_WEIGHTS,
                              .result = own ? QL_SCDHA_JOINED : QL_SCDHA_CONSENSUS};
}

int64_t ql_scdha_batch_size(int64_t n_train)
{
    const int64_t whole = n_train / 50, rest = n_train % 50;
    const int64_t b = whole + (rest > 25 || (rest == 25 && whole % 2 == 1));
    return b > 2 ? b : 2;
}

void ql_scdha_resolve(ql_scdha_options *o, int64_t n)
{
    const bool large = n >= LARGE;
    if (o->genes == 0) o->genes = o->rules == QL_SCDHA_OWN ? 2000 : 5000;
    if (o->train_cells == 0) o->train_cells = n <= SMALL ? n : large ? 5000 : 2000;
    o->train_cells = ql_least(o->train_cells, n);
    if (o->batch_size == 0) o->batch_size = ql_scdha_batch_size(o->train_cells);
    o->batch_size = ql_least(o->batch_size, o->train_cells);
    if (o->latent == 0) o->latent = large ? 25 : 15;
    if (isnan(o->filter_decay)) o->filter_decay = large ? 1e-4 : 1e-6;
    if (isnan(o->weight_decay)) o->weight_decay = large ? 1e-2 : 1e-3;
    if (o->rate == 0) o->rate = large ? 1e-3 : 5e-4;
    if (o->beta == 0) o->beta = large ? 50 : 100;
    o->batch_norm = o->train_cells > 500;
}

int64_t ql_scdha_bytes(const ql_rows *counts, const ql_scdha_options *opt)
{
    ql_scdha_options o = *opt;
    ql_scdha_resolve(&o, counts->n_rows);
    const int64_t genes = counts->n_cols, d = ql_least(o.genes, genes);
    const bool all = o.train_cells == counts->n_rows;
    const int64_t sample =
        all ? counts->nnz : ql_least(counts->nnz, o.train_cells * counts->max_row);
    const int64_t cells = 8 * sample * (all ? 1 : o.models) + 16 * counts->n_rows;
    const ql_scdha_filter_config filter = {.n_genes = genes, .width = o.filter_width};
    const ql_scdha_net_config net = {.n_genes = d, .hidden = o.hidden, .latent = o.latent};
    const ql_scdha_encoder e = {.n_genes = d, .hidden = o.hidden, .latent = o.latent};
    const int64_t batch = ql_wide_batch_bytes(o.batch_size, counts->max_row);
    const bool filters = d < genes && o.gene_rule == QL_SCDHA_WEIGHTS;
    int64_t first =
        filters ? o.filters * (ql_scdha_filter_bytes(&filter, o.batch_size) + batch) : 0;
    int64_t then = o.models * (ql_scdha_net_bytes(&net, o.batch_size) + batch) +
                   o.models * o.snapshots * ql_scdha_encoder_size(&e) * (int64_t)sizeof(float);
    if (o.result == QL_SCDHA_CONSENSUS) {
        const int64_t choice =
            o.models * o.snapshots * ql_scdha_encoder_size(&e) * (int64_t)sizeof(float) +
            ql_scdha_choice_bytes(counts->n_rows, o.models * o.snapshots, o.latent);
        if (choice > then) then = choice;
    }
    int64_t read = o.threads * (ql_wide_batch_bytes(QL_SCDHA_BLOCK, counts->max_row) +
                                ql_cursor_bytes(counts->max_row));
    return cells + genes * 80 + (first > then ? first : then) + ql_scdha_reader_bytes(&e) + read;
}

/* ---- a fit ---- */

void ql_scdha_free(ql_scdha *f)
{
    ql_scdha_scale_free(&f->scale);
    ql_free(f->weight);
    ql_free(f->column);
    ql_free(f->filter_loss);
    ql_free(f->loss);
    for (int i = 0; i < f->n_latents; i++) ql_scdha_encoder_free(&f->encoder[i]);
    *f = (ql_scdha){0};
}

/* A fit under way. */
typedef struct {
    const ql_rows *rows;
    const ql_kern *kern;
    const ql_scdha_listener *listener;
    ql_scdha *fit;
    scdha_group group;
    double saved; /* when the last state was kept */
} job;

static const ql_train_keeper *keeper_of(const job *j)
{
    return j->listener ? j->listener->keeper : NULL;
}

static void tell(const job *j)
{
    const scdha_group *g = &j->group;
    double sum = 0;
    if (!j->listener || !j->listener->epoch) return;
    for (int i = 0; i < g->n; i++) sum += g->unit[i].loss;
    const ql_scdha_epoch e = {.filter = g->filter,
                              .number = g->epoch,
                              .total = g->filter ? j->fit->opt.filter_epochs
                                                 : ql_scdha_epochs(&j->fit->opt),
                              .loss = sum / g->n};
    j->listener->epoch(j->listener->ctx, &e);
}

/* ---- states ---- */

static ql_status save(job *j, ql_err *err)
{
    const ql_train_keeper *k = keeper_of(j);
    const scdha_state s = {j->fit, &j->group};
    ql_bundle b = {0};
    ql_status st = scdha_state_put(&s, &b, err);
    if (st == QL_OK) k->save(k->ctx, j->fit->opt.seed, &b);
    ql_bundle_free(&b);
    j->saved = ql_clock_wall();
    return st;
}

/* A state is kept when one is due, and when a signal has come, which then ends the fit. */
static ql_status settle(job *j, bool last, ql_err *err)
{
    const ql_train_keeper *k = keeper_of(j);
    const ql_status stop = ql_interrupt_check(NULL);
    if (k && (stop != QL_OK || last || ql_clock_wall() - j->saved >= k->every))
        QL_TRY(save(j, err));
    return ql_interrupt_check(err);
}

/* ---- the stages ---- */

static void book(const job *j)
{
    const scdha_group *g = &j->group;
    const int64_t total = g->filter ? j->fit->opt.filter_epochs : ql_scdha_epochs(&j->fit->opt);
    double *loss = g->filter ? j->fit->filter_loss : j->fit->loss;
    for (int i = 0; i < g->n; i++) loss[i * total + g->epoch - 1] = g->unit[i].loss;
}

static void take_snapshots(const job *j)
{
    const ql_scdha_options *o = &j->fit->opt;
    const int64_t at = j->group.epoch - o->warm_up - o->epochs - 1;
    if (j->group.filter || at < 0) return;
    for (int i = 0; i < j->group.n; i++)
        ql_scdha_net_encoder(&j->group.unit[i].net, &j->fit->encoder[i * o->snapshots + at]);
}

static ql_status run_epochs(job *j, ql_err *err)
{
    const ql_scdha_options *o = &j->fit->opt;
    const int64_t total = j->group.filter ? o->filter_epochs : ql_scdha_epochs(o);
    j->group.may_cut = !keeper_of(j);
    while (j->group.epoch < total) {
        QL_TRY(scdha_group_epoch(&j->group, err));
        take_snapshots(j);
        book(j);
        tell(j);
        QL_TRY(settle(j, !j->group.filter && j->group.epoch == total, err));
    }
    for (int i = 0; i < j->group.n; i++) j->fit->skipped += j->group.unit[i].skipped;
    return QL_OK;
}

/* The mean of the filters' scores. */
static ql_status weigh_genes(const job *j, ql_err *err)
{
    ql_scdha *f = j->fit;
    const int64_t n = f->scale.n_kept;
    double *score;
    QL_TRY(QL_NEW(f->weight, n, "weights of the genes", err));
    QL_TRY(QL_NEW(score, n, "weights of the genes", err));
    for (int i = 0; i < j->group.n; i++) {
        ql_scdha_filter_score(&j->group.unit[i].filter, score);
        for (int64_t g = 0; g < n; g++) f->weight[g] += score[g];
    }
    for (int64_t g = 0; g < n; g++) f->weight[g] /= j->group.n;
    ql_free(score);
    return QL_OK;
}

/* Those whose weight is above the cut. */
static ql_status choose_genes(ql_scdha *f, ql_err *err)
{
    const int64_t n = f->scale.n_kept;
    uint8_t *keep = NULL;
    ql_status st;
    QL_GO(QL_NEW(keep, n, "weights of the genes", err));
    QL_GO(ql_scdha_select(f->weight, n, f->opt.genes, keep, &f->n_genes, err));
    if (f->n_genes == 0)
        QL_GO(ql_fail(err, QL_EDATA, "no gene's weight is above the cut: all are the same"));
    QL_GO(QL_NEW(f->column, n, "the chosen genes", err));
    int32_t next = 0;
    for (int64_t g = 0; g < n; g++) f->column[g] = keep[g] ? next++ : -1;
out:
    ql_free(keep);
    return st;
}

static ql_status take_all_genes(ql_scdha *f, ql_err *err)
{
    f->n_genes = f->scale.n_kept;
    QL_TRY(QL_NEW(f->column, f->n_genes, "the chosen genes", err));
    for (int64_t g = 0; g < f->n_genes; g++) f->column[g] = (int32_t)g;
    return QL_OK;
}

static ql_status begin_stage(job *j, bool filter, ql_err *err)
{
    const scdha_source from = {.scale = &j->fit->scale,
                               .rows = j->rows,
                               .column = filter ? NULL : j->fit->column,
                               .n_columns = filter ? j->fit->scale.n_kept : j->fit->n_genes};
    return scdha_group_new(&j->group, &j->fit->opt, filter, &from, j->kern, err);
}

static ql_status new_encoders(ql_scdha *f, ql_err *err)
{
    const int n = (int)(f->opt.models * f->opt.snapshots);
    for (int i = 0; i < n; i++) {
        ql_scdha_encoder *e = &f->encoder[f->n_latents++];
        *e = (ql_scdha_encoder){.n_genes = f->n_genes,
                                .hidden = f->opt.hidden,
                                .latent = f->opt.latent,
                                .batch_norm = f->opt.batch_norm};
        QL_TRY(ql_scdha_encoder_new(e, err));
    }
    return QL_OK;
}

static ql_status take_dispersed_genes(job *j, ql_err *err)
{
    ql_scdha *f = j->fit;
    QL_TRY(QL_NEW(f->weight, f->scale.n_kept, "dispersions of the genes", err));
    QL_TRY(ql_scdha_dispersion(&f->scale, j->rows, f->weight, err));
    return choose_genes(f, err);
}

/* Go on where state says, or from the stage's start (NULL). */
static ql_status run_filters(job *j, const ql_bundle *state, ql_err *err)
{
    const scdha_state s = {j->fit, &j->group};
    QL_TRY(begin_stage(j, true, err));
    if (state) QL_TRY(scdha_state_take(&s, state, err));
    QL_TRY(run_epochs(j, err));
    QL_TRY(weigh_genes(j, err));
    QL_TRY(choose_genes(j->fit, err));
    scdha_group_free(&j->group);
    return QL_OK;
}

static ql_status run_models(job *j, const ql_bundle *state, ql_err *err)
{
    const scdha_state s = {j->fit, &j->group};
    QL_TRY(new_encoders(j->fit, err));
    QL_TRY(begin_stage(j, false, err));
    if (state) QL_TRY(scdha_state_take(&s, state, err));
    return run_epochs(j, err);
}

static ql_status new_histories(ql_scdha *f, bool filter, ql_err *err)
{
    const ql_scdha_options *o = &f->opt;
    if (filter)
        QL_TRY(QL_NEW(f->filter_loss, o->filters * o->filter_epochs, "training history", err));
    return QL_NEW(f->loss, o->models * ql_scdha_epochs(o), "training history", err);
}

static ql_status run_from(job *j, const ql_bundle *state, ql_err *err)
{
    ql_scdha *f = j->fit;
    const bool some = f->scale.n_kept > f->opt.genes;
    const bool filter = some && f->opt.gene_rule == QL_SCDHA_WEIGHTS;
    bool in_filter = filter;
    QL_TRY(new_histories(f, filter, err));
    if (state) QL_TRY(scdha_state_stage(state, &in_filter, err));
    if (state && !in_filter)
        QL_TRY(scdha_state_genes(state, f, err));
    else if (filter)
        QL_TRY(run_filters(j, state, err));
    else if (some)
        QL_TRY(take_dispersed_genes(j, err));
    else
        QL_TRY(take_all_genes(f, err));
    return run_models(j, in_filter ? NULL : state, err);
}

static void tell_resumed(const job *j, const ql_bundle *state)
{
    const ql_train_keeper *k = keeper_of(j);
    int64_t epoch = 0;
    bool filter = false;
    if (!k->resumed || scdha_state_stage(state, &filter, NULL) != QL_OK) return;
    if (ql_bundle_int(state, "epoch", 0, INT64_MAX, &epoch, NULL) != QL_OK) return;
    const ql_train_point at = {.epochs = epoch,
                               .finished = !filter && epoch == ql_scdha_epochs(&j->fit->opt)};
    k->resumed(k->ctx, j->fit->opt.seed, &at);
}

static ql_status load_and_run(job *j, ql_err *err)
{
    const ql_train_keeper *k = keeper_of(j);
    ql_bundle state = {0};
    bool found = false;
    if (k) QL_TRY(k->load(k->ctx, j->fit->opt.seed, &state, &found, err));
    if (found) tell_resumed(j, &state);
    j->saved = ql_clock_wall();
    ql_status st = run_from(j, found ? &state : NULL, err);
    ql_bundle_free(&state);
    return st;
}

ql_status ql_scdha_run(const ql_rows *rows, const ql_scdha_options *opt, const ql_kern *kern,
                       const ql_scdha_listener *listener, ql_scdha *out, ql_err *err)
{
    job j = {.rows = rows, .kern = kern, .listener = listener, .fit = out};
    *out = (ql_scdha){.opt = *opt, .n_cells = rows->n_rows};
    if (rows->n_rows < 2)
        return ql_fail(err, QL_EDATA, "%lld cells: scdha needs two at least",
                       (long long)rows->n_rows);
    ql_scdha_resolve(&out->opt, rows->n_rows);
    out->returned = opt->result == QL_SCDHA_JOINED ? -1 : (int)opt->snapshots - 1;
    QL_TRY(ql_scdha_scale_make(rows, &out->scale, err));
    ql_status st = load_and_run(&j, err);
    scdha_group_free(&j.group);
    return st;
}
