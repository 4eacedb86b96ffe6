/* Transposing compressed sparse rows with several threads. Where rows are sorted, as they nearly
 * always are, each thread makes a range of the transpose's rows and goes through it in blocks that
 * stay in cache: entries of a block are a short run in each row of the matrix. The result does not
 * depend on how the work is cut. */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/csr.h"
#include "quell/parallel.h"

enum {
    MAX_RANGES = 64,
    BLOCK_ENTRIES = 1 << 18, /* 2 MiB of indices and values */
    CHECK_ROWS = 256
};

typedef struct {
    const ql_csr *m;
    ql_csr *t; /* indptr[j]: where the next entry of row j goes */
    int n_ranges;
    int64_t block; /* rows of the transpose per block */
    int64_t *at;   /* [n_ranges, m->n_rows]: next entry of each row of m; owned */
    atomic_bool sorted;
} transposing;

static void check_rows(void *ctx, int64_t item)
{
    transposing *job = ctx;
    const ql_csr *m = job->m;
    int64_t begin = item * CHECK_ROWS, end = begin + CHECK_ROWS;
    int odd = 0;
    if (end > m->n_rows) end = m->n_rows;
    for (int64_t i = begin; i < end; i++)
        for (int64_t k = m->indptr[i] + 1; k < m->indptr[i + 1]; k++)
            odd |= m->indices[k] < m->indices[k - 1];
    if (odd) atomic_store(&job->sorted, false);
}

static int64_t range_begin(const transposing *job, int64_t range)
{
    return job->m->n_cols / job->n_ranges * range +
           (range < job->m->n_cols % job->n_ranges ? range : job->m->n_cols % job->n_ranges);
}

/* Entries of the range's columns, counted one place further on. */
static void count_range(void *ctx, int64_t range)
{
    const transposing *job = ctx;
    const ql_csr *m = job->m;
    int64_t begin = range_begin(job, range), end = range_begin(job, range + 1);
    int64_t *count = job->t->indptr + 1, *at = job->at + range * m->n_rows;
    for (int64_t i = 0; i < m->n_rows; i++) {
        at[i] = ql_csr_entry_from(m, i, begin);
        for (int64_t k = at[i]; k < m->indptr[i + 1] && m->indices[k] < end; k++)
            count[m->indices[k]]++;
    }
}

/* The entries of columns below `end`, from at[i] on in each row. */
static void scatter_block(const ql_csr *m, int64_t end, int64_t *at, ql_csr *t)
{
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t k = at[i], stop = m->indptr[i + 1];
        for (; k < stop && m->indices[k] < end; k++) {
            int64_t to = t->indptr[m->indices[k]]++;
            t->indices[to] = (int32_t)i;
            t->data[to] = m->data[k];
        }
        at[i] = k;
    }
}

static void scatter_range(void *ctx, int64_t range)
{
    const transposing *job = ctx;
    int64_t begin = range_begin(job, range), end = range_begin(job, range + 1);
    for (int64_t to = begin; to < end;) {
        to = to + job->block < end ? to + job->block : end;
        scatter_block(job->m, to, job->at + range * job->m->n_rows, job->t);
    }
}

static void count_all(const transposing *job)
{
    int64_t *count = job->t->indptr + 1, nnz = ql_csr_nnz(job->m);
    for (int64_t k = 0; k < nnz; k++) count[job->m->indices[k]]++;
}

static void scatter_all(const transposing *job)
{
    const ql_csr *m = job->m;
    memcpy(job->at, m->indptr, (size_t)m->n_rows * sizeof *job->at);
    scatter_block(m, m->n_cols, job->at, job->t);
}

/* Counts to where rows begin; and back from where they end. */
static void sum_up(ql_csr *t)
{
    for (int64_t j = 0; j < t->n_rows; j++) t->indptr[j + 1] += t->indptr[j];
}

static void move_up(ql_csr *t)
{
    memmove(t->indptr + 1, t->indptr, (size_t)t->n_rows * sizeof *t->indptr);
    t->indptr[0] = 0;
}

/* Ranges of rows of the transpose, one a thread; their positions must not take more memory than the
 * matrix does. */
static void cut(transposing *job, int threads)
{
    const ql_csr *m = job->m;
    int64_t nnz = ql_csr_nnz(m), n = threads < MAX_RANGES ? threads : MAX_RANGES;
    int64_t most = nnz / (m->n_rows ? m->n_rows : 1);
    if (n > most) n = most;
    if (n > m->n_cols) n = m->n_cols;
    job->n_ranges = n < 1 ? 1 : (int)n;
    job->block = nnz > BLOCK_ENTRIES ? m->n_cols / (nnz / BLOCK_ENTRIES) : m->n_cols;
    if (job->block < 16) job->block = 16;
}

ql_status ql_csr_transpose_threads(const ql_csr *m, int threads, ql_csr *out, ql_err *err)
{
    transposing job = {.m = m, .t = out};
    ql_status st;
    atomic_init(&job.sorted, true);
    cut(&job, threads);
    QL_TRY(ql_csr_alloc(out, m->n_cols, m->n_rows, ql_csr_nnz(m), err));
    QL_GO(QL_NEW(job.at, job.n_ranges * m->n_rows, "transposing a matrix", err));
    ql_parallel_for(threads, (m->n_rows + CHECK_ROWS - 1) / CHECK_ROWS, check_rows, &job);
    bool sorted = atomic_load(&job.sorted);
    if (sorted)
        ql_parallel_for(threads, job.n_ranges, count_range, &job);
    else
        count_all(&job);
    sum_up(out);
    if (sorted)
        ql_parallel_for(threads, job.n_ranges, scatter_range, &job);
    else
        scatter_all(&job);
    move_up(out);
out:
    if (st != QL_OK) ql_csr_free(out);
    ql_free(job.at);
    return st;
}

ql_status ql_csr_transpose(const ql_csr *m, ql_csr *out, ql_err *err)
{
    return ql_csr_transpose_threads(m, 1, out, err);
}
