/* Records: what numpy calls a structured array, and scanpy keeps its ranked genes in. */
#include <string.h>

#include "../hdf5/h5_error.h"
#include "../hdf5/h5_out.h"
#include "h5ad_writer_internal.h"
#include "quell/alloc.h"

typedef struct {
    const ql_record_field *field;
    int n_fields;
    int64_t n_rows;
    const char *key;
} records;

/* Texts and doubles both take eight bytes. */
enum { CELL = 8 };
_Static_assert(sizeof(char *) == CELL && sizeof(double) == CELL, "a record is made of these");

/* A compound of all fields; negative on failure. */
static hid_t record_type(const records *r)
{
    hid_t text = H5Tcopy(H5T_C_S1), type = -1;
    if (text < 0) return -1;
    if (H5Tset_size(text, H5T_VARIABLE) >= 0 && H5Tset_cset(text, H5T_CSET_UTF8) >= 0)
        type = H5Tcreate(H5T_COMPOUND, (size_t)r->n_fields * CELL);
    for (int f = 0; f < r->n_fields && type >= 0; f++) {
        const hid_t of = r->field[f].texts ? text : H5T_NATIVE_DOUBLE;
        if (H5Tinsert(type, r->field[f].name, (size_t)f * CELL, of) >= 0) continue;
        H5Tclose(type);
        type = -1;
    }
    H5Tclose(text);
    return type;
}

static void fill(const records *r, char *out)
{
    for (int f = 0; f < r->n_fields; f++) {
        const ql_record_field *field = &r->field[f];
        for (int64_t i = 0; i < r->n_rows; i++) {
            char *to = out + (i * r->n_fields + f) * CELL;
            const char *text = field->texts ? ql_name(field->texts, field->at[i]) : NULL;
            memcpy(to, text ? (const void *)&text : &field->numbers[i], CELL);
        }
    }
}

static ql_status write_all(hid_t parent, const char *leaf, const records *r, hid_t type,
                           const void *values, ql_err *err)
{
    const hsize_t n = (hsize_t)r->n_rows;
    const hid_t space = H5Screate_simple(1, &n, NULL), dcpl = ql_h5out_dcpl();
    hid_t set = -1;
    ql_status st = QL_OK;
    /* the library refuses variable-length elements without a fill value */
    if (dcpl >= 0 && r->field[0].texts) H5Pset_fill_time(dcpl, H5D_FILL_TIME_IFSET);
    if (space >= 0 && dcpl >= 0)
        set = H5Dcreate2(parent, leaf, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (set < 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        st = ql_h5_fail(err, QL_EIO, "cannot write %s", r->key);
    if (st == QL_OK) st = ql_h5out_encode(set, "rec-array", "0.2.0", err);
    const ql_status closed = ql_h5out_close(set, r->key, st == QL_OK ? err : NULL);
    if (space >= 0) H5Sclose(space);
    if (dcpl >= 0) H5Pclose(dcpl);
    return st == QL_OK ? closed : st;
}

static ql_status write_records(hid_t parent, const char *leaf, const records *r, ql_err *err)
{
    char *values = NULL;
    QL_TRY(ql_new_((void **)&values, r->n_rows * r->n_fields, CELL, "records", err));
    const hid_t type = record_type(r);
    ql_status st =
        type < 0 ? ql_h5_fail(err, QL_EIO, "cannot make the fields of %s", r->key) : QL_OK;
    if (st == QL_OK) {
        fill(r, values);
        st = write_all(parent, leaf, r, type, values, err);
    }
    if (type >= 0) H5Tclose(type);
    ql_free(values);
    return st;
}

ql_status ql_h5ad_records(ql_h5ad_writer *w, const char *key, const ql_record_field *fields,
                          int n_fields, int64_t n_rows, ql_err *err)
{
    const records r = {fields, n_fields, n_rows, key};
    hid_t parent = -1;
    const char *leaf = NULL;
    QL_TRY(ql_h5ad_note(w, "records", key, err));
    ql_status st = ql_h5ad_open_parent(w, key, &parent, &leaf, err);
    if (st == QL_OK) st = write_records(parent, leaf, &r, err);
    const ql_status closed = ql_h5out_close(parent, key, st == QL_OK ? err : NULL);
    return ql_h5ad_done(w, st == QL_OK ? closed : st, err);
}
