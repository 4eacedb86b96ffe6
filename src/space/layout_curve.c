/* The curve that stands for nearness in the plane: a fit of two numbers by damped Gauss-Newton
 * steps (Marquardt 1963). */
#include <math.h>
#include <stdbool.h>

#include "quell/fmath.h"
#include "quell/layout.h"

/* Points of the curve to fit, up to three times the spread, as in umap-learn; steps at most. */
enum { POINTS = 300, STEPS = 200 };

typedef struct {
    double min_dist, spread;
} target;

static double wanted(const target *t, double x)
{
    return x < t->min_dist ? 1 : ql_exp(-(x - t->min_dist) / t->spread);
}

static double distance_at(const target *t, int i)
{
    return 3 * t->spread * i / (POINTS - 1);
}

/* Sum of squares at (a, b); normal equations into m (aa, ab, bb) and g. */
static double normal_equations(const target *t, double a, double b, double m[3], double g[2])
{
    double sum = 0;
    m[0] = m[1] = m[2] = g[0] = g[1] = 0;
    for (int i = 0; i < POINTS; i++) {
        const double x = distance_at(t, i), log_x = i > 0 ? ql_log(x) : 0;
        const double power = i > 0 ? ql_exp(2 * b * log_x) : 0, below = 1 + a * power;
        const double rest = wanted(t, x) - 1 / below;
        const double by_a = -power / (below * below);
        const double by_b = -2 * a * power * log_x / (below * below);
        m[0] += by_a * by_a;
        m[1] += by_a * by_b;
        m[2] += by_b * by_b;
        g[0] += by_a * rest;
        g[1] += by_b * rest;
        sum += rest * rest;
    }
    return sum;
}

void ql_layout_curve(double min_dist, double spread, double *a, double *b)
{
    const target t = {min_dist, spread};
    double m[3] = {0}, g[2] = {0}, new_m[3] = {0}, new_g[2] = {0}, damping = 1e-3;
    *a = *b = 1;
    double sum = normal_equations(&t, *a, *b, m, g);
    for (int step = 0; step < STEPS && damping < 1e12; step++) {
        const double aa = m[0] * (1 + damping), bb = m[2] * (1 + damping);
        const double det = aa * bb - m[1] * m[1];
        const double to_a = *a + (bb * g[0] - m[1] * g[1]) / det;
        const double to_b = *b + (aa * g[1] - m[1] * g[0]) / det;
        const bool inside = to_a > 0 && to_b > 0;
        const double next = inside ? normal_equations(&t, to_a, to_b, new_m, new_g) : INFINITY;
        if (!(next < sum)) {
            damping *= 10;
            continue;
        }
        *a = to_a;
        *b = to_b;
        sum = next;
        damping /= 10;
        for (int i = 0; i < 3; i++) m[i] = new_m[i];
        for (int i = 0; i < 2; i++) g[i] = new_g[i];
    }
}
