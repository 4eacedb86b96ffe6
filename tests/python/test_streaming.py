"""A matrix that goes through a file gives the same bytes, within the memory it was given:
docs/memory.md."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import samples
import scipy.sparse as sp

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import make_counts  # noqa: E402

MIB = 1 << 20
OPTIONS = ["--seed", 5, "--epochs", 2]


def run(quell, source, folder, *options):
    """The bytes of the output, made under the same names in a folder of its own."""
    folder.mkdir()
    name = "in" + source.suffix
    shutil.copy(source, folder / name)
    quell("denoise", name, "-o", "out.h5ad", *OPTIONS, *options, cwd=folder)
    assert sorted(os.listdir(folder)) == sorted([name, "out.h5ad"])
    return (folder / "out.h5ad").read_bytes()


def write_dense(path, x):
    with h5py.File(path, "w") as f:
        samples.put_frame(f, "obs", samples.names("cell", x.shape[0]))
        samples.put_frame(f, "var", samples.names("gene", x.shape[1]))
        f.create_dataset("X", data=x.toarray(), chunks=(min(x.shape[0], 70), 50), compression="gzip")
        f["X"].attrs["encoding-type"] = "array"
        f["X"].attrs["encoding-version"] = "0.2.0"
    return path


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", samples.counts(203, 421))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("extra", [[], ["--input-thinning", 0.2], ["--like", "dca"], ["--mcv"]])
def test_same_bytes(quell, counts, tmp_path, threads, extra):
    wanted = run(quell, counts, tmp_path / "memory", *extra)
    assert run(quell, counts, tmp_path / "stream", "--stream", "--threads", threads, *extra) == wanted


def test_real_data(quell, shared_data, tmp_path):
    source = shared_data / "pbmc3k.h5ad"
    wanted = run(quell, source, tmp_path / "memory", "--no-denoised")
    for threads in (1, 3):
        got = run(quell, source, tmp_path / f"stream{threads}", "--no-denoised", "--stream", "--threads", threads)
        assert got == wanted


def test_dense(quell, tmp_path):
    source = write_dense(tmp_path / "dense.h5ad", samples.counts(203, 421))
    assert run(quell, source, tmp_path / "a") == run(quell, source, tmp_path / "b", "--stream")


def test_other_formats(quell, example_data, tmp_path):
    """10x HDF5 in bands; X of the output is written from the file."""
    source = example_data / "pbmc_small.h5"
    memory = run(quell, source, tmp_path / "memory")
    assert run(quell, source, tmp_path / "stream", "--stream") == memory
    with h5py.File(source) as f, h5py.File(tmp_path / "stream" / "out.h5ad") as out:
        m = f["matrix"]
        wanted = sp.csr_matrix((m["data"][:], m["indices"][:], m["indptr"][:]), shape=m["shape"][:][::-1])
        x = out["X"]
        got = sp.csr_matrix((x["data"][:], x["indices"][:], x["indptr"][:]), shape=x.attrs["shape"])
    assert (got != wanted).nnz == 0


def test_many_windows(quell, tmp_path):
    """More training cells than are shuffled as one, with cells and genes that are empty."""
    rng = np.random.default_rng(3)
    x = sp.random(40000, 60, 0.1, "csr", np.float32, rng, lambda n: rng.integers(1, 9, n))
    x = x @ sp.diags((np.arange(60) != 17).astype(np.float32), format="csr")
    x.eliminate_zeros()
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    memory = run(quell, source, tmp_path / "memory")
    for threads in (1, 3):
        assert run(quell, source, tmp_path / f"stream{threads}", "--stream", "--threads", threads) == memory


def test_not_counts(quell, tmp_path):
    """Refused as from memory, naming cell, gene and value; fractions pass when they are allowed."""
    x = samples.counts(203, 21)
    x.data = x.data + np.float32(0.25)
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    for how in ([], ["--stream"]):
        done = quell("denoise", source, "-o", tmp_path / "out.h5ad", *how, code=65)
        assert 'cell "cell0", gene "gene0"' in done.stderr
    allow = ["--allow-noncounts"]
    assert run(quell, source, tmp_path / "a", *allow) == run(quell, source, tmp_path / "b", "--stream", *allow)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "in.h5ad"
    make_counts.write(path, 60000, 500, 0.08)
    return path


def measured(program, *args):
    """Peak resident bytes of a run, and its messages."""
    done = subprocess.run(
        [sys.executable, "-c",
         "import resource, subprocess, sys; d = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.stderr.write(d.stderr);"
         "sys.exit(d.returncode)", program, *map(str, args)], capture_output=True, text=True)
    return int(done.stdout or 0) * 1024, done


def test_memory_stays_in_the_plan(quell, program, large, tmp_path):
    options = ["denoise", large, "--threads", 2, "--epochs", 1]
    plan = json.loads(quell(*options, "--plan=json", "--quiet").stdout)
    assert (plan["cells"], plan["genes"], plan["threads"]) == (60000, 500, 2)
    assert plan["streams"] and plan["stream_bytes"] < plan["memory_bytes"]
    with h5py.File(large) as f:
        assert plan["nonzeros"] == f["X/data"].shape[0]
    outputs = []
    for key, word in (("memory_bytes", "planned"), ("stream_bytes", "streaming through")):
        out = tmp_path / key / "out.h5ad"
        out.parent.mkdir()
        # sizes of the option are whole MiB here
        budget = plan[key] // MIB + 1
        peak, done = measured(program, *options, "-o", out, "--memory", f"{budget}M", "--tmpdir", tmp_path)
        assert done.returncode == 0, done.stderr
        assert word in done.stderr
        assert peak < budget * MIB
        outputs.append(out.read_bytes())
    assert outputs[0] == outputs[1]
    below = plan["stream_bytes"] // MIB - 1
    done = quell(*options, "-o", tmp_path / "no.h5ad", "--memory", f"{below}M", code=137)
    assert "give --memory" in done.stderr


def test_dense_is_not_taken_at_its_word(quell, tmp_path):
    """Its extent asks for more than the budget, its entries do not."""
    rng = np.random.default_rng(1)
    x = sp.random(9000, 3000, 0.01, "csr", np.float32, rng, lambda n: rng.integers(1, 5, n))
    source = write_dense(tmp_path / "in.h5ad", x)
    options = ["--epochs", 1, "--no-denoised"]
    plan = json.loads(quell("denoise", source, *options, "--plan=json", "-q").stdout)
    assert plan["stream_bytes"] > 160 * MIB
    done = quell("denoise", source, "-o", tmp_path / "out.h5ad", *options, "--memory", "160M", "--threads", 2)
    assert "streaming through" in done.stderr


def test_full_disk(full_disk, large):
    full_disk(large)


@pytest.mark.parametrize("wait", [0.05, 0.6])
def test_terminated(program, large, tmp_path, wait):
    cache = tmp_path / "cache"
    cache.mkdir()
    run = subprocess.Popen(
        [program, "denoise", large, "-o", tmp_path / "out.h5ad", "--stream", "--tmpdir", cache, "--epochs", "300"],
        stderr=subprocess.PIPE, text=True)
    run.stderr.readline()  # it has begun
    time.sleep(wait)
    assert os.listdir(cache) == []
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=60)
    assert run.returncode == 143
    assert os.listdir(tmp_path) == ["cache"] and os.listdir(cache) == []


def test_default_folder_is_the_outputs(quell, counts, tmp_path):
    env = {k: v for k, v in os.environ.items() if k != "TMPDIR"}
    done = quell("denoise", counts, "-o", tmp_path / "out.h5ad", *OPTIONS, "--stream", env=env)
    assert f"in {tmp_path}\n" in done.stderr
