"""The same counts, options and seed give the same bytes: docs/determinism.md."""
import os
import shutil
import time

import h5py
import numpy as np
import pytest
import samples

OPTIONS = ["--seed", 7, "--epochs", 3, "--estimate", "both"]


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Several gene tiles, the last one short; minibatches that do not divide the cells."""
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", samples.counts(203, 421))


def run(quell, source, folder, *options, **environment):
    """The bytes of the output, made under the same names in a folder of its own."""
    folder.mkdir()
    shutil.copy(source, folder / "in.h5ad")
    done = quell("denoise", "in.h5ad", "-o", "out.h5ad", *OPTIONS, *options, code=None, cwd=folder,
                 env={**os.environ, **environment})
    if "is not a set of kernels that runs here" in done.stderr:
        pytest.skip(f"{environment['QUELL_ISA']} does not run on this processor")
    assert done.returncode == 0, done.stderr
    return (folder / "out.h5ad").read_bytes()


@pytest.fixture(scope="module")
def wanted(quell, counts, tmp_path_factory):
    return run(quell, counts, tmp_path_factory.mktemp("wanted") / "run", "--threads", 1)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_and_time(quell, counts, wanted, tmp_path, threads):
    time.sleep(1.1)  # HDF5 can store times, in seconds
    assert run(quell, counts, tmp_path / "run", "--threads", threads) == wanted


@pytest.mark.parametrize("isa", ["avx2", "avx512", "neon"])
def test_instruction_sets(quell, counts, wanted, tmp_path, isa):
    assert run(quell, counts, tmp_path / "run", QUELL_ISA=isa) == wanted


@pytest.mark.parametrize("kind", ["nb", "nb-conddisp", "zinb-conddisp", "poisson", "zinb-shared",
                                  "zinb-elempi", "nb-fork"])
def test_scalar_kernels(quell, tmp_path, kind):
    """They are slow, hence small data."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(60, 150))
    fast = run(quell, source, tmp_path / "fast", "--type", kind)
    assert run(quell, source, tmp_path / "scalar", "--type", kind, QUELL_ISA="scalar") == fast


@pytest.mark.parametrize("options", [
    ["--log-json", "log.jsonl"], ["--summary", "run.json"], ["--log", "log.txt"], ["--quiet"],
    ["--verbose"], ["--memory", "2G"], ["--tsv", "text"],
], ids=lambda options: options[0].strip("-"))
def test_options_that_change_no_result(quell, counts, wanted, tmp_path, options):
    assert run(quell, counts, tmp_path / "run", *options) == wanted


def test_names_of_files_change_no_result(quell, counts, wanted, tmp_path):
    shutil.copy(counts, tmp_path / "other.h5ad")
    quell("denoise", tmp_path / "other.h5ad", "-o", tmp_path / "result.h5ad", *OPTIONS)
    assert (tmp_path / "result.h5ad").read_bytes() == wanted


def test_seeds_change_the_result(quell, counts, wanted, tmp_path):
    assert run(quell, counts, tmp_path / "run", "--seed", 8) != wanted


def test_a_run_on_its_own_output(quell, counts, tmp_path):
    first, second, third = (tmp_path / f"{i}.h5ad" for i in range(3))
    quell("denoise", counts, "-o", first, *OPTIONS)
    quell("denoise", first, "-o", second, *OPTIONS, "--force")
    quell("denoise", first, "-o", third, *OPTIONS, "--force")
    assert second.read_bytes() == third.read_bytes()
    with h5py.File(first) as a, h5py.File(second) as b:
        for name in ("layers/denoised", "layers/denoised_mean", "obsm/X_dca", "var/quell_theta"):
            np.testing.assert_array_equal(a[name][:], b[name][:])
        assert list(a["obs"].attrs["column-order"]) == list(b["obs"].attrs["column-order"])


def test_cells_of_one_run_do_not_depend_on_the_genes_that_are_written(quell, counts, tmp_path):
    (tmp_path / "genes.txt").write_text("gene400\ngene3\ngene250\n")
    quell("denoise", counts, "-o", tmp_path / "all.h5ad", *OPTIONS)
    quell("denoise", counts, "-o", tmp_path / "some.h5ad", *OPTIONS, "--genes", tmp_path / "genes.txt")
    with h5py.File(tmp_path / "all.h5ad") as a, h5py.File(tmp_path / "some.h5ad") as b:
        layer = a["layers/denoised"][:]
        some = b["layers/denoised"]
        chosen = [3, 250, 400]
        np.testing.assert_array_equal(some["indices"][:].reshape(-1, 3), np.tile(chosen, (203, 1)))
        np.testing.assert_array_equal(some["data"][:].reshape(-1, 3), layer[:, chosen])
        np.testing.assert_array_equal(np.flatnonzero(b["var/quell_denoised"][:]), chosen)
        np.testing.assert_array_equal(a["obsm/X_dca"][:], b["obsm/X_dca"][:])
