"""What is asked of a trained variational autoencoder: sample, score, de, arithmetic, interpolate,
impute. Small made-up cells of two kinds and two conditions; real ones where they are."""
import csv
import json
import math

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

N_CELLS, N_GENES = 240, 60


def simulated():
    """Kinds differ in genes 0-9, conditions in genes 10-14, for either kind alike."""
    rng = np.random.default_rng(3)
    kind, stim = np.arange(N_CELLS) % 2, (np.arange(N_CELLS) // 2) % 2
    log_rate = rng.normal(0, 0.7, N_GENES) + np.zeros((N_CELLS, 1))
    log_rate[:, :10] += 1.5 * kind[:, None]
    log_rate[:, 10:15] += 2.0 * stim[:, None]
    depth = rng.gamma(8, 0.5, (N_CELLS, 1))
    x = rng.poisson(depth * np.exp(log_rate)).astype(np.float32)
    a = anndata.AnnData(sp.csr_matrix(x))
    a.obs_names = [f"cell{i}" for i in range(N_CELLS)]
    a.var_names = [f"gene{i}" for i in range(N_GENES)]
    a.obs["kind"] = np.array(["k0", "k1"])[kind]
    a.obs["condition"] = np.array(["ctrl", "stim"])[stim]
    a.obs["half"] = np.where(rng.random(N_CELLS) < 0.5, "a", "b")
    a.var["feature_types"] = ["Antibody Capture" if g in (3, 12) else "Gene" for g in range(N_GENES)]
    return a


@pytest.fixture(scope="module")
def files(tmp_path_factory, quell):
    """(cells, model, model with batches)"""
    folder = tmp_path_factory.mktemp("generative")
    cells = folder / "cells.h5ad"
    simulated().write_h5ad(cells)
    models = []
    for name, more in (("plain", []), ("batch", ["--batch", "condition"])):
        models.append(folder / f"{name}.h5")
        quell("embed", cells, "--model", "vae", "--epochs", 150, "--seed", 1, "--hidden", "32,4,32",
              "-o", folder / f"{name}.h5ad", "--save-model", models[-1], *more)
    return cells, *models


def table(path):
    with open(path, newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    return rows, [row[""] for row in rows]


def column(rows, name):
    return np.array([float(row[name] or "nan") for row in rows])


def test_score(quell, files, tmp_path):
    cells, model, _ = files
    few, many = tmp_path / "few.tsv", tmp_path / "many.tsv"
    quell("score", cells, "-m", model, "-n", 20, "-o", few)
    quell("score", cells, "-m", model, "-n", 500, "-o", many)
    (a, names), (b, _) = table(few), table(many)
    assert names == [f"cell{i}" for i in range(N_CELLS)]
    assert np.array_equal(column(a, "n_counts"), anndata.read_h5ad(cells).X.sum(1).A1)
    # IWAE is at most the evidence, and not below the bound; more draws do not lower it
    assert column(b, "log_lik").mean() > column(a, "log_lik").mean() > column(a, "elbo").mean()
    assert np.all(column(a, "ess") <= 20 + 1e-9) and np.all(column(a, "ess") >= 1)
    assert np.allclose(column(a, "elbo"), column(a, "reconstruction") - column(a, "kl"))
    apart = np.abs(column(a, "elbo") - column(b, "elbo"))
    assert np.mean(apart < 3 * column(a, "elbo_se")) > 0.9
    assert abs(np.median(column(b, "anomaly"))) < 0.3


def test_log_likelihood_is_that_of_the_counts(quell, files, tmp_path):
    """ln p(x) of a cell is a number of molecules' worth of nats: about the Poisson's at the truth."""
    cells, model, _ = files
    out = tmp_path / "score.tsv"
    quell("score", cells, "-m", model, "-o", out)
    x = anndata.read_h5ad(cells).X.toarray()
    share = x.sum(0) / x.sum()
    mu = x.sum(1, keepdims=True) * share
    lgamma = np.vectorize(math.lgamma)
    one_profile = (x * np.log(mu) - mu - lgamma(x + 1)).sum(1).mean()
    assert one_profile < column(table(out)[0], "log_lik").mean() < one_profile + 200


def test_sample(quell, files, tmp_path):
    cells, model, batch = files
    out, check = tmp_path / "s.h5ad", tmp_path / "check.tsv"
    quell("sample", cells, "-m", model, "-o", out, "--check", check)
    a, real = anndata.read_h5ad(out), anndata.read_h5ad(cells)
    x = a.X.toarray()
    assert a.shape == real.shape and np.all(x == np.floor(x)) and x.min() == 0
    assert list(a.obs["cell"]) == list(real.obs_names) and set(a.obs["origin"]) == {"posterior"}
    assert a.obsm["X_vae"].shape == (N_CELLS, 4)
    mean, truth = x.mean(0), real.X.toarray().mean(0)
    assert np.corrcoef(np.log(mean + 0.1), np.log(truth + 0.1))[0, 1] > 0.97
    rows, names = table(check)
    at = {name: row for name, row in zip(names, rows)}
    assert float(at["library_mean"]["real"]) == pytest.approx(real.X.sum(1).mean())
    assert float(at["library_mean"]["sampled"]) == pytest.approx(x.sum(1).mean())
    assert float(at["zero_fraction"]["sampled"]) == pytest.approx((x == 0).mean())
    for name in ("auroc_latent", "auroc_log_counts"):
        assert 0.3 < float(at[name]["comparison"]) < 0.85
        assert 0 < float(at[name + "_se"]["comparison"]) < 0.1
    # a chosen batch, a chosen depth, the prior
    stim = tmp_path / "stim.h5ad"
    quell("sample", cells, "-m", batch, "-o", stim, "--decode-as", "stim", "--library", 500, "-n", 300,
          "--select", "condition=ctrl")
    s = anndata.read_h5ad(stim)
    assert s.n_obs == 300 and set(s.obs["library"]) == {500.0}
    assert s.uns["quell"]["sample"]["decoded_as"] == "stim"
    share = np.asarray(s.X.sum(0)).ravel() / s.X.sum()
    ctrl = real[real.obs.condition == "ctrl"].X.sum(0).A1
    assert share[10:15].sum() > 3 * ctrl[10:15].sum() / ctrl.sum()
    quell("sample", cells, "-m", model, "-o", stim, "--prior", "--force")
    assert set(anndata.read_h5ad(stim).obs["origin"]) == {"prior"}


def test_de(quell, files, tmp_path):
    cells, model, _ = files
    out = tmp_path / "de.tsv"
    quell("de", cells, "-m", model, "--group1", "condition=stim", "--group2", "condition=ctrl", "-o", out)
    rows, genes = table(out)
    assert set(genes[:5]) == {f"gene{g}" for g in range(10, 15)}
    assert all(row["is_de_fdr"] == "True" for row in rows[:5])
    # kinds are in both groups, and gene 0 .. 9 no different between them
    p = dict(zip(genes, column(rows, "proba_de")))
    assert max(p[f"gene{g}"] for g in range(10)) < 0.9
    x, c = anndata.read_h5ad(cells).X.toarray(), anndata.read_h5ad(cells).obs.condition == "stim"
    raw = dict(zip(genes, column(rows, "raw_mean1")))
    assert raw["gene3"] == pytest.approx(x[c, 3].mean())
    assert np.all(column(rows, "lfc_low") <= column(rows, "lfc_median"))
    # halves at random; every group against the rest
    quell("de", cells, "-m", model, "-g", "half", "--group1", "a", "-o", out, "--force")
    assert {row["is_de_fdr"] for row in table(out)[0]} == {"False"}
    quell("de", cells, "-m", model, "-g", "kind", "--mode", "vanilla", "-o", out, "--force")
    rows, _ = table(out)
    assert len(rows) == 2 * N_GENES and {r["comparison"] for r in rows} == {"k0 vs rest", "k1 vs rest"}


@pytest.fixture(scope="module")
def ranked(quell, files, tmp_path_factory):
    """Table and h5ad of every kind against the rest, of either mode."""
    out, done = tmp_path_factory.mktemp("ranked"), {}
    for mode in "change", "vanilla":
        quell("de", files[0], "-m", files[1], "-g", "kind", "--mode", mode, "-o", out / f"{mode}.tsv", "--h5ad",
              out / f"{mode}.h5ad")
        done[mode] = table(out / f"{mode}.tsv")[0], out / f"{mode}.h5ad"
    return done


@pytest.mark.parametrize("mode", ["change", "vanilla"])
def test_ranked_genes(ranked, files, mode):
    """uns/rank_genes_groups: the table's figures, in scanpy's order and form."""
    rows, path = ranked[mode]
    a, given = anndata.read_h5ad(path), anndata.read_h5ad(files[0])
    assert np.array_equal(a.X.toarray(), given.X.toarray())
    r = a.uns["rank_genes_groups"]
    assert set(r) == {"names", "scores", "logfoldchanges", "pvals", "pvals_adj", "params"}
    assert r["params"]["groupby"] == "kind" and r["params"]["reference"] == "rest"
    assert r["params"]["method"] == f"quell de --mode {mode}" and not r["params"]["use_raw"]
    assert r["names"].dtype.names == ("k0", "k1")
    for group in "k0", "k1":
        mine = {row[""]: row for row in rows if row["group1"] == group}
        names, score, p = r["names"][group], r["scores"][group], r["pvals"][group]
        assert sorted(names) == sorted(given.var_names) and np.all(np.diff(score) <= 0)
        proba, fold = (np.array([float(mine[n][c]) for n in names]) for c in ("proba_de", "lfc_mean"))
        expected = 2 * proba - 1 if mode == "vanilla" else np.where(fold < 0, -proba, proba)
        np.testing.assert_allclose(score, expected, atol=1e-12)
        np.testing.assert_allclose(p, 1 - np.abs(expected), atol=1e-12)
        np.testing.assert_allclose(r["logfoldchanges"][group], fold, atol=1e-12)
        for adjusted, mine_p in zip(r["pvals_adj"][group], p):
            assert adjusted == pytest.approx(p[p <= mine_p + 1e-12].mean(), abs=1e-9)
        if mode == "change":  # at the level of the table's tags
            tagged = {n for n in names if mine[n]["is_de_fdr"] == "True"}
            assert tagged == {n for n, q in zip(names, r["pvals_adj"][group]) if q <= 0.05}
    assert set(r["names"]["k1"][:5]) <= {f"gene{g}" for g in range(10)}


def test_scanpy_reads_ranked_genes(ranked):
    """It is not there in `make check`, which is no skip: `make workflows` has it."""
    try:
        import matplotlib
        import scanpy
    except ImportError:
        return

    matplotlib.use("Agg")
    rows, path = ranked["change"]
    a = anndata.read_h5ad(path)
    df = scanpy.get.rank_genes_groups_df(a, group=None)
    assert len(df) == 2 * N_GENES and set(df["group"]) == {"k0", "k1"}
    by_gene = {row[""]: float(row["lfc_mean"]) for row in rows if row["group1"] == "k1"}
    some = scanpy.get.rank_genes_groups_df(a, group="k1", pval_cutoff=0.05, log2fc_min=0)
    assert 5 <= len(some) < N_GENES
    np.testing.assert_allclose(some["logfoldchanges"], [by_gene[n] for n in some["names"]], rtol=1e-6)
    scanpy.pl.rank_genes_groups(a, n_genes=5, show=False)
    scanpy.pl.rank_genes_groups_dotplot(a, n_genes=3, values_to_plot="logfoldchanges", show=False)


def test_score_into_obs(quell, files, tmp_path):
    """Of an input that is no h5ad, whose genes are in another order than the model's: X is its own."""
    cells, model, _ = files
    a = anndata.read_h5ad(cells)[:, ::-1].copy()
    text = tmp_path / "in.csv"
    frame = a.to_df().astype(int).T
    text.write_text("," + ",".join(frame.columns) + "\n" + "".join(
        f"{name}," + ",".join(map(str, row)) + "\n" for name, row in zip(frame.index, frame.to_numpy())))
    for source in text, cells:
        quell("score", source, "-m", model, "-n", 9, "-o", tmp_path / "s.tsv", "--h5ad", tmp_path / "o.h5ad", "--force")
        rows, _ = table(tmp_path / "s.tsv")
        out = anndata.read_h5ad(tmp_path / "o.h5ad")
        for name in "log_lik", "log_lik_se", "ess", "elbo", "anomaly":
            np.testing.assert_array_equal(out.obs[f"quell_{name}"], column(rows, name))
        whole = anndata.read_h5ad(cells)[out.obs_names, out.var_names]
        assert np.array_equal(out.X.toarray(), whole.X.toarray())
        genes = tmp_path / "genes.txt"
        genes.write_text("gene12\ngene3\n")
        quell("impute", source, "-m", model, "--mask", genes, "-o", tmp_path / "i.h5ad", "--force")
        filled = anndata.read_h5ad(tmp_path / "i.h5ad")
        assert np.array_equal(filled.X.toarray(), whole.X.toarray())
        assert set(filled.var_names[filled.layers["imputed"].toarray().sum(0) > 0]) == {"gene3", "gene12"}


def test_de_batch_correct(quell, files, tmp_path):
    cells, _, batch = files
    out = tmp_path / "de.tsv"
    groups = ["--group1", "condition=stim", "--group2", "condition=ctrl", "-o", out, "--force"]
    quell("de", cells, "-m", batch, *groups)
    found = sum(row["is_de_fdr"] == "True" for row in table(out)[0])
    quell("de", cells, "-m", batch, *groups, "--batch-correct")
    assert found >= 5 and sum(row["is_de_fdr"] == "True" for row in table(out)[0]) == 0


def test_arithmetic(quell, files, tmp_path):
    cells, model, _ = files
    out = tmp_path / "a.tsv"
    done = quell("arithmetic", cells, "-m", model, "--plus", "condition=stim,kind!=k1", "--minus",
                 "condition=ctrl,kind!=k1", "--to", "condition=ctrl,kind=k1", "--compare",
                 "condition=stim,kind=k1", "-o", out, "--top", 10)
    rows, genes = table(out)
    assert genes == [f"gene{g}" for g in range(N_GENES)]
    log = {k: np.log1p(column(rows, k)) for k in ("observed", "predicted", "compared")}
    r2 = np.corrcoef(log["predicted"], log["compared"])[0, 1] ** 2
    assert r2 > 0.9 > np.corrcoef(log["observed"], log["compared"])[0, 1] ** 2
    assert f"{r2:.4f}" in done.stderr
    a = anndata.read_h5ad(cells)
    k = (a.obs.kind == "k1") & (a.obs.condition == "stim")
    x = a[k].X.toarray()
    assert np.allclose(column(rows, "compared"), (1e4 * x / x.sum(1, keepdims=True)).mean(0))
    assert np.allclose(column(rows, "predicted").sum(), 1e4)


def test_interpolate(quell, files, tmp_path):
    cells, model, _ = files
    out = tmp_path / "way.tsv"
    quell("interpolate", cells, "-m", model, "--from", "condition=ctrl", "--to", "condition=stim", "-n",
          5, "--library", 1000, "-o", out)
    rows, genes = table(out)
    way = np.array([column(rows, name) for name in ("0.0000", "0.2500", "0.5000", "0.7500", "1.0000")])
    assert np.allclose(way.sum(1), 1000, rtol=1e-4)
    assert np.all(np.diff(way[:, 10:15].sum(1)) > 0)
    quell("interpolate", cells, "-m", model, "--from", "name=cell0", "--to", "name=cell3", "-o", out,
          "--path", "arc", "--force")


def test_impute(quell, files, tmp_path):
    cells, model, _ = files
    out, errors, genes = tmp_path / "i.h5ad", tmp_path / "e.tsv", tmp_path / "genes.txt"
    genes.write_text("gene12\ngene3\n")
    quell("impute", cells, "-m", model, "--mask", genes, "-o", out, "--table", errors)
    a = anndata.read_h5ad(out)
    layer, x = a.layers["imputed"].toarray(), a.X.toarray()
    rows, names = table(errors)
    assert names == ["gene3", "gene12"]
    assert set(np.flatnonzero(layer.sum(0))) == {3, 12}
    for row, g in zip(rows, (3, 12)):
        assert float(row["mean"]) == pytest.approx(x[:, g].mean())
        assert float(row["imputed_mean"]) == pytest.approx(layer[:, g].mean(), rel=1e-5)
        total = x.sum(1)
        r = np.corrcoef(np.log1p(1e4 * layer[:, g] / total), np.log1p(1e4 * x[:, g] / total))[0, 1]
        assert float(row["correlation"]) == pytest.approx(r, rel=1e-4)
        assert r > 0.4 and float(row["gain"]) > 0.05
    # what the masked genes hold in the file decides nothing
    hidden = anndata.read_h5ad(cells)
    hidden.X = hidden.X.toarray()
    hidden.X[:, [3, 12]] = 0
    hidden.X = sp.csr_matrix(hidden.X)
    hidden.write_h5ad(tmp_path / "hidden.h5ad")
    again = tmp_path / "again.h5ad"
    quell("impute", tmp_path / "hidden.h5ad", "-m", model, "--mask-where",
          "feature_types=Antibody Capture", "-o", again)
    assert np.array_equal(anndata.read_h5ad(again).layers["imputed"].toarray(), layer)


COMMANDS = {
    "score": ["-n", 7],
    "de": ["-g", "kind", "--pairs", 200],
    "sample": ["--select", "kind=k0"],
    "interpolate": ["--from", "kind=k0", "--to", "kind=k1"],
    "arithmetic": ["--plus", "condition=stim", "--minus", "condition=ctrl", "--to", "kind=k0",
                   "--balance", "kind"],
    "impute": ["--mask-where", "feature_types=Antibody Capture"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_threads_and_seeds(quell, files, tmp_path, command):
    cells, model, _ = files
    end = ".h5ad" if command in ("sample", "impute") else ".tsv"
    content = []
    for k, (threads, seed) in enumerate([(1, 5), (3, 5), (2, 6)]):
        out = tmp_path / f"{k}{end}"
        quell(command, cells, "-m", model, *COMMANDS[command], "-o", out, "--threads", threads, "--seed", seed)
        content.append(out.read_bytes())
    assert content[0] == content[1]
    assert (content[0] == content[2]) == (command in ("interpolate", "arithmetic", "impute"))


@pytest.fixture(scope="module")
def large(tmp_path_factory, quell):
    """Enough cells and genes that what is held counts beside the program."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(2)
    a = anndata.AnnData(sp.random(1500, 2500, 0.1, "csr", np.float32, rng, lambda n: rng.integers(1, 5, n)))
    a.obs_names, a.var_names = [f"c{i}" for i in range(1500)], [f"g{i}" for i in range(2500)]
    a.obs["kind"] = np.array(["k0", "k1"])[np.arange(1500) % 2]
    a.var["feature_types"] = np.array(["Gene", "Antibody Capture"])[np.arange(2500) % 2]
    a.write_h5ad(folder / "cells.h5ad")
    quell("train", folder / "cells.h5ad", "--model", "vae", "--epochs", 1, "--hidden", "16,4,16", "--batch-size",
          512, "--save-model", folder / "m.h5")
    return folder / "cells.h5ad", folder / "m.h5"


PLANNED = {
    "score": ["-n", 2],
    "de": ["-g", "kind", "--group1", "k0", "--pairs", 1000],
    "sample": ["--check", "check.tsv", "--folds", 2],
    "interpolate": ["--from", "kind=k0", "--to", "kind=k1", "-n", 50],
    "arithmetic": ["--plus", "kind=k0", "--minus", "kind=k1", "--to", "kind=k0", "--compare", "kind=k1"],
    "impute": ["--mask-where", "feature_types=Antibody Capture", "--rounds", 0, "--table", "t.tsv"],
}


@pytest.mark.parametrize("command", PLANNED)
def test_plan_holds(quell, large, tmp_path, command):
    """The plan counts what the command holds beside model and counts: not less, and not twice as much."""
    end = ".h5ad" if command in ("sample", "impute") else ".tsv"
    quell(command, large[0], "-m", large[1], *PLANNED[command], "-o", tmp_path / f"o{end}", "--summary",
          tmp_path / "s.json", "--threads", 2, cwd=tmp_path)
    s = json.loads((tmp_path / "s.json").read_text())
    assert s["peak_bytes"] <= s["metrics"]["planned_bytes"] <= 2 * s["peak_bytes"] + (96 << 20)


def test_refusals(quell, files, tmp_path):
    cells, model, batch = files
    out = tmp_path / "x.tsv"
    dca = tmp_path / "dca.h5"
    quell("train", cells, "--epochs", 2, "--save-model", dca)
    cases = [
        (["score", cells, "-m", dca], "not a variational"),
        (["score", cells, "-m", model, "--decode-as", "stim"], "no batches"),
        (["sample", cells, "-m", batch, "--decode-as", "xx"], "ctrl, stim"),
        (["de", cells, "-m", model], "--groupby"),
        (["de", cells, "-m", model, "-g", "nothing"], "no column 'nothing'"),
        (["de", cells, "-m", model, "-g", "kind", "--group1", "k7"], "no cell has kind=k7"),
        (["de", cells, "-m", model, "--group1", "kind=k0", "--group2", "condition=stim"], "both groups"),
        (["interpolate", cells, "-m", model, "--from", "kind", "--to", "kind=k0"], "says nothing"),
        (["impute", cells, "-m", model], "--mask"),
        (["impute", cells, "-m", model, "--mask-where", "feature_types=Gene|Antibody Capture"], "all genes"),
    ]
    for args, text in cases:
        done = quell(*args, "-o", out, code=None)
        assert done.returncode in (64, 65) and text in done.stderr, (args, done.stderr)
        assert not out.exists()
    out.write_text("mine")
    assert "exists" in quell("score", cells, "-m", model, "-o", out, code=73).stderr
    assert out.read_text() == "mine"
    assert quell("score", cells, "-m", model, "-o", model, "--force", code=64).stderr


@pytest.fixture(scope="module")
def kang(shared_data):
    path = shared_data / "kang_pbmc_ifnb_subset.h5ad"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def test_stimulated_type_is_predicted(quell, kang, tmp_path):
    """CD4 T cells under interferon, which the model has not seen."""
    left = tmp_path / "left.h5ad"
    a = anndata.read_h5ad(kang)
    a[~((a.obs.cell_type == "CD4 T cells") & (a.obs.condition == "stim"))].copy().write_h5ad(left)
    model, out = tmp_path / "m.h5", tmp_path / "a.tsv"
    quell("embed", left, "--model", "vae", "-o", tmp_path / "e.h5ad", "--save-model", model, "--seed", 0)
    quell("arithmetic", kang, "-m", model, "--plus", "condition=stim,cell_type!=CD4 T cells", "--minus",
          "condition=ctrl,cell_type!=CD4 T cells", "--balance", "cell_type", "--to",
          "condition=ctrl,cell_type=CD4 T cells", "--compare", "condition=stim,cell_type=CD4 T cells",
          "-o", out)
    rows, _ = table(out)
    log = {k: np.log1p(column(rows, k)) for k in ("observed", "predicted", "compared")}
    assert np.corrcoef(log["predicted"], log["compared"])[0, 1] ** 2 > 0.9
    assert np.corrcoef(log["observed"], log["compared"])[0, 1] ** 2 < 0.87
    # interferon genes in a type that was seen
    de = tmp_path / "de.tsv"
    quell("de", kang, "-m", model, "--group1", "condition=stim,cell_type=CD14+ Monocytes", "--group2",
          "condition=ctrl,cell_type=CD14+ Monocytes", "-o", de)
    rows, genes = table(de)
    assert {"ISG15", "IFI6", "IFIT1", "IFIT3", "MX1"} <= set(genes[:40])
    assert all(row["is_de_fdr"] == "True" for row in rows[:40])


def test_left_out_type_scores_low(quell, kang, tmp_path):
    a = anndata.read_h5ad(kang)
    a[a.obs.cell_type != "B cells"].copy().write_h5ad(tmp_path / "left.h5ad")
    model, out = tmp_path / "m.h5", tmp_path / "s.tsv"
    quell("embed", tmp_path / "left.h5ad", "--model", "vae", "-o", tmp_path / "e.h5ad", "--save-model",
          model, "--seed", 0)
    quell("score", kang, "-m", model, "-o", out, "-n", 30)
    assert roc_auc_score(a.obs.cell_type == "B cells", column(table(out)[0], "anomaly")) > 0.75
