#include "matrix_h5.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "h5_values.h"
#include "lzf.h"
#include "quell/alloc.h"

const char *ql_matrix_layout_text(ql_matrix_layout layout)
{
    static const char *const text[] = {
        [QL_LAYOUT_CSR] = "csr", [QL_LAYOUT_CSC] = "csc", [QL_LAYOUT_DENSE] = "dense"};
    return text[layout];
}

static void child(char *out, size_t cap, const char *group, const char *name)
{
    (void)snprintf(out, cap, "%s/%s", group, name);
}

/* --- what is there --- */

static void filters_text(const ql_h5r_array *a, char *out, size_t cap)
{
    static const struct {
        H5Z_filter_t id;
        const char *name;
    } known[] = {{H5Z_FILTER_SHUFFLE, "shuffle"},
                 {H5Z_FILTER_DEFLATE, "gzip"},
                 {QL_LZF_FILTER, "lzf"},
                 {H5Z_FILTER_FLETCHER32, "fletcher32"}};
    hid_t dcpl = H5Dget_create_plist(a->id);
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; dcpl >= 0 && i < H5Pget_nfilters(dcpl); i++) {
        unsigned flags = 0, info = 0;
        size_t n_values = 0;
        char name[24] = "filter";
        H5Z_filter_t id =
            H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, sizeof name, name, &info);
        const char *text = name;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (known[k].id == id) text = known[k].name;
        int n = snprintf(out + used, cap - used, "%s%s", used ? ", " : "", text);
        if (n < 0 || (size_t)n >= cap - used) break;
        used += (size_t)n;
    }
    ql_h5r_close(dcpl);
}

static void describe_array(const ql_h5r_array *a, ql_matrix_info *info)
{
    (void)snprintf(info->type, sizeof info->type, "%s", ql_h5r_type_text(a));
    filters_text(a, info->filters, sizeof info->filters);
}

static ql_status dense_info(hid_t file, const char *path, ql_matrix_info *info, ql_err *err)
{
    ql_h5r_array a;
    QL_TRY(ql_h5r_array_open(file, path, 2, &a, err));
    ql_status st = ql_h5r_need_numbers(&a, err);
    info->layout = QL_LAYOUT_DENSE;
    info->n_rows = a.dim[0];
    info->n_cols = a.dim[1];
    info->nnz = a.n;
    describe_array(&a, info);
    ql_h5r_array_close(&a);
    return st;
}

/* Length of a 1-D member; fails when there is none. */
static ql_status member_length(hid_t file, const char *group, const char *name, int64_t *n,
                               ql_matrix_info *info, ql_err *err)
{
    char path[1200];
    ql_h5r_array a;
    child(path, sizeof path, group, name);
    QL_TRY(ql_h5r_array_open(file, path, 1, &a, err));
    ql_status st = ql_h5r_need_numbers(&a, err);
    *n = a.n;
    if (info) describe_array(&a, info);
    ql_h5r_array_close(&a);
    return st;
}

/* Current encoding first, then the attributes of anndata 0.6 and older; -1: neither. */
static int stored_layout(hid_t file, const char *path)
{
    static const struct {
        const char *attr, *value;
        ql_matrix_layout layout;
    } forms[] = {{"encoding-type", "csr_matrix", QL_LAYOUT_CSR},
                 {"encoding-type", "csc_matrix", QL_LAYOUT_CSC},
                 {"h5sparse_format", "csr", QL_LAYOUT_CSR},
                 {"h5sparse_format", "csc", QL_LAYOUT_CSC}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (ql_h5r_attr_is(file, path, forms[i].attr, forms[i].value)) return (int)forms[i].layout;
    return -1;
}

/* Without a name for the layout, the length of indptr tells it when it fits one side only. */
static ql_status guess_layout(const char *path, const int64_t shape[2], int64_t n_indptr,
                              int *layout, ql_err *err)
{
    bool csr = n_indptr - 1 == shape[0], csc = n_indptr - 1 == shape[1];
    if (csr == csc)
        return ql_fail(err, QL_EDATA,
                       "/%s: has no encoding-type, and indptr of %" PRId64
                       " does not tell whether its "
                       "shape %" PRId64 " x %" PRId64 " is csr or csc",
                       path, n_indptr, shape[0], shape[1]);
    *layout = csr ? QL_LAYOUT_CSR : QL_LAYOUT_CSC;
    return QL_OK;
}

/* Sparse groups of other programs have their shape in a member. */
static bool shape_member(hid_t file, const char *path, int64_t shape[2])
{
    char full[1200];
    ql_h5r_array a;
    child(full, sizeof full, path, "shape");
    if (ql_h5r_kind_of(file, full) != QL_H5R_DATASET) return false;
    if (ql_h5r_array_open(file, full, 1, &a, NULL) != QL_OK) return false;
    bool ok = a.n == 2 && ql_h5r_need_integers(&a, NULL) == QL_OK &&
              ql_h5r_read_i64(&a, 2, 1, shape, NULL) == QL_OK;
    ql_h5r_array_close(&a);
    return ok;
}

static ql_status sparse_info(hid_t file, const char *path, ql_matrix_info *info, ql_err *err)
{
    int64_t shape[2] = {0, 0}, n_indptr = 0, n_indices = 0;
    int layout = stored_layout(file, path);
    ql_status st = ql_h5r_attr_ints(file, path, "shape", shape, 2, err);
    if (st != QL_OK && ql_h5r_attr_ints(file, path, "h5sparse_shape", shape, 2, NULL) != QL_OK &&
        !shape_member(file, path, shape))
        return st;
    if (shape[0] < 0 || shape[1] < 0)
        return ql_fail(err, QL_EDATA, "/%s: attribute \"shape\" is %" PRId64 " x %" PRId64, path,
                       shape[0], shape[1]);
    QL_TRY(member_length(file, path, "indptr", &n_indptr, NULL, err));
    QL_TRY(member_length(file, path, "indices", &n_indices, NULL, err));
    QL_TRY(member_length(file, path, "data", &info->nnz, info, err));
    if (layout < 0) QL_TRY(guess_layout(path, shape, n_indptr, &layout, err));
    info->layout = (ql_matrix_layout)layout;
    info->n_rows = shape[0];
    info->n_cols = shape[1];
    return QL_OK;
}

ql_status ql_matrix_h5_info(hid_t file, const char *path, ql_matrix_info *info, ql_err *err)
{
    *info = (ql_matrix_info){0};
    ql_h5r_kind kind = ql_h5r_kind_of(file, path);
    if (kind == QL_H5R_NONE) return ql_fail(err, QL_EDATA, "/%s: is missing", path);
    if (kind == QL_H5R_DATASET) return dense_info(file, path, info, err);
    return sparse_info(file, path, info, err);
}

/* --- reading --- */

static ql_status fail_pointer(const ql_h5r_array *a, const int64_t *p, int64_t i, ql_err *err)
{
    ql_fail(err, QL_EDATA,
            "%s[%" PRId64 "] is %" PRId64 ", smaller than %s[%" PRId64 "] = %" PRId64, a->path, i,
            p[i], strrchr(a->path, '/') + 1, i - 1, p[i - 1]);
    if (p[i] < 0)
        return ql_hint(err, QL_EDATA,
                       "the writer's 32-bit row pointers overflowed; write the file again with "
                       "64-bit ones");
    return QL_EDATA;
}

/* indptr[0] = 0, non-decreasing, its last at most n_stored. */
ql_status ql_sparse_h5_check(const ql_h5r_array *a, const int64_t *p, int64_t n_stored, ql_err *err)
{
    if (p[0] != 0) return ql_fail(err, QL_EDATA, "%s[0] is %" PRId64 ", 0 expected", a->path, p[0]);
    for (int64_t i = 1; i < a->n; i++)
        if (p[i] < p[i - 1]) return fail_pointer(a, p, i, err);
    if (p[a->n - 1] > n_stored)
        return ql_fail(err, QL_EDATA,
                       "%s[%" PRId64 "] is %" PRId64 ", but there are %" PRId64 " values", a->path,
                       a->n - 1, p[a->n - 1], n_stored);
    return QL_OK;
}

void ql_sparse_h5_close(ql_sparse_h5 *s)
{
    ql_h5r_array_close(&s->data);
    ql_h5r_array_close(&s->indices);
    ql_h5r_array_close(&s->indptr);
}

static ql_status open_member(hid_t file, const char *group, const char *name, ql_h5r_array *a,
                             ql_err *err)
{
    char path[1200];
    child(path, sizeof path, group, name);
    return ql_h5r_array_open(file, path, 1, a, err);
}

ql_status ql_sparse_h5_open(hid_t file, const char *group, int64_t n_rows, ql_sparse_h5 *s,
                            ql_err *err)
{
    QL_TRY(open_member(file, group, "indptr", &s->indptr, err));
    QL_TRY(open_member(file, group, "indices", &s->indices, err));
    QL_TRY(open_member(file, group, "data", &s->data, err));
    QL_TRY(ql_h5r_need_integers(&s->indptr, err));
    QL_TRY(ql_h5r_need_integers(&s->indices, err));
    QL_TRY(ql_h5r_need_numbers(&s->data, err));
    if (s->data.n != s->indices.n)
        return ql_fail(err, QL_EDATA, "%s has %" PRId64 " values, but %s has %" PRId64,
                       s->data.path, s->data.n, s->indices.path, s->indices.n);
    if (s->indptr.n - 1 != n_rows)
        return ql_fail(err, QL_EDATA,
                       "%s has %" PRId64 " values, %" PRIu64 " expected (one more than the "
                       "%" PRId64 " it points for)",
                       s->indptr.path, s->indptr.n, (uint64_t)n_rows + 1, n_rows);
    return QL_OK;
}

/* What was seen of the entries while they were read. */
typedef struct {
    bool ascending; /* columns, strictly within every row */
    ql_entries_seen values;
} entries_seen;

static ql_status read_entries(const ql_sparse_h5 *s, const char *cols, int threads, ql_csr *m,
                              entries_seen *seen, ql_err *err)
{
    int64_t nnz = ql_csr_nnz(m);
    ql_h5r_rows rows = {.indptr = m->indptr, .n_rows = m->n_rows};
    QL_TRY(ql_h5r_read_indices(&s->indices, nnz, m->n_cols, cols, threads, m->indices, &rows, err));
    seen->ascending = rows.ascending;
    return ql_h5r_read_f32(&s->data, nnz, threads, m->data, &seen->values, err);
}

static ql_status read_arrays(hid_t file, const char *group, int64_t n_rows, int64_t n_cols,
                             const char *cols, int threads, ql_csr *m, entries_seen *seen,
                             ql_err *err)
{
    ql_sparse_h5 s = {0};
    int64_t *indptr = NULL;
    ql_status st = ql_sparse_h5_open(file, group, n_rows, &s, err);
    if (st != QL_OK) goto out;
    QL_GO(QL_NEW(indptr, n_rows + 1, s.indptr.path, err));
    QL_GO(ql_h5r_read_i64(&s.indptr, n_rows + 1, threads, indptr, err));
    QL_GO(ql_sparse_h5_check(&s.indptr, indptr, s.data.n, err));
    QL_GO(ql_need_memory((double)indptr[n_rows] * 8.0, group, err));
    QL_GO(ql_csr_alloc(m, n_rows, n_cols, indptr[n_rows], err));
    memcpy(m->indptr, indptr, (size_t)(n_rows + 1) * sizeof *indptr);
    QL_GO(read_entries(&s, cols, threads, m, seen, err));
out:
    if (st != QL_OK) ql_csr_free(m);
    ql_free(indptr);
    ql_sparse_h5_close(&s);
    return st;
}

ql_status ql_matrix_h5_arrays(hid_t file, const char *group, int64_t n_rows, int64_t n_cols,
                              const char *cols, int threads, ql_csr *m, ql_err *err)
{
    entries_seen seen;
    return read_arrays(file, group, n_rows, n_cols, cols, threads, m, &seen, err);
}

static ql_status read_csc(hid_t file, const char *path, int64_t n_rows, int64_t n_cols, int threads,
                          ql_csr *m, ql_err *err)
{
    ql_csr by_gene = {0};
    ql_status st = ql_matrix_h5_arrays(file, path, n_cols, n_rows, "cells", threads, &by_gene, err);
    if (st == QL_OK) st = ql_need_memory((double)ql_csr_nnz(&by_gene) * 8.0, path, err);
    if (st == QL_OK) st = ql_csr_transpose_threads(&by_gene, threads, m, err);
    ql_csr_free(&by_gene);
    return st;
}

/* Rows that are in order need no second look. */
ql_status ql_matrix_h5_rows(hid_t file, const char *group, int64_t n_rows, int64_t n_cols,
                            const char *cols, int threads, ql_csr *m, int64_t *n_duplicates,
                            float *count_max, ql_err *err)
{
    entries_seen seen;
    *count_max = 0.0f;
    if (n_duplicates) *n_duplicates = 0;
    QL_TRY(read_arrays(file, group, n_rows, n_cols, cols, threads, m, &seen, err));
    if (!seen.ascending || seen.values.zeros) return ql_csr_normalise(m, n_duplicates, err);
    *count_max = seen.values.counts ? seen.values.max : 0.0f;
    return QL_OK;
}

static ql_status read_sparse(hid_t file, const char *path, const ql_matrix_info *info, int threads,
                             ql_csr *m, int64_t *n_duplicates, float *count_max, ql_err *err)
{
    const int64_t n_rows = info->n_rows, n_cols = info->n_cols;
    if (info->layout == QL_LAYOUT_CSR)
        return ql_matrix_h5_rows(file, path, n_rows, n_cols, "genes", threads, m, n_duplicates,
                                 count_max, err);
    QL_TRY(read_csc(file, path, n_rows, n_cols, threads, m, err));
    return ql_csr_normalise_threads(m, threads, n_duplicates, err);
}

ql_status ql_matrix_h5_read_seen(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                                 int threads, ql_csr *m, int64_t *n_duplicates, float *count_max,
                                 ql_err *err)
{
    ql_matrix_info info;
    *count_max = 0.0f;
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    if (info.n_rows != n_rows || info.n_cols != n_cols)
        return ql_fail(err, QL_EDATA,
                       "/%s: is %" PRId64 " x %" PRId64 ", but there are %" PRId64
                       " cells and %" PRId64 " genes",
                       path, info.n_rows, info.n_cols, n_rows, n_cols);
    if (n_cols > INT32_MAX || n_rows > INT32_MAX)
        return ql_fail(err, QL_EDATA,
                       "/%s: is %" PRId64 " x %" PRId64 ", more than 2147483647 of one kind", path,
                       n_rows, n_cols);
    if (info.layout == QL_LAYOUT_DENSE) return ql_matrix_h5_dense(file, path, threads, m, err);
    ql_status st = read_sparse(file, path, &info, threads, m, n_duplicates, count_max, err);
    if (st != QL_OK) ql_csr_free(m);
    return st;
}

ql_status ql_matrix_h5_read(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                            int threads, ql_csr *m, int64_t *n_duplicates, ql_err *err)
{
    float count_max;
    return ql_matrix_h5_read_seen(file, path, n_rows, n_cols, threads, m, n_duplicates, &count_max,
                                  err);
}
