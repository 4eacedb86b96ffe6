#!/usr/bin/env python3
"""The table of docs/quality.md: how well known groups of cells are found, as the adjusted Rand index,
median and range over seeds.

  cluster_table.py --quell build/quell --seeds 10 --results figures.tsv --data pbmc3k.h5ad kang.h5ad

Figures are added to the results as they come, seed by seed; those that are there are not made again.
Without --data the table of the results is printed alone. Needs h5py and scikit-learn.
"""
import argparse
import csv
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from label_ari import ari, labels
from sklearn.metrics import adjusted_rand_score

LEIDEN = ["cluster", "--method", "leiden"]
# name: options of quell embed, key of obsm, what follows; None: k-means with the true number
ROWS = {
    "X_scdha of --like scdha, k-means": (["--like", "scdha"], "X_scdha", None),
    "its clusters, their number estimated": (["--like", "scdha"], "X_scdha", "scdha_cluster"),
    "X_scdha, k-means": (["--model", "scdha"], "X_scdha", None),
    "X_scdha, Leiden": (["--model", "scdha"], "X_scdha", LEIDEN),
    "X_dca, Leiden": (["--model", "dca"], "X_dca", LEIDEN),
    "X_pca, Leiden": (["--model", "pca"], "X_pca", LEIDEN),
}


def of_column(path, column, name):
    with h5py.File(path) as f:
        truth, found = labels(f, column), labels(f, name)
    known = found >= 0
    return adjusted_rand_score(truth[known], found[known]), len(np.unique(found[known]))


def one(quell, path, key, way, column, seed, folder):
    """ARI and the number of groups."""
    if way is None:
        return ari(path, column, key), 0
    if way is not LEIDEN:
        return of_column(path, column, way)
    out = os.path.join(folder, "clusters.h5ad")
    subprocess.run([quell, *LEIDEN, path, "-o", out, "--use", key, "--seed", str(seed), "-q", "--force"], check=True)
    return of_column(out, column, "leiden")


def read(path):
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        return {(r["row"], r["data"], int(r["seed"])): (float(r["ari"]), int(r["groups"]))
                for r in csv.DictReader(f, delimiter="\t")}


def make(a, seed, data, done):
    name, made = os.path.basename(data).split(".")[0], {}
    with tempfile.TemporaryDirectory() as folder:
        for row, (options, key, way) in ROWS.items():
            if (row, name, seed) in done:
                continue
            out = os.path.join(folder, "-".join(options).replace("--", "") + ".h5ad")
            if out not in made:
                subprocess.run([a.quell, "embed", data, "-o", out, "-q", "--seed", str(seed), *options], check=True)
                made[out] = True
            score, groups = one(a.quell, out, key, way, a.labels, seed, folder)
            new = not os.path.exists(a.results)
            with open(a.results, "a") as f:
                if new:
                    f.write("row\tdata\tseed\tari\tgroups\n")
                f.write(f"{row}\t{name}\t{seed}\t{score:.4f}\t{groups}\n")


def table(done):
    names = list(dict.fromkeys(data for _, data, _ in done))
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for row in ROWS:
        cells = []
        for name in names:
            found = [v for (r, d, _), v in done.items() if r == row and d == name]
            x, groups = [v[0] for v in found], [v[1] for v in found]
            text = f"{np.median(x):.3f} ({min(x):.3f} to {max(x):.3f}; {len(x)})" if x else ""
            cells.append(text + (f", {np.median(groups):g} groups" if x and max(groups) else ""))
        print(f"| {row} | " + " | ".join(cells) + " |")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--quell", default="build/quell")
    ap.add_argument("--seeds", type=int, default=10, help="how many, from 10 on in steps of 10")
    ap.add_argument("--labels", default="cell_type", help="column of obs")
    ap.add_argument("--results", required=True)
    ap.add_argument("--data", nargs="*", default=[])
    a = ap.parse_args()
    for i in range(a.seeds):
        for data in a.data:
            make(a, 10 * (i + 1), data, read(a.results))
    table(read(a.results))


if __name__ == "__main__":
    sys.exit(main())
