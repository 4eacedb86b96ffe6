"""Files cut short, sizes that overflow, odd names, things that are no files or change under the
reader's hands: a result or one line that says why not, never a crash and nothing left behind.
"""
import gzip
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import zlib

import h5py
import numpy as np
import pytest
import samples

X = samples.counts()
N_CELLS, N_GENES, NNZ = *X.shape, X.nnz
I63 = 2**63 - 1


def table(x=X, sep="\t"):
    head = sep.join(["gene", *samples.names("cell", x.shape[0])])
    rows = [sep.join([f"gene{g}", *map(str, x[:, [g]].toarray().astype(int).ravel())]) for g in range(x.shape[1])]
    return "\n".join([head, *rows]) + "\n"


def write_table(path):
    path.write_text(table())
    return path


def write_packed_table(path):
    path.write_bytes(gzip.compress(table().encode(), mtime=0))
    return path


def write_loom(path):
    with h5py.File(path, "w") as f:
        f["matrix"] = X.T.toarray().astype(np.int32)
        f["row_attrs/Gene"] = np.array(samples.names("gene", N_GENES), dtype="S")
        f["col_attrs/CellID"] = np.array(samples.names("cell", N_CELLS), dtype="S")
    return path


def settled(done, folder, codes):
    """It ended by itself, with one line of error if with any."""
    lines = [line for line in done.stderr.splitlines()
             if line.startswith("quell denoise: ") and not line.startswith("quell denoise: warning: ")]
    assert done.returncode in codes, done.stderr
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr
    if done.returncode:
        assert len(lines) == 1, done.stderr
        assert os.listdir(folder / "out") == []
    return lines[0] if lines else ""


def tried(quell, folder, source, *options, codes=(65,), **kwargs):
    (folder / "out").mkdir(exist_ok=True)
    done = quell("denoise", source, "-o", folder / "out" / "out.h5ad", "--epochs", 1, *options, code=None,
                 timeout=60, **kwargs)
    return settled(done, folder, codes)


# ---- cut short ----

WHOLE = {
    "h5ad": (lambda p: samples.write_h5ad(p / "in.h5ad", X), (65,)),
    "h5ad packed": (lambda p: samples.write_h5ad(p / "in.h5ad", X, compression="gzip"), (65,)),
    "10x HDF5": (lambda p: samples.write_10x_h5(p / "in.h5", X), (65,)),
    "loom": (lambda p: write_loom(p / "in.loom"), (65,)),
    "table packed": (lambda p: write_packed_table(p / "in.tsv.gz"), (65,)),
    # a table cut between two rows, or in a number, is a table
    "table": (lambda p: write_table(p / "in.tsv"), (0, 65)),
}


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("kind", WHOLE)
def test_cut_at_every_tenth(quell, tmp_path, kind, tenth):
    make, codes = WHOLE[kind]
    source = make(tmp_path)
    os.truncate(source, source.stat().st_size * tenth // 10)
    tried(quell, tmp_path, source, codes=codes if tenth else (65,))


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", ["matrix.mtx", "features.tsv", "barcodes.tsv"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_with_one_file_cut(quell, tmp_path, name, tenth, packed):
    source = samples.write_10x_mtx(tmp_path / "counts", X, compress=packed)
    file = source / (name + ".gz" * packed)
    os.truncate(file, file.stat().st_size * tenth // 10)
    tried(quell, tmp_path, source)


def test_the_last_byte_missing(quell, tmp_path):
    """Of packed files it is part of a checksum or a length."""
    for kind in ("table packed", "h5ad"):
        source = WHOLE[kind][0](tmp_path)
        os.truncate(source, source.stat().st_size - 1)
        tried(quell, tmp_path, source)


# ---- chunks that do not decode to their size, which libhdf5 would not notice ----

def write_short_names(path, strings, compression, stored, mask):
    """An h5ad whose cell names are one chunk, and that chunk is `stored`."""
    source = samples.write_h5ad(path / "in.h5ad", X)
    names = np.array(samples.names("cell", N_CELLS), dtype=strings)
    with h5py.File(source, "r+") as f:
        index = f["obs"].attrs["_index"]
        del f["obs"][index]
        data = f["obs"].create_dataset(index, data=names, chunks=(N_CELLS,), compression=compression,
                                       dtype=h5py.string_dtype() if strings == "O" else None)
        data.id.write_direct_chunk((0,), stored, filter_mask=mask)
    return source


@pytest.mark.parametrize("strings", ["S", "O"])
@pytest.mark.parametrize("compression, stored, mask", [("gzip", zlib.compress(bytes(32)), 0), ("gzip", bytes(32), 1),
                                                       (None, bytes(32), 0), ("gzip", zlib.compress(bytes(9999)), 0)],
                         ids=["short", "short, not packed", "short, no filter", "long"])
def test_names_in_a_chunk_of_another_size(quell, tmp_path, strings, compression, stored, mask):
    source = write_short_names(tmp_path, strings, compression, stored, mask)
    said = tried(quell, tmp_path, source)
    assert "/obs/_index: " in said and ("chunk 0 (values from 0) is damaged" in said or "wrong size" in said)


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<i8", "<f2"])
@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize("size", [8, 200000])
def test_counts_in_a_chunk_of_another_size(quell, tmp_path, kind, compression, size):
    """The longer one once was written over what lay behind the room for it."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        del f["X/data"]
        data = f["X"].create_dataset("data", data=X.data.astype(kind), chunks=(100,), compression=compression)
        data.id.write_direct_chunk((100,), zlib.compress(bytes(size)) if compression else bytes(size))
    said = tried(quell, tmp_path, source)
    assert "/X/data: " in said and ("chunk 1 (values from 100) is damaged" in said or "wrong size" in said)


# ---- sizes that overflow ----

SIZES = [2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**40, I63, 2**63, 2**64, -1, -2**63]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", range(3))
def test_mtx_of_absurd_size(quell, tmp_path, place, size):
    sizes = [N_GENES, N_CELLS, NNZ]
    sizes[place] = size
    head, _, rest = samples.mtx_text(X).split("\n", 2)
    text = "\n".join([head, " ".join(map(str, sizes)), rest])
    tried(quell, tmp_path, samples.write_10x_mtx(tmp_path / "counts", X, text), "--memory", "1G")


@pytest.mark.parametrize("size", [s for s in SIZES if -2**63 <= s <= I63])
@pytest.mark.parametrize("place", range(2))
def test_h5ad_of_absurd_shape(quell, tmp_path, place, size):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    shape = np.array(X.shape, dtype=np.int64)
    shape[place] = size
    with h5py.File(source, "r+") as f:
        f["X"].attrs["shape"] = shape
    tried(quell, tmp_path, source, "--memory", "1G")


@pytest.mark.parametrize("value", [2**31, 2**32 + 2, I63, -2**63])
@pytest.mark.parametrize("where", ["X/indptr", "X/indices"])
def test_h5ad_with_absurd_numbers(quell, tmp_path, where, value):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        values = f[where][:].astype(np.int64)
        values[3] = value
        del f[where]
        f[where] = values
    line = tried(quell, tmp_path, source)
    assert f"/{where}[3] is {value}" in line or f"indptr[3] = {value}" in line


@pytest.mark.parametrize("shape", [(N_CELLS, 2**40), (2**31, N_GENES), (2**31, 2**31), (0, N_GENES), (N_CELLS, 0)])
def test_dense_of_absurd_shape(quell, tmp_path, shape):
    """A matrix of which nothing was ever written."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        del f["X"]
        f.create_dataset("X", shape=shape, dtype="f4", chunks=(1, 30) if all(shape) else None,
                         maxshape=None if all(shape) else (None, None))
    tried(quell, tmp_path, source, "--memory", "1G")


def test_loom_of_absurd_shape(quell, tmp_path):
    source = write_loom(tmp_path / "in.loom")
    with h5py.File(source, "r+") as f:
        del f["matrix"]
        f.create_dataset("matrix", shape=(2**31, 2**33), dtype="i4", chunks=(64, 64))
    tried(quell, tmp_path, source, "--memory", "1G")


# ---- nothing in it ----

def empty_10x_h5(path):
    return samples.write_10x_h5(path / "in.h5", X[:0])


def empty_h5ad(path):
    return samples.write_h5ad(path / "in.h5ad", X[:0])


def no_genes(path):
    return samples.write_h5ad(path / "in.h5ad", X[:, :0], genes=None)


def only_zeros(path):
    return samples.write_h5ad(path / "in.h5ad", X * 0)


def mtx_without_entries(path):
    return samples.write_10x_mtx(path / "counts", X, samples.mtx_text(X * 0))


def text(content):
    def make(path):
        (path / "in.tsv").write_text(content)
        return path / "in.tsv"
    return make


EMPTY = {
    "10x HDF5": empty_10x_h5, "h5ad": empty_h5ad, "no genes": no_genes, "zeros": only_zeros,
    "mtx without entries": mtx_without_entries, "head of a table": text("gene\tc1\tc2\n"),
    "names of genes": text("gene\nA\nB\n"), "a newline": text("\n"), "newlines": text("\n\n\n"),
    "table of zeros": text("gene\tc1\tc2\nA\t0\t0\n"),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_empty_matrices(quell, tmp_path, kind):
    tried(quell, tmp_path, EMPTY[kind](tmp_path))


# ---- names ----

ODD = [b"\xff\xfe", b"caf\xe9", b"\xc3\x28", b"a\0b", b"", b"\x1b[2J", b"x" * 5000, b"dup", b"dup"]


def written_names(path, frame):
    with h5py.File(path) as f:
        index = f[frame].attrs["_index"]
        return [name.decode("utf-8") for name in f[frame][index][:]]


@pytest.mark.parametrize("frame", ["cells", "genes"])
def test_names_of_any_bytes_in_hdf5(quell, tmp_path, frame):
    source = samples.write_10x_h5(tmp_path / "in.h5", X)
    where = {"cells": "matrix/barcodes", "genes": "matrix/features/name"}[frame]
    with h5py.File(source, "r+") as f:
        names = [n.encode() for n in samples.names("n", f[where].shape[0] - len(ODD))]
        del f[where]
        f[where] = np.array([*ODD, *names], dtype="S5000")
    tried(quell, tmp_path, source, codes=(0,))
    names = written_names(tmp_path / "out" / "out.h5ad", "obs" if frame == "cells" else "var")
    assert len(set(names)) == len(names) and all(names)
    assert names[1] == "caf\u00e9"


@pytest.mark.parametrize("file", ["barcodes.tsv", "features.tsv"])
def test_names_of_any_bytes_in_text(quell, tmp_path, file):
    source = samples.write_10x_mtx(tmp_path / "counts", X)
    lines = (source / file).read_bytes().splitlines()
    for i, name in enumerate(ODD):
        lines[i] = name if file == "barcodes.tsv" else b"\t".join([name, name, b"Gene Expression"])
    (source / file).write_bytes(b"\n".join(lines) + b"\n")
    tried(quell, tmp_path, source, codes=(0, 65))
    if (tmp_path / "out" / "out.h5ad").exists():
        names = written_names(tmp_path / "out" / "out.h5ad", "obs" if file == "barcodes.tsv" else "var")
        assert len(set(names)) == len(names) and all(names)


def test_a_path_of_any_bytes_is_shown_safely(program, tmp_path):
    path = os.fsencode(tmp_path) + b"/a\xff\xc2\x9bb\x1b.h5ad"
    done = subprocess.run([program, "info", path], capture_output=True, timeout=60)
    assert done.returncode == 66
    assert b"/a??b?.h5ad: No such file" in done.stderr


# ---- no files ----


def test_an_unreadable_file(program):
    """Root may read everything, so root tries it as nobody, in folders that nobody may enter."""
    as_nobody = {"user": 65534} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        copy = shutil.copy(program, folder)
        source = samples.write_h5ad(pathlib.Path(folder) / "in.h5ad", X)
        source.chmod(0)
        done = subprocess.run([copy, "info", str(source)], capture_output=True, text=True, **as_nobody)
    assert done.returncode == 66 and "Permission denied" in done.stderr


@pytest.mark.parametrize("file", ["matrix.mtx", "features.tsv", "barcodes.tsv"])
def test_a_folder_in_the_place_of_a_file(quell, tmp_path, file):
    source = samples.write_10x_mtx(tmp_path / "counts", X)
    (source / file).unlink()
    (source / file).mkdir()
    tried(quell, tmp_path, source, codes=(65, 66))


@pytest.mark.parametrize("file", ["matrix.mtx", "features.tsv", "barcodes.tsv"])
def test_a_pipe_among_the_files_of_a_folder(quell, tmp_path, file):
    """Nobody writes into it: opening it would wait for ever."""
    source = samples.write_10x_mtx(tmp_path / "counts", X)
    (source / file).unlink()
    os.mkfifo(source / file)
    tried(quell, tmp_path, source, codes=(65, 66))


def from_pipe(program, folder, content, step):
    (folder / "out").mkdir(exist_ok=True)
    child = subprocess.Popen([program, "denoise", "-", "-o", folder / "out" / "out.h5ad", "--epochs", "1"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for at in range(0, len(content), step):
            child.stdin.write(content[at:at + step])
            child.stdin.flush()
        child.stdin.close()
    except BrokenPipeError:
        pass
    child.stdin = None
    _, errors = child.communicate(timeout=60)
    return subprocess.CompletedProcess(child.args, child.returncode, "", errors.decode())


@pytest.mark.parametrize("packed", [False, True])
def test_short_reads(program, tmp_path, packed):
    """A pipe that gives a few bytes at a time gives the same."""
    content = gzip.compress(table().encode()) if packed else table().encode()
    outputs = []
    for step in (7, 1 << 20):
        assert settled(from_pipe(program, tmp_path, content, step), tmp_path, (0,)) == ""
        outputs.append((tmp_path / "out" / "out.h5ad").read_bytes())
        (tmp_path / "out" / "out.h5ad").unlink()
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("content", [b"", b"\n", b"gene\tc1", gzip.compress(table().encode())[:-9], b"\x1f\x8b"])
def test_a_pipe_that_ends_early(program, tmp_path, content):
    settled(from_pipe(program, tmp_path, content, 1 << 20), tmp_path, (65, 66))


@pytest.mark.parametrize("delay", [0, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("kind", ["h5ad packed", "table", "table packed"])
@pytest.mark.parametrize("harm", ["cut", "lost"])
def test_a_file_that_changes_while_it_is_read(quell, tmp_path, kind, delay, harm):
    source = WHOLE[kind][0](tmp_path)

    def spoil():
        time.sleep(delay)
        if harm == "cut":
            os.truncate(source, 1000)
        else:
            os.unlink(source)

    thread = threading.Thread(target=spoil)
    thread.start()
    try:
        tried(quell, tmp_path, source, codes=(0, 65, 66, 74))
    finally:
        thread.join()


# ---- HDF5 that leads elsewhere ----


def test_links_in_circles_and_out_of_the_file(quell, tmp_path):
    secret = samples.write_h5ad(tmp_path / "secret.h5ad", X)
    for link in (h5py.SoftLink("/X"), h5py.SoftLink("/obs"), h5py.SoftLink("/away"), h5py.SoftLink("far/X"),
                 h5py.SoftLink("layers/round/X"), h5py.ExternalLink(str(secret), "/X")):
        source = samples.write_h5ad(tmp_path / "in.h5ad", X)
        with h5py.File(source, "r+") as f:
            del f["X"]
            f["X"] = link
            f["away"] = h5py.ExternalLink(str(secret), "/X")
            f["far"] = h5py.ExternalLink(str(secret), "/")
            f["layers/round"] = h5py.SoftLink("../far")
        tried(quell, tmp_path, source)


def test_a_link_within_the_file(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        f.move("X", "kept/counts")
        f["kept/again"] = h5py.SoftLink("./counts")
        f["X"] = h5py.SoftLink("/kept/again")
    tried(quell, tmp_path, source, codes=(0,))


def test_a_group_that_holds_itself(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        f["uns/a"] = f["/"]
        f["obs/self"] = f["obs"]
    tried(quell, tmp_path, source, codes=(0, 65))


def test_a_root_of_many_members(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+", libver="latest") as f:
        for i in range(20000):
            f.create_group(f"g{i}")
    tried(quell, tmp_path, source, codes=(0, 65))
