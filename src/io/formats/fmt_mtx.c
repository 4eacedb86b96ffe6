/* The formats of a MatrixMarket file with files of names beside it. They differ in the names of
 * those files (mtx_makers.c) and in what becomes of the columns. */
#include "../mtx/mtx_dataset.h"

/* X(identifier, name, change, summary) */
#define MTX_FORMATS(X)                                                                             \
    X(10x_mtx, "10x-mtx", NULL,                                                                    \
      "folder of Cell Ranger or STARsolo: matrix.mtx, features.tsv, barcodes.tsv")                 \
    X(alevin, "alevin", ql_fold_usa,                                                               \
      "folder of alevin or alevin-fry: quants_mat.mtx, quants_mat_cols.txt, quants_mat_rows.txt")  \
    X(kallisto, "kallisto", NULL,                                                                  \
      "kallisto and bustools: NAME.mtx, NAME.genes.txt, NAME.barcodes.txt")                        \
    X(parse, "parse", NULL,                                                                        \
      "folder of split-pipe (Parse): count_matrix.mtx or DGE.mtx, all_genes.csv, "                 \
      "cell_metadata.csv")                                                                         \
    X(mtx, "mtx", NULL, "MatrixMarket file of any tool; names in text files beside it, or none")

#define X(id, NAME, change, text)                                                                  \
    static ql_status sniff_##id(const char *path, bool *is, ql_err *err)                           \
    {                                                                                              \
        return ql_mtx_sniff(path, NAME, is, err);                                                  \
    }                                                                                              \
    static ql_status read_##id(const char *path, const ql_reading *r, ql_dataset *ds,              \
                               ql_notes *notes, ql_err *err)                                       \
    {                                                                                              \
        return ql_mtx_read_dataset(path, NAME, change, r, ds, notes, err);                         \
    }                                                                                              \
    static ql_status describe_##id(const char *path, ql_str *out, ql_err *err)                     \
    {                                                                                              \
        return ql_mtx_describe(path, NAME, out, err);                                              \
    }                                                                                              \
    const ql_format ql_format_##id = {.name = NAME,                                                \
                                      .summary = text,                                             \
                                      .sniff = sniff_##id,                                         \
                                      .read = read_##id,                                           \
                                      .describe = describe_##id,                                   \
                                      .measure = ql_mtx_measure};
MTX_FORMATS(X)
#undef X
