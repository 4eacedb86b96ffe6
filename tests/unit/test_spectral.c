/* Spectral clustering: eigenvectors against closed forms and numpy, groups that are plain to see,
 * the number of clusters, samples and votes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../../src/space/shared_graph.h"
#include "../../src/space/sparse_eigen.h"
#include "../../src/space/spectral_graph.h"
#include "fixture_random.h"
#include "fixture_space_py.h"
#include "quell/agreement.h"
#include "quell/alloc.h"
#include "quell/community.h"
#include "quell/spectral.h"
#include "quell/vote.h"
#include "quell/with_igraph.h"

#define PI 3.14159265358979323846

/* Rings of `length` nodes, `rings` of them: eigenvalues cos(2 pi j / length), each of every ring.
 */
static ql_sparse make_rings(int64_t rings, int64_t length)
{
    ql_sparse s = {.n = rings * length};
    assert_int_equal(QL_NEW(s.indptr, s.n + 1, "a ring", NULL), QL_OK);
    assert_int_equal(QL_NEW(s.index, 2 * s.n, "a ring", NULL), QL_OK);
    assert_int_equal(QL_NEW(s.value, 2 * s.n, "a ring", NULL), QL_OK);
    for (int64_t i = 0; i < s.n; i++) {
        int64_t first = i / length * length, at = i - first;
        s.indptr[i + 1] = 2 * i + 2;
        s.index[2 * i] = (int32_t)(first + (at + 1) % length);
        s.index[2 * i + 1] = (int32_t)(first + (at + length - 1) % length);
        s.value[2 * i] = s.value[2 * i + 1] = 0.5;
    }
    return s;
}

static void check_vectors(const ql_sparse *s, const ql_sparse_eigen *t)
{
    for (int64_t a = 0; a < t->k; a++) {
        double square = 0;
        for (int64_t i = 0; i < s->n; i++) {
            double r = -t->value[a] * t->vector[i * t->k + a];
            for (int64_t e = s->indptr[i]; e < s->indptr[i + 1]; e++)
                r += s->value[e] * t->vector[s->index[e] * t->k + a];
            square += r * r;
        }
        assert_true(sqrt(square) < 1.1e-9);
        for (int64_t b = 0; b <= a; b++) {
            double dot = 0;
            for (int64_t i = 0; i < s->n; i++)
                dot += t->vector[i * t->k + a] * t->vector[i * t->k + b];
            assert_true(fabs(dot - (a == b)) < 1e-12);
        }
    }
}

static void eigenvalues_of_rings(void **state)
{
    enum { K = 9 };
    static const struct {
        int64_t rings, length;
    } cases[] = {{1, 5}, {1, 200}, {3, 70}, {12, 9}, {2, 400}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double value[K], *vector;
        ql_sparse s = make_rings(cases[c].rings, cases[c].length);
        ql_sparse_eigen t = {.k = K < s.n ? K : s.n, .value = value, .tolerance = 1e-9};
        assert_int_equal(QL_NEW(vector, s.n * K, "vectors", NULL), QL_OK);
        t.vector = vector;
        assert_int_equal(ql_sparse_eigen_run(&s, &t, NULL), QL_OK);
        assert_true(t.converged && t.residual <= 1e-9);
        for (int64_t i = 0; i < t.k; i++) {
            int64_t j = i / cases[c].rings; /* 0, then 1 and -1, ... */
            double exact = cos(2 * PI * (double)((j + 1) / 2) / (double)cases[c].length);
            assert_true(fabs(value[i] - exact) < 1e-9);
        }
        check_vectors(&s, &t);
        ql_free(vector);
        ql_sparse_free(&s);
    }
}

/* Neighbours, weights and scaling too: the projector onto the leading vectors is unique. */
static void graph_is_that_of_numpy(void **state)
{
    ql_knn l;
    ql_sparse s;
    double value[PY_VECTORS], vector[PY_POINTS * PY_VECTORS];
    ql_sparse_eigen t = {
        .k = PY_VECTORS, .value = value, .vector = vector, .tolerance = 1e-11, .seed = 3};
    (void)state;
    assert_int_equal(ql_near_lists_make(py_points, PY_POINTS, PY_DIMS, 30, 1, &l, NULL), QL_OK);
    assert_int_equal(ql_graph_matrix(&l, 7, &s, NULL), QL_OK);
    assert_int_equal(ql_sparse_eigen_run(&s, &t, NULL), QL_OK);
    for (int i = 0; i < PY_VECTORS; i++) assert_true(fabs(value[i] - py_eigenvalue[i]) < 1e-12);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < PY_POINTS; j++) {
            double dot = 0;
            for (int k = 0; k < PY_VECTORS; k++)
                dot += vector[i * PY_VECTORS + k] * vector[j * PY_VECTORS + k];
            assert_true(fabs(dot - py_projector[i * PY_POINTS + j]) < 1e-9);
        }
    ql_sparse_free(&s);
    ql_knn_free(&l);
}

/* n cells in k directions, with noise; truth [n]. */
static double *make_cells(int64_t n, int64_t d, int64_t k, double noise, int32_t *truth)
{
    double *x, centre[20 * 20];
    ql_rng r = random_start(5);
    assert_int_equal(QL_NEW(x, n * d, "cells", NULL), QL_OK);
    for (int64_t i = 0; i < k * d; i++) centre[i] = random_normal(&r);
    for (int64_t i = 0; i < n; i++) {
        truth[i] = (int32_t)(i % k);
        for (int64_t j = 0; j < d; j++)
            x[i * d + j] = centre[truth[i] * d + j] + noise * random_normal(&r);
    }
    return x;
}

static double agreement(int64_t n, const int32_t *a, int64_t k, const int32_t *b, int64_t m)
{
    double out;
    assert_int_equal(ql_adjusted_rand_of(n, a, k, b, m, &out, NULL), QL_OK);
    return out;
}

enum { N = 600, D = 8 };

static void finds_groups(void **state)
{
    int32_t truth[N], label[N];
    int64_t found;
    double residual;
    (void)state;
    for (int64_t k = 2; k <= 8; k += 3) {
        double *x = make_cells(N, D, k, 0.25, truth);
        const ql_spectral_options opt = {.k = k, .threads = 1};
        assert_int_equal(ql_spectral(x, N, D, &opt, label, &found, &residual, NULL), QL_OK);
        assert_int_equal(found, k);
        assert_true(residual <= 1e-8);
        assert_true(agreement(N, truth, k, label, found) > 0.97);
        ql_free(x);
    }
}

/* Every cell twice, in any order: twins stay together. */
static void twins_stay_together(void **state)
{
    int32_t truth[N / 2], label[N];
    int64_t found;
    (void)state;
    double *x = make_cells(N / 2, D, 3, 0.3, truth), twice[N * D];
    memcpy(twice, x, sizeof(double) * N / 2 * D);
    memcpy(twice + N / 2 * D, x, sizeof(double) * N / 2 * D);
    const ql_spectral_options opt = {.k = 3, .threads = 1};
    assert_int_equal(ql_spectral(twice, N, D, &opt, label, &found, NULL, NULL), QL_OK);
    assert_memory_equal(label, label + N / 2, sizeof *label * N / 2);
    assert_int_equal(ql_spectral(twice, 6, D, &opt, label, &found, NULL, NULL), QL_OK);
    ql_free(x);
}

static void estimates_the_number(void **state)
{
    int32_t truth[N];
    int64_t k;
    (void)state;
    for (int64_t real = 3; real <= 6; real += 3) {
        double *x = make_cells(N, D, real, 0.2, truth);
        const ql_spectral_options opt = {.threads = 2};
        assert_int_equal(ql_estimate_k(x, N, D, 10, &opt, &k, NULL), QL_OK);
        assert_in_range(k, real - 2, real + 2); /* the rule itself is that rough */
        ql_free(x);
    }
}

/* Groups that are plain to see are what halves agree on; the same for any number of threads. */
static void halves_agree_on_the_number(void **state)
{
    int32_t truth[N];
    int64_t k, again;
    (void)state;
    for (int64_t real = 2; real <= 7; real++) {
        double *x = make_cells(N, D, real, 0.2, truth);
        ql_spectral_options opt = {.threads = 1};
        assert_int_equal(ql_stable_k(x, N, D, 12, &opt, &k, NULL), QL_OK);
        assert_int_equal(k, real);
        opt.threads = 3;
        assert_int_equal(ql_stable_k(x, N, D, 12, &opt, &again, NULL), QL_OK);
        assert_int_equal(again, k);
        ql_free(x);
    }
}

/* What weighs how much, held against all pairs; and Louvain's groups of such graphs. */
static void shared_neighbours_weigh(void **state)
{
    enum { FEW = 60, NEAR = 6 };
    int32_t truth[FEW];
    ql_csr g = {0};
    ql_knn l = {0};
    ql_err err = {0};
    (void)state;
    double *x = make_cells(FEW, D, 3, 0.5, truth);
    assert_int_equal(ql_near_lists_make(x, FEW, D, NEAR, 1, &l, &err), QL_OK);
    assert_int_equal(ql_graph_of_shared(&l, &g, &err), QL_OK);
    for (int64_t i = 0; i < FEW; i++) {
        int64_t at = g.indptr[i];
        for (int64_t j = 0; j < FEW; j++) {
            int u = 0, ways = 0;
            for (int a = 0; a < NEAR; a++) {
                ways += l.index[i * NEAR + a] == j;
                ways += l.index[j * NEAR + a] == i;
                for (int b = 0; b < NEAR; b++) u += l.index[i * NEAR + a] == l.index[j * NEAR + b];
            }
            if (u == 0 || ways == 0) continue;
            assert_true(at < g.indptr[i + 1] && g.indices[at] == j);
            assert_true(fabs((double)g.data[at++] - ways * u / (2.0 * NEAR - u) / 2) < 1e-7);
        }
        assert_int_equal(at, g.indptr[i + 1]);
    }
    ql_csr_free(&g);
    ql_knn_free(&l);
    ql_free(x);
}

static void communities_of_shared_neighbours(void **state)
{
    enum { K = 4 };
    static int32_t truth[N], label[N];
    const ql_spectral_options opt = {.threads = 2};
    int64_t found;
    ql_err err = {0};
    (void)state;
    if (!*ql_igraph_version()) {
        assert_int_equal(ql_cluster_shared((double[]){0, 1, 2, 3}, 4, 1, &opt, label, &found, &err),
                         QL_EUSAGE);
        return;
    }
    double *x = make_cells(N, D, K, 0.2, truth);
    assert_int_equal(ql_cluster_shared(x, N, D, &opt, label, &found, &err), QL_OK);
    assert_int_equal(found, K);
    assert_true(agreement(N, truth, K, label, found) > 0.97);
    ql_free(x);
}

/* More cells than are clustered directly: the sample's groups reach all. */
static void large_sets_are_sampled(void **state)
{
    enum { LARGE = QL_SPECTRAL_DIRECT + 1500, K = 5 };
    static int32_t truth[LARGE], label[LARGE], again[LARGE];
    int64_t found;
    (void)state;
    double *x = make_cells(LARGE, D, K, 0.2, truth);
    ql_spectral_options opt = {.k = K, .threads = 1};
    assert_int_equal(ql_cluster_latent(x, LARGE, D, &opt, label, &found, NULL), QL_OK);
    assert_int_equal(found, K);
    assert_true(agreement(LARGE, truth, K, label, found) > 0.97);
    opt.threads = 3;
    assert_int_equal(ql_cluster_latent(x, LARGE, D, &opt, again, &found, NULL), QL_OK);
    assert_memory_equal(label, again, sizeof label);
    ql_free(x);
}

static void the_first_of_a_tie_wins(void **state)
{
    int32_t tally[4] = {0}, count;
    const int32_t votes[] = {2, 1, 2, 1, 3};
    (void)state;
    assert_int_equal(ql_most_frequent(votes, 5, tally, &count), 2);
    assert_int_equal(count, 2);
    assert_int_equal(ql_most_frequent(votes + 1, 4, tally, &count), 1);
    for (int i = 0; i < 4; i++) assert_int_equal(tally[i], 0);
}

/* Two members, three neighbours: shares are of all six. */
static void members_vote(void **state)
{
    const double known[] = {1, 0, 0, 0.9, 0.1, 0, 0, 1, 0, 0, 0.9, 0.2}, asked[] = {1, 0.05, 0};
    const int32_t label[] = {0, 0, 1, 1};
    const ql_vote_task t = {known, 4, label, 2, asked, 1, 3, 3, 1};
    const ql_vote_task both[] = {t, t};
    const ql_vote_ensemble e = {both, 2};
    int32_t out;
    double share;
    (void)state;
    assert_int_equal(ql_vote_ensemble_run(&e, &out, &share, NULL), QL_OK);
    assert_int_equal(out, 0);
    assert_true(fabs(share - 2.0 / 3) < 1e-15);
}

/* Asked for nine neighbours where there are four: half of them have the label. */
static void fewer_cells_than_neighbours(void **state)
{
    const double known[] = {1, 0, 0, 0.9, 0.1, 0, 0, 1, 0, 0, 0.9, 0.2}, asked[] = {1, 0.05, 0};
    const int32_t label[] = {0, 0, 1, 1};
    const ql_vote_task t = {known, 4, label, 2, asked, 1, 3, 9, 1};
    const ql_vote_ensemble e = {&t, 1};
    int32_t out;
    double share;
    (void)state;
    assert_int_equal(ql_vote_ensemble_run(&e, &out, &share, NULL), QL_OK);
    assert_int_equal(out, 0);
    assert_true(share == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvalues_of_rings),
        cmocka_unit_test(graph_is_that_of_numpy),
        cmocka_unit_test(finds_groups),
        cmocka_unit_test(twins_stay_together),
        cmocka_unit_test(estimates_the_number),
        cmocka_unit_test(halves_agree_on_the_number),
        cmocka_unit_test(shared_neighbours_weigh),
        cmocka_unit_test(communities_of_shared_neighbours),
        cmocka_unit_test(large_sets_are_sampled),
        cmocka_unit_test(the_first_of_a_tie_wins),
        cmocka_unit_test(members_vote),
        cmocka_unit_test(fewer_cells_than_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
