/* Samples, in-painting and arithmetic of codes on a count model whose answers are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quell/impute.h"
#include "quell/latent_arithmetic.h"
#include "quell/sampling.h"

#include "fixture_generative.h"

enum { GENES = 24, LATENT = 2, CELLS = 40 };

typedef struct {
    count_model model;
    ql_generative g;
    ql_csr counts;
    ql_rows rows;
    int64_t row[4096];
    double total[CELLS];
    float z[CELLS * LATENT];
} task;

static void task_new(task *t, ql_law law)
{
    ql_rng r = random_start(77);
    t->g = count_model_new(&t->model, GENES, LATENT, law);
    t->g.ctx = &t->model;
    for (int g = 0; g < GENES; g++)
        for (int k = 0; k < LATENT; k++) t->model.w[g * LATENT + k] = random_in(&r, -0.5, 0.5);
    full_counts(CELLS, GENES, &t->counts);
    t->rows = ql_rows_of_csr(&t->counts);
    for (int k = 0; k < CELLS * LATENT; k++) t->z[k] = (float)random_normal(&r);
    for (int i = 0; i < CELLS; i++) t->total[i] = GENES;
    t->model.z = t->z;
}

static void task_free(task *t)
{
    count_model_free(&t->model);
    ql_csr_free(&t->counts);
}

/* ---- samples ---- */

/* n samples that all go with the first cell. */
static void sample(task *t, int64_t n, const ql_sampling *how, ql_csr *out)
{
    ql_sampling s = *how;
    ql_err err = {0};
    for (int64_t i = 0; i < n; i++) t->row[i] = 0;
    s.cells = (ql_gen_cells){.counts = &t->rows, .row = t->row, .n = n};
    s.total = t->total;
    s.seed = 5;
    assert_int_equal(ql_sample(&t->g, &s, out, NULL, &err), QL_OK);
}

/* Counts of each gene about the formulas: mean, variance, share of zeros. */
static void predictive_moments(void **state)
{
    (void)state;
    static const ql_law laws[] = {QL_LAW_POISSON, QL_LAW_NB, QL_LAW_ZINB};
    enum { N = 4096 };
    for (int k = 0; k < 3; k++) {
        task t;
        ql_csr m;
        float mean[GENES];
        double library = 60, sum[GENES] = {0}, square[GENES] = {0}, seen[GENES] = {0};
        static double libraries[N];
        ql_err err;
        task_new(&t, laws[k]);
        t.model.var = 1e-12; /* the code is known */
        for (int i = 0; i < N; i++) libraries[i] = library;
        sample(&t, N, &(ql_sampling){.library = libraries, .batch = QL_OWN_BATCH}, &m);
        const ql_gen_codes code = {.n = 1, .z = t.z, .library = &library, .batch = QL_OWN_BATCH};
        assert_int_equal(count_decode(&t.model, &code, mean, NULL, NULL, &err), QL_OK);
        for (int64_t e = 0; e < ql_csr_nnz(&m); e++) {
            const double x = (double)m.data[e];
            sum[m.indices[e]] += x / N;
            square[m.indices[e]] += x * x / N;
            seen[m.indices[e]] += 1.0 / N;
        }
        for (int g = 0; g < GENES; g++) {
            const double mu = (double)mean[g], theta = k ? t.model.theta : INFINITY;
            const double pi = k == 2 ? t.model.pi : 0;
            const double want = (1 - pi) * mu;
            const double var = want * (1 + mu * (pi + (k ? 1 / theta : 0)));
            const double nb0 = k ? pow(theta / (theta + mu), theta) : exp(-mu);
            const double zero = pi + (1 - pi) * nb0;
            assert_true(fabs(sum[g] - want) < 5 * sqrt(var / N));
            assert_true(fabs(square[g] - sum[g] * sum[g] - var) < 0.25 * var);
            assert_true(fabs(1 - seen[g] - zero) < 5 * sqrt(zero * (1 - zero) / N) + 1e-12);
        }
        ql_csr_free(&m);
        task_free(&t);
    }
}

/* Threads and blocks change nothing, seed and draw everything; the prior takes no posterior. */
static void keyed(void **state)
{
    (void)state;
    task t;
    ql_csr a, b, c, d;
    task_new(&t, QL_LAW_NB);
    sample(&t, 50, &(ql_sampling){.batch = QL_OWN_BATCH}, &a);
    t.g.threads = 3;
    t.g.block = 11;
    sample(&t, 50, &(ql_sampling){.batch = QL_OWN_BATCH}, &b);
    sample(&t, 50, &(ql_sampling){.batch = QL_OWN_BATCH, .draw = 1}, &c);
    assert_int_equal(ql_csr_nnz(&a), ql_csr_nnz(&b));
    assert_memory_equal(a.data, b.data, (size_t)ql_csr_nnz(&a) * sizeof *a.data);
    assert_memory_equal(a.indices, b.indices, (size_t)ql_csr_nnz(&a) * sizeof *a.indices);
    assert_memory_equal(a.indptr, b.indptr, 51 * sizeof *a.indptr);
    assert_true(ql_csr_nnz(&a) != ql_csr_nnz(&c) ||
                memcmp(a.data, c.data, (size_t)ql_csr_nnz(&a) * sizeof *a.data) != 0);
    t.model.z = NULL; /* would be read */
    sample(&t, 50, &(ql_sampling){.prior = true, .batch = QL_OWN_BATCH}, &d);
    ql_csr_free(&a);
    ql_csr_free(&b);
    ql_csr_free(&c);
    ql_csr_free(&d);
    task_free(&t);
}

/* ---- in-painting ---- */

typedef struct {
    float expected[CELLS * GENES];
    double seen[CELLS];
    int64_t n_masked;
} kept;

static ql_status keep(void *ctx, int64_t first, int64_t n, const float *expected,
                      const double *seen, const float *z, ql_err *err)
{
    kept *k = ctx;
    (void)z;
    (void)err;
    memcpy(k->expected + first * k->n_masked, expected,
           (size_t)(n * k->n_masked) * sizeof *expected);
    memcpy(k->seen + first, seen, (size_t)n * sizeof *seen);
    return QL_OK;
}

/* Where the code is known the masked genes have their shares, at the depth of the others. */
static void masked_genes(void **state)
{
    (void)state;
    task t;
    kept k = {.n_masked = 2};
    uint8_t masked[GENES] = {0};
    ql_err err = {0};
    task_new(&t, QL_LAW_NB);
    t.g.block = CELLS; /* rows of a block are rows of the model's table of codes */
    for (int64_t i = 0; i < CELLS; i++) t.row[i] = i;
    masked[3] = masked[17] = 1;
    const ql_masking m = {.cells = {.counts = &t.rows, .row = t.row, .n = CELLS},
                          .masked = masked,
                          .rounds = 3,
                          .batch = QL_OWN_BATCH};
    const ql_imputed sink = {keep, &k};
    assert_int_equal(ql_impute(&t.g, &m, &sink, &err), QL_OK);
    for (int i = 0; i < CELLS; i++) {
        float share[GENES];
        double one = 1;
        const ql_gen_codes code = {
            .n = 1, .z = t.z + i * LATENT, .library = &one, .batch = QL_OWN_BATCH};
        assert_int_equal(count_decode(&t.model, &code, share, NULL, NULL, &err), QL_OK);
        const double rest = 1 - (double)share[3] - (double)share[17];
        assert_true(k.seen[i] == GENES - 2);
        assert_true(fabs((double)k.expected[2 * i] / ((double)share[3] / rest * k.seen[i]) - 1) <
                    1e-5);
        assert_true(fabs((double)k.expected[2 * i + 1] / ((double)share[17] / rest * k.seen[i]) -
                         1) < 1e-5);
    }
    task_free(&t);
}

typedef struct {
    count_model *model;
    float filled; /* what the last input had for gene 3 of cell 0 */
} spy;

static ql_status spy_encode(void *ctx, const ql_gen_cells *c, float *mean, float *var, ql_err *err)
{
    spy *s = ctx;
    int32_t gene[GENES];
    float count[GENES];
    const int64_t n = ql_rows_get(c->counts, c->row[0], gene, count);
    s->filled = 0;
    for (int64_t k = 0; k < n; k++)
        if (gene[k] == 3) s->filled = count[k];
    return count_encode(s->model, c, mean, var, err);
}

static ql_status spy_decode(void *ctx, const ql_gen_codes *c, float *mean, float *theta, float *pi,
                            ql_err *err)
{
    return count_decode(((spy *)ctx)->model, c, mean, theta, pi, err);
}

/* Asked for in another batch: the input is filled as the cell's own batch has it. */
static void masked_genes_in_another_batch(void **state)
{
    (void)state;
    task t;
    uint8_t masked[GENES] = {0};
    float own, other;
    static kept k = {.n_masked = 1};
    ql_err err = {0};
    task_new(&t, QL_LAW_NB);
    spy s = {.model = &t.model};
    t.g.ctx = &s;
    t.g.encode = spy_encode;
    t.g.decode = spy_decode;
    t.g.block = CELLS;
    t.g.n_batches = 2;
    t.model.batch[3] = 2;
    for (int64_t i = 0; i < CELLS; i++) t.row[i] = i;
    masked[3] = 1;
    ql_masking m = {.cells = {.counts = &t.rows, .row = t.row, .n = CELLS},
                    .masked = masked,
                    .rounds = 2,
                    .batch = QL_OWN_BATCH};
    const ql_imputed sink = {keep, &k};
    assert_int_equal(ql_impute(&t.g, &m, &sink, &err), QL_OK);
    own = k.expected[0];
    assert_true(own > 0 && s.filled == own);
    m.batch = 1;
    assert_int_equal(ql_impute(&t.g, &m, &sink, &err), QL_OK);
    other = k.expected[0];
    assert_true(other > 3 * own);
    assert_true(s.filled == own);
    task_free(&t);
}

/* A cell's imputed figures against the definition. */
static void imputation_error(void **state)
{
    (void)state;
    static const double count[] = {0, 3, 1, 7}, m[] = {0.5, 2, 1.5, 6}, seen[] = {90, 80, 50, 100};
    ql_impute_sums s = {0};
    double model = 0, base = 0, molecules = 11, all = 320;
    for (int i = 0; i < 4; i++) {
        ql_impute_add(&s, count[i], m[i], seen[i], seen[i] + count[i]);
        const double b = molecules / all * seen[i];
        model += count[i] * log(m[i]) - m[i];
        base += count[i] * log(b) - b;
    }
    assert_true(fabs(ql_impute_gain(&s, all) - (model - base) / molecules) < 1e-12);
    assert_true(ql_impute_correlation(&s, 4) > 0.9 && ql_impute_correlation(&s, 4) <= 1);
}

/* ---- arithmetic ---- */

/* A shift within strata is found whatever their numbers. */
static void balanced_shift(void **state)
{
    (void)state;
    enum { N = 12 };
    static const int64_t sa[N] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2};
    static const int64_t sb[N] = {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3};
    float a[N * LATENT], b[N * LATENT];
    double shift[LATENT], weight[4];
    ql_err err;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < LATENT; k++) {
            a[i * LATENT + k] = (float)(10 * (double)sa[i] + k + 0.5);
            b[i * LATENT + k] = (float)(10 * (double)sb[i] + k);
        }
    const ql_latent_group ga = {a, sa, N}, gb = {b, sb, N};
    assert_int_equal(ql_latent_shift(&ga, &gb, NULL, LATENT, 4, shift, weight, &err), QL_OK);
    assert_true(weight[0] + weight[1] + weight[2] + weight[3] == 1);
    for (int k = 0; k < 4; k++) assert_true(weight[k] == 0 || weight[k] == 0.5);
    for (int k = 0; k < LATENT; k++) assert_true(fabs(shift[k] - 0.5) < 1e-12);
    const ql_latent_group last = {b + (N - 1) * LATENT, sb + N - 1, 1};
    assert_int_equal(ql_latent_shift(&ga, &last, NULL, LATENT, 4, shift, weight, &err), QL_EDATA);
}

/* Four strata in two places, whose shifts are those of the place: the neighbours' is taken. With
 * shifts that have nothing to do with places all weigh the same. */
static void near_strata_weigh_more(void **state)
{
    (void)state;
    enum { N = 4 };
    static const int64_t strata[N] = {0, 1, 2, 3};
    static const float place[N] = {0, 0.5F, 10, 10.5F};
    static const float by_place[N] = {1, 1.1F, 3, 3.1F}, by_chance[N] = {1, 3, 1, 3};
    const float c[LATENT] = {0.25F};
    const ql_latent_group to = {c, NULL, 1};
    for (int chance = 0; chance < 2; chance++) {
        float a[N * LATENT] = {0}, b[N * LATENT] = {0};
        double shift[LATENT], weight[N];
        ql_err err;
        for (int i = 0; i < N; i++) {
            b[i * LATENT] = place[i];
            a[i * LATENT] = place[i] + (chance ? by_chance : by_place)[i];
        }
        const ql_latent_group ga = {a, strata, N}, gb = {b, strata, N};
        assert_int_equal(ql_latent_shift(&ga, &gb, &to, LATENT, N, shift, weight, &err), QL_OK);
        assert_true(fabs(shift[0] - (chance ? 2 : 1.05)) < 0.02);
        assert_true(chance ? weight[2] == 0.25 : weight[2] < 0.01);
    }
}

static void agreement(void **state)
{
    (void)state;
    static const double x[] = {1, 2, 4, 3}, y[] = {2, 3, 6, 4.5};
    static const int64_t some[] = {0, 2};
    const ql_agreement a = ql_agree(x, y, NULL, 4);
    assert_true(fabs(a.r2 - 6.75 * 6.75 / (5 * 9.1875)) < 1e-12); /* numpy.corrcoef^2 */
    assert_true(fabs(a.slope - 1.35) < 1e-12);
    assert_true(fabs(a.explained - (1 - 8.25 / 9.1875)) < 1e-12);
    assert_true(fabs(ql_agree(x, y, some, 2).r2 - 1) < 1e-12);
}

static void walks(void **state)
{
    (void)state;
    static const double a[] = {2, 0}, b[] = {0, 2};
    float line[5 * LATENT], arc[5 * LATENT];
    ql_latent_walk(a, b, LATENT, 5, false, line);
    ql_latent_walk(a, b, LATENT, 5, true, arc);
    for (int k = 0; k < 5; k++) {
        const double t = k / 4.0, turn = t * 1.5707963267948966;
        assert_true(fabs((double)line[2 * k] - 2 * (1 - t)) < 1e-6);
        assert_true(fabs((double)arc[2 * k] - 2 * cos(turn)) < 1e-6);
        assert_true(fabs((double)arc[2 * k + 1] - 2 * sin(turn)) < 1e-6);
    }
}

/* Means of decoded codes add up to 10000, of zero-inflated ones too; of cells they are plain sums.
 */
static void gene_means(void **state)
{
    (void)state;
    task t;
    double mean[GENES], log_mean[GENES], log_var[GENES], sum = 0;
    const ql_gene_means out = {mean, log_mean, log_var};
    ql_err err;
    task_new(&t, QL_LAW_ZINB);
    const ql_gen_codes codes = {.n = CELLS, .z = t.z, .batch = QL_OWN_BATCH};
    assert_int_equal(ql_means_of_codes(&t.g, &codes, &out, &err), QL_OK);
    for (int g = 0; g < GENES; g++) sum += mean[g];
    assert_true(fabs(sum - 1e4) < 0.01);
    for (int64_t i = 0; i < CELLS; i++) t.row[i] = i;
    assert_int_equal(ql_means_of_cells(&t.rows, t.row, CELLS, t.total, &out, &err), QL_OK);
    for (int g = 0; g < GENES; g++) {
        assert_true(fabs(mean[g] - 1e4 / GENES) < 1e-9);
        assert_true(fabs(log_mean[g] - log(1 + 1e4 / GENES)) < 1e-9 && log_var[g] < 1e-9);
    }
    task_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictive_moments),
        cmocka_unit_test(keyed),
        cmocka_unit_test(masked_genes),
        cmocka_unit_test(masked_genes_in_another_batch),
        cmocka_unit_test(imputation_error),
        cmocka_unit_test(balanced_shift),
        cmocka_unit_test(near_strata_weigh_more),
        cmocka_unit_test(agreement),
        cmocka_unit_test(walks),
        cmocka_unit_test(gene_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
