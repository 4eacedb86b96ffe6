/* What an AnnData holds beside one matrix, its cells and its genes; reduced dimensions as columns.
 */
#include <inttypes.h>
#include <string.h>

#include "../hdf5/h5_chunks.h"
#include "../hdf5/h5_error.h"
#include "../text/wording.h"
#include "h5ad_read.h"
#include "quell/alloc.h"
#include "quell/reader.h"

enum {
    MEMBERS_LISTED = 200, /* of a group; a file with more has no list anybody reads */
};

/* ---- what else there is ---- */

static ql_status list_group(hid_t file, const char *group, const char *taken, ql_names *others,
                            ql_err *err)
{
    ql_names members = {0};
    ql_str path = {0};
    ql_status st = ql_h5r_members(file, group, MEMBERS_LISTED, &members, NULL, err);
    for (int64_t i = 0; st == QL_OK && i < members.n; i++) {
        st = ql_h5ad_path(group, ql_name(&members, i), &path, err);
        if (st == QL_OK && strcmp(path.text, taken) != 0)
            st = ql_names_add(others, path.text, path.len, err);
    }
    ql_str_free(&path);
    ql_names_free(&members);
    return st;
}

/* The frames, and raw where its matrix was read. */
static bool is_taken(const ql_h5ad_names *names, const ql_dataset *ds, const char *member)
{
    bool raw = strcmp(ds->matrix, names->raw_x) == 0;
    if (!strcmp(member, ds->matrix) || !strcmp(member, names->obs)) return true;
    return raw ? strncmp(member, "raw", 3) == 0 : strcmp(member, names->var) == 0;
}

ql_status ql_h5ad_list_others(hid_t file, const ql_h5ad_names *names, const ql_dataset *ds,
                              ql_names *others, ql_err *err)
{
    static const char *const groups[] = {"layers", "obsm", "varm", "obsp", "varp", "uns", NULL};
    ql_names root = {0};
    ql_status st = ql_h5r_members(file, ".", MEMBERS_LISTED, &root, NULL, err);
    for (int64_t i = 0; st == QL_OK && i < root.n; i++) {
        const char *name = ql_name(&root, i);
        if (ql_is_one_of(name, groups) && ql_h5r_kind_of(file, name) == QL_H5R_GROUP)
            st = list_group(file, name, ds->matrix, others, err);
        else if (!is_taken(names, ds, name))
            st = ql_names_add(others, name, strlen(name), err);
    }
    ql_names_free(&root);
    return st;
}

/* ---- obsm ---- */

static ql_status read_doubles(const ql_h5r_array *a, double *x, ql_err *err)
{
    QL_TRY(ql_h5r_check_chunks(a, 1, err));
    if (a->n == 0 || H5Dread(a->id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0)
        return QL_OK;
    return ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
}

static ql_status read_dense(hid_t file, const char *path, const char *key, ql_frame *out,
                            ql_err *err)
{
    ql_h5r_array a = {0};
    double *x = NULL;
    ql_status st;
    QL_GO(ql_h5r_array_open(file, path, 2, &a, err));
    QL_GO(ql_h5r_need_numbers(&a, err));
    if (a.dim[0] != out->index.n)
        QL_GO(ql_fail(err, QL_EDATA, "%s: has %" PRId64 " rows for %" PRId64 " cells", a.path,
                      a.dim[0], out->index.n));
    QL_GO(QL_NEW(x, a.n, "a reduction", err));
    QL_GO(read_doubles(&a, x, err));
    QL_GO(ql_frame_add_matrix(out, key, QL_COL_F64, x, a.dim[1], err));
out:
    ql_free(x);
    ql_h5r_array_close(&a);
    return st;
}

static ql_status fail_no_key(hid_t file, const char *key, ql_err *err)
{
    ql_names has = {0};
    ql_str list = {0};
    ql_h5r_list(file, "obsm", 20, &has);
    ql_join_names(&has, &list);
    ql_fail(err, QL_EDATA, "has no obsm/%s (it has: %s)", key, has.n ? ql_str_text(&list) : "none");
    ql_str_free(&list);
    ql_names_free(&has);
    return QL_EDATA;
}

/* A dense array or a frame. */
static ql_status read_obsm(hid_t file, const char *key, ql_frame *out, ql_err *err)
{
    ql_str path = {0};
    ql_names lost = {0};
    const ql_left_out left = {&lost, NULL};
    ql_status st = ql_h5ad_path("obsm", key, &path, err);
    if (st == QL_OK && ql_h5r_kind_of(file, path.text) == QL_H5R_NONE) {
        st = fail_no_key(file, key, err);
    } else if (st == QL_OK && ql_h5r_kind_of(file, path.text) == QL_H5R_DATASET) {
        st = read_dense(file, path.text, key, out, err);
    } else if (st == QL_OK && ql_h5r_attr_is(file, path.text, "encoding-type", "dataframe")) {
        st = ql_h5ad_read_columns(file, path.text, out, &left, err);
    } else if (st == QL_OK) {
        st = ql_fail(err, QL_EDATA, "/%s: is neither a dense array nor a frame", path.text);
    }
    ql_names_free(&lost);
    ql_str_free(&path);
    return st;
}

ql_status ql_read_obsm(const char *path, const char *key, ql_frame *out, ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    ql_err own = {0};
    if (!err) err = &own;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(read_obsm(file, key, out, err));
out:
    ql_h5r_close(file);
    return st == QL_OK ? QL_OK : ql_context(err, st, "%s", path);
}
