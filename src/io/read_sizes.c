/* How large a matrix is, from what a file says of it, before its entries are read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "entry_sink.h"
#include "formats.h"
#include "folder.h"
#include "h5_names.h"
#include "h5_values.h"
#include "h5ad_parts.h"
#include "matrix_h5.h"
#include "mtx_folder.h"
#include "pipe_input.h"
#include "quell/alloc.h"
#include "sparse_bands.h"

/* What the readers hold beside the result: blocks of the file, chunks in work. */
enum { WHOLE_BUFFERS = 96 << 20, BAND_BUFFERS = 32 << 20, TEXT_BUFFERS = 72 << 20 };

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The longest row, and how many entries the rows have together. */
static ql_status measure_rows(hid_t file, const char *group, int64_t n_rows, ql_read_sizes *z,
                              ql_err *err)
{
    ql_sparse_h5 s = {0};
    int64_t *p = NULL;
    ql_status st = ql_sparse_h5_open(file, group, n_rows, &s, err);
    if (st != QL_OK) goto out;
    QL_GO(QL_NEW(p, n_rows + 1, s.indptr.path, err));
    QL_GO(ql_h5r_read_i64(&s.indptr, n_rows + 1, 1, p, err));
    QL_GO(ql_sparse_h5_check(&s.indptr, p, s.data.n, err));
    for (int64_t i = 0; i < n_rows; i++) z->max_row = most(z->max_row, p[i + 1] - p[i]);
    z->nnz = p[n_rows];
    /* as stored and inflated, where HDF5 does that */
    z->band_bytes = 2 * (ql_h5_chunk_bytes(&s.data) + ql_h5_chunk_bytes(&s.indices));
out:
    ql_free(p);
    ql_sparse_h5_close(&s);
    return st;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void finish(ql_read_sizes *z, bool twice)
{
    int64_t small = z->nnz < WHOLE_BUFFERS ? z->nnz * 32 : WHOLE_BUFFERS;
    if (z->max_row > z->n_cols) z->max_row = z->n_cols;
    z->whole_bytes = z->nnz * (twice ? 8 : 0) + 8 * z->n_rows + least(WHOLE_BUFFERS, small);
    z->band_bytes += 16 * z->max_row + 16 * z->n_rows + least(BAND_BUFFERS, small);
}

/* Of compressed columns nothing is known by row. */
static void sort_columns(hid_t file, const char *group, ql_read_sizes *z)
{
    ql_sparse_h5 s = {0};
    z->band_bytes = ql_sort_held(z->nnz, z->n_rows, z->n_cols) + 8 * z->n_cols;
    z->sort_bytes = ql_sort_file(z->nnz);
    if (ql_sparse_h5_open(file, group, z->n_cols, &s, NULL) == QL_OK)
        z->band_bytes += 2 * (ql_h5_chunk_bytes(&s.data) + ql_h5_chunk_bytes(&s.indices));
    ql_sparse_h5_close(&s);
}

static ql_status sizes_of_matrix(hid_t file, const char *path, ql_read_sizes *z, ql_err *err)
{
    ql_matrix_info info;
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    *z = (ql_read_sizes){.n_rows = info.n_rows,
                         .n_cols = info.n_cols,
                         .nnz = info.nnz,
                         .max_row = info.n_cols,
                         .rough = info.layout == QL_LAYOUT_DENSE,
                         .streams = true};
    if (info.layout == QL_LAYOUT_CSR) {
        z->max_row = 0;
        QL_TRY(measure_rows(file, path, info.n_rows, z, err));
    }
    if (info.layout == QL_LAYOUT_CSC) sort_columns(file, path, z);
    finish(z, info.layout != QL_LAYOUT_CSR);
    if (info.layout == QL_LAYOUT_DENSE)
        z->band_bytes += most(ql_matrix_h5_dense_cache(file, path), 8 * info.n_cols);
    return QL_OK;
}

/* Which of several matrices holds the counts shows when they are read; the plan is for any. */
static void cover(ql_read_sizes *all, const ql_read_sizes *z)
{
    bool first = all->n_rows == 0;
    all->n_rows = most(all->n_rows, z->n_rows);
    all->n_cols = most(all->n_cols, z->n_cols);
    all->nnz = most(all->nnz, z->nnz);
    all->max_row = most(all->max_row, z->max_row);
    all->whole_bytes = most(all->whole_bytes, z->whole_bytes);
    all->band_bytes = most(all->band_bytes, z->band_bytes);
    all->sort_bytes = most(all->sort_bytes, z->sort_bytes);
    all->rough |= z->rough;
    all->streams = z->streams && (first || all->streams);
}

static int64_t index_length(hid_t file, const char *frame)
{
    ql_str path = {0};
    int64_t n = -1;
    if (ql_h5ad_index_path(file, frame, &path, NULL) != QL_OK ||
        ql_h5r_names_count(file, ql_str_text(&path), &n, NULL) != QL_OK)
        n = -1;
    ql_str_free(&path);
    return n;
}

/* A shape that its names contradict is no size to plan for: reading tells what is wrong. */
static bool fits_names(hid_t file, const ql_h5ad_names *names, const char *matrix,
                       const ql_read_sizes *z)
{
    const char *var = strcmp(matrix, names->raw_x) ? names->var : names->raw_var;
    return index_length(file, names->obs) == z->n_rows && index_length(file, var) == z->n_cols;
}

static ql_status sizes_of_h5ad(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                               ql_err *err)
{
    ql_names names = {0};
    hid_t file = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_h5ad_matrices(file, &ql_h5ad_modern_names, opt, &names, err));
    for (int64_t i = 0; i < names.n; i++) {
        ql_read_sizes z;
        /* what cannot be read is passed over, or told when it is */
        if (sizes_of_matrix(file, ql_name(&names, i), &z, NULL) == QL_OK &&
            fits_names(file, &ql_h5ad_modern_names, ql_name(&names, i), &z))
            cover(out, &z);
    }
out:
    ql_names_free(&names);
    ql_h5r_close(file);
    return st;
}

/* Of a 10x group, genes x cells. */
static ql_status sizes_of_10x_group(hid_t file, const char *group, ql_read_sizes *out, ql_err *err)
{
    int64_t shape[2];
    QL_TRY(ql_10x_shape(file, group, shape, err));
    *out = (ql_read_sizes){.n_rows = shape[1], .n_cols = shape[0], .streams = true};
    QL_TRY(measure_rows(file, group, shape[1], out, err));
    finish(out, true); /* columns are chosen from a copy */
    return QL_OK;
}

static ql_status sizes_of_10x(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                              ql_err *err)
{
    hid_t file = -1;
    ql_status st;
    (void)opt;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(sizes_of_10x_group(file, "matrix", out, err));
out:
    ql_h5r_close(file);
    return st;
}

static ql_status sizes_of_10x_v2(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                                 ql_err *err)
{
    hid_t file = -1;
    ql_str group = {0};
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_10x_v2_single(file, opt, &group, err));
    if (group.len == 0) goto out;
    QL_GO(sizes_of_10x_group(file, ql_str_text(&group), out, err));
out:
    ql_str_free(&group);
    ql_h5r_close(file);
    return st;
}

static ql_status sizes_of_loom(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                               ql_err *err)
{
    hid_t file = -1;
    ql_matrix_info info;
    char matrix[1024];
    ql_status st;
    (void)snprintf(matrix, sizeof matrix, "%s%s", opt->layer ? "layers/" : "matrix",
                   opt->layer ? opt->layer : "");
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_matrix_h5_info(file, matrix, &info, err));
    if (info.layout != QL_LAYOUT_DENSE) goto out;
    *out = (ql_read_sizes){.n_rows = info.n_cols,
                           .n_cols = info.n_rows,
                           .nnz = info.nnz,
                           .max_row = info.n_rows,
                           .rough = true,
                           .streams = true,
                           .band_bytes = ql_matrix_h5_dense_turned_held(file, matrix)};
    finish(out, true);
out:
    ql_h5r_close(file);
    return st;
}

static bool is_gzip(const char *path)
{
    unsigned char head[2];
    FILE *f = fopen(path, "rb");
    bool is =
        f && fread(head, 1, sizeof head, f) == sizeof head && head[0] == 0x1f && head[1] == 0x8b;
    if (f) fclose(f);
    return is;
}

static ql_status sizes_of_mtx(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                              ql_err *err)
{
    enum { TRIPLET = 12 };
    ql_mtx_folder f;
    ql_mtx_named named = {0};
    ql_status st;
    QL_GO(ql_mtx_folder_find(path, NULL, opt->layer, &f, err));
    QL_GO(ql_mtx_folder_names(&f, opt, &named, NULL, err));
    const ql_mtx_header *h = &named.header;
    out->n_rows = named.cells_are_columns ? h->n_cols : h->n_rows;
    out->n_cols = named.cells_are_columns ? h->n_rows : h->n_cols;
    out->nnz = ql_mtx_believable(f.matrix.path, h);
    out->max_row = least(out->n_cols, out->nnz);
    out->streams = true;
    out->band_bytes = TEXT_BUFFERS + most(ql_sort_held(out->nnz, out->n_rows, out->n_cols),
                                          least(out->nnz, 2 * QL_BAND) * TRIPLET * 5 / 4);
    out->sort_bytes = ql_sort_file(out->nnz);
    finish(out, false);
    /* grown as they come; before that, the text of a gzip file */
    out->whole_bytes += out->nnz * (TRIPLET * 3 / 2 + (is_gzip(f.matrix.path) ? 4 : 0));
out:
    ql_mtx_named_free(&named);
    return st;
}

/* Nothing is known of a table but its bytes: a value takes two of them at least, and nearly all
 * are zeros. */
static ql_status sizes_of_text(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                               ql_err *err)
{
    enum { GROWTH = 2, DEFLATED = 12, MANY = 1 << 30 };
    struct stat s;
    (void)opt;
    (void)err;
    *out = (ql_read_sizes){.streams = true};
    if (stat(path, &s) != 0) return QL_OK;
    double bytes = (double)s.st_size * (is_gzip(path) ? DEFLATED : 1) * GROWTH;
    int64_t values = bytes / 8 < (double)MANY ? (int64_t)(bytes / 8) : MANY;
    out->band_bytes = TEXT_BUFFERS + ql_sort_held(values, 0, 0);
    out->sort_bytes = ql_sort_file(values);
    out->whole_bytes = bytes < (double)(INT64_MAX / 4) ? (int64_t)bytes : INT64_MAX / 4;
    return QL_OK;
}

static const struct {
    const ql_format *format;
    ql_status (*sizes)(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                       ql_err *err);
} measured[] = {
    {&ql_format_h5ad, sizes_of_h5ad},       {&ql_format_10x_h5, sizes_of_10x},
    {&ql_format_10x_mtx, sizes_of_mtx},     {&ql_format_alevin, sizes_of_mtx},
    {&ql_format_kallisto, sizes_of_mtx},    {&ql_format_parse, sizes_of_mtx},
    {&ql_format_mtx, sizes_of_mtx},         {&ql_format_10x_h5_v2, sizes_of_10x_v2},
    {&ql_format_loom, sizes_of_loom},       {&ql_format_table, sizes_of_text},
    {&ql_format_long_table, sizes_of_text},
};

ql_status ql_read_measure(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                          ql_err *err)
{
    const ql_format *format = NULL;
    ql_input in;
    *out = (ql_read_sizes){0};
    QL_TRY(ql_format_detect(path, opt, &format, err));
    QL_TRY(ql_input_find(path, &in, err));
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++) {
        if (measured[i].format != format) continue;
        /* a failure shows again, and better, when the file is read */
        if (measured[i].sizes(in.path, opt, out, NULL) != QL_OK) *out = (ql_read_sizes){0};
    }
    return QL_OK;
}
