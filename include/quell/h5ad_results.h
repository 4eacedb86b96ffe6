/* Looking up single results in an h5ad: texts, figures, columns of a dense layer. Nothing the file
 * says is trusted; what is absent or of another kind is simply not found. */
#ifndef QUELL_H5AD_RESULTS_H
#define QUELL_H5AD_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/frame.h"
#include "quell/status.h"
#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ql_h5ad_results ql_h5ad_results;

/* QL_ENOINPUT, QL_EDATA. Release with ql_results_close. */
QL_MUST_USE ql_status ql_results_open(const char *path, ql_h5ad_results **out, ql_err *err);
void ql_results_close(ql_h5ad_results *r); /* NULL is allowed */

/* A text appended to out; a number; up to `most` numbers of a list into out, *n of them. */
bool ql_results_text(const ql_h5ad_results *r, const char *path, ql_str *out);
bool ql_results_number(const ql_h5ad_results *r, const char *path, double *out);
bool ql_results_numbers(const ql_h5ad_results *r, const char *path, int64_t most, double *out,
                        int64_t *n);

/* A list of texts, at most `most`. */
bool ql_results_texts(const ql_h5ad_results *r, const char *path, int64_t most, ql_names *out);

/* Names of the members of a group, at most `most`. */
bool ql_results_members(const ql_h5ad_results *r, const char *path, int64_t most, ql_names *out);

/* The dense matrix [n_cells, n_genes] at path, read in bands: column gene[k] into out[k * n_cells].
 * *found is false when there is no dense matrix of that shape. */
typedef struct {
    int64_t n_cells, n_genes;
    const int64_t *gene; /* [n] */
    int n, threads;
} ql_results_pick;
QL_MUST_USE ql_status ql_results_columns(const ql_h5ad_results *r, const char *path,
                                         const ql_results_pick *pick, float *out, bool *found,
                                         ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
