/* What the formats of MatrixMarket files have in common: each is a name, and perhaps a way to
 * change what was read. Private to src/io. */
#ifndef QUELL_IO_MTX_DATASET_H
#define QUELL_IO_MTX_DATASET_H

#include "features_10x.h"
#include "quell/reader.h"

/* How columns of the matrix become columns of the result, as opt->layer has it; apply is NULL where
 * they stay. */
typedef struct {
    void (*apply)(ql_csr *m, const void *fold); /* rows come out in any state */
    int64_t n;                                  /* columns of the result */
    int parts;
} ql_mtx_fold;

QL_MUST_USE ql_status ql_mtx_apply_fold(const ql_mtx_fold *fold, ql_csr *m, ql_err *err);

/* Looks at the features before they are chosen from, and makes them those of the result. */
typedef ql_status (*ql_mtx_change)(ql_features *f, const ql_read_options *opt, ql_mtx_fold *fold,
                                   ql_notes *notes, ql_err *err);

QL_MUST_USE ql_status ql_mtx_sniff(const char *path, const char *format, bool *is, ql_err *err);
QL_MUST_USE ql_status ql_mtx_read_dataset(const char *path, const char *format,
                                          ql_mtx_change change, const ql_reading *r, ql_dataset *ds,
                                          ql_notes *notes, ql_err *err);
QL_MUST_USE ql_status ql_mtx_measure(const char *path, const ql_read_options *opt,
                                     ql_read_sizes *out, ql_err *err);
QL_MUST_USE ql_status ql_mtx_describe(const char *path, const char *format, ql_str *out,
                                      ql_err *err);

/* QL_EUSAGE if the user asked for a layer that the file cannot have. */
QL_MUST_USE ql_status ql_check_layer_used(const ql_read_options *opt, bool used, ql_err *err);

/* alevin-fry's three counts for each gene g: columns g, g-U, g-A (spliced, unspliced, ambiguous) to
 * one, the sum of those that opt->layer names. Does nothing to other features. */
QL_MUST_USE ql_status ql_fold_usa(ql_features *f, const ql_read_options *opt, ql_mtx_fold *fold,
                                  ql_notes *notes, ql_err *err);
bool ql_is_usa(const ql_names *genes);

#endif
