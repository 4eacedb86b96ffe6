#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/trainer.h"
#include "shuffle.h"

/* Move the last n_valid of `cells` to the validation list. */
static ql_status divide(const int64_t *cells, int64_t n, int64_t n_valid, ql_split *s, ql_err *err)
{
    s->n_train = n - n_valid;
    s->n_valid = n_valid;
    QL_TRY(QL_NEW(s->train, s->n_train, "training cells", err));
    QL_TRY(QL_NEW(s->valid, s->n_valid, "validation cells", err));
    memcpy(s->train, cells, (size_t)s->n_train * sizeof *cells);
    memcpy(s->valid, cells + s->n_train, (size_t)n_valid * sizeof *cells);
    /* the blocks that an epoch shuffles are neighbours in the file */
    if (s->n_train > QL_WINDOW_ROWS) ql_rows_sort(s->train, s->n_train);
    return QL_OK;
}

/* How many of n cells a share is: as the reference counts, the other part is rounded down; one is
 * left at least. */
static int64_t share_of(int64_t n, double share)
{
    int64_t part = n - (int64_t)((double)n * (1 - share));
    return part < n ? part : n - 1;
}

int64_t ql_scvi_validation(int64_t n, const ql_train_options *opt)
{
    int64_t train = (int64_t)ceil((double)n * (1 - opt->validation));
    const int64_t rest = opt->batch_size > 0 ? train % opt->batch_size : 0;
    /* batch norm has no use for so few */
    if (rest == 1 || rest == 2) train -= rest;
    return train > 0 ? n - train : n - 1;
}

/* Take the test cells out of the n cells, which stay in order; returns how many are left. */
static ql_status take_test(const ql_train_options *opt, int64_t *cells, int64_t *n, ql_split *s,
                           ql_err *err)
{
    const int64_t n_test = opt->test > 0 ? share_of(*n, opt->test) : 0;
    if (n_test <= 0) return QL_OK;
    QL_TRY(QL_NEW(s->test, n_test, "test cells", err));
    ql_rng rng = ql_rng_start(opt->seed, QL_RNG_SPLIT, 1, 0);
    ql_rng_shuffle(&rng, cells, *n);
    *n -= n_test;
    s->n_test = n_test;
    memcpy(s->test, cells + *n, (size_t)n_test * sizeof *cells);
    ql_rows_sort(s->test, n_test);
    ql_rows_sort(cells, *n);
    return QL_OK;
}

static ql_status draw(const ql_prep *prep, const ql_train_options *opt, ql_split *s, ql_err *err)
{
    int64_t n = prep->n_kept_cells, *cells = NULL;
    ql_status st;
    QL_GO(QL_NEW(cells, n, "cell order", err));
    memcpy(cells, prep->kept_cell, (size_t)n * sizeof *cells);
    QL_GO(take_test(opt, cells, &n, s, err));
    int64_t n_valid = opt->scvi_split ? ql_scvi_validation(n, opt) : share_of(n, opt->validation);
    if (n_valid > QL_VALID_CELLS) n_valid = QL_VALID_CELLS;
    if (!opt->validation_last) {
        ql_rng rng = ql_rng_start(opt->seed, QL_RNG_SPLIT, 0, 0);
        ql_rng_shuffle(&rng, cells, n);
    }
    QL_GO(divide(cells, n, n_valid, s, err));
out:
    ql_free(cells);
    return st;
}

ql_status ql_split_cells(const ql_rows *counts, const ql_prep *prep, const ql_train_options *opt,
                         ql_split *out, ql_err *err)
{
    int64_t *rows = NULL;
    ql_status st;
    *out = (ql_split){0};
    QL_GO(draw(prep, opt, out, err));
    if (!opt->molecules || out->n_valid == 0) goto out;
    QL_GO(ql_thin_rows(counts, out->valid, out->n_valid, QL_HELD_SHARE, opt->seed, QL_RNG_THIN,
                       &out->report_seen, &out->report_held, err));
    QL_GO(ql_rows_list(out->n_valid, &rows, err));
    ql_rows seen = ql_rows_of_csr(&out->report_seen);
    QL_GO(ql_thin_rows(&seen, rows, out->n_valid, QL_HELD_SHARE / (1 - QL_HELD_SHARE),
                       opt->seed + 1, QL_RNG_THIN, &out->stop_seen, &out->stop_held, err));
out:
    ql_free(rows);
    if (st != QL_OK) ql_split_free(out);
    return st;
}

int64_t ql_thinned_bytes(const ql_rows *counts, const ql_train_options *opt)
{
    enum { ENTRY_BYTES = 2 * 8, ROW_BYTES = 2 * 16 };
    double n_valid = (double)counts->n_rows * opt->validation;
    if (n_valid > QL_VALID_CELLS) n_valid = QL_VALID_CELLS;
    const double per_row = counts->n_rows > 0 ? (double)counts->nnz / (double)counts->n_rows : 0;
    return (int64_t)(n_valid * (per_row * ENTRY_BYTES + ROW_BYTES));
}

void ql_split_free(ql_split *s)
{
    ql_free(s->train);
    ql_free(s->valid);
    ql_free(s->test);
    ql_csr_free(&s->stop_seen);
    ql_csr_free(&s->stop_held);
    ql_csr_free(&s->report_seen);
    ql_csr_free(&s->report_held);
    *s = (ql_split){0};
}
