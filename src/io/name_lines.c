#include "name_lines.h"

#include <string.h>
#include <strings.h>

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

static ql_status add_line(ql_name_lines *lines, const char *s, size_t n, ql_err *err)
{
    const char *end = s + n;
    bool more = true;
    for (int i = 0; i < QL_NAME_FIELDS; i++) {
        const char *tab = more ? memchr(s, '\t', (size_t)(end - s)) : NULL;
        const char *field = more ? s : end;
        size_t len = (size_t)((tab ? tab : end) - field);
        if (more && i + 1 > lines->n_fields) lines->n_fields = i + 1;
        strip_quotes(&field, &len);
        QL_TRY(ql_names_add(&lines->field[i], field, len, err));
        more = tab != NULL;
        if (tab) s = tab + 1;
    }
    return QL_OK;
}

static ql_status split(const char *text, size_t len, ql_name_lines *lines, ql_err *err)
{
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, len -= 3;
    while (len && strchr("\r\n\t ", text[len - 1])) len--;
    const char *end = text + len;
    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        const char *next = eol ? eol + 1 : end;
        size_t n = (size_t)((eol ? eol : end) - text);
        while (n && (text[n - 1] == '\r' || text[n - 1] == '\t')) n--;
        QL_TRY(add_line(lines, text, n, err));
        text = next;
    }
    return QL_OK;
}

ql_status ql_name_lines_read(const char *path, ql_name_lines *lines, ql_err *err)
{
    ql_str text = {0};
    ql_status st = ql_text_slurp(path, MAX_BYTES, &text, err);
    if (st == QL_OK) st = split(ql_str_text(&text), text.len, lines, err);
    ql_str_free(&text);
    return st;
}

static bool is_header_word(const char *s)
{
    static const char *const words[] = {
        "barcode", "barcodes", "cell",      "cells",      "cell_id", "gene",
        "genes",   "gene_id",  "gene_name", "gene_ids",   "feature", "feature_id",
        "id",      "x",        "geneid",    "ensembl_id", "symbol"};
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
