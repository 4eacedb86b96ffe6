/* h5ad: the file of an h5ad input is carried through whole, other inputs become a new one. */
#include "out_level.h"
#include "quell/h5ad_writer.h"

static ql_status write_h5ad(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                            ql_notes *notes, ql_err *err)
{
    const ql_write_options how = {.force = opt->force,
                                  .deflate = ql_out_level(opt, 1),
                                  .threads = opt->threads,
                                  .new_matrix = opt->new_matrix};
    ql_h5ad_writer *w = NULL;
    QL_TRY(ql_h5ad_begin(path, ds, &how, notes, &w, err));
    return ql_h5ad_commit(w, err);
}

static const char *const extensions[] = {".h5ad", NULL};

const ql_out_format ql_out_h5ad = {
    .name = "h5ad",
    .summary = "AnnData, for scanpy and others; everything of an h5ad input is kept",
    .extensions = extensions,
    .all_columns = true,
    .carries = "h5ad",
    .write = write_h5ad,
};
