"""Clusters and a UMAP of the latent space of a file of quell, as tsv on stdout.

The same file and seed give the same lines: one thread, every random state fixed.
"""
import argparse
import sys

import scanpy


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("h5ad")
    parser.add_argument("--key", default="X_dca", help="obsm key of the latent space")
    parser.add_argument("--resolution", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    cells = scanpy.read_h5ad(given.h5ad)
    scanpy.pp.neighbors(cells, use_rep=given.key, random_state=given.seed)
    scanpy.tl.umap(cells, random_state=given.seed)
    scanpy.tl.leiden(cells, resolution=given.resolution, random_state=given.seed,
                     flavor="igraph", n_iterations=2, directed=False)

    print("cell", "cluster", "umap_1", "umap_2", sep="\t")
    for name, cluster, (x, y) in zip(cells.obs_names, cells.obs["leiden"], cells.obsm["X_umap"]):
        print(name, cluster, f"{x:.6g}", f"{y:.6g}", sep="\t")


sys.exit(main())
