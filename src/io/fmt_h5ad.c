/* h5ad of anndata 0.7 and later: obs and var are groups. */
#include "formats.h"
#include "h5ad_parts.h"

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
    QL_GO(ql_h5ad_read(file, &ql_h5ad_modern_names, opt, false, ds, notes, err));
out:
    ql_h5r_close(file);
    return st;
}

/* The generation, by the marks that each left. */
static const char *generation(hid_t file)
{
    if (ql_h5r_attr_is(file, "/", "encoding-type", "anndata")) return "anndata 0.8 or later";
    if (ql_h5r_kind_of(file, "obs/__categories") == QL_H5R_GROUP ||
        ql_h5r_kind_of(file, "var/__categories") == QL_H5R_GROUP)
        return "anndata 0.7 (categories in __categories)";
    return "anndata 0.7";
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    ql_str_printf(out, "h5ad of %s\n", generation(file));
    QL_GO(ql_h5ad_describe(file, &ql_h5ad_modern_names, out, err));
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
