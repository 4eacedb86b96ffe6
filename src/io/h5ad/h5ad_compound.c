/* Frames of anndata 0.6 and older: one list of compounds, a member for the index and one for each
 * column. Members are read one at a time; categories are in uns/<column>_categories. */
#include <stdio.h>
#include <string.h>

#include "../hdf5/h5_columns.h"
#include "../hdf5/h5_error.h"
#include "h5ad_read.h"

bool ql_h5ad_is_compound(hid_t file, const char *frame)
{
    bool is = false;
    if (ql_h5r_kind_of(file, frame) != QL_H5R_DATASET) return false;
    hid_t id = H5Dopen2(file, frame, H5P_DEFAULT), type = id < 0 ? -1 : H5Dget_type(id);
    is = type >= 0 && H5Tget_class(type) == H5T_COMPOUND;
    ql_h5r_close(type);
    ql_h5r_close(id);
    (void)H5Eclear2(H5E_DEFAULT);
    return is;
}

static ql_status open_frame(hid_t file, const char *frame, ql_h5r_array *a, ql_names *members,
                            ql_err *err)
{
    QL_TRY(ql_h5r_array_open(file, frame, 1, a, err));
    hid_t type = H5Dget_type(a->id);
    int n = type < 0 || H5Tget_class(type) != H5T_COMPOUND ? 0 : H5Tget_nmembers(type);
    ql_status st = n > 0 ? QL_OK : ql_fail(err, QL_EDATA, "%s: is no frame", a->path);
    for (int i = 0; st == QL_OK && i < n; i++) {
        char *name = H5Tget_member_name(type, (unsigned)i);
        st = name ? ql_names_add(members, name, strlen(name), err)
                  : ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
        if (name) (void)H5free_memory(name);
    }
    ql_h5r_close(type);
    return st;
}

/* Which member is the index: by its name in one of the versions, else the first. */
static unsigned index_member(const ql_names *members)
{
    static const char *const known[] = {"index",     "obs_names", "smp_names",
                                        "row_names", "var_names", "col_names"};
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        for (int64_t i = 0; i < members->n; i++)
            if (strcmp(ql_name(members, i), known[k]) == 0) return (unsigned)i;
    return 0;
}

static ql_status names_of(const ql_values *v, const ql_h5r_array *a, ql_names *out, ql_err *err)
{
    char text[32];
    if (v->type == QL_COL_STRING) return ql_names_copy(&v->strings, out, err);
    if (v->type != QL_COL_I64)
        return ql_fail(err, QL_EDATA, "%s: its index holds no names", a->path);
    for (int64_t i = 0; i < v->n; i++) {
        int len = snprintf(text, sizeof text, "%lld", (long long)((const int64_t *)v->values)[i]);
        QL_TRY(ql_names_add(out, text, (size_t)len, err));
    }
    return QL_OK;
}

ql_status ql_h5ad_compound_index(hid_t file, const char *frame, ql_names *out, ql_err *err)
{
    ql_h5r_array a = {0};
    ql_names members = {0};
    ql_values v = {0};
    ql_status st;
    QL_GO(open_frame(file, frame, &a, &members, err));
    QL_GO(ql_h5r_member_values(&a, index_member(&members), &v, err));
    QL_GO(names_of(&v, &a, out, err));
out:
    ql_values_free(&v);
    ql_names_free(&members);
    ql_h5r_array_close(&a);
    return st;
}

ql_status ql_h5ad_compound_members(hid_t file, const char *frame, int64_t *n_rows, ql_names *out,
                                   ql_err *err)
{
    ql_h5r_array a = {0};
    ql_status st = open_frame(file, frame, &a, out, err);
    *n_rows = a.n;
    ql_h5r_array_close(&a);
    return st;
}

static ql_status decode(hid_t file, const char *column, const char *where, ql_values *v,
                        ql_err *err)
{
    ql_values categories = {0};
    char path[1024];
    int n = snprintf(path, sizeof path, "uns/%s_categories", column);
    if (v->type != QL_COL_I64 || n < 0 || (size_t)n >= sizeof path) return QL_OK;
    if (ql_h5r_kind_of(file, path) != QL_H5R_DATASET) return QL_OK;
    ql_status st = ql_h5r_values(file, path, -1, &categories, err);
    if (st == QL_OK) st = ql_values_decode(v, &categories, where, err);
    ql_values_free(&categories);
    return st;
}

static ql_status add_member(hid_t file, const ql_h5r_array *a, const ql_names *members,
                            unsigned member, ql_frame *out, const ql_left_out *left, ql_err *err)
{
    const char *name = ql_name(members, member);
    char where[1024];
    ql_values v = {0};
    ql_err why = {0};
    (void)snprintf(where, sizeof where, "%s.%s", a->path + 1, name);
    ql_status st = ql_h5r_member_values(a, member, &v, &why);
    if (st == QL_OK) st = decode(file, name, where, &v, &why);
    return ql_column_take(out, name, where, st, &why, &v, left, err);
}

ql_status ql_h5ad_read_members(hid_t file, const char *frame, ql_frame *out,
                               const ql_left_out *left, ql_err *err)
{
    ql_h5r_array a = {0};
    ql_names members = {0};
    ql_status st = open_frame(file, frame, &a, &members, err);
    unsigned index = st == QL_OK ? index_member(&members) : 0;
    for (unsigned i = 0; st == QL_OK && i < (unsigned)members.n; i++)
        if (i != index) st = add_member(file, &a, &members, i, out, left, err);
    ql_names_free(&members);
    ql_h5r_array_close(&a);
    return st;
}
