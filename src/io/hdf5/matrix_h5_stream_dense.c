/* Dense matrices of an HDF5 file to a sink: cells x genes in bands of rows; genes x cells in blocks
 * of columns where the chunks are narrow, so that each is read once, else in bands of rows through
 * an external sort. */
#include <string.h>

#include "../counts/entry_sink.h"
#include "matrix_h5_stream.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"

/* --- cells x genes --- */

static ql_status send_cells(void *ctx, ql_csr *rows, int64_t first_row, bool *stop, ql_err *err)
{
    ql_band_sink *s = ctx;
    (void)first_row;
    QL_TRY(ql_sink_add(s, rows, err));
    *stop = s->stop;
    return QL_OK;
}

ql_status ql_matrix_h5_stream_dense(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                                    ql_band_sink *s, ql_err *err)
{
    QL_TRY(ql_sink_begin(s, n_rows, n_cols, err));
    return ql_matrix_h5_dense_bands(file, path, s->threads, send_cells, s, err);
}

/* --- genes x cells, in bands of genes --- */

typedef struct {
    ql_entry_runs *runs;
    int32_t gene[1024]; /* the gene at hand, as often as it is added at a time */
} sorting;

static ql_status sort_gene(sorting *t, const ql_csr *rows, int64_t i, int64_t gene, ql_err *err)
{
    enum { PIECE = sizeof t->gene / sizeof *t->gene };
    for (int k = 0; k < PIECE; k++) t->gene[k] = (int32_t)gene;
    for (int64_t at = rows->indptr[i], n; at < rows->indptr[i + 1]; at += n) {
        n = rows->indptr[i + 1] - at < PIECE ? rows->indptr[i + 1] - at : PIECE;
        QL_TRY(ql_runs_add(t->runs, rows->indices + at, t->gene, rows->data + at, n, err));
    }
    return QL_OK;
}

static ql_status sort_genes(void *ctx, ql_csr *rows, int64_t first_row, bool *stop, ql_err *err)
{
    (void)stop;
    for (int64_t i = 0; i < rows->n_rows; i++) QL_TRY(sort_gene(ctx, rows, i, first_row + i, err));
    return QL_OK;
}

static ql_status stream_bands(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                              ql_band_sink *s, ql_err *err)
{
    sorting t = {.runs = NULL};
    ql_status st;
    QL_GO(ql_runs_new(s->folder, ql_sort_entries(n_rows * n_cols), &t.runs, err));
    QL_GO(ql_matrix_h5_dense_bands(file, path, s->threads, sort_genes, &t, err));
    QL_GO(ql_sink_sorted(s, t.runs, n_rows, n_cols, err));
out:
    ql_runs_free(t.runs);
    return st;
}

/* --- genes x cells, in blocks of cells --- */

/* Bytes of a block: what is tried for, and the most if it must be a chunk wide. */
enum { BLOCK_BYTES = 16 << 20, BLOCK_MOST = 96 << 20, PER_VALUE = sizeof(float) };

typedef struct {
    const ql_h5r_array *a;
    int64_t first, n; /* cells of the block */
    int64_t n_genes;
    unsigned char *raw; /* [n_genes, n]; owned */
    float *values;      /* the same; owned */
    ql_csr m;           /* [n, n_genes]; owned */
    int64_t cap;        /* entries m has room for */
} block;

/* Cells of a block; 0: chunks are too wide, or there are none. */
static int64_t block_width(const ql_h5r_array *a)
{
    hsize_t chunk[2] = {0, 0};
    int64_t cell = a->dim[0] * (int64_t)(ql_num_size(a->num) + PER_VALUE), width = 0;
    hid_t dcpl = H5Dget_create_plist(a->id);
    bool chunked = dcpl >= 0 && H5Pget_layout(dcpl) == H5D_CHUNKED &&
                   H5Pget_chunk(dcpl, 2, chunk) == 2 && chunk[1] > 0;
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dcpl);
    if (!chunked || cell == 0 || chunk[1] > (hsize_t)(BLOCK_MOST / cell)) return 0;
    width = (int64_t)chunk[1];
    if (width * cell < BLOCK_BYTES) width = BLOCK_BYTES / cell / width * width;
    return width < a->dim[1] ? width : a->dim[1];
}

static ql_status read_block(block *b, ql_err *err)
{
    const hsize_t start[2] = {0, (hsize_t)b->first},
                  count[2] = {(hsize_t)b->n_genes, (hsize_t)b->n};
    return ql_h5r_read_block(b->a, start, count, 1, b->raw, err);
}

static void convert_gene(void *ctx, int64_t g)
{
    const block *b = ctx;
    size_t at = (size_t)(g * b->n);
    ql_num_to_f32(b->a->num, b->raw + at * ql_num_size(b->a->num), b->n, b->values + at);
}

static ql_status count_cells(block *b, ql_err *err)
{
    int64_t *count = b->m.indptr + 1;
    memset(b->m.indptr, 0, (size_t)(b->n + 1) * sizeof *b->m.indptr);
    for (int64_t g = 0; g < b->n_genes; g++)
        for (int64_t i = 0; i < b->n; i++) count[i] += b->values[g * b->n + i] != 0.0f;
    for (int64_t i = 0; i < b->n; i++) count[i] += b->m.indptr[i];
    int64_t need = b->m.indptr[b->n];
    if (need <= b->cap) return QL_OK;
    ql_free(b->m.indices);
    ql_free(b->m.data);
    b->m.indices = NULL;
    b->m.data = NULL;
    b->cap = 0;
    QL_TRY(QL_NEW(b->m.indices, need, "a band of the matrix", err));
    QL_TRY(QL_NEW(b->m.data, need, "a band of the matrix", err));
    b->cap = need;
    return QL_OK;
}

/* Genes ascend in each cell as they are visited in order. */
static void fill_cells(block *b)
{
    int64_t *at = b->m.indptr;
    for (int64_t g = 0; g < b->n_genes; g++)
        for (int64_t i = 0; i < b->n; i++) {
            float x = b->values[g * b->n + i];
            if (x == 0.0f) continue;
            b->m.indices[at[i]] = (int32_t)g;
            b->m.data[at[i]++] = x;
        }
    memmove(at + 1, at, (size_t)b->n * sizeof *at);
    at[0] = 0;
}

static ql_status send_block(block *b, ql_band_sink *s, ql_err *err)
{
    QL_TRY(ql_interrupt_check(err));
    QL_TRY(read_block(b, err));
    ql_parallel_for(s->threads, b->n_genes, convert_gene, b);
    QL_TRY(count_cells(b, err));
    fill_cells(b);
    b->m.n_rows = b->n;
    b->m.n_cols = b->n_genes;
    return ql_sink_add(s, &b->m, err);
}

static ql_status stream_blocks(const ql_h5r_array *a, int64_t width, ql_band_sink *s, ql_err *err)
{
    block b = {.a = a, .n_genes = a->dim[0]};
    ql_status st;
    QL_GO(QL_NEW(b.raw, a->dim[0] * width * (int64_t)ql_num_size(a->num), "a band of the matrix",
                 err));
    QL_GO(QL_NEW(b.values, a->dim[0] * width, "a band of the matrix", err));
    QL_GO(ql_csr_alloc(&b.m, width, a->dim[0], 0, err));
    QL_GO(ql_sink_begin(s, a->dim[1], a->dim[0], err));
    for (; b.first < a->dim[1] && !s->stop; b.first += width) {
        b.n = a->dim[1] - b.first < width ? a->dim[1] - b.first : width;
        QL_GO(send_block(&b, s, err));
    }
out:
    ql_csr_free(&b.m);
    ql_free(b.raw);
    ql_free(b.values);
    return st;
}

ql_status ql_matrix_h5_stream_dense_turned(hid_t file, const char *path, int64_t n_rows,
                                           int64_t n_cols, ql_band_sink *s, ql_err *err)
{
    ql_h5r_array a;
    int64_t width = 0;
    QL_TRY(ql_h5r_array_open(file, path, 2, &a, err));
    ql_status st = ql_h5r_need_numbers(&a, err);
    if (st == QL_OK) width = block_width(&a);
    if (st == QL_OK && width > 0) st = stream_blocks(&a, width, s, err);
    ql_h5r_array_close(&a);
    if (st != QL_OK || width > 0) return st;
    return stream_bands(file, path, n_rows, n_cols, s, err);
}

int64_t ql_matrix_h5_stream_dense_turned_held(hid_t file, const char *path)
{
    ql_h5r_array a;
    if (ql_h5r_array_open(file, path, 2, &a, NULL) != QL_OK) return 0;
    int64_t width = block_width(&a), n_rows = a.dim[1];
    int64_t held = width * a.dim[0] * (int64_t)(ql_num_size(a.num) + PER_VALUE + 8);
    int64_t nnz = a.n;
    ql_h5r_array_close(&a);
    if (width > 0) return held;
    return ql_matrix_h5_dense_bands_held(file, path) + ql_sort_held(nnz, n_rows, 0);
}
