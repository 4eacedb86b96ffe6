/* How the chunks of a dataset are stored, as far as they can be decoded here in the place of
 * libhdf5, and the decoding of one. Private to src/io/hdf5. */
#ifndef QUELL_IO_CHUNK_PIPELINE_H
#define QUELL_IO_CHUNK_PIPELINE_H

#include "h5_read.h"

enum { QL_PIPELINE_STEPS = 4 };

/* The filters in the order they were applied, and what a chunk must become. */
typedef struct {
    int n_steps;
    H5Z_filter_t step[QL_PIPELINE_STEPS];
    int64_t rows, cols; /* of a chunk; a list is one column */
    int64_t width;      /* columns of the dataset */
    size_t size;        /* bytes of an element */
    size_t bytes;       /* of a decoded chunk */
    unsigned char fill[16];
} ql_pipeline;

/* A chunk as it is in the file. */
typedef struct {
    unsigned char *bytes;
    size_t n;         /* 0: never written, holds the fill value */
    uint32_t skipped; /* bit i: filter i was not applied */
} ql_stored_chunk;

/* Of a dataset whose chunks are to be decoded here; false when they have to be left to libhdf5. */
bool ql_pipeline_of(const ql_h5r_array *a, ql_pipeline *p);

/* Of a dataset that libhdf5 is to read, to look whether its chunks decode to their full size; false
 * where that cannot be found out. */
bool ql_pipeline_to_check(const ql_h5r_array *a, ql_pipeline *p);

/* Without filters libhdf5 takes the size of chunks from the layout when it is asked, but from the
 * chunk's entry in the index when it reads, however little room there is. Do all entries agree with
 * the layout, as far as that can be found out? */
bool ql_pipeline_sizes_hold(const ql_h5r_array *a, const ql_pipeline *p);

/* Bytes that decoding takes as `work`. */
size_t ql_pipeline_work_bytes(const ql_pipeline *p);

/* The decoded chunk, p->bytes long, or NULL when it is damaged. It is at home (NULL: nowhere in
 * particular) when home is given and there was a filter to undo; else in work, or still where it
 * was stored. */
const unsigned char *ql_pipeline_decode(const ql_pipeline *p, const ql_stored_chunk *s,
                                        unsigned char *work, unsigned char *home);

/* A chunk that was never written, made in out. */
const unsigned char *ql_pipeline_fill(const ql_pipeline *p, unsigned char *out);

#endif
