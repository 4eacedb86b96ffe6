"""quell classify against a vote in numpy, within a file and from a reference."""
import anndata as ad
import numpy as np
import pandas as pd
import pytest
import spaces


def vote(spaces_of, label, known, asked, k=10):
    """Label and share of each asked cell as docs/after-embedding.md says."""
    votes = []
    for x in spaces_of:
        d = spaces.correlation_distance(x[asked], x[known])
        votes.append(label[known][np.argsort(d, axis=1, kind="stable")[:, :k]])

    def mode(row):
        values, first, count = np.unique(row, return_index=True, return_counts=True)
        return values[np.lexsort((first, -count))[0]]
    choice = np.array([[mode(row) for row in v] for v in votes]).T
    best = np.array([mode(row) for row in choice])
    return best, (np.concatenate(votes, axis=1) == best[:, None]).mean(axis=1)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    base, truth = spaces.groups(500, 4, 8, 0.9, seed=8)
    rng = np.random.default_rng(9)
    obsm = {f"X_scdha_{m}": (base + 0.3 * rng.normal(size=base.shape)).astype(np.float32) for m in (1, 2, 3)}
    obsm["X_scdha"] = obsm["X_scdha_1"]
    label = np.array([f"T{t}" for t in truth])
    part = rng.random(500) < 0.6
    obs = {"truth": pd.Categorical(label), "hidden": ~part,
           "part": pd.Categorical([v if p else None for v, p in zip(label, part)])}
    path = spaces.write(tmp_path_factory.mktemp("classify") / "a.h5ad", obsm, obs)
    return path, obsm, label, part, obs


def check(a, members, label, known, asked, threshold=0.5, key="quell_predicted"):
    best, share = vote(members, label, known, asked)
    got = a.obs[key].astype(str).to_numpy()[asked]
    assert np.array_equal(got, np.where(share >= threshold, best, "unknown"))
    assert np.allclose(a.obs[f"{key}_probability"].to_numpy()[asked], share, atol=1e-15)
    return best, share


def test_within_a_file(quell, cells, tmp_path):
    path, obsm, label, part, _ = cells
    out = tmp_path / "o.h5ad"
    quell("classify", path, "-o", out, "--labels", "part", "--truth", "truth")
    a = ad.read_h5ad(out)
    members = [obsm[f"X_scdha_{m}"] for m in (1, 2, 3)]
    best, share = check(a, members, label, part, ~part)
    assert np.array_equal(a.obs["quell_predicted"][part].astype(str), label[part])
    assert (a.obs["quell_predicted_probability"][part] == 1).all()
    record = a.uns["quell"]["classify"]["quell_predicted"]
    assert record["accuracy"] == pytest.approx((best == label[~part]).mean(), abs=1e-15)
    sure = share >= 0.5
    assert record["accuracy_assigned"] == pytest.approx((best == label[~part])[sure].mean(), abs=1e-15)


def test_mask_threshold_alone(quell, cells, tmp_path):
    path, obsm, label, part, _ = cells
    out = tmp_path / "o.h5ad"
    quell("classify", path, "-o", out, "-l", "truth", "--mask", "hidden", "--threshold", 0.9, "--alone",
          "--key", "p")
    _, share = check(ad.read_h5ad(out), [obsm["X_scdha"]], label, part, ~part, 0.9, "p")
    assert 0.05 < (share < 0.9).mean() < 0.95


def test_reference(quell, cells, tmp_path):
    """Two files, the one with labels; threads change nothing."""
    path, obsm, label, part, obs = cells
    ref = spaces.write(tmp_path / "r.h5ad", {k: x[part] for k, x in obsm.items()}, {"type": label[part]})
    new = spaces.write(tmp_path / "n.h5ad", {k: x[~part] for k, x in obsm.items()}, {"type": label[~part]})
    outs = [tmp_path / f"{t}.h5ad" for t in (1, 3)]
    for threads, out in zip((1, 3), outs):
        quell("classify", new, "-o", out, "-r", ref, "-l", "type", "--truth", "type", "--threads", threads)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    a = ad.read_h5ad(outs[0])
    best, share = vote([obsm[f"X_scdha_{m}"] for m in (1, 2, 3)], label, part, ~part)
    assert np.array_equal(a.obs["quell_predicted"].astype(str), np.where(share >= 0.5, best, "unknown"))


def test_spaces_of_two_models(quell, example_data, tmp_path):
    """quell apply makes the reference's space; a model of one's own makes another, and that is noticed."""
    counts, model = example_data / "pbmc_small.h5", tmp_path / "m.quell.h5"
    ref, same, other = (tmp_path / f"{name}.h5ad" for name in ("ref", "same", "other"))
    quick = ["-e", 2, "-q", "--no-denoised"]
    quell("denoise", counts, "-o", ref, "--save-model", model, *quick)
    quell("apply", counts, "-m", model, "-o", same, "-q", "--no-denoised")
    quell("denoise", counts, "-o", other, "--seed", 5, *quick)
    hashes = [ad.read_h5ad(f).uns["quell"]["denoise"]["weights_fnv1a"] for f in (ref, same, other)]
    assert hashes[0] == hashes[1] != hashes[2] and len(hashes[0]) == 16
    a = ad.read_h5ad(ref)
    a.obs["type"] = pd.Categorical(np.where(np.arange(a.n_obs) % 2, "x", "y"))
    a.write_h5ad(ref)
    out = tmp_path / "o.h5ad"
    quell("classify", same, "-o", out, "-r", ref, "-l", "type")
    done = quell("classify", other, "-o", tmp_path / "x.h5ad", "-r", ref, "-l", "type", code=78)
    assert f"is of another model (weights {hashes[2]})" in done.stderr and "quell apply" in done.stderr
    assert not (tmp_path / "x.h5ad").exists()
    assert "of another model" in quell("query", ref, other, code=78).stderr
    del a.uns["quell"]
    a.write_h5ad(ref)
    done = quell("classify", other, "-o", out, "--force", "-r", ref, "-l", "type")
    assert "does not say which model" in done.stderr


def test_mistakes(quell, cells, tmp_path):
    path, obsm, label, part, _ = cells
    out = tmp_path / "o.h5ad"

    def fails(code, says, *options):
        assert says in quell("classify", path, "-o", out, *options, code=code).stderr
        assert not out.exists()
    fails(64, "--labels")
    fails(65, "nobody to classify", "-l", "truth")
    fails(65, "nothing", "-l", "nothing")
    other = spaces.write(tmp_path / "r.h5ad", {"X_scdha": obsm["X_scdha"][:, :5]}, {"type": label})
    fails(78, "not the same model", "-l", "type", "-r", other, "--alone")
    fails(78, "has 3", "-l", "type", "-r", other)
    fails(64, "--mask", "-l", "type", "-r", other, "--mask", "hidden")


def test_real_cells(quell, shared_data, tmp_path):
    """Blood cells of which half lost their label."""
    pca = tmp_path / "pca.h5ad"
    quell("embed", shared_data / "kang_pbmc_ifnb_subset.h5ad", "-o", pca, "--model", "pca", "-n", 20)
    a = ad.read_h5ad(pca)
    a.obs["hidden"] = np.random.default_rng(1).random(a.n_obs) < 0.5
    a.write_h5ad(tmp_path / "half.h5ad")
    out = tmp_path / "o.h5ad"
    quell("classify", tmp_path / "half.h5ad", "-o", out, "-l", "cell_type", "--mask", "hidden",
          "--truth", "cell_type", "--threshold", 0.8)
    record = ad.read_h5ad(out).uns["quell"]["classify"]["quell_predicted"]
    assert record["accuracy_assigned"] > record["accuracy"] > 0.88
