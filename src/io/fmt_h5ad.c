/* h5ad of anndata 0.7 and later: obs and var are groups. */
#include <inttypes.h>
#include <string.h>

#include "formats.h"
#include "h5_names.h"
#include "h5ad_parts.h"
#include "matrix_h5.h"

static bool sniff(const char *path)
{
    hid_t file = ql_h5r_try_open(path);
    bool is = file >= 0 && !ql_h5r_attr_is(file, "/", "encoding-type", "MuData");
    bool frames = is && ql_h5r_kind_of(file, "obs") == QL_H5R_GROUP &&
                  ql_h5r_kind_of(file, "var") == QL_H5R_GROUP;
    bool named = is && ql_h5r_attr_is(file, "/", "encoding-type", "anndata");
    is = is && (frames || named) && ql_h5r_kind_of(file, "mod") != QL_H5R_GROUP;
    ql_h5r_close(file);
    return is;
}

static ql_status read_h5ad(const char *path, const ql_read_options *opt, ql_dataset *ds,
                           ql_notes *notes, ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_h5ad_index(file, "obs", &ds->cells.index, err));
    ql_h5ad_check_columns(file, "obs", notes);
    ql_h5ad_check_columns(file, "var", notes);
    QL_GO(ql_h5ad_pick(file, opt, ds, notes, err));
    if (opt->columns) QL_GO(ql_h5ad_annotate(file, ds, err));
out:
    ql_h5r_close(file);
    return st;
}

/* --- describe --- */

static void describe_matrix(hid_t file, const char *path, ql_str *out)
{
    ql_matrix_info info;
    ql_err err = {0};
    ql_grouped rows, cols, nnz;
    if (ql_h5r_kind_of(file, path) == QL_H5R_NONE) return;
    if (ql_matrix_h5_info(file, path, &info, &err) != QL_OK) {
        ql_str_printf(out, "%s  not readable (%s)\n", path, err.msg);
        return;
    }
    ql_str_printf(out, "%s  %s %s  %s x %s", path, ql_matrix_layout_text(info.layout), info.type,
                  ql_group_digits(info.n_rows, rows), ql_group_digits(info.n_cols, cols));
    if (info.layout != QL_LAYOUT_DENSE)
        ql_str_printf(out, ", %s nonzero", ql_group_digits(info.nnz, nnz));
    if (info.filters[0]) ql_str_printf(out, ", %s", info.filters);
    ql_str_puts(out, "\n");
}

static void describe_layers(hid_t file, ql_str *out)
{
    ql_names layers = {0};
    char path[1024];
    (void)ql_h5r_members(file, "layers", 50, &layers, NULL, NULL);
    for (int64_t i = 0; i < layers.n; i++) {
        (void)snprintf(path, sizeof path, "layers/%s", ql_name(&layers, i));
        describe_matrix(file, path, out);
    }
    ql_names_free(&layers);
}

static void append_list(const ql_names *names, int64_t total, ql_str *out)
{
    for (int64_t i = 0; i < names->n; i++) {
        ql_str_puts(out, i ? ", " : "");
        ql_str_escape(out, ql_name(names, i), strlen(ql_name(names, i)));
    }
    if (total > names->n) ql_str_printf(out, " and %" PRId64 " more", total - names->n);
    if (total == 0) ql_str_puts(out, "(none)");
    ql_str_puts(out, "\n");
}

static void describe_members(hid_t file, const char *group, ql_str *out)
{
    ql_names names = {0};
    int64_t total = 0;
    if (ql_h5r_members(file, group, 50, &names, &total, NULL) == QL_OK && total > 0) {
        ql_str_printf(out, "%s  ", group);
        append_list(&names, total, out);
    }
    ql_names_free(&names);
}

static ql_status describe_frame(hid_t file, const char *frame, const char *what, ql_str *out,
                                ql_err *err)
{
    ql_names columns = {0};
    ql_str path = {0};
    ql_grouped digits;
    int64_t n = 0;
    ql_status st;
    QL_GO(ql_h5ad_index_path(file, frame, &path, err));
    QL_GO(ql_h5r_names_count(file, ql_str_text(&path), &n, err));
    (void)ql_h5r_attr_strings(file, frame, "column-order", &columns);
    ql_str_printf(out, "%s  %s %s, columns: ", frame, ql_group_digits(n, digits), what);
    append_list(&columns, columns.n, out);
out:
    ql_names_free(&columns);
    ql_str_free(&path);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    static const char *const lists[] = {"obsm", "varm", "obsp", "uns"};
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    describe_matrix(file, "X", out);
    describe_matrix(file, "raw/X", out);
    describe_layers(file, out);
    QL_GO(describe_frame(file, "obs", "cells", out, err));
    QL_GO(describe_frame(file, "var", "genes", out, err));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) describe_members(file, lists[i], out);
out:
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_h5ad = {
    .name = "h5ad",
    .summary = "AnnData of anndata 0.7 or later, as scanpy writes it",
    .sniff = sniff,
    .read = read_h5ad,
    .describe = describe,
};
