/* What is in an AnnData, for `quell info`. */

#include "../hdf5/h5_describe.h"
#include "../text/wording.h"
#include "h5ad_read.h"
#include "quell/reader.h"

static void describe_matrix(hid_t file, const char *path, ql_str *out)
{
    ql_h5_describe_matrix(file, path, "", "", out);
}

static void describe_members(hid_t file, const char *group, ql_str *out)
{
    ql_names names = {0};
    const int64_t total = ql_h5_describe_list(file, group, 50, &names, out);
    if (total > 0) {
        ql_str_printf(out, "%s  ", group);
        ql_list_names(&names, total, out);
        ql_str_puts(out, "\n");
    }
    ql_names_free(&names);
}

static ql_status group_columns(hid_t file, const char *frame, int64_t *n, ql_names *columns,
                               ql_err *err)
{
    QL_TRY(ql_h5ad_rows(file, frame, n, err));
    return ql_h5r_attr_strings(file, frame, "column-order", columns, err);
}

static ql_status describe_frame(hid_t file, const char *frame, const char *what, ql_str *out,
                                ql_err *err)
{
    ql_names columns = {0};
    ql_grouped digits;
    int64_t n = 0;
    ql_status st = (ql_h5ad_is_compound(file, frame) ? ql_h5ad_compound_members : group_columns)(
        file, frame, &n, &columns, err);
    if (st == QL_OK) {
        ql_str_printf(out, "%s  %s %s, columns: ", frame, ql_group_digits(n, digits), what);
        ql_list_names(&columns, columns.n, out);
        ql_str_puts(out, "\n");
    }
    ql_names_free(&columns);
    return st;
}

ql_status ql_h5ad_describe(hid_t file, const ql_h5ad_names *names, ql_str *out, ql_err *err)
{
    static const char *const lists[] = {"obsm", "varm", "obsp", "uns"};
    describe_matrix(file, names->x, out);
    describe_matrix(file, names->raw_x, out);
    ql_h5_describe_layers(file, "", "", out);
    QL_TRY(describe_frame(file, names->obs, "cells", out, err));
    QL_TRY(describe_frame(file, names->var, "genes", out, err));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) describe_members(file, lists[i], out);
    return QL_OK;
}
