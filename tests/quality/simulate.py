#!/usr/bin/env python3
"""Counts whose rates are known, as h5ad files with the rates in layers/true_mean.

  simulate.py FOLDER

sim_smooth: five types of cells, each with a gradient of its own within it; a cell's rates are its type's and its place
on the gradient, nothing else, and counts are Poisson. There a model can know everything that there is to know.

sim_noisy: the same, but each rate is multiplied by gamma noise of mean 1 and shape 3, as if every gene of every cell had
bursts of its own. The noise is part of the truth: what a cell itself expresses, beyond what cells like it do, which
only the cell's own counts can tell.

Sizes are small, so that every method runs in minutes. Written from scratch with numpy; a seed decides everything.
"""
import os
import sys

import numpy as np
import scipy.sparse as sp

CELLS, GENES, TYPES, DEPTH, SHAPE = 1200, 1000, 5, 2500, 3.0


def profiles(rng):
    """Log rates of each type at both ends of its gradient: [types, 2, genes]."""
    base = rng.normal(0, 1.5, GENES)
    of_type = rng.normal(0, 1, (TYPES, GENES)) * (rng.random((TYPES, GENES)) < 0.15)
    along = rng.normal(0, 0.7, (TYPES, GENES)) * (rng.random((TYPES, GENES)) < 0.15)
    middle = base + of_type
    return np.stack([middle - along, middle + along], axis=1)


def rates(rng, shape):
    """Rates [cells, genes] at each cell's depth, and the cells' types."""
    ends = profiles(rng)
    kind = rng.choice(TYPES, CELLS, p=[0.35, 0.25, 0.2, 0.15, 0.05])
    place = rng.random(CELLS)[:, None]
    share = np.exp((1 - place) * ends[kind, 0] + place * ends[kind, 1])
    share /= share.sum(1, keepdims=True)
    rate = share * (DEPTH * rng.lognormal(0, 0.4, CELLS))[:, None]
    return (rate * rng.gamma(shape, 1 / shape, rate.shape) if shape else rate), kind


def write(path, seed, shape):
    import anndata
    import pandas
    rng = np.random.default_rng(seed)
    rate, kind = rates(rng, shape)
    counts = sp.csr_matrix(rng.poisson(rate).astype(np.float32))
    obs = pandas.DataFrame({"cell_type": pandas.Categorical(["type%d" % k for k in kind])},
                           index=["cell%d" % i for i in range(CELLS)])
    a = anndata.AnnData(counts, obs=obs, layers={"true_mean": rate.astype(np.float32)})
    a.write_h5ad(path + ".part", compression="gzip")
    os.replace(path + ".part", path)


SETS = {"sim_smooth": (1, None), "sim_noisy": (2, SHAPE)}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, (seed, shape) in SETS.items():
        path = os.path.join(folder, name + ".h5ad")
        if not os.path.exists(path):
            write(path, seed, shape)


if __name__ == "__main__":
    main()
