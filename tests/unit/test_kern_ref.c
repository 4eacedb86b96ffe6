/* The kernels against the formulas in float64: products, sums, update rules, likelihoods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "quell/optimizer.h"

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

enum { M = 30, P = 70, N = 80, LDA = 75, LDB = 96, LDC = 90 };

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
            for (int64_t k = 0; k < p; k++) {
                double term = (double)a[i * g.a_row + k * g.a_col] * (double)b[k * LDB + j];
                sum += term;
                size += fabs(term);
            }
            close_sum((double)c[i * LDC + j], sum, p, size, "gemm");
        }
    }
}

static void gemm_multiplies(void **state)
{
    (void)state;
    for (int start = QL_FROM_ZERO; start <= QL_FROM_BIAS; start++) {
        for (int transposed = 0; transposed < 2; transposed++) {
            gemm_of((ql_gemm_start)start, transposed, 30, 70, 80);
            gemm_of((ql_gemm_start)start, transposed, 13, 1, 16);
            gemm_of((ql_gemm_start)start, transposed, 1, 33, 48);
        }
    }
}

static void row_sums_add_up(void **state)
{
    (void)state;
    ql_rng r = random_start(2);
    float x[5 * 60], y[5];
    random_fill(&r, 5 * 60, -9, 9, x);
    best_table()->row_sums(5, 48, x, 60, y);
    for (int i = 0; i < 5; i++) {
        double sum = 0, size = 0;
        for (int j = 0; j < 48; j++) {
            sum += (double)x[i * 60 + j];
            size += fabs((double)x[i * 60 + j]);
        }
        close_sum((double)y[i], sum, 48, size, "row_sums");
    }
}

enum { ENTRIES = 23, ROWS = 40, H = 48, FIRST = 256 };

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

static void gather_adds_rows(void **state)
{
    (void)state;
    static sparse s, all;
    sparse_draw(&s);
    sparse_draw(&all);
    float acc[H];
    memcpy(acc, s.acc, sizeof acc);
    best_table()->gather(ENTRIES, s.index, FIRST, s.value, s.w, H, s.acc);
    best_table()->gather_all(ENTRIES, all.value, all.w, H, all.acc);
    for (int j = 0; j < H; j++) {
        double picked = (double)acc[j], every = picked;
        for (int i = 0; i < ENTRIES; i++) {
            picked += (double)s.value[i] * (double)s.w[(s.index[i] - FIRST) * H + j];
            every += (double)s.value[i] * (double)s.w[i * H + j];
        }
        close_sum((double)s.acc[j], picked, ENTRIES, 4.0 * ENTRIES, "gather");
        close_sum((double)all.acc[j], every, ENTRIES, 4.0 * ENTRIES, "gather_all");
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
    best_table()->scatter_all(ENTRIES, s.value, all.w, H, s.acc);
    double want[ROWS * H], want_all[ROWS * H];
    for (int i = 0; i < ROWS * H; i++) want[i] = want_all[i] = (double)before.w[i];
    for (int i = 0; i < ENTRIES; i++) {
        for (int j = 0; j < H; j++) {
            want[(s.index[i] - FIRST) * H + j] += (double)s.value[i] * (double)s.acc[j];
            want_all[i * H + j] += (double)s.value[i] * (double)s.acc[j];
        }
    }
    for (int i = 0; i < ROWS * H; i++) {
        close_sum((double)s.w[i], want[i], 1, 6, "scatter");
        close_sum((double)all.w[i], want_all[i], 1, 6, "scatter_all");
    }
}

/* ---- update rules ---- */

enum { WEIGHTS = 32, STEPS = 60 };

typedef struct {
    double w[WEIGHTS], m[WEIGHTS], v[WEIGHTS];
} trace;

/* The rules as Keras (RMSprop) and Kingma and Ba (Adam, in its second form) write them. */
static void reference_step(const char *rule, trace *t, int i, double g, double rate, int step)
{
    if (!strcmp(rule, "sgd")) {
        t->w[i] -= rate * g;
    } else if (!strcmp(rule, "rmsprop")) {
        t->v[i] = 0.9 * t->v[i] + 0.1 * g * g;
        t->w[i] -= rate * g / (sqrt(t->v[i]) + 1e-7);
    } else {
        assert_string_equal(rule, "adam");
        t->m[i] = 0.9 * t->m[i] + 0.1 * g;
        t->v[i] = 0.999 * t->v[i] + 0.001 * g * g;
        double corrected = rate * sqrt(1 - pow(0.999, step)) / (1 - pow(0.9, step));
        t->w[i] -= corrected * t->m[i] / (sqrt(t->v[i]) + 1e-8);
    }
}

static double reference_gradient(double g, double w, double l1, double l2, double bound)
{
    g += 2 * l2 * w + (w > 0 ? l1 : w < 0 ? -l1 : 0);
    if (bound > 0) g = g > bound ? bound : g < -bound ? -bound : g;
    return g;
}

static void follow(const ql_opt_rule *rule, double l1, double l2, double bound, double decay)
{
    static trace t;
    float w[WEIGHTS], m[WEIGHTS] = {0}, v[WEIGHTS] = {0}, grad[WEIGHTS];
    ql_rng r = random_start(4);
    ql_optimizer opt;
    ql_opt_start(&opt, rule, best_table(), 0.003, bound);
    opt.weight_decay = decay;
    memset(&t, 0, sizeof t);
    random_fill(&r, WEIGHTS, -1, 1, w);
    for (int i = 0; i < WEIGHTS; i++) t.w[i] = (double)w[i];
    for (int step = 1; step <= STEPS; step++) {
        ql_opt_step s = ql_opt_next(&opt);
        s.l1 = (float)l1;
        s.l2 = (float)l2;
        random_fill(&r, WEIGHTS, -1, 1, grad);
        for (int i = 0; i < WEIGHTS; i++) {
            grad[i] += 0.5f;
            double g = reference_gradient((double)grad[i], t.w[i], l1, l2, bound);
            double kept = t.w[i] * (1 - 0.003 * decay), was = t.w[i];
            reference_step(rule->name, &t, i, g, 0.003, step);
            t.w[i] += kept - was;
        }
        opt.update(WEIGHTS, w, grad, m, v, &s);
    }
    for (int i = 0; i < WEIGHTS; i++)
        if (!(fabs((double)w[i] - t.w[i]) <= 5e-6))
            fail_msg("%s: weight %d is %.8g instead of %.8g", rule->name, i, (double)w[i], t.w[i]);
}

static void rules_follow_their_formulas(void **state)
{
    (void)state;
    for (int i = 0; ql_opt_rules[i]; i++) {
        follow(ql_opt_rules[i], 0, 0, 0, 0);
        follow(ql_opt_rules[i], 0, 0, 0.3, 0);
        follow(ql_opt_rules[i], 0.01, 0.05, 0, 0);
        follow(ql_opt_rules[i], 0.01, 0.05, 0.3, 2);
    }
}

static void rules_are_found_by_name(void **state)
{
    (void)state;
    for (int i = 0; ql_opt_rules[i]; i++) {
        const ql_opt_rule *rule = ql_opt_rules[i];
        ql_optimizer opt;
        assert_ptr_equal(ql_opt_rule_find(rule->name), rule);
        ql_opt_start(&opt, rule, best_table(), 0, 0);
        assert_true(opt.rate == rule->rate && rule->rate > 0);
    }
    assert_null(ql_opt_rule_find("adagrad"));
}

/* ---- likelihoods ---- */

static double held(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* One entry: its pre-activations, count and size factor; the loss in float64 from them, ln y! left
 * in. */
typedef struct {
    double a[3], y, size, ridge;
} entry;

static double exact_loss(const ql_likelihood *lik, const entry *e)
{
    double mu = held(exp(e->a[0]), 1e-5, 1e6) * e->size;
    double theta = lik->disp == QL_DISP_GENE ? held(exp(e->a[1]), 1e-3, 1e4)
                                             : held(log1p(exp(e->a[1])), 1e-4, 1e4);
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
static void draw_entries(lik_space *s, ql_rng *r, int64_t n)
{
    lik_draw(s, r);
    random_fill(r, n, -6, 6, s->args.mean);
    random_fill(r, n, -4, 6, s->args.disp);
    random_fill(r, n, -6, 6, s->args.pi);
    random_fill(r, n, -4, 6, s->memory[3] + LIK_GUARD);              /* disp_gene */
    for (int64_t i = 0; i < n; i++) s->memory[6][LIK_GUARD + i] = 1; /* weight */
}

static entry entry_at(const lik_space *s, int64_t i, double y)
{
    const ql_lik_args *a = &s->args;
    return (entry){{(double)a->mean[i], (double)a->disp[i], (double)a->pi[i]},
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
    draw_entries(&before, &r, CELLS);
    memcpy(now.memory, before.memory, sizeof now.memory);
    lik_point(&now, CELLS, 0, 0);
    now.args.ridge = before.args.ridge;
    lik->kernel(best_table())->list(&now.args);
    const ql_real *out[] = {now.args.mean, now.args.disp, now.args.pi};
    for (int64_t i = 0; i < CELLS; i++) {
        double y = (double)before.args.count[i];
        entry e = entry_at(&before, i, y), zero = entry_at(&before, i, 0);
        double want = exact_loss(lik, &e) - lgamma(y + 1) - exact_loss(lik, &zero);
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
    draw_entries(&before, &r, CELLS);
    for (int i = 0; i < CELLS; i++) {
        before.args.loss[i] = 0;
        if (lik->disp == QL_DISP_GENE) before.args.disp[i] = before.args.disp_gene[0];
    }
    memcpy(now.memory, before.memory, sizeof now.memory);
    lik_point(&now, 1, CELLS, 0);
    now.args.ridge = before.args.ridge;
    lik->kernel(best_table())->sweep(&now.args);
    const ql_real *out[] = {now.args.mean, now.args.disp, now.args.pi};
    for (int64_t i = 0; i < CELLS; i++) {
        entry e = entry_at(&before, i, 0);
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
    for (int i = 0; ql_likelihoods[i]; i++) {
        small_errors(ql_likelihoods[i], "list", list_errors(ql_likelihoods[i], false));
        small_errors(ql_likelihoods[i], "sweep", sweep_errors(ql_likelihoods[i]));
        assert_true(list_errors(ql_likelihoods[i], true).grad[0] > 0.1); /* the check can fail */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_multiplies),
        cmocka_unit_test(row_sums_add_up),
        cmocka_unit_test(gather_adds_rows),
        cmocka_unit_test(scatter_adds_to_rows),
        cmocka_unit_test(rules_follow_their_formulas),
        cmocka_unit_test(rules_are_found_by_name),
        cmocka_unit_test(likelihoods_follow_their_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
