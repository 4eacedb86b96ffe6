"""What the tests in Python share: the program under test and the folder with real data.

QUELL         the program; default build/quell
QUELL_SHARED  a folder whose data/ holds real counts; default ../shared; tests that need it skip
              where it is not there
"""
import os
import pathlib
import resource
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.pop("QUELL_SAMPLES", None)  # the environment's --samples: would hold for every run


def shared_fixtures(item):
    """What a test shares with others of its file, such as a model trained once for all of them."""
    found = item._fixtureinfo.name2fixturedefs
    return {name for name, (*_, last) in found.items()
            if last.scope in ("module", "session") and last.baseid == item.parent.nodeid}


def pytest_collection_modifyitems(items):
    """Side by side, tests that share a fixture of their file run in one process, so that it is made once."""
    for item in items:
        if shared_fixtures(item):
            item.add_marker(pytest.mark.xdist_group(item.parent.nodeid))


def pytest_make_parametrize_id(val):
    """A function goes by its name, not by its address: processes side by side must find the same tests."""
    return getattr(val, "__name__", None) if callable(val) else None


@pytest.fixture(scope="session")
def program():
    return os.environ.get("QUELL", str(ROOT / "build" / "quell"))


@pytest.fixture(scope="session")
def quell(program):
    """Run the program: quell("denoise", path, ...) gives the finished process, text captured.

    A run is expected to succeed; quell(..., code=65) expects that exit code instead, code=None any.
    """

    def run(*args, code=0, **kwargs):
        done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, **kwargs)
        assert code in (None, done.returncode), f"{done.args}: exit {done.returncode}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def writes_the_same_bytes(quell, tmp_path):
    """Check that quell(command, source, "-o", OUT, *options) writes one OUT for any number of threads, any
    processor and with --stream, and another one for another seed."""

    def run(name, command, source, *options, **environment):
        (tmp_path / name).mkdir()
        out = tmp_path / name / "out.h5ad"
        done = quell(command, source, "-o", out, *options, code=None, env={**os.environ, **environment})
        if "is not a set of kernels that runs here" in done.stderr:
            return None
        assert done.returncode == 0, done.stderr
        return out.read_bytes()

    def check(*line):
        wanted = run("one", *line, "--threads", 1)
        for threads in (2, 3, 7):
            assert run(f"threads{threads}", *line, "--threads", threads) == wanted
        for isa in ("scalar", "avx2", "avx512", "neon"):
            assert run(isa, *line, QUELL_ISA=isa) in (None, wanted)
        assert run("stream", *line, "--stream") == wanted
        assert run("seed", *line, "--seed", 1) != wanted

    return check


@pytest.fixture
def full_disk(program, tmp_path):
    """Check that a run on source that streams through a folder with little room leaves one line and nothing
    else, at exit code 74."""

    def check(source):
        cache = tmp_path / "cache"
        cache.mkdir()
        before = sorted(os.listdir(tmp_path))
        done = subprocess.run(
            [program, "denoise", source, "-o", tmp_path / "out.h5ad", "--stream", "--tmpdir", cache, "--quiet"],
            capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)))
        assert done.returncode == 74
        assert done.stderr.count("\n") == 1 and "cannot be written" in done.stderr and str(cache) in done.stderr
        assert sorted(os.listdir(tmp_path)) == before and os.listdir(cache) == []

    return check


@pytest.fixture(scope="session")
def example_data():
    return ROOT / "example_data"


@pytest.fixture(scope="session")
def shared_data():
    """The folder with real data; the test skips where there is none."""
    folder = pathlib.Path(os.environ.get("QUELL_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set QUELL_SHARED)")
    return folder
