/* Points and labels (src/space), and how they go into an h5ad and come back. */
#include "h5ad_fixture.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/h5ad_part.h"
#include "quell/labels.h"
#include "quell/points.h"

enum { CELLS = 5, DIMS = 2 };

static float *some_points(const float from[CELLS * DIMS])
{
    ql_err err = {0};
    float *x;
    assert_ok(QL_NEW(x, CELLS * DIMS, "x", &err));
    memcpy(x, from, CELLS * DIMS * sizeof *x);
    return x;
}

static void gaps_are_closed_and_opened(void **state)
{
    const float nan = (float)NAN, from[] = {1, 2, nan, nan, 3, 4, nan, nan, 5, 6};
    ql_points p;
    ql_err err = {0};
    float back[CELLS * DIMS];
    double one[CELLS];
    (void)state;
    assert_ok(ql_points_take(some_points(from), CELLS, DIMS, &p, &err));
    assert_int_equal(p.n, 3);
    assert_int_equal(p.n_cells, CELLS);
    assert_int_equal(p.cell[1], 2);
    assert_true(p.x[2] == 3 && p.x[5] == 6);
    ql_points_spread(&p, p.x, DIMS, back);
    for (int i = 0; i < CELLS * DIMS; i++)
        assert_true(back[i] == from[i] || (isnan(back[i]) && isnan(from[i])));
    ql_points_spread_doubles(&p, (const double[]){7, 8, 9}, one);
    assert_true(one[0] == 7 && isnan(one[1]) && one[4] == 9);
    ql_points_free(&p);
}

static void half_a_row_is_an_error(void **state)
{
    const float nan = (float)NAN, half[] = {1, 2, nan, 3, 4, 5, 6, 7, 8, 9};
    const float infinite[] = {1, 2, 3, 3, 4, 5, 6, (float)INFINITY, 8, 9};
    const float none[] = {nan, nan, nan, nan, nan, nan, nan, nan, nan, nan};
    ql_points p;
    ql_err err = {0};
    (void)state;
    assert_int_equal(ql_points_take(some_points(half), CELLS, DIMS, &p, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "[1, 0]"));
    assert_int_equal(ql_points_take(some_points(infinite), CELLS, DIMS, &p, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "[3, 1]"));
    assert_int_equal(ql_points_take(some_points(none), CELLS, DIMS, &p, &err), QL_EDATA);
}

static void digits_count_as_numbers(void **state)
{
    static const char *const order[] = {"",   "1",   "2",  "10",  "B cell",
                                        "T1", "T02", "T2", "T10", "T10a"};
    (void)state;
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 10; j++) {
            const int c = ql_natural_compare(order[i], order[j]);
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
}

static void assert_labels(const ql_column *c, int64_t n, const int32_t *code, int n_names,
                          const char *const *names)
{
    ql_labels l;
    ql_err err = {0};
    assert_ok(ql_labels_of(c, n, &l, &err));
    assert_int_equal(l.names.n, n_names);
    for (int k = 0; k < n_names; k++) assert_string_equal(ql_name(&l.names, k), names[k]);
    for (int64_t i = 0; i < n; i++) assert_int_equal(l.code[i], code[i]);
    ql_labels_free(&l);
}

static void columns_become_labels(void **state)
{
    ql_column text = {.name = (char *)"t", .type = QL_COL_STRING};
    ql_column whole = {
        .name = (char *)"w", .type = QL_COL_I64, .values = (int64_t[]){10, 9, -1, 10}};
    ql_column wide = {.name = (char *)"d", .type = QL_COL_F64, .values = (double[]){2, NAN, 0, 2}};
    ql_column broken = {.name = (char *)"b", .type = QL_COL_F64, .values = (double[]){2, 0.5}};
    ql_err err = {0};
    ql_labels l;
    (void)state;
    static const char *const words[] = {"T", "", "B", "T"};
    for (int i = 0; i < 4; i++)
        assert_ok(ql_names_add(&text.strings, words[i], strlen(words[i]), &err));
    assert_labels(&text, 4, (int32_t[]){1, -1, 0, 1}, 2, (const char *const[]){"B", "T"});
    ql_names_free(&text.strings);
    assert_labels(&whole, 4, (int32_t[]){2, 1, 0, 2}, 3, (const char *const[]){"-1", "9", "10"});
    assert_labels(&wide, 4, (int32_t[]){1, -1, 0, 1}, 2, (const char *const[]){"0", "2"});
    assert_int_equal(ql_labels_of(&broken, 2, &l, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "0.5 at 1"));
}

static void groups_are_numbered_by_size(void **state)
{
    const int32_t code[] = {3, 1, 1, -1, 0, 0, 4, 1}; /* 2 is empty; 3 and 4 have one each */
    ql_labels l;
    ql_err err = {0};
    int64_t size[4];
    (void)state;
    assert_ok(ql_labels_number(code, 8, 5, &l, &err));
    const int32_t want[] = {2, 0, 0, -1, 1, 1, 3, 0};
    for (int i = 0; i < 8; i++) assert_int_equal(l.code[i], want[i]);
    assert_int_equal(l.names.n, 4);
    assert_string_equal(ql_name(&l.names, 3), "3");
    ql_labels_sizes(&l, size);
    assert_true(size[0] == 3 && size[1] == 2 && size[2] == 1 && size[3] == 1);
    ql_labels_free(&l);
}

/* ---- in files ---- */

static const int64_t indptr[] = {0, 2, 2, 3, 3, 4};
static const int32_t indices[] = {1, 4, 0, 2};
static const double doubles[] = {0.5, 0.25, 2, 3};
static const float values[] = {0.5f, 0.25f, 2, 3};

static void begin_file(const char *path)
{
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w;
    make_dataset(&ds, CELLS, 3, "10x-h5");
    assert_ok(ql_h5ad_begin(path, &ds, &(ql_write_options){0}, NULL, &w, &err));
    assert_ok(ql_h5ad_commit(w, &err));
    drop_dataset(&ds);
}

static void add_results(const char *from, const char *to, bool force, ql_status want)
{
    static const int32_t code[CELLS] = {1, 0, -1, 1, 1};
    const ql_sparse_out wide = {CELLS, CELLS, indptr, indices, NULL, doubles};
    const ql_sparse_out narrow = {CELLS, CELLS, indptr, indices, values, NULL};
    ql_err err = {0};
    ql_h5ad_writer *w;
    ql_names names = {0};
    add_names(&names, "type", 2);
    assert_ok(ql_h5ad_begin_copy(to, from, &(ql_write_options){.force = force}, &w, &err));
    ql_status st = ql_h5ad_categories(w, "obs", "cell_type", code, CELLS, &names, &err);
    assert_int_equal(st, want);
    if (st == QL_OK) {
        assert_ok(ql_h5ad_sparse(w, "obsp/distances", &wide, &err));
        assert_ok(ql_h5ad_sparse(w, "obsp/connectivities", &narrow, &err));
        assert_ok(ql_h5ad_commit(w, &err));
    } else {
        ql_h5ad_abort(w);
    }
    ql_names_free(&names);
}

static void look_at(const char *path)
{
    const int64_t shape[2] = {CELLS, CELLS};
    ql_err err = {0};
    ql_part *p;
    ql_csr m = {0};
    ql_frame obs = {0};
    ql_names keys = {0};
    assert_ok(ql_part_open(path, &p, &err));
    assert_ok(ql_part_index(p, "obs", &obs.index, &err));
    assert_ok(ql_part_column(p, "obs", "cell_type", &obs, &err));
    assert_labels(ql_frame_column(&obs, "cell_type"), CELLS, (int32_t[]){1, 0, -1, 1, 1}, 2,
                  (const char *const[]){"type0", "type1"});
    assert_int_equal(ql_part_column(p, "obs", "nothing", &obs, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "it has: cell_type"));
    assert_int_equal(ql_part_column(p, "obs", "..", &obs, &err), QL_EDATA);
    assert_ok(ql_part_members(p, "obsp", &keys, &err));
    assert_int_equal(keys.n, 2);
    assert_ok(ql_part_sparse(p, "obsp/distances", shape, 1, &m, &err));
    for (int i = 0; i <= CELLS; i++) assert_int_equal(m.indptr[i], indptr[i]);
    for (int i = 0; i < 4; i++) assert_true(m.indices[i] == indices[i] && m.data[i] == values[i]);
    assert_int_equal(ql_part_sparse(p, "obsp/nothing", shape, 1, &m, &err), QL_EDATA);
    ql_csr_free(&m);
    ql_names_free(&keys);
    ql_frame_free(&obs);
    ql_part_close(p);
}

static void results_come_back(void **state)
{
    char first[PATH_BYTES], second[PATH_BYTES], third[PATH_BYTES];
    in_folder(first, *state, "first.h5ad");
    in_folder(second, *state, "second.h5ad");
    in_folder(third, *state, "third.h5ad");
    begin_file(first);
    add_results(first, second, false, QL_OK);
    look_at(second);
    add_results(second, third, false, QL_ECREATE);
    add_results(second, third, true, QL_OK);
    look_at(third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_closed_and_opened),
        cmocka_unit_test(half_a_row_is_an_error),
        cmocka_unit_test(digits_count_as_numbers),
        cmocka_unit_test(columns_become_labels),
        cmocka_unit_test(groups_are_numbered_by_size),
        cmocka_unit_test_setup_teardown(results_come_back, new_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
