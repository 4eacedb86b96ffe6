/* The kernels against plain loops: products and sums bit for bit, as the contract in kern.h orders
 * them, likelihoods against the formulas in float64. Update rules: test_kern_opt.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "fixture_kern.h"

static const ql_kern *best_table(void)
{
    const ql_kern *k = NULL;
    assert_int_equal(ql_kern_select(&k, NULL), QL_OK);
    return k;
}

/* Rounding of n operations on terms whose absolute values add up to `size`. */
static void close_sum(double got, double want, int64_t n, double size, const char *what)
{
    double bound = (double)(n + 2) * (double)FLT_EPSILON * size + 1e-30;
    if (!(fabs(got - want) <= bound)) fail_msg("%s: %.9g instead of %.9g", what, got, want);
}

/* ---- products ---- */

enum { M = 30, P = 70, LDA = 75, LDB = 128, LDC = 99 };

static void gemm_of(ql_gemm_start start, bool transposed, int64_t m, int64_t p, int64_t n)
{
    ql_rng r = random_start(1);
    float a[LDA * LDA], b[P * LDB], c[M * LDC], before[M * LDC], bias[M];
    random_fill(&r, LDA * LDA, -2, 2, a);
    random_fill(&r, P * LDB, -2, 2, b);
    random_fill(&r, M * LDC, -2, 2, c);
    random_fill(&r, M, -2, 2, bias);
    memcpy(before, c, sizeof c);
    ql_gemm g = {.m = m,
                 .n = n,
                 .p = p,
                 .a = a,
                 .a_row = transposed ? 1 : LDA,
                 .a_col = transposed ? LDA : 1,
                 .b = b,
                 .ldb = LDB,
                 .c = c,
                 .ldc = LDC,
                 .start = start,
                 .bias = bias};
    best_table()->gemm(&g);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double first = start == QL_FROM_C      ? (double)before[i * LDC + j]
                           : start == QL_FROM_BIAS ? (double)bias[i]
                                                   : 0;
            double sum = first, size = fabs(first);
            float chain = (float)first;
            for (int64_t k = 0; k < p; k++) {
                double term = (double)a[i * g.a_row + k * g.a_col] * (double)b[k * LDB + j];
                sum += term;
                size += fabs(term);
                chain = fmaf(a[i * g.a_row + k * g.a_col], b[k * LDB + j], chain);
            }
            close_sum((double)c[i * LDC + j], sum, p, size, "gemm");
            assert_true(c[i * LDC + j] == chain);
        }
    }
}

static void gemm_multiplies(void **state)
{
    (void)state;
    for (int start = QL_FROM_ZERO; start <= QL_FROM_BIAS; start++) {
        for (int transposed = 0; transposed < 2; transposed++) {
            gemm_of((ql_gemm_start)start, transposed, 30, 70, 96);
            gemm_of((ql_gemm_start)start, transposed, 13, 1, QL_PAD);
            gemm_of((ql_gemm_start)start, transposed, 1, 33, 2 * QL_PAD);
        }
    }
}

/* The lanes folded in halves. */
static float fold_of(const float *lane)
{
    float sum[QL_LANES];
    memcpy(sum, lane, sizeof sum);
    for (int half = QL_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) sum[l] = sum[l] + sum[l + half];
    return sum[0];
}

static void row_sums_add_up(void **state)
{
    (void)state;
    enum { ROWS_SUMMED = 5, WIDE = 96, STRIDE = 100 };
    ql_rng r = random_start(2);
    float x[ROWS_SUMMED * STRIDE], y[ROWS_SUMMED];
    random_fill(&r, ROWS_SUMMED * STRIDE, -9, 9, x);
    best_table()->row_sums(ROWS_SUMMED, WIDE, x, STRIDE, y);
    for (int i = 0; i < ROWS_SUMMED; i++) {
        double sum = 0, size = 0;
        float lane[QL_LANES] = {0};
        for (int j = 0; j < WIDE; j++) {
            sum += (double)x[i * STRIDE + j];
            size += fabs((double)x[i * STRIDE + j]);
            lane[j % QL_LANES] += x[i * STRIDE + j];
        }
        close_sum((double)y[i], sum, WIDE, size, "row_sums");
        assert_true(y[i] == fold_of(lane));
    }
}

enum { ENTRIES = 23, ROWS = 40, H = 2 * QL_PAD, FIRST = 256 };

typedef struct {
    int32_t index[ENTRIES];
    float value[ENTRIES], w[ROWS * H], acc[H];
} sparse;

static void sparse_draw(sparse *s)
{
    ql_rng r = random_start(3);
    for (int i = 0; i < ENTRIES; i++) s->index[i] = FIRST + i + i / 2;
    random_fill(&r, ENTRIES, -2, 2, s->value);
    random_fill(&r, ROWS * H, -2, 2, s->w);
    random_fill(&r, H, -2, 2, s->acc);
}

/* The even entries in one chain that starts at acc, the odd ones in another that starts at 0. */
static float two_chains(float acc, const float *value, const float *const *row, int j)
{
    float even = acc, odd = 0;
    for (int i = 0; i < ENTRIES; i++) {
        float *chain = i % 2 ? &odd : &even;
        *chain = fmaf(value[i], row[i][j], *chain);
    }
    return even + odd;
}

static void gather_adds_rows(void **state)
{
    (void)state;
    static sparse s, all;
    const float *picked[ENTRIES], *every[ENTRIES];
    sparse_draw(&s);
    sparse_draw(&all);
    float acc[H];
    memcpy(acc, s.acc, sizeof acc);
    for (int i = 0; i < ENTRIES; i++) {
        picked[i] = s.w + (s.index[i] - FIRST) * H;
        every[i] = all.w + i * H;
    }
    best_table()->gather(ENTRIES, s.index, FIRST, s.value, s.w, H, s.acc);
    best_table()->gather_all(ENTRIES, all.value, all.w, H, all.acc);
    for (int j = 0; j < H; j++) {
        double sum = (double)acc[j];
        for (int i = 0; i < ENTRIES; i++) sum += (double)s.value[i] * (double)picked[i][j];
        close_sum((double)s.acc[j], sum, ENTRIES, 4.0 * ENTRIES, "gather");
        assert_true(s.acc[j] == two_chains(acc[j], s.value, picked, j));
        assert_true(all.acc[j] == two_chains(acc[j], all.value, every, j));
    }
}

static void scatter_adds_to_rows(void **state)
{
    (void)state;
    static sparse s, all, before;
    sparse_draw(&s);
    sparse_draw(&all);
    sparse_draw(&before);
    best_table()->scatter(ENTRIES, s.index, FIRST, s.value, s.w, H, s.acc);
    best_table()->outer(ENTRIES, s.value, all.w, H, s.acc);
    float want[ROWS * H];
    memcpy(want, before.w, sizeof want);
    for (int i = 0; i < ENTRIES; i++) {
        for (int j = 0; j < H; j++) {
            float *w = &want[(s.index[i] - FIRST) * H + j];
            *w = fmaf(s.value[i], s.acc[j], *w);
        }
    }
    for (int i = 0; i < ROWS * H; i++) {
        assert_true(s.w[i] == want[i]);
        assert_true(all.w[i] == (i < ENTRIES * H ? s.value[i / H] * s.acc[i % H] : before.w[i]));
    }
}

/* ---- shares ---- */

enum { SHARE_ROWS = 9, SHARE_LD = 5 * QL_PAD };

typedef struct {
    float x[SHARE_ROWS * SHARE_LD], most[SHARE_LD], sum[SHARE_LD];
} share_arrays;

static void share_draw(share_arrays *s)
{
    ql_rng r = random_start(10);
    random_fill(&r, SHARE_ROWS * SHARE_LD, -9, 9, s->x);
    random_fill(&r, SHARE_LD, -9, 9, s->most);
    random_fill(&r, SHARE_LD, 0, 9, s->sum);
}

/* Largest of a column, and of `least`. */
static float largest_of(const float *x, int j, float least)
{
    for (int i = 0; i < SHARE_ROWS; i++) least = fmaxf(least, x[i * SHARE_LD + j]);
    return least;
}

/* Differences are those of float32, as exponentials of them are. */
static double exp_sum(const float *x, int j, float most)
{
    double sum = 0;
    for (int i = 0; i < SHARE_ROWS; i++) sum += exp((double)(x[i * SHARE_LD + j] - most));
    return sum;
}

/* What was there before counts, relative to another maximum now. */
static void sums_of_exponentials_go_on(void **state)
{
    (void)state;
    static share_arrays before, now;
    share_draw(&before);
    share_draw(&now);
    best_table()->soft_sums(SHARE_ROWS, SHARE_LD, now.x, now.most, now.sum);
    for (int j = 0; j < SHARE_LD; j++) {
        const float most = largest_of(before.x, j, before.most[j]);
        const double kept = (double)before.sum[j] * exp((double)(before.most[j] - most));
        const double want = kept + exp_sum(before.x, j, most);
        assert_true(now.most[j] == most);
        close_sum((double)now.sum[j], want, 2 * SHARE_ROWS, want, "soft_sums");
    }
}

static void columns_add_to_their_sums(void **state)
{
    (void)state;
    static share_arrays before, now;
    share_draw(&before);
    share_draw(&now);
    best_table()->column_sums(SHARE_ROWS, SHARE_LD, now.x, now.sum);
    for (int j = 0; j < SHARE_LD; j++) {
        double want = (double)before.sum[j], size = fabs(want);
        for (int i = 0; i < SHARE_ROWS; i++) {
            want += (double)before.x[i * SHARE_LD + j];
            size += fabs((double)before.x[i * SHARE_LD + j]);
        }
        close_sum((double)now.sum[j], want, SHARE_ROWS, size, "column_sums");
    }
}

static void exponentials_replace_logits(void **state)
{
    (void)state;
    static share_arrays before, now;
    share_draw(&before);
    share_draw(&now);
    best_table()->soft_exp(SHARE_ROWS, SHARE_LD, now.x, now.most, now.sum);
    for (int j = 0; j < SHARE_LD; j++) {
        const float most = largest_of(before.x, j, -INFINITY);
        const double sum = exp_sum(before.x, j, most);
        assert_true(now.most[j] == most);
        close_sum((double)now.sum[j], sum, 2 * SHARE_ROWS, sum, "soft_exp");
        for (int i = j; i < SHARE_ROWS * SHARE_LD; i += SHARE_LD) {
            const double want = exp((double)(before.x[i] - most));
            close_sum((double)now.x[i], want, 2, want, "soft_exp");
        }
    }
}

/* ---- lists of entries ---- */

/* What the lists hold is what was asked for, whatever lies behind the cell's entries. */
static void cells_are_listed(void **state)
{
    (void)state;
    enum { CELLS = 3, N = 37, TILE_FIRST = 384, LD = 64, SPACE = 2 * QL_PAD + CELLS * N };
    int32_t gene[CELLS * N + QL_PAD], place[SPACE], row[SPACE];
    float count[CELLS * N + QL_PAD], size[SPACE], weight[SPACE], listed[SPACE];
    ql_entry_lists to = {place, row, listed, size, weight};
    ql_rng r = random_start(8);
    for (int k = 0; k < CELLS * N + QL_PAD; k++) {
        gene[k] = TILE_FIRST + (int32_t)ql_rng_below(&r, 128);
        count[k] = (float)(1 + ql_rng_below(&r, 9));
    }
    for (int i = 0; i < CELLS; i++) {
        ql_cell_entries cell = {gene + i * N, count + i * N,   TILE_FIRST,      LD,
                                20 + i,       0.5f * (float)i, 0.25f * (float)i};
        best_table()->list_cell(N, &cell, &to, i * N);
    }
    for (int k = 0; k < CELLS * N; k++) {
        int cell = k / N;
        assert_int_equal(row[k], gene[k] - TILE_FIRST);
        assert_int_equal(place[k], (gene[k] - TILE_FIRST) * LD + 20 + cell);
        assert_true(listed[k] == count[k]);
        assert_true(size[k] == 0.5f * (float)cell && weight[k] == 0.25f * (float)cell);
    }
}

static void values_are_taken_and_put(void **state)
{
    (void)state;
    enum { N = 3 * QL_PAD, PUT = 2 * QL_PAD + 5 };
    int32_t index[N];
    float from[N], to[N], back[N];
    ql_rng r = random_start(9);
    random_fill(&r, N, -1, 1, from);
    for (int k = 0; k < N; k++) {
        index[k] = (5 * k + 3) % N; /* each place once: 5 and N have no common factor */
        back[k] = 7;
    }
    best_table()->take(N, index, from, to);
    for (int k = 0; k < N; k++) assert_true(to[k] == from[(5 * k + 3) % N]);
    best_table()->put(PUT, index, to, back);
    for (int k = 0; k < N; k++) assert_true(back[index[k]] == (k < PUT ? from[index[k]] : 7));
}

static void inputs_follow_their_formula(void **state)
{
    (void)state;
    enum { N = 4 * QL_PAD, GENES = 50 };
    int32_t gene[N];
    float count[N], inv_sd[GENES], y[N];
    ql_rng r = random_start(10);
    random_fill(&r, GENES, 0.1, 9, inv_sd);
    for (int k = 0; k < N; k++) {
        gene[k] = (int32_t)ql_rng_below(&r, GENES);
        count[k] = (float)ql_rng_below(&r, k % 2 ? 5 : 3000);
    }
    for (int log = 0; log < 2; log++) {
        best_table()->input_values(N, count, gene, 0.37f, inv_sd, log, y);
        for (int k = 0; k < N; k++) {
            double x = (double)count[k] * (double)0.37f;
            double want = (log ? log1p(x) : x) * (double)inv_sd[gene[k]];
            /* two products and log1p, each within two units in the last place */
            assert_true(fabs((double)y[k] - want) <= 4 * (double)FLT_EPSILON * want);
        }
    }
}

/* ---- likelihoods ---- */

static double held(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* One entry: its pre-activations (of a share: the logarithm of what comes for it, as gradients are
 * by that), count and size factor; the loss in float64 from them, ln y! left in. */
typedef struct {
    double a[3], y, size, ridge;
} entry;

static double exact_mean(const ql_likelihood *lik, const entry *e)
{
    if (lik->of_inputs) return e->a[0];
    if (lik->heads.odds) return 1 / (1 + exp(-e->a[0]));
    if (lik->heads.share) return exp(e->a[0]) * e->size;
    return (lik->gaussian ? e->a[0] : held(exp(e->a[0]), 1e-5, 1e6)) * e->size;
}

static double exact_theta(const ql_likelihood *lik, const entry *e)
{
    if (lik->heads.share) return exp(e->a[1]);
    return lik->disp == QL_DISP_GENE ? held(exp(e->a[1]), 1e-3, 1e4)
                                     : held(log1p(exp(e->a[1])), 1e-4, 1e4);
}

static double exact_loss(const ql_likelihood *lik, const entry *e)
{
    double mu = exact_mean(lik, e), theta = exact_theta(lik, e);
    double pi = lik->has_pi ? 1 / (1 + exp(-e->a[2])) : 0;
    return lik->nll(e->y, mu, theta, pi) + (lik->has_pi ? e->ridge * pi * pi : 0);
}

static double exact_gradient(const ql_likelihood *lik, entry e, int head)
{
    const double h = 1e-4, at = e.a[head];
    e.a[head] = at + h;
    double up = exact_loss(lik, &e);
    e.a[head] = at - h;
    return (up - exact_loss(lik, &e)) / (2 * h);
}

/* Where a model's entries live, without clips. */
static void draw_entries(lik_space *s, const ql_likelihood *lik, ql_rng *r, int64_t n)
{
    lik_draw(s, r);
    random_fill(r, n, -6, 6, s->args.mean);
    random_fill(r, n, -4, 6, s->args.disp);
    random_fill(r, n, -6, 6, s->args.pi);
    random_fill(r, n, -4, 6, s->memory[LIK_DISP_GENE] + LIK_GUARD);
    for (int64_t i = 0; i < n; i++) s->memory[LIK_WEIGHT][LIK_GUARD + i] = 1;
    lik_make_shares(s, lik);
}

static entry entry_at(const ql_likelihood *lik, const lik_space *s, int64_t i, double y)
{
    const ql_lik_args *a = &s->args;
    const double mean = (double)a->mean[i];
    return (entry){{lik->heads.share ? log(mean) : mean, (double)a->disp[i], (double)a->pi[i]},
                   y,
                   (double)a->size[i],
                   (double)a->ridge};
}

typedef struct {
    double loss, grad[3];
} errors;

static void raise(double *most, double e)
{
    if (!(e <= *most)) *most = e;
}

/* Largest errors of the list kernel, relative to 1 + the size of the exact value. */
static errors list_errors(const ql_likelihood *lik, bool wrong)
{
    static lik_space before, now;
    enum { CELLS = 4000 };
    ql_rng r = random_start(5);
    errors most = {0};
    lik_point(&before, CELLS, 0, 0);
    draw_entries(&before, lik, &r, CELLS);
    memcpy(now.memory, before.memory, sizeof now.memory);
    lik_point(&now, CELLS, 0, 0);
    now.args.ridge = before.args.ridge;
    lik->kernel(best_table())->list(&now.args);
    const ql_real *out[] = {now.args.mean, now.args.disp, now.args.pi};
    for (int64_t i = 0; i < CELLS; i++) {
        double y = (double)before.args.count[i];
        entry e = entry_at(lik, &before, i, y), zero = entry_at(lik, &before, i, 0);
        double constant = lik->gaussian ? 0 : lgamma(y + 1);
        double want = exact_loss(lik, &e) - constant - exact_loss(lik, &zero);
        double size =
            1 + y + fabs(want) + exact_loss(lik, &zero); /* the difference of two losses */
        raise(&most.loss, fabs((double)now.args.loss[i] - want) / size);
        for (int head = 0; head < 3; head++) {
            if ((head == 1 && lik->disp == QL_DISP_NONE) || (head == 2 && !lik->has_pi)) continue;
            double g = (wrong ? -1 : 1) * exact_gradient(lik, e, head);
            raise(&most.grad[head], fabs((double)out[head][i] - g) / (1 + fabs(g)));
        }
    }
    return most;
}

/* The same of the sweep kernel: one row of genes, so that the loss of each cell can be read. */
static errors sweep_errors(const ql_likelihood *lik)
{
    static lik_space before, now;
    enum { CELLS = 4000 };
    ql_rng r = random_start(6);
    errors most = {0};
    lik_point(&before, 1, CELLS, 0);
    draw_entries(&before, lik, &r, CELLS);
    for (int i = 0; i < CELLS; i++) {
        before.args.loss[i] = 0;
        if (lik->disp == QL_DISP_GENE || lik->disp == QL_DISP_EXP_GENE)
            before.args.disp[i] = before.args.disp_gene[0];
    }
    memcpy(now.memory, before.memory, sizeof now.memory);
    lik_point(&now, 1, CELLS, 0);
    now.args.ridge = before.args.ridge;
    lik->kernel(best_table())->sweep(&now.args);
    const ql_real *out[] = {now.args.mean, now.args.disp, now.args.pi};
    for (int64_t i = 0; i < CELLS; i++) {
        entry e = entry_at(lik, &before, i, 0);
        double want = exact_loss(lik, &e);
        raise(&most.loss, fabs((double)now.args.loss[i] - want) / (1 + fabs(want)));
        for (int head = 0; head < 3; head++) {
            if ((head == 1 && lik->disp == QL_DISP_NONE) || (head == 2 && !lik->has_pi)) continue;
            double g = exact_gradient(lik, e, head);
            raise(&most.grad[head], fabs((double)out[head][i] - g) / (1 + fabs(g)));
        }
    }
    return most;
}

static void small_errors(const ql_likelihood *lik, const char *what, errors e)
{
    print_message("%s, %s: loss %.2g, gradients %.2g %.2g %.2g\n", lik->name, what, e.loss,
                  e.grad[0], e.grad[1], e.grad[2]);
    assert_true(e.loss <= 2e-6);
    for (int head = 0; head < 3; head++) assert_true(e.grad[head] <= 2e-5);
}

static void likelihoods_follow_their_formulas(void **state)
{
    (void)state;
    for (int i = 0; lik_number(i); i++) {
        small_errors(lik_number(i), "list", list_errors(lik_number(i), false));
        small_errors(lik_number(i), "sweep", sweep_errors(lik_number(i)));
        assert_true(list_errors(lik_number(i), true).grad[0] > 0.1); /* the check can fail */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_multiplies),
        cmocka_unit_test(row_sums_add_up),
        cmocka_unit_test(gather_adds_rows),
        cmocka_unit_test(scatter_adds_to_rows),
        cmocka_unit_test(sums_of_exponentials_go_on),
        cmocka_unit_test(columns_add_to_their_sums),
        cmocka_unit_test(exponentials_replace_logits),
        cmocka_unit_test(cells_are_listed),
        cmocka_unit_test(values_are_taken_and_put),
        cmocka_unit_test(inputs_follow_their_formula),
        cmocka_unit_test(likelihoods_follow_their_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
