"""The Nextflow workflow, run by Nextflow on this machine: what it writes is what the command line
writes, also when tasks are killed, resumed or short of memory (docs/nextflow.md).

NEXTFLOW   the program (tools/get-nextflow.sh); default build/nextflow/nextflow; without it the
           tests that need it are skipped
"""
import csv
import filecmp
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "workflows" / "nextflow"
MODULES = PIPELINE / "modules" / "nf-core" / "quell"
NEXTFLOW = pathlib.Path(os.environ.get("NEXTFLOW", ROOT / "build" / "nextflow" / "nextflow"))
QUELL = pathlib.Path(os.environ.get("QUELL", ROOT / "build" / "quell"))
EXAMPLE = ROOT / "example_data"
SAMPLES = {"pbmc_h5": EXAMPLE / "pbmc_small.h5", "pbmc_mtx": EXAMPLE / "pbmc_small_mtx"}
WAIT = 300  # seconds that one run may take on a busy machine
TRAIN = ["--epochs", "5"]  # params.train_args of conf/test.config


def why_missing():
    note = NEXTFLOW.parent / "missing.txt"
    return note.read_text().strip() if note.exists() else f"{NEXTFLOW} is not there (make workflows-nextflow)"


needs_nextflow = pytest.mark.skipif(not NEXTFLOW.exists(), reason=f"no Nextflow: {why_missing()}")


class Pipeline:
    """Runs of the workflow in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.results = folder / "results"

    def run(self, *args, path="", config="", code=0, clusters="false"):
        """One run with a PATH that begins with `path` and an extra configuration file."""
        line = [NEXTFLOW, "run", PIPELINE, "-profile", "test", "-with-trace", "trace.txt", "--clusters", clusters, *args]
        if config:
            (self.folder / "extra.config").write_text(config)
            line += ["-c", "extra.config"]
        (self.folder / "trace.txt").unlink(missing_ok=True)
        environment = {**os.environ, "PATH": f"{path}:{QUELL.parent}:{os.environ['PATH']}"}
        done = subprocess.run([str(word) for word in line], cwd=self.folder, env=environment, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=WAIT)
        self.said = done.stdout + done.stderr
        assert (done.returncode == 0) == (code == 0), self.said
        return done

    def tasks(self, process=""):
        """Rows of the trace whose process is so called."""
        with open(self.folder / "trace.txt") as trace:
            return [row for row in csv.DictReader(trace, delimiter="\t") if process in row["name"]]

    def codes(self, process):
        return sorted(int(row["exit"]) for row in self.tasks(process))

    def denoised(self, sample):
        return self.results / "denoised" / f"{sample}.denoised.h5ad"


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the command line writes: {sample: (model, h5ad)}."""
    folder = tmp_path_factory.mktemp("plain")
    files = {}
    for sample, counts in SAMPLES.items():
        model, h5ad = folder / f"{sample}.quell.h5", folder / f"{sample}.h5ad"
        for line in (["train", counts, "--save-model", model, *TRAIN],
                     ["apply", counts, "--load-model", model, "-o", h5ad, "--no-score"]):
            subprocess.run([str(word) for word in [QUELL, *line]], check=True, capture_output=True, timeout=WAIT)
        files[sample] = model, h5ad
    return files


def assert_as_expected(pipeline, expected, samples=SAMPLES):
    for sample in samples:
        model, h5ad = expected[sample]
        assert filecmp.cmp(pipeline.results / "models" / f"{sample}.quell.h5", model, shallow=False), sample
        assert filecmp.cmp(pipeline.denoised(sample), h5ad, shallow=False), sample


def sheet(folder, **samples):
    file = folder / "sheet.csv"
    file.write_text("sample,counts\n" + "".join(f"{name},{path}\n" for name, path in samples.items()))
    return file


def stand_in(folder, script):
    """A `quell` ahead of the real one on the PATH; $REAL in the script is the real one."""
    folder.mkdir()
    (folder / "quell").write_text(f"#!/bin/bash\nREAL={QUELL}\n{script}")
    (folder / "quell").chmod(0o755)
    return folder


@needs_nextflow
def test_stubs(pipeline):
    pipeline.run("-stub", "--embed_model", "scdha", clusters="true")
    assert all(row["status"] == "COMPLETED" for row in pipeline.tasks())
    for process in ("QUELL_EMBED", "QUELL_NEIGHBORS", "QUELL_CLUSTER", "QUELL_LAYOUT"):
        assert len(pipeline.tasks(f"{process} ")) == 2, process
    assert len(pipeline.tasks("QUELL_APPLY")) == 6 and len(pipeline.tasks("QUELL_MERGE")) == 2


@needs_nextflow
def test_every_module_has_a_stub_that_runs(tmp_path):
    """All modules at once, with no options at all."""
    calls, includes = [], []
    inputs = {"denoise": "counts, none", "train": "counts, none", "apply": "counts, model", "merge": "model, counts",
              "report": "model", "neighbors": "model", "cluster": "model", "layout": "model", "score": "counts, model",
              "de": "counts, model", "compare": "model + ['cell_type'], none"}
    for module in sorted(path.name for path in MODULES.iterdir()):
        name = f"QUELL_{module.upper()}"
        includes.append(f"include {{ {name} }} from '{MODULES / module}'")
        calls.append(f"    {name}({inputs.get(module, 'counts')})")
    (tmp_path / "main.nf").write_text("\n".join(
        ["nextflow.preview.topic = true", *includes, "workflow {",
         f"    counts = [[id: 'a'], file('{SAMPLES['pbmc_h5']}')]", f"    model = [[id: 'm'], file('{SAMPLES['pbmc_mtx']}')]", "    none = [[:], []]",
         *calls, "    channel.topic('versions').view { _process, tool, version -> \"${tool}=${version}.\" }", "}"]))
    done = subprocess.run([NEXTFLOW, "run", "main.nf", "-stub"], cwd=tmp_path, capture_output=True, text=True, timeout=WAIT,
                          env={**os.environ, "PATH": f"{QUELL.parent}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout + done.stderr
    version = (ROOT / "VERSION").read_text().strip()
    assert done.stdout.count(f"quell={version}.") == len(calls) == 16


@needs_nextflow
def test_same_bytes_as_the_command_line_and_resume(pipeline, expected):
    pipeline.run()
    assert_as_expected(pipeline, expected)
    info = json.loads((pipeline.results / "info" / "pbmc_h5.info.json").read_text())
    assert info["cells"] == 560
    versions = (pipeline.results / "pipeline_info" / "versions.yml").read_text()
    assert f"QUELL_MERGE:\n    quell: {(ROOT / 'VERSION').read_text().strip()}\n" in versions

    pipeline.run("-resume")
    assert {row["status"] for row in pipeline.tasks()} == {"CACHED"}
    # Another number of shards: nothing is trained anew, and the bytes are the same.
    for shards in ("1", "8"):
        shutil.rmtree(pipeline.results)
        pipeline.run("-resume", "--shards", shards)
        assert {row["status"] for row in pipeline.tasks("QUELL_TRAIN")} == {"CACHED"}
        assert_as_expected(pipeline, expected)


HAS_IGRAPH = "igraph" in subprocess.run([QUELL, "version"], capture_output=True, text=True).stdout
needs_igraph = pytest.mark.skipif(not HAS_IGRAPH, reason="this quell was built without igraph")


def plain_clusters(folder, h5ad, layout):
    """What the command line makes of a file with a latent space."""
    folder.mkdir()
    steps = [folder / f"step{i}.h5ad" for i in range(3)]
    for line in (["neighbors", h5ad, "-o", steps[0], "--metric", "cosine"],
                 ["cluster", steps[0], "-o", steps[1], "--resolution", "0.8"],
                 ["layout", steps[1], "-o", steps[2], *layout]):
        subprocess.run([str(word) for word in [QUELL, *line]], check=True, capture_output=True, timeout=WAIT)
    return steps[2]


LOOK = ["--neighbors_args", "--metric cosine", "--cluster_resolution", "0.8", "--layout_args", "--epochs 30"]


@needs_nextflow
@needs_igraph
def test_multiqc_and_clusters(pipeline, expected):
    """A stand-in for multiqc: what it is given, not what it makes of it. The files of clusters are those of the
    command line, and the pages are of them."""
    tools = stand_in(pipeline.folder / "bin", 'exec "$REAL" "$@"\n')
    (tools / "multiqc").write_text("""#!/bin/bash
[ "$1" = --version ] && { echo "multiqc, version 9.9"; exit; }
ls -L */ | grep _mqc > multiqc_report.html
mkdir multiqc_report_data
""")
    (tools / "multiqc").chmod(0o755)
    pipeline.run("--multiqc", *LOOK, path=tools, clusters="true")
    report = (pipeline.results / "multiqc" / "multiqc_report.html").read_text()
    for sample in SAMPLES:
        assert f"{sample}.quell_stats_mqc" in report and f"{sample}.quell_clusters_mqc" in report, report
        found = plain_clusters(pipeline.folder / sample, expected[sample][1], ["--epochs", "30"])
        assert filecmp.cmp(pipeline.results / "clusters" / f"{sample}.clusters.h5ad", found, shallow=False)
        subprocess.run([QUELL, "report", found, "-o", pipeline.folder / "page.html", "--force"], check=True, capture_output=True)
        assert filecmp.cmp(pipeline.results / "report" / f"{sample}.html", pipeline.folder / "page.html", shallow=False)
    versions = (pipeline.results / "pipeline_info" / "versions.yml").read_text()
    assert "multiqc: 9.9\n" in versions and "QUELL_LAYOUT:\n    quell: " in versions
    assert_as_expected(pipeline, expected)


@needs_nextflow
@needs_igraph
def test_another_embedding_and_several_models(pipeline):
    """Clusters are of the space of scDHA; an ensemble denoises."""
    counts, folder = SAMPLES["pbmc_h5"], pipeline.folder
    pipeline.run("--input", sheet(folder, s=counts), "--shards", "1", "--embed_model", "scdha", "--embed_args",
                 "--top-genes 300", "--train_args", "--epochs 2", "--ensemble", "2", "--reports", "false", *LOOK, clusters="true")
    for line in (["embed", counts, "-o", "e.h5ad", "--model", "scdha", "--top-genes", "300"],
                 ["train", counts, "-o", "m.h5", "--epochs", "2", "--ensemble", "2"],
                 ["apply", counts, "-m", "m.h5", "-o", "d.h5ad", "--no-score"]):
        subprocess.run([str(word) for word in [QUELL, *line]], check=True, capture_output=True, cwd=folder, timeout=WAIT)
    found = plain_clusters(folder / "plain", folder / "e.h5ad", ["--epochs", "30"])
    assert filecmp.cmp(pipeline.results / "embedded" / "s.embedded.h5ad", folder / "e.h5ad", shallow=False)
    assert filecmp.cmp(pipeline.results / "clusters" / "s.clusters.h5ad", found, shallow=False)
    assert filecmp.cmp(pipeline.denoised("s"), folder / "d.h5ad", shallow=False)


@needs_nextflow
def test_a_given_model_is_not_trained(pipeline, expected):
    model, _ = expected["pbmc_h5"]
    pipeline.run("--model", model, "--shards", "2")
    assert pipeline.tasks("QUELL_TRAIN") == []
    assert filecmp.cmp(pipeline.denoised("pbmc_h5"), expected["pbmc_h5"][1], shallow=False)


LONG = "--epochs 60 --early-stop 1000"  # long enough to be stopped on the way


@needs_nextflow
def test_killed_training_goes_on_in_the_next_attempt(pipeline):
    """TERM when there is a state: exit 143, and the retry, in a new folder, does not begin anew."""
    states = pipeline.folder / "checkpoints"
    quell = stand_in(pipeline.folder / "bin", f"""
if [ "$1" = train ] && [ ! -e {pipeline.folder}/stopped ]; then
    touch {pipeline.folder}/stopped
    "$REAL" "$@" --checkpoint-every 0 &
    child=$!
    until ls {states}/quell-*.checkpoint.h5 2>/dev/null || ! kill -0 $child 2>/dev/null; do sleep 0.02; done
    kill -TERM $child
    wait $child
    exit $?
fi
exec "$REAL" "$@"
""")
    counts = SAMPLES["pbmc_h5"]
    pipeline.run("--input", sheet(pipeline.folder, pbmc_h5=counts), "--shards", "1", "--train_args", LONG, path=quell)
    assert pipeline.codes("QUELL_TRAIN") == [0, 143]
    retried = [row for row in pipeline.tasks("QUELL_TRAIN") if row["exit"] == "0"][0]
    work = next(pipeline.folder.glob(f"work/{retried['hash']}*"))
    assert "going on from" in (work / ".command.err").read_text()
    assert list(states.glob("*.h5")) == []
    plain = pipeline.folder / "plain.quell.h5"
    subprocess.run([QUELL, "train", counts, "--save-model", plain, *LONG.split()], check=True, capture_output=True, timeout=WAIT)
    assert filecmp.cmp(pipeline.results / "models" / "pbmc_h5.quell.h5", plain, shallow=False)


MEMORY = "process { withName: 'QUELL_TRAIN' { memory = { %s } } }"


@needs_nextflow
def test_too_little_memory_is_tried_again_with_more(pipeline, expected):
    pipeline.run("--input", sheet(pipeline.folder, pbmc_h5=SAMPLES["pbmc_h5"]), "--shards", "1",
                 config=MEMORY % "task.attempt > 1 ? 2.GB : 8.MB")
    assert pipeline.codes("QUELL_TRAIN") == [0, 137]
    failed = [row for row in pipeline.tasks("QUELL_TRAIN") if row["exit"] == "137"][0]
    said = (next(pipeline.folder.glob(f"work/{failed['hash']}*")) / ".command.err").read_text()
    assert "memory" in said and "epoch" not in said  # said before training began
    assert_as_expected(pipeline, expected, ["pbmc_h5"])


def test_memory_grows_with_the_attempt():
    text = (PIPELINE / "conf" / "base.config").read_text()
    assert len(re.findall(r"memory = \{ \d+\.GB \* task\.attempt \}", text)) == 5
    assert "[104, 130, 137, 143, 175]" in text


@needs_nextflow
def test_what_a_retry_cannot_mend_is_not_tried_again(pipeline):
    """Bad data, and an option that does not exist; nothing comes after it."""
    scaled = pipeline.folder / "scaled.tsv"
    scaled.write_text("gene\tc1\tc2\tc3\n" + "".join(f"g{i}\t0.5\t-1.25\t{i}.75\n" for i in range(20)))
    pipeline.run("--input", sheet(pipeline.folder, scaled=scaled), code=1)
    assert pipeline.codes("QUELL_TRAIN") == [65] and pipeline.tasks("QUELL_APPLY") == []
    short = pipeline.folder / "short.h5"
    short.write_bytes(SAMPLES["pbmc_h5"].read_bytes()[:20000])
    pipeline.run("--input", sheet(pipeline.folder, short=short), code=1)
    assert [row["exit"] for row in pipeline.tasks()] == ["65"]
    pipeline.run("--input", sheet(pipeline.folder, a=SAMPLES["pbmc_h5"]), "--input_args=--nonsense", code=1)
    assert [row["exit"] for row in pipeline.tasks()] == ["64"]
    assert not pipeline.results.joinpath("denoised").exists()


@needs_nextflow
@pytest.mark.parametrize("lines, words", [
    ("sample,counts\na,nowhere.h5\n", "there is no"),
    ("sample,counts\na b,x.h5\n", "'a b'"),
    ("sample,file\na,x.h5\n", "columns sample,counts"),
])
def test_wrong_sheets(pipeline, lines, words):
    (pipeline.folder / "sheet.csv").write_text(lines)
    pipeline.run("--input", "sheet.csv", "-stub", code=1)
    assert words in pipeline.said


# --- what needs no Nextflow ----------------------------------------------------------------------

def test_modules_name_this_version():
    version = (ROOT / "VERSION").read_text().strip()
    for module in MODULES.iterdir():
        assert f"bioconda::quell={version}\n" in (module / "environment.yml").read_text(), module
        assert f'container "quell:{version}"\n' in (module / "main.nf").read_text(), module


def test_modules_hold_only_what_nf_core_allows():
    for module in sorted(MODULES.iterdir()):
        text = (module / "main.nf").read_text()
        head = text[:text.index("input:")]
        assert re.findall(r"^    (\w+)", head, re.M) == ["tag", "label", "conda", "container"], module
        assert re.findall(r"^process (\w+)", text, re.M) == [f"QUELL_{module.name.upper()}"]
        assert "stub:" in text and "script:" in text and "topic: versions" in text and "params." not in text, module
        assert {file.name for file in module.iterdir()} == {"main.nf", "meta.yml", "environment.yml", "tests"}


def test_strict_syntax():
    """Nothing that the parser of Nextflow 26.04 refuses."""
    refused = re.compile(r"^\s*(import|class|for|while|switch)\b|\bChannel\.|\{ *it\b|\bit\.|\*:|\.\.\*|\w\*\.", re.M)
    for file in [*PIPELINE.rglob("*.nf"), *PIPELINE.rglob("*.config")]:
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", file.read_text(), flags=re.S)
        assert not refused.search(code), (file, refused.search(code))


def test_schema_names_every_parameter():
    schema = json.loads((PIPELINE / "nextflow_schema.json").read_text())
    described = {name for part in schema["$defs"].values() for name in part["properties"]}
    config = (PIPELINE / "nextflow.config").read_text()
    block = config[config.index("params {"):config.index("\n}")]
    assert described == set(re.findall(r"^    (\w+) +=", block, re.M))
