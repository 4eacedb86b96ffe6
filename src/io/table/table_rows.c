/* Rows are found and parsed in pieces by all threads. A piece keeps its entries in the order of the
 * file, so that taking the pieces in order gives sorted sparse rows. */
#include "table_rows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "../counts/numbers.h"
#include "../text/decimal.h"
#include "quell/alloc.h"

typedef enum { ROW_OK, ROW_WIDTH, ROW_VALUE, ROW_TOO_LARGE, ROW_QUOTE } row_fault;

typedef struct {
    int32_t *col; /* [cap_entries]; owned */
    float *value;
    int64_t n, cap;
    int64_t *indptr;  /* [cap_rows + 1] of its rows; owned */
    ql_field *name;   /* [cap_rows] names of the rows; owned */
    ql_field *second; /* the same of the second names */
    int64_t n_rows, cap_rows;
    int64_t n_lines;
    row_fault fault; /* of line n_lines, where parsing stopped */
    int64_t at;      /* the column of values that is at fault, or the fields found */
    ql_field field;  /* what is there */
    ql_field row;    /* the name of that row */
} piece;

typedef struct {
    const ql_table_layout *layout;
    const ql_table_how *how;
    uint64_t zeros; /* bytes of "0<delim>" four times; 0: not for this delimiter */
    piece pieces[QL_PIECES];
    int64_t lines;  /* before the piece to be taken */
    int64_t n, cap; /* entries of all rows */
    int64_t n_rows, cap_rows;
    ql_table *table;
    ql_str buf;
} job;

/* --- one value --- */

ql_value_state ql_table_value(const ql_field *f, float *out)
{
    double x;
    if (!ql_decimal(f->s, f->n, &x)) return QL_VALUE_FAULT;
    *out = ql_f32_of_f64(x);
    return isfinite(*out) ? QL_VALUE_OK : QL_VALUE_TOO_LARGE;
}

const char *ql_table_value_fault(const ql_field *f)
{
    return ql_field_is_number(f) ? "is too large" : ql_decimal_fault(f->s, f->n);
}

/* --- one row; any thread --- */

static bool fail_row(piece *p, row_fault fault, int64_t at, ql_field field)
{
    p->fault = fault;
    p->at = at;
    p->field = field;
    return false;
}

static bool fail_width(const job *j, piece *p, const char *line, size_t n)
{
    return fail_row(p, ROW_WIDTH, ql_count_fields(line, n, j->layout->delim), (ql_field){0});
}

static bool put(piece *p, int64_t col, float x)
{
    if (x == 0.0f) return true;
    if (p->n == p->cap) return false;
    p->col[p->n] = (int32_t)col;
    p->value[p->n++] = x;
    return true;
}

/* A value that is no short whole number. */
static bool slow_value(ql_fields *r, int64_t col, piece *p)
{
    ql_field f = {r->s, 0, 0};
    float x = 0;
    (void)ql_next_field(r, &f);
    if (r->unclosed) return fail_row(p, ROW_QUOTE, col, f);
    switch (ql_table_value(&f, &x)) {
    case QL_VALUE_OK:
        return put(p, col, x) || fail_row(p, ROW_WIDTH, col, f);
    case QL_VALUE_FAULT:
        return fail_row(p, ROW_VALUE, col, f);
    case QL_VALUE_TOO_LARGE:
        return fail_row(p, ROW_TOO_LARGE, col, f);
    }
    return false;
}

/* A whole number of few digits up to a delimiter or the line's end. */
static bool quick_value(ql_fields *r, int64_t col, piece *p)
{
    enum { DIGITS = 9 };
    const char *s = r->s;
    uint32_t x = 0;
    while (s < r->end && s - r->s < DIGITS && (unsigned char)(*s - '0') < 10)
        x = x * 10 + (uint32_t)(*s++ - '0');
    if (s == r->s || (s < r->end && *s != r->delim)) return false;
    if (!put(p, col, (float)x)) return false;
    r->more = s < r->end;
    r->s = r->more ? s + 1 : s;
    return true;
}

/* Zeros behind each other: most of a table is nothing else. */
static int64_t skip_zeros(const job *j, ql_fields *r, int64_t col, int64_t n_cols)
{
    uint64_t four;
    while (j->zeros && n_cols - col > 4 && r->end - r->s > 8) {
        memcpy(&four, r->s, sizeof four);
        if (four != j->zeros) break;
        r->s += sizeof four;
        col += 4;
    }
    while (n_cols - col > 1 && r->end - r->s > 2 && r->s[0] == '0' && r->s[1] == r->delim) {
        r->s += 2;
        col++;
    }
    return col;
}

static bool parse_values(const job *j, ql_fields *r, piece *p, const char *line, size_t n)
{
    const int64_t n_cols = j->layout->columns.n;
    const bool exact = r->delim != QL_BLANKS;
    int64_t col = 0;
    while (r->more && col < n_cols) {
        if (exact) col = skip_zeros(j, r, col, n_cols);
        if (!(exact && quick_value(r, col, p)) && !slow_value(r, col, p)) return false;
        col++;
    }
    bool rest = r->more && !(j->layout->trailing && r->s == r->end);
    return col == n_cols && !rest ? true : fail_width(j, p, line, n);
}

static bool parse_row(const job *j, const char *line, size_t n, piece *p)
{
    const ql_table_layout *l = j->layout;
    ql_fields r = ql_fields_of(line, n, l->delim);
    ql_field f = {0}, name = {line, 0, 0}, second = {line, 0, 0};
    p->row = name;
    for (int i = 0; i < l->n_lead; i++) {
        if (!ql_next_field(&r, &f)) return fail_width(j, p, line, n);
        if (i == 0) name = f;
        if (i == l->second) second = f;
    }
    p->row = name;
    if (r.unclosed) return fail_row(p, ROW_QUOTE, 0, f);
    if (p->n_rows == p->cap_rows || !r.more) return fail_width(j, p, line, n);
    if (!parse_values(j, &r, p, line, n)) return false;
    p->name[p->n_rows] = name;
    p->second[p->n_rows] = second;
    p->indptr[++p->n_rows] = p->n;
    return true;
}

static void parse_piece(void *ctx, int i, const char *text, size_t n)
{
    job *j = ctx;
    piece *p = &j->pieces[i];
    const char *at = text, *line;
    size_t len = 0;
    p->n = p->n_rows = p->n_lines = 0;
    p->fault = ROW_OK;
    while ((line = ql_next_line(&at, text + n, &len))) {
        p->n_lines++;
        if (!ql_is_blank_line(line, len) && !parse_row(j, line, len, p)) return;
    }
}

/* --- pieces to rows; one thread --- */

/* A value takes two bytes at least, with what follows it. */
static ql_status reserve(void *ctx, int i, size_t n, ql_err *err)
{
    job *j = ctx;
    piece *p = &j->pieces[i];
    int64_t entries = (int64_t)n / 2 + 1;
    int64_t rows = (int64_t)n / (2 * j->layout->columns.n) + 2;
    if (entries > p->cap) {
        ql_free(p->col);
        ql_free(p->value);
        p->col = NULL;
        p->value = NULL;
        p->cap = 0;
        QL_TRY(QL_NEW(p->col, entries, "entries in work", err));
        QL_TRY(QL_NEW(p->value, entries, "entries in work", err));
        p->cap = entries;
    }
    if (rows > p->cap_rows) {
        ql_free(p->indptr);
        ql_free(p->name);
        ql_free(p->second);
        p->indptr = NULL;
        p->name = p->second = NULL;
        p->cap_rows = 0;
        QL_TRY(QL_NEW(p->indptr, rows + 1, "rows in work", err));
        QL_TRY(QL_NEW(p->name, rows, "rows in work", err));
        QL_TRY(QL_NEW(p->second, rows, "rows in work", err));
        p->cap_rows = rows;
    }
    return QL_OK;
}

static ql_status resize(void **block, int64_t n, size_t size, ql_err *err)
{
    void *grown = ql_realloc(*block, n, size);
    if (!grown) return ql_fail(err, QL_EMEMORY, "no memory for %" PRId64 " entries", n);
    *block = grown;
    return QL_OK;
}

static ql_status grow(job *j, int64_t n, int64_t n_rows, ql_err *err)
{
    ql_csr *m = &j->table->m;
    if (n > j->cap) {
        int64_t cap = n + n / 2;
        QL_TRY(ql_need_memory((double)(cap - j->cap) * 8.0, "the matrix", err));
        QL_TRY(resize((void **)&m->indices, cap, sizeof *m->indices, err));
        QL_TRY(resize((void **)&m->data, cap, sizeof *m->data, err));
        j->cap = cap;
    }
    if (n_rows > j->cap_rows) {
        int64_t cap = n_rows + n_rows / 2;
        QL_TRY(resize((void **)&m->indptr, cap + 1, sizeof *m->indptr, err));
        j->cap_rows = cap;
    }
    return QL_OK;
}

ql_status ql_hint_cut(bool cut, ql_err *err)
{
    if (cut) ql_hint(err, QL_EDATA, "the file ends in the middle of this line: was it cut?");
    return QL_EDATA;
}

static void quote_name(ql_str *out, const char *what, const char *s, size_t n)
{
    ql_str_printf(out, "%s \"", what);
    ql_str_escape(out, s, n);
    ql_str_puts(out, "\"");
}

static ql_status fail_value(const job *j, const piece *p, int64_t line, ql_err *err)
{
    const ql_table_layout *l = j->layout;
    const char *column = p->at < l->columns.n ? ql_name(&l->columns, p->at) : "";
    const char *fault = p->fault == ROW_QUOTE ? "opens a quote and does not close it"
                                              : ql_table_value_fault(&p->field);
    ql_str where = {0}, value = {0};
    quote_name(&where, j->how->what[0], p->row.s, p->row.n);
    ql_str_puts(&where, ", ");
    quote_name(&where, j->how->what[1], column, strlen(column));
    ql_str_escape(&value, p->field.s, p->field.n);
    ql_fail(err, QL_EDATA, "line %" PRId64 ", column %" PRId64 " (%s): \"%s\" %s", line,
            p->at + l->n_lead + 1, ql_str_text(&where), ql_str_text(&value), fault);
    ql_str_free(&where);
    ql_str_free(&value);
    return QL_EDATA;
}

static ql_status fail_piece(const job *j, const piece *p, bool cut, ql_err *err)
{
    int64_t line = j->lines + p->n_lines;
    const ql_table_layout *l = j->layout;
    if (p->fault == ROW_WIDTH)
        ql_fail(err, QL_EDATA, "line %" PRId64 ": has %" PRId64 " fields, %" PRId64 " expected",
                line, p->at - (l->trailing && p->at > l->n_lead + l->columns.n),
                l->columns.n + l->n_lead);
    else
        (void)fail_value(j, p, line, err);
    return ql_hint_cut(cut, err);
}

static ql_status add_name(job *j, ql_names *names, const ql_field *f, ql_err *err)
{
    const char *text;
    size_t n = ql_field_text(f, &j->buf, &text);
    if (j->buf.failed) return ql_fail(err, QL_EMEMORY, "no memory for a name");
    return ql_names_add(names, text, n, err);
}

static ql_status add_number(const char *what, int64_t i, ql_names *names, ql_str *buf, ql_err *err)
{
    ql_str_clear(buf);
    ql_str_printf(buf, "%s_%" PRId64, what, i);
    if (buf->failed) return ql_fail(err, QL_EMEMORY, "no memory for a name");
    return ql_names_add(names, buf->text, buf->len, err);
}

static ql_status take_names(job *j, const piece *p, ql_err *err)
{
    ql_table *t = j->table;
    for (int64_t r = 0; r < p->n_rows; r++) {
        if (j->layout->n_lead == 0)
            QL_TRY(add_number(j->how->what[0], j->n_rows + r + 1, &t->names, &j->buf, err));
        else
            QL_TRY(add_name(j, &t->names, &p->name[r], err));
        if (j->layout->second >= 0) QL_TRY(add_name(j, &t->second, &p->second[r], err));
    }
    return QL_OK;
}

static ql_status keep_rows(job *j, const piece *p, ql_err *err)
{
    ql_csr *m = &j->table->m;
    QL_TRY(grow(j, j->n + p->n, j->n_rows + p->n_rows, err));
    if (p->n) {
        memcpy(m->indices + j->n, p->col, (size_t)p->n * sizeof *p->col);
        memcpy(m->data + j->n, p->value, (size_t)p->n * sizeof *p->value);
    }
    for (int64_t r = 1; r <= p->n_rows; r++) m->indptr[j->n_rows + r] = j->n + p->indptr[r];
    j->n += p->n;
    return QL_OK;
}

static ql_status hand_over(job *j, const piece *p, ql_err *err)
{
    ql_csr rows = {p->n_rows, j->layout->columns.n, p->indptr, p->col, p->value};
    p->indptr[0] = 0;
    return j->how->take(j->how->ctx, &rows, j->n_rows, err);
}

static ql_status take_piece(void *ctx, int i, const char *text, size_t n, ql_err *err)
{
    job *j = ctx;
    const piece *p = &j->pieces[i];
    const char *last = p->fault ? memchr(p->row.s, '\n', (size_t)(text + n - p->row.s)) : text;
    if (p->fault) return fail_piece(j, p, !last, err);
    if (p->n_rows > INT32_MAX - j->n_rows)
        return ql_fail(err, QL_EDATA, "has more than %d rows", INT32_MAX);
    QL_TRY(take_names(j, p, err));
    QL_TRY(j->how->take ? hand_over(j, p, err) : keep_rows(j, p, err));
    j->n_rows += p->n_rows;
    j->lines += p->n_lines;
    return QL_OK;
}

static uint64_t four_zeros(char delim)
{
    const char text[8] = {'0', delim, '0', delim, '0', delim, '0', delim};
    uint64_t four = 0;
    if (delim != QL_BLANKS) memcpy(&four, text, sizeof four);
    return four;
}

static void end_job(job *j)
{
    for (int i = 0; i < QL_PIECES; i++) {
        ql_free(j->pieces[i].col);
        ql_free(j->pieces[i].value);
        ql_free(j->pieces[i].indptr);
        ql_free(j->pieces[i].name);
        ql_free(j->pieces[i].second);
    }
    ql_str_free(&j->buf);
    ql_free(j);
}

ql_status ql_table_read(ql_blocks *b, const ql_table_layout *layout, const ql_table_how *how,
                        ql_table *table, ql_err *err)
{
    static const ql_piece_work work = {
        .reserve = reserve, .parse = parse_piece, .take = take_piece};
    job *j = NULL;
    ql_status st;
    *table = (ql_table){0};
    QL_TRY(QL_NEW(j, 1, "a parser", err));
    j->layout = layout;
    j->how = how;
    j->table = table;
    j->lines = layout->lines;
    j->zeros = four_zeros(layout->delim);
    if (!how->take) QL_GO(grow(j, 1, 1, err));
    QL_GO(ql_blocks_run(b, layout->used, how->threads, &work, j, err));
    table->m.n_rows = j->n_rows;
    table->m.n_cols = layout->columns.n;
out:
    if (st != QL_OK) ql_table_free(table);
    end_job(j);
    return st;
}

void ql_table_free(ql_table *t)
{
    ql_csr_free(&t->m);
    ql_names_free(&t->names);
    ql_names_free(&t->second);
}
