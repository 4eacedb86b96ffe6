/* One dense layer without hidden units is regression: the likelihood kernels, minimised by Newton's
 * method, must find what R finds on the same data (MASS::glm.nb, pscl::zeroinfl). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "quell/likelihood.h"

#include "fixture_biochemists.h"

enum { CELLS = BIO_ROWS, LD = (CELLS + QL_PAD - 1) / QL_PAD * QL_PAD, MOST = 2 * BIO_COLS + 1 };

/* Parameters: coefficients of the mean (intercept first), ln theta, coefficients of pi. */
typedef struct {
    const ql_likelihood *lik;
    int n;
} problem;

static double covariate(int i, int c)
{
    if (c == 0) return 1;
    return c == 4 ? biochemists[i][c] / 1000.0 : biochemists[i][c];
}

static double linear(int i, const double *b)
{
    double sum = 0;
    for (int c = 0; c < BIO_COLS; c++) sum += b[c] * covariate(i, c);
    return sum;
}

/* Room for one gene, all students: dense, and the list of those with articles. */
typedef struct {
    double head[3][LD], list[3][LD], count[LD], one[LD], weight[LD], loss[LD], list_loss[LD];
    int place[LD];
    int64_t n_list;
} space;

static void pre_activations(const problem *p, const double *x, space *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < LD; i++) s->one[i] = s->count[i] = 1;
    for (int i = 0; i < CELLS; i++) {
        s->weight[i] = 1.0 / CELLS;
        s->head[0][i] = linear(i, x);
        s->head[1][i] = x[BIO_COLS];
        if (p->lik->has_pi) s->head[2][i] = linear(i, x + BIO_COLS + 1);
        if (biochemists[i][0] == 0) continue;
        for (int k = 0; k < 3; k++) s->list[k][s->n_list] = s->head[k][i];
        s->count[s->n_list] = biochemists[i][0];
        s->place[s->n_list++] = i;
    }
}

/* Mean loss, ln y! included, and its gradient. */
static double objective(const problem *p, const double *x, double *grad)
{
    static space s;
    double sum = 0;
    pre_activations(p, x, &s);
    const ql_lik_kern *k = p->lik->kernel(ql_kern_find("scalar"));
    k->list(&(ql_lik_args){.n = ql_pad(s.n_list),
                           .mean = s.list[0],
                           .disp = s.list[1],
                           .pi = s.list[2],
                           .count = s.count,
                           .size = s.one,
                           .weight = s.weight,
                           .loss = s.list_loss});
    k->sweep(&(ql_lik_args){.n = 1,
                            .ld = LD,
                            .mean = s.head[0],
                            .disp = s.head[1],
                            .pi = s.head[2],
                            .disp_gene = &x[BIO_COLS],
                            .size = s.one,
                            .weight = s.weight,
                            .loss = s.loss});
    for (int64_t i = 0; i < s.n_list; i++) {
        for (int h = 0; h < 3; h++) s.head[h][s.place[i]] = s.list[h][i];
        s.loss[s.place[i]] += s.list_loss[i] + lgamma(s.count[i] + 1);
    }
    memset(grad, 0, (size_t)p->n * sizeof *grad);
    for (int i = 0; i < CELLS; i++) {
        sum += s.loss[i];
        grad[BIO_COLS] += s.head[1][i];
        for (int c = 0; c < BIO_COLS; c++) {
            grad[c] += s.head[0][i] * covariate(i, c);
            if (p->lik->has_pi) grad[BIO_COLS + 1 + c] += s.head[2][i] * covariate(i, c);
        }
    }
    return sum / CELLS;
}

/* Solve (h + ridge I) d = g by elimination; h is overwritten. False if a pivot is not positive. */
static bool solve(int n, double h[MOST][MOST], double ridge, const double *g, double *d)
{
    memcpy(d, g, (size_t)n * sizeof *d);
    for (int i = 0; i < n; i++) h[i][i] += ridge;
    for (int i = 0; i < n; i++) {
        if (!(h[i][i] > 0)) return false;
        for (int j = i + 1; j < n; j++) {
            double f = h[j][i] / h[i][i];
            for (int k = i; k < n; k++) h[j][k] -= f * h[i][k];
            d[j] -= f * d[i];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++) d[i] -= h[i][j] * d[j];
        d[i] /= h[i][i];
    }
    return true;
}

static void hessian(const problem *p, double *x, double h[MOST][MOST])
{
    const double step = 1e-5;
    double up[MOST], down[MOST];
    for (int i = 0; i < p->n; i++) {
        double at = x[i];
        x[i] = at + step;
        objective(p, x, up);
        x[i] = at - step;
        objective(p, x, down);
        x[i] = at;
        for (int j = 0; j < p->n; j++) h[i][j] = (up[j] - down[j]) / (2 * step);
    }
}

/* Newton's method; a ridge grows while it does not go down. Returns the loss at the minimum. */
static double minimise(const problem *p, double *x)
{
    double h[MOST][MOST], tried[MOST][MOST], g[MOST], d[MOST], next[MOST], ridge = 1e-3;
    double loss = objective(p, x, g);
    for (int round = 0; round < 200; round++) {
        hessian(p, x, h);
        for (; ridge < 1e6; ridge *= 10) {
            memcpy(tried, h, sizeof h);
            double ng[MOST];
            if (!solve(p->n, tried, ridge, g, d)) continue;
            for (int i = 0; i < p->n; i++) next[i] = x[i] - d[i];
            double now = objective(p, next, ng);
            if (!(now <= loss)) continue;
            bool done = loss - now < 1e-14;
            memcpy(x, next, (size_t)p->n * sizeof *x);
            memcpy(g, ng, sizeof g);
            loss = now;
            if (done) return loss;
            break;
        }
        ridge *= 0.01;
    }
    return loss;
}

static void close_to(double got, double want, double tolerance, int i)
{
    print_message("  %2d: %.9g (%.9g)\n", i, got, want);
    if (!(fabs(got - want) <= tolerance))
        fail_msg("parameter %d: %.9g instead of %.9g", i, got, want);
}

static void negative_binomial_regression(void **state)
{
    (void)state;
    const double want[] = {0.2561440246,  -0.2164184233, 0.1504894515, -0.1764152423,
                           0.01527115555, 0.02908234165, 2.264387695};
    double x[MOST] = {0};
    const problem p = {ql_likelihood_find("nb"), BIO_COLS + 1};
    double loss = minimise(&p, x);
    assert_true(fabs(loss - 1560.958338 / CELLS) < 1e-8);
    for (int i = 0; i < BIO_COLS; i++) close_to(x[i], want[i], 1e-5, i);
    close_to(exp(x[BIO_COLS]), want[BIO_COLS], 1e-4, BIO_COLS);
}

static void zero_inflated_regression(void **state)
{
    (void)state;
    const double mean[] = {0.4167465259,  -0.1955068313,   0.0975826290,
                           -0.1517324582, -0.000700134081, 0.0247862014};
    const double zero[] = {-0.191688294, 0.6359332030,   -1.499468486,
                           0.6284272015, -0.03771473930, -0.8822932239};
    double x[MOST] = {0};
    const problem p = {ql_likelihood_find("zinb"), MOST};
    minimise(&p, x);
    for (int i = 0; i < BIO_COLS; i++) {
        close_to(x[i], mean[i], 1e-4, i);
        close_to(x[BIO_COLS + 1 + i], zero[i], 1e-3, i);
    }
    close_to(exp(x[BIO_COLS]), 2.654766003, 1e-3, BIO_COLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negative_binomial_regression),
        cmocka_unit_test(zero_inflated_regression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
