"""Models as files: train, apply, --init-from, and what a reader of docs/model-file.md can do."""
import json
import pathlib
import re
import shutil

import h5py
import numpy as np
import pytest
import samples
import scipy.sparse as sp

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = {
    "nb": ["--type", "nb"],
    "poisson": ["--type", "poisson", "--hidden", "16"],
    "zinb-conddisp": ["--type", "zinb-conddisp", "--hidden", "24,8,24"],
    "dca": ["--like", "dca"],
    "plain": ["--no-batchnorm", "--no-loginput", "--no-norminput", "--no-sizefactors",
              "--no-match-depth", "--hidden", "20,10,5,10,20", "--learning-rate", "1e-5"],
}
EPOCHS = ["--epochs", 3, "--seed", 3]


def read(path, *names):
    with h5py.File(path) as f:
        return [f[name][()] for name in names]


def with_ids(path, ids):
    with h5py.File(path, "a") as f:
        samples.put_text(f["var"], "gene_ids", ids)
        del f["var"].attrs["column-order"]
        f["var"].attrs["column-order"] = np.array(["gene_ids"], dtype=object)
    return path


@pytest.fixture(scope="module")
def x():
    """Several gene tiles, the last one short; one gene without counts."""
    x = samples.counts(203, 421).tolil()
    x[:, 17] = 0
    return x.tocsr()


@pytest.fixture(scope="module")
def source(x, tmp_path_factory):
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", x)


@pytest.fixture(scope="module", params=KINDS)
def model(request, quell, source, tmp_path_factory):
    """A model of each kind, and the output of the run that made it."""
    folder = tmp_path_factory.mktemp(request.param)
    quell("denoise", source, "-o", folder / "out.h5ad", "--save-model", folder / "m.quell.h5",
          "--estimate", "both", *EPOCHS, *KINDS[request.param])
    return folder


@pytest.fixture(scope="module")
def nb(quell, source, tmp_path_factory):
    path = tmp_path_factory.mktemp("nb") / "m.quell.h5"
    quell("train", source, "--save-model", path, *EPOCHS)
    return path


def apply(quell, model, source, out, *options, **kwargs):
    return quell("apply", source, "--load-model", model, "-o", out, *options, **kwargs)


# ---- the same numbers ----

def test_forward_pass_of_the_documentation(quell, model, x, source):
    text = (ROOT / "docs" / "model-file.md").read_text()
    scope = {}
    exec(re.search(r"```python\n(.*?)```", text, re.S).group(1), scope)
    with h5py.File(model / "m.quell.h5") as f:
        kept = [int(name.decode()[4:]) for name in f["genes/names"][()]]
    cells = np.arange(0, 203, 20)
    counts = x[cells][:, kept].toarray().astype(float)
    mean, theta, latent = scope["forward"](model / "m.quell.h5", counts)
    layer, posterior, space = read(model / "out.h5ad", "layers/denoised_mean", "layers/denoised",
                                   "obsm/X_dca")
    np.testing.assert_allclose(layer[cells][:, kept], mean, rtol=2e-5)
    np.testing.assert_allclose(space[cells], latent, rtol=1e-4, atol=2e-5)
    if theta is not None:
        np.testing.assert_allclose(posterior[cells][:, kept],
                                   mean * (counts + theta) / (mean + theta), rtol=4e-5)


@pytest.mark.parametrize("model", ["zinb-conddisp", "dca"], indirect=True)
def test_theta_of_cells_and_genes(quell, model, x, source, tmp_path):
    """theta itself, where it is written: in DCA's text files of the types that have one a cell."""
    quell("denoise", source, "--tsv", tmp_path / "text", *EPOCHS,
          *KINDS["dca" if model.name.startswith("dca") else "zinb-conddisp"])
    quell("apply", source, "-m", model / "m.quell.h5", "--tsv", tmp_path / "applied")
    text = (ROOT / "docs" / "model-file.md").read_text()
    scope = {}
    exec(re.search(r"```python\n(.*?)```", text, re.S).group(1), scope)
    kept = [g for g in range(421) if g != 17]
    _, theta, _ = scope["forward"](model / "m.quell.h5", x[:, kept].toarray().astype(float))
    for folder in ("text", "applied"):
        lines = (tmp_path / folder / "dispersion.tsv").read_text().splitlines()
        assert [line.split("\t")[0] for line in lines] == [f"gene{g}" for g in kept]
        table = np.array([line.split("\t")[1:] for line in lines], dtype=float)
        np.testing.assert_allclose(table.T, theta, rtol=2e-5, atol=1e-6)


def test_applied_to_its_own_cells(quell, model, source, tmp_path):
    apply(quell, model / "m.quell.h5", source, tmp_path / "out.h5ad", "--estimate", "both")
    names = ["layers/denoised", "layers/denoised_mean", "obsm/X_dca", "obs/quell_size_factor",
             "var/quell_mean_counts", "var/quell_used"]
    for a, b in zip(read(model / "out.h5ad", *names), read(tmp_path / "out.h5ad", *names)):
        np.testing.assert_array_equal(a, b)


def test_applied_to_cells_alone(quell, model, x, tmp_path):
    part = samples.write_h5ad(tmp_path / "part.h5ad", x[150:])
    apply(quell, model / "m.quell.h5", part, tmp_path / "out.h5ad", "--estimate", "both")
    for name in ("layers/denoised", "layers/denoised_mean", "obsm/X_dca", "obs/quell_size_factor"):
        (a,), (b,) = read(model / "out.h5ad", name), read(tmp_path / "out.h5ad", name)
        np.testing.assert_array_equal(a[150:], b)
    (split,) = read(tmp_path / "out.h5ad", "obs/quell_split")
    assert set(split) == {b"applied"}


@pytest.mark.parametrize("options", [["--threads", 1], ["--threads", 3], ["--stream"],
                                     ["--no-score"]], ids=str)
def test_threads_and_streaming(quell, nb, source, tmp_path, options):
    shutil.copy(source, tmp_path / "in.h5ad")
    apply(quell, nb, "in.h5ad", "one.h5ad", "--threads", 2, cwd=tmp_path)
    apply(quell, nb, "in.h5ad", "two.h5ad", *options, cwd=tmp_path)
    if "--no-score" not in options:
        assert (tmp_path / "one.h5ad").read_bytes() == (tmp_path / "two.h5ad").read_bytes()
    for a, b in zip(*(read(tmp_path / n, "layers/denoised", "obsm/X_dca")
                      for n in ("one.h5ad", "two.h5ad"))):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("options", [["--threads", 1], ["--threads", 3], ["--stream"]], ids=str)
def test_bytes_of_the_model(quell, source, nb, tmp_path, options):
    quell("train", source, "-o", tmp_path / "m.quell.h5", *EPOCHS, *options)
    assert (tmp_path / "m.quell.h5").read_bytes() == nb.read_bytes()


def test_denoise_writes_the_same_model(quell, source, nb, tmp_path):
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--saveweights", *EPOCHS)
    assert (tmp_path / "out.quell.h5").read_bytes() == nb.read_bytes()


def test_example_data(quell, example_data, tmp_path):
    """A model of the one file applied to the other form of the same counts."""
    quell("denoise", example_data / "pbmc_small.h5", "-o", tmp_path / "a.h5ad", "--save-model",
          tmp_path / "m.quell.h5", "--epochs", 2)
    apply(quell, tmp_path / "m.quell.h5", example_data / "pbmc_small_mtx", tmp_path / "b.h5ad")
    for a, b in zip(*(read(tmp_path / n, "layers/denoised", "obsm/X_dca")
                      for n in ("a.h5ad", "b.h5ad"))):
        np.testing.assert_array_equal(a, b)


def pbmc3k(shared_data):
    with h5py.File(shared_data / "pbmc3k.h5ad") as f:
        g = f["X"]
        return sp.csr_matrix((g["data"][()], g["indices"][()], g["indptr"][()]),
                             shape=tuple(g.attrs["shape"]))


def test_real_data(quell, shared_data, tmp_path):
    """The last cells validate, so that nothing was trained on them: applied to them alone, the
    model gives what the run gave."""
    x = pbmc3k(shared_data)
    whole = samples.write_h5ad(tmp_path / "whole.h5ad", x)
    first = x.shape[0] * 9 // 10  # every cell has counts
    part = samples.write_h5ad(tmp_path / "part.h5ad", x[first:])
    quell("denoise", whole, "-o", tmp_path / "all.h5ad", "--validation-cells", "last", "--epochs",
          2, "--save-model", tmp_path / "m.quell.h5")
    apply(quell, tmp_path / "m.quell.h5", part, tmp_path / "part.out.h5ad")
    (split,) = read(tmp_path / "all.h5ad", "obs/quell_split")
    assert (split[first:] == b"validation").all() and (split[:first] == b"train").all()
    for name in ("layers/denoised", "obsm/X_dca"):
        with h5py.File(tmp_path / "all.h5ad") as a, h5py.File(tmp_path / "part.out.h5ad") as b:
            np.testing.assert_array_equal(a[name][first:], b[name][()])


def test_a_model_that_never_saw_the_cells(quell, shared_data, tmp_path):
    """Trained on other cells, it predicts molecules of new ones better than the gene means do."""
    x = pbmc3k(shared_data)
    quell("train", samples.write_h5ad(tmp_path / "a.h5ad", x[:2200]), "-o", tmp_path / "m.h5",
          "--epochs", 15)
    apply(quell, tmp_path / "m.h5", samples.write_h5ad(tmp_path / "b.h5ad", x[2200:]),
          tmp_path / "out.h5ad", "--no-denoised", "--summary", tmp_path / "s.json")
    figures = json.loads((tmp_path / "s.json").read_text())["metrics"]
    assert figures["heldout_posterior_gain"] > 0.1
    assert figures["heldout_mean_gain"] > 0.1


# ---- other genes ----

def test_shuffled_genes(quell, nb, x, source, tmp_path):
    order = np.random.default_rng(1).permutation(421)
    shuffled = samples.write_h5ad(tmp_path / "in.h5ad", x[:, order].sorted_indices(),
                                  genes=[f"gene{g}" for g in order])
    apply(quell, nb, source, tmp_path / "a.h5ad")
    for extra in ([], ["--stream"]):
        apply(quell, nb, shuffled, tmp_path / "b.h5ad", "--force", *extra)
        for name in ("layers/denoised", "obsm/X_dca", "var/quell_theta", "var/quell_used"):
            (a,), (b,) = read(tmp_path / "a.h5ad", name), read(tmp_path / "b.h5ad", name)
            if name.startswith("layers"):
                a = a[:, order]
            if name.startswith("var"):
                a = a[order]
            np.testing.assert_array_equal(a, b)


def test_extra_and_missing_genes(quell, nb, x, tmp_path):
    zeros = x.tolil()
    zeros[:, 30:40] = 0
    kept = [g for g in range(421) if not 30 <= g < 40]
    rng = np.random.default_rng(2)
    extra = sp.csr_matrix(rng.poisson(3.0, (203, 7)).astype(np.float32))
    data = sp.hstack([extra[:, :3], x[:, kept], extra[:, 3:]]).tocsr().sorted_indices()
    genes = ["new1", "new2", "new3"] + [f"gene{g}" for g in kept] + [f"odd{i}" for i in range(4)]
    samples.write_h5ad(tmp_path / "zeros.h5ad", zeros.tocsr())
    samples.write_h5ad(tmp_path / "other.h5ad", data, genes=genes)
    apply(quell, nb, tmp_path / "zeros.h5ad", tmp_path / "a.h5ad")
    for options in ([], ["--stream", "--threads", 3]):
        done = apply(quell, nb, tmp_path / "other.h5ad", tmp_path / "b.h5ad", "--force", *options)
        assert "10 of the model are not in the data and count as 0" in done.stderr
        assert "8 of the data are not in the model and are ignored" in done.stderr
        (a, za), (b, zb) = (read(tmp_path / n, "layers/denoised", "obsm/X_dca")
                            for n in ("a.h5ad", "b.h5ad"))
        np.testing.assert_array_equal(za, zb)
        assert (a[:, 30:40].sum(1) > 0).all()
        assert not b[:, :3].any() and not b[:, -4:].any()
        (used, theta) = read(tmp_path / "b.h5ad", "var/quell_used", "var/quell_theta")
        assert used.sum() == 410 and not used[:3].any() and np.isnan(theta[-4:]).all()


def test_depth_with_missing_genes(quell, nb, x, tmp_path):
    """The means of the genes that are there add up to the molecules of the cell, as without gaps."""
    zeros = x.tolil()
    zeros[:, 100:300] = 0
    kept = np.r_[0:100, 300:421]
    samples.write_h5ad(tmp_path / "zeros.h5ad", zeros.tocsr())
    samples.write_h5ad(tmp_path / "some.h5ad", x[:, kept], genes=[f"gene{g}" for g in kept])
    means = {}
    for name in ("zeros", "some"):
        apply(quell, nb, tmp_path / f"{name}.h5ad", tmp_path / f"{name}.out.h5ad", "--estimate", "mean")
        (means[name],) = read(tmp_path / f"{name}.out.h5ad", "layers/denoised")
    total = np.asarray(x[:, kept].sum(1)).ravel()
    np.testing.assert_allclose(means["some"].sum(1), total, rtol=1e-4)
    zeros_here = means["zeros"][:, kept].sum(1)
    assert (zeros_here < 0.9 * total).all()
    # the profile is the same, only its scale is not
    np.testing.assert_allclose(means["some"] / total[:, None],
                               means["zeros"][:, kept] / zeros_here[:, None], rtol=1e-3, atol=1e-9)


def test_several_inputs_keep_their_genes(quell, nb, x, tmp_path):
    a = samples.write_h5ad(tmp_path / "a.h5ad", x[:100, :300])
    b = samples.write_h5ad(tmp_path / "b.h5ad", x[100:, 100:], genes=[f"gene{g}" for g in range(100, 421)])
    done = quell("apply", a, b, "-m", nb, "-o", tmp_path / "out.h5ad")
    assert "420 of the model's 420 are in the data" in done.stderr
    done = quell("apply", a, b, "-m", nb, "-o", tmp_path / "in.h5ad", "--join", "inner")
    assert "200 of the model's 420 are in the data" in done.stderr


def test_chosen_genes_and_text(quell, nb, x, tmp_path):
    order = np.random.default_rng(4).permutation(421)[:300]
    samples.write_h5ad(tmp_path / "in.h5ad", x[:, order].sorted_indices(),
                       genes=[f"gene{g}" for g in order])
    chosen = sorted([3, 50, 299, 100])
    (tmp_path / "genes.txt").write_text("".join(f"gene{order[i]}\n" for i in chosen))
    apply(quell, nb, tmp_path / "in.h5ad", tmp_path / "all.h5ad", "--tsv", tmp_path / "tsv",
          "--obs-out", tmp_path / "obs.csv", "--layer-out", tmp_path / "x.npy")
    apply(quell, nb, tmp_path / "in.h5ad", tmp_path / "some.h5ad", "--genes", tmp_path / "genes.txt")
    (layer,) = read(tmp_path / "all.h5ad", "layers/denoised")
    (some,) = read(tmp_path / "some.h5ad", "layers/denoised/data")
    np.testing.assert_array_equal(some.reshape(-1, 4), layer[:, chosen])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), layer)
    assert "applied" in (tmp_path / "obs.csv").read_text()
    lines = (tmp_path / "tsv" / "mean.tsv").read_text().splitlines()[1:]
    names = [line.split("\t")[0] for line in lines]
    assert names == [f"gene{g}" for g in range(421) if g != 17]
    table = np.array([line.split("\t")[1:] for line in lines], dtype=float)
    at = {f"gene{g}": i for i, g in enumerate(order)}
    for row, name in enumerate(names):
        if name in at:
            np.testing.assert_allclose(table[row], layer[:, at[name]], rtol=1e-4, atol=1e-4)


def test_genes_by_id(quell, x, tmp_path):
    """Same ids under other names; names that are ids."""
    ids = [f"ENSG{g:05}" for g in range(421)]
    named = with_ids(samples.write_h5ad(tmp_path / "named.h5ad", x), ids)
    renamed = with_ids(samples.write_h5ad(tmp_path / "renamed.h5ad", x,
                                          genes=[f"alias{g}" for g in range(421)]), ids)
    bare = samples.write_h5ad(tmp_path / "bare.h5ad", x, genes=ids)
    quell("train", named, "-o", tmp_path / "m.h5", *EPOCHS)
    quell("train", bare, "-o", tmp_path / "bare.m.h5", *EPOCHS)
    outs = []
    for model, data, by in (("m.h5", named, "420 by name, 0 by id"),
                            ("m.h5", renamed, "0 by name, 420 by id"),
                            ("m.h5", bare, "0 by name, 420 by id"),
                            ("bare.m.h5", named, "0 by name, 420 by id")):
        done = apply(quell, tmp_path / model, data, tmp_path / "out.h5ad", "--force")
        assert by in done.stderr
        outs.append(read(tmp_path / "out.h5ad", "layers/denoised", "obsm/X_dca"))
    for other in outs[1:]:
        np.testing.assert_array_equal(outs[0][0], other[0])
        np.testing.assert_array_equal(outs[0][1], other[1])


def test_many_missing_genes_are_a_warning(quell, nb, x, tmp_path):
    samples.write_h5ad(tmp_path / "in.h5ad", x[:, :200])
    done = apply(quell, nb, tmp_path / "in.h5ad", tmp_path / "out.h5ad")
    assert re.search(r"warning: 221 genes of the model .* held \d\d\.\d % of the molecules",
                     done.stderr)


def test_strangers(quell, nb, x, tmp_path):
    samples.write_h5ad(tmp_path / "in.h5ad", x, genes=[f"other{g}" for g in range(421)])
    done = apply(quell, nb, tmp_path / "in.h5ad", tmp_path / "out.h5ad", code=78)
    assert "(gene0, gene1, gene2, ...)" in done.stderr and "(other0, " in done.stderr
    assert not (tmp_path / "out.h5ad").exists()


def test_cells_without_counts_in_the_genes(quell, nb, x, tmp_path):
    lost = x.tolil()
    lost[5, :] = 0
    data = sp.hstack([lost, sp.csr_matrix(np.ones((203, 1), np.float32))]).tocsr()
    samples.write_h5ad(tmp_path / "in.h5ad", data, genes=samples.names("gene", 421) + ["new"])
    done = apply(quell, nb, tmp_path / "in.h5ad", tmp_path / "out.h5ad")
    assert "set aside: 1 cells without counts in the model's genes" in done.stderr
    split, space = read(tmp_path / "out.h5ad", "obs/quell_split", "obsm/X_dca")
    assert split[5] == b"unused" and np.isnan(space[5]).all() and np.isfinite(space[6:]).all()


# ---- starting from a model ----

def weights(path):
    net = {}
    with h5py.File(path) as f:
        f["net"].visititems(lambda k, v: net.update({k: v[()]}) if isinstance(v, h5py.Dataset) else None)
        return net, [name.decode() for name in f["genes/names"][()]]


def test_init_from(quell, nb, x, tmp_path):
    """With a rate of next to nothing the weights that are taken over come out as they were."""
    order = np.random.default_rng(3).permutation(421)[:300]
    data = sp.hstack([x[:, order], x[:, :5]]).tocsr().sorted_indices()
    genes = [f"gene{g}" for g in order] + [f"new{g}" for g in range(5)]
    samples.write_h5ad(tmp_path / "in.h5ad", data, genes=genes)
    done = quell("train", tmp_path / "in.h5ad", "-o", tmp_path / "m.h5", "--init-from", nb,
                 "--epochs", 1, "--learning-rate", 1e-30, "--hidden", "128,32,16")
    n_found = sum(g != 17 for g in order)
    assert f"weights of {n_found} of the" in done.stderr
    assert "start anew: dec1/weight" in done.stderr
    old, old_genes = weights(nb)
    new, new_genes = weights(tmp_path / "m.h5")
    row = {name: i for i, name in enumerate(old_genes)}
    for i, name in enumerate(new_genes):
        same = (new["input/weight"][i] == old["input/weight"][row[name]]).all() if name in row else None
        assert same is None if name.startswith("new") else same, name
        if name in row:
            assert new["mean/bias"][i] == old["mean/bias"][row[name]]
    for name in ("center/weight", "enc0/beta", "enc0/bias"):
        np.testing.assert_array_equal(new[name], old[name])


def test_init_from_saves_epochs(quell, example_data, tmp_path):
    data = example_data / "pbmc_small.h5"

    def loss(*options):
        quell("train", data, "-o", tmp_path / "m.h5", "--force", *options)
        return read(tmp_path / "m.h5", "training/history/validation")[0]

    first = loss("--epochs", 20)
    shutil.copy(tmp_path / "m.h5", tmp_path / "start.h5")
    assert loss("--epochs", 1, "--init-from", tmp_path / "start.h5")[0] < first[5]


# ---- looking ----

def test_info(quell, nb, source):
    text = quell("info", nb).stdout
    assert "420 (gene0, gene1, gene2, ...)" in text and "128-32, latent space of 32" in text
    facts = json.loads(quell("info", "--json", nb, source).stdout.splitlines()[0])
    assert facts["genes"] == 420 and facts["hidden"] == [128, 32]
    assert facts["training"]["epochs"] == 3 and facts["options"]["seed"] == 3
    with h5py.File(nb) as f:
        assert facts["options"] == json.loads(f.attrs["options_json"])
        assert facts["score"]["posterior_gain"] == f["score"].attrs["posterior_gain"]


def test_plan(quell, nb, source):
    plan = json.loads(quell("apply", source, "-m", nb, "--plan=json").stdout)
    assert plan["cells"] == 203 and plan["memory_bytes"] > 1 << 20


def test_provenance(quell, nb, source, tmp_path):
    apply(quell, nb, source, tmp_path / "out.h5ad")
    with h5py.File(tmp_path / "out.h5ad") as f, h5py.File(nb) as m:
        run = f["uns/quell/denoise"]
        assert run["applied/options"].asstr()[()] == m.attrs["options_json"]
        assert run["applied/missing_genes"][()] == 0
        assert run["history/best_epoch"][()] == m["training"].attrs["best_epoch"]
        np.testing.assert_array_equal(run["history/loss"][()], m["training/history/loss"][()])
        assert run["seed"][()] == 3


# ---- new cells among those the model knows ----

def test_scores_of_new_cells(quell, x, source, tmp_path):
    """Cells that were tested but not trained on get the same scores from the model's file alone."""
    scores = ["nll", "error", "pearson", "distance", "outlier"]
    quell("denoise", source, "-o", tmp_path / "a.h5ad", "--testsplit", "--save-model", tmp_path / "m.h5",
          "--write", ",".join(scores), *EPOCHS)
    quell("train", source, "-o", tmp_path / "same.h5", "--testsplit", *EPOCHS)
    assert (tmp_path / "same.h5").read_bytes() == (tmp_path / "m.h5").read_bytes()
    split, held, *all_a = read(tmp_path / "a.h5ad", "obs/quell_split", "uns/quell/denoise/outlier/held_out_cells",
                               *(f"obs/quell_{name}" for name in scores))
    test, valid = np.flatnonzero(split == b"test"), np.flatnonzero(split == b"validation")
    assert len(test) > 5 and held == len(valid)
    for kept in (np.arange(203), test):
        new = samples.write_h5ad(tmp_path / "new.h5ad", x[kept])
        apply(quell, tmp_path / "m.h5", new, tmp_path / "b.h5ad", "--force", "--write", ",".join(scores))
        held_b, *all_b = read(tmp_path / "b.h5ad", "uns/quell/denoise/outlier/held_out_cells",
                              *(f"obs/quell_{name}" for name in scores))
        assert held_b == held
        for name, a, b in zip(scores, all_a, all_b):
            same = np.isin(kept, test) if name == "outlier" else np.ones(len(kept), bool)
            np.testing.assert_array_equal(a[kept][same], b[same], err_msg=name)
    (shares,) = read(tmp_path / "a.h5ad", "obs/quell_outlier")
    apply(quell, tmp_path / "m.h5", source, tmp_path / "b.h5ad", "--force", "--write", "outlier")
    (again,) = read(tmp_path / "b.h5ad", "obs/quell_outlier")
    np.testing.assert_allclose(shares[valid] * held, again[valid] * (held + 1), rtol=1e-12)


def test_models_without_their_cells(quell, nb, source, tmp_path):
    """As an older quell wrote them; and one without held-out cells."""
    shutil.copy(nb, tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "a") as f:
        assert {"latent", "heldout"} == set(f["reference"])
        del f["reference"]
    for name in ("distance", "outlier"):
        done = apply(quell, tmp_path / "old.h5", source, tmp_path / "out.h5ad", "--write", name, code=65)
        assert "does not know the cells it was trained on" in done.stderr
    apply(quell, tmp_path / "old.h5", source, tmp_path / "out.h5ad", "--write", "error")
    quell("train", source, "-o", tmp_path / "all.h5", "--validation", 0, *EPOCHS)
    done = apply(quell, tmp_path / "all.h5", source, tmp_path / "two.h5ad", "--write", "distance,outlier")
    assert "no cells are held out" in done.stderr
    with h5py.File(tmp_path / "two.h5ad") as f:
        assert "quell_distance" in f["obs"] and "quell_outlier" not in f["obs"]


@pytest.mark.parametrize("name,at,value", [
    ("latent/mean", 0, np.nan), ("latent/factor", (1, 1), 0.0), ("heldout/trends", (0, 6), -1.0),
    ("heldout/statistics", 0, 1e9), ("latent/mean", None, None)])
def test_damaged_reference(quell, nb, source, tmp_path, name, at, value):
    shutil.copy(nb, tmp_path / "bad.h5")
    with h5py.File(tmp_path / "bad.h5", "a") as f:
        data = f[f"reference/{name}"][()]
        del f[f"reference/{name}"]
        if at is None:
            data = data[:-1]
        else:
            data[at] = value
        f[f"reference/{name}"] = data
    done = apply(quell, tmp_path / "bad.h5", source, tmp_path / "out.h5ad", code=65)
    assert f"reference/{name}" in done.stderr
