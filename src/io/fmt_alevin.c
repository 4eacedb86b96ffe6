/* alevin --dumpMtx and alevin-fry: cells x genes; in USA mode three columns a gene. */
#include "formats.h"
#include "mtx_dataset.h"

static const char NAME[] = "alevin";

static bool sniff(const char *path)
{
    return ql_mtx_sniff(path, NAME);
}

static ql_status read_mtx(const char *path, const ql_read_options *opt, ql_dataset *ds,
                          ql_notes *notes, ql_err *err)
{
    return ql_mtx_read_dataset(path, NAME, ql_fold_usa, opt, ds, notes, err);
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    return ql_mtx_describe(path, NAME, out, err);
}

const ql_format ql_format_alevin = {
    .name = NAME,
    .summary =
        "folder of alevin or alevin-fry: quants_mat.mtx, quants_mat_cols.txt, quants_mat_rows.txt",
    .sniff = sniff,
    .read = read_mtx,
    .describe = describe,
};
