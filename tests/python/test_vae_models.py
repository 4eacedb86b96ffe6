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
    # what needs a prior N(0, 1) says so
    for args in ("score", hidden, "-o", tmp_path / "s.tsv"), ("sample", hidden, "--prior", "-o", tmp_path / "s.h5ad"):
        assert "prior other than N(0, 1)" in quell(*args, "-m", tmp_path / "1.h5", code=64).stderr


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
    done = quell("score", cells[0], "-m", tmp_path / "1.h5", "-o", tmp_path / "s.tsv", code=64)
    assert "prior other than N(0, 1)" in done.stderr
    done = quell("denoise", cells[0], "-o", tmp_path / "o.h5ad", "--latent2", 3, code=64)
    assert "--latent2 is of use to variational models only" in done.stderr
