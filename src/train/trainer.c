#include "quell/trainer.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/clock.h"
#include "quell/fmath.h"
#include "schedule.h"
#include "shuffle.h"
#include "train_state.h"

enum { MAX_RESTARTS = 3 };
#define RESTART_RATE 0.1

/* A run in progress. */
typedef struct {
    ql_ae *ae;
    const ql_rows *counts;
    const ql_split *split;
    ql_rows stop_seen, stop_held; /* the split's */
    const ql_train_options *opt;
    const ql_train_listener *listener;
    ql_shuffle shuffle;
    int64_t *valid_row; /* [n_valid] rows of the validation source */
    double *cell_loss;  /* [n_valid] */
    ql_real *best;      /* weights of the best epoch, or the start's */
    ql_patience best_so_far, stop, plateau;
    double train_constant, valid_constant; /* ln y! of the targets, per entry */
    ql_ae_progress progress;               /* of the epoch at hand */
    bool finished;                         /* weights and result are final */
    uint64_t origin;                       /* of the states kept */
    double kept;                           /* when the last one was */
    ql_train_result *out;
    ql_err *err;
} run;

/* ---- states kept ---- */

static const ql_train_keeper *keeper_of(const run *r)
{
    return r->listener ? r->listener->keeper : NULL;
}

static void warn(const run *r, const char *text)
{
    if (r->listener && r->listener->warn) r->listener->warn(r->listener->ctx, text);
}

static ql_train_state state_of(run *r)
{
    return (ql_train_state){.origin = r->origin,
                            .n_train = r->split->n_train,
                            .max_epochs = r->opt->epochs,
                            .ae = r->ae,
                            .best = r->best,
                            .result = r->out,
                            .patience = {&r->best_so_far, &r->stop, &r->plateau},
                            .progress = &r->progress,
                            .finished = &r->finished};
}

static void keep(run *r)
{
    const ql_train_keeper *k = keeper_of(r);
    ql_train_state s = state_of(r);
    ql_bundle b = {0};
    ql_err err = {0};
    if (!k) return;
    if (ql_train_state_put(&s, &b, &err) == QL_OK)
        k->save(k->ctx, r->origin, &b);
    else
        warn(r, err.msg);
    ql_bundle_free(&b);
    r->kept = ql_clock_wall();
}

/* Go on from the state that is kept, if there is one and it is of this training. */
static ql_status resume(run *r)
{
    const ql_train_keeper *k = keeper_of(r);
    ql_bundle b = {0};
    ql_err err = {0};
    bool found;
    if (!k) return QL_OK;
    r->kept = ql_clock_wall();
    r->origin = ql_train_origin(r->ae, r->split, r->opt);
    const ql_train_state s = state_of(r);
    QL_TRY(k->load(k->ctx, r->origin, &b, &found, r->err));
    if (found && ql_train_state_take(&s, &b, &err) != QL_OK) {
        ql_context(&err, err.code, "the checkpoint is of another training and is not used");
        warn(r, err.msg);
    } else if (found && k->resumed) {
        const ql_train_point at = {r->out->n_epochs, r->progress.at, r->finished};
        k->resumed(k->ctx, r->origin, &at);
    }
    ql_bundle_free(&b);
    return QL_OK;
}

static bool time_to_keep(void *ctx)
{
    const run *r = ctx;
    const ql_train_keeper *k = keeper_of(r);
    return k && k->every > 0 && ql_clock_wall() - r->kept >= k->every;
}

static bool epoch_to_keep(run *r)
{
    const ql_train_keeper *k = keeper_of(r);
    return k && (k->every <= 0 || time_to_keep(r));
}

/* ---- epochs ---- */

/* Epochs at the start in which inputs are corrupted, where it is not all of them. */
static bool is_pretraining(const run *r, int64_t epoch)
{
    return epoch < r->opt->corrupt_epochs;
}

static bool is_clean(const run *r, int64_t epoch)
{
    return r->opt->corrupt_epochs > 0 && !is_pretraining(r, epoch);
}

static ql_batch_source training_source(const run *r, int64_t epoch)
{
    return (ql_batch_source){.counts = r->counts,
                             .thin = r->opt->input_thin,
                             .lose = is_clean(r, epoch) ? 0 : ql_corrupt_lost(&r->ae->cfg.corrupt),
                             .clean = is_clean(r, epoch),
                             .target_input = r->ae->cfg.likelihood->of_inputs,
                             .seed = r->opt->seed,
                             .epoch = (uint64_t)epoch,
                             .window = r->shuffle.end,
                             .n_windows = r->shuffle.n_windows};
}

static ql_batch_source validation_source(const run *r)
{
    if (!r->opt->thinned)
        return (ql_batch_source){.counts = r->counts,
                                 .draw = r->ae->cfg.vae.on,
                                 .seed = r->opt->seed,
                                 .epoch = (uint64_t)r->out->n_epochs,
                                 .target_input = r->ae->cfg.likelihood->of_inputs};
    return (ql_batch_source){
        .counts = &r->stop_seen,
        .targets = &r->stop_held,
        .cell = r->split->valid,
        .target_scale = QL_HELD_SHARE / (1 - 2 * QL_HELD_SHARE),
    };
}

/* ln y! for y < n, by summing logarithms. */
static double log_factorial(double y)
{
    double sum = 0;
    for (double k = 2; k <= y; k += 1) sum += ql_log(k);
    return sum;
}

/* Mean over all entries of ln y!, which the kernels of count likelihoods leave out. */
static ql_status mean_log_factorial(const ql_rows *m, const int64_t *rows, int64_t n, double *mean,
                                    ql_err *err)
{
    enum { TABLE = 1024 };
    double table[TABLE], sum = 0;
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, m, err));
    table[0] = 0;
    for (int k = 1; k < TABLE; k++) table[k] = table[k - 1] + ql_log(k);
    for (int64_t i = 0; i < n; i++) {
        ql_row_view row = ql_cursor_row(&c, rows[i]);
        for (int64_t k = 0; k < row.n; k++) {
            float y = row.count[k];
            sum += y < TABLE ? table[(int)y] : log_factorial((double)y);
        }
    }
    ql_cursor_close(&c);
    *mean = n > 0 ? sum / ((double)n * (double)m->n_cols) : 0;
    return ql_rows_check(m, err);
}

/* Validation differences as the user states them (nats per held-out molecule), per entry. */
static double stop_delta(const run *r)
{
    const ql_csr *held = &r->split->stop_held;
    double molecules = 0;
    if (!r->opt->thinned || r->split->n_valid == 0) return 0;
    for (int64_t k = 0; k < ql_csr_nnz(held); k++) molecules += (double)held->data[k];
    return r->opt->min_gain * molecules / ((double)held->n_rows * (double)held->n_cols);
}

/* What the kernels leave out of the losses. */
static ql_status constants(run *r)
{
    const ql_split *s = r->split;
    /* with thinned inputs the targets change every epoch, and with them their constant */
    if (r->opt->input_thin == 0)
        QL_TRY(mean_log_factorial(r->counts, s->train, s->n_train, &r->train_constant, r->err));
    const ql_rows *targets = r->opt->thinned ? &r->stop_held : r->counts;
    return mean_log_factorial(targets, r->valid_row, s->n_valid, &r->valid_constant, r->err);
}

static ql_status prepare(run *r)
{
    const ql_split *s = r->split;
    QL_TRY(ql_shuffle_new(&r->shuffle, s->n_train, r->err));
    QL_TRY(QL_NEW(r->valid_row, s->n_valid, "validation cells", r->err));
    QL_TRY(QL_NEW(r->cell_loss, s->n_valid, "losses", r->err));
    QL_TRY(QL_NEW(r->best, r->ae->params.size, "best weights", r->err));
    QL_TRY(QL_NEW(r->out->history, r->opt->epochs, "training history", r->err));
    r->stop_seen = ql_rows_of_csr(&s->stop_seen);
    r->stop_held = ql_rows_of_csr(&s->stop_held);
    for (int64_t i = 0; i < s->n_valid; i++) r->valid_row[i] = r->opt->thinned ? i : s->valid[i];
    memcpy(r->best, r->ae->params.w, (size_t)r->ae->params.size * sizeof *r->best);
    r->stop = (ql_patience){.patience = r->opt->patience, .min_delta = stop_delta(r)};
    r->plateau = (ql_patience){.patience = r->opt->rate_patience, .min_delta = r->opt->min_delta};
    return r->ae->cfg.likelihood->gaussian ? QL_OK : constants(r);
}

static void release(run *r)
{
    ql_shuffle_free(&r->shuffle);
    ql_free(r->valid_row);
    ql_free(r->cell_loss);
    ql_free(r->best);
}

/* The penalties on the scale of the losses reported, per entry: they are weighed against the mean
 * loss of an entry or of a cell, as the gradients are. */
static double penalty(const run *r)
{
    double sum = ql_ae_penalty(r->ae);
    return r->ae->cfg.mean_loss ? sum : sum / (double)r->ae->n_genes;
}

static ql_status validate(run *r, double *value)
{
    ql_batch_source source = validation_source(r);
    int64_t n = r->split->n_valid;
    double sum = 0;
    QL_TRY(ql_ae_cell_loss(r->ae, &source, r->valid_row, n, r->cell_loss, r->err));
    for (int64_t i = 0; i < n; i++) sum += r->cell_loss[i];
    *value = sum / ((double)n * (double)r->ae->n_genes) + penalty(r) + r->valid_constant;
    return QL_OK;
}

/* Train on what is left of the epoch; a state may be kept on the way. */
static ql_status train_cells(run *r, const ql_batch_source *source)
{
    const ql_ae_pause pause = {time_to_keep, r};
    const int64_t n = r->split->n_train;
    while (r->progress.at < n) {
        QL_TRY(ql_ae_train_part(r->ae, source, r->shuffle.order, n, r->opt->batch_size,
                                &r->progress, keeper_of(r) ? &pause : NULL, r->err));
        if (r->progress.at < n) keep(r);
    }
    return QL_OK;
}

static ql_status one_epoch(run *r, int64_t epoch, ql_epoch *e)
{
    double start = ql_clock_wall();
    ql_batch_source source = training_source(r, epoch);
    ql_shuffle_rows(&r->shuffle, r->split->train, r->opt->seed, (uint64_t)epoch);
    e->rate = r->ae->opt.rate;
    QL_TRY(train_cells(r, &source));
    e->loss = r->progress.loss / ((double)r->split->n_train * (double)r->ae->n_genes);
    e->loss += penalty(r) + r->train_constant;
    e->validation = e->loss;
    if (r->split->n_valid > 0) QL_TRY(validate(r, &e->validation));
    e->seconds = ql_clock_wall() - start;
    if (!isfinite(e->validation))
        return ql_fail(r->err, QL_EDIVERGED, "the validation loss is not finite in epoch %lld",
                       (long long)epoch + 1);
    return QL_OK;
}

/* Back to the best weights with a tenth of the rate and fresh moments. */
static ql_status roll_back(run *r)
{
    ql_params *p = &r->ae->params;
    double rate = r->ae->opt.rate * RESTART_RATE;
    if (r->out->restarts == MAX_RESTARTS) {
        ql_context(r->err, QL_EDIVERGED, "training diverged %d times", MAX_RESTARTS + 1);
        return ql_hint(r->err, QL_EDIVERGED, "lower --learning-rate (it was %g)", r->ae->opt.rate);
    }
    memcpy(p->w, r->best, (size_t)p->size * sizeof *p->w);
    if (p->m) memset(p->m, 0, (size_t)p->size * sizeof *p->m);
    if (p->v) memset(p->v, 0, (size_t)p->size * sizeof *p->v);
    ql_ae_start_optimizer(r->ae, rate);
    r->progress = (ql_ae_progress){0};
    r->out->restarts++;
    warn(r, "the loss was not finite: rolled back to the best weights, "
            "learning rate lowered tenfold");
    return QL_OK;
}

/* Book an epoch; true when training should stop. */
static bool book(run *r, const ql_epoch *e)
{
    ql_train_result *out = r->out;
    bool improved;
    bool stop = ql_patience_step(&r->stop, e->validation, NULL);
    ql_patience_step(&r->best_so_far, e->validation, &improved);
    out->history[out->n_epochs] = *e;
    if (improved) {
        out->best = out->n_epochs;
        memcpy(r->best, r->ae->params.w, (size_t)r->ae->params.size * sizeof *r->best);
    }
    out->n_epochs++;
    r->progress = (ql_ae_progress){0};
    if (r->listener && r->listener->epoch)
        r->listener->epoch(r->listener->ctx, out->n_epochs, e, improved);
    if (ql_patience_step(&r->plateau, e->validation, NULL)) r->ae->opt.rate *= r->opt->rate_factor;
    stop = stop && !is_pretraining(r, out->n_epochs - 1);
    if (stop) out->stopped = ql_train_ends[1];
    return stop;
}

/* Epochs until one is the last. */
static ql_status loop(run *r)
{
    r->out->stopped = ql_train_ends[0];
    while (r->out->n_epochs < r->opt->epochs) {
        ql_epoch e = {0};
        ql_status st = one_epoch(r, r->out->n_epochs, &e);
        if (st == QL_EDIVERGED) {
            QL_TRY(roll_back(r));
            continue;
        }
        if (st != QL_OK) return st;
        if (book(r, &e)) break;
        if (r->out->n_epochs < r->opt->epochs && epoch_to_keep(r)) keep(r);
    }
    return QL_OK;
}

static ql_status train(run *r)
{
    ql_status st;
    QL_TRY(resume(r));
    if (r->finished) return QL_OK;
    st = loop(r);
    if (st == QL_EINT || st == QL_ETERM) keep(r);
    if (st != QL_OK) return st;
    if (r->opt->restore_best)
        memcpy(r->ae->params.w, r->best, (size_t)r->ae->params.size * sizeof *r->best);
    r->finished = true;
    keep(r);
    return QL_OK;
}

ql_status ql_train(ql_ae *ae, const ql_rows *counts, const ql_split *split,
                   const ql_train_options *opt, const ql_train_listener *listener,
                   ql_train_result *out, ql_err *err)
{
    run r = {.ae = ae,
             .counts = counts,
             .split = split,
             .opt = opt,
             .listener = listener,
             .out = out,
             .err = err};
    *out = (ql_train_result){0};
    ql_status st = prepare(&r);
    if (st == QL_OK) st = train(&r);
    release(&r);
    if (st != QL_OK) ql_train_result_free(out);
    return st;
}

void ql_train_result_free(ql_train_result *r)
{
    ql_free(r->history);
    *r = (ql_train_result){0};
}
