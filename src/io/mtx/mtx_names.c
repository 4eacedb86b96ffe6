/* Names that fit a matrix: which files, which way round, and numbers where there are none. */
#include <inttypes.h>

#include "mtx_folder.h"
#include "quell/strbuf.h"

/* More numbered names than this are no cells: a header may announce anything. */
enum { MAX_NUMBERED = 50000000 };

void ql_mtx_named_free(ql_mtx_named *named)
{
    ql_name_lines_free(&named->genes);
    ql_name_lines_free(&named->cells);
}

/* The files that may name one side. */
typedef struct {
    ql_name_lines lines[QL_MAX_COMPANIONS];
    int n;
} name_lists;

static ql_status read_list(const char *path, name_lists *lists, ql_err *err)
{
    ql_status st = ql_name_lines_read(path, &lists->lines[lists->n++], err);
    return st == QL_OK ? st : ql_context(err, st, "%s", path);
}

/* The file the user names, or else those beside the matrix. */
static ql_status read_lists(const char *named, const ql_path *files, int n, name_lists *lists,
                            ql_err *err)
{
    if (named) return read_list(named, lists, err);
    for (int i = 0; i < n; i++) QL_TRY(read_list(files[i].path, lists, err));
    return QL_OK;
}

static void free_lists(name_lists *lists)
{
    for (int i = 0; i < lists->n; i++) ql_name_lines_free(&lists->lines[i]);
}

/* --- which way round --- */

/* The list with n names; without any list, whatever n is there is fits: -1. None fits: -2. */
static int fitting(const name_lists *lists, int64_t n)
{
    for (int i = 0; i < lists->n; i++)
        if (lists->lines[i].field[0].n == n) return i;
    return lists->n == 0 ? -1 : -2;
}

static void take_list(name_lists *lists, int i, ql_name_lines *out)
{
    if (i < 0) return;
    *out = lists->lines[i];
    lists->lines[i] = (ql_name_lines){0};
}

typedef struct {
    name_lists genes, cells;
    ql_orient first, second; /* ways round, in order of trial; AUTO: none */
} search;

static bool fits(const search *s, const ql_mtx_header *h, ql_orient way, const int64_t extra[2],
                 int list[2])
{
    bool across = way == QL_ORIENT_GENES_X_CELLS;
    if (way == QL_ORIENT_AUTO) return false;
    list[0] = fitting(&s->genes, (across ? h->n_rows : h->n_cols) + extra[0]);
    list[1] = fitting(&s->cells, (across ? h->n_cols : h->n_rows) + extra[1]);
    return list[0] > -2 && list[1] > -2;
}

/* Take the files that fit the sizes; extra: lines too many allowed for. */
static bool take_fit(search *s, const int64_t extra[2], ql_mtx_named *named, bool *either)
{
    int list[2], other[2];
    bool first = fits(s, &named->header, s->first, extra, list);
    bool second = fits(s, &named->header, s->second, extra, first ? other : list);
    if (!first && !second) return false;
    *either = first && second;
    named->cells_are_columns = (first ? s->first : s->second) == QL_ORIENT_GENES_X_CELLS;
    take_list(&s->genes, list[0], &named->genes);
    take_list(&s->cells, list[1], &named->cells);
    return true;
}

/* What the user says, else the maker's custom first; genes x cells where there is none. */
static void order_ways(search *s, const ql_mtx_maker *maker, ql_orient asked)
{
    s->first = asked != QL_ORIENT_AUTO           ? asked
               : maker->orient != QL_ORIENT_AUTO ? maker->orient
                                                 : QL_ORIENT_GENES_X_CELLS;
    s->second = asked != QL_ORIENT_AUTO               ? QL_ORIENT_AUTO
                : s->first == QL_ORIENT_GENES_X_CELLS ? QL_ORIENT_CELLS_X_GENES
                                                      : QL_ORIENT_GENES_X_CELLS;
}

static void note_either(const ql_mtx_folder *f, const ql_mtx_named *named, bool any_names,
                        ql_notes *notes)
{
    const char *way = named->cells_are_columns ? "genes x cells" : "cells x genes";
    bool custom = f->maker->orient != QL_ORIENT_AUTO;
    ql_note_add(notes, custom ? QL_NOTE_INFO : QL_NOTE_WARNING, "%s, so it is taken as %s%s%s",
                any_names ? "the numbers of names fit both ways round"
                          : "no names say which way round the matrix is",
                way, custom ? ", as written by " : " (--orient says otherwise)",
                custom ? f->maker->tool : "");
}

/* --- header lines, numbers, prefixes --- */

static ql_status drop_header(ql_name_lines *lines, int64_t extra, const char *what, ql_notes *notes,
                             ql_err *err)
{
    bool dropped = false;
    if (extra == 0 || lines->field[0].n == 0) return QL_OK;
    QL_TRY(ql_name_lines_drop_header(lines, &dropped, err));
    if (!dropped)
        return ql_fail(err, QL_EDATA, "the file of %s has one line more than the matrix", what);
    ql_note_add(notes, QL_NOTE_INFO, "the file of %s begins with a header line: skipped", what);
    return QL_OK;
}

static ql_status number_names(ql_name_lines *lines, int64_t n, const char *what, const char *option,
                              ql_notes *notes, ql_err *err)
{
    if (n > MAX_NUMBERED) {
        ql_fail(err, QL_EDATA, "announces %" PRId64 " %ss, and there are no names of them", n,
                what);
        return ql_hint(err, QL_EDATA, "--%s names them", option);
    }
    QL_TRY(ql_names_number(what, n, &lines->field[0], err));
    lines->n_fields = 1;
    ql_note_add(notes, QL_NOTE_WARNING,
                "no file names the %ss: they are numbered, %s_1 to %s_%" PRId64
                " (--%s gives names)",
                what, what, what, n, option);
    return QL_OK;
}

static ql_status number_missing(search *s, ql_mtx_named *named, ql_notes *notes, ql_err *err)
{
    const ql_mtx_header *h = &named->header;
    bool across = named->cells_are_columns;
    named->unnamed_genes = s->genes.n == 0;
    named->unnamed_cells = s->cells.n == 0;
    if (named->unnamed_genes)
        QL_TRY(number_names(&named->genes, across ? h->n_rows : h->n_cols, "gene", "genes-file",
                            notes, err));
    if (named->unnamed_cells)
        QL_TRY(number_names(&named->cells, across ? h->n_cols : h->n_rows, "cell", "barcodes-file",
                            notes, err));
    return QL_OK;
}

/* Line by line: the i-th line of path as field `field` of lines. */
static ql_status add_field(const char *path, ql_name_lines *lines, int field, ql_notes *notes,
                           ql_err *err)
{
    ql_name_lines more = {.n_fields = 0};
    ql_status st = ql_name_lines_read(path, &more, err);
    if (st != QL_OK) {
        ql_context(err, st, "%s", path);
    } else if (more.field[0].n != lines->field[0].n) {
        ql_note_add(notes, QL_NOTE_WARNING,
                    "%s: has %" PRId64 " lines for %" PRId64 " genes: left out", path,
                    more.field[0].n, lines->field[0].n);
    } else {
        ql_names_free(&lines->field[field]);
        lines->field[field] = more.field[0];
        more.field[0] = (ql_names){0};
        if (lines->n_fields <= field) lines->n_fields = field + 1;
    }
    ql_name_lines_free(&more);
    return st;
}

static ql_status join_names(const ql_names *prefix, ql_names *names, ql_err *err)
{
    ql_names joined = {0};
    ql_str text = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; st == QL_OK && i < names->n; i++) {
        ql_str_clear(&text);
        ql_str_puts(&text, ql_name(prefix, i));
        ql_str_puts(&text, ql_name(names, i));
        st = ql_names_add(&joined, ql_str_text(&text), text.len, err);
    }
    ql_str_free(&text);
    ql_names_free(st == QL_OK ? names : &joined);
    if (st == QL_OK) *names = joined;
    return st;
}

/* kb writes the sample's part of a barcode to a file of its own. */
static ql_status add_prefix(const char *path, ql_names *cells, ql_notes *notes, ql_err *err)
{
    ql_name_lines prefix = {.n_fields = 0};
    ql_status st = ql_name_lines_read(path, &prefix, err);
    if (st != QL_OK) {
        ql_context(err, st, "%s", path);
    } else if (prefix.field[0].n == cells->n) {
        st = join_names(&prefix.field[0], cells, err);
        ql_note_add(notes, QL_NOTE_INFO, "names of cells begin with those in %s", path);
    } else {
        ql_note_add(notes, QL_NOTE_WARNING,
                    "%s: has %" PRId64 " lines for %" PRId64 " cells: left out", path,
                    prefix.field[0].n, cells->n);
    }
    ql_name_lines_free(&prefix);
    return st;
}

static ql_status add_details(const ql_mtx_folder *f, const ql_read_options *opt,
                             ql_mtx_named *named, ql_notes *notes, ql_err *err)
{
    if (f->gene_names.path[0] && !opt->genes_file)
        QL_TRY(add_field(f->gene_names.path, &named->genes, 1, notes, err));
    if (f->cell_prefix.path[0] && !opt->barcodes_file)
        QL_TRY(add_prefix(f->cell_prefix.path, &named->cells.field[0], notes, err));
    return QL_OK;
}

/* --- what can be wrong --- */

/* One side named and the other not is an accident, unless the user named that one. */
static ql_status need_companions(const ql_mtx_folder *f, const ql_read_options *opt, ql_err *err)
{
    if (opt->genes_file || opt->barcodes_file || (f->n_genes > 0) == (f->n_cells > 0)) return QL_OK;
    bool genes = f->n_genes == 0;
    const char *const *file = genes ? f->maker->genes : f->maker->cells;
    ql_fail(err, QL_EDATA,
            "%s: there is no file beside it that names the %s (%s%s%s, plain or .gz)",
            f->matrix.path, genes ? "genes" : "cells", file[0], file[1] ? " or " : "",
            file[1] ? file[1] : "");
    return ql_hint(err, QL_EDATA, "--%s names it", genes ? "genes-file" : "barcodes-file");
}

static ql_status fail_sizes(const ql_mtx_folder *f, const search *s, const ql_mtx_header *h,
                            ql_err *err)
{
    ql_str text = {0};
    const char *way = s->second != QL_ORIENT_AUTO           ? ""
                      : s->first == QL_ORIENT_GENES_X_CELLS ? " genes x cells"
                                                            : " cells x genes";
    if (s->genes.n) ql_str_printf(&text, "%" PRId64 " genes", s->genes.lines[0].field[0].n);
    if (s->genes.n && s->cells.n) ql_str_puts(&text, " and ");
    if (s->cells.n) ql_str_printf(&text, "%" PRId64 " cells", s->cells.lines[0].field[0].n);
    ql_fail(err, QL_EDATA, "%s: is %" PRId64 " x %" PRId64 "%s, but the files beside it name %s",
            f->matrix.path, h->n_rows, h->n_cols, way, ql_str_text(&text));
    ql_str_free(&text);
    return QL_EDATA;
}

static ql_status fit(const ql_mtx_folder *f, search *s, ql_mtx_named *named, ql_notes *notes,
                     ql_err *err)
{
    static const int64_t extras[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
    for (int i = 0; i < 4; i++) {
        bool either = false;
        if (!take_fit(s, extras[i], named, &either)) continue;
        if (either) note_either(f, named, s->genes.n + s->cells.n > 0, notes);
        QL_TRY(drop_header(&named->genes, extras[i][0], "genes", notes, err));
        return drop_header(&named->cells, extras[i][1], "cells", notes, err);
    }
    return fail_sizes(f, s, &named->header, err);
}

ql_status ql_mtx_folder_names(const ql_mtx_folder *f, const ql_read_options *opt,
                              ql_mtx_named *named, ql_notes *notes, ql_err *err)
{
    search s = {.first = QL_ORIENT_AUTO};
    ql_status st;
    st = ql_mtx_read_header(f->matrix.path, &named->header, err);
    if (st != QL_OK) return ql_context(err, st, "%s", f->matrix.path);
    QL_TRY(need_companions(f, opt, err));
    order_ways(&s, f->maker, opt->orient);
    QL_GO(read_lists(opt->genes_file, f->genes, f->n_genes, &s.genes, err));
    QL_GO(read_lists(opt->barcodes_file, f->cells, f->n_cells, &s.cells, err));
    QL_GO(fit(f, &s, named, notes, err));
    QL_GO(number_missing(&s, named, notes, err));
    QL_GO(add_details(f, opt, named, notes, err));
out:
    free_lists(&s.genes);
    free_lists(&s.cells);
    return st;
}
