#!/usr/bin/env python3
"""Prints the values that tests/unit/test_simplex.c and test_factors.c compare with: weights by scipy's SLSQP, and
Kullback-Leibler losses by scikit-learn's NMF, on numbers that both make by the same rule."""
import numpy as np
from scipy.optimize import minimize
from sklearn.decomposition import NMF

ENTRIES, MODELS = 60, 4
CELLS, GENES = 40, 30


def simplex_data():
    e, k = np.arange(ENTRIES)[:, None], np.arange(MODELS)[None, :]
    rate = 0.05 + ((e * (2 * k + 3) + 5 * k * k) % 11) / 8
    count = 1 + (np.arange(ENTRIES) * 5) % 4
    return rate, count, np.array([40.0, 44, 41, 52])


def best_weights(strength):
    rate, count, mass = simplex_data()
    prior = np.array([0.4, 0.3, 0.2, 0.1])

    def loss(w):
        return -(count @ np.log(rate @ w) - mass @ w + strength * prior @ np.log(np.maximum(w, 1e-300)))
    best = None
    for start in [np.full(MODELS, 1 / MODELS), prior]:
        r = minimize(loss, start, method="SLSQP", bounds=[(1e-12, 1)] * MODELS, tol=1e-14,
                     constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"maxiter": 2000})
        best = r if best is None or r.fun < best.fun else best
    return best.x, -best.fun


def factor_counts():
    i, g = np.arange(CELLS)[:, None], np.arange(GENES)[None, :]
    group = np.where((i + g) % 3 == 0, 9, 1)
    return ((i * 7 + g * 13 + i * g) % 4) * group + (g % 5 == 0) * 2


def main():
    for strength in (0, 10):
        w, value = best_weights(strength)
        print("strength %g: weights %s, value %.9f" % (strength, ", ".join("%.6f" % x for x in w), value))
    x = factor_counts().astype(float)
    for rank in (1, 3, 5):
        losses = []
        for seed in range(10):
            m = NMF(rank, init="random", solver="mu", beta_loss="kullback-leibler", max_iter=20000, tol=1e-10, random_state=seed)
            wh = m.fit_transform(x) @ m.components_
            losses.append((np.where(x > 0, x * np.log(np.maximum(x, 1e-300) / wh), 0) - x + wh).sum())
        print("rank %d: best %.4f, median %.4f of 10 starts" % (rank, min(losses), np.median(losses)))


main()
