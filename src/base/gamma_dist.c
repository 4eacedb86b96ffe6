/* The gamma distribution: its two tails, quantiles and mean logarithm. */
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "quell/fmath.h"
#include "quell/special.h"

/* From this shape on the tails are integrals of constant cost; below, series and continued
 * fractions of some sqrt(shape) terms. */
#define LARGE_SHAPE 100
#define SQRT_2PI    2.5066282746310002

enum { MAX_TERMS = 4000 };

/* ln(1 + u) - u, which is tiny beside u where u is. */
static double log1p_less(double u)
{
    if (u < -0.3 || u > 0.4) return ql_log1p(u) - u;
    const double s = u / (2 + u), z = s * s;
    double series = 0;
    for (int k = 35; k >= 3; k -= 2) series = (series + 2.0 / k) * z;
    return s * (series - u);
}

/* x^a exp(-x) / Gamma(a + 1) */
static double front(double a, double x)
{
    return ql_exp(a * ql_log(x) - x - ql_lgamma1p(a));
}

/* The share below: x^a exp(-x) / Gamma(a + 1) (1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ...) */
static double below_series(double a, double x)
{
    double term = 1, sum = 1;
    for (int i = 1; i < MAX_TERMS && term > sum * 1e-17; i++) {
        term *= x / (a + i);
        sum += term;
    }
    return front(a, x) * sum;
}

/* The share above, by the continued fraction of Legendre as Lentz evaluates it. */
static double above_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int i = 1; i < MAX_TERMS; i++) {
        const double n = -i * (i - a);
        b += 2;
        d = 1 / (n * d + b);
        c = b + n / c;
        h *= c * d;
        if (fabs(c * d - 1) < 1e-16) break;
    }
    return a * front(a, x) * h;
}

/* The share above where x is small: 1 - e^L (1 + a S), L = ln(x^a / Gamma(a + 1)), S = sum over n
 * from 1 of (-x)^n / (n! (a + n)): nothing large cancels. */
static double above_small(double a, double x)
{
    const double log_lead = a * ql_log(x) - ql_lgamma1p(a);
    double term = 1, sum = 0;
    for (int n = 1; n < 60; n++) {
        term *= -x / n;
        sum += term / (a + n);
        if (fabs(term) < 1e-18) break;
    }
    return -ql_expm1(log_lead) - ql_exp(log_lead) * a * sum;
}

/* Gauss and Legendre's 16 points on [-1, 1]: place, weight. */
static const double gauss[8][2] = {
    {0.095012509837637441, 0.18945061045506864}, {0.28160355077925892, 0.18260341504492364},
    {0.45801677765722737, 0.16915651939500265},  {0.61787624440264377, 0.14959598881657671},
    {0.755404408355003, 0.12462897125553407},    {0.86563120238783176, 0.095158511682492605},
    {0.9445750230732326, 0.062253523938647456},  {0.98940093499164994, 0.027152459411754176},
};

/* The density's exponent relative to its value at the mode, in steps of sqrt(mode). */
static double relative(double mode, double root, double z)
{
    const double u = z / root;
    return u <= -1 ? 0 : ql_exp(mode * log1p_less(u));
}

/* Large shapes: the density t^m exp(-t) / Gamma(m + 1), m = a - 1, integrated from x outwards over
 * 12 standard deviations, beyond which nothing is left, or to 0 (after gammpapprox in Press et al.
 * 2007, Numerical Recipes, 6.2). Stirling's series takes the place of ln Gamma, which would cancel.
 */
static double tail_integral(double a, double x, bool above)
{
    enum { PANELS = 6 };
    const double m = a - 1, root = sqrt(m), i = 1 / m;
    const double width = (above ? 2.0 : -2.0), from = (x - m) / root;
    const double stirling = i * (1.0 / 12 - i * i * (1.0 / 360 - i * i / 1260));
    double sum = 0;
    for (int panel = 0; panel < PANELS; panel++) {
        const double middle = from + width * (panel + 0.5), half = 0.5 * width;
        for (int k = 0; k < 8; k++)
            sum += gauss[k][1] * (relative(m, root, middle + half * gauss[k][0]) +
                                  relative(m, root, middle - half * gauss[k][0]));
    }
    return sum * 0.5 * fabs(width) / (SQRT_2PI * ql_exp(stirling));
}

double ql_gamma_below(double a, double x)
{
    if (!(x > 0)) return 0;
    if (a >= LARGE_SHAPE) return x < a ? tail_integral(a, x, false) : 1 - ql_gamma_above(a, x);
    return x < a + 1 ? below_series(a, x) : 1 - above_fraction(a, x);
}

double ql_gamma_above(double a, double x)
{
    if (!(x > 0)) return 1;
    if (a >= LARGE_SHAPE) return x >= a ? tail_integral(a, x, true) : 1 - ql_gamma_below(a, x);
    if (x < 1.5 && a < 1) return above_small(a, x);
    return x < a + 1 ? 1 - below_series(a, x) : above_fraction(a, x);
}

/* Where a normal number has the share p below; three digits, which is what a start needs
 * (Abramowitz & Stegun 26.2.23). */
static double rough_normal(double p)
{
    const double q = p < 0.5 ? p : 1 - p, t = sqrt(-2 * ql_log(q > 1e-300 ? q : 1e-300));
    const double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                             (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    return p < 0.5 ? -z : z;
}

/* ln of a first guess: Wilson & Hilferty 1931; where that is poor, the leading term of the lower
 * tail. */
static double first_guess(double a, double p)
{
    const double h = 1 / (9 * a), w = 1 - h + rough_normal(p) * sqrt(h);
    const double lead = (ql_log(p) + ql_lgamma1p(a)) / a;
    if (a < 1 || w < 0.2) return lead < 1 ? lead : 1;
    return ql_log(a) + 3 * ql_log(w);
}

/* ln of the smaller tail, its distance from the target, and its slope, by y = ln x. */
static double distance(double a, double p, double y, double *slope)
{
    const double x = ql_exp(y);
    const bool low = p < 0.5;
    const double tail = low ? ql_gamma_below(a, x) : ql_gamma_above(a, x);
    const double want = low ? p : 1 - p;
    double density; /* by y */
    if (a >= LARGE_SHAPE) {
        const double m = a - 1, u = (x - m) / m, i = 1 / m;
        density = ql_exp(m * log1p_less(u) - i / 12) * x / (SQRT_2PI * sqrt(m));
    } else {
        density = a * front(a, x);
    }
    *slope = low ? density / want : -density / want;
    return (tail - want) / want;
}

/* The logarithm of the tail is concave in ln x: Newton's steps on it, kept in a bracket that
 * closes. */
double ql_gamma_quantile(double a, double p)
{
    double lo = -744, hi = ql_log(a + 1) + 8, slope;
    if (!(a > 0) || !(p >= 0) || !(p < 1) || a > 1e300) return NAN;
    if (p == 0 || (ql_log(p) + ql_lgamma1p(a)) / a < -708) return 0;
    double y = first_guess(a, p);
    if (!(y > -708)) y = -708;
    for (int i = 0; i < 200; i++) {
        const double d = distance(a, p, y, &slope);
        const bool over = p < 0.5 ? d > 0 : d < 0;
        if (over)
            hi = y;
        else
            lo = y;
        /* of ln(tail / want): d may be far from small */
        double step = d > -0.999999 && slope != 0 ? ql_log1p(d) * (1 + d) / slope : NAN;
        double next = y - step;
        if (!(next > lo && next < hi)) next = 0.5 * (lo + hi);
        const double moved = fabs(next - y);
        y = next;
        if (moved < 1e-13 * (1 + fabs(y)) || hi - lo < 1e-15) break;
    }
    return ql_exp(y);
}

/* ln(1 + y) = int of (1 - exp(-y u)) exp(-u) / u over u > 0 (Frullani), so the mean over y needs
 * only the mean of exp(-y u): of gamma-distributed y (1 + s u)^-a, of u times a negative binomial
 * count (1 + s (1 - exp(-unit u)))^-a. In v = ln u the integrand is analytic for |Im v| < pi / 2
 * and falls off on both sides: the trapezoidal rule of step h errs by exp(-pi^2 / h) (Trefethen &
 * Weideman 2014). The nodes below u0 are two geometric series, from the integrand's first two
 * powers of u. */
typedef struct {
    double a, s, unit;     /* unit 0: of gamma-distributed numbers */
    double linear, square; /* powers of u in the integrand */
    double steep;          /* u is small where this times u is */
} mean_log;

static double integrand(const mean_log *m, double u)
{
    const double y = m->unit > 0 ? -ql_expm1(-m->unit * u) : u;
    return -ql_expm1(-m->a * ql_log1p(m->s * y)) * ql_exp(-u);
}

static double integrate(const mean_log *m)
{
    const double h = 0.5, ratio = 1.6487212707001282, last = 44;
    double u0 = 1e-3 / (m->steep > 1 ? m->steep : 1);
    u0 = ql_exp(h * floor(ql_log(u0) / h)); /* a node of the lattice exp(h Z) */
    double sum = m->linear * u0 / (ratio - 1) + m->square * u0 * u0 / (ratio * ratio - 1);
    for (double u = u0; u < last; u *= ratio) sum += integrand(m, u);
    return h * sum;
}

double ql_gamma_mean_log1p(double a, double s)
{
    if (!(s > 0)) return 0;
    const mean_log m = {.a = a,
                        .s = s,
                        .linear = a * s,
                        .square = -(0.5 * a * (a + 1) * s * s + a * s),
                        .steep = s * (a > 1 ? a : 1)};
    return integrate(&m);
}

double ql_negbin_mean_log1p(double mean, double a, double unit)
{
    if (!(mean > 0) || !(unit > 0)) return 0;
    const double s = mean / a, first = a * s * unit;
    const double steep = s * unit * (a > 1 ? a : 1);
    const mean_log m = {.a = a,
                        .s = s,
                        .unit = unit,
                        .linear = first,
                        .square =
                            -(0.5 * a * (a + 1) * s * s * unit * unit + 0.5 * first * unit + first),
                        .steep = steep > unit ? steep : unit};
    return integrate(&m);
}
