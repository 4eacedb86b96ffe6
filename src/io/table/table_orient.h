/* Which side of a table is the cells'. Private to src/io. */
#ifndef QUELL_IO_TABLE_ORIENT_H
#define QUELL_IO_TABLE_ORIENT_H

#include "quell/frame.h"
#include "quell/notes.h"
#include "quell/reader.h"

/* True when the rows are cells: asked for, or said by the word in the corner, or not (genes x cells
 * is what tables are by default). *why says which, for a note. */
bool ql_rows_are_cells(const ql_read_options *opt, const char *corner, const char **why);

/* Warn when the names look as if it were the other way round; nothing when the user decided. */
void ql_warn_orient(const ql_read_options *opt, bool rows_are_cells, const ql_names *rows,
                    const ql_names *columns, ql_notes *notes);

/* Warn when gene names were turned into dates, as spreadsheets do ("1-Mar" for MARCH1). */
void ql_warn_dates(const ql_names *genes, ql_notes *notes);

/* --- for tests --- */

bool ql_looks_like_barcode(const char *name); /* ACGT... of 8 letters and more in it */
bool ql_looks_like_gene(const char *name);    /* Ensembl ids, ribosomal and mitochondrial genes */
bool ql_looks_like_date(const char *name);    /* 1-Mar, Sep-02, 2021-03-01 */

#endif
