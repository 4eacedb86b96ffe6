"""Snakemake 9, the Snakemake of Debian and Nextflow on the same two samples: their final files, of counts and
of clusters, are the same bytes, which are those of the plain command line.

QUELL, NEXTFLOW, SNAKEMAKE, SNAKEMAKE7   the programs; QUELL_SHARED  a folder with data/ (else the example data)
"""
import filecmp
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLOWS = ROOT / "workflows"
QUELL = pathlib.Path(os.environ.get("QUELL", ROOT / "build" / "quell")).resolve()
NEXTFLOW = pathlib.Path(os.environ.get("NEXTFLOW", ROOT / "build" / "nextflow" / "nextflow"))
BIN = pathlib.Path(sys.executable).parent
SNAKEMAKES = {"snakemake 9": os.environ.get("SNAKEMAKE", str(BIN / "snakemake")),
              "snakemake 7": os.environ.get("SNAKEMAKE7", "/usr/bin/snakemake")}
DATA = pathlib.Path(os.environ.get("QUELL_SHARED") or "/nowhere").resolve() / "data"
WAIT = 600


def samples():
    real = {"kang": DATA / "kang_pbmc_ifnb_subset.h5ad", "mixology": DATA / "mixology_5cl_celseq2.h5ad"}
    example = {"kang": ROOT / "example_data" / "pbmc_small.h5", "mixology": ROOT / "example_data" / "pbmc_small_mtx"}
    return real if all(path.exists() for path in real.values()) else example


SAMPLES = samples()
OPTIONS = ["--epochs", "3"]
LAYOUT = ["--epochs", "50"]  # of the configurations for tests of both workflows
HAS_IGRAPH = "igraph" in subprocess.run([QUELL, "version"], capture_output=True, text=True).stdout


def sheet(path, separator):
    rows = [("sample", "counts"), *SAMPLES.items()]
    path.write_text("".join(f"{name}{separator}{file}\n" for name, file in rows))
    return path


def call(line, folder):
    environment = {**os.environ, "PATH": f"{QUELL.parent}:{BIN}:{os.environ['PATH']}",
                   "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run([str(word) for word in line], cwd=folder, env=environment, text=True, timeout=WAIT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    for name, counts in SAMPLES.items():
        call([QUELL, "train", counts, "--save-model", f"{name}.quell.h5", *OPTIONS], folder)
        call([QUELL, "apply", counts, "--load-model", f"{name}.quell.h5", "-o", f"{name}.h5ad", "--no-score"], folder)
        if HAS_IGRAPH:
            call([QUELL, "neighbors", f"{name}.h5ad", "-o", f"{name}.near.h5ad"], folder)
            call([QUELL, "cluster", f"{name}.near.h5ad", "-o", f"{name}.clustered.h5ad"], folder)
            call([QUELL, "layout", f"{name}.clustered.h5ad", "-o", f"{name}.clusters.h5ad", *LAYOUT], folder)
    return folder


@pytest.mark.parametrize("engine", SNAKEMAKES)
def test_snakemake(engine, expected, tmp_path):
    """The configuration of .test on these samples, with MultiQC."""
    program = SNAKEMAKES[engine]
    if not shutil.which(program):
        pytest.skip(f"there is no {program} (make workflows installs it)")
    shutil.copytree(FLOWS / "snakemake" / ".test", tmp_path, dirs_exist_ok=True)
    sheet(tmp_path / "config" / "samples.tsv", "\t")
    workflow = FLOWS / "snakemake" / "workflow"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert version.split(".")[0] == engine.split()[1]
    call([program, "-s", workflow / "Snakefile", "--cores", 2, "--profile", workflow / "profiles" / "default",
          "--config", f"train={' '.join(OPTIONS)}", "multiqc=True"], tmp_path)
    for name in SAMPLES:
        assert filecmp.cmp(tmp_path / "results" / "denoised" / f"{name}.h5ad", expected / f"{name}.h5ad", shallow=False)
        if HAS_IGRAPH:
            found = tmp_path / "results" / "clusters" / f"{name}.h5ad"
            assert filecmp.cmp(found, expected / f"{name}.clusters.h5ad", shallow=False)
    figures = (tmp_path / "results" / "multiqc" / "report_data" / "multiqc_general_stats.txt").read_text()
    assert all(name in figures for name in SAMPLES)


@pytest.mark.skipif(not NEXTFLOW.exists(), reason="there is no Nextflow (make workflows gets it)")
def test_nextflow(expected, tmp_path):
    """The profile test on these samples, with MultiQC."""
    call([NEXTFLOW, "run", FLOWS / "nextflow", "-profile", "test", "--input", sheet(tmp_path / "sheet.csv", ","),
          "--train_args", " ".join(OPTIONS), "--clusters", str(HAS_IGRAPH).lower(), "--multiqc"], tmp_path)
    for name in SAMPLES:
        assert filecmp.cmp(tmp_path / "results" / "denoised" / f"{name}.denoised.h5ad", expected / f"{name}.h5ad",
                           shallow=False)
        assert "Genes before and after" in (tmp_path / "results" / "report" / f"{name}.html").read_text()
        if HAS_IGRAPH:
            found = tmp_path / "results" / "clusters" / f"{name}.clusters.h5ad"
            assert filecmp.cmp(found, expected / f"{name}.clusters.h5ad", shallow=False)
    figures = (tmp_path / "results" / "multiqc" / "multiqc_report_data" / "multiqc_general_stats.txt").read_text()
    assert all(name in figures for name in SAMPLES)
