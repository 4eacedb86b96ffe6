"""Searching settings, and choosing the likelihood: the choice must hold up on molecules that had no
part in it, split and scored here in numpy."""
import json

import h5py
import numpy as np
import pytest
import samples
from test_quality import gain, read_counts, split_molecules

SMALL = "hidden=32,8|16,4|8,2 dropout=0..0.5"


def tune(quell, source, out, *args, **kwargs):
    summary = out.with_suffix(".json")
    quell("tune", source, "-o", out, "--summary", summary, *args, **kwargs)
    return json.loads(summary.read_text())


def test_every_trial_is_in_the_output(quell, example_data, tmp_path):
    out = tmp_path / "out.h5ad"
    tune(quell, example_data / "pbmc_small.h5", out, "--trials", "5", "--epochs", "6",
         "--first-epochs", "2", "--search", SMALL)
    with h5py.File(out) as f:
        table = f["uns/quell/tune/trials"]
        settings = table["settings"].asstr()[:]
        assert settings[0] == "as given" and len(set(settings)) == 5
        np.testing.assert_array_equal(np.sort(table["rung"][:]), [1, 1, 1, 2, 2])
        assert table["rung"][0] == 2
        assert np.isfinite(table["gain"][:]).all()
        # the options stored are those that were used
        best = f["uns/quell/tune/best"][()]
        options = json.loads(f["uns/quell/denoise/options"].asstr()[()])
        hidden = settings[best].split()[0].removeprefix("hidden=") if best else "128,32"
        assert options["hidden"] == [int(n) for n in hidden.split(",")]
        assert f["obsm/X_dca"].shape[1] == options["hidden"][-1]


def test_same_bytes_for_any_number_of_threads(quell, example_data, tmp_path):
    outs = []
    for threads in (1, 3):
        outs.append(tmp_path / f"{threads}.h5ad")
        tune(quell, example_data / "pbmc_small.h5", outs[-1], "--trials", "4", "--epochs", "4",
             "--first-epochs", "2", "--search", SMALL, "--threads", threads)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_a_small_space_is_searched_whole(quell, example_data, tmp_path):
    out = tmp_path / "out.h5ad"
    summary = tune(quell, example_data / "pbmc_small.h5", out, "--trials", "20", "--epochs", "2",
                   "--first-epochs", "0", "--search", "hidden=8,4|8,2|8,1")
    assert summary["metrics"]["trials"] == 4


@pytest.mark.parametrize("args, says", [
    (["--search", "hiden=3"], "did you mean hidden?"),
    (["--search", "dropout=0.1..2"], "--search dropout"),
])
def test_wrong_spaces_are_one_line(quell, example_data, tmp_path, args, says):
    done = quell("tune", example_data / "pbmc_small.h5", "-o", tmp_path / "out.h5ad", *args, code=64)
    assert says in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "out.h5ad").exists()


def simulate(rng, cells=400, genes=150, theta=None, pi=0.0):
    """Counts around rates of rank 2: Poisson, NB (theta) or ZINB."""
    z = rng.normal(size=(cells, 2))
    rates = np.exp(rng.normal(0.5, 1, genes) + z @ rng.normal(0, 0.6, (2, genes)))
    if theta:
        rates = rates * rng.gamma(theta, 1 / theta, rates.shape)
    counts = rng.poisson(np.minimum(rates, 500))
    counts[rng.random(counts.shape) < pi] = 0
    return counts.astype(np.float32)


@pytest.mark.parametrize("kind, found", [
    ({}, "poisson"), ({"theta": 1.0}, "nb"), ({"theta": 3.0, "pi": 0.4}, "zinb")])
def test_type_auto_finds_what_was_simulated(quell, tmp_path, kind, found):
    import scipy.sparse as sp
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(simulate(np.random.default_rng(3), **kind)))
    out = tmp_path / "out.h5ad"
    quell("denoise", source, "-o", out, "--type", "auto", "--hidden", "16,4", "--epochs", "120",
          "--dropout", "0", "--learning-rate", "0.005", "--no-denoised")
    with h5py.File(out) as f:
        assert json.loads(f["uns/quell/denoise/options"].asstr()[()])["type"] == found
        choice = f["uns/quell/denoise/type_choice"]
        types = list(choice["type"].asstr()[:])
        assert types == ["poisson", "nb", "zinb"]
        assert choice["difference"][types.index(found)] == 0


@pytest.mark.parametrize("name", ["pbmc3k", "mixology_5cl_celseq2"])
def test_at_least_as_good_as_the_defaults(quell, shared_data, tmp_path, name):
    """The settings found, against the defaults, on molecules that the search has not seen."""
    train, test = split_molecules(read_counts(shared_data / f"{name}.h5ad"), seed=0)
    source = samples.write_h5ad(tmp_path / "train.h5ad", train.astype(np.float32))
    gains = []
    space = "hidden=256,32 dropout=0.4|0.55|0.65 learning-rate=0.0003|0.001"
    for command in (["denoise"], ["tune", "--trials", "3", "--search", space]):
        out = tmp_path / f"{command[0]}.h5ad"
        quell(*command, source, "-o", out, "--compression", "none", "--estimate", "posterior")
        with h5py.File(out) as f:
            gains.append(gain(train, test, f["layers/denoised"][:]))
    assert gains[1] >= gains[0] - 5e-4
