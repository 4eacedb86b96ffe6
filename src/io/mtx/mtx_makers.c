#include "mtx_makers.h"

#include <string.h>

#include "../file/folder.h"

/* The lists of companions are shared by the rows of a format. */
static const char *const none[] = {NULL};
static const char *const tenx_genes[] = {"features.tsv", "genes.tsv", NULL};
static const char *const tenx_cells[] = {"barcodes.tsv", NULL};
static const char *const alevin_genes[] = {"quants_mat_cols.txt", NULL};
static const char *const alevin_cells[] = {"quants_mat_rows.txt", NULL};
static const char *const kallisto_genes[] = {".genes.txt", NULL};
static const char *const kallisto_cells[] = {".barcodes.txt", NULL};
static const char *const classes[] = {".ec.txt", NULL};
static const char *const parse_genes[] = {"all_genes.csv", "genes.csv", NULL};
static const char *const parse_cells[] = {"cell_metadata.csv", NULL};
static const char *const other_genes[] = {"features.tsv",   "genes.tsv",      "genes.txt",
                                          "features.txt",   "genes.csv",      "features.csv",
                                          "gene_names.txt", "gene_names.tsv", NULL};
static const char *const other_cells[] = {"barcodes.tsv",   "barcodes.txt",   "barcodes.csv",
                                          "cells.tsv",      "cells.txt",      "cells.csv",
                                          "cell_names.txt", "cell_names.tsv", NULL};

#define TCC "holds counts of transcript classes (TCC), not of genes"

/* What the rows of one tool have in common. */
#define ALEVIN                                                                                     \
    .format = "alevin", .genes = alevin_genes, .cells = alevin_cells,                              \
    .orient = QL_ORIENT_CELLS_X_GENES
#define KALLISTO                                                                                   \
    .format = "kallisto", .tool = "kallisto and bustools", .orient = QL_ORIENT_CELLS_X_GENES
#define PARSE                                                                                      \
    .format = "parse", .tool = "split-pipe", .genes = parse_genes, .cells = parse_cells,           \
    .orient = QL_ORIENT_CELLS_X_GENES, .third = QL_THIRD_GENOME
#define TENX                                                                                       \
    .format = "10x-mtx", .genes = tenx_genes, .cells = tenx_cells,                                 \
    .orient = QL_ORIENT_GENES_X_CELLS, .third = QL_THIRD_TYPE

const ql_mtx_maker ql_mtx_makers[] = {
    {ALEVIN, .tool = "alevin or alevin-fry", .matrix = "quants_mat.mtx"},
    {ALEVIN, .tool = "alevin", .matrix = "alevin_mat.mtx"},
    {KALLISTO, .matrix = "cells_x_tcc.mtx", .genes = none, .cells = none, .refuse = TCC},
    {KALLISTO, .matrix = ".mtx", .genes = kallisto_genes, .cells = kallisto_cells,
     .gene_names = ".genes.names.txt", .cell_prefix = ".barcodes.prefix.txt", .by_names = true},
    {KALLISTO, .matrix = ".mtx", .genes = classes, .cells = kallisto_cells, .by_names = true,
     .refuse = TCC},
    {KALLISTO, .matrix = "cells_x_genes.mtx", .genes = kallisto_genes, .cells = kallisto_cells},
    {PARSE, .matrix = "DGE.mtx"},
    {PARSE, .matrix = "count_matrix.mtx", .by_names = true},
    /* also DRAGEN, kb --cellranger, BD Rhapsody; the second row: uploads with a prefix */
    {TENX, .tool = "Cell Ranger, STARsolo or alike", .matrix = "matrix.mtx"},
    {TENX, .tool = "STARsolo or alike", .matrix = ".mtx", .by_names = true},
    {.format = "mtx",
     .tool = "any tool",
     .matrix = ".mtx",
     .genes = other_genes,
     .cells = other_cells,
     .orient = QL_ORIENT_AUTO},
    {.format = NULL},
};

/* Length of name without .gz. */
static size_t plain_length(const char *name)
{
    size_t n = strlen(name);
    return ql_ends_with(name, ".gz") ? n - 3 : n;
}

int ql_mtx_prefix(const ql_mtx_maker *maker, const char *name)
{
    size_t n = plain_length(name), m = strlen(maker->matrix);
    if (n < m || memcmp(name + n - m, maker->matrix, m) != 0) return -1;
    return (int)(n - m);
}

int ql_mtx_usual(const char *name)
{
    for (int i = 0; ql_mtx_makers[i].format; i++)
        if (ql_mtx_makers[i].matrix[0] != '.' && ql_mtx_prefix(&ql_mtx_makers[i], name) == 0)
            return i;
    return -1;
}

bool ql_is_mtx_name(const char *name)
{
    return ql_ends_with(name, ".mtx") || ql_ends_with(name, ".mtx.gz");
}
