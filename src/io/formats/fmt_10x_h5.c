/* 10x HDF5 of Cell Ranger 3 and later, CellBender, Space Ranger, Xenium, DropletUtils: group
 * /matrix with features. The arrays are csc of features x barcodes, which is csr of cells x
 * features. */
#include <inttypes.h>

#include "../counts/band_sink.h"
#include "../hdf5/h5_names.h"
#include "../hdf5/matrix_h5.h"
#include "../text/wording.h"
#include "../text/xml_text.h"
#include "h5_10x.h"
#include "quell/reader.h"

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    (void)err;
    hid_t file = ql_h5r_try_open(path);
    *is = file >= 0 && ql_h5r_kind_of(file, "matrix") == QL_H5R_GROUP &&
          ql_h5r_kind_of(file, "matrix/features") == QL_H5R_GROUP;
    ql_h5r_close(file);
    return QL_OK;
}

/* An optional list of the features: as many as there are ids, or one for all. */
static ql_status optional(hid_t file, const char *path, int64_t n, ql_names *out, ql_notes *notes,
                          ql_err *err)
{
    if (ql_h5r_kind_of(file, path) == QL_H5R_NONE) return QL_OK;
    QL_TRY(ql_h5r_names_of(file, path, n, out, err));
    if (out->n == n) return QL_OK;
    ql_note_add(notes, QL_NOTE_WARNING,
                "/%s: has %" PRId64 " values for %" PRId64 " features: ignored", path, out->n, n);
    ql_names_free(out);
    return QL_OK;
}

static ql_status read_features(hid_t file, ql_features *f, ql_notes *notes, ql_err *err)
{
    QL_TRY(ql_h5r_names(file, "matrix/features/id", &f->id, err));
    QL_TRY(optional(file, "matrix/features/name", f->id.n, &f->name, notes, err));
    QL_TRY(optional(file, "matrix/features/feature_type", f->id.n, &f->type, notes, err));
    QL_TRY(optional(file, "matrix/features/genome", f->id.n, &f->genome, notes, err));
    QL_TRY(ql_xml_decode_names(&f->id, err));
    return ql_xml_decode_names(&f->name, err);
}

static ql_status check_lengths(const int64_t shape[2], int64_t n_features, int64_t n_cells,
                               ql_err *err)
{
    if (shape[0] == n_features && shape[1] == n_cells) return QL_OK;
    return ql_fail(err, QL_EDATA,
                   "/matrix: shape is %" PRId64 " x %" PRId64 ", but there are %" PRId64
                   " features and %" PRId64 " barcodes",
                   shape[0], shape[1], n_features, n_cells);
}

static ql_status read_matrix(hid_t file, const ql_features *f, const ql_reading *r, ql_csr *m,
                             ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    int64_t shape[2], n_duplicates = 0;
    float count_max = 0.0f;
    QL_TRY(ql_h5r_names(file, "matrix/barcodes", &ds->cells.index, err));
    QL_TRY(ql_xml_decode_names(&ds->cells.index, err));
    QL_TRY(ql_10x_shape(file, "matrix", shape, err));
    QL_TRY(check_lengths(shape, f->id.n, ds->cells.index.n, err));
    if (r->sink) return ql_10x_stream(file, "matrix", "features", f, r, ds, notes, err);
    QL_TRY(ql_matrix_h5_rows(file, "matrix", shape[1], shape[0], "features", r->opt->threads, m,
                             &n_duplicates, &count_max, err));
    ql_note_duplicates(n_duplicates, notes);
    const int64_t n_entries = ql_csr_nnz(m);
    QL_TRY(ql_features_apply(f, r->opt, m, ds, notes, err));
    if (ql_csr_nnz(&ds->counts) == n_entries) ds->count_max = count_max; /* none was left out */
    return QL_OK;
}

/* Probe-level files look alike; their rows are probes, several a gene. */
static void note_probes(hid_t file, ql_notes *notes)
{
    if (ql_h5r_kind_of(file, "matrix/features/probe_region") != QL_H5R_DATASET) return;
    ql_note_add(notes, QL_NOTE_WARNING, "the rows are probes, not genes (a probe-level matrix)");
}

static ql_status read_10x(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                          ql_err *err)
{
    hid_t file = -1;
    ql_features f = {0};
    ql_csr m = {0};
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(read_features(file, &f, notes, err));
    QL_GO(read_matrix(file, &f, r, &m, ds, notes, err));
    note_probes(file, notes);
    QL_GO(ql_set_text(&ds->matrix, "matrix", err));
out:
    ql_csr_free(&m);
    ql_features_free(&f);
    ql_h5r_close(file);
    return st;
}

/* "feature types  32,738 Gene Expression, 12 Custom" of the strings at path; nothing if absent. */
static ql_status describe_tally(hid_t file, const char *path, const char *label, ql_str *out,
                                ql_err *err)
{
    ql_names values = {0};
    if (ql_h5r_kind_of(file, path) == QL_H5R_NONE) return QL_OK;
    ql_status st = ql_h5r_names(file, path, &values, err);
    if (st == QL_OK) {
        ql_str_printf(out, "%s  ", label);
        ql_tally_text(&values, out);
        ql_str_puts(out, "\n");
    }
    ql_names_free(&values);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    int64_t shape[2];
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_10x_shape(file, "matrix", shape, err));
    ql_str_printf(out, "10x HDF5 of Cell Ranger 3 or later%s\n",
                  ql_10x_is_cellbender(file) ? " (written by CellBender)" : "");
    QL_GO(ql_10x_describe(file, "matrix", shape, out, err));
    QL_GO(describe_tally(file, "matrix/features/feature_type", "feature types", out, err));
    QL_GO(describe_tally(file, "matrix/features/genome", "genomes", out, err));
out:
    ql_h5r_close(file);
    return st;
}

static ql_status measure(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                         ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    (void)opt;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_10x_measure(file, "matrix", out, err));
out:
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_10x_h5 = {
    .name = "10x-h5",
    .summary = "10x HDF5 of Cell Ranger 3 or later, CellBender, Space Ranger",
    .sniff = sniff,
    .read = read_10x,
    .describe = describe,
    .measure = measure,
};
