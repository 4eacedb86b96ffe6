/* Folders of Cell Ranger, STARsolo, DRAGEN, kb --cellranger, BD Rhapsody, and uploads with a
 * prefix: genes x cells, features.tsv (or genes.tsv) and barcodes.tsv. */
#include "formats.h"
#include "mtx_dataset.h"

static const char NAME[] = "10x-mtx";

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

const ql_format ql_format_10x_mtx = {
    .name = NAME,
    .summary = "folder of Cell Ranger or STARsolo: matrix.mtx, features.tsv, barcodes.tsv",
    .sniff = sniff,
    .read = read_mtx,
    .describe = describe,
};
