/* Reading count matrices: format found by content, one registry row per format. */
#ifndef QUELL_READER_H
#define QUELL_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/dataset.h"
#include "quell/notes.h"
#include "quell/status.h"
#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which side of a file's table or matrix is the cells'. */
typedef enum { QL_ORIENT_AUTO, QL_ORIENT_CELLS_X_GENES, QL_ORIENT_GENES_X_CELLS } ql_orient;

/* What the user asked of a reader; zero-initialised means "decide yourself". Strings are borrowed.
 */
typedef struct {
    const char *format; /* registry name, overrides detection; NULL: detect */
    const char *layer;  /* h5ad: layers/<layer> is the matrix */
    bool use_raw;       /* h5ad: raw/X is the matrix */
    bool use_x;         /* h5ad: X is the matrix even if it holds no counts */
    const char
        *feature_type;      /* 10x: kept feature type; NULL: "Gene Expression"; "all": every one */
    const char *genome;     /* 10x: kept genome; NULL: all */
    const char *modality;   /* h5mu: the modality; NULL: "rna", else the only one */
    const char *dataset;    /* plain HDF5: path of the dataset [cells, genes] */
    const char *genes_file; /* matrices without names: one gene a line; NULL: beside the file */
    const char *barcodes_file; /* the same of the cells */
    ql_orient orient;          /* text: which side the cells are on */
    bool no_header;            /* tables: the first line holds values, columns are numbered */
    bool no_row_names;         /* tables: the first column holds values, rows are numbered */
    bool allow_short;          /* mtx: fewer entries than announced are a warning, not an error */
    bool allow_noncounts;      /* fractions are a warning, not an error */
    bool only_look;            /* so are negative and non-finite entries */
    bool columns; /* fill the columns of cells and genes also where an output may copy the file, and
                   * ds->others */
    int threads;  /* at least 1 */
} ql_read_options;

/* path is a file, a folder, or, for text formats, "-" (standard input), a FIFO or a device, which
 * messages call "<stdin>" or by its name; a file that standard input is redirected from may be of
 * any format and is called /dev/stdin. What came through a pipe is kept to the end of the
 * process and read again by the next call of the same name.
 *
 * Read path into *ds (zero-initialised by the caller; filled only on success). Decisions and
 * warnings go to notes. Errors: QL_ENOINPUT (missing, unreadable), QL_EDATA (malformed, no counts,
 * empty), QL_EMEMORY. The message names path, dataset or line, index and value. */
QL_MUST_USE ql_status ql_read_counts(const char *path, const ql_read_options *opt, ql_dataset *ds,
                                     ql_notes *notes, ql_err *err);

/* The same with the counts in a store in folder (ds->store), read in bands where the format allows,
 * otherwise whole before they go there. near_bytes: as in ql_store_finish. Also QL_ECREATE, QL_EIO:
 * the folder cannot be written. */
QL_MUST_USE ql_status ql_read_streamed(const char *path, const ql_read_options *opt,
                                       const char *folder, int64_t near_bytes, ql_dataset *ds,
                                       ql_notes *notes, ql_err *err);

/* What is known of the counts before they are read, so that memory can be planned. */
typedef struct {
    int64_t n_rows, n_cols; /* 0: nothing is known */
    int64_t nnz, max_row;   /* at most */
    bool rough;             /* nnz may be far too high: a dense matrix */
    bool streams;           /* can be read in bands */
    int64_t whole_bytes;    /* held while it is read whole, beside the result; of a matrix of which
                             * nothing is known, the result included, as a guess from its bytes */
    int64_t band_bytes;     /* and while it is read in bands */
    int64_t sort_bytes;     /* of a temporary file while it is read in bands, beside the store */
} ql_read_sizes;

/* Fails as ql_format_detect does. */
QL_MUST_USE ql_status ql_read_measure(const char *path, const ql_read_options *opt,
                                      ql_read_sizes *out, ql_err *err);

/* obsm/key of the h5ad at path as columns of out, whose index is the names of the cells: "key_1",
 * "key_2", ... as float64, or the columns of a frame. QL_ENOINPUT, QL_EDATA, QL_EMEMORY. */
QL_MUST_USE ql_status ql_read_obsm(const char *path, const char *key, ql_frame *out, ql_err *err);

/* What a format reads with: these options, and where bands go. Known to src/io alone. */
typedef struct ql_reading ql_reading;

/* One format. */
typedef struct {
    const char *name;    /* identity, used by --format and stored in outputs */
    const char *summary; /* one line for help and docs */
    /* *is: path holds this format, by its content. QL_EMEMORY alone says that this is not known;
     * what else fails is told when it is read. */
    ql_status (*sniff)(const char *path, bool *is, ql_err *err);
    ql_status (*read)(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                      ql_err *err);
    /* What is in the file, for `quell info`: text lines appended to out. NULL: shape only. */
    ql_status (*describe)(const char *path, ql_str *out, ql_err *err);
    /* How large the counts are, into a zeroed *out, which stays so where it does not show before
     * they are read. NULL: it never does. */
    ql_status (*measure)(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                         ql_err *err);
} ql_format;

extern const ql_format *const ql_formats[]; /* NULL-terminated, in order of detection */

/* The format of path; fails with QL_ENOINPUT or QL_EDATA and names what was found instead, or with
 * QL_EMEMORY. */
QL_MUST_USE ql_status ql_format_detect(const char *path, const ql_read_options *opt,
                                       const ql_format **out, ql_err *err);

/* What format->describe says of path; nothing where it has nothing to say. */
QL_MUST_USE ql_status ql_describe_input(const ql_format *format, const char *path, ql_str *out,
                                        ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
