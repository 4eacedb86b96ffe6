/* Training: minibatch by minibatch, the phases of a step gone through by a team of threads: input
 * layer by strips, hidden layers on one thread, heads by strips, hidden layers backward on one
 * thread, input layer backward by tiles. The next minibatch is filled by the threads that the
 * hidden layers leave idle. */
#include <math.h>

#include "autoencoder_internal.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

enum { REDUCE_UNITS = 16 /* units whose gradient is summed over strips per item */ };

/* One epoch, as its threads see it. */
typedef struct {
    ql_ae *ae;
    const ql_batch_source *source;
    const int64_t *order;
    int64_t n, batch_size;
    ql_opt_step step;  /* of the minibatch at hand; set by the first thread */
    double *cell_loss; /* [capacity] */
    ql_ae_progress *progress;
    const ql_ae_pause *pause; /* NULL: none */
    bool paused;              /* set by the first thread between barriers */
    int64_t window;           /* of the source, the next to be loaded */
    int64_t n_load;           /* pieces of it that the next minibatch waits for */
    ql_status status;         /* set by the first thread between barriers */
    ql_err *err;
} epoch_job;

/* Returns the penalties of the code and of its Jacobian. */
static double hidden_backward(ql_ae *ae, const ql_batch *b, const ql_opt_step *step)
{
    double penalty = ql_ae_jacobian_penalty(ae, b);
    for (int i = ae->n_hidden - 1; i >= 0; i--) {
        ql_hidden *h = &ae->hidden[i], *below = i ? &ae->hidden[i - 1] : NULL;
        if (i == ae->center) {
            ql_ae_fork_backward(ae, ql_ae_train_kern(ae), b, step);
            penalty += ql_ae_code_penalty(ae, b);
            penalty += ql_ae_labels_backward(ae, b, ql_ae_train_kern(ae), step);
            penalty += ql_ae_latent_gradient(ae, b, ql_ae_train_kern(ae), step);
        }
        ql_hidden_backward(h, &ae->params, ql_ae_train_kern(ae),
                           below ? ql_ae_layer_in_t(ae, i) : NULL, below ? below->grad : NULL, b->n,
                           b->n_pad, step);
        if (i == ae->center) ql_ae_latent_backward(ae, b, ql_ae_train_kern(ae), step);
    }
    penalty += ql_ae_library_backward(ae, b, ql_ae_train_kern(ae), step);
    ql_ae_input_cov_backward(ae, b, step);
    /* the input layer wants the gradient by cell */
    ql_hidden *first = &ae->hidden[0];
    ql_transpose(first->n_out, b->n, first->grad, b->n_pad, first->out_t, ql_pad(first->n_out));
    ql_ae_library_join(ae, b);
    ql_ae_unit_code(ae);
    return penalty;
}

/* The loss so far is a sum over cells and genes; a penalty is weighed against the mean loss of a
 * cell, or of an entry, as the gradients are. */
static double scaled_penalty(const ql_ae *ae, const ql_batch *b, double penalty)
{
    return penalty * (double)b->n * (ae->cfg.mean_loss ? (double)ae->n_genes : 1);
}

/* Add the minibatch's loss; a loss that is not finite ends the epoch before it reaches more
 * weights. */
static void collect_loss(epoch_job *job, const ql_batch *b)
{
    ql_ae *ae = job->ae;
    double sum = 0;
    ql_heads_cell_loss(&ae->heads, b, job->cell_loss);
    for (int64_t i = 0; i < b->n; i++) sum += job->cell_loss[i];
    job->progress->loss += sum;
    job->status = ql_rows_check(job->source->counts, job->err);
    if (job->status == QL_OK && !isfinite(sum))
        job->status = ql_fail(job->err, QL_EDIVERGED, "the loss is not finite in step %llu",
                              (unsigned long long)ae->step);
    if (job->status == QL_OK) job->status = ql_interrupt_check(job->err);
    if (job->pause) job->paused = job->pause->due(job->pause->ctx);
}

/* Some rows of the gradient by a branch's last hidden layer. */
static void reduce_slice(ql_ae *ae, const ql_batch *b, int branch, int64_t slice)
{
    ql_hidden *last = ql_ae_layer(ae, branch, ae->n_hidden - 1);
    const int64_t size = REDUCE_UNITS * b->n_pad, left = last->n_out * b->n_pad - slice * size;
    ql_heads_reduce(&ae->heads, ae->kern, b, branch, slice * size, left < size ? left : size,
                    last->grad);
}

static void heads_backward(epoch_job *job, ql_ae_worker *w, const ql_batch *b)
{
    ql_ae *ae = job->ae;
    ql_head_pass pass = ql_ae_head_pass(ae, b, &job->step);
    const ql_kern *kern = ql_ae_train_kern(ae);
    ql_ae_normalise(ae, w, kern, &pass);
    QL_AE_EACH(w, ae->heads.tiling.n_strips, strip,
               ql_heads_strip(&ae->heads, &ae->params, kern, &pass, strip, &ae->space[w->rank]));
    if (ae->heads.share) {
        if (w->rank == 0) ql_heads_pull_finish(&ae->heads, kern, b);
        ql_team_barrier(w->team);
        QL_AE_EACH(
            w, ae->heads.tiling.n_strips, strip,
            ql_heads_share_strip(&ae->heads, &ae->params, kern, &pass, strip, &ae->space[w->rank]));
    }
    const int64_t n_slices = ql_ae_items(ae->hidden[ae->n_hidden - 1].n_out, REDUCE_UNITS);
    QL_AE_EACH(w, n_slices * ae->heads.n_branches, item,
               reduce_slice(ae, b, (int)(item / n_slices), item % n_slices));
    if (w->rank == 0)
        ql_heads_finish(&ae->heads, &ae->params, kern, &pass, ae->hidden[ae->n_hidden - 1].grad);
}

/* Have the counts at hand that the next minibatch is cut out of. */
static void load_rows(ql_ae_worker *w, const ql_batch_source *source, int64_t n_load)
{
    QL_AE_EACH(w, n_load, piece, ql_rows_load(source->counts, piece));
}

static int64_t next_batch(const epoch_job *job, int64_t at)
{
    int64_t left = job->n - at, size = job->batch_size;
    int64_t alone = job->ae->cfg.keep_short_batch ? size : size + (size - 1) / 2;
    return left <= alone ? left : size;
}

static int64_t window_start(const epoch_job *job, int64_t window)
{
    return window > 0 ? job->source->window[window - 1] : 0;
}

/* Announce the rows of the window that a batch up to `end` is the first to reach into; of the one
 * before, at most that batch's rows are still wanted. */
static void want_window(epoch_job *job, int64_t end)
{
    const ql_batch_source *s = job->source;
    job->n_load = 0;
    if (!s->window || job->window == s->n_windows || window_start(job, job->window) >= end) return;
    int64_t first = window_start(job, job->window), last = s->window[job->window];
    int64_t after = job->window + 1 < s->n_windows ? s->window[job->window + 1] - last : 0;
    job->n_load = ql_rows_want(s->counts, job->order + first, last - first, after);
    job->window++;
}

/* Forget the windows that end before the first cell. */
static void skip_windows(epoch_job *job, int64_t at)
{
    const ql_batch_source *s = job->source;
    while (s->window && job->window < s->n_windows && s->window[job->window] <= at) job->window++;
}

/* Called by the first thread: batch `which` is to hold the cells from `at` on. */
static void begin_batch(epoch_job *job, int which, int64_t at)
{
    int64_t n = next_batch(job, at);
    double weight = 1 / (double)n;
    if (job->ae->cfg.mean_loss) weight /= (double)job->ae->n_genes;
    want_window(job, at + n);
    ql_batch_begin(&job->ae->batch[which], job->source, n, (ql_real)weight);
}

/* One minibatch, from the input layer's partial sums on to those of the next one (NULL: it is the
 * last), which is filled meanwhile. */
static void train_step(epoch_job *job, ql_ae_worker *w, const ql_batch *b,
                       const ql_ae_filling *next)
{
    ql_ae *ae = job->ae;
    /* only the first thread draws masks, and only it may look at the step */
    ql_pass pass = {true, ae->cfg.seed, w->rank == 0 ? ae->step : 0};
    ql_ae_input_reduce(ae, w, b);
    const int64_t n_fill = next ? ql_ae_fill_items(next->batch->n) : 0;
    const int64_t n_load = job->n_load; /* the same for all, as it was set before they last met */
    if (ql_input_terms_sums(&ae->input_terms))
        QL_AE_EACH(w, ae->input.tiling.n_strips, strip, ql_ae_penalty_strip(ae, strip));
    if (w->rank == 0) ql_ae_hidden_forward(ae, b, job->source, pass);
    if (next && n_load > 0) load_rows(w, next->source, n_load);
    ql_ae_fill(ae, w, next, 0, n_fill / 2);
    heads_backward(job, w, b);
    if (w->rank == 0) {
        collect_loss(job, b);
        job->progress->loss += scaled_penalty(ae, b, hidden_backward(ae, b, &job->step));
    }
    ql_ae_fill(ae, w, next, n_fill / 2, n_fill);
    ql_ae_input_backward(ae, w, b, next ? next->batch : NULL, &job->step);
}

static void train_epoch(void *ctx, ql_team *team, int rank)
{
    epoch_job *job = ctx;
    ql_ae *ae = job->ae;
    ql_ae_worker w = {.team = team, .rank = rank};
    int64_t at = job->progress->at; /* set again only after the others have met the first thread */
    ql_ae_filling fill = {&ae->batch[0], job->source, job->order + at, 0};
    if (rank == 0) begin_batch(job, 0, at);
    ql_team_barrier(team);
    if (job->n_load > 0) load_rows(&w, job->source, job->n_load);
    ql_ae_fill(ae, &w, &fill, 0, ql_ae_fill_items(fill.batch->n));
    ql_ae_input_forward(ae, &w, fill.batch, &ae->cfg.corrupt);
    for (int64_t k = 0; at < job->n; k++) {
        const ql_batch *b = &ae->batch[k % 2];
        at += b->n;
        fill = (ql_ae_filling){&ae->batch[(k + 1) % 2], job->source, job->order + at, 0};
        /* the others look at what this sets after the barrier that ends the step's first phase */
        if (rank == 0) {
            job->step = ql_opt_next(&ae->opt);
            ae->input_terms.step = ae->step;
            if (at < job->n) begin_batch(job, (int)((k + 1) % 2), at);
        }
        train_step(job, &w, b, at < job->n ? &fill : NULL);
        if (rank == 0) {
            ae->step++;
            job->progress->at = at;
        }
        if (job->status != QL_OK || job->paused) return;
    }
}

ql_status ql_ae_train_part(ql_ae *ae, const ql_batch_source *source, const int64_t *order,
                           int64_t n, int64_t batch_size, ql_ae_progress *p,
                           const ql_ae_pause *pause, ql_err *err)
{
    epoch_job job = {.ae = ae,
                     .source = source,
                     .order = order,
                     .n = n,
                     .batch_size = batch_size,
                     .progress = p,
                     .pause = pause,
                     .err = err};
    if (p->at >= n) return QL_OK;
    skip_windows(&job, p->at);
    QL_TRY(QL_NEW(job.cell_loss, ae->capacity, "losses", err));
    ql_team_run(ae->n_threads, train_epoch, &job);
    ql_free(job.cell_loss);
    return job.status;
}

ql_status ql_ae_train_epoch(ql_ae *ae, const ql_batch_source *source, const int64_t *order,
                            int64_t n, int64_t batch_size, double *loss, ql_err *err)
{
    ql_ae_progress p = {0};
    ql_status st = ql_ae_train_part(ae, source, order, n, batch_size, &p, NULL, err);
    *loss = p.loss / ((double)n * (double)ae->n_genes);
    return st;
}
