/* A categorical column: codes in the smallest type that holds them, as pandas has it. */
#include <stdio.h>
#include <string.h>

#include "../hdf5/h5_error.h"
#include "../hdf5/h5_out.h"
#include "h5ad_writer_internal.h"
#include "quell/alloc.h"

typedef struct {
    const char *name;
    const int32_t *code;
    int64_t n;
    const ql_names *categories;
} category;

static ql_status check(const ql_h5ad_writer *w, const char *frame, const category *c, ql_err *err)
{
    const bool cells = strcmp(frame, "obs") == 0;
    if ((!cells && strcmp(frame, "var") != 0) || c->n != (cells ? w->n_cells : w->n_genes))
        return ql_fail(err, QL_EINTERNAL, "%s: a column of %lld values", frame, (long long)c->n);
    for (int64_t i = 0; i < c->n; i++)
        if (c->code[i] < -1 || c->code[i] >= c->categories->n)
            return ql_fail(err, QL_EINTERNAL, "%s/%s: category %d at %lld", frame, c->name,
                           c->code[i], (long long)i);
    return QL_OK;
}

static ql_status write_codes(hid_t group, const category *c, ql_err *err)
{
    const bool tiny = c->categories->n <= INT8_MAX, small = c->categories->n <= INT16_MAX;
    void *packed;
    if (!small) return ql_h5out_array(group, "codes", H5T_NATIVE_INT32, c->n, c->code, err);
    QL_TRY(ql_new_(&packed, c->n, tiny ? 1 : 2, "the codes of a column", err));
    for (int64_t i = 0; i < c->n; i++) {
        if (tiny)
            ((int8_t *)packed)[i] = (int8_t)c->code[i];
        else
            ((int16_t *)packed)[i] = (int16_t)c->code[i];
    }
    ql_status st = ql_h5out_array(group, "codes", tiny ? H5T_NATIVE_INT8 : H5T_NATIVE_INT16, c->n,
                                  packed, err);
    ql_free(packed);
    return st;
}

static ql_status write_column(hid_t frame, const category *c, ql_err *err)
{
    hid_t group = -1;
    ql_status st;
    QL_TRY(ql_h5out_group(frame, c->name, "categorical", "0.2.0", &group, err));
    QL_GO(ql_h5out_attr_bool(group, "ordered", false, err));
    QL_GO(write_codes(group, c, err));
    QL_GO(ql_h5out_strings(group, "categories", c->categories, err));
    return ql_h5out_close(group, c->name, err);
out:
    H5Gclose(group);
    return st;
}

static ql_status add_column(ql_h5ad_writer *w, hid_t frame, const category *c, ql_err *err)
{
    ql_names order = {0};
    ql_status st;
    QL_GO(ql_h5out_read_strings(frame, "column-order", &order, err));
    QL_GO(ql_h5ad_place_column(w, frame, c->name, &order, err));
    QL_GO(write_column(frame, c, err));
    QL_GO(ql_h5out_attr_strings(frame, "column-order", &order, err));
out:
    ql_names_free(&order);
    return st;
}

static ql_status add(ql_h5ad_writer *w, const char *frame, const category *c, ql_err *err)
{
    char key[300];
    (void)snprintf(key, sizeof key, "%s/%s", frame, c->name);
    QL_TRY(ql_h5ad_note(w, "category", key, err));
    QL_TRY(check(w, frame, c, err));
    hid_t group = H5Gopen2(w->file, frame, H5P_DEFAULT);
    if (group < 0) return ql_h5_fail(err, QL_EIO, "cannot open %s", frame);
    ql_status st = add_column(w, group, c, err);
    if (st == QL_OK) return ql_h5out_close(group, frame, err);
    ql_context(err, st, "%s", frame);
    H5Gclose(group);
    return st;
}

ql_status ql_h5ad_categories(ql_h5ad_writer *w, const char *frame, const char *name,
                             const int32_t *code, int64_t n, const ql_names *categories,
                             ql_err *err)
{
    const category c = {name, code, n, categories};
    return ql_h5ad_done(w, add(w, frame, &c, err), err);
}
