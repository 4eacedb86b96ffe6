"""docs/cookbook.md, executed: every block of every recipe, in a folder of the recipe's own.

A `text` block is what the block before it prints on stdout or stderr: its lines come there in this order, whole;
"..." stands for any lines or, within a line, for any text. `<!-- needs: NAME... -->` above a block runs
it only where these are: modules of Python, packages of R, for a shell commands that succeed when called
alone, or quell-igraph: a program that was built with it. `<!-- not run: WHY -->` leaves it out.
"""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cookbook.md"
SETUP = "The files used here"
RUNNERS = {"sh": ["bash", "-e", "-c"], "python": [sys.executable, "-W", "ignore", "-c"], "r": ["Rscript", "--vanilla", "-e"]}


class Block(NamedTuple):
    line: int
    kind: str      # the word after the fence
    note: str      # what the comment right above it says
    text: str


def recipes():
    """Heading -> its blocks, in the order of the page."""
    found, heading, note, block = {}, None, "", None
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        if block is not None and line == "```":
            found[heading].append(Block(*block[:3], "\n".join(block[3]) + "\n"))
            block, note = None, ""
        elif block is not None:
            block[3].append(line)
        elif line.startswith("```"):
            block = (number, line[3:], note, [])
        elif line.startswith("## "):
            heading = line[3:]
            found[heading] = []
        elif line.startswith("<!-- "):
            note = line[5:].removesuffix(" -->")
        elif line:
            note = ""
    return found


RECIPES = recipes()


def succeeds(*line):
    return shutil.which(line[0]) and subprocess.run(line, capture_output=True, timeout=300).returncode == 0


def has_igraph():
    program = os.environ.get("QUELL", str(ROOT / "build" / "quell"))
    return "igraph" in subprocess.run([program, "version"], capture_output=True, text=True).stdout


def is_there(kind, name):
    if name == "quell-igraph":
        return has_igraph()
    if kind == "python":
        return importlib.util.find_spec(name)
    return succeeds(name) if kind == "sh" else succeeds("Rscript", "--vanilla", "-e", f"library({name})")


def can_run(block):
    if block.note.startswith("needs: "):
        return all(is_there(block.kind, name) for name in block.note[7:].split())
    return not block.note.startswith("not run: ")


def run(block, folder, environment):
    done = subprocess.run(RUNNERS[block.kind] + [block.text], cwd=folder, env=environment, timeout=300,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"cookbook.md:{block.line}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


def pattern(line):
    return ".*".join(re.escape(part) for part in line.rstrip().split("..."))


def compare(block, printed):
    """Each line of the page's output is a line of the real one, behind the one before it."""
    rest = iter(printed.splitlines())
    for line in block.text.splitlines():
        if line == "...":
            continue
        assert any(re.fullmatch(pattern(line), real.rstrip()) for real in rest), \
            f"cookbook.md:{block.line}: not printed (in this order): {line}\nprinted:\n{printed}"


def follow(blocks, folder, environment):
    printed = None
    for block in blocks:
        if block.kind == "text":
            if printed is not None:
                compare(block, printed)
        else:
            printed = run(block, folder, environment) if can_run(block) else None


@pytest.fixture(scope="module")
def environment(program, example_data, tmp_path_factory):
    """The program alone on a path of its own: one thread, as many recipes may run side by side."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "quell").symlink_to(pathlib.Path(program).resolve())
    kept = {k: v for k, v in os.environ.items() if not k.startswith("QUELL") and (k == "SLURM_CONF" or not k.startswith("SLURM_"))}
    return {**kept, "PATH": f"{folder}:{os.environ['PATH']}", "EXAMPLES": str(example_data), "QUELL_THREADS": "1"}


@pytest.fixture(scope="module")
def files(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    follow(RECIPES[SETUP], folder, environment)
    return folder


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != SETUP])
def test_recipe(recipe, files, environment, tmp_path):
    folder = tmp_path / "recipe"
    shutil.copytree(files, folder)
    follow(RECIPES[recipe], folder, environment)


def test_every_block_runs_or_says_why_not():
    for blocks in RECIPES.values():
        for block in blocks:
            assert block.kind in (*RUNNERS, "text"), block
    # One that needs what only some machines have is run there: Seurat, Slurm (make workflows-slurm).
    assert sum(block.kind in RUNNERS and not block.note for blocks in RECIPES.values() for block in blocks) > 30


def test_output_that_is_not_printed_is_noticed():
    said = Block(1, "text", "", "two ... four\n...\nsix\n")
    compare(said, "one\ntwo three four\nfive\nsix\n")
    for printed in ("six\ntwo three four\n", "two three four\n", "two three four\nsix and more\n"):
        with pytest.raises(AssertionError, match="not printed"):
            compare(said, printed)
