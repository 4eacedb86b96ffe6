/* Tables of counts as text: csv, tsv, semicolons or blanks, plain or gzip, one side genes, the
 * other cells. */
#include <inttypes.h>
#include <string.h>

#include "../counts/entry_sink.h"
#include "../file/folder.h"
#include "../hdf5/read_sizes.h"
#include "../table/table_orient.h"
#include "../table/table_rows.h"
#include "../text/text_input.h"
#include "../text/wording.h"
#include "quell/alloc.h"
#include "quell/reader.h"
#include "refuse.h"

static bool looks_like_table(const char *head, size_t n, bool all)
{
    ql_table_top top;
    if (!ql_is_plain_text(head, n)) return false;
    ql_table_find_top(head, n, all, &top);
    if (!top.header.s) return false;
    /* a header longer than what was looked at is no reason against a table */
    if (!top.row.s && !all) return true;
    const ql_field *line = top.row.s ? &top.row : &top.header;
    return ql_count_fields(line->s, line->n, ql_table_delim(&top)) > 1;
}

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    enum { HEAD = 1 << 16 };
    char head[HEAD];
    size_t n;
    *is = false;
    if (!ql_is_file(path)) return QL_OK;
    QL_TRY(ql_text_peek(path, head, sizeof head, &n, err));
    *is = looks_like_table(head, n, n < sizeof head);
    return QL_OK;
}

static void note_layout(const ql_table_layout *l, ql_str *out)
{
    ql_str_printf(out, "fields separated by %s; %s", ql_delim_text(l->delim),
                  ql_head_text(l->head));
    if (l->head == QL_HEAD_CORNER) {
        ql_str_puts(out, " \"");
        ql_str_escape(out, l->corner, strlen(l->corner));
        ql_str_puts(out, "\"");
    }
    if (l->n_comments)
        ql_str_printf(out, "; %" PRId64 " comment line%s skipped", l->n_comments,
                      l->n_comments == 1 ? "" : "s");
    if (l->n_dropped)
        ql_str_printf(out,
                      "; %d columns of featureCounts dropped (Chr, Start, End, Strand, Length)",
                      l->n_dropped);
    if (l->second_name) {
        ql_str_puts(out, "; second column of names \"");
        ql_str_escape(out, l->second_name, strlen(l->second_name));
        ql_str_puts(out, "\" kept beside the first");
    }
}

static void note_choices(const ql_table_layout *l, bool rows_are_cells, const char *why,
                         ql_notes *notes)
{
    ql_str text = {0};
    note_layout(l, &text);
    ql_note_add(notes, QL_NOTE_INFO, "table: %s; %s (%s)", ql_str_text(&text),
                rows_are_cells ? "cells x genes" : "genes x cells", why);
    ql_str_free(&text);
}

/* The table's entries become the dataset's. */
static ql_status take_entries(ql_table *t, bool rows_are_cells, ql_dataset *ds, ql_err *err)
{
    if (rows_are_cells) {
        ds->counts = t->m;
        t->m = (ql_csr){0};
        return QL_OK;
    }
    QL_TRY(ql_csr_transpose(&t->m, &ds->counts, err));
    ql_csr_free(&t->m);
    return QL_OK;
}

static ql_status take_names(ql_table *t, ql_table_layout *l, bool rows_are_cells, ql_dataset *ds,
                            ql_err *err)
{
    ql_frame *rows = rows_are_cells ? &ds->cells : &ds->genes;
    ql_frame *columns = rows_are_cells ? &ds->genes : &ds->cells;
    ql_names_move(&t->names, &rows->index);
    ql_names_move(&l->columns, &columns->index);
    if (l->second_name) QL_TRY(ql_frame_add(rows, l->second_name, QL_COL_STRING, &t->second, err));
    return ql_set_text(&ds->matrix, "table", err);
}

/* --- to a sink --- */

typedef struct {
    ql_band_sink *sink;
    ql_entry_runs *runs; /* where rows are genes; owned */
    int32_t *gene;       /* [cap] the row of each entry; owned */
    int64_t cap;
} streaming;

/* What no one will look at any more is still parsed, as it would be from memory. */
static ql_status send_cells(void *ctx, ql_csr *rows, int64_t first_row, ql_err *err)
{
    const streaming *t = ctx;
    (void)first_row;
    return t->sink->stop ? QL_OK : ql_sink_add(t->sink, rows, err);
}

static ql_status sort_genes(void *ctx, ql_csr *rows, int64_t first_row, ql_err *err)
{
    streaming *t = ctx;
    int64_t n = ql_csr_nnz(rows);
    if (n > t->cap) {
        ql_free(t->gene);
        t->gene = NULL;
        t->cap = 0;
        QL_TRY(QL_NEW(t->gene, n, "entries in work", err));
        t->cap = n;
    }
    for (int64_t i = 0; i < rows->n_rows; i++)
        for (int64_t k = rows->indptr[i]; k < rows->indptr[i + 1]; k++)
            t->gene[k] = (int32_t)(first_row + i);
    return ql_runs_add(t->runs, rows->indices, t->gene, rows->data, n, err);
}

static ql_status stream_entries(ql_blocks *b, const ql_table_layout *layout, bool rows_are_cells,
                                ql_table_how how, ql_band_sink *s, ql_table *table, ql_dataset *ds,
                                ql_err *err)
{
    streaming t = {.sink = s};
    ql_status st = QL_OK;
    how.ctx = &t;
    how.take = rows_are_cells ? send_cells : sort_genes;
    s->cells = rows_are_cells ? &table->names : &layout->columns;
    s->genes = rows_are_cells ? &layout->columns : &table->names;
    if (rows_are_cells)
        QL_GO(ql_sink_begin(s, QL_ROWS_UNKNOWN, layout->columns.n, err));
    else
        QL_GO(ql_runs_new(s->folder, ql_sort_entries(-1), &t.runs, err));
    QL_GO(ql_table_read(b, layout, &how, table, err));
    if (!rows_are_cells) QL_GO(ql_sink_sorted(s, t.runs, layout->columns.n, table->names.n, err));
    QL_GO(ql_sink_end(s, ds, err));
out:
    ql_runs_free(t.runs);
    ql_free(t.gene);
    return st;
}

static ql_status read_entries(ql_blocks *b, const ql_table_layout *layout, bool rows_are_cells,
                              const ql_reading *r, ql_table *table, ql_dataset *ds, ql_err *err)
{
    ql_table_how how = {.what = {"gene", "cell"}, .threads = r->opt->threads};
    if (rows_are_cells) how.what[0] = "cell";
    if (rows_are_cells) how.what[1] = "gene";
    if (r->sink) return stream_entries(b, layout, rows_are_cells, how, r->sink, table, ds, err);
    QL_TRY(ql_table_read(b, layout, &how, table, err));
    return take_entries(table, rows_are_cells, ds, err);
}

static ql_status read_table(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                            ql_err *err)
{
    const ql_read_options *opt = r->opt;
    ql_blocks *b = NULL;
    ql_table_layout layout = {.second = -1};
    ql_table table = {0};
    const char *why = "";
    ql_status st;
    QL_GO(ql_blocks_open(path, r->sink ? QL_TEXT_BOUNDED : QL_TEXT_ALL, &b, err));
    QL_GO(ql_table_layout_find(b, opt, &layout, err));
    bool rows_are_cells = ql_rows_are_cells(opt, layout.corner, &why);
    note_choices(&layout, rows_are_cells, why, notes);
    QL_GO(read_entries(b, &layout, rows_are_cells, r, &table, ds, err));
    ql_warn_orient(opt, rows_are_cells, &table.names, &layout.columns, notes);
    QL_GO(take_names(&table, &layout, rows_are_cells, ds, err));
    ql_warn_dates(&ds->genes.index, notes);
out:
    ql_table_free(&table);
    ql_table_layout_free(&layout);
    ql_blocks_close(b);
    return st;
}

/* What the file shows by itself; how it was read then, options considered, is in the notes. */
static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    const ql_read_options none = {.threads = 1};
    ql_blocks *b = NULL;
    ql_table_layout layout = {.second = -1};
    const char *why = "";
    ql_status st;
    QL_GO(ql_blocks_open(path, QL_TEXT_BOUNDED, &b, err));
    st = ql_table_layout_find(b, &none, &layout, err);
    if (st != QL_OK) {
        if (st != QL_EMEMORY) st = QL_OK; /* reading it says what is wrong */
        goto out;
    }
    note_layout(&layout, out);
    bool rows_are_cells = ql_rows_are_cells(&none, layout.corner, &why);
    ql_str_printf(out, "\n%s by default: %" PRId64 " columns, the first one \"",
                  rows_are_cells ? "cells x genes" : "genes x cells", layout.columns.n);
    ql_str_escape(out, ql_name(&layout.columns, 0), strlen(ql_name(&layout.columns, 0)));
    ql_str_puts(out, "\"\n");
out:
    ql_table_layout_free(&layout);
    ql_blocks_close(b);
    return st;
}

const ql_format ql_format_table = {
    .name = "table",
    .summary = "text table of counts: csv, tsv, semicolons or blanks, plain or gzip",
    .sniff = sniff,
    .read = read_table,
    .describe = describe,
    .measure = ql_sizes_of_text,
};
