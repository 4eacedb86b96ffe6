/* Inference: many cells through the model, in blocks; what visitors see of them. */
#include <string.h>

#include "autoencoder_internal.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

/* A run over many cells in inference mode. */
typedef struct {
    ql_ae *ae;
    const ql_batch_source *source;
    const int64_t *rows;
    int64_t n, block;
    int64_t from, to;             /* of the n rows those to visit now; to 0: all */
    ql_real *others;              /* [n_genes, pad(block)] what company adds; NULL: none */
    const ql_ae_visitor *visitor; /* or: */
    double *cell_loss;
    bool divergence; /* of drawn codes, is part of cell_loss */
    ql_ae_decodings decodings;
    double *depth; /* [capacity] scratch; NULL: depths are not matched */
    ql_status status;
    ql_err *err;
} visit_job;

/* The heads look at the last hidden layers and learn nothing. */
static ql_head_pass inference_pass(ql_ae *ae)
{
    return ql_ae_head_pass(ae, &ae->batch[0], NULL);
}

/* Can the counts have the gene of the tile? */
static bool seen(const ql_ae *ae, int64_t tile, int64_t g)
{
    return !ae->lacks || !ae->lacks[ql_tile_genes(&ae->heads.tiling, tile).first + g];
}

/* Sum of the predicted means of each cell over the strip's genes, into the heads' partial sums. */
static void depth_strip(ql_ae *ae, int64_t strip, int rank)
{
    ql_head_pass pass = inference_pass(ae);
    const ql_span tiles = ql_strip_tiles(&ae->heads.tiling, strip);
    double *sum = ae->heads.loss + strip * ae->heads.capacity;
    memset(sum, 0, (size_t)ae->batch[0].n * sizeof *sum);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        int64_t genes = ql_tile_genes(&ae->heads.tiling, tile).count;
        for (int64_t first = 0; first < ae->batch[0].n; first += QL_BLOCK) {
            int64_t n = ae->batch[0].n - first < QL_BLOCK ? ae->batch[0].n - first : QL_BLOCK;
            ql_heads_values(&ae->heads, &ae->params, ae->kern, &pass, tile, first, n,
                            &ae->space[rank]);
            const ql_real *mean = ae->space[rank].act[QL_HEAD_MEAN];
            for (int64_t g = 0; g < genes; g++)
                for (int64_t i = 0; i < n && seen(ae, tile, g); i++)
                    sum[first + i] += (double)mean[g * ql_pad(n) + i];
        }
    }
}

/* Scale each cell so that its means add up to the molecules it was seen with. */
static void match_depth(ql_ae *ae, double *sum)
{
    ql_batch *b = &ae->batch[0];
    ql_heads_cell_loss(&ae->heads, b, sum);
    ql_real *size = ae->heads.share ? b->library : b->size;
    for (int64_t i = 0; i < b->n; i++)
        if (sum[i] > 0) size[i] = (ql_real)((double)size[i] * (b->total[i] / sum[i]));
}

/* Means, thetas and so on of a tile, averaged where several covariates are decoded. */
static void tile_values(visit_job *job, const ql_head_pass *pass, const ql_ae_tile *t,
                        ql_head_space *space)
{
    ql_ae *ae = job->ae;
    if (job->decodings.n > 0)
        ql_ae_decodings_values(ae, &job->decodings, t->tile, t->first, t->n, space);
    else
        ql_heads_values(&ae->heads, &ae->params, ae->kern, pass, t->tile, t->first, t->n, space);
}

/* The tile's means, mixed with those of others. */
static void add_company(const visit_job *job, const ql_ae_tile *t, ql_real *mean)
{
    const int64_t ld = ql_pad(job->block);
    if (!job->others) return;
    for (int64_t g = 0; g < t->genes.count; g++) {
        const ql_real w = job->ae->company->weight[t->genes.first + g];
        const ql_real *other = job->others + (t->genes.first + g) * ld + t->first;
        ql_real *own = mean + g * t->ld;
        for (int64_t i = 0; i < t->n; i++) own[i] = w * own[i] + other[i];
    }
}

/* Genes of which the model knows little go back towards their mean. */
static void mix_means(const ql_ae *ae, const ql_ae_tile *t, ql_real *mean)
{
    if (!ae->mix_weight) return;
    const double *total = t->batch->total + t->first;
    for (int64_t g = 0; g < t->genes.count; g++) {
        const double w = (double)ae->mix_weight[t->genes.first + g];
        const double rest = (1 - w) * (double)ae->mix_share[t->genes.first + g];
        ql_real *m = mean + g * t->ld;
        for (int64_t i = 0; i < t->n; i++) m[i] = (ql_real)(w * (double)m[i] + rest * total[i]);
    }
}

static void visit_strip(visit_job *job, int64_t first_row, int64_t strip, int rank)
{
    ql_ae *ae = job->ae;
    const ql_heads *h = &ae->heads;
    ql_head_pass pass = inference_pass(ae);
    ql_head_space *space = &ae->space[rank];
    ql_span tiles = ql_strip_tiles(&h->tiling, strip);
    ql_ae_tile t = {.batch = &ae->batch[0],
                    .strip = strip,
                    .first_row = first_row,
                    .mean = space->act[QL_HEAD_MEAN],
                    .scratch = space->list[QL_HEAD_MEAN]};
    t.theta = h->kind[QL_HEAD_DISP] != QL_KIND_NONE ? space->act[QL_HEAD_DISP] : NULL;
    t.pi = h->kind[QL_HEAD_PI] != QL_KIND_NONE ? space->act[QL_HEAD_PI] : NULL;
    for (t.tile = tiles.first; t.tile < tiles.first + tiles.count; t.tile++) {
        t.genes = ql_tile_genes(&h->tiling, t.tile);
        for (t.first = 0; t.first < ae->batch[0].n; t.first += QL_BLOCK) {
            t.n = ae->batch[0].n - t.first < QL_BLOCK ? ae->batch[0].n - t.first : QL_BLOCK;
            t.ld = ql_pad(t.n);
            tile_values(job, &pass, &t, space);
            add_company(job, &t, space->act[QL_HEAD_MEAN]);
            mix_means(ae, &t, space->act[QL_HEAD_MEAN]);
            job->visitor->tile(job->visitor->ctx, &t);
        }
    }
}

/* Cell i of the tile, its counts in the batch's own targets. */
static void scatter_targets(const ql_ae_tile *t, int64_t i, ql_span e)
{
    const ql_batch *b = t->batch;
    for (int64_t k = e.first; k < e.first + e.count; k++)
        t->scratch[(b->in.gene[k] - t->genes.first) * t->ld + i] = b->out.value[k];
}

static void scatter_row(const ql_ae_tile *t, int64_t i, ql_span e, const ql_csr *m)
{
    const ql_batch *b = t->batch;
    const float *count = m->data + m->indptr[t->first_row + t->first + i] +
                         (e.first - (t->first + i) * b->in.stride);
    for (int64_t k = 0; k < e.count; k++)
        t->scratch[(b->in.gene[e.first + k] - t->genes.first) * t->ld + i] = (ql_real)count[k];
}

const ql_real *ql_ae_tile_counts(const ql_ae_tile *t, const ql_csr *m)
{
    const ql_batch *b = t->batch;
    memset(t->scratch, 0, (size_t)(t->genes.count * t->ld) * sizeof *t->scratch);
    for (int64_t i = 0; i < t->n; i++) {
        ql_span e = ql_entries_in(&b->in, &b->tiling, t->first + i, t->tile);
        if (m)
            scatter_row(t, i, e, m);
        else
            scatter_targets(t, i, e);
    }
    return t->scratch;
}

static void match_depths(visit_job *job, ql_ae_worker *w)
{
    ql_ae *ae = job->ae;
    if (!job->depth || !ae->cfg.match_depth) return;
    if (ae->library.n_groups > 0) {
        if (w->rank == 0) ql_ae_library_observe(ae);
        ql_team_barrier(w->team);
    }
    if (ae->heads.share && !ae->lacks) return; /* shares add up to 1 */
    QL_AE_EACH(w, ae->heads.tiling.n_strips, strip, depth_strip(ae, strip, w->rank));
    if (w->rank == 0) match_depth(ae, job->depth);
    ql_team_barrier(w->team);
}

double ql_ae_cell_divergence(const ql_ae *ae, int64_t i)
{
    if (ae->scanvi.n_labels > 0)
        return ql_latent_cell_log_q(&ae->latent, i, ae->batch[0].n_pad) + ql_ae_scanvi_cost(ae, i);
    return ql_ae_code_kl(ae, i, NULL) + ql_ae_second_kl(ae, i, NULL);
}

/* Losses of the batch's cells; of drawn codes with their divergence. */
static void cell_losses(const visit_job *job, int64_t first_row)
{
    ql_ae *ae = job->ae;
    const ql_batch *b = &ae->batch[0];
    ql_heads_cell_loss(&ae->heads, b, job->cell_loss + first_row);
    for (int64_t i = 0; job->divergence && i < b->n; i++)
        job->cell_loss[first_row + i] += ql_ae_cell_divergence(ae, i) + ql_ae_library_kl(ae, i);
}

static void visit_heads(visit_job *job, ql_ae_worker *w, int64_t first_row)
{
    ql_ae *ae = job->ae;
    ql_head_pass pass = inference_pass(ae);
    const ql_ae_visitor *v = job->visitor;
    if (v && v->tile && job->decodings.n > 0)
        ql_ae_decodings_make(ae, w, job->source, &job->decodings);
    else if (job->cell_loss || (v && v->tile))
        ql_ae_normalise(ae, w, ae->kern, &pass);
    if (job->cell_loss) {
        match_depths(job, w);
        QL_AE_EACH(
            w, ae->heads.tiling.n_strips, strip,
            ql_heads_strip(&ae->heads, &ae->params, ae->kern, &pass, strip, &ae->space[w->rank]));
        if (w->rank == 0) cell_losses(job, first_row);
    } else if (v && v->tile) {
        match_depths(job, w);
        QL_AE_EACH(w, ae->heads.tiling.n_strips, strip,
                   visit_strip(job, first_row, strip, w->rank));
    }
}

static void visit_rows(void *ctx, ql_team *team, int rank)
{
    visit_job *job = ctx;
    ql_ae *ae = job->ae;
    ql_ae_worker w = {.team = team, .rank = rank};
    const ql_ae_visitor *v = job->visitor;
    const int64_t to = job->to > 0 ? job->to : job->n;
    for (int64_t at = job->from; at < to; at += job->block) {
        int64_t n = to - at < job->block ? to - at : job->block;
        ql_ae_forward(ae, &w, job->source, job->rows, at, n);
        if (v && v->cells) {
            if (rank == 0) job->status = v->cells(v->ctx, ae, at, n, job->err);
            ql_team_barrier(team);
            bool failed = job->status != QL_OK;
            ql_team_barrier(team); /* all have read it before the first thread may set it again */
            if (failed) return;
        }
        visit_heads(job, &w, at);
        if (rank == 0 && v && v->done) job->status = v->done(v->ctx, at, n, job->err);
        if (rank == 0 && job->status == QL_OK && job->source->counts)
            job->status = ql_rows_check(job->source->counts, job->err);
        if (rank == 0 && job->status == QL_OK) job->status = ql_interrupt_check(job->err);
        ql_team_barrier(team);
        if (job->status != QL_OK) return;
    }
}

/* Block by block: first the others, then the model itself. */
static ql_status visit_mixed(visit_job *job)
{
    ql_ae *ae = job->ae;
    const int64_t ld = ql_pad(job->block);
    QL_TRY(QL_NEW(job->others, ae->n_genes * ld, "rates of the ensemble", job->err));
    for (int64_t at = 0; at < job->n && job->status == QL_OK; at += job->block) {
        job->from = at;
        job->to = job->n - at < job->block ? job->n : at + job->block;
        job->status = ae->company->rates(ae->company->ctx, job->source, job->rows + at,
                                         job->to - at, ld, job->others, job->err);
        if (job->status == QL_OK) ql_team_run(ae->n_threads, visit_rows, job);
    }
    ql_free(job->others);
    return job->status;
}

ql_status ql_ae_visit(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                      int64_t block, const ql_ae_visitor *visitor, ql_err *err)
{
    if (block <= 0 || block > ae->capacity) block = ae->capacity;
    visit_job job = {.ae = ae,
                     .source = source,
                     .rows = rows,
                     .n = n,
                     .block = block,
                     .visitor = visitor,
                     .err = err};
    QL_TRY(QL_NEW(job.depth, ae->capacity, "cell depths", err));
    if (source->n_decode > 1)
        job.status = ql_ae_decodings_new(ae, source->n_decode, &job.decodings, err);
    if (job.status == QL_OK && ae->company && visitor->tile)
        job.status = visit_mixed(&job);
    else if (job.status == QL_OK)
        ql_team_run(ae->n_threads, visit_rows, &job);
    ql_ae_decodings_free(&job.decodings);
    ql_free(job.depth);
    return job.status;
}

ql_status ql_ae_cell_loss(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                          double *cell_loss, ql_err *err)
{
    visit_job job = {.ae = ae,
                     .source = source,
                     .rows = rows,
                     .n = n,
                     .block = ae->capacity,
                     .cell_loss = cell_loss,
                     .divergence = source->draw && ae->cfg.vae.on,
                     .err = err};
    ql_team_run(ae->n_threads, visit_rows, &job);
    return job.status;
}

/* The model holds other dispersions and no ridge for the length of the pass. */
typedef struct {
    ql_real *theta; /* the model's own; NULL: they stayed */
    ql_real ridge;
} lent_heads;

static ql_status lend(ql_ae *ae, const ql_real *log_theta, lent_heads *l, ql_err *err)
{
    ql_heads *h = &ae->heads;
    const size_t size = (size_t)ae->n_genes * sizeof *l->theta;
    *l = (lent_heads){.ridge = h->ridge};
    if (log_theta && h->disp_gene >= 0) {
        QL_TRY(QL_NEW(l->theta, ae->n_genes, "dispersions", err));
        memcpy(l->theta, ql_param(&ae->params, h->disp_gene), size);
        memcpy(ql_param(&ae->params, h->disp_gene), log_theta, size);
    }
    h->ridge = 0;
    return QL_OK;
}

static void take_back(ql_ae *ae, lent_heads *l)
{
    ae->heads.ridge = l->ridge;
    if (l->theta)
        memcpy(ql_param(&ae->params, ae->heads.disp_gene), l->theta,
               (size_t)ae->n_genes * sizeof *l->theta);
    ql_free(l->theta);
}

ql_status ql_ae_cell_nll(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                         const ql_real *log_theta, double *cell_nll, ql_err *err)
{
    lent_heads lent;
    visit_job job = {.ae = ae,
                     .source = source,
                     .rows = rows,
                     .n = n,
                     .block = ae->capacity,
                     .cell_loss = cell_nll,
                     .err = err};
    QL_TRY(lend(ae, log_theta, &lent, err));
    job.status = QL_NEW(job.depth, ae->capacity, "cell depths", err);
    if (job.status == QL_OK) ql_team_run(ae->n_threads, visit_rows, &job);
    ql_free(job.depth);
    take_back(ae, &lent);
    return job.status;
}
