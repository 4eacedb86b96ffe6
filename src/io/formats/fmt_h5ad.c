/* h5ad of anndata 0.7 and later: obs and var are groups. */
#include <string.h>

#include "../h5ad/h5ad_read.h"
#include "../hdf5/read_sizes.h"
#include "quell/order.h"

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    (void)err;
    hid_t file = ql_h5r_try_open(path);
    *is = file >= 0 && !ql_h5r_attr_is(file, "/", "encoding-type", "MuData");
    bool frames = *is && ql_h5r_kind_of(file, "obs") == QL_H5R_GROUP &&
                  ql_h5r_kind_of(file, "var") == QL_H5R_GROUP;
    bool named = *is && ql_h5r_attr_is(file, "/", "encoding-type", "anndata");
    *is = *is && (frames || named) && ql_h5r_kind_of(file, "mod") != QL_H5R_GROUP;
    ql_h5r_close(file);
    return QL_OK;
}

static ql_status read_h5ad(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                           ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_h5ad_read(file, &ql_h5ad_modern_names, r, false, ds, notes, err));
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

/* --- how large --- */

/* Which of several matrices holds the counts shows when they are read; the plan is for any. */
static void cover(ql_read_sizes *all, const ql_read_sizes *z)
{
    bool first = all->n_rows == 0;
    all->n_rows = ql_most(all->n_rows, z->n_rows);
    all->n_cols = ql_most(all->n_cols, z->n_cols);
    all->nnz = ql_most(all->nnz, z->nnz);
    all->max_row = ql_most(all->max_row, z->max_row);
    all->whole_bytes = ql_most(all->whole_bytes, z->whole_bytes);
    all->band_bytes = ql_most(all->band_bytes, z->band_bytes);
    all->sort_bytes = ql_most(all->sort_bytes, z->sort_bytes);
    all->rough |= z->rough;
    all->streams = z->streams && (first || all->streams);
}

/* A shape that its names contradict is no size to plan for: reading tells what is wrong. */
static ql_status fits_names(hid_t file, const ql_h5ad_names *names, const char *matrix,
                            const ql_read_sizes *z, bool *fits, ql_err *err)
{
    const char *var = strcmp(matrix, names->raw_x) ? names->var : names->raw_var;
    int64_t n_obs, n_var;
    QL_TRY(ql_h5ad_rows(file, names->obs, &n_obs, err));
    QL_TRY(ql_h5ad_rows(file, var, &n_var, err));
    *fits = n_obs == z->n_rows && n_var == z->n_cols;
    return QL_OK;
}

/* What cannot be read is passed over, or told when it is. */
static ql_status cover_matrix(hid_t file, const char *matrix, ql_read_sizes *all, ql_err *err)
{
    ql_read_sizes z;
    bool fits = false;
    ql_status st = ql_sizes_of_matrix(file, matrix, &z, err);
    if (st == QL_OK) st = fits_names(file, &ql_h5ad_modern_names, matrix, &z, &fits, err);
    if (fits) cover(all, &z);
    return st == QL_EMEMORY ? st : QL_OK;
}

static ql_status measure(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                         ql_err *err)
{
    ql_names names = {0};
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_h5ad_matrices(file, &ql_h5ad_modern_names, opt, &names, err));
    for (int64_t i = 0; i < names.n; i++) QL_GO(cover_matrix(file, ql_name(&names, i), out, err));
out:
    ql_names_free(&names);
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_h5ad = {
    .name = "h5ad",
    .summary = "AnnData of anndata 0.7 or later, as scanpy writes it",
    .sniff = sniff,
    .read = read_h5ad,
    .describe = describe,
    .measure = measure,
};
