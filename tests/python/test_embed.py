"""quell embed: principal components against numpy, and the bottleneck against quell denoise."""

import h5py
import numpy as np
import pytest
import samples
import scipy.sparse as sp


def scaled(x, log=True, sizes=True, scale=True):
    """The scaled inputs of docs/model.md in float64; x: dense counts."""
    x = x.astype(np.float64)
    total = x.sum(axis=1)
    if sizes:
        x = x / (total / np.median(total))[:, None]
    if log:
        x = np.log1p(x)
    x = x - x.mean(axis=0)
    if scale:
        sd = x.std(axis=0, ddof=1)
        x = x / np.where(sd > 0, sd, 1)
    return x


def decompose(z, k):
    u, s, v = np.linalg.svd(z, full_matrices=False)
    sign = np.sign(v[np.arange(len(v)), np.abs(v).argmax(axis=1)])
    return s[:k] ** 2 / (len(z) - 1), (v * sign[:, None])[:k], (u * s * sign)[:, :k]


def read(path, key="X_pca"):
    with h5py.File(path) as f:
        pca = f["uns/pca"]
        return {"scores": f["obsm"][key][:], "loadings": f["varm/PCs"][:].T,
                "variance": pca["variance"][:], "ratio": pca["variance_ratio"][:],
                "residual": f["uns/quell/embed/residual"][()]}


def angle(a, b):
    """Largest angle between the row spaces of two sets of orthonormal vectors."""
    a, b = np.linalg.qr(a.T.astype(np.float64))[0], np.linalg.qr(b.T)[0]
    return np.arcsin(min(1, np.linalg.norm(a - b @ (b.T @ a), 2)))


@pytest.fixture(scope="module")
def counts():
    """Six groups of cells, so that there are components to be found."""
    rng = np.random.default_rng(3)
    rate = rng.gamma(0.4, 2.0, (6, 260))[rng.integers(6, size=190)] * rng.gamma(5, 0.2, (190, 1))
    x = rng.poisson(rate).astype(np.float32)
    x[0, x.sum(axis=0) == 0] = 1
    return x


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"log": False}, {"sizes": False, "scale": False}],
                         ids=["usual", "centred", "nolog", "nosizes"])
def test_small(quell, counts, tmp_path, options):
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(counts))
    flags = {"scale": "--no-norminput", "log": "--no-loginput", "sizes": "--no-sizefactors"}
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "pca", "-n", 12, "--tolerance", 1e-7,
          *[flags[name] for name in options])
    z = scaled(counts, **options)
    variance, loadings, scores = decompose(z, 12)
    got = read(tmp_path / "out.h5ad")
    np.testing.assert_allclose(got["variance"], variance, rtol=1e-6)
    np.testing.assert_allclose(got["ratio"], variance / z.var(axis=0, ddof=1).sum(), rtol=1e-6)
    assert angle(got["loadings"], loadings) < 1e-5
    np.testing.assert_allclose(got["loadings"][:5], loadings[:5], atol=2e-5)
    np.testing.assert_allclose(got["scores"][:, :5], scores[:, :5], atol=2e-4 * np.abs(scores).max())
    assert got["residual"] <= 1e-7


def test_restarts(quell, tmp_path):
    """Noise, of which no component stands out: the basis fills up and is begun anew."""
    x = samples.counts(420, 500, seed=8).toarray()
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(x))
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "pca", "-n", 6, "--tolerance", 1e-9)
    variance, loadings, _ = decompose(scaled(x), 6)
    got = read(tmp_path / "out.h5ad")
    with h5py.File(tmp_path / "out.h5ad") as f:
        assert f["uns/quell/embed/passes"][()] * 16 > 2 * 6 + 160
    np.testing.assert_allclose(got["variance"], variance, rtol=1e-6)
    assert angle(got["loadings"], loadings) < 1e-6 and got["residual"] <= 1e-9


def test_every_component_of_a_small_matrix(quell, tmp_path):
    """More components than the first block, up to the rank; a cell and a gene without counts."""
    x = np.array(samples.counts(31, 24).toarray())
    x[7] = 0
    x[:, 5] = 0
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(x))
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "pca", "-n", 23)
    got = read(tmp_path / "out.h5ad")
    cells, genes = np.arange(31) != 7, np.arange(24) != 5
    variance = decompose(scaled(x[cells][:, genes]), 23)[0]
    np.testing.assert_allclose(got["variance"], variance, rtol=1e-5)
    assert np.isclose(got["ratio"].sum(), 1, rtol=1e-6)
    assert np.isnan(got["scores"][7]).all() and np.isfinite(got["scores"][cells]).all()
    assert (got["loadings"][:, 5] == 0).all()
    done = quell("embed", source, "-o", tmp_path / "more.h5ad", "--model", "pca", "-n", 24, code=64)
    assert "24 components asked for: 30 cells and 23 genes with counts have 23 at most" in done.stderr


def test_low_rank(quell, tmp_path):
    """Fewer components than asked for are said, not made up."""
    x = np.repeat(samples.counts(4, 20).toarray(), 10, axis=0)
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(x))
    done = quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "pca", "-n", 10, "--no-sizefactors")
    assert "no more than 3 components" in done.stderr
    assert read(tmp_path / "out.h5ad")["scores"].shape == (40, 3)


def test_same_bytes(writes_the_same_bytes, counts, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(counts))
    writes_the_same_bytes("embed", source, "--model", "pca", "-n", 40)


def test_pbmc(quell, shared_data, tmp_path):
    """Real counts, 1500 of the genes, 30 components, against the eigenvalues that numpy finds."""
    anndata = pytest.importorskip("anndata")
    x = anndata.read_h5ad(shared_data / "pbmc3k.h5ad").X
    x = x[:, np.asarray((x > 0).sum(axis=0)).ravel().argsort()[-1500:]].tocsr()
    source = samples.write_h5ad(tmp_path / "in.h5ad", x.astype(np.float32))
    for tolerance, close in ((1e-4, 1e-5), (1e-8, 1e-6)):
        out = tmp_path / f"{tolerance}.h5ad"
        quell("embed", source, "-o", out, "--model", "pca", "-n", 30, "--tolerance", tolerance)
        got = read(out)
        z = scaled(x.toarray())
        values, vectors = np.linalg.eigh(z.T @ z / (len(z) - 1))
        variance, loadings = values[::-1][:30], vectors[:, ::-1][:, :30].T
        np.testing.assert_allclose(got["variance"], variance, rtol=close)
        assert angle(got["loadings"][:10], loadings[:10]) < 100 * tolerance + 1e-5
    assert angle(got["loadings"], loadings) < 2e-4


def test_scikit_learn(quell, counts, tmp_path):
    decomposition = pytest.importorskip("sklearn.decomposition")
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(counts))
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "pca", "-n", 5, "--tolerance", 1e-8)
    pca = decomposition.PCA(5, svd_solver="full").fit(scaled(counts))
    got = read(tmp_path / "out.h5ad")
    np.testing.assert_allclose(got["variance"], pca.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(got["ratio"], pca.explained_variance_ratio_, rtol=1e-6)
    sign = np.sign((got["loadings"] * pca.components_).sum(axis=1))
    np.testing.assert_allclose(got["loadings"], pca.components_ * sign[:, None], atol=1e-5)


def test_dca_is_denoise_without_layers(quell, counts, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(counts))
    options = ["--epochs", 3, "--seed", 4]
    quell("embed", source, "-o", tmp_path / "embed.h5ad", *options)
    quell("denoise", source, "-o", tmp_path / "denoise.h5ad", "--no-denoised", *options)
    with h5py.File(tmp_path / "embed.h5ad") as a, h5py.File(tmp_path / "denoise.h5ad") as b:
        assert np.array_equal(a["obsm/X_dca"][:], b["obsm/X_dca"][:])
        assert "layers" not in a or "denoised" not in a["layers"]


def test_anndata_reads_it(quell, counts, tmp_path):
    anndata = pytest.importorskip("anndata")
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(counts))
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "pca", "-n", 7, "--key", "X_mine")
    data = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert data.obsm["X_mine"].shape == (190, 7) and data.varm["PCs"].shape == (260, 7)
    assert data.uns["pca"]["variance"].shape == data.uns["pca"]["variance_ratio"].shape == (7,)
    done = quell("embed", tmp_path / "out.h5ad", "-o", tmp_path / "two.h5ad", "--model", "pca", "-n", 7,
                 "--key", "X_mine", code=73)
    assert "X_mine" in done.stderr and "--force" in done.stderr
