/* Chunks that HDF5 decodes for bands that end inside them: each once, and what keeps it is part of
 * what reading is said to hold. Chunks that are decoded without it: those that are not what they
 * say, and those that reach beyond what is wanted. */
#include <stdlib.h>
#include <string.h>

#include "../../src/io/hdf5/chunk_pipeline.h"
#include "../../src/io/hdf5/h5_chunks.h"
#include "../../src/io/hdf5/lzf.h"
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

/* --- one chunk: 8 elements of 2 bytes --- */

enum { ELEMENTS = 8, BYTES = 16 };

static ql_pipeline two_byte_pipeline(int n_steps, H5Z_filter_t first, H5Z_filter_t second)
{
    return (ql_pipeline){.n_steps = n_steps,
                         .step = {first, second},
                         .rows = ELEMENTS,
                         .cols = 1,
                         .width = 1,
                         .size = 2,
                         .bytes = BYTES};
}

/* Is a chunk decoded? Each block is as long as it must be, so that the sanitizers see behind it. */
static bool decodes(const ql_pipeline *p, const unsigned char *stored, size_t n)
{
    ql_stored_chunk s = {.bytes = malloc(n), .n = n};
    unsigned char *work = malloc(ql_pipeline_work_bytes(p)), *home = malloc(BYTES);
    assert_true(s.bytes && work && home);
    memcpy(s.bytes, stored, n);
    const bool somewhere = ql_pipeline_decode(p, &s, work, NULL) != NULL;
    const bool at_home = ql_pipeline_decode(p, &s, work, home) != NULL;
    assert_int_equal(somewhere, at_home);
    free(s.bytes);
    free(work);
    free(home);
    return at_home;
}

static void a_chunk_of_another_size_is_damaged(void **state)
{
    enum { MOST = 1000 };
    static const unsigned char stored[MOST];
    const ql_pipeline plain = two_byte_pipeline(0, 0, 0),
                      shuffled = two_byte_pipeline(1, H5Z_FILTER_SHUFFLE, 0);
    (void)state;
    for (int more = -1; more <= 1; more++) {
        assert_int_equal(decodes(&plain, stored, (size_t)(BYTES + more)), more == 0);
        assert_int_equal(decodes(&shuffled, stored, (size_t)(BYTES + more)), more == 0);
    }
    assert_false(decodes(&shuffled, stored, MOST));
}

/* A checksum takes 4 bytes. */
static void a_chunk_shorter_than_its_checksum(void **state)
{
    static const unsigned char stored[] = {0, 'a', 0xe0};
    const ql_pipeline p = two_byte_pipeline(2, QL_LZF_FILTER, H5Z_FILTER_FLETCHER32);
    (void)state;
    assert_false(decodes(&p, stored, sizeof stored));
}

/* --- which filters are undone here --- */

static bool undone_here(const H5Z_filter_t *filters, int n)
{
    static const hsize_t dim = 64, chunk = 16;
    ql_h5r_array a;
    ql_pipeline p;
    ql_err err = {0};
    hid_t file = fx_h5_create("filters.h5");
    hid_t space = H5Screate_simple(1, &dim, NULL), dcpl = fx_h5_plist(1, &chunk, 0);
    for (int i = 0; i < n; i++)
        assert_true(H5Pset_filter(dcpl, filters[i], H5Z_FLAG_OPTIONAL, 1, (unsigned[]){4}) >= 0);
    if (H5Zfilter_avail(QL_LZF_FILTER) > 0) H5Zunregister(QL_LZF_FILTER); /* it only decodes */
    hid_t id = H5Dcreate2(file, "x", H5T_STD_I32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(id >= 0);
    H5Dclose(id);
    H5Pclose(dcpl);
    H5Sclose(space);
    ql_lzf_register();
    fx_assert_ok(ql_h5r_array_open(file, "x", 1, &a, &err));
    const bool known = ql_pipeline_of(&a, &p);
    ql_h5r_array_close(&a);
    H5Fclose(file);
    return known;
}

/* What comes between two filters that compress may be longer than a chunk. */
static void filters_that_come_once_are_undone(void **state)
{
    static const struct {
        H5Z_filter_t filter[3];
        int n;
        bool here;
    } cases[] = {{{H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32}, 3, true},
                 {{H5Z_FILTER_DEFLATE, H5Z_FILTER_DEFLATE}, 2, false},
                 {{H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE}, 3, false},
                 {{H5Z_FILTER_SHUFFLE, QL_LZF_FILTER}, 2, true},
                 {{QL_LZF_FILTER, H5Z_FILTER_DEFLATE}, 2, false},
                 {{H5Z_FILTER_FLETCHER32, H5Z_FILTER_DEFLATE}, 2, false},
                 {{H5Z_FILTER_FLETCHER32}, 1, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(undone_here(cases[i].filter, cases[i].n), cases[i].here);
}

/* --- chunks that reach beyond what is wanted --- */

static void a_range_within_chunks(void **state)
{
    enum { N = 23, ROOM = N + 2 };
    static const hsize_t dim = N, chunk = 5;
    int32_t values[N], out[ROOM];
    ql_h5r_array a;
    ql_err err = {0};
    (void)state;
    for (int i = 0; i < N; i++) values[i] = i + 1;
    hid_t file = fx_h5_create("range.h5");
    fx_h5_data(file, "x", H5T_NATIVE_INT32, 1, &dim, &chunk, FX_DEFLATE, H5T_NATIVE_INT32, values);
    fx_assert_ok(ql_h5r_array_open(file, "x", 1, &a, &err));
    for (int first = 0; first < N; first++) {
        for (int n = 1; first + n <= N; n++) {
            bool done = false;
            memset(out, 0, sizeof out);
            fx_assert_ok(ql_h5r_range_chunks(&a, first, n, N, 2, out + 1, &done, &err));
            assert_true(done);
            for (int i = 0; i < ROOM; i++)
                assert_int_equal(out[i], i >= 1 && i <= n ? first + i : 0);
        }
    }
    ql_h5r_array_close(&a);
    H5Fclose(file);
}

static void a_band_whose_chunks_reach_beyond_it(void **state)
{
    enum { N_ROWS = 5, N_COLS = 7 };
    static const hsize_t dim[2] = {N_ROWS, N_COLS}, chunk[2] = {2, 3};
    int32_t values[N_ROWS * N_COLS];
    ql_h5r_array a;
    ql_err err = {0};
    bool done = false;
    (void)state;
    for (int i = 0; i < N_ROWS * N_COLS; i++) values[i] = i + 1;
    hid_t file = fx_h5_create("band.h5");
    fx_h5_data(file, "x", H5T_NATIVE_INT32, 2, dim, chunk, FX_DEFLATE, H5T_NATIVE_INT32, values);
    fx_assert_ok(ql_h5r_array_open(file, "x", 2, &a, &err));
    int32_t *out = calloc(N_ROWS * N_COLS, sizeof *out);
    assert_non_null(out);
    fx_assert_ok(ql_h5r_band_chunks(&a, 0, N_ROWS, 1, out, &done, &err));
    assert_true(done);
    assert_memory_equal(out, values, sizeof values);
    free(out);
    ql_h5r_array_close(&a);
    H5Fclose(file);
}

/* --- sizes in the index of the chunks --- */

enum { LISTED_CHUNK = 16, MOST_LISTED = 1100 };

static void write_listed(unsigned filters, int n_chunks)
{
    static int32_t values[MOST_LISTED * LISTED_CHUNK];
    const hsize_t dim = (hsize_t)n_chunks * LISTED_CHUNK, chunk = LISTED_CHUNK;
    for (hsize_t i = 0; i < dim; i++) values[i] = (int32_t)i;
    hid_t file = fx_h5_create("index.h5");
    fx_h5_data(file, "x", H5T_STD_I32LE, 1, &dim, &chunk, filters, H5T_NATIVE_INT32, values);
    H5Fclose(file);
}

/* The first chunks are said to be longer by so many bytes. The index of chunks has nodes: a head of
 * 24 bytes, then 32 for each chunk that begin with its size. */
static void lie_of_sizes(const int32_t more[2])
{
    enum { MOST = 1 << 18, HEAD = 24, EACH = 32 };
    static const unsigned char mark[] = {'T', 'R', 'E', 'E', 1, 0};
    static unsigned char whole[MOST];
    size_t at = 0;
    FILE *f = fopen(fx_path("index.h5"), "rb");
    assert_non_null(f);
    const size_t n = fread(whole, 1, MOST, f);
    assert_int_equal(fclose(f), 0);
    while (at + HEAD + 2 * EACH <= n && memcmp(whole + at, mark, sizeof mark) != 0) at++;
    assert_true(at + HEAD + 2 * EACH <= n);
    for (int k = 0; k < 2; k++) {
        const uint32_t bytes = (uint32_t)(4 * LISTED_CHUNK + more[k]);
        for (int i = 0; i < 4; i++)
            whole[at + HEAD + (size_t)(EACH * k + i)] = (unsigned char)(bytes >> 8 * i);
    }
    fx_bytes("index.h5", whole, n);
}

static void sizes_that_no_chunk_has(void **state)
{
    static const struct {
        unsigned filters;
        int n_chunks;
        int32_t more[2];
        const char *said; /* NULL: nothing is wrong */
    } cases[] = {
        {0, 4, {0, 0}, NULL},
        {0, 4, {-4, 4}, "/x: has chunks of a wrong size"},
        {0, MOST_LISTED, {0, 0}, NULL},
        {0, MOST_LISTED, {-4, 0}, "/x: has chunks of a wrong size"},
        {0, MOST_LISTED, {0, 4}, "/x: has chunks of a wrong size"},
        {FX_SHUFFLE, 4, {0, 0}, NULL},
        {FX_SHUFFLE, 4, {0, 1 - 4 * LISTED_CHUNK}, "/x: chunk 1 (values from 16) is damaged"},
        {FX_SHUFFLE, 4, {1 << 20, 0}, "/x: chunk 0 (values from 0) is damaged"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_h5r_array a;
        ql_err err = {0};
        hid_t file;
        write_listed(cases[i].filters, cases[i].n_chunks);
        lie_of_sizes(cases[i].more);
        fx_assert_ok(ql_h5r_open(fx_path("index.h5"), &file, &err));
        fx_assert_ok(ql_h5r_array_open(file, "x", 1, &a, &err));
        assert_int_equal(ql_h5r_check_chunks(&a, 1, &err), cases[i].said ? QL_EDATA : QL_OK);
        if (cases[i].said) assert_string_equal(err.msg, cases[i].said);
        ql_h5r_array_close(&a);
        ql_h5r_close(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_wide_chunks_is_decoded_once),
        cmocka_unit_test(what_is_kept_is_counted),
        cmocka_unit_test(long_chunks_are_decoded_once),
        cmocka_unit_test(a_chunk_of_another_size_is_damaged),
        cmocka_unit_test(a_chunk_shorter_than_its_checksum),
        cmocka_unit_test(filters_that_come_once_are_undone),
        cmocka_unit_test(a_range_within_chunks),
        cmocka_unit_test(a_band_whose_chunks_reach_beyond_it),
        cmocka_unit_test(sizes_that_no_chunk_has),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
