#include "quell/h5ad_results.h"

#include <string.h>

#include "../hdf5/h5_chunks.h"
#include "../hdf5/h5_names.h"
#include "../hdf5/matrix_h5.h"
#include "quell/alloc.h"

struct ql_h5ad_results {
    hid_t file;
};

ql_status ql_results_open(const char *path, ql_h5ad_results **out, ql_err *err)
{
    QL_TRY(QL_NEW(*out, 1, "a file", err));
    (*out)->file = -1;
    ql_status st = ql_h5r_open(path, &(*out)->file, err);
    if (st == QL_OK) return st;
    ql_results_close(*out);
    *out = NULL;
    return st;
}

void ql_results_close(ql_h5ad_results *r)
{
    if (!r) return;
    ql_h5r_close(r->file);
    ql_free(r);
}

bool ql_results_text(const ql_h5ad_results *r, const char *path, ql_str *out)
{
    ql_names names = {0};
    bool is = ql_h5r_kind_of(r->file, path) == QL_H5R_DATASET &&
              ql_h5r_names_of(r->file, path, 1, &names, NULL) == QL_OK && names.n == 1;
    if (is) ql_str_puts(out, ql_name(&names, 0));
    ql_names_free(&names);
    return is;
}

bool ql_results_numbers(const ql_h5ad_results *r, const char *path, int64_t most, double *out,
                        int64_t *n)
{
    ql_h5r_array a = {0};
    if (ql_h5r_kind_of(r->file, path) != QL_H5R_DATASET) return false;
    bool is = ql_h5r_array_open(r->file, path, -1, &a, NULL) == QL_OK;
    if (!is) return false;
    is = a.numeric && a.n <= most && ql_h5r_check_chunks(&a, 1, NULL) == QL_OK &&
         (a.n == 0 || H5Dread(a.id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    *n = a.n;
    ql_h5r_array_close(&a);
    return is;
}

bool ql_results_number(const ql_h5ad_results *r, const char *path, double *out)
{
    int64_t n;
    double value;
    if (!ql_results_numbers(r, path, 1, &value, &n) || n != 1) return false;
    *out = value;
    return true;
}

bool ql_results_texts(const ql_h5ad_results *r, const char *path, int64_t most, ql_names *out)
{
    int64_t n = 0;
    return ql_h5r_kind_of(r->file, path) == QL_H5R_DATASET &&
           ql_h5r_names_count(r->file, path, &n, NULL) == QL_OK && n <= most &&
           ql_h5r_names(r->file, path, out, NULL) == QL_OK;
}

bool ql_results_members(const ql_h5ad_results *r, const char *path, int64_t most, ql_names *out)
{
    return ql_h5r_kind_of(r->file, path) == QL_H5R_GROUP &&
           ql_h5r_members(r->file, path, most, out, NULL, NULL) == QL_OK;
}

/* ---- columns of a dense layer ---- */

typedef struct {
    const ql_results_pick *pick;
    float *out;
} picking;

static ql_status take_band(void *ctx, ql_csr *rows, int64_t first_row, bool *stop, ql_err *err)
{
    picking *p = ctx;
    const int64_t n_cells = p->pick->n_cells;
    (void)stop;
    (void)err;
    for (int64_t i = 0; i < rows->n_rows; i++)
        for (int64_t k = rows->indptr[i]; k < rows->indptr[i + 1]; k++)
            for (int g = 0; g < p->pick->n; g++)
                if (p->pick->gene[g] == rows->indices[k])
                    p->out[g * n_cells + first_row + i] = rows->data[k];
    return QL_OK;
}

ql_status ql_results_columns(const ql_h5ad_results *r, const char *path,
                             const ql_results_pick *pick, float *out, bool *found, ql_err *err)
{
    picking p = {.pick = pick, .out = out};
    ql_matrix_info info;
    *found = ql_h5r_kind_of(r->file, path) == QL_H5R_DATASET &&
             ql_matrix_h5_info(r->file, path, &info, NULL) == QL_OK &&
             info.layout == QL_LAYOUT_DENSE && info.n_rows == pick->n_cells &&
             info.n_cols == pick->n_genes;
    if (!*found) return QL_OK;
    memset(out, 0, sizeof *out * (size_t)(pick->n * pick->n_cells));
    return ql_matrix_h5_dense_bands(r->file, path, pick->threads, take_band, &p, err);
}
