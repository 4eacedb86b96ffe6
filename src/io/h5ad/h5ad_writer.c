/* A writer from its beginning to its end. */
#include "h5ad_writer_internal.h"

#include "../hdf5/h5_error.h"
#include "../hdf5/h5_out.h"
#include "h5ad_start.h"
#include "quell/alloc.h"
#include "quell/strbuf.h"

static int clamp_level(int level)
{
    if (level < 0) return 0;
    return level > 9 ? 9 : level;
}

static ql_status new_writer(const ql_write_options *opt, ql_h5ad_writer **out, ql_err *err)
{
    ql_h5ad_writer *w = NULL;
    ql_h5_init();
    QL_TRY(QL_NEW(w, 1, "the output's writer", err));
    w->file = H5I_INVALID_HID;
    w->m.parent = H5I_INVALID_HID;
    w->opt = *opt;
    w->opt.deflate = clamp_level(opt->deflate);
    w->opt.threads = opt->threads > 1 ? opt->threads : 1;
    *out = w;
    return QL_OK;
}

ql_status ql_h5ad_begin(const char *out_path, const ql_dataset *ds, const ql_write_options *opt,
                        ql_notes *notes, ql_h5ad_writer **out, ql_err *err)
{
    ql_h5ad_writer *w = NULL;
    ql_status st;

    QL_TRY(new_writer(opt, &w, err));
    w->n_cells = ds->counts.n_rows;
    w->n_genes = ds->counts.n_cols;
    QL_GO(ql_out_begin(&w->out, out_path, ds->path, opt->force, err));
    st = ql_h5ad_start(&w->out, ds, &w->opt, notes, &w->file, err);
    /* a failure to read says which file it is about itself */
    QL_GO(st == QL_ENOINPUT ? st : ql_h5ad_done(w, st, err));
    *out = w;
out:
    if (st != QL_OK) ql_h5ad_abort(w);
    return st;
}

ql_status ql_h5ad_begin_copy(const char *out_path, const char *in_path, const ql_write_options *opt,
                             ql_h5ad_writer **out, ql_err *err)
{
    ql_h5ad_writer *w = NULL;
    ql_status st;

    QL_TRY(new_writer(opt, &w, err));
    QL_GO(ql_h5ad_extent(in_path, &w->n_cells, &w->n_genes, err));
    QL_GO(ql_out_begin(&w->out, out_path, in_path, opt->force, err));
    st = ql_h5ad_start_copy(&w->out, in_path, &w->file, err);
    QL_GO(st == QL_ENOINPUT ? st : ql_h5ad_done(w, st, err));
    *out = w;
out:
    if (st != QL_OK) ql_h5ad_abort(w);
    return st;
}

void ql_h5ad_abort(ql_h5ad_writer *w)
{
    if (!w) return;
    ql_h5ad_release_bands(&w->m);
    if (w->file >= 0) H5Fclose(w->file);
    H5Eclear2(H5E_DEFAULT);
    ql_out_abort(&w->out);
    ql_names_free(&w->journal);
    ql_free(w);
}

ql_status ql_h5ad_commit(ql_h5ad_writer *w, ql_err *err)
{
    ql_status st = QL_OK;
    hid_t file = w->file;

    if (w->failed || w->m.key) {
        st = ql_fail(err, QL_EINTERNAL, "%s: cannot be finished after a failed or open write",
                     w->out.path);
        goto out;
    }
    w->file = H5I_INVALID_HID;
    QL_GO(ql_h5ad_done(w, ql_h5out_close_file(file, err), err));
    st = ql_out_commit(&w->out, err);
out:
    ql_h5ad_abort(w);
    return st;
}
