"""Variational models: what they write, batches that are left out of the code, models as files."""
import h5py
import numpy as np
import pytest


def read(path, *keys):
    with h5py.File(path) as f:
        got = [f[k][()] for k in keys]
    return got[0] if len(got) == 1 else got


def column(path, name):
    with h5py.File(path) as f:
        c = f["obs"][name]
        values = c["categories"][()][c["codes"][()]] if isinstance(c, h5py.Group) else c[()]
    return np.array([v.decode() if isinstance(v, bytes) else v for v in values])


@pytest.fixture(scope="module")
def kang(shared_data):
    return shared_data / "kang_pbmc_ifnb_subset.h5ad"


@pytest.fixture(scope="module")
def some_cells(kang, tmp_path_factory):
    """Of both conditions, with several blocks of cells and tiles of genes, the last ones short."""
    ad = pytest.importorskip("anndata")
    path = tmp_path_factory.mktemp("some") / "in.h5ad"
    a = ad.read_h5ad(kang)[::4]
    a[:, np.argsort(-np.asarray(a.X.sum(axis=0)).ravel(), kind="stable")[:700]].write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def corrected(quell, kang, tmp_path_factory):
    """A model that is told the condition, applied to its own cells in several ways."""
    d = tmp_path_factory.mktemp("vae")
    quell("train", kang, "--model", "vae", "--batch", "condition", "--epochs", 4, "-o", d / "m.h5", "-q")
    for name, more in {"own": ("--estimate", "mean"), "ctrl": ("--decode-as", "ctrl"),
                       "stim": ("--decode-as", "stim"), "mean": ("--decode-as", "mean")}.items():
        quell("apply", kang, "-m", d / "m.h5", "-o", d / f"{name}.h5ad", "-q", *more)
    return d


def test_output(quell, kang, tmp_path):
    """Code, its divergence and activity, and a summary of them."""
    out = tmp_path / "o.h5ad"
    quell("denoise", kang, "--model", "vae", "--epochs", 2, "-o", out, "-q")
    z, kl, variance, active = read(out, "obsm/X_vae", "uns/quell/denoise/code/kl", "uns/quell/denoise/code/variance",
                                   "uns/quell/denoise/code/active_units")
    assert z.shape[1] == 10 and np.isfinite(z).all()
    np.testing.assert_allclose(z.astype(float).var(axis=0), variance, rtol=1e-4, atol=1e-6)
    assert (kl > 0).all() and active == (variance > 0.01).sum()


def test_means_are_shares(kang, corrected):
    """A cell's means add up to its molecules, in every batch they are decoded as."""
    with h5py.File(kang) as f:
        x = f["X"]
        total = np.add.reduceat(x["data"][()].astype(float), x["indptr"][:-1])
    for name in "own", "ctrl", "mean":
        mean = read(corrected / f"{name}.h5ad", "layers/denoised").astype(float).sum(axis=1)
        np.testing.assert_allclose(mean, total, rtol=2e-5)


def test_decode_as(kang, corrected):
    """Cells of the batch itself are what they are; mean is the mean over the batches."""
    own, ctrl, stim, mean = (read(corrected / f"{n}.h5ad", "layers/denoised") for n in ("own", "ctrl", "stim", "mean"))
    of = column(kang, "condition")
    assert (ctrl[of == "ctrl"] == own[of == "ctrl"]).all() and (stim[of == "stim"] == own[of == "stim"]).all()
    assert (ctrl[of == "stim"] != own[of == "stim"]).any()
    np.testing.assert_allclose((ctrl.astype(float) + stim) / 2, mean, rtol=1e-5, atol=1e-7)
    assert read(corrected / "ctrl.h5ad", "uns/quell/denoise/decoded_as") == b"ctrl"
    assert b"batch" in read(corrected / "ctrl.h5ad", "uns/quell/denoise/scale/denoised")


def test_threads_and_files(quell, kang, tmp_path):
    """The same bytes from 1, 2 and 3 threads, and from the model as a file."""
    args = ("--model", "vae", "--batch", "condition,sample", "--dispersion", "gene-batch", "--epochs", 2, "-q")
    for t in 1, 2, 3:
        quell("denoise", kang, *args, "--threads", t, "-o", tmp_path / f"{t}.h5ad", "--save-model",
              tmp_path / f"{t}.h5")
        assert (tmp_path / f"{t}.h5ad").read_bytes() == (tmp_path / "1.h5ad").read_bytes()
        assert (tmp_path / f"{t}.h5").read_bytes() == (tmp_path / "1.h5").read_bytes()
    quell("apply", kang, "-m", tmp_path / "1.h5", "-o", tmp_path / "a.h5ad", "-q")
    for key in "obsm/X_vae", "layers/denoised":
        assert (read(tmp_path / "a.h5ad", key) == read(tmp_path / "1.h5ad", key)).all()


@pytest.mark.parametrize("kind", ["zinb gene", "nb gene-cell", "normal gene-batch", "poisson gene", "bernoulli gene"])
def test_processors(quell, some_cells, tmp_path, monkeypatch, kind):
    """The same bytes from scalar code as from the best instructions there are."""
    of_type, dispersion = kind.split()
    for isa in None, "scalar":
        if isa:
            monkeypatch.setenv("QUELL_ISA", isa)
        quell("denoise", some_cells, "--model", "vae", "--batch", "condition", "--type", of_type, "--dispersion", dispersion,
              "--epochs", 1, "-o", tmp_path / f"{isa}.h5ad", "-q")
    assert (tmp_path / "None.h5ad").read_bytes() == (tmp_path / "scalar.h5ad").read_bytes()


def test_resume(quell, kang, tmp_path):
    """A run that goes on from a checkpoint ends with the bytes of one that was not stopped."""
    args = ("embed", kang, "--model", "vae", "--batch", "condition", "-q", "--force")
    quell(*args, "--epochs", 4, "-o", tmp_path / "whole.h5ad")
    quell(*args, "--epochs", 4, "--checkpoint", tmp_path / "c", "-o", tmp_path / "kept.h5ad")
    assert read(tmp_path / "kept.h5ad", "obsm/X_vae").tobytes() == read(tmp_path / "whole.h5ad", "obsm/X_vae").tobytes()


def test_batches_are_left_out(quell, kang, tmp_path):
    """Told the condition, the code holds less of it, and more of the cell types."""
    metrics = pytest.importorskip("sklearn.metrics")
    cluster = pytest.importorskip("sklearn.cluster")
    types, condition = column(kang, "cell_type"), column(kang, "condition")
    silhouette, agreement = {}, {}
    for name, more in {"alone": (), "told": ("--batch", "condition")}.items():
        quell("embed", kang, "--model", "vae", "-o", tmp_path / f"{name}.h5ad", "-q", *more)
        z = read(tmp_path / f"{name}.h5ad", "obsm/X_vae")
        silhouette[name] = metrics.silhouette_score(z, condition)
        k = len(set(types))
        runs = [cluster.KMeans(k, n_init=10, random_state=s).fit_predict(z) for s in range(3)]
        agreement[name] = np.mean([metrics.adjusted_rand_score(types, r) for r in runs])
    print(silhouette, agreement)
    assert silhouette["told"] < silhouette["alone"] - 0.05
    assert agreement["told"] > agreement["alone"]


@pytest.mark.parametrize("model", ["vae", "dca"])
def test_labels(quell, kang, tmp_path, model):
    """A classifier on the code: cells whose labels are hidden from it get the right ones."""
    hidden = tmp_path / "hidden.h5ad"
    hidden.write_bytes(kang.read_bytes())
    types = column(kang, "cell_type")
    blind = np.arange(len(types)) % 3 == 0
    with h5py.File(hidden, "r+") as f:
        given = np.where(blind, "", types).astype(object)
        f["obs"].create_dataset("given", data=given, dtype=h5py.string_dtype())
        f["obs/given"].attrs["encoding-type"] = "string-array"
        f["obs/given"].attrs["encoding-version"] = "0.2.0"
        f["obs"].attrs["column-order"] = [*f["obs"].attrs["column-order"], "given"]
    quell("denoise", hidden, "--model", model, "--labels", "given", "--epochs", 15, "-o", tmp_path / "o.h5ad",
          "--save-model", tmp_path / "m.h5", "-q")
    got, prob = column(tmp_path / "o.h5ad", "quell_label"), read(tmp_path / "o.h5ad", "obsm/quell_label_probs")
    names = [n.decode() for n in read(tmp_path / "o.h5ad", "uns/quell/denoise/labels")]
    assert names == sorted(set(types)) and prob.shape == (len(types), len(names))
    np.testing.assert_allclose(prob.sum(axis=1), 1, rtol=1e-5)
    assert (np.array(names)[prob.argmax(axis=1)] == got).all()
    np.testing.assert_allclose(column(tmp_path / "o.h5ad", "quell_label_prob"), prob.max(axis=1), rtol=1e-6)
    print((got == types)[blind].mean())
    assert (got == types)[blind].mean() > 0.85
    quell("apply", kang, "-m", tmp_path / "m.h5", "-o", tmp_path / "a.h5ad", "-q")
    assert (read(tmp_path / "a.h5ad", "obsm/quell_label_probs") == prob).all()


def test_linear_decoder(quell, kang, tmp_path):
    """Loadings of a linear decoder give the differences between the logits of two cells."""
    quell("denoise", kang, "--model", "vae", "--hidden", "32,5", "--epochs", 3, "--estimate", "mean",
          "-o", tmp_path / "o.h5ad", "-q")
    loading, z, mean = read(tmp_path / "o.h5ad", "varm/vae_loadings", "obsm/X_vae", "layers/denoised")
    logit = np.log(mean[:2].astype(float)[:, mean[0] > 0])
    want = (loading.astype(float) @ (z[0] - z[1]).astype(float))[mean[0] > 0]
    got = logit[0] - logit[1]
    np.testing.assert_allclose(got - got.mean(), want - want.mean(), atol=2e-5)


def test_refusals(quell, kang, corrected, tmp_path):
    out = tmp_path / "o.h5ad"
    for args, words in [
        (("--batch", "condition"), "--batch is of use to variational models only"),
        (("--model", "vae", "--batch", "nonesuch"), "the cells have no such column; hint: they have"),
        (("--model", "vae", "--type", "nb-fork"), "not with --model vae"),
        (("--type", "bernoulli"), "--type bernoulli is for --model vae"),
        (("--model", "vae", "--dispersion", "gene-batch"), "needs --batch COLUMN"),
        (("--model", "vae", "--covariate", "sample"), "holds words, not numbers"),
        (("--model", "vae", "--hidden", "10"), "needs a layer before its bottleneck"),
        (("--model", "vae", "--tied"), "does not go with --tied"),
    ]:
        assert words in quell("denoise", kang, "-o", out, *args, code=64).stderr
    done = quell("apply", kang, "-m", corrected / "m.h5", "-o", out, "--decode-as", "x", code=64)
    assert "no level of condition; hint: it has ctrl, stim" in done.stderr


def test_unknown_level(quell, kang, corrected, tmp_path):
    """A batch that the model has not seen is an error that names it, unless another is decoded."""
    strange = tmp_path / "strange.h5ad"
    strange.write_bytes(kang.read_bytes())
    with h5py.File(strange, "r+") as f:
        c = f["obs/condition"]
        if isinstance(c, h5py.Group):
            c["categories"][0] = "other"
        else:
            c[0] = "other"
    done = quell("apply", strange, "-m", corrected / "m.h5", "-o", tmp_path / "o.h5ad", code=65)
    assert "is 'other', which the model does not know" in done.stderr and "it knows ctrl, stim" in done.stderr
    quell("apply", strange, "-m", corrected / "m.h5", "-o", tmp_path / "o.h5ad", "--decode-as", "stim", "-q")


def test_like_scvi(quell, kang, tmp_path):
    """The reference's settings, as the stored options say."""
    done = quell("train", kang, "--like", "scvi", "--print-config", "-o", tmp_path / "m.h5")
    lines = dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
    wanted = {"model": "vae", "type": "zinb", "hidden": "128,10,128", "dropout": "0.1", "epsilon": "0.01",
              "weight-decay": "1e-06", "optimizer": "torch-adam", "kl-epochs": "400", "batch-size": "128",
              "never-stop": "yes", "init": "torch"}
    assert {k: lines.get(k) for k in wanted} == wanted
