"""Runs that are stopped, killed or find their checkpoint in pieces: what they write in the end is
the file of a run that nothing happened to, byte for byte (docs/checkpoints.md)."""
import filecmp
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import anndata
import h5py
import pytest

# Trained for many short epochs, so that there is time to stop a run on the way.
LONG = ["--epochs", "60", "--early-stop", "1000", "--threads", "1"]
SHORT = ["--epochs", "4", "--threads", "1", "--no-denoised"]
WAIT = 120  # seconds that anything may take on a busy machine


@pytest.fixture
def counts(example_data):
    return example_data / "pbmc_small.h5"


class Runs:
    """A command that trains, of one input with one set of options, in a folder of its own."""

    def __init__(self, program, folder, counts, options, name="denoise"):
        self.program, self.folder, self.counts, self.options = program, folder, counts, options
        self.name = name
        self.states = folder / "states"
        self.number = 0

    def command(self, *more, options=None, counts=None, states=True):
        self.number += 1
        self.output = self.folder / f"{self.number}.h5ad"
        kept = ["--checkpoint", self.states] if states else []
        line = [self.program, self.name, counts or self.counts, "-o", self.output,
                *(options or self.options), *kept, *more]
        return [str(word) for word in line]

    def run(self, *more, code=0, before=None, **how):
        done = subprocess.run(self.command(*more, **how), capture_output=True, text=True,
                              timeout=WAIT, preexec_fn=before)
        assert code in (None, done.returncode), done.stderr
        return done

    def start(self, *more, **how):
        return subprocess.Popen(self.command(*more, **how), stderr=subprocess.PIPE, text=True)

    plain_outputs = {}  # outputs of plain runs, by what they are of

    def plain(self, options=None, counts=None):
        """The output of a run that knows nothing of checkpoints; made once for the tests that ask for it."""
        key = (self.name, counts or self.counts, *map(str, options or self.options))
        if key not in self.plain_outputs:
            self.run(states=False, options=options, counts=counts)
            self.plain_outputs[key] = self.output.read_bytes()
            return self.output
        self.command()
        self.output.write_bytes(self.plain_outputs[key])
        return self.output

    def files(self):
        return sorted(self.states.glob("quell-*.checkpoint.h5")) if self.states.is_dir() else []

    def seen(self):
        """Which files are there now, and which versions of them."""
        return [identity(f) for f in self.files()]

    def stop(self, number, *more, **how):
        """Send a signal once a state is there; the exit code and the last line. On a busy machine
        the run may be done before that: then once more."""
        for _ in range(10):
            before = self.seen()
            run = self.start("--checkpoint-every", "0.02s", *more, **how)
            assert wait_for(lambda: run.poll() is not None or self.seen() != before)
            run.send_signal(number)
            text = run.communicate(timeout=WAIT)[1]
            if run.returncode != 0:
                break
        return run.returncode, text.strip().splitlines()[-1]


def wait_for(what):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.005)
    return False


@pytest.fixture
def runs(program, tmp_path, counts):
    return Runs(program, tmp_path, counts, LONG)


def same(a, b):
    return filecmp.cmp(a, b, shallow=False)


def identity(path):
    try:
        there = path.stat()
    except FileNotFoundError:
        return None
    return there.st_ino, there.st_mtime_ns


# ---- killed ----

def kill_again_and_again(runs, times, seed, *more):
    """Start and kill -9; every run first gets as far as writing a state of its own."""
    chance, resumed = random.Random(seed), 0
    for _ in range(times):
        before = runs.seen()
        run = runs.start("--checkpoint-every", "0.01s", "--threads", str(chance.choice([1, 2])), *more)
        assert wait_for(lambda: run.poll() is not None or runs.seen() != before)
        time.sleep(chance.uniform(0, 0.05))
        run.kill()
        resumed += "checkpoint: going on from" in run.communicate(timeout=WAIT)[1]
    return resumed


def test_killed_ten_times(runs):
    runs.options = [*LONG, "--epochs", "150"]
    whole = runs.plain()
    assert kill_again_and_again(runs, 10, 1) >= 5
    runs.run()
    assert same(whole, runs.output)
    assert list(runs.states.iterdir()) == []  # neither states nor what was being written


def test_killed_while_streaming(runs):
    whole = runs.plain()
    assert kill_again_and_again(runs, 3, 2, "--stream") >= 1
    runs.run()  # the rest from memory
    assert same(whole, runs.output)


def test_killed_with_real_counts(program, tmp_path, shared_data):
    runs = Runs(program, tmp_path, shared_data / "pbmc3k.h5ad",
                ["--epochs", "6", "--no-denoised", "--hidden", "32,8", "--threads", "2"])
    whole = runs.plain()
    kill_again_and_again(runs, 3, 3)
    runs.run("--stream")
    assert same(whole, runs.output)


# ---- stopped ----

@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130),
                                          (signal.SIGUSR2, 143)])
def test_stopped_by_a_signal(runs, number, code):
    whole = runs.plain()
    returned, line = runs.stop(number)
    assert returned == code
    (file,) = runs.files()
    assert f"kept in {file}: the same command goes on" in line
    done = runs.run("--threads", "2")
    assert "checkpoint: going on from" in done.stderr
    assert same(whole, runs.output)
    assert runs.files() == []


def test_a_signal_keeps_the_minibatch_it_comes_in(runs):
    """One epoch of five hundred steps: the states are from within it."""
    options = ["--epochs", "2", "--batch-size", "1", "--merge-last", "--threads", "1", "--hidden", "256,16"]
    whole = runs.plain(options=options)
    for _ in range(3):
        code, _ = runs.stop(signal.SIGTERM, options=options)
        assert code in (0, 143)
    done = runs.run(options=options)
    at = re.search(r"going on from \S+, after (\d+) epochs and (\d+) cells", done.stderr)
    if at:
        assert (int(at[1]), int(at[2])) > (0, 0)
    assert same(whole, runs.output)


def test_a_signal_before_the_first_checkpoint_is_due(runs):
    """With ten minutes between states, and so none yet, nothing is lost either."""
    whole = runs.plain()
    log = runs.folder / "log.json"
    run = runs.start("--log-json", log)
    assert wait_for(lambda: log.exists() and '"loss"' in log.read_text())
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=WAIT)
    assert run.returncode == 143
    assert "going on from" in runs.run().stderr
    assert same(whole, runs.output)


def test_without_the_option_a_signal_ends_the_run(runs):
    log = runs.folder / "log.json"
    run = runs.start("--log-json", log, states=False)
    assert wait_for(lambda: log.exists() and log.stat().st_size > 0)
    run.send_signal(signal.SIGTERM)
    text = run.communicate(timeout=WAIT)[1]
    assert run.returncode in (0, 143)
    assert "goes on" not in text and not runs.states.exists()


def test_a_failure_while_writing_does_not_train_again(runs, tmp_path):
    whole = runs.plain()
    runs.run("--keep-checkpoint")
    assert same(whole, runs.output)
    (file,) = runs.files()
    done = runs.run("--estimate", "posterior", "--compression", "none", "--no-denoised")
    assert "the training is finished" in done.stderr  # what is written is no part of the training
    assert runs.files() == []
    assert not file.exists()


def test_cross_validation_has_a_state_of_its_own(runs):
    options = [*LONG, "--mcv"]
    whole = runs.plain(options=options)
    code, _ = runs.stop(signal.SIGTERM, options=options)
    assert code == 143
    done = runs.run("--keep-checkpoint", options=options)
    assert same(whole, runs.output)
    assert len(runs.files()) == 2
    done = runs.run(options=options)
    assert done.stderr.count("the training is finished") == 2
    assert same(whole, runs.output)
    assert runs.files() == []


def test_training_a_model_that_starts_from_another(runs):
    """quell train keeps states too; where its weights come from is part of what a state is of."""
    runs.name = "train"
    whole = runs.plain()
    assert runs.stop(signal.SIGTERM)[0] == 143
    assert "going on from" in runs.run().stderr
    assert same(whole, runs.output)

    options = [*LONG, "--seed", "3", "--init-from", whole]
    second = runs.plain(options=options)
    assert runs.stop(signal.SIGTERM, options=options)[0] == 143
    elsewhere = [*LONG, "--seed", "3", "--init-from", second]
    assert "none of the 1" in runs.run(options=elsewhere).stderr
    moved = whole.rename(runs.folder / "moved")
    assert "going on from" in runs.run(options=[*LONG, "--seed", "3", "--init-from", moved]).stderr
    assert same(second, runs.output)


# A line for each way in which a training may carry something on.
@pytest.mark.parametrize("options", [
    "--like dca --epochs 20",
    "--type zinb --input-thinning 0.2 --reduce-lr 2 --hidden 64,16,64 --epochs 20",
    "--optimizer adamw --l1 1e-5 --l2enc 1e-4 --validate loss --epochs 20",
    "--optimizer sgd --learning-rate 1e-4 --validation 0 --no-restore-best --epochs 20",
    "--type poisson --no-batchnorm --dropout 0 --epochs 20",
    "--precision bf16 --epochs 20",
])
def test_all_kinds_of_training(runs, options):
    options = [*options.split(), "--early-stop", "1000", "--no-denoised"]
    done = runs.run(options=options, states=False, code=None)
    if "needs a processor" in done.stderr:
        pytest.skip("no products in bfloat16 here")
    assert done.returncode == 0, done.stderr
    whole = runs.output
    assert runs.stop(signal.SIGTERM, "--threads", "1", options=options)[0] == 143
    assert "going on from" in runs.run("--threads", "2", options=options).stderr
    assert same(whole, runs.output)


@pytest.fixture(scope="module")
def annotated(program, example_data, tmp_path_factory):
    """The counts with a donor for each cell, and a type for most."""
    path = tmp_path_factory.mktemp("annotated") / "cells.h5ad"
    subprocess.run([program, "convert", example_data / "pbmc_small.h5", "-o", path], check=True, capture_output=True)
    cells = anndata.read_h5ad(path)
    numbers = range(cells.n_obs)
    cells.obs["donor"] = [["a", "b", "c"][i % 3] for i in numbers]
    cells.obs["kind"] = [["T", "B", ""][i * i % 3] if i % 5 else "NK" for i in numbers]
    cells.write_h5ad(path)
    return path


# Noise of the code, the weight of the divergence, labels and covariates are carried on too.
@pytest.mark.parametrize("options", [
    "--model vae --kl-steps 50 --epochs 20",
    "--model vae --batch donor --dispersion gene-batch --epochs 20",
    "--model vae --labels kind --batch donor --epochs 20",
    "--like scvi --batch donor --epochs 12",
])
def test_variational_models(runs, annotated, options):
    options = [*options.split(), "--early-stop", "1000", "--no-denoised"]
    how = {"options": options, "counts": annotated}
    whole = runs.plain(**how)
    assert runs.stop(signal.SIGTERM, "--threads", "1", **how)[0] == 143
    assert "going on from" in runs.run("--threads", "2", **how).stderr
    assert same(whole, runs.output)


# ---- other runs ----

def test_other_options_and_other_counts_begin_anew(runs, tmp_path, counts):
    assert runs.stop(signal.SIGTERM)[0] == 143
    (file,) = runs.files()
    options = [*SHORT, "--seed", "2"]
    done = runs.run(options=options)
    assert f"none of the 1 in {runs.states} is of these counts, options and version" in done.stderr
    assert same(runs.output, runs.plain(options=options))

    other = tmp_path / "other.h5"
    shutil.copy(counts, other)
    with h5py.File(other, "r+") as f:
        f["matrix/data"][0] += 1
    done = runs.run(counts=other, options=[*LONG, *SHORT])
    assert "none of the 1" in done.stderr
    assert runs.files() == [file]  # the stopped run can still go on
    assert "going on from" in runs.run().stderr


def test_a_file_under_anothers_name_is_not_used(runs):
    runs.run("--keep-checkpoint", options=SHORT)
    (first,) = runs.files()
    options = [*SHORT, "--seed", "5"]
    runs.run("--keep-checkpoint", options=options)
    (second,) = set(runs.files()) - {first}
    shutil.copy(first, second)
    done = runs.run(options=options)
    assert "it is of other counts, options or version" in done.stderr
    assert same(runs.output, runs.plain(options=options))


def test_two_at_once(runs):
    whole = runs.plain()
    first = runs.start("--checkpoint-every", "0.1s")
    one = runs.output
    second = runs.start("--checkpoint-every", "0.1s", "--threads", "2")
    two = runs.output
    for run in (first, second):
        run.communicate(timeout=WAIT)
        assert run.returncode == 0
    assert same(whole, one) and same(whole, two)
    assert list(runs.states.iterdir()) == []


# ---- damage ----

def damaged(data, chance):
    """Cut short, overwritten, or some bits flipped: most in the first kilobytes, where HDF5 keeps
    its own tables."""
    kind = chance.randrange(4)
    if kind == 0:
        return data[:chance.randrange(len(data))]
    if kind == 1:
        at = chance.randrange(len(data))
        return data[:at] + chance.randbytes(min(5000, len(data) - at)) + data[at + 5000:]
    data = bytearray(data)
    for _ in range(chance.choice([1, 3])):
        at = chance.randrange(8000 if kind == 2 else len(data))
        data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


def test_damaged_states(runs):
    whole = runs.plain(options=SHORT)
    runs.run("--keep-checkpoint", options=SHORT)
    (file,) = runs.files()
    data, chance, noticed = file.read_bytes(), random.Random(4), 0
    for _ in range(24):
        file.write_bytes(damaged(data, chance))
        done = runs.run("--keep-checkpoint", options=SHORT)
        assert same(whole, runs.output)
        noticed += done.stderr.count("the checkpoint is damaged and not used")
    assert noticed >= 12  # some bytes of an HDF5 file mean nothing
    file.write_bytes(b"")
    assert "damaged" in runs.run(options=SHORT).stderr


def test_every_bit_of_the_arrays_is_checked(runs):
    runs.run("--keep-checkpoint", options=SHORT)
    (file,) = runs.files()
    with h5py.File(file, "r+") as f:
        f["weights"][-1] = 1e-30  # a pad, which nothing looks at
    done = runs.run(options=SHORT)
    assert "its checksum does not hold" in done.stderr


# ---- folders and disks ----

def limit_file_size(bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, bytes))


def test_a_full_disk_is_no_reason_to_stop(runs):
    whole = runs.plain(options=SHORT)
    limit = limit_file_size(whole.stat().st_size + 50000)
    options = [*SHORT, "--hidden", "512,32"]
    whole = runs.plain(options=options)
    done = runs.run("--checkpoint-every", "0", "--keep-checkpoint", options=options, before=limit)
    assert done.stderr.count("the checkpoint cannot be written, training goes on without") == 1
    assert same(whole, runs.output)
    assert list(runs.states.iterdir()) == []


def test_a_folder_that_cannot_be(runs, tmp_path):
    runs.states = tmp_path / "file"
    runs.states.write_text("")
    assert "is not a folder" in runs.run(code=73).stderr
    runs.states = tmp_path / "no" / "where"
    assert "No such file" in runs.run(code=73).stderr


@pytest.mark.parametrize("text", ["ten", "", "10x", "-1", "1e3s", "10 m", "m", "1.2.3", "99999999h"])
def test_times_that_are_none(runs, text):
    assert "is no time" in runs.run(f"--checkpoint-every={text}", code=64).stderr


@pytest.mark.parametrize("text", ["0", "90", "90s", "1.5m", "2h"])
def test_times(runs, text):
    runs.run(f"--checkpoint-every={text}", options=SHORT)


def test_the_plan_counts_the_state(runs):
    import json
    options = [*SHORT, "--hidden", "1024,32", "--plan=json"]
    without = json.loads(runs.run(options=options, states=False).stdout)["memory_bytes"]
    having = json.loads(runs.run(options=options).stdout)["memory_bytes"]
    weights = 1500 * 1024 * 4  # a layer; there are the last one's 32 x 1500 too, and four copies
    assert having - without > 3 * weights


def test_the_output_says_nothing_of_it(runs):
    whole = runs.plain(options=SHORT)
    runs.run("--checkpoint-every", "0", options=SHORT)
    assert same(whole, runs.output)


def test_it_is_plain_hdf5(runs):
    runs.run("--keep-checkpoint", options=SHORT)
    (file,) = runs.files()
    with h5py.File(file) as f:
        assert f.attrs["finished"] == 1 and f.attrs["epochs"] == 4
        assert f["history"].shape == (4, 4)
        assert '"seed":0' in f.attrs["key"].replace(" ", "")
        assert "threads" not in f.attrs["key"] and str(runs.folder) not in f.attrs["key"]
