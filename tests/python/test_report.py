"""quell report: one HTML file that fetches nothing, escapes everything and is the same each time."""
import html
import html.parser
import json
import re
import shutil
import subprocess

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
    assert p.headings == ["Cells", "Genes before and after", "How good it is", "How sure it is", "Training", "The data",
                          "What was done", "What the numbers are", "How to go on", "Citation"]
    # maps by depth and outlier; raw, denoised and a scatter of six genes; curves; distributions and genes
    assert text.count("<svg") == 2 + 6 * 3 + 2 + 5
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
    a.obs["kind"] = pd.Categorical(np.where(np.arange(a.n_obs) % 2, "<u>\"x\"", "plain & 'y'"))
    a.write_h5ad(tmp_path / "h.h5ad")
    p, text = page(quell, tmp_path / "h.h5ad", tmp_path / "h.html", "--color", "kind", "--genes", HOSTILE)
    assert HOSTILE in p.text and "<u>\"x\"" in p.text and "plain & 'y'" in p.text
    assert "script" not in p.tags and "u" not in p.tags and "<script" not in text


def test_maps(quell, result, tmp_path):
    """A map for every column with groups, the one asked for first; none of columns that have no groups."""
    a = anndata.read_h5ad(result)
    a.obs["sample"] = pd.Categorical(np.where(np.arange(a.n_obs) % 3, "liver", "lung"))
    a.obs["type"] = pd.Categorical(np.where(np.arange(a.n_obs) % 2, "B", "T"))
    a.obs["barcode"] = a.obs_names.to_numpy()
    a.obs["same"] = pd.Categorical(["x"] * a.n_obs)
    a.write_h5ad(tmp_path / "m.h5ad")
    for first, order in (None, ["sample", "type"]), ("type", ["type", "sample"]):
        more = ["--color", first] if first else []
        _, text = page(quell, tmp_path / "m.h5ad", tmp_path / f"{first}.html", *more)
        labels = re.findall(r"<label for=\"map\d\">(.*?)</label>", text)
        assert labels == order + ["molecules per cell", "quell_outlier"]
        assert text.count('type="radio"') == text.count('class="pane"') == 4 and text.count(" checked") == 1


def test_points_are_where_the_numbers_are(quell, result, tmp_path):
    """Each cell is a dot of the first map, in the place that numpy gives it."""
    a = anndata.read_h5ad(result)
    a.obsm["X_umap"] = np.random.default_rng(0).normal(size=(a.n_obs, 2))
    a.write_h5ad(tmp_path / "u.h5ad")
    _, text = page(quell, tmp_path / "u.h5ad", tmp_path / "u.html")
    first = text.split('class="pane"')[1].split("</svg>")[0]
    drawn = np.array(re.findall(r"M([\d.]+) ([\d.]+)h0", first), dtype=float)
    assert len(drawn) == a.n_obs
    lo, hi = a.obsm["X_umap"].min(0), a.obsm["X_umap"].max(0)
    share = (a.obsm["X_umap"] - lo) / (hi - lo)
    size = drawn.max(0) - drawn.min(0)
    want = drawn.min(0) + size * np.column_stack([share[:, 0], 1 - share[:, 1]])
    assert np.abs(np.sort(want, axis=0) - np.sort(drawn, axis=0)).max() < 0.11


def tables(text, heading):
    """The tables of a section, as lists of rows of texts."""
    part = text.split(f"<h2>{heading}</h2>")[1].split("</section>")[0]
    rows = [re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S) for table in re.findall(r"<table>(.*?)</table>", part, re.S)]
    return [[[html.unescape(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)] for row in table] for table in rows]


def test_clusters(quell, result, tmp_path):
    """Sizes, medians, shares by sample and genes that stand out, against pandas and numpy; hostile names."""
    a = anndata.read_h5ad(result)
    rng = np.random.default_rng(3)
    group = np.array(["0", HOSTILE, "2"])[rng.choice(3, a.n_obs, p=[0.5, 0.3, 0.2])].astype(object)
    group[:7] = None  # cells in no cluster
    a.obs["mine"] = pd.Categorical(group)
    a.obs["sample"] = pd.Categorical(np.where(rng.random(a.n_obs) < 0.4, "a<b", "c"))
    a.uns["quell"]["cluster"] = {"mine": {"method": "leiden", "use": "X_dca", "modularity": 0.4321}}
    a.uns["mine"] = {"params": {"resolution": 0.7}}
    a.write_h5ad(tmp_path / "c.h5ad")
    p, text = page(quell, tmp_path / "c.h5ad", tmp_path / "c.html")
    assert p.headings[1] == "Clusters" and re.findall(r"<label for=\"map\d\">(.*?)</label>", text)[:2] == ["mine", "sample"]
    assert "<script" not in text
    records, clusters, shares = tables(text, "Clusters")
    assert records[1:] == [["mine", "leiden", "X_dca", "0.70", "0.432"]]
    depth = np.asarray(a.X.sum(1)).ravel()
    levelled = np.log10(1 + a.X.toarray() * (depth.mean() / depth)[:, None])
    sizes = a.obs["mine"].value_counts()
    assert [row[0] for row in clusters[1:]] == list(sizes.index)
    for row in clusters[1:]:
        inside = (a.obs["mine"] == row[0]).to_numpy()
        others = a.obs["mine"].notna().to_numpy() & ~inside
        assert int(row[1]) == inside.sum() and row[2] == f"{100 * inside.sum() / sizes.sum():.1f}"
        assert float(row[3]) == np.sort(depth[inside])[inside.sum() // 2]
        difference = levelled[inside].mean(0) - levelled[others].mean(0)
        assert row[4] == ", ".join(a.var_names[np.argsort(-difference, kind="stable")[:4]])
    table = pd.crosstab(a.obs["mine"], a.obs["sample"], normalize="index") * 100
    for row in shares[1:]:
        assert row[1:] == [f"{table.loc[row[0], name]:.1f}" for name in shares[0][1:]]


def test_one_cluster_is_none(quell, result, tmp_path):
    a = anndata.read_h5ad(result)
    a.obs["leiden"] = pd.Categorical(["0"] * a.n_obs)
    a.write_h5ad(tmp_path / "c.h5ad")
    p, _ = page(quell, tmp_path / "c.h5ad", tmp_path / "c.html")
    assert "Clusters" not in p.headings


def test_several_models_and_coverage(quell, result, tmp_path):
    """The tables of --auto, of an ensemble and of coverage are those of uns; what is missing is left out."""
    bad = tmp_path / "m.h5ad"
    bad.write_bytes(result.read_bytes())
    gains, weights = np.array([0.1, 0.2, 0.25]), np.array([0.6, 0.4])
    with h5py.File(bad, "r+") as f:
        run = f["uns/quell/denoise"]
        for key, value in {"auto/candidate": ["means", "<i>x", "mixture"], "auto/chosen": "mixture", "auto/gain": gains,
                           "auto/gain_stderr": gains / 10, "auto/difference": gains - 0.25, "auto/difference_stderr": gains / 20,
                           "auto/weight": [0, 1.0, np.nan], "ensemble/settings": ["as given", HOSTILE],
                           "ensemble/weight": weights, "ensemble/first_gain": 0.2, "ensemble/better": 0.05,
                           "ensemble/better_stderr": 0.01}.items():
            run[key] = value
        coverage = {name: run[f"coverage/expected_count/{name}"][:] for name in ("from", "counts", "covered")}
    p, text = page(quell, bad, tmp_path / "m.html")
    assert "script" not in p.tags and "i" not in p.tags
    auto = tables(text, "Models that were compared")[0]
    assert auto[1:] == [["means", "0.1000 ± 0.0100", "-0.1500 ± 0.0050", "0.000"],
                        ["<i>x", "0.2000 ± 0.0200", "-0.0500 ± 0.0100", "1.000"],
                        ["mixture", "0.2500 ± 0.0250", "0.0000 ± 0.0125", ""]]
    assert '<tr class="used"><td>mixture' in text
    assert tables(text, "Models that are mixed")[0][1:] == [["as given", "0.600"], [HOSTILE, "0.400"]]
    assert "gains 0.2000 nats a molecule; the mixture +0.0500 ± 0.0100 more" in p.text
    rows = tables(text, "How sure it is")[0]
    some = coverage["counts"] > 0
    assert [float(row[1]) for row in rows[4:]] == list(coverage["counts"][some])
    assert [row[2] for row in rows[4:]] == [f"{100 * x:.1f}" for x in coverage["covered"][some]]
    with h5py.File(bad, "r+") as f:  # lists that do not fit each other, and numbers where texts belong
        del f["uns/quell/denoise/auto/candidate"], f["uns/quell/denoise/coverage/genes"], f["uns/quell/denoise/ensemble/weight"]
        f["uns/quell/denoise/auto/candidate"] = np.arange(500)
        f["uns/quell/denoise/ensemble/weight"] = [0.1, 0.2, 0.7]
    p, text = page(quell, bad, tmp_path / "n.html")
    assert "How sure it is" not in p.headings and "Models that were compared" not in p.headings
    assert tables(text, "Models that are mixed")[0][1:] == [["as given", ""], [HOSTILE, ""]]


def test_every_layer_has_its_scale(quell, result, tmp_path):
    a = anndata.read_h5ad(result)
    a.layers["other"] = a.X.copy()
    a.write_h5ad(tmp_path / "l.h5ad")
    _, text = page(quell, tmp_path / "l.h5ad", tmp_path / "l.html")
    said = {row[0]: row[1] for row in tables(text, "What the numbers are")[0]}
    scales = a.uns["quell"]["denoise"]["scale"]
    assert said["layers/denoised"] == scales["denoised"] and said["obsm/X_dca"] == scales["X_dca"]
    assert "not of quell" in said["layers/other"] and said["quell_outlier"] == scales["quell_outlier"]


def genes_of(text):
    return re.findall(r"<h3>(.*?) <small>", text)


def test_genes(quell, result, tmp_path):
    a = anndata.read_h5ad(result)
    _, text = page(quell, result, tmp_path / "a.html")
    chosen = genes_of(text)
    x = np.asarray(a[:, chosen].X.todense())
    assert len(set(chosen)) == 6 and ((x > 0).mean(0) >= 0.03).all() and ((x > 0).mean(0) <= 0.85).all()
    levelled = np.log1p(x / np.asarray(a.X.sum(1)))
    alike = np.corrcoef(np.log1p(x * np.asarray(a.X.sum(1)).mean() / np.asarray(a.X.sum(1))).T)
    assert np.triu(alike, 1).max() < 0.35 and levelled.shape == x.shape
    _, text = page(quell, result, tmp_path / "b.html", "--genes", f"{chosen[3]},{a.var_names[7]}")
    assert genes_of(text) == [chosen[3], a.var_names[7]]
    done = quell("report", result, "-o", tmp_path / "c.html", "--genes", "nothing", code=64)
    assert "nothing" in done.stderr


def test_alerts(quell, result, tmp_path):
    p, _ = page(quell, result, tmp_path / "a.html")
    assert "Denoising helps" in p.text and "last epoch was the best" in p.text
    a = anndata.read_h5ad(result)
    a.X.data[:3] += 0.5
    a.write_h5ad(tmp_path / "f.h5ad")
    p, _ = page(quell, tmp_path / "f.h5ad", tmp_path / "f.html")
    assert "not whole numbers" in p.text


def test_worse_than_gene_means(quell, result, tmp_path):
    bad = tmp_path / "bad.h5ad"
    bad.write_bytes(result.read_bytes())
    with h5py.File(bad, "r+") as f:
        f["uns/quell/denoise/heldout/posterior_gain"][()] = -0.5
    p, _ = page(quell, bad, tmp_path / "bad.html")
    assert "WORSE" in p.text


def test_size_is_bounded(quell, result, tmp_path):
    """20,000 and more cells, as many maps and genes as there can be."""
    a = anndata.read_h5ad(result)
    rows = np.arange(21000) % a.n_obs
    big = anndata.AnnData(a.X[rows], obs=a.obs.iloc[rows].reset_index(drop=True).set_index(np.arange(len(rows)).astype(str)),
                          var=a.var, uns=a.uns)
    rng = np.random.default_rng(1)
    for i in range(9):
        big.obs[f"column {i}"] = pd.Categorical(rng.integers(0, 30, len(rows)).astype(str))
    big.obs["leiden"] = pd.Categorical(rng.integers(0, 40, len(rows)).astype(str))
    big.obsm["X_dca"] = rng.normal(size=(len(rows), 32)).astype("f4")
    big.layers["denoised"] = np.asarray(a.layers["denoised"][rows])
    big.write_h5ad(tmp_path / "big.h5ad")
    _, text = page(quell, tmp_path / "big.h5ad", tmp_path / "big.html", "--genes", ",".join(a.var_names[:12]))
    assert (tmp_path / "big.html").stat().st_size < 3e6
    assert text.count('class="pane"') == 8 and "15000 of the cells are shown" in text
    big.obs = big.obs[[]]
    big.write_h5ad(tmp_path / "big.h5ad")
    _, text = page(quell, tmp_path / "big.h5ad", tmp_path / "big2.html")
    assert "20000 of the cells are shown" in text


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


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
BROWSER = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
           "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0",
           "--virtual-time-budget=2000",
           "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--dump-dom"]


def browse(file, folder):
    """The page in Chromium: its text as drawn, what its console says, what it asked the network for."""
    done = subprocess.run([CHROMIUM, *BROWSER, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'net.json'}",
                           file.as_uri()], capture_output=True, text=True, timeout=120)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    text = (folder / "net.json").read_text()
    log = json.loads(text if text.rstrip().endswith("}") else text.rstrip().rstrip(",") + "]}")
    asked = [event["params"] for event in log["events"] if "url" in event.get("params", {})]
    shutil.rmtree(folder / "profile", ignore_errors=True)
    # What has no initiator is the browser's own: it looks for updates.
    return done.stdout, console, {p["url"] for p in asked if p.get("initiator", "not an origin") != "not an origin"}


if CHROMIUM:  # no part of what the tests install; not a skip where it is missing

    def test_in_a_browser(quell, result, tmp_path):
        """A hostile page is drawn: nothing on the console, no request, nothing of it runs."""
        a = anndata.read_h5ad(result)
        names = a.var_names.to_numpy().copy()
        names[5] = HOSTILE
        a.var_names = names
        a.obs["kind"] = pd.Categorical(np.where(np.arange(a.n_obs) % 2, "<img src=http://127.0.0.1:9/x onerror=alert(1)>", "y"))
        a.write_h5ad(tmp_path / "h.h5ad")
        page(quell, tmp_path / "h.h5ad", tmp_path / "h.html", "--genes", HOSTILE)
        dom, console, requests = browse(tmp_path / "h.html", tmp_path)
        assert "Genes before and after" in dom and dom.count("<svg") > 5
        assert console == [] and requests == set()
        assert "<script" not in dom and "<img" not in dom

    def test_the_browser_would_tell(tmp_path):
        (tmp_path / "bad.html").write_text("<p>x</p><img src=http://127.0.0.1:9/x><script>console.error('oh')</script>")
        _, console, requests = browse(tmp_path / "bad.html", tmp_path)
        assert any("oh" in line for line in console) and requests == {"http://127.0.0.1:9/x"}
