#include "h5ad_fixture.h"

#include <math.h>

#include "quell/tsv_writer.h"

static void check_number(float x)
{
    char mine[QL_TSV_NUMBER_MAX + 1], theirs[64];
    int n = ql_tsv_number(mine, x);
    mine[n] = '\0';
    snprintf(theirs, sizeof theirs, "%.6f", (double)x);
    if (strcmp(mine, theirs) != 0) fail_msg("%a: %s instead of %s", (double)x, mine, theirs);
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void numbers_are_printed_as_printf_does(void **state)
{
    static const float edges[] = {
        0.0f,         -0.0f,       1.0f,       -1.0f,         0.5f,           5e-7f,  4.9999999e-7f,
        1.5e-6f,      2.5e-6f,     0.9999995f, 9.9999995f,    0.1f,           1e-38f, 1e-45f,
        999999999.0f, 1e9f,        1e10f,      3.4028235e38f, -3.4028235e38f, 1e6f,   16777217.0f,
        99.999999f,   123456.789f, INFINITY,   -INFINITY};
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) check_number(edges[i]);
    /* ties of the seventh decimal: odd multiples of 2^-7 down to 2^-24 */
    for (int e = 1; e <= 40; e++) {
        for (int k = 1; k < 400; k += 2) check_number(ldexpf((float)k, -e));
    }
    uint32_t bits = 12345;
    for (int i = 0; i < 300000; i++) {
        bits = bits * 1664525u + 1013904223u;
        if (isnan(float_of(bits))) continue;
        check_number(float_of(bits));
        /* the range of expression values: exponents around one */
        check_number(float_of((bits & 0x83ffffffu) + 0x3c000000u));
    }
}

static void nan_is_an_empty_field(void **state)
{
    char text[QL_TSV_NUMBER_MAX];
    (void)state;
    assert_int_equal(ql_tsv_number(text, NAN), 0);
}

/* ---- tables ---- */

typedef struct {
    int64_t n_cols, next, most;
    ql_status fail_with;
    int64_t fail_at;
} source;

static float value_at(int64_t row, int64_t col)
{
    return (float)(row * 31 + col * 7 % 13) / 8.0f;
}

static ql_status fill(void *ctx, int64_t row0, int64_t n, float *out, ql_err *err)
{
    source *s = ctx;
    assert_int_equal(row0, s->next);
    if (n > s->most) s->most = n;
    s->next += n;
    if (s->fail_with != QL_OK && s->next > s->fail_at) {
        return ql_fail(err, s->fail_with, "the source failed");
    }
    for (int64_t i = 0; i < n * s->n_cols; i++) {
        out[i] = value_at(row0 + i / s->n_cols, i % s->n_cols);
    }
    return QL_OK;
}

static void assert_text(const char *path, const char *text)
{
    long size = 0;
    char *bytes = slurp(path, &size);
    assert_non_null(bytes);
    bytes[size] = '\0';
    assert_string_equal(bytes, text);
    free(bytes);
}

static void table_with_names(void **state)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    ql_names header = {0}, rows = {0};
    in_folder(path, *state, "mean.tsv");
    assert_ok(ql_names_add(&header, "c\t1", 3, &err));
    assert_ok(ql_names_add(&header, "c 2", 3, &err));
    assert_ok(ql_names_add(&rows, "g\"1", 3, &err));
    assert_ok(ql_names_add(&rows, "g,2", 3, &err));
    assert_ok(ql_names_add(&rows, "g\r", 2, &err));
    source s = {.n_cols = 2};
    ql_tsv_table t = {.n_rows = 3,
                      .n_cols = 2,
                      .header = &header,
                      .row_names = &rows,
                      .fill = fill,
                      .ctx = &s,
                      .threads = 2};
    assert_ok(ql_tsv_write(path, &t, &err));
    assert_text(path, "\t\"c\t1\"\tc 2\n"
                      "\"g\"\"1\"\t0.000000\t0.875000\n"
                      "g,2\t3.875000\t4.750000\n"
                      "\"g\r\"\t7.750000\t8.625000\n");
    t.force = true;
    t.row_names = NULL;
    s.next = 0;
    assert_ok(ql_tsv_write(path, &t, &err));
    assert_text(path,
                "\"c\t1\"\tc 2\n0.000000\t0.875000\n3.875000\t4.750000\n7.750000\t8.625000\n");
    ql_names_free(&header);
    ql_names_free(&rows);
}

/* Every shape around the sizes of blocks and segments, against a plain loop. */
static void check_shape(const char *folder, int64_t n_rows, int64_t n_cols, int64_t block,
                        int threads)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    ql_names rows = {0};
    in_folder(path, folder, "table.tsv");
    add_names(&rows, "r", n_rows);
    source s = {.n_cols = n_cols};
    ql_tsv_table t = {.n_rows = n_rows,
                      .n_cols = n_cols,
                      .row_names = &rows,
                      .fill = fill,
                      .ctx = &s,
                      .threads = threads,
                      .block_rows = block,
                      .force = true};
    assert_ok(ql_tsv_write(path, &t, &err));
    assert_int_equal(s.next, n_rows);
    if (block > 0) assert_true(s.most <= block);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char want[64], found[64];
    for (int64_t i = 0; i < n_rows; i++) {
        snprintf(want, sizeof want, "r%d", (int)i);
        for (int64_t j = 0; j < n_cols; j++) {
            assert_int_equal(fscanf(f, "%63[^\t\n]", found), 1);
            assert_string_equal(found, want);
            assert_int_equal(fgetc(f), '\t');
            snprintf(want, sizeof want, "%.6f", (double)value_at(i, j));
        }
        assert_int_equal(fscanf(f, "%63[^\t\n]", found), 1);
        assert_string_equal(found, want);
        assert_int_equal(fgetc(f), '\n');
    }
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    ql_names_free(&rows);
}

static void shapes(void **state)
{
    check_shape(*state, 0, 3, 0, 1);
    check_shape(*state, 1, 1, 0, 1);
    check_shape(*state, 20000, 1, 0, 2);
    check_shape(*state, 3, 16384, 1, 2);
    check_shape(*state, 5, 16383, 2, 3);
    check_shape(*state, 2, 40001, 0, 2);
    check_shape(*state, 257, 131, 100, 2);
}

static void failures_leave_nothing(void **state)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    in_folder(path, *state, "mean.tsv");
    source s = {.n_cols = 2, .fail_with = QL_EDATA, .fail_at = 5};
    ql_tsv_table t = {.n_rows = 10, .n_cols = 2, .fill = fill, .ctx = &s, .block_rows = 2};
    assert_int_equal(ql_tsv_write(path, &t, &err), QL_EDATA);
    assert_string_equal(err.msg, "the source failed");
    assert_int_equal(count_files(*state), 0);
    t.n_cols = 0;
    assert_int_equal(ql_tsv_write(path, &t, &err), QL_EINTERNAL);
    assert_int_equal(count_files(*state), 0);
}

static void existing_file_is_kept(void **state)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    in_folder(path, *state, "mean.tsv");
    source s = {.n_cols = 1};
    ql_tsv_table t = {.n_rows = 1, .n_cols = 1, .fill = fill, .ctx = &s};
    assert_ok(ql_tsv_write(path, &t, &err));
    assert_int_equal(ql_tsv_write(path, &t, &err), QL_ECREATE);
    assert_non_null(strstr(err.hint, "--force"));
    assert_text(path, "0.000000\n");
    assert_int_equal(count_files(*state), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_printed_as_printf_does),
        cmocka_unit_test(nan_is_an_empty_field),
        cmocka_unit_test_setup_teardown(table_with_names, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(shapes, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(failures_leave_nothing, new_folder, remove_folder),
        cmocka_unit_test_setup_teardown(existing_file_is_kept, new_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
