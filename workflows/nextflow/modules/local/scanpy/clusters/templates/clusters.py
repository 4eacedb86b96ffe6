#!/usr/bin/env python3
"""Leiden clusters and a UMAP of the latent space that quell wrote."""
import os

for cache in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):  # the home folder may be read-only in a container
    os.environ.setdefault(cache, os.path.abspath("tmp"))

import matplotlib

matplotlib.use("Agg")
import scanpy as sc

adata = sc.read_h5ad("${h5ad}")
sc.pp.neighbors(adata, use_rep="X_dca", random_state=0)
sc.tl.leiden(adata, resolution=float("${resolution}"), random_state=0, flavor="igraph", n_iterations=2, directed=False)
sc.tl.umap(adata, random_state=0)

table = adata.obs[["leiden"]].copy()
table["umap_1"], table["umap_2"] = adata.obsm["X_umap"].T
table.to_csv("${prefix}.clusters.csv", index_label="cell")
figure = sc.pl.umap(adata, color="leiden", title="${prefix}", return_fig=True)
figure.savefig("${prefix}.umap.png", dpi=150, bbox_inches="tight")
