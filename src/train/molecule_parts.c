#include "molecule_parts.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/trainer.h"

/* A tenth for each part that is held out. */
#define REPORT_SHARE QL_HELD_SHARE
#define SELECT_SHARE (QL_HELD_SHARE / (1 - QL_HELD_SHARE))

void ql_molecule_parts_free(ql_molecule_parts *p)
{
    ql_csr_free(&p->seen);
    ql_csr_free(&p->select);
    ql_csr_free(&p->report);
    ql_free(p->gene);
    ql_free(p->cov.value);
    *p = (ql_molecule_parts){0};
}

/* Rows 0 .. n-1 of which only *n stay: a random draw, ascending. */
static ql_status draw_rows(int64_t *n, int64_t most, uint64_t seed, int64_t **rows, ql_err *err)
{
    QL_TRY(ql_rows_list(*n, rows, err));
    if (most <= 0 || most >= *n) return QL_OK;
    ql_rng rng = ql_rng_start(seed, QL_RNG_TRIALS, 0, 0);
    ql_rng_shuffle(&rng, *rows, *n);
    *n = most;
    ql_rows_sort(*rows, most);
    return QL_OK;
}

/* Leave only the genes of which molecules are seen, so that fits share the matrix untouched. */
static ql_status keep_seen_genes(ql_molecule_parts *p, ql_err *err)
{
    const int64_t n_genes = p->seen.n_cols;
    double *total = NULL;
    int32_t *map = NULL, kept = 0;
    ql_status st;
    QL_GO(QL_NEW(total, n_genes, "gene totals", err));
    QL_GO(QL_NEW(map, n_genes, "gene list", err));
    ql_csr_sums(&p->seen, NULL, total);
    QL_GO(QL_NEW(p->gene, n_genes, "gene list", err));
    for (int64_t g = 0; g < n_genes; g++) {
        map[g] = total[g] > 0 ? kept : -1;
        if (total[g] > 0) p->gene[kept++] = g;
    }
    (void)ql_csr_keep_columns(&p->seen, map, kept);
    p->select_lost = ql_csr_keep_columns(&p->select, map, kept);
    p->report_lost = ql_csr_keep_columns(&p->report, map, kept);
out:
    ql_free(total);
    ql_free(map);
    return st;
}

/* The covariates of the drawn cells: names and levels are those of all. */
static ql_status pick_covariates(const ql_covariates *all, const int64_t *rows, int64_t n,
                                 ql_molecule_parts *p, ql_err *err)
{
    if (!all) return QL_OK;
    const ql_cov_shape shape = ql_covariates_shape(all);
    const int64_t width = ql_cov_width(&shape);
    p->cov = *all;
    p->cov.n_cells = n;
    p->cov.value = NULL;
    QL_TRY(QL_NEW(p->cov.value, n * width, "covariates", err));
    for (int64_t i = 0; i < n; i++)
        memcpy(p->cov.value + i * width, all->value + rows[i] * width,
               (size_t)width * sizeof *all->value);
    return QL_OK;
}

ql_status ql_molecule_parts_make(const ql_rows *counts, const ql_covariates *cov,
                                 int64_t most_cells, uint64_t cell_seed, uint64_t seed,
                                 ql_molecule_parts *p, ql_err *err)
{
    int64_t n = counts->n_rows, *rows = NULL;
    ql_csr rest = {0};
    ql_status st;
    QL_GO(draw_rows(&n, most_cells, cell_seed, &rows, err));
    QL_GO(pick_covariates(cov, rows, n, p, err));
    QL_GO(ql_thin_rows(counts, rows, n, REPORT_SHARE, seed, QL_RNG_TRIALS, &rest, &p->report, err));
    for (int64_t i = 0; i < n; i++) rows[i] = i;
    ql_rows left = ql_rows_of_csr(&rest);
    QL_GO(ql_thin_rows(&left, rows, n, SELECT_SHARE, seed + 1, QL_RNG_TRIALS, &p->seen, &p->select,
                       err));
    QL_GO(keep_seen_genes(p, err));
out:
    ql_csr_free(&rest);
    ql_free(rows);
    return st;
}
