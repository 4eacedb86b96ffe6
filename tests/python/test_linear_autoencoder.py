"""A linear autoencoder of the scaled inputs is principal component analysis; real counts and numpy."""
import h5py
import numpy as np
import pytest
import samples
from test_embed import angle, scaled

CODE = 4


@pytest.fixture(scope="module")
def pbmc(shared_data):
    """120 of the genes that are seen most, all cells."""
    anndata = pytest.importorskip("anndata")
    x = anndata.read_h5ad(shared_data / "pbmc3k.h5ad").X
    return x[:, np.asarray((x > 0).sum(axis=0)).ravel().argsort()[-120:]].tocsr().astype(np.float32)


def test_pbmc(quell, pbmc, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", pbmc)
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--target", "input", "--hidden", CODE,
          "--activation", "linear", "--no-batchnorm", "--dropout", 0, "--validation", 0,
          "--batch-size", 5000, "--learning-rate", 0.01, "--epochs", 1000, "--early-stop", 400,
          "--reduce-lr", 250, "--no-denoised")
    z = scaled(pbmc.toarray())
    u, s, v = np.linalg.svd(z, full_matrices=False)
    left = (s[CODE:] ** 2).sum() / z.size
    with h5py.File(tmp_path / "out.h5ad") as f:
        loss = f["uns/quell/denoise/history/loss"][:].min()
        latent = f["obsm/X_dca"][:].astype(np.float64)
        assert f["uns/quell/denoise/model"][()].decode() == "gaussian"
        epochs = len(f["uns/quell/denoise/history/loss"])
    found = angle((latent - latent.mean(axis=0)).T, u[:, :CODE].T)
    print(f"loss {loss:.8f}, eigenvalues left over {left:.8f}, angle {found:.4f}, {epochs} epochs")
    assert left * (1 - 1e-6) < loss < left * (1 + 1e-4)  # float32
    assert found < 1e-2


def test_layers_are_turned_back(quell, tmp_path):
    """The layer is (exp of the predicted logarithm - 1) x size factor, and says what it is."""
    x = samples.counts(60, 40)
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--target", "input", "--hidden", 39, "--activation",
          "linear", "--no-batchnorm", "--dropout", 0, "--validation", 0, "--epochs", 4000, "--early-stop",
          400, "--reduce-lr", 100, "--learning-rate", 0.003, "--batch-size", 60, "--no-match-depth")
    with h5py.File(tmp_path / "out.h5ad") as f:
        layer = f["layers/denoised"][:]
        text = f["uns/quell/denoise/scale/denoised"][()].decode()
    # 39 units of 40 genes leave hardly anything out
    assert np.abs(layer - x.toarray()).mean() < 0.1 * x.toarray().mean()
    assert "turned back" in text and "raw scale" in text


@pytest.mark.parametrize("options, says", [
    (["--target", "input", "--estimate", "posterior"], "has no posterior"),
    (["--target", "input", "--input-thinning", "0.2"], "--input-thinning predicts counts"),
    (["--corrupt", "thin", "--input-thinning", "0.2"], "give one of them"),
    (["--corrupt", "mask", "--inputdropout", "0.2"], "leave out --corrupt mask"),
    (["--corrupt", "mask", "--corrupt-strength", "1"], "must be below 1 for mask"),
    (["--corrupt-strength", "0.5"], "needs a --corrupt"),
    (["--corrupt", "salt-pepper", "--no-norminput"], "--norminput"),
    (["--corrupt", "thin", "--allow-noncounts"], "needs whole counts"),
])
def test_what_does_not_go_together(quell, tmp_path, options, says):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts())
    done = quell("denoise", source, "-o", tmp_path / "out.h5ad", *options, code=64)
    assert says in done.stderr


@pytest.mark.parametrize("kind", ["mask", "gaussian", "thin"])
@pytest.mark.parametrize("target", ["counts", "input"])
def test_same_bytes(quell, tmp_path, kind, target):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(203, 421))
    seen = set()
    for threads in (1, 2, 5):
        (tmp_path / str(threads)).mkdir()
        out = tmp_path / str(threads) / "out.h5ad"
        quell("denoise", source, "-o", out, "--corrupt", kind, "--target", target, "--epochs", 3,
              "--threads", threads)
        seen.add(out.read_bytes())
    quell("denoise", source, "-o", out, "--corrupt", kind, "--target", target, "--epochs", 3, "--stream", "--force")
    seen.add(out.read_bytes())
    assert len(seen) == 1


def test_inputdropout_is_corrupt_dropout(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts())
    latent = []
    for name, options in (("a", ["--inputdropout", 0.3]),
                          ("b", ["--corrupt", "dropout", "--corrupt-strength", 0.3]),
                          ("c", [])):
        quell("denoise", source, "-o", tmp_path / name, "--epochs", 3, *options)
        with h5py.File(tmp_path / name) as f:
            latent.append(f["obsm/X_dca"][:])
    assert np.array_equal(latent[0], latent[1]) and not np.array_equal(latent[0], latent[2])


def test_pretraining_is_corrupted_then_clean(quell, tmp_path):
    """As many epochs as with corruption throughout are the same; the next one is not."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(80, 60))
    for kind in ("mask", "thin"):
        loss = {}
        for name, options in (("all", []), ("some", ["--pretrain", "denoise", "--pretrain-epochs", 4])):
            out = tmp_path / f"{kind}-{name}.h5ad"
            quell("denoise", source, "-o", out, "--corrupt", kind, "--epochs", 6, "--early-stop", 1,
                  "--min-gain", 0, *options)
            with h5py.File(out) as f:
                loss[name] = f["uns/quell/denoise/history/loss"][:]
        n = min(4, len(loss["all"]))
        assert len(loss["some"]) > 4 and np.array_equal(loss["all"][:n], loss["some"][:n])
        if len(loss["all"]) > 4:
            assert loss["all"][4] != loss["some"][4]
