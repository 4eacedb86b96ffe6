#include "merge_parts.h"

#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/strbuf.h"

void merge_parts_free(merge_parts *p)
{
    ql_part_close(p->first);
    ql_part_close(p->open);
    ql_names_free(&p->journal);
    ql_free(p->options);
    ql_free(p->at);
    *p = (merge_parts){0};
}

/* ---- do they belong together? ---- */

/* What the parts of a run share, beside the results of the run itself. */
static const struct {
    const char *key, *what;
} shared[] = {{SHARD_KEY "/version", "made by another version of quell"},
              {SHARD_KEY "/of", "one of another number of parts"},
              {SHARD_KEY "/input_cells", "of an input of other cells"},
              {SHARD_KEY "/input_names_fnv1a", "of an input of other cells or genes"},
              {SHARD_KEY "/input_counts_fnv1a", "of an input of other counts"},
              {SHARD_KEY "/model_fnv1a", "of another model"},
              {SHARD_KEY "/options", "made with other options"},
              {SHARD_KEY "/compression_level", "made with other options"},
              {SHARD_KEY "/journal", "of other contents"}};
enum { N_SHARED = sizeof shared / sizeof *shared };

static ql_status compare(const merge_parts *p, const ql_part *part, const char *path,
                         const char *key, const char *what, ql_err *err)
{
    ql_part_value a = {0}, b = {0};
    ql_status st;
    QL_GO(ql_part_get(p->first, key, &a, err));
    QL_GO(ql_part_get(part, key, &b, err));
    if (!ql_part_equal(&a, &b))
        st = ql_fail(err, QL_EDATA, "%s: is no part of the same run as %s: it is %s", path,
                     p->path[0], what);
out:
    ql_part_value_free(&a);
    ql_part_value_free(&b);
    return st;
}

/* The word of a line of the journal, and its key; NULL: it is no such line. */
static const char *line_key(const char *line, const char *word)
{
    const size_t n = strlen(word);
    return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static ql_status compare_all(const merge_parts *p, const ql_part *part, const char *path,
                             ql_err *err)
{
    char what[300];
    for (int i = 0; i < N_SHARED; i++)
        QL_TRY(compare(p, part, path, shared[i].key, shared[i].what, err));
    for (int64_t i = 0; i < p->journal.n; i++) {
        const char *key = line_key(ql_name(&p->journal, i), "value");
        if (!key) continue;
        (void)snprintf(what, sizeof what, "different in %.200s", key);
        QL_TRY(compare(p, part, path, key, what, err));
    }
    return QL_OK;
}

static ql_status check_is_part(const ql_part *part, const char *path, ql_err *err)
{
    int64_t version;
    if (!ql_part_has(part, SHARD_KEY)) {
        ql_fail(err, QL_EDATA, "%s: is no part: it has no " SHARD_KEY, path);
        return ql_hint(err, QL_EDATA, "quell apply --shard I/N makes parts");
    }
    QL_TRY(ql_part_int(part, SHARD_KEY "/version", &version, err));
    if (version == SHARD_VERSION) return QL_OK;
    return ql_fail(err, QL_EDATA, "%s: is a part of version %lld; this quell merges version %d",
                   path, (long long)version, SHARD_VERSION);
}

static ql_status get_text(const ql_part *part, const char *key, char **out, ql_err *err)
{
    ql_names text = {0};
    QL_TRY(ql_part_names(part, key, &text, err));
    ql_status st = ql_text_copy(text.n > 0 ? ql_name(&text, 0) : NULL, out, err);
    ql_names_free(&text);
    return st;
}

static ql_status get_mark(const ql_part *part, const char *key, char out[SHARD_HASH], ql_err *err)
{
    char *text = NULL;
    QL_TRY(get_text(part, key, &text, err));
    (void)snprintf(out, SHARD_HASH, "%s", text);
    ql_free(text);
    return QL_OK;
}

static ql_status take_first(merge_parts *p, ql_err *err)
{
    QL_TRY(ql_part_open(p->path[0], &p->first, err));
    QL_TRY(check_is_part(p->first, p->path[0], err));
    QL_TRY(ql_part_int(p->first, SHARD_KEY "/of", &p->n, err));
    QL_TRY(ql_part_int(p->first, SHARD_KEY "/input_cells", &p->n_cells, err));
    QL_TRY(ql_part_int(p->first, SHARD_KEY "/compression_level", &p->deflate, err));
    QL_TRY(get_text(p->first, SHARD_KEY "/options", &p->options, err));
    QL_TRY(get_mark(p->first, SHARD_KEY "/input_names_fnv1a", p->marks.names, err));
    QL_TRY(get_mark(p->first, SHARD_KEY "/input_counts_fnv1a", p->marks.counts, err));
    QL_TRY(ql_part_names(p->first, SHARD_KEY "/journal", &p->journal, err));
    if (p->n < 1 || p->n > SHARD_MOST || p->n_cells < 0 || p->n_cells > INT64_MAX / 2)
        return ql_fail(err, QL_EDATA, "%s: /" SHARD_KEY ": part of %lld, of %lld cells", p->path[0],
                       (long long)p->n, (long long)p->n_cells);
    return QL_OK;
}

static ql_status place(merge_parts *p, const ql_part *part, int64_t i, ql_err *err)
{
    int64_t number, first, cells;
    QL_TRY(ql_part_int(part, SHARD_KEY "/number", &number, err));
    QL_TRY(ql_part_int(part, SHARD_KEY "/first_cell", &first, err));
    QL_TRY(ql_part_int(part, SHARD_KEY "/cells", &cells, err));
    if (number < 1 || number > p->n)
        return ql_fail(err, QL_EDATA, "%s: is part %lld of %lld", p->path[i], (long long)number,
                       (long long)p->n);
    const cell_range r = merge_parts_range(p, number - 1);
    if (first != r.first || cells != r.n)
        return ql_fail(
            err, QL_EDATA,
            "%s: part %lld of %lld is cells %lld to %lld, but it has %lld from cell %lld",
            p->path[i], (long long)number, (long long)p->n, (long long)r.first,
            (long long)(r.first + r.n - 1), (long long)cells, (long long)first);
    if (p->at[number - 1] >= 0)
        return ql_fail(err, QL_EDATA, "%s: is part %lld, as %s is", p->path[i], (long long)number,
                       p->path[p->at[number - 1]]);
    p->at[number - 1] = i;
    return QL_OK;
}

static ql_status check_one(merge_parts *p, int64_t i, ql_err *err)
{
    ql_part *part = NULL;
    QL_TRY(ql_part_open(p->path[i], &part, err));
    ql_status st = check_is_part(part, p->path[i], err);
    if (st == QL_OK) st = compare_all(p, part, p->path[i], err);
    if (st == QL_OK) st = place(p, part, i, err);
    ql_part_close(part);
    return st;
}

static ql_status check_missing(const merge_parts *p, ql_err *err)
{
    enum { NAMED = 8 };
    ql_str list = {0};
    int64_t missing = 0;
    for (int64_t i = 0; i < p->n; i++) {
        if (p->at[i] >= 0) continue;
        if (missing++ < NAMED)
            ql_str_printf(&list, "%s%lld", list.len ? ", " : "", (long long)i + 1);
    }
    ql_status st = QL_OK;
    if (missing > 0)
        st = ql_fail(err, QL_EDATA, "of %lld parts %lld %s missing: %s%s", (long long)p->n,
                     (long long)missing, missing == 1 ? "is" : "are", ql_str_text(&list),
                     missing > NAMED ? ", ..." : "");
    ql_str_free(&list);
    return st;
}

ql_status merge_parts_open(merge_parts *p, const char *const *paths, int64_t n, ql_err *err)
{
    ql_status st;
    p->path = paths;
    QL_GO(take_first(p, err));
    QL_GO(QL_NEW(p->at, p->n, "parts", err));
    for (int64_t i = 0; i < p->n; i++) p->at[i] = -1;
    for (int64_t i = 0; i < n; i++) QL_GO(check_one(p, i, err));
    QL_GO(check_missing(p, err));
out:
    if (st != QL_OK) merge_parts_free(p);
    return st;
}

/* ---- what they hold ---- */

/* Part number i from 0; open until another is asked for. */
static ql_status part_at(merge_parts *p, int64_t i, const ql_part **out, ql_err *err)
{
    if (!p->open || p->open_number != i) {
        ql_part_close(p->open);
        p->open = NULL;
        QL_TRY(ql_part_open(p->path[p->at[i]], &p->open, err));
        p->open_number = i;
    }
    *out = p->open;
    return QL_OK;
}

/* The part that a cell is in. */
static int64_t part_of(const merge_parts *p, int64_t cell)
{
    int64_t lo = 0, hi = p->n - 1;
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        const cell_range r = merge_parts_range(p, mid);
        if (cell >= r.first + r.n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

ql_status merge_parts_rows(merge_parts *p, const char *key, int64_t n_cols, int64_t first,
                           int64_t n, float *out, ql_err *err)
{
    while (n > 0) {
        const ql_part *part;
        const int64_t i = part_of(p, first);
        const cell_range r = merge_parts_range(p, i);
        const int64_t shape[2] = {r.n, n_cols}, from = first - r.first;
        const int64_t some = r.n - from < n ? r.n - from : n;
        QL_TRY(part_at(p, i, &part, err));
        QL_TRY(ql_part_rows(part, key, shape, from, some, out, err));
        out += some * n_cols;
        first += some;
        n -= some;
    }
    return QL_OK;
}

static ql_status append_column(const ql_column *from, int64_t first, int64_t n, ql_column *to,
                               ql_err *err)
{
    for (int64_t i = 0; i < n && from->type == QL_COL_STRING; i++)
        QL_TRY(ql_names_add(&to->strings, ql_name(&from->strings, i),
                            strlen(ql_name(&from->strings, i)), err));
    const size_t size = ql_col_size(from->type);
    if (size > 0 && n > 0)
        memcpy((char *)to->values + (size_t)first * size, from->values, (size_t)n * size);
    return QL_OK;
}

static ql_status check_names(const merge_parts *p, int64_t number, const ql_names *cells,
                             const ql_names *part, ql_err *err)
{
    const cell_range r = merge_parts_range(p, number);
    const char *path = p->path[p->at[number]];
    if (part->n != r.n)
        return ql_fail(err, QL_EDATA, "%s: /obs: has %lld cells, %lld expected", path,
                       (long long)part->n, (long long)r.n);
    for (int64_t i = 0; i < r.n; i++)
        if (strcmp(ql_name(part, i), ql_name(cells, r.first + i)) != 0)
            return ql_fail(err, QL_EDATA, "%s: /obs: cell %lld has another name than in the input",
                           path, (long long)i);
    return QL_OK;
}

/* Room for all cells in a column like this one. */
static ql_status new_column(const ql_column *like, int64_t n, ql_column *out, ql_err *err)
{
    *out = (ql_column){.type = like->type};
    if (like->type == QL_COL_STRING) return QL_OK;
    return ql_new_(&out->values, n, ql_col_size(like->type), "a column", err);
}

static ql_status other_columns(const merge_parts *p, int64_t number, ql_err *err)
{
    return ql_fail(err, QL_EDATA, "%s: /obs: has other columns than %s", p->path[p->at[number]],
                   p->path[p->at[0]]);
}

static ql_status append_part(merge_parts *p, int64_t number, const ql_names *cells,
                             const ql_frame *like, ql_column *columns, ql_err *err)
{
    ql_frame frame = {0};
    const ql_part *part;
    ql_status st;
    QL_GO(part_at(p, number, &part, err));
    QL_GO(ql_part_frame(part, "obs", &frame, err));
    QL_GO(check_names(p, number, cells, &frame.index, err));
    if (frame.n_columns != like->n_columns) QL_GO(other_columns(p, number, err));
    for (int c = 0; c < like->n_columns; c++) {
        const ql_column *from = &frame.columns[c];
        if (strcmp(from->name, like->columns[c].name) != 0 || from->type != columns[c].type)
            QL_GO(other_columns(p, number, err));
        QL_GO(append_column(from, merge_parts_range(p, number).first, frame.index.n, &columns[c],
                            err));
    }
out:
    ql_frame_free(&frame);
    return st;
}

ql_status merge_parts_cells(merge_parts *p, const ql_names *cells, ql_frame *out, ql_err *err)
{
    ql_frame like = {0};
    ql_column *columns = NULL;
    ql_status st;
    QL_GO(ql_part_frame(p->first, "obs", &like, err));
    QL_GO(QL_NEW(columns, like.n_columns, "columns", err));
    for (int c = 0; c < like.n_columns; c++)
        QL_GO(new_column(&like.columns[c], p->n_cells, &columns[c], err));
    for (int64_t i = 0; i < p->n; i++) QL_GO(append_part(p, i, cells, &like, columns, err));
    QL_GO(ql_names_copy(cells, &out->index, err));
    for (int c = 0; c < like.n_columns; c++) {
        const bool text = columns[c].type == QL_COL_STRING;
        QL_GO(ql_frame_add(out, like.columns[c].name, columns[c].type,
                           text ? (const void *)&columns[c].strings : columns[c].values, err));
    }
out:
    for (int c = 0; columns && c < like.n_columns; c++) {
        ql_names_free(&columns[c].strings);
        ql_free(columns[c].values);
    }
    ql_free(columns);
    ql_frame_free(&like);
    return st;
}
