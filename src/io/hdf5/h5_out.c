#include "h5_out.h"

#include <string.h>

#include "h5_error.h"
#include "quell/alloc.h"

enum { MAX_ATTR_STRINGS = 10 * 1000 * 1000 }; /* far above any number of columns */

static ql_status cannot_write(ql_err *err, const char *name)
{
    return ql_h5_fail(err, QL_EIO, "cannot write %s", name);
}

/* Access properties of outputs: the temporary is ours alone, so no locks (network file systems
 * refuse them), and fixed format versions, so that bytes do not depend on the library's defaults.
 */
static hid_t file_access(H5F_libver_t high)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (fapl < 0) return fapl;
    if (H5Pset_file_locking(fapl, false, true) >= 0 &&
        H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, high) >= 0) {
        return fapl;
    }
    H5Pclose(fapl);
    return H5I_INVALID_HID;
}

ql_status ql_h5out_create_plain(const char *path, hid_t *out, ql_err *err)
{
    hid_t fapl = file_access(H5F_LIBVER_V18), fcpl = H5Pcreate(H5P_FILE_CREATE), file = -1;

    if (fapl >= 0 && fcpl >= 0 && H5Pset_obj_track_times(fcpl, false) >= 0) {
        file = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    }
    ql_status st = file < 0 ? ql_h5_fail(err, QL_EIO, "cannot start the file") : QL_OK;
    H5Pclose(fapl);
    H5Pclose(fcpl);
    if (st == QL_OK) *out = file;
    return st;
}

ql_status ql_h5out_create_file(const char *path, hid_t *out, ql_err *err)
{
    hid_t file = -1;
    QL_TRY(ql_h5out_create_plain(path, &file, err));
    ql_status st = ql_h5out_encode(file, "anndata", "0.1.0", err);
    if (st != QL_OK)
        H5Fclose(file);
    else
        *out = file;
    return st;
}

ql_status ql_h5out_open_file(const char *path, hid_t *out, ql_err *err)
{
    /* The user's file may hold objects of newer formats. */
    hid_t fapl = file_access(H5F_LIBVER_LATEST);
    hid_t file = fapl < 0 ? fapl : H5Fopen(path, H5F_ACC_RDWR, fapl);
    ql_status st = file < 0 ? ql_h5_fail(err, QL_EIO, "cannot add to the input's copy") : QL_OK;
    H5Pclose(fapl);
    if (st == QL_OK) *out = file;
    return st;
}

ql_status ql_h5out_close_file(hid_t file, ql_err *err)
{
    bool flushed = H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
    ql_status st = flushed ? QL_OK : ql_h5_fail(err, QL_EIO, "cannot write the last blocks");
    if (H5Fclose(file) < 0 && st == QL_OK) st = ql_h5_fail(err, QL_EIO, "cannot close the file");
    return st;
}

static hid_t string_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
        return type;
    H5Tclose(type);
    return H5I_INVALID_HID;
}

/* anndata and h5py know a bool by exactly this enumeration. */
static hid_t bool_type(void)
{
    const signed char no = 0, yes = 1;
    hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    if (type >= 0 && H5Tenum_insert(type, "FALSE", &no) >= 0 &&
        H5Tenum_insert(type, "TRUE", &yes) >= 0) {
        return type;
    }
    H5Tclose(type);
    return H5I_INVALID_HID;
}

/* Pointers to the strings, as HDF5 wants them; free with ql_free. */
static ql_status pointers(const ql_names *names, const char ***out, ql_err *err)
{
    const char **p = NULL;
    QL_TRY(QL_NEW(p, names->n, "pointers to names", err));
    for (int64_t i = 0; i < names->n; i++) p[i] = ql_name(names, i);
    *out = p;
    return QL_OK;
}

static hid_t space_of(int64_t n)
{
    const hsize_t dims = (hsize_t)n;
    return n < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &dims, NULL);
}

static ql_status attr_failed(ql_err *err, const char *name)
{
    return ql_h5_fail(err, QL_EIO, "cannot write attribute %s", name);
}

/* n < 0: a scalar. */
static ql_status write_attr(hid_t obj, const char *name, hid_t type, int64_t n, const void *values,
                            ql_err *err)
{
    hid_t space = space_of(n), attr = -1;
    bool ok = space >= 0 && type >= 0;
    ql_status st = QL_OK;

    if (ok && H5Aexists(obj, name) > 0) ok = H5Adelete(obj, name) >= 0;
    if (ok) attr = H5Acreate2(obj, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0 || (n != 0 && H5Awrite(attr, type, values) < 0)) st = attr_failed(err, name);
    if (attr >= 0 && H5Aclose(attr) < 0 && st == QL_OK) st = attr_failed(err, name);
    if (space >= 0) H5Sclose(space);
    return st;
}

ql_status ql_h5out_attr_string(hid_t obj, const char *name, const char *value, ql_err *err)
{
    hid_t type = string_type();
    ql_status st = write_attr(obj, name, type, -1, &value, err);
    if (type >= 0) H5Tclose(type);
    return st;
}

ql_status ql_h5out_attr_strings(hid_t obj, const char *name, const ql_names *values, ql_err *err)
{
    const char **p = NULL;
    QL_TRY(pointers(values, &p, err));
    hid_t type = string_type();
    ql_status st = write_attr(obj, name, type, values->n, p, err);
    if (type >= 0) H5Tclose(type);
    ql_free((void *)p);
    return st;
}

ql_status ql_h5out_attr_int64s(hid_t obj, const char *name, const int64_t *values, int n,
                               ql_err *err)
{
    return write_attr(obj, name, H5T_NATIVE_INT64, n, values, err);
}

ql_status ql_h5out_attr_number(hid_t obj, const char *name, hid_t type, const void *value,
                               ql_err *err)
{
    return write_attr(obj, name, type, -1, value, err);
}

ql_status ql_h5out_attr_bool(hid_t obj, const char *name, bool value, ql_err *err)
{
    const signed char flag = value ? 1 : 0;
    hid_t type = bool_type();
    ql_status st = write_attr(obj, name, type, -1, &flag, err);
    if (type >= 0) H5Tclose(type);
    return st;
}

ql_status ql_h5out_encode(hid_t obj, const char *type, const char *version, ql_err *err)
{
    QL_TRY(ql_h5out_attr_string(obj, "encoding-type", type, err));
    return ql_h5out_attr_string(obj, "encoding-version", version, err);
}

static ql_status read_vlen(hid_t attr, hid_t type, int64_t n, ql_names *out, ql_err *err)
{
    char **text = NULL;
    QL_TRY(QL_NEW(text, n, "names of columns", err));
    hid_t space = H5Aget_space(attr);
    ql_status st = QL_OK;
    if (H5Aread(attr, type, text) < 0) {
        st = ql_h5_fail(err, QL_EDATA, "cannot read strings");
    }
    for (int64_t i = 0; i < n && st == QL_OK; i++) {
        st = ql_names_add(out, text[i] ? text[i] : "", text[i] ? strlen(text[i]) : 0, err);
    }
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, text);
    H5Sclose(space);
    ql_free(text);
    return st;
}

/* Padded with NUL or spaces, perhaps without terminator. */
static ql_status read_fixed(hid_t attr, hid_t type, int64_t n, ql_names *out, ql_err *err)
{
    size_t size = H5Tget_size(type);
    bool spaces = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
    char *text = NULL;
    ql_status st = ql_new_((void **)&text, n, size, "names of columns", err);
    if (st == QL_OK && H5Aread(attr, type, text) < 0) {
        st = ql_h5_fail(err, QL_EDATA, "cannot read strings");
    }
    for (int64_t i = 0; i < n && st == QL_OK; i++) {
        const char *item = text + (size_t)i * size;
        size_t len = strnlen(item, size);
        while (spaces && len > 0 && item[len - 1] == ' ') len--;
        st = ql_names_add(out, item, len, err);
    }
    ql_free(text);
    return st;
}

static ql_status read_strings(hid_t attr, ql_names *out, ql_err *err)
{
    hid_t space = H5Aget_space(attr), type = H5Aget_type(attr);
    int64_t n = (int64_t)H5Sget_simple_extent_npoints(space);
    ql_status st = QL_OK;

    /* pandas gives the empty list of columns the type float64 */
    if (n < 0 || n > MAX_ATTR_STRINGS || (n > 0 && H5Tget_class(type) != H5T_STRING)) {
        st = ql_h5_fail(err, QL_EDATA, "holds no strings");
    } else if (n > 0 && H5Tis_variable_str(type) > 0) {
        st = read_vlen(attr, type, n, out, err);
    } else if (n > 0) {
        st = read_fixed(attr, type, n, out, err);
    }
    H5Tclose(type);
    H5Sclose(space);
    return st;
}

ql_status ql_h5out_read_strings(hid_t obj, const char *name, ql_names *out, ql_err *err)
{
    hid_t attr = H5Aopen(obj, name, H5P_DEFAULT);
    if (attr < 0) return ql_h5_fail(err, QL_EDATA, "has no attribute %s", name);
    ql_status st = read_strings(attr, out, err);
    if (st != QL_OK) ql_context(err, st, "attribute %s", name);
    H5Aclose(attr);
    return st;
}

ql_status ql_h5out_group(hid_t parent, const char *name, const char *type, const char *version,
                         hid_t *out, ql_err *err)
{
    hid_t gcpl = H5Pcreate(H5P_GROUP_CREATE), group = -1;
    if (gcpl >= 0 && H5Pset_obj_track_times(gcpl, false) >= 0) {
        group = H5Gcreate2(parent, name, H5P_DEFAULT, gcpl, H5P_DEFAULT);
    }
    ql_status st = group < 0 ? cannot_write(err, name) : QL_OK;
    if (gcpl >= 0) H5Pclose(gcpl);
    if (st == QL_OK && type) st = ql_h5out_encode(group, type, version, err);
    if (st != QL_OK && group >= 0) H5Gclose(group);
    if (st == QL_OK) *out = group;
    return st;
}

ql_status ql_h5out_dict(hid_t parent, const char *name, hid_t *out, ql_err *err)
{
    if (!ql_h5out_exists(parent, name)) {
        return ql_h5out_group(parent, name, "dict", "0.1.0", out, err);
    }
    hid_t group = H5Gopen2(parent, name, H5P_DEFAULT);
    if (group < 0) return ql_h5_fail(err, QL_ECREATE, "%s exists and is not a group", name);
    *out = group;
    return QL_OK;
}

ql_status ql_h5out_close(hid_t obj, const char *name, ql_err *err)
{
    if (obj < 0 || H5Oclose(obj) >= 0) return QL_OK;
    return cannot_write(err, name);
}

bool ql_h5out_exists(hid_t parent, const char *name)
{
    htri_t there = H5Lexists(parent, name, H5P_DEFAULT);
    if (there < 0) H5Eclear2(H5E_DEFAULT);
    return there > 0;
}

ql_status ql_h5out_delete(hid_t parent, const char *name, ql_err *err)
{
    if (H5Ldelete(parent, name, H5P_DEFAULT) >= 0) return QL_OK;
    return ql_h5_fail(err, QL_EIO, "cannot remove the old %s", name);
}

hid_t ql_h5out_dcpl(void)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    if (dcpl >= 0 && H5Pset_obj_track_times(dcpl, false) >= 0 &&
        H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER) >= 0 &&
        H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY) >= 0) {
        return dcpl;
    }
    if (dcpl >= 0) H5Pclose(dcpl);
    return H5I_INVALID_HID;
}

typedef struct {
    hid_t type;
    int64_t n; /* negative: a scalar */
    const void *values;
    const char *encoding;
} element;

static ql_status write_dataset(hid_t parent, const char *name, const element *e, ql_err *err)
{
    hid_t space = space_of(e->n), dcpl = ql_h5out_dcpl(), set = -1;
    ql_status st = QL_OK;

    /* the library refuses variable-length elements without a fill value */
    if (dcpl >= 0 && H5Tis_variable_str(e->type) > 0) H5Pset_fill_time(dcpl, H5D_FILL_TIME_IFSET);
    if (space >= 0 && dcpl >= 0 && e->type >= 0) {
        set = H5Dcreate2(parent, name, e->type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    }
    bool empty = e->n == 0;
    if (set < 0 ||
        (!empty && H5Dwrite(set, e->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, e->values) < 0)) {
        st = cannot_write(err, name);
    }
    if (st == QL_OK) st = ql_h5out_encode(set, e->encoding, "0.2.0", err);
    if (set >= 0 && H5Dclose(set) < 0 && st == QL_OK) st = cannot_write(err, name);
    if (dcpl >= 0) H5Pclose(dcpl);
    if (space >= 0) H5Sclose(space);
    return st;
}

ql_status ql_h5out_array(hid_t parent, const char *name, hid_t type, int64_t n, const void *values,
                         ql_err *err)
{
    return write_dataset(parent, name, &(element){type, n, values, "array"}, err);
}

ql_status ql_h5out_number(hid_t parent, const char *name, hid_t type, const void *value,
                          ql_err *err)
{
    return write_dataset(parent, name, &(element){type, -1, value, "numeric-scalar"}, err);
}

static ql_status write_bools(hid_t parent, const char *name, int64_t n, const uint8_t *values,
                             ql_err *err)
{
    uint8_t *flags = NULL;
    QL_TRY(QL_NEW(flags, n, "a column of flags", err));
    for (int64_t i = 0; i < n; i++) flags[i] = values[i] != 0;
    hid_t type = bool_type();
    ql_status st = write_dataset(parent, name, &(element){type, n, flags, "array"}, err);
    if (type >= 0) H5Tclose(type);
    ql_free(flags);
    return st;
}

ql_status ql_h5out_strings(hid_t parent, const char *name, const ql_names *values, ql_err *err)
{
    const char **p = NULL;
    QL_TRY(pointers(values, &p, err));
    hid_t type = string_type();
    ql_status st = write_dataset(parent, name, &(element){type, values->n, p, "string-array"}, err);
    if (type >= 0) H5Tclose(type);
    ql_free((void *)p);
    return st;
}

ql_status ql_h5out_string(hid_t parent, const char *name, const char *value, ql_err *err)
{
    ql_names clean = {0};
    hid_t type = string_type();
    ql_status st = ql_names_add(&clean, value, strlen(value), err);
    if (st == QL_OK) {
        const char *text = ql_name(&clean, 0);
        st = write_dataset(parent, name, &(element){type, -1, &text, "string"}, err);
    }
    if (type >= 0) H5Tclose(type);
    ql_names_free(&clean);
    return st;
}

ql_status ql_h5out_column(hid_t frame, const char *name, const ql_column *column, int64_t n,
                          ql_err *err)
{
    switch (column->type) {
    case QL_COL_STRING:
        return ql_h5out_strings(frame, name, &column->strings, err);
    case QL_COL_BOOL:
        return write_bools(frame, name, n, column->values, err);
    case QL_COL_F32:
        return ql_h5out_array(frame, name, H5T_NATIVE_FLOAT, n, column->values, err);
    case QL_COL_F64:
        return ql_h5out_array(frame, name, H5T_NATIVE_DOUBLE, n, column->values, err);
    case QL_COL_I64:
        return ql_h5out_array(frame, name, H5T_NATIVE_INT64, n, column->values, err);
    }
    return ql_fail(err, QL_EINTERNAL, "column %s has unknown type %d", name, (int)column->type);
}
