#!/usr/bin/env python3
"""Keep models of a released version, for tests/python/test_kept_models.py: later versions must read them and say
the same of the same cells.

    keep_models.py QUELL [KIND...]

Writes tests/python/kept/VERSION/KIND.quell.h5, and KIND.csv with the latent space that QUELL itself finds with it
for tests/python/kept/counts.csv. Run once, by the program of a release (needs numpy and h5py).
"""
import pathlib
import subprocess
import sys

import h5py
import numpy as np

KEPT = pathlib.Path(__file__).resolve().parents[1] / "python" / "kept"
COUNTS = KEPT / "counts.csv"
OUT = KEPT / "out.h5ad"  # not kept
KINDS = {
    "nb": ["train", COUNTS, "--hidden", "8,4"],
    "ensemble": ["train", COUNTS, "--hidden", "8,4", "--ensemble", "2"],
    "vae": ["train", COUNTS, "--model", "vae", "--hidden", "8,4"],
    "scdha": ["embed", COUNTS, "--model", "scdha", "-o", OUT],
}


def latent(path):
    with h5py.File(path) as f:
        (values,) = f["obsm"].values()
        return values[()]


def keep(quell, kind, folder):
    model = folder / f"{kind}.quell.h5"
    common = ["--force", "--quiet"]
    subprocess.run([quell, *KINDS[kind], "--save-model", model, "--epochs", "3", *common], check=True)
    subprocess.run([quell, "apply", COUNTS, "--load-model", model, "-o", OUT, *common], check=True)
    np.savetxt(folder / f"{kind}.csv", latent(OUT), "%.6g", ",")
    OUT.unlink()


def main():
    quell, *kinds = sys.argv[1:]
    version = subprocess.run([quell, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    folder = KEPT / version
    folder.mkdir(exist_ok=True)
    for kind in kinds or KINDS:
        keep(quell, kind, folder)


if __name__ == "__main__":
    main()
