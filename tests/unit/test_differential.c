/* Differential expression: the rules on toy numbers, whole runs on a model that is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/infer/de_summary.h"
#include "quell/differential.h"
#include "quell/quantile.h"

#include "fixture_generative.h"

enum { GENES = 30, CELLS = 80 };

/* ---- rules ---- */

static void prefix_rule(void **state)
{
    (void)state;
    /* means of 1 - p: .01 .02 .035 .0525 .05 .0583: the longest prefix at 0.05 has five, though
     * that of four is above */
    static const double p[] = {0.99, 0.97, 0.935, 0.895, 0.96, 0.9};
    assert_int_equal(ql_de_prefix(p, 6, 0.05), 5);
    assert_int_equal(ql_de_prefix(p, 6, 0.009), 0);
    assert_int_equal(ql_de_prefix(p, 6, 1), 6);
    assert_true(fabs(ql_de_bayes_factor(1) - (log(1 + 1e-8) - log(1e-8))) < 1e-9);
    assert_true(fabs(ql_de_bayes_factor(0.75) - log(3)) < 1e-7);
    assert_true(ql_de_bayes_factor(0.5) == 0);
    double v[] = {4, 1, 3, 2};
    assert_true(fabs(ql_quantile(v, 4, 0.9) - 3.7) < 1e-12); /* numpy.quantile */
}

/* Three normals at -2, 0 and 1.5: 0.6 * 1.75. */
static void mixture(void **state)
{
    (void)state;
    enum { N = 3000 };
    static double lfc[N];
    double delta;
    ql_err err;
    ql_rng r = random_start(3);
    for (int i = 0; i < N; i++)
        lfc[i] = (i % 10 == 0 ? -2 : i % 10 == 1 ? 1.5 : 0) + 0.2 * random_normal(&r);
    assert_int_equal(ql_de_delta(lfc, N, &delta, &err), QL_OK);
    assert_true(fabs(delta - 0.6 * 1.75) < 0.03);
    for (int i = 0; i < N; i++) lfc[i] = 0.01 * random_normal(&r);
    assert_int_equal(ql_de_delta(lfc, N, &delta, &err), QL_OK);
    assert_true(delta == 0.1);
}

/* The shortest interval of a skewed set, order statistics, moments. */
static void summary(void **state)
{
    (void)state;
    float x[] = {9, -1, 0, 0.5f, 0.25f, 0.75f, 1, -8, 2, 0.125f}, room[10];
    de_summary s;
    de_summarise(x, 10, 0.5, room, &s);
    assert_true(s.low == 0 && s.high == 1); /* 5 steps: -8 -1 [0 .125 .25 .5 .75 1] 2 9 */
    assert_true(s.least == -8 && s.most == 9 && s.median == 0.375);
    assert_true(fabs(s.mean - 0.4625) < 1e-7 && fabs(s.sd - 3.8697747) < 1e-5); /* numpy.std */
    float whole[] = {2, 5, 1, 99}; /* the last is none of the draws */
    de_summarise(whole, 3, 1, room, &s);
    assert_true(s.low == 1 && s.high == 5);
    enum { N = 20001 };
    static float y[N], z[N];
    ql_rng r = random_start(6);
    for (int i = 0; i < N; i++) y[i] = (float)(3 + 2 * random_normal(&r));
    de_summarise(y, N, 0.95, z, &s);
    assert_true(fabs(s.high - s.low - 2 * 1.95996 * 2) < 0.3 && fabs(s.median - 3) < 0.06);
    for (int i = 1; i < N; i++) assert_true(y[i - 1] <= y[i]);
}

/* ---- runs ---- */

typedef struct {
    count_model model;
    ql_generative g;
    ql_csr counts;
    ql_rows rows;
    int64_t row[CELLS], level[CELLS];
    double total[CELLS];
    float z[CELLS];
} task;

/* The first half of the cells has code 0, the others `far`; gene 4 goes up with it, gene 9 down, so
 * that log shares differ by +-2 ln 2 far and a normaliser. */
static void task_new(task *t, double far)
{
    t->g = count_model_new(&t->model, GENES, 1, QL_LAW_NB);
    t->g.ctx = &t->model;
    t->model.var = 1e-4;
    t->model.w[4] = 2 * log(2);
    t->model.w[9] = -2 * log(2);
    full_counts(CELLS, GENES, &t->counts);
    t->rows = ql_rows_of_csr(&t->counts);
    for (int i = 0; i < CELLS; i++) {
        t->row[i] = i;
        t->level[i] = 0;
        t->total[i] = GENES;
        t->z[i] = i < CELLS / 2 ? (float)far : 0;
    }
    t->model.z = t->z;
    t->model.level = t->level;
}

static void task_free(task *t)
{
    count_model_free(&t->model);
    ql_csr_free(&t->counts);
}

static const ql_de_options usual = {.delta = 0.25,
                                    .pseudocount = NAN,
                                    .interval = 0.95,
                                    .fdr = 0.05,
                                    .n_pairs = 1000,
                                    .memory = 1 << 24,
                                    .seed = 1};

static void compare(task *t, const ql_de_options *opt, ql_de_result *r)
{
    const ql_de_groups groups = {.counts = &t->rows,
                                 .total = t->total,
                                 .row = {t->row, t->row + CELLS / 2},
                                 .n = {CELLS / 2, CELLS / 2}};
    ql_err err = {0};
    assert_int_equal(ql_differential(&t->g, &groups, opt, r, &err), QL_OK);
}

/* The share of gene g at this code, in float64. */
static double share(const task *t, int g, double z, double batch)
{
    double sum = 0;
    for (int k = 0; k < GENES; k++)
        sum += exp(t->model.bias[k] + t->model.w[k] * z + t->model.batch[k] * batch);
    return exp(t->model.bias[g] + t->model.w[g] * z + t->model.batch[g] * batch) / sum;
}

static void known_change(void **state)
{
    (void)state;
    task t;
    ql_de_result r;
    task_new(&t, 1);
    compare(&t, &usual, &r);
    assert_true(r.pseudocount == 1e-10); /* no gene is rare */
    for (int g = 0; g < GENES; g++) {
        const double want = log2(share(&t, g, 1, 0) / share(&t, g, 0, 0));
        assert_true(fabs(r.of[QL_DE_LFC_MEDIAN][g] - want) < 0.01);
        assert_true(fabs(r.of[QL_DE_SCALE2][g] / share(&t, g, 0, 0) - 1) < 0.01);
        assert_true(r.of[QL_DE_PROBA_DE][g] == (fabs(want) > 0.3));
        assert_true(r.of[QL_DE_IS_DE][g] == (fabs(want) > 0.3));
        assert_true(r.of[QL_DE_LFC_LOW][g] <= r.of[QL_DE_LFC_MEDIAN][g]);
        assert_true(r.of[QL_DE_LFC_MIN][g] <= r.of[QL_DE_LFC_LOW][g]);
        assert_true(r.of[QL_DE_RAW_MEAN1][g] == 1 && r.of[QL_DE_NON_ZEROS2][g] == 1);
        assert_true(fabs(r.of[QL_DE_RAW_NORM1][g] - 1e4 / GENES) < 1e-9);
    }
    assert_true(r.by_rank[0] == 4 || r.by_rank[0] == 9);
    ql_de_free(&r);
    task_free(&t);
}

/* Nothing differs: no gene is tagged, in either mode; one gene alone in memory gives the same. */
static void identical_groups(void **state)
{
    (void)state;
    task t;
    ql_de_result r, few;
    ql_de_options opt = usual;
    task_new(&t, 0);
    compare(&t, &opt, &r);
    for (int g = 0; g < GENES; g++) assert_true(r.of[QL_DE_PROBA_DE][g] < 0.01);
    assert_int_equal(r.n_de, 0);
    opt.memory = 1;
    t.g.threads = 3;
    compare(&t, &opt, &few);
    for (int c = 0; c < QL_N_DE; c++)
        assert_memory_equal(r.of[c], few.of[c], GENES * sizeof(double));
    assert_memory_equal(r.by_rank, few.by_rank, GENES * sizeof(int64_t));
    ql_de_free(&few);
    ql_de_free(&r);
    opt = usual;
    opt.vanilla = true;
    compare(&t, &opt, &r);
    for (int g = 0; g < GENES; g++) assert_true(fabs(r.of[QL_DE_PROBA_DE][g] - 0.5) < 0.1);
    assert_int_equal(r.n_de, 0);
    ql_de_free(&r);
    task_free(&t);
}

static void vanilla_mode(void **state)
{
    (void)state;
    task t;
    ql_de_result r;
    ql_de_options opt = usual;
    opt.vanilla = true;
    task_new(&t, 1);
    compare(&t, &opt, &r);
    assert_true(r.of[QL_DE_PROBA_DE][4] == 1 && r.of[QL_DE_PROBA_DE][9] == 0);
    assert_int_equal(r.by_rank[0], 4);
    ql_de_free(&r);
    task_free(&t);
}

/* Genes that are hardly seen: the pseudocount is the 0.9 quantile of their largest shares over the
 * number of genes. */
static void pseudocount_rule(void **state)
{
    (void)state;
    task t;
    ql_de_result r;
    task_new(&t, 0);
    t.model.var = 1e-14;
    for (int64_t k = 0; k < CELLS * GENES; k++)
        if (t.counts.indices[k] >= 20) t.counts.data[k] = 1e-3f; /* mean count below 0.01 */
    compare(&t, &usual, &r);
    double rare[10];
    for (int g = 20; g < GENES; g++) rare[g - 20] = share(&t, g, 0, 0);
    const double want = ql_quantile(rare, 10, 0.9) / GENES;
    assert_true(fabs(r.pseudocount / want - 1) < 1e-5);
    ql_de_free(&r);
    task_free(&t);
}

/* A batch that all cells of one group come from is no difference once both are decoded in each. */
static void batches(void **state)
{
    (void)state;
    task t;
    ql_de_result r;
    ql_de_options opt = usual;
    task_new(&t, 0);
    t.g.n_batches = 2;
    t.model.batch[7] = 3;
    for (int i = 0; i < CELLS / 2; i++) t.level[i] = 1;
    compare(&t, &opt, &r);
    assert_true(r.of[QL_DE_IS_DE][7] == 1);
    ql_de_free(&r);
    opt.batch_correct = true;
    compare(&t, &opt, &r);
    assert_int_equal(r.n_de, 0);
    const double mean = 0.5 * (share(&t, 7, 0, 0) + share(&t, 7, 0, 1));
    assert_true(fabs(r.of[QL_DE_SCALE1][7] / mean - 1) < 0.01);
    ql_de_free(&r);
    task_free(&t);
}

/* delta by the spread of the changes. */
static void own_delta(void **state)
{
    (void)state;
    task t;
    ql_de_result r;
    ql_de_options opt = usual;
    opt.delta = NAN;
    task_new(&t, 2);
    compare(&t, &opt, &r);
    assert_true(r.delta >= 0.1 && r.delta < 4);
    assert_true(r.of[QL_DE_IS_DE][4] == 1 && r.of[QL_DE_IS_DE][9] == 1);
    ql_de_free(&r);
    task_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summary),          cmocka_unit_test(prefix_rule),
        cmocka_unit_test(mixture),          cmocka_unit_test(known_change),
        cmocka_unit_test(identical_groups), cmocka_unit_test(vanilla_mode),
        cmocka_unit_test(pseudocount_rule), cmocka_unit_test(batches),
        cmocka_unit_test(own_delta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
