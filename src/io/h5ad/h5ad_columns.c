/* Columns of obs and var. */
#include <stdio.h>
#include <string.h>

#include "../hdf5/h5_error.h"
#include "../hdf5/h5_out.h"
#include "h5ad_writer_internal.h"

static ql_status write_columns(ql_h5ad_writer *w, hid_t group, const ql_frame *columns, ql_err *err)
{
    ql_names order = {0};
    ql_status st;

    QL_GO(ql_h5out_read_strings(group, "column-order", &order, err));
    for (int i = 0; i < columns->n_columns; i++) {
        const ql_column *c = &columns->columns[i];
        QL_GO(ql_h5ad_place_column(w, group, c->name, &order, err));
        QL_GO(ql_h5out_column(group, c->name, c, columns->index.n, err));
    }
    QL_GO(ql_h5out_attr_strings(group, "column-order", &order, err));
out:
    ql_names_free(&order);
    return st;
}

static ql_status add_columns(ql_h5ad_writer *w, const char *frame, const ql_frame *columns,
                             ql_err *err)
{
    bool cells = strcmp(frame, "obs") == 0;
    if ((!cells && strcmp(frame, "var") != 0) ||
        columns->index.n != (cells ? w->n_cells : w->n_genes)) {
        return ql_fail(err, QL_EINTERNAL, "%s: columns of %lld values", frame,
                       (long long)columns->index.n);
    }
    QL_TRY(ql_h5ad_note(w, "columns", frame, err));
    hid_t group = H5Gopen2(w->file, frame, H5P_DEFAULT);
    if (group < 0) return ql_h5_fail(err, QL_EIO, "cannot open %s", frame);
    ql_status st = write_columns(w, group, columns, err);
    if (st != QL_OK) ql_context(err, st, "%s", frame);
    return ql_h5ad_close_parent(group, frame, st, err);
}

ql_status ql_h5ad_columns(ql_h5ad_writer *w, const char *frame, const ql_frame *columns,
                          ql_err *err)
{
    return ql_h5ad_done(w, add_columns(w, frame, columns, err), err);
}

static ql_status drop_column(ql_h5ad_writer *w, hid_t group, const char *name, ql_err *err)
{
    ql_names order = {0}, kept = {0};
    ql_status st;
    if (!ql_h5out_exists(group, name)) return QL_OK;
    QL_GO(ql_h5ad_make_room(w, group, name, name, err));
    QL_GO(ql_h5out_read_strings(group, "column-order", &order, err));
    for (int64_t i = 0; i < order.n; i++) {
        const char *other = ql_name(&order, i);
        if (strcmp(other, name) != 0) QL_GO(ql_names_add(&kept, other, strlen(other), err));
    }
    QL_GO(ql_h5out_attr_strings(group, "column-order", &kept, err));
out:
    ql_names_free(&order);
    ql_names_free(&kept);
    return st;
}

ql_status ql_h5ad_claim_column(ql_h5ad_writer *w, const char *frame, const char *name, ql_err *err)
{
    char key[300];
    (void)snprintf(key, sizeof key, "%s/%s", frame, name);
    QL_TRY(ql_h5ad_note(w, "claim-column", key, err));
    hid_t group = H5Gopen2(w->file, frame, H5P_DEFAULT);
    if (group < 0) return ql_h5ad_done(w, ql_h5_fail(err, QL_EIO, "cannot open %s", frame), err);
    ql_status st = drop_column(w, group, name, err);
    if (st != QL_OK) ql_context(err, st, "%s", frame);
    return ql_h5ad_done(w, ql_h5ad_close_parent(group, frame, st, err), err);
}
