"""The workflows on a real Slurm (tests/workflows/slurm.sh: this machine as its only node): Snakemake by
its executor plugin, Nextflow by its executor. Both finish, with the bytes of the command line, also when
Slurm terminates a training.

QUELL, NEXTFLOW, SNAKEMAKE   the programs
"""
import filecmp
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLOWS = ROOT / "workflows"
HERE = pathlib.Path(__file__).parent
QUELL = pathlib.Path(os.environ.get("QUELL", ROOT / "build" / "quell")).resolve()
NEXTFLOW = os.environ.get("NEXTFLOW", str(ROOT / "build" / "nextflow" / "nextflow"))
BIN = pathlib.Path(sys.executable).parent
SNAKEMAKE = os.environ.get("SNAKEMAKE", str(BIN / "snakemake"))
SAMPLES = {"pbmc_h5": ROOT / "example_data" / "pbmc_small.h5", "pbmc_mtx": ROOT / "example_data" / "pbmc_small_mtx"}
SHORT = "--epochs 3"
LONG = "--epochs 100 --early-stop 1000"  # long enough to be terminated on the way
WAIT = 900

# There is no accounting here, and a test does not wait 40 s for each status.
SNAKEMAKE_HERE = ["--slurm-status-command", "squeue", "--slurm-no-account", "--slurm-init-seconds-before-status-checks", 2,
                  "--seconds-between-status-checks", 2, "--latency-wait", 30]
NEXTFLOW_HERE = "executor { queueStatInterval = '2 sec'; pollInterval = '1 sec'; submitRateLimit = '20/1sec' }\n"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Its environment."""
    folder = tmp_path_factory.mktemp("slurm")
    script = HERE / "slurm.sh"
    started = subprocess.run(["sh", script, "start", folder], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert started.returncode == 0, started.stdout
        path = f"{folder}/bin:{QUELL.parent}:{BIN}:{os.environ['PATH']}"
        yield {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
    finally:
        subprocess.run(["sh", script, "stop", folder])


class Run:
    """An engine at work in a folder."""

    def __init__(self, slurm, folder, line):
        self.slurm = {**slurm, "XDG_CACHE_HOME": str(folder / "cache")}
        self.output = open(folder / "said", "w+")
        self.process = subprocess.Popen([str(word) for word in line], cwd=folder, env=self.slurm, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT)

    def said(self):
        self.output.seek(0)
        return self.output.read()

    def finish(self):
        try:
            assert self.process.wait(WAIT) == 0, self.said()
        finally:
            self.process.kill()

    def jobs(self, what=".*"):
        """Numbers and states of Slurm's jobs whose name or comment is like this."""
        text = subprocess.run(["squeue", "-h", "-t", "all", "-o", "%A|%T|%j|%k"], env=self.slurm, capture_output=True,
                              text=True, check=True).stdout
        rows = [line.split("|", 2) for line in text.splitlines()]
        return {job: state for job, state, names in rows if re.search(what, names)}

    def terminate_training(self, states, *whom):
        """TERM to the processes of the training's job, as Slurm at a time limit, when there is a state. scancel sends
        it to what srun has started; with --full to the batch script and what that has started itself."""
        end = time.monotonic() + WAIT
        while not list(states.glob("*.h5")):
            assert time.monotonic() < end and self.process.poll() is None, self.said()
            time.sleep(0.02)
        running = [job for job, state in self.jobs("(?i)train").items() if state == "RUNNING"]
        subprocess.run(["scancel", "--signal=TERM", *whom, *running], env=self.slurm, check=True)
        return running


def snakemake(slurm, folder, options, samples, every="10m"):
    workflow = FLOWS / "snakemake" / "workflow"
    shutil.copytree(FLOWS / "snakemake" / ".test", folder, dirs_exist_ok=True)
    rows = [("sample", "counts"), *samples.items()]
    (folder / "config" / "samples.tsv").write_text("".join(f"{name}\t{file}\n" for name, file in rows))
    with open(folder / "config" / "config.yaml", "a") as config:
        config.write(f"checkpoints: {{folder: checkpoints, every: {every}}}\nclusters: false\n")
    return Run(slurm, folder, [SNAKEMAKE, "-s", workflow / "Snakefile", "--profile", workflow / "profiles" / "slurm",
                               *SNAKEMAKE_HERE, "--config", f"train={options}"])


def nextflow(slurm, folder, options, samples):
    (folder / "sheet.csv").write_text("sample,counts\n" + "".join(f"{name},{file}\n" for name, file in samples.items()))
    (folder / "here.config").write_text(NEXTFLOW_HERE)
    return Run(slurm, folder, [NEXTFLOW, "run", FLOWS / "nextflow", "-profile", "test,slurm", "-c", "here.config", "--clusters", "false",
                               "--input", "sheet.csv", "--train_args", options])


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """File of the command line for a sample and options of the training."""
    folder = tmp_path_factory.mktemp("plain")

    def make(sample, options):
        model, h5ad = folder / f"{sample}.quell.h5", folder / f"{sample}.h5ad"
        lines = ([QUELL, "train", SAMPLES[sample], "--save-model", model, "--force", *options.split()],
                 [QUELL, "apply", SAMPLES[sample], "--load-model", model, "-o", h5ad, "--no-score", "--force"])
        for line in lines:
            subprocess.run([str(word) for word in line], check=True, capture_output=True)
        return h5ad

    return make


def same(one, other):
    return filecmp.cmp(one, other, shallow=False)


def test_snakemake(slurm, expected, tmp_path):
    run = snakemake(slurm, tmp_path, SHORT, SAMPLES)
    run.finish()
    # every job but `all` was Slurm's
    assert set(run.jobs("rule_").values()) == {"COMPLETED"} and len(run.jobs("rule_")) == 19
    for sample in SAMPLES:
        assert same(tmp_path / "results" / "denoised" / f"{sample}.h5ad", expected(sample, SHORT))


def test_nextflow(slurm, expected, tmp_path):
    run = nextflow(slurm, tmp_path, SHORT, SAMPLES)
    run.finish()
    assert set(run.jobs("nf-QUELL").values()) == {"COMPLETED"} and len(run.jobs("nf-QUELL")) == 14
    for sample in SAMPLES:
        assert same(tmp_path / "results" / "denoised" / f"{sample}.denoised.h5ad", expected(sample, SHORT))


def test_snakemake_goes_on_after_term(slurm, expected, tmp_path):
    run = snakemake(slurm, tmp_path, LONG, {"pbmc_h5": SAMPLES["pbmc_h5"]}, every="0.02s")
    assert len(run.terminate_training(tmp_path / "checkpoints")) == 1
    run.finish()
    log = tmp_path / "logs" / "pbmc_h5" / "train.log"
    assert pathlib.Path(f"{log}.failed").read_text().count("exit code 143") == 1
    assert "going on from" in log.read_text()
    assert same(tmp_path / "results" / "denoised" / "pbmc_h5.h5ad", expected("pbmc_h5", LONG))


def test_nextflow_goes_on_after_term(slurm, expected, tmp_path):
    run = nextflow(slurm, tmp_path, LONG + " --checkpoint-every 0.02s", {"pbmc_h5": SAMPLES["pbmc_h5"]})
    assert len(run.terminate_training(tmp_path / "checkpoints", "--full")) == 1
    run.finish()
    trainings = [file.parent for file in tmp_path.glob("work/*/*/.command.sh") if "quell train" in file.read_text()]
    codes = {(folder / ".exitcode").read_text().strip(): (folder / ".command.err").read_text() for folder in trainings}
    assert set(codes) == {"0", "143"} and "going on from" in codes["0"]
    assert same(tmp_path / "results" / "denoised" / "pbmc_h5.denoised.h5ad", expected("pbmc_h5", LONG))


def test_the_cookbook_on_slurm(slurm):
    """The recipe for many samples with the array job that is left out where there is no Slurm."""
    cookbook = ROOT / "tests" / "python" / "test_cookbook.py"
    done = subprocess.run([sys.executable, "-B", "-m", "pytest", "-c", ROOT / "tests" / "python" / "pytest.ini", cookbook,
                           "-k", "Slurm"], env={**slurm, "QUELL": str(QUELL)}, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout
