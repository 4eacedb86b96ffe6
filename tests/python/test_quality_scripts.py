"""tests/quality, which compares quell with other methods: that it measures what it says, and its verdicts."""
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

SCRIPTS = pathlib.Path(__file__).parents[1] / "quality"
sys.path.insert(0, str(SCRIPTS))
import ceiling  # noqa: E402
import score  # noqa: E402
import simulate  # noqa: E402
import table  # noqa: E402


@pytest.fixture(scope="module")
def work(program, tmp_path_factory):
    """Two methods on two splits of a small simulation."""
    folder = tmp_path_factory.mktemp("quality")
    (folder / "data").mkdir()
    simulate.CELLS, simulate.GENES, simulate.DEPTH = 150, 80, 400
    simulate.write(str(folder / "data" / "small.h5ad"), 3, None)
    for _ in range(2):  # what is there is not measured again
        subprocess.run([sys.executable, SCRIPTS / "quality.py", "run", "--quell", program, "--data", folder / "data", "--work",
                        folder, "--splits", "2", "--only", "gene means,quell"], check=True, capture_output=True)
    return folder


def test_what_is_measured(work):
    lines = [json.loads(line) for line in (work / "results.jsonl").read_text().splitlines()]
    assert sorted((r["method"], r["seed"]) for r in lines) == [("gene means", 0), ("gene means", 1), ("quell", 0), ("quell", 1)]
    for r in lines:
        assert 0.5 < r["truth"] < 1 and r["cpu"] >= 0 and r["mib"] > 0
        assert r["gain"] == pytest.approx(0, abs=1e-6) if r["method"] == "gene means" else r["gain"] > 0.02


def test_the_truth_gains_most(work):
    """The rates that counts were drawn from predict them better than the gene means, as the score says."""
    import scipy.sparse as sp
    seen, held = score.read_counts(work / "small.0.h5ad"), sp.load_npz(work / "small.0.npz")
    truth = score.read_truth(work / "data" / "small.h5ad")
    assert score.gain(seen, held, 0.9 * truth)[0] > 0.1
    assert score.truth_correlation(0.9 * truth, truth) == pytest.approx(1)
    whole = score.read_counts(work / "data" / "small.h5ad")
    assert (seen + held != whole).nnz == 0 and held.sum() == pytest.approx(0.1 * whole.sum(), rel=0.05)
    assert np.corrcoef(whole.toarray().ravel(), truth.ravel())[0, 1] > 0.7


def seeds(*gains):
    return {i: {"gain": g} for i, g in enumerate(gains)}


def test_verdicts():
    methods = {"quell": seeds(1.0, 1.2, 1.1), "nmf 8": seeds(0.9, 1.1, 1.0), "nmf 4": seeds(0.5, 0.5), "knn": {7: {"gain": 5}}}
    assert table.best_other(methods, methods["quell"]) == "nmf 8"  # knn shares no split
    n, ratio, _, difference, error = table.compare(methods["quell"], methods["nmf 8"])
    assert n == 3 and difference == pytest.approx(0.1) and error == pytest.approx(0, abs=1e-9)
    assert ratio == pytest.approx(np.mean([1 / 0.9, 1.2 / 1.1, 1.1]))
    assert table.verdict(3, 1.2, 0.1, 0.01, 1.15) == "yes"
    assert table.verdict(3, 1.1, 0.1, 0.01, 1.15) == "no"
    assert table.verdict(3, 1.2, 0.1, 0.06, 1.15) == "not beyond two errors"
    assert table.verdict(1, 1.2, 0.1, float("nan"), 1.15) == "yes, in one split"


def test_a_ceiling(program, tmp_path, monkeypatch):
    """Whoever knows the rates is ahead of whoever knows means and dispersions, and those of whoever knows the means."""
    monkeypatch.setattr(ceiling, "QUELL", program)
    rng = np.random.default_rng(2)
    mean = np.outer(rng.lognormal(0, 0.3, 120), np.exp(rng.normal(1, 1, 60)))
    mean[:60, :20] *= 3
    made = ceiling.gains(mean, np.full(60, 2.0), 0, [], [()], tmp_path)
    assert made["rates"] > made["posterior"] + 0.01 > made["mean"] + 0.02
    assert made["mean"] > 0.01 and made["quell "] < made["posterior"]
