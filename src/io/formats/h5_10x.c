#include "h5_10x.h"

#include <inttypes.h>
#include <stdio.h>

#include "../hdf5/h5_values.h"
#include "../hdf5/matrix_h5_stream.h"
#include "../hdf5/read_sizes.h"
#include "../text/wording.h"
#include "quell/alloc.h"
#include "quell/reader.h"

ql_status ql_10x_shape(hid_t file, const char *group, int64_t shape[2], ql_err *err)
{
    char path[1200];
    ql_h5r_array a;
    (void)snprintf(path, sizeof path, "%s/shape", group);
    QL_TRY(ql_h5r_array_open(file, path, 1, &a, err));
    ql_status st = ql_h5r_need_integers(&a, err);
    if (st == QL_OK && a.n != 2)
        st = ql_fail(err, QL_EDATA, "%s: has %" PRId64 " numbers, 2 expected", a.path, a.n);
    if (st == QL_OK) st = ql_h5r_read_i64(&a, 2, 1, shape, err);
    if (st == QL_OK &&
        (shape[0] < 0 || shape[1] < 0 || shape[0] > INT32_MAX || shape[1] > INT32_MAX))
        st = ql_fail(err, QL_EDATA, "%s: is %" PRId64 " x %" PRId64 ", which is no shape", a.path,
                     shape[0], shape[1]);
    ql_h5r_array_close(&a);
    return st;
}

ql_status ql_10x_stream(hid_t file, const char *group, const char *cols,
                        const ql_features *features, const ql_reading *r, ql_dataset *ds,
                        ql_notes *notes, ql_err *err)
{
    ql_band_sink *s = r->sink;
    uint8_t *keep = NULL;
    ql_status st;
    QL_GO(ql_features_choose(features, r->opt, &keep, ds, notes, err));
    s->keep = keep;
    ql_sink_name(s, ds);
    QL_GO(ql_matrix_h5_stream_arrays(file, group, ds->cells.index.n, features->id.n, cols, s, err));
    QL_GO(ql_sink_end(s, ds, err));
    ql_note_duplicates(s->n_duplicates, notes);
out:
    s->keep = NULL;
    ql_free(keep);
    return st;
}

ql_status ql_10x_measure(hid_t file, const char *group, ql_read_sizes *out, ql_err *err)
{
    int64_t shape[2];
    QL_TRY(ql_10x_shape(file, group, shape, err));
    *out = (ql_read_sizes){.n_rows = shape[1], .n_cols = shape[0], .streams = true};
    QL_TRY(ql_sizes_of_rows(file, group, shape[1], out, err));
    ql_sizes_finish(out, true); /* columns are chosen from a copy */
    return QL_OK;
}

ql_status ql_10x_describe(hid_t file, const char *group, const int64_t shape[2], ql_str *out,
                          ql_err *err)
{
    ql_h5r_array a;
    char path[1200];
    ql_grouped cells, features, nnz;
    (void)snprintf(path, sizeof path, "%s/data", group);
    QL_TRY(ql_h5r_array_open(file, path, 1, &a, err));
    ql_str_printf(out, "%s  %s  %s cells x %s features, %s stored\n", group, ql_h5r_type_text(&a),
                  ql_group_digits(shape[1], cells), ql_group_digits(shape[0], features),
                  ql_group_digits(a.n, nnz));
    ql_h5r_array_close(&a);
    return QL_OK;
}

bool ql_10x_is_cellbender(hid_t file)
{
    return ql_h5r_kind_of(file, "droplet_latents") == QL_H5R_GROUP ||
           ql_h5r_kind_of(file, "global_latents") == QL_H5R_GROUP;
}
