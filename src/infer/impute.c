#include "quell/impute.h"

#include <string.h>

#include "quell/alloc.h"

/* A masked share is held below this, so that a cell with hardly a molecule in the other genes does
 * not get any number of them. */
#define MOST_MASKED 0.999

typedef struct {
    const ql_generative *g;
    const ql_masking *m;
    int64_t n_masked, n; /* n: cells of the block */
    int32_t *gene;       /* [n_masked] ascending */
    ql_csr filled;       /* the block's cells: seen counts and expected ones */
    int64_t *own, *cell; /* [block] rows of `filled`, of the covariates */
    float *z, *mean;     /* [block, n_latent], [block, n_genes] */
    float *pi;           /* [block, n_genes]; NULL: the law has none */
    float *expected;     /* [block, n_masked] */
    double *ones, *seen; /* [block] */
} job;

static ql_status room(job *j, ql_err *err)
{
    const int64_t n = j->g->block, genes = j->g->n_genes;
    int64_t entries;
    for (int64_t g = 0; g < genes; g++) j->n_masked += j->m->masked[g] != 0;
    entries = n * (j->m->cells.counts->max_row + j->n_masked);
    QL_TRY(QL_NEW(j->gene, j->n_masked, "masked genes", err));
    for (int64_t g = 0, k = 0; g < genes; g++)
        if (j->m->masked[g]) j->gene[k++] = (int32_t)g;
    QL_TRY(ql_csr_alloc(&j->filled, n, genes, entries, err));
    QL_TRY(QL_NEW(j->own, n, "cells", err));
    QL_TRY(QL_NEW(j->cell, n, "cells", err));
    QL_TRY(QL_NEW(j->z, n * j->g->n_latent, "codes", err));
    QL_TRY(QL_NEW(j->mean, n * genes, "decoded cells", err));
    if (j->g->law == QL_LAW_ZINB) QL_TRY(QL_NEW(j->pi, n * genes, "decoded cells", err));
    QL_TRY(QL_NEW(j->expected, n * j->n_masked, "masked genes", err));
    QL_TRY(QL_NEW(j->ones, n, "cells", err));
    QL_TRY(QL_NEW(j->seen, n, "cells", err));
    for (int64_t i = 0; i < n; i++) {
        j->own[i] = i;
        j->ones[i] = 1;
    }
    return QL_OK;
}

static void release(job *j)
{
    void *const all[] = {j->gene, j->own,      j->cell, j->z,   j->mean,
                         j->pi,   j->expected, j->ones, j->seen};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
    ql_csr_free(&j->filled);
}

/* Merge a cell's other genes with what is expected of the masked ones; both ascend. */
static int64_t merge(const job *j, int64_t i, const ql_row_view *row, int64_t to)
{
    const float *expected = j->expected + i * j->n_masked;
    int64_t k = 0, m = 0;
    while (k < row->n || m < j->n_masked) {
        if (k < row->n && j->m->masked[row->gene[k]]) {
            k++;
        } else if (m < j->n_masked && (k >= row->n || j->gene[m] < row->gene[k])) {
            if (expected[m] > 0) {
                j->filled.indices[to] = j->gene[m];
                j->filled.data[to++] = expected[m];
            }
            m++;
        } else {
            j->filled.indices[to] = row->gene[k];
            j->filled.data[to++] = row->count[k++];
        }
    }
    return to;
}

static ql_status fill(job *j, int64_t first, ql_err *err)
{
    const ql_gen_cells *c = &j->m->cells;
    ql_row_cursor cursor;
    int64_t at = 0;
    QL_TRY(ql_cursor_open(&cursor, c->counts, err));
    for (int64_t i = 0; i < j->n; i++) {
        const ql_row_view row = ql_cursor_row(&cursor, c->row[first + i]);
        j->seen[i] = 0;
        for (int64_t k = 0; k < row.n; k++)
            if (!j->m->masked[row.gene[k]]) j->seen[i] += (double)row.count[k];
        at = merge(j, i, &row, at);
        j->filled.indptr[i + 1] = at;
        j->cell[i] = c->cell ? c->cell[c->row[first + i]] : c->row[first + i];
    }
    for (int64_t i = j->n; i < j->filled.n_rows; i++) j->filled.indptr[i + 1] = at;
    ql_cursor_close(&cursor);
    return ql_rows_check(c->counts, err);
}

/* From shares to molecules: those of the masked genes in a cell whose other genes have `seen`. */
static void expect(job *j)
{
    for (int64_t i = 0; i < j->n; i++) {
        const float *share = j->mean + i * j->g->n_genes;
        double masked = 0, all = 0;
        for (int64_t g = 0; g < j->g->n_genes; g++) all += (double)share[g];
        for (int64_t k = 0; k < j->n_masked; k++) masked += (double)share[j->gene[k]];
        if (masked > MOST_MASKED * all) masked = MOST_MASKED * all;
        const double scale = all > 0 ? j->seen[i] / (all - masked) : 0;
        for (int64_t k = 0; k < j->n_masked; k++)
            j->expected[i * j->n_masked + k] = (float)(scale * (double)share[j->gene[k]]);
    }
}

static ql_status one_round(job *j, int64_t batch, ql_err *err)
{
    const ql_rows rows = ql_rows_of_csr(&j->filled);
    const ql_gen_cells cells = {&rows, j->own, j->cell, j->n};
    const ql_gen_codes codes = {
        .n = j->n, .z = j->z, .library = j->ones, .cell = j->cell, .batch = batch};
    QL_TRY(j->g->encode(j->g->ctx, &cells, j->z, NULL, err));
    QL_TRY(j->g->decode(j->g->ctx, &codes, j->mean, NULL, j->pi, err));
    if (j->pi) ql_gen_expect(j->n, j->g->n_genes, j->mean, j->pi);
    expect(j);
    return QL_OK;
}

static ql_status one_block(job *j, int64_t first, const ql_imputed *sink, ql_err *err)
{
    memset(j->expected, 0, (size_t)(j->n * j->n_masked) * sizeof *j->expected);
    for (int round = 0; round <= j->m->rounds; round++) {
        const bool last = round == j->m->rounds;
        QL_TRY(fill(j, first, err));
        /* what fills the input is of the cell's own batch */
        QL_TRY(one_round(j, last ? j->m->batch : QL_OWN_BATCH, err));
    }
    return sink->cells(sink->ctx, first, j->n, j->expected, j->seen, j->z, err);
}

ql_status ql_impute(const ql_generative *g, const ql_masking *m, const ql_imputed *sink,
                    ql_err *err)
{
    job j = {.g = g, .m = m};
    ql_status st;
    QL_GO(room(&j, err));
    for (int64_t at = 0; at < m->cells.n; at += g->block) {
        j.n = m->cells.n - at < g->block ? m->cells.n - at : g->block;
        QL_GO(one_block(&j, at, sink, err));
    }
out:
    release(&j);
    return st;
}
