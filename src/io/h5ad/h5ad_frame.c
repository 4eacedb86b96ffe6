#include <string.h>

#include "../hdf5/h5_columns.h"
#include "../hdf5/h5_names.h"
#include "h5ad_read.h"

ql_status ql_h5ad_path(const char *group, const char *member, ql_str *out, ql_err *err)
{
    ql_str_clear(out);
    ql_str_printf(out, "%s/%s", group, member);
    return out->failed ? ql_fail(err, QL_EMEMORY, "no memory for a path") : QL_OK;
}

/* Path of the index of a frame that is a group ("obs", "var", "raw/var") into out. */
static ql_status index_path(hid_t file, const char *frame, ql_str *out, ql_err *err)
{
    ql_str name = {0};
    ql_status st;
    bool has;
    if (ql_h5r_kind_of(file, frame) != QL_H5R_GROUP)
        return ql_fail(err, QL_EDATA, "/%s: is missing, or no group", frame);
    QL_GO(ql_h5r_attr_string(file, frame, "_index", &name, &has, err));
    if (!has) {
        st = ql_fail(err, QL_EDATA, "/%s: has no attribute \"_index\" that names its index", frame);
        goto out;
    }
    QL_GO(ql_h5ad_path(frame, ql_str_text(&name), out, err));
    if (ql_h5r_kind_of(file, ql_str_text(out)) == QL_H5R_NONE) {
        ql_str text = {0};
        ql_str_escape(&text, ql_str_text(&name), strlen(ql_str_text(&name)));
        st = ql_fail(err, QL_EDATA, "/%s: its index \"%s\" is missing", frame, ql_str_text(&text));
        ql_str_free(&text);
    }
out:
    ql_str_free(&name);
    return st;
}

ql_status ql_h5ad_rows(hid_t file, const char *frame, int64_t *n, ql_err *err)
{
    ql_str path = {0};
    ql_status st;
    QL_GO(index_path(file, frame, &path, err));
    QL_GO(ql_h5r_names_count(file, ql_str_text(&path), n, err));
out:
    ql_str_free(&path);
    return st;
}

ql_status ql_h5ad_index(hid_t file, const char *frame, ql_names *out, ql_err *err)
{
    ql_str path = {0};
    if (ql_h5ad_is_compound(file, frame)) return ql_h5ad_compound_index(file, frame, out, err);
    ql_status st = index_path(file, frame, &path, err);
    if (st == QL_OK) st = ql_h5r_names(file, ql_str_text(&path), out, err);
    ql_str_free(&path);
    return st;
}

/* --- columns --- */

/* Categories kept apart from their codes, as anndata 0.7 did: the object that attribute
 * "categories" points to, else (SeuratDisk) __categories/<column>. */
static ql_status categories_path(hid_t file, const char *frame, const char *column,
                                 const char *path, ql_str *out, bool *has, ql_err *err)
{
    QL_TRY(ql_h5r_attr_object(file, path, "categories", out, has, err));
    if (*has) return QL_OK;
    ql_str_clear(out);
    ql_str_printf(out, "%s/__categories/%s", frame, column);
    if (out->failed) return ql_fail(err, QL_EMEMORY, "no memory for a path");
    *has = ql_h5r_kind_of(file, ql_str_text(out)) == QL_H5R_DATASET;
    return QL_OK;
}

static ql_status read_column(hid_t file, const char *frame, const char *column, const char *path,
                             int64_t n, ql_values *v, ql_err *err)
{
    ql_str apart = {0};
    ql_values categories = {0};
    ql_status st;
    bool has;
    QL_GO(ql_h5r_values(file, path, n, v, err));
    if (ql_h5r_kind_of(file, path) != QL_H5R_DATASET || v->type != QL_COL_I64) goto out;
    QL_GO(categories_path(file, frame, column, path, &apart, &has, err));
    if (!has) goto out;
    QL_GO(ql_h5r_values(file, ql_str_text(&apart), -1, &categories, err));
    QL_GO(ql_values_decode(v, &categories, path, err));
out:
    ql_values_free(&categories);
    ql_str_free(&apart);
    return st;
}

ql_status ql_h5ad_read_column(hid_t file, const char *frame, const char *column, ql_frame *out,
                              ql_err *err)
{
    ql_values v = {0};
    ql_str path = {0};
    ql_status st;
    QL_GO(ql_h5ad_path(frame, column, &path, err));
    QL_GO(read_column(file, frame, column, ql_str_text(&path), out->index.n, &v, err));
    QL_GO(ql_frame_add(out, column, v.type,
                       v.type == QL_COL_STRING ? (const void *)&v.strings : v.values, err));
out:
    ql_values_free(&v);
    ql_str_free(&path);
    return st;
}

static ql_status add_column(hid_t file, const char *frame, const char *column, ql_frame *out,
                            const ql_left_out *left, ql_err *err)
{
    ql_values v = {0};
    ql_err why = {0};
    ql_str path = {0};
    ql_status st = ql_h5ad_path(frame, column, &path, err);
    if (st != QL_OK) goto out;
    if (ql_h5r_kind_of(file, ql_str_text(&path)) == QL_H5R_NONE) goto out; /* warned of already */
    st = read_column(file, frame, column, ql_str_text(&path), out->index.n, &v, &why);
    st = ql_column_take(out, column, ql_str_text(&path), st, &why, &v, left, err);
out:
    ql_str_free(&path);
    return st;
}

ql_status ql_h5ad_read_columns(hid_t file, const char *frame, ql_frame *out,
                               const ql_left_out *left, ql_err *err)
{
    ql_names columns = {0};
    if (ql_h5ad_is_compound(file, frame)) return ql_h5ad_read_members(file, frame, out, left, err);
    ql_status st = ql_h5r_attr_strings(file, frame, "column-order", &columns, err);
    for (int64_t i = 0; st == QL_OK && i < columns.n; i++)
        st = add_column(file, frame, ql_name(&columns, i), out, left, err);
    ql_names_free(&columns);
    return st;
}
