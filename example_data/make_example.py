#!/usr/bin/env python3
"""Cut the example data out of pbmc3k: the same counts as a 10x HDF5 file and as a 10x folder.

    make_example.py pbmc3k.h5ad [folder]

pbmc3k.h5ad: 2638 cells x 13714 genes of counts in X (csr), obs['cell_type'] (categories), gene names
as the index of var. Needs numpy, scipy, h5py. The same input gives the same counts.
"""
import gzip
import os
import sys

import h5py
import numpy as np
from scipy import sparse

SEED = 1
N_CELLS = 560
N_GENES = 1500
MIN_PER_TYPE = 20  # of the rare types, or all there are
MIN_CELLS_PER_GENE = 8
GENOME = "hg19"


def read(path):
    with h5py.File(path) as f:
        x = f["X"]
        cells, genes = (f[g][f[g].attrs["_index"]].asstr()[:] for g in ("obs", "var"))
        counts = sparse.csr_matrix((x["data"][:], x["indices"][:], x["indptr"][:]),
                                   shape=(len(cells), len(genes)))
        types = f["obs/cell_type"]
        return counts.astype(np.int64), cells, genes, types["categories"].asstr()[:][types["codes"][:]]


def choose_cells(types):
    """Each type in proportion, rare ones up to MIN_PER_TYPE; the order of the file is kept."""
    rng = np.random.default_rng(SEED)
    names, n = np.unique(types, return_counts=True)
    floor = np.minimum(n, MIN_PER_TYPE)
    share = np.maximum(floor, np.floor(n * N_CELLS / n.sum()).astype(int))
    share[np.argmax(n)] += N_CELLS - share.sum()
    picked = [rng.choice(np.flatnonzero(types == name), k, replace=False)
              for name, k in zip(names, share)]
    return np.sort(np.concatenate(picked))


def choose_genes(counts):
    """The genes whose counts vary most beyond what sampling explains: the variance of Pearson
    residuals of a negative binomial with theta 100, clipped at the root of the number of cells."""
    x = counts.toarray().astype(float)
    mu = np.outer(x.sum(1), x.sum(0)) / x.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (x - mu) / np.sqrt(mu + mu**2 / 100)
    limit = np.sqrt(len(x))
    score = np.clip(np.nan_to_num(residual), -limit, limit).var(axis=0)
    score[(x > 0).sum(0) < MIN_CELLS_PER_GENE] = -1
    return np.sort(np.argsort(-score, kind="stable")[:N_GENES])


def write_h5(path, counts, cells, genes):
    """As Cell Ranger 3 and later write it: one column per cell, string arrays of fixed length."""
    packed = dict(chunks=(80000,), maxshape=(None,), compression="gzip", compression_opts=4,
                  shuffle=True, track_times=False)
    n_cells, n_genes = counts.shape

    def texts(values):
        return np.array([v.encode() for v in values])

    with h5py.File(path, "w", track_order=False) as f:
        f.attrs["chemistry_description"] = "Single Cell 3' v1"
        f.attrs["filetype"] = "matrix"
        f.attrs["library_ids"] = texts(["pbmc3k"])
        f.attrs["original_gem_groups"] = np.array([1])
        f.attrs["version"] = 2
        m = f.create_group("matrix")
        m.create_dataset("barcodes", data=texts(cells), **packed)
        m.create_dataset("data", data=counts.data.astype(np.int32), **packed)
        m.create_dataset("indices", data=counts.indices.astype(np.int64), **packed)
        m.create_dataset("indptr", data=counts.indptr.astype(np.int64), **packed)
        m.create_dataset("shape", data=np.array([n_genes, n_cells], np.int32), **packed)
        features = m.create_group("features")
        for name, values in (("_all_tag_keys", ["genome"]),
                             ("feature_type", ["Gene Expression"] * n_genes),
                             ("genome", [GENOME] * n_genes), ("id", genes), ("name", genes)):
            features.create_dataset(name, data=texts(values), **packed)


def write_gz(path, text):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(text.encode())


def write_mtx(folder, counts, cells, genes):
    os.makedirs(folder, exist_ok=True)
    write_gz(f"{folder}/barcodes.tsv.gz", "".join(f"{c}\n" for c in cells))
    write_gz(f"{folder}/features.tsv.gz", "".join(f"{g}\t{g}\tGene Expression\n" for g in genes))
    head = ("%%MatrixMarket matrix coordinate integer general\n"
            '%metadata_json: {"format_version": 2}\n'
            f"{counts.shape[1]} {counts.shape[0]} {counts.nnz}\n")
    cell = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    rows = (f"{g + 1} {c + 1} {v}\n" for g, c, v in zip(counts.indices, cell, counts.data))
    write_gz(f"{folder}/matrix.mtx.gz", head + "".join(rows))


def main(source, folder):
    counts, cells, genes, types = read(source)
    rows = choose_cells(types)
    cols = choose_genes(counts[rows])
    small = counts[rows][:, cols].tocsr()
    small.sort_indices()
    cells, genes, types = cells[rows], genes[cols], types[rows]
    write_h5(f"{folder}/pbmc_small.h5", small, cells, genes)
    write_mtx(f"{folder}/pbmc_small_mtx", small, cells, genes)
    with open(f"{folder}/cell_types.tsv", "w") as f:
        f.write("barcode\tcell_type\n" + "".join(f"{c}\t{t}\n" for c, t in zip(cells, types)))
    print(f"{small.shape[0]} cells x {small.shape[1]} genes, {small.nnz} entries, sum {small.sum()}, "
          f"median {np.median(np.asarray(small.sum(1))):.0f} counts a cell")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.path.abspath(__file__)))
