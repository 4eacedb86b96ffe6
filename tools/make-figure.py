#!/usr/bin/env python3
"""Draw docs/denoising.png: what denoising does to real counts.

    tools/make-figure.py [--quell build/quell] [--out docs/denoising.png]

Runs quell on the example data and plots two pairs of genes before and after, coloured by cell type,
and the gain on held-out molecules. Needs numpy, h5py and matplotlib (pip install numpy h5py matplotlib).
"""
import argparse
import pathlib
import subprocess
import tempfile

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLOURS = {  # shown name -> colour, cell types that make it up
    "T": ("#3b6fb6", ("Naive CD4 T", "Memory CD4 T", "CD8 T")),
    "NK": ("#7fb8d6", ("NK",)),
    "B": ("#d1495b", ("B",)),
    "CD14+ monocyte": ("#e2a72e", ("CD14+ Mono",)),
    "FCGR3A+ monocyte": ("#8a5a14", ("FCGR3A+ Mono",)),
    "other": ("#b8b8b8", ("DC", "Platelet")),
}
# Gene on x, gene on y: T cells against B cells, one kind of monocytes against the other.
PAIRS = (("CD3D", "CD79A"), ("LYZ", "FCGR3A"))
COLUMNS = (("X", "raw counts"), ("layers/denoised", "posterior (the default)"),
           ("layers/denoised_mean", "model mean"))
BARS = (("posterior", "posterior", "#3b6fb6"), ("mean", "model mean", "#9bb7da"),
        ("gene_mean", "gene mean x depth", "#b8b8b8"))


def run(quell, out):
    command = [quell, "denoise", str(ROOT / "example_data/pbmc_small.h5"), "-o", out,
               "--estimate", "both", "--seed", "1", "--quiet"]
    subprocess.run(command, check=True)


def matrix(node):
    """A dense array of a csr group or a dense dataset."""
    if isinstance(node, h5py.Dataset):
        return node[:]
    indptr, indices, data = node["indptr"][:], node["indices"][:], node["data"][:]
    dense = np.zeros(node.attrs["shape"], np.float32)
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    dense[rows, indices] = data
    return dense


def read(path):
    with h5py.File(path) as f:
        genes = [g.decode() for g in f["var/_index"][:]]
        cells = [c.decode() for c in f["obs/_index"][:]]
        depth = f["obs/quell_n_counts"][:]
        values = {key: matrix(f[key]) / depth[:, None] * 1e4 for key, _ in COLUMNS}
        heldout = {k: v[()] for k, v in f["uns/quell/denoise/heldout"].items()}
    return genes, cells, values, heldout


def scatter(ax, x, y, types, order):
    colour = np.empty(len(types), object)
    for shade, members in COLOURS.values():
        colour[np.isin(types, members)] = shade
    ax.scatter(x[order], y[order], s=9, c=list(colour[order]), alpha=0.75, linewidths=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=7, length=2)


def bars(ax, heldout):
    for i, (key, name, colour) in enumerate(BARS):
        gain, error = heldout[f"{key}_gain"], heldout[f"{key}_gain_stderr"]
        ax.barh(i, gain, 0.6, color=colour, xerr=error if error > 0 else None,
                error_kw={"lw": 1, "ecolor": "#404040"})
        text = f"{gain:.3f}" if gain else "0 by definition"
        ax.text(gain + error + 0.006, i, text, va="center", fontsize=8)
    ax.set_yticks(range(len(BARS)), [name for _, name, _ in BARS], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, max(heldout[f"{key}_gain"] for key, _, _ in BARS) * 1.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=7, length=2)
    ax.set_xlabel("gain, nats per held-out molecule (higher is better)", fontsize=8)
    ax.set_title(f"Held-out molecules of cells not trained on. Raw counts: {heldout['raw_gain']:.2f}",
                 fontsize=9, loc="left")


def draw(genes, cells, values, heldout, types, out):
    rng = np.random.default_rng(0)
    order = rng.permutation(len(cells))
    noise = rng.uniform(-0.07, 0.07, (2, len(cells)))
    fig = plt.figure(figsize=(8.4, 7.2), layout="constrained")
    grid = fig.add_gridspec(3, 3, height_ratios=(3, 3, 1.25))
    for row, (gx, gy) in enumerate(PAIRS):
        axes = [fig.add_subplot(grid[row, i]) for i in range(3)]
        shown = [[np.log1p(values[key][:, genes.index(g)]) for g in (gx, gy)] for key, _ in COLUMNS]
        top = np.max([[v.max() for v in pair] for pair in shown], axis=0)
        for i, ax in enumerate(axes):
            x, y = shown[i]
            jitter = noise if i == 0 else np.zeros_like(noise)  # raw zeros would lie on one point
            scatter(ax, x + jitter[0], y + jitter[1], types, order)
            ax.set_xlim(-0.35, top[0] * 1.04)
            ax.set_ylim(-0.35, top[1] * 1.04)
            ax.set_xlabel(f"{gx}, ln(1 + counts per 10,000)", fontsize=8, labelpad=1)
            if row == 0:
                ax.set_title(COLUMNS[i][1], fontsize=10, fontweight="bold")
        axes[0].set_ylabel(f"{gy}, ln(1 + counts per 10,000)", fontsize=8)
    bars(fig.add_subplot(grid[2, :]), heldout)
    handles = [plt.Line2D([], [], marker="o", ls="", ms=5, color=c, label=n)
               for n, (c, _) in COLOURS.items()]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8, frameon=False,
               handletextpad=0.1, columnspacing=1.2)
    fig.savefig(out, dpi=120, metadata={"Software": None}, pil_kwargs={"optimize": True})


def main():
    parser = argparse.ArgumentParser(description="Draw what denoising does to the example data.")
    parser.add_argument("--quell", default=str(ROOT / "build/quell"))
    parser.add_argument("--out", default=str(ROOT / "docs/denoising.png"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "denoised.h5ad")
        run(args.quell, path)
        genes, cells, values, heldout = read(path)
    labels = dict(line.split("\t") for line in
                  (ROOT / "example_data/cell_types.tsv").read_text().splitlines())
    draw(genes, cells, values, heldout, np.array([labels[c] for c in cells]), args.out)


if __name__ == "__main__":
    main()
