/* Likelihood kernels in float64: values and gradients of the reference, the registry's formulas,
 * and signed central differences of every head of every registered likelihood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "quell/likelihood.h"

#include "fixture_lanes.h"
#include "fixture_random.h"

/* One entry: pre-activations of mean, dispersion, pi; count; size factor; penalty of pi^2. */
typedef struct {
    double a[3], y, size, ridge;
} entry;

typedef struct {
    double loss, grad[3]; /* ln y! included */
    double mu, theta, pi;
} result;

static result evaluate(const ql_likelihood *lik, const entry *e)
{
    lanes l;
    result r = {0};
    r.loss = lanes_loss(&l, lik, e->a, e->y, e->size, e->ridge, r.grad);
    lanes_heads(&l, e->a);
    lik->kernel(ql_kern_find("scalar"))->link(&l.args);
    r.mu = l.head[0][7];
    r.theta = lik->disp == QL_DISP_NONE ? 0 : l.head[1][7];
    r.pi = lik->has_pi ? l.head[2][7] : 0;
    return r;
}

/* ---- the reference's values ---- */

#define NONE 1e300 /* not in the table */

/* Made with float64 code from the formulas of the published reference (Eraslan et al. 2019). */
static const struct {
    entry e;
    double mu, theta, pi;
    double nb, nb_mean, nb_disp;
    double zinb, zinb_mean, zinb_disp, zinb_pi;
    double poisson, poisson_mean;
} table[] = {
    {{{0.5, 0.3, -1.0}, 0, 1.2, 0},
     1.978465525,
     0.8543552445,
     0.2689414214,
     1.02409952523,
     0.59668879,
     0.2873779966,
     0.632091672802,
     0.2947495898,
     0.1419576637,
     -0.2370831683,
     1.97846552484,
     1.978465525},
    {{{-2.0, 1.5, 0.7}, 0, 0.8, 0.1},
     0.1082682266,
     1.701413278,
     0.6681877722,
     0.104962941043,
     0.1017908388,
     0.001524279772,
     0.0782688784004,
     0.0314497963,
     0.000470948947,
     0.006781838145,
     NONE,
     NONE},
    {{{0.5, 0.3, -1.0}, 1, 1.2, 0},
     1.978465525,
     0.8543552445,
     0.2689414214,
     1.54045911638,
     0.2950970855,
     -0.1822105283,
     1.85372080376,
     0.2950970855,
     -0.1822105283,
     0.2689414213,
     1.296143968,
     0.9784655249},
    {{{2.2, -0.4, -2.5}, 7, 0.9, 0.1},
     8.122512149,
     0.5130152524,
     0.07585818002,
     3.38979955043,
     0.0666856611,
     -0.4638921608,
     3.46926473096,
     0.0666856611,
     -0.4638921608,
     0.07692176808,
     NONE,
     NONE},
    {{{5.0, 2.0, -4.0}, 250, 1.5, 0},
     222.6197387,
     2.126928011,
     0.01798620996,
     6.12094909562,
     -0.2591177243,
     -0.2151587196,
     6.13909902344,
     NONE,
     NONE,
     0.01798620996,
     NONE,
     NONE},
    {{{-12.0, 0.2, 0.1}, 3, 1.0, 0},
     1e-05,
     0.7981388694,
     NONE,
     34.2639014266,
     0,
     0.8754850171,
     35.0082980865,
     NONE,
     NONE,
     0.5249791874,
     NONE,
     NONE},
    {{{0.1, -12.0, 0.1}, 2, 1.0, 0},
     NONE,
     0.0001,
     NONE,
     9.90449855972,
     -8.096015801e-05,
     0,
     NONE,
     NONE,
     NONE,
     NONE,
     NONE,
     NONE},
};

/* The table has ten significant digits, or nine decimals where a value is small. */
static void like_table(double got, double want, const char *what, size_t row)
{
    if (want == NONE) return;
    if (!(fabs(got - want) <= 1e-9 * fabs(want) + 1e-13))
        fail_msg("row %zu, %s: %.12g instead of %.12g", row, what, got, want);
}

typedef struct {
    double loss, grad[3];
} wanted;

/* What the table says of a likelihood. A free parameter per gene has another link than the table's:
 * d theta / dt = theta instead of 1 / (1 + exp(-a)). */
static wanted wanted_of(const ql_likelihood *lik, size_t row)
{
    const entry *e = &table[row].e;
    double error = e->a[0] * e->size - e->y, slope = 1;
    if (lik->gaussian) return (wanted){error * error, {2 * error * e->size, NONE, NONE}};
    if (lik->disp == QL_DISP_NONE)
        return (wanted){table[row].poisson, {table[row].poisson_mean, NONE, NONE}};
    if (lik->disp == QL_DISP_GENE) slope = table[row].theta * (1 + exp(-e->a[1]));
    wanted w = {table[row].nb, {table[row].nb_mean, table[row].nb_disp, NONE}};
    if (lik->has_pi)
        w = (wanted){table[row].zinb,
                     {table[row].zinb_mean, table[row].zinb_disp, table[row].zinb_pi}};
    if (w.grad[1] != NONE) w.grad[1] *= slope;
    return w;
}

/* Of others the table says nothing. */
static bool in_table(const ql_likelihood *lik)
{
    static const char *const families[] = {"normal", "poisson", "nb", "zinb"};
    const size_t n = strcspn(lik->name, "-");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strlen(families[i]) == n && !strncmp(lik->name, families[i], n)) return true;
    return false;
}

/* A row's entry, with the pre-activation that gives a free parameter the row's theta. */
static entry entry_of(const ql_likelihood *lik, size_t row)
{
    entry e = table[row].e;
    if (lik->disp == QL_DISP_GENE) e.a[1] = log(log1p(exp(e.a[1])));
    return e;
}

static void values_of_the_reference(void **state)
{
    (void)state;
    for (int l = 0; ql_likelihoods[l]; l++) {
        const ql_likelihood *lik = ql_likelihoods[l];
        for (size_t i = 0; i < sizeof table / sizeof *table && in_table(lik); i++) {
            /* 1e-4 is a bound of the other link */
            if (lik->disp == QL_DISP_GENE && table[i].theta < 1e-3) continue;
            entry e = entry_of(lik, i);
            result got = evaluate(lik, &e);
            wanted w = wanted_of(lik, i);
            if (!lik->gaussian) like_table(got.mu, table[i].mu, lik->name, i);
            if (lik->disp != QL_DISP_NONE) like_table(got.theta, table[i].theta, lik->name, i);
            if (lik->has_pi) like_table(got.pi, table[i].pi, lik->name, i);
            like_table(got.loss, w.loss, lik->name, i);
            for (int head = 0; head < 3; head++)
                like_table(got.grad[head], w.grad[head], lik->name, i);
        }
    }
}

/* ---- the registry ---- */

static entry draw(ql_rng *r)
{
    entry e = {{random_in(r, -5, 7), random_in(r, -5, 6), random_in(r, -5, 5)},
               0,
               random_in(r, 0.2, 4),
               0};
    uint32_t kind = ql_rng_below(r, 4);
    if (kind == 1) e.y = 1 + ql_rng_below(r, 8);
    if (kind == 2) e.y = 1 + ql_rng_below(r, 60);
    if (kind == 3) e.y = 1 + ql_rng_below(r, 5000);
    if (ql_rng_below(r, 2)) e.ridge = random_in(r, 0, 1);
    return e;
}

static void kernels_agree_with_the_registry(void **state)
{
    (void)state;
    ql_rng r = random_start(1);
    for (int i = 0; ql_likelihoods[i]; i++) {
        const ql_likelihood *lik = ql_likelihoods[i];
        for (int again = 0; again < 3000; again++) {
            entry e = draw(&r);
            result got = evaluate(lik, &e);
            double want = lik->nll(e.y, got.mu, got.theta, got.pi);
            if (lik->has_pi) want += e.ridge * got.pi * got.pi;
            if (!(fabs(got.loss - want) <= 1e-10 * (1 + fabs(want) + e.y)))
                fail_msg("%s at count %g: %.12g instead of %.12g", lik->name, e.y, got.loss, want);
        }
    }
}

static void names_are_found(void **state)
{
    (void)state;
    for (int i = 0; ql_likelihoods[i]; i++) {
        assert_ptr_equal(ql_likelihood_find(ql_likelihoods[i]->name), ql_likelihoods[i]);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(ql_likelihoods[i]->name, ql_likelihoods[j]->name);
        assert_true(strlen(ql_likelihoods[i]->summary) > 0);
    }
    assert_null(ql_likelihood_find("gaussian"));
}

/* Zero inflation that never happens is none. */
static void zinb_without_zeros_is_nb(void **state)
{
    (void)state;
    ql_rng r = random_start(2);
    for (int again = 0; again < 200; again++) {
        entry e = draw(&r);
        e.a[2] = -60;
        result nb = evaluate(ql_likelihood_find("nb"), &e),
               zinb = evaluate(ql_likelihood_find("zinb"), &e);
        if (e.y == 0 && nb.loss > 8) continue; /* where the epsilon inside the logarithm tells */
        assert_true(fabs(nb.loss - zinb.loss) <= 1e-6 * (1 + fabs(nb.loss)));
    }
}

/* ---- gradients ---- */

static double difference(const ql_likelihood *lik, entry e, int head)
{
    const double h = 1e-5, at = e.a[head];
    e.a[head] = at + h;
    double up = evaluate(lik, &e).loss;
    e.a[head] = at - h;
    return (up - evaluate(lik, &e).loss) / (2 * h);
}

/* Largest signed disagreement of gradient * factor with the differences, relative to 1 + count. */
static double gradient_error(const ql_likelihood *lik, int head, double factor)
{
    ql_rng r = random_start(3);
    double worst = 0;
    for (int again = 0; again < 2000; again++) {
        entry e = draw(&r);
        double d = difference(lik, e, head), g = factor * evaluate(lik, &e).grad[head];
        double error = (g - d) / (fabs(d) + 1e-4 * (1 + e.y));
        if (!(fabs(error) <= fabs(worst))) worst = error;
    }
    return worst;
}

static bool has_head(const ql_likelihood *lik, int head)
{
    return head == 0 || (head == 1 && lik->disp != QL_DISP_NONE) || (head == 2 && lik->has_pi);
}

static void gradients_are_the_slopes(void **state)
{
    (void)state;
    for (int i = 0; ql_likelihoods[i]; i++) {
        for (int head = 0; head < 3; head++) {
            if (!has_head(ql_likelihoods[i], head)) continue;
            double e = gradient_error(ql_likelihoods[i], head, 1);
            print_message("%s, head %d: %+.2g\n", ql_likelihoods[i]->name, head, e);
            assert_true(fabs(e) <= 1e-4);
        }
    }
}

/* The check above must notice a gradient of the wrong sign or a little too large. */
static void wrong_gradients_are_noticed(void **state)
{
    (void)state;
    for (int i = 0; ql_likelihoods[i]; i++) {
        for (int head = 0; head < 3; head++) {
            if (!has_head(ql_likelihoods[i], head)) continue;
            assert_true(fabs(gradient_error(ql_likelihoods[i], head, -1)) > 0.5);
            assert_true(fabs(gradient_error(ql_likelihoods[i], head, 1.01)) > 1e-3);
        }
    }
}

/* Value and gradient of a head; a bound is reached to rounding, the gradient there is exactly zero.
 */
static void held_at(const ql_likelihood *lik, int head, double a, double bound)
{
    for (int y = 0; y < 3; y++) {
        entry e = {{0.5, 0.3, 0}, y, 1, 0};
        e.a[head] = a;
        result r = evaluate(lik, &e);
        double value = head == 0 ? r.mu : r.theta;
        assert_true(fabs(value - bound) <= 1e-12 * bound);
        assert_true(r.grad[head] == 0);
    }
}

static void clips_stop_the_gradient(void **state)
{
    (void)state;
    const ql_likelihood *cell = ql_likelihood_find("nb-conddisp"), *gene = ql_likelihood_find("nb");
    held_at(cell, 0, 14, 1e6);
    held_at(cell, 0, 400, 1e6);
    held_at(cell, 0, -12, 1e-5);
    held_at(cell, 1, 11000, 1e4);
    held_at(cell, 1, -10, 1e-4);
    held_at(gene, 1, 9.3, 1e4);
    held_at(gene, 1, -7, 1e-3);
    const entry edge = {{13.815510557964274, 0.3, 0}, 1, 1, 0}; /* at the bound it still passes */
    assert_true(evaluate(cell, &edge).grad[0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_the_reference),
        cmocka_unit_test(kernels_agree_with_the_registry),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(zinb_without_zeros_is_nb),
        cmocka_unit_test(gradients_are_the_slopes),
        cmocka_unit_test(wrong_gradients_are_noticed),
        cmocka_unit_test(clips_stop_the_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
