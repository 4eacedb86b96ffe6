/* A run split over cells: `quell apply --shard I/N` does a part, `quell merge` gathers them.
 * Private to src/cmd. */
#ifndef QL_SHARD_H
#define QL_SHARD_H

#include "quell/dataset.h"
#include "quell/h5ad_writer.h"
#include "quell/option.h"

/* Where a part says which it is. */
#define SHARD_KEY "uns/quell/shard"

enum { SHARD_MOST = 1000000, SHARD_VERSION = 1, SHARD_HASH = 24 };

/* Part number 1 .. of; of is 0 where nothing is split. */
typedef struct {
    int64_t number, of;
} shard_spec;

/* "I/N"; NULL: nothing is split. QL_EUSAGE. */
QL_MUST_USE ql_status shard_parse(const char *text, shard_spec *out, ql_err *err);

/* Cells first .. first + n - 1. */
typedef struct {
    int64_t first, n;
} cell_range;

/* Those of a part, out of n_cells; all of them where nothing is split. Together the parts tile the
 * cells; with more parts than cells some are empty. */
cell_range shard_range(shard_spec s, int64_t n_cells);

/* What all parts of a run share, and its input has. */
typedef struct {
    char names[SHARD_HASH]; /* of cells and genes */
    char counts[SHARD_HASH];
    char model[SHARD_HASH]; /* the bytes of its file */
} shard_marks;

/* Of the dataset as it was read; of the model's file if there is one (QL_ENOINPUT). */
QL_MUST_USE ql_status shard_marks_make(const ql_dataset *ds, const char *model, shard_marks *out,
                                       ql_err *err);

/* Start a part: a file of the range's cells and all genes, without counts. */
QL_MUST_USE ql_status shard_begin(const char *path, const ql_dataset *ds, cell_range range,
                                  const ql_write_options *opt, ql_h5ad_writer **out, ql_err *err);

/* The last of a part: which it is, and what was written into it. */
typedef struct {
    shard_spec spec;
    int64_t n_cells; /* of the input */
    const shard_marks *marks;
    const ql_opts *opts; /* of the run */
    int deflate;
} shard_header;

QL_MUST_USE ql_status shard_write_header(const shard_header *h, ql_h5ad_writer *w, ql_err *err);

#endif
