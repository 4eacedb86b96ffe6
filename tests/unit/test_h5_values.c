/* Values of HDF5 files taken from their chunks and heaps without the library's help: against the
 * library and against plain loops. */
#include "../../src/io/hdf5/h5_values.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "../../src/io/hdf5/h5_heap.h"
#include "../../src/io/hdf5/h5_names.h"
#include "../../src/io/hdf5/lzf.h"
#include "fixture_h5.h"

static ql_h5r_array open_array(const char *name, hid_t *file)
{
    ql_h5r_array a;
    ql_err err = {0};
    fx_assert_ok(ql_h5r_open(fx_path(name), file, &err));
    fx_assert_ok(ql_h5r_array_open(*file, "x", 1, &a, &err));
    return a;
}

static void close_array(ql_h5r_array *a, hid_t file)
{
    ql_h5r_array_close(a);
    ql_h5r_close(file);
}

/* --- what entries are --- */

static const float odd_values[] = {0.0f,          -0.0f,      1.0f,       2.5f,
                                   -1.0f,         NAN,        INFINITY,   -INFINITY,
                                   16777217.0f,   8388607.5f, 8388608.0f, 2147483520.0f,
                                   2147483648.0f, 1e30f,      1e-40f,     0.99999994f};

static ql_entries_seen look_slowly(const float *x, int64_t n)
{
    ql_entries_seen seen = ql_nothing_seen;
    for (int64_t i = 0; i < n; i++) {
        seen.zeros |= x[i] == 0.0f;
        if (!(x[i] >= 0.0f) || !(x[i] < 2147483648.0f) || floorf(x[i]) != x[i]) seen.counts = false;
    }
    for (int64_t i = 0; i < n && seen.counts; i++) seen.max = fmaxf(seen.max, x[i]);
    return seen;
}

static void test_entries(void **state)
{
    enum { N = 67 };
    float x[N];
    (void)state;
    for (size_t v = 0; v < sizeof odd_values / sizeof *odd_values; v++) {
        for (int at = 0; at < N; at++) {
            for (int i = 0; i < N; i++) x[i] = i == at ? odd_values[v] : (float)(1 + i % 7);
            ql_entries_seen seen = ql_nothing_seen, expected = look_slowly(x, N);
            ql_see_entries(x, N, &seen);
            assert_int_equal(seen.counts, expected.counts);
            assert_int_equal(seen.zeros, expected.zeros);
            if (seen.counts) assert_true(seen.max == expected.max);
        }
    }
}

/* --- order of indices, within chunks and where they meet --- */

enum { N_ROWS = 23, N_INDICES = 700, CHUNK = 64 };

/* Rows of 0, 61, 62, ... entries' distance, so that some begin where chunks do. */
static void cut_rows(int64_t *indptr)
{
    static const int64_t ends[N_ROWS] = {0,   5,   64,  64,  66,  128, 130, 190, 191, 193, 256, 319,
                                         320, 321, 384, 448, 449, 511, 513, 600, 640, 640, 700};
    indptr[0] = 0;
    for (int i = 0; i < N_ROWS; i++) indptr[i + 1] = ends[i];
}

static void number_columns(const int64_t *indptr, int64_t *x)
{
    for (int i = 0; i < N_ROWS; i++)
        for (int64_t k = indptr[i]; k < indptr[i + 1]; k++) x[k] = 2 * (k - indptr[i]);
}

static bool in_order(const int64_t *indptr, const int64_t *x)
{
    for (int i = 0; i < N_ROWS; i++)
        for (int64_t k = indptr[i] + 1; k < indptr[i + 1]; k++)
            if (x[k] <= x[k - 1]) return false;
    return true;
}

static void assert_order(const int64_t *indptr, const int64_t *x, hid_t type, unsigned filters)
{
    const hsize_t dim = N_INDICES, chunk = CHUNK;
    int32_t out[N_INDICES];
    ql_err err = {0};
    hid_t file = fx_h5_create("order.h5");
    fx_h5_data(file, "x", type, 1, &dim, filters ? &chunk : NULL, filters, H5T_NATIVE_INT64, x);
    H5Fclose(file);
    ql_h5r_array a = open_array("order.h5", &file);
    for (int threads = 1; threads <= 3; threads += 2) {
        ql_h5r_rows rows = {.indptr = indptr, .n_rows = N_ROWS};
        fx_assert_ok(ql_h5r_read_indices(&a, N_INDICES, 1000, "genes", threads, out, &rows, &err));
        assert_int_equal(rows.ascending, in_order(indptr, x));
        for (int i = 0; i < N_INDICES; i++) assert_int_equal(out[i], x[i]);
    }
    close_array(&a, file);
}

static void test_order(void **state)
{
    int64_t indptr[N_ROWS + 1], x[N_INDICES];
    (void)state;
    cut_rows(indptr);
    number_columns(indptr, x);
    assert_true(in_order(indptr, x));
    assert_order(indptr, x, H5T_STD_I32LE, FX_DEFLATE);
    assert_order(indptr, x, H5T_STD_I64LE, FX_SHUFFLE | FX_DEFLATE);
    assert_order(indptr, x, H5T_STD_I32LE, 0);
    for (int k = 1; k < N_INDICES; k += 1 + (k % 64 > 2 && k % 64 < 61)) {
        int64_t kept = x[k];
        x[k] = x[k - 1];
        assert_order(indptr, x, k % 3 ? H5T_STD_I32LE : H5T_STD_I16LE, FX_DEFLATE);
        x[k] = kept;
    }
}

/* --- damage: the first bad chunk is told, however many threads there are --- */

static void damage(const char *name, hid_t file, int64_t chunk)
{
    hsize_t at[1] = {(hsize_t)chunk * CHUNK}, size = 0;
    haddr_t address = 0;
    unsigned mask = 0;
    hid_t id = H5Dopen2(file, "x", H5P_DEFAULT);
    assert_true(H5Dget_chunk_info_by_coord(id, at, &mask, &address, &size) >= 0);
    H5Dclose(id);
    FILE *f = fopen(fx_path(name), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)address + 2, SEEK_SET), 0);
    assert_int_equal(fwrite("\xff\xff\xff\xff", 1, 4, f), 4);
    assert_int_equal(fclose(f), 0);
}

static void test_first_damage(void **state)
{
    const hsize_t dim = 40 * CHUNK, chunk = CHUNK;
    static int64_t x[40 * CHUNK];
    static float out[40 * CHUNK];
    (void)state;
    for (int i = 0; i < 40 * CHUNK; i++) x[i] = i % 91;
    hid_t file = fx_h5_create("damage.h5");
    fx_h5_data(file, "x", H5T_IEEE_F32LE, 1, &dim, &chunk, FX_DEFLATE, H5T_NATIVE_INT64, x);
    H5Fclose(file);
    ql_h5r_array a = open_array("damage.h5", &file);
    damage("damage.h5", file, 31);
    damage("damage.h5", file, 7);
    damage("damage.h5", file, 9);
    for (int threads = 1; threads < 6; threads++) {
        ql_err err = {0};
        assert_int_equal(ql_h5r_read_f32(&a, 40 * CHUNK, threads, out, NULL, &err), QL_EDATA);
        assert_string_equal(err.msg, "/x: chunk 7 (values from 448) is damaged");
    }
    close_array(&a, file);
}

/* --- strings of variable length --- */

enum { N_STRINGS = 3000 };

static const char **make_strings(void)
{
    static char text[N_STRINGS][40];
    static const char *list[N_STRINGS];
    for (int i = 0; i < N_STRINGS; i++) {
        (void)snprintf(text[i], sizeof text[i], "%s%.*s-%d", i % 5 ? "cell" : "\xC3\xA9", i % 20,
                       "ACGTACGTACGTACGTACGT", i);
        list[i] = i % 11 ? text[i] : "";
    }
    return list;
}

static void write_strings(const char *name, hid_t fcpl, bool chunked, const char **list)
{
    const hsize_t dim = N_STRINGS, chunk = 100;
    hid_t type = fx_h5_text_type();
    hid_t file = H5Fcreate(fx_path(name), H5F_ACC_TRUNC, fcpl, H5P_DEFAULT);
    assert_true(file >= 0);
    fx_h5_data(file, "x", type, 1, &dim, chunked ? &chunk : NULL, chunked ? FX_DEFLATE : 0, type,
               list);
    H5Tclose(type);
    H5Fclose(file);
}

/* Does the short way do it, and whichever way it goes, are they the strings? */
static bool read_strings(hid_t file, const char **list)
{
    ql_names direct = {0}, names = {0};
    ql_h5r_array a;
    ql_err err = {0};
    fx_assert_ok(ql_h5r_array_open(file, "x", 1, &a, &err));
    hid_t type = H5Dget_type(a.id);
    int64_t bad;
    bool done = ql_h5r_heap_strings(&a, type, &direct, &bad) == QL_HEAP_DONE;
    fx_assert_ok(ql_h5r_strings(&a, type, type, &names, &err));
    assert_int_equal(direct.n, done ? N_STRINGS : 0);
    assert_int_equal(names.n, N_STRINGS);
    for (int i = 0; i < N_STRINGS; i++) {
        assert_string_equal(ql_name(&names, i), list[i]);
        if (done) assert_string_equal(ql_name(&direct, i), list[i]);
    }
    ql_names_free(&direct);
    ql_names_free(&names);
    H5Tclose(type);
    ql_h5r_array_close(&a);
    return done;
}

static bool strings_of(const char *name, hid_t fcpl, bool chunked)
{
    hid_t file;
    ql_err err = {0};
    write_strings(name, fcpl, chunked, make_strings());
    fx_assert_ok(ql_h5r_open(fx_path(name), &file, &err));
    bool done = read_strings(file, make_strings());
    ql_h5r_close(file);
    return done;
}

static void test_strings(void **state)
{
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE);
    (void)state;
    assert_true(strings_of("s.h5", H5P_DEFAULT, false));
    assert_true(strings_of("s.h5", H5P_DEFAULT, true));
    H5Pset_userblock(fcpl, 512);
    assert_false(strings_of("s.h5", fcpl, false));
    H5Pset_userblock(fcpl, 0);
    H5Pset_sizes(fcpl, 4, 4);
    assert_false(strings_of("s.h5", fcpl, true));
    H5Pclose(fcpl);
    hid_t file = fx_h5_edit("s.h5");
    assert_false(read_strings(file, make_strings()));
    H5Fclose(file);
}

static void overwrite(const char *name, int64_t at, unsigned char value)
{
    int fd = open(fx_path(name), O_RDWR);
    assert_int_equal(pwrite(fd, &value, 1, (off_t)at), 1);
    close(fd);
}

static void assert_outcome(ql_h5r_array *a, ql_heap_outcome expected, int64_t place)
{
    ql_names names = {0};
    ql_err err = {0};
    int64_t bad = -1;
    char message[64];
    hid_t type = H5Dget_type(a->id);
    assert_int_equal(ql_h5r_heap_strings(a, type, &names, &bad), expected);
    assert_int_equal(names.n, 0);
    assert_null(names.bytes);
    if (expected == QL_HEAP_DAMAGED) {
        assert_int_equal(ql_h5r_strings(a, type, type, &names, &err), QL_EDATA);
        (void)snprintf(message, sizeof message, "/x: is damaged near value %d", (int)place);
        assert_string_equal(err.msg, message);
    }
    H5Tclose(type);
    ql_names_free(&names);
}

/* A reference changed in one place: length, address or number of its object. What contradicts the
 * heap is damage; an address that holds no heap is left to the library. */
static void test_lying_references(void **state)
{
    static const struct {
        int at;
        unsigned char value;
        ql_heap_outcome outcome;
    } lies[] = {{0, 200, QL_HEAP_DAMAGED},  {3, 127, QL_HEAP_DAMAGED},  {4, 1, QL_HEAP_UNUSUAL},
                {11, 255, QL_HEAP_UNUSUAL}, {10, 127, QL_HEAP_UNUSUAL}, {12, 0, QL_HEAP_DAMAGED},
                {14, 1, QL_HEAP_DAMAGED},   {13, 255, QL_HEAP_DAMAGED}};
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        hid_t file;
        write_strings("l.h5", H5P_DEFAULT, false, make_strings());
        ql_h5r_array a = open_array("l.h5", &file);
        overwrite("l.h5", (int64_t)H5Dget_offset(a.id) + 16 * 1234 + lies[i].at, lies[i].value);
        assert_outcome(&a, lies[i].outcome, 1234);
        close_array(&a, file);
    }
}

/* The first object is said to end 8 bytes behind its heap, and the second value, which refers to
 * it, agrees. */
static void lie_together(int64_t reference, int64_t heap, int64_t size)
{
    const int64_t bytes = size - 24;
    for (int i = 0; i < 4; i++) {
        const unsigned char value = (unsigned char)(bytes >> (8 * i));
        overwrite("h.h5", reference + i, value);
        overwrite("h.h5", heap + 16 + 8 + i, value);
        overwrite("h.h5", reference + 12 + i, i == 0);
        overwrite("h.h5", heap + 16 + i, i == 0);
    }
}

/* The same of the heap: the size of an object, its number, and the free space at the end, whose
 * size of 0 the library walks along for ever. */
static void test_lying_heap(void **state)
{
    unsigned char ref[16];
    (void)state;
    for (int lie = 0; lie < 5; lie++) {
        hid_t file;
        int64_t address = 0, at = 0, size;
        write_strings("h.h5", H5P_DEFAULT, false, make_strings());
        ql_h5r_array a = open_array("h.h5", &file);
        FILE *f = fopen(fx_path("h.h5"), "rb");
        static unsigned char heap[1 << 20];
        assert_int_equal(fseek(f, (long)H5Dget_offset(a.id) + 16, SEEK_SET), 0);
        assert_int_equal(fread(ref, 1, 16, f), 16);
        for (int i = 7; i >= 0; i--) address = address << 8 | ref[4 + i];
        assert_int_equal(fseek(f, (long)address, SEEK_SET), 0);
        int64_t got = (int64_t)fread(heap, 1, sizeof heap, f);
        (void)fclose(f);
        size = heap[8] | heap[9] << 8 | heap[10] << 16;
        assert_true(memcmp(heap, "GCOL", 4) == 0 && size >= 4096 && size <= got);
        for (at = 16; size - at >= 16 && (heap[at] | heap[at + 1]);)
            at += 16 + (heap[at + 8] + 7) / 8 * 8;
        static const int places[] = {8, 15, 0};
        if (lie < 3) overwrite("h.h5", address + 16 + places[lie], lie == 2 ? 77 : 255);
        assert_true(size - at >= 16);
        if (lie == 3)
            for (int i = 8; i < 16; i++) overwrite("h.h5", address + at + i, 0);
        if (lie == 4) lie_together((int64_t)H5Dget_offset(a.id) + 16, address, size);
        assert_outcome(&a, QL_HEAP_DAMAGED, 1);
        close_array(&a, file);
    }
}

/* Blocks of LZF: literals and copies that fit, and those that would leave the block or the room. */
static void test_lzf_blocks(void **state)
{
    static const struct {
        unsigned char in[8];
        size_t n, room, got;
    } blocks[] = {
        {{1, 'a', 'b'}, 3, 2, 2},          {{1, 'a', 'b'}, 3, 1, 0},
        {{4, 'a', 'b'}, 3, 8, 0},          {{0, 'a', 0x20, 0}, 4, 4, 4},
        {{0, 'a', 0x20, 0}, 4, 3, 0},      {{0, 'a', 0x20, 1}, 4, 8, 0},
        {{0, 'a', 0x20}, 3, 8, 0},         {{0, 'a', 0xe0}, 3, 8, 0},
        {{0, 'a', 0xe0}, 3, 16, 0},        {{0, 'a', 0xe0, 0}, 4, 16, 0},
        {{0, 'a', 0xe0, 0, 0}, 5, 10, 10}, {{0, 'a', 0xe0, 0, 0}, 5, 9, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        unsigned char out[24] = {0};
        assert_int_equal(ql_lzf_decode(blocks[i].in, blocks[i].n, out, blocks[i].room),
                         blocks[i].got);
        for (size_t k = blocks[i].room; k < sizeof out; k++) assert_int_equal(out[k], 0);
        if (blocks[i].got > 2)
            for (size_t k = 0; k < blocks[i].got; k++) assert_int_equal(out[k], 'a');
    }
}

/* --- attributes and extents that are too large --- */

/* An attribute of n texts of so many bytes each, in a file that allows large ones. */
static hid_t file_with_texts(hsize_t n, size_t bytes)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), type = H5Tcopy(H5T_C_S1);
    H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Tset_size(type, bytes);
    hid_t file = H5Fcreate(fx_path("texts.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    hid_t space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
    hid_t attr = H5Acreate2(file, "texts", type, space, H5P_DEFAULT, H5P_DEFAULT);
    char *values = calloc(n, bytes);
    assert_true(attr >= 0 && values);
    values[0] = 'a';
    assert_true(H5Awrite(attr, type, values) >= 0);
    free(values);
    H5Aclose(attr);
    H5Sclose(space);
    H5Tclose(type);
    H5Pclose(fapl);
    return file;
}

static void test_long_texts(void **state)
{
    static const struct {
        hsize_t n;
        size_t bytes;
        bool one;       /* it is taken as a text */
        int64_t listed; /* as a list: texts taken */
    } cases[] = {{1, 1 << 16, true, 1},
                 {1, (1 << 16) + 1, false, 0},
                 {1, 1 << 20, false, 0},
                 {(1 << 10) + 1, 1 << 16, false, 0},
                 {1 << 24, 1, false, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_str text = {0};
        ql_names names = {0};
        bool has = false;
        hid_t file = file_with_texts(cases[i].n, cases[i].bytes);
        fx_assert_ok(ql_h5r_attr_string(file, "/", "texts", &text, &has, &fx_err));
        assert_int_equal(has, cases[i].one);
        if (has) assert_string_equal(ql_str_text(&text), "a");
        fx_assert_ok(ql_h5r_attr_strings(file, "/", "texts", &names, &fx_err));
        assert_int_equal(names.n, cases[i].listed);
        ql_names_free(&names);
        ql_str_free(&text);
        H5Fclose(file);
    }
}

static void test_ranks(void **state)
{
    static const hsize_t dim[3] = {1, 1, 1};
    (void)state;
    for (int rank = 1; rank <= 3; rank++) {
        hid_t file = fx_h5_create("rank.h5");
        fx_h5_data(file, "x", H5T_STD_I32LE, rank, dim, NULL, 0, H5T_NATIVE_INT32, NULL);
        for (int wanted = -1; wanted <= 2; wanted++) {
            ql_h5r_array a;
            ql_err err = {0};
            const bool fits = rank <= 2 && (wanted < 0 || wanted == rank);
            assert_int_equal(ql_h5r_array_open(file, "x", wanted, &a, &err),
                             fits ? QL_OK : QL_EDATA);
            if (!fits) fx_assert_text(err.msg, " dimensions, ");
            ql_h5r_array_close(&a);
        }
        H5Fclose(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_first_damage),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_lying_references),
        cmocka_unit_test(test_lying_heap),
        cmocka_unit_test(test_lzf_blocks),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_ranks),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
