"""Model files that are broken or none: one line that says what is wrong, and nothing written."""
import os
import shutil

import h5py
import numpy as np
import pytest
import samples

EPOCHS = ["--epochs", 1, "--seed", 3]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    x = samples.counts(203, 421).tolil()
    x[:, 17] = 0
    return samples.write_h5ad(tmp_path_factory.mktemp("counts") / "in.h5ad", x.tocsr())


@pytest.fixture(scope="module")
def nb(quell, source, tmp_path_factory):
    path = tmp_path_factory.mktemp("nb") / "m.quell.h5"
    quell("train", source, "--save-model", path, *EPOCHS)
    return path


def apply(quell, model, source, out, **kwargs):
    return quell("apply", source, "--load-model", model, "-o", out, **kwargs)


def spoil_shape(f):
    del f["net/center/weight"]
    f["net/center/weight"] = np.zeros((3, 4), np.float32)


def spoil_value(f):
    f["net/enc0/bias"][3] = np.nan


def spoil_type(f):
    values = f["net/mean/bias"][()]
    del f["net/mean/bias"]
    f["net/mean/bias"] = values.astype(np.int16)


def spoil_link(f):
    del f["net/mean/bias"]
    f["net/mean/bias"] = h5py.ExternalLink("/etc/passwd", "/x")


def spoil_surplus(f):
    f["net/dec1/weight"] = np.zeros((3, 4), np.float32)


def spoil_names(f):
    del f["genes/names"]
    samples.put_text(f["genes"], "names", ["a", "b"])


def spoil_terminal(f):
    f.attrs["options"] = "type = \x1b[31m\n"


def set_root(name, value):
    def spoil(f):
        f.attrs[name] = value
    return spoil


def delete(name):
    def spoil(f):
        del f[name]
    return spoil


BROKEN = {
    "shape": (spoil_shape, "net/center/weight is float32 [3, 4], float32 [32, 128] expected"),
    "value": (spoil_value, "net/enc0/bias: value 3 is nan, a finite number expected"),
    "type": (spoil_type, "/net/mean/bias: is int16, not expected here"),
    "link": (spoil_link, "/net/mean/bias: is a link, which is not followed"),
    "missing": (delete("net/mean/weight"), "net/mean/weight is missing"),
    "surplus": (spoil_surplus, "net/dec1/weight is no part of a network of these options"),
    "names": (spoil_names, "net/input/weight is float32 [420, 128], float32 [2, 128] expected"),
    "version": (set_root("format_version", 2), "is a model of format version 2; this quell reads version 1"),
    "kind": (set_root("kind", "forest"), "is a model of kind 'forest'"),
    "format": (set_root("format", "quell-models"), "is no model"),
    "option": (set_root("options", "type = nb\nmagic = 3\n"), "options: line 2: unknown option 'magic'"),
    "choice": (set_root("options", "type = xx\n"), "'xx'"),
    "terminal": (spoil_terminal, "options: line 1: type"),
    "layers": (set_root("options", "type = nb\nhidden = 128,32,64\n"), "net/dec1/weight is missing"),
    "history": (delete("training/history/loss"), "training/history/loss is missing"),
    "median": (lambda f: f["genes"].attrs.modify("median_total", -1.0), "genes/median_total is -1"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_models(quell, nb, source, tmp_path, how):
    spoil, said = BROKEN[how]
    path = tmp_path / "m.h5"
    shutil.copy(nb, path)
    with h5py.File(path, "a") as f:
        spoil(f)
    for command in (["apply", source, "-m", path, "-o", tmp_path / "out.h5ad"],
                    ["train", source, "--init-from", path, "-o", tmp_path / "n.h5"]):
        done = quell(*command, code=65)
        lines = [line for line in done.stderr.splitlines() if said in line]
        assert len(lines) == 1 and str(path) in lines[0], done.stderr
        assert "\x1b" not in done.stderr
    assert os.listdir(tmp_path) == ["m.h5"]


@pytest.mark.parametrize("size", [0, 7, 100, 1000, 5000, -100])
def test_truncated_models(quell, nb, source, tmp_path, size):
    (tmp_path / "m.h5").write_bytes(nb.read_bytes()[:size])
    done = apply(quell, tmp_path / "m.h5", source, tmp_path / "out.h5ad", code=65)
    assert "m.h5: is " in done.stderr
    assert os.listdir(tmp_path) == ["m.h5"]


def test_files_of_other_kinds(quell, nb, source, tmp_path):
    out = tmp_path / "out.h5ad"
    assert "is no model: its root has no attribute" in apply(quell, source, source, out, code=65).stderr
    assert "is a model of quell, not a count matrix" in apply(quell, nb, nb, out, code=65).stderr
    assert "No such file" in apply(quell, tmp_path / "no.h5", source, out, code=66).stderr
    assert "is not a file" in apply(quell, tmp_path, source, out, code=66).stderr
    assert "--load-model is missing" in quell("apply", source, "-o", out, code=64).stderr
    assert "exists already" in quell("train", source, "-o", nb, code=73).stderr
    assert "is the input file" in quell("train", source, "-o", source, "--force", code=64).stderr
    assert "is the input file" in quell("apply", source, "-m", nb, "-o", nb, "--force", code=64).stderr
    assert "both the output and the model" in quell("denoise", source, "-o", out, "--save-model", out,
                                                    code=64).stderr
    assert "--saveweights puts" in quell("denoise", source, "--tsv", tmp_path / "t", "--saveweights",
                                         code=64).stderr
    assert os.listdir(tmp_path) == []
