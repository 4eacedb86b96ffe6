/* Small matrices, written at once, and the values of uns. */
#include <inttypes.h>
#include <stdio.h>

#include "../hdf5/h5_out.h"
#include "h5ad_writer_internal.h"

enum {
    SMALL_BYTES = 1 << 20, /* arrays up to this stay contiguous */
    SMALL_CHUNK_ROWS = 1024,
    SMALL_CHUNK_COLS = 256, /* 1 MiB together: the readers' cache */
};

static ql_status write_matrix(ql_h5ad_writer *w, const char *key, const float *data, int64_t n_rows,
                              int64_t n_cols, ql_err *err)
{
    ql_chunk_spec spec = {.type = H5T_NATIVE_FLOAT,
                          .rank = 2,
                          .n_rows = n_rows,
                          .n_cols = n_cols,
                          .chunk_rows = SMALL_CHUNK_ROWS,
                          .chunk_cols = SMALL_CHUNK_COLS,
                          .threads = w->opt.threads,
                          .encode = true};

    QL_TRY(ql_h5ad_note(w, "matrix", key, err));
    QL_TRY(ql_h5ad_check_shape(w, key, n_rows, n_cols, err));
    if (n_cols > 0 && n_rows > SMALL_BYTES / 4 / n_cols) spec.level = w->opt.deflate;
    QL_TRY(ql_h5ad_open_parent(w, key, &spec.parent, &spec.name, err));
    ql_status st = ql_chunks_write(&spec, data, err);
    return ql_h5ad_close_parent(spec.parent, key, st, err);
}

ql_status ql_h5ad_matrix(ql_h5ad_writer *w, const char *key, const float *data, int64_t n_rows,
                         int64_t n_cols, ql_err *err)
{
    return ql_h5ad_done(w, write_matrix(w, key, data, n_rows, n_cols, err), err);
}

ql_status ql_h5ad_claim(ql_h5ad_writer *w, const char *key, ql_err *err)
{
    hid_t parent = -1;
    const char *leaf = NULL;
    QL_TRY(ql_h5ad_note(w, "claim", key, err));
    ql_status st = ql_h5ad_open_parent(w, key, &parent, &leaf, err);
    if (st == QL_OK) st = ql_h5out_close(parent, key, err);
    return ql_h5ad_done(w, st, err);
}

/* A value of uns: a text when type is negative, else numbers; n negative: a scalar. */
typedef struct {
    hid_t type;
    int64_t n;
    const void *data; /* char, ql_names or numbers */
} uns_value;

static ql_status write_value(hid_t parent, const char *leaf, const uns_value *v, ql_err *err)
{
    if (v->type < 0 && v->n < 0) return ql_h5out_string(parent, leaf, v->data, err);
    if (v->type < 0) return ql_h5out_strings(parent, leaf, v->data, err);
    if (v->n < 0) return ql_h5out_number(parent, leaf, v->type, v->data, err);
    return ql_h5out_array(parent, leaf, v->type, v->n, v->data, err);
}

static ql_status put(ql_h5ad_writer *w, const char *key, const uns_value *v, ql_err *err)
{
    hid_t parent = -1;
    const char *leaf = NULL;
    QL_TRY(ql_h5ad_note(w, "value", key, err));
    ql_status st = ql_h5ad_open_parent(w, key, &parent, &leaf, err);
    if (st != QL_OK) return ql_h5ad_done(w, st, err);
    st = write_value(parent, leaf, v, err);
    return ql_h5ad_done(w, ql_h5ad_close_parent(parent, key, st, err), err);
}

ql_status ql_h5ad_string(ql_h5ad_writer *w, const char *key, const char *value, ql_err *err)
{
    return put(w, key, &(uns_value){-1, -1, value}, err);
}

ql_status ql_h5ad_double(ql_h5ad_writer *w, const char *key, double value, ql_err *err)
{
    return put(w, key, &(uns_value){H5T_NATIVE_DOUBLE, -1, &value}, err);
}

ql_status ql_h5ad_int(ql_h5ad_writer *w, const char *key, int64_t value, ql_err *err)
{
    return put(w, key, &(uns_value){H5T_NATIVE_INT64, -1, &value}, err);
}

ql_status ql_h5ad_hash(ql_h5ad_writer *w, const char *key, uint64_t hash, ql_err *err)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016" PRIx64, hash);
    return ql_h5ad_string(w, key, text, err);
}

ql_status ql_h5ad_strings(ql_h5ad_writer *w, const char *key, const ql_names *values, ql_err *err)
{
    return put(w, key, &(uns_value){-1, values->n, values}, err);
}

ql_status ql_h5ad_doubles(ql_h5ad_writer *w, const char *key, const double *values, int64_t n,
                          ql_err *err)
{
    return put(w, key, &(uns_value){H5T_NATIVE_DOUBLE, n, values}, err);
}
