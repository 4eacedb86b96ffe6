/* A fit of scDHA as named values, and back: what its model file holds beside the marks of the
 * format, the options and the names of the genes, which are the caller's (docs/model-file.md). */
#ifndef QUELL_SCDHA_BUNDLE_H
#define QUELL_SCDHA_BUNDLE_H

#include "quell/bundle.h"
#include "quell/scdha_fit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Put everything that applying needs, and how the training went; lends from f. */
QL_MUST_USE ql_status ql_scdha_put(const ql_scdha *f, ql_bundle *b, ql_err *err);

/* The model in b of n_genes genes, for rows whose columns are these. QL_EDATA, naming the entry,
 * for what is missing, of another shape or not finite. Release *out with ql_scdha_free whatever
 * this returns. */
QL_MUST_USE ql_status ql_scdha_take_bundle(const ql_bundle *b, int64_t n_genes, ql_scdha *out,
                                           ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
