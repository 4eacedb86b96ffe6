#!/usr/bin/env python3
"""Leiden clusters and a UMAP of the latent space that quell wrote.

    scanpy_clusters.py H5AD PREFIX [--resolution R]

writes PREFIX.clusters.csv (cell, leiden, umap_1, umap_2) and PREFIX.umap.png.
"""
import argparse
import os

# Both cache in the home folder, which may be read-only in a container.
for cache in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
    os.environ.setdefault(cache, os.path.abspath("cache"))

import matplotlib

matplotlib.use("Agg")
import scanpy as sc

parser = argparse.ArgumentParser()
parser.add_argument("h5ad")
parser.add_argument("prefix")
parser.add_argument("--resolution", type=float, default=1.0)
args = parser.parse_args()

adata = sc.read_h5ad(args.h5ad)
sc.pp.neighbors(adata, use_rep="X_dca", random_state=0)
sc.tl.leiden(adata, resolution=args.resolution, random_state=0, flavor="igraph", n_iterations=2, directed=False)
sc.tl.umap(adata, random_state=0)

table = adata.obs[["leiden"]].copy()
table["umap_1"], table["umap_2"] = adata.obsm["X_umap"].T
table.to_csv(f"{args.prefix}.clusters.csv", index_label="cell")
figure = sc.pl.umap(adata, color="leiden", title=args.prefix, return_fig=True)
figure.savefig(f"{args.prefix}.umap.png", dpi=150, bbox_inches="tight")
