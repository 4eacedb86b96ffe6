#include "h5_describe.h"

#include <stdio.h>

#include "../text/wording.h"
#include "matrix_h5.h"

void ql_h5_describe_matrix(hid_t file, const char *path, const char *rows, const char *cols,
                           ql_str *out)
{
    ql_matrix_info info;
    ql_err err = {0};
    ql_grouped n_rows, n_cols, nnz;
    if (ql_h5r_kind_of(file, path) == QL_H5R_NONE) return;
    if (ql_matrix_h5_info(file, path, &info, &err) != QL_OK) {
        ql_str_printf(out, "%s  not readable (%s)\n", path, err.msg);
        return;
    }
    ql_str_printf(out, "%s  %s %s  %s%s%s x %s%s%s", path, ql_matrix_layout_text(info.layout),
                  info.type, ql_group_digits(info.n_rows, n_rows), rows[0] ? " " : "", rows,
                  ql_group_digits(info.n_cols, n_cols), cols[0] ? " " : "", cols);
    if (info.layout != QL_LAYOUT_DENSE)
        ql_str_printf(out, ", %s nonzero", ql_group_digits(info.nnz, nnz));
    if (info.filters[0]) ql_str_printf(out, ", %s", info.filters);
    ql_str_puts(out, "\n");
}

int64_t ql_h5_describe_list(hid_t file, const char *group, int64_t max, ql_names *names,
                            ql_str *out)
{
    int64_t total = 0;
    if (ql_h5r_members(file, group, max, names, &total, NULL) == QL_EMEMORY) out->failed = true;
    return total;
}

void ql_h5_describe_layers(hid_t file, const char *rows, const char *cols, ql_str *out)
{
    ql_names layers = {0};
    char path[1024];
    (void)ql_h5_describe_list(file, "layers", 50, &layers, out);
    for (int64_t i = 0; i < layers.n; i++) {
        (void)snprintf(path, sizeof path, "layers/%s", ql_name(&layers, i));
        ql_h5_describe_matrix(file, path, rows, cols, out);
    }
    ql_names_free(&layers);
}
