"""quell pseudotime against scipy's spanning tree, and along known curves."""
import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse.csgraph as graphs
import spaces


def curve(n, seed, noise=0.003, d=8):
    rng = np.random.default_rng(seed)
    place = np.sort(rng.random(n))
    x = np.exp(-(place[:, None] * (d - 1) - np.arange(d)) ** 2) + noise * rng.normal(size=(n, d))
    return x.astype(np.float32), place


def run(quell, path, out, *options):
    done = quell("pseudotime", path, "-o", out, *options)
    return ad.read_h5ad(out), done.stderr


def test_tree_is_that_of_scipy(quell, tmp_path):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(150, 7)).astype(np.float32)
    path = spaces.write(tmp_path / "a.h5ad", {"X_pca": x})
    a, _ = run(quell, path, tmp_path / "o.h5ad", "--start-cell", "c20", "--no-draw-in")
    d = spaces.correlation_distance(x, x)
    np.fill_diagonal(d, 0)
    tree = graphs.minimum_spanning_tree(d)
    length = graphs.shortest_path(tree, directed=False, indices=20)
    assert np.allclose(a.obs["quell_pseudotime"], length, rtol=0, atol=1e-12)


def test_quartiles(quell, tmp_path):
    """Within the groups of a column, times span what numpy's quartiles of path lengths do."""
    x, _ = curve(200, 1, noise=0.05)
    group = np.repeat(["a", "b", "c", "d"], 50)
    path = spaces.write(tmp_path / "a.h5ad", {"X_dca": x}, {"g": pd.Categorical(group)})
    plain, _ = run(quell, path, tmp_path / "p.h5ad", "--start-cell", "c0", "--no-draw-in")
    drawn, _ = run(quell, path, tmp_path / "d.h5ad", "--start-cell", "c0", "--groups", "g")
    for g in "abcd":
        before = plain.obs["quell_pseudotime"][group == g]
        low, high = np.quantile(before, [0.25, 0.75])
        expected = low + (high - low) * (before - before.min()) / (before.max() - before.min())
        assert np.allclose(drawn.obs["quell_pseudotime"][group == g], expected, atol=1e-12)


def test_ensemble_and_stages(quell, tmp_path):
    x, place = curve(600, 2)
    rng = np.random.default_rng(3)
    obsm = {f"X_scdha_{m}": (x + 0.003 * rng.normal(size=x.shape)).astype(np.float32) for m in (1, 2, 3)}
    obsm["X_scdha"] = obsm["X_scdha_3"]
    stage = pd.Categorical([f"E{int(p * 12)}" for p in place])
    path = spaces.write(tmp_path / "a.h5ad", obsm, {"stage": stage, "day": np.floor(place * 5)})
    a, said = run(quell, path, tmp_path / "o.h5ad", "--start-group", "stage=E0", "--stages", "stage")
    record = a.uns["quell"]["pseudotime"]["quell_pseudotime"]
    assert record["start_cell"] in set(a.obs_names[stage == "E0"])
    r2 = np.corrcoef(a.obs["quell_pseudotime"], [int(s[1:]) for s in stage])[0, 1] ** 2
    assert record["r_squared"] == pytest.approx(r2, abs=1e-12) and r2 > 0.9
    assert f"R2 with obs/stage: {r2:.4f}" in said
    a, _ = run(quell, path, tmp_path / "d.h5ad", "--start-cell", "c0", "--stages", "day", "--key", "t")
    assert a.uns["quell"]["pseudotime"]["t"]["r_squared"] > 0.9
    few = ["--stages", "stage", "--stage-order", "E3,E2"]
    a, _ = run(quell, path, tmp_path / "f.h5ad", "--start-cell", "c0", *few)
    t = a.obs["quell_pseudotime"]
    part = np.isin(stage, ["E3", "E2"])
    r2 = np.corrcoef(t[part], (stage[part] == "E2").astype(float))[0, 1] ** 2
    assert a.uns["quell"]["pseudotime"]["quell_pseudotime"]["r_squared"] == pytest.approx(r2, abs=1e-12)


def test_sample_and_threads(quell, tmp_path):
    """Beyond 5000 cells a sample makes the tree; the others lie between their neighbours."""
    x, place = curve(5600, 5)
    x[9] = np.nan
    path = spaces.write(tmp_path / "a.h5ad", {"X_vae": x})
    for threads in (1, 3):
        out = tmp_path / f"{threads}.h5ad"
        a, said = run(quell, path, out, "--start-cell", "c0", "--no-draw-in", "--threads", threads)
    assert "a sample makes the trees" in said
    assert (tmp_path / "1.h5ad").read_bytes() == (tmp_path / "3.h5ad").read_bytes()
    t = a.obs["quell_pseudotime"].to_numpy()
    assert list(np.flatnonzero(np.isnan(t))) == [9] and t[0] == 0
    placed = ~np.isnan(t)
    assert np.corrcoef(t[placed], place[placed])[0, 1] > 0.97


@pytest.mark.parametrize("options, code, says", [
    ([], 64, "is not said"),
    (["--start-cell", "c1", "--start-group", "g=a"], 64, "exclude"),
    (["--start-group", "a"], 64, "COLUMN=VALUE"),
    (["--start-cell", "c9x"], 65, "no cell is named"),
    (["--start-group", "g=b"], 65, "'b'"),
    (["--start-group", "h=b"], 65, "h"),
    (["--start-cell", "c3"], 65, "no place"),
    (["--start-cell", "c1", "--stage-order", "a"], 64, "--stages"),
])
def test_mistakes(quell, tmp_path, options, code, says):
    x, _ = curve(40, 1)
    x[3] = np.nan
    path = spaces.write(tmp_path / "a.h5ad", {"X_pca": x}, {"g": ["a"] * 40})
    done = quell("pseudotime", path, "-o", tmp_path / "o.h5ad", *options, code=code)
    assert says in done.stderr and not (tmp_path / "o.h5ad").exists()
