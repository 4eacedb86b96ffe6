#include "frame_join.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/strbuf.h"

static void column_free(ql_column *c)
{
    ql_free(c->name);
    ql_names_free(&c->strings);
    ql_free(c->values);
    *c = (ql_column){0};
}

static void remove_column(ql_frame *frame, int i)
{
    column_free(&frame->columns[i]);
    frame->n_columns--;
    memmove(&frame->columns[i], &frame->columns[i + 1],
            (size_t)(frame->n_columns - i) * sizeof *frame->columns);
}

/* Once each; what is known already may have a reason behind it. */
static ql_status lose(ql_names *lost, const char *name, ql_err *err)
{
    size_t n = strlen(name);
    for (int64_t i = 0; i < lost->n; i++) {
        const char *known = ql_name(lost, i);
        if (strncmp(known, name, n) == 0 && (!known[n] || strncmp(known + n, " (", 2) == 0))
            return QL_OK;
    }
    return ql_names_add(lost, name, n, err);
}

/* Columns of `from` that `to` lacks. */
static ql_status lose_new(const ql_frame *to, const ql_frame *from, ql_names *lost, ql_err *err)
{
    for (int i = 0; i < from->n_columns; i++)
        if (!ql_frame_column(to, from->columns[i].name))
            QL_TRY(lose(lost, from->columns[i].name, err));
    return QL_OK;
}

static ql_status append_names(ql_names *to, const ql_names *from, ql_err *err)
{
    for (int64_t i = 0; i < from->n; i++)
        QL_TRY(ql_names_add(to, ql_name(from, i), strlen(ql_name(from, i)), err));
    return QL_OK;
}

/* --- numbers --- */

static const void *value_at(const ql_column *c, int64_t i)
{
    return (const char *)c->values + (size_t)i * ql_col_size(c->type);
}

/* Room for n values; those that are there stay. */
static ql_status resize(ql_column *c, int64_t n, ql_err *err)
{
    void *values = ql_realloc(c->values, n, ql_col_size(c->type));
    if (!values) return ql_fail(err, QL_EMEMORY, "no memory for column '%s'", c->name);
    c->values = values;
    return QL_OK;
}

static ql_status widen(ql_column *c, int64_t n, ql_err *err)
{
    double *wide = NULL;
    if (c->type == QL_COL_F64) return QL_OK;
    QL_TRY(QL_NEW(wide, n, "an annotation column", err));
    for (int64_t i = 0; i < n; i++) wide[i] = ql_column_number(c, i);
    ql_free(c->values);
    c->values = wide;
    c->type = QL_COL_F64;
    return QL_OK;
}

/* --- below each other --- */

static ql_status append_numbers(ql_column *c, int64_t n, const ql_column *d, int64_t m, ql_err *err)
{
    if (c->type != d->type) QL_TRY(widen(c, n, err));
    if (m == 0) return QL_OK;
    QL_TRY(resize(c, n + m, err));
    if (c->type == d->type) {
        size_t size = ql_col_size(c->type);
        memcpy((char *)c->values + (size_t)n * size, d->values, (size_t)m * size);
        return QL_OK;
    }
    for (int64_t i = 0; i < m; i++) ((double *)c->values)[n + i] = ql_column_number(d, i);
    return QL_OK;
}

ql_status ql_frame_append(ql_frame *to, const ql_frame *from, ql_names *lost, ql_err *err)
{
    const int64_t n = to->index.n, m = from->index.n;
    QL_TRY(lose_new(to, from, lost, err));
    for (int i = 0; i < to->n_columns; i++) {
        ql_column *c = &to->columns[i];
        const ql_column *d = ql_frame_column(from, c->name);
        if (!d || (c->type == QL_COL_STRING) != (d->type == QL_COL_STRING)) {
            QL_TRY(lose(lost, c->name, err));
            remove_column(to, i--);
        } else if (c->type == QL_COL_STRING) {
            QL_TRY(append_names(&c->strings, &d->strings, err));
        } else {
            QL_TRY(append_numbers(c, n, d, m, err));
        }
    }
    return append_names(&to->index, &from->index, err);
}

/* --- beside each other --- */

static bool same_value(const ql_column *c, int64_t i, const ql_column *d, int64_t k)
{
    if (c->type == QL_COL_STRING)
        return strcmp(ql_name(&c->strings, i), ql_name(&d->strings, k)) == 0;
    double x = ql_column_number(c, i), y = ql_column_number(d, k);
    if (c->type == QL_COL_F32 || c->type == QL_COL_F64) return x == y || (isnan(x) && isnan(y));
    return memcmp(value_at(c, i), value_at(d, k), ql_col_size(c->type)) == 0;
}

/* How many of the rows that both have differ; *first: row of d of the first one. */
static int64_t count_different(const ql_column *c, int64_t n_old, const ql_column *d, int64_t m,
                               const int32_t *at, int64_t *first)
{
    int64_t n = 0;
    for (int64_t k = 0; k < m; k++) {
        if (at[k] < 0 || at[k] >= n_old || same_value(c, at[k], d, k)) continue;
        if (n++ == 0) *first = k;
    }
    return n;
}

static ql_status lose_different(const ql_column *c, const ql_names *rows, int64_t n_different,
                                int64_t first, ql_names *lost, ql_err *err)
{
    ql_str text = {0};
    ql_str_printf(&text, "%s (differs for %" PRId64 ", such as ", c->name, n_different);
    ql_str_escape(&text, ql_name(rows, first), strlen(ql_name(rows, first)));
    ql_str_puts(&text, ")");
    ql_status st = lose(lost, ql_str_text(&text), err);
    ql_str_free(&text);
    return st;
}

static ql_status take_new_rows(ql_column *c, int64_t n_old, const ql_column *d, int64_t m,
                               const int32_t *at, int64_t n, ql_err *err)
{
    size_t size = ql_col_size(c->type);
    if (n == n_old) return QL_OK;
    if (c->type != QL_COL_STRING) QL_TRY(resize(c, n, err));
    for (int64_t k = 0; k < m; k++) {
        if (at[k] < n_old) continue;
        if (c->type != QL_COL_STRING) {
            memcpy((char *)c->values + (size_t)at[k] * size, value_at(d, k), size);
        } else {
            const char *s = ql_name(&d->strings, k);
            QL_TRY(ql_names_add(&c->strings, s, strlen(s), err));
        }
    }
    return QL_OK;
}

ql_status ql_frame_merge(ql_frame *to, int64_t n_old, const ql_frame *from, const int32_t *at,
                         ql_names *lost, ql_err *err)
{
    const int64_t m = from->index.n;
    QL_TRY(lose_new(to, from, lost, err));
    for (int i = 0; i < to->n_columns; i++) {
        ql_column *c = &to->columns[i];
        const ql_column *d = ql_frame_column(from, c->name);
        int64_t first = 0, n_different = 0;
        if (!d || c->type != d->type)
            QL_TRY(lose(lost, c->name, err));
        else if ((n_different = count_different(c, n_old, d, m, at, &first)) > 0)
            QL_TRY(lose_different(c, &from->index, n_different, first, lost, err));
        if (!d || c->type != d->type || n_different > 0)
            remove_column(to, i--);
        else
            QL_TRY(take_new_rows(c, n_old, d, m, at, to->index.n, err));
    }
    return QL_OK;
}

/* --- fewer rows --- */

static ql_status keep_names(ql_names *names, const uint8_t *keep, ql_err *err)
{
    ql_names kept = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; st == QL_OK && i < names->n; i++)
        if (keep[i]) st = ql_names_add(&kept, ql_name(names, i), strlen(ql_name(names, i)), err);
    ql_names *gone = st == QL_OK ? names : &kept;
    ql_names_free(gone);
    if (st == QL_OK) *names = kept;
    return st;
}

static void keep_values(ql_column *c, int64_t n, const uint8_t *keep)
{
    size_t size = ql_col_size(c->type);
    char *to = c->values;
    for (int64_t i = 0; i < n; i++) {
        if (!keep[i]) continue;
        memmove(to, value_at(c, i), size);
        to += size;
    }
}

ql_status ql_frame_keep(ql_frame *frame, const uint8_t *keep, ql_err *err)
{
    for (int i = 0; i < frame->n_columns; i++) {
        ql_column *c = &frame->columns[i];
        if (c->type == QL_COL_STRING)
            QL_TRY(keep_names(&c->strings, keep, err));
        else
            keep_values(c, frame->index.n, keep);
    }
    return keep_names(&frame->index, keep, err);
}
