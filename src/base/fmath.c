#include "quell/fmath.h"

#include <stdint.h>
#include <string.h>

/* ln 2 in two parts, the first with 32 trailing zero bits */
#define LN2_HI 6.93147180369123816490e-01
#define LN2_LO 1.90821492927058770002e-10

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)) */
static double split(double x, int *e)
{
    uint64_t bits;
    *e = 0;
    if (x < 2.3e-308) { /* subnormal: scale up */
        x *= 18014398509481984.0;
        *e = -54;
    }
    memcpy(&bits, &x, sizeof bits);
    *e += (int)(bits >> 52) - 1023;
    double m = from_bits((bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        *e += 1;
    }
    return m;
}

/* ln m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172: the series to s^23. Written as
 * f - s (f - rest) so that the leading part f = m - 1 is exact. */
double ql_log(double x)
{
    int e;
    double m = split(x, &e), f = m - 1, s = f / (2 + f), z = s * s, series = 0;
    for (int k = 23; k >= 3; k -= 2) series = (series + 2.0 / k) * z;
    double half = 0.5 * f * f;
    return e * LN2_HI - ((half - (s * (half + series) + e * LN2_LO)) - f);
}

double ql_exp(double x)
{
    if (x != x) return x;
    if (x < -708) return 0;
    if (x > 709) x = 709;
    double n = x * 1.44269504088896338700;
    int k = (int)(n < 0 ? n - 0.5 : n + 0.5);
    double r = (x - k * LN2_HI) - k * LN2_LO, sum = 1;
    /* Taylor series from the small end: |r| < 0.347, 17 terms are below 1 ulp */
    for (int i = 17; i >= 1; i--) sum = 1 + sum * r / i;
    return sum * from_bits((uint64_t)(k + 1023) << 52);
}

/* Chebyshev series of the scaled lower tail of the normal distribution
 * (tests/tools/fit_normal.py) */
static const double normal_tail[] = {
    0.24261280114151914,     0.18792720420989263,     0.055548388918812759,
    0.012129438315111522,    0.0017314801240606201,   8.0149618599537488e-5,
    -2.5136847908026696e-5,  -4.7258422549267409e-6,  2.5258922136865776e-7,
    1.536333687349456e-7,    -8.4525503001729391e-10, -5.1716270154357085e-9,
    -2.8206509081173766e-11, 1.9435038070971736e-10,  -2.4853560478511769e-12,
    -7.936207374645757e-12,  4.6062017111762351e-13,  3.2821541166777414e-13,
    -4.3538406631637034e-14, -1.226818507926106e-14,  3.2328460815413941e-15,
    3.0451658804315853e-16,  -2.0130368431552333e-16, 7.1512353606540528e-18,
    1.0142661060838385e-17,
};
enum { NORMAL_TERMS = sizeof normal_tail / sizeof *normal_tail };

/* exp(-a^2 / 2) t C(2 t - 1), t = 4 / (4 + a): Clenshaw's recurrence from the small end */
double ql_normal_cdf(double x)
{
    double a = x < 0 ? -x : x, t = 4 / (4 + a), y = 4 * t - 2, b = 0, b1 = 0, b2;
    for (int k = NORMAL_TERMS - 1; k >= 1; k--) {
        b2 = b1;
        b1 = b;
        b = y * b1 - b2 + normal_tail[k];
    }
    double tail = ql_exp(-0.5 * a * a) * t * (0.5 * y * b - b1 + normal_tail[0]);
    return x > 0 ? 1 - tail : tail;
}

/* Stirling's series from 10 on */
double ql_ln_factorial(double y)
{
    double z = y + 1, product = 1;
    for (; z < 10; z += 1) product *= z;
    double i = 1 / z, q = i * i;
    double series = i * (1.0 / 12 - q * (1.0 / 360 - q * (1.0 / 1260 - q / 1680)));
    return (z - 0.5) * ql_log(z) - z + QL_HALF_LOG_2PI + series - ql_log(product);
}
