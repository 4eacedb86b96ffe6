#!/usr/bin/env python3
"""Count matrices for the benchmarks: an h5ad (csr, gzip) written band by band, of any size.

  make_counts.py OUT.h5ad --cells 3200 --genes 2000 --density 0.31 [--seed 1] [--format h5ad|10x|mtx]

Cells belong to one of eight types; entries are gamma-Poisson around the type's gene rates, and the
rates are scaled so that the share of nonzeros is the density asked for.
"""
import argparse
import gzip
import os

import h5py
import numpy as np

BAND = 10000
TYPES = 8
THETA = 2.0


def gene_rates(rng, genes, density):
    base = np.exp(rng.normal(0, 1.5, genes))
    rates = base * np.exp(rng.normal(0, 0.7, (TYPES, genes)))
    lo, hi = 1e-9, 1e9
    for _ in range(80):  # the scale at which the expected share of nonzeros is the one asked for
        mid = np.sqrt(lo * hi)
        share = 1 - np.mean((THETA / (THETA + mid * rates)) ** THETA)
        lo, hi = (mid, hi) if share < density else (lo, mid)
    return lo * rates


def bands(a):
    rng = np.random.default_rng(a.seed)
    rates = gene_rates(rng, a.genes, a.density)
    for first in range(0, a.cells, BAND):
        n = min(BAND, a.cells - first)
        kind = rng.integers(0, TYPES, n)
        depth = np.exp(rng.normal(0, 0.3, n))
        rows, cols, vals = [], [], []
        for i in range(0, n, 500):
            lam = rates[kind[i:i + 500]] * depth[i:i + 500, None]
            y = rng.poisson(lam * rng.gamma(THETA, 1 / THETA, lam.shape)).astype(np.float32)
            r, c = np.nonzero(y)
            rows.append(r + i)
            cols.append(c.astype(np.int32))
            vals.append(y[r, c])
        rows, cols, vals = map(np.concatenate, (rows, cols, vals))
        yield np.bincount(rows, minlength=n), cols, vals


def strings(group, name, prefix, n):
    names = np.array([b"%s%d" % (prefix, i) for i in range(n)])
    group.create_dataset(name, data=names.astype(object), dtype=h5py.string_dtype())
    group[name].attrs["encoding-type"], group[name].attrs["encoding-version"] = "string-array", "0.2.0"


def frame(f, key, prefix, n):
    g = f.create_group(key)
    g.attrs["encoding-type"], g.attrs["encoding-version"], g.attrs["_index"] = "dataframe", "0.2.0", "_index"
    g.attrs["column-order"] = np.array([], dtype=h5py.string_dtype())
    strings(g, "_index", prefix, n)


def append(dataset, values):
    n = dataset.shape[0]
    dataset.resize((n + len(values),))
    dataset[n:] = values


def arrays(g, data_type, index_type):
    make = lambda name, t: g.create_dataset(name, (0,), t, maxshape=(None,), chunks=(65536,), compression="gzip",
                                            compression_opts=4)
    return make("data", data_type), make("indices", index_type)


def fill(g, a, data_type, index_type):
    data, indices = arrays(g, data_type, index_type)
    indptr = [np.zeros(1, np.int64)]
    for counts, cols, vals in bands(a):
        append(data, vals.astype(data_type))
        append(indices, cols)
        indptr.append(indptr[-1][-1] + np.cumsum(counts))
    g.create_dataset("indptr", data=np.concatenate(indptr).astype(np.int64))


def write_h5ad(path, a):
    with h5py.File(path, "w") as f:
        f.attrs["encoding-type"], f.attrs["encoding-version"] = "anndata", "0.1.0"
        x = f.create_group("X")
        x.attrs["encoding-type"], x.attrs["encoding-version"] = "csr_matrix", "0.1.0"
        x.attrs["shape"] = np.array([a.cells, a.genes])
        fill(x, a, "f4", "i4")
        frame(f, "obs", b"cell", a.cells)
        frame(f, "var", b"gene", a.genes)


def write_10x(path, a):
    with h5py.File(path, "w") as f:
        m = f.create_group("matrix")
        fill(m, a, "i4", "i8")
        m["shape"] = np.array([a.genes, a.cells], np.int32)
        m["barcodes"] = np.array([b"CELL%d-1" % i for i in range(a.cells)])
        g = m.create_group("features")
        g["id"] = g["name"] = np.array([b"GENE%d" % i for i in range(a.genes)])
        g["feature_type"] = np.array([b"Gene Expression"] * a.genes)
        g["genome"] = np.array([b"made"] * a.genes)


def write_mtx(folder, a):
    os.makedirs(folder, exist_ok=True)
    with gzip.open(os.path.join(folder, "barcodes.tsv.gz"), "wt", 4) as f:
        f.writelines("CELL%d-1\n" % i for i in range(a.cells))
    with gzip.open(os.path.join(folder, "features.tsv.gz"), "wt", 4) as f:
        f.writelines("GENE%d\tGENE%d\tGene Expression\n" % (i, i) for i in range(a.genes))
    total = sum(len(vals) for _, _, vals in bands(a))
    with gzip.open(os.path.join(folder, "matrix.mtx.gz"), "wb", 4) as f:
        f.write(b"%%%%MatrixMarket matrix coordinate integer general\n%d %d %d\n" % (a.genes, a.cells, total))
        first = 1
        for counts, cols, vals in bands(a):
            rows = np.repeat(np.arange(first, first + len(counts)), counts)
            np.savetxt(f, np.column_stack([cols + 1, rows, vals.astype(np.int64)]), fmt="%d")
            first += len(counts)


def write(path, cells, genes, density, seed=1):
    write_h5ad(path, argparse.Namespace(cells=cells, genes=genes, density=density, seed=seed))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--cells", type=int, default=3200)
    p.add_argument("--genes", type=int, default=2000)
    p.add_argument("--density", type=float, default=0.31)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--format", choices=["h5ad", "10x", "mtx"], default="h5ad")
    a = p.parse_args()
    {"h5ad": write_h5ad, "10x": write_10x, "mtx": write_mtx}[a.format](a.out, a)


if __name__ == "__main__":
    main()
