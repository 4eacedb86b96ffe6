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

    def run(self, *args, path="", config="", code=0):
        """One run with a PATH that begins with `path` and an extra configuration file."""
        line = [NEXTFLOW, "run", PIPELINE, "-profile", "test", "-with-trace", "trace.txt", *args]
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
    pipeline.run("-stub")
    assert all(row["status"] == "COMPLETED" for row in pipeline.tasks())
    assert len(pipeline.tasks("QUELL_APPLY")) == 6 and len(pipeline.tasks("QUELL_MERGE")) == 2


@needs_nextflow
def test_every_module_has_a_stub_that_runs(tmp_path):
    """All modules at once, with no options at all."""
    calls, includes = [], []
    inputs = {"denoise": "counts, none", "train": "counts, none", "apply": "counts, model", "merge": "model, counts",
              "report": "model"}
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
    assert done.stdout.count(f"quell={version}.") == len(calls) == 9


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


@needs_nextflow
def test_multiqc_and_clusters(pipeline, expected):
    """Stand-ins for multiqc and scanpy: what they are given, not what they make of it."""
    tools = stand_in(pipeline.folder / "bin", 'exec "$REAL" "$@"\n')
    (tools / "multiqc").write_text("""#!/bin/bash
[ "$1" = --version ] && { echo "multiqc, version 9.9"; exit; }
ls -L */ | grep _mqc > multiqc_report.html
mkdir multiqc_report_data
""")
    # The version of scanpy is asked of python3; the script of the pipeline is found first, so python3 it is.
    (tools / "python3").write_text("""#!/bin/bash
[ "$1" = -c ] && { echo 8.8; exit; }
ls "$2" > "$3.clusters.csv"
touch "$3.umap.png"
""")
    for name in ("multiqc", "python3"):
        (tools / name).chmod(0o755)
    pipeline.run("--multiqc", "--clusters", path=tools)
    report = (pipeline.results / "multiqc" / "multiqc_report.html").read_text()
    assert all(f"{sample}." in report for sample in SAMPLES), report
    for sample in SAMPLES:
        table = pipeline.results / "clusters" / f"{sample}.clusters.csv"
        assert table.read_text() == f"{sample}.denoised.h5ad\n"
    versions = (pipeline.results / "pipeline_info" / "versions.yml").read_text()
    assert "multiqc: 9.9\n" in versions and "scanpy: 8.8\n" in versions
    assert_as_expected(pipeline, expected)


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
