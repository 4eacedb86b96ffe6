#include "join_names.h"

#include <inttypes.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/strbuf.h"

/* --- cells --- */

/* repeats[i]: another cell has the name of cell i. Returns how many. */
static int64_t find_repeats(const ql_names *names, const ql_name_index *index, uint8_t *repeats)
{
    int64_t n = 0;
    for (int64_t i = 0; i < names->n; i++) {
        int64_t first = ql_name_index_find(index, ql_name(names, i));
        if (first != i) repeats[first] = repeats[i] = 1;
    }
    for (int64_t i = 0; i < names->n; i++) n += repeats[i];
    return n;
}

static ql_status rename_cells(const ql_names *names, const ql_names *samples,
                              const uint8_t *repeats, ql_names *out, ql_err *err)
{
    ql_str text = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; st == QL_OK && i < names->n; i++) {
        ql_str_clear(&text);
        ql_str_puts(&text, ql_name(names, i));
        if (repeats[i]) ql_str_printf(&text, "-%s", ql_name(samples, i));
        st = text.failed ? ql_fail(err, QL_EMEMORY, "no memory for a name")
                         : ql_names_add(out, ql_str_text(&text), text.len, err);
    }
    ql_str_free(&text);
    return st;
}

static void note_renamed(const ql_names *names, const uint8_t *repeats, int64_t n, ql_notes *notes)
{
    int64_t first = 0;
    ql_str text = {0};
    while (!repeats[first]) first++;
    ql_str_escape(&text, ql_name(names, first), strlen(ql_name(names, first)));
    ql_note_add(notes, QL_NOTE_INFO,
                "%" PRId64 " cells with a name that another input has too: their sample stands "
                "behind it now, e.g. \"%s\"",
                n, ql_str_text(&text));
    ql_str_free(&text);
}

ql_status ql_join_cell_names(ql_frame *cells, ql_notes *notes, ql_err *err)
{
    const ql_names *samples = &ql_frame_column(cells, QL_SAMPLE_COLUMN)->strings;
    ql_names renamed = {0};
    ql_name_index *index = NULL;
    uint8_t *repeats = NULL;
    int64_t n;
    ql_status st;
    QL_GO(QL_NEW(repeats, cells->index.n, "the names of the cells", err));
    QL_GO(ql_name_index_new(&cells->index, &index, err));
    n = find_repeats(&cells->index, index, repeats);
    if (n == 0) goto out;
    QL_GO(rename_cells(&cells->index, samples, repeats, &renamed, err));
    ql_names_free(&cells->index);
    cells->index = renamed;
    renamed = (ql_names){0};
    QL_GO(ql_names_make_unique(&cells->index, NULL, NULL, err));
    note_renamed(&cells->index, repeats, n, notes);
out:
    ql_names_free(&renamed);
    ql_name_index_free(index);
    ql_free(repeats);
    return st;
}

/* --- genes --- */

/* The text column of a frame where at least half of the values are names in the list; NULL: none.
 */
static const char *column_with(const ql_frame *frame, const ql_names *names)
{
    const char *found = NULL;
    ql_name_index *index = NULL;
    if (ql_name_index_new(names, &index, NULL) != QL_OK) return NULL;
    for (int c = 0; !found && c < frame->n_columns; c++) {
        const ql_column *column = &frame->columns[c];
        int64_t n = 0;
        if (column->type != QL_COL_STRING) continue;
        for (int64_t i = 0; i < column->strings.n; i++)
            n += ql_name_index_find(index, ql_name(&column->strings, i)) >= 0;
        if (2 * n > column->strings.n) found = column->name;
    }
    ql_name_index_free(index);
    return found;
}

ql_status ql_join_fail_strangers(const char *path, const ql_frame *genes, const char *other_path,
                                 const ql_frame *other, ql_err *err)
{
    ql_str here = {0}, there = {0};
    const char *column = column_with(genes, &other->index);
    const char *owner = path;
    ql_str_escape(&here, ql_name(&genes->index, 0), strlen(ql_name(&genes->index, 0)));
    ql_str_escape(&there, ql_name(&other->index, 0), strlen(ql_name(&other->index, 0)));
    (void)ql_fail(err, QL_EDATA,
                  "%s: shares no gene with %s (\"%s\" and the like here, \"%s\" there)", path,
                  other_path, ql_str_text(&here), ql_str_text(&there));
    ql_str_free(&here);
    ql_str_free(&there);
    if (!column) {
        column = column_with(other, &genes->index);
        owner = other_path;
    }
    if (!column)
        return ql_hint(err, QL_EDATA,
                       "are both of one species, and named alike (symbols, or ids)?");
    return ql_hint(err, QL_EDATA,
                   "%s has such names in var['%s']: in scanpy, a.var_names = a.var['%s']", owner,
                   column, column);
}

void ql_join_note_list(const ql_names *names, const char *what, ql_notes *notes)
{
    enum { NAMED = 12 };
    ql_str text = {0};
    ql_name_index *index = NULL;
    int64_t n = 0;
    if (names->n == 0 || ql_name_index_new(names, &index, NULL) != QL_OK) return;
    for (int64_t i = 0; i < names->n; i++) {
        const char *name = ql_name(names, i);
        if (ql_name_index_find(index, name) != i || n++ >= NAMED) continue;
        ql_str_printf(&text, "%s", n > 1 ? ", " : "");
        ql_str_bytes(&text, name, strlen(name));
    }
    if (n > NAMED) ql_str_printf(&text, " and %" PRId64 " more", n - NAMED);
    ql_note_add(notes, QL_NOTE_WARNING, "%s: %s", what, ql_str_text(&text));
    ql_str_free(&text);
    ql_name_index_free(index);
}
