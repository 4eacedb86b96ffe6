#include "label_source.h"

#include <string.h>
#include <unistd.h>

#include "quell/alloc.h"
#include "quell/h5ad_part.h"
#include "quell/strbuf.h"
#include "quell/text_file.h"

static bool is_table(const char *path)
{
    static const char *const ends[] = {".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz"};
    const size_t n = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t m = strlen(ends[i]);
        if (n > m && strcmp(path + n - m, ends[i]) == 0) return true;
    }
    return false;
}

/* ---- tables ---- */

enum { MOST_FIELDS = 4096 };
#define MOST_BYTES (INT64_C(4) << 30)

typedef struct {
    const char *path;
    const char *column; /* NULL: the second */
    char *at, *end;     /* what has not been read yet of the text */
    int64_t number;     /* of the line */
    char separator;
    char *field[MOST_FIELDS];
    int n;
} table;

/* The field that begins at p, unquoted in place; returns what follows it, NULL at the end. */
static char *cut_field(char *p, char separator, char **field)
{
    char *to = p;
    bool quoted = *p == '"';
    *field = p;
    if (quoted) p++;
    for (; *p; p++) {
        if (quoted && *p == '"') {
            if (p[1] != '"') {
                quoted = false;
                continue;
            }
            p++;
        } else if (!quoted && separator && *p == separator) {
            *to = '\0';
            return p + 1;
        }
        *to++ = *p;
    }
    *to = '\0';
    return NULL;
}

/* The next line cut into fields; false at the end. */
static bool next_line(table *t)
{
    if (t->at >= t->end) return false;
    char *line = t->at, *stop = memchr(line, '\n', (size_t)(t->end - line));
    if (!stop) stop = t->end;
    t->at = stop + 1;
    *stop = '\0';
    if (stop > line && stop[-1] == '\r') stop[-1] = '\0';
    t->number++;
    /* a header of one field leaves that to the first row */
    if (!t->separator)
        t->separator = (char)(strchr(line, '\t') ? '\t' : strchr(line, ',') ? ',' : 0);
    t->n = 0;
    for (char *p = line; p && t->n < MOST_FIELDS;)
        p = cut_field(p, t->separator, &t->field[t->n++]);
    return true;
}

/* Where the column is among the fields of the header; -1: nowhere. */
static int find_column(const table *t)
{
    if (!t->column) return t->n == 1 ? 0 : 1;
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->field[i], t->column) == 0) return i;
    return -1;
}

/* R's write.table leaves the name of the first column out: rows then have a field more. */
static ql_status read_rows(table *t, ql_names *cells, ql_frame *frame, ql_err *err)
{
    ql_names texts = {0};
    ql_status st = QL_OK;
    if (!next_line(t)) return ql_fail(err, QL_EDATA, "%s: is empty", t->path);
    const int header = t->n;
    int at = find_column(t);
    if (at < 0) return ql_fail(err, QL_EDATA, "%s: has no column %s", t->path, t->column);
    bool first = true;
    while (next_line(t)) {
        if (t->n == 1 && !*t->field[0]) continue;
        if (first && t->n == header + 1) at += t->column ? 1 : header == 1;
        first = false;
        if (at >= t->n || at == 0)
            QL_GO(ql_fail(err, QL_EDATA, "%s: line %lld: %d fields, no label for the cell", t->path,
                          (long long)t->number, t->n));
        QL_GO(ql_names_add(cells, t->field[0], strlen(t->field[0]), err));
        const char *text = strcmp(t->field[at], "NA") == 0 ? "" : t->field[at];
        QL_GO(ql_names_add(&texts, text, strlen(text), err));
    }
    if (cells->n == 0) QL_GO(ql_fail(err, QL_EDATA, "%s: has no cells", t->path));
    QL_GO(ql_names_copy(cells, &frame->index, err));
    QL_GO(ql_frame_add(frame, "label", QL_COL_STRING, &texts, err));
out:
    ql_names_free(&texts);
    return st;
}

static ql_status read_table(const char *path, const char *column, ql_names *cells, ql_frame *frame,
                            ql_err *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8 */
    ql_str text = {0};
    table *t = NULL;
    ql_status st;
    QL_GO(ql_text_file_read(path, MOST_BYTES, &text, err));
    QL_GO(QL_NEW(t, 1, "a table", err));
    if (text.len == 0) QL_GO(ql_fail(err, QL_EDATA, "%s: is empty", path));
    *t = (table){.path = path, .column = column, .at = text.text, .end = text.text + text.len};
    if (text.len >= sizeof mark - 1 && memcmp(t->at, mark, sizeof mark - 1) == 0)
        t->at += sizeof mark - 1;
    QL_GO(read_rows(t, cells, frame, err));
out:
    ql_str_free(&text);
    ql_free(t);
    return st;
}

/* ---- h5ad ---- */

static ql_status read_h5ad(const char *path, const char *column, ql_names *cells, ql_frame *frame,
                           ql_err *err)
{
    ql_part *part;
    QL_TRY(ql_part_open(path, &part, err));
    ql_status st = ql_part_index(part, "obs", cells, err);
    if (st == QL_OK) st = ql_names_copy(cells, &frame->index, err);
    if (st == QL_OK) st = ql_part_column(part, "obs", column, frame, err);
    ql_part_close(part);
    return st;
}

/* ---- either ---- */

/* The word in two: a file and a column, either of which may be missing. */
static ql_status split(const char *word, const char *path_of_first, label_source *out,
                       const char **column, ql_err *err)
{
    const char *colon = strrchr(word, ':');
    *column = colon ? colon + 1 : NULL;
    QL_TRY(ql_text_copy(word, &out->name, err));
    if (!colon && path_of_first && access(word, F_OK) != 0) {
        *column = word;
        return ql_text_copy(path_of_first, &out->path, err);
    }
    QL_TRY(ql_text_copy(colon == word && path_of_first ? path_of_first : word, &out->path, err));
    if (colon && colon != word) out->path[colon - word] = '\0';
    if (!*out->path || (*column && !**column))
        return ql_fail(err, QL_EUSAGE, "'%s' does not name labels: FILE:COLUMN is wanted", word);
    if (!*column && !is_table(out->path)) {
        ql_fail(err, QL_EUSAGE, "'%s' does not say which column", word);
        return ql_hint(err, QL_EUSAGE, "as in %s:cell_type", word);
    }
    return QL_OK;
}

ql_status label_source_read(const char *word, const char *path_of_first, label_source *out,
                            ql_err *err)
{
    ql_frame frame = {0};
    const char *column;
    ql_status st;
    QL_GO(split(word, path_of_first, out, &column, err));
    if (is_table(out->path))
        QL_GO(read_table(out->path, column, &out->cells, &frame, err));
    else
        QL_GO(read_h5ad(out->path, column, &out->cells, &frame, err));
    st = ql_labels_of(&frame.columns[0], out->cells.n, &out->labels, err);
    if (st != QL_OK) ql_context(err, st, "%s", out->path);
out:
    ql_frame_free(&frame);
    return st;
}

void label_source_free(label_source *s)
{
    ql_free(s->name);
    ql_free(s->path);
    ql_names_free(&s->cells);
    ql_labels_free(&s->labels);
    *s = (label_source){0};
}

static ql_status check_unique(const label_source *b, const ql_name_index *index, ql_err *err)
{
    for (int64_t i = 0; i < b->cells.n; i++)
        if (ql_name_index_find(index, ql_name(&b->cells, i)) != i)
            return ql_fail(err, QL_EDATA,
                           "%s: cell '%s' is there twice: cells of two files are "
                           "matched by name",
                           b->path, ql_name(&b->cells, i));
    return QL_OK;
}

ql_status label_source_match(const label_source *a, const label_source *b, int64_t *place,
                             ql_err *err)
{
    ql_name_index *index;
    if (strcmp(a->path, b->path) == 0) {
        for (int64_t i = 0; i < a->cells.n; i++) place[i] = i;
        return QL_OK;
    }
    QL_TRY(ql_name_index_new(&b->cells, &index, err));
    ql_status st = check_unique(b, index, err);
    for (int64_t i = 0; st == QL_OK && i < a->cells.n; i++)
        place[i] = ql_name_index_find(index, ql_name(&a->cells, i));
    ql_name_index_free(index);
    return st;
}
