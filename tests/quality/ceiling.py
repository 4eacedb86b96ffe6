#!/usr/bin/env python3
"""How much there is to gain on counts like those of a data set: what would a method gain that knows everything
about cells and genes, and how far are quell and Poisson NMF from it?

  ceiling.py DATA.h5ad... [--splits 2] [--ranks 12,20,30] [--only-default]

Counts are drawn from the model that quell fits to DATA: its means, gamma noise with its dispersion of each gene,
Poisson counts. They are split into seen and held-out molecules as in quality.py. Printed is the gain of
  rates      the rates themselves, noise included: nobody can know it, as it is each cell's and gene's own
  posterior  the true means and dispersions, and the seen counts: the most that can be known of a rate
  mean       the true means alone
beside those of what has to be estimated, NMF with each rank, one model and --auto.

QUELL names the program (default: build/quell).
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

import h5py
import numpy as np
import scipy.sparse as sp

import score
from peers import poisson_nmf

QUELL = os.environ.get("QUELL", "build/quell")


def denoise(source, out, *options):
    subprocess.run([QUELL, "denoise", source, "-o", out, "--force", "--quiet", *options], check=True)
    return h5py.File(out, "r")


def fitted(path, folder):
    """Means [cells, genes] and dispersions [genes] of quell's model of the counts."""
    with denoise(path, folder / "fit.h5ad", "--estimate", "mean") as f:
        return f["layers/denoised"][:].astype(np.float64), f["var/quell_theta"][:].astype(np.float64)


def gains(mean, theta, seed, ranks, options, folder):
    """Name -> gain on one draw of counts and one split of them."""
    rng = np.random.default_rng(seed)
    rate = mean * rng.gamma(theta, 1 / theta, mean.shape)
    seen, held = score.split(sp.csr_matrix(rng.poisson(rate)), seed)
    part = 1 - score.HELD
    known = part * mean
    guesses = {"rates": part * rate, "posterior": known * (seen.toarray() + theta) / (known + theta), "mean": known}
    made = {name: score.gain(seen, held, guess)[0] for name, guess in guesses.items()}
    for rank in ranks:
        made["nmf %d" % rank] = score.gain(seen, held, poisson_nmf(rank)(seen, seed)["prediction"])[0]
    score.write_counts(folder / "seen.h5ad", seen)
    for words in options:
        with denoise(folder / "seen.h5ad", folder / "out.h5ad", "--seed", str(seed), *words) as f:
            made["quell " + " ".join(words)] = score.gain(seen, held, f["layers/denoised"][:])[0]
    return made


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", nargs="+")
    p.add_argument("--splits", type=int, default=2)
    p.add_argument("--ranks", default="12,20,30")
    p.add_argument("--only-default", action="store_true", help="one model only, no --auto")
    a = p.parse_args()
    ranks = [int(r) for r in a.ranks.split(",") if r]
    options = [()] if a.only_default else [(), ("--auto",)]
    for path in a.data:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            mean, theta = fitted(path, folder)
            draws = [gains(mean, theta, seed, ranks, options, folder) for seed in range(a.splits)]
        print("%s, %d draws" % (pathlib.Path(path).stem, a.splits))
        for name in draws[0]:
            values = [d[name] for d in draws]
            print("  %-14s %.4f (%.4f to %.4f)" % (name.strip(), np.mean(values), min(values), max(values)), flush=True)


if __name__ == "__main__":
    main()
