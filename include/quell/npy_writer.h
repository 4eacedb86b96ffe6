/* Writing a float32 matrix as numpy's .npy (version 1.0, C order), in bands of rows, with the names
 * of its rows and columns in text files beside it, one a line.
 *
 * X.npy has its names in X.cells.txt and X.genes.txt. All appear together, the matrix last; a
 * failure or a signal leaves nothing behind. Memory held is the caller's band. */
#ifndef QUELL_NPY_WRITER_H
#define QUELL_NPY_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/frame.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const ql_names *cells, *genes; /* borrowed until the commit */
    bool genes_are_rows;
    const char *in_path; /* not to be overwritten; may be NULL */
    bool force;
} ql_npy_spec;

typedef struct ql_npy ql_npy;

/* Before any work: can the three files be written? As ql_output_check. */
QL_MUST_USE ql_status ql_npy_check(const char *path, const char *in_path, bool force, ql_err *err);

QL_MUST_USE ql_status ql_npy_begin(const char *path, const ql_npy_spec *spec, ql_npy **out,
                                   ql_err *err);

/* The next n rows, [n, columns]. */
QL_MUST_USE ql_status ql_npy_rows(ql_npy *w, const float *rows, int64_t n, ql_err *err);

/* After all rows. w is freed in any case. */
QL_MUST_USE ql_status ql_npy_commit(ql_npy *w, ql_err *err);
void ql_npy_abort(ql_npy *w); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
