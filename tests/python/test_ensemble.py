"""Ensembles and --auto: the same bytes for any number of threads, in a file or from memory, stopped
and gone on; a saved one applied gives the numbers of the run that made it; weights, means and scores
as numpy makes them of the members."""
import json
import resource
import shutil
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest
import samples

QUICK = ["--epochs", 4, "--hidden", "16,8", "--seed", 3]
SIX = ["--ensemble", 6, *QUICK]


def read(path, *names):
    with h5py.File(path) as f:
        return [f[name][()] for name in names]


def read_all(path, group):
    with h5py.File(path) as f:
        return list(f[group])


@pytest.fixture(scope="module")
def x():
    """Several gene tiles; genes without counts."""
    x = samples.counts(203, 421).tolil()
    x[:, 17] = x[:, 300] = 0
    return x.tocsr()


@pytest.fixture(scope="module")
def source(x, tmp_path_factory):
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", x)


@pytest.fixture(scope="module")
def run(quell, source, tmp_path_factory):
    """An ensemble of six: its output and its model."""
    folder = tmp_path_factory.mktemp("ensemble")
    quell("denoise", source, "-o", folder / "out.h5ad", "--save-model", folder / "m.quell.h5", "--estimate", "both",
          "--write", "nll,error,pearson,distance,outlier", *SIX, "--summary", folder / "s.json")
    return folder


@pytest.mark.parametrize("words", [SIX, ["--auto", *QUICK]], ids=["ensemble", "auto"])
def test_same_bytes_for_any_number_of_threads(quell, source, tmp_path, words):
    outs = []
    for threads in (1, 2, 3):
        outs.append(tmp_path / f"{threads}.h5ad")
        quell("denoise", source, "-o", outs[-1], *words, "--threads", threads, "--save-model", f"{outs[-1]}.quell.h5")
    for other in outs[1:]:
        assert outs[0].read_bytes() == other.read_bytes()
        assert open(f"{outs[0]}.quell.h5", "rb").read() == open(f"{other}.quell.h5", "rb").read()


def test_streamed_is_the_same(quell, source, run, tmp_path):
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--estimate", "both", "--stream", "--threads", 2,
          "--write", "nll,error,pearson,distance,outlier", *SIX)
    assert (tmp_path / "out.h5ad").read_bytes() == (run / "out.h5ad").read_bytes()


LAYERS = ["layers/denoised", "layers/denoised_mean", "obsm/X_dca", "var/quell_theta", "obs/quell_nll", "obs/quell_error",
          "obs/quell_pearson", "obs/quell_distance"]


def test_applied_is_what_the_run_wrote(quell, source, run, tmp_path):
    quell("apply", source, "-m", run / "m.quell.h5", "-o", tmp_path / "out.h5ad", "--estimate", "both",
          "--write", "nll,error,pearson,distance", "--threads", 2)
    for name in LAYERS:
        np.testing.assert_array_equal(*[read(p, name)[0] for p in (run / "out.h5ad", tmp_path / "out.h5ad")], err_msg=name)


def test_applied_in_parts(quell, source, run, tmp_path):
    for part in (1, 2):
        quell("apply", source, "-m", run / "m.quell.h5", "-o", tmp_path / f"{part}.h5ad", "--shard", f"{part}/2")
    quell("merge", tmp_path / "1.h5ad", tmp_path / "2.h5ad", "--input", source, "-o", tmp_path / "out.h5ad")
    np.testing.assert_array_equal(read(run / "out.h5ad", "layers/denoised")[0], read(tmp_path / "out.h5ad", "layers/denoised")[0])


def test_genes_that_are_not_there(quell, x, run, tmp_path):
    """Counts of half of the genes, in another order: finite, at the cells' depth, 0 where the model has none."""
    order = np.random.default_rng(1).permutation(x.shape[1])[:210]
    part = samples.write_h5ad(tmp_path / "part.h5ad", x[:, order], genes=[f"gene{g}" for g in order])
    quell("apply", part, "-m", run / "m.quell.h5", "-o", tmp_path / "out.h5ad", "--estimate", "mean")
    mean = read(tmp_path / "out.h5ad", "layers/denoised")[0]
    known = ~np.isin(order, [17, 300])
    depth = x[:, order[known]].sum(1).A1
    np.testing.assert_allclose(mean.sum(1), depth, rtol=0.2)
    assert np.isfinite(mean).all() and (mean[:, ~known] == 0).all()


def test_the_posterior_is_of_the_mixture(x, run):
    mean, posterior, theta = read(run / "out.h5ad", "layers/denoised_mean", "layers/denoised", "var/quell_theta")
    used = np.isfinite(theta)
    want = mean * (x.toarray() + theta) / (mean + theta)
    np.testing.assert_allclose(posterior[:, used], want[:, used], rtol=2e-6)


def test_likelihood_is_of_the_mixture(x, run):
    from scipy.special import gammaln
    mean, theta, nll = read(run / "out.h5ad", "layers/denoised_mean", "var/quell_theta", "obs/quell_nll")
    used = np.isfinite(theta)
    y, mu, t = x.toarray()[:, used], mean[:, used].astype(float), theta[used].astype(float)
    log_p = gammaln(y + t) - gammaln(t) - gammaln(y + 1) - t * np.log1p(mu / t) - y * np.log1p(t / mu)
    np.testing.assert_allclose(nll, -log_p.sum(1) / y.sum(1), rtol=1e-5)


def test_the_mixture_is_that_of_its_members(quell, source, run, tmp_path):
    """A model of which all weight is on one member gives that member's means; the mixture is their weighted sum."""
    with h5py.File(run / "m.quell.h5") as f:
        weights = f["ensemble/weights"][:]
    assert weights.shape == (6, 419)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)
    total = 0
    for i in range(6):
        model = shutil.copy(run / "m.quell.h5", tmp_path / f"{i}.quell.h5")
        with h5py.File(model, "a") as f:
            f["ensemble/weights"][:] = np.arange(6)[:, None] == i
        quell("apply", source, "-m", model, "-o", tmp_path / f"{i}.h5ad", "--estimate", "mean")
        mean = read(tmp_path / f"{i}.h5ad", "layers/denoised")[0]
        genes = np.setdiff1d(np.arange(421), [17, 300])
        total = total + weights[i] * mean[:, genes].astype(float)
    np.testing.assert_allclose(read(run / "out.h5ad", "layers/denoised_mean")[0][:, genes], total, rtol=1e-5)


def test_what_is_said_of_it(run):
    table = {}
    with h5py.File(run / "out.h5ad") as f:
        for name, item in f["uns/quell/denoise/ensemble"].items():
            table[name] = item[()]
        gain = f["uns/quell/denoise/heldout/posterior_gain"][()]
    assert [s.decode() for s in table["settings"]] == [
        "as given", "hidden=16,16 seed=4", "type=poisson seed=5", "hidden=16,4 seed=6", "hidden=32,8 seed=7", "seed=8"]
    assert abs(table["weight"].sum() - 1) < 1e-9
    np.testing.assert_allclose(table["better"], gain - table["first_gain"], atol=1e-9)
    metrics = json.loads((run / "s.json").read_text())["metrics"]
    assert metrics["ensemble_models"] == 6 and metrics["ensemble_better"] == pytest.approx(table["better"])
    assert metrics["planned_bytes"] >= json.loads((run / "s.json").read_text())["peak_bytes"]


def test_the_first_member_is_the_single_model(quell, source, run, tmp_path):
    quell("denoise", source, "-o", tmp_path / "one.h5ad", *QUICK)
    for name in ("obsm/X_dca", "uns/quell/denoise/history/loss"):
        np.testing.assert_array_equal(read(tmp_path / "one.h5ad", name)[0], read(run / "out.h5ad", name)[0])


def test_cross_validation_is_of_the_ensemble(quell, source, tmp_path):
    for words, name in ((SIX, "six"), (QUICK, "one")):
        quell("denoise", source, "-o", tmp_path / f"{name}.h5ad", "--mcv", *words)
    key = "uns/quell/denoise/mcv/mean_gain"
    assert read(tmp_path / "six.h5ad", key) != read(tmp_path / "one.h5ad", key)


def test_auto_tells_what_it_compared(quell, source, tmp_path):
    quell("train", source, "--save-model", tmp_path / "m.quell.h5", "--auto", "--folds", 2, *QUICK)
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--auto", "--folds", 2, *QUICK)
    quell("apply", source, "-m", tmp_path / "m.quell.h5", "-o", tmp_path / "applied.h5ad")
    key = "uns/quell/denoise/auto"
    for name in read_all(tmp_path / "out.h5ad", key):
        np.testing.assert_array_equal(*[read(tmp_path / p, f"{key}/{name}")[0] for p in ("out.h5ad", "applied.h5ad")])
    np.testing.assert_array_equal(*[read(tmp_path / p, "layers/denoised")[0] for p in ("out.h5ad", "applied.h5ad")])
    with h5py.File(tmp_path / "out.h5ad") as f:
        table = {name: item[()] for name, item in f["uns/quell/denoise/auto"].items()}
    names = [s.decode() for s in table["candidate"]]
    assert names[0] == "as given" and names[-1] == "mixture" and {"means", "factors=8", "smooth=20", "type=poisson seed=5", "vae"} < set(names)
    chosen = names.index(table["chosen"].decode())
    assert table["difference"][chosen] == 0 and table["folds"] == 2
    assert np.isfinite(table["gain_fold_sd"]).all() and (table["gain_stderr"] > 0).any()
    assert abs(table["weight"][:-1].sum() - 1) < 1e-9
    info = json.loads(quell("info", tmp_path / "m.quell.h5", "--json").stdout)["auto"]
    assert [c["candidate"] for c in info["candidates"]] == names and info["chosen"] == names[chosen]
    np.testing.assert_allclose([c["gain"] for c in info["candidates"]], table["gain"], rtol=1e-6)
    assert f": {names[chosen]}\n" in [line for line in quell("info", tmp_path / "m.quell.h5").stdout.splitlines(True) if "* " in line][0]
    for edit, says in ((lambda f: f["auto"].attrs.__setitem__("chosen", 40), "auto/chosen"),
                       (lambda f: f["auto/gain"].__setitem__(2, np.nan), "auto/gain: value 2"),
                       (lambda f: f.__delitem__("auto/weight"), "auto/weight")):
        change(shutil.copy(tmp_path / "m.quell.h5", tmp_path / "bad.quell.h5"), edit)
        assert says in quell("info", tmp_path / "bad.quell.h5", code=65).stderr
    # gene mean x depth is what gains are measured from, but for the cells that validate
    assert abs(table["gain_select"][names.index("means")]) < 0.25


@pytest.mark.parametrize("words, says", [
    (["--ensemble", 2, "--type", "zinb"], "--type nb or poisson"),
    (["--ensemble", 2, "--type", "nb-conddisp"], "--type nb or poisson"),
    (["--ensemble", 2, "--target", "input"], "--type nb or poisson"),
    (["--ensemble", 2, "--auto"], "leave out --ensemble"),
    (["--ensemble", 2, "--model", "vae", "--type", "zinb"], "--type nb or poisson"),
    (["--auto", "--model", "vae", "--dispersion", "gene-cell"], "not with --dispersion gene-cell"),
    (["--auto", "--decode-as", "a"], "--decode-as: with --auto only of --model vae"),
    (["--ensemble", 33], "32"),
])
def test_what_cannot_be(quell, source, tmp_path, words, says):
    done = quell("denoise", source, "-o", tmp_path / "out.h5ad", *words, code=64)
    assert says in done.stderr and not (tmp_path / "out.h5ad").exists()


def change(path, edit):
    with h5py.File(path, "a") as f:
        edit(f)


@pytest.mark.parametrize("edit, says", [
    (lambda f: f["ensemble/weights"].__setitem__((0, 5), 3), "ensemble/weights"),
    (lambda f: f["ensemble/weights"].__setitem__((slice(None), 5), 0), "add up to 0"),
    (lambda f: f["ensemble"].attrs.__setitem__("models", 7), "model6"),
    (lambda f: f["ensemble/model2"].attrs.__setitem__("settings", "hidden=5,5"), "ensemble/model2"),
    (lambda f: f["ensemble/model2"].attrs.__setitem__("settings", "nonsense"), "no setting of a model"),
    (lambda f: f["ensemble/model2"].attrs.__setitem__("kind", "oracle"), "no such model"),
    (lambda f: f["ensemble/model2"].attrs.__setitem__("kind", "means"), "makes no means"),
    (lambda f: f.__delitem__("ensemble/model3/state"), "ensemble/model3"),
])
def test_damaged_models_are_one_line(quell, source, run, tmp_path, edit, says):
    model = shutil.copy(run / "m.quell.h5", tmp_path / "m.quell.h5")
    change(model, edit)
    done = quell("apply", source, "-m", model, "-o", tmp_path / "out.h5ad", code=65)
    assert says in done.stderr, done.stderr


@pytest.mark.parametrize("words", [[], ["--model", "vae"], ["--model", "vae", "--type", "poisson", "--draws", "1"]],
                         ids=["networks", "vae", "vae-draws"])
def test_stopped_and_gone_on(program, example_data, tmp_path, words):
    """TERM in the middle of six trainings; the same command goes on, to the same bytes."""
    def command(out):
        return [program, "denoise", example_data / "pbmc_small.h5", "-o", tmp_path / out, "--ensemble", "3", "--epochs", "40",
                "--early-stop", "1000", "--hidden", "32,8" + ",32" * bool(words), "--threads", "2", *words]
    kept = ["--checkpoint", tmp_path / "states"]
    subprocess.run(list(map(str, command("plain.h5ad"))), check=True, capture_output=True)
    process = subprocess.Popen(list(map(str, [*command("out.h5ad"), *kept, "--checkpoint-every", "0"])), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline and not list(tmp_path.glob("states/*.checkpoint.h5")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 143, said
    done = subprocess.run(list(map(str, [*command("out.h5ad"), *kept])), capture_output=True, text=True)
    assert done.returncode == 0 and "going on from" in done.stderr, done.stderr
    assert (tmp_path / "out.h5ad").read_bytes() == (tmp_path / "plain.h5ad").read_bytes()
    assert not list(tmp_path.glob("states/*"))


def test_a_time_budget_says_what_it_does(quell, source, tmp_path):
    """Plenty of time changes nothing but a warning; next to none leaves the options as given."""
    outs = {}
    for name, words in {"none": [], "much": ["--time-budget", "10h"], "little": ["--time-budget", "0.001s"]}.items():
        outs[name] = tmp_path / f"{name}.h5ad"
        done = quell("denoise", source, "-o", outs[name], "--auto", *words, *QUICK, "--threads", 1)
        assert ("depends on how fast this machine is" in done.stderr) == bool(words)
    quell("denoise", source, "-o", tmp_path / "plain.h5ad", *QUICK)
    layer = {name: read(out, "layers/denoised")[0] for name, out in outs.items()}
    np.testing.assert_array_equal(layer["none"], layer["much"])
    np.testing.assert_array_equal(layer["little"], read(tmp_path / "plain.h5ad", "layers/denoised")[0])
    for words in (["--time-budget", "soon", "--auto"], ["--time-budget", "10m"]):
        assert "time" in quell("denoise", source, "-o", tmp_path / "x.h5ad", *words, code=64).stderr


def cpu_seconds(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    start = time.monotonic()
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, time.monotonic() - start


def test_a_time_budget_saves_time(program, source, tmp_path):
    """A quarter of the time that it takes: counted in processor time, as the machine may be busy."""
    command = [program, "denoise", source, "-o", tmp_path / "out.h5ad", "--force", "--auto", "--epochs", 30, "--hidden", "16,8",
               "--early-stop", 100, "--threads", 1]
    cpu, wall = cpu_seconds(*command)
    less, _ = cpu_seconds(*command, "--time-budget", f"{wall / 4:.3f}s")
    assert less < 0.8 * cpu


# ---- variational members ----

VAES = ["--ensemble", 3, "--model", "vae", "--batch", "batch", "--labels", "kind", "--epochs", 12, "--hidden", "16,4,16",
        "--seed", 3, "--batch-size", 32]


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """Two batches, cells of which take turns, that hardly share a gene; two kinds of cells."""
    import anndata as ad
    rng = np.random.default_rng(2)
    batch, kind = np.arange(240) % 2, np.arange(240) // 2 % 2
    rate = np.where((np.arange(120) < 60) == (batch[:, None] == 0), 4.0, 0.1)
    rate[:, ::3] *= 1 + kind[:, None]
    obs = {"batch": [f"b{b}" for b in batch], "kind": [f"k{k}" for k in kind]}
    path = tmp_path_factory.mktemp("batches") / "in.h5ad"
    ad.AnnData(rng.poisson(rate).astype(np.float32), obs=obs).write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def vaes(quell, batches, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vaes")
    quell("denoise", batches, "-o", folder / "out.h5ad", "--save-model", folder / "m.quell.h5", "--estimate", "both", *VAES,
          "--threads", 1, "--summary", folder / "s.json")
    return folder


def test_variational_members_are_the_same_for_any_number_of_threads(quell, batches, vaes, tmp_path):
    for i, words in enumerate([["--threads", 3], ["--threads", 2, "--stream"]]):
        quell("denoise", batches, "-o", tmp_path / f"{i}.h5ad", "--save-model", tmp_path / f"{i}.quell.h5", "--estimate", "both",
              *VAES, *words)
        assert (tmp_path / f"{i}.h5ad").read_bytes() == (vaes / "out.h5ad").read_bytes()
        assert (tmp_path / f"{i}.quell.h5").read_bytes() == (vaes / "m.quell.h5").read_bytes()
    metrics = json.loads((vaes / "s.json").read_text())
    assert metrics["metrics"]["planned_bytes"] >= metrics["peak_bytes"]


def test_covariates_are_those_of_the_validation_cells(quell, batches, tmp_path):
    """With those of other cells a member would predict the genes of the other batch, and the mixture be worse than the
    first alone, which is the single model."""
    words = ["--epochs", 40, "--estimate", "mean", "--threads", 1]
    quell("denoise", batches, "-o", tmp_path / "one.h5ad", *VAES[2:], *words)
    quell("denoise", batches, "-o", tmp_path / "three.h5ad", *VAES, *words)
    key = "uns/quell/denoise/ensemble/"
    alone, better = read(tmp_path / "three.h5ad", key + "first_gain", key + "better")
    assert alone == pytest.approx(read(tmp_path / "one.h5ad", "uns/quell/denoise/heldout/mean_gain")[0], abs=1e-12)
    assert alone > 0.5 and better > 0


def test_variational_members_applied(quell, batches, vaes, tmp_path):
    quell("apply", batches, "-m", vaes / "m.quell.h5", "-o", tmp_path / "out.h5ad", "--estimate", "both", "--threads", 2)
    for name in ("layers/denoised", "layers/denoised_mean", "obsm/X_vae", "obs/quell_label_prob"):
        np.testing.assert_array_equal(read(vaes / "out.h5ad", name)[0], read(tmp_path / "out.h5ad", name)[0], err_msg=name)
    done = quell("score", batches, "-m", vaes / "m.quell.h5", "-o", tmp_path / "s.h5ad", code=64)
    assert "is an ensemble" in done.stderr


def test_members_are_decoded_as_other_batches(quell, batches, vaes, tmp_path):
    """As each member alone; cells of the batch itself are what they are."""
    weights, own = read(vaes / "m.quell.h5", "ensemble/weights")[0], read(vaes / "out.h5ad", "layers/denoised_mean")[0]

    def decoded(model):
        quell("apply", batches, "-m", model, "-o", tmp_path / "out.h5ad", "--force", "--decode-as", "b0", "--estimate", "mean", "-q")
        return read(tmp_path / "out.h5ad", "layers/denoised")[0]

    whole, total = decoded(vaes / "m.quell.h5"), 0
    for i in range(3):
        model = shutil.copy(vaes / "m.quell.h5", tmp_path / "m.quell.h5")
        change(model, lambda f: f["ensemble/weights"].__setitem__(slice(None), np.arange(3)[:, None] == i))
        total = total + weights[i] * decoded(model).astype(float)
    np.testing.assert_allclose(whole, total, rtol=1e-5)
    np.testing.assert_allclose(whole[::2], own[::2], rtol=1e-5)
    assert np.abs(whole[1::2] / own[1::2] - 1).max() > 0.1


def test_auto_with_batches(quell, batches, tmp_path):
    """Folds of cells keep each cell's batch: candidates that know it beat those that do not."""
    words = [w for w in VAES[2:] if w not in ("--labels", "kind")]
    quell("denoise", batches, "-o", tmp_path / "out.h5ad", "--auto", *words, "--estimate", "mean", "--threads", 1)
    with h5py.File(tmp_path / "out.h5ad") as f:
        table = {name: item[()] for name, item in f["uns/quell/denoise/auto"].items()}
    names = [s.decode() for s in table["candidate"]]
    assert "vae" not in names and table["gain"][0] > table["gain"][names.index("means")] + 0.1


def test_auto_decoded_as_another_batch(quell, batches, tmp_path):
    """Compared are those that can be decoded so."""
    words = [w for w in VAES[2:] if w not in ("--labels", "kind")]
    quell("denoise", batches, "-o", tmp_path / "out.h5ad", "--auto", *words, "--decode-as", "b0", "--threads", 2,
          "--save-model", tmp_path / "m.quell.h5")
    quell("apply", batches, "-m", tmp_path / "m.quell.h5", "-o", tmp_path / "own.h5ad", "--estimate", "mean")
    own = read(tmp_path / "own.h5ad", "layers/denoised")[0]
    names, decoded = read(tmp_path / "out.h5ad", "uns/quell/denoise/auto/candidate", "layers/denoised")
    names = [s.decode() for s in names]
    assert len(names) == 7 and not {"means", "smooth=20", "factors=8", "vae"} & set(names)
    np.testing.assert_allclose(decoded[::2], own[::2], rtol=1e-5)
    assert np.abs(decoded[1::2] / own[1::2] - 1).max() > 0.1
