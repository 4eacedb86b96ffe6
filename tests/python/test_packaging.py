"""What goes with the program: option schemas, completions, man pages, the source archive."""
import json
import math
import os
import pathlib
import re
import shutil
import subprocess

import pytest

try:
    import jsonschema
except ImportError:
    jsonschema = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON_TYPE = {"boolean": bool, "integer": int, "number": (int, float), "string": str}
KEYWORDS = {"type", "default", "description", "help_text", "format", "enum", "pattern", "minimum", "maximum",
            "exclusiveMinimum", "exclusiveMaximum", "hidden", "quell"}


@pytest.fixture(scope="module")
def commands(program):
    text = subprocess.run([program, "help"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^  ([a-z]+) +\S", text.split("Usage")[1].split("quell COMMAND --help")[0], re.M)
    assert {"denoise", "train", "version"} <= set(names)
    return names


@pytest.fixture(scope="module")
def schemas(program, commands):
    def one(name):
        done = subprocess.run([program, "help", name, "--format", "json"], capture_output=True, text=True,
                              check=True)
        return json.loads(done.stdout)

    return {name: one(name) for name in commands}


def options(schema):
    return {name: row for group in schema["$defs"].values() for name, row in group["properties"].items()}


def keeps_rules(value, row):
    """Is value what a property allows? Written out, for where there is no jsonschema."""
    if not isinstance(value, PYTHON_TYPE[row["type"]]) or (row["type"] != "boolean" and isinstance(value, bool)):
        return False
    if "enum" in row and value not in row["enum"]:
        return False
    if "pattern" in row and not re.search(row["pattern"], value):
        return False
    if row["type"] not in ("integer", "number"):
        return True
    return (row.get("minimum", -math.inf) <= value <= row.get("maximum", math.inf)
            and row.get("exclusiveMinimum", -math.inf) < value < row.get("exclusiveMaximum", math.inf))


# ---- schemas ----

def test_schemas_are_schemas(schemas):
    for name, schema in schemas.items():
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert [r["$ref"] for r in schema["allOf"]] == [f"#/$defs/{g}" for g in schema["$defs"]]
        for option, row in options(schema).items():
            assert set(row) <= KEYWORDS, (name, option)
            assert row["type"] in PYTHON_TYPE
            assert "default" not in row or keeps_rules(row["default"], row), (name, option)
            assert "enum" not in row or len(set(row["enum"])) == len(row["enum"]) > 0
            assert isinstance(row["quell"]["volatile"], bool) and isinstance(row["quell"]["expert"], bool)
            assert row["quell"]["expert"] == row.get("hidden", False)
            assert option in schema["$defs"][row["quell"]["group"]]["properties"]
        if jsonschema:
            jsonschema.Draft202012Validator.check_schema(schema)


def test_schema_says_what_the_program_does(schemas, quell):
    """Every option of --print-config, no other, with the default printed there."""
    for name in ("denoise", "train", "tune", "convert"):
        printed = {}
        for line in quell(name, "--print-config").stdout.splitlines():
            m = re.match(r"(# )?([a-z0-9-]+) = ?(.*)$", line)
            if m:
                printed[m[2]] = m[3]
        rows = options(schemas[name])
        assert set(rows) <= set(printed), name
        for option, row in rows.items():
            default = row.get("default")
            if default is None:
                continue
            shown = printed[option]
            if row["type"] == "boolean":
                assert shown == ("yes" if default else "no"), option
            elif row["type"] in ("integer", "number"):
                assert float(shown) == default, option
            else:
                assert shown == default, option


def test_bounds_hold_in_the_program(schemas, quell):
    """One step beyond a bound is refused, the bound itself is taken."""
    n = 0
    for option, row in options(schemas["denoise"]).items():
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if key not in row or abs(row[key]) > 1e9:
                continue
            step = math.copysign(1, 1 if "aximum" in key else -1)
            beyond = row[key] if "exclusive" in key else row[key] + step
            text = f"{int(beyond)}" if row["type"] == "integer" else repr(beyond)
            done = quell("denoise", f"--{option}={text}", "--print-config", code=64)
            assert "out of range" in done.stderr, option
            n += 1
    assert n > 20


def test_aliases_are_taken(schemas, quell):
    n = 0
    for option, row in options(schemas["denoise"]).items():
        off = row["quell"]["negative_aliases"]
        for alias in off:
            text = quell("denoise", f"--{alias}", "--print-config").stdout
            assert re.search(rf"^{option} = no$", text, re.M), alias
        n += len(off) + len(row["quell"]["aliases"])
        if row["type"] != "boolean":
            continue
        for alias in row["quell"]["aliases"]:
            text = quell("denoise", f"--{alias}", "--print-config").stdout
            assert re.search(rf"^{option} = yes$", text, re.M), alias
    assert n > 5


def test_a_config_can_be_validated(schemas):
    if not jsonschema:
        return
    check = jsonschema.Draft202012Validator(schemas["denoise"]).is_valid
    assert check({"output": "x.h5ad", "epochs": 3, "hidden": "64,32,64", "memory": "24G"}) is True
    for wrong in ({"epochs": "3"}, {"epochs": 0}, {"type": "poison"}, {"epoch": 3}, {"hidden": "a"}, {"memory": "24X"}):
        assert not check({"output": "x.h5ad", **wrong}), wrong


# ---- completions ----

def printed(quell, form):
    return quell("help", "--format", form).stdout


def words_of(text):
    """Words of shell text, by the rules of single quotes alone; fails where a quote stays open."""
    words, word, quoted, at = [], "", False, 0
    while at < len(text):
        c = text[at]
        if c == "'":
            quoted = not quoted
        elif c == "\\" and not quoted:
            at += 1
            word += text[at]
        elif c.isspace() and not quoted:
            words, word = (words + [word] if word else words), ""
        else:
            word += c
        at += 1
    assert not quoted
    return words + [word] if word else words


def spelled(schema):
    """Long options a completion must offer."""
    for option, row in options(schema).items():
        yield option
        if row["type"] == "boolean" and row["default"]:
            yield "no-" + option


def test_zsh_offers_every_option(schemas, quell):
    text = printed(quell, "zsh")
    assert text.startswith("#compdef quell\n")
    for name, schema in schemas.items():
        body = re.search(rf"^_quell_{name}\(\) {{\n(.*?)^}}\n", text, re.M | re.S)[1]
        specs = words_of(body.replace("\\\n", "\n"))
        assert specs[:3] == ["_arguments", "-s", "-S"]
        offered = set(re.findall(r"--([a-z0-9-]+)", " ".join(re.sub(r"\[.*", "", s) for s in specs)))
        assert set(spelled(schema)) <= offered, name
        for spec in specs[3:]:
            if spec.startswith(("-", "(")):  # brackets of the help close, inner ones are escaped
                help_text = re.search(r"(?<!\\)\[((?:[^\]\\]|\\.)*)\]", spec)
                assert help_text and not re.search(r"(?<!\\)\[", help_text[1]), spec


def fish_lines(text):
    """Words of each `complete` line; inside quotes of fish a backslash escapes a quote."""
    for line in text.splitlines():
        if not line.startswith("complete "):
            continue
        words = re.findall(r"'(?:[^'\\]|\\.)*'|[^\s']+", line)
        assert re.sub(r"\s+", "", "".join(words)) == re.sub(r"\s+", "", line), line
        yield [w[1:-1] if w.startswith("'") else w for w in words]


def test_fish_offers_every_option(schemas, quell):
    lines = list(fish_lines(printed(quell, "fish")))
    for name, schema in schemas.items():
        own = [w for w in lines if w[w.index("-n") + 1] == f"__quell_runs {name}"]
        offered = {w[w.index("-l") + 1] for w in own if "-l" in w}
        assert set(spelled(schema)) <= offered, name
        for w in own:
            row = options(schema).get(w[w.index("-l") + 1]) if "-l" in w else None
            if row and "enum" in row:
                assert w[w.index("-a") + 1].split() == row["enum"]
            if row and row["type"] == "boolean":
                assert "-r" not in w
    began = {w[w.index("-a") + 1] for w in lines if "__quell_begins" in w and "-a" in w}
    assert began == set(schemas)


ASK = {
    "bash": ("bash", '. {file}; COMP_WORDS=({words}) COMP_CWORD={last}; _quell; printf "%s\\n" "${{COMPREPLY[@]}}"'),
    "fish": ("fish", 'source {file}; complete -C "{line}"'),
    "zsh": ("zsh", "zsh -n {file} && echo {expected}"),  # its completion runs in a terminal only
}


@pytest.mark.parametrize("shell", [s for s in ASK if shutil.which(s)])
@pytest.mark.parametrize("line, expected", [("quell de", "denoise"), ("quell denoise --epo", "--epochs"),
                                            ("quell train --optimizer ada", "adam")])
def test_in_the_shell_itself(shell, line, expected, quell, tmp_path):
    file = tmp_path / {"bash": "quell", "zsh": "_quell", "fish": "quell.fish"}[shell]
    file.write_text(printed(quell, shell))
    program, ask = ASK[shell]
    words = line.split()
    text = ask.format(file=file, folder=tmp_path, words=" ".join(words), last=len(words) - 1, line=line,
                      expected=expected)
    done = subprocess.run([program, "-c", text], capture_output=True, text=True, cwd=tmp_path)
    assert expected in re.split(r"[\s]+", done.stdout), done.stderr


# ---- man pages ----

def test_man_pages_name_every_option(schemas, quell):
    for name, schema in schemas.items():
        page = quell("help", name, "--format", "man").stdout.replace("\\-", "-")
        assert page.startswith(f".TH QUELL-{name.upper()} 1 ")
        for option in options(schema):
            assert re.search(rf"^\.B .*--(\[no-\])?{option}\b", page, re.M), (name, option)


# ---- versions and archives ----

def test_one_version(quell):
    version = (ROOT / "VERSION").read_text().strip()
    assert quell("--version").stdout == version + "\n"
    report = json.loads(quell("version", "--json").stdout)
    assert report["version"] == version
    assert report["simd"] in report["simd_built"]
    assert "BLAS" not in report["libraries"] and "HDF5" in report["libraries"]


def test_source_archive_is_reproducible(tmp_path):
    if not (ROOT / ".git").exists():
        return  # itself unpacked from one
    version = (ROOT / "VERSION").read_text().strip()
    made = []
    for i, (umask, zone) in enumerate(((0o022, "UTC"), (0o077, "Asia/Tokyo"))):
        env = {**os.environ, "TZ": zone, "SOURCE_DATE_EPOCH": "1700000000"}
        env.pop("MAKEFLAGS", None)
        subprocess.run(["make", "dist", f"BUILD={tmp_path / str(i)}"], cwd=ROOT, env=env, check=True,
                       capture_output=True, preexec_fn=lambda: os.umask(umask))
        made.append((tmp_path / str(i) / f"quell-{version}.tar.gz").read_bytes())
    assert made[0] == made[1]
