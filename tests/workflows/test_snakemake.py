"""The Snakemake workflow (workflows/snakemake) with the program under test: what comes out, and what
happens when jobs are stopped, have too little memory or get data that cannot be used.

QUELL      the program; default build/quell
SNAKEMAKE  the command; default snakemake of the Python that runs the tests
"""
import filecmp
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import time

import anndata
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLOW = ROOT / "workflows" / "snakemake"
WRAPPERS = ROOT / "workflows" / "snakemake-wrapper"
PROGRAM = pathlib.Path(os.environ.get("QUELL", ROOT / "build" / "quell")).resolve()
SNAKEMAKE = os.environ.get("SNAKEMAKE", f"{pathlib.Path(sys.executable).parent}/snakemake")
COUNTS = ROOT / "example_data" / "pbmc_small.h5"
WAIT = 300  # seconds that a run may take on a busy machine

# Stands for quell on the PATH: notes its process and arguments, then is quell.
SHIM = """#!/bin/sh
echo "$$ $*" >> "$CALLS"
exec "{program}" "$@"
"""


def quell(*args):
    subprocess.run([PROGRAM, *map(str, args)], check=True, capture_output=True)


HAS_SHARDS = subprocess.run([PROGRAM, "merge", "--help"], capture_output=True).returncode == 0
needs_shards = pytest.mark.skipif(not HAS_SHARDS, reason="this quell has no command merge")


class Flow:
    """The workflow in a working folder of its own, with a quell that keeps a list of its calls."""

    def __init__(self, folder, samples, **config):
        self.folder = folder
        self.calls_file = folder / "calls"
        (folder / "config").mkdir(parents=True)
        (folder / "bin").mkdir()
        shim = folder / "bin" / "quell"
        shim.write_text(SHIM.format(program=PROGRAM))
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
        lines = [f"{name}\t{path}" for name, path in samples.items()]
        (folder / "config" / "samples.tsv").write_text("\n".join(["sample\tcounts", *lines]) + "\n")
        self.configure(**config)
        self.env = {**os.environ, "CALLS": str(self.calls_file), "XDG_CACHE_HOME": str(folder / "cache"),
                    "PATH": f"{folder / 'bin'}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}

    def configure(self, **config):
        settings = {"train": "--epochs 4", "shards": 0, "reports": False, "clusters": False, "multiqc": False, **config}
        # JSON is YAML.
        (self.folder / "config" / "config.yaml").write_text(json.dumps(settings))

    def start(self, *more):
        # The tests' own threads and memory: the profile of the workflow, as a user has it.
        line = [SNAKEMAKE, "-s", FLOW / "workflow" / "Snakefile", "--directory", self.folder, "--cores", "2",
                "--profile", FLOW / "workflow" / "profiles" / "default", *more]
        return subprocess.Popen([str(word) for word in line], env=self.env, cwd=FLOW, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, *more, code=0):
        process = self.start(*more)
        text = process.communicate(timeout=WAIT)[0]
        assert process.returncode == code, text
        return text

    def calls(self, command):
        """Processes and arguments of what has been called so far."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        split = [line.split() for line in lines]
        return [(int(words[0]), words[2:]) for words in split if words[1] == command]

    def memory(self, command):
        """The budgets that the calls were given, in MiB."""
        return [int(words[words.index("--memory") + 1].rstrip("M")) for _, words in self.calls(command)]

    def denoised(self, sample):
        return self.folder / "results" / "denoised" / f"{sample}.h5ad"

    def log(self, sample, rule):
        """Of the last attempt, and of those that failed."""
        path = self.folder / "logs" / sample / f"{rule}.log"
        return path.read_text(), pathlib.Path(f"{path}.failed").read_text()


def plain(folder, counts, *train_options):
    """What the command line writes, without a workflow."""
    folder.mkdir(exist_ok=True)
    model, output = folder / "model.quell.h5", folder / "plain.h5ad"
    quell("train", counts, "--save-model", model, *train_options)
    quell("apply", counts, "--load-model", model, "-o", output, "--no-score")
    return output


def same(one, other):
    return filecmp.cmp(one, other, shallow=False)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return plain(tmp_path_factory.mktemp("plain"), COUNTS, "--epochs", "4")


def test_the_test_profile(tmp_path):
    """The folder .test as it is, two samples: finished, the bytes of the command line, nothing left to do."""
    flow = Flow(tmp_path, {})
    data = tmp_path / "a" / "b" / "c"  # from here ../../../ leads where .test expects the example data
    shutil.copytree(FLOW / ".test", data)
    shutil.copytree(ROOT / "example_data", tmp_path / "example_data")
    flow.folder = data
    flow.run()
    assert same(flow.denoised("pbmc_h5"), plain(tmp_path / "p", COUNTS, "--epochs", "5"))
    table = [line.split("\t") for line in (data / "results" / "samples.tsv").read_text().splitlines()]
    assert [row[:3] for row in table] == [["sample", "cells", "genes"], ["pbmc_h5", "560", "1500"], ["pbmc_mtx", "560", "1500"]]
    assert not any("NA" in row for row in table)
    assert "Genes before and after" in (data / "results" / "report" / "pbmc_mtx.html").read_text()
    if HAS_IGRAPH:
        assert "leiden" in anndata.read_h5ad(data / "results" / "clusters" / "pbmc_h5.h5ad").obs
    assert "Nothing to be done" in flow.run()


def test_lint():
    done = subprocess.run([SNAKEMAKE, "--lint", "-s", FLOW / "workflow" / "Snakefile", "--directory", FLOW / ".test"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_memory_is_planned(tmp_path):
    flow = Flow(tmp_path, {"a": COUNTS}, memory={"margin": 2.0})
    flow.run()
    planned = json.loads((tmp_path / "results" / "plan" / "a.json").read_text())["memory_bytes"]
    assert flow.memory("train") == [-(-2 * planned // 2**20)]
    assert flow.memory("apply") == flow.memory("train")


def test_too_little_memory_is_retried_with_more(tmp_path, expected):
    flow = Flow(tmp_path, {"a": COUNTS}, memory={"margin": 0.1, "growth": 4.0, "threads": 1})
    flow.run()
    budgets = flow.memory("train")
    assert len(budgets) > 1 and budgets == sorted(set(budgets))
    last, failed = flow.log("a", "train")
    assert failed.count("exit code 137") == len(budgets) - 1
    # said before training began
    assert "epoch" not in failed and "trained 4 epochs" in last
    assert same(flow.denoised("a"), expected)


def wait_for(what, process):
    end = time.monotonic() + WAIT
    while time.monotonic() < end and process.poll() is None:
        if what():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("whom", ["quell", "the job"])
def test_terminated_job_goes_on(tmp_path, whom):
    """TERM to the program alone, or to every process of the job at once, as Slurm does."""
    long = "--epochs 100 --early-stop 1000"
    flow = Flow(tmp_path, {"a": COUNTS}, train=long, checkpoints={"folder": "states", "every": "0.02s"})
    process = flow.start()
    assert wait_for(lambda: list((tmp_path / "states").glob("*.h5")), process)
    pid = flow.calls("train")[0][0]
    victims = [pid]
    if whom == "the job":
        status = pathlib.Path(f"/proc/{pid}/stat")
        if not status.exists():
            pytest.skip("no /proc to find the job's shell in")
        victims.append(int(status.read_text().rsplit(")", 1)[1].split()[1]))
    for victim in victims:
        os.kill(victim, signal.SIGTERM)
    text = process.communicate(timeout=WAIT)[0]
    assert process.returncode == 0, text
    last, failed = flow.log("a", "train")
    assert failed.count("exit code") == failed.count("exit code 143") == 1 and len(flow.calls("train")) == 2
    assert "goes on" in last or "going on" in last or "resum" in last or "continu" in last, last
    assert same(flow.denoised("a"), plain(tmp_path / "p", COUNTS, *long.split()))
    assert not list((tmp_path / "states").glob("*.h5"))


def log_normalised(path):
    numbers = np.log1p(np.random.default_rng(0).poisson(1, (60, 40))).astype("float32")
    anndata.AnnData(numbers).write_h5ad(path)
    return path


def test_bad_data_are_not_retried(tmp_path, expected):
    bad = log_normalised(tmp_path / "bad.h5ad")
    flow = Flow(tmp_path / "flow", {"bad": bad, "good": COUNTS})
    flow.run("--keep-going", code=1)
    trained = [words for _, words in flow.calls("train")]
    assert len([words for words in trained if str(bad) in words]) == 1
    last, failed = flow.log("bad", "train")
    assert failed.count("exit code 65") == 1
    assert "log-transformed" in last and "not run" in last
    # The others are finished all the same.
    assert same(flow.denoised("good"), expected)
    # Mended data are tried again, by the same command.
    shutil.copy(COUNTS, tmp_path / "bad.h5ad")
    os.utime(tmp_path / "bad.h5ad")
    flow.run("--keep-going")
    assert same(flow.denoised("bad"), expected)


@needs_shards
@pytest.mark.parametrize("shards", [1, 3, 8])
def test_shards_do_not_show(tmp_path, expected, shards):
    flow = Flow(tmp_path, {"a": COUNTS}, shards=shards)
    flow.run()
    assert len(flow.calls("apply")) == shards and len(flow.calls("merge")) == 1
    assert same(flow.denoised("a"), expected)


@needs_shards
def test_a_stopped_shard_is_retried(tmp_path, expected):
    """One shard ends with too little memory: it alone is run again."""
    flow = Flow(tmp_path, {"a": COUNTS}, shards=3)
    flow.run()
    flow.denoised("a").unlink()
    flow.configure(shards=3, memory={"margin": 0.1, "growth": 4.0})
    flow.run("--rerun-triggers", "mtime")
    assert len(flow.calls("train")) == 1
    assert "exit code 137" in flow.log("a", "apply.1-of-3")[1]
    assert same(flow.denoised("a"), expected)


def test_multiqc(tmp_path):
    """Every sample and section is in the report."""
    flow = Flow(tmp_path, {"liver": COUNTS, "lung": ROOT / "example_data" / "pbmc_small_mtx"}, multiqc=True)
    flow.run()
    report = (tmp_path / "results" / "multiqc" / "report.html").read_text()
    figures = {path.name: path.read_text() for path in (tmp_path / "results" / "multiqc" / "report_data").glob("*.txt")}
    for section in ("depth", "entries", "loss", "validation", "versions"):
        assert f"quell_{section}" in report and any(section in name for name in figures), (section, list(figures))
    for sample in ("liver", "lung"):
        assert sample in figures["multiqc_general_stats.txt"]
        assert all(sample in text for name, text in figures.items() if "quell" in name)


HAS_IGRAPH = "igraph" in subprocess.run([PROGRAM, "version"], capture_output=True, text=True).stdout
needs_igraph = pytest.mark.skipif(not HAS_IGRAPH, reason="this quell was built without igraph")


def plain_clusters(folder, h5ad, *layout):
    """What the command line makes of a file with a latent space."""
    steps = [folder / f"step{i}.h5ad" for i in range(3)]
    quell("neighbors", h5ad, "-o", steps[0], "--metric", "cosine")
    quell("cluster", steps[0], "-o", steps[1], "--resolution", "0.8", "--seed", "3")
    quell("layout", steps[1], "-o", steps[2], "--seed", "3", *layout)
    return steps[2]


LOOK = {"clusters": True, "resolution": 0.8, "neighbors": "--metric cosine", "layout": "--epochs 30", "seed": 3}


@needs_igraph
def test_clusters(tmp_path):
    """The file, the report and MultiQC's figures of it are those of the plain command line."""
    flow = Flow(tmp_path / "flow", {"s": COUNTS}, reports=True, **LOOK)
    flow.run()
    results = tmp_path / "flow" / "results"
    denoised = plain(tmp_path / "p", COUNTS, "--epochs", "4", "--seed", "3")
    assert same(flow.denoised("s"), denoised)
    found = plain_clusters(tmp_path, denoised, "--epochs", "30")
    assert same(results / "clusters" / "s.h5ad", found)
    assert "X_umap" in anndata.read_h5ad(found).obsm
    quell("report", found, "-o", tmp_path / "plain.html")
    assert same(results / "report" / "s.html", tmp_path / "plain.html")
    figures = json.loads((results / "mqc" / "s.clusters" / "s.quell_cluster_stats_mqc.json").read_text())["data"]["s"]
    assert figures["quell_clusters"] == anndata.read_h5ad(found).obs["leiden"].nunique()
    assert not (results / "neighbors" / "s.h5ad").exists() and not (results / "clustered" / "s.h5ad").exists()


def two_batches(path):
    plain = path.with_name("plain.h5ad")
    quell("convert", COUNTS, "-o", plain)
    cells = anndata.read_h5ad(plain)
    cells.obs["donor"] = np.where(np.arange(cells.n_obs) % 2, "a", "b")
    cells.write_h5ad(path)
    return path


@needs_igraph
@pytest.mark.parametrize("model, options", [("vae", "--epochs 2 --batch donor"), ("scdha", "--top-genes 300")])
def test_another_embedding(tmp_path, model, options):
    """Clusters of another model's space; several models denoise."""
    counts = two_batches(tmp_path / "counts.h5ad")
    flow = Flow(tmp_path / "flow", {"s": counts}, train="--epochs 2", ensemble=2,
                embed={"model": model, "options": options}, **LOOK)
    flow.run()
    results = tmp_path / "flow" / "results"
    quell("embed", counts, "-o", tmp_path / "e.h5ad", "--model", model, "--seed", "3", *options.split())
    assert same(results / "embedded" / "s.h5ad", tmp_path / "e.h5ad")
    assert same(results / "clusters" / "s.h5ad", plain_clusters(tmp_path, tmp_path / "e.h5ad", "--epochs", "30"))
    assert same(flow.denoised("s"), plain(tmp_path / "p", counts, "--epochs", "2", "--ensemble", "2", "--seed", "3"))


def test_auto_or_ensemble(tmp_path):
    flow = Flow(tmp_path, {"s": COUNTS}, auto=True, ensemble=3)
    assert "does not go with ensemble" in flow.run(code=1)
    flow.configure(auto=True)
    assert "quell train" in flow.run("--dry-run", "--printshellcmds") and flow.calls("train") == []
    assert "--auto --epochs 4" in flow.run("--dry-run", "--printshellcmds")


# --- the guard, without Snakemake -----------------------------------------------------------------

GUARD = FLOW / "workflow" / "scripts" / "guard.sh"


def guarded(folder, attempt, script):
    done = subprocess.run(["sh", GUARD, str(attempt), folder / "log", "sh", "-c", script], capture_output=True)
    return done.returncode


@pytest.mark.parametrize("code, again", [(0, True), (1, True), (63, True), (64, False), (65, False), (78, False),
                                         (79, True), (130, True), (137, True), (143, True)])
def test_guard(tmp_path, code, again):
    script = f"echo x >> {tmp_path}/ran; exit {code}"
    assert [guarded(tmp_path, attempt, script) for attempt in (1, 2, 3)] == [code] * 3
    assert len((tmp_path / "ran").read_text().split()) == (3 if again else 1)
    # another run of Snakemake
    assert guarded(tmp_path, 1, script) == code
    assert len((tmp_path / "ran").read_text().split()) == (4 if again else 2)


# --- the wrapper ----------------------------------------------------------------------------------


def test_wrapper(tmp_path):
    """As the repository of wrappers tests: its test folder, with the prefix of a local copy."""
    copy = tmp_path / "prefix" / "master"
    shutil.copytree(WRAPPERS / "bio", copy / "bio")
    test = tmp_path / "test"
    shutil.copytree(WRAPPERS / "bio" / "quell" / "denoise" / "test", test)
    (test / "counts").mkdir(exist_ok=True)
    shutil.copy(COUNTS, test / "counts" / "a.h5")
    env = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    done = subprocess.run([SNAKEMAKE, "--cores", "2", "--wrapper-prefix", f"file://{tmp_path}/prefix/",
                           "denoised/a.h5ad", "denoised with space/a.h5ad"],
                          cwd=test, env=env, capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 0, done.stdout + done.stderr
    output = tmp_path / "plain.h5ad"
    quell("denoise", COUNTS, "-o", output, "--epochs", "4", "--seed", "1")
    assert same(test / "denoised" / "a.h5ad", output)
    assert same(test / "denoised with space" / "a.h5ad", output)
    assert (test / "models" / "a.quell.h5").exists()
    assert "--threads 2" in (test / "logs" / "a.log").read_text()
