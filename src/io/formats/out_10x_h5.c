/* 10x HDF5 as Cell Ranger 3 and later write it. Our rows of cells are its columns of barcodes, so
 * the three arrays are written as they are. */
#include <string.h>

#include "../hdf5/chunk_writer.h"
#include "../hdf5/h5_out.h"
#include "../hdf5/h5_result.h"
#include "../text/xml_text.h"
#include "out_level.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

enum {
    CHUNK = 65536,      /* values */
    FIXED_MAX = 256,    /* longer names are stored with a length of their own */
    FORMAT_VERSION = 2, /* of the layout; Cell Ranger's own number */
};

static const char GENE_TYPE[] = "Gene Expression", NO_GENOME[] = "unknown";

/* ---- arrays ---- */

typedef struct {
    const ql_csr *m;
    const ql_out_options *opt;
    hid_t count_type;
} job;

/* Values at .. at + n - 1 in the type of the file. */
typedef void convert(const job *j, int64_t at, int64_t n, void *out);

static void counts_at(const job *j, int64_t at, int64_t n, void *out)
{
    ql_h5_convert_counts(j->count_type, j->m->data + at, n, out);
}

static void indices_at(const job *j, int64_t at, int64_t n, void *out)
{
    int64_t *to = out;
    for (int64_t i = 0; i < n; i++) to[i] = j->m->indices[at + i];
}

static ql_chunk_spec spec_of(const job *j, hid_t group, const char *name, hid_t type, int64_t n)
{
    return ql_chunk_list(group, name, type, n, CHUNK, ql_out_level(j->opt, 1), j->opt->threads);
}

static ql_status write_bands(ql_chunk_writer *w, const job *j, int64_t n, size_t size,
                             convert *fill, ql_err *err)
{
    int64_t band = ql_chunks_band(w);
    void *values = NULL;
    ql_status st;
    QL_TRY(ql_new_(&values, band, size, "a block of the output", err));
    st = QL_OK;
    for (int64_t at = 0; at < n; at += band) {
        int64_t now = n - at < band ? n - at : band;
        QL_GO(ql_interrupt_check(err));
        fill(j, at, now, values);
        QL_GO(ql_chunks_rows(w, values, now, err));
    }
out:
    ql_free(values);
    return st;
}

static ql_status write_converted(const job *j, hid_t group, const char *name, hid_t type,
                                 convert *fill, ql_err *err)
{
    int64_t n = ql_csr_nnz(j->m);
    const ql_chunk_spec spec = spec_of(j, group, name, type, n);
    ql_chunk_writer *w = NULL;
    QL_TRY(ql_chunks_open(&spec, &w, err));
    ql_status st = write_bands(w, j, n, H5Tget_size(type), fill, err);
    if (st == QL_OK) return ql_chunks_close(w, err);
    ql_chunks_abort(w);
    return st;
}

static ql_status write_matrix(const job *j, hid_t group, ql_err *err)
{
    const ql_csr *m = j->m;
    const int32_t shape[2] = {(int32_t)m->n_cols, (int32_t)m->n_rows};
    ql_chunk_spec spec = spec_of(j, group, "indptr", H5T_NATIVE_INT64, m->n_rows + 1);
    QL_TRY(write_converted(j, group, "data", j->count_type, counts_at, err));
    QL_TRY(write_converted(j, group, "indices", H5T_NATIVE_INT64, indices_at, err));
    QL_TRY(ql_chunks_write(&spec, m->indptr, err));
    spec = spec_of(j, group, "shape", H5T_NATIVE_INT32, 2);
    spec.level = 0;
    return ql_chunks_write(&spec, shape, err);
}

/* ---- names ---- */

static size_t longest(const ql_names *names)
{
    size_t most = 1; /* HDF5 has no strings of size 0 */
    for (int64_t i = 0; i < names->n; i++) {
        size_t n = strlen(ql_name(names, i));
        if (n > most) most = n;
    }
    return most;
}

/* ASCII of one length, padded with NUL, as Cell Ranger's own. */
static ql_status write_fixed(const job *j, hid_t group, const char *name, const ql_names *names,
                             size_t size, ql_err *err)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    char *block = NULL;
    ql_status st;
    QL_GO(ql_new_((void **)&block, names->n, size, "names", err));
    for (int64_t i = 0; i < names->n; i++) {
        const char *s = ql_name(names, i);
        memcpy(block + (size_t)i * size, s, strnlen(s, size));
    }
    if (type < 0 || H5Tset_size(type, size) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)
        QL_GO(ql_fail(err, QL_EINTERNAL, "%s: no type for its strings", name));
    const ql_chunk_spec spec = spec_of(j, group, name, type, names->n);
    QL_GO(ql_chunks_write(&spec, block, err));
out:
    ql_free(block);
    if (type >= 0) H5Tclose(type);
    return st;
}

static ql_status write_names(const job *j, hid_t group, const char *name, const ql_names *names,
                             ql_err *err)
{
    ql_names ascii = {0};
    ql_status st = ql_xml_encode_names(names, &ascii, err);
    if (st == QL_OK) {
        size_t size = longest(&ascii);
        st = size <= FIXED_MAX ? write_fixed(j, group, name, &ascii, size, err)
                               : ql_h5out_strings(group, name, &ascii, err);
    }
    ql_names_free(&ascii);
    return st;
}

/* A column of the genes, or the same text for all where there is none. */
static ql_status write_column(const job *j, hid_t group, const char *name, const ql_names *values,
                              const char *otherwise, ql_err *err)
{
    ql_names same = {0};
    ql_status st = QL_OK;
    if (values) return write_names(j, group, name, values, err);
    for (int64_t i = 0; st == QL_OK && i < j->m->n_cols; i++)
        st = ql_names_add(&same, otherwise, strlen(otherwise), err);
    if (st == QL_OK) st = write_names(j, group, name, &same, err);
    ql_names_free(&same);
    return st;
}

static ql_status write_tag_keys(const job *j, hid_t group, ql_err *err)
{
    ql_names keys = {0};
    ql_status st = ql_names_add(&keys, "genome", strlen("genome"), err);
    if (st == QL_OK) st = write_names(j, group, "_all_tag_keys", &keys, err);
    ql_names_free(&keys);
    return st;
}

static ql_status write_features(const job *j, const ql_dataset *ds, hid_t matrix, ql_err *err)
{
    const ql_names *ids = ql_frame_texts(&ds->genes, "gene_ids");
    hid_t group = -1;
    ql_status st;
    QL_TRY(ql_h5out_group(matrix, "features", NULL, NULL, &group, err));
    QL_GO(write_names(j, group, "id", ids ? ids : &ds->genes.index, err));
    QL_GO(write_names(j, group, "name", &ds->genes.index, err));
    QL_GO(write_column(j, group, "feature_type", ql_frame_texts(&ds->genes, "feature_types"),
                       GENE_TYPE, err));
    QL_GO(write_column(j, group, "genome", ql_frame_texts(&ds->genes, "genome"), NO_GENOME, err));
    QL_GO(write_tag_keys(j, group, err));
    return ql_h5out_close(group, "features", err);
out:
    H5Gclose(group);
    return st;
}

static ql_status write_group(const job *j, const ql_dataset *ds, hid_t file, ql_err *err)
{
    hid_t group = -1;
    ql_status st;
    QL_TRY(ql_h5out_group(file, "matrix", NULL, NULL, &group, err));
    QL_GO(write_names(j, group, "barcodes", &ds->cells.index, err));
    QL_GO(write_matrix(j, group, err));
    QL_GO(write_features(j, ds, group, err));
    return ql_h5out_close(group, "matrix", err);
out:
    H5Gclose(group);
    return st;
}

static ql_status write_root(hid_t file, ql_err *err)
{
    const int64_t version = FORMAT_VERSION;
    QL_TRY(ql_h5out_attr_string(file, "filetype", "matrix", err));
    return ql_h5out_attr_int64s(file, "version", &version, -1, err);
}

static ql_status write_10x_h5(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                              ql_notes *notes, ql_err *err)
{
    const job j = {&ds->counts, opt, ql_h5_count_type(&ds->counts)};
    ql_h5_result r;
    (void)notes;
    QL_TRY(ql_h5_result_begin(&r, path, ds->path, opt->force, err));
    ql_status st = write_root(r.file, err);
    if (st == QL_OK) st = write_group(&j, ds, r.file, err);
    return ql_h5_result_end(&r, st, err);
}

static const char *const extensions[] = {".h5", ".hdf5", NULL};
static const char *const gene_columns[] = {"gene_ids", "feature_types", "genome", NULL};

const ql_out_format ql_out_10x_h5 = {
    .name = "10x-h5",
    .summary = "10x HDF5 as Cell Ranger 3 and later write it",
    .extensions = extensions,
    .gene_columns = gene_columns,
    .write = write_10x_h5,
};
