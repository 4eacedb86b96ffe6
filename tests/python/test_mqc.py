"""Files for MultiQC (--mqc): their documented structure, and MultiQC itself where it is installed."""
import json
import pathlib
import shutil
import subprocess
import sys

import anndata
import numpy as np
import pytest

SECTIONS = {"stats": "generalstats", "validation": "linegraph", "loss": "linegraph",
            "depth": "linegraph", "entries": "bargraph", "versions": "table", "coverage": "linegraph"}
MODELS = {"auto": "table", "ensemble": "bargraph"}  # of several models
CLUSTERS = {"cluster_stats": "generalstats", "clusters": "bargraph"}  # of quell cluster
FAST = ["-e", "3", "--threads", "1", "-q"]


@pytest.fixture(scope="module")
def folder(quell, example_data, tmp_path_factory):
    where = tmp_path_factory.mktemp("mqc")
    for i, sample in enumerate(["liver", "lung 2", "<b>&"]):
        quell("denoise", example_data / "pbmc_small.h5", "-o", where / f"{i}.h5ad", "--seed", i,
              "--mqc", where / "mqc", "--sample-id", sample, *FAST)
    few = anndata.read_h5ad(where / "0.h5ad")[:120, :300]
    anndata.AnnData(few.X, few.obs[[]], few.var[[]]).write_h5ad(where / "few.h5ad")
    quell("denoise", where / "few.h5ad", "-o", where / "auto.h5ad", "--auto", "--mqc", where / "mqc",
          "--sample-id", "chosen", "-e", 1, "-q", "--no-denoised")
    for i, sample in enumerate(["liver", "lung 2"]):
        quell("cluster", where / f"{i}.h5ad", "-o", where / f"{i}.c.h5ad", "--method", "kmeans", "--clusters", 4 + i,
              "--mqc", where / "mqc", "--sample-id", sample)
    return where / "mqc"


@pytest.fixture(scope="module")
def has_igraph(program):
    return "igraph" in subprocess.run([program, "version"], capture_output=True, text=True).stdout


def load(folder, sample, section):
    return json.loads((folder / f"{sample}.quell_{section}_mqc.json").read_text())


@pytest.mark.parametrize("section", SECTIONS)
def test_structure(folder, section):
    seen = [load(folder, s, section) for s in ("liver", "lung 2", "<b>&")]
    assert {x["id"] for x in seen} == {f"quell_{section}"}
    assert {x["plot_type"] for x in seen} == {SECTIONS[section]}
    for sample, x in zip(("liver", "lung 2", "<b>&"), seen):
        want = [sample] if section != "entries" else [f"{sample} raw", f"{sample} denoised"]
        assert list(x["data"]) == want
        assert section == "stats" or x["parent_id"] == "quell"


def test_figures(folder):
    stats = load(folder, "liver", "stats")
    data = stats["data"]["liver"]
    assert data["quell_cells"] == 560 and data["quell_genes"] == 1500 and data["quell_epochs"] == 3
    assert {k for c in stats["pconfig"] for k in c} >= set(data)
    assert list(load(folder, "liver", "loss")["data"]["liver"]) == ["1", "2", "3"]
    assert sum(load(folder, "liver", "depth")["data"]["liver"].values()) == pytest.approx(100)
    for shares in load(folder, "liver", "entries")["data"].values():
        assert sum(shares.values()) == pytest.approx(100)
        assert min(shares.values()) >= 0


def test_several_models(folder):
    """The table of --auto is that of the h5ad; weights add up to the whole."""
    uns = anndata.read_h5ad(folder.parent / "auto.h5ad").uns["quell"]["denoise"]
    table, said = uns["auto"], load(folder, "chosen", "auto")
    assert list(said["data"]) == [f"chosen {name}" for name in table["candidate"]] and set(said["headers"]) == {
        f"quell_auto_{x}" for x in ("gain", "error", "difference", "difference_error", "weight", "chosen")}
    for i, name in enumerate(table["candidate"]):
        row = said["data"][f"chosen {name}"]
        assert row["quell_auto_gain"] == table["gain"][i] and row["quell_auto_error"] == table["gain_stderr"][i]
        assert row["quell_auto_chosen"] == (name == table["chosen"])
    if "ensemble" in uns:
        weights = list(load(folder, "chosen", "ensemble")["data"]["chosen"].values())
        assert len(weights) == len(uns["ensemble"]["weight"]) and sum(weights) == pytest.approx(100)


def test_ensemble(quell, example_data, tmp_path):
    quell("train", example_data / "pbmc_small.h5", "-o", tmp_path / "m.h5", "--ensemble", 3, "--mqc", tmp_path,
          "--sample-id", "x", "-e", 1, "-q")
    weights = load(tmp_path, "x", "ensemble")["data"]["x"]
    assert list(weights) == ["as given", "hidden=128,64 seed=1", "type=poisson seed=2"]
    assert sum(weights.values()) == pytest.approx(100)
    assert not (tmp_path / "x.quell_auto_mqc.json").exists()


def test_coverage(folder):
    """Points are the levels of the h5ad that have enough counts."""
    c = anndata.read_h5ad(folder.parent / "0.h5ad").uns["quell"]["denoise"]["coverage"]["expected_count"]
    points = load(folder, "liver", "coverage")["data"]["liver"]
    many = c["counts"] >= 200
    assert list(points.values()) == pytest.approx(100 * c["covered"][many])
    lower = np.log10(np.maximum(c["from"], 10**-3.5))
    assert [float(x) for x in points] == pytest.approx(lower[many] + 0.25, abs=1e-6)


def test_clusters(folder, has_igraph, quell, tmp_path):
    column = anndata.read_h5ad(folder.parent / "1.c.h5ad").obs["kmeans"]
    sizes = load(folder, "lung 2", "clusters")["data"]["lung 2"]
    assert sizes == column.value_counts().to_dict() and list(sizes) == ["0", "1", "2", "3", "4"]
    figures = load(folder, "lung 2", "cluster_stats")["data"]["lung 2"]
    assert figures == {"quell_clusters": 5, "quell_largest_cluster": pytest.approx(100 * sizes["0"] / 560)}
    if has_igraph:
        quell("cluster", folder.parent / "0.h5ad", "-o", tmp_path / "c.h5ad", "--mqc", tmp_path)
        record = anndata.read_h5ad(tmp_path / "c.h5ad").uns["quell"]["cluster"]["leiden"]
        figures = load(tmp_path, "0", "cluster_stats")["data"]["0"]
        assert figures["quell_modularity"] == record["modularity"]
    done = quell("cluster", folder.parent / "0.h5ad", "-o", tmp_path / "d.h5ad", "--mqc", tmp_path, "--sample-id", "a/b",
                 code=64)
    assert "--sample-id" in done.stderr and not (tmp_path / "d.h5ad").exists()


def test_only_stats_are_volatile(folder, quell, example_data, tmp_path):
    quell("denoise", example_data / "pbmc_small.h5", "-o", tmp_path / "a.h5ad", "--seed", 0,
          "--mqc", tmp_path, "--sample-id", "liver", "-e", 3, "-q", "--threads", 2)
    for section in SECTIONS.keys() - {"stats"}:
        name = f"liver.quell_{section}_mqc.json"
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_train_and_apply(quell, example_data, tmp_path):
    counts = example_data / "pbmc_small.h5"
    quell("train", counts, "-o", tmp_path / "m.h5", "--mqc", tmp_path / "a", *FAST)
    quell("apply", counts, "-m", tmp_path / "m.h5", "-o", tmp_path / "o.h5ad", "--mqc",
          tmp_path / "b", "-q")
    assert {p.name for p in (tmp_path / "a").iterdir()} == {f"pbmc_small.quell_{s}_mqc.json" for s in SECTIONS}
    applied = {p.name for p in (tmp_path / "b").iterdir()}
    assert "pbmc_small.quell_stats_mqc.json" in applied
    assert "pbmc_small.quell_loss_mqc.json" not in applied  # nothing was trained


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".x", "a\nb", "x" * 300])
def test_names_that_no_file_can_have(quell, example_data, tmp_path, name):
    done = quell("denoise", example_data / "pbmc_small.h5", "-o", tmp_path / "a.h5ad", "--mqc",
                 tmp_path / "m", "--sample-id", name, code=64)
    assert "--sample-id" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_folder_is_a_file(quell, example_data, tmp_path):
    (tmp_path / "m").write_text("")
    quell("denoise", example_data / "pbmc_small.h5", "-o", tmp_path / "a.h5ad", "--mqc",
          tmp_path / "m", code=73)


# No part of what `make check` installs; `make workflows` runs this with the newest and with Debian's 1.14.
BESIDE = pathlib.Path(sys.executable).parent / "multiqc"
MULTIQCS = sorted({str(path) for path in (BESIDE, shutil.which("multiqc") or BESIDE, pathlib.Path("/usr/bin/multiqc"))
                   if pathlib.Path(path).exists()})


@pytest.mark.parametrize("multiqc", MULTIQCS or [None])
def test_multiqc_reads_them(folder, tmp_path, multiqc):
    """Every sample and every section, without a complaint of its checks."""
    if multiqc is None:
        return  # is not there; not a skip
    version = subprocess.run([multiqc, "--version"], capture_output=True, text=True).stdout.split()[-1]
    strict = "--strict" if "--strict" in subprocess.run([multiqc, "--help"], capture_output=True, text=True).stdout else "--lint"
    done = subprocess.run([multiqc, strict, "-o", tmp_path, folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (version, done.stderr)
    said = done.stdout + done.stderr
    for section in [*SECTIONS, *MODELS, *CLUSTERS]:
        assert f"quell_{section}" in said, (version, section)
    written = {path.name: path.read_text() for path in (tmp_path / "multiqc_data").glob("*.txt")}
    figures = {name: text for name, text in written.items() if "quell" in name or "general_stats" in name}
    assert len(figures) >= len(SECTIONS) + 3, list(written)
    for sample in ("liver", "lung 2", "<b>&"):
        alone = [name for name, text in figures.items() if sample not in text]
        assert all("auto" in name or "ensemble" in name or "clusters" in name for name in alone), (version, sample, alone)
    general = next(text for name, text in figures.items() if "general_stats" in name)
    assert "quell_clusters" in general and "quell_gain" in general
    auto = next(text for name, text in figures.items() if "auto" in name)
    assert "chosen mixture" in auto and "chosen factors=8" in auto
