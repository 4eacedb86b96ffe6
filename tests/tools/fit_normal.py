#!/usr/bin/env python3
"""Chebyshev coefficients of ql_normal_cdf in src/base/fmath.c (needs mpmath).

The lower tail of the normal distribution at -a, a >= 0, is exp(-a^2 / 2) t C(2 t - 1) with
t = 4 / (4 + a) in (0, 1] and C smooth: its Chebyshev series falls below 1e-16 after 25 terms.
"""
import mpmath as mp

mp.mp.dps = 50
TERMS, NODES = 25, 64


def scaled_tail(t):
    a = 4 * (1 - t) / t
    return mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / (2 * t)


angles = [mp.pi * (k + mp.mpf(1) / 2) / NODES for k in range(NODES)]
values = [scaled_tail((mp.cos(x) + 1) / 2) for x in angles]
for j in range(TERMS):
    c = sum(v * mp.cos(j * x) for v, x in zip(values, angles)) * 2 / NODES
    print("    %s," % mp.nstr(c / 2 if j == 0 else c, 17))
