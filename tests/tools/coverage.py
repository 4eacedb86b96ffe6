"""Lines and branches that the tests ran, by folder: what gcov says of a build with --coverage.

    coverage.py BUILD [--missed FOLDER]

A line counts once, however many objects hold it (float32 and float64, each set of instructions): it
was run if it was run in one of them. --missed lists the lines of a folder that were run in none.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess


def reports(build):
    """What gcov says of each object, as it writes it in JSON."""
    for data in sorted(build.rglob("*.gcno")):
        done = subprocess.run([os.environ.get("GCOV", "gcov"), "--branch-probabilities", "--json-format", "--stdout",
                               str(data)], capture_output=True, text=True, check=True)
        yield from map(json.loads, done.stdout.splitlines())


def merged(build):
    """{file: {line: [runs, {branch: runs}]}} of the sources below src."""
    files = collections.defaultdict(dict)
    for report in reports(build):
        for file in report["files"]:
            name = os.path.relpath(os.path.join(report["current_working_directory"], file["file"]))
            if not name.startswith("src/"):
                continue
            for line in file["lines"]:
                seen = files[name].setdefault(line["line_number"], [0, {}])
                seen[0] += line["count"]
                for i, branch in enumerate(line["branches"]):
                    seen[1][i] = seen[1].get(i, 0) + branch["count"]
    return files


def counts(lines):
    branches = [n for _, of in lines for n in of.values()]
    return sum(n > 0 for n, _ in lines), len(lines), sum(n > 0 for n in branches), len(branches)


def row(name, lines):
    run, of, taken, ways = counts(lines)
    print(f"{name:12} {run:6} of {of:6} lines {100 * run / max(of, 1):6.1f} %   "
          f"{taken:6} of {ways:6} branches {100 * taken / max(ways, 1):6.1f} %")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--missed", help="a folder below src")
    o = options.parse_args()
    files = merged(o.build)
    folders = collections.defaultdict(list)
    for name, lines in files.items():
        folders[pathlib.Path(name).parts[1]] += lines.values()
    for name in sorted(folders):
        row(f"src/{name}", folders[name])
    row("src", [line for lines in folders.values() for line in lines])
    for name in sorted(files) if o.missed else []:
        if name.startswith(f"src/{o.missed}/"):
            missed = [str(n) for n, (runs, _) in sorted(files[name].items()) if runs == 0]
            print(f"{name}: {' '.join(missed) or 'all lines'}")


if __name__ == "__main__":
    main()
