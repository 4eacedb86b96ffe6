"""Kinds of hidden layers, codes and weights (docs/family.md), from outside."""
import json
import os

import h5py
import numpy as np
import pytest
import samples

EPOCHS = ["--seed", 3, "--epochs", 12]


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", samples.counts(203, 421))


def fit(quell, source, target, *options, **kwargs):
    """The code, and what the run says of it."""
    done = quell("denoise", source, "-o", target, "--no-denoised", *EPOCHS, *options, **kwargs)
    with h5py.File(target) as f:
        run = f["uns/quell/denoise"]
        said = {key: value[()] for key, value in run.get("code", {}).items()}
        return f["obsm/X_dca"][:], said, run["history/loss"][:], run["history/validation"][:], done


@pytest.mark.parametrize("options", [
    ["--code-l1", 1], ["--code-kl", 5], ["--code-k", 3], ["--code-activation", "gelu"],
], ids=lambda options: options[0].strip("-"))
def test_what_is_said_of_the_code(quell, counts, tmp_path, options):
    code, said, *_ = fit(quell, counts, tmp_path / "out.h5ad", "--summary", tmp_path / "run.json", *options)
    zero = np.abs(code) < 1e-6
    assert said["units"] == code.shape[1] == 32
    assert said["near_zero"] == pytest.approx(zero.mean())
    assert said["dead_units"] == zero.all(0).sum()
    assert said["mean"] == pytest.approx(code.mean(), rel=1e-5)
    metrics = json.loads((tmp_path / "run.json").read_text())["metrics"]
    assert metrics["code_near_zero"] == pytest.approx(said["near_zero"])
    assert metrics["code_dead_units"] == said["dead_units"]


def test_nothing_is_said_of_other_codes(quell, counts, tmp_path):
    assert fit(quell, counts, tmp_path / "out.h5ad")[1] == {}


def test_l1_makes_zeros(quell, counts, tmp_path):
    share = [fit(quell, counts, tmp_path / "out.h5ad", "--force", "--code-l1", x)[1]["near_zero"]
             for x in (0.01, 1, 30)]
    assert share[0] < share[1] < share[2]


def test_k_units_pass(quell, counts, tmp_path):
    code, *_ = fit(quell, counts, tmp_path / "out.h5ad", "--code-k", 3)
    assert ((code != 0).sum(1) == 3).all()


def test_units_are_on_as_often_as_asked(quell, counts, tmp_path):
    options = ["--code-kl", 1000, "--code-rho", 0.2, "--learning-rate", 0.02, "--batch-size", 128]
    code, *_ = fit(quell, counts, tmp_path / "out.h5ad", *options, "--epochs", 100, "--early-stop", 100,
                   "--no-restore-best")
    assert code.min() > 0 and code.max() < 1
    assert np.abs(code.mean(0) - 0.2).max() < 0.06


def test_penalties_are_in_the_training_loss_alone(quell, counts, tmp_path):
    """A learning rate of next to nothing: the same weights, with and without."""
    still = ["--learning-rate", 1e-30, "--epochs", 1, "--hidden", "32,8", "--force", "--dropout", 0,
             "--code-activation", "relu", "--no-code-unit"]
    runs = {x: fit(quell, counts, tmp_path / "out.h5ad", *still, *x)
            for x in [(), ("--code-l1", 2), ("--contractive", 2), ("--orthogonal", 2)]}
    plain = runs.pop(())
    for options, (code, _, loss, validation, done) in runs.items():
        np.testing.assert_array_equal(code, plain[0])
        assert loss[0] > plain[2][0] * 1.0001
        assert (validation[0] == plain[3][0]) == (options[0] != "--orthogonal")
        assert "weighed against the mean loss of a cell" in done.stderr
    assert "weighed" not in plain[4].stderr
    entry = fit(quell, counts, tmp_path / "out.h5ad", *still, "--code-l1", 2, "--loss-scale", "entry")
    ratio = (entry[2][0] - plain[2][0]) / (runs["--code-l1", 2][2][0] - plain[2][0])
    assert ratio == pytest.approx(421, rel=1e-3)


def test_norms(quell, counts, tmp_path):
    """--norm: batch and none are the same as --batchnorm and --no-batchnorm, layer is another."""
    code, *_ = fit(quell, counts, tmp_path / "a.h5ad", "--norm", "layer")
    assert np.isfinite(code).all()
    other, *_ = fit(quell, counts, tmp_path / "b.h5ad", "--norm", "batch")
    plain, *_ = fit(quell, counts, tmp_path / "c.h5ad")
    np.testing.assert_array_equal(other, plain)
    none, *_ = fit(quell, counts, tmp_path / "d.h5ad", "--norm", "none")
    without, *_ = fit(quell, counts, tmp_path / "e.h5ad", "--no-batchnorm")
    np.testing.assert_array_equal(none, without)
    assert not np.array_equal(none, code)


def test_dropout_of_each_layer(quell, counts, tmp_path):
    one, *_ = fit(quell, counts, tmp_path / "a.h5ad", "--dropout", 0.3)
    two, *_ = fit(quell, counts, tmp_path / "b.h5ad", "--dropout", "0.3,0")
    np.testing.assert_array_equal(one, two)
    three, *_ = fit(quell, counts, tmp_path / "c.h5ad", "--dropout", "0.3,0.1")
    assert not np.array_equal(one, three)


@pytest.mark.parametrize("options, text", [
    (["--tied"], "mirror each other"),
    (["--dropout", "0,0,0.2"], "--dropout has 3 values for 2 hidden layers"),
    (["--code-k", 40], "--code-k 40: the bottleneck has 32 units only"),
    (["--code-kl", 1, "--code-activation", "relu"], "not for relu ones"),
], ids=lambda x: x[0].strip("-") if isinstance(x, list) else "")
def test_contradictions_are_usage_errors(quell, counts, tmp_path, options, text):
    done = quell("denoise", counts, "-o", tmp_path / "out.h5ad", *options, code=64)
    assert text in done.stderr
    assert not (tmp_path / "out.h5ad").exists()


ALL = [
    ["--hidden", "16,8,16", "--tied", "--orthogonal", 1, "--contractive", 1, "--code-k", 3],
    ["--norm", "layer", "--activation", "gelu", "--nonnegative", "all", "--dropout", "0.2,0.1"],
    ["--activation", "prelu", "--code-kl", 3],
    ["--activation", "softplus", "--code-l1", 1, "--contractive", 1],
]


@pytest.mark.parametrize("options", ALL, ids=lambda options: options[0].strip("-"))
def test_the_same_bytes(quell, counts, tmp_path, options):
    outputs = set()
    for i, (threads, isa) in enumerate([(1, ""), (3, "avx2"), (2, "")]):
        out = tmp_path / f"{i}" / "out.h5ad"
        out.parent.mkdir()
        env = {**os.environ, **({"QUELL_ISA": isa} if isa else {})}
        done = quell("denoise", counts, "-o", out, *EPOCHS, *options, "--epochs", 3, "--threads", threads, env=env,
                     code=None)
        if "is not a set of kernels that runs here" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        outputs.add(out.read_bytes())
    assert len(outputs) == 1
