"""Cells of a type that was not trained on: are they told from held-out cells of the other types?

One type and a fifth of the other cells are kept from training, for a fixed number of epochs, so that
nothing looks at them but the gene means and standard deviations of the inputs. The area under the ROC
curve is that of left-out cells against held-out ones. Compared with it: the reconstruction error of
principal components of the same training cells, in three preprocessings, with and without a trend in
depth taken out.

With --apply the model is made by quell train from the training cells and half of the held-out ones,
which calibrate it; quell apply rates the other half and the left-out cells, of which nothing was seen.

    python left_out_type.py SHARED/data pbmc3k B NK [--seeds 5] [--apply]    a table of docs/quality.md
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

import anndata as ad
import numpy as np
import scipy.sparse as sp

PARTS = ["error", "pearson", "distance"]
TRAIN, HELD, LEFT = 0, 1, 2


def split(path, kind, seed):
    """Counts with the training cells first, and the role of each cell."""
    data = ad.read_h5ad(path)
    labels = data.obs["cell_type"].astype(str).to_numpy()
    rest = np.random.default_rng(seed).permutation(np.flatnonzero(labels != kind))
    held, left = len(rest) // 5, np.flatnonzero(labels == kind)
    order = np.r_[np.sort(rest[held:]), rest[:held], left]
    role = np.repeat([TRAIN, HELD, LEFT], [len(rest) - held, held, len(left)])
    counts = sp.csr_matrix(data.X).astype(np.float32)[order]
    return ad.AnnData(counts, var=data.var[[]]), role


def scores(run, counts, role, seed, folder):
    """The columns that quell writes of each cell."""
    source, target = folder / "in.h5ad", folder / "out.h5ad"
    counts.write_h5ad(source)
    share = (np.sum(role != TRAIN) - 0.5) / len(role)  # rounded up to that many
    run("denoise", source, "-o", target, "--no-denoised", "--write", ",".join(PARTS) + ",nll,outlier", "--force",
        "--validation-cells", "last", "--validation", float(share), "--epochs", 40, "--early-stop", 1000000,
        "--no-restore-best", "--seed", seed)
    obs = ad.read_h5ad(target).obs
    assert np.array_equal(obs["quell_split"] == "train", role == TRAIN)
    return obs


def applied_scores(run, counts, role, seed, folder):
    """The same of cells that a saved model has not seen in any way; NaN for those it was made of."""
    model, known, new, target = (folder / name for name in ("m.quell.h5", "known.h5ad", "new.h5ad", "out.h5ad"))
    held = np.flatnonzero(role == HELD)
    calibrate, made = held[:len(held) // 2], np.flatnonzero(role == TRAIN)
    counts[np.r_[made, calibrate]].write_h5ad(known)
    fresh = np.r_[held[len(held) // 2:], np.flatnonzero(role == LEFT)]
    counts[fresh].write_h5ad(new)
    share = (len(calibrate) - 0.5) / (len(made) + len(calibrate))
    run("train", known, "-o", model, "--force", "--validation-cells", "last", "--validation", float(share),
        "--epochs", 40, "--early-stop", 1000000, "--no-restore-best", "--seed", seed)
    run("apply", new, "-m", model, "-o", target, "--no-denoised", "--no-score", "--force", "--write",
        ",".join(PARTS) + ",nll,outlier")
    return ad.read_h5ad(target).obs, fresh


def evaluate_applied(run, path, kind, seed, folder):
    """AUROC of the column quell_outlier, left-out cells against fresh ones of the other types, and of PCA."""
    from sklearn.metrics import roc_auc_score

    counts, role = split(path, kind, seed)
    obs, fresh = applied_scores(run, counts, role, seed, folder)
    left = role[fresh] == LEFT
    depth = np.asarray(counts.X.sum(1)).ravel()
    held = np.flatnonzero(role == HELD)
    calibrate = held[:len(held) // 2]
    found = {name: obs[name].to_numpy() for name in ("quell_outlier", "quell_error", "quell_pearson",
                                                     "quell_distance", "quell_nll")}
    for name, error in pca_errors(counts, role).items():
        found[f"PCA, {name}"] = error[fresh]
        found[f"PCA, {name}, no trend"] = without_trend(np.log(error), depth, calibrate)[fresh]
    found = {name: roc_auc_score(left, values) for name, values in found.items()}
    found["share of fresh cells above 0.95"] = np.mean(obs["quell_outlier"].to_numpy()[~left] > 0.95)
    return found


def without_trend(values, depth, peers, degree=2):
    """Departures from a polynomial in ln depth, fitted on the peers, in units of their sd."""
    x = np.log(depth)
    x = np.clip(x, x[peers].min(), x[peers].max())
    rest = values - np.polyval(np.polyfit(x[peers], values[peers], degree), x)
    return rest / rest[peers].std()


def statistic(obs, peers):
    """What quell ranks: written from docs/output.md alone."""
    depth = obs["quell_n_counts"].to_numpy()
    parts = [without_trend(np.log(obs[f"quell_{p}"].to_numpy()), depth, peers) for p in PARTS]
    return np.max(parts, axis=0)


def component_error(x, train, n=30):
    from sklearn.decomposition import PCA

    pca = PCA(n, random_state=0, svd_solver="randomized").fit(x[train])
    return ((x - pca.inverse_transform(pca.transform(x))) ** 2).mean(1)


def most_variable(x, n=2000):
    """Genes with the largest variance for their mean, among those of similar mean (20 bins)."""
    mean, var = np.expm1(x).mean(0), np.expm1(x).var(0)
    ratio = np.log((var + 1e-12) / (mean + 1e-12))
    bins = np.digitize(mean, np.quantile(mean, np.linspace(0, 1, 21)[1:-1]))
    for b in np.unique(bins):
        here = bins == b
        ratio[here] = (ratio[here] - ratio[here].mean()) / (ratio[here].std() + 1e-9)
    return np.argsort(-ratio)[:n]


def pca_errors(counts, role):
    """log1p of counts per 10,000, 30 components: all genes, 2000 variable ones, these scaled."""
    train = role == TRAIN
    y = counts.X.toarray()
    x = np.log1p(y / y.sum(1, keepdims=True) * 1e4)
    variable = x[:, most_variable(x[train])]
    sd = variable[train].std(0) + 1e-9
    scaled = np.clip((variable - variable[train].mean(0)) / sd, -10, 10)
    return {"all genes": component_error(x, train), "variable genes": component_error(variable, train),
            "scaled": component_error(scaled, train)}


def evaluate(run, path, kind, seed, folder, pca=True):
    """AUROC of each score, left-out cells against held-out cells of the other types."""
    from sklearn.metrics import roc_auc_score

    counts, role = split(path, kind, seed)
    obs = scores(run, counts, role, seed, folder)
    held, unseen = role == HELD, role != TRAIN
    depth = obs["quell_n_counts"].to_numpy()
    found = {"quell": statistic(obs, held), "quell_outlier": obs["quell_outlier"].to_numpy(),
             "nll, total": obs["quell_nll"].to_numpy() * depth, "nll": obs["quell_nll"].to_numpy()}
    for part in ["nll", *PARTS]:
        found[f"{part}, no trend"] = without_trend(np.log(obs[f"quell_{part}"].to_numpy()), depth, held)
    for name, error in pca_errors(counts, role).items() if pca else ():
        found[f"PCA, {name}"] = error
        found[f"PCA, {name}, no trend"] = without_trend(np.log(error), depth, held)
    return {name: roc_auc_score(role[unseen] == LEFT, values[unseen]) for name, values in found.items()}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("name")
    p.add_argument("kinds", nargs="+")
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--apply", action="store_true")
    a = p.parse_args()
    quell = os.environ.get("QUELL", "build/quell")

    def run(*args):
        subprocess.run([quell, *map(str, args), "--quiet"], check=True)

    for kind in a.kinds:
        with tempfile.TemporaryDirectory() as folder:
            rows = [(evaluate_applied if a.apply else evaluate)(run, a.data / f"{a.name}.h5ad", kind, seed, pathlib.Path(folder))
                    for seed in range(1, a.seeds + 1)]
        for name in rows[0]:
            values = [row[name] for row in rows]
            print(f"{a.name}\t{kind}\t{name}\t{np.mean(values):.3f}\t{min(values):.3f}\t{max(values):.3f}", flush=True)


if __name__ == "__main__":
    main()
