/* Transposing compressed sparse rows with several threads. Rows are cut into slabs; each slab knows
 * where its entries of a column begin, so the result is the same for any number of slabs. */
#include "quell/alloc.h"
#include "quell/csr.h"
#include "quell/parallel.h"

enum { MAX_SLABS = 64 };

typedef struct {
    const ql_csr *m;
    ql_csr *t;
    int n_slabs;
    int64_t first_row[MAX_SLABS + 1];
    int64_t
        *at; /* [n_slabs, n_cols]: entries of a column in a slab, then where the next one goes */
} transposing;

static void count_slab(void *ctx, int64_t slab)
{
    const transposing *job = ctx;
    const ql_csr *m = job->m;
    int64_t *count = job->at + slab * m->n_cols;
    int64_t end = m->indptr[job->first_row[slab + 1]];
    for (int64_t k = m->indptr[job->first_row[slab]]; k < end; k++) count[m->indices[k]]++;
}

/* Counts become positions: column by column, within a column slab by slab. */
static void place_slabs(const transposing *job)
{
    const int64_t n_cols = job->m->n_cols;
    int64_t sum = 0;
    for (int64_t j = 0; j < n_cols; j++) {
        for (int s = 0; s < job->n_slabs; s++) {
            int64_t *at = &job->at[s * n_cols + j];
            int64_t count = *at;
            *at = sum;
            sum += count;
        }
        job->t->indptr[j + 1] = sum;
    }
}

static void scatter_slab(void *ctx, int64_t slab)
{
    const transposing *job = ctx;
    const ql_csr *m = job->m;
    int64_t *next = job->at + slab * m->n_cols;
    for (int64_t i = job->first_row[slab]; i < job->first_row[slab + 1]; i++) {
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            int64_t to = next[m->indices[k]]++;
            job->t->indices[to] = (int32_t)i;
            job->t->data[to] = m->data[k];
        }
    }
}

/* First row whose entries begin at `entry` or later. */
static int64_t row_at(const ql_csr *m, int64_t entry)
{
    int64_t lo = 0, hi = m->n_rows;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (m->indptr[mid] < entry)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* About as many entries in each slab; the positions must not take more memory than the matrix. */
static void cut_slabs(transposing *job, int threads)
{
    const ql_csr *m = job->m;
    int64_t nnz = ql_csr_nnz(m), most = nnz / (m->n_cols ? m->n_cols : 1);
    int64_t n = threads < MAX_SLABS ? threads : MAX_SLABS;
    if (n > most) n = most;
    job->n_slabs = n < 1 ? 1 : (int)n;
    for (int s = 1; s < job->n_slabs; s++) job->first_row[s] = row_at(m, nnz / job->n_slabs * s);
    job->first_row[job->n_slabs] = m->n_rows;
}

ql_status ql_csr_transpose_threads(const ql_csr *m, int threads, ql_csr *out, ql_err *err)
{
    transposing job = {.m = m, .t = out};
    ql_status st;
    cut_slabs(&job, threads);
    QL_TRY(ql_csr_alloc(out, m->n_cols, m->n_rows, ql_csr_nnz(m), err));
    QL_GO(QL_NEW(job.at, job.n_slabs * m->n_cols, "transposing a matrix", err));
    ql_parallel_for(threads, job.n_slabs, count_slab, &job);
    place_slabs(&job);
    ql_parallel_for(threads, job.n_slabs, scatter_slab, &job);
out:
    if (st != QL_OK) ql_csr_free(out);
    ql_free(job.at);
    return st;
}

ql_status ql_csr_transpose(const ql_csr *m, ql_csr *out, ql_err *err)
{
    return ql_csr_transpose_threads(m, 1, out, err);
}
