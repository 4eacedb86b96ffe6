#!/usr/bin/env python3
"""How well groups of cells are found in latent spaces: the adjusted Rand index of k-means with the
true number of groups against known labels, median and range over seeds.

  label_ari.py --quell build/quell --seeds 10 --data pbmc3k.h5ad kang.h5ad -- --like scdha

What follows -- are options of `quell embed`. Needs h5py and scikit-learn.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score


def labels(file, column):
    values = file["obs"][column]
    if isinstance(values, h5py.Group):
        return values["codes"][:]
    return np.unique(values[:], return_inverse=True)[1]


def ari(path, column, key):
    with h5py.File(path) as f:
        truth, z = labels(f, column), f["obsm"][key][:]
    known = np.isfinite(z).all(axis=1)
    found = KMeans(len(np.unique(truth)), n_init=20, random_state=0).fit_predict(z[known])
    return adjusted_rand_score(truth[known], found)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--quell", default="build/quell")
    ap.add_argument("--seeds", type=int, default=10, help="how many, from 10 on in steps of 10")
    ap.add_argument("--labels", default="cell_type", help="column of obs")
    ap.add_argument("--key", help="of obsm; default X_ and the model's name")
    ap.add_argument("--data", nargs="+", required=True)
    ap.add_argument("options", nargs="*", help="of quell embed, after --")
    a = ap.parse_args()
    for path in a.data:
        scores = []
        with tempfile.TemporaryDirectory() as folder:
            for i in range(a.seeds):
                out = os.path.join(folder, "out.h5ad")
                subprocess.run([a.quell, "embed", path, "-o", out, "--force", "-q", "--seed",
                                str(10 * (i + 1)), *a.options], check=True)
                key = a.key
                if key is None:
                    with h5py.File(out) as f:
                        key = "X_" + f["uns/quell/embed/model"].asstr()[()]
                scores.append(ari(out, a.labels, key))
        print(f"{os.path.basename(path)}: median {np.median(scores):.3f}, from {min(scores):.3f} to "
              f"{max(scores):.3f}, {len(scores)} seeds", flush=True)


if __name__ == "__main__":
    sys.exit(main())
