#include "query_cells.h"

#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"

#define S query_choice
/* clang-format off */
const ql_option ql_query_choice_rows[] = {
    {.name = "cells", QL_STRING_AT(S, cells), .unit = "NAME,NAME,...", .group = "Input",
     .help = "ask for these cells"},
    {.name = "cells-from", QL_STRING_AT(S, cells_from), .unit = "FILE", .group = "Input",
     .bits = QL_OPT_VOLATILE, .help = "ask for the cells named in FILE, one a line"},
    {.name = "where", QL_STRING_AT(S, where), .unit = "COLUMN=VALUE", .group = "Input",
     .help = "ask for the cells with this value in obs"},
    {.name = NULL},
};
/* clang-format on */
#undef S

enum { MOST_LINE = 4096 };

typedef struct {
    space_job *space;
    int64_t *point_of; /* [n_cells] position among the points, or -1 */
    ql_name_index *index;
    int64_t *chosen; /* [room] */
    int64_t n, room, n_without;
} choosing;

static ql_status take(choosing *c, int64_t cell)
{
    if (c->point_of[cell] < 0) {
        c->n_without++;
        return QL_OK;
    }
    if (c->n == c->room) {
        const int64_t room = c->room ? 2 * c->room : 64;
        int64_t *grown = ql_realloc(c->chosen, room, sizeof *grown);
        if (!grown) return ql_fail(&c->space->run->err, QL_EMEMORY, "no memory for the queries");
        c->chosen = grown;
        c->room = room;
    }
    c->chosen[c->n++] = c->point_of[cell];
    return QL_OK;
}

static ql_status take_name(choosing *c, const char *name, size_t len)
{
    ql_err *err = &c->space->run->err;
    char text[MOST_LINE];
    ql_str shown = {0};
    (void)snprintf(text, sizeof text, "%.*s", (int)(len < MOST_LINE ? len : MOST_LINE - 1), name);
    const int64_t cell = ql_name_index_find(c->index, text);
    if (cell >= 0) return take(c, cell);
    ql_str_escape(&shown, text, strlen(text));
    ql_fail(err, QL_EDATA, "%s: no cell is named '%s'", c->space->path, ql_str_text(&shown));
    ql_str_free(&shown);
    if (c->space->cells.n > 0)
        ql_hint(err, QL_EDATA, "the first one there is '%s'", ql_name(&c->space->cells, 0));
    return QL_EDATA;
}

static ql_status take_list(choosing *c, const char *list)
{
    for (const char *s = list;; s++) {
        const size_t n = strcspn(s, ",");
        if (n > 0) QL_TRY(take_name(c, s, n));
        s += n;
        if (!*s) return QL_OK;
    }
}

static ql_status take_file(choosing *c, const char *path)
{
    char line[MOST_LINE];
    ql_err *err = &c->space->run->err;
    ql_status st = QL_OK;
    FILE *f = fopen(path, "r");
    if (!f) return ql_fail(err, QL_ENOINPUT, "%s: cannot be opened", path);
    while (st == QL_OK && fgets(line, sizeof line, f)) {
        const size_t n = strcspn(line, "\r\n");
        if (n > 0) st = take_name(c, line, n);
    }
    if (st == QL_OK && ferror(f)) st = ql_fail(err, QL_ENOINPUT, "%s: cannot be read", path);
    (void)fclose(f);
    return st;
}

static ql_status fail_no_value(choosing *c, const char *column, const char *value,
                               const ql_labels *l)
{
    ql_str has = {0};
    for (int64_t k = 0; k < l->names.n && k < 12; k++) {
        ql_str_puts(&has, k ? ", " : "");
        ql_str_escape(&has, ql_name(&l->names, k), strlen(ql_name(&l->names, k)));
    }
    ql_fail(&c->space->run->err, QL_EDATA, "%s: /obs/%s: no cell has '%.100s' (there are: %s%s)",
            c->space->path, column, value, ql_str_text(&has), l->names.n > 12 ? ", ..." : "");
    ql_str_free(&has);
    return QL_EDATA;
}

static ql_status take_where(choosing *c, const char *where)
{
    char column[256];
    ql_labels l = {0};
    const char *equals = strchr(where, '=');
    if (!equals || equals == where || equals - where >= (int)sizeof column)
        return ql_fail(&c->space->run->err, QL_EUSAGE, "--where: '%s' is no COLUMN=VALUE", where);
    (void)snprintf(column, sizeof column, "%.*s", (int)(equals - where), where);
    QL_TRY(space_labels(c->space, column, &l));
    ql_status st = QL_OK;
    int32_t code = -1;
    for (int64_t k = 0; k < l.names.n; k++)
        if (strcmp(ql_name(&l.names, k), equals + 1) == 0) code = (int32_t)k;
    if (code < 0) st = fail_no_value(c, column, equals + 1, &l);
    for (int64_t i = 0; st == QL_OK && i < l.n; i++)
        if (l.code[i] == code) st = take(c, i);
    ql_labels_free(&l);
    return st;
}

bool query_choice_given(const query_choice *c)
{
    return c->cells || c->cells_from || c->where;
}

static ql_status choose(choosing *c, const query_choice *q, const ql_points *points)
{
    ql_err *err = &c->space->run->err;
    const int64_t n_cells = c->space->n_cells;
    QL_TRY(QL_NEW(c->point_of, n_cells, "the queries", err));
    for (int64_t i = 0; i < n_cells; i++) c->point_of[i] = -1;
    for (int64_t p = 0; p < points->n; p++) c->point_of[points->cell[p]] = p;
    QL_TRY(ql_name_index_new(&c->space->cells, &c->index, err));
    if (q->cells) QL_TRY(take_list(c, q->cells));
    if (q->cells_from) QL_TRY(take_file(c, q->cells_from));
    if (q->where) QL_TRY(take_where(c, q->where));
    for (int64_t i = 0; !query_choice_given(q) && i < points->n; i++)
        QL_TRY(take(c, points->cell[i]));
    if (c->n_without > 0)
        ql_log_warn(c->space->run->log, "%lld of the cells have no place in the space: left out",
                    (long long)c->n_without);
    if (c->n > 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "%s: no cell is left to ask about", c->space->path);
}

ql_status query_choose(space_job *j, const query_choice *q, const ql_points *points,
                       int64_t **chosen, int64_t *n)
{
    choosing c = {.space = j};
    ql_status st = choose(&c, q, points);
    ql_free(c.point_of);
    ql_name_index_free(c.index);
    if (st != QL_OK) {
        ql_free(c.chosen);
        return st;
    }
    *chosen = c.chosen;
    *n = c.n;
    return QL_OK;
}
