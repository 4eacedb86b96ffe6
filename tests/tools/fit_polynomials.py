#!/usr/bin/env python3
"""Coefficients of the polynomials in src/kern/vec_math.h, and their errors.

exp: exp(r) = 1 + r + r^2 P(r) on |r| <= ln(2)/2;
log: log(1 + f) = f - f^2/2 + f^3 Q(f) on sqrt(1/2) - 1 <= f <= sqrt(2) - 1.
Weighted least squares on dense Chebyshev nodes, reweighted towards the minimax solution
(Lawson's algorithm); float64 throughout, rounded to float32 at the end.
"""
import numpy as np


def lawson(x, y, scale, degree, rounds=400):
    """Polynomial p of the degree that minimises max |(p - y) * scale| on the points x."""
    basis = np.vander(x, degree + 1, increasing=True)
    weight = np.ones_like(x) / len(x)
    for _ in range(rounds):
        root = np.sqrt(weight)[:, None]
        p, *_ = np.linalg.lstsq(basis * scale[:, None] * root, y * scale * root[:, 0], rcond=None)
        weight = weight * np.abs((basis @ p - y) * scale) + 1e-300
        weight /= weight.sum()
    return p


def nodes(lo, hi, n=4001):
    t = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    x = (lo + hi) / 2 + (hi - lo) / 2 * t
    return x[np.abs(x) > 1e-3]


def show(name, p, error):
    p32 = p.astype(np.float32)
    print(name, "relative error of the polynomial %.2e" % error(p32.astype(np.float64)))
    for c in p32[::-1]:
        print("   %sf" % repr(float(c)))


h = np.log(2) / 2
x = nodes(-h, h)
p = lawson(x, (np.exp(x) - 1 - x) / x**2, x**2 / np.exp(x), 4)
show("exp", p, lambda c: np.max(np.abs((1 + x + x**2 * np.polynomial.polynomial.polyval(x, c)) / np.exp(x) - 1)))

x = nodes(np.sqrt(0.5) - 1, np.sqrt(2) - 1)
q = lawson(x, (np.log1p(x) - x + x**2 / 2) / x**3, np.abs(x**3 / np.log1p(x)), 6)
show("log", q, lambda c: np.max(np.abs((x - x**2 / 2 + x**3 * np.polynomial.polynomial.polyval(x, c)) / np.log1p(x) - 1)))
