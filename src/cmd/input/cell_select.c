#include "cell_select.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/order.h"
#include "quell/strbuf.h"

enum { NUMBER = 32 };

static ql_status no_column(const char *option, const char *name, const ql_frame *cells, ql_err *err)
{
    ql_str known = {0};
    for (int i = 0; i < cells->n_columns; i++)
        ql_str_printf(&known, "%s%s", i ? ", " : "", cells->columns[i].name);
    ql_fail(err, QL_EUSAGE, "%s: the cells have no column '%.100s'", option, name);
    ql_status st = cells->n_columns
                       ? ql_hint(err, QL_EUSAGE, "there are %.400s", ql_str_text(&known))
                       : ql_hint(err, QL_EUSAGE, "the input has no columns of cells (obs)");
    ql_str_free(&known);
    return st;
}

/* What a column says of a cell, as text; room [NUMBER]. */
static const char *text_of(const ql_column *c, int64_t i, char *room)
{
    switch (c->type) {
    case QL_COL_STRING:
        return ql_name(&c->strings, i);
    case QL_COL_BOOL:
        return ((const uint8_t *)c->values)[i] ? "True" : "False";
    case QL_COL_I64:
        snprintf(room, NUMBER, "%" PRId64, ((const int64_t *)c->values)[i]);
        return room;
    case QL_COL_F32:
    case QL_COL_F64:
        snprintf(room, NUMBER, "%.9g", ql_column_number(c, i));
        return room;
    }
    return "";
}

/* ---- groups ---- */

/* Names of `found` in ascending order into *names. */
static ql_status sort_names(const ql_names *found, ql_names *names, ql_err *err)
{
    const char **list = NULL;
    ql_status st;
    QL_GO(QL_NEW(list, found->n, "groups of cells", err));
    for (int64_t i = 0; i < found->n; i++) list[i] = ql_name(found, i);
    qsort(list, (size_t)found->n, sizeof *list, ql_by_text);
    for (int64_t i = 0; i < found->n; i++)
        if (i == 0 || strcmp(list[i], list[i - 1]) != 0)
            QL_GO(ql_names_add(names, list[i], strlen(list[i]), err));
out:
    ql_free(list);
    return st;
}

static ql_status all_texts(const ql_column *c, int64_t n, ql_names *out, ql_err *err)
{
    char room[NUMBER];
    for (int64_t i = 0; i < n; i++) {
        const char *text = text_of(c, i, room);
        QL_TRY(ql_names_add(out, text, strlen(text), err));
    }
    return QL_OK;
}

ql_status cell_groups(const char *option, const char *column, const ql_frame *cells, int64_t *of,
                      ql_names *names, ql_err *err)
{
    const ql_column *c = ql_frame_column(cells, column);
    ql_names all = {0};
    ql_name_index *index = NULL;
    ql_status st;
    if (!c) return no_column(option, column, cells, err);
    QL_GO(all_texts(c, cells->index.n, &all, err));
    QL_GO(sort_names(&all, names, err));
    QL_GO(ql_name_index_new(names, &index, err));
    for (int64_t i = 0; i < cells->index.n; i++)
        of[i] = ql_name_index_find(index, ql_name(&all, i));
out:
    ql_name_index_free(index);
    ql_names_free(&all);
    return st;
}

/* ---- terms ---- */

typedef struct {
    const char *option;
    char column[256], value[1024];
    bool is_not;
} term;

/* The term at *text, which moves on behind it. */
static ql_status next_term(const char **text, term *t, ql_err *err)
{
    const size_t size = strcspn(*text, ",");
    const char *is = memchr(*text, '=', size);
    if (!is || is == *text) {
        ql_fail(err, QL_EUSAGE, "%s: '%.*s' says nothing of a column", t->option,
                (int)(size < 200 ? size : 200), *text);
        return ql_hint(err, QL_EUSAGE, "write COLUMN=VALUE or COLUMN!=VALUE, several with commas");
    }
    t->is_not = is[-1] == '!';
    const size_t column = (size_t)(is - *text) - t->is_not, value = size - (size_t)(is - *text) - 1;
    if (column == 0 || column >= sizeof t->column || value >= sizeof t->value)
        return ql_fail(err, QL_EUSAGE, "%s: a name or value is too long or empty", t->option);
    memcpy(t->column, *text, column);
    memcpy(t->value, is + 1, value);
    t->column[column] = t->value[value] = 0;
    *text += size + ((*text)[size] == ',');
    return QL_OK;
}

/* Is text one of the alternatives "a|b"? */
static bool is_one_of(const char *alternatives, const char *text)
{
    const size_t n = strlen(text);
    for (const char *at = alternatives;; at++) {
        const size_t size = strcspn(at, "|");
        if (size == n && !memcmp(at, text, n)) return true;
        at += size;
        if (!*at) return false;
    }
}

static ql_status apply_term(const term *t, const ql_frame *cells, uint8_t *keep, ql_err *err)
{
    const ql_column *c = ql_frame_column(cells, t->column);
    const bool by_name = !c && !strcmp(t->column, "name");
    char room[NUMBER];
    int64_t n = 0;
    if (!c && !by_name) return no_column(t->option, t->column, cells, err);
    for (int64_t i = 0; i < cells->index.n; i++) {
        const char *text = by_name ? ql_name(&cells->index, i) : text_of(c, i, room);
        const bool holds = is_one_of(t->value, text);
        n += holds;
        if (holds == t->is_not) keep[i] = 0;
    }
    if (n > 0) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "%s: no cell has %s=%.200s", t->option, t->column, t->value);
}

ql_status cell_select(const char *option, const char *text, const ql_frame *cells, uint8_t *keep,
                      ql_err *err)
{
    term t = {.option = option};
    int64_t n = 0;
    memset(keep, 1, (size_t)cells->index.n);
    for (const char *at = text; at && *at;) {
        QL_TRY(next_term(&at, &t, err));
        QL_TRY(apply_term(&t, cells, keep, err));
    }
    for (int64_t i = 0; i < cells->index.n; i++) n += keep[i];
    if (n > 0) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "%s: no cell is left of '%.200s'", option, text);
}
