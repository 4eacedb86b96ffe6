/* Text tables of counts: names in the first line and the first column, the corner empty. */

#include "../text/text_field.h"
#include "../text/text_output.h"
#include "out_level.h"

/* Rows of a table as they are written. */
typedef struct {
    const ql_csr *m;
    const ql_names *rows, *columns;
    char delimiter;
} table;

static size_t row_room(const void *ctx, int64_t row)
{
    const table *t = ctx;
    size_t stored = (size_t)(t->m->indptr[row + 1] - t->m->indptr[row]);
    return ql_field_room(ql_name(t->rows, row)) + 2 * (size_t)t->m->n_cols +
           stored * QL_NUMBER_ROOM + 1;
}

static char *put_zeros(char *p, int64_t n, char delimiter)
{
    for (int64_t i = 0; i < n; i++) {
        *p++ = delimiter;
        *p++ = '0';
    }
    return p;
}

static size_t put_row(const void *ctx, int64_t row, char *out)
{
    const table *t = ctx;
    char *p = out + ql_field_put(out, ql_name(t->rows, row), t->delimiter);
    int64_t col = 0;
    for (int64_t k = t->m->indptr[row]; k < t->m->indptr[row + 1]; k++) {
        p = put_zeros(p, t->m->indices[k] - col, t->delimiter);
        *p++ = t->delimiter;
        p += ql_number_count(p, t->m->data[k]);
        col = t->m->indices[k] + 1;
    }
    p = put_zeros(p, t->m->n_cols - col, t->delimiter);
    *p++ = '\n';
    return (size_t)(p - out);
}

static size_t column_room(const void *ctx, int64_t column)
{
    const table *t = ctx;
    return ql_field_room(ql_name(t->columns, column)) + 1;
}

static size_t put_column(const void *ctx, int64_t column, char *out)
{
    const table *t = ctx;
    out[0] = t->delimiter;
    return 1 + ql_field_put(out + 1, ql_name(t->columns, column), t->delimiter);
}

static ql_status write_text(ql_text_out *out, const void *ctx, ql_err *err)
{
    const table *t = ctx;
    const ql_text_items header = {t->columns->n, column_room, put_column, t};
    const ql_text_items rows = {t->rows->n, row_room, put_row, t};
    QL_TRY(ql_textout_items(out, &header, err));
    QL_TRY(ql_textout_write(out, "\n", 1, err));
    return ql_textout_items(out, &rows, err);
}

static ql_status write_file(const char *path, const table *t, const char *in_path,
                            const ql_out_options *opt, ql_err *err)
{
    ql_out_file file;
    int level = ql_is_gz_name(path) ? ql_out_gzip_level(opt) : 0;
    QL_TRY(ql_out_begin(&file, path, in_path, opt->force, err));
    return ql_textout_whole(&file, level, opt->threads, write_text, t, err);
}

static ql_status write_table(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                             char delimiter, ql_err *err)
{
    const ql_names *cells = &ds->cells.index, *genes = &ds->genes.index;
    ql_csr turned = {0};
    if (opt->rows == QL_ORIENT_CELLS_X_GENES) {
        const table t = {&ds->counts, cells, genes, delimiter};
        return write_file(path, &t, ds->path, opt, err);
    }
    ql_status st = ql_csr_transpose(&ds->counts, &turned, err);
    const table t = {&turned, genes, cells, delimiter};
    if (st == QL_OK) st = write_file(path, &t, ds->path, opt, err);
    ql_csr_free(&turned);
    return st;
}

static ql_status write_csv(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                           ql_notes *notes, ql_err *err)
{
    (void)notes;
    return write_table(path, ds, opt, ',', err);
}

static ql_status write_tsv(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                           ql_notes *notes, ql_err *err)
{
    (void)notes;
    return write_table(path, ds, opt, '\t', err);
}

static const char *const csv_extensions[] = {".csv", ".csv.gz", NULL};
static const char *const tsv_extensions[] = {".tsv", ".tsv.gz", NULL};

const ql_out_format ql_out_csv = {
    .name = "csv",
    .summary = "a table with commas, genes x cells; gzip if named .gz",
    .extensions = csv_extensions,
    .write = write_csv,
};

const ql_out_format ql_out_tsv = {
    .name = "tsv",
    .summary = "a table with tabs, genes x cells; gzip if named .gz",
    .extensions = tsv_extensions,
    .write = write_tsv,
};
