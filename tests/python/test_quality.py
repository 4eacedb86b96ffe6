"""How good the results on real data must be, by means that share no code with the program.

Denoising: the molecules of a data set are split in two (binomially, 10 % held out), the program sees
the larger part, and its expected counts are scored here, in numpy, on the smaller part. That checks
the *definition* of the gain in docs/quality.md and the level that is promised there. The function
which reports the gain during a run is compared with a naive float64 computation by
tests/unit/test_score.c: it splits the molecules by a generator of its own, so its figures for one run
cannot be repeated here.

Embedding: k-means on the latent space must find the known cell types.
"""
import h5py
import numpy as np
import pytest
import samples
import scipy.sparse as sp


def read_counts(path):
    with h5py.File(path) as f:
        x = f["X"]
        parts = (x["data"][:].astype(np.int64), x["indices"][:], x["indptr"][:])
        return sp.csr_matrix(parts, shape=tuple(x.attrs["shape"]))


def split_molecules(counts, seed, kept=0.9):
    """Each molecule goes to the training part with probability `kept`."""
    train, test = counts.copy(), counts.copy()
    train.data = np.random.default_rng(seed).binomial(counts.data, kept)
    test.data = counts.data - train.data
    train.eliminate_zeros()
    test.eliminate_zeros()
    return train, test


def gain(train, test, denoised):
    """Poisson log-likelihood of the held-out molecules above 'gene mean x library size', per molecule."""
    ratio = test.sum() / train.sum()
    genes, cells = (np.asarray(train.sum(axis), np.float64).ravel() for axis in (0, 1))

    def log_likelihood(expected):
        expected = np.maximum(expected * ratio, 1e-8)
        return test.multiply(np.log(expected)).sum() - expected.sum()

    base = np.outer(cells, (genes + 1e-9) / genes.sum())
    return (log_likelihood(denoised.astype(np.float64)) - log_likelihood(base)) / test.sum()


def test_denoising_pbmc3k(quell, shared_data, tmp_path):
    train, test = split_molecules(read_counts(shared_data / "pbmc3k.h5ad"), seed=0)
    source = samples.write_h5ad(tmp_path / "train.h5ad", train.astype(np.float32))
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--estimate", "both", "--compression", "none")
    with h5py.File(tmp_path / "out.h5ad") as f:
        posterior, mean = f["layers/denoised"][:], f["layers/denoised_mean"][:]
    assert gain(train, test, mean) >= 0.130
    assert gain(train, test, posterior) >= 0.195
    # expected counts at each cell's own depth
    np.testing.assert_allclose(mean.sum(1), np.asarray(train.sum(1)).ravel(), rtol=0.02)
    assert abs(posterior.sum() / train.sum() - 1) < 0.02


def labels(path, column):
    with h5py.File(path) as f:
        return f["obs"][column]["codes"][:]


def agreement(quell, source, target, *options):
    """Adjusted Rand index of k-means on the latent space and the cell types."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    quell("denoise", source, "-o", target, "--no-denoised", *options)
    truth = labels(source, "cell_type")
    with h5py.File(target) as f:
        latent = f["obsm/X_dca"][:]
    found = KMeans(len(np.unique(truth)), n_init=20, random_state=0).fit_predict(latent)
    return adjusted_rand_score(truth, found)


@pytest.mark.parametrize("name, least", [("pbmc3k", 0.55), ("mixology_5cl_celseq2", 0.99)])
def test_cell_types(quell, shared_data, tmp_path, name, least):
    source = shared_data / f"{name}.h5ad"
    assert agreement(quell, source, tmp_path / "out.h5ad", "--seed", 1) >= least
