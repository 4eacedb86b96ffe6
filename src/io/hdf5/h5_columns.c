#include "h5_columns.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "h5_chunks.h"
#include "h5_error.h"
#include "h5_names.h"
#include "quell/alloc.h"

void ql_values_free(ql_values *v)
{
    ql_names_free(&v->strings);
    ql_free(v->values);
    *v = (ql_values){0};
}

/* --- numbers --- */

/* Column type and memory type (owned) of a number type of the file; false when it is none. */
static bool number_types(hid_t type, ql_col_type *col, hid_t *mem)
{
    *mem = -1;
    switch (H5Tget_class(type)) {
    case H5T_ENUM: /* h5py's bool: read as stored, a byte */
        if (H5Tget_size(type) != 1) return false;
        *col = QL_COL_BOOL;
        *mem = H5Tcopy(type);
        break;
    case H5T_INTEGER:
        *col = QL_COL_I64;
        *mem = H5Tcopy(H5T_NATIVE_INT64);
        break;
    case H5T_FLOAT:
        *col = H5Tget_size(type) <= 4 ? QL_COL_F32 : QL_COL_F64;
        *mem = H5Tcopy(*col == QL_COL_F32 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE);
        break;
    default:
        break;
    }
    return *mem >= 0;
}

/* A compound in memory that has only this member; a negative id on failure. */
static hid_t one_member(const char *name, hid_t type)
{
    hid_t mem = H5Tcreate(H5T_COMPOUND, H5Tget_size(type));
    if (mem >= 0 && H5Tinsert(mem, name, 0, type) >= 0) return mem;
    ql_h5r_close(mem);
    return -1;
}

/* HDF5 turns what is above int64 into its largest value. */
static ql_status check_large(const ql_h5r_array *a, hid_t type, const ql_values *v, ql_err *err)
{
    const int64_t *x = v->values;
    if (H5Tget_class(type) != H5T_INTEGER || H5Tget_size(type) < 8 ||
        H5Tget_sign(type) != H5T_SGN_NONE)
        return QL_OK;
    for (int64_t i = 0; i < v->n; i++)
        if (x[i] == INT64_MAX) return ql_fail(err, QL_EDATA, "%s: is too large for int64", a->path);
    return QL_OK;
}

static ql_status read_numbers(const ql_h5r_array *a, hid_t mem, ql_values *out, ql_err *err)
{
    QL_TRY(ql_new_(&out->values, a->n, ql_col_size(out->type), "an annotation column", err));
    QL_TRY(ql_h5r_check_chunks(a, 1, err));
    if (a->n > 0 && H5Dread(a->id, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, out->values) < 0)
        return ql_h5_fail(err, QL_EDATA, "%s: is damaged", a->path);
    for (int64_t i = 0; out->type == QL_COL_BOOL && i < a->n; i++)
        ((uint8_t *)out->values)[i] = ((uint8_t *)out->values)[i] != 0;
    return QL_OK;
}

/* The values of type `type` in a: all of an element, or the member of that name. */
static ql_status read_values(const ql_h5r_array *a, hid_t type, const char *member, ql_values *out,
                             ql_err *err)
{
    bool text = H5Tget_class(type) == H5T_STRING;
    hid_t mem = text ? H5Tcopy(type) : -1, compound = -1;
    ql_status st = QL_OK;
    out->n = a->n;
    out->type = QL_COL_STRING;
    if (!text && !number_types(type, &out->type, &mem))
        return ql_fail(err, QL_EDATA, "%s: holds neither text nor numbers", a->path);
    if (member) compound = one_member(member, mem);
    if (mem < 0 || (member && compound < 0))
        st = ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
    else if (text)
        st = ql_h5r_strings(a, type, member ? compound : mem, &out->strings, err);
    else
        st = read_numbers(a, member ? compound : mem, out, err);
    if (st == QL_OK && !text) st = check_large(a, type, out, err);
    ql_h5r_close(compound);
    ql_h5r_close(mem);
    return st;
}

ql_status ql_h5r_member_values(const ql_h5r_array *a, unsigned member, ql_values *out, ql_err *err)
{
    hid_t type = H5Dget_type(a->id), part = -1;
    char *name = NULL;
    ql_status st;
    if (type >= 0 && H5Tget_class(type) == H5T_COMPOUND &&
        member < (unsigned)H5Tget_nmembers(type)) {
        part = H5Tget_member_type(type, member);
        name = H5Tget_member_name(type, member);
    }
    if (part >= 0 && name)
        st = read_values(a, part, name, out, err);
    else
        st = ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
    if (name) (void)H5free_memory(name);
    ql_h5r_close(part);
    ql_h5r_close(type);
    if (st != QL_OK) ql_values_free(out);
    return st;
}

/* want < 0: any number. */
static ql_status check_length(const char *path, int64_t n, int64_t want, ql_err *err)
{
    if (want < 0 || n == want) return QL_OK;
    return ql_fail(err, QL_EDATA, "/%s: has %" PRId64 " values for %" PRId64 " names", path, n,
                   want);
}

static ql_status values_of_dataset(hid_t file, const char *path, int64_t n, ql_values *out,
                                   ql_err *err)
{
    ql_h5r_array a;
    QL_TRY(ql_h5r_array_open(file, path, -1, &a, err));
    ql_status st = QL_OK;
    hid_t type = H5Dget_type(a.id);
    if (a.rank == 2 && a.dim[1] != 1)
        st = ql_fail(err, QL_EDATA, "%s: has 2 dimensions, 1 expected", a.path);
    else if (type < 0)
        st = ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a.path);
    else
        st = check_length(path, a.n, n, err);
    if (st == QL_OK) st = read_values(&a, type, NULL, out, err);
    ql_h5r_close(type);
    ql_h5r_array_close(&a);
    return st;
}

/* --- missing values --- */

static const double EXACT_MAX = 9007199254740992.0; /* whole numbers that a double holds */

static double number_at(const ql_values *v, int64_t i)
{
    switch (v->type) {
    case QL_COL_F32:
        return (double)((const float *)v->values)[i];
    case QL_COL_F64:
        return ((const double *)v->values)[i];
    case QL_COL_I64:
        return (double)((const int64_t *)v->values)[i];
    default:
        return (double)((const uint8_t *)v->values)[i];
    }
}

/* From here on the functions make out[i] = from[at[i]], missing where at[i] < 0. */

static ql_status take_doubles(const ql_values *from, const int64_t *at, ql_values *out, ql_err *err)
{
    double *x = out->values;
    for (int64_t i = 0; i < out->n; i++) {
        x[i] = at[i] < 0 ? NAN : number_at(from, at[i]);
        if (from->type == QL_COL_I64 && fabs(x[i]) > EXACT_MAX)
            return ql_fail(err, QL_EDATA, "integers above 2^53 beside missing values");
    }
    return QL_OK;
}

static void take_as_they_are(const ql_values *from, const int64_t *at, ql_values *out)
{
    const size_t size = ql_col_size(out->type);
    unsigned char *to = out->values;
    const unsigned char *values = from->values;
    for (int64_t i = 0; i < out->n; i++) {
        if (at[i] < 0)
            ((float *)out->values)[i] = NAN; /* the only type that comes here with missing values */
        else
            memcpy(to + (size_t)i * size, values + (size_t)at[i] * size, size);
    }
}

static ql_status take_numbers(const ql_values *from, const int64_t *at, ql_values *out,
                              bool missing, ql_err *err)
{
    bool widen = missing && from->type != QL_COL_F32;
    out->type = widen ? QL_COL_F64 : from->type;
    QL_TRY(ql_new_(&out->values, out->n, ql_col_size(out->type), "an annotation column", err));
    if (widen) return take_doubles(from, at, out, err);
    take_as_they_are(from, at, out);
    return QL_OK;
}

static ql_status take_strings(const ql_values *from, const int64_t *at, ql_values *out, ql_err *err)
{
    static const char *const words[] = {"False", "True"};
    const uint8_t *flags = from->values;
    out->type = QL_COL_STRING;
    for (int64_t i = 0; i < out->n; i++) {
        const char *s = at[i] < 0                   ? ""
                        : from->type == QL_COL_BOOL ? words[flags[at[i]] != 0]
                                                    : ql_name(&from->strings, at[i]);
        QL_TRY(ql_names_add(&out->strings, s, strlen(s), err));
    }
    return QL_OK;
}

static ql_status take(const ql_values *from, const int64_t *at, int64_t n, ql_values *out,
                      ql_err *err)
{
    bool missing = false;
    for (int64_t i = 0; i < n; i++) missing |= at[i] < 0;
    *out = (ql_values){.type = from->type, .n = n};
    bool text = from->type == QL_COL_STRING || (from->type == QL_COL_BOOL && missing);
    ql_status st =
        text ? take_strings(from, at, out, err) : take_numbers(from, at, out, missing, err);
    if (st != QL_OK) ql_values_free(out);
    return st;
}

ql_status ql_values_decode(ql_values *codes, const ql_values *categories, const char *where,
                           ql_err *err)
{
    ql_values out;
    if (codes->type != QL_COL_I64)
        return ql_fail(err, QL_EDATA, "/%s: its codes are no integers", where);
    const int64_t *at = codes->values;
    for (int64_t i = 0; i < codes->n; i++)
        if (at[i] < -1 || at[i] >= categories->n)
            return ql_fail(err, QL_EDATA,
                           "/%s: code %" PRId64 " at %" PRId64 ", but there are %" PRId64
                           " categories",
                           where, at[i], i, categories->n);
    QL_TRY(take(categories, at, codes->n, &out, err));
    ql_values_free(codes);
    *codes = out;
    return QL_OK;
}

/* --- groups --- */

static ql_status member(hid_t file, const char *path, const char *name, int64_t n, ql_values *out,
                        ql_err *err)
{
    char full[1200];
    (void)snprintf(full, sizeof full, "%s/%s", path, name);
    return values_of_dataset(file, full, n, out, err);
}

static bool has_member(hid_t file, const char *path, const char *name)
{
    char full[1200];
    (void)snprintf(full, sizeof full, "%s/%s", path, name);
    return ql_h5r_kind_of(file, full) == QL_H5R_DATASET;
}

static ql_status values_of_categories(hid_t file, const char *path, int64_t n, ql_values *out,
                                      ql_err *err)
{
    ql_values categories = {0};
    ql_status st;
    QL_GO(member(file, path, "categories", -1, &categories, err));
    QL_GO(member(file, path, "codes", n, out, err));
    QL_GO(ql_values_decode(out, &categories, path, err));
out:
    ql_values_free(&categories);
    return st;
}

static ql_status values_of_nullable(hid_t file, const char *path, int64_t n, ql_values *out,
                                    ql_err *err)
{
    ql_values all = {0}, mask = {0};
    int64_t *at = NULL;
    ql_status st;
    QL_GO(member(file, path, "values", n, &all, err));
    QL_GO(member(file, path, "mask", n, &mask, err));
    if (mask.n != all.n || mask.type == QL_COL_STRING) {
        st = ql_fail(err, QL_EDATA, "/%s: has %" PRId64 " values but a mask of %" PRId64, path,
                     all.n, mask.n);
        goto out;
    }
    QL_GO(QL_NEW(at, all.n, "an annotation column", err));
    for (int64_t i = 0; i < all.n; i++) at[i] = number_at(&mask, i) != 0 ? -1 : i;
    QL_GO(take(&all, at, all.n, out, err));
out:
    ql_free(at);
    ql_values_free(&all);
    ql_values_free(&mask);
    return st;
}

static ql_status values_at(hid_t file, const char *path, int64_t n, ql_values *out, ql_err *err)
{
    if (ql_h5r_kind_of(file, path) != QL_H5R_GROUP)
        return values_of_dataset(file, path, n, out, err);
    if (has_member(file, path, "codes")) return values_of_categories(file, path, n, out, err);
    if (has_member(file, path, "mask")) return values_of_nullable(file, path, n, out, err);
    return ql_fail(err, QL_EDATA, "/%s: is a group of a kind that is no column", path);
}

ql_status ql_h5r_values(hid_t file, const char *path, int64_t n, ql_values *out, ql_err *err)
{
    *out = (ql_values){0};
    ql_status st = values_at(file, path, n, out, err);
    if (st != QL_OK) ql_values_free(out);
    return st;
}

/* --- into a frame --- */

/* why starts with the object's path, or says nothing of it. */
static void note_left_out(const char *where, const char *why, ql_notes *notes)
{
    ql_str text = {0};
    ql_str_escape(&text, where, strlen(where));
    if (why[0] == '/' && !strncmp(why + 1, where, strlen(where)))
        ql_note_add(notes, QL_NOTE_WARNING, "%s: left out", why);
    else
        ql_note_add(notes, QL_NOTE_WARNING, "/%s: left out: %s", ql_str_text(&text), why);
    ql_str_free(&text);
}

ql_status ql_column_leave(const char *where, const char *why, const ql_left_out *left, ql_err *err)
{
    if (left->lost) return ql_names_add(left->lost, where, strlen(where), err);
    note_left_out(where, why, left->notes);
    return QL_OK;
}

ql_status ql_column_take(ql_frame *frame, const char *name, const char *where, ql_status st,
                         const ql_err *why, ql_values *v, const ql_left_out *left, ql_err *err)
{
    ql_err length = {0};
    if (st == QL_OK) {
        st = check_length(where, v->n, frame->index.n, &length);
        why = &length;
    }
    if (st == QL_EMEMORY) {
        if (err) *err = *why;
    } else if (st != QL_OK) {
        st = ql_column_leave(where, why->msg, left, err);
    } else {
        st = ql_frame_add(frame, name, v->type,
                          v->type == QL_COL_STRING ? (const void *)&v->strings : v->values, err);
    }
    ql_values_free(v);
    return st;
}
