/* h5ad of anndata 0.6 and older: obs and var are lists of compounds, raw's members have a dot in
 * their names, the oldest files call their parts otherwise. */
#include "../h5ad/h5ad_read.h"

/* Names of a part, the usual one first. */
static const char *const x_names[] = {"X", "_X", "data", NULL};
static const char *const obs_names[] = {"obs", "_obs", "smp", NULL};
static const char *const var_names[] = {"var", "_var", NULL};
static const char *const raw_x_names[] = {"raw.X", "raw/X", NULL};
static const char *const raw_var_names[] = {"raw.var", "raw/var", NULL};

/* The first name that is there, else the usual one. */
static const char *called(hid_t file, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (ql_h5r_kind_of(file, names[i]) != QL_H5R_NONE) return names[i];
    return names[0];
}

static ql_h5ad_names find_names(hid_t file)
{
    return (ql_h5ad_names){.x = called(file, x_names),
                           .raw_x = called(file, raw_x_names),
                           .obs = called(file, obs_names),
                           .var = called(file, var_names),
                           .raw_var = called(file, raw_var_names)};
}

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    hid_t file = ql_h5r_try_open(path);
    (void)err;
    *is = false;
    if (file < 0) return QL_OK;
    ql_h5ad_names names = find_names(file);
    *is = ql_h5ad_is_compound(file, names.obs) || ql_h5ad_is_compound(file, names.var);
    *is = *is && ql_h5r_kind_of(file, names.obs) != QL_H5R_NONE &&
          ql_h5r_kind_of(file, names.var) != QL_H5R_NONE;
    ql_h5r_close(file);
    return QL_OK;
}

static ql_status read_old(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                          ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    ql_h5ad_names names = find_names(file);
    QL_GO(ql_h5ad_read(file, &names, r, true, ds, notes, err));
out:
    ql_h5r_close(file);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    ql_h5ad_names names = find_names(file);
    ql_str_puts(out, "h5ad of anndata 0.6 or older (frames are compound datasets)\n");
    QL_GO(ql_h5ad_describe(file, &names, out, err));
out:
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_h5ad_old = {
    .name = "h5ad-old",
    .summary = "AnnData of anndata 0.6 or older",
    .sniff = sniff,
    .read = read_old,
    .describe = describe,
};
