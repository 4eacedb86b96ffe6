#include "h5_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "h5_error.h"
#include "h5_heap.h"
#include "h5_values.h"
#include "quell/alloc.h"

enum { BLOCK_BYTES = 1 << 20, STRING_MAX = 1 << 16 };

/* A block of elements [at, at + n) of a list (0-D, 1-D, or n x 1) in a memory type. */
static ql_status read_strings(const ql_h5r_array *a, hid_t type, int64_t at, int64_t n, void *out,
                              hid_t *mem_space, ql_err *err)
{
    hsize_t start[2] = {(hsize_t)at, 0}, count[2] = {(hsize_t)n, 1};
    herr_t rc = -1;
    hid_t space = H5Dget_space(a->id);
    *mem_space = H5Screate_simple(1, count, NULL);
    if (space >= 0 && *mem_space >= 0 &&
        (a->rank == 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0))
        rc = H5Dread(a->id, type, *mem_space, space, H5P_DEFAULT, out);
    ql_status st = QL_OK;
    if (rc < 0) st = ql_h5_fail(err, QL_EDATA, "%s: is damaged near value %" PRId64, a->path, at);
    ql_h5r_close(space);
    return st;
}

/* mem is the string type itself or a compound of that one member. */
static ql_status add_vlen(const ql_h5r_array *a, hid_t mem, int64_t at, int64_t n, char **block,
                          ql_names *out, ql_err *err)
{
    hid_t space = -1;
    memset(block, 0, (size_t)n * sizeof *block);
    ql_status st = read_strings(a, mem, at, n, block, &space, err);
    for (int64_t i = 0; st == QL_OK && i < n; i++)
        st = ql_names_add(out, block[i] ? block[i] : "", block[i] ? strlen(block[i]) : 0, err);
    (void)H5Dvlen_reclaim(mem, space, H5P_DEFAULT, block);
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(space);
    return st;
}

static size_t fixed_length(const char *s, size_t size, H5T_str_t pad)
{
    size_t len = strnlen(s, size);
    while (pad == H5T_STR_SPACEPAD && len && s[len - 1] == ' ') len--;
    return len;
}

static ql_status add_fixed(const ql_h5r_array *a, hid_t type, hid_t mem, int64_t at, int64_t n,
                           char *block, ql_names *out, ql_err *err)
{
    hid_t space = -1;
    size_t size = H5Tget_size(type);
    H5T_str_t pad = H5Tget_strpad(type);
    ql_status st = read_strings(a, mem, at, n, block, &space, err);
    for (int64_t i = 0; st == QL_OK && i < n; i++) {
        const char *s = block + (size_t)i * size;
        st = ql_names_add(out, s, fixed_length(s, size, pad), err);
    }
    ql_h5r_close(space);
    return st;
}

static ql_status strings_of_heap(const ql_h5r_array *a, hid_t type, ql_names *out, bool *done,
                                 ql_err *err)
{
    int64_t bad = 0;
    ql_heap_outcome outcome = ql_h5r_heap_strings(a, type, out, &bad);
    *done = outcome == QL_HEAP_DONE;
    if (outcome != QL_HEAP_DAMAGED) return QL_OK;
    return ql_fail(err, QL_EDATA, "%s: is damaged near value %" PRId64, a->path, bad);
}

ql_status ql_h5r_strings(const ql_h5r_array *a, hid_t type, hid_t mem, ql_names *out, ql_err *err)
{
    char *block = NULL;
    ql_status st = QL_OK;
    size_t size = H5Tget_size(type);
    bool vlen = H5Tis_variable_str(type) > 0;
    if (size == 0 || size > STRING_MAX)
        return ql_fail(err, QL_EDATA, "%s: its strings have an absurd size (%zu bytes)", a->path,
                       size);
    int64_t step = (int64_t)(BLOCK_BYTES / size);
    if (vlen && mem == type) {
        bool done = false;
        QL_TRY(strings_of_heap(a, type, out, &done, err));
        if (done) return QL_OK;
    }
    QL_TRY(ql_h5r_check_chunks(a, 1, err));
    if (step > a->n) step = a->n;
    QL_GO(QL_NEW(block, step * (int64_t)size, "a block of names", err));
    for (int64_t at = 0; at < a->n; at += step) {
        int64_t n = a->n - at < step ? a->n - at : step;
        QL_GO(vlen ? add_vlen(a, mem, at, n, (char **)(void *)block, out, err)
                   : add_fixed(a, type, mem, at, n, block, out, err));
    }
out:
    ql_free(block);
    return st;
}

static ql_status names_of_strings(const ql_h5r_array *a, ql_names *out, ql_err *err)
{
    hid_t type = H5Dget_type(a->id);
    if (type < 0) return ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
    ql_status st = ql_h5r_strings(a, type, type, out, err);
    ql_h5r_close(type);
    return st;
}

/* int64 values of any list of integers; owned by the caller. */
static ql_status read_ints(const ql_h5r_array *a, int64_t **out, ql_err *err)
{
    QL_TRY(ql_h5r_need_integers(a, err));
    QL_TRY(QL_NEW(*out, a->n, "a column of integers", err));
    if (a->rank == 1) return ql_h5r_read_i64(a, a->n, 1, *out, err);
    QL_TRY(ql_h5r_check_chunks(a, 1, err));
    if (H5Dread(a->id, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, *out) >= 0) return QL_OK;
    return ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
}

static ql_status names_of_ints(const ql_h5r_array *a, ql_names *out, ql_err *err)
{
    int64_t *values = NULL;
    char text[32];
    ql_status st = read_ints(a, &values, err);
    for (int64_t i = 0; st == QL_OK && i < a->n; i++) {
        int len = snprintf(text, sizeof text, "%" PRId64, values[i]);
        st = ql_names_add(out, text, (size_t)len, err);
    }
    ql_free(values);
    return st;
}

static ql_status names_of_dataset(hid_t file, const char *path, ql_names *out, ql_err *err)
{
    ql_h5r_array a;
    QL_TRY(ql_h5r_array_open(file, path, -1, &a, err));
    ql_status st;
    if (a.rank == 2 && a.dim[1] != 1)
        st = ql_fail(err, QL_EDATA, "%s: has 2 dimensions, 1 expected", a.path);
    else if (a.class_ == H5T_STRING)
        st = names_of_strings(&a, out, err);
    else if (a.numeric && !ql_num_is_float(a.num))
        st = names_of_ints(&a, out, err);
    else if (a.n == 0)
        st = QL_OK; /* empty columns are often float64 */
    else
        st = ql_fail(err, QL_EDATA, "%s: is %s, names expected", a.path, ql_h5r_type_text(&a));
    ql_h5r_array_close(&a);
    return st;
}

static ql_status member_ints(hid_t file, const char *path, const char *member, int64_t **out,
                             int64_t *n, ql_err *err)
{
    ql_h5r_array a;
    char full[1200];
    (void)snprintf(full, sizeof full, "%s/%s", path, member);
    QL_TRY(ql_h5r_array_open(file, full, 1, &a, err));
    *n = a.n;
    ql_status st = read_ints(&a, out, err);
    ql_h5r_array_close(&a);
    return st;
}

static ql_status member_names(hid_t file, const char *path, const char *member, ql_names *out,
                              ql_err *err)
{
    char full[1200];
    (void)snprintf(full, sizeof full, "%s/%s", path, member);
    return names_of_dataset(file, full, out, err);
}

/* values where mask is not set, "" elsewhere */
static ql_status names_of_nullable(hid_t file, const char *path, ql_names *out, ql_err *err)
{
    ql_names values = {0};
    int64_t *mask = NULL, n = 0;
    ql_status st;
    QL_GO(member_names(file, path, "values", &values, err));
    QL_GO(member_ints(file, path, "mask", &mask, &n, err));
    if (n != values.n) {
        st = ql_fail(err, QL_EDATA, "/%s: has %" PRId64 " values but a mask of %" PRId64, path,
                     values.n, n);
        goto out;
    }
    for (int64_t i = 0; i < n; i++) {
        const char *s = mask[i] ? "" : ql_name(&values, i);
        QL_GO(ql_names_add(out, s, strlen(s), err));
    }
out:
    ql_free(mask);
    ql_names_free(&values);
    return st;
}

static ql_status names_of_categories(hid_t file, const char *path, ql_names *out, ql_err *err)
{
    ql_names values = {0};
    int64_t *codes = NULL, n = 0;
    ql_status st;
    QL_GO(member_names(file, path, "categories", &values, err));
    QL_GO(member_ints(file, path, "codes", &codes, &n, err));
    for (int64_t i = 0; i < n; i++) {
        if (codes[i] < -1 || codes[i] >= values.n) {
            st = ql_fail(err, QL_EDATA,
                         "/%s/codes[%" PRId64 "] is %" PRId64 ", but there are %" PRId64
                         " categories",
                         path, i, codes[i], values.n);
            goto out;
        }
        const char *s = codes[i] < 0 ? "" : ql_name(&values, codes[i]);
        QL_GO(ql_names_add(out, s, strlen(s), err));
    }
out:
    ql_free(codes);
    ql_names_free(&values);
    return st;
}

typedef ql_status names_reader(hid_t file, const char *path, ql_names *out, ql_err *err);

/* Groups that hold names: recognised by their members, which every version writes. */
static const struct {
    const char *member;
    const char *counted;
    names_reader *read;
} group_forms[] = {{"mask", "values", names_of_nullable}, {"codes", "codes", names_of_categories}};

static int group_form(hid_t file, const char *path)
{
    char full[1200];
    for (int i = 0; i < (int)(sizeof group_forms / sizeof *group_forms); i++) {
        (void)snprintf(full, sizeof full, "%s/%s", path, group_forms[i].member);
        if (ql_h5r_kind_of(file, full) == QL_H5R_DATASET) return i;
    }
    return -1;
}

ql_status ql_h5r_names(hid_t file, const char *path, ql_names *out, ql_err *err)
{
    if (ql_h5r_kind_of(file, path) != QL_H5R_GROUP) return names_of_dataset(file, path, out, err);
    int form = group_form(file, path);
    if (form < 0)
        return ql_fail(err, QL_EDATA, "%s: is a group of a kind that holds no names", path);
    return group_forms[form].read(file, path, out, err);
}

ql_status ql_h5r_names_count(hid_t file, const char *path, int64_t *n, ql_err *err)
{
    ql_h5r_array a;
    char full[1200];
    int form = ql_h5r_kind_of(file, path) == QL_H5R_GROUP ? group_form(file, path) : -1;
    (void)snprintf(full, sizeof full, "%s%s%s", path, form < 0 ? "" : "/",
                   form < 0 ? "" : group_forms[form].counted);
    QL_TRY(ql_h5r_array_open(file, full, -1, &a, err));
    *n = a.n;
    ql_h5r_array_close(&a);
    return QL_OK;
}

ql_status ql_h5r_names_of(hid_t file, const char *path, int64_t n, ql_names *out, ql_err *err)
{
    QL_TRY(ql_h5r_names(file, path, out, err));
    if (out->n != 1 || n <= 1) return QL_OK;
    ql_names copy = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; st == QL_OK && i < n; i++)
        st = ql_names_add(&copy, ql_name(out, 0), strlen(ql_name(out, 0)), err);
    ql_names_free(out);
    *out = copy;
    return st;
}
