/* Writing names and annotation columns as a text table, one line a cell or gene, as pandas'
 * to_csv() does: an empty corner, True and False, an empty field for NaN. Floats have the fewest
 * digits that read back the same. */
#ifndef QUELL_FRAME_TABLE_H
#define QUELL_FRAME_TABLE_H

#include <stdbool.h>

#include "quell/frame.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *in_path; /* not to be overwritten; may be NULL */
    bool force;
    int threads;
} ql_frame_table_options;

/* Commas, or tabs when path ends in .tsv or .tsv.gz; gzip when it ends in .gz. Nothing is left
 * behind on failure: QL_ECREATE, QL_EUSAGE, QL_EIO, QL_EMEMORY, QL_EINT / QL_ETERM. */
QL_MUST_USE ql_status ql_frame_table_write(const char *path, const ql_frame *frame,
                                           const ql_frame_table_options *opt, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
