#include "quell/special.h"

#include "quell/fmath.h"

/* The rounding of 1 + x is made good to first order. */
double ql_log1p(double x)
{
    const double u = 1 + x;
    if (u == 1) return x;
    return ql_log(u) - ((u - 1) - x) / u;
}

double ql_expm1(double x)
{
    double sum = 0;
    if (x < -0.35 || x > 0.35) return ql_exp(x) - 1;
    for (int i = 17; i >= 1; i--) sum = (1 + sum) * x / i;
    return sum;
}

/* ln Gamma(1 + x) = -gamma x + zeta(2) x^2 / 2 - zeta(3) x^3 / 3 + ... */
static double lgamma_near_1(double x)
{
    static const double zeta[] = {
        0.57721566490153286, 1.6449340668482264, 1.2020569031595942, 1.0823232337111381,
        1.03692775514337,    1.0173430619844492, 1.008349277381923,  1.0040773561979444,
        1.0020083928260821,  1.000994575127818,  1.0004941886041194, 1.000246086553308,
        1.0001227133475785,  1.0000612481350588, 1.000030588236307,  1.0000152822594086,
    };
    double sum = 0;
    for (int k = 16; k >= 1; k--) sum = zeta[k - 1] / k - x * sum;
    return -x * sum;
}

double ql_lgamma1p(double x)
{
    return x < 0.1 ? lgamma_near_1(x) : ql_lgamma(1 + x);
}

/* Stirling's series from 15 on; smaller ones are brought there by Gamma(x + 1) = x Gamma(x). */
double ql_lgamma(double x)
{
    double product = 1, z = x;
    if (x < 0.1) return lgamma_near_1(x) - ql_log(x);
    if (x > 0.9 && x < 1.1) return lgamma_near_1(x - 1);
    for (; z < 15; z += 1) product *= z;
    const double i = 1 / z, q = i * i;
    const double series =
        i * (1.0 / 12 - q * (1.0 / 360 - q * (1.0 / 1260 - q * (1.0 / 1680 - q * (1.0 / 1188)))));
    return (z - 0.5) * ql_log(z) - z + QL_HALF_LOG_2PI + series - ql_log(product);
}
