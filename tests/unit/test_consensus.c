/* Ward's tree, quantiles, spanning trees and pseudotime against R; consensus of labelings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "../../src/space/sample.h"
#include "fixture_alloc.h"
#include "fixture_random.h"
#include "fixture_space_r.h"
#include "quell/agreement.h"
#include "quell/consensus.h"
#include "quell/pseudotime.h"
#include "quell/quantile.h"
#include "quell/ward.h"

static void quantiles_are_those_of_r(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof r_quantile / sizeof *r_quantile; i++)
        assert_true(fabs(ql_quantile_sorted(r_values, 11, r_quantile_at[i]) - r_quantile[i]) <
                    1e-14);
    assert_true(ql_quantile_sorted(r_values, 1, 0.7) == r_values[0]);
}

/* R calls a thing -1 .. -n and a merge 1 .. n-1. */
static int32_t node_of_r(int id)
{
    return id < 0 ? -id - 1 : R_TREE + id - 1;
}

static void ward_is_that_of_r(void **state)
{
    double d[R_TREE * R_TREE];
    ql_merge merge[R_TREE];
    int32_t label[R_TREE];
    (void)state;
    for (int i = 0; i < R_TREE; i++)
        for (int j = 0; j < R_TREE; j++) {
            double square = 0;
            for (int k = 0; k < R_DIMS; k++)
                square += pow(r_points[i * R_DIMS + k] - r_points[j * R_DIMS + k], 2);
            d[i * R_TREE + j] = sqrt(square);
        }
    assert_int_equal(ql_ward(R_TREE, d, merge, NULL), QL_OK);
    for (int i = 0; i < R_TREE - 1; i++) {
        int32_t a = node_of_r(r_merge[2 * i]), b = node_of_r(r_merge[2 * i + 1]);
        assert_int_equal(merge[i].a, a < b ? a : b);
        assert_int_equal(merge[i].b, a < b ? b : a);
        assert_true(fabs(merge[i].height - r_height[i]) < 1e-12 * r_height[i]);
    }
    assert_int_equal(ql_cut_tree(R_TREE, merge, 4, label, NULL), QL_OK);
    for (int i = 0; i < R_TREE; i++) assert_int_equal(label[i], r_cut4[i]);
    assert_int_equal(ql_cut_tree(R_TREE, merge, 9, label, NULL), QL_OK);
    for (int i = 0; i < R_TREE; i++) assert_int_equal(label[i], r_cut9[i]);
    assert_int_equal(ql_cut_tree(R_TREE, merge, R_TREE + 1, label, NULL), QL_EUSAGE);
}

static void path_lengths_are_those_of_r(void **state)
{
    double length[R_WIDE], total = 0;
    int32_t parent[R_WIDE];
    (void)state;
    assert_int_equal(ql_tree_lengths(r_wide, R_WIDE, R_WIDE_DIMS, 0, length, parent, NULL), QL_OK);
    for (int i = 0; i < R_WIDE; i++) {
        assert_true(fabs(length[i] - r_tree_length[i]) < 1e-13);
        if (parent[i] >= 0) total += length[i] - length[parent[i]];
    }
    assert_true(fabs(total - r_tree_total[0]) < 1e-12);
}

/* The whole of it with one space; a second that is the same changes nothing. */
static void times_are_drawn_in_as_in_r(void **state)
{
    double time[R_WIDE], twice[R_WIDE];
    const ql_pseudotime_member m = {r_wide, R_WIDE_DIMS, r_wide_group, 3}, both[] = {m, m};
    ql_pseudotime_task t = {.n = R_WIDE, .member = &m, .members = 1, .threads = 1};
    (void)state;
    assert_int_equal(ql_pseudotime(&t, time, NULL), QL_OK);
    for (int i = 0; i < R_WIDE; i++) assert_true(fabs(time[i] - r_drawn[i]) < 1e-13);
    t.member = both;
    t.members = 2;
    t.threads = 2;
    assert_int_equal(ql_pseudotime(&t, twice, NULL), QL_OK);
    assert_memory_equal(time, twice, sizeof time);
}

/* Cells along a curve that never comes back near itself: time follows it, in a sample too. */
static void time_follows_a_curve(void **state)
{
    enum { MOST = QL_PSEUDOTIME_DIRECT + 800, D = 7 };
    static double x[MOST * D], time[MOST], place[MOST];
    (void)state;
    for (int n = 600; n <= MOST; n += MOST - 600) {
        ql_rng r = random_start((uint64_t)n);
        for (int i = 0; i < n; i++) {
            place[i] = i == 17 ? 0 : random_unit(&r);
            for (int k = 0; k < D; k++)
                x[i * D + k] = exp(-pow(place[i] * (D - 1) - k, 2)) + 0.002 * random_normal(&r);
        }
        const ql_pseudotime_member m = {x, D, NULL, 0};
        const ql_pseudotime_task t = {
            .n = n, .member = &m, .members = 1, .start = 17, .threads = 1};
        assert_int_equal(ql_pseudotime(&t, time, NULL), QL_OK);
        assert_true(time[17] == 0);
        assert_true(ql_r_squared(time, place, n) > 0.95);
    }
}

/* Where time starts is in the sample, drawn or not. */
static void a_start_that_was_not_drawn(void **state)
{
    enum { MANY = QL_PSEUDOTIME_DIRECT + 100, DRAWN = 4900, D = 5 };
    static double x[MANY * D], time[MANY];
    static int64_t drawn[DRAWN];
    static bool in[MANY];
    (void)state;
    ql_rng r = random_start(12);
    for (int i = 0; i < MANY * D; i++) x[i] = random_normal(&r);
    assert_int_equal(ql_sample_draw(MANY, DRAWN, 0, (uint64_t)1 << 41, drawn, NULL), QL_OK);
    for (int i = 0; i < DRAWN; i++) in[drawn[i]] = true;
    int64_t start = 0;
    while (in[start]) start++;
    const ql_pseudotime_member m = {x, D, NULL, 0};
    const ql_pseudotime_task t = {
        .n = MANY, .member = &m, .members = 1, .start = start, .threads = 1};
    assert_int_equal(ql_pseudotime(&t, time, NULL), QL_OK);
    assert_true(time[start] == 0);
}

/* A group that is all one time, or one cell, is left as it is. */
static void flat_groups_stay(void **state)
{
    double time[] = {3, 1, 5, 1, 2, 4};
    const int32_t group[] = {0, 1, 2, 1, 2, 2};
    (void)state;
    assert_int_equal(ql_draw_in_quartiles(6, group, 3, time, NULL), QL_OK);
    assert_true(time[0] == 3 && time[1] == 1 && time[3] == 1);
    assert_true(time[4] == 3 && time[2] == 4.5 && fabs(time[5] - 4) < 1e-15);
}

/* ---- consensus ---- */

enum { N = 240, MEMBERS = 9 };

/* Three groups, of which each member mislabels a share; one more member splits a group. */
static void make_members(double wrong, int32_t *truth, int32_t *label, int64_t *groups)
{
    ql_rng r = random_start(21);
    for (int i = 0; i < N; i++) truth[i] = i * 3 / N;
    for (int m = 0; m < MEMBERS; m++) {
        groups[m] = m == 4 ? 4 : 3;
        for (int i = 0; i < N; i++) {
            int32_t l = truth[i];
            if (random_unit(&r) < wrong) l = (int32_t)ql_rng_below(&r, 3);
            if (m == 4 && l == 2 && i % 2) l = 3;
            label[m * N + i] = l == 3 ? 3 : (l + m) % 3; /* numbers mean nothing */
        }
    }
}

static void consensus_mends_mistakes(void **state)
{
    int32_t truth[N], label[MEMBERS * N];
    int64_t groups[MEMBERS];
    double agree;
    (void)state;
    make_members(0.08, truth, label, groups);
    const ql_consensus_task t = {N, MEMBERS, label, groups, 1, 1};
    ql_consensus c, again;
    assert_int_equal(ql_consensus_make(&t, &c, NULL), QL_OK);
    assert_int_equal(c.typical_k, 3);
    assert_in_range(c.k, 3, 4);
    assert_int_equal(ql_adjusted_rand_of(N, truth, 3, c.label, c.k, &agree, NULL), QL_OK);
    for (int m = 0; m < MEMBERS; m++) {
        double own;
        assert_int_equal(ql_adjusted_rand_of(N, truth, 3, label + m * N, groups[m], &own, NULL),
                         QL_OK);
        assert_true(agree >= own);
        assert_true(c.agreement[m] <= c.agreement[c.best]);
    }
    ql_consensus_task threads = t;
    threads.threads = 3;
    assert_int_equal(ql_consensus_make(&threads, &again, NULL), QL_OK);
    assert_memory_equal(c.label, again.label, sizeof *c.label * N);
    ql_consensus_free(&c);
    ql_consensus_free(&again);
}

static void members_that_agree_are_the_consensus(void **state)
{
    int32_t truth[N], label[MEMBERS * N];
    int64_t groups[MEMBERS];
    (void)state;
    make_members(0, truth, label, groups);
    for (int members = 1; members <= 3; members++) {
        double agree;
        const ql_consensus_task t = {N, members, label, groups, 1, 1};
        ql_consensus c;
        assert_int_equal(ql_consensus_make(&t, &c, NULL), QL_OK);
        assert_int_equal(ql_adjusted_rand_of(N, truth, 3, c.label, c.k, &agree, NULL), QL_OK);
        assert_true(agree == 1 && c.k == 3 && c.best == 0);
        ql_consensus_free(&c);
    }
}

static ql_status one_consensus(void *task, ql_err *err)
{
    ql_consensus c;
    ql_status st = ql_consensus_make(task, &c, err);
    if (st == QL_OK) ql_consensus_free(&c);
    return st;
}

static void lost_memory_is_an_error(void **state)
{
    int32_t truth[N], label[MEMBERS * N];
    int64_t groups[MEMBERS];
    (void)state;
    make_members(0.1, truth, label, groups);
    ql_consensus_task t = {N, MEMBERS, label, groups, 1, 1};
    assert_true(fail_each_allocation(NULL, one_consensus, &t) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_r),
        cmocka_unit_test(ward_is_that_of_r),
        cmocka_unit_test(path_lengths_are_those_of_r),
        cmocka_unit_test(times_are_drawn_in_as_in_r),
        cmocka_unit_test(time_follows_a_curve),
        cmocka_unit_test(a_start_that_was_not_drawn),
        cmocka_unit_test(flat_groups_stay),
        cmocka_unit_test(consensus_mends_mistakes),
        cmocka_unit_test(members_that_agree_are_the_consensus),
        cmocka_unit_test(lost_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
