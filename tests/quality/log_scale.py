#!/usr/bin/env python3
"""Which estimate predicts held-out log counts best: the mean of the logarithm or the logarithm of a
mean?

  log_scale.py DATA.h5ad... [--splits 3] [--magic]

Every count is split at random into two halves of the same depth. One half is denoised; the other,
t, is what a second look at the same cells would have counted, and its log counts are the target:
ln(1 + 10^4 t / molecules of the cell in that half). Printed is the mean squared error over all cells
and genes, and its mean over cells' standard error of the difference from --scale mean-log1p.

QUELL names the program (default: build/quell). --magic needs magic-impute.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

import anndata as ad
import numpy as np
import scipy.sparse as sp

QUELL = os.environ.get("QUELL", "build/quell")


def per_10k(x):
    total = x.sum(1, keepdims=True)
    total[total == 0] = 1
    return x / total * 1e4


def split(x, seed):
    """Two halves of each count; cells that keep molecules in both."""
    rng = np.random.default_rng(seed)
    train = x.copy()
    train.data = rng.binomial(x.data.astype(np.int64), 0.5).astype(np.float32)
    test = x - train
    train.eliminate_zeros()
    test.eliminate_zeros()
    keep = (np.asarray(train.sum(1)).ravel() > 0) & (np.asarray(test.sum(1)).ravel() > 0)
    return train[keep].tocsr(), test[keep].tocsr()


def quell(train, folder, *options):
    source, out = folder / "train.h5ad", folder / "out.h5ad"
    ad.AnnData(train).write_h5ad(source)
    subprocess.run([QUELL, "denoise", source, "-o", out, "--force", "--quiet", *options], check=True)
    return ad.read_h5ad(out)


def magic_of(values):
    import magic

    return np.clip(np.asarray(magic.MAGIC(verbose=0, random_state=0).fit_transform(values)), 0, None)


def estimates(train, folder, with_magic):
    """Predictions of ln(1 + counts per 10,000)."""
    both = quell(train, folder, "--estimate", "both").layers
    counts = quell(train, folder, "--scale", "mean-log1p").layers["denoised"]
    rate = quell(train, folder, "--scale", "mean-log-rate").layers["denoised"]
    dense = train.toarray().astype(np.float64)
    made = {
        "mean-log1p": counts,
        "mean-log-rate": rate,
        "log1p of the posterior mean": np.log1p(per_10k(both["denoised"].astype(np.float64))),
        "log1p of the model mean": np.log1p(per_10k(both["denoised_mean"].astype(np.float64))),
        "log1p of the gene means": np.log1p(np.broadcast_to(per_10k(dense.sum(0, keepdims=True)), dense.shape)),
        "log1p of the counts": np.log1p(per_10k(dense)),
    }
    if with_magic:
        made["log1p of MAGIC (cp10k)"] = np.log1p(magic_of(per_10k(dense)))
        made["log1p of MAGIC (sqrt), squared"] = np.log1p(magic_of(np.sqrt(per_10k(dense))) ** 2)
        made["MAGIC of log1p"] = magic_of(np.log1p(per_10k(dense)))
    return made


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data", nargs="+", type=pathlib.Path)
    p.add_argument("--splits", type=int, default=3)
    p.add_argument("--magic", action="store_true")
    a = p.parse_args()
    for path in a.data:
        x = sp.csr_matrix(ad.read_h5ad(path).X).astype(np.float32)
        table = {}
        for seed in range(a.splits):
            train, test = split(x, seed)
            target = np.log1p(per_10k(test.toarray().astype(np.float64)))
            with tempfile.TemporaryDirectory() as folder:
                made = estimates(train, pathlib.Path(folder), a.magic)
            for name, value in made.items():
                table.setdefault(name, []).append(((value - target) ** 2).mean(1))
        best = np.concatenate(table["mean-log1p"])
        print(path.name, *train.shape)
        for name, errors in table.items():
            e = np.concatenate(errors)
            d = e - best
            print(f"  {name:32s} {e.mean():.5f}  +{d.mean():.5f} +- {d.std() / np.sqrt(len(d)):.5f}", flush=True)


main()
