/* Who writes MatrixMarket count matrices, and under which names. Private to src/io. */
#ifndef QUELL_IO_MTX_MAKERS_H
#define QUELL_IO_MTX_MAKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "quell/reader.h"

/* What the third column of the genes' file is. */
typedef enum { QL_THIRD_UNUSED, QL_THIRD_TYPE, QL_THIRD_GENOME } ql_third_column;

/* A row of the table of makers. What stands before `matrix` in the name of the matrix is the
 * prefix, which the companions share, perhaps in part; any file may be plain or gzip. */
typedef struct {
    const char *format;                      /* name in the registry */
    const char *tool;                        /* for people */
    const char *matrix;                      /* end of the matrix's name, without .gz */
    const char *const *genes, *const *cells; /* NULL-terminated, best first */
    const char *gene_names;  /* names to the ids in genes, line by line; may be NULL */
    const char *cell_prefix; /* what to put before each cell's name; may be NULL */
    ql_orient orient;        /* where lengths do not say; AUTO: no custom, genes x cells */
    ql_third_column third;
    bool by_names;      /* the row holds only where some companion is there */
    const char *refuse; /* what it is instead of counts of genes, or NULL */
} ql_mtx_maker;

extern const ql_mtx_maker ql_mtx_makers[]; /* most particular first; ends with a NULL format */

/* Length of the prefix of a matrix's file name; -1: the row is not for such names. */
int ql_mtx_prefix(const ql_mtx_maker *maker, const char *name);

/* name is one of those the makers give to the one matrix of a folder: its place in the table, -1 if
 * it is none. */
int ql_mtx_usual(const char *name);

bool ql_is_mtx_name(const char *name); /* NAME.mtx, NAME.mtx.gz */

#endif
