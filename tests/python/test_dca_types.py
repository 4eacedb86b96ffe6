"""Every type of DCA against a second implementation (dca_twin.py): losses of the first epochs, from
the same weights and in the same order of cells, with DCA's settings. And what is written of each
type: shapes, names, values."""
import h5py
import numpy as np
import pytest
import samples

import dca_twin

CELLS, GENES, EPOCHS = 150, 300, 5
CASES = [(kind, {}) for kind in dca_twin.TYPES] + [
    ("zinb-elempi", {"shared_pi": True}),
    ("zinb-elempi", {"l1": 1e-5, "l2": 1e-4, "ridge": 0.1}),
    ("zinb-shared", {"l1": 1e-5, "l2": 1e-4, "ridge": 0.1}),
    ("zinb-fork", {"hidden": (40, 24, 16, 24, 32), "ridge": 0.1}),
    ("nb-fork", {"hidden": (20, 10)}),
]
OPTIONS = {"shared_pi": lambda v: ["--sharedpi"], "hidden": lambda v: ["--hidden", ",".join(map(str, v))]}


def command_line(settings):
    for key, value in settings.items():
        yield from OPTIONS.get(key, lambda v, key=key: [f"--{key}", v])(value)


@pytest.fixture(scope="module")
def counts():
    return samples.counts(CELLS, GENES)


@pytest.fixture(scope="module")
def source(counts, tmp_path_factory):
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", counts)


@pytest.mark.parametrize("kind,settings", CASES, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_losses_of_the_first_epochs(quell, counts, source, tmp_path, kind, settings):
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--like", "dca", "--type", kind, "--epochs",
          EPOCHS, *command_line(settings))
    with h5py.File(tmp_path / "out.h5ad") as f:
        history = f["uns/quell/denoise/history"]
        got = np.stack([history["loss"][:], history["validation"][:]], axis=1)
    twin = dca_twin.Training(counts.toarray(), kind, **settings)
    want = np.array([twin.epoch(i) for i in range(EPOCHS)])
    worst = np.abs(got / want - 1).max(axis=1)
    print(kind, settings, worst)
    assert (worst <= 1e-4).all(), (got, want)
    assert not np.allclose(want[0], want[-1], rtol=1e-3)  # something was learnt


# ---- what is written ----

def read_tsv(path, header):
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    names = [row[0] for row in rows[header:]]
    return (rows[0][1:] if header else None), names, np.array([row[1:] for row in rows[header:]], float)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    x = samples.counts(40, 150)
    return x, samples.write_h5ad(tmp_path_factory.mktemp("small") / "in.h5ad", x)


def shape_of(source):
    """Of dispersion.tsv and dropout.tsv; the shared ones have a value per cell, the others one per
    gene or per gene and cell."""
    return {"gene": (150, 1), "unit": (40, 1), "dense": (150, 40), "element": (150, 40)}.get(source)


@pytest.mark.parametrize("kind", dca_twin.TYPES)
def test_text_files(quell, small, tmp_path, kind):
    x, source = small
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--tsv", tmp_path / "text", "--type", kind,
          "--epochs", 3, "--hidden", "16,8,16", "--estimate", "mean")
    disp, pi, _ = dca_twin.TYPES[kind]
    if kind == "poisson":
        disp = "gene"  # fitted after training
    cells, genes, mean = read_tsv(tmp_path / "text" / "mean.tsv", True)
    with h5py.File(tmp_path / "out.h5ad") as f:
        assert np.allclose(f["layers/denoised"][:].T, mean, rtol=1e-4, atol=1e-6)
        if kind == "nb-shared":
            assert "quell_theta" not in f["var"]
    for name, kind_of_head in (("dispersion", disp), ("dropout", pi)):
        path = tmp_path / "text" / f"{name}.tsv"
        assert path.exists() == (kind_of_head is not None)
        if kind_of_head is None:
            continue
        _, names, values = read_tsv(path, False)
        assert values.shape == shape_of(kind_of_head)
        assert names == (cells if kind_of_head == "unit" else genes)
        assert (values > 0).all() and (name == "dispersion" or (values < 1).all())


@pytest.mark.parametrize("kind", [kind for kind in dca_twin.TYPES if kind != "normal"])
def test_posterior_of_every_type(quell, small, tmp_path, kind):
    """mu (x + theta) / (mu + theta), theta as it is written."""
    x, source = small
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--tsv", tmp_path / "text", "--type", kind,
          "--epochs", 3, "--hidden", "16,8,16", "--estimate", "both")
    with h5py.File(tmp_path / "out.h5ad") as f:
        posterior, mu = f["layers/denoised"][:], f["layers/denoised_mean"][:]
    _, _, theta = read_tsv(tmp_path / "text" / "dispersion.tsv", False)
    theta = theta if dca_twin.TYPES[kind][0] == "unit" else theta.T
    want = mu * (x.toarray() + theta) / (mu + theta)
    assert np.allclose(posterior, want, rtol=1e-3, atol=1e-5)


def test_normal_has_no_posterior(quell, small, tmp_path):
    _, source = small
    for estimate in ("posterior", "both"):
        done = quell("denoise", source, "-o", tmp_path / "out.h5ad", "--type", "normal", "--estimate",
                     estimate, code=64)
        assert "no posterior" in done.stderr
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--type", "normal", "--epochs", 2)
    with h5py.File(tmp_path / "out.h5ad") as f:
        names = set(f["uns/quell/denoise/heldout"])
        assert np.isfinite(f["uns/quell/denoise/heldout/mean_deviance"][()])
        assert np.isfinite(f["layers/denoised"][:]).all()
    assert "mean_gain" in names


def test_normal_starts_at_the_gene_means(quell, small, tmp_path):
    """With weights of zero nothing but the biases is left of the network: rates times size."""
    x, source = small
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--type", "normal", "--epochs", 1,
          "--learning-rate", 1e-12, "--init", "zeros", "--no-restore-best")
    total = x.toarray().sum(1, keepdims=True)
    size = total / np.median(total)
    with h5py.File(tmp_path / "out.h5ad") as f:
        mean = f["layers/denoised"][:]
    assert np.allclose(mean / size, (mean / size)[0], rtol=1e-5)
    assert np.allclose(mean.sum(), x.sum(), rtol=0.1)


# ---- DCA's options ----

def write_table(path, x, rows, columns):
    lines = ["\t".join([""] + columns)]
    lines += ["\t".join([name] + [str(int(v)) for v in values]) for name, values in zip(rows, x)]
    path.write_text("\n".join(lines) + "\n")
    return path


def layer(path):
    with h5py.File(path) as f:
        return f["layers/denoised"][:]


def test_transpose_says_that_rows_are_cells(quell, tmp_path):
    x = samples.counts(30, 20).toarray()
    cells, genes = samples.names("c", 30), samples.names("g", 20)
    by_gene = write_table(tmp_path / "genes.tsv", x.T, genes, cells)
    by_cell = write_table(tmp_path / "cells.tsv", x, cells, genes)
    quell("denoise", by_gene, "-o", tmp_path / "a.h5ad", "--epochs", 2)
    for option in ("-t", "--transpose"):
        quell("denoise", by_cell, option, "-o", tmp_path / "b.h5ad", "--epochs", 2, "--force")
        assert np.array_equal(layer(tmp_path / "a.h5ad"), layer(tmp_path / "b.h5ad"))
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(30, 20))
    quell("denoise", source, "-t", "-o", tmp_path / "c.h5ad", "--epochs", 2)  # an h5ad is as it is
    assert layer(tmp_path / "c.h5ad").shape == (30, 20)
    quell("denoise", by_cell, "-t", "--orient", "genes-x-cells", "-o", tmp_path / "d.h5ad", code=64)


def split_of(path):
    with h5py.File(path) as f:
        return f["obs/quell_split"].asstr()[:]


def test_testsplit_leaves_a_tenth_out(quell, tmp_path):
    x = samples.counts(200, 50)
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    runs = {}
    for name, options in {"a": ["--testsplit"], "b": ["--testsplit", "--validation-cells", "last"],
                          "c": []}.items():
        quell("denoise", source, "-o", tmp_path / f"{name}.h5ad", "--epochs", 2, *options)
        runs[name] = split_of(tmp_path / f"{name}.h5ad")
    assert sorted(np.unique(runs["a"], return_counts=True)[1]) == [18, 20, 162]
    assert (runs["a"] == "test").sum() == 20
    assert "test" not in runs["c"]
    rest = np.flatnonzero(runs["b"] != "test")  # the last of those that are left validate
    assert (runs["b"][rest[-18:]] == "validation").all() and (runs["b"][rest[:-18]] == "train").all()
    assert (layer(tmp_path / "a.h5ad")[runs["a"] == "test"] > 0).all()


def test_test_cells_teach_nothing(quell, tmp_path):
    """With other counts in them, of the same totals, the other cells' values are the same (inputs
    are not standardised here: that is over all cells, as in DCA)."""
    x = samples.counts(100, 50)
    options = ["--epochs", 2, "--testsplit", "--no-norminput", "--no-start-at-means"]
    quell("denoise", samples.write_h5ad(tmp_path / "a_in.h5ad", x), "-o", tmp_path / "a.h5ad", *options)
    test = split_of(tmp_path / "a.h5ad") == "test"
    y = x.toarray()
    y[test] = y[test][:, ::-1]
    quell("denoise", samples.write_h5ad(tmp_path / "b_in.h5ad", type(x)(y)), "-o", tmp_path / "b.h5ad",
          *options)
    a, b = layer(tmp_path / "a.h5ad"), layer(tmp_path / "b.h5ad")
    assert np.array_equal(a[~test], b[~test]) and not np.array_equal(a[test], b[test])


@pytest.mark.parametrize("options,words", [
    (["--normtype", "deseq"], "no effect"),
    (["--type", "zinb-fork", "--hidden", "16,8"], "no layers lie behind"),
])
def test_warnings(quell, small, tmp_path, options, words):
    done = quell("denoise", small[1], "-o", tmp_path / "out.h5ad", "--epochs", 1, *options)
    assert words in done.stderr


@pytest.mark.parametrize("options,words", [
    (["--hyper"], "quell tune"),
    (["--hypern", 10], "quell tune"),
    (["--type", "nb", "--sharedpi"], "zinb-elempi"),
])
def test_refused(quell, small, tmp_path, options, words):
    done = quell("denoise", small[1], "-o", tmp_path / "out.h5ad", *options, code=64)
    assert words in done.stderr
    assert not (tmp_path / "out.h5ad").exists()


def test_spellings_of_dca(quell, small, tmp_path):
    """The same settings under DCA's names and under quell's own: the same options are stored."""
    names = {}
    genes = tmp_path / "genes.txt"
    genes.write_text("gene3\ngene7\n")
    for name, options in {
        "dca": ["--nosizefactors", "--nonorminput", "--nologinput", "--nobatchnorm", "--optimizer",
                "RMSprop", "--hiddensize", "16,8,16", "--learningrate", "0.01", "--batchsize", 16,
                "--dropoutrate", 0.1, "--earlystop", 3, "--reducelr", 2, "--checkcounts",
                "--denoisesubset", genes],
        "quell": ["--no-sizefactors", "--no-norminput", "--no-loginput", "--no-batchnorm",
                  "--optimizer", "rmsprop", "--hidden", "16,8,16", "--learning-rate", 0.01,
                  "--batch-size", 16, "--dropout", 0.1, "--early-stop", 3, "--reduce-lr", 2,
                  "--no-allow-noncounts", "--genes", genes],
    }.items():
        quell("denoise", small[1], "-o", tmp_path / f"{name}.h5ad", "--epochs", 2, *options)
        names[name] = (tmp_path / f"{name}.h5ad").read_bytes()
    assert names["dca"] == names["quell"]
