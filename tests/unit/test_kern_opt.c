/* Update rules: the formulas in float64, the kernels' reciprocal, moments that fade away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "quell/optimizer.h"

#include "fixture_random.h"

static const ql_kern *best_table(void)
{
    const ql_kern *k = NULL;
    assert_int_equal(ql_kern_select(&k, NULL), QL_OK);
    return k;
}

/* ---- update rules ---- */

enum { WEIGHTS = 2 * QL_PAD, STEPS = 60 };

typedef struct {
    double w[WEIGHTS], m[WEIGHTS], v[WEIGHTS];
} trace;

/* The rules as Keras (RMSprop), Kingma and Ba (Adam, in its second form) and PyTorch (Adam, in its
 * first form) write them. */
static void reference_step(const char *rule, trace *t, int i, double g, double rate, int step)
{
    if (!strcmp(rule, "sgd")) {
        t->w[i] -= rate * g;
    } else if (!strcmp(rule, "rmsprop")) {
        t->v[i] = 0.9 * t->v[i] + 0.1 * g * g;
        t->w[i] -= rate * g / (sqrt(t->v[i]) + 1e-7);
    } else {
        const bool torch = !strcmp(rule, "torch-adam");
        assert_true(torch || !strcmp(rule, "adam") || !strcmp(rule, "adamw"));
        t->m[i] = 0.9 * t->m[i] + 0.1 * g;
        t->v[i] = 0.999 * t->v[i] + 0.001 * g * g;
        const double root = sqrt(1 - pow(0.999, step)), eps = torch ? 1e-8 * root : 1e-8;
        t->w[i] -= rate * root / (1 - pow(0.9, step)) * t->m[i] / (sqrt(t->v[i]) + eps);
    }
}

static double reference_gradient(double g, double w, double l1, double l2, double bound)
{
    g += 2 * l2 * w + (w > 0 ? l1 : w < 0 ? -l1 : 0);
    if (bound > 0) g = g > bound ? bound : g < -bound ? -bound : g;
    return g;
}

/* decay NAN: the rule's own, which is that of Loshchilov and Hutter for adamw and none for others.
 * PyTorch's Adam has it in the gradient, as a penalty of half its square. */
static void follow(const ql_opt_rule *rule, double l1, double l2, double bound, double decay)
{
    const double decays = decay >= 0 ? decay : strcmp(rule->name, "adamw") ? 0 : 0.01;
    const double shrink = rule->torch ? 0 : decays, pull = rule->torch ? decays / 2 : 0;
    static trace t;
    float w[WEIGHTS], m[WEIGHTS] = {0}, v[WEIGHTS] = {0}, grad[WEIGHTS];
    ql_rng r = random_start(4);
    ql_optimizer opt;
    ql_opt_start(&opt, rule, best_table(), 0.003, bound, decay);
    memset(&t, 0, sizeof t);
    random_fill(&r, WEIGHTS, -1, 1, w);
    for (int i = 0; i < WEIGHTS; i++) t.w[i] = (double)w[i];
    for (int step = 1; step <= STEPS; step++) {
        ql_opt_step s = ql_opt_next(&opt);
        s.l1 = (float)l1;
        s.l2 += (float)l2;
        random_fill(&r, WEIGHTS, -1, 1, grad);
        for (int i = 0; i < WEIGHTS; i++) {
            grad[i] += 0.5f;
            double g = reference_gradient((double)grad[i], t.w[i], l1, l2 + pull, bound);
            double kept = t.w[i] * (1 - 0.003 * shrink), was = t.w[i];
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
        follow(ql_opt_rules[i], 0, 0, 0, NAN);
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
        ql_opt_start(&opt, rule, best_table(), 0, 0, 0);
        assert_true(opt.rate == rule->rate && rule->rate > 0);
    }
    assert_null(ql_opt_rule_find("adagrad"));
}

/* AdamW by the book: first shrink, then Adam's step, and the shrinking is not in the moments. The
 * decay has to be seen: without it the weights would be elsewhere. */
static void adamw_decays_apart_from_the_gradient(void **state)
{
    (void)state;
    enum { MANY = 400 };
    const double rate = 0.01;
    float w[QL_PAD], m[QL_PAD] = {0}, v[QL_PAD] = {0}, grad[QL_PAD];
    double x = 1, first = 0, second = 0, without = 1;
    ql_optimizer opt;
    ql_opt_start(&opt, ql_opt_rule_find("adamw"), best_table(), rate, 0, NAN);
    for (int i = 0; i < QL_PAD; i++) w[i] = 1;
    for (int t = 1; t <= MANY; t++) {
        double g = sin(t) + 0.1;
        for (int i = 0; i < QL_PAD; i++) grad[i] = (float)g;
        ql_opt_step s = ql_opt_next(&opt);
        opt.update(QL_PAD, w, grad, m, v, &s);
        first = 0.9 * first + 0.1 * g;
        second = 0.999 * second + 0.001 * g * g;
        double corrected = sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t));
        double step = rate * corrected * first / (sqrt(second) + 1e-8);
        x = x - rate * 0.01 * x - step;
        without -= step;
    }
    assert_true(fabs((double)w[0] - x) <= 1e-5);
    assert_true(fabs(without - x) > 1e-3);
    assert_true(w[QL_PAD - 1] == w[0]);
}

/* ---- the reciprocal ---- */

/* In units in the last place; the largest seen over all roots of floats in [1, 4], rounded up. */
#define INVERSE_ULP 0.51

/* With moments that stay as they are, no epsilon and a rate of -1, a step of Adam from weight 0
 * leaves the reciprocal of the second moment's root in the weight. */
static void inverse_roots(int64_t n, const float *square, float *inverse)
{
    static float one[1024], zero[1024], kept[1024];
    const ql_opt_step step = {.rate = -1, .decay1 = 1, .decay2 = 1};
    for (int64_t i = 0; i < n; i++) one[i] = 1;
    memcpy(kept, square, (size_t)n * sizeof *square);
    memset(inverse, 0, (size_t)n * sizeof *inverse);
    best_table()->adam(n, inverse, zero, one, kept, &step);
    assert_memory_equal(kept, square, (size_t)n * sizeof *square);
}

static double inverse_error(float x, float got)
{
    double want = 1 / (double)x;
    float near = (float)want;
    return fabs((double)got - want) / (double)(nextafterf(near, INFINITY) - near);
}

/* Largest error over squares from lo on, `count` of them, each `factor` times the one before. */
static double worst_inverse(float lo, int64_t count, double factor)
{
    float square[1024], inverse[1024];
    double most = 0, at = (double)lo;
    for (int64_t done = 0; done < count; done += 1024) {
        for (int i = 0; i < 1024; i++, at *= factor) square[i] = (float)at;
        inverse_roots(1024, square, inverse);
        for (int i = 0; i < 1024; i++) {
            double e = inverse_error(sqrtf(square[i]), inverse[i]);
            if (!(e <= most)) most = e;
        }
    }
    return most;
}

static void reciprocals_are_accurate(void **state)
{
    (void)state;
    double near = worst_inverse(1, 1 << 24, 1 + 8.2629e-8),
           far = worst_inverse(1e-30f, 1 << 20, 1.00015);
    print_message("reciprocal: %.4f ulp in [1, 2], %.4f from 1e-15 to 1e19 (bound %.2f)\n", near,
                  far, INVERSE_ULP);
    assert_true(near <= INVERSE_ULP && far <= INVERSE_ULP);
}

/* ---- single steps ---- */

/* One step of RMSprop and of Adam from arbitrary moments: the change of the weight to a few units
 * in the last place of what float32 can hold. */
/* PyTorch adds epsilon to the corrected root of the second moment, the others to the plain one. */
static void epsilon_of_each_form(void **state)
{
    (void)state;
    ql_optimizer torch, plain;
    ql_opt_start(&torch, ql_opt_rule_find("torch-adam"), ql_kern_find("scalar"), 0, 0, 0);
    ql_opt_start(&plain, ql_opt_rule_find("adam"), ql_kern_find("scalar"), 0, 0, 0);
    ql_opt_set_eps(&torch, 0.01);
    ql_opt_set_eps(&plain, 0.01);
    for (int step = 1; step < 4; step++) {
        const double want = 0.01 * sqrt(1 - pow(0.999, step));
        assert_true(fabs((double)ql_opt_next(&torch).eps / want - 1) < 1e-6);
        assert_true(fabs((double)ql_opt_next(&plain).eps / 0.01 - 1) < 1e-6);
    }
}

static void steps_are_accurate(void **state)
{
    (void)state;
    enum { N = 1024 };
    static float w[N], m[N], v[N], grad[N], m0[N], v0[N];
    ql_rng r = random_start(11);
    for (int i = 0; i < N; i++) {
        grad[i] = (float)(random_normal(&r) * exp(4 * random_normal(&r)));
        m0[i] = m[i] = (float)(random_normal(&r) * exp(4 * random_normal(&r)));
        v0[i] = v[i] = (float)exp(8 * random_normal(&r));
    }
    const ql_opt_step s = {.rate = 0.5f, .decay1 = 0.75f, .decay2 = 0.9375f, .eps = 1e-8f};
    double most = 0;
    for (int rule = 0; rule < 2; rule++) {
        memset(w, 0, sizeof w);
        memcpy(v, v0, sizeof v);
        (rule ? best_table()->adam : best_table()->rmsprop)(N, w, grad, m, v, &s);
        for (int i = 0; i < N; i++) {
            double g = (double)grad[i], first = 0.75 * (double)m0[i] + 0.25 * g;
            double second = 0.9375 * (double)v0[i] + 0.0625 * g * g;
            double want = -0.5 * (rule ? first : g) / (sqrt(second) + (double)s.eps);
            /* what the first moment's rounding may be where its parts cancel */
            double size = rule ? 0.5 * (0.75 * fabs((double)m0[i]) + 0.25 * fabs(g)) /
                                     (sqrt(second) + (double)s.eps)
                               : fabs(want);
            double e = fabs((double)w[i] - want) / (size * (double)FLT_EPSILON);
            if (!(e <= most)) most = e;
        }
    }
    print_message("a step: %.2f units of 2^-23\n", most);
    assert_true(most <= 3);
}

/* ---- moments that fade ---- */

static void fade(ql_opt_kern rule, float decay1, float decay2, float *m, float *v)
{
    float w[QL_PAD] = {0}, grad[QL_PAD] = {0};
    const ql_opt_step s = {.rate = 0.001f, .decay1 = decay1, .decay2 = decay2, .eps = 1e-8f};
    rule(QL_PAD, w, grad, m, v, &s);
}

/* A unit that is never active again: its first moment becomes 0, its second stays at the bound,
 * neither denormal; those above the bound are left alone, whatever their sign. */
static void faded_moments_are_not_denormal(void **state)
{
    (void)state;
    for (int t = 0; ql_kern_names[t]; t++) {
        const ql_kern *k = ql_kern_find(ql_kern_names[t]);
        if (!k) continue;
        float m[QL_PAD], v[QL_PAD];
        for (int i = 0; i < QL_PAD; i++) {
            m[i] = i % 2 ? 1.9e-30f : -1.9e-30f;
            v[i] = i % 2 ? 1.9e-30f : 3.9e-30f;
        }
        fade(k->adam, 0.5f, 0.5f, m, v);
        for (int i = 0; i < QL_PAD; i++) {
            assert_true(m[i] == 0);
            assert_true(v[i] == (i % 2 ? 1e-30f : 1.95e-30f));
            m[i] = i % 2 ? 2.5e-30f : -2.5e-30f;
        }
        fade(k->adam, 0.5f, 0.5f, m, v);
        for (int i = 0; i < QL_PAD; i++) {
            assert_true(m[i] == (i % 2 ? 1.25e-30f : -1.25e-30f));
            assert_true(v[i] == 1e-30f);
            v[i] = 1e-20f;
        }
        for (int step = 0; step < 300; step++) { /* 0.9^300 is 2e-14 */
            fade(k->rmsprop, 0.9f, 0.9f, NULL, v);
            for (int i = 0; i < QL_PAD; i++) assert_true(v[i] >= FLT_MIN);
        }
        for (int i = 0; i < QL_PAD; i++) assert_true(v[i] == 1e-30f);
    }
}

/* ... and what is not a number is not taken for small. */
static void moments_keep_nan(void **state)
{
    (void)state;
    for (int t = 0; ql_kern_names[t]; t++) {
        const ql_kern *k = ql_kern_find(ql_kern_names[t]);
        if (!k) continue;
        float w[QL_PAD] = {0}, m[QL_PAD] = {0}, v[QL_PAD] = {0}, grad[QL_PAD] = {0};
        const ql_opt_step s = {.rate = 0.001f, .decay1 = 0.9f, .decay2 = 0.9f, .eps = 1e-8f};
        grad[3] = NAN;
        k->adam(QL_PAD, w, grad, m, v, &s);
        for (int i = 0; i < QL_PAD; i++) {
            assert_true(isnan(w[i]) == (i == 3));
            assert_true(isnan(m[i]) == (i == 3) && isnan(v[i]) == (i == 3));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_follow_their_formulas),
        cmocka_unit_test(rules_are_found_by_name),
        cmocka_unit_test(adamw_decays_apart_from_the_gradient),
        cmocka_unit_test(reciprocals_are_accurate),
        cmocka_unit_test(epsilon_of_each_form),
        cmocka_unit_test(steps_are_accurate),
        cmocka_unit_test(faded_moments_are_not_denormal),
        cmocka_unit_test(moments_keep_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
