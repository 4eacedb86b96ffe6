/* The likelihood kernels count by count against the formulas in float64, with ln Gamma ratios and
 * their derivatives as plain sums over the factors. The bounds are part of what the kernels
 * promise: the largest errors seen, rounded up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "fixture_kern.h"

/* Errors in units of 2^-23 of the sum of the absolute values of a formula's terms. */
#define LOSS_BOUND  2.2
#define MEAN_BOUND  3.8
#define THETA_BOUND 2.4
#define PI_BOUND    1.9

static const ql_kern *best_table(void)
{
    const ql_kern *k = NULL;
    assert_int_equal(ql_kern_select(&k, NULL), QL_OK);
    return k;
}

/* A value, and the sum of the absolute values of its terms. */
typedef struct {
    double value, size;
} sum;

static void plus(sum *s, double term)
{
    s->value += term;
    s->size += fabs(term);
}

typedef struct {
    sum loss, grad[3];
} exact;

typedef struct {
    double mu, theta, slope, pi; /* slope: d theta / d its pre-activation */
    double ridge, size;
} values;

static values values_of(const ql_likelihood *lik, const ql_lik_args *a, int64_t i)
{
    values v = {.size = (double)a->size[i], .ridge = (double)a->ridge};
    v.mu = v.size * (lik->gaussian ? (double)a->mean[i] : exp((double)a->mean[i]));
    double d = (double)a->disp[i];
    if (lik->disp == QL_DISP_GENE) v.theta = v.slope = exp(d);
    if (lik->disp == QL_DISP_CELL) {
        v.theta = log1p(exp(d));
        v.slope = 1 / (1 + exp(-d));
    }
    if (lik->has_pi) v.pi = 1 / (1 + exp(-(double)a->pi[i]));
    return v;
}

/* ---- the formulas: loss at y less the loss at 0, gradients at y (y > 0) ---- */

static exact normal_at(const values *v, double y)
{
    exact e = {0};
    plus(&e.loss, y * y);
    plus(&e.loss, -2 * v->mu * y);
    e.loss.size += 2 * v->mu * v->mu; /* the difference of two losses */
    plus(&e.grad[0], 2 * v->mu * v->size);
    plus(&e.grad[0], -2 * y * v->size);
    return e;
}

static exact poisson_at(const values *v, double y)
{
    exact e = {0};
    plus(&e.loss, -y * log(v->mu));
    e.loss.size += y + v->mu; /* what mu's rounding weighs; the difference of two losses */
    plus(&e.grad[0], v->mu);
    plus(&e.grad[0], -y);
    return e;
}

static exact nb_at(const values *v, double y)
{
    exact e = {0};
    const double t = v->theta, mu = v->mu;
    plus(&e.loss, y * log(t + mu));
    plus(&e.loss, -y * log(mu));
    e.loss.size += y + t * log1p(mu / t); /* the same */
    e.grad[1].size += v->slope * (log1p(mu / t) + mu / (t + mu));
    e.grad[1].value += v->slope * (log1p(mu / t) - mu / (t + mu));
    plus(&e.grad[1], v->slope * y / (t + mu));
    for (double j = 0; j < y; j += 1) {
        plus(&e.loss, -log(t + j));
        plus(&e.grad[1], -v->slope / (t + j));
    }
    plus(&e.grad[0], t * mu / (t + mu));
    plus(&e.grad[0], -y * t / (t + mu));
    return e;
}

static exact zinb_at(const values *v, double y)
{
    exact e = nb_at(v, y);
    const double t = v->theta, nb_zero = t * log1p(v->mu / t);
    const double zero = -log(v->pi + (1 - v->pi) * exp(-nb_zero));
    plus(&e.loss, nb_zero);
    plus(&e.loss, -zero);
    plus(&e.loss, -log1p(-v->pi));
    plus(&e.grad[2], v->pi);
    plus(&e.grad[2], 2 * v->ridge * v->pi * v->pi * (1 - v->pi));
    e.loss.size += 1;
    return e;
}

static exact exact_at(const ql_likelihood *lik, const values *v, double y)
{
    if (lik->gaussian) return normal_at(v, y);
    if (lik->disp == QL_DISP_NONE) return poisson_at(v, y);
    return lik->has_pi ? zinb_at(v, y) : nb_at(v, y);
}

/* ---- the kernels ---- */

enum { ENTRIES = 1024 };

typedef struct {
    double loss, grad[3];
} errors;

static void raise(double *most, double got, sum want)
{
    double e = fabs(got - want.value) / ((double)FLT_EPSILON * want.size);
    if (!(e <= *most)) *most = e;
}

static bool has_head(const ql_likelihood *lik, int head)
{
    return head == 0 || (head == 1 && lik->disp != QL_DISP_NONE) || (head == 2 && lik->has_pi);
}

/* alone: one entry in QL_PAD has the count, at another lane each time, and the others have 1. */
typedef struct {
    double y;
    bool alone;
} counts;

static double count_at(counts c, int64_t i)
{
    return c.alone && i % QL_PAD != i / QL_PAD % QL_PAD ? 1 : c.y;
}

static void draw(lik_space *s, counts c)
{
    ql_rng r = random_start(12);
    lik_point(s, ENTRIES, 0, 0);
    lik_draw(s, &r);
    random_fill(&r, ENTRIES, -6, 6, s->args.mean);
    random_fill(&r, ENTRIES, -5, 6, s->args.disp);
    random_fill(&r, ENTRIES, -6, 6, s->args.pi);
    for (int i = 0; i < ENTRIES; i++) {
        s->memory[LIK_COUNT][LIK_GUARD + i] = (ql_real)count_at(c, i);
        s->memory[LIK_WEIGHT][LIK_GUARD + i] = 1;
    }
    s->args.ridge = 0.25f;
}

static errors list_errors(const ql_likelihood *lik, counts c)
{
    static lik_space before, now;
    errors most = {0};
    draw(&before, c);
    draw(&now, c);
    lik->kernel(best_table())->list(&now.args);
    const ql_real *out[] = {now.args.mean, now.args.disp, now.args.pi};
    for (int64_t i = 0; i < ENTRIES; i++) {
        values v = values_of(lik, &before.args, i);
        exact e = exact_at(lik, &v, count_at(c, i));
        raise(&most.loss, (double)now.args.loss[i], e.loss);
        for (int head = 0; head < 3; head++)
            if (has_head(lik, head)) raise(&most.grad[head], (double)out[head][i], e.grad[head]);
    }
    return most;
}

static void counts_of_one(const ql_likelihood *lik)
{
    static const counts cases[] = {{1, false},   {2, false},    {3, false}, {4, false}, {5, false},
                                   {6, false},   {7, false},    {8, false}, {9, false}, {10, false},
                                   {100, false}, {5000, false}, {5, true},  {100, true}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const double y = cases[k].y;
        errors e = list_errors(lik, cases[k]);
        print_message("%-13s %4g: loss %.2f, gradients %.2f %.2f %.2f\n", lik->name, y, e.loss,
                      e.grad[0], e.grad[1], e.grad[2]);
        if (!(e.loss <= LOSS_BOUND && e.grad[0] <= MEAN_BOUND && e.grad[1] <= THETA_BOUND &&
              e.grad[2] <= PI_BOUND))
            fail_msg("%s at count %g: an error is above its bound", lik->name, y);
    }
}

static void every_count_follows_its_formula(void **state)
{
    (void)state;
    for (int i = 0; ql_likelihoods[i]; i++) counts_of_one(ql_likelihoods[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_follows_its_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
