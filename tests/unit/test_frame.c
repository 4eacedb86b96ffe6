/* Names, their index, unique names, annotation columns, data sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fixture_alloc.h"
#include "quell/dataset.h"
#include "quell/frame.h"
#include "quell/strbuf.h"

static ql_names names_of(const char *const *texts, int64_t n)
{
    ql_names names = {0};
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(ql_names_add(&names, texts[i], strlen(texts[i]), NULL), QL_OK);
    return names;
}

static void names_are_appended(void **state)
{
    (void)state;
    ql_names names = {0}, copy;
    char text[32];
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(text, sizeof text, "cell-%d", i);
        assert_int_equal(ql_names_add(&names, text, (size_t)n, NULL), QL_OK);
    }
    assert_int_equal(names.n, 5000);
    assert_string_equal(ql_name(&names, 0), "cell-0");
    assert_string_equal(ql_name(&names, 4999), "cell-4999");
    assert_int_equal(ql_names_copy(&names, &copy, NULL), QL_OK);
    ql_names_free(&names);
    ql_names_free(NULL);
    assert_int_equal(copy.n, 5000);
    assert_int_equal(ql_names_add(&copy, "last", 4, NULL), QL_OK);
    assert_string_equal(ql_name(&copy, 1234), "cell-1234");
    assert_string_equal(ql_name(&copy, 5000), "last");
    ql_names_free(&copy);

    assert_int_equal(ql_names_copy(&names, &copy, NULL), QL_OK);
    assert_int_equal(copy.n, 0);
    assert_int_equal(ql_names_add(&copy, "first", 5, NULL), QL_OK);
    assert_string_equal(ql_name(&copy, 0), "first");
    ql_names_free(&copy);
}

static void names_become_valid_utf8(void **state)
{
    (void)state;
    ql_names names = {0};
    assert_int_equal(ql_names_add(&names, "\xce\xb2-actin", 8, NULL), QL_OK);
    assert_int_equal(ql_names_add(&names, "caf\xe9", 4, NULL), QL_OK);
    assert_int_equal(ql_names_add(&names, "\x80\xff", 2, NULL), QL_OK);
    assert_int_equal(ql_names_add(&names, "padded\0\0\0", 9, NULL), QL_OK);
    assert_int_equal(ql_names_add(&names, "longer", 4, NULL), QL_OK);
    assert_int_equal(ql_names_add(&names, NULL, 0, NULL), QL_OK);
    assert_string_equal(ql_name(&names, 0), "\xce\xb2-actin");
    assert_string_equal(ql_name(&names, 1), "caf\xc3\xa9");
    assert_string_equal(ql_name(&names, 2), "\xc2\x80\xc3\xbf");
    assert_string_equal(ql_name(&names, 3), "padded");
    assert_string_equal(ql_name(&names, 4), "long");
    assert_string_equal(ql_name(&names, 5), "");
    assert_int_equal(names.offset[6], names.offset[5] + 1);
    ql_names_free(&names);
}

static void the_index_finds_the_first(void **state)
{
    (void)state;
    const char *const texts[] = {"A", "B", "", "B", "AB"};
    ql_names names = names_of(texts, 5);
    ql_name_index *index = NULL;
    assert_int_equal(ql_name_index_new(&names, &index, NULL), QL_OK);
    assert_int_equal(ql_name_index_find(index, "A"), 0);
    assert_int_equal(ql_name_index_find(index, "B"), 1);
    assert_int_equal(ql_name_index_find(index, ""), 2);
    assert_int_equal(ql_name_index_find(index, "AB"), 4);
    assert_int_equal(ql_name_index_find(index, "C"), -1);
    ql_name_index_free(index);
    ql_names_free(&names);
    ql_name_index_free(NULL);
    assert_int_equal(ql_name_index_new(&names, &index, NULL), QL_OK);
    assert_int_equal(ql_name_index_find(index, "A"), -1);
    ql_name_index_free(index);
}

static void the_index_scales(void **state)
{
    (void)state;
    enum { N = 100000 };
    ql_names names = {0};
    ql_name_index *index = NULL;
    char text[32];
    for (int i = 0; i < N; i++) {
        int n = snprintf(text, sizeof text, "AAACCTG%06d-1", i);
        assert_int_equal(ql_names_add(&names, text, (size_t)n, NULL), QL_OK);
    }
    assert_int_equal(ql_name_index_new(&names, &index, NULL), QL_OK);
    for (int i = 0; i < N; i++) assert_int_equal(ql_name_index_find(index, ql_name(&names, i)), i);
    ql_name_index_free(index);
    ql_names_free(&names);
}

static void check_unique(const char *const *before, const char *const *after, int64_t n,
                         int64_t changed, int64_t example)
{
    int64_t n_changed = -1, found = -2;
    ql_names names = names_of(before, n);
    assert_int_equal(ql_names_make_unique(&names, &n_changed, &found, NULL), QL_OK);
    assert_int_equal(names.n, n);
    for (int64_t i = 0; i < n; i++) assert_string_equal(ql_name(&names, i), after[i]);
    assert_int_equal(n_changed, changed);
    assert_int_equal(found, example);
    ql_names_free(&names);
}

/* The expected names are what anndata 0.12's make_index_unique gives. */
static void names_are_made_unique_as_anndata_does(void **state)
{
    (void)state;
    const char *const a[] = {"A", "B", "C"};
    check_unique(a, a, 3, 0, -1);
    check_unique((const char *const[]){"A", "A", "B", "A"},
                 (const char *const[]){"A", "A-1", "B", "A-2"}, 4, 2, 1);
    check_unique((const char *const[]){"a", "a", "a-1", "a", "a-2", "a-1"},
                 (const char *const[]){"a", "a-3", "a-1", "a-4", "a-2", "a-1-1"}, 6, 3, 1);
    check_unique((const char *const[]){"", "", "", "-1"},
                 (const char *const[]){"", "-2", "-3", "-1"}, 4, 2, 1);
    check_unique((const char *const[]){"x-1", "x", "x", "x-1", "x"},
                 (const char *const[]){"x-1", "x", "x-2", "x-1-1", "x-3"}, 5, 3, 2);
    check_unique(a, a, 0, 0, -1);
}

static void many_equal_names_take_linear_time(void **state)
{
    (void)state;
    enum { N = 50000 };
    ql_names names = {0};
    int64_t changed;
    for (int i = 0; i < N; i++) assert_int_equal(ql_names_add(&names, "same", 4, NULL), QL_OK);
    assert_int_equal(ql_names_make_unique(&names, &changed, NULL, NULL), QL_OK);
    assert_int_equal(changed, N - 1);
    assert_string_equal(ql_name(&names, N - 1), "same-49999");
    ql_names_free(&names);
}

static void columns_are_copied_and_replaced(void **state)
{
    (void)state;
    int64_t before = ql_alloc_bytes();
    ql_err err;
    const char *const index[] = {"c0", "c1", "c2"}, *const types[] = {"T", "B", "T"};
    ql_frame frame = {.index = names_of(index, 3)};
    ql_names strings = names_of(types, 3), wrong = names_of(types, 2);
    const double score[] = {0.5, 1.5, 2.5};
    const int64_t size[] = {1, 2, 3};

    assert_int_equal(ql_frame_add(&frame, "type", QL_COL_STRING, &strings, &err), QL_OK);
    assert_int_equal(ql_frame_add(&frame, "score", QL_COL_F64, score, &err), QL_OK);
    assert_int_equal(ql_frame_add(&frame, "bad", QL_COL_STRING, &wrong, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "bad"));
    ql_names_free(&strings);
    ql_names_free(&wrong);
    assert_int_equal(frame.n_columns, 2);
    assert_string_equal(ql_name(&ql_frame_column(&frame, "type")->strings, 1), "B");
    assert_memory_equal(ql_frame_column(&frame, "score")->values, score, sizeof score);
    assert_null(ql_frame_column(&frame, "bad"));

    assert_int_equal(ql_frame_add(&frame, "score", QL_COL_I64, size, &err), QL_OK);
    assert_int_equal(frame.n_columns, 2);
    assert_int_equal(ql_frame_column(&frame, "score")->type, QL_COL_I64);
    assert_memory_equal(ql_frame_column(&frame, "score")->values, size, sizeof size);

    char name[32];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "column%d", i);
        assert_int_equal(ql_frame_add(&frame, name, QL_COL_F64, score, &err), QL_OK);
    }
    assert_string_equal(frame.columns[41].name, "column39");
    ql_frame_free(&frame);
    ql_frame_free(NULL);
    assert_int_equal(ql_alloc_bytes(), before);
}

static void value_sizes(void **state)
{
    (void)state;
    assert_int_equal(ql_col_size(QL_COL_STRING), 0);
    assert_int_equal(ql_col_size(QL_COL_F32), 4);
    assert_int_equal(ql_col_size(QL_COL_F64), 8);
    assert_int_equal(ql_col_size(QL_COL_I64), 8);
    assert_int_equal(ql_col_size(QL_COL_BOOL), 1);
}

/* A small data set with everything in it. */
static ql_status build(ql_dataset *ds, ql_err *err)
{
    const uint8_t flag[] = {1, 0};
    QL_TRY(ql_csr_alloc(&ds->counts, 2, 2, 1, err));
    QL_TRY(ql_text_copy("pbmc.h5ad", &ds->path, err));
    QL_TRY(ql_text_copy("h5ad", &ds->format, err));
    QL_TRY(ql_text_copy("X", &ds->matrix, err));
    for (int i = 0; i < 2; i++) {
        QL_TRY(ql_names_add(&ds->cells.index, "c", 1, err));
        QL_TRY(ql_names_add(&ds->genes.index, "g", 1, err));
    }
    QL_TRY(ql_names_make_unique(&ds->cells.index, NULL, NULL, err));
    QL_TRY(ql_frame_add(&ds->genes, "ids", QL_COL_STRING, &ds->genes.index, err));
    return ql_frame_add(&ds->cells, "doublet", QL_COL_BOOL, flag, err);
}

static ql_status build_and_free(void *ctx, ql_err *err)
{
    (void)ctx;
    ql_dataset ds = {0};
    ql_status st = build(&ds, err);
    ql_dataset_free(&ds);
    return st;
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_in_range(fail_each_allocation(NULL, build_and_free, NULL), 15, 59);
    ql_dataset_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_appended),
        cmocka_unit_test(names_become_valid_utf8),
        cmocka_unit_test(the_index_finds_the_first),
        cmocka_unit_test(the_index_scales),
        cmocka_unit_test(names_are_made_unique_as_anndata_does),
        cmocka_unit_test(many_equal_names_take_linear_time),
        cmocka_unit_test(columns_are_copied_and_replaced),
        cmocka_unit_test(value_sizes),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
