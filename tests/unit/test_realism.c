/* The classifier and its curve against values of scikit-learn, the checks against plain sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/realism.h"

#include "fixture_random.h"

enum { N = 40, P = 4 };

typedef struct {
    ql_csr x;
    uint8_t kind[N];
    int64_t row[N];
} task;

/* The same numbers that scikit-learn was given. */
static void task_new(task *t)
{
    ql_err err;
    assert_int_equal(ql_csr_alloc(&t->x, N, P, N * P, &err), QL_OK);
    int64_t at = 0;
    for (int i = 0; i < N; i++) {
        float x[P];
        for (int j = 0; j < P; j++) {
            x[j] = (float)((i * 7 + j * 13 + i * i * (j + 1)) % 11) / 5.0f;
            if (x[j] == 0) continue;
            t->x.indices[at] = j;
            t->x.data[at++] = x[j];
        }
        t->x.indptr[i + 1] = at;
        t->kind[i] = (double)x[0] - (double)x[2] + (double)((i * 5) % 7) / 4.0 - 0.6 > 0;
        t->row[i] = i;
    }
}

/* LogisticRegression(C, tol=1e-12) of scikit-learn 1.5: w, then the intercept. */
static void coefficients(void **state)
{
    (void)state;
    static const struct {
        double c, w[P + 1];
    } want[] = {
        {1, {1.39595524, 0.30177165, -1.12638837, 0.59460532, -1.24780819}},
        {0.1, {0.3945591, 0.15224489, -0.17923686, 0.13110208, -0.28841233}},
        {10, {2.66533769, -0.05458258, -2.56125648, 1.6237506, -2.14284859}},
    };
    task t;
    double w[P + 1], score[N];
    ql_err err;
    ql_auroc a;
    task_new(&t);
    const ql_labelled data = {&t.x, t.kind, t.row, NULL, N};
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        assert_int_equal(ql_logistic_fit(&data, 1 / want[k].c, w, &err), QL_OK);
        for (int j = 0; j <= P; j++) assert_true(fabs(w[j] - want[k].w[j]) < 2e-4);
    }
    assert_int_equal(ql_logistic_fit(&data, 1, w, &err), QL_OK);
    ql_logistic_score(&data, w, score);
    assert_int_equal(ql_auroc_of(score, t.kind, N, &a, &err), QL_OK);
    assert_true(fabs(a.auroc - 0.8797953964194373) < 1e-12); /* roc_auc_score */
    ql_csr_free(&t.x);
}

/* A score with ties: roc_auc_score, and DeLong's error from its definition in numpy. */
static void curve(void **state)
{
    (void)state;
    task t;
    double score[N];
    ql_err err;
    ql_auroc a;
    task_new(&t);
    for (int i = 0; i < N; i++) {
        double x[P] = {0};
        for (int64_t k = t.x.indptr[i]; k < t.x.indptr[i + 1]; k++)
            x[t.x.indices[k]] = (double)t.x.data[k];
        score[i] = floor((x[0] - x[2]) * 1e6 + 0.5);
    }
    assert_int_equal(ql_auroc_of(score, t.kind, N, &a, &err), QL_OK);
    assert_true(fabs(a.auroc - 0.8235294117647058) < 1e-12);
    assert_true(fabs(a.se - 0.06658943523862686) < 1e-12);
    for (int i = 0; i < N; i++) score[i] = 1;
    assert_int_equal(ql_auroc_of(score, t.kind, N, &a, &err), QL_OK);
    assert_true(a.auroc == 0.5);
    for (int i = 0; i < N; i++) t.kind[i] = 1;
    assert_int_equal(ql_auroc_of(score, t.kind, N, &a, &err), QL_OK);
    assert_true(isnan(a.auroc));
    ql_csr_free(&t.x);
}

/* Poisson counts of some rate, [n, genes]. */
static void poisson(int64_t n, int64_t genes, double rate, uint64_t seed, ql_csr *m)
{
    ql_rng r = random_start(seed);
    ql_err err;
    int64_t at = 0;
    assert_int_equal(ql_csr_alloc(m, n, genes, n * genes, &err), QL_OK);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t g = 0; g < genes; g++) {
            const uint32_t y = random_poisson(&r, rate * (1 + 0.1 * (double)g));
            if (y == 0) continue;
            m->indices[at] = (int32_t)g;
            m->data[at++] = (float)y;
        }
        m->indptr[i + 1] = at;
    }
}

static ql_auroc find(const ql_realism *r, const char *name)
{
    for (int k = 0; k + 1 < r->n; k++)
        if (!strcmp(r->row[k].name, name))
            return (ql_auroc){r->row[k].agreement, r->row[k + 1].agreement};
    fail();
    return (ql_auroc){0, 0};
}

/* Cells of one kind cannot be told apart, of different depth they can; whatever the threads. */
static void telling_apart(void **state)
{
    (void)state;
    enum { CELLS = 300, GENES = 30, WIDTH = 2 };
    ql_csr a, b, c;
    float za[CELLS * WIDTH], zb[CELLS * WIDTH];
    ql_rng r = random_start(4);
    ql_err err;
    ql_realism same = {0}, other = {0}, again = {0};
    for (int k = 0; k < CELLS * WIDTH; k++) {
        za[k] = (float)random_normal(&r);
        zb[k] = (float)random_normal(&r);
    }
    poisson(CELLS, GENES, 1, 1, &a);
    poisson(CELLS, GENES, 1, 2, &b);
    poisson(CELLS, GENES, 1.3, 3, &c);
    ql_folds how = {.folds = 5, .threads = 1, .ridge = 1, .seed = 1};
    const ql_realism_cells alike = {&a, &b, za, zb, WIDTH}, unlike = {&a, &c, za, zb, WIDTH};
    assert_int_equal(ql_realism_classify(&alike, &how, &same, &err), QL_OK);
    assert_int_equal(ql_realism_classify(&unlike, &how, &other, &err), QL_OK);
    how.threads = 3;
    assert_int_equal(ql_realism_classify(&unlike, &how, &again, &err), QL_OK);
    const ql_auroc z = find(&same, "auroc_latent"), x = find(&same, "auroc_log_counts");
    assert_true(fabs(z.auroc - 0.5) < 4 * z.se && z.se > 0.01 && z.se < 0.04);
    assert_true(fabs(x.auroc - 0.5) < 4 * x.se);
    assert_true(find(&other, "auroc_log_counts").auroc > 0.8);
    for (int k = 0; k < other.n; k++)
        assert_memory_equal(&other.row[k].agreement, &again.row[k].agreement, sizeof(double));
    ql_csr_free(&a);
    ql_csr_free(&b);
    ql_csr_free(&c);
}

/* A feature that is the same everywhere tells nothing, and breaks nothing. */
static void a_feature_that_does_not_vary(void **state)
{
    (void)state;
    enum { ROWS = 60 };
    ql_csr x;
    ql_err err;
    ql_auroc a;
    uint8_t kind[ROWS];
    int64_t group[ROWS];
    const ql_folds how = {.folds = 3, .threads = 1, .ridge = 1, .seed = 1};
    assert_int_equal(ql_csr_alloc(&x, ROWS, 2, 2 * ROWS, &err), QL_OK);
    for (int i = 0; i < ROWS; i++) {
        kind[i] = (uint8_t)(i % 2);
        group[i] = i;
        x.indices[2 * i] = 0;
        x.indices[2 * i + 1] = 1;
        x.data[2 * i] = 3;
        x.data[2 * i + 1] = (float)(1 + i % 2 + i % 5);
        x.indptr[i + 1] = 2 * i + 2;
    }
    assert_int_equal(ql_auroc_across(&x, kind, group, ROWS, &how, &a, &err), QL_OK);
    assert_true(a.auroc > 0.6 && a.auroc < 0.9);
    ql_csr_free(&x);
}

static const ql_realism_row *row_of(const ql_realism *r, const char *name)
{
    for (int k = 0; k < r->n; k++)
        if (!strcmp(r->row[k].name, name)) return &r->row[k];
    fail();
    return NULL;
}

static void figures(void **state)
{
    (void)state;
    enum { CELLS = 2000, GENES = 20 };
    ql_csr a, b;
    ql_err err;
    ql_realism r = {0};
    double zero = 0, total = 0;
    poisson(CELLS, GENES, 1, 1, &a);
    poisson(CELLS, GENES, 1.2, 2, &b);
    assert_int_equal(ql_realism_checks(&a, &b, &r, &err), QL_OK);
    for (int64_t k = 0; k < ql_csr_nnz(&a); k++) total += (double)a.data[k] / CELLS;
    zero = 1 - (double)ql_csr_nnz(&a) / (CELLS * GENES);
    assert_true(fabs(row_of(&r, "library_mean")->real - total) < 1e-9);
    assert_true(fabs(row_of(&r, "zero_fraction")->real - zero) < 1e-12);
    assert_true(fabs(row_of(&r, "library_mean")->sampled / total - 1.2) < 0.02);
    assert_true(fabs(row_of(&r, "variance_over_mean_median")->sampled - 1) < 0.03);
    assert_true(row_of(&r, "gene_log_mean")->agreement > 0.95);
    double x[] = {3, 1, 2, 2}, y[] = {5, 2, 9};
    assert_true(fabs(ql_ks_distance(x, 4, y, 3) - 2.0 / 3) < 1e-15); /* at 3: 1 and 1 / 3 */
    ql_csr_free(&a);
    ql_csr_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients),  cmocka_unit_test(curve),
        cmocka_unit_test(telling_apart), cmocka_unit_test(a_feature_that_does_not_vary),
        cmocka_unit_test(figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
