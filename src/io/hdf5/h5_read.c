#include "h5_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "h5_error.h"
#include "lzf.h"
#include "quell/alloc.h"

void ql_h5r_close(hid_t id)
{
    if (id >= 0) (void)H5Idec_ref(id);
}

/* "truncated file: eof = 20000, sblock->base_addr = 0, stored_eof = 37848" in a user's words. */
static ql_status fail_open(ql_err *err)
{
    static const char eof_mark[] = "truncated file: eof = ", stored_mark[] = "stored_eof = ";
    ql_err own = {0};
    if (!err) err = &own;
    ql_status st = ql_h5_fail(err, QL_EDATA, "is damaged");
    const char *eof = strstr(err->msg, eof_mark), *stored = strstr(err->msg, stored_mark);
    if (!eof || !stored) return st;
    long long has = strtoll(eof + sizeof eof_mark - 1, NULL, 10);
    long long want = strtoll(stored + sizeof stored_mark - 1, NULL, 10);
    ql_fail(err, QL_EDATA, "is truncated: has %lld bytes, %lld expected", has, want);
    return ql_hint(err, QL_EDATA, "copy or download the file again");
}

/* The failure is described before the next call of the library forgets it. */
static hid_t open_quietly(const char *path, ql_err *err)
{
    ql_h5_init();
    ql_lzf_register();
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (fapl >= 0) (void)H5Pset_file_locking(fapl, 0, 1);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, fapl < 0 ? H5P_DEFAULT : fapl);
    if (file < 0) (void)fail_open(err);
    ql_h5r_close(fapl);
    return file;
}

hid_t ql_h5r_try_open(const char *path)
{
    return open_quietly(path, NULL);
}

ql_status ql_h5r_open(const char *path, hid_t *file, ql_err *err)
{
    *file = -1;
    FILE *f = fopen(path, "rb");
    struct stat s;
    if (!f) return ql_fail(err, QL_ENOINPUT, "cannot be read: %s", strerror(errno));
    bool regular = fstat(fileno(f), &s) == 0 && S_ISREG(s.st_mode);
    (void)fclose(f);
    if (!regular) return ql_fail(err, QL_ENOINPUT, "is not a file");
    *file = open_quietly(path, err);
    return *file >= 0 ? QL_OK : QL_EDATA;
}

/* --- links and kinds --- */

enum { PATH_BYTES = 1024, MAX_SOFT_LINKS = 32 };

static bool path_is_inside(hid_t file, const char *path, int *n_soft);

/* A soft link leads on: to a path from the root, or from the group it is in. */
static bool soft_is_inside(hid_t file, const char *link, size_t size, int *n_soft)
{
    char target[PATH_BYTES] = "", path[PATH_BYTES];
    if (++*n_soft > MAX_SOFT_LINKS || size >= sizeof target) return false;
    if (H5Lget_val(file, link, target, sizeof target - 1, H5P_DEFAULT) < 0) return false;
    const char *slash = strrchr(link, '/');
    int group = target[0] == '/' || !slash ? 0 : (int)(slash - link) + 1;
    int n = snprintf(path, sizeof path, "%.*s%s", group, link, target);
    return n > 0 && n < PATH_BYTES && path_is_inside(file, path, n_soft);
}

static bool link_is_inside(hid_t file, const char *path, int *n_soft)
{
    H5L_info_t info;
    if (H5Lexists(file, path, H5P_DEFAULT) <= 0) return false;
    if (H5Lget_info(file, path, &info, H5P_DEFAULT) < 0) return false;
    if (info.type == H5L_TYPE_HARD) return true;
    return info.type == H5L_TYPE_SOFT && soft_is_inside(file, path, info.u.val_size, n_soft);
}

/* The step of a path that ends before path[end] is empty or ".". */
static bool stays(const char *path, size_t end)
{
    return path[end - 1] == '/' || (path[end - 1] == '.' && (end == 1 || path[end - 2] == '/'));
}

/* Each step of the path must be a link within the file, also behind soft links: H5Lexists looks at
 * the last step only, and a link to another file would open that file. *n_soft: soft links so far.
 */
static bool path_is_inside(hid_t file, const char *path, int *n_soft)
{
    char step[PATH_BYTES];
    size_t len = strlen(path);
    if (len >= sizeof step) return false;
    for (size_t i = 1; i <= len; i++) {
        if ((i < len && path[i] != '/') || stays(path, i)) continue;
        memcpy(step, path, i);
        step[i] = '\0';
        if (!link_is_inside(file, step, n_soft)) return false;
    }
    return true;
}

ql_h5r_kind ql_h5r_kind_of(hid_t file, const char *path)
{
    static const ql_h5r_kind kinds[] = {[H5I_GROUP] = QL_H5R_GROUP, [H5I_DATASET] = QL_H5R_DATASET};
    ql_h5r_kind kind = QL_H5R_NONE;
    int n_soft = 0;
    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0) return QL_H5R_GROUP;
    if (path_is_inside(file, path, &n_soft)) {
        hid_t id = H5Oopen(file, path, H5P_DEFAULT);
        H5I_type_t type = id < 0 ? H5I_BADID : H5Iget_type(id);
        if (type == H5I_GROUP || type == H5I_DATASET) kind = kinds[type];
        ql_h5r_close(id);
    }
    (void)H5Eclear2(H5E_DEFAULT);
    return kind;
}

typedef struct {
    ql_names *names;
    int64_t max, total;
    ql_status st;
    ql_err *err;
} member_list;

static herr_t add_member(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    member_list *list = ctx;
    (void)group;
    (void)info;
    if (list->total++ >= list->max) return 0;
    list->st = ql_names_add(list->names, name, strlen(name), list->err);
    return list->st == QL_OK ? 0 : -1;
}

ql_status ql_h5r_members(hid_t file, const char *path, int64_t max, ql_names *out, int64_t *total,
                         ql_err *err)
{
    member_list list = {.names = out, .max = max, .st = QL_OK, .err = err};
    if (ql_h5r_kind_of(file, path) != QL_H5R_GROUP)
        return ql_fail(err, QL_EDATA, "%s: there is no such group", path);
    hsize_t at = 0;
    herr_t rc = H5Literate_by_name(file, path, H5_INDEX_NAME, H5_ITER_INC, &at, add_member, &list,
                                   H5P_DEFAULT);
    if (list.st != QL_OK) return list.st;
    if (rc < 0) return ql_h5_fail(err, QL_EDATA, "%s: cannot list its members", path);
    if (total) *total = list.total;
    return QL_OK;
}

int64_t ql_h5r_list(hid_t file, const char *path, int64_t max, ql_names *out)
{
    int64_t total = 0;
    return ql_h5r_members(file, path, max, out, &total, NULL) == QL_OK ? total : 0;
}

/* --- attributes --- */

enum { STRING_MAX = 1 << 16 };

typedef struct {
    hid_t id, type;
    int64_t n; /* elements; negative: not known */
} attribute;

static bool attr_open(hid_t file, const char *path, const char *name, attribute *a)
{
    *a = (attribute){-1, -1, -1};
    if (ql_h5r_kind_of(file, path) != QL_H5R_NONE &&
        H5Aexists_by_name(file, path, name, H5P_DEFAULT) > 0)
        a->id = H5Aopen_by_name(file, path, name, H5P_DEFAULT, H5P_DEFAULT);
    if (a->id >= 0) {
        hid_t space = H5Aget_space(a->id);
        if (space >= 0) a->n = (int64_t)H5Sget_simple_extent_npoints(space);
        ql_h5r_close(space);
        a->type = H5Aget_type(a->id);
    }
    (void)H5Eclear2(H5E_DEFAULT);
    return a->id >= 0;
}

static void attr_close(attribute *a)
{
    ql_h5r_close(a->type);
    ql_h5r_close(a->id);
    (void)H5Eclear2(H5E_DEFAULT);
}

static bool attr_is(const attribute *a, H5T_class_t class_)
{
    return a->type >= 0 && H5Tget_class(a->type) == class_;
}

/* Takes the text of an attribute, which stays no longer than the call. */
typedef void text_taker(void *ctx, const char *text);

static bool take_vlen(const attribute *a, text_taker *take, void *ctx)
{
    char *text = NULL;
    if (H5Aread(a->id, a->type, &text) < 0) return false;
    take(ctx, text ? text : "");
    (void)H5free_memory(text);
    return true;
}

static bool take_fixed(const attribute *a, text_taker *take, void *ctx)
{
    char text[STRING_MAX + 1];
    const size_t size = H5Tget_size(a->type);
    if (size == 0 || size > STRING_MAX || H5Aread(a->id, a->type, text) < 0) return false;
    text[size] = '\0';
    size_t len = strlen(text);
    while (H5Tget_strpad(a->type) == H5T_STR_SPACEPAD && len && text[len - 1] == ' ') len--;
    text[len] = '\0';
    take(ctx, text);
    return true;
}

/* False: there is no such attribute, or it is no text. */
static bool take_text(hid_t file, const char *path, const char *name, text_taker *take, void *ctx)
{
    bool ok = false;
    attribute a;
    if (!attr_open(file, path, name, &a)) return false;
    if (attr_is(&a, H5T_STRING) && a.n == 1)
        ok = (H5Tis_variable_str(a.type) > 0 ? take_vlen : take_fixed)(&a, take, ctx);
    attr_close(&a);
    return ok;
}

static void copy_text(void *ctx, const char *text)
{
    ql_str_clear(ctx);
    ql_str_puts(ctx, text);
}

/* Did out have room for the text? */
static ql_status taken(const ql_str *out, const char *path, const char *name, ql_err *err)
{
    if (!out->failed) return QL_OK;
    return ql_fail(err, QL_EMEMORY, "/%s: no memory for attribute \"%s\"", path, name);
}

ql_status ql_h5r_attr_string(hid_t file, const char *path, const char *name, ql_str *out, bool *has,
                             ql_err *err)
{
    *has = take_text(file, path, name, copy_text, out);
    return *has ? taken(out, path, name, err) : QL_OK;
}

typedef struct {
    const char *value;
    bool same;
} comparison;

static void compare(void *ctx, const char *text)
{
    comparison *c = ctx;
    c->same = strcmp(text, c->value) == 0;
}

bool ql_h5r_attr_is(hid_t file, const char *path, const char *name, const char *value)
{
    comparison c = {.value = value};
    return take_text(file, path, name, compare, &c) && c.same;
}

static ql_status add_vlen_strings(const attribute *a, ql_names *out, ql_err *err)
{
    char **text;
    QL_TRY(QL_NEW(text, a->n, "the strings of an attribute", err));
    hid_t space = H5Aget_space(a->id);
    ql_status st = QL_OK;
    const bool ok = space >= 0 && H5Aread(a->id, a->type, text) >= 0;
    for (int64_t i = 0; ok && st == QL_OK && i < a->n; i++)
        st = ql_names_add(out, text[i] ? text[i] : "", text[i] ? strlen(text[i]) : 0, err);
    if (space >= 0) (void)H5Dvlen_reclaim(a->type, space, H5P_DEFAULT, text);
    ql_free(text);
    ql_h5r_close(space);
    return st;
}

static ql_status add_fixed_strings(const attribute *a, ql_names *out, ql_err *err)
{
    enum { MOST = 64 << 20 };
    char *text;
    const size_t size = H5Tget_size(a->type);
    if (size == 0 || size > STRING_MAX || a->n > MOST / (int64_t)size) return QL_OK;
    QL_TRY(ql_new_((void **)&text, a->n, size, "the strings of an attribute", err));
    ql_status st = QL_OK;
    const bool ok = H5Aread(a->id, a->type, text) >= 0;
    for (int64_t i = 0; ok && st == QL_OK && i < a->n; i++) {
        const char *s = text + (size_t)i * size;
        st = ql_names_add(out, s, strnlen(s, size), err);
    }
    ql_free(text);
    return st;
}

ql_status ql_h5r_attr_strings(hid_t file, const char *path, const char *name, ql_names *out,
                              ql_err *err)
{
    enum { MOST = 1 << 24 };
    ql_status st = QL_OK;
    attribute a;
    if (!attr_open(file, path, name, &a)) return QL_OK;
    if (a.n > 0 && a.n < MOST && attr_is(&a, H5T_STRING))
        st = (H5Tis_variable_str(a.type) > 0 ? add_vlen_strings : add_fixed_strings)(&a, out, err);
    attr_close(&a);
    return st;
}

ql_status ql_h5r_attr_object(hid_t file, const char *path, const char *name, ql_str *out, bool *has,
                             ql_err *err)
{
    char target[1024];
    hobj_ref_t ref;
    attribute a;
    hid_t object = -1;
    *has = false;
    if (!attr_open(file, path, name, &a)) return QL_OK;
    if (a.type >= 0 && H5Tequal(a.type, H5T_STD_REF_OBJ) > 0 && a.n == 1 &&
        H5Aread(a.id, H5T_STD_REF_OBJ, &ref) >= 0)
        object = H5Rdereference2(a.id, H5P_DEFAULT, H5R_OBJECT, &ref);
    if (object >= 0) {
        ssize_t n = H5Iget_name(object, target, sizeof target);
        *has = n > 0 && (size_t)n < sizeof target;
    }
    ql_h5r_close(object);
    attr_close(&a);
    if (!*has) return QL_OK;
    copy_text(out, target);
    return taken(out, path, name, err);
}

ql_status ql_h5r_attr_ints(hid_t file, const char *path, const char *name, int64_t *out, int n,
                           ql_err *err)
{
    ql_status st = QL_OK;
    attribute a;
    if (!attr_open(file, path, name, &a))
        return ql_fail(err, QL_EDATA, "/%s: has no attribute \"%s\"", path, name);
    if (!attr_is(&a, H5T_INTEGER))
        st = ql_fail(err, QL_EDATA, "/%s: attribute \"%s\" is not of integers", path, name);
    else if (a.n != n)
        st = ql_fail(err, QL_EDATA, "/%s: attribute \"%s\" has %" PRId64 " numbers, %d expected",
                     path, name, a.n, n);
    else if (H5Aread(a.id, H5T_NATIVE_INT64, out) < 0)
        st = ql_h5_fail(err, QL_EDATA, "/%s: attribute \"%s\" cannot be read", path, name);
    attr_close(&a);
    return st;
}
