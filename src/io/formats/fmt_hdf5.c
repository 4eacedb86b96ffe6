/* Any HDF5 file with the counts in a dataset (or a sparse group) that --dataset names. Never
 * detected: nothing in such a file says what its rows are. */
#include <inttypes.h>
#include <string.h>

#include "../hdf5/h5_describe.h"
#include "../hdf5/matrix_h5_stream.h"
#include "../text/name_lines.h"
#include "../text/wording.h"
#include "quell/reader.h"

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    (void)path;
    (void)err;
    *is = false;
    return QL_OK;
}

static const char *without_slash(const char *path)
{
    while (*path == '/') path++;
    return path;
}

/* Cells x genes from the matrix at path. */
static ql_status read_matrix(hid_t file, const char *path, const ql_read_options *opt,
                             ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_matrix_info info;
    ql_csr stored = {0};
    int64_t n_duplicates = 0;
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    QL_TRY(ql_matrix_h5_read(file, path, info.n_rows, info.n_cols, opt->threads, &stored,
                             &n_duplicates, err));
    ql_note_duplicates(n_duplicates, notes);
    if (opt->orient != QL_ORIENT_GENES_X_CELLS) {
        ds->counts = stored;
        return QL_OK;
    }
    ql_status st = ql_csr_transpose_threads(&stored, opt->threads, &ds->counts, err);
    ql_csr_free(&stored);
    return st;
}

/* One name a line; a header is dropped when there is one line too many. */
static ql_status names_of_file(const char *path, const char *what, int64_t n, ql_names *out,
                               ql_err *err)
{
    ql_name_lines lines = {0};
    bool dropped = false;
    ql_status st;
    QL_GO(ql_name_lines_read(path, &lines, err));
    if (lines.field[0].n == n + 1) QL_GO(ql_name_lines_drop_header(&lines, &dropped, err));
    if (lines.field[0].n != n) {
        st = ql_fail(err, QL_EDATA, "%s: has %" PRId64 " lines, but there are %" PRId64 " %ss",
                     path, lines.field[0].n, n, what);
        goto out;
    }
    QL_GO(ql_names_copy(&lines.field[0], out, err));
out:
    ql_name_lines_free(&lines);
    return st;
}

static ql_status read_names(const char *path, const char *what, int64_t n, ql_names *out,
                            ql_notes *notes, ql_err *err)
{
    if (path) return names_of_file(path, what, n, out, err);
    ql_note_add(notes, QL_NOTE_WARNING,
                "the file has no names of the %ss: called %s_1 to %s_%" PRId64, what, what, what,
                n);
    return ql_names_number(what, n, out, err);
}

static ql_status read_both_names(const ql_read_options *opt, int64_t n_cells, int64_t n_genes,
                                 ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    QL_TRY(read_names(opt->barcodes_file, "cell", n_cells, &ds->cells.index, notes, err));
    return read_names(opt->genes_file, "gene", n_genes, &ds->genes.index, notes, err);
}

static ql_status stream_all(hid_t file, const char *path, const ql_reading *r, ql_dataset *ds,
                            ql_notes *notes, ql_err *err)
{
    ql_matrix_info info;
    ql_band_sink *s = r->sink;
    bool turned = r->opt->orient == QL_ORIENT_GENES_X_CELLS;
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    int64_t n_cells = turned ? info.n_cols : info.n_rows,
            n_genes = turned ? info.n_rows : info.n_cols;
    QL_TRY(read_both_names(r->opt, n_cells, n_genes, ds, notes, err));
    QL_TRY((turned ? ql_matrix_h5_stream_turned : ql_matrix_h5_stream)(file, path, n_cells, n_genes,
                                                                       s, ds, err));
    ql_note_duplicates(s->n_duplicates, notes);
    return QL_OK;
}

static ql_status read_all(hid_t file, const char *path, const ql_reading *r, ql_dataset *ds,
                          ql_notes *notes, ql_err *err)
{
    if (r->sink) return stream_all(file, path, r, ds, notes, err);
    QL_TRY(read_matrix(file, path, r->opt, ds, notes, err));
    return read_both_names(r->opt, ds->counts.n_rows, ds->counts.n_cols, ds, notes, err);
}

static ql_status read_hdf5(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                           ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    if (!r->opt->dataset) {
        ql_fail(err, QL_EUSAGE, "format hdf5 needs --dataset");
        return ql_hint(err, QL_EUSAGE, "name the dataset that holds the counts, cells x genes");
    }
    const char *dataset = without_slash(r->opt->dataset);
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(read_all(file, dataset, r, ds, notes, err));
    QL_GO(ql_set_text(&ds->matrix, dataset, err));
out:
    ql_h5r_close(file);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    ql_names members = {0};
    int64_t total = 0;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_h5r_members(file, "/", 20, &members, &total, err));
    ql_str_puts(out, "HDF5 of no known layout; its root holds ");
    ql_list_names(&members, total, out);
    ql_str_puts(out, "\n");
    for (int64_t i = 0; i < members.n; i++)
        if (ql_h5r_kind_of(file, ql_name(&members, i)) == QL_H5R_DATASET)
            ql_h5_describe_matrix(file, ql_name(&members, i), "rows", "columns", out);
out:
    ql_names_free(&members);
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_hdf5 = {
    .name = "hdf5",
    .summary = "other HDF5, the dataset named by --dataset",
    .sniff = sniff,
    .read = read_hdf5,
    .describe = describe,
};
