/* Annotation columns of an h5ad's frames, in the few types a ql_frame has, and the list of what
 * else the file holds.
 *
 * Categories become their values. A missing value is "" among strings and NaN among numbers, which
 * makes integers with missing values float64; bools with missing values become the strings "True",
 * "False" and "". What cannot be represented is listed, not read. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "h5_error.h"
#include "h5_names.h"
#include "h5_values.h"
#include "h5ad_parts.h"
#include "quell/alloc.h"

enum {
    MEMBERS_LISTED = 200, /* of a group; a file with more has no list anybody reads */
};
static const int64_t EXACT_MAX = INT64_C(1) << 53; /* whole numbers that a double holds */

/* Values read but not yet a column of a frame. */
typedef struct {
    ql_col_type type;
    int64_t n;
    ql_names strings;
    void *values;
} values;

static void values_free(values *v)
{
    ql_names_free(&v->strings);
    ql_free(v->values);
    *v = (values){0};
}

static ql_status new_values(values *v, ql_col_type type, int64_t n, ql_err *err)
{
    v->type = type;
    v->n = n;
    return ql_new_(&v->values, n, ql_col_size(type), "an annotation column", err);
}

/* ---- datasets ---- */

static ql_status read_bools(const ql_h5r_array *a, values *v, ql_err *err)
{
    int64_t *wide = NULL;
    ql_status st;
    QL_GO(new_values(v, QL_COL_BOOL, a->n, err));
    QL_GO(QL_NEW(wide, a->n, "an annotation column", err));
    QL_GO(ql_h5r_read_i64(a, a->n, 1, wide, err));
    for (int64_t i = 0; i < a->n; i++) ((uint8_t *)v->values)[i] = wide[i] != 0;
out:
    ql_free(wide);
    return st;
}

static ql_status read_integers(const ql_h5r_array *a, values *v, ql_err *err)
{
    QL_TRY(new_values(v, QL_COL_I64, a->n, err));
    const int64_t *x = v->values;
    QL_TRY(ql_h5r_read_i64(a, a->n, 1, v->values, err));
    for (int64_t i = 0; a->num == QL_NUM_U64 && i < a->n; i++)
        if (x[i] < 0) return ql_fail(err, QL_EDATA, "%s: is too large for int64", a->path);
    return QL_OK;
}

static ql_status read_doubles(const ql_h5r_array *a, values *v, ql_err *err)
{
    QL_TRY(new_values(v, QL_COL_F64, a->n, err));
    if (a->n == 0) return QL_OK;
    if (H5Dread(a->id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v->values) >= 0)
        return QL_OK;
    return ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
}

static ql_status read_numbers(const ql_h5r_array *a, values *v, ql_err *err)
{
    QL_TRY(ql_h5r_need_numbers(a, err));
    if (a->is_bool) return read_bools(a, v, err);
    if (!ql_num_is_float(a->num)) return read_integers(a, v, err);
    if (a->num == QL_NUM_F64) return read_doubles(a, v, err);
    QL_TRY(new_values(v, QL_COL_F32, a->n, err));
    return ql_h5r_read_f32(a, a->n, 1, v->values, err);
}

static ql_status read_dataset(hid_t file, const char *path, values *v, ql_err *err)
{
    ql_h5r_array a;
    ql_status st;
    QL_TRY(ql_h5r_array_open(file, path, 1, &a, err));
    if (a.class_ == H5T_STRING) {
        v->type = QL_COL_STRING;
        st = ql_h5r_names(file, path, &v->strings, err);
        v->n = v->strings.n;
    } else {
        st = read_numbers(&a, v, err);
    }
    ql_h5r_array_close(&a);
    return st;
}

/* ---- picking: category codes, masks ---- */

static ql_status pick_strings(const values *from, const int64_t *at, values *to, ql_err *err)
{
    static const char *const words[] = {"False", "True"};
    const uint8_t *bools = from->values;
    for (int64_t i = 0; i < to->n; i++) {
        const char *s = at[i] < 0                   ? ""
                        : from->type == QL_COL_BOOL ? words[bools[at[i]]]
                                                    : ql_name(&from->strings, at[i]);
        QL_TRY(ql_names_add(&to->strings, s, strlen(s), err));
    }
    return QL_OK;
}

static ql_status pick_doubles(const values *from, const int64_t *at, values *to, ql_err *err)
{
    const int64_t *whole = from->values;
    const double *real = from->values;
    QL_TRY(new_values(to, QL_COL_F64, to->n, err));
    for (int64_t i = 0; i < to->n; i++) {
        double *x = (double *)to->values + i;
        if (at[i] < 0) {
            *x = NAN;
        } else if (from->type == QL_COL_I64) {
            if (whole[at[i]] > EXACT_MAX || whole[at[i]] < -EXACT_MAX)
                return ql_fail(err, QL_EDATA, "integers above 2^53 beside missing values");
            *x = (double)whole[at[i]];
        } else {
            *x = real[at[i]];
        }
    }
    return QL_OK;
}

static ql_status pick_plain(const values *from, const int64_t *at, values *to, ql_err *err)
{
    size_t size = ql_col_size(from->type);
    QL_TRY(new_values(to, from->type, to->n, err));
    for (int64_t i = 0; i < to->n; i++) {
        char *x = (char *)to->values + (size_t)i * size;
        if (at[i] >= 0)
            memcpy(x, (const char *)from->values + (size_t)at[i] * size, size);
        else
            *(float *)(void *)x = NAN; /* the only type that comes here with missing values */
    }
    return QL_OK;
}

/* to[i] = from[at[i]]; -1: missing. */
static ql_status pick(const values *from, const int64_t *at, int64_t n, values *to, ql_err *err)
{
    bool missing = false;
    for (int64_t i = 0; i < n; i++) {
        if (at[i] < -1 || at[i] >= from->n)
            return ql_fail(err, QL_EDATA, "code %" PRId64 " of %" PRId64 " categories", at[i],
                           from->n);
        missing = missing || at[i] < 0;
    }
    *to = (values){.type = from->type, .n = n};
    if (from->type == QL_COL_STRING || (from->type == QL_COL_BOOL && missing)) {
        to->type = QL_COL_STRING;
        return pick_strings(from, at, to, err);
    }
    if (missing && from->type != QL_COL_F32) return pick_doubles(from, at, to, err);
    return pick_plain(from, at, to, err);
}

/* Integers or bools of a dataset. */
static ql_status read_codes(hid_t file, const char *path, int64_t **out, int64_t *n, ql_err *err)
{
    ql_h5r_array a;
    QL_TRY(ql_h5r_array_open(file, path, 1, &a, err));
    ql_status st = ql_h5r_need_integers(&a, err);
    if (st == QL_OK) st = QL_NEW(*out, a.n, "an annotation column", err);
    if (st == QL_OK) st = ql_h5r_read_i64(&a, a.n, 1, *out, err);
    *n = a.n;
    ql_h5r_array_close(&a);
    return st;
}

/* v->n is how many values there must be: nothing is copied before that is known. */
static ql_status check_length(const values *v, int64_t n, ql_err *err)
{
    if (n == v->n) return QL_OK;
    return ql_fail(err, QL_EDATA, "%" PRId64 " values, %" PRId64 " expected", n, v->n);
}

static ql_status read_categories(hid_t file, const char *codes_at, const char *categories_at,
                                 values *v, ql_err *err)
{
    values categories = {0};
    int64_t *codes = NULL, n = 0;
    ql_status st;
    QL_GO(read_dataset(file, categories_at, &categories, err));
    QL_GO(read_codes(file, codes_at, &codes, &n, err));
    QL_GO(check_length(v, n, err));
    QL_GO(pick(&categories, codes, n, v, err));
out:
    ql_free(codes);
    values_free(&categories);
    return st;
}

/* A mask is set where the value is missing. */
static ql_status read_nullable(hid_t file, const char *values_at, const char *mask_at, values *v,
                               ql_err *err)
{
    values all = {0};
    int64_t *at = NULL, n = 0;
    ql_status st;
    QL_GO(read_dataset(file, values_at, &all, err));
    QL_GO(read_codes(file, mask_at, &at, &n, err));
    QL_GO(check_length(v, n, err));
    QL_GO(check_length(v, all.n, err));
    for (int64_t i = 0; i < n; i++) at[i] = at[i] ? -1 : i;
    QL_GO(pick(&all, at, n, v, err));
out:
    ql_free(at);
    values_free(&all);
    return st;
}

/* ---- columns ---- */

static ql_status set_path(ql_str *out, ql_err *err, const char *frame, const char *part,
                          const char *member)
{
    ql_str_clear(out);
    ql_str_printf(out, "%s/%s%s%s", frame, part, member[0] ? "/" : "", member);
    return out->failed ? ql_fail(err, QL_EMEMORY, "no memory for a path") : QL_OK;
}

static bool is_there(hid_t file, const ql_str *path)
{
    return ql_h5r_kind_of(file, ql_str_text(path)) != QL_H5R_NONE;
}

/* Two members of a group, read by one of the functions above. */
typedef ql_status pair_reader(hid_t file, const char *a, const char *b, values *v, ql_err *err);

static ql_status read_pair(hid_t file, const char *frame, const char *name,
                           const char *const member[2], pair_reader *read, values *v, ql_err *err)
{
    ql_str a = {0}, b = {0};
    ql_status st;
    QL_GO(set_path(&a, err, frame, name, member[0]));
    QL_GO(set_path(&b, err, frame, name, member[1]));
    QL_GO(read(file, ql_str_text(&a), ql_str_text(&b), v, err));
out:
    ql_str_free(&a);
    ql_str_free(&b);
    return st;
}

static ql_status read_group(hid_t file, const char *frame, const char *name, values *v, ql_err *err)
{
    static const char *const category[] = {"codes", "categories"}, *const nullable[] = {"values",
                                                                                        "mask"};
    ql_str mask = {0};
    ql_status st = set_path(&mask, err, frame, name, "mask");
    bool masked = st == QL_OK && is_there(file, &mask);
    ql_str_free(&mask);
    QL_TRY(st);
    return masked ? read_pair(file, frame, name, nullable, read_nullable, v, err)
                  : read_pair(file, frame, name, category, read_categories, v, err);
}

/* A dataset; in layout 0.7 codes may have their categories under the same name elsewhere. */
static ql_status read_plain(hid_t file, const char *frame, const char *name, const char *path,
                            values *v, ql_err *err)
{
    ql_str categories = {0};
    ql_status st = set_path(&categories, err, frame, "__categories", name);
    if (st == QL_OK)
        st = is_there(file, &categories)
                 ? read_categories(file, path, ql_str_text(&categories), v, err)
                 : read_dataset(file, path, v, err);
    ql_str_free(&categories);
    return st;
}

static ql_status read_column(hid_t file, const char *frame, const char *name, const char *path,
                             ql_frame *out, ql_err *err)
{
    values v = {.n = out->index.n};
    ql_status st;
    if (ql_h5r_kind_of(file, path) == QL_H5R_GROUP)
        QL_GO(read_group(file, frame, name, &v, err));
    else
        QL_GO(read_plain(file, frame, name, path, &v, err));
    if (v.n != out->index.n) QL_GO(ql_fail(err, QL_EDATA, "%s: has another length", path));
    QL_GO(ql_frame_add(out, name, v.type,
                       v.type == QL_COL_STRING ? (const void *)&v.strings : v.values, err));
out:
    values_free(&v);
    return st;
}

/* One column; one that cannot be read goes to lost. */
static ql_status take_column(hid_t file, const char *frame, const char *name, ql_frame *out,
                             ql_names *lost, ql_err *err)
{
    ql_str path = {0};
    ql_err own = {0};
    ql_status st = set_path(&path, err, frame, name, "");
    if (st == QL_OK && is_there(file, &path)) {
        st = read_column(file, frame, name, ql_str_text(&path), out, &own);
        if (st == QL_EMEMORY && err) *err = own;
        if (st != QL_OK && st != QL_EMEMORY) st = ql_names_add(lost, path.text, path.len, err);
    }
    ql_str_free(&path);
    return st;
}

ql_status ql_h5ad_read_columns(hid_t file, const char *frame, ql_frame *out, ql_names *lost,
                               ql_err *err)
{
    ql_names order = {0};
    ql_status st = QL_OK;
    (void)ql_h5r_attr_strings(file, frame, "column-order", &order);
    for (int64_t i = 0; st == QL_OK && i < order.n; i++) {
        st = take_column(file, frame, ql_name(&order, i), out, lost, err);
    }
    ql_names_free(&order);
    return st;
}

/* ---- what else there is ---- */

static bool is_listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0) return true;
    return false;
}

static ql_status list_group(hid_t file, const char *group, const char *taken, ql_names *others,
                            ql_err *err)
{
    ql_names members = {0};
    ql_str path = {0};
    ql_status st = ql_h5r_members(file, group, MEMBERS_LISTED, &members, NULL, err);
    for (int64_t i = 0; st == QL_OK && i < members.n; i++) {
        st = set_path(&path, err, group, ql_name(&members, i), "");
        if (st == QL_OK && strcmp(path.text, taken) != 0)
            st = ql_names_add(others, path.text, path.len, err);
    }
    ql_str_free(&path);
    ql_names_free(&members);
    return st;
}

static ql_status list_others(hid_t file, const ql_dataset *ds, ql_names *others, ql_err *err)
{
    static const char *const groups[] = {"layers", "obsm", "varm", "obsp", "varp", "uns", NULL};
    ql_names root = {0};
    bool raw = strncmp(ds->matrix, "raw/", 4) == 0;
    ql_status st = ql_h5r_members(file, "/", MEMBERS_LISTED, &root, NULL, err);
    for (int64_t i = 0; st == QL_OK && i < root.n; i++) {
        const char *name = ql_name(&root, i);
        if (is_listed(groups, name) && ql_h5r_kind_of(file, name) == QL_H5R_GROUP) {
            st = list_group(file, name, ds->matrix, others, err);
            continue;
        }
        bool taken =
            !strcmp(name, ds->matrix) || !strcmp(name, "obs") || !strcmp(name, raw ? "raw" : "var");
        if (!taken) st = ql_names_add(others, name, strlen(name), err);
    }
    ql_names_free(&root);
    return st;
}

ql_status ql_h5ad_annotate(hid_t file, ql_dataset *ds, ql_err *err)
{
    bool raw = strncmp(ds->matrix, "raw/", 4) == 0;
    QL_TRY(ql_h5ad_read_columns(file, "obs", &ds->cells, &ds->others, err));
    QL_TRY(ql_h5ad_read_columns(file, raw ? "raw/var" : "var", &ds->genes, &ds->others, err));
    return list_others(file, ds, &ds->others, err);
}

/* ---- obsm ---- */

static ql_status split_columns(const values *v, const char *key, int64_t width, ql_frame *out,
                               ql_err *err)
{
    size_t size = ql_col_size(v->type);
    ql_str name = {0};
    char *column = NULL;
    ql_status st;
    QL_GO(ql_new_((void **)&column, out->index.n, size, "a column", err));
    for (int64_t c = 0; c < width; c++) {
        for (int64_t i = 0; i < out->index.n; i++) {
            memcpy(column + (size_t)i * size,
                   (const char *)v->values + (size_t)(i * width + c) * size, size);
        }
        ql_str_clear(&name);
        ql_str_printf(&name, "%s_%" PRId64, key, c + 1);
        if (name.failed) QL_GO(ql_fail(err, QL_EMEMORY, "no memory for a name"));
        QL_GO(ql_frame_add(out, name.text, v->type, column, err));
    }
out:
    ql_free(column);
    ql_str_free(&name);
    return st;
}

static ql_status read_dense(hid_t file, const char *path, const char *key, ql_frame *out,
                            ql_err *err)
{
    ql_h5r_array a;
    values v = {0};
    QL_TRY(ql_h5r_array_open(file, path, 2, &a, err));
    ql_status st = ql_h5r_need_numbers(&a, err);
    if (st == QL_OK && a.dim[0] != out->index.n)
        st = ql_fail(err, QL_EDATA, "%s: has %" PRId64 " rows for %" PRId64 " cells", a.path,
                     a.dim[0], out->index.n);
    if (st == QL_OK) st = read_doubles(&a, &v, err);
    if (st == QL_OK) st = split_columns(&v, key, a.dim[1], out, err);
    values_free(&v);
    ql_h5r_array_close(&a);
    return st;
}

static ql_status fail_no_key(hid_t file, const char *key, ql_err *err)
{
    ql_names has = {0};
    ql_str list = {0};
    (void)ql_h5r_members(file, "obsm", 20, &has, NULL, NULL);
    for (int64_t i = 0; i < has.n; i++) {
        ql_str_puts(&list, i ? ", " : "");
        ql_str_escape(&list, ql_name(&has, i), strlen(ql_name(&has, i)));
    }
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
    ql_status st = set_path(&path, err, "obsm", key, "");
    if (st == QL_OK && !is_there(file, &path)) {
        st = fail_no_key(file, key, err);
    } else if (st == QL_OK && ql_h5r_kind_of(file, path.text) == QL_H5R_DATASET) {
        st = read_dense(file, path.text, key, out, err);
    } else if (st == QL_OK && ql_h5r_attr_is(file, path.text, "encoding-type", "dataframe")) {
        st = ql_h5ad_read_columns(file, path.text, out, &lost, err);
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
    return st == QL_OK ? QL_OK : ql_context(err, "%s", path);
}
