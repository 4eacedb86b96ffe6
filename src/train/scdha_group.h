/* Networks of one kind that are trained side by side, an epoch at a time. Private to src/train. */
#ifndef QL_SCDHA_GROUP_H
#define QL_SCDHA_GROUP_H

#include "quell/scdha_fit.h"

/* One network with its cells. */
typedef struct {
    uint64_t seed;
    const ql_csr *cells;
    ql_csr own;     /* where they are this network's alone */
    int64_t *order; /* owned */
    ql_wide_batch batch;
    ql_scdha_filter filter; /* one of the two is in use */
    ql_scdha_net net;
    double loss;                    /* mean of the last epoch's steps */
    int64_t skipped, epoch_skipped; /* steps without an update */
    bool cut;                       /* a signal ended the epoch early */
} scdha_unit;

typedef struct {
    const ql_scdha_options *opt;
    const ql_kern *kern;
    bool filter;
    int64_t n_cells, batch_size, n_columns;
    int n;
    scdha_unit unit[QL_SCDHA_MOST_MODELS];
    ql_csr shared; /* the cells of all, where each has all */
    int64_t epoch; /* done */
    bool may_cut;  /* a signal may end an epoch early: its state is not kept */
} scdha_group;

/* Where the cells come from. */
typedef struct {
    const ql_scdha_scale *scale;
    const ql_rows *rows;
    const int32_t *column; /* NULL: all kept genes */
    int64_t n_columns;
} scdha_source;

QL_MUST_USE ql_status scdha_group_new(scdha_group *g, const ql_scdha_options *opt, bool filter,
                                      const scdha_source *from, const ql_kern *kern, ql_err *err);
void scdha_group_free(scdha_group *g);

/* One epoch of every network; mean losses in unit[].loss. */
QL_MUST_USE ql_status scdha_group_epoch(scdha_group *g, ql_err *err);

#endif
