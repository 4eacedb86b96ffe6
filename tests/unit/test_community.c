/* Leiden and Louvain (src/space) on graphs whose best partition is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/community.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != QL_OK) fail_msg("%s: %s", #call, err.msg);                                   \
    } while (0)

/* The karate club of Zachary (1977). The largest modularity there is: 0.4198 in 4 communities
 * (Brandes et al. 2008). */
static const int32_t karate[][2] = {
    {0, 1},   {0, 2},   {0, 3},   {0, 4},   {0, 5},   {0, 6},   {0, 7},   {0, 8},   {0, 10},
    {0, 11},  {0, 12},  {0, 13},  {0, 17},  {0, 19},  {0, 21},  {0, 31},  {1, 2},   {1, 3},
    {1, 7},   {1, 13},  {1, 17},  {1, 19},  {1, 21},  {1, 30},  {2, 3},   {2, 7},   {2, 27},
    {2, 28},  {2, 32},  {2, 9},   {2, 8},   {2, 13},  {3, 7},   {3, 12},  {3, 13},  {4, 6},
    {4, 10},  {5, 6},   {5, 10},  {5, 16},  {6, 16},  {8, 30},  {8, 32},  {8, 33},  {9, 33},
    {13, 33}, {14, 32}, {14, 33}, {15, 32}, {15, 33}, {18, 32}, {18, 33}, {19, 33}, {20, 32},
    {20, 33}, {22, 32}, {22, 33}, {23, 25}, {23, 27}, {23, 32}, {23, 33}, {23, 29}, {24, 25},
    {24, 27}, {24, 31}, {25, 31}, {26, 29}, {26, 33}, {27, 33}, {28, 31}, {28, 33}, {29, 32},
    {29, 33}, {30, 32}, {30, 33}, {31, 32}, {31, 33}, {32, 33}};
enum { N_EDGES = sizeof karate / sizeof *karate, N_NODES = 34 };

/* All edges in both directions, rows in order. */
static void make_graph(const int32_t (*edge)[2], int n_edges, int n, ql_csr *out)
{
    ql_err err = {0};
    assert_ok(ql_csr_alloc(out, n, n, 2 * n_edges, &err));
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            for (int e = 0; e < n_edges; e++) {
                if (!(edge[e][0] == i && edge[e][1] == j) && !(edge[e][0] == j && edge[e][1] == i))
                    continue;
                out->indices[at] = j;
                out->data[at++] = 1;
            }
        out->indptr[i + 1] = at;
    }
}

/* Two cliques of five with one edge between them. */
enum { CLIQUE = 5, N_CLIQUES = 2 * CLIQUE, CLIQUE_EDGES = CLIQUE * (CLIQUE - 1) + 1 };

static void make_cliques(ql_csr *out)
{
    int32_t edge[CLIQUE_EDGES][2];
    int n = 0;
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < CLIQUE; i++)
            for (int j = i + 1; j < CLIQUE; j++) {
                edge[n][0] = c * CLIQUE + i;
                edge[n++][1] = c * CLIQUE + j;
            }
    edge[n][0] = CLIQUE - 1;
    edge[n++][1] = CLIQUE;
    assert_int_equal(n, CLIQUE_EDGES);
    make_graph((const int32_t(*)[2])edge, n, N_CLIQUES, out);
}

static void modularity_by_hand(void **state)
{
    ql_err err = {0};
    ql_csr g = {0};
    double q;
    int32_t code[N_CLIQUES];
    (void)state;
    make_cliques(&g);
    for (int i = 0; i < N_CLIQUES; i++) code[i] = i / CLIQUE;
    assert_ok(ql_modularity(&g, code, 2, 1, &q, &err));
    assert_true(fabs(q - (20.0 / 21 - 0.5)) < 1e-15); /* 40 of 42 ends inside, halves of 21 */
    assert_ok(ql_modularity(&g, code, 2, 3, &q, &err));
    assert_true(fabs(q - (20.0 / 21 - 1.5)) < 1e-15);
    ql_csr_free(&g);
}

#ifdef QL_HAVE_IGRAPH

static ql_communities find(const ql_csr *g, bool louvain, ql_community_options opt, int32_t *code)
{
    ql_err err = {0};
    ql_communities found = {0};
    assert_ok((louvain ? ql_louvain : ql_leiden)(g, &opt, code, &found, &err));
    return found;
}

static void karate_club_splits_as_known(void **state)
{
    ql_csr g = {0};
    int32_t code[N_NODES];
    double best = 0;
    (void)state;
    make_graph(karate, N_EDGES, N_NODES, &g);
    for (uint64_t seed = 0; seed < 10; seed++) {
        const ql_community_options opt = {.resolution = 1, .seed = seed};
        const ql_communities leiden = find(&g, false, opt, code);
        assert_true(leiden.modularity > 0.4149 && leiden.modularity < 0.41980);
        if (leiden.modularity > best) best = leiden.modularity;
        if (leiden.modularity > 0.4197) {
            assert_int_equal(leiden.n, 4);
            assert_true(code[0] == code[1] && code[33] == code[32] && code[0] != code[33]);
        }
        assert_true(find(&g, true, opt, code).modularity > 0.39);
    }
    assert_true(fabs(best - 0.419789) < 1e-5);
    ql_csr_free(&g);
}

static void seeds_mean_the_same_again(void **state)
{
    ql_csr g = {0};
    int32_t code[N_NODES], again[N_NODES];
    (void)state;
    make_graph(karate, N_EDGES, N_NODES, &g);
    for (int louvain = 0; louvain < 2; louvain++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const ql_community_options opt = {.resolution = 1.5, .seed = seed};
            (void)find(&g, louvain, opt, code);
            (void)find(&g, louvain, (ql_community_options){.resolution = 1, .seed = 99}, again);
            (void)find(&g, louvain, opt, again);
            assert_memory_equal(code, again, sizeof code);
        }
    ql_csr_free(&g);
}

static void resolution_and_density_decide(void **state)
{
    ql_csr g = {0};
    int32_t code[N_CLIQUES];
    ql_community_options opt = {.quality = QL_QUALITY_CPM};
    (void)state;
    make_cliques(&g);
    opt.resolution = 0.5; /* between the density across (1/25) and within (1) */
    assert_int_equal(find(&g, false, opt, code).n, 2);
    for (int i = 0; i < N_CLIQUES; i++) assert_int_equal(code[i], code[i / CLIQUE * CLIQUE]);
    opt.resolution = 0.01;
    assert_int_equal(find(&g, false, opt, code).n, 1);
    opt.resolution = 1.01;
    assert_int_equal(find(&g, false, opt, code).n, N_CLIQUES);
    opt = (ql_community_options){.resolution = 0};
    assert_int_equal(find(&g, false, opt, code).n, 1);
    ql_csr_free(&g);
}

static void memory_is_asked_for_first(void **state)
{
    ql_err err = {0};
    ql_csr g = {0};
    int32_t code[N_NODES];
    ql_communities found;
    (void)state;
    make_graph(karate, N_EDGES, N_NODES, &g);
    ql_alloc_set_cap(ql_alloc_bytes() + 1000);
    const ql_community_options opt = {.resolution = 1};
    assert_int_equal(ql_leiden(&g, &opt, code, &found, &err), QL_EMEMORY);
    ql_alloc_set_cap(0);
    ql_csr_free(&g);
}

#else

static void says_how_to_get_it(void **state)
{
    ql_err err = {0};
    ql_csr g = {0};
    ql_communities found;
    (void)state;
    make_cliques(&g);
    assert_int_equal(ql_leiden(&g, &(ql_community_options){0}, NULL, &found, &err), QL_EUSAGE);
    assert_non_null(strstr(err.msg, "igraph"));
    assert_non_null(strstr(err.hint, "libigraph-dev"));
    ql_csr_free(&g);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modularity_by_hand),
#ifdef QL_HAVE_IGRAPH
        cmocka_unit_test(karate_club_splits_as_known),
        cmocka_unit_test(seeds_mean_the_same_again),
        cmocka_unit_test(resolution_and_density_decide),
        cmocka_unit_test(memory_is_asked_for_first),
#else
        cmocka_unit_test(says_how_to_get_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
