/* Which files of a folder are the matrix, the genes and the cells. Private to src/io. */
#ifndef QUELL_IO_MTX_FOLDER_H
#define QUELL_IO_MTX_FOLDER_H

#include <limits.h>
#include <stdbool.h>

#include "mtx_parse.h"
#include "name_lines.h"
#include "quell/notes.h"

typedef struct {
    char path[PATH_MAX];
} ql_path;

enum { QL_MAX_COMPANIONS = 8 };

typedef struct {
    ql_path matrix;
    ql_path genes[QL_MAX_COMPANIONS], cells[QL_MAX_COMPANIONS]; /* that exist, best first */
    int n_genes, n_cells;
    bool descended; /* matrix lies in a subfolder of what the user named */
} ql_mtx_folder;

/* Find the files for path: a folder, a sample's output folder one or two levels above, or a .mtx
 * itself. Fails with QL_EDATA (QL_ENOINPUT when nothing is there), saying what was looked for. */
ql_status ql_mtx_folder_find(const char *path, ql_mtx_folder *f, ql_err *err);

/* The matrix, transposed or not, that fits its names. */
typedef struct {
    ql_mtx_header header;
    ql_name_lines genes, cells;
    bool cells_are_columns;
} ql_mtx_named;

/* Read header and names, trying the companions in turn until their lengths fit the matrix. */
ql_status ql_mtx_folder_names(const ql_mtx_folder *f, ql_mtx_named *named, ql_notes *notes,
                              ql_err *err);
void ql_mtx_named_free(ql_mtx_named *named);

#endif
