#include "null_genes.h"

#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/order.h"
#include "quell/rng.h"

ql_status depth_strata_make(const ql_csr *m, int64_t size, depth_strata *out, ql_err *err)
{
    double *total = NULL;
    ql_ranked *order = NULL;
    ql_status st;
    *out = (depth_strata){0};
    QL_GO(QL_NEW(total, m->n_rows, "depths", err));
    QL_GO(QL_NEW(order, m->n_rows, "cells by depth", err));
    QL_GO(QL_NEW(out->cell, m->n_rows, "cells by depth", err));
    ql_csr_sums(m, total, NULL);
    for (int64_t i = 0; i < m->n_rows; i++)
        if (total[i] > 0) order[out->n_cells++] = (ql_ranked){total[i], i};
    qsort(order, (size_t)out->n_cells, sizeof *order, ql_by_rank);
    for (int64_t i = 0; i < out->n_cells; i++) out->cell[i] = order[i].at;
    out->n = out->n_cells > size ? out->n_cells / size : 1;
    QL_GO(QL_NEW(out->start, out->n + 1, "strata", err));
    for (int64_t s = 0; s <= out->n; s++) out->start[s] = s * out->n_cells / out->n;
out:
    ql_free(total);
    ql_free(order);
    if (st != QL_OK) depth_strata_free(out);
    return st;
}

void depth_strata_free(depth_strata *s)
{
    ql_free(s->cell);
    ql_free(s->start);
    *s = (depth_strata){0};
}

ql_status null_genes_choose(const ql_csr *m, int64_t n, int64_t least, int32_t **source,
                            int64_t *n_found, ql_err *err)
{
    int64_t *cells = NULL, found = 0;
    double *total = NULL;
    ql_ranked *order = NULL;
    ql_status st;
    QL_GO(QL_NEW(cells, m->n_cols, "genes", err));
    QL_GO(QL_NEW(total, m->n_cols, "genes", err));
    QL_GO(QL_NEW(order, m->n_cols, "genes", err));
    ql_csr_sums(m, NULL, total);
    for (int64_t k = 0; k < ql_csr_nnz(m); k++) cells[m->indices[k]]++;
    for (int64_t g = 0; g < m->n_cols; g++)
        if (cells[g] >= least) order[found++] = (ql_ranked){total[g], g};
    qsort(order, (size_t)found, sizeof *order, ql_by_rank);
    *n_found = found < n ? found : n;
    QL_GO(QL_NEW(*source, *n_found, "genes", err));
    for (int64_t i = 0; i < *n_found; i++) (*source)[i] = (int32_t)order[i * found / *n_found].at;
    if (*n_found > 0) qsort(*source, (size_t)*n_found, sizeof **source, ql_by_int32);
out:
    ql_free(cells);
    ql_free(total);
    ql_free(order);
    return st;
}

/* Counts of the source genes, a gene a row, dealt out anew. */
static ql_status permute(const ql_csr *m, const int32_t *source, int64_t n,
                         const depth_strata *strata, uint64_t seed, float *dealt, ql_err *err)
{
    int32_t *row_of = NULL;
    int64_t *place = NULL;
    float *old = NULL;
    ql_status st;
    QL_GO(QL_NEW(row_of, m->n_cols, "null genes", err)); /* from 1; 0: none */
    QL_GO(QL_NEW(place, m->n_rows, "a permutation", err));
    QL_GO(QL_NEW(old, m->n_rows, "counts of a gene", err));
    for (int64_t j = 0; j < n; j++) row_of[source[j]] = (int32_t)j + 1;
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++)
            if (row_of[m->indices[k]])
                dealt[(row_of[m->indices[k]] - 1) * m->n_rows + i] = m->data[k];
    for (int64_t j = 0; j < n; j++) {
        float *counts = dealt + j * m->n_rows;
        memcpy(old, counts, (size_t)m->n_rows * sizeof *old);
        for (int64_t s = 0; s < strata->n; s++) {
            const int64_t *cell = strata->cell + strata->start[s];
            const int64_t size = strata->start[s + 1] - strata->start[s];
            ql_rng rng = ql_rng_start(seed, QL_RNG_NULL, (uint64_t)j, (uint64_t)s);
            for (int64_t i = 0; i < size; i++) place[i] = i;
            ql_rng_shuffle(&rng, place, size);
            for (int64_t i = 0; i < size; i++) counts[cell[i]] = old[cell[place[i]]];
        }
    }
out:
    ql_free(row_of);
    ql_free(place);
    ql_free(old);
    return st;
}

ql_status null_genes_add(const ql_csr *m, const int32_t *source, int64_t n,
                         const depth_strata *strata, uint64_t seed, ql_csr *out, ql_err *err)
{
    float *dealt = NULL;
    int64_t more = 0, at = 0;
    ql_status st;
    QL_GO(QL_NEW(dealt, n * m->n_rows, "null genes", err));
    QL_GO(permute(m, source, n, strata, seed, dealt, err));
    for (int64_t k = 0; k < n * m->n_rows; k++) more += dealt[k] > 0;
    QL_GO(ql_csr_alloc(out, m->n_rows, m->n_cols + n, ql_csr_nnz(m) + more, err));
    for (int64_t i = 0; i < m->n_rows; i++) {
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++, at++) {
            out->indices[at] = m->indices[k];
            out->data[at] = m->data[k];
        }
        for (int64_t j = 0; j < n; j++) {
            if (!(dealt[j * m->n_rows + i] > 0)) continue;
            out->indices[at] = (int32_t)(m->n_cols + j);
            out->data[at++] = dealt[j * m->n_rows + i];
        }
        out->indptr[i + 1] = at;
    }
out:
    ql_free(dealt);
    return st;
}
