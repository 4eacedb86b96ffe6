#include "quell/bundle.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/strbuf.h"
#include "quell/utf8.h"

static const struct {
    size_t size;
    const char *text;
} elems[] = {
#define X(name, type, text) [QL_ELEM_##name] = {sizeof(type), text},
    QL_ELEM_MAP(X)
#undef X
};

size_t ql_elem_size(ql_elem type)
{
    return elems[type].size;
}

static const char *elem_text(ql_elem type)
{
    return elems[type].text;
}

static void release(ql_entry *e)
{
    ql_free(e->name);
    ql_free(e->text);
    ql_free(e->own);
    ql_names_free(&e->own_names);
    *e = (ql_entry){0};
}

void ql_bundle_free(ql_bundle *b)
{
    if (!b) return;
    for (int i = 0; i < b->n; i++) release(&b->entries[i]);
    ql_free(b->entries);
    *b = (ql_bundle){0};
}

int64_t ql_bundle_bytes(const ql_bundle *b)
{
    int64_t bytes = 0;
    for (int i = 0; i < b->n; i++) {
        const ql_entry *e = &b->entries[i];
        if (e->kind == QL_ENTRY_ARRAY)
            bytes += e->n_rows * e->n_cols * (int64_t)ql_elem_size(e->elem);
    }
    return bytes;
}

/* ---- names ---- */

/* The step that ends before end: not empty, not "." or "..". */
static bool good_step(const char *from, const char *end)
{
    size_t n = (size_t)(end - from);
    return n > 0 && !(n <= 2 && strspn(from, ".") >= n);
}

static bool good_name(const char *name)
{
    int depth = 1;
    size_t len = strlen(name);
    const char *step = name;
    if (len == 0 || len >= QL_BUNDLE_NAME || !ql_utf8_valid(name, len)) return false;
    for (const char *at = name; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) return false;
        if (*at != '/') continue;
        if (!good_step(step, at) || ++depth > QL_BUNDLE_DEPTH) return false;
        step = at + 1;
    }
    return good_step(step, name + len);
}

/* One is the other, or a group that the other is in. */
static bool collide(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return (!*a && (!*b || *b == '/')) || (!*b && *a == '/');
}

static ql_status is_no_name(const char *name, ql_err *err)
{
    ql_str text = {0};
    ql_str_escape(&text, name, strlen(name));
    ql_fail(err, QL_EINTERNAL, "\"%s\" is no name of an entry", ql_str_text(&text));
    ql_str_free(&text);
    return QL_EINTERNAL;
}

static ql_status check_name(const ql_bundle *b, const char *name, ql_err *err)
{
    if (!good_name(name)) return is_no_name(name, err);
    for (int i = 0; i < b->n; i++)
        if (collide(b->entries[i].name, name))
            return ql_fail(err, QL_EINTERNAL, "entries %s and %s exclude each other",
                           b->entries[i].name, name);
    if (b->n < QL_BUNDLE_MAX) return QL_OK;
    return ql_fail(err, QL_EINTERNAL, "%s: more than %d entries", name, QL_BUNDLE_MAX);
}

/* ---- putting ---- */

static ql_status reserve(ql_bundle *b, ql_err *err)
{
    if (b->n < b->cap) return QL_OK;
    int cap = b->cap ? 2 * b->cap : 32;
    ql_entry *entries = ql_realloc(b->entries, cap, sizeof *entries);
    if (!entries) return ql_fail(err, QL_EMEMORY, "not enough memory for %d entries", cap);
    b->entries = entries;
    b->cap = cap;
    return QL_OK;
}

/* Append e, which is freed if that fails. */
static ql_status put(ql_bundle *b, const char *name, ql_entry *e, ql_err *err)
{
    ql_status st = check_name(b, name, err);
    if (st == QL_OK) st = reserve(b, err);
    if (st == QL_OK) st = ql_text_copy(name, &e->name, err);
    if (st != QL_OK) {
        release(e);
        return st;
    }
    b->entries[b->n++] = *e;
    return QL_OK;
}

ql_status ql_bundle_put_int(ql_bundle *b, const char *name, int64_t value, ql_err *err)
{
    ql_entry e = {.kind = QL_ENTRY_INT, .i = value};
    return put(b, name, &e, err);
}

ql_status ql_bundle_put_double(ql_bundle *b, const char *name, double value, ql_err *err)
{
    ql_entry e = {.kind = QL_ENTRY_DOUBLE, .d = value};
    return put(b, name, &e, err);
}

ql_status ql_bundle_put_text(ql_bundle *b, const char *name, const char *text, ql_err *err)
{
    ql_entry e = {.kind = QL_ENTRY_TEXT};
    QL_TRY(ql_text_copy(text, &e.text, err));
    return put(b, name, &e, err);
}

ql_status ql_bundle_give_array(ql_bundle *b, const char *name, ql_array a, void *block, ql_err *err)
{
    ql_entry e = {.kind = QL_ENTRY_ARRAY,
                  .elem = a.elem,
                  .rank = a.n_cols < 0 ? 1 : 2,
                  .n_rows = a.n_rows,
                  .n_cols = a.n_cols < 0 ? 1 : a.n_cols,
                  .values = a.values,
                  .own = block};
    return put(b, name, &e, err);
}

ql_status ql_bundle_lend_array(ql_bundle *b, const char *name, ql_array a, ql_err *err)
{
    return ql_bundle_give_array(b, name, a, NULL, err);
}

ql_status ql_bundle_copy_array(ql_bundle *b, const char *name, ql_array a, ql_err *err)
{
    void *block = NULL;
    int64_t n = a.n_rows * (a.n_cols < 0 ? 1 : a.n_cols);
    QL_TRY(ql_new_(&block, n, ql_elem_size(a.elem), name, err));
    if (n > 0) memcpy(block, a.values, (size_t)n * ql_elem_size(a.elem));
    a.values = block;
    return ql_bundle_give_array(b, name, a, block, err);
}

/* The entry's own list lies in the entry, which moves as the bundle grows: names stays NULL. */
ql_status ql_bundle_give_names(ql_bundle *b, const char *name, ql_names *names, ql_err *err)
{
    ql_entry e = {.kind = QL_ENTRY_NAMES, .own_names = *names};
    *names = (ql_names){0};
    return put(b, name, &e, err);
}

ql_status ql_bundle_lend_names(ql_bundle *b, const char *name, const ql_names *names, ql_err *err)
{
    ql_entry e = {.kind = QL_ENTRY_NAMES, .names = names};
    return put(b, name, &e, err);
}

ql_status ql_bundle_copy_names(ql_bundle *b, const char *name, const ql_names *names, ql_err *err)
{
    ql_names copy = {0};
    QL_TRY(ql_names_copy(names, &copy, err));
    return ql_bundle_give_names(b, name, &copy, err);
}

/* ---- looking up ---- */

const ql_names *ql_entry_names(const ql_entry *e)
{
    return e->names ? e->names : &e->own_names;
}

const ql_entry *ql_bundle_find(const ql_bundle *b, const char *name)
{
    for (int i = 0; i < b->n; i++)
        if (strcmp(b->entries[i].name, name) == 0) return &b->entries[i];
    return NULL;
}

static ql_status need(const ql_bundle *b, const char *name, const ql_entry **out, ql_err *err)
{
    *out = ql_bundle_find(b, name);
    return *out ? QL_OK : ql_fail(err, QL_EDATA, "%s is missing", name);
}

enum { KIND_TEXT = 80 };

static void shape_text(char out[KIND_TEXT], ql_elem elem, int64_t n_rows, int64_t n_cols)
{
    char rows[24] = "any", cols[24] = "any";
    if (n_rows >= 0) (void)snprintf(rows, sizeof rows, "%" PRId64, n_rows);
    if (n_cols >= 0) (void)snprintf(cols, sizeof cols, "%" PRId64, n_cols);
    if (n_cols == -1)
        (void)snprintf(out, KIND_TEXT, "%s [%s]", elem_text(elem), rows);
    else
        (void)snprintf(out, KIND_TEXT, "%s [%s, %s]", elem_text(elem), rows, cols);
}

static void kind_text(char out[KIND_TEXT], const ql_entry *e)
{
    static const char *const kinds[] = {[QL_ENTRY_INT] = "a whole number",
                                        [QL_ENTRY_DOUBLE] = "a number",
                                        [QL_ENTRY_TEXT] = "a text"};
    if (e->kind == QL_ENTRY_ARRAY)
        shape_text(out, e->elem, e->n_rows, e->rank == 1 ? -1 : e->n_cols);
    else if (e->kind == QL_ENTRY_NAMES)
        (void)snprintf(out, KIND_TEXT, "a list of %" PRId64 " texts", ql_entry_names(e)->n);
    else
        (void)snprintf(out, KIND_TEXT, "%s", kinds[e->kind]);
}

static ql_status is_other(const ql_entry *e, const char *wanted, ql_err *err)
{
    char is[KIND_TEXT];
    kind_text(is, e);
    return ql_fail(err, QL_EDATA, "%s is %s, %s expected", e->name, is, wanted);
}

ql_status ql_bundle_int(const ql_bundle *b, const char *name, int64_t least, int64_t most,
                        int64_t *out, ql_err *err)
{
    const ql_entry *e;
    QL_TRY(need(b, name, &e, err));
    if (e->kind != QL_ENTRY_INT) return is_other(e, "a whole number", err);
    if (e->i < least || e->i > most)
        return ql_fail(err, QL_EDATA, "%s is %" PRId64 ", must be in %" PRId64 " .. %" PRId64, name,
                       e->i, least, most);
    *out = e->i;
    return QL_OK;
}

ql_status ql_bundle_double(const ql_bundle *b, const char *name, double *out, ql_err *err)
{
    const ql_entry *e;
    QL_TRY(need(b, name, &e, err));
    if (e->kind != QL_ENTRY_DOUBLE && e->kind != QL_ENTRY_INT) return is_other(e, "a number", err);
    double value = e->kind == QL_ENTRY_INT ? (double)e->i : e->d;
    if (!isfinite(value)) return ql_fail(err, QL_EDATA, "%s is not finite", name);
    *out = value;
    return QL_OK;
}

ql_status ql_bundle_text(const ql_bundle *b, const char *name, const char **out, ql_err *err)
{
    const ql_entry *e;
    QL_TRY(need(b, name, &e, err));
    if (e->kind != QL_ENTRY_TEXT) return is_other(e, "a text", err);
    *out = e->text;
    return QL_OK;
}

static bool fits(const ql_entry *e, const ql_array *want)
{
    return e->kind == QL_ENTRY_ARRAY && e->elem == want->elem &&
           e->rank == (want->n_cols == -1 ? 1 : 2) &&
           (want->n_rows < 0 || want->n_rows == e->n_rows) &&
           (want->n_cols < 0 || want->n_cols == e->n_cols);
}

ql_status ql_bundle_array(const ql_bundle *b, const char *name, ql_array want, ql_array *out,
                          ql_err *err)
{
    const ql_entry *e;
    char wanted[KIND_TEXT];
    QL_TRY(need(b, name, &e, err));
    if (!fits(e, &want)) {
        shape_text(wanted, want.elem, want.n_rows, want.n_cols);
        return is_other(e, wanted, err);
    }
    *out = (ql_array){e->elem, e->n_rows, e->rank == 1 ? -1 : e->n_cols, e->values};
    return QL_OK;
}

static const struct {
    double least, most;
    const char *text;
} ranges[] = {
    [QL_FINITE] = {-DBL_MAX, DBL_MAX, "a finite number"},
    [QL_FROM_0] = {0, DBL_MAX, "a number from 0 on"},
    [QL_ABOVE_0] = {DBL_TRUE_MIN, DBL_MAX, "a number above 0"},
    [QL_FROM_0_TO_1] = {0, 1, "a share"},
};

ql_status ql_bundle_numbers(const ql_bundle *b, const char *name, ql_array want, ql_range range,
                            ql_array *out, ql_err *err)
{
    ql_array a;
    QL_TRY(ql_bundle_array(b, name, want, &a, err));
    const int64_t n = a.n_rows * (a.n_cols < 0 ? 1 : a.n_cols);
    const float *f = a.values;
    const double *d = a.values;
    for (int64_t i = 0; i < n; i++) {
        const double x = a.elem == QL_ELEM_F32 ? (double)f[i] : d[i];
        if (x >= ranges[range].least && x <= ranges[range].most) continue;
        return ql_fail(err, QL_EDATA, "%s: value %lld is %g, %s expected", name, (long long)i, x,
                       ranges[range].text);
    }
    if (out) *out = a;
    return QL_OK;
}

ql_status ql_bundle_load(const ql_bundle *b, const char *name, ql_array want, void *values,
                         ql_err *err)
{
    ql_array a;
    QL_TRY(ql_bundle_array(b, name, want, &a, err));
    size_t n = (size_t)(a.n_rows * (a.n_cols < 0 ? 1 : a.n_cols));
    if (n > 0) memcpy(values, a.values, n * ql_elem_size(a.elem));
    return QL_OK;
}

ql_status ql_bundle_names(const ql_bundle *b, const char *name, int64_t n, const ql_names **out,
                          ql_err *err)
{
    const ql_entry *e;
    char wanted[KIND_TEXT] = "a list of texts";
    QL_TRY(need(b, name, &e, err));
    if (n >= 0) (void)snprintf(wanted, sizeof wanted, "a list of %" PRId64 " texts", n);
    if (e->kind != QL_ENTRY_NAMES || (n >= 0 && ql_entry_names(e)->n != n))
        return is_other(e, wanted, err);
    *out = ql_entry_names(e);
    return QL_OK;
}
