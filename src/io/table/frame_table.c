#include "quell/frame_table.h"

#include <string.h>

#include "../text/text_field.h"
#include "../text/text_output.h"

enum { GZIP_LEVEL = 6 };

typedef struct {
    const ql_frame *frame;
    char delimiter;
} table;

static size_t row_room(const void *ctx, int64_t row)
{
    const table *t = ctx;
    size_t room = ql_field_room(ql_name(&t->frame->index, row)) + 1;
    for (int i = 0; i < t->frame->n_columns; i++) {
        const ql_column *c = &t->frame->columns[i];
        room += 1;
        room += c->type == QL_COL_STRING ? ql_field_room(ql_name(&c->strings, row))
                                         : (size_t)QL_NUMBER_ROOM;
    }
    return room;
}

static size_t put_value(char *out, const ql_column *c, int64_t row, char delimiter)
{
    static const char *const words[] = {"False", "True"};
    switch (c->type) {
    case QL_COL_STRING:
        return ql_field_put(out, ql_name(&c->strings, row), delimiter);
    case QL_COL_F32:
        return ql_number_f32(out, ((const float *)c->values)[row]);
    case QL_COL_F64:
        return ql_number_f64(out, ((const double *)c->values)[row]);
    case QL_COL_I64:
        return ql_number_i64(out, ((const int64_t *)c->values)[row]);
    case QL_COL_BOOL:
        return ql_field_put(out, words[((const uint8_t *)c->values)[row] != 0], delimiter);
    }
    return 0;
}

static size_t put_row(const void *ctx, int64_t row, char *out)
{
    const table *t = ctx;
    size_t n = ql_field_put(out, ql_name(&t->frame->index, row), t->delimiter);
    for (int i = 0; i < t->frame->n_columns; i++) {
        out[n++] = t->delimiter;
        n += put_value(out + n, &t->frame->columns[i], row, t->delimiter);
    }
    out[n++] = '\n';
    return n;
}

static size_t column_room(const void *ctx, int64_t column)
{
    const table *t = ctx;
    return 1 + ql_field_room(t->frame->columns[column].name);
}

static size_t put_column(const void *ctx, int64_t column, char *out)
{
    const table *t = ctx;
    out[0] = t->delimiter;
    return 1 + ql_field_put(out + 1, t->frame->columns[column].name, t->delimiter);
}

static ql_status write_text(ql_text_out *out, const void *ctx, ql_err *err)
{
    const table *t = ctx;
    const ql_text_items header = {t->frame->n_columns, column_room, put_column, t};
    const ql_text_items rows = {t->frame->index.n, row_room, put_row, t};
    QL_TRY(ql_textout_items(out, &header, err));
    QL_TRY(ql_textout_write(out, "\n", 1, err));
    return ql_textout_items(out, &rows, err);
}

static char delimiter_of(const char *path)
{
    size_t n = strlen(path);
    if (ql_is_gz_name(path)) n -= strlen(".gz");
    return n > 4 && strncmp(path + n - 4, ".tsv", 4) == 0 ? '\t' : ',';
}

ql_status ql_frame_table_write(const char *path, const ql_frame *frame,
                               const ql_frame_table_options *opt, ql_err *err)
{
    const table t = {frame, delimiter_of(path)};
    ql_out_file file;
    QL_TRY(ql_out_begin(&file, path, opt->in_path, opt->force, err));
    return ql_textout_whole(&file, ql_is_gz_name(path) ? GZIP_LEVEL : 0, opt->threads, write_text,
                            &t, err);
}
