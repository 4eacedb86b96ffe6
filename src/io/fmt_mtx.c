/* Any other MatrixMarket file, with files of names or without. */
#include "formats.h"
#include "mtx_dataset.h"

static const char NAME[] = "mtx";

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

const ql_format ql_format_mtx = {
    .name = NAME,
    .summary = "MatrixMarket file of any tool; names in text files beside it, or none",
    .sniff = sniff,
    .read = read_mtx,
    .describe = describe,
};
