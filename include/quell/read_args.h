/* Options of the commands that read counts. List {ql_read_rows, offsetof(S, read)} in .tables. */
#ifndef QUELL_READ_ARGS_H
#define QUELL_READ_ARGS_H

#include "quell/command.h"
#include "quell/reader.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *format, *layer, *feature_type, *genome;
    const char *modality, *dataset, *genes_file, *barcodes_file, *orient;
    bool use_raw, use_x, header, row_names, allow_short, transpose;
} ql_read_args;

extern const ql_option ql_read_rows[];

/* What the reader is asked; strings are borrowed from args. QL_EUSAGE when two options name
 * different matrices. */
QL_MUST_USE ql_status ql_read_args_options(const ql_read_args *args, int threads,
                                           ql_read_options *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
