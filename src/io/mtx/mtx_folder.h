/* Which files are the matrix, the genes and the cells. Private to src/io. */
#ifndef QUELL_IO_MTX_FOLDER_H
#define QUELL_IO_MTX_FOLDER_H

#include <limits.h>
#include <stdbool.h>

#include "../text/name_lines.h"
#include "mtx_makers.h"
#include "mtx_parse.h"
#include "quell/notes.h"

typedef struct {
    char path[PATH_MAX];
} ql_path;

enum { QL_MAX_COMPANIONS = 12 };

typedef struct {
    ql_path matrix;
    const ql_mtx_maker *maker;
    ql_path genes[QL_MAX_COMPANIONS], cells[QL_MAX_COMPANIONS]; /* that exist, best first */
    int n_genes, n_cells;
    ql_path gene_names, cell_prefix; /* empty: none */
    bool descended;                  /* matrix lies in a subfolder of what the user named */
    bool by_layer;                   /* chosen among others by the name of its layer */
    int n_others;                    /* matrices in the same folder that were not taken */
} ql_mtx_folder;

/* Find the files for path: a folder, a sample's output folder one or two levels above, or a .mtx
 * itself. format: consider only makers of that format (NULL: all). layer: which of several matrices
 * of a folder (spliced for spliced.mtx; NULL: the usual one). Fails with QL_EDATA (QL_ENOINPUT when
 * nothing is there), saying what was looked for; f->maker is then set if there is a matrix. */
QL_MUST_USE ql_status ql_mtx_folder_find(const char *path, const char *format, const char *layer,
                                         ql_mtx_folder *f, ql_err *err);

/* The same for those who only ask whose it is: f->maker, NULL when there is no matrix. One that
 * cannot be used is somebody's too, and reading it says why it cannot. Fails with QL_EMEMORY alone.
 */
QL_MUST_USE ql_status ql_mtx_folder_maker(const char *path, const char *format, ql_mtx_folder *f,
                                          ql_err *err);

/* The maker of f->matrix and the companions. */
void ql_mtx_find_companions(ql_mtx_folder *f, const char *format);

/* A file called tail, plain or gzip, that shares a prefix with the first n bytes of name. */
bool ql_mtx_find_file(const char *folder, const char *name, int n, bool gz, const char *tail,
                      ql_path *out);

/* Folder of path into out ("." if none); returns the rest. */
const char *ql_split_path(const char *path, ql_path *folder);

/* The matrix, transposed or not, that fits its names. */
typedef struct {
    ql_mtx_header header;
    ql_name_lines genes, cells; /* numbered where there is no file */
    bool cells_are_columns;
    bool unnamed_genes, unnamed_cells; /* numbered */
} ql_mtx_named;

/* Read header and names, trying the companions in turn until their lengths fit the matrix; opt may
 * name others, and the orientation. */
QL_MUST_USE ql_status ql_mtx_folder_names(const ql_mtx_folder *f, const ql_read_options *opt,
                                          ql_mtx_named *named, ql_notes *notes, ql_err *err);
void ql_mtx_named_free(ql_mtx_named *named);

#endif
