/* Nearest neighbours and their graph (src/space): against all distances in float64, and against
 * values of umap-learn 0.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/graph.h"
#include "quell/knn.h"
#include "quell/rng.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != QL_OK) fail_msg("%s: %s", #call, err.msg);                                   \
    } while (0)

static float *random_points(int64_t n, int64_t n_dims, float offset, uint64_t seed)
{
    float *x = malloc((size_t)(n * n_dims) * sizeof *x);
    for (int64_t i = 0; i < n * n_dims; i++)
        x[i] =
            offset + (float)ql_rng_normal(ql_rng_at(seed, QL_RNG_PCA, (uint64_t)i, 0, 0).word[0]);
    return x;
}

/* ---- brute force ---- */

typedef struct {
    double d;
    int64_t i;
} pair;

static int nearer(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->d != y->d) return x->d < y->d ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

/* Written apart from the library: plain sums. */
static double plain_distance(int metric, const float *a, const float *b, int64_t n)
{
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0, square = 0;
    for (int64_t d = 0; d < n; d++) {
        square += ((double)a[d] - (double)b[d]) * ((double)a[d] - (double)b[d]);
        mean_a += (double)a[d] / (double)n;
        mean_b += (double)b[d] / (double)n;
    }
    if (metric == 0) return sqrt(square);
    for (int64_t d = 0; d < n; d++) {
        const double x = (double)a[d] - (metric == 2 ? mean_a : 0);
        const double y = (double)b[d] - (metric == 2 ? mean_b : 0);
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return 1 - ab / sqrt(aa * bb);
}

/* Neighbours whose distances are ties but for rounding may change places. */
static void assert_is_brute_force(const ql_knn *knn, const float *x, int64_t n,
                                  const float *queries, int64_t n_dims, int metric)
{
    pair *all = malloc((size_t)n * sizeof *all);
    for (int64_t q = 0; q < knn->n; q++) {
        int64_t m = 0;
        for (int64_t i = 0; i < n; i++) {
            if (queries == x && i == q) continue;
            all[m++] =
                (pair){plain_distance(metric, queries + q * n_dims, x + i * n_dims, n_dims), i};
        }
        qsort(all, (size_t)m, sizeof *all, nearer);
        for (int e = 0; e < knn->k; e++) {
            const double d = knn->distance[q * knn->k + e];
            assert_true(fabs(d - all[e].d) <= 1e-12 * (1 + fabs(d)));
            const double real = plain_distance(metric, queries + q * n_dims,
                                               x + knn->index[q * knn->k + e] * n_dims, n_dims);
            assert_true(fabs(d - real) <= 1e-12 * (1 + fabs(d)));
            if (e > 0) assert_true(d >= knn->distance[q * knn->k + e - 1]);
        }
    }
    free(all);
}

static void check(int64_t n, int64_t n_dims, float offset, int k, int metric, int threads)
{
    ql_err err = {0};
    const ql_kern *kern;
    ql_knn knn;
    assert_ok(ql_kern_select(&kern, &err));
    float *x = random_points(n, n_dims, offset, 7), *q = random_points(70, n_dims, offset, 8);
    const ql_knn_options opt = {
        .metric = &ql_metrics[metric], .k = k, .threads = threads, .kern = kern};
    assert_ok(ql_knn_points(x, n, n_dims, &opt, &knn, &err));
    assert_is_brute_force(&knn, x, n, x, n_dims, metric);
    ql_knn_free(&knn);
    assert_ok(ql_knn_queries(x, n, q, 70, n_dims, &opt, &knn, &err));
    assert_is_brute_force(&knn, x, n, q, n_dims, metric);
    ql_knn_free(&knn);
    free(x);
    free(q);
}

static void equals_brute_force(void **state)
{
    (void)state;
    for (int metric = 0; metric < 3; metric++) {
        check(1300, 32, 0, 14, metric, 2);
        check(513, 3, 0, 30, metric, 1);
        check(40, 5, 0, 39, metric, 1);
    }
}

/* Far from the origin float32 products alone would lose every digit. */
static void cancellation_does_not_matter(void **state)
{
    (void)state;
    check(900, 8, 1000, 10, 0, 1);
    check(900, 8, 1000, 10, 2, 1);
}

/* Two groups so tight that float32 products say nothing of the order within: what they may be wrong
 * by must be allowed for. */
static void rounded_products_hide_no_neighbour(void **state)
{
    (void)state;
    enum { N = 700, DIMS = 16 };
    ql_err err = {0};
    const ql_kern *kern;
    ql_knn knn;
    assert_ok(ql_kern_select(&kern, &err));
    float *x = random_points(N, DIMS, 0, 11);
    for (int64_t i = 0; i < N * DIMS; i++) {
        const float centre = (i / DIMS % 2 ? -1 : 1) * (float)(1 + i % DIMS);
        x[i] = 100 * centre + 0.001f * x[i];
    }
    for (int metric = 0; metric < 3; metric++) {
        const ql_knn_options opt = {
            .metric = &ql_metrics[metric], .k = 5, .threads = 1, .kern = kern};
        assert_ok(ql_knn_points(x, N, DIMS, &opt, &knn, &err));
        assert_is_brute_force(&knn, x, N, x, DIMS, metric);
        ql_knn_free(&knn);
    }
    free(x);
}

/* A point is none of its own neighbours. */
static void no_more_neighbours_than_others(void **state)
{
    (void)state;
    ql_err err = {0};
    const ql_kern *kern;
    ql_knn knn;
    assert_ok(ql_kern_select(&kern, &err));
    float *x = random_points(6, 3, 0, 1);
    ql_knn_options opt = {.metric = &ql_metrics[0], .k = 6, .threads = 1, .kern = kern};
    assert_int_equal(ql_knn_points(x, 6, 3, &opt, &knn, &err), QL_EINTERNAL);
    assert_ok(ql_knn_queries(x, 6, x, 6, 3, &opt, &knn, &err));
    ql_knn_free(&knn);
    opt.k = 7;
    assert_int_equal(ql_knn_queries(x, 6, x, 6, 3, &opt, &knn, &err), QL_EINTERNAL);
    free(x);
}

static void ties_go_by_position(void **state)
{
    enum { N = 1200, K = 5 };
    ql_err err = {0};
    const ql_kern *kern;
    ql_knn knn;
    float *x = calloc(N * 2, sizeof *x);
    (void)state;
    assert_ok(ql_kern_select(&kern, &err));
    for (int i = 0; i < N; i++) x[2 * i] = (float)(i % 3); /* 400 at each of three places */
    const ql_knn_options opt = {.metric = ql_metrics, .k = K, .threads = 2, .kern = kern};
    assert_ok(ql_knn_points(x, N, 2, &opt, &knn, &err));
    for (int i = 0; i < N; i++)
        for (int e = 0, want = i % 3; e < K; e++, want += 3) {
            if (want == i) want += 3;
            assert_int_equal(knn.index[i * K + e], want);
            assert_true(knn.distance[i * K + e] == 0);
        }
    ql_knn_free(&knn);
    free(x);
}

static void odd_rows_have_distance_one(void **state)
{
    const float zero[] = {0, 0, 0}, flat[] = {2, 2, 2}, a[] = {1, 2, 4};
    (void)state;
    assert_true(ql_metric_distance(ql_metric_find("cosine"), zero, a, 3) == 1);
    assert_true(ql_metric_distance(ql_metric_find("correlation"), flat, a, 3) == 1);
    assert_true(ql_metric_distance(ql_metric_find("cosine"), a, a, 3) < 1e-15);
    assert_null(ql_metric_find("manhattan"));
}

static void huge_values_are_refused(void **state)
{
    const float x[] = {1, 2, 1e16f, 3};
    ql_err err = {0};
    ql_knn knn;
    (void)state;
    const ql_knn_options opt = {
        .metric = ql_metrics, .k = 1, .threads = 1, .kern = ql_kern_find("scalar")};
    assert_int_equal(ql_knn_points(x, 2, 2, &opt, &knn, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "[1, 0]"));
}

/* ---- the graph ---- */

/* umap-learn, fuzzy_simplicial_set of these neighbours (five with the point itself): rho,
 * sigma, and the union. */
#include "fixture_umap.h"

static void graph_is_that_of_umap_learn(void **state)
{
    ql_err err = {0};
    ql_csr g = {0};
    double rho[UMAP_N], sigma[UMAP_N];
    ql_knn knn = {.n = UMAP_N, .k = UMAP_K};
    (void)state;
    knn.index = (int32_t *)(uintptr_t)umap_index;
    knn.distance = (double *)(uintptr_t)umap_distance;
    ql_graph_scales(&knn, rho, sigma);
    for (int i = 0; i < UMAP_N; i++) {
        assert_true(fabs(rho[i] - umap_rho[i]) < 1e-6);
        assert_true(fabs(sigma[i] - umap_sigma[i]) < 2e-5 * (1 + umap_sigma[i]));
    }
    assert_ok(ql_graph_of_knn(&knn, &g, &err));
    assert_int_equal(ql_csr_nnz(&g), UMAP_NNZ);
    for (int i = 0; i <= UMAP_N; i++) assert_int_equal(g.indptr[i], umap_indptr[i]);
    for (int e = 0; e < UMAP_NNZ; e++) {
        assert_int_equal(g.indices[e], umap_column[e]);
        assert_true(fabs((double)g.data[e] - umap_weight[e]) < 2e-5);
    }
    assert_ok(ql_graph_check(&g, &err));
    g.data[3] *= 1.5f;
    assert_int_equal(ql_graph_check(&g, &err), QL_EDATA);
    g.data[3] = NAN;
    assert_int_equal(ql_graph_check(&g, &err), QL_EDATA);
    ql_csr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_brute_force),
        cmocka_unit_test(cancellation_does_not_matter),
        cmocka_unit_test(rounded_products_hide_no_neighbour),
        cmocka_unit_test(no_more_neighbours_than_others),
        cmocka_unit_test(ties_go_by_position),
        cmocka_unit_test(odd_rows_have_distance_one),
        cmocka_unit_test(huge_values_are_refused),
        cmocka_unit_test(graph_is_that_of_umap_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
