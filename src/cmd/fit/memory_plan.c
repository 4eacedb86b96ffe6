#include "memory_plan.h"

#include <string.h>

#include "quell/cell_scores.h"
#include "quell/choice.h"
#include "quell/clock.h"
#include "quell/gene_gain.h"
#include "quell/json.h"
#include "quell/order.h"
#include "quell/pca.h"
#include "quell/trials.h"

enum {
    PROGRAM = 32 << 20,      /* program, libraries (igraph brings many), HDF5's own tables */
    THREAD = 3 << 19,        /* stack and allocator of a thread */
    CELL_NAME = 48,          /* a cell's name and its place, while nothing is known of it */
    GENE_NAME = 96,          /* two names and a column or so */
    INDEX = 32,              /* of a name, while names are made unique */
    READ_CELL = 24,          /* row pointers of the file and of the result */
    WRITE_CELL = 96,         /* columns of the cells */
    PACKED = 2,              /* bytes of an entry in the cache, about */
    WINDOW = 16384,          /* rows that an epoch reads together */
    NEAR_MOST = 64 << 20,    /* of which so much is held; the rest is read row by row */
    TSV_BLOCK = 64 << 20,    /* values of a text file at a time */
    WRITE_CHUNKS = 36 << 20, /* chunks being compressed */
    BAND_ROWS = 256
};
static const double MIB = 1 << 20;

static int64_t latent_width(const planned_output *out, const ql_fit_options *fit, int64_t cells)
{
    if (out->scdha) {
        ql_scdha_options o = *out->scdha;
        ql_scdha_resolve(&o, cells);
        return ql_scdha_width(&o);
    }
    return out->components > 0 ? out->components : fit->ae.hidden[fit->ae.n_hidden / 2];
}

/* The most that writing holds: the latent space, or the columns, or a band of a layer. */
static int64_t writing(const planned_output *out, const ql_fit_options *fit, const ql_read_sizes *z,
                       int64_t names)
{
    int64_t latent = z->n_rows * latent_width(out, fit, z->n_rows) * (int64_t)sizeof(float);
    int64_t columns = names + z->n_rows * WRITE_CELL;
    int64_t rows = ql_least(z->n_rows, BAND_ROWS);
    int64_t band = out->layer ? 2 * rows * z->n_cols * (int64_t)sizeof(float) : 0;
    if (out->text) band += names + ql_least(z->n_rows * z->n_cols * 4, TSV_BLOCK) * 3 / 2;
    int64_t chunks = 2 * ql_most(latent, out->layer ? z->n_rows * z->n_cols * 4 : 0);
    return ql_most(ql_most(latent, columns), band) + ql_least(chunks, WRITE_CHUNKS);
}

/* Part of the cache that training holds: a window of rows of the mean length and half as much. */
static int64_t near_rows(const ql_read_sizes *z)
{
    double share = z->n_rows > WINDOW ? 1.5 * WINDOW / (double)z->n_rows : 1;
    double bytes = (double)z->nnz * PACKED * share;
    return bytes < NEAR_MOST ? (int64_t)bytes + (1 << 20) : NEAR_MOST;
}

/* What is computed, beside the counts. */
static int64_t working(const ql_rows *shape, const planned_output *out, const ql_fit_options *fit)
{
    const ql_pca_options pca = {.components = out->components};
    if (out->scdha) return ql_scdha_bytes(shape, out->scdha);
    if (out->candidates)
        return ql_ensemble_bytes(shape, out->candidates->spec, out->candidates->n, fit->threads);
    if (out->models && out->models->n > 1)
        return ql_ensemble_bytes(shape, out->models->spec, out->models->n, fit->threads);
    return out->components > 0 ? ql_pca_bytes(shape, &pca) : ql_fit_bytes(shape, fit);
}

/* First the genes are shrunk, then there is the output. */
static int64_t after_training(const ql_rows *shape, const planned_output *out,
                              const ql_fit_options *fit, const ql_read_sizes *z, int64_t names)
{
    const int64_t shrinking = fit->shrink_genes ? ql_shrink_genes_bytes(shape, fit) : 0;
    return ql_most(shrinking, writing(out, fit, z, names));
}

memory_plan memory_plan_of(const planned_output *out, const ql_fit_options *fit,
                           const ql_read_sizes *z, int64_t names)
{
    const ql_rows shape = {.n_rows = z->n_rows,
                           .n_cols = ql_most(z->n_cols, out->model_genes),
                           .nnz = z->nnz,
                           .max_row = z->max_row};
    if (names == 0) names = z->n_rows * CELL_NAME + z->n_cols * GENE_NAME;
    int64_t fixed = PROGRAM + fit->threads * (int64_t)THREAD + names;
    int64_t read = z->n_rows * (READ_CELL + INDEX);
    int64_t work =
        working(&shape, out, fit) + out->held + after_training(&shape, out, fit, z, names);
    if (out->scores) work += ql_cell_scores_bytes(fit, z->n_rows, out->scores);
    int64_t copies = out->trials ? ql_trials_bytes(z->nnz) : out->mcv ? z->nnz * 16 : 0;
    if (out->candidates) copies += ql_choice_bytes(&shape, out->candidates->n, 0);
    memory_plan p = {.cells = z->n_rows,
                     .genes = z->n_cols,
                     .nonzeros = z->nnz,
                     .cache = z->nnz * PACKED + z->n_rows * 3 + z->sort_bytes,
                     .near = near_rows(z),
                     .streams = z->streams};
    int64_t whole = z->nnz * 8 + z->n_rows * 8, packed = z->n_rows * 8 + p.near;
    p.memory = fixed + whole + ql_most(z->whole_bytes + read, work + copies);
    p.bands = fixed + packed + ql_most(z->band_bytes + read, work + copies);
    /* read whole, then packed: both are held for a moment */
    p.stream =
        z->streams ? p.bands : ql_most(p.bands, fixed + whole + packed + z->whole_bytes + read);
    return p;
}

void memory_plan_store(memory_plan *p, const ql_row_store *store)
{
    int64_t more = ql_store_held(store) - (p->cells * 8 + p->near);
    p->cache = ql_store_bytes(store);
    if (more <= 0) return;
    p->bands += more;
    p->stream += more;
}

static void print_json(const memory_plan *p, const ql_run *run, ql_str *out)
{
    ql_json j = {.out = out};
    ql_json_begin_object(&j, NULL);
    ql_json_int(&j, "memory_bytes", p->memory);
    ql_json_int(&j, "stream_bytes", p->stream);
    ql_json_bool(&j, "streams", p->streams);
    ql_json_int(&j, "cache_bytes", p->cache);
    ql_json_int(&j, "cells", p->cells);
    ql_json_int(&j, "genes", p->genes);
    ql_json_int(&j, "nonzeros", p->nonzeros);
    ql_json_int(&j, "threads", run->threads);
    ql_json_int(&j, "budget_bytes", run->memory);
    ql_json_end_object(&j);
    ql_str_puts(out, "\n");
}

static void print_text(const memory_plan *p, const ql_run *run, ql_str *out)
{
    ql_str_printf(out, "%lld cells x %lld genes, at most %lld nonzero entries, %d threads\n",
                  (long long)p->cells, (long long)p->genes, (long long)p->nonzeros, run->threads);
    ql_str_printf(out, "in memory  %.0f MiB\n", (double)p->memory / MIB);
    if (p->stream < p->memory)
        ql_str_printf(out, "streamed   %.0f MiB and a temporary file of about %.0f MiB\n",
                      (double)p->stream / MIB, (double)p->cache / MIB);
    ql_str_printf(out, "budget     %.0f MiB (%s)\n", (double)run->memory / MIB, run->memory_from);
}

ql_status memory_plan_print(const memory_plan *p, const char *form, ql_run *run)
{
    ql_str text = {0};
    if (!strcmp(form, "json"))
        print_json(p, run, &text);
    else
        print_text(p, run, &text);
    ql_status st = text.failed ? ql_fail(&run->err, QL_EMEMORY, "no memory for the plan") : QL_OK;
    if (st == QL_OK) fputs(ql_str_text(&text), run->out);
    ql_str_free(&text);
    return st;
}

ql_status memory_plan_choose(const memory_plan *p, bool forced, ql_run *run, bool *stream)
{
    *stream = forced || (run->memory > 0 && p->memory > run->memory);
    if (!forced && p->stream >= p->memory) *stream = false;
    int64_t need = *stream ? p->stream : p->memory;
    ql_summary_int(run->summary, "planned_bytes", need);
    if (run->memory <= 0 || need <= run->memory) return QL_OK;
    ql_fail(&run->err, QL_EMEMORY,
            "needs %.0f MiB, but the memory budget is %.0f MiB (%s); give --memory %.0fM",
            (double)need / MIB, (double)run->memory / MIB, run->memory_from,
            (double)need / MIB + 1);
    if (p->bands < need)
        return ql_hint(&run->err, QL_EMEMORY,
                       "the input is read whole; as an h5ad with csr counts (quell convert) it can "
                       "be read in pieces, and %.0f MiB will do",
                       (double)p->bands / MIB + 1);
    return QL_EMEMORY;
}

void memory_plan_tell(const memory_plan *p, bool stream, const char *folder, ql_run *run)
{
    /* reading is over; if it took more than the rest will, that is the figure */
    int64_t bytes = ql_most(stream ? p->stream : p->memory, ql_peak_rss());
    double plan = (double)bytes / MIB;
    ql_summary_int(run->summary, "planned_bytes", bytes);
    if (!stream) {
        ql_log_info(run->log, "memory: %.0f MiB planned (budget %.0f MiB)", plan,
                    (double)run->memory / MIB);
        return;
    }
    ql_summary_int(run->summary, "cache_bytes", p->cache);
    ql_log_info(run->log,
                "memory: %.0f MiB planned (budget %.0f MiB): streaming through a cache of %.0f MiB "
                "in %s",
                plan, (double)run->memory / MIB, (double)p->cache / MIB, folder);
}
