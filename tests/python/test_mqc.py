"""Files for MultiQC (--mqc): their documented structure, and MultiQC itself where it is installed."""
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

SECTIONS = {"stats": "generalstats", "validation": "linegraph", "loss": "linegraph",
            "depth": "linegraph", "entries": "bargraph", "versions": "table"}
FAST = ["-e", "3", "--threads", "1", "-q"]


@pytest.fixture(scope="module")
def folder(quell, example_data, tmp_path_factory):
    where = tmp_path_factory.mktemp("mqc")
    for i, sample in enumerate(["liver", "lung 2", "<b>&"]):
        quell("denoise", example_data / "pbmc_small.h5", "-o", where / f"{i}.h5ad", "--seed", i,
              "--mqc", where / "mqc", "--sample-id", sample, *FAST)
    return where / "mqc"


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
    assert len(list((tmp_path / "a").glob("pbmc_small.quell_*_mqc.json"))) == len(SECTIONS)
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
    for section in SECTIONS:
        assert f"quell_{section}" in said, (version, section)
    written = {path.name: path.read_text() for path in (tmp_path / "multiqc_data").glob("*.txt")}
    figures = [text for name, text in written.items() if "quell" in name or "general_stats" in name]
    assert len(figures) >= len(SECTIONS), list(written)
    for sample in ("liver", "lung 2", "<b>&"):
        assert all(sample in text for text in figures), (version, sample)
