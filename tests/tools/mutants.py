"""Which tests notice a mistake: make the mistakes of mutants.txt one at a time and run the tests named
beside them.

    mutants.py [--build FOLDER] [--cflags FLAGS] [--python PYTHON] [--jobs N] [--only WORD]

Works in copies of the tree below FOLDER (build-mutants), so that no source is left changed; under the
sanitizers, as a read behind an end shows in no number. Where only programs in float64 (test64_) are named it
is the numbers that count, of which they look at fewer under the sanitizers: those are built without. A
mistake that no named test turns red at, or that does not compile, is listed at the end, and the exit code
is 1.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = pathlib.Path(__file__).with_name("mutants.txt")
LIMIT = 600  # seconds for a build or a test: a mutant may loop for ever
NOT_NOTICED = "not noticed"


class Mutant:
    def __init__(self, line, file, tests):
        self.line, self.file, self.tests = line, file, tests
        self.old = self.new = None

    def __str__(self):
        return f"{TABLE.name}:{self.line} {self.file}: {self.new.strip()}"


def read_table(path):
    """A mistake is "FILE: TEST...", "- TEXT", "+ TEXT"; TEXT stands once in FILE. # begins a comment."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line[:2] == "- ":
            found[-1].old = line[2:]
        elif line[:2] == "+ ":
            found[-1].new = line[2:]
        else:
            file, tests = line.split(":", 1)
            found.append(Mutant(number, file, tests.split()))
    for m in found:
        if m.old is None or m.new is None or not m.tests:
            sys.exit(f"{path}:{m.line}: a file with its tests, then a line with - and one with +")
        times = (ROOT / m.file).read_text().count(m.old)
        if times != 1:
            sys.exit(f"{m}: '{m.old}' stands {times} times in the file")
    return found


class Tree:
    """The copy that is changed."""

    def __init__(self, folder, cflags, python, jobs):
        self.folder, self.cflags, self.python, self.jobs = folder, cflags, python, jobs
        kept = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                              capture_output=True, text=True).stdout.splitlines()
        for name in kept:
            source, to = ROOT / name, folder / name
            if not source.is_file():
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            if not to.is_file() or to.read_bytes() != source.read_bytes():
                shutil.copyfile(source, to)

    def make(self, tests, limit=LIMIT):
        targets = [f"build/tests/{t}" for t in tests if not t.startswith("tests/")]
        if len(targets) < len(tests):
            targets.append("build/quell")
        line = ["make", f"-j{self.jobs}", "-s", "BUILD=build", f"CFLAGS={self.cflags}", *targets]
        return subprocess.run(line, cwd=self.folder, capture_output=True, text=True, timeout=limit)

    def passes(self, test):
        line = [f"build/tests/{test}"]
        if test.startswith("tests/"):
            line = [self.python, "-B", "-m", "pytest", "-x", "-c", "tests/python/pytest.ini", test]
        env = {**os.environ, "QUELL": str(self.folder / "build" / "quell"), "CMOCKA_TEST_ABORT": "1"}
        try:
            return subprocess.run(line, cwd=self.folder, env=env, capture_output=True, timeout=LIMIT).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def red(self, mutant):
        """The first test that fails with this mistake, NOT_NOTICED, or what the compiler says of it."""
        path = self.folder / mutant.file
        text = path.read_text()
        try:
            path.write_text(text.replace(mutant.old, mutant.new))
            built = self.make(mutant.tests)
            if built.returncode != 0:
                return f"does not compile:\n{built.stderr}"
            return next((t for t in mutant.tests if not self.passes(t)), NOT_NOTICED)
        finally:
            path.write_text(text)


def of_numbers(mutant):
    return all(t.startswith("test64_") for t in mutant.tests)


def try_all(tree, mutants):
    """Lines on the mistakes that are not noticed."""
    tests = sorted({t for m in mutants for t in m.tests})
    built = tree.make(tests, limit=None)
    if built.returncode != 0:
        sys.exit(built.stderr)
    broken = [t for t in tests if not tree.passes(t)]
    if broken:
        sys.exit(f"red without any mistake: {' '.join(broken)}")
    missed = []
    for m in mutants:
        red = tree.red(m)
        print(f"{red:24} {m}", flush=True)
        if red not in m.tests:
            missed.append(f"{m} ({' '.join(m.tests)}): {red}")
    return missed


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--build", default="build-mutants")
    options.add_argument("--cflags", default="-O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined")
    options.add_argument("--python", default=str(ROOT / "build" / "venv" / "bin" / "python"))
    options.add_argument("--jobs", default=os.environ.get("JOBS") or os.cpu_count(), help="of make")
    options.add_argument("--only", default="", help="those whose file, tests or text hold this word")
    o = options.parse_args()
    mutants = [m for m in read_table(TABLE) if o.only in f"{m.file} {m.tests} {m.old} {m.new}"]
    groups = [("numbers", "-O1", [m for m in mutants if of_numbers(m)]),
              ("memory", o.cflags, [m for m in mutants if not of_numbers(m)])]
    missed = []
    for name, cflags, group in groups:
        if group:
            folder = pathlib.Path(o.build).resolve() / name
            missed += try_all(Tree(folder, cflags, o.python, o.jobs), group)
    print(f"{len(mutants)} mistakes, {len(mutants) - len(missed)} noticed", *missed, sep="\n")
    sys.exit(len(missed) > 0)


if __name__ == "__main__":
    main()
