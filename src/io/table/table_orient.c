#include "table_orient.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "quell/strbuf.h"

bool ql_rows_are_cells(const ql_read_options *opt, const char *corner, const char **why)
{
    static const char *const cells[] = {"cell_index", "cell",         "cells",     "cell_id",
                                        "cellid",     "cell_ids",     "cell_name", "barcode",
                                        "barcodes",   "cell_barcode", NULL};
    static const char *const genes[] = {
        "gene",     "genes",   "geneid",   "gene_id",    "gene_name",     "gene_symbol", "symbol",
        "gene_ids", "feature", "features", "ensembl_id", "transcript_id", NULL};
    *why = "as asked for";
    if (opt->orient != QL_ORIENT_AUTO) return opt->orient == QL_ORIENT_CELLS_X_GENES;
    *why = "by the word in the corner";
    if (ql_is_word_of(corner, cells)) return true;
    if (ql_is_word_of(corner, genes)) return false;
    *why = "the default for tables";
    return false;
}

bool ql_looks_like_barcode(const char *name)
{
    enum { SHORTEST = 8 };
    for (const char *s = name; *s; s++) {
        size_t n = strspn(s, "ACGT");
        if (n >= SHORTEST) return true;
        if (n > 0) s += n - 1;
    }
    return false;
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* ENSG00000141510, ENSMUSG00000059552, with or without a version. */
static bool is_ensembl(const char *name)
{
    if (strncmp(name, "ENS", 3) != 0) return false;
    size_t letters = strspn(name + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return letters > 0 && strspn(name + 3 + letters, "0123456789") >= 6;
}

/* Genes that nearly every list of a mammal's genes has. */
bool ql_looks_like_gene(const char *name)
{
    static const char *const known[] = {"ACTB", "GAPDH", "B2M", "MALAT1", "TMSB4X", NULL};
    if (is_ensembl(name) || ql_is_word_of(name, known)) return true;
    if (strncasecmp(name, "MT-", 3) == 0) return true;
    return (strncasecmp(name, "RPL", 3) == 0 || strncasecmp(name, "RPS", 3) == 0) &&
           is_digit(name[3]);
}

/* A month whose name begins a family of genes: MARCH, SEPT, DEC (and OCT4, APR). */
static bool is_month(const char *s, size_t n)
{
    static const char *const months[] = {"Mar", "Sep", "Sept", "Dec", "Oct", "Apr", NULL};
    for (const char *const *m = months; *m; m++)
        if (strlen(*m) == n && strncasecmp(s, *m, n) == 0) return true;
    return false;
}

static bool is_day(const char *s, size_t n)
{
    return (n == 1 || n == 2) && strspn(s, "0123456789") >= n;
}

bool ql_looks_like_date(const char *name)
{
    const char *dash = strchr(name, '-');
    if (!dash) return false;
    size_t n = (size_t)(dash - name), rest = strlen(dash + 1);
    if (is_day(name, n) && is_month(dash + 1, rest)) return true;
    if (is_month(name, n) && is_day(dash + 1, rest)) return true;
    return n == 4 && strspn(name, "0123456789") == 4 && rest == 5 && is_day(dash + 1, 2) &&
           dash[3] == '-' && is_day(dash + 4, 2);
}

/* How many of the names look so, and the first of them. */
typedef struct {
    int64_t n, of;
    const char *first;
} tally;

static tally count(const ql_names *names, bool (*looks)(const char *))
{
    tally t = {0, names->n, ""};
    for (int64_t i = 0; i < names->n; i++) {
        if (!looks(ql_name(names, i))) continue;
        if (t.n++ == 0) t.first = ql_name(names, i);
    }
    return t;
}

static void warn(ql_notes *notes, bool rows_are_cells, const char *side, const char *what,
                 const char *example)
{
    ql_str text = {0};
    ql_str_escape(&text, example, strlen(example));
    ql_note_add(notes, QL_NOTE_WARNING,
                "the rows were taken as %s, but the names of the %s look like %s (\"%s\"): is it "
                "--orient %s?",
                rows_are_cells ? "cells" : "genes", side, what, ql_str_text(&text),
                rows_are_cells ? "genes-x-cells" : "cells-x-genes");
    ql_str_free(&text);
}

void ql_warn_orient(const ql_read_options *opt, bool rows_are_cells, const ql_names *rows,
                    const ql_names *columns, ql_notes *notes)
{
    const ql_names *genes = rows_are_cells ? columns : rows;
    const ql_names *cells = rows_are_cells ? rows : columns;
    if (opt->orient != QL_ORIENT_AUTO) return;
    tally barcodes = count(genes, ql_looks_like_barcode);
    tally symbols = count(cells, ql_looks_like_gene);
    tally good = count(genes, ql_looks_like_gene);
    if (barcodes.n * 2 > barcodes.of)
        warn(notes, rows_are_cells, rows_are_cells ? "columns" : "rows", "cell barcodes",
             barcodes.first);
    else if (symbols.n > good.n && (symbols.n >= 3 || symbols.n * 2 > symbols.of))
        warn(notes, rows_are_cells, rows_are_cells ? "rows" : "columns", "genes", symbols.first);
}

void ql_warn_dates(const ql_names *genes, ql_notes *notes)
{
    tally dates = count(genes, ql_looks_like_date);
    if (dates.n == 0) return;
    ql_note_add(notes, QL_NOTE_WARNING,
                "names of genes that are dates: %" PRId64
                " (\"%s\"): a spreadsheet has changed them "
                "(MARCH1, SEPT1)",
                dates.n, dates.first);
}
