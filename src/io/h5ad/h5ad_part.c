#include "quell/h5ad_part.h"

#include <inttypes.h>
#include <string.h>

#include "../hdf5/h5_chunks.h"
#include "../hdf5/h5_columns.h"
#include "../hdf5/h5_error.h"
#include "../hdf5/h5_names.h"
#include "../hdf5/matrix_h5.h"
#include "h5ad_read.h"
#include "quell/alloc.h"

enum { MEMBERS_READ = 10000, NAMES_SHOWN = 20 };

struct ql_part {
    const char *path;
    hid_t file;
};

ql_status ql_part_open(const char *path, ql_part **out, ql_err *err)
{
    ql_part *p = NULL;
    QL_TRY(QL_NEW(p, 1, "a part", err));
    p->path = path;
    ql_status st = ql_h5r_open(path, &p->file, err);
    if (st == QL_OK) {
        *out = p;
        return QL_OK;
    }
    ql_free(p);
    return ql_context(err, st, "%s", path);
}

void ql_part_close(ql_part *p)
{
    if (!p) return;
    ql_h5r_close(p->file);
    ql_free(p);
}

static ql_status named(const ql_part *p, ql_status st, ql_err *err)
{
    return st == QL_OK ? st : ql_context(err, st, "%s", p->path);
}

bool ql_part_has(const ql_part *p, const char *key)
{
    return ql_h5r_kind_of(p->file, key) != QL_H5R_NONE;
}

/* ---- values ---- */

static ql_status get_number(const ql_h5r_array *a, ql_part_value *out, ql_err *err)
{
    const bool whole = a->class_ == H5T_INTEGER;
    out->kind = whole ? QL_PART_INT : QL_PART_DOUBLE;
    out->n = whole ? 0 : 1;
    QL_TRY(QL_NEW(out->numbers, 1, "a value", err));
    const hid_t type = whole ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
    void *to = whole ? (void *)&out->whole : out->numbers;
    if (H5Dread(a->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) >= 0) return QL_OK;
    return ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
}

static ql_status get_doubles(const ql_h5r_array *a, ql_part_value *out, ql_err *err)
{
    out->kind = QL_PART_DOUBLES;
    QL_TRY(ql_h5r_check_chunks(a, 1, err));
    QL_TRY(QL_NEW(out->numbers, a->n, "a list of values", err));
    out->n = a->n;
    if (a->n == 0 ||
        H5Dread(a->id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out->numbers) >= 0)
        return QL_OK;
    return ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
}

static ql_status get_value(const ql_part *p, const char *key, ql_part_value *out, ql_err *err)
{
    ql_h5r_array a = {0};
    QL_TRY(ql_h5r_array_open(p->file, key, -1, &a, err));
    const int rank = a.rank;
    ql_status st = QL_OK;
    if (rank > 1)
        st = ql_fail(err, QL_EDATA, "%s: has %d dimensions, 1 expected", a.path, rank);
    else if (a.numeric)
        st = rank == 0 ? get_number(&a, out, err) : get_doubles(&a, out, err);
    const bool text = !a.numeric;
    ql_h5r_array_close(&a);
    if (st != QL_OK || !text) return st;
    out->kind = rank == 0 ? QL_PART_TEXT : QL_PART_TEXTS;
    return rank == 0 ? ql_h5r_names_of(p->file, key, 1, &out->texts, err)
                     : ql_h5r_names(p->file, key, &out->texts, err);
}

ql_status ql_part_get(const ql_part *p, const char *key, ql_part_value *out, ql_err *err)
{
    ql_status st = get_value(p, key, out, err);
    if (st != QL_OK) ql_part_value_free(out);
    return named(p, st, err);
}

void ql_part_value_free(ql_part_value *v)
{
    ql_names_free(&v->texts);
    ql_free(v->numbers);
    *v = (ql_part_value){0};
}

bool ql_part_equal(const ql_part_value *a, const ql_part_value *b)
{
    if (a->kind != b->kind || a->n != b->n || a->whole != b->whole || a->texts.n != b->texts.n)
        return false;
    for (int64_t i = 0; i < a->texts.n; i++)
        if (strcmp(ql_name(&a->texts, i), ql_name(&b->texts, i)) != 0) return false;
    return a->n == 0 || memcmp(a->numbers, b->numbers, (size_t)a->n * sizeof *a->numbers) == 0;
}

ql_status ql_part_int(const ql_part *p, const char *key, int64_t *out, ql_err *err)
{
    ql_part_value v = {0};
    QL_TRY(ql_part_get(p, key, &v, err));
    const bool is = v.kind == QL_PART_INT;
    *out = v.whole;
    ql_part_value_free(&v);
    return is ? QL_OK : ql_fail(err, QL_EDATA, "%s: /%s: is no whole number", p->path, key);
}

ql_status ql_part_names(const ql_part *p, const char *key, ql_names *out, ql_err *err)
{
    ql_part_value v = {0};
    QL_TRY(ql_part_get(p, key, &v, err));
    const bool is = v.kind == QL_PART_TEXTS || v.kind == QL_PART_TEXT;
    if (is) {
        *out = v.texts;
        v.texts = (ql_names){0};
    }
    ql_part_value_free(&v);
    return is ? QL_OK : ql_fail(err, QL_EDATA, "%s: /%s: holds no text", p->path, key);
}

/* ---- frames ---- */

ql_status ql_part_frame(const ql_part *p, const char *frame, ql_frame *out, ql_err *err)
{
    ql_names lost = {0};
    const ql_left_out left = {&lost, NULL};
    ql_status st;
    QL_GO(ql_h5ad_index(p->file, frame, &out->index, err));
    QL_GO(ql_h5ad_read_columns(p->file, frame, out, &left, err));
    if (lost.n > 0)
        st = ql_fail(err, QL_EDATA, "/%s: is damaged, or of another number of rows",
                     ql_name(&lost, 0));
out:
    ql_names_free(&lost);
    if (st != QL_OK) ql_frame_free(out);
    return named(p, st, err);
}

ql_status ql_part_index(const ql_part *p, const char *frame, ql_names *out, ql_err *err)
{
    ql_status st = ql_h5ad_index(p->file, frame, out, err);
    if (st != QL_OK) ql_names_free(out);
    return named(p, st, err);
}

ql_status ql_part_members(const ql_part *p, const char *group, ql_names *out, ql_err *err)
{
    if (ql_h5r_kind_of(p->file, group) != QL_H5R_GROUP) return QL_OK;
    return named(p, ql_h5r_members(p->file, group, MEMBERS_READ, out, NULL, err), err);
}

static ql_status fail_no_column(const ql_part *p, const char *frame, const char *name, ql_err *err)
{
    ql_names has = {0};
    ql_str list = {0}, text = {0};
    ql_status st = ql_h5r_attr_strings(p->file, frame, "column-order", &has, err);
    for (int64_t i = 0; i < has.n && i < NAMES_SHOWN; i++) {
        ql_str_puts(&list, i ? ", " : "");
        ql_str_escape(&list, ql_name(&has, i), strlen(ql_name(&has, i)));
    }
    if (has.n > NAMES_SHOWN) ql_str_puts(&list, ", ...");
    ql_str_escape(&text, name, strlen(name));
    if (st == QL_OK)
        st = ql_fail(err, QL_EDATA, "/%s: has no column %s (it has: %s)", frame, ql_str_text(&text),
                     has.n ? ql_str_text(&list) : "none");
    ql_str_free(&list);
    ql_str_free(&text);
    ql_names_free(&has);
    return st;
}

ql_status ql_part_column(const ql_part *p, const char *frame, const char *name, ql_frame *out,
                         ql_err *err)
{
    ql_str path = {0};
    ql_str_printf(&path, "%s/%s", frame, name);
    const bool odd = name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0;
    const bool is = !odd && ql_h5r_kind_of(p->file, ql_str_text(&path)) != QL_H5R_NONE;
    ql_str_free(&path);
    return named(p,
                 is ? ql_h5ad_read_column(p->file, frame, name, out, err)
                    : fail_no_column(p, frame, name, err),
                 err);
}

/* ---- matrices ---- */

ql_status ql_part_sparse(const ql_part *p, const char *key, const int64_t shape[2], int threads,
                         ql_csr *out, ql_err *err)
{
    return named(p, ql_matrix_h5_read(p->file, key, shape[0], shape[1], threads, out, NULL, err),
                 err);
}

ql_status ql_part_shape(const ql_part *p, const char *key, int64_t *n_rows, int64_t *n_cols,
                        ql_err *err)
{
    ql_h5r_array a;
    ql_status st = ql_h5r_array_open(p->file, key, 2, &a, err);
    if (st != QL_OK) return named(p, st, err);
    *n_rows = a.dim[0];
    *n_cols = a.dim[1];
    ql_h5r_array_close(&a);
    return QL_OK;
}

static ql_status check_shape(const ql_h5r_array *a, const int64_t shape[2], ql_err *err)
{
    int64_t n;
    const bool fits = a->rank == 2 ? a->dim[0] == shape[0] && a->dim[1] == shape[1]
                                   : !__builtin_mul_overflow(shape[0], shape[1], &n) && a->n == n;
    if (!fits)
        return ql_fail(err, QL_EDATA, "%s: is not of %" PRId64 " x %" PRId64 " values", a->path,
                       shape[0], shape[1]);
    return ql_h5r_need_numbers(a, err);
}

static ql_status read_slab(const ql_h5r_array *a, const int64_t shape[2], int64_t first, int64_t n,
                           float *out, ql_err *err)
{
    const hsize_t row = (hsize_t)(a->rank == 2 ? 1 : shape[1]);
    const hsize_t start[2] = {(hsize_t)first * row, 0};
    const hsize_t count[2] = {(hsize_t)n * row, (hsize_t)shape[1]};
    const hid_t space = H5Dget_space(a->id), mem = H5Screate_simple(a->rank, count, NULL);
    const bool ok = space >= 0 && mem >= 0 &&
                    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                    H5Dread(a->id, H5T_NATIVE_FLOAT, mem, space, H5P_DEFAULT, out) >= 0;
    ql_h5r_close(mem);
    ql_h5r_close(space);
    if (ok) return QL_OK;
    return ql_h5_fail(err, QL_EDATA, "%s: is damaged in rows %" PRId64 " to %" PRId64, a->path,
                      first, first + n - 1);
}

static ql_status read_rows(const ql_part *p, const char *key, const int64_t shape[2], int64_t first,
                           int64_t n, float *out, ql_err *err)
{
    ql_h5r_array a;
    QL_TRY(ql_h5r_array_open(p->file, key, -1, &a, err));
    ql_status st = check_shape(&a, shape, err);
    if (st == QL_OK && (first < 0 || n < 0 || first + n > shape[0]))
        st = ql_fail(err, QL_EINTERNAL, "%s: rows beyond the end", a.path);
    /* once a part: damaged chunks would be read beyond their end */
    if (st == QL_OK && first == 0) st = ql_h5r_check_chunks(&a, 1, err);
    if (st == QL_OK && n > 0 && shape[1] > 0) st = read_slab(&a, shape, first, n, out, err);
    ql_h5r_array_close(&a);
    return st;
}

ql_status ql_part_rows(const ql_part *p, const char *key, const int64_t shape[2], int64_t first,
                       int64_t n, float *out, ql_err *err)
{
    return named(p, read_rows(p, key, shape, first, n, out, err), err);
}
