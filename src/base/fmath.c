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
    if (x < -708) return 0;
    if (x > 709) x = 709;
    double n = x * 1.44269504088896338700;
    int k = (int)(n < 0 ? n - 0.5 : n + 0.5);
    double r = (x - k * LN2_HI) - k * LN2_LO, sum = 1;
    /* Taylor series from the small end: |r| < 0.347, 17 terms are below 1 ulp */
    for (int i = 17; i >= 1; i--) sum = 1 + sum * r / i;
    return sum * from_bits((uint64_t)(k + 1023) << 52);
}
