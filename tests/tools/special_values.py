#!/usr/bin/env python3
"""Values for tests/unit/fixture_special.h (needs mpmath): python3 special_values.py > FILE."""
import mpmath as mp

mp.mp.dps = 40
SHAPES = ["1e-8", "1e-3", "0.1", "0.9", "1", "2.5", "30", "99.5", "100", "1000", "1e5", "1e8"]
LEVELS = ["1e-6", "0.05", "0.5", "0.95", "0.999999"]


def below(a, x):
    return mp.gammainc(a, 0, x, regularized=True) if a < 1000 else wide(a, x)


def wide(a, x):
    """The same by the integral of the density, from 40 standard deviations below."""
    def density(t):
        return mp.exp((a - 1) * mp.log(t) - t - mp.loggamma(a))
    sd = mp.sqrt(a)
    start = max(a - 40 * sd, mp.mpf(0) + a / 1e6)
    steps = int((x - start) / sd) + 2
    return mp.quad(density, mp.linspace(start, x, steps))


def quantile(a, p):
    if (mp.log(p) + mp.loggamma(1 + a)) / a < -700:
        return mp.mpf(0)
    if a <= 1:
        lo, hi = mp.mpf(-700), mp.log(mp.mpf(60))
    else:
        lo, hi = mp.log(a) - 40 / mp.sqrt(a), mp.log(a) + 40 / mp.sqrt(a)
    for _ in range(75):
        mid = (lo + hi) / 2
        if below(a, mp.exp(mid)) < p:
            lo = mid
        else:
            hi = mid
    return mp.exp(lo)


def mean_log1p(a, s):
    cuts = [-90, -60, -40, -30, -20, -15, -10, -8, -6, -4, -2, -1, 0, 1, 2, 3, 4, 5]
    return mp.quad(lambda v: (1 - (1 + s * mp.e ** v) ** (-a)) * mp.exp(-mp.e ** v), cuts)


def table(name, rows):
    print("static const double %s[][3] = {" % name)
    for row in rows:
        print("    {%s}," % ", ".join(v if isinstance(v, str) else mp.nstr(v, 17) for v in row))
    print("};\n")


print("/* Made by tests/tools/special_values.py with mpmath. */")
print("#ifndef FIXTURE_SPECIAL_H\n#define FIXTURE_SPECIAL_H\n")
print("/* shape, share below, quantile */")
table("gamma_quantiles", [(a, p, quantile(mp.mpf(a), mp.mpf(p))) for a in SHAPES for p in LEVELS])
print("/* shape, scale, mean of ln(1 + scale z) */")
table("gamma_mean_log1p", [(a, s, mean_log1p(mp.mpf(a), mp.mpf(s)))
                           for a in ["1e-8", "1e-3", "0.1", "0.7", "1", "3", "30", "1e3", "1e5", "1e8"]
                           for s in ["1e-12", "1e-6", "1e-3", "0.1", "1", "10", "1e3", "1e6"]])
print("#endif")
