/* Long tables: a line for each gene of each cell with its count (Drop-seq tools, UMI-tools). Pieces
 * number the names they meet by themselves; taking the pieces in order makes these the numbers of
 * the whole file, in order of first appearance. */
#include <inttypes.h>
#include <string.h>

#include "../counts/entry_sink.h"
#include "../counts/triplets.h"
#include "../file/folder.h"
#include "../hdf5/read_sizes.h"
#include "../table/table_rows.h"
#include "../text/name_intern.h"
#include "../text/text_input.h"
#include "../text/wording.h"
#include "quell/alloc.h"
#include "quell/reader.h"

typedef enum { GENE, CELL, COUNT, N_ROLES } role;

static const char *const role_text[N_ROLES] = {"gene", "cell", "count"};

/* The words of the header. The first n_sure are enough to know a long table by. */
static const struct {
    int n_sure;
    const char *words[8];
} role_words[N_ROLES] = {
    [GENE] = {1, {"gene", "genes", "gene_id", "gene_name", "geneid", "symbol", "feature"}},
    [CELL] = {1, {"cell", "cells", "cell_id", "barcode", "cell_barcode", "cellid", "cb"}},
    [COUNT] = {2, {"count", "umi_count", "counts", "umis", "umi", "n", "value"}},
};

typedef struct {
    char delim;
    int n_fields;
    int at[N_ROLES]; /* the field of each */
    size_t used;
    int64_t lines;
} long_layout;

typedef struct {
    ql_intern names[2]; /* genes, cells; numbers are of this piece */
    int32_t *number[2]; /* [cap] of each entry; owned */
    float *value;       /* [cap]; owned */
    int64_t n, cap, n_lines;
    ql_status st; /* of parsing */
    ql_err err;   /* without the line */
} piece;

typedef struct {
    long_layout layout;
    piece pieces[QL_PIECES];
    ql_intern names[2]; /* of the file */
    ql_triplets all;    /* cells x genes, in file order */
    int64_t lines;
    ql_entry_runs *runs; /* where they go instead, block by block; NULL: they are kept; owned */
} job;

/* --- header --- */

static int role_of(const ql_field *f, bool sure)
{
    for (int r = 0; r < N_ROLES; r++)
        for (int i = 0; i < (sure ? role_words[r].n_sure : 8) && role_words[r].words[i]; i++)
            if (ql_field_is(f, role_words[r].words[i])) return r;
    return N_ROLES;
}

/* The fields of the three roles, each exactly once. */
static bool find_roles(const ql_field *header, bool sure, long_layout *l)
{
    ql_fields r = ql_fields_of(header->s, header->n, l->delim);
    ql_field f;
    int seen[N_ROLES + 1] = {0};
    for (l->n_fields = 0; l->n_fields < 64 && ql_next_field(&r, &f); l->n_fields++) {
        int found = role_of(&f, sure);
        seen[found]++;
        if (found < N_ROLES) l->at[found] = l->n_fields;
    }
    return seen[GENE] == 1 && seen[CELL] == 1 && seen[COUNT] == 1 && !(sure && seen[N_ROLES]);
}

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    char head[4096];
    ql_table_top top;
    long_layout l = {0};
    size_t n;
    *is = false;
    if (!ql_is_file(path)) return QL_OK;
    QL_TRY(ql_text_peek(path, head, sizeof head, &n, err));
    ql_table_find_top(head, n, n < sizeof head, &top);
    if (!top.row.s) return QL_OK;
    l.delim = ql_table_delim(&top);
    *is = find_roles(&top.header, true, &l);
    return QL_OK;
}

static ql_status fail_roles(ql_err *err)
{
    ql_fail(err, QL_EDATA, "its header does not name the columns gene, cell and count");
    return ql_hint(err, QL_EDATA,
                   "without a header say --no-header: gene, cell, count in this order");
}

static ql_status find_layout(ql_blocks *b, const ql_read_options *opt, long_layout *l, ql_err *err)
{
    ql_table_top top;
    for (;;) {
        size_t n;
        bool all;
        const char *text = ql_blocks_head(b, &n, &all);
        ql_table_find_top(text, n, all, &top);
        if (top.complete) break;
        QL_TRY(ql_blocks_more(b, err));
    }
    if (!top.header.s || (!top.row.s && !opt->no_header))
        return ql_fail(err, QL_EDATA, "has no lines of values");
    l->delim = ql_table_delim(&top);
    if (opt->no_header) {
        *l = (long_layout){l->delim, N_ROLES, {0, 1, 2}, top.header_at, top.header_line - 1};
        return QL_OK;
    }
    l->used = top.row_at;
    l->lines = top.row_line - 1;
    return find_roles(&top.header, false, l) ? QL_OK : fail_roles(err);
}

/* --- pieces; any thread --- */

static ql_status fail_count(const ql_field f[N_ROLES], ql_err *err)
{
    ql_str text[N_ROLES] = {{0}, {0}, {0}};
    for (int i = 0; i < N_ROLES; i++) ql_str_escape(&text[i], f[i].s, f[i].n);
    ql_fail(err, QL_EDATA, "the count of gene \"%s\", cell \"%s\": \"%s\" %s",
            ql_str_text(&text[GENE]), ql_str_text(&text[CELL]), ql_str_text(&text[COUNT]),
            ql_table_value_fault(&f[COUNT]));
    for (int i = 0; i < N_ROLES; i++) ql_str_free(&text[i]);
    return QL_EDATA;
}

/* Number of the field's text; most often it is the one of the line before. */
static ql_status number_of(piece *p, role r, const ql_field *f, ql_str *buf, int32_t *number,
                           ql_err *err)
{
    const char *text, *before;
    size_t n = ql_field_text(f, buf, &text), len = 0;
    if (buf->failed) return ql_fail(err, QL_EMEMORY, "no memory for a name");
    if (p->n > 0) {
        *number = p->number[r][p->n - 1];
        before = ql_intern_name(&p->names[r], *number, &len);
        if (len == n && memcmp(before, text, n) == 0) return QL_OK;
    }
    return ql_intern_add(&p->names[r], text, n, number, err);
}

static ql_status parse_line(const long_layout *l, const char *line, size_t n, piece *p, ql_str *buf,
                            ql_err *err)
{
    ql_fields r = ql_fields_of(line, n, l->delim);
    ql_field f, found[N_ROLES] = {{line, 0, 0}, {line, 0, 0}, {line, 0, 0}};
    int count = 0;
    for (; ql_next_field(&r, &f); count++)
        for (int i = 0; i < N_ROLES; i++)
            if (l->at[i] == count) found[i] = f;
    if (r.unclosed) return ql_fail(err, QL_EDATA, "a quote is not closed");
    if (count != l->n_fields)
        return ql_fail(err, QL_EDATA, "has %d fields, %d expected", count, l->n_fields);
    if (p->n == p->cap) return ql_fail(err, QL_EINTERNAL, "more lines than room");
    if (ql_table_value(&found[COUNT], &p->value[p->n]) != QL_VALUE_OK)
        return fail_count(found, err);
    int32_t gene = 0, cell = 0;
    QL_TRY(number_of(p, GENE, &found[GENE], buf, &gene, err));
    QL_TRY(number_of(p, CELL, &found[CELL], buf, &cell, err));
    p->number[GENE][p->n] = gene;
    p->number[CELL][p->n++] = cell;
    return QL_OK;
}

/* Line by line as in table_rows.c; what a line gives, and how it fails, is another. */
static void parse_piece(void *ctx, int i, const char *text, size_t n)
{
    job *j = ctx;
    piece *p = &j->pieces[i];
    const char *at = text, *line;
    size_t len = 0;
    ql_str buf = {0};
    p->n = p->n_lines = 0;
    p->st = QL_OK;
    ql_intern_clear(&p->names[GENE]);
    ql_intern_clear(&p->names[CELL]);
    while (p->st == QL_OK && (line = ql_next_line(&at, text + n, &len))) {
        p->n_lines++;
        if (!ql_is_blank_line(line, len))
            p->st = parse_line(&j->layout, line, len, p, &buf, &p->err);
    }
    ql_str_free(&buf);
}

/* --- pieces to entries; one thread --- */

/* A line takes four bytes at least: an empty name, its delimiter, another, a digit. */
static ql_status reserve(void *ctx, int i, size_t n, ql_err *err)
{
    piece *p = &((job *)ctx)->pieces[i];
    int64_t need = (int64_t)n / 3 + 2;
    if (need <= p->cap) return QL_OK;
    ql_free(p->number[GENE]);
    ql_free(p->number[CELL]);
    ql_free(p->value);
    p->number[GENE] = p->number[CELL] = NULL;
    p->value = NULL;
    p->cap = 0;
    QL_TRY(QL_NEW(p->number[GENE], need, "entries in work", err));
    QL_TRY(QL_NEW(p->number[CELL], need, "entries in work", err));
    QL_TRY(QL_NEW(p->value, need, "entries in work", err));
    p->cap = need;
    return QL_OK;
}

static ql_status grow(ql_triplets *all, int64_t need, ql_err *err)
{
    if (need <= all->cap) return QL_OK;
    int64_t cap = need + need / 2;
    QL_TRY(ql_need_memory((double)(cap - all->cap) * 12.0, "the matrix", err));
    return ql_triplets_reserve(all, cap, err);
}

/* The file's numbers of a piece's names, into map [names of the piece]. */
static ql_status map_names(job *j, const piece *p, role r, int32_t *map, ql_err *err)
{
    for (int64_t i = 0; i < p->names[r].n; i++) {
        size_t len = 0;
        const char *name = ql_intern_name(&p->names[r], i, &len);
        QL_TRY(ql_intern_add(&j->names[r], name, len, &map[i], err));
    }
    return QL_OK;
}

/* Into to [n of the piece]. */
static ql_status take_names(job *j, const piece *p, role r, int32_t *to, ql_err *err)
{
    int32_t *map = NULL;
    ql_status st;
    QL_GO(QL_NEW(map, p->names[r].n, "names in work", err));
    QL_GO(map_names(j, p, r, map, err));
    for (int64_t k = 0; k < p->n; k++) to[k] = map[p->number[r][k]];
out:
    ql_free(map);
    return st;
}

static ql_status take_piece(void *ctx, int i, const char *text, size_t n, ql_err *err)
{
    job *j = ctx;
    const piece *p = &j->pieces[i];
    if (p->st != QL_OK) {
        if (err) *err = p->err;
        if (p->st != QL_EDATA) return p->st;
        bool last = text[n - 1] != '\n';
        for (int64_t k = 1; last && k < p->n_lines; k++) {
            const char *eol = memchr(text, '\n', n);
            n -= eol ? (size_t)(eol + 1 - text) : 0;
            text = eol ? eol + 1 : text;
        }
        ql_context(err, p->st, "line %" PRId64, j->lines + p->n_lines);
        return ql_hint_cut(last && !memchr(text, '\n', n), err);
    }
    ql_triplets *all = &j->all;
    QL_TRY(grow(all, all->n + p->n, err));
    int32_t *cell = all->row + all->n, *gene = all->col + all->n;
    QL_TRY(take_names(j, p, GENE, gene, err));
    QL_TRY(take_names(j, p, CELL, cell, err));
    j->lines += p->n_lines;
    if (j->runs) return ql_runs_add(j->runs, cell, gene, p->value, p->n, err);
    if (p->n) memcpy(all->value + all->n, p->value, (size_t)p->n * sizeof *p->value);
    all->n += p->n;
    return QL_OK;
}

static void end_job(job *j)
{
    for (int r = 0; r < 2; r++) {
        for (int i = 0; i < QL_PIECES; i++) {
            ql_intern_free(&j->pieces[i].names[r]);
            ql_free(j->pieces[i].number[r]);
        }
        ql_intern_free(&j->names[r]);
    }
    for (int i = 0; i < QL_PIECES; i++) ql_free(j->pieces[i].value);
    ql_triplets_free(&j->all);
    ql_runs_free(j->runs);
    ql_free(j);
}

/* --- entries to a matrix --- */

static ql_status keep_entries(const job *j, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    int64_t n_duplicates = 0;
    const ql_triplets *all = &j->all;
    QL_TRY(ql_triplets_to_csr(all->row, all->col, all->value, all->n, j->names[CELL].n,
                              j->names[GENE].n, &ds->counts, err));
    QL_TRY(ql_csr_normalise(&ds->counts, &n_duplicates, err));
    ql_note_duplicates(n_duplicates, notes);
    return QL_OK;
}

static ql_status send_entries(job *j, ql_band_sink *s, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_sink_name(s, ds);
    QL_TRY(ql_sink_sorted(s, j->runs, ds->cells.index.n, ds->genes.index.n, err));
    QL_TRY(ql_sink_end(s, ds, err));
    ql_note_duplicates(s->n_duplicates, notes);
    return QL_OK;
}

static ql_status take_all(job *j, ql_band_sink *s, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    QL_TRY(ql_intern_list(&j->names[GENE], &ds->genes.index, err));
    QL_TRY(ql_intern_list(&j->names[CELL], &ds->cells.index, err));
    QL_TRY(s ? send_entries(j, s, ds, notes, err) : keep_entries(j, ds, notes, err));
    return ql_set_text(&ds->matrix, "long table", err);
}

static void say_layout(const long_layout *l, ql_str *out)
{
    ql_str_printf(out, "fields separated by %s", ql_delim_text(l->delim));
    for (int r = 0; r < N_ROLES; r++)
        ql_str_printf(out, ", %s in column %d", role_text[r], l->at[r] + 1);
}

static ql_status read_long(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                           ql_err *err)
{
    static const ql_piece_work work = {
        .reserve = reserve, .parse = parse_piece, .take = take_piece};
    ql_blocks *b = NULL;
    job *j = NULL;
    ql_str text = {0};
    ql_status st;
    QL_TRY(QL_NEW(j, 1, "a parser", err));
    QL_GO(ql_blocks_open(path, r->sink ? QL_TEXT_BOUNDED : QL_TEXT_ALL, &b, err));
    QL_GO(find_layout(b, r->opt, &j->layout, err));
    say_layout(&j->layout, &text);
    ql_note_add(notes, QL_NOTE_INFO, "long table: %s", ql_str_text(&text));
    j->lines = j->layout.lines;
    if (r->sink) QL_GO(ql_runs_new(r->sink->folder, ql_sort_entries(-1), &j->runs, err));
    QL_GO(ql_blocks_run(b, j->layout.used, r->opt->threads, &work, j, err));
    ql_blocks_close(b);
    b = NULL;
    st = take_all(j, r->sink, ds, notes, err);
out:
    ql_str_free(&text);
    ql_blocks_close(b);
    end_job(j);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    const ql_read_options none = {.threads = 1};
    long_layout l = {0};
    ql_blocks *b = NULL;
    QL_TRY(ql_blocks_open(path, QL_TEXT_BOUNDED, &b, err));
    if (find_layout(b, &none, &l, NULL) == QL_OK) {
        say_layout(&l, out);
        ql_str_puts(out, "\n");
    }
    ql_blocks_close(b);
    return QL_OK;
}

const ql_format ql_format_long_table = {
    .name = "long-table",
    .summary = "text table with a line for each count: gene, cell, count (Drop-seq, UMI-tools)",
    .sniff = sniff,
    .read = read_long,
    .describe = describe,
    .measure = ql_sizes_of_text,
};
