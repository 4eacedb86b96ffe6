/* A sparse matrix that is whole in memory, as a csr_matrix. */
#include "../hdf5/h5_out.h"
#include "h5ad_entries.h"
#include "h5ad_start.h"
#include "h5ad_writer_internal.h"

static ql_status write_arrays(const ql_h5ad_writer *w, hid_t group, const ql_sparse_out *m,
                              ql_err *err)
{
    const int64_t nnz = m->indptr[m->n_rows], shape[2] = {m->n_rows, m->n_cols};
    const hid_t type = m->values ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    const void *values = m->values ? (const void *)m->values : m->doubles;
    QL_TRY(ql_h5out_attr_int64s(group, "shape", shape, 2, err));
    QL_TRY(ql_h5ad_write_entries(group, "data", type, nnz, values, &w->opt, err));
    QL_TRY(
        ql_h5ad_write_entries(group, "indices", H5T_NATIVE_INT32, nnz, m->indices, &w->opt, err));
    return ql_h5ad_write_indptr(group, m->indptr, m->n_rows, &w->opt, err);
}

static ql_status write_sparse(ql_h5ad_writer *w, const char *key, const ql_sparse_out *m,
                              ql_err *err)
{
    hid_t parent = -1, group = -1;
    const char *leaf = NULL;
    QL_TRY(ql_h5ad_note(w, "sparse", key, err));
    QL_TRY(ql_h5ad_check_shape(w, key, m->n_rows, m->n_cols, err));
    QL_TRY(ql_h5ad_open_parent(w, key, &parent, &leaf, err));
    ql_status st = ql_h5out_group(parent, leaf, "csr_matrix", "0.1.0", &group, err);
    if (st == QL_OK) st = write_arrays(w, group, m, err);
    if (st == QL_OK) {
        st = ql_h5out_close(group, key, err);
    } else if (group >= 0) {
        H5Gclose(group);
    }
    if (st == QL_OK) return ql_h5out_close(parent, key, err);
    H5Gclose(parent);
    return st;
}

ql_status ql_h5ad_sparse(ql_h5ad_writer *w, const char *key, const ql_sparse_out *m, ql_err *err)
{
    return ql_h5ad_done(w, write_sparse(w, key, m, err), err);
}
