"""What the tests in Python share: the program under test and the folder with real data.

QUELL         the program; default build/quell
QUELL_SHARED  a folder whose data/ holds real counts; default ../shared; tests that need it skip
              where it is not there
"""
import os
import pathlib
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
