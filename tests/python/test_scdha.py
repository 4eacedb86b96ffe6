"""quell embed --model scdha: against a second implementation, as a model file, stopped and gone on
with, and on labelled cells (docs/scdha.md)."""
import signal
import subprocess
import time

import h5py
import numpy as np
import pandas as pd
import pytest
import samples
import scdha_twin
import scipy.sparse as sp

SHORT = ["--l1-epochs", 2, "--epochs", 2]


def grouped(n, genes, seed=3):
    """Counts of four groups of cells; one gene has none."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.4, 3.0, (4, genes))[rng.integers(4, size=n)] * rng.gamma(5, 0.2, (n, 1))
    x = rng.poisson(rate).astype(np.float32)
    x[:, 7] = 0
    x[0, 0] = 150  # the range is that of counts
    return x


@pytest.fixture(scope="module")
def counts():
    return grouped(130, 90)


@pytest.fixture(scope="module")
def source(counts, tmp_path_factory):
    return samples.write_h5ad(tmp_path_factory.mktemp("scdha") / "in.h5ad", sp.csr_matrix(counts))


def read(path, key="X_scdha"):
    with h5py.File(path) as f:
        return {k: v[:] for k, v in f["obsm"].items() if k == key or k.startswith(key + "_")}


def column(path, name):
    with h5py.File(path) as f:
        return f["var"][name][:]


# ---- against the twin ----

@pytest.mark.parametrize("noise, warm_up, close", [("batch", 0, 1e-3), ("cell", 0, 1e-3), ("batch", 2, 0.01)])
def test_a_whole_training(quell, source, counts, tmp_path, noise, warm_up, close):
    """Three models of 130 cells, SELU in the encoder: every latent space of the nine. The sign in the
    absolute error's gradient makes much of rounding."""
    out = tmp_path / "out.h5ad"
    quell("embed", source, "-o", out, "--like", "scdha", "--noise-per", noise, "--all-latents",
          "--seed", 5, "--l1-epochs", warm_up, "--epochs", 2)
    x, kept = scdha_twin.inputs(counts)
    expected = scdha_twin.latents(x, 5, 130, 3, noise == "cell", warm_up=warm_up, epochs=2)
    got = read(out)
    assert len(got) == 10
    for i, z in enumerate(expected):
        np.testing.assert_allclose(got[f"X_scdha_{i + 1}"], z, atol=close * np.abs(z).max())
    chosen = column(out, "scdha_selected")
    assert np.array_equal(np.flatnonzero(chosen), kept)


def test_a_training_with_batch_norm_and_a_choice_of_genes(quell, tmp_path):
    """More than 500 training cells, a sample of all; the genes that the filters choose."""
    counts = grouped(640, 60, seed=8)
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(counts))
    out = tmp_path / "out.h5ad"
    quell("embed", source, "-o", out, "--like", "scdha", "--top-genes", 25, "--train-cells", 600,
          "--all-latents", "--models", 2, "--seed", 3, "--l1-epochs", 0, "--epochs", 1)
    x, kept = scdha_twin.inputs(counts)
    score = np.mean([scdha_twin.filter_scores(x, 3 + r, 600, 12) for r in (1, 2, 3)], axis=0)
    weight = column(out, "scdha_weight")
    np.testing.assert_allclose(weight[kept], score, atol=2e-4)
    assert np.isnan(weight[7]) and np.isnan(np.delete(weight, kept)).all()
    chosen = column(out, "scdha_selected")
    assert chosen.sum() == 25
    assert np.array_equal(kept[score > np.quantile(score, 1 - 25 / len(kept))],
                          np.flatnonzero(chosen))
    expected = scdha_twin.latents(x[:, chosen[kept]], 3, 600, 12, False, 0, 1, models=2)
    for i, z in enumerate(expected):
        np.testing.assert_allclose(read(out)[f"X_scdha_{i + 1}"], z, atol=1e-3 * np.abs(z).max())


# ---- our own settings ----

def dispersions(counts):
    """The rule of Satija et al. 2015 with pandas, as scanpy's flavor "seurat" has it."""
    depth = counts.sum(axis=1)
    x = counts / depth[:, None] * np.median(depth)
    mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)
    d = pd.DataFrame({"d": np.log(var / mean)})
    by = d.groupby(pd.cut(np.log1p(mean), bins=20), observed=True)["d"]
    return np.where(by.transform("size") == 1, 1, (d["d"] - by.transform("mean")) / by.transform("std"))


def test_genes_by_dispersion(quell, source, counts, tmp_path):
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "scdha", "--top-genes", 30, *SHORT)
    kept = np.flatnonzero((counts != 0).any(axis=0))
    score = dispersions(counts[:, kept].astype(np.float64))
    weight, chosen = (column(tmp_path / "out.h5ad", f"scdha_{c}") for c in ("weight", "selected"))
    np.testing.assert_allclose(weight[kept], score, rtol=1e-9)
    assert chosen.sum() == 30 and chosen[kept[np.argsort(-score)[:30]]].all()


def test_models_side_by_side(quell, source, tmp_path):
    out = tmp_path / "out.h5ad"
    quell("embed", source, "-o", out, "--model", "scdha", "--all-latents", *SHORT)
    got = read(out)
    assert np.array_equal(got["X_scdha"], np.hstack([got[f"X_scdha_{i}"] for i in (3, 6, 9)]))


def test_cells_drawn_by_group(quell, source, counts, tmp_path):
    """Numbers are weights: with ones and zeros, only cells of the ones can be trained on, so the
    counts of the others decide nothing."""
    marked = tmp_path / "marked.h5ad"
    outs = []
    for scale in (1, 3):
        x = counts.copy()
        x[80:] = np.roll(x[80:], scale, axis=1)
        x[:, 7] = 0
        path = samples.write_h5ad(marked, sp.csr_matrix(x))
        with h5py.File(path, "a") as f:
            w = f["obs"].create_dataset("w", data=(np.arange(130) < 80).astype(np.float64))
            w.attrs["encoding-type"], w.attrs["encoding-version"] = "array", "0.2.0"
            f["obs"].attrs["column-order"] = np.array([*f["obs"].attrs["column-order"], "w"], dtype=object)
        outs.append(tmp_path / f"{scale}.h5ad")
        quell("embed", path, "-o", outs[-1], "--model", "scdha", "--train-cells", 60, "--sample-weights", "w", *SHORT)
    one, two = (read(o)["X_scdha"] for o in outs)
    assert np.array_equal(one[:80], two[:80]) and not np.array_equal(one[80:], two[80:])
    done = quell("embed", marked, "-o", tmp_path / "o.h5ad", "--model", "scdha", "--sample-weights", "v", code=64)
    assert "--sample-weights v" in done.stderr
    done = quell("embed", marked, "-o", tmp_path / "o.h5ad", "--model", "scdha", "--train-cells", 100,
                 "--sample-weights", "w", code=65)
    assert "fewer than 100 cells" in done.stderr


# ---- which latent space ----

def test_the_consensus_says_which(quell, source, tmp_path):
    """As quell cluster does it with the nine, in a run of its own; a model file remembers."""
    out, again, model = tmp_path / "out.h5ad", tmp_path / "clusters.h5ad", tmp_path / "m.quell.h5"
    quell("embed", source, "-o", out, "--like", "scdha", "--all-latents", "--seed", 3, "--save-model", model, *SHORT)
    quell("cluster", out, "-o", again, "--like", "scdha", "--seed", 3)
    with h5py.File(again) as f:
        known, record = f["uns/quell/embed"], f["uns/quell/cluster/scdha"]
        best = record["best_space"][()]
        assert known["returned"][()] == best
        assert np.array_equal(known["groups"][:], record["groups"][:])
        assert np.array_equal(known["agreement"][:], record["agreement"][:])
        assert np.argmax(known["agreement"][:]) + 1 == best
        assert np.array_equal(f["obs/scdha_cluster/codes"][:], f["obs/scdha/codes"][:])
    got = read(out)
    assert np.array_equal(got["X_scdha"], got[f"X_scdha_{best}"])
    quell("apply", source, "-m", model, "-o", tmp_path / "applied.h5ad")
    assert np.array_equal(read(tmp_path / "applied.h5ad")["X_scdha"], got["X_scdha"])


# ---- the same bytes ----

def test_same_bytes(writes_the_same_bytes, source):
    writes_the_same_bytes("embed", source, "--model", "scdha", "--top-genes", 40, *SHORT)


# ---- models as files ----

@pytest.fixture(scope="module")
def model(quell, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    quell("embed", source, "-o", folder / "out.h5ad", "--model", "scdha", "--top-genes", 40,
          "--save-model", folder / "m.quell.h5", *SHORT)
    return folder


def test_applied_to_the_same_cells(quell, source, model, tmp_path):
    quell("apply", source, "-m", model / "m.quell.h5", "-o", tmp_path / "out.h5ad")
    assert np.array_equal(read(tmp_path / "out.h5ad")["X_scdha"], read(model / "out.h5ad")["X_scdha"])
    for name in ("scdha_weight", "scdha_selected"):
        assert np.array_equal(column(tmp_path / "out.h5ad", name), column(model / "out.h5ad", name),
                              equal_nan=name == "scdha_weight")


def test_applied_to_other_cells_with_genes_in_another_order(quell, counts, model, tmp_path):
    order = np.random.default_rng(1).permutation(counts.shape[1])
    genes = samples.names("gene", counts.shape[1])
    with h5py.File(model / "out.h5ad") as f:
        genes = [g.decode() for g in f["var/_index"][:]]
    part = counts[40:90][:, order]
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(part),
                                genes=[genes[g] for g in order])
    quell("apply", source, "-m", model / "m.quell.h5", "-o", tmp_path / "out.h5ad")
    got = read(tmp_path / "out.h5ad")["X_scdha"]
    assert np.array_equal(got, read(model / "out.h5ad")["X_scdha"][40:90])
    assert np.array_equal(column(tmp_path / "out.h5ad", "scdha_selected"),
                          column(model / "out.h5ad", "scdha_selected")[order])


def test_strange_genes_and_options(quell, counts, model, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(counts),
                                genes=[f"other{i}" for i in range(counts.shape[1])])
    done = quell("apply", source, "-m", model / "m.quell.h5", "-o", tmp_path / "out.h5ad", code=78)
    assert not (tmp_path / "out.h5ad").exists()
    done = quell("apply", source, "-m", model / "m.quell.h5", "-o", tmp_path / "out.h5ad",
                 "--write", "nll", code=64)
    assert "--write is of no use with a model of scdha" in done.stderr
    done = quell("embed", source, "-o", tmp_path / "out.h5ad", "--init-from",
                 model / "m.quell.h5", "--epochs", 1, code=65)
    assert "is a model of kind 'scdha'" in done.stderr


def test_broken_models(quell, source, model, tmp_path):
    for name, change, message in (
            ("encoder1/weight", lambda x: x[:-1], "encoder1/weight"),
            ("encoder2/mu/bias", lambda x: x * np.nan, "encoder2/mu/bias: entry 0 is nan"),
            ("genes/column", lambda x: x[::-1], "genes/column"),
            ("genes/column", lambda x: 0 * x - 1, "genes/column: no gene is chosen"),
            ("genes/total", lambda x: x * np.inf, "genes/total: entry"),
            ("encoder9/bias", lambda x: None, "encoder9/bias")):
        bad = tmp_path / "bad.quell.h5"
        bad.write_bytes((model / "m.quell.h5").read_bytes())
        with h5py.File(bad, "a") as f:
            values = change(f[name][:])
            del f[name]
            if values is not None:
                f[name] = values
        done = quell("apply", source, "-m", bad, "-o", tmp_path / "out.h5ad", code=65)
        assert message in done.stderr
        quell("info", bad, code=65)


def test_info(quell, model):
    text = quell("info", model / "m.quell.h5").stdout
    assert "scdha" in text and "40 of them chosen" in text


# ---- stopped and gone on with ----

def test_goes_on_from_a_checkpoint(program, quell, source, tmp_path):
    options = ["--model", "scdha", "--top-genes", "40", "--epochs", "60", "--threads", "1"]
    whole, out, states = tmp_path / "whole.h5ad", tmp_path / "out.h5ad", tmp_path / "states"
    quell("embed", source, "-o", whole, *options)
    line = [program, "embed", str(source), "-o", str(out), *options, "--checkpoint", str(states),
            "--checkpoint-every", "0"]
    for _ in range(10):
        run = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while run.poll() is None and time.monotonic() < end and not list(states.glob("quell-*")):
            time.sleep(0.005)
        run.send_signal(signal.SIGTERM)
        text = run.communicate(timeout=60)[1]
        if run.returncode == 143:
            break
        out.unlink()
    assert run.returncode == 143 and "goes on from there" in text
    assert not out.exists() and len(list(states.glob("quell-*.checkpoint.h5"))) == 1
    done = quell(*line[1:])
    assert "going on from" in done.stderr
    assert out.read_bytes() == whole.read_bytes()
    assert not list(states.glob("quell-*"))


# ---- edges ----

def test_logged_values_are_left_as_they_are(quell, counts, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(np.log2(counts + 1)))
    done = quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "scdha", "--return", "last",
                 "--allow-noncounts", *SHORT)
    assert "as they are" in done.stderr
    plain = samples.write_h5ad(tmp_path / "plain.h5ad", sp.csr_matrix(counts))
    quell("embed", plain, "-o", tmp_path / "two.h5ad", "--model", "scdha", "--return", "last", *SHORT)
    np.testing.assert_allclose(read(tmp_path / "out.h5ad")["X_scdha"],
                               read(tmp_path / "two.h5ad")["X_scdha"], atol=2e-3)


def test_a_cell_without_counts(quell, counts, tmp_path):
    x = counts.copy()
    x[17] = 0
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(x))
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "scdha", *SHORT)
    z = read(tmp_path / "out.h5ad")["X_scdha"]
    assert np.isnan(z[17]).all() and np.isfinite(np.delete(z, 17, axis=0)).all()


def test_results_of_an_earlier_run(quell, source, tmp_path):
    quell("embed", source, "-o", tmp_path / "one.h5ad", "--model", "scdha", *SHORT)
    done = quell("embed", tmp_path / "one.h5ad", "-o", tmp_path / "two.h5ad", "--model", "scdha",
                 *SHORT, code=73)
    assert "--force" in done.stderr
    quell("embed", tmp_path / "one.h5ad", "-o", tmp_path / "two.h5ad", "--model", "scdha", *SHORT,
          "--force")


def test_memory_plan_holds(quell, source, tmp_path):
    import json
    quell("embed", source, "-o", tmp_path / "out.h5ad", "--model", "scdha", *SHORT, "--summary",
          tmp_path / "s.json")
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["peak_bytes"] <= summary["metrics"]["planned_bytes"]
    assert summary["metrics"]["chosen_genes"] == 89
    plan = json.loads(quell("embed", source, "--model", "scdha", "--plan=json").stdout)
    assert plan["memory_bytes"] > 0


# ---- labelled cells ----

@pytest.mark.parametrize("name, options, least", [
    ("kang_pbmc_ifnb_subset", ["--like", "scdha"], 0.45),
    ("kang_pbmc_ifnb_subset", ["--model", "scdha"], 0.45)])
def test_groups_of_real_cells(quell, shared_data, tmp_path, name, options, least):
    """k-means of the latent space with the true number of groups; docs/scdha.md has the figures of
    more seeds and data."""
    cluster, metrics = pytest.importorskip("sklearn.cluster"), pytest.importorskip("sklearn.metrics")
    out = tmp_path / "out.h5ad"
    quell("embed", shared_data / f"{name}.h5ad", "-o", out, *options, "--seed", 10)
    with h5py.File(out) as f:
        codes, z = f["obs/cell_type/codes"][:], f["obsm/X_scdha"][:]
    found = cluster.KMeans(len(set(codes)), n_init=10, random_state=0).fit_predict(z)
    assert metrics.adjusted_rand_score(codes, found) > least
