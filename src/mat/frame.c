/* Annotation columns of cells or genes. */
#include "quell/frame.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/strbuf.h"

static const size_t VALUE_SIZE[] = {
    [QL_COL_STRING] = 0,
    [QL_COL_F32] = sizeof(float),
    [QL_COL_F64] = sizeof(double),
    [QL_COL_I64] = sizeof(int64_t),
    [QL_COL_BOOL] = sizeof(uint8_t),
};

size_t ql_col_size(ql_col_type type)
{
    return VALUE_SIZE[type];
}

static void column_free(ql_column *column)
{
    ql_free(column->name);
    ql_names_free(&column->strings);
    ql_free(column->values);
    *column = (ql_column){0};
}

static ql_status copy_strings(const ql_names *strings, int64_t n, ql_column *out, ql_err *err)
{
    if (strings->n != n)
        return ql_fail(err, QL_EDATA, "column '%s' has %lld values for %lld names", out->name,
                       (long long)strings->n, (long long)n);
    return ql_names_copy(strings, &out->strings, err);
}

static ql_status copy_values(const void *values, int64_t n, ql_column *out, ql_err *err)
{
    if (out->type == QL_COL_STRING) return copy_strings(values, n, out, err);
    size_t size = ql_col_size(out->type);
    QL_TRY(ql_new_(&out->values, n, size, "an annotation column", err));
    if (n > 0) memcpy(out->values, values, (size_t)n * size);
    return QL_OK;
}

static ql_status grow(ql_frame *frame, ql_err *err)
{
    if (frame->n_columns < frame->cap_columns) return QL_OK;
    int64_t cap = frame->cap_columns ? 2 * (int64_t)frame->cap_columns : 8;
    ql_column *columns = NULL;
    if (cap <= INT_MAX) columns = ql_realloc(frame->columns, cap, sizeof *columns);
    if (!columns)
        return ql_fail(err, QL_EMEMORY, "not enough memory for %lld annotation columns",
                       (long long)cap);
    frame->columns = columns;
    frame->cap_columns = (int)cap;
    return QL_OK;
}

static ql_column *find(const ql_frame *frame, const char *name)
{
    for (int i = 0; i < frame->n_columns; i++)
        if (strcmp(frame->columns[i].name, name) == 0) return &frame->columns[i];
    return NULL;
}

ql_status ql_frame_add(ql_frame *frame, const char *name, ql_col_type type, const void *values,
                       ql_err *err)
{
    ql_column column = {.type = type};
    ql_status st;

    QL_GO(grow(frame, err));
    QL_GO(ql_text_copy(name, &column.name, err));
    QL_GO(copy_values(values, frame->index.n, &column, err));
    ql_column *slot = find(frame, name);
    if (slot) {
        column_free(slot);
    } else {
        slot = &frame->columns[frame->n_columns++];
    }
    *slot = column;
    column = (ql_column){0};
out:
    column_free(&column);
    return st;
}

/* Column c of x [n, width], elements of `size` bytes, into out [n]. */
static void gather_column(const char *x, size_t size, int64_t n, int64_t width, int64_t c,
                          char *out)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(out + (size_t)i * size, x + (size_t)(i * width + c) * size, size);
}

ql_status ql_frame_add_matrix(ql_frame *frame, const char *key, ql_col_type type, const void *x,
                              int64_t width, ql_err *err)
{
    const size_t size = ql_col_size(type);
    ql_str name = {0};
    void *column = NULL;
    ql_status st;
    QL_GO(ql_new_(&column, frame->index.n, size, "a column", err));
    for (int64_t c = 0; c < width; c++) {
        gather_column(x, size, frame->index.n, width, c, column);
        ql_str_clear(&name);
        ql_str_printf(&name, "%s_%lld", key, (long long)c + 1);
        if (name.failed) QL_GO(ql_fail(err, QL_EMEMORY, "no memory for a name"));
        QL_GO(ql_frame_add(frame, name.text, type, column, err));
    }
out:
    ql_free(column);
    ql_str_free(&name);
    return st;
}

/* The values of some rows, as ql_frame_add takes them; strings are copied into *strings. */
static ql_status rows_of(const ql_column *c, int64_t first, int64_t n, ql_names *strings,
                         const void **out, ql_err *err)
{
    *out = strings;
    if (c->type != QL_COL_STRING)
        *out = (const char *)c->values + (size_t)first * ql_col_size(c->type);
    for (int64_t i = first; i < first + n && c->type == QL_COL_STRING; i++)
        QL_TRY(
            ql_names_add(strings, ql_name(&c->strings, i), strlen(ql_name(&c->strings, i)), err));
    return QL_OK;
}

ql_status ql_frame_rows(const ql_frame *frame, int64_t first, int64_t n, ql_frame *out, ql_err *err)
{
    const ql_column index = {.type = QL_COL_STRING, .strings = frame->index};
    ql_names strings = {0};
    const void *values;
    ql_status st;
    QL_GO(rows_of(&index, first, n, &out->index, &values, err));
    for (int i = 0; i < frame->n_columns; i++) {
        const ql_column *c = &frame->columns[i];
        QL_GO(rows_of(c, first, n, &strings, &values, err));
        QL_GO(ql_frame_add(out, c->name, c->type, values, err));
        ql_names_free(&strings);
    }
out:
    ql_names_free(&strings);
    return st;
}

const ql_column *ql_frame_column(const ql_frame *frame, const char *name)
{
    return find(frame, name);
}

const ql_names *ql_frame_texts(const ql_frame *frame, const char *name)
{
    const ql_column *c = ql_frame_column(frame, name);
    return c && c->type == QL_COL_STRING ? &c->strings : NULL;
}

double ql_column_number(const ql_column *c, int64_t i)
{
    switch (c->type) {
    case QL_COL_F32:
        return (double)((const float *)c->values)[i];
    case QL_COL_F64:
        return ((const double *)c->values)[i];
    case QL_COL_I64:
        return (double)((const int64_t *)c->values)[i];
    case QL_COL_BOOL:
        return ((const uint8_t *)c->values)[i];
    default:
        return NAN;
    }
}

void ql_frame_free(ql_frame *frame)
{
    if (!frame) return;
    for (int i = 0; i < frame->n_columns; i++) column_free(&frame->columns[i]);
    ql_free(frame->columns);
    ql_names_free(&frame->index);
    *frame = (ql_frame){0};
}
