/* Writing a count matrix with its names and annotation: one registry row a format.
 *
 * Every result is written under a temporary name and renamed when it is complete; a failure or a
 * signal leaves nothing behind. The same data gives the same bytes for any number of threads, at
 * any time, in any folder (compressed parts depend on the compressor of the build, too). */
#ifndef QUELL_OUT_FORMAT_H
#define QUELL_OUT_FORMAT_H

#include <stdbool.h>

#include "quell/dataset.h"
#include "quell/notes.h"
#include "quell/reader.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    bool force;      /* replace an existing output */
    int deflate;     /* 0: none, 1-9: gzip level; -1: the format's own. What is gzip by its name
                      * (.gz) or by the format is compressed in any case */
    int threads;     /* at least 1 */
    ql_orient rows;  /* tables and arrays: which side is the rows; QL_ORIENT_AUTO: the usual one */
    bool new_matrix; /* h5ad from h5ad: X is ds's matrix, not the file's own X */
} ql_out_options;

/* One format. */
typedef struct {
    const char *name;              /* identity, used by --to */
    const char *summary;           /* one line for help and docs */
    const char *const *extensions; /* of file names, NULL-terminated; NULL: none */
    /* What it holds beside counts and names: every annotation column, or these columns of the
     * genes (NULL-terminated; NULL: none). */
    bool all_columns;
    const char *const *gene_columns;
    const char *carries; /* input format whose other members are kept; NULL: none */
    /* Can path be written? As ql_output_check; NULL: path is one file. */
    ql_status (*check)(const char *path, const char *in_path, bool force, ql_err *err);
    /* ds->path is the input, which is not overwritten. */
    ql_status (*write)(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                       ql_notes *notes, ql_err *err);
} ql_out_format;

extern const ql_out_format *const ql_out_formats[]; /* NULL-terminated */

/* The format of the output at path: name decides (NULL: the extension of path). QL_EUSAGE with the
 * list of what there is. */
QL_MUST_USE ql_status ql_out_format_find(const char *name, const char *path,
                                         const ql_out_format **out, ql_err *err);

/* Before any work: can the output be written? QL_ECREATE, QL_EUSAGE. */
QL_MUST_USE ql_status ql_out_format_check(const ql_out_format *format, const char *path,
                                          const char *in_path, bool force, ql_err *err);

/* One warning that lists what of ds (its columns, and ds->others) the format has no place for;
 * nothing when all is kept. */
QL_MUST_USE ql_status ql_out_format_losses(const ql_out_format *format, const ql_dataset *ds,
                                           ql_notes *notes, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
