#include "mtx_makers.h"

#include <string.h>

#include "folder.h"

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

/* clang-format off */
const ql_mtx_maker ql_mtx_makers[] = {
    {"alevin", "alevin or alevin-fry", "quants_mat.mtx", alevin_genes, alevin_cells, NULL, NULL,
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_UNUSED, false, NULL},
    {"alevin", "alevin", "alevin_mat.mtx", alevin_genes, alevin_cells, NULL, NULL,
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_UNUSED, false, NULL},
    {"kallisto", "kallisto and bustools", "cells_x_tcc.mtx", none, none, NULL, NULL,
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_UNUSED, false, TCC},
    {"kallisto", "kallisto and bustools", ".mtx", kallisto_genes, kallisto_cells,
     ".genes.names.txt", ".barcodes.prefix.txt",
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_UNUSED, true, NULL},
    {"kallisto", "kallisto and bustools", ".mtx", classes, kallisto_cells, NULL, NULL,
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_UNUSED, true, TCC},
    {"kallisto", "kallisto and bustools", "cells_x_genes.mtx", kallisto_genes, kallisto_cells, NULL, NULL,
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_UNUSED, false, NULL},
    {"parse", "split-pipe", "DGE.mtx", parse_genes, parse_cells, NULL, NULL,
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_GENOME, false, NULL},
    {"parse", "split-pipe", "count_matrix.mtx", parse_genes, parse_cells, NULL, NULL,
     QL_ORIENT_CELLS_X_GENES, QL_THIRD_GENOME, true, NULL},
    {"10x-mtx", "Cell Ranger, STARsolo or alike", "matrix.mtx", tenx_genes, tenx_cells, NULL, NULL,
     QL_ORIENT_GENES_X_CELLS, QL_THIRD_TYPE, false, NULL},
    {"10x-mtx", "STARsolo or alike", ".mtx", tenx_genes, tenx_cells, NULL, NULL,
     QL_ORIENT_GENES_X_CELLS, QL_THIRD_TYPE, true, NULL},
    {"mtx", "any tool", ".mtx", other_genes, other_cells, NULL, NULL,
     QL_ORIENT_AUTO, QL_THIRD_UNUSED, false, NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, QL_ORIENT_AUTO, QL_THIRD_UNUSED, false, NULL},
};
/* clang-format on */

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
