"""quell apply --shard and quell merge: the gathered file is that of one run, byte for byte."""
import shutil

import anndata as ad
import h5py
import numpy as np
import pytest
import samples
import scipy.sparse as sp

EPOCHS = ["--epochs", 2, "--seed", 3]


@pytest.fixture(scope="module")
def x():
    return samples.counts(203, 421)


@pytest.fixture(scope="module")
def source(x, tmp_path_factory):
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", x)


@pytest.fixture(scope="module")
def nb(quell, source, tmp_path_factory):
    out = tmp_path_factory.mktemp("nb") / "m.quell.h5"
    quell("train", source, "-o", out, *EPOCHS)
    return out


@pytest.fixture(scope="module")
def zinb(quell, source, tmp_path_factory):
    out = tmp_path_factory.mktemp("zinb") / "m.quell.h5"
    quell("train", source, "-o", out, "--type", "zinb-conddisp", "--hidden", "24,8,24", *EPOCHS)
    return out


def parts(quell, model, data, folder, n, *options):
    out = []
    for i in range(1, n + 1):
        out.append(folder / f"part.{i}.h5ad")
        quell("apply", data, "--load-model", model, "--shard", f"{i}/{n}", "-o", out[-1], "--force", *options)
    return out


def same(quell, model, data, folder, n, *options, merge=()):
    quell("apply", data, "--load-model", model, "-o", folder / "one.h5ad", "--no-score", "--force", *options)
    made = parts(quell, model, data, folder, n, *options)
    quell("merge", *reversed(made), "--input", data, "-o", folder / "all.h5ad", "--force", *merge)
    assert (folder / "all.h5ad").read_bytes() == (folder / "one.h5ad").read_bytes()
    return made


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("kind", ["pbmc_small.h5", "pbmc_small_mtx"])
def test_example_data(quell, example_data, tmp_path, n, kind):
    quell("train", example_data / "pbmc_small.h5", "-o", tmp_path / "m.h5", *EPOCHS)
    same(quell, tmp_path / "m.h5", example_data / kind, tmp_path, n)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_h5ad(quell, nb, source, tmp_path, n):
    same(quell, nb, source, tmp_path, n)


@pytest.mark.parametrize("options", [
    ["--estimate", "both"], ["--no-denoised"], ["--compression", "none", "--key", "X_other"],
    ["--write", "nll,error,pearson"], ["--stream", "--threads", 2]], ids=str)
def test_options(quell, nb, source, tmp_path, options):
    same(quell, nb, source, tmp_path, 3, *options)


def test_layers_of_the_type(quell, zinb, source, tmp_path):
    same(quell, zinb, source, tmp_path, 3, "--write", "dispersion,dropout,nll", "--estimate", "both",
         merge=["--stream"])


def test_loadings_of_a_linear_decoder(quell, source, tmp_path):
    quell("train", source, "--model", "vae", "--hidden", "16,3", "--epochs", 2, "--save-model", tmp_path / "m.h5")
    same(quell, tmp_path / "m.h5", source, tmp_path, 3)
    with h5py.File(tmp_path / "all.h5ad") as f:
        assert f["varm/vae_loadings"].shape[1] == 3 and np.any(f["varm/vae_loadings"][:] != 0)


def test_chosen_genes(quell, nb, source, tmp_path):
    (tmp_path / "genes.txt").write_text("gene300\ngene5\ngene77\n")
    same(quell, nb, source, tmp_path, 3, "--genes", tmp_path / "genes.txt", "--estimate", "both")


def test_other_layer_and_a_cell_without_counts(quell, nb, x, tmp_path):
    counts = x.tolil()
    counts[100, :] = 0
    data = ad.AnnData(sp.csr_matrix(np.log1p(x.toarray())), layers={"counts": counts.tocsr()})
    data.var_names = [f"gene{g}" for g in range(421)]
    data.obsm["X_mine"] = np.ones((203, 2))
    data.write_h5ad(tmp_path / "in.h5ad")
    same(quell, nb, tmp_path / "in.h5ad", tmp_path, 3, "--layer", "counts")
    assert "X_mine" in ad.read_h5ad(tmp_path / "all.h5ad").obsm


def test_more_parts_than_cells(quell, nb, x, tmp_path):
    samples.write_h5ad(tmp_path / "in.h5ad", x[:5])
    same(quell, nb, tmp_path / "in.h5ad", tmp_path, 8)


def test_an_earlier_result_in_the_input(quell, nb, source, tmp_path):
    quell("apply", source, "-m", nb, "-o", tmp_path / "in.h5ad")
    same(quell, nb, tmp_path / "in.h5ad", tmp_path, 3, "--layer", "counts") \
        if "counts" in ad.read_h5ad(tmp_path / "in.h5ad").layers else \
        same(quell, nb, tmp_path / "in.h5ad", tmp_path, 3, "--use-x")


def test_a_part_is_an_h5ad(quell, nb, source, tmp_path):
    made = parts(quell, nb, source, tmp_path, 4)
    quell("apply", source, "-m", nb, "-o", tmp_path / "one.h5ad")
    whole = ad.read_h5ad(tmp_path / "one.h5ad")
    part = ad.read_h5ad(made[1])
    assert list(part.obs_names) == list(whole.obs_names[203 // 4:203 * 2 // 4])
    np.testing.assert_array_equal(part.obsm["X_dca"], whole.obsm["X_dca"][203 // 4:203 * 2 // 4])
    assert part.X.nnz == 0


def test_real_data(quell, shared_data, tmp_path):
    data = shared_data / "kang_pbmc_ifnb_subset.h5ad"
    quell("train", data, "-o", tmp_path / "m.h5", "--epochs", 1)
    for n in (1, 3, 8):
        same(quell, tmp_path / "m.h5", data, tmp_path, n)


# ---- what is refused ----

@pytest.fixture(scope="module")
def made(quell, nb, source, tmp_path_factory):
    return parts(quell, nb, source, tmp_path_factory.mktemp("parts"), 3)


def refused(quell, folder, files, source, *words, code=65):
    done = quell("merge", *files, "--input", source, "-o", folder / "out.h5ad", code=code)
    lines = [line for line in done.stderr.splitlines() if line.startswith("quell merge: ")]
    assert len(lines) == 1 and all(word in done.stderr for word in words), done.stderr
    assert not (folder / "out.h5ad").exists()


def test_missing_and_repeated(quell, made, source, tmp_path):
    refused(quell, tmp_path, [made[0], made[2]], source, "of 3 parts 1 is missing: 2")
    refused(quell, tmp_path, [made[1]], source, "2 are missing: 1, 3")
    copy = shutil.copy(made[1], tmp_path / "again.h5ad")
    refused(quell, tmp_path, [*made, copy], source, "again.h5ad: is part 2, as ")


def test_foreign(quell, made, nb, zinb, x, source, tmp_path):
    refused(quell, tmp_path, [made[0], source], source, "in.h5ad: is no part")
    refused(quell, tmp_path, [source, made[0]], source, "in.h5ad: is no part")
    other = parts(quell, zinb, source, tmp_path, 3)
    refused(quell, tmp_path, [made[0], other[1], made[2]], source, "of another model")
    other = parts(quell, nb, source, tmp_path, 3, "--no-denoised")
    refused(quell, tmp_path, [made[0], other[1], made[2]], source, "with other options")
    other = parts(quell, nb, source, tmp_path, 4)
    refused(quell, tmp_path, [*made, other[3]], source, "another number of parts")
    changed = x.copy()
    changed.data[7] += 1
    data = samples.write_h5ad(tmp_path / "changed.h5ad", changed)
    refused(quell, tmp_path, made, data, "other counts")
    other = parts(quell, nb, data, tmp_path, 3)
    refused(quell, tmp_path, [made[0], made[1], other[2]], source, "of other counts")
    data = samples.write_h5ad(tmp_path / "fewer.h5ad", x[:200])
    refused(quell, tmp_path, made, data, "other cells or genes")


def damaged(path, to, change):
    shutil.copy(path, to)
    with h5py.File(to, "a") as f:
        change(f)
    return to


def shorter(f):
    values = f["layers/denoised"][:-1]
    del f["layers/denoised"]
    f["layers/denoised"] = values


def put(key, value):
    def change(f):
        del f[key]
        f[key] = value
    return change


DAMAGE = {
    "range": put("uns/quell/shard/first_cell", 3), "number": put("uns/quell/shard/number", 9),
    "of": put("uns/quell/shard/of", 10**12), "kind": put("uns/quell/shard/of", "three"),
    "cells": put("uns/quell/shard/input_cells", -5), "layer": shorter,
    "column": lambda f: f["obs"].__delitem__("quell_n_counts"),
    "text": put("obs/quell_n_counts", np.zeros(3)),
    "names": put("obs/_index", np.array(["a", "b"], dtype=object)),
    "journal": put("uns/quell/shard/journal", np.array(["value /etc", "dense X"], dtype=object)),
    "no journal": put("uns/quell/shard/journal", np.zeros((2, 2))),
    "version": put("uns/quell/shard/version", 99),
    "missing": lambda f: f["obsm"].__delitem__("X_dca"),
}


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged(quell, made, source, tmp_path, kind, at):
    bad = damaged(made[at], tmp_path / "bad.h5ad", DAMAGE[kind])
    files = [bad if i == at else path for i, path in enumerate(made)]
    refused(quell, tmp_path, files, source)


def test_cut(quell, made, source, tmp_path):
    data = made[1].read_bytes()
    (tmp_path / "cut.h5ad").write_bytes(data[:len(data) // 2])
    refused(quell, tmp_path, [made[0], tmp_path / "cut.h5ad", made[2]], source, "cut.h5ad")


@pytest.mark.parametrize("options", [
    ["--shard", "0/3"], ["--shard", "4/3"], ["--shard", "1"], ["--shard", "a/b"], ["--shard", "1/3x"],
    ["--shard", "1/99999999999999999999"], ["--shard", "1/3", "--tsv", "d"],
    ["--shard", "1/3", "--obs-out", "o.csv"], ["--shard", "1/3", "--layer-out", "x.npy"]], ids=str)
def test_usage(quell, nb, source, tmp_path, options):
    done = quell("apply", source, "-m", nb, "-o", "out.h5ad", *options, code=64, cwd=tmp_path)
    assert "--shard" in done.stderr and not list(tmp_path.iterdir())
