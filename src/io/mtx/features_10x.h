/* The features of a 10x matrix: which are kept, and what becomes of their columns. Private to
 * src/io. */
#ifndef QUELL_IO_FEATURES_10X_H
#define QUELL_IO_FEATURES_10X_H

#include "quell/reader.h"

/* Parallel lists, one entry per feature. type and genome are empty lists when the file has none; a
 * file without types holds genes only. */
typedef struct {
    ql_names id, name, type, genome;
} ql_features;

void ql_features_free(ql_features *f);

/* Keep what opt asks for (by default "Gene Expression") of m [cells, features] and set ds->counts
 * and ds->genes (index: names; columns gene_ids, feature_types, genome). m is consumed: its arrays
 * move or are released. Notes say what was dropped. */
QL_MUST_USE ql_status ql_features_apply(const ql_features *f, const ql_read_options *opt, ql_csr *m,
                                        ql_dataset *ds, ql_notes *notes, ql_err *err);

/* The part of it that needs no matrix: ds->genes, and *keep [features], owned by the caller; NULL
 * when all are kept. */
QL_MUST_USE ql_status ql_features_choose(const ql_features *f, const ql_read_options *opt,
                                         uint8_t **keep, ql_dataset *ds, ql_notes *notes,
                                         ql_err *err);

/* Append how often each value occurs: "32738 Gene Expression, 12 Custom". */
void ql_tally_text(const ql_names *values, ql_str *out);

#endif
