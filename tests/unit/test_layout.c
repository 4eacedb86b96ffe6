/* The layout of a graph in the plane (src/space). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/graph.h"
#include "quell/layout.h"
#include "quell/rng.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != QL_OK) fail_msg("%s: %s", #call, err.msg);                                   \
    } while (0)

/* umap-learn 0.5.12, find_ab_params */
static void curves_are_those_of_umap_learn(void **state)
{
    static const double want[][4] = {{0.1, 1, 1.57694346, 0.89506088},
                                     {0.5, 1, 0.58303002, 1.33416699},
                                     {0.25, 2, 0.41627350, 0.92185513},
                                     {0.001, 1, 1.92907340, 0.79150453},
                                     {0, 1, 1.93280840, 0.79049497}};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        double a, b;
        ql_layout_curve(want[i][0], want[i][1], &a, &b);
        assert_true(fabs(a - want[i][2]) < 2e-6);
        assert_true(fabs(b - want[i][3]) < 2e-6);
    }
}

enum { BLOBS = 4, IN_BLOB = 150, N = BLOBS * IN_BLOB, DIMS = 6, K = 10 };

/* Four round clouds along the first axis, the last of them far away. */
static float *make_points(void)
{
    static const float centre[BLOBS] = {0, 12, 24, 60};
    float *x = malloc(N * DIMS * sizeof *x);
    for (int64_t i = 0; i < N; i++)
        for (int64_t d = 0; d < DIMS; d++)
            x[i * DIMS + d] =
                (d == 0 ? centre[i / IN_BLOB] : 0) +
                (float)ql_rng_normal(ql_rng_at(3, QL_RNG_PCA, (uint64_t)i, (uint64_t)d, 0).word[0]);
    return x;
}

static void make_graph(const float *x, ql_csr *g)
{
    ql_err err = {0};
    ql_knn knn;
    const ql_knn_options opt = {
        .metric = ql_metrics, .k = K, .threads = 1, .kern = ql_kern_find("scalar")};
    assert_ok(ql_knn_points(x, N, DIMS, &opt, &knn, &err));
    assert_ok(ql_graph_of_knn(&knn, g, &err));
    ql_knn_free(&knn);
}

static double correlation(const float *x, int64_t step_x, const float *y, int64_t step_y)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < N; i++) {
        mx += (double)x[i * step_x] / N;
        my += (double)y[i * step_y] / N;
    }
    for (int64_t i = 0; i < N; i++) {
        const double a = (double)x[i * step_x] - mx, b = (double)y[i * step_y] - my;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    return xy / sqrt(xx * yy);
}

static void starts_along_principal_components(void **state)
{
    ql_err err = {0};
    float *x = make_points(), xy[2 * N], largest = 0;
    (void)state;
    assert_ok(ql_layout_start(x, N, DIMS, 1, xy, &err));
    assert_true(correlation(x, DIMS, xy, 2) > 0.9999);
    assert_true(fabs(correlation(xy, 2, xy + 1, 2)) < 1e-4);
    for (int i = 0; i < 2 * N; i++)
        if (fabsf(xy[i]) > largest) largest = fabsf(xy[i]);
    assert_true(fabsf(largest - 10) < 0.01f);
    assert_ok(ql_layout_start(x, N, 1, 1, xy, &err)); /* one dimension alone: a line */
    for (int i = 0; i < N; i++) assert_true(fabsf(xy[2 * i + 1]) < 0.01f);
    free(x);
}

/* Share of the nearest point in the plane that is of the same cloud. */
static double purity(const float *xy)
{
    int same = 0;
    for (int i = 0; i < N; i++) {
        int best = -1;
        float least = INFINITY;
        for (int j = 0; j < N; j++) {
            const float dx = xy[2 * i] - xy[2 * j], dy = xy[2 * i + 1] - xy[2 * j + 1];
            if (j == i || !(dx * dx + dy * dy < least)) continue;
            least = dx * dx + dy * dy;
            best = j;
        }
        same += best / IN_BLOB == i / IN_BLOB;
    }
    return (double)same / N;
}

static void layout(const ql_csr *g, const float *x, int threads, uint64_t seed, float *xy)
{
    ql_err err = {0};
    const ql_layout_options opt = {.min_dist = 0.1,
                                   .spread = 1,
                                   .epochs = 100,
                                   .negatives = 5,
                                   .rate = 1,
                                   .seed = seed,
                                   .threads = threads};
    if (x) {
        assert_ok(ql_layout_start(x, N, DIMS, seed, xy, &err));
    } else {
        /* a start that knows nothing */
        for (int i = 0; i < 2 * N; i++)
            xy[i] = 10 * (float)ql_rng_normal(ql_rng_at(9, QL_RNG_PCA, (uint64_t)i, 1, 1).word[0]);
    }
    assert_ok(ql_layout_umap(g, &opt, xy, &err));
}

static void clouds_stay_together(void **state)
{
    ql_csr g = {0};
    float *x = make_points(), xy[2 * N];
    (void)state;
    make_graph(x, &g);
    layout(&g, x, 1, 1, xy);
    assert_true(purity(xy) > 0.995);
    layout(&g, NULL, 1, 1, xy);
    assert_true(purity(xy) > 0.98);
    free(x);
    ql_csr_free(&g);
}

static void threads_change_no_bit_and_seeds_do(void **state)
{
    ql_csr g = {0};
    float *x = make_points(), one[2 * N], three[2 * N];
    (void)state;
    make_graph(x, &g);
    layout(&g, x, 1, 4, one);
    layout(&g, x, 3, 4, three);
    assert_memory_equal(one, three, sizeof one);
    layout(&g, x, 1, 5, three);
    assert_memory_not_equal(one, three, sizeof one);
    free(x);
    ql_csr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_are_those_of_umap_learn),
        cmocka_unit_test(starts_along_principal_components),
        cmocka_unit_test(clouds_stay_together),
        cmocka_unit_test(threads_change_no_bit_and_seeds_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
