/* Counts with the names of their cells and genes. */
#include "quell/dataset.h"

#include "quell/alloc.h"

void ql_dataset_free(ql_dataset *ds)
{
    if (!ds) return;
    ql_csr_free(&ds->counts);
    ql_store_free(ds->store);
    ql_frame_free(&ds->cells);
    ql_frame_free(&ds->genes);
    ql_names_free(&ds->others);
    ql_free(ds->path);
    ql_free(ds->format);
    ql_free(ds->matrix);
    *ds = (ql_dataset){0};
}

ql_rows ql_dataset_rows(const ql_dataset *ds)
{
    return ds->store ? ql_rows_of_store(ds->store) : ql_rows_of_csr(&ds->counts);
}

ql_status ql_dataset_stream(ql_dataset *ds, const char *folder, int64_t near_bytes, ql_err *err)
{
    int64_t n_rows = ds->counts.n_rows, n_cols = ds->counts.n_cols;
    ql_row_store *store = NULL;
    ql_status st;
    QL_GO(ql_store_new(folder, n_rows, n_cols, &store, err));
    QL_GO(ql_store_add(store, &ds->counts, err));
    ql_csr_free(&ds->counts);
    ds->counts = (ql_csr){.n_rows = n_rows, .n_cols = n_cols};
    QL_GO(ql_store_finish(store, near_bytes, err));
    ds->store = store;
out:
    if (st != QL_OK) ql_store_free(store);
    return st;
}
