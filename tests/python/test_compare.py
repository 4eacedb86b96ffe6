"""quell compare against scikit-learn, and the ways to name labels."""
import gzip
import io
import json

import numpy as np
import pandas as pd
import pytest
import spaces
from sklearn import metrics


def table(text):
    return pd.read_csv(io.StringIO(text), sep="\t")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A file with two labelings, one of which leaves cells out."""
    x, truth = spaces.groups(300, 4, 6, 0.8, seed=2)
    rng = np.random.default_rng(3)
    found = np.where(rng.random(300) < 0.8, truth, rng.integers(5, size=300))
    obs = {"type": pd.Categorical([f"T{t}" for t in truth]),
           "found": pd.Categorical([str(f) if f < 4 else None for f in found])}
    x[7] = np.nan  # a cell that a model set aside
    path = spaces.write(tmp_path_factory.mktemp("compare") / "a.h5ad", {"X_pca": x}, obs)
    return path, x, truth, found


def test_scores(quell, labelled):
    path, x, truth, found = labelled
    got = table(quell("compare", f"{path}:type", "found", "--silhouette").stdout)
    both = found < 4
    assert list(got["cells"]) == [300, both.sum()] and list(got["groups"]) == [4, 4]
    assert got["ari"][1] == pytest.approx(metrics.adjusted_rand_score(truth[both], found[both]), abs=6e-5)
    assert got["nmi"][1] == pytest.approx(metrics.normalized_mutual_info_score(truth[both], found[both]), abs=6e-5)
    placed = ~np.isnan(x[:, 0])
    for row, (label, part) in enumerate([(truth, placed), (found, placed & both)]):
        exact = metrics.silhouette_score(x[part].astype(np.float64), label[part])
        assert got["silhouette"][row] == pytest.approx(exact, abs=6e-5)


def test_json_and_confusion(quell, labelled):
    path, _, truth, found = labelled
    both = found < 4
    expected = metrics.confusion_matrix(truth[both], found[both])
    got = json.loads(quell("compare", f"{path}:type", "found", "--format", "json", "--confusion").stdout)
    assert np.array_equal(got[0]["confusion"]["cells"], expected)
    assert got[0]["ari"] == pytest.approx(metrics.adjusted_rand_score(truth[both], found[both]), abs=1e-14)
    text = quell("compare", f"{path}:type", "found", "--confusion").stdout
    assert np.array_equal(table(text).iloc[:, 1:], expected)


def test_sample(quell, labelled):
    """A silhouette from a sample is near the exact one, and says so."""
    path = labelled[0]
    full = table(quell("compare", f"{path}:type", "--silhouette").stdout)
    done = quell("compare", f"{path}:type", "--silhouette", "--silhouette-cells", 200)
    part = table(done.stdout)
    assert "200 cells drawn" in done.stderr
    assert part["silhouette"][0] != full["silhouette"][0]
    assert part["silhouette"][0] == pytest.approx(full["silhouette"][0], abs=0.05)


@pytest.mark.parametrize("kind", ["csv", "tsv", "r", "quoted", "gz", "windows"])
def test_tables(quell, labelled, tmp_path, kind):
    """Labels of a table, in another order, matched by name."""
    path, _, truth, _ = labelled
    order = np.random.default_rng(1).permutation(300)[:250]
    rows = [(f"c{i}", f"x, {truth[i]}" if kind == "quoted" else f"g{truth[i]}") for i in order]
    file = tmp_path / ("t.tsv" if kind in ("tsv", "r") else "t.csv")
    sep = "\t" if kind in ("tsv", "r") else ","
    head = {"r": "label", "quoted": '"","label"'}.get(kind, f"cell{sep}label")
    body = [f'"{n}","{v}"' if kind == "quoted" else f"{n}{sep}{v}" for n, v in rows]
    text = "\n".join([head, *body]) + "\n"
    if kind == "gz":
        file = tmp_path / "t.csv.gz"
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() if kind == "windows" else text.encode())
    got = table(quell("compare", f"{path}:type", file).stdout)
    assert got["ari"][0] == 1 and got["cells"][0] == 250
    got = table(quell("compare", f"{file}:label", f"{path}:type").stdout)
    assert got["ari"][0] == 1 and got["cells"][0] == 250


@pytest.mark.parametrize("words, code, says", [
    (["{p}:type"], 64, "nothing to be compared with"),
    (["{p}", "type"], 64, "does not say which column"),
    (["{p}:type", "nowhere"], 65, "nowhere"),
    (["/no/such.h5ad:x", "y"], 66, "/no/such.h5ad"),
    (["/no/such.csv", "y"], 66, "/no/such.csv"),
])
def test_mistakes(quell, labelled, words, code, says):
    done = quell("compare", *[w.replace("{p}", str(labelled[0])) for w in words], code=code)
    assert says in done.stderr and not done.stdout


def test_no_common_cell(quell, labelled, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("cell,label\nz1,a\nz2,b\n")
    assert "in common" in quell("compare", f"{labelled[0]}:type", file, code=65).stderr
    file.write_text("cell,label\nc1,a\nc1,b\n")
    assert "twice" in quell("compare", f"{labelled[0]}:type", file, code=65).stderr
    file.write_text("cell,label\nc1\n")
    assert "line 2" in quell("compare", f"{labelled[0]}:type", file, code=65).stderr
    cut = tmp_path / "t.csv.gz"
    cut.write_bytes(gzip.compress(b"cell,label\nc1,a\n" * 99)[:-9])
    assert "incomplete gzip" in quell("compare", f"{labelled[0]}:type", cut, code=65).stderr
    cut.write_bytes(b"")
    assert "is empty" in quell("compare", f"{labelled[0]}:type", cut, code=65).stderr
