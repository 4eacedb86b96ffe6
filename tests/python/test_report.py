"""quell report: one HTML file that fetches nothing, escapes everything and is the same each time."""
import html.parser

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

VOID = {"meta", "br", "hr", "link", "img", "input"}
HOSTILE = "<script>alert(1)</script>"


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.headings = [], set(), "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            assert name not in ("src", "href") and not name.startswith("on")
            assert "://" not in (value or "") and "url(" not in (value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture(scope="module")
def result(quell, example_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "a.h5ad"
    quell("denoise", example_data / "pbmc_small.h5", "-o", out, "-e", 5, "-q", "--write", "outlier")
    return out


def page(quell, h5ad, out, *more):
    quell("report", h5ad, "-o", out, *more)
    text = out.read_text()
    assert "nan" not in text.replace("covariance", "").split("<svg", 1)[-1].split("How to go on")[0]
    return Page(text), text


def test_structure(quell, result, tmp_path):
    p, text = page(quell, result, tmp_path / "a.html")
    assert p.headings == ["How good it is", "What was done", "Cells", "Genes before and after",
                          "Training", "Depth of the cells", "What the numbers are", "How to go on"]
    assert text.count("<svg") == 1 + 6 + 2 + 2
    assert "http" not in text.replace("http-equiv", "") and "script" not in p.tags
    assert "quell_outlier" in p.text and "not normalised" in p.text
    a = anndata.read_h5ad(result)
    gain = a.uns["quell"]["denoise"]["heldout"]["posterior_gain"]
    assert f"{gain:.4f}" in p.text


def test_same_bytes(quell, result, tmp_path):
    pages = [page(quell, result, tmp_path / f"{n}.html", "--threads", n)[1] for n in (1, 2, 3)]
    assert pages[0] == pages[1] == pages[2]


def test_hostile_names(quell, result, tmp_path):
    a = anndata.read_h5ad(result)
    variable = np.asarray(a.X.todense()).var(0).argmax()
    names = a.var_names.to_numpy().copy()
    names[variable] = HOSTILE
    a.var_names = names
    a.obs["kind"] = pd.Categorical(np.where(np.arange(a.n_obs) % 2, "<b>\"x\"", "plain & 'y'"))
    a.write_h5ad(tmp_path / "h.h5ad")
    p, text = page(quell, tmp_path / "h.h5ad", tmp_path / "h.html", "--color", "kind")
    assert HOSTILE in p.text and "<b>\"x\"" in p.text and "plain & 'y'" in p.text
    assert "script" not in p.tags and "b" not in p.tags and "<script" not in text


def test_worse_than_gene_means(quell, result, tmp_path):
    bad = tmp_path / "bad.h5ad"
    bad.write_bytes(result.read_bytes())
    with h5py.File(bad, "r+") as f:
        f["uns/quell/denoise/heldout/posterior_gain"][()] = -0.5
    p, _ = page(quell, bad, tmp_path / "bad.html")
    assert "WORSE" in p.text


def test_size_is_bounded(quell, result, tmp_path):
    a = anndata.read_h5ad(result)
    rows = np.arange(21000) % a.n_obs
    big = anndata.AnnData(a.X[rows], var=a.var, uns=a.uns)
    rng = np.random.default_rng(1)
    big.obsm["X_dca"] = rng.normal(size=(len(rows), 32)).astype("f4")
    big.layers["denoised"] = np.asarray(a.layers["denoised"][rows])
    big.write_h5ad(tmp_path / "big.h5ad")
    page(quell, tmp_path / "big.h5ad", tmp_path / "big.html")
    assert (tmp_path / "big.html").stat().st_size < 3e6


def test_errors(quell, result, example_data, tmp_path):
    counts = example_data / "pbmc_small.h5"
    done = quell("report", counts, "-o", tmp_path / "x.html", code=65)
    assert "not an h5ad" in done.stderr
    a = anndata.read_h5ad(result)
    del a.uns["quell"]
    a.write_h5ad(tmp_path / "plain.h5ad")
    done = quell("report", tmp_path / "plain.h5ad", "-o", tmp_path / "x.html", code=65)
    assert "no results of quell" in done.stderr
    done = quell("report", result, "-o", tmp_path / "x.html", "--color", "nothing", code=64)
    assert "nothing" in done.stderr
    quell("report", result, "-o", result, code=64)
    quell("report", tmp_path / "absent.h5ad", "-o", tmp_path / "x.html", code=66)
    assert not (tmp_path / "x.html").exists()
