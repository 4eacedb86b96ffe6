/* Counts with the names of their cells and genes. */
#include "quell/dataset.h"

#include "quell/alloc.h"

void ql_dataset_free(ql_dataset *ds)
{
    if (!ds) return;
    ql_csr_free(&ds->counts);
    ql_frame_free(&ds->cells);
    ql_frame_free(&ds->genes);
    ql_names_free(&ds->others);
    ql_free(ds->path);
    ql_free(ds->format);
    ql_free(ds->matrix);
    *ds = (ql_dataset){0};
}
