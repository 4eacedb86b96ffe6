/* Chunks that HDF5 decodes for bands that end inside them: each once, and what keeps it is part of
 * what reading is said to hold. */
#include <stdlib.h>
#include <string.h>

#include "../../src/io/hdf5/read_sizes.h"
#include "../../src/io/hdf5/sparse_bands.h"
#include "fixture_h5.h"

/* A filter that changes nothing, of a number that HDF5 keeps for tests: only the library can undo
 * it, and it counts how often. */
enum { COUNTING = 300 };

static int64_t n_decoded;

static size_t count_decoding(unsigned flags, size_t n_values, const unsigned values[], size_t n,
                             size_t *size, void **buf)
{
    (void)n_values;
    (void)values;
    (void)size;
    (void)buf;
    n_decoded += (flags & H5Z_FLAG_REVERSE) != 0;
    return n;
}

static void counted_data(hid_t file, const char *path, hid_t type, int rank, const hsize_t *dim,
                         const hsize_t *chunk, hid_t mem, const void *values)
{
    static const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                        .id = COUNTING,
                                        .encoder_present = 1,
                                        .decoder_present = 1,
                                        .name = "counting",
                                        .filter = count_decoding};
    hid_t space = H5Screate_simple(rank, dim, NULL), dcpl = fx_h5_plist(rank, chunk, 0);
    assert_true(H5Zregister(&filter) >= 0);
    assert_true(H5Pset_filter(dcpl, COUNTING, H5Z_FLAG_MANDATORY, 0, NULL) >= 0);
    hid_t id = H5Dcreate2(file, path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(id >= 0 && H5Dwrite(id, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(id);
    H5Pclose(dcpl);
    H5Sclose(space);
}

/* --- a dense matrix whose rows of chunks no band can hold --- */

enum { ROWS = 4, WIDTH = 3500000 };

static ql_status take_row(void *ctx, ql_csr *rows, int64_t first_row, bool *stop, ql_err *err)
{
    int64_t *n_rows = ctx;
    (void)stop;
    (void)err;
    assert_int_equal(first_row, *n_rows);
    for (int64_t i = 0; i < rows->n_rows; i++, ++*n_rows) {
        assert_int_equal(rows->indptr[i + 1] - rows->indptr[i], 1);
        assert_int_equal(rows->indices[rows->indptr[i]], *n_rows * 1000000);
    }
    return QL_OK;
}

static void a_row_of_wide_chunks_is_decoded_once(void **state)
{
    static const hsize_t dim[2] = {ROWS, WIDTH}, chunk[2] = {ROWS, 2000000};
    uint8_t *values = calloc(ROWS, WIDTH);
    int64_t n_rows = 0;
    ql_err err = {0};
    (void)state;
    assert_non_null(values);
    for (int64_t i = 0; i < ROWS; i++) values[i * WIDTH + i * 1000000] = 1;
    hid_t file = fx_h5_create("wide.h5");
    counted_data(file, "x", H5T_STD_U8LE, 2, dim, chunk, H5T_NATIVE_UINT8, values);
    H5Fclose(file);
    free(values);
    fx_assert_ok(ql_h5r_open(fx_path("wide.h5"), &file, &err));
    n_decoded = 0;
    fx_assert_ok(ql_matrix_h5_dense_bands(file, "x", 1, take_row, &n_rows, &err));
    assert_int_equal(n_rows, ROWS);
    assert_int_equal(n_decoded, 2);
    assert_true(ql_matrix_h5_dense_bands_held(file, "x") >= (int64_t)ROWS * 2 * 2000000);
    ql_h5r_close(file);
}

/* What reading the matrix whole is said to hold. Its chunks are stored as bytes that mean nothing,
 * since nothing of them is read. */
static int64_t said_to_hold(const hsize_t *dim, const hsize_t *chunk)
{
    enum { STORED = 400000 };
    static const unsigned char stored[STORED];
    const hsize_t first[2] = {0, 0};
    ql_read_sizes z;
    ql_err err = {0};
    hid_t file = fx_h5_create("size.h5");
    fx_h5_data(file, "x", H5T_STD_U8LE, 2, dim, chunk, FX_DEFLATE, H5T_NATIVE_UINT8, NULL);
    hid_t id = H5Dopen2(file, "x", H5P_DEFAULT);
    assert_true(H5Dwrite_chunk(id, H5P_DEFAULT, 0, first, STORED, stored) >= 0);
    H5Dclose(id);
    H5Fclose(file);
    fx_assert_ok(ql_h5r_open(fx_path("size.h5"), &file, &err));
    fx_assert_ok(ql_sizes_of_matrix(file, "x", &z, &err));
    ql_h5r_close(file);
    return z.whole_bytes;
}

static void what_is_kept_is_counted(void **state)
{
    static const hsize_t dim[2] = {1200, 300000};
    (void)state;
    const int64_t narrow = said_to_hold(dim, (const hsize_t[]){1, 300000});
    assert_int_equal(said_to_hold(dim, (const hsize_t[]){100, 300000}), narrow);
    assert_int_equal(said_to_hold(dim, (const hsize_t[]){1000, 150000}) - narrow,
                     INT64_C(1000) * 300000);
}

/* --- compressed rows --- */

enum { ENTRIES = 600000, BAND = 100000 };

static void a_long_chunk_is_decoded_once(const char *group)
{
    static const hsize_t dim = ENTRIES, chunk = ENTRIES;
    static int32_t index[ENTRIES];
    static float value[ENTRIES];
    static const int64_t indptr[2] = {0, ENTRIES};
    char path[600];
    ql_sparse_bands b;
    ql_err err = {0};
    for (int32_t i = 0; i < ENTRIES; i++) index[i] = i;
    for (int32_t i = 0; i < ENTRIES; i++) value[i] = (float)(i % 7);
    hid_t file = fx_h5_create("long.h5");
    fx_h5_group(file, group);
    (void)snprintf(path, sizeof path, "%s/indptr", group);
    fx_h5_ints(file, path, H5T_STD_I64LE, 2, indptr);
    (void)snprintf(path, sizeof path, "%s/indices", group);
    counted_data(file, path, H5T_STD_I32LE, 1, &dim, &chunk, H5T_NATIVE_INT32, index);
    (void)snprintf(path, sizeof path, "%s/data", group);
    counted_data(file, path, H5T_IEEE_F32LE, 1, &dim, &chunk, H5T_NATIVE_FLOAT, value);
    H5Fclose(file);
    fx_assert_ok(ql_h5r_open(fx_path("long.h5"), &file, &err));
    fx_assert_ok(ql_sparse_bands_open(&b, file, group, 1, ENTRIES, "genes", 1, &err));
    n_decoded = 0;
    for (int64_t first = 0; first < ENTRIES; first += BAND) {
        fx_assert_ok(ql_sparse_bands_read(&b, first, BAND, index, value, &err));
        for (int64_t i = 0; i < BAND; i++) assert_int_equal(index[i], first + i);
        for (int64_t i = 0; i < BAND; i++) assert_true(value[i] == (float)((first + i) % 7));
    }
    assert_int_equal(n_decoded, 2);
    ql_sparse_bands_close(&b);
    ql_h5r_close(file);
}

static void long_chunks_are_decoded_once(void **state)
{
    char deep[400];
    (void)state;
    a_long_chunk_is_decoded_once("X");
    memset(deep, 'x', sizeof deep - 1); /* longer than messages have room for */
    deep[sizeof deep - 1] = '\0';
    a_long_chunk_is_decoded_once(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_wide_chunks_is_decoded_once),
        cmocka_unit_test(what_is_kept_is_counted),
        cmocka_unit_test(long_chunks_are_decoded_once),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
