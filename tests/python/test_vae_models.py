"""Models of counts beyond the plain variational autoencoder: drawn library sizes, scANVI, ladders."""
import os

import h5py
import numpy as np
import pytest
import samples


def read(path, *keys):
    with h5py.File(path) as f:
        got = [f[k][()] for k in keys]
    return got[0] if len(got) == 1 else got


def add_column(path, name, values):
    with h5py.File(path, "r+") as f:
        samples.put_text(f["obs"], name, values)
        order = [*f["obs"].attrs["column-order"], name]
        del f["obs"].attrs["column-order"]
        f["obs"].attrs["column-order"] = np.array(order, dtype=object)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Three types of cells in two batches of different depth, path and the counts."""
    rng = np.random.default_rng(4)
    kind, batch = rng.integers(0, 3, 240), rng.integers(0, 2, 240)
    share = rng.dirichlet(np.full(60, 0.4), 3)
    depth = np.exp(rng.normal(5, 0.3, 240) + batch)
    x = rng.poisson(share[kind] * depth[:, None])
    x[np.arange(60), np.arange(60)] += 1
    path = tmp_path_factory.mktemp("cells") / "c.h5ad"
    samples.write_h5ad(path, samples.sp.csr_matrix(x.astype(np.float32)))
    add_column(path, "batch", np.array(["a", "b"])[batch])
    add_column(path, "kind", np.array(["x", "y", "z"])[kind])
    return path, x, batch, kind


SMALL = ("--hidden", "24,6,24", "-q", "--force")


def check_whole(quell, path, args, folder):
    """The same bytes from 1 and 3 threads, from scalar code, from a checkpoint, from the model as a file."""
    run = ("denoise", path, "--model", "vae", *args, *SMALL, "-o")
    for name, more in {"1": ("--threads", 1), "3": ("--threads", 3)}.items():
        quell(*run, folder / f"{name}.h5ad", "--save-model", folder / f"{name}.h5", *more)
    assert (folder / "1.h5ad").read_bytes() == (folder / "3.h5ad").read_bytes()
    assert (folder / "1.h5").read_bytes() == (folder / "3.h5").read_bytes()
    quell(*run, folder / "scalar.h5ad", env={**os.environ, "QUELL_ISA": "scalar"})
    quell("apply", path, "-m", folder / "1.h5", "-o", folder / "a.h5ad", "-q", "--force")
    quell(*run, folder / "c.h5ad", "--checkpoint", folder / "c", "--epochs", 2)
    quell(*run, folder / "c.h5ad", "--checkpoint", folder / "c")
    for key in "obsm/X_vae", "layers/denoised":
        want = read(folder / "1.h5ad", key)
        assert np.isfinite(want).all()
        assert all((read(folder / f"{name}.h5ad", key) == want).all() for name in ("a", "c", "scalar"))


def test_library(quell, cells, tmp_path):
    """A library size that is drawn: its prior is that of the batches, and means stay at the cells' molecules."""
    path, x, batch, _ = cells
    args = ("--batch", "batch", "--library-size", "latent", "--epochs", 4)
    check_whole(quell, path, args, tmp_path)
    log_total = np.log(x.sum(axis=1))
    prior = read(tmp_path / "1.h5", "net/library_prior")
    of = [log_total[batch == 0], log_total[batch == 1], log_total]
    np.testing.assert_allclose(prior, [[v.mean() for v in of], [v.var() for v in of]], rtol=1e-5)
    assert read(tmp_path / "1.h5ad", "uns/quell/denoise/code/kl_library") > 0


def test_library_is_learnt(quell, cells, tmp_path):
    """Where depths are not matched the means show the library size of the posterior: near the molecules."""
    path, x, _, _ = cells
    for kind in "latent", "observed":
        quell("denoise", path, "--model", "vae", "--batch", "batch", "--library-size", kind, "--no-match-depth",
              "--estimate", "mean", "--epochs", 60, "-o", tmp_path / f"{kind}.h5ad", *SMALL)
    total = x.sum(axis=1)
    latent, observed = (read(tmp_path / f"{k}.h5ad", "layers/denoised").sum(axis=1) for k in ("latent", "observed"))
    np.testing.assert_allclose(observed, total, rtol=1e-4)
    assert np.abs(latent / total - 1).max() > 1e-3
    print(np.corrcoef(np.log(latent), np.log(total))[0, 1], np.median(np.abs(latent / total - 1)))
    assert np.corrcoef(np.log(latent), np.log(total))[0, 1] > 0.9


def test_library_in_uses(quell, cells, tmp_path):
    """The likelihood of a cell integrates over its library size too."""
    path = cells[0]
    quell("train", path, "--model", "vae", "--library-size", "latent", "--epochs", 5, "-o", tmp_path / "m.h5", *SMALL)
    quell("score", path, "-m", tmp_path / "m.h5", "-n", 20, "-o", tmp_path / "s.tsv", "-q")
    rows = [line.split("\t") for line in (tmp_path / "s.tsv").read_text().splitlines()]
    at = {name: k for k, name in enumerate(rows[0])}
    lik, elbo = (np.array([float(r[at[k]]) for r in rows[1:]]) for k in ("log_lik", "elbo"))
    assert np.isfinite(lik).all() and lik.mean() >= elbo.mean()


def test_refusals(quell, cells, tmp_path):
    out = tmp_path / "o.h5ad"
    for args, words in [
        (("--library-size", "latent"), "--library-size is of use to variational models only"),
        (("--model", "vae", "--library-size", "latent", "--type", "bernoulli"), "a latent library and this type"),
    ]:
        assert words in quell("denoise", cells[0], "-o", out, *args, code=64).stderr


def table(path):
    names, *rows = (line.split("\t") for line in path.read_text().splitlines())
    return {name: np.array([row[k] for row in rows]) for k, name in enumerate(names)}


def check_uses(quell, path, model, folder):
    """Likelihoods rise with the draws and lie above the bound; those and samples of the prior, from 1 and 3 threads."""
    score = ("score", path, "-m", model, "-q", "--force", "-o")
    mean = {}
    for draws in 4, 200:
        quell(*score, folder / "s.tsv", "-n", draws)
        got = table(folder / "s.tsv")
        mean[draws] = got["log_lik"].astype(float).mean()
        assert np.isfinite(got["log_lik"].astype(float)).all()
    assert mean[4] < mean[200] and got["elbo"].astype(float).mean() < mean[200]
    part = {k: got[k].astype(float) for k in ("elbo", "reconstruction", "kl")}
    np.testing.assert_allclose(part["elbo"], part["reconstruction"] - part["kl"], atol=1e-4)
    sample = ("sample", path, "-m", model, "--prior", "-q", "--force", "-o")
    for threads in 1, 3:
        quell(*score, folder / f"{threads}.tsv", "-n", 20, "--threads", threads)
        quell(*sample, folder / f"{threads}s.h5ad", "--threads", threads)
    assert (folder / "1.tsv").read_bytes() == (folder / "3.tsv").read_bytes()
    assert (folder / "1s.h5ad").read_bytes() == (folder / "3s.h5ad").read_bytes()


def hide_labels(cells, folder, share):
    """The cells with a column "given" in which a share of the labels is empty; which they are."""
    path, _, _, kind = cells
    hidden = folder / "hidden.h5ad"
    hidden.write_bytes(path.read_bytes())
    blind = np.random.default_rng(1).random(len(kind)) < share
    add_column(hidden, "given", np.where(blind, "", np.array(["x", "y", "z"])[kind]))
    return hidden, blind


def test_scanvi(quell, cells, tmp_path):
    """Labels of the cells that hide theirs, from a second code by label; as bytes, from files, resumed."""
    hidden, blind = hide_labels(cells, tmp_path, 0.7)
    args = ("--batch", "batch", "--labels", "given", "--labels-as", "scanvi", "--epochs", 20)
    check_whole(quell, hidden, args, tmp_path)
    with h5py.File(tmp_path / "1.h5ad") as f:
        got = f["obs/quell_label"]
        got = got["categories"].asstr()[()][got["codes"][()]] if isinstance(got, h5py.Group) else got.asstr()[()]
    accuracy = (got == np.array(["x", "y", "z"])[cells[3]])[blind].mean()
    prob, again = (read(tmp_path / name, "obsm/quell_label_probs") for name in ("1.h5ad", "a.h5ad"))
    print(accuracy)
    assert accuracy > 0.95
    np.testing.assert_allclose(prob.sum(axis=1), 1, rtol=1e-5)
    assert (prob == again).all()
    check_uses(quell, hidden, tmp_path / "1.h5", tmp_path)


def test_samples_of_a_label(quell, cells, tmp_path):
    """Cells drawn for a label are given it by the model; how likely a cell is does not depend on what its label says."""
    path, model, out = cells[0], tmp_path / "m.h5", tmp_path / "y.h5ad"
    quell("train", path, "--model", "vae", "--labels", "kind", "--labels-as", "scanvi", "--epochs", 150, "--kl-steps", 50,
          "--batch-size", 16, "-o", model, *SMALL)
    run = ("sample", path, "-m", model, "-o", out, "-q", "--force")
    quell(*run, "--prior", "--label", "y")
    assert read(out, "uns/quell/sample/label").decode() == "y"
    quell("apply", out, "-m", model, "-o", tmp_path / "a.h5ad", "-q", "--force")
    with h5py.File(tmp_path / "a.h5ad") as f:
        got = f["obs/quell_label"]
        got = got["categories"].asstr()[()][got["codes"][()]] if isinstance(got, h5py.Group) else got.asstr()[()]
    print((got == "y").mean())
    assert (got == "y").mean() > 0.9
    assert "no level of kind" in quell(*run, "--prior", "--label", "w", code=64).stderr
    assert "give --prior too" in quell(*run, "--label", "y", code=64).stderr
    blind = tmp_path / "blind.h5ad"
    blind.write_bytes(path.read_bytes())
    with h5py.File(blind, "r+") as f:
        del f["obs/kind"]
    add_column(blind, "kind", np.repeat("", 240))
    for name, cells_of in {"known": path, "hidden": blind}.items():
        quell("score", cells_of, "-m", model, "-n", 20, "-o", tmp_path / f"{name}.tsv", "-q")
    assert (tmp_path / "known.tsv").read_bytes() == (tmp_path / "hidden.tsv").read_bytes()


def test_scanvi_refusals(quell, cells, tmp_path):
    for args, words in [
        (("--model", "vae", "--labels-as", "scanvi"), "needs --labels COLUMN"),
        (("--labels", "kind", "--labels-as", "scanvi"), "of use to variational models only"),
        (("--model", "vae", "--labels", "kind", "--labels-as", "scanvi", "--free-bits", 0.1), "--free-bits"),
    ]:
        assert words in quell("denoise", cells[0], "-o", tmp_path / "o.h5ad", *args, code=64).stderr


def test_ladder(quell, cells, tmp_path):
    """Two codes, each with its divergence and activity; as bytes, from files, resumed."""
    args = ("--batch", "batch", "--latent2", 3, "--epochs", 8)
    check_whole(quell, cells[0], args, tmp_path)
    z2, kl, kl2, variance, active = read(tmp_path / "1.h5ad", "obsm/X_vae2", *(f"uns/quell/denoise/{k}" for k in (
        "code/kl", "code2/kl", "code2/variance", "code2/active_units")))
    assert z2.shape == (240, 3) and kl.shape == (6,) and (kl2 > 0).all() and (kl > 0).all()
    np.testing.assert_allclose(z2.astype(float).var(axis=0), variance, rtol=1e-4, atol=1e-6)
    assert active == (variance > 0.01).sum()
    assert (read(tmp_path / "a.h5ad", "obsm/X_vae2") == z2).all()
    check_uses(quell, cells[0], tmp_path / "1.h5", tmp_path)
    done = quell("denoise", cells[0], "-o", tmp_path / "o.h5ad", "--latent2", 3, code=64)
    assert "--latent2 is of use to variational models only" in done.stderr
