/* Named values: putting, looking up, and as HDF5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quell/alloc.h"
#include "quell/bundle.h"
#include "quell/bundle_h5.h"
#include "scratch_file.h"

static const float weights[6] = {1, -2, 3.5f, 4, 5, 1e-20f};
static const double history[3] = {0.5, 0.25, 1.0 / 3};
static const int64_t order[2] = {7, -9};
static const int32_t codes[1] = {-3};
static const uint8_t flags[4] = {0, 1, 255, 7};

static ql_names two_names(void)
{
    ql_names names = {0};
    assert_int_equal(ql_names_add(&names, "CD3E", 4, NULL), QL_OK);
    assert_int_equal(ql_names_add(&names, "\xce\xb2-actin", 8, NULL), QL_OK);
    return names;
}

static void fill(ql_bundle *b, const ql_names *names)
{
    ql_err err = {0};
    assert_int_equal(ql_bundle_put_text(b, "format", "test", &err), QL_OK);
    assert_int_equal(
        ql_bundle_lend_array(b, "net/out/weights", (ql_array){QL_ELEM_F32, 2, 3, weights}, &err),
        QL_OK);
    assert_int_equal(ql_bundle_put_int(b, "format_version", 3, &err), QL_OK);
    assert_int_equal(ql_bundle_put_double(b, "training/loss", 0.1, &err), QL_OK);
    assert_int_equal(
        ql_bundle_copy_array(b, "training/history", (ql_array){QL_ELEM_F64, 3, -1, history}, &err),
        QL_OK);
    assert_int_equal(ql_bundle_lend_array(b, "order", (ql_array){QL_ELEM_I64, 2, -1, order}, &err),
                     QL_OK);
    assert_int_equal(ql_bundle_lend_array(b, "codes", (ql_array){QL_ELEM_I32, 1, 1, codes}, &err),
                     QL_OK);
    assert_int_equal(ql_bundle_lend_array(b, "flags", (ql_array){QL_ELEM_U8, 4, -1, flags}, &err),
                     QL_OK);
    assert_int_equal(ql_bundle_lend_array(b, "none", (ql_array){QL_ELEM_F32, 0, 5, NULL}, &err),
                     QL_OK);
    assert_int_equal(ql_bundle_lend_names(b, "genes/index", names, &err), QL_OK);
}

static void check(const ql_bundle *b)
{
    const char *text = NULL;
    const ql_names *names = NULL;
    int64_t i = 0;
    double d = 0;
    float w[6];
    ql_array a;
    ql_err err = {0};
    assert_int_equal(b->n, 10);
    assert_int_equal(ql_bundle_text(b, "format", &text, &err), QL_OK);
    assert_string_equal(text, "test");
    assert_int_equal(ql_bundle_int(b, "format_version", 1, 3, &i, &err), QL_OK);
    assert_int_equal(i, 3);
    assert_int_equal(ql_bundle_double(b, "training/loss", &d, &err), QL_OK);
    assert_true(d == 0.1);
    assert_int_equal(
        ql_bundle_load(b, "net/out/weights", (ql_array){QL_ELEM_F32, 2, 3, NULL}, w, &err), QL_OK);
    assert_memory_equal(w, weights, sizeof w);
    assert_int_equal(
        ql_bundle_array(b, "training/history", (ql_array){QL_ELEM_F64, -1, -1, NULL}, &a, &err),
        QL_OK);
    assert_int_equal(a.n_rows, 3);
    assert_memory_equal(a.values, history, sizeof history);
    assert_int_equal(ql_bundle_array(b, "order", (ql_array){QL_ELEM_I64, 2, -1, NULL}, &a, &err),
                     QL_OK);
    assert_memory_equal(a.values, order, sizeof order);
    assert_int_equal(ql_bundle_array(b, "codes", (ql_array){QL_ELEM_I32, 1, 1, NULL}, &a, &err),
                     QL_OK);
    assert_memory_equal(a.values, codes, sizeof codes);
    assert_int_equal(ql_bundle_array(b, "flags", (ql_array){QL_ELEM_U8, 4, -1, NULL}, &a, &err),
                     QL_OK);
    assert_memory_equal(a.values, flags, sizeof flags);
    assert_int_equal(ql_bundle_array(b, "none", (ql_array){QL_ELEM_F32, -1, -2, NULL}, &a, &err),
                     QL_OK);
    assert_int_equal(a.n_cols, 5);
    assert_int_equal(ql_bundle_names(b, "genes/index", 2, &names, &err), QL_OK);
    assert_string_equal(ql_name(names, 1), "\xce\xb2-actin");
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    ql_bundle b = {0};
    ql_names names = two_names();
    fill(&b, &names);
    check(&b);
    ql_bundle_free(&b);
    ql_names_free(&names);
    ql_bundle_free(NULL);
}

static void a_wrong_look_is_one_line(void **state)
{
    (void)state;
    ql_bundle b = {0};
    ql_names names = two_names();
    const ql_names *list;
    const char *text;
    double d;
    int64_t i;
    ql_array a;
    ql_err err = {0};
    fill(&b, &names);
    assert_int_equal(ql_bundle_text(&b, "net/bias", &text, &err), QL_EDATA);
    assert_string_equal(err.msg, "net/bias is missing");
    assert_int_equal(
        ql_bundle_array(&b, "net/out/weights", (ql_array){QL_ELEM_F32, 3, 2, NULL}, &a, &err),
        QL_EDATA);
    assert_string_equal(err.msg, "net/out/weights is float32 [2, 3], float32 [3, 2] expected");
    assert_int_equal(ql_bundle_array(&b, "order", (ql_array){QL_ELEM_F64, -1, -1, NULL}, &a, &err),
                     QL_EDATA);
    assert_string_equal(err.msg, "order is int64 [2], float64 [any] expected");
    assert_int_equal(ql_bundle_int(&b, "format_version", 1, 1, &i, &err), QL_EDATA);
    assert_string_equal(err.msg, "format_version is 3, must be in 1 .. 1");
    assert_int_equal(ql_bundle_int(&b, "format_version", 4, 9, &i, &err), QL_EDATA);
    assert_string_equal(err.msg, "format_version is 3, must be in 4 .. 9");
    assert_int_equal(ql_bundle_double(&b, "format", &d, &err), QL_EDATA);
    assert_string_equal(err.msg, "format is a text, a number expected");
    assert_int_equal(ql_bundle_names(&b, "genes/index", 3, &list, &err), QL_EDATA);
    assert_string_equal(err.msg, "genes/index is a list of 2 texts, a list of 3 texts expected");
    assert_int_equal(ql_bundle_names(&b, "genes/index", 1, &list, &err), QL_EDATA);
    assert_string_equal(err.msg, "genes/index is a list of 2 texts, a list of 1 texts expected");
    assert_int_equal(ql_bundle_put_double(&b, "nan", (double)NAN, &err), QL_OK);
    assert_int_equal(ql_bundle_double(&b, "nan", &d, &err), QL_EDATA);
    ql_bundle_free(&b);
    ql_names_free(&names);
}

/* Not of other numbers, neither larger nor smaller, no list for a matrix. */
static void arrays_of_another_shape(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ql_array want;
    } cases[] = {{"net/out/weights", {QL_ELEM_F64, 2, 3, NULL}},
                 {"net/out/weights", {QL_ELEM_F32, 1, 3, NULL}},
                 {"net/out/weights", {QL_ELEM_F32, 3, 3, NULL}},
                 {"net/out/weights", {QL_ELEM_F32, 2, 2, NULL}},
                 {"net/out/weights", {QL_ELEM_F32, 2, 4, NULL}},
                 {"net/out/weights", {QL_ELEM_F32, 2, -1, NULL}},
                 {"order", {QL_ELEM_I64, 2, -2, NULL}},
                 {"order", {QL_ELEM_I64, 1, -1, NULL}},
                 {"order", {QL_ELEM_I64, 3, -1, NULL}}};
    ql_bundle b = {0};
    ql_names names = two_names();
    fill(&b, &names);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_array found;
        ql_err err = {0};
        assert_int_equal(ql_bundle_array(&b, cases[i].name, cases[i].want, &found, &err), QL_EDATA);
        assert_non_null(strstr(err.msg, " expected"));
    }
    ql_bundle_free(&b);
    ql_names_free(&names);
}

/* The first number out of range is told; what is at its ends is in it. */
static void numbers_out_of_range(void **state)
{
    (void)state;
    static const struct {
        ql_range range;
        double good[2], bad;
        const char *said;
    } cases[] = {
        {QL_FINITE, {-1e300, 1e300}, INFINITY, "value 2 is inf, a finite number expected"},
        {QL_FINITE, {0, 0}, NAN, "a finite number expected"},
        {QL_FROM_0, {0, 9}, -1e-300, "a number from 0 on expected"},
        {QL_ABOVE_0, {1e-320, 9}, 0, "value 2 is 0, a number above 0 expected"},
        {QL_FROM_0_TO_1, {0, 1}, 1.5, "value 2 is 1.5, a share expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double values[] = {cases[i].good[0], cases[i].good[1], cases[i].bad};
        const ql_array two = {QL_ELEM_F64, 2, -1, values}, three = {QL_ELEM_F64, 3, -1, values};
        ql_bundle b = {0};
        ql_array found;
        ql_err err = {0};
        assert_int_equal(ql_bundle_lend_array(&b, "two", two, &err), QL_OK);
        assert_int_equal(ql_bundle_lend_array(&b, "three", three, &err), QL_OK);
        assert_int_equal(ql_bundle_numbers(&b, "two", two, cases[i].range, &found, &err), QL_OK);
        assert_ptr_equal(found.values, values);
        assert_int_equal(ql_bundle_numbers(&b, "three", three, cases[i].range, NULL, &err),
                         QL_EDATA);
        assert_non_null(strstr(err.msg, cases[i].said));
        ql_bundle_free(&b);
    }
}

static void names_that_cannot_be(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "/a", "a/", "a//b", ".", "a/..", "a\nb", "b/c", "b", "b/c/d", "a/b/c/d/e/f/g/h/i",
        "\xff"};
    ql_bundle b = {0};
    ql_err err = {0};
    assert_int_equal(ql_bundle_put_int(&b, "b/c", 1, &err), QL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ql_bundle_put_int(&b, bad[i], 1, &err), QL_EINTERNAL);
    assert_int_equal(b.n, 1);
    assert_int_equal(ql_bundle_put_int(&b, "b/cc", 1, &err), QL_OK);
    ql_bundle_free(&b);
}

static void the_longest_name(void **state)
{
    (void)state;
    char name[QL_BUNDLE_NAME + 1] = "";
    ql_bundle b = {0};
    memset(name, 'x', QL_BUNDLE_NAME);
    assert_int_equal(ql_bundle_put_int(&b, name, 1, NULL), QL_EINTERNAL);
    name[QL_BUNDLE_NAME - 1] = '\0';
    assert_int_equal(ql_bundle_put_int(&b, name, 1, NULL), QL_OK);
    ql_bundle_free(&b);
}

static void the_most_entries(void **state)
{
    (void)state;
    char name[16];
    ql_bundle b = {0};
    ql_err err = {0};
    for (int i = 0; i < QL_BUNDLE_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(ql_bundle_put_int(&b, name, i, NULL), QL_OK);
    }
    assert_int_equal(ql_bundle_put_int(&b, "m", 1, &err), QL_EINTERNAL);
    assert_string_equal(err.msg, "m: more than 4096 entries");
    ql_bundle_free(&b);
}

/* ---- as HDF5 ---- */

static void write_or_die(const char *path, const ql_bundle *b, int deflate, int threads)
{
    ql_err err = {0};
    const ql_bundle_write_options opt = {.force = true, .deflate = deflate, .threads = threads};
    if (ql_bundle_h5_write(path, b, &opt, &err) != QL_OK) fail_msg("%s", err.msg);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    char path[SCRATCH_PATH];
    ql_names names = two_names();
    ql_err err = {0};
    scratch_file(path);
    for (int deflate = 0; deflate <= 6; deflate += 6) {
        ql_bundle b = {0}, back = {0}, root = {0};
        fill(&b, &names);
        write_or_die(path, &b, deflate, 2);
        if (ql_bundle_h5_read(path, &back, &err) != QL_OK) fail_msg("%s", err.msg);
        check(&back);
        assert_int_equal(ql_bundle_h5_read_root(path, &root, &err), QL_OK);
        assert_int_equal(root.n, 2);
        assert_non_null(ql_bundle_find(&root, "format"));
        ql_bundle_free(&root);
        ql_bundle_free(&back);
        ql_bundle_free(&b);
    }
    unlink(path);
    ql_names_free(&names);
}

static long slurp(const char *path, char *out, long most)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    long n = (long)fread(out, 1, (size_t)most, f);
    fclose(f);
    return n;
}

static void the_order_of_putting_is_not_in_the_bytes(void **state)
{
    (void)state;
    enum { MOST = 1 << 20 };
    char one[SCRATCH_PATH], two[SCRATCH_PATH], *bytes = malloc(2 * MOST);
    ql_names names = two_names();
    ql_bundle b = {0}, back = {0};
    scratch_file(one);
    scratch_file(two);
    fill(&b, &names);
    write_or_die(one, &b, 6, 1);
    assert_int_equal(ql_bundle_h5_read(one, &back, NULL), QL_OK);
    assert_string_not_equal(back.entries[0].name, "net/out/weights");
    write_or_die(two, &back, 6, 3);
    long n = slurp(one, bytes, MOST), m = slurp(two, bytes + MOST, MOST);
    assert_int_equal(n, m);
    assert_memory_equal(bytes, bytes + MOST, (size_t)n);
    ql_bundle_free(&back);
    ql_bundle_free(&b);
    ql_names_free(&names);
    free(bytes);
    unlink(one);
    unlink(two);
}

/* A file with one thing in it that is refused, and what is said of it. */
static void refused(void (*spoil)(hid_t file), const char *said)
{
    char path[SCRATCH_PATH];
    ql_bundle b = {0};
    ql_err err = {0};
    scratch_file(path);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    spoil(file);
    H5Fclose(file);
    if (ql_bundle_h5_read(path, &b, &err) != QL_EDATA) fail_msg("not refused: %s", said);
    assert_int_equal(b.n, 0);
    assert_null(b.entries);
    if (!strstr(err.msg, said)) fail_msg("\"%s\" has no \"%s\"", err.msg, said);
    unlink(path);
}

static void soft_link(hid_t file)
{
    H5Lcreate_soft("/b", file, "a", H5P_DEFAULT, H5P_DEFAULT);
}

static void external_link(hid_t file)
{
    H5Lcreate_external("/etc/passwd", "/b", file, "a", H5P_DEFAULT, H5P_DEFAULT);
}

static void circle(hid_t file)
{
    H5Lcreate_hard(file, "/", file, "a", H5P_DEFAULT, H5P_DEFAULT);
}

static void many_circles(hid_t file)
{
    char name[32];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "g%d", i);
        H5Lcreate_hard(file, "/", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
}

static void dataset_of(hid_t file, hid_t type, int rank, const hsize_t *dims)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set = H5Dcreate2(file, "a", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(set);
    H5Sclose(space);
}

static void huge(hid_t file)
{
    dataset_of(file, H5T_NATIVE_FLOAT, 2, (hsize_t[2]){1 << 20, 1 << 20});
}

static void a_little_unwritten(hid_t file)
{
    dataset_of(file, H5T_NATIVE_FLOAT, 2, (hsize_t[2]){2, 5});
}

/* Its zeros take next to nothing; each link to them would be an array in memory. */
static void linked_often(hid_t file)
{
    static const hsize_t n = 1 << 20;
    static float zeros[1 << 20];
    hid_t space = H5Screate_simple(1, &n, NULL), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(dcpl, 1, &n);
    H5Pset_deflate(dcpl, 9);
    hid_t id = H5Dcreate2(file, "a", H5T_IEEE_F32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0);
    H5Dclose(id);
    H5Pclose(dcpl);
    H5Sclose(space);
    for (char name[] = "b"; *name <= 'm'; ++*name)
        assert_true(H5Lcreate_hard(file, "a", file, name, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void unwritten(hid_t file)
{
    dataset_of(file, H5T_NATIVE_FLOAT, 2, (hsize_t[2]){1024, 1024});
}

static void three_dimensions(hid_t file)
{
    dataset_of(file, H5T_NATIVE_FLOAT, 3, (hsize_t[3]){1, 1, 1});
}

static void odd_type(hid_t file)
{
    dataset_of(file, H5T_NATIVE_INT16, 1, (hsize_t[1]){0});
}

static void list_attribute(hid_t file)
{
    hsize_t n = 3;
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t attr = H5Acreate2(file, "list", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Aclose(attr);
    H5Sclose(space);
}

static void odd_name(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "a\nb", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    hid_t group = H5Gopen2(file, "a\nb", H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
    hid_t attr = H5Acreate2(group, "x", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Aclose(attr);
    H5Sclose(space);
    H5Gclose(group);
}

static void long_name(hid_t file)
{
    char name[QL_BUNDLE_NAME + 1] = "";
    memset(name, 'x', QL_BUNDLE_NAME);
    H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

/* A group of n links to one that is empty. */
static void group_of_links(hid_t file, int n)
{
    char name[16];
    hid_t group = H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(group, "0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (int i = 1; i < n; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(H5Lcreate_hard(group, "0", group, name, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    }
    H5Gclose(group);
}

static void many_members(hid_t file)
{
    group_of_links(file, QL_BUNDLE_MAX + 1);
}

static void many_steps(hid_t file)
{
    group_of_links(file, QL_BUNDLE_MAX);
    H5Lcreate_hard(file, "a", file, "b", H5P_DEFAULT, H5P_DEFAULT);
}

static void what_no_bundle_holds_is_refused(void **state)
{
    (void)state;
    refused(soft_link, "/a: is a link");
    refused(external_link, "/a: is a link");
    refused(circle, "levels down");
    refused(many_circles, ":");
    refused(huge, "/a: announces 1099511627776 values but only 0 bytes are stored");
    refused(unwritten, "/a: announces 1048576 values but only 0 bytes are stored");
    refused(a_little_unwritten, "/a: announces 10 values but only 0 bytes are stored");
    refused(linked_often, ": announces 1048576 values but only");
    refused(three_dimensions, "/a: has 3 dimensions");
    refused(odd_type, "/a: is int16, not expected here");
    refused(list_attribute, "/list: is an attribute of no kind");
    refused(odd_name, "is no name of an entry");
    refused(long_name, ": its name is too long");
    refused(many_members, "/a: has 4097 members");
    refused(many_steps, ": is one of too many groups and datasets");
}

/* Of a file's attributes as many as there can be entries are looked at. */
static void the_most_attributes(void **state)
{
    (void)state;
    char path[SCRATCH_PATH], name[16];
    ql_bundle b = {0};
    ql_err err = {0};
    scratch_file(path);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    for (int i = 0; i <= QL_BUNDLE_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        hid_t attr = H5Acreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(attr >= 0);
        H5Aclose(attr);
    }
    H5Sclose(space);
    H5Fclose(file);
    if (ql_bundle_h5_read_root(path, &b, &err) != QL_OK) fail_msg("%s", err.msg);
    assert_int_equal(b.n, QL_BUNDLE_MAX);
    ql_bundle_free(&b);
    unlink(path);
}

static void files_that_are_none(void **state)
{
    (void)state;
    char path[SCRATCH_PATH];
    ql_bundle b = {0};
    ql_err err = {0};
    scratch_file(path);
    assert_int_equal(ql_bundle_h5_read(path, &b, &err), QL_EDATA);
    unlink(path);
    assert_int_equal(ql_bundle_h5_read(path, &b, &err), QL_ENOINPUT);
    assert_int_equal(ql_bundle_h5_read_root(path, &b, &err), QL_ENOINPUT);
    assert_int_equal(
        ql_bundle_h5_write("/nowhere/at/all.h5", &b, &(ql_bundle_write_options){0}, &err),
        QL_ECREATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(a_wrong_look_is_one_line),
        cmocka_unit_test(arrays_of_another_shape),
        cmocka_unit_test(numbers_out_of_range),
        cmocka_unit_test(names_that_cannot_be),
        cmocka_unit_test(the_longest_name),
        cmocka_unit_test(the_most_entries),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_order_of_putting_is_not_in_the_bytes),
        cmocka_unit_test(what_no_bundle_holds_is_refused),
        cmocka_unit_test(the_most_attributes),
        cmocka_unit_test(files_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
