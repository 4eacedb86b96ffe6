#!/usr/bin/env python3
"""Write a large h5ad of simulated counts in bands, with bounded memory.

    make_counts.py OUT.h5ad --cells 1300000 --genes 2000 --density 0.07

Cells are of a few types; a type raises some genes' rates. The point is size, not biology: for
quality there is real data.
"""
import argparse

import h5py
import numpy as np

STRING = h5py.string_dtype("utf-8")


def band(rng, rates, n_cells):
    """CSR arrays of n_cells rows."""
    types = rng.integers(0, rates.shape[0], n_cells)
    depth = rng.lognormal(0, 0.4, n_cells).astype(np.float32)
    counts = rng.poisson(rates[types] * depth[:, None]).astype(np.int32)
    rows, cols = np.nonzero(counts)
    return np.bincount(rows, minlength=n_cells), cols.astype(np.int32), counts[rows, cols].astype(np.float32)


def gene_rates(rng, n_genes, density, n_types=8):
    base = rng.lognormal(-1, 1.5, n_genes)
    rates = base * rng.choice([1, 1, 1, 5], (n_types, n_genes))
    low, high = 1e-6, 1e3  # scale for the density wanted: mean of 1 - exp(-rate)
    for _ in range(60):
        scale = np.sqrt(low * high)
        low, high = (scale, high) if np.mean(1 - np.exp(-rates * scale)) < density else (low, scale)
    return (rates * scale).astype(np.float32)


def frame(file, name, names):
    group = file.create_group(name)
    group.attrs["encoding-type"] = "dataframe"
    group.attrs["encoding-version"] = "0.2.0"
    group.attrs["_index"] = "_index"
    group.attrs["column-order"] = np.array([], dtype=STRING)
    index = group.create_dataset("_index", (len(names),), STRING, chunks=(min(len(names), 16384),))
    for i in range(0, len(names), 65536):
        index[i : i + 65536] = [f for f in names[i : i + 65536]]
    index.attrs["encoding-type"] = "string-array"
    index.attrs["encoding-version"] = "0.2.0"


class Names:
    """Names made when they are asked for."""

    def __init__(self, n, form):
        self.n, self.form = n, form

    def __len__(self):
        return self.n

    def __getitem__(self, s):
        return [self.form % i for i in range(*s.indices(self.n))]


def write(path, n_cells, n_genes, density, seed=0, step=10000, gzip=True):
    rng = np.random.default_rng(seed)
    rates = gene_rates(rng, n_genes, density)
    how = dict(chunks=(65536,), maxshape=(None,), compression="gzip" if gzip else None, compression_opts=1 if gzip else None)
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        file.attrs["encoding-version"] = "0.1.0"
        x = file.create_group("X")
        x.attrs["encoding-type"] = "csr_matrix"
        x.attrs["encoding-version"] = "0.1.0"
        x.attrs["shape"] = np.array([n_cells, n_genes], dtype=np.int64)
        data = x.create_dataset("data", (0,), np.float32, **how)
        indices = x.create_dataset("indices", (0,), np.int32, **how)
        indptr = np.zeros(n_cells + 1, np.int64)
        for at in range(0, n_cells, step):
            n = min(step, n_cells - at)
            sizes, cols, values = band(rng, rates, n)
            indptr[at + 1 : at + n + 1] = indptr[at] + np.cumsum(sizes)
            for array, new in ((data, values), (indices, cols)):
                array.resize(indptr[at + n], axis=0)
                array[indptr[at] :] = new
        x.create_dataset("indptr", data=indptr)
        frame(file, "obs", Names(n_cells, "%016d-1"))
        frame(file, "var", Names(n_genes, "gene%d"))
        for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
            group = file.create_group(name)
            group.attrs["encoding-type"] = "dict"
            group.attrs["encoding-version"] = "0.1.0"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--cells", type=int, default=200000)
    p.add_argument("--genes", type=int, default=2000)
    p.add_argument("--density", type=float, default=0.07)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--plain", action="store_true", help="not compressed")
    a = p.parse_args()
    write(a.out, a.cells, a.genes, a.density, a.seed, gzip=not a.plain)


if __name__ == "__main__":
    main()
