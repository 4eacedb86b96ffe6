"""What --write, --latent-at and --genes put into the output, against numpy."""
import warnings

import numpy as np
import pytest
import samples
from left_out_type import statistic

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import anndata as ad

scipy_special = pytest.importorskip("scipy.special")
pytestmark = pytest.mark.filterwarnings("ignore")

CELLS = ["nll", "error", "pearson", "distance", "outlier"]
TYPES = ["poisson", "nb", "nb-conddisp", "zinb", "zinb-conddisp"]
X = samples.counts(n_cells=300, n_genes=150, seed=5)


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Cells and a gene without counts are among them."""
    x = X.tolil()
    x[[3, 299]] = 0
    x[:, 7] = 0
    return samples.write_h5ad(tmp_path_factory.mktemp("extras") / "in.h5ad", x.tocsr())


def denoise(quell, source, target, *options, **how):
    done = quell("denoise", source, "-o", target, "--force", "--epochs", 5, "--batch-size", 32, *options, **how)
    return ad.read_h5ad(target), done.stderr


def wanted(kind):
    layers = ["dispersion"] * kind.endswith("conddisp") + ["dropout"] * kind.startswith("zinb")
    return ",".join(CELLS + layers)


@pytest.fixture(scope="session", params=TYPES)
def output(request, quell, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    return request.param, denoise(quell, source, folder / "out.h5ad", "--type", request.param, "--estimate", "both",
                                  "--write", wanted(request.param), "--validation", 0.3, "--tsv", folder / "tsv",
                                  "--ridge", 0.01)[0], folder


def parts(kind, data):
    """Counts, means, dispersions and dropout of the cells and genes with counts, in float64."""
    cells, genes = data.obs["quell_n_counts"].to_numpy() > 0, data.var["quell_used"].to_numpy()

    def cut(matrix):
        dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
        return dense[np.ix_(cells, genes)].astype(np.float64)

    theta = data.var["quell_theta"].to_numpy(np.float64)[genes] if "quell_theta" in data.var else None
    if kind.endswith("conddisp"):
        theta = cut(data.layers["quell_dispersion"])
    pi = cut(data.layers["quell_dropout"]) if kind.startswith("zinb") else 0.0
    # of types without a posterior the mean is what denoised holds
    mean = cut(data.layers["denoised_mean"])
    return cells, cut(data.X), mean, theta, pi


def test_likelihood(output):
    kind, data, _ = output
    cells, y, mu, theta, pi = parts(kind, data)
    lgamma = scipy_special.gammaln
    if kind == "poisson":
        log_p = y * np.log(mu) - mu - lgamma(y + 1)
    else:
        log_p = (lgamma(y + theta) - lgamma(theta) - lgamma(y + 1) - (theta + y) * np.log1p(mu / theta)
                 + y * np.log(mu / theta))
    if kind.startswith("zinb"):
        log_p = np.where(y > 0, np.log1p(-pi) + log_p, np.log(pi + (1 - pi) * np.exp(log_p)))
    np.testing.assert_allclose(data.obs["quell_nll"][cells], -log_p.sum(1) / y.sum(1), rtol=1e-5)


def test_errors(output):
    kind, data, _ = output
    cells, y, mu, theta, pi = parts(kind, data)
    m = (1 - pi) * mu
    v = m * (1 + mu * (pi + 1 / theta))
    np.testing.assert_allclose(data.obs["quell_pearson"][cells], np.minimum((y - m) ** 2 / v, 100).mean(1), rtol=1e-5)
    scale = 1e4 / y.sum(1, keepdims=True)
    error = ((np.log1p(y * scale) - np.log1p(m * scale)) ** 2).mean(1)
    np.testing.assert_allclose(data.obs["quell_error"][cells], error, rtol=1e-5)


def test_distance(output):
    _, data, _ = output
    z, train = data.obsm["X_dca"].astype(np.float64), (data.obs["quell_split"] == "train").to_numpy()
    cov = np.cov(z[train].T, bias=True)
    cov += np.eye(len(cov)) * 1e-6 * np.trace(cov) / len(cov)
    d = z - z[train].mean(0)
    want = np.sqrt(np.einsum("ij,jk,ik->i", d, np.linalg.inv(cov), d) / z.shape[1])
    np.testing.assert_allclose(data.obs["quell_distance"], want, rtol=1e-6)


def test_outliers(output):
    """Each cell is ranked among those of its kind, which makes the shares uniform there."""
    _, data, _ = output
    role = data.obs["quell_split"].to_numpy()
    for peers in (role == "train", role == "validation"):
        n = peers.sum()
        stat = statistic(data.obs[role != "unused"], peers[role != "unused"])[peers[role != "unused"]]
        share = data.obs["quell_outlier"].to_numpy()[peers]
        np.testing.assert_allclose(np.sort(share), np.arange(n) / n, atol=1e-12)
        # two implementations may order cells differently that are alike to the last digits
        assert np.abs(share - stat.argsort().argsort() / n).max() <= 1.5 / n


def test_cells_without_counts(output):
    kind, data, _ = output
    empty = data.obs["quell_n_counts"] == 0
    assert empty.sum() == 2
    for name in CELLS:
        assert np.array_equal(np.isnan(data.obs[f"quell_{name}"]), empty), name
    for layer in ("quell_dispersion", "quell_dropout"):
        if layer in data.layers:
            assert not data.layers[layer][empty].any() and not data.layers[layer][:, 7].any()


def test_layers_are_what_the_text_files_hold(output):
    kind, data, folder = output
    cells, genes = data.obs["quell_n_counts"].to_numpy() > 0, data.var["quell_used"].to_numpy()
    for name in ("dispersion", "dropout"):
        layer = f"quell_{name}"
        if layer not in data.layers:
            continue
        text = np.loadtxt(folder / "tsv" / f"{name}.tsv", dtype=str)
        assert list(text[:, 0]) == list(data.var_names[genes])
        np.testing.assert_allclose(text[:, 1:].astype(float), data.layers[layer][np.ix_(cells, genes)].T, atol=1e-6)


def test_every_number_says_what_it_is(output):
    _, data, _ = output
    said = set(data.uns["quell"]["denoise"]["scale"])
    assert {name for name in [*data.layers, *data.obsm] if name != "counts"} <= said
    assert {f"quell_{name}" for name in CELLS} <= said


@pytest.mark.parametrize("kind", ["nb", "zinb-conddisp"])
def test_the_same_bytes(quell, source, tmp_path, kind):
    def made(name, *options):
        denoise(quell, source, tmp_path / name, "--type", kind, "--write", wanted(kind), *options)
        return (tmp_path / name).read_bytes()

    first = made("a.h5ad", "--threads", 1)
    assert made("b.h5ad", "--threads", 3) == first
    assert made("c.h5ad", "--threads", 2, "--stream", "--tmpdir", tmp_path) == first


def test_nothing_changes_unasked(quell, source, tmp_path):
    """The columns come last, so the rest of the file is that of a run without them."""
    plain, _ = denoise(quell, source, tmp_path / "a.h5ad")
    more, _ = denoise(quell, source, tmp_path / "b.h5ad", "--write", ",".join(CELLS))
    assert not any(f"quell_{name}" in plain.obs for name in CELLS)
    assert list(more.obs)[: len(plain.obs.columns)] == list(plain.obs)
    assert np.array_equal(plain.layers["denoised"], more.layers["denoised"])
    assert np.array_equal(plain.obsm["X_dca"], more.obsm["X_dca"], equal_nan=True)


def test_columns_as_text(quell, source, tmp_path):
    import pandas as pd

    data, _ = denoise(quell, source, tmp_path / "a.h5ad", "--write", ",".join(CELLS), "--obs-out", tmp_path / "obs.csv")
    text = pd.read_csv(tmp_path / "obs.csv", index_col=0)
    for name in CELLS:
        np.testing.assert_allclose(text[f"quell_{name}"], data.obs[f"quell_{name}"], rtol=1e-12)


def test_columns_alone(quell, source, tmp_path):
    """No h5ad, no layer: --obs-out is enough."""
    quell("denoise", source, "--no-denoised", "--epochs", 2, "--write", "nll", "--obs-out", tmp_path / "obs.csv")
    assert "quell_nll" in (tmp_path / "obs.csv").read_text().splitlines()[0]


def test_two_cells_to_compare_with(quell, source, tmp_path):
    data, _ = denoise(quell, source, tmp_path / "a.h5ad", "--write", "outlier", "--validation", 0.005)
    held = (data.obs["quell_split"] == "validation").to_numpy()
    assert held.sum() == 2
    assert sorted(data.obs["quell_outlier"][held]) == [0, 0.5]
    assert data.uns["quell"]["denoise"]["outlier"]["held_out_cells"] == 2


def test_no_cells_to_compare_with(quell, source, tmp_path):
    data, said = denoise(quell, source, tmp_path / "a.h5ad", "--write", "outlier,nll", "--validation", 0)
    assert "quell_outlier" not in data.obs and "quell_nll" in data.obs
    assert "no cells are held out" in said


@pytest.mark.parametrize("names, words", [
    ("nl", "'nl' is none of nll, error, pearson, distance, outlier, dispersion, dropout; hint: did you mean nll?"),
    ("nll,", "'' is none of"), ("", "'' is none of"), ("nll dropout", "is none of"),
    ("dropout", "type nb has no dropout")])
def test_names_that_are_refused(quell, source, tmp_path, names, words):
    done = quell("denoise", source, "-o", tmp_path / "a.h5ad", "--write", names, code=64)
    assert words in done.stderr
    assert not (tmp_path / "a.h5ad").exists()


def test_one_dispersion_a_gene(quell, source, tmp_path):
    data, said = denoise(quell, source, tmp_path / "a.h5ad", "--write", "dispersion")
    assert list(data.layers) == ["denoised"] and "in var/quell_theta" in said


def test_results_of_an_earlier_run(quell, source, tmp_path):
    """None stays beside those of a model that did not make it."""
    denoise(quell, source, tmp_path / "a.h5ad", "--type", "zinb-conddisp", "--write", wanted("zinb-conddisp"))
    quell("denoise", tmp_path / "a.h5ad", "-o", tmp_path / "b.h5ad", "--epochs", 2, code=73)
    again, _ = denoise(quell, tmp_path / "a.h5ad", tmp_path / "b.h5ad", "--write", "error")
    assert [c for c in again.obs if c.startswith("quell_")] == [
        "quell_n_counts", "quell_size_factor", "quell_split", "quell_error"]
    assert list(again.layers) == ["denoised"]


# ---- the training's course ----


def test_history(quell, source, tmp_path):
    data, _ = denoise(quell, source, tmp_path / "a.h5ad", "--reduce-lr", 1, "--validate", "loss", "--min-gain", 1,
                      "--epochs", 6, "--early-stop", 100, "--learning-rate", 0.02)
    history = data.uns["quell"]["denoise"]["history"]
    assert set(history) == {"loss", "validation", "learning_rate", "best_epoch"}  # no times
    assert len(history["loss"]) == len(history["validation"]) == len(history["learning_rate"]) == 6
    assert np.isfinite(history["loss"]).all() and history["learning_rate"][0] == 0.02
    assert (np.diff(history["learning_rate"]) <= 0).all()


# ---- where the latent space is read ----


def test_latent_at(quell, source, tmp_path):
    nonlinear = ["--no-linear-latent", "--activation", "relu"]
    at = {w: denoise(quell, source, tmp_path / "a.h5ad", *nonlinear, "--latent-at", w)[0] for w in
          ("linear", "norm", "activation")}
    used = (at["linear"].obs["quell_split"] != "unused").to_numpy()
    linear, norm, activation = (at[w].obsm["X_dca"][used] for w in at)
    assert np.array_equal(activation, np.maximum(norm, 0)) and (norm < 0).any()
    for u in range(linear.shape[1]):  # batch norm is linear in each coordinate
        slope, start = np.polyfit(linear[:, u], norm[:, u], 1)
        assert slope > 0
        np.testing.assert_allclose(norm[:, u], slope * linear[:, u] + start, atol=1e-4)
    assert np.array_equal(at["linear"].layers["denoised"], at["norm"].layers["denoised"])
    assert "after batch norm" in at["norm"].uns["quell"]["denoise"]["scale"]["X_dca"]


def test_latent_at_is_one_place_without_an_activation(quell, source, tmp_path):
    first, *others = (denoise(quell, source, tmp_path / "a.h5ad", "--latent-at", w)[0].obsm["X_dca"] for w in
                      ("linear", "norm", "activation"))
    assert all(np.array_equal(first, other, equal_nan=True) for other in others)


# ---- the order of --genes ----


def test_genes_in_the_order_of_their_file(quell, source, tmp_path):
    whole, _ = denoise(quell, source, tmp_path / "a.h5ad", "--type", "zinb-conddisp", "--tsv", tmp_path / "all")
    chosen = ["gene90", "gene7", "gene2", "gene149", "gene11"]
    (tmp_path / "genes.txt").write_text("\n".join(chosen[:4] + ["gene2", ""] + chosen[4:] + ["gene90"]))
    some, said = denoise(quell, source, tmp_path / "b.h5ad", "--type", "zinb-conddisp", "--genes", tmp_path / "genes.txt",
                         "--layer-out", tmp_path / "some.npy", "--tsv", tmp_path / "some", "--write", "dropout")
    assert "genes.txt: names that come again count once: 2, 'gene2' in line 5 the first" in said
    columns = whole.var_names.get_indexer(chosen)
    assert (tmp_path / "some.genes.txt").read_text().split() == chosen
    assert np.array_equal(np.load(tmp_path / "some.npy"), whole.layers["denoised"][:, columns])
    # the sparse layers are by column, in the genes' order
    assert np.array_equal(some.layers["denoised"].toarray()[:, columns], whole.layers["denoised"][:, columns])
    assert some.layers["quell_dropout"].nnz == 300 * len(chosen)
    for name in ("mean", "dispersion", "dropout"):
        rows = {line.split("\t")[0]: line for line in (tmp_path / "all" / f"{name}.tsv").read_text().splitlines()}
        lines = (tmp_path / "some" / f"{name}.tsv").read_text().splitlines()[name == "mean" :]
        assert lines == [rows[g] for g in chosen if g != "gene7"], name  # gene7 has no counts


def test_text_dispersions_per_gene_of_chosen_genes(quell, source, tmp_path):
    (tmp_path / "genes.txt").write_text("gene30\ngene4\n")
    data, _ = denoise(quell, source, tmp_path / "b.h5ad", "--genes", tmp_path / "genes.txt", "--tsv", tmp_path / "t")
    rows = [line.split("\t") for line in (tmp_path / "t" / "dispersion.tsv").read_text().splitlines()]
    assert [row[0] for row in rows] == ["gene30", "gene4"]
    np.testing.assert_allclose([float(row[1]) for row in rows], data.var.loc[["gene30", "gene4"], "quell_theta"],
                               atol=1e-6)


@pytest.mark.parametrize("text, words", [
    ("gene1\ngene1499\n", "line 2: no gene is named 'gene1499'; hint: 'gene149' is one"),
    ("nothing\ngene1\nneither\nXIST\n", "line 1: no gene is named 'nothing', nor as 2 others"),
])
def test_genes_that_are_none(quell, source, tmp_path, text, words):
    (tmp_path / "genes.txt").write_text(text)
    done = quell("denoise", source, "-o", tmp_path / "a.h5ad", "--genes", tmp_path / "genes.txt", code=65)
    assert words in done.stderr
