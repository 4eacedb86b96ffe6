/* Which genes depend on a latent space: the F distribution's tail against scipy's, and genes of
 * which the answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quell/alloc.h"
#include "quell/gene_screen.h"

#include "fixture_model.h"

enum { CELLS = 1000, GENES = 320, DIFFERENT = 60, RARE = 200, WAVES = 300, FAR = 3, MIDDLE = 500 };

/* scipy.stats.f.sf */
static void tails(void **state)
{
    (void)state;
    static const double known[][4] = {{1, 5, 20, 0.44302518468487945},
                                      {2.5, 10, 200, 0.007545356260363697},
                                      {1.8, 64, 1000, 0.0001792038201864665},
                                      {0.5, 7, 30, 0.8269609583211948},
                                      {6, 4, 50, 0.0005045280214538984}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const double p = ql_f_above(known[i][0], known[i][1], known[i][2]), truth = known[i][3];
        assert_true(fabs(p - truth) < 0.002 && fabs(p - truth) < 0.1 * truth);
    }
    assert_true(ql_f_above(0, 3, 9) == 1);
}

/* Cells of two kinds, by every other cell, of which one is deeper; in DIFFERENT genes they differ.
 * The last FAR cells are far from all others in these. Genes from RARE on are rare, those from
 * WAVES on go up and down with the molecules of the genes before them. */
static double rate_of(int64_t i, int64_t g, double depth, double seen)
{
    const bool kind = i % 2, far = i >= CELLS - FAR;
    if (g >= WAVES) return 20 + 18 * sin(1.5 * log(seen / MIDDLE));
    if (g >= RARE) return 0.02 * depth;
    const double mean = depth * (0.3 + 0.02 * (double)g);
    return g < DIFFERENT && kind == (g % 2 == 0) ? mean * (far ? 1000 : 4) : mean;
}

static void draw_cells(ql_csr *m)
{
    ql_rng r = random_start(3);
    int64_t k = 0;
    assert_int_equal(ql_csr_alloc(m, CELLS, GENES, CELLS * GENES, NULL), QL_OK);
    for (int64_t i = 0; i < CELLS; i++) {
        const double depth = exp(0.5 * random_normal(&r) + (i % 2 ? 0.7 : 0));
        double seen = 0;
        for (int64_t g = 0; g < GENES; g++) {
            const uint32_t y = random_nb(&r, rate_of(i, g, depth, seen), 3);
            if (!y) continue;
            if (g < WAVES) seen += y;
            m->indices[k] = (int32_t)g;
            m->data[k++] = (float)y;
        }
        m->indptr[i + 1] = k;
    }
}

/* A network as it is drawn tells kinds of cells apart well enough. */
static void genes_that_differ_are_found(void **state)
{
    (void)state;
    const ql_kern *kern = NULL;
    const ql_prep_options opt = {.log = false, .size_factors = true};
    const int64_t hidden[] = {8};
    const ql_ae_config c = model_config("nb", 1, hidden);
    ql_fitted f = {0};
    ql_csr m;
    double p[GENES], sum = 0;
    int low = 0, found = 0, wrong = 0;
    draw_cells(&m);
    ql_rows rows = ql_rows_of_csr(&m);
    assert_int_equal(ql_kern_select(&kern, NULL), QL_OK);
    assert_int_equal(ql_prep_counts(&rows, opt, kern, 1, &f.prep, NULL), QL_OK);
    const ql_ae_sizes sizes = {
        .n_genes = GENES, .max_row_nnz = rows.max_row, .batch_size = 64, .n_threads = 1};
    assert_int_equal(
        ql_ae_new(&f.ae, &c, &sizes, ql_prep_map(&f.prep), f.prep.log_rate, kern, NULL), QL_OK);
    const int64_t planned = ql_gene_screen_bytes(&rows, hidden[0]);
    ql_alloc_set_cap(ql_alloc_bytes() + planned * 90 / 100);
    assert_int_equal(ql_gene_screen(&f, &rows, p, NULL), QL_EMEMORY);
    ql_alloc_set_cap(ql_alloc_bytes() + planned);
    assert_int_equal(ql_gene_screen(&f, &rows, p, NULL), QL_OK);
    ql_alloc_set_cap(0);
    for (int g = 0; g < DIFFERENT; g++) found += p[g] < 1e-3;
    for (int g = DIFFERENT; g < GENES; g++) {
        sum += p[g] / (GENES - DIFFERENT);
        low += p[g] < 0.1;
        wrong += p[g] < 1e-3;
    }
    print_message("found %d of %d; of the others mean p %.3f, %d below 0.1, %d below 0.001\n",
                  found, DIFFERENT, sum, low, wrong);
    assert_true(found > DIFFERENT * 9 / 10);
    assert_true(sum > 0.42 && sum < 0.58); /* even between 0 and 1: 0.5 +- 0.016 */
    assert_true(low > 15 && low < 55);     /* 34 +- 6 */
    assert_true(wrong <= 3);               /* 0.3 */
    ql_fitted_free(&f);
    ql_csr_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails),
        cmocka_unit_test(genes_that_differ_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
