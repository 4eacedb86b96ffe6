"""The score of docs/quality.md, written apart from the program: splits of counts by molecules, the gain of a
prediction, and how well a latent space separates known types."""
import h5py
import numpy as np
import scipy.sparse as sp

HELD = 0.1
FLOOR = 1e-8


def read_counts(path):
    """X as csr, int64."""
    with h5py.File(path, "r") as f:
        x = f["X"]
        if isinstance(x, h5py.Dataset):
            return sp.csr_matrix(np.rint(x[:]).astype(np.int64))
        shape = tuple(x.attrs["shape"] if "shape" in x.attrs else x.attrs["h5sparse_shape"])
        return sp.csr_matrix((np.rint(x["data"][:]).astype(np.int64), x["indices"][:], x["indptr"][:]), shape=shape)


def read_labels(path, column):
    import anndata
    return np.asarray(anndata.read_h5ad(path, backed="r").obs[column].astype(str))


def split(counts, seed):
    """Every molecule is held out with probability HELD; genes and cells of which nothing is left to see stay."""
    rng = np.random.default_rng(seed)
    seen = counts.copy()
    seen.data = rng.binomial(counts.data, 1 - HELD)
    held = counts.copy()
    held.data = counts.data - seen.data
    seen.eliminate_zeros()
    held.eliminate_zeros()
    return seen, held


def write_counts(path, counts):
    import anndata
    anndata.AnnData(sp.csr_matrix(counts, dtype=np.float32)).write_h5ad(path, compression="gzip")


def log_lik(held, prediction):
    """Poisson log-likelihood of each cell without ln x!, in bands of cells."""
    out = np.empty(held.shape[0])
    for first in range(0, held.shape[0], 500):
        rows = slice(first, first + 500)
        p = np.maximum(np.asarray(prediction[rows], np.float64), FLOOR)
        out[rows] = (held[rows].multiply(np.log(p))).sum(1).A1 - p.sum(1)
    return out


def gain(seen, held, prediction):
    """Nats per held-out molecule above gene mean x depth, and the standard error over cells."""
    ratio = held.sum() / seen.sum()
    gene, depth = seen.sum(0).A1.astype(np.float64), seen.sum(1).A1.astype(np.float64)
    base = np.outer(depth, (gene + 1e-9) / gene.sum())
    cells = log_lik(held, np.asarray(prediction) * ratio) - log_lik(held, base * ratio)
    molecules = held.sum(1).A1
    value = cells.sum() / molecules.sum()
    error = np.sqrt(np.square(cells - value * molecules).sum()) / molecules.sum()
    return float(value), float(error)


def agreement(latent, labels):
    """Adjusted Rand index of k-means (the true k, 20 starts) with the labels."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score
    groups = KMeans(len(set(labels)), n_init=20, random_state=0).fit_predict(latent)
    return float(adjusted_rand_score(labels, groups))


def truth_correlation(prediction, truth):
    """Pearson correlation of ln(1 + rate) with that of the true rates, over all entries; predictions are at the depth of
    what was seen."""
    rate = np.asarray(prediction, np.float64) / (1 - HELD)
    return float(np.corrcoef(np.log1p(rate).ravel(), np.log1p(truth).ravel())[0, 1])


def read_truth(path):
    """layers/true_mean of a simulation, or None."""
    with h5py.File(path, "r") as f:
        return f["layers/true_mean"][:] if "layers/true_mean" in f else None
