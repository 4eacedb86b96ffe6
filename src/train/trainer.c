#include "quell/trainer.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/clock.h"
#include "quell/fmath.h"
#include "schedule.h"
#include "shuffle.h"

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
    ql_train_result *out;
    ql_err *err;
} run;

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
                             .target_input = ql_is_of_inputs(r->ae->cfg.likelihood),
                             .seed = r->opt->seed,
                             .epoch = (uint64_t)epoch,
                             .window = r->shuffle.end,
                             .n_windows = r->shuffle.n_windows};
}

static ql_batch_source validation_source(const run *r)
{
    if (!r->opt->thinned)
        return (ql_batch_source){.counts = r->counts,
                                 .target_input = ql_is_of_inputs(r->ae->cfg.likelihood)};
    return (ql_batch_source){
        .counts = &r->stop_seen,
        .targets = &r->stop_held,
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

/* Mean over all entries of ln y!, which the kernels leave out. */
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
    if (ql_is_of_inputs(r->ae->cfg.likelihood)) return QL_OK;
    /* with thinned inputs the targets change every epoch, and with them their constant */
    if (r->opt->input_thin == 0)
        QL_TRY(mean_log_factorial(r->counts, s->train, s->n_train, &r->train_constant, r->err));
    const ql_rows *targets = r->opt->thinned ? &r->stop_held : r->counts;
    return mean_log_factorial(targets, r->valid_row, s->n_valid, &r->valid_constant, r->err);
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

static ql_status one_epoch(run *r, int64_t epoch, ql_epoch *e)
{
    double start = ql_clock_wall();
    ql_batch_source source = training_source(r, epoch);
    ql_shuffle_rows(&r->shuffle, r->split->train, r->opt->seed, (uint64_t)epoch);
    e->rate = r->ae->opt.rate;
    QL_TRY(ql_ae_train_epoch(r->ae, &source, r->shuffle.order, r->split->n_train,
                             r->opt->batch_size, &e->loss, r->err));
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
        ql_context(r->err, "training diverged %d times", MAX_RESTARTS + 1);
        return ql_hint(r->err, "lower --learning-rate (it was %g)", r->ae->opt.rate);
    }
    memcpy(p->w, r->best, (size_t)p->size * sizeof *p->w);
    if (p->m) memset(p->m, 0, (size_t)p->size * sizeof *p->m);
    if (p->v) memset(p->v, 0, (size_t)p->size * sizeof *p->v);
    ql_ae_start_optimizer(r->ae, rate);
    r->out->restarts++;
    if (r->listener && r->listener->warn)
        r->listener->warn(r->listener->ctx,
                          "the loss was not finite: rolled back to the best weights, "
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
    if (r->listener && r->listener->epoch)
        r->listener->epoch(r->listener->ctx, out->n_epochs, e, improved);
    if (ql_patience_step(&r->plateau, e->validation, NULL)) r->ae->opt.rate *= r->opt->rate_factor;
    stop = stop && !is_pretraining(r, out->n_epochs - 1);
    if (stop) out->stopped = "no better validation";
    return stop;
}

static ql_status loop(run *r)
{
    r->out->stopped = "epochs done";
    while (r->out->n_epochs < r->opt->epochs) {
        ql_epoch e = {0};
        ql_status st = one_epoch(r, r->out->n_epochs, &e);
        if (st == QL_EDIVERGED) {
            QL_TRY(roll_back(r));
            continue;
        }
        if (st != QL_OK) return st;
        if (book(r, &e)) break;
    }
    if (r->opt->restore_best)
        memcpy(r->ae->params.w, r->best, (size_t)r->ae->params.size * sizeof *r->best);
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
    if (st == QL_OK) st = loop(&r);
    release(&r);
    if (st != QL_OK) ql_train_result_free(out);
    return st;
}

void ql_train_result_free(ql_train_result *r)
{
    ql_free(r->history);
    *r = (ql_train_result){0};
}
