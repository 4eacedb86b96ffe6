/* h5ad: layouts and types of the matrix, names of every kind, which matrix is taken, and what
 * damaged or foreign files say. */
#include "fixture_h5.h"

static ql_status read_and_close(const char *name, hid_t file)
{
    H5Fclose(file);
    return fx_read(fx_path(name));
}

static void assert_known(const char *name, hid_t file)
{
    fx_assert_ok(read_and_close(name, file));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(fx_ds.format, "h5ad");
    assert_string_equal(ql_name(&fx_ds.cells.index, 3), "AACA-1");
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "MS4A1");
}

static void test_plain(void **state)
{
    (void)state;
    assert_known("a.h5ad", fx_h5ad("a.h5ad"));
    assert_string_equal(fx_ds.matrix, "X");
    assert_true(fx_ds.is_counts);
    assert_false(fx_ds.genes_differ);
    assert_true(fx_has_note("using X (float32, csr), 4 cells x 3 genes"));
}

/* --- every type, every pipeline, chunks that do not fit, more values than indptr says --- */

enum { ROWS = 60, COLS = 45, STORED = ROWS * COLS };

static float type_dense[STORED];

static int64_t make_sparse(int64_t *indptr, int64_t *indices, int64_t *values)
{
    int64_t n = 0;
    indptr[0] = 0;
    memset(type_dense, 0, sizeof type_dense);
    for (int i = 0; i < ROWS; i++) {
        for (int j = COLS - 1; j >= 0; j--) {
            if ((i * 31 + j * 17) % 5 != 0) continue;
            indices[n] = j;
            values[n++] = 1 + (i * 7 + j) % 100;
            type_dense[i * COLS + j] = (float)(1 + (i * 7 + j) % 100);
        }
        indptr[i + 1] = n;
    }
    return n;
}

static hid_t wide_h5ad(const char *name)
{
    char text[ROWS][16];
    const char *names[ROWS];
    for (int i = 0; i < ROWS; i++) {
        (void)snprintf(text[i], sizeof text[i], "n%d", i);
        names[i] = text[i];
    }
    hid_t file = fx_h5_create(name);
    fx_h5_frame(file, "obs", ROWS, names);
    fx_h5_frame(file, "var", COLS, names);
    return file;
}

static void write_sparse(hid_t file, const char *encoding, hid_t type, hid_t index_type,
                         unsigned filters, const int64_t shape[2])
{
    int64_t indptr[ROWS + 1], indices[STORED + 9] = {0}, values[STORED + 9] = {0};
    hsize_t n = (hsize_t)make_sparse(indptr, indices, values) + 9, chunk = 77, n_ptr = ROWS + 1;
    fx_h5_group(file, "X");
    fx_h5_attr(file, "X", "encoding-type", encoding);
    fx_h5_attr_ints(file, "X", "shape", shape, 2);
    fx_h5_data(file, "X/indptr", H5T_STD_I32LE, 1, &n_ptr, NULL, 0, H5T_NATIVE_INT64, indptr);
    fx_h5_data(file, "X/indices", index_type, 1, &n, &chunk, filters, H5T_NATIVE_INT64, indices);
    fx_h5_data(file, "X/data", type, 1, &n, &chunk, filters, H5T_NATIVE_INT64, values);
}

static void test_types_and_filters(void **state)
{
    static const unsigned filters[] = {
        0,           FX_DEFLATE, FX_SHUFFLE | FX_DEFLATE,
        FX_FLETCHER, FX_SHUFFLE, FX_SHUFFLE | FX_DEFLATE | FX_FLETCHER};
    static const int64_t shape[2] = {ROWS, COLS};
    const hid_t types[] = {H5T_STD_I8LE,  H5T_STD_U8LE,   H5T_STD_I16LE,  H5T_STD_U16LE,
                           H5T_STD_I32LE, H5T_STD_U32LE,  H5T_STD_I64LE,  H5T_STD_U64LE,
                           H5T_STD_I32BE, H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    const hid_t index_types[] = {H5T_STD_U8LE, H5T_STD_I32LE, H5T_STD_I64LE, H5T_STD_U16LE,
                                 H5T_STD_I32BE};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
            hid_t file = wide_h5ad("t.h5ad");
            write_sparse(file, "csr_matrix", types[t], index_types[(t + f) % 5], filters[f], shape);
            fx_assert_ok(read_and_close("t.h5ad", file));
            fx_assert_dense(&fx_ds.counts, type_dense, ROWS, COLS);
        }
    }
}

static void test_csc(void **state)
{
    static const int64_t shape[2] = {FX_CELLS, FX_GENES}, indptr[] = {0, 2, 3, 5},
                         indices[] = {3, 0, 1, 0, 3}, data[] = {7, 2, 5, 1, 1};
    (void)state;
    hid_t file = fx_h5ad("csc.h5ad");
    fx_h5_attr(file, "X", "encoding-type", "csc_matrix");
    fx_h5_attr_ints(file, "X", "shape", shape, 2);
    fx_h5_ints(file, "X/indptr", H5T_STD_I32LE, 4, indptr);
    fx_h5_ints(file, "X/indices", H5T_STD_I32LE, 5, indices);
    fx_h5_ints(file, "X/data", H5T_STD_U16LE, 5, data);
    assert_known("csc.h5ad", file);
}

static hid_t bool_type(void)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    signed char value = 0;
    H5Tenum_insert(type, "FALSE", &value);
    value = 1;
    H5Tenum_insert(type, "TRUE", &value);
    return type;
}

static void test_dense(void **state)
{
    static const hsize_t dim[2] = {FX_CELLS, FX_GENES}, chunk[2] = {3, 2};
    const hid_t types[] = {H5T_STD_I8LE,   H5T_STD_U16LE,  H5T_STD_U64LE,
                           H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I32BE};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            hid_t file = fx_h5ad("d.h5ad");
            fx_h5_delete(file, "X");
            fx_h5_data(file, "X", types[t], 2, dim, chunked ? chunk : NULL,
                       chunked ? FX_SHUFFLE | FX_DEFLATE : 0, H5T_NATIVE_FLOAT, fx_dense);
            assert_known("d.h5ad", file);
        }
    }
}

static void test_dense_bool(void **state)
{
    static const hsize_t dim[2] = {FX_CELLS, FX_GENES};
    static const signed char values[FX_CELLS * FX_GENES] = {1, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1};
    float expected[FX_CELLS * FX_GENES];
    (void)state;
    for (int i = 0; i < FX_CELLS * FX_GENES; i++) expected[i] = values[i];
    hid_t file = fx_h5ad("b.h5ad"), type = bool_type();
    fx_h5_delete(file, "X");
    fx_h5_data(file, "X", type, 2, dim, NULL, 0, type, values);
    H5Tclose(type);
    fx_assert_ok(read_and_close("b.h5ad", file));
    fx_assert_dense(&fx_ds.counts, expected, FX_CELLS, FX_GENES);
}

/* Larger than one band of rows, with chunks that end inside bands. */
static void test_dense_bands(void **state)
{
    enum { N_ROWS = 6000, N_COLS = 3000 };
    static const hsize_t dim[2] = {N_ROWS, N_COLS}, chunk[2] = {700, 500};
    (void)state;
    signed char *values = calloc(N_ROWS, N_COLS);
    char(*text)[8] = calloc(N_ROWS, sizeof *text);
    const char **names = calloc(N_ROWS, sizeof *names);
    assert_true(values && text && names);
    for (int i = 0; i < N_ROWS; i++) {
        (void)snprintf(text[i], sizeof text[i], "n%d", i % 10000);
        names[i] = text[i];
        values[i * N_COLS + i % N_COLS] = (signed char)(1 + i % 100);
    }
    hid_t file = fx_h5_create("bands.h5ad");
    fx_h5_frame(file, "obs", N_ROWS, names);
    fx_h5_frame(file, "var", N_COLS, names);
    fx_h5_data(file, "X", H5T_STD_I8LE, 2, dim, chunk, FX_DEFLATE, H5T_NATIVE_SCHAR, values);
    fx_assert_ok(read_and_close("bands.h5ad", file));
    assert_int_equal(ql_csr_nnz(&fx_ds.counts), N_ROWS);
    for (int i = 0; i < N_ROWS; i++) {
        assert_int_equal(fx_ds.counts.indptr[i], i);
        assert_int_equal(fx_ds.counts.indices[i], i % N_COLS);
        assert_true(fx_ds.counts.data[i] == (float)(1 + i % 100));
    }
    free(names);
    free(text);
    free(values);
}

/* A chunk that was never written holds the fill value. */
static void test_unwritten_chunks(void **state)
{
    hsize_t dim = FX_NNZ, chunk = 2;
    (void)state;
    hid_t file = fx_h5ad("u.h5ad");
    fx_h5_data(file, "X/data", H5T_STD_I32LE, 1, &dim, &chunk, FX_DEFLATE, H5T_NATIVE_INT64, NULL);
    H5Fclose(file);
    const char *path = fx_path("u.h5ad");
    fx_assert_error(fx_read(path), QL_EDATA, path, "has no counts");
}

/* --- names --- */

static void test_index_forms(void **state)
{
    static const int64_t numbers[] = {7, 8, -9, 10}, codes[] = {3, 2, 1, 0},
                         no_mask[] = {0, 0, 0, 0};
    static const char *const reversed[] = {"AACA-1", "AAAT-1", "AAAG-1", "AAAC-1"};
    (void)state;
    hid_t file = fx_h5ad("i.h5ad");
    fx_h5_ints(file, "obs/_index", H5T_STD_I64LE, 4, numbers);
    fx_assert_ok(read_and_close("i.h5ad", file));
    assert_string_equal(ql_name(&fx_ds.cells.index, 2), "-9");

    file = fx_h5ad("i.h5ad");
    fx_h5_fixed(file, "obs/_index", 4, 6, "AAAC-1AAAG-1AAAT-1AACA-1");
    assert_known("i.h5ad", file);

    file = fx_h5ad("i.h5ad");
    fx_h5_delete(file, "obs/_index");
    fx_h5_group(file, "obs/_index");
    fx_h5_strings(file, "obs/_index/categories", 4, reversed);
    fx_h5_ints(file, "obs/_index/codes", H5T_STD_I8LE, 4, codes);
    assert_known("i.h5ad", file);

    file = fx_h5ad("i.h5ad");
    fx_h5_delete(file, "obs/_index");
    fx_h5_group(file, "obs/_index");
    fx_h5_strings(file, "obs/_index/values", 4, fx_cells);
    fx_h5_ints(file, "obs/_index/mask", H5T_STD_I8LE, 4, no_mask);
    fx_h5_attr(file, "obs", "_index", "_index");
    assert_known("i.h5ad", file);

    file = fx_h5ad("i.h5ad");
    fx_h5_strings(file, "obs/barcode", 4, fx_cells);
    fx_h5_delete(file, "obs/_index");
    fx_h5_attr(file, "obs", "_index", "barcode");
    assert_known("i.h5ad", file);
}

static void test_odd_names(void **state)
{
    static const char *const cells[] = {"same", "", "same", "\xE9t\xE9"};
    (void)state;
    hid_t file = fx_h5ad("n.h5ad");
    fx_h5_strings(file, "obs/_index", 4, cells);
    fx_assert_ok(read_and_close("n.h5ad", file));
    assert_string_equal(ql_name(&fx_ds.cells.index, 1), "unnamed_2");
    assert_string_equal(ql_name(&fx_ds.cells.index, 2), "same-1");
    assert_string_equal(ql_name(&fx_ds.cells.index, 3), "\xC3\xA9t\xC3\xA9");
    assert_true(fx_has_note("e.g. \"same-1\""));
}

/* --- which matrix --- */

static hid_t logged_h5ad(const char *name)
{
    hsize_t n = FX_NNZ;
    static const float logged[FX_NNZ] = {1.5f, 0.5f, 2.25f, 3.5f, 0.25f};
    hid_t file = fx_h5ad(name);
    fx_h5_data(file, "X/data", H5T_IEEE_F32LE, 1, &n, NULL, 0, H5T_NATIVE_FLOAT, logged);
    fx_h5_group(file, "layers");
    return file;
}

static void test_counts_in_a_layer(void **state)
{
    (void)state;
    hid_t file = logged_h5ad("l.h5ad");
    fx_h5_csr(file, "layers/counts");
    assert_known("l.h5ad", file);
    assert_string_equal(fx_ds.matrix, "layers/counts");
    assert_true(fx_has_note("X holds no counts"));
}

static void add_raw(hid_t file, const char *const *genes)
{
    fx_h5_group(file, "raw");
    fx_h5_csr(file, "raw/X");
    fx_h5_frame(file, "raw/var", FX_GENES, genes);
}

static void test_counts_in_raw(void **state)
{
    static const char *const others[] = {"A", "B", "C"};
    (void)state;
    hid_t file = logged_h5ad("r.h5ad");
    add_raw(file, others);
    fx_assert_ok(read_and_close("r.h5ad", file));
    assert_string_equal(fx_ds.matrix, "raw/X");
    assert_true(fx_ds.genes_differ);
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "A");
    file = logged_h5ad("r.h5ad");
    add_raw(file, fx_genes);
    assert_known("r.h5ad", file);
    assert_false(fx_ds.genes_differ);
}

static void test_named_by_user(void **state)
{
    (void)state;
    hid_t file = logged_h5ad("u.h5ad");
    fx_h5_csr(file, "layers/mine");
    H5Fclose(file);
    const char *path = fx_path("u.h5ad");
    fx_assert_ok(fx_read_with(path, (ql_read_options){.layer = "mine"}));
    assert_string_equal(fx_ds.matrix, "layers/mine");
    fx_assert_error(fx_read_with(path, (ql_read_options){.layer = "zz"}), QL_EDATA, path,
                    "has no layer \"zz\" (it has: mine)");
    fx_assert_error(fx_read_with(path, (ql_read_options){.use_raw = true}), QL_EDATA, path,
                    "has no raw/X");
    fx_assert_error(fx_read_with(path, (ql_read_options){.use_x = true}), QL_EDATA, path,
                    "is 1.5, no count");
}

static void test_no_counts(void **state)
{
    (void)state;
    hid_t file = logged_h5ad("z.h5ad");
    H5Fclose(file);
    const char *path = fx_path("z.h5ad");
    fx_assert_error(fx_read(path), QL_EDATA, path,
                    "X: cell \"AAAC-1\", gene \"CD3E\" is 1.5, no count (and 4 more)");
    assert_true(strlen(fx_err.hint) > 0);
    fx_assert_ok(fx_read_with(path, (ql_read_options){.allow_noncounts = true}));
    assert_string_equal(fx_ds.matrix, "X");
    assert_false(fx_ds.is_counts);
}

static void test_no_x(void **state)
{
    (void)state;
    hid_t file = logged_h5ad("nox.h5ad");
    fx_h5_delete(file, "X");
    fx_h5_csr(file, "layers/counts");
    assert_known("nox.h5ad", file);
}

/* --- malformed --- */

static void put(hid_t file, const char *path, hid_t type, int64_t n, const int64_t *values)
{
    fx_h5_ints(file, path, type, n, values);
}

static void bad_first(hid_t f)
{
    put(f, "X/indptr", H5T_STD_I32LE, 5, (const int64_t[]){1, 2, 3, 3, 5});
}

static void bad_decrease(hid_t f)
{
    put(f, "X/indptr", H5T_STD_I32LE, 5, (const int64_t[]){0, 3, 2, 3, 5});
}

static void bad_wrap(hid_t f)
{
    put(f, "X/indptr", H5T_STD_I32LE, 5, (const int64_t[]){0, 2, 3, -2147483000, 5});
}

static void bad_last(hid_t f)
{
    put(f, "X/indptr", H5T_STD_I32LE, 5, (const int64_t[]){0, 2, 3, 3, 6});
}

static void bad_length(hid_t f)
{
    put(f, "X/indptr", H5T_STD_I32LE, 4, (const int64_t[]){0, 2, 3, 5});
}

static void bad_index(hid_t f)
{
    put(f, "X/indices", H5T_STD_I32LE, 5, (const int64_t[]){0, 2, 1, 0, 3});
}

static void bad_negative_index(hid_t f)
{
    put(f, "X/indices", H5T_STD_I32LE, 5, (const int64_t[]){0, -1, 1, 0, 2});
}

static void bad_short_data(hid_t f)
{
    put(f, "X/data", H5T_STD_I32LE, 4, fx_data);
}

static void bad_no_data(hid_t f)
{
    fx_h5_delete(f, "X/data");
}

static void bad_float_indices(hid_t f)
{
    put(f, "X/indices", H5T_IEEE_F32LE, 5, fx_indices);
}

static void bad_text_data(hid_t f)
{
    static const char *const text[] = {"1", "2", "3", "4", "5"};
    fx_h5_strings(f, "X/data", 5, text);
}

static void bad_no_shape(hid_t f)
{
    H5Adelete_by_name(f, "X", "shape", H5P_DEFAULT);
}

static void bad_shape(hid_t f)
{
    fx_h5_attr_ints(f, "X", "shape", (const int64_t[]){4, 3, 2}, 3);
}

static void bad_huge_shape(hid_t f)
{
    fx_h5_attr_ints(f, "X", "shape", (const int64_t[]){4, INT64_C(1) << 40}, 2);
}

static void bad_negative_shape(hid_t f)
{
    fx_h5_attr_ints(f, "X", "shape", (const int64_t[]){-4, 3}, 2);
}

static void bad_negative_genes(hid_t f)
{
    fx_h5_attr_ints(f, "X", "shape", (const int64_t[]){4, -3}, 2);
}

static void bad_few_genes(hid_t f)
{
    fx_h5_strings(f, "var/_index", 2, fx_genes);
}

static void bad_few_cells(hid_t f)
{
    fx_h5_strings(f, "obs/_index", 3, fx_cells);
}

static void bad_index_missing(hid_t f)
{
    fx_h5_attr(f, "obs", "_index", "nowhere");
}

/* Longer than a path may be. */
static void bad_long_index(hid_t f)
{
    char name[1101];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    fx_h5_attr(f, "obs", "_index", name);
}

static void bad_no_index(hid_t f)
{
    H5Adelete_by_name(f, "obs", "_index", H5P_DEFAULT);
}

static void bad_negative(hid_t f)
{
    put(f, "X/data", H5T_STD_I32LE, 5, (const int64_t[]){2, 1, -5, 7, 1});
}

static void bad_large(hid_t f)
{
    put(f, "X/data", H5T_STD_I64LE, 5, (const int64_t[]){2, 1, INT64_C(1) << 31, 7, 1});
}

static void bad_zero(hid_t f)
{
    put(f, "X/data", H5T_STD_I32LE, 5, (const int64_t[]){0, 0, 0, 0, 0});
}

/* 3e9 values that were never written: a few hundred bytes of file. */
static void bad_huge_extent(hid_t f)
{
    static const hsize_t n = 3000000000, chunk = 1 << 20;
    fx_h5_data(f, "X/indices", H5T_STD_I32LE, 1, &n, &chunk, 0, H5T_NATIVE_INT, NULL);
    fx_h5_data(f, "X/data", H5T_STD_I32LE, 1, &n, &chunk, 0, H5T_NATIVE_INT, NULL);
    put(f, "X/indptr", H5T_STD_I64LE, 5, (const int64_t[]){0, 0, 0, 0, 3000000000});
}

static void bad_huge_dense(hid_t f)
{
    static const hsize_t dim[2] = {4, 100000000000}, chunk[2] = {1, 1 << 20};
    fx_h5_delete(f, "X");
    fx_h5_data(f, "X", H5T_IEEE_F32LE, 2, dim, chunk, 0, H5T_NATIVE_FLOAT, NULL);
}

/* No number of bytes can be made of it. */
static void bad_absurd_extent(hid_t f)
{
    static const hsize_t n = (hsize_t)1 << 62, chunk = 1 << 20;
    fx_h5_data(f, "X/data", H5T_STD_I32LE, 1, &n, &chunk, 0, H5T_NATIVE_INT, NULL);
}

static void bad_absurd_product(hid_t f)
{
    static const hsize_t dim[2] = {(hsize_t)1 << 40, (hsize_t)1 << 40}, chunk[2] = {1, 1 << 20};
    fx_h5_delete(f, "X");
    fx_h5_data(f, "X", H5T_IEEE_F32LE, 2, dim, chunk, 0, H5T_NATIVE_FLOAT, NULL);
}

static void bad_cube(hid_t f)
{
    static const hsize_t dim[3] = {FX_CELLS, FX_GENES, 1};
    fx_h5_delete(f, "X");
    fx_h5_data(f, "X", H5T_IEEE_F32LE, 3, dim, NULL, 0, H5T_NATIVE_FLOAT, NULL);
}

/* A dense X whose values HDF5 would take from where dcpl says. */
static void put_elsewhere(hid_t f, hid_t dcpl)
{
    static const hsize_t dim[2] = {FX_CELLS, FX_GENES};
    fx_h5_delete(f, "X");
    hid_t space = H5Screate_simple(2, dim, NULL);
    hid_t id = H5Dcreate2(f, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(id >= 0);
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(dcpl);
}

/* Files that have the values; they must not be opened all the same. */
static void bad_external_data(hid_t f)
{
    static const float raw[FX_CELLS * FX_GENES] = {1, 2, 3};
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    fx_bytes("raw.bin", raw, sizeof raw);
    assert_true(H5Pset_external(dcpl, fx_path("raw.bin"), 0, sizeof raw) >= 0);
    put_elsewhere(f, dcpl);
}

static void bad_virtual_data(hid_t f)
{
    static const hsize_t dim[2] = {FX_CELLS, FX_GENES};
    static const float values[FX_CELLS * FX_GENES] = {1, 2, 3};
    hid_t other = fx_h5_create("other.h5"), space = H5Screate_simple(2, dim, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    fx_h5_data(other, "X", H5T_IEEE_F32LE, 2, dim, NULL, 0, H5T_NATIVE_FLOAT, values);
    H5Fclose(other);
    assert_true(H5Pset_virtual(dcpl, space, fx_path("other.h5"), "X", space) >= 0);
    H5Sclose(space);
    put_elsewhere(f, dcpl);
}

/* A soft link that leads to itself. */
static void bad_circle(hid_t f)
{
    fx_h5_delete(f, "X");
    assert_true(H5Lcreate_soft("/X", f, "X", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

/* The names of the cells as a group of that kind. */
static void put_names_of(hid_t f, const char *strings, const char *numbers, int n,
                         const int64_t *values)
{
    fx_h5_delete(f, "obs/_index");
    fx_h5_group(f, "obs/_index");
    fx_h5_strings(f, fx_in("obs/_index", strings), FX_CELLS, fx_cells);
    put(f, fx_in("obs/_index", numbers), H5T_STD_I8LE, n, values);
}

static void bad_code(hid_t f)
{
    put_names_of(f, "categories", "codes", 4, (const int64_t[]){0, 1, 2, 4});
}

static void bad_negative_code(hid_t f)
{
    put_names_of(f, "categories", "codes", 4, (const int64_t[]){0, 1, 2, -2});
}

static void bad_mask(hid_t f)
{
    put_names_of(f, "values", "mask", 5, (const int64_t[]){0, 0, 0, 0, 0});
}

/* Never written, so that only their type is large. */
static void bad_long_names(hid_t f)
{
    fx_h5_fixed(f, "obs/_index", FX_CELLS, 65537, NULL);
}

/* The other file has what the link promises; it must not be opened all the same. */
static void bad_outside(hid_t f)
{
    H5Fclose(fx_h5ad("other.h5ad"));
    fx_h5_delete(f, "X");
    assert_true(H5Lcreate_external(fx_path("other.h5ad"), "X", f, "X", H5P_DEFAULT, H5P_DEFAULT) >=
                0);
}

/* 1 + 1e-9 is 1 in float32, but no count. */
static void bad_tiny_fraction(hid_t f)
{
    static const hsize_t n = FX_NNZ;
    static const double values[FX_NNZ] = {2, 1, 5, 7, 1.000000001};
    fx_h5_data(f, "X/data", H5T_IEEE_F64LE, 1, &n, NULL, 0, H5T_NATIVE_DOUBLE, values);
}

static void test_malformed(void **state)
{
    static const struct {
        void (*change)(hid_t);
        const char *part;
    } cases[] = {
        {bad_first, "/X/indptr[0] is 1, 0 expected"},
        {bad_decrease, "/X/indptr[2] is 2, smaller than indptr[1] = 3"},
        {bad_wrap, "/X/indptr[3] is -2147483000"},
        {bad_last, "/X/indptr[4] is 6, but there are 5 values"},
        {bad_length, "/X/indptr has 4 values, 5 expected"},
        {bad_index, "/X/indices[4] is 3, but there are 3 genes"},
        {bad_negative_index, "/X/indices[1] is -1"},
        {bad_short_data, "/X/data has 4 values, but /X/indices has 5"},
        {bad_no_data, "/X/data: is missing"},
        {bad_float_indices, "/X/indices: is float32, integers expected"},
        {bad_text_data, "/X/data: is text, numbers expected"},
        {bad_no_shape, "has no attribute \"shape\""},
        {bad_shape, "\"shape\" has 3 numbers, 2 expected"},
        {bad_huge_shape, "4 x 1099511627776, but there are 4 cells and 3 genes"},
        {bad_negative_shape, "-4 x 3"},
        {bad_negative_genes, "\"shape\" is 4 x -3"},
        {bad_few_genes, "is 4 x 3, but there are 4 cells and 2 genes"},
        {bad_few_cells, "is 4 x 3, but there are 3 cells and 3 genes"},
        {bad_index_missing, "/obs: its index \"nowhere\" is missing"},
        {bad_long_index, "/obs: its index \"xxxx"},
        {bad_no_index, "no attribute \"_index\""},
        {bad_negative, "cell \"AAAG-1\", gene \"MS4A1\" is -5"},
        {bad_large, "is 2.14748365e+09, no count; the matrix holds values of 2147483648"},
        {bad_zero, "has no counts"},
        {bad_huge_extent, "announces 3000000000 values"},
        {bad_huge_dense, "announces 400000000000 values"},
        {bad_absurd_extent, "/X/data: its extent is absurd"},
        {bad_absurd_product, "/X: its extent is absurd"},
        {bad_cube, "/X: has 3 dimensions, 2 expected"},
        {bad_external_data, "/X: its data are in other files"},
        {bad_virtual_data, "/X: its data are in other files"},
        {bad_circle, "there is no X"},
        {bad_code, "codes[3] is 4, but there are 4 categories"},
        {bad_negative_code, "codes[3] is -2"},
        {bad_mask, "has 4 values but a mask of 5"},
        {bad_long_names, "absurd size (65537 bytes)"},
        {bad_outside, "there is no X"},
        {bad_tiny_fraction, "cell \"AACA-1\", gene \"LYZ\" is 1.00000012, no count"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = fx_h5ad("bad.h5ad");
        cases[i].change(file);
        H5Fclose(file);
        const char *path = fx_path("bad.h5ad");
        fx_assert_error(fx_read(path), QL_EDATA, path, cases[i].part);
    }
}

static void test_truncated(void **state)
{
    char bytes[3000];
    (void)state;
    H5Fclose(fx_h5ad("whole.h5ad"));
    FILE *f = fopen(fx_path("whole.h5ad"), "rb");
    assert_int_equal(fread(bytes, 1, sizeof bytes, f), sizeof bytes);
    (void)fclose(f);
    fx_bytes("cut.h5ad", bytes, sizeof bytes);
    const char *path = fx_path("cut.h5ad");
    fx_assert_error(fx_read(path), QL_EDATA, path, "is truncated: has 3000 bytes,");
}

/* Flip bytes in the middle of one stored chunk. */
static void test_damaged_chunk(void **state)
{
    static const int64_t shape[2] = {ROWS, COLS};
    (void)state;
    hid_t file = wide_h5ad("chunk.h5ad");
    write_sparse(file, "csr_matrix", H5T_STD_I32LE, H5T_STD_I32LE, FX_DEFLATE, shape);
    hid_t data = H5Dopen2(file, "X/data", H5P_DEFAULT);
    hsize_t at = 2 * 77, size = 0;
    haddr_t address = 0;
    unsigned mask = 0;
    assert_true(H5Dget_chunk_info_by_coord(data, &at, &mask, &address, &size) >= 0);
    H5Dclose(data);
    H5Fclose(file);
    FILE *f = fopen(fx_path("chunk.h5ad"), "r+b");
    assert_int_equal(fseek(f, (long)(address + size / 2), SEEK_SET), 0);
    assert_int_equal(fwrite("\xA5\x5A\xA5\x5A\xA5\x5A\xA5\x5A", 1, 8, f), 8);
    (void)fclose(f);
    const char *path = fx_path("chunk.h5ad");
    fx_assert_error(fx_read(path), QL_EDATA, path, "/X/data: chunk 2 (values from 154) is damaged");
}

/* obs has one column, of this name. */
static void list_column(hid_t file, const char *name)
{
    hsize_t one = 1;
    hid_t type = fx_h5_text_type(), space = H5Screate_simple(1, &one, NULL);
    hid_t attr = H5Acreate_by_name(file, "obs", "column-order", type, space, H5P_DEFAULT,
                                   H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attr, type, &name) >= 0);
    H5Aclose(attr);
    H5Sclose(space);
    H5Tclose(type);
}

static void test_missing_column_is_a_warning(void **state)
{
    (void)state;
    hid_t file = fx_h5ad("c.h5ad");
    list_column(file, "nothing");
    assert_known("c.h5ad", file);
    assert_true(fx_has_note("column \"nothing\" is listed but missing"));
}

static void put_codes(hid_t file, int n, const int64_t *codes)
{
    fx_h5_group(file, "obs/x");
    fx_h5_attr(file, "obs/x", "encoding-type", "categorical");
    fx_h5_strings(file, "obs/x/categories", 3, fx_genes);
    fx_h5_ints(file, "obs/x/codes", H5T_STD_I8LE, n, codes);
}

static void put_nullable(hid_t file, const int64_t *values, const int64_t *mask)
{
    fx_h5_group(file, "obs/x");
    fx_h5_attr(file, "obs/x", "encoding-type", "nullable-integer");
    fx_h5_ints(file, "obs/x/values", H5T_STD_I64LE, FX_CELLS, values);
    fx_h5_ints(file, "obs/x/mask", H5T_STD_I8LE, FX_CELLS, mask);
}

/* Columns that cannot be taken are left out, those beside them are read. */
static void test_columns_that_do_not_fit(void **state)
{
    static const int64_t numbers[] = {0, 1, 2, 1, 0}, beyond[] = {0, 1, 2, 3},
                         below[] = {0, 1, -2, 1}, large[] = {1, 2, 3, INT64_C(1) << 60},
                         mask[] = {1, 0, 0, 0};
    enum { N_CASES = 9 };
    (void)state;
    for (int k = 0; k < N_CASES; k++) {
        hid_t file = fx_h5ad("x.h5ad");
        if (k < 3) fx_h5_ints(file, "obs/x", H5T_STD_I64LE, 3 + k, numbers);
        if (k >= 3 && k < 6) put_codes(file, k, numbers);
        if (k == 6) put_codes(file, FX_CELLS, beyond);
        if (k == 7) put_codes(file, FX_CELLS, below);
        if (k == 8) put_nullable(file, large, mask);
        list_column(file, "x");
        H5Fclose(file);
        fx_assert_ok(fx_read_with(fx_path("x.h5ad"), (ql_read_options){.columns = true}));
        assert_int_equal(fx_ds.cells.n_columns, k == 1 || k == 4);
    }
}

static void test_describe(void **state)
{
    const ql_format *format = NULL;
    ql_str text = {0};
    (void)state;
    hid_t file = logged_h5ad("describe.h5ad");
    fx_h5_csr(file, "layers/counts");
    H5Fclose(file);
    fx_assert_ok(
        ql_format_detect(fx_path("describe.h5ad"), &(ql_read_options){0}, &format, &fx_err));
    fx_assert_ok(format->describe(fx_path("describe.h5ad"), &text, &fx_err));
    fx_assert_text(ql_str_text(&text), "X  csr float32  4 x 3, 5 nonzero\n");
    fx_assert_text(ql_str_text(&text), "layers/counts  csr float32  4 x 3");
    fx_assert_text(ql_str_text(&text), "obs  4 cells, columns: (none)");
    ql_str_free(&text);
}

static int teardown(void **state)
{
    fx_release();
    return fx_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_types_and_filters),
        cmocka_unit_test(test_csc),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_dense_bool),
        cmocka_unit_test(test_dense_bands),
        cmocka_unit_test(test_unwritten_chunks),
        cmocka_unit_test(test_index_forms),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_counts_in_a_layer),
        cmocka_unit_test(test_counts_in_raw),
        cmocka_unit_test(test_named_by_user),
        cmocka_unit_test(test_no_counts),
        cmocka_unit_test(test_no_x),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged_chunk),
        cmocka_unit_test(test_missing_column_is_a_warning),
        cmocka_unit_test(test_columns_that_do_not_fit),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, fx_setup, teardown);
}
