/* A bundle from HDF5, none of which is believed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "h5_error.h"
#include "h5_names.h"
#include "h5_read.h"
#include "quell/alloc.h"
#include "quell/bundle_h5.h"
#include "quell/interrupt.h"
#include "quell/utf8.h"

typedef struct {
    hid_t file;
    ql_bundle *bundle;
    double room; /* bytes that may still be taken for arrays: what a file of this size can hold */
    int steps;   /* members met: hard links may lead round in circles */
    bool strict; /* what a bundle cannot hold is an error */
    ql_err *err;
} reading;

/* Path of a member, in words of the bundle. */
static ql_status join(const char *group, const char *name, char out[QL_BUNDLE_NAME], ql_err *err)
{
    int n = snprintf(out, QL_BUNDLE_NAME, "%s%s%s", group, group[0] ? "/" : "", name);
    if (n > 0 && n < QL_BUNDLE_NAME) return QL_OK;
    return ql_fail(err, QL_EDATA, "/%.60s...: its name is too long", group);
}

/* A file's name that is none is the file's fault, not the program's. */
static ql_status as_data(ql_status st, ql_err *err)
{
    if (st != QL_EINTERNAL) return st;
    if (err) err->code = QL_EDATA;
    return QL_EDATA;
}

static const char *as_path(const char *group)
{
    return group[0] ? group : "/";
}

/* ---- attributes ---- */

static ql_status put_number(reading *r, hid_t attr, H5T_class_t kind, const char *name)
{
    int64_t i = 0;
    double d = 0;
    bool whole = kind == H5T_INTEGER;
    hid_t type = whole ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
    if (H5Aread(attr, type, whole ? (void *)&i : (void *)&d) < 0)
        return ql_h5_fail(r->err, QL_EDATA, "/%s: cannot be read", name);
    return whole ? ql_bundle_put_int(r->bundle, name, i, r->err)
                 : ql_bundle_put_double(r->bundle, name, d, r->err);
}

static ql_status put_text(reading *r, const char *group, const char *attr, const char *name)
{
    ql_str text = {0};
    bool has;
    ql_status st = ql_h5r_attr_string(r->file, as_path(group), attr, &text, &has, r->err);
    if (st == QL_OK)
        st = has ? ql_bundle_put_text(r->bundle, name, ql_str_text(&text), r->err)
                 : ql_fail(r->err, QL_EDATA, "/%s: cannot be read", name);
    ql_str_free(&text);
    return st;
}

static ql_status put_attribute(reading *r, const char *group, const char *attr_name)
{
    char name[QL_BUNDLE_NAME];
    QL_TRY(join(group, attr_name, name, r->err));
    hid_t attr = H5Aopen_by_name(r->file, as_path(group), attr_name, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0) return ql_h5_fail(r->err, QL_EDATA, "/%s: cannot be opened", name);
    hid_t type = H5Aget_type(attr), space = H5Aget_space(attr);
    H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
    ql_status st = QL_OK;
    if (one && (kind == H5T_INTEGER || kind == H5T_FLOAT))
        st = put_number(r, attr, kind, name);
    else if (one && kind == H5T_STRING)
        st = put_text(r, group, attr_name, name);
    else if (r->strict)
        st = ql_fail(r->err, QL_EDATA, "/%s: is an attribute of no kind expected here", name);
    ql_h5r_close(space);
    ql_h5r_close(type);
    ql_h5r_close(attr);
    return as_data(st, r->err);
}

typedef struct {
    ql_names names;
    ql_status st;
    ql_err *err;
} name_list;

static herr_t note_name(hid_t at, const char *name, const H5A_info_t *info, void *ctx)
{
    name_list *list = ctx;
    (void)at;
    (void)info;
    if (list->names.n >= QL_BUNDLE_MAX) return 1;
    list->st = ql_names_add(&list->names, name, strlen(name), list->err);
    return list->st == QL_OK ? 0 : -1;
}

static ql_status put_attributes(reading *r, const char *group)
{
    name_list list = {.st = QL_OK, .err = r->err};
    hsize_t at = 0;
    const herr_t rc = H5Aiterate_by_name(r->file, as_path(group), H5_INDEX_NAME, H5_ITER_INC, &at,
                                         note_name, &list, H5P_DEFAULT);
    ql_status st = list.st;
    if (st == QL_OK && rc < 0)
        st = ql_h5_fail(r->err, QL_EDATA, "/%s: its attributes cannot be listed", group);
    for (int64_t i = 0; st == QL_OK && i < list.names.n; i++)
        st = put_attribute(r, group, ql_name(&list.names, i));
    ql_names_free(&list.names);
    return st;
}

/* ---- datasets ---- */

static bool elem_of(const ql_h5r_array *a, ql_elem *out)
{
    static const struct {
        ql_num num;
        ql_elem elem;
    } known[] = {{QL_NUM_F32, QL_ELEM_F32},
                 {QL_NUM_F64, QL_ELEM_F64},
                 {QL_NUM_I32, QL_ELEM_I32},
                 {QL_NUM_I64, QL_ELEM_I64},
                 {QL_NUM_U8, QL_ELEM_U8}};
    for (size_t i = 0; a->numeric && !a->is_bool && i < sizeof known / sizeof *known; i++) {
        if (known[i].num != a->num) continue;
        *out = known[i].elem;
        return true;
    }
    return false;
}

/* Nothing is taken for values that are not there: each dataset within what its stored bytes can
 * become, and all of them (the same bytes may be linked often) within what the file's can. */
static ql_status check_room(reading *r, const ql_h5r_array *a, size_t size)
{
    double wanted = (double)a->n * (double)size;
    double stored = (double)H5Dget_storage_size(a->id);
    if (stored > (double)a->file_bytes) stored = (double)a->file_bytes;
    if (wanted > stored * QL_DEFLATE_RATIO || wanted > r->room)
        return ql_fail(r->err, QL_EDATA,
                       "%s: announces %" PRId64 " values but only %.0f bytes are stored", a->path,
                       a->n, stored);
    r->room -= wanted;
    return ql_need_memory(wanted, a->path, r->err);
}

static ql_status put_array(reading *r, const ql_h5r_array *a, const char *name)
{
    ql_elem elem = QL_ELEM_F32;
    void *block = NULL;
    if (a->rank == 0 || !elem_of(a, &elem))
        return ql_fail(r->err, QL_EDATA, "%s: is %s%s, not expected here", a->path,
                       a->rank == 0 ? "a single " : "", ql_h5r_type_text(a));
    QL_TRY(check_room(r, a, ql_elem_size(elem)));
    QL_TRY(ql_new_(&block, a->n, ql_elem_size(elem), a->path, r->err));
    if (a->n > 0 && H5Dread(a->id, a->mem_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, block) < 0) {
        ql_free(block);
        return ql_h5_fail(r->err, QL_EDATA, "%s: is damaged", a->path);
    }
    const ql_array array = {elem, a->dim[0], a->rank == 1 ? -1 : a->dim[1], block};
    return ql_bundle_give_array(r->bundle, name, array, block, r->err);
}

static ql_status put_names(reading *r, const ql_h5r_array *a, const char *name)
{
    ql_names names = {0};
    if (a->rank != 1)
        return ql_fail(r->err, QL_EDATA, "%s: is no list of texts (%d dimensions)", a->path,
                       a->rank);
    QL_TRY(check_room(r, a, sizeof(int64_t)));
    ql_status st = ql_h5r_names(r->file, name, &names, r->err);
    if (st == QL_OK) return ql_bundle_give_names(r->bundle, name, &names, r->err);
    ql_names_free(&names);
    return st;
}

static ql_status put_dataset(reading *r, const char *name)
{
    ql_h5r_array a;
    QL_TRY(ql_h5r_array_open(r->file, name, -1, &a, r->err));
    ql_status st = a.class_ == H5T_STRING ? put_names(r, &a, name) : put_array(r, &a, name);
    ql_h5r_array_close(&a);
    return as_data(st, r->err);
}

/* ---- groups ---- */

static ql_status put_group(reading *r, const char *group, int depth);

static ql_status put_member(reading *r, const char *group, const char *member, int depth)
{
    char name[QL_BUNDLE_NAME];
    H5L_info_t link;
    QL_TRY(ql_interrupt_check(r->err));
    QL_TRY(join(group, member, name, r->err));
    if (++r->steps > 2 * QL_BUNDLE_MAX)
        return ql_fail(r->err, QL_EDATA, "/%s: is one of too many groups and datasets", name);
    if (H5Lget_info(r->file, name, &link, H5P_DEFAULT) < 0)
        return ql_h5_fail(r->err, QL_EDATA, "/%s: cannot be looked at", name);
    if (link.type != H5L_TYPE_HARD)
        return ql_fail(r->err, QL_EDATA, "/%s: is a link, which is not followed", name);
    ql_h5r_kind kind = ql_h5r_kind_of(r->file, name);
    if (kind == QL_H5R_DATASET) return put_dataset(r, name);
    if (kind == QL_H5R_GROUP) return put_group(r, name, depth + 1);
    return ql_fail(r->err, QL_EDATA, "/%s: is neither a group nor a dataset", name);
}

/* A group that is linked into itself ends at the depth allowed. */
static ql_status put_group(reading *r, const char *group, int depth)
{
    ql_names members = {0};
    int64_t total = 0;
    ql_status st;
    if (depth > QL_BUNDLE_DEPTH)
        return ql_fail(r->err, QL_EDATA, "/%s: is a group %d levels down", group, depth);
    QL_TRY(put_attributes(r, group));
    QL_GO(ql_h5r_members(r->file, as_path(group), QL_BUNDLE_MAX, &members, &total, r->err));
    if (total > QL_BUNDLE_MAX)
        QL_GO(ql_fail(r->err, QL_EDATA, "/%s: has %" PRId64 " members", group, total));
    for (int64_t i = 0; i < members.n; i++)
        QL_GO(put_member(r, group, ql_name(&members, i), depth));
out:
    ql_names_free(&members);
    return st;
}

/* ---- files ---- */

static ql_status read_opened(hid_t file, ql_bundle *b, bool root_only, ql_err *err)
{
    hsize_t bytes = 0;
    (void)H5Fget_filesize(file, &bytes);
    reading r = {.file = file,
                 .bundle = b,
                 .room = (double)bytes * QL_DEFLATE_RATIO,
                 .strict = !root_only,
                 .err = err};
    return root_only ? put_attributes(&r, "") : put_group(&r, "", 0);
}

static ql_status read_file(const char *path, ql_bundle *b, bool root_only, ql_err *err)
{
    hid_t file = -1;
    ql_status st = ql_h5r_open(path, &file, err);
    if (st == QL_EDATA && H5Fis_hdf5(path) <= 0) st = ql_fail(err, QL_EDATA, "is no HDF5 file");
    if (st == QL_OK) st = read_opened(file, b, root_only, err);
    ql_h5r_close(file);
    (void)H5Eclear2(H5E_DEFAULT);
    if (st == QL_OK) return QL_OK;
    ql_bundle_free(b);
    if (err) ql_utf8_make_safe(err->msg); /* it may quote names of the file */
    return st == QL_EINT || st == QL_ETERM ? st : ql_context(err, st, "%s", path);
}

ql_status ql_bundle_h5_read(const char *path, ql_bundle *b, ql_err *err)
{
    return read_file(path, b, false, err);
}

ql_status ql_bundle_h5_read_root(const char *path, ql_bundle *b, ql_err *err)
{
    return read_file(path, b, true, err);
}
