/* A layer without its zeros, for drawn counts. They are drawn twice: to count what a row holds, and
 * to write it, so that no more than a band is in memory. */

#include "denoise_layers.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

enum { BAND_ROWS = 256 }; /* what the memory plan counts on */

typedef struct {
    const denoise_result *r;
    const ql_predictor *p;
    ql_h5ad_writer *w;
    float *band;      /* [BAND_ROWS, columns] */
    int32_t *columns; /* of the entries of a row */
} sparse_job;

/* Called with each row's values, of which the first n are moved to the front. */
typedef ql_status row_taker(void *ctx, int64_t row, float *values, ql_err *err);

static ql_status each_row(const sparse_job *j, row_taker *take, void *ctx, ql_err *err)
{
    const cell_range range = j->r->range;
    for (int64_t row = 0; row < range.n; row += BAND_ROWS) {
        const int64_t n = range.n - row < BAND_ROWS ? range.n - row : BAND_ROWS;
        QL_TRY(ql_interrupt_check(err));
        denoise_tell_cells(j->r, row);
        QL_TRY(ql_predict_cells(j->p, range.first + row, n, j->band, err));
        for (int64_t i = 0; i < n; i++)
            QL_TRY(take(ctx, row + i, j->band + i * j->p->n_columns, err));
    }
    return QL_OK;
}

typedef struct {
    const sparse_job *j;
    int64_t *indptr;
} counting;

static ql_status count_row(void *ctx, int64_t row, float *values, ql_err *err)
{
    const counting *c = ctx;
    int64_t n = 0;
    (void)err;
    for (int64_t g = 0; g < c->j->p->n_columns; g++) n += values[g] != 0;
    c->indptr[row + 1] = c->indptr[row] + n;
    return QL_OK;
}

static ql_status store_row(void *ctx, int64_t row, float *values, ql_err *err)
{
    const sparse_job *j = ctx;
    const int32_t *chosen = j->r->genes->ascending;
    int64_t n = 0;
    (void)row;
    for (int64_t g = 0; g < j->p->n_columns; g++) {
        if (values[g] == 0) continue;
        values[n] = values[g];
        j->columns[n++] = chosen ? chosen[g] : (int32_t)g;
    }
    return ql_h5ad_sparse_entries(j->w, values, j->columns, n, err);
}

ql_status denoise_write_sparse(const denoise_result *r, ql_h5ad_writer *w, const char *key,
                               const ql_predictor *p, ql_err *err)
{
    sparse_job j = {.r = r, .p = p, .w = w};
    counting c = {.j = &j};
    ql_status st;
    QL_GO(QL_NEW(j.band, BAND_ROWS * p->n_columns, "a band of drawn counts", err));
    QL_GO(QL_NEW(j.columns, p->n_columns, "a row of drawn counts", err));
    QL_GO(QL_NEW(c.indptr, r->range.n + 1, "row pointers", err));
    QL_GO(each_row(&j, count_row, &c, err));
    QL_GO(ql_h5ad_sparse_begin(w, key, r->range.n, r->fitted->prep.n_genes, c.indptr, err));
    QL_GO(each_row(&j, store_row, &j, err));
    QL_GO(ql_h5ad_dense_end(w, err));
    ql_log_progress_end(r->run->log);
out:
    ql_free(j.band);
    ql_free(j.columns);
    ql_free(c.indptr);
    return st;
}
