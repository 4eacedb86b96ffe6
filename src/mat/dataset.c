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
    ql_free(ds->path);
    ql_free(ds->format);
    ql_free(ds->matrix);
    *ds = (ql_dataset){0};
}

ql_rows ql_dataset_rows(const ql_dataset *ds)
{
    return ds->store ? ql_rows_of_store(ds->store) : ql_rows_of_csr(&ds->counts);
}
