"""quell cluster --method kmeans, spectral, scdha: against scikit-learn, and on real cells."""
import anndata as ad
import h5py
import numpy as np
import pytest
import spaces
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score


def ensemble_of(cells, members, folder):
    """Five groups seen in several spaces, with noise of their own; one cell has no place."""
    base, truth = spaces.groups(cells, 5, 10, 0.35, seed=5)
    rng = np.random.default_rng(6)
    obsm = {f"X_scdha_{m + 1}": (base + 0.2 * rng.normal(size=base.shape)).astype(np.float32) for m in range(members)}
    for x in obsm.values():
        x[11] = np.nan
    obsm["X_scdha"] = obsm["X_scdha_3"]
    path = spaces.write(folder / "e.h5ad", obsm, {"truth": [f"t{t}" for t in truth]})
    return path, obsm, truth


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    return ensemble_of(700, 6, tmp_path_factory.mktemp("cluster"))


def labels(path, key):
    a = ad.read_h5ad(path)
    return a, a.obs[key]


def test_kmeans(quell, ensemble, tmp_path):
    path, obsm, _ = ensemble
    out = tmp_path / "k.h5ad"
    quell("cluster", path, "-o", out, "-m", "kmeans", "-n", 5)
    a, found = labels(out, "kmeans")
    placed = found.notna().to_numpy()
    assert list(np.flatnonzero(~placed)) == [11]
    assert list(found.cat.categories) == list("01234")
    x = obsm["X_scdha"][placed].astype(np.float64)
    code = found[placed].astype(int).to_numpy()
    assert list(np.bincount(code)) == sorted(np.bincount(code), reverse=True)
    within = sum(((x[code == k] - x[code == k].mean(axis=0)) ** 2).sum() for k in range(5))
    record = a.uns["quell"]["cluster"]["kmeans"]
    assert record["within"] == pytest.approx(within, rel=1e-12)
    assert record["total"] == pytest.approx(((x - x.mean(axis=0)) ** 2).sum(), rel=1e-12)
    theirs = KMeans(5, n_init=20, random_state=0).fit(x)
    assert within <= theirs.inertia_ * 1.0001
    assert adjusted_rand_score(theirs.labels_, code) > 0.99


def test_spectral(quell, ensemble, tmp_path):
    path, _, truth = ensemble
    out = tmp_path / "s.h5ad"
    quell("cluster", path, "-o", out, "-m", "spectral", "--clusters", 5, "--key", "mine")
    a, found = labels(out, "mine")
    placed = found.notna().to_numpy()
    assert adjusted_rand_score(truth[placed], found[placed]) > 0.95
    assert a.uns["quell"]["cluster"]["mine"]["residual"] < 1e-7


def test_consensus(quell, ensemble, tmp_path):
    path, _, truth = ensemble
    out = tmp_path / "c.h5ad"
    done = quell("cluster", path, "-o", out, "-m", "scdha", "-n", 5)
    assert "_1 to _6" in done.stderr
    a, found = labels(out, "scdha")
    placed = found.notna().to_numpy()
    record = a.uns["quell"]["cluster"]["scdha"]
    assert list(record["groups"]) == [5] * 6
    assert adjusted_rand_score(truth[placed], found[placed]) > 0.95
    alone = tmp_path / "a.h5ad"
    done = quell("cluster", path, "-o", alone, "-m", "scdha", "-n", 5, "--alone")
    assert "ensemble" not in done.stderr
    assert len(labels(alone, "scdha")[0].uns["quell"]["cluster"]["scdha"]["groups"]) == 1


@pytest.mark.parametrize("method", ["kmeans", "spectral", "scdha"])
def test_threads_and_seeds(quell, tmp_path, method):
    """With more cells than the number of clusters is estimated from."""
    source, _, _ = ensemble_of(550, 3, tmp_path)
    files = []
    for threads, seed in ((1, 4), (3, 4), (2, 4)):
        files.append(tmp_path / f"{threads}.h5ad")
        quell("cluster", source, "-o", files[-1], "-m", method, "--threads", threads, "--seed", seed)
    assert len({f.read_bytes() for f in files}) == 1


def test_too_few(quell, tmp_path):
    path = spaces.write(tmp_path / "few.h5ad", {"X_pca": np.eye(3, dtype=np.float32)})
    for method in ("kmeans", "spectral", "scdha"):
        done = quell("cluster", path, "-o", tmp_path / "o.h5ad", "-m", method, code=65)
        assert "too few" in done.stderr and not (tmp_path / "o.h5ad").exists()


def test_all_alike(quell, tmp_path):
    """Equal cells are one cluster, whatever is asked for; two kinds of cells are two."""
    x = np.repeat(np.array([[1, 2, 3.5], [3, 1, 0]], dtype=np.float32), 20, axis=0)
    path = spaces.write(tmp_path / "two.h5ad", {"X_pca": x})
    for method in ("kmeans", "spectral", "scdha"):
        out = tmp_path / f"{method}.h5ad"
        quell("cluster", path, "-o", out, "-m", method, "-n", 4)
        found = labels(out, method)[1].astype(int).to_numpy()
        assert found.max() == 1 and len(set(found[:20])) == len(set(found[20:])) == 1


def test_members_of_other_cells(quell, ensemble, tmp_path):
    _, obsm, _ = ensemble
    mixed = dict(obsm, X_scdha_2=np.nan_to_num(obsm["X_scdha_2"]))
    path = spaces.write(tmp_path / "mixed.h5ad", mixed)
    assert "X_scdha_2" in quell("cluster", path, "-o", tmp_path / "o.h5ad", "-m", "scdha", code=65).stderr


def test_real_lines(quell, shared_data, tmp_path):
    """Three cell lines told apart by genotype: an easy case that has to come out right."""
    pca = tmp_path / "pca.h5ad"
    quell("embed", shared_data / "mixology_3cl_celseq2.h5ad", "-o", pca, "--model", "pca", "-n", 20)
    for method in ("kmeans", "spectral"):
        out = tmp_path / f"{method}.h5ad"
        quell("cluster", pca, "-o", out, "-m", method, "-n", 3)
        a, found = labels(out, method)
        assert adjusted_rand_score(a.obs["cell_type"], found) > 0.95
    with h5py.File(out) as f:
        assert "X_pca" in f["obsm"]
