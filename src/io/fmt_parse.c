/* Parse Biosciences' split-pipe: cells x genes; names in tables with a header line. */
#include "formats.h"
#include "mtx_dataset.h"

static const char NAME[] = "parse";

static bool sniff(const char *path)
{
    return ql_mtx_sniff(path, NAME);
}

static ql_status read_mtx(const char *path, const ql_read_options *opt, ql_dataset *ds,
                          ql_notes *notes, ql_err *err)
{
    return ql_mtx_read_dataset(path, NAME, NULL, opt, ds, notes, err);
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    return ql_mtx_describe(path, NAME, out, err);
}

const ql_format ql_format_parse = {
    .name = NAME,
    .summary = "folder of split-pipe (Parse): count_matrix.mtx or DGE.mtx, all_genes.csv, "
               "cell_metadata.csv",
    .sniff = sniff,
    .read = read_mtx,
    .describe = describe,
};
