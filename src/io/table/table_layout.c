#include "table_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../text/decimal.h"
#include "../text/wording.h"
#include "quell/alloc.h"
#include "quell/reader.h"
#include "table_orient.h"

static const struct {
    char delim;
    const char *text;
} delims[] = {{'\t', "tab"}, {',', "comma"}, {';', "semicolon"}, {QL_BLANKS, "blanks"}};

enum { N_DELIMS = sizeof delims / sizeof *delims };

const char *ql_delim_text(char delim)
{
    for (int i = 0; i < N_DELIMS; i++)
        if (delims[i].delim == delim) return delims[i].text;
    return "?";
}

const char *ql_head_text(ql_head_kind head)
{
    static const char *const text[] = {
        [QL_HEAD_NONE] = "no header, columns numbered",
        [QL_HEAD_SHORT] = "header one field short (R's write.table)",
        [QL_HEAD_EMPTY_CORNER] = "header with an empty corner (pandas, R's write.csv)",
        [QL_HEAD_CORNER] = "header with a corner",
        [QL_HEAD_NO_ROW_NAMES] = "header, rows numbered",
    };
    return text[head];
}

void ql_table_layout_free(ql_table_layout *l)
{
    ql_free(l->corner);
    ql_free(l->second_name);
    ql_names_free(&l->columns);
    *l = (ql_table_layout){0};
}

/* --- the first lines --- */

void ql_table_find_top(const char *text, size_t n, bool all, ql_table_top *top)
{
    const char *at = text, *end = text + n, *line;
    size_t len = 0;
    int64_t number = 0;
    *top = (ql_table_top){0};
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) at += 3;
    for (const char *from = at; (line = ql_next_line(&at, end, &len)); from = at) {
        bool whole = all || at[-1] == '\n';
        number++;
        if (ql_is_blank_line(line, len)) continue;
        if (!top->header.s && *line == '#') {
            top->n_comments++;
            continue;
        }
        ql_field *to = top->header.s ? &top->row : &top->header;
        *to = (ql_field){line, len, 0};
        *(top->row.s ? &top->row_line : &top->header_line) = number;
        *(top->row.s ? &top->row_at : &top->header_at) = (size_t)(from - text);
        top->complete = top->row.s && whole;
        if (top->row.s) return;
    }
    top->complete = all;
}

static bool has_delim(const ql_field *line, char delim)
{
    if (delim == QL_BLANKS) return memchr(line->s, ' ', line->n) || memchr(line->s, '\t', line->n);
    return memchr(line->s, delim, line->n) != NULL;
}

/* Fields of a line, not counting an empty one behind a delimiter at its end. */
static int64_t count_solid(const ql_field *line, char delim)
{
    int64_t n = ql_count_fields(line->s, line->n, delim);
    bool trailing = delim != QL_BLANKS && line->n && line->s[line->n - 1] == delim;
    return n - trailing;
}

static bool agree(const ql_table_top *top, char delim)
{
    int64_t h = ql_count_fields(top->header.s, top->header.n, delim);
    int64_t r = ql_count_fields(top->row.s, top->row.n, delim);
    return r > 1 && (r == h || r == h + 1 || count_solid(&top->row, delim) == h);
}

char ql_table_delim(const ql_table_top *top)
{
    for (int i = 0; top->row.s && i < N_DELIMS; i++)
        if (has_delim(&top->header, delims[i].delim) && agree(top, delims[i].delim))
            return delims[i].delim;
    for (int i = 0; top->row.s && i < N_DELIMS; i++)
        if (has_delim(&top->row, delims[i].delim) && agree(top, delims[i].delim))
            return delims[i].delim;
    for (int i = 0; i < N_DELIMS; i++)
        if (has_delim(&top->header, delims[i].delim)) return delims[i].delim;
    return '\t';
}

/* --- header --- */

/* The lines and what is counted of them. */
typedef struct {
    ql_table_top top;
    int64_t n_header, n_row; /* fields */
    ql_field head[QL_MAX_LEAD];
    int n_head;             /* of them known */
    bool head_numbers;      /* every field of the header is a number */
    bool head_rest_numbers; /* every one but the first */
    bool head_counts_up;    /* they are 0, 1, 2, ... or 1, 2, 3, ... */
} lines;

static void look_at_header(lines *ls, char delim)
{
    ql_fields r = ql_fields_of(ls->top.header.s, ls->top.header.n, delim);
    ql_field f;
    int64_t n = 0;
    double x = 0, first = 0;
    ls->head_numbers = ls->head_rest_numbers = ls->head_counts_up = true;
    for (; ql_next_field(&r, &f); n++) {
        bool number = ql_decimal(f.s, f.n, &x);
        if (n < QL_MAX_LEAD) ls->head[ls->n_head++] = f;
        if (n == 0) first = x;
        if (!number) ls->head_numbers = false;
        if (!number && n > 0) ls->head_rest_numbers = false;
        if (!number || x != first + (double)n || (first != 0 && first != 1))
            ls->head_counts_up = false;
    }
    ls->n_header = n;
    if (n < 2) ls->head_rest_numbers = false;
}

static void look_at_row(lines *ls, ql_table_layout *l)
{
    ql_fields r = ql_fields_of(ls->top.row.s, ls->top.row.n, l->delim);
    ql_field f;
    for (ls->n_row = 0; ql_next_field(&r, &f); ls->n_row++)
        if (l->n_first < 3) l->first[l->n_first++] = f;
}

static ql_status fail_numbers(const lines *ls, ql_err *err)
{
    ql_fail(err, QL_EDATA,
            "line %" PRId64 ": holds numbers only, so it may be the header or the first row",
            ls->top.header_line);
    return ql_hint(err, QL_EDATA, "if it holds values, say --no-header (and --no-row-names)");
}

static ql_status fail_looks_like_row(const lines *ls, ql_err *err)
{
    ql_str text = {0};
    ql_str_escape(&text, ls->head[0].s, ls->head[0].n);
    ql_fail(err, QL_EDATA,
            "line %" PRId64 ": looks like a row of values (\"%s\" and numbers), not like a header",
            ls->top.header_line, ql_str_text(&text));
    ql_str_free(&text);
    return ql_hint(err, QL_EDATA, "if it is one, say --no-header");
}

/* Words over a column of names; whichever case. */
static bool is_corner_word(const ql_field *f)
{
    static const char *const words[] = {
        "gene",        "genes",        "geneid",      "gene_id",    "gene_ids",
        "gene_name",   "gene_names",   "gene_symbol", "symbol",     "symbols",
        "feature",     "features",     "feature_id",  "ensembl_id", "ensembl",
        "id",          "name",         "names",       "index",      "rownames",
        "row.names",   "row_names",    "cell",        "cells",      "cellid",
        "cell_id",     "cell_ids",     "cell_name",   "cell_index", "barcode",
        "barcodes",    "cell_barcode", "x",           "unnamed: 0", "transcript_id",
        "hgnc_symbol", "transcript",   NULL};
    for (const char *const *w = words; *w; w++)
        if (ql_field_is(f, *w)) return true;
    return false;
}

static ql_status fail_width(const lines *ls, ql_err *err)
{
    return ql_fail(err, QL_EDATA,
                   "line %" PRId64 ": has %" PRId64 " fields, but the header, line %" PRId64
                   ", has %" PRId64,
                   ls->top.row_line, ls->n_row, ls->top.header_line, ls->n_header);
}

/* Which kind of header; counts agree with it afterwards, without a delimiter at the lines' ends. */
static ql_status decide_head(lines *ls, const ql_read_options *opt, ql_table_layout *l, ql_err *err)
{
    bool row_trails = l->delim != QL_BLANKS && ls->top.row.s[ls->top.row.n - 1] == l->delim;
    bool head_trails = l->delim != QL_BLANKS && ls->top.header.s[ls->top.header.n - 1] == l->delim;
    if (row_trails && ls->n_row > 2 &&
        (head_trails || opt->no_header || ls->n_row > ls->n_header)) {
        l->trailing = true;
        ls->n_row--;
        if (head_trails) ls->n_header--;
    }
    if (opt->no_header) {
        l->head = QL_HEAD_NONE;
        return QL_OK;
    }
    if (opt->no_row_names) {
        l->head = QL_HEAD_NO_ROW_NAMES;
        if (ls->head_numbers && !ls->head_counts_up) return fail_numbers(ls, err);
        return ls->n_row == ls->n_header ? QL_OK : fail_width(ls, err);
    }
    if (ls->n_row == ls->n_header + 1) {
        l->head = QL_HEAD_SHORT;
        return QL_OK;
    }
    if (ls->n_row != ls->n_header) return fail_width(ls, err);
    l->head = ls->head[0].n == 0 ? QL_HEAD_EMPTY_CORNER : QL_HEAD_CORNER;
    if (l->head == QL_HEAD_EMPTY_CORNER) return QL_OK;
    if (ls->head_numbers) return fail_numbers(ls, err);
    if (ls->head_rest_numbers && !is_corner_word(&ls->head[0])) return fail_looks_like_row(ls, err);
    return QL_OK;
}

/* --- columns before the values --- */

/* featureCounts describes each gene in five columns. */
static bool is_feature_counts(const lines *ls)
{
    static const char *const words[] = {"Geneid", "Chr", "Start", "End", "Strand", "Length"};
    for (int i = 0; i < 6; i++)
        if (i >= ls->n_head || !ql_field_is(&ls->head[i], words[i])) return false;
    return ls->n_header > 6;
}

/* Words over a second column of names (FLAMES: transcript_id, gene_id). */
static bool is_second_word(const ql_field *f)
{
    static const char *const words[] = {
        "gene_id",      "geneid",        "gene_name",  "gene_symbol",     "symbol",
        "hgnc_symbol",  "gene",          "ensembl_id", "ensembl_gene_id", "external_gene_name",
        "feature_name", "transcript_id", NULL};
    for (const char *const *w = words; *w; w++)
        if (ql_field_is(f, *w)) return true;
    return false;
}

static ql_status set_text(const ql_field *f, char **out, ql_err *err)
{
    ql_str buf = {0}, own = {0};
    const char *text;
    size_t n = ql_field_text(f, &buf, &text);
    ql_str_bytes(&own, text, n);
    ql_status st = buf.failed || own.failed ? ql_fail(err, QL_EMEMORY, "no memory for a name")
                                            : ql_set_text(out, ql_str_text(&own), err);
    ql_str_free(&buf);
    ql_str_free(&own);
    return st;
}

static ql_status decide_lead(const lines *ls, const ql_read_options *opt, ql_table_layout *l,
                             ql_err *err)
{
    static const ql_field none = {"", 0, 0};
    bool corner = l->head == QL_HEAD_CORNER;
    l->second = -1;
    l->n_lead = opt->no_row_names ? 0 : 1;
    QL_TRY(set_text(corner ? &ls->head[0] : &none, &l->corner, err));
    if (!corner && l->head != QL_HEAD_EMPTY_CORNER) return QL_OK;
    if (is_feature_counts(ls)) {
        l->n_dropped = 5;
        l->n_lead += l->n_dropped;
    }
    if (l->n_lead < ls->n_head && ls->n_header > l->n_lead + 1 &&
        is_second_word(&ls->head[l->n_lead])) {
        l->second = l->n_lead++;
        QL_TRY(set_text(&ls->head[l->second], &l->second_name, err));
    }
    return QL_OK;
}

/* --- names of the columns --- */

static ql_status name_columns(const lines *ls, const ql_read_options *opt, ql_table_layout *l,
                              ql_err *err)
{
    ql_fields r = ql_fields_of(ls->top.header.s, ls->top.header.n, l->delim);
    ql_field f;
    ql_str buf = {0};
    ql_status st = QL_OK;
    int64_t skip = l->head == QL_HEAD_SHORT ? l->n_lead - 1 : l->n_lead;
    const char *why;
    if (l->head == QL_HEAD_NONE)
        return ql_names_number(ql_rows_are_cells(opt, "", &why) ? "gene" : "cell",
                               ls->n_row - l->n_lead, &l->columns, err);
    for (int64_t i = 0; st == QL_OK && i < ls->n_header && ql_next_field(&r, &f); i++) {
        const char *text;
        if (i < skip) continue;
        size_t n = ql_field_text(&f, &buf, &text);
        st = buf.failed ? ql_fail(err, QL_EMEMORY, "no memory for a name")
                        : ql_names_add(&l->columns, text, n, err);
    }
    if (st == QL_OK && r.unclosed)
        st = ql_fail(err, QL_EDATA, "line %" PRId64 ": a quote is not closed", ls->top.header_line);
    ql_str_free(&buf);
    return st;
}

static ql_status check_columns(const ql_table_layout *l, const lines *ls, ql_err *err)
{
    if (l->columns.n == 0)
        return ql_fail(err, QL_EDATA, "line %" PRId64 ": has no columns of values",
                       ls->top.row_line);
    if (l->columns.n > INT32_MAX)
        return ql_fail(err, QL_EDATA, "has %" PRId64 " columns, more than %d", l->columns.n,
                       INT32_MAX);
    return QL_OK;
}

/* A column of words behind the names: an annotation that cannot be told from values. */
static ql_status check_second(const ql_table_layout *l, const lines *ls, ql_err *err)
{
    const ql_field *f = l->n_lead < l->n_first ? &l->first[l->n_lead] : NULL;
    if (!f || l->n_dropped || strcmp(ql_decimal_fault(f->s, f->n), "is no number") != 0 ||
        ql_field_is_number(f))
        return QL_OK;
    ql_str value = {0}, name = {0};
    ql_str_escape(&value, f->s, f->n);
    ql_str_escape(&name, ql_name(&l->columns, 0), strlen(ql_name(&l->columns, 0)));
    ql_fail(err, QL_EDATA, "line %" PRId64 ": column %d (\"%s\") holds \"%s\", no number",
            ls->top.row_line, l->n_lead + 1, ql_str_text(&name), ql_str_text(&value));
    ql_str_free(&value);
    ql_str_free(&name);
    return ql_hint(err, QL_EDATA, "only the first column may hold text: remove the others%s",
                   l->head == QL_HEAD_CORNER && l->columns.n == 2
                       ? "; a long table (gene, cell, count) needs --format long-table"
                       : "");
}

/* --- all of it --- */

static ql_status need_top(ql_blocks *b, ql_table_top *top, ql_err *err)
{
    for (;;) {
        size_t n;
        bool all;
        const char *text = ql_blocks_head(b, &n, &all);
        ql_table_find_top(text, n, all, top);
        if (top->complete) break;
        QL_TRY(ql_blocks_more(b, err));
    }
    if (!top->header.s) return ql_fail(err, QL_EDATA, "has no lines of values");
    return QL_OK;
}

/* Without a header the first row is where the header would be. */
static ql_status settle_top(const ql_read_options *opt, lines *ls, ql_table_layout *l, ql_err *err)
{
    ql_table_top *top = &ls->top;
    if (memchr(top->header.s, '\r', top->header.n) && !top->row.s) {
        ql_fail(err, QL_EDATA, "its lines end with CR only, as on old Macintoshes");
        return ql_hint(err, QL_EDATA, "convert it: tr '\\r' '\\n' <FILE");
    }
    if (opt->no_header) {
        if (!top->row.s) top->row = top->header;
        l->delim = ql_table_delim(top);
        top->row = top->header;
        top->row_line = top->header_line;
        top->row_at = top->header_at;
        return QL_OK;
    }
    if (!top->row.s) return ql_fail(err, QL_EDATA, "has a header, but no rows below it");
    l->delim = ql_table_delim(top);
    return QL_OK;
}

ql_status ql_table_layout_find(ql_blocks *b, const ql_read_options *opt, ql_table_layout *l,
                               ql_err *err)
{
    lines ls = {.n_head = 0};
    *l = (ql_table_layout){.second = -1};
    QL_TRY(need_top(b, &ls.top, err));
    QL_TRY(settle_top(opt, &ls, l, err));
    look_at_header(&ls, l->delim);
    look_at_row(&ls, l);
    l->n_comments = ls.top.n_comments;
    l->used = ls.top.row_at;
    l->lines = ls.top.row_line - 1;
    QL_TRY(decide_head(&ls, opt, l, err));
    QL_TRY(decide_lead(&ls, opt, l, err));
    QL_TRY(name_columns(&ls, opt, l, err));
    QL_TRY(check_columns(l, &ls, err));
    return check_second(l, &ls, err);
}
