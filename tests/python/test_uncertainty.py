"""--intervals, --sd, --draws, --scale and the coverage table, against scipy; quell check."""
import json
import os
import warnings

import h5py
import numpy as np
import pytest
import samples

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import anndata as ad

stats = pytest.importorskip("scipy.stats")
integrate = pytest.importorskip("scipy.integrate")
pytestmark = pytest.mark.filterwarnings("ignore")

RUN = ["--epochs", 3, "--batch-size", 32, "--seed", 3]
ALL = ["--estimate", "both", "--intervals", 0.9, "--sd", "--draws", 3]


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A cell and a gene without counts are among them."""
    x = samples.counts(n_cells=300, n_genes=150, seed=5).tolil()
    x[[3]] = 0
    x[:, 7] = 0
    return samples.write_h5ad(tmp_path_factory.mktemp("sure") / "in.h5ad", x.tocsr())


def denoise(quell, source, target, *options):
    done = quell("denoise", source, "-o", target, "--force", *RUN, *options)
    return ad.read_h5ad(target), done.stderr


@pytest.fixture(scope="session")
def base(quell, source, tmp_path_factory):
    return denoise(quell, source, tmp_path_factory.mktemp("base") / "out.h5ad", *ALL)[0]


def posterior(data):
    """Shape and scale of each rate's gamma distribution, with the cells and genes that have one."""
    cells, genes = data.obs["quell_n_counts"].to_numpy() > 0, data.var["quell_used"].to_numpy()
    at = np.ix_(cells, genes)
    x = np.asarray(data.X.todense(), np.float64)[at]
    shape = x + data.var["quell_theta"].to_numpy(np.float64)[genes]
    scale = data.layers["denoised"].astype(np.float64)[at] / shape
    return at, x, shape, scale


def test_quantiles_and_sd(base):
    at, _, shape, scale = posterior(base)
    for key, level in ("denoised_lower", 0.05), ("denoised_upper", 0.95):
        wanted = stats.gamma.ppf(level, shape) * scale
        np.testing.assert_allclose(base.layers[key][at], wanted, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(base.layers["denoised_sd"][at], np.sqrt(shape) * scale, rtol=1e-5)
    for key in ("denoised_lower", "denoised_upper", "denoised_sd", "draw_1"):
        assert (base.layers[key][3] == 0).all() and (base.layers[key][:, 7] == 0).all()


def test_draws_follow_the_posterior(base):
    at, _, shape, scale = posterior(base)
    share = [stats.gamma.cdf(base.layers[f"draw_{i}"][at] / scale, shape).ravel() for i in (1, 2, 3)]
    for u in share:
        assert stats.kstest(u, "uniform").pvalue > 1e-4
    for i, j in (0, 1), (0, 2), (1, 2):
        assert abs(np.corrcoef(share[i], share[j])[0, 1]) < 5 / np.sqrt(share[0].size)


def test_drawn_counts_are_negative_binomial(quell, source, base, tmp_path):
    data, _ = denoise(quell, source, tmp_path / "o.h5ad", "--draws", 2, "--draws-of", "counts")
    at, _, shape, scale = posterior(base)
    t = np.asarray(data.layers["draw_1"].todense())[at]
    assert (t == np.floor(t)).all() and (data.layers["draw_1"].data > 0).all()
    law = stats.nbinom(shape, 1 / (1 + scale))
    below, width = law.cdf(t - 1), law.pmf(t)
    u = below + width * np.random.default_rng(1).random(t.shape)
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-4
    assert (data.layers["draw_1"] != data.layers["draw_2"]).nnz > 0


def test_scales(quell, source, base, tmp_path):
    at, x, shape, scale = posterior(base)
    n = x.sum(1, keepdims=True)
    mean = shape * scale
    expected = n * x.sum(0) / x.sum()
    most = np.sqrt(base.n_obs)
    wanted = {
        "cp10k": lambda v: v / n * 1e4,
        "log1p": lambda v: np.log1p(v / n * 1e4),
        "pearson": lambda v: np.clip((v - expected) / np.sqrt(expected + expected**2 / 100), -most, most),
    }
    for name, of in wanted.items():
        data, log = denoise(quell, source, tmp_path / "o.h5ad", "--scale", name, "--intervals", 0.9,
                            "--estimate", "both", "--draws", 1)
        for key in "denoised", "denoised_mean", "denoised_lower", "denoised_upper", "draw_1":
            plain = base.layers[key].astype(np.float64)[at]
            np.testing.assert_allclose(data.layers[key][at], of(plain), rtol=2e-4, atol=2e-4)
            text = data.uns["quell"]["denoise"]["scale"][key]
            assert text in log and "," in text
        assert data.uns["quell"]["denoise"]["scale_name"] == name
    assert mean.shape == x.shape


def some_entries(shape, n=60):
    rng = np.random.default_rng(4)
    return zip(rng.integers(0, shape[0], n), rng.integers(0, shape[1], n))


def test_mean_logarithms(quell, source, base, tmp_path):
    at, x, shape, scale = posterior(base)
    unit = 1e4 / x.sum(1)
    made = lambda name: denoise(quell, source, tmp_path / "c.h5ad", "--scale", name, "--shrink-genes")[0]
    rate = made("mean-log-rate").layers["denoised"][at]
    counts, old = [made(name).layers["denoised"][at] for name in ("mean-log1p", "mean-log-counts")]
    np.testing.assert_array_equal(counts, old)  # two names of one thing
    for i, j in some_entries(x.shape):
        a, s = shape[i, j], scale[i, j]
        # in the quantile's place, so that the density's pole at 0 does no harm
        wanted = integrate.quad(lambda p: np.log1p(stats.gamma.ppf(p, a) * s * unit[i]), 0, 1,
                                epsabs=1e-9, limit=400)[0]
        assert rate[i, j] == pytest.approx(wanted, rel=2e-6, abs=1e-6)
        t = np.arange(20000)
        wanted = (np.log1p(unit[i] * t) * stats.nbinom.pmf(t, a, 1 / (1 + s))).sum()
        assert counts[i, j] == pytest.approx(wanted, rel=2e-6, abs=1e-6)
    plain = np.log1p(shape * scale * unit[:, None])
    assert (rate <= plain * (1 + 1e-5) + 1e-7).all()  # Jensen
    assert (counts <= plain * (1 + 1e-5) + 1e-7).all()


@pytest.mark.parametrize("options", [ALL, ["--draws", 2, "--draws-of", "counts", "--scale", "counts"],
                                     ["--scale", "mean-log1p"]])
def test_threads_change_nothing(quell, source, tmp_path, options):
    made = []
    for threads in 1, 2, 3:
        env = {k: v for k, v in os.environ.items() if k not in ("QUELL_THREADS", "OMP_NUM_THREADS")}
        quell("denoise", source, "-o", tmp_path / "o.h5ad", "--force", *RUN, *options, "--threads", threads, env=env)
        made.append((tmp_path / "o.h5ad").read_bytes())
    assert made[0] == made[1] == made[2]


def test_draws_of_chosen_genes_are_the_same(quell, source, base, tmp_path):
    genes = list(base.var_names[[20, 3, 90]])
    (tmp_path / "genes.txt").write_text("\n".join(genes))
    whole = denoise(quell, source, tmp_path / "a.h5ad", "--draws", 1, "--draws-of", "counts")[0]
    part = denoise(quell, source, tmp_path / "b.h5ad", "--draws", 1, "--draws-of", "counts", "--genes",
                   tmp_path / "genes.txt")[0]
    at = [3, 20, 90]
    assert (part.layers["draw_1"][:, at] != whole.layers["draw_1"][:, at]).nnz == 0
    assert part.layers["draw_1"].nnz == part.layers["draw_1"][:, at].nnz
    rates = denoise(quell, source, tmp_path / "c.h5ad", "--draws", 1, "--genes", tmp_path / "genes.txt")[0]
    np.testing.assert_array_equal(rates.layers["draw_1"][:, at].toarray(), base.layers["draw_1"][:, at])


def test_results_of_an_earlier_run_go(quell, source, tmp_path):
    denoise(quell, source, tmp_path / "a.h5ad", *ALL)
    data, _ = denoise(quell, tmp_path / "a.h5ad", tmp_path / "b.h5ad", "--draws", 1)
    assert set(data.layers) == {"denoised", "draw_1"}


def test_a_saved_model_gives_the_same(quell, source, base, tmp_path):
    denoise(quell, source, tmp_path / "a.h5ad", "--save-model", tmp_path / "m.h5", "--shrink-genes")
    done = quell("apply", source, "-m", tmp_path / "m.h5", "-o", tmp_path / "b.h5ad", *ALL)
    assert "around their mean" in done.stderr
    data = ad.read_h5ad(tmp_path / "b.h5ad")
    for key in base.layers:
        np.testing.assert_allclose(data.layers[key], base.layers[key], rtol=1e-5, atol=1e-6)
    assert data.uns["quell"]["denoise"]["coverage"]["level"] == pytest.approx(0.9)


def test_shrunk_genes_are_saved(quell, grouped, tmp_path):
    """Of genes that say nothing mu is share x molecules; apply knows it too."""
    shrink = ["--shrink-genes", "--estimate", "both", "--epochs", 20]
    data, _ = denoise(quell, grouped, tmp_path / "a.h5ad", *shrink, "--save-model", tmp_path / "m.h5")
    weight, real = data.var["quell_model_weight"].to_numpy(), np.arange(90) % 3 == 0
    assert (weight[~real] == 0).mean() > 0.8 and (weight[real] > 0.5).mean() > 0.4
    np.testing.assert_array_equal(data.var["quell_from_mean"], weight < 0.5)
    x = data.X.toarray()
    base = x.sum(1, keepdims=True) * (x.sum(0) / x.sum())
    np.testing.assert_allclose(data.layers["denoised_mean"][:, weight == 0], base[:, weight == 0], rtol=1e-5)
    quell("apply", grouped, "-m", tmp_path / "m.h5", "-o", tmp_path / "b.h5ad", "--estimate", "both")
    again = ad.read_h5ad(tmp_path / "b.h5ad")
    np.testing.assert_array_equal(again.var["quell_model_weight"], weight)
    for key in "denoised", "denoised_mean":
        np.testing.assert_allclose(again.layers[key], data.layers[key], rtol=1e-5, atol=1e-6)
    with h5py.File(tmp_path / "m.h5", "r+") as f:
        f["genes/model_weight"][5] = 1.5
    done = quell("apply", grouped, "-m", tmp_path / "m.h5", "-o", tmp_path / "c.h5ad", code=65)
    assert "genes/model_weight: value 5 is 1.5" in done.stderr


DRAWN = ["--draws", 1, "--draws-of", "counts"]


@pytest.mark.parametrize("options", [[], ["--ensemble", 2], ["--model", "vae"], ["--type", "auto"]])
def test_draws_are_of_shrunken_genes(quell, grouped, tmp_path, options):
    """Of all layers; as with the option; not with --no-shrink-genes."""
    made, log = denoise(quell, grouped, tmp_path / "a.h5ad", *DRAWN, *options)
    asked, _ = denoise(quell, grouped, tmp_path / "b.h5ad", *DRAWN, *options, "--shrink-genes")
    plain, said = denoise(quell, grouped, tmp_path / "c.h5ad", *DRAWN, *options, "--no-shrink-genes")
    weight = made.var["quell_model_weight"]
    assert f"{(weight == 0).sum()} of {len(weight)} genes" in log and (weight == 0).sum() > 10
    for key in "draw_1", "denoised":
        assert (made.layers[key] != asked.layers[key]).sum() == 0
        assert (made.layers[key] != plain.layers[key]).sum() > 0
    assert "quell_model_weight" not in plain.var and "around their mean" not in said and "warning" not in said


@pytest.mark.parametrize("options", [["--type", "nb-conddisp"], ["--validation", 0]])
def test_draws_that_are_not_fit_for_a_test_are_told(quell, grouped, tmp_path, options):
    data, log = denoise(quell, grouped, tmp_path / "a.h5ad", *DRAWN, *options)
    assert "warning: --draws:" in log and "quell_model_weight" not in data.var


def test_draws_of_a_model_without_weights_are_told(quell, grouped, tmp_path):
    quell("train", grouped, "-o", tmp_path / "m.h5", *RUN)
    quell("train", grouped, "-o", tmp_path / "w.h5", *RUN, "--shrink-genes")
    said = [quell("apply", grouped, "-m", tmp_path / name, "-o", tmp_path / "o.h5ad", "--force", *DRAWN).stderr
            for name in ("m.h5", "w.h5")]
    assert "saved without --shrink-genes" in said[0] and "around their mean" in said[1]
    assert "warning" not in said[1]


def test_shards_give_the_same(quell, source, tmp_path):
    denoise(quell, source, tmp_path / "a.h5ad", "--save-model", tmp_path / "m.h5")
    options = ["--intervals", 0.5, "--draws", 2, "--scale", "log1p"]
    quell("apply", source, "-m", tmp_path / "m.h5", "-o", tmp_path / "whole.h5ad", "--no-score", *options)
    for i in 1, 2:
        quell("apply", source, "-m", tmp_path / "m.h5", "-o", tmp_path / f"{i}.h5ad", "--shard", f"{i}/2", *options)
    quell("merge", tmp_path / "1.h5ad", tmp_path / "2.h5ad", "--input", source, "-o", tmp_path / "merged.h5ad")
    whole, merged = ad.read_h5ad(tmp_path / "whole.h5ad"), ad.read_h5ad(tmp_path / "merged.h5ad")
    for key in "denoised", "denoised_lower", "denoised_upper", "draw_1", "draw_2":
        np.testing.assert_array_equal(whole.layers[key], merged.layers[key])


@pytest.mark.parametrize("options, said", [
    (["--intervals", 0.9, "--estimate", "mean"], "not with --estimate mean"),
    (["--draws", 1, "--estimate", "mean"], "not with --estimate mean"),
    (["--scale", "mean-log1p", "--estimate", "both"], "not with --estimate both"),
    (["--sd", "--scale", "log1p"], "--sd: not with --scale log1p"),
    (["--draws", 1, "--draws-of", "counts", "--scale", "cp10k"], "--draws-of counts: not with"),
    (["--scale", "pearson", "--tsv", "t"], "not with --scale pearson"),
    (["--intervals", 1], "intervals"),
    (["--draws", 65], "draws"),
    (["--type", "normal", "--sd"], "posterior"),
])
def test_what_does_not_go_together(quell, source, tmp_path, options, said):
    done = quell("denoise", source, "-o", tmp_path / "o.h5ad", *options, code=64, cwd=tmp_path)
    assert said in done.stderr
    assert not (tmp_path / "o.h5ad").exists()


def test_reads_without_umis_have_no_posterior(quell, tmp_path):
    x = samples.counts(n_cells=100, n_genes=60, seed=1)
    x.data *= 7
    path = samples.write_h5ad(tmp_path / "in.h5ad", x)
    done = quell("denoise", path, "-o", tmp_path / "o.h5ad", *RUN, "--sd", code=64)
    assert "need the posterior" in done.stderr


def test_coverage_table(quell, source, base, tmp_path):
    table = base.uns["quell"]["denoise"]["coverage"]
    entries = (base.obs["quell_split"] == "validation").sum() * base.var["quell_used"].sum()
    for group in "genes", "expected_count":
        g = table[group]
        assert g["counts"].sum() == entries
        some = g["counts"] > 0
        total = g["covered"] + g["below"] + g["above"]
        np.testing.assert_allclose(total[some], 1, atol=1e-9)
        assert g["molecules"].sum() == table["genes"]["molecules"].sum()
    with h5py.File(tmp_path / "s.h5", "w"):
        pass
    quell("denoise", source, "-o", tmp_path / "o.h5ad", *RUN, "--shrink-genes", "--summary", tmp_path / "s.json")
    metrics = json.loads((tmp_path / "s.json").read_text())["metrics"]
    assert metrics["coverage_high_genes"] == pytest.approx(table["genes"]["covered"][2], rel=1e-6)


SETS = ["kang_pbmc_ifnb_subset", "mixology_3cl_celseq2"]


@pytest.mark.parametrize("name", SETS)
def test_intervals_cover_what_they_say(quell, shared_data, tmp_path, name):
    """Half of all molecules are held out, by numpy; 90 % intervals of them, by scipy."""
    data = ad.read_h5ad(shared_data / f"{name}.h5ad")
    x = data.X.tocsr()
    rng = np.random.default_rng(0)
    seen = x.copy()
    seen.data = rng.binomial(x.data.astype(int), 0.5).astype(np.float32)
    held = (x - seen).tocsr()
    seen.eliminate_zeros()
    ad.AnnData(seen).write_h5ad(tmp_path / "in.h5ad")
    quell("denoise", tmp_path / "in.h5ad", "-o", tmp_path / "o.h5ad", "--seed", 1)
    o = ad.read_h5ad(tmp_path / "o.h5ad")
    used = o.var["quell_used"].to_numpy() & (o.var["quell_mean_counts"].to_numpy() > 0.01)
    used[np.arange(len(used)) % 3 > 0] = False  # a third of them tells as much
    theta = o.var["quell_theta"].to_numpy(np.float64)[used]
    shape = seen[:, used].toarray() + theta
    mean = o.layers["denoised"][:, used].astype(np.float64)
    t = held[:, used].toarray()
    law = stats.nbinom(shape, shape / (shape + mean))
    lo, width = law.cdf(t - 1), law.pmf(t)
    inside = np.clip(np.minimum(lo + width, 0.95) - np.maximum(lo, 0.05), 0, None) / np.maximum(width, 1e-300)
    order = np.argsort(np.asarray(seen[:, used].sum(0)).ravel())
    for third in np.array_split(order, 3):
        assert 0.88 <= inside[:, third].mean() <= 0.92
    for low, high in (0, 0.1), (0.1, 1), (1, 3), (3, 1e9):
        assert 0.87 <= inside[(mean >= low) & (mean < high)].mean() <= 0.93


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """Three groups of cells that differ in a third of the genes."""
    rng = np.random.default_rng(8)
    group = rng.integers(0, 3, 360)
    rates = rng.gamma(1, 1, (1, 90)) * np.exp((np.arange(90) % 3 == 0) * rng.normal(0, 1, (3, 90)))[group]
    x = rng.poisson(rates * rng.gamma(4, 0.25, (360, 1)) * 2)
    import scipy.sparse as sp

    data = ad.AnnData(sp.csr_matrix(x.astype(np.float32)))
    data.obs["group"] = np.array(["a", "b", "c"])[group]
    path = tmp_path_factory.mktemp("check") / "in.h5ad"
    data.write_h5ad(path)
    return path


def test_check_calls_what_a_test_may_call(quell, grouped, tmp_path):
    quell("check", grouped, "--group", "group", "--null-genes", 90, "-o", tmp_path / "t.json", "--epochs", 30)
    table = json.loads((tmp_path / "t.json").read_text())
    rows = {row["values"]: row for row in table["values"]}
    assert table["groups"] == 3 and table["null_genes"] <= 90
    assert 0.01 < rows["counts"]["null_called_5"] < 0.10
    assert rows["draws_counts"]["null_called_5"] < 0.07
    assert rows["mean"]["null_called_5"] > 0.3  # what denoised means do to a test
    assert rows["counts"]["real_called_5"] > 0.2
    assert 0.02 < rows["counts"]["null_pairs_called_5"] < 0.08
    assert rows["mean"]["null_pairs_called_5"] > 0.3


def test_one_draw_of_shrunk_genes_calls_what_it_may(quell, grouped, tmp_path):
    """The genes that say nothing do so in every value; of real ones most are found all the same."""
    quell("check", grouped, "--group", "group", "--null-genes", 90, "-o", tmp_path / "t.json", "--epochs", 30,
          "--shrink-genes")
    rows = {row["values"]: row for row in json.loads((tmp_path / "t.json").read_text())["values"]}
    for key in "draw_counts", "draw_rate", "posterior", "mean":
        assert rows[key]["null_called_5"] < 0.085, key  # 5 % +- 1.3 of 270 tests
    assert rows["draw_rate"]["real_called_5"] > 0.25


def test_check_is_of_what_denoise_writes(quell, grouped, tmp_path):
    """Means of the model as it is, draws of the one whose genes are shrunk."""
    tables = []
    for options in [], ["--shrink-genes"], ["--no-shrink-genes"]:
        quell("check", grouped, "--group", "group", "--null-genes", 60, "--epochs", 10, *options, "-o", tmp_path / "t.tsv",
              "--force")
        tables.append((tmp_path / "t.tsv").read_text().splitlines())
    made, shrunk, plain = tables
    assert made == plain[:4] + shrunk[4:] and not set(plain[2:]) & set(shrunk[2:])


def test_check_is_the_same_for_any_number_of_threads(quell, grouped, tmp_path):
    texts = set()
    for threads in 1, 2, 3:
        env = {k: v for k, v in os.environ.items() if k not in ("QUELL_THREADS", "OMP_NUM_THREADS")}
        quell("check", grouped, "--null-genes", 20, "--epochs", 2, "-o", tmp_path / "t.tsv", "--force",
              "--threads", threads, env=env)
        texts.add((tmp_path / "t.tsv").read_text())
    assert len(texts) == 1
    lines = texts.pop().splitlines()
    assert len(lines) == 8 and all(line.count("\t") == 6 for line in lines)


def test_check_refuses(quell, grouped, tmp_path):
    assert "no column" in quell("check", grouped, "--group", "nix", code=64).stderr
    (tmp_path / "t.tsv").write_text("")
    assert quell("check", grouped, "-o", tmp_path / "t.tsv", code=73)
