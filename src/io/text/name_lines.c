#include "name_lines.h"

#include <string.h>
#include <strings.h>

#include "../file/folder.h"
#include "text_input.h"

enum { MAX_BYTES = 2000000000 };

void ql_name_lines_free(ql_name_lines *lines)
{
    for (int i = 0; i < QL_NAME_FIELDS; i++) ql_names_free(&lines->field[i]);
    lines->n_fields = 0;
}

static void strip_quotes(const char **s, size_t *n)
{
    if (*n < 2 || ((*s)[0] != '"' && (*s)[0] != '\'') || (*s)[*n - 1] != (*s)[0]) return;
    (*s)++;
    *n -= 2;
}

/* One field of [s, end), which a separator ends; *next is where the next one begins, NULL if this
 * is the last. In csv a quoted field may hold separators, and quotes twice. */
static ql_status add_field(const char *s, const char *end, char separator, ql_names *to,
                           const char **next, ql_err *err)
{
    const char *stop = memchr(s, separator, (size_t)(end - s));
    if (separator == ',' && s < end && *s == '"') {
        const char *q = s + 1;
        while (q < end && (*q != '"' || (q + 1 < end && q[1] == '"'))) q += *q == '"' ? 2 : 1;
        stop = q < end ? memchr(q, separator, (size_t)(end - q)) : NULL;
    }
    size_t n = (size_t)((stop ? stop : end) - s);
    *next = stop ? stop + 1 : NULL;
    strip_quotes(&s, &n);
    return ql_names_add(to, s, n, err);
}

static ql_status add_line(ql_name_lines *lines, const char *s, size_t n, char separator,
                          ql_err *err)
{
    const char *end = s + n;
    for (int i = 0; i < QL_NAME_FIELDS; i++) {
        if (s && i + 1 > lines->n_fields) lines->n_fields = i + 1;
        if (s)
            QL_TRY(add_field(s, end, separator, &lines->field[i], &s, err));
        else
            QL_TRY(ql_names_add(&lines->field[i], "", 0, err));
    }
    return QL_OK;
}

static ql_status split(const char *text, size_t len, char separator, ql_name_lines *lines,
                       ql_err *err)
{
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, len -= 3;
    while (len && strchr("\r\n\t ", text[len - 1])) len--;
    const char *end = text + len;
    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        const char *next = eol ? eol + 1 : end;
        size_t n = (size_t)((eol ? eol : end) - text);
        while (n && (text[n - 1] == '\r' || text[n - 1] == '\t')) n--;
        QL_TRY(add_line(lines, text, n, separator, err));
        text = next;
    }
    return QL_OK;
}

ql_status ql_name_lines_read(const char *path, ql_name_lines *lines, ql_err *err)
{
    ql_str text = {0};
    ql_status st = ql_text_slurp(path, MAX_BYTES, &text, err);
    bool csv = ql_ends_with(path, ".csv") || ql_ends_with(path, ".csv.gz");
    if (st == QL_OK) st = split(ql_str_text(&text), text.len, csv ? ',' : '\t', lines, err);
    ql_str_free(&text);
    return st;
}

static bool is_header_word(const char *s)
{
    static const char *const words[] = {
        "",           "barcode", "barcodes",     "bc_wells",   "cell",     "cells",
        "cell_id",    "cellid",  "cell_barcode", "cell_name",  "feature",  "features",
        "feature_id", "gene",    "genes",        "gene_id",    "gene_ids", "gene_name",
        "gene_names", "geneid",  "gene_symbol",  "ensembl_id", "ensembl",  "id",
        "index",      "name",    "names",        "symbol",     "v1",       "x"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0) return true;
    return false;
}

ql_status ql_name_lines_drop_header(ql_name_lines *lines, bool *dropped, ql_err *err)
{
    *dropped = lines->field[0].n > 0 && is_header_word(ql_name(&lines->field[0], 0));
    for (int f = 0; *dropped && f < QL_NAME_FIELDS; f++) {
        ql_names rest = {0}, *all = &lines->field[f];
        for (int64_t i = 1; i < all->n; i++) {
            ql_status st = ql_names_add(&rest, ql_name(all, i), strlen(ql_name(all, i)), err);
            if (st == QL_OK) continue;
            ql_names_free(&rest);
            return st;
        }
        ql_names_free(all);
        *all = rest;
    }
    return QL_OK;
}
