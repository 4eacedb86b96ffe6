"""Every format goes through a temporary file with the same bytes, within the memory that was planned:
docs/memory.md. The matrix has more entries than a run of the external sort."""
import gzip
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import samples
import scipy.sparse as sp

MIB = 1 << 20
CELLS, GENES = 12000, 400
OPTIONS = ["--seed", 5, "--epochs", 1, "--hidden", "8,2", "--no-denoised", "--threads", 2]


@pytest.fixture(scope="module")
def counts():
    """csr; some cells and genes have no counts."""
    rng = np.random.default_rng(8)
    x = (rng.random((CELLS, GENES)) < 0.5) * rng.integers(1, 6, (CELLS, GENES))
    x[::97] = 0
    x[:, 13] = 0
    assert np.count_nonzero(x) > 2 * MIB
    return sp.csr_matrix(x.astype(np.float32))


def lines(*columns):
    """Columns of whole numbers or text as lines of text, blanks between."""
    text = [c.astype(str).tolist() for c in columns]
    return "\n".join(map(" ".join, zip(*text))) + "\n"


def by_gene(x):
    e = sp.coo_matrix(sp.csc_matrix(x))
    return e.row, e.col, e.data.astype(int)


def by_cell(x):
    e = sp.coo_matrix(x)
    return e.row, e.col, e.data.astype(int)


def shuffled(x):
    order = np.random.default_rng(2).permutation(x.nnz)
    return tuple(part[order] for part in by_cell(x))


def late(x):
    """Cell by cell, but for the last entries, which are of the first cells."""
    return tuple(np.concatenate([part[1000:], part[:1000]]) for part in by_cell(x))


def mtx(folder, x, order, compress=False):
    cell, gene, count = order(x)
    head = f"%%MatrixMarket matrix coordinate integer general\n{x.shape[1]} {x.shape[0]} {len(cell)}\n"
    samples.write_10x_mtx(folder, x, head + lines(gene + 1, cell + 1, count), compress)
    return folder


def csc(path, x):
    m = sp.csc_matrix(x)
    with h5py.File(path, "w") as f:
        samples.put_csr(f, "X", m, compression="gzip", compression_opts=1, chunks=(300,))
        f["X"].attrs["encoding-type"] = "csc_matrix"
        samples.put_frame(f, "obs", samples.names("cell", x.shape[0]))
        samples.put_frame(f, "var", samples.names("gene", x.shape[1]))
    return path


def loom(path, x, chunks):
    with h5py.File(path, "w") as f:
        f.create_dataset("matrix", data=x.T.toarray().astype(np.uint16), chunks=chunks,
                         compression="gzip" if chunks else None)
        f.create_group("row_attrs")["Gene"] = np.array(samples.names("gene", x.shape[1]), dtype="S")
        f.create_group("col_attrs")["CellID"] = np.array(samples.names("cell", x.shape[0]), dtype="S")
    return path


def v2(path, x):
    with h5py.File(path, "w") as f:
        g = f.create_group("hg19")
        g["barcodes"] = np.array(samples.names("cell", x.shape[0]), dtype="S")
        g["genes"] = g["gene_names"] = np.array(samples.names("gene", x.shape[1]), dtype="S")
        g["data"], g["indices"], g["indptr"] = x.data.astype(np.int32), x.indices, x.indptr
        g["shape"] = np.array(x.shape[::-1])
    return path


def table(path, x, rows, columns):
    head = "," + ",".join(columns) + "\n"
    body = (n + "," + ",".join(map(str, row)) for n, row in zip(rows, x.toarray().astype(int).tolist()))
    path.write_text(head + "\n".join(body) + "\n")
    return path


def long_table(path, x):
    cell, gene, count = by_gene(x)
    text = "gene cell count\n" + lines(np.char.add("gene", gene.astype(str)), np.char.add("cell", cell.astype(str)),
                                       count)
    with gzip.open(path, "wt", compresslevel=1) as f:
        f.write(text.replace(" ", "\t"))
    return path


MAKERS = {
    "csc": lambda d, x: csc(d / "in.h5ad", x),
    "mtx-by-cell": lambda d, x: mtx(d / "in", x, by_cell),
    "mtx-by-gene-gz": lambda d, x: mtx(d / "in", x, by_gene, compress=True),
    "mtx-shuffled": lambda d, x: mtx(d / "in", x, shuffled),
    "mtx-late": lambda d, x: mtx(d / "in", x, late),
    "loom-chunks": lambda d, x: loom(d / "in.loom", x, (64, 64)),
    "loom-plain": lambda d, x: loom(d / "in.loom", x, None),
    "10x-v2": lambda d, x: v2(d / "in.h5", x),
    "genes-by-cells": lambda d, x: table(d / "in.csv", x.T, samples.names("gene", GENES), samples.names("cell", CELLS)),
    "long": lambda d, x: long_table(d / "in.tsv.gz", x),
}


def measured(program, *args, cwd):
    """Peak resident bytes of a run, and its messages."""
    done = subprocess.run(
        [sys.executable, "-c",
         "import resource, subprocess, sys; d = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.stderr.write(d.stderr);"
         "sys.exit(d.returncode)", program, *map(str, args)], capture_output=True, text=True, cwd=cwd)
    return int(done.stdout or 0) * 1024, done


def run(program, source, folder, *options):
    """Bytes of the output, made under the same names in a folder of its own; messages; peak."""
    folder.mkdir()
    os.symlink(source, folder / source.name)
    peak, done = measured(program, "denoise", source.name, "-o", "out.h5ad", *OPTIONS, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(folder)) == sorted([source.name, "out.h5ad"])
    return (folder / "out.h5ad").read_bytes(), done.stderr, peak


@pytest.fixture(scope="module")
def wanted(program, counts, tmp_path_factory):
    """X, from an h5ad in memory: what every format must give."""
    folder = tmp_path_factory.mktemp("wanted")
    source = samples.write_h5ad(folder / "in.h5ad", counts)
    run(program, source, folder / "run")
    return read_x(folder / "run" / "out.h5ad")


def read_x(path):
    with h5py.File(path) as f:
        x = f["X"]
        kind = sp.csc_matrix if x.attrs["encoding-type"] == "csc_matrix" else sp.csr_matrix
        return sp.csr_matrix(kind((x["data"][:], x["indices"][:], x["indptr"][:]), shape=x.attrs["shape"]))


@pytest.mark.parametrize("name", MAKERS)
def test_same_bytes_within_the_plan(quell, program, counts, wanted, name, tmp_path):
    source = MAKERS[name](tmp_path, counts)
    plan = json.loads(quell("denoise", source, *OPTIONS, "--plan=json", "-q").stdout)
    if name != "long":  # which has no line for a cell without counts
        assert (plan["cells"], plan["genes"]) == (CELLS, GENES)
    assert plan["streams"]
    assert plan["nonzeros"] >= counts.nnz
    memory, said, _ = run(program, source, tmp_path / "memory", "--memory", "8G")
    assert "streaming" not in said
    # sizes of the option are whole MiB here
    budget = plan["stream_bytes"] // MIB + 1
    bytes_, said, peak = run(program, source, tmp_path / "stream", "--stream", "--memory", f"{budget}M")
    assert "streaming through" in said
    assert bytes_ == memory
    assert peak < budget * MIB
    got = read_x(tmp_path / "stream" / "out.h5ad")
    if name == "long":  # cells and genes in the order in which they are met
        assert (got.nnz, got.sum()) == (wanted.nnz, wanted.sum())
    else:
        assert (got != wanted).nnz == 0


def test_unknown_size_streams_by_itself(quell, program, tmp_path):
    """A table tells no sizes; what does not fit is read in bands without being asked."""
    rng = np.random.default_rng(4)
    x = sp.csr_matrix(rng.integers(1, 9, (3000, 3000)).astype(np.float32))
    source = table(tmp_path / "in.csv", x, samples.names("cell", 3000), samples.names("gene", 3000))
    options = ["--orient", "cells-x-genes"]
    memory, _, _ = run(program, source, tmp_path / "memory", *options, "--memory", "8G")
    bytes_, said, peak = run(program, source, tmp_path / "stream", *options, "--memory", "150M")
    assert "streaming through" in said
    assert bytes_ == memory
    assert peak < 150 * MIB


def test_pipe(program, counts, tmp_path):
    """One pass is all a pipe gives."""
    source = mtx(tmp_path / "in", counts[:2000], shuffled) / "matrix.mtx"
    outputs = []
    for how in ([], ["--stream"]):
        with open(source, "rb") as f:
            done = subprocess.run(["sh", "-c", 'cat | "$@"', "sh", program, "denoise", "-", "-o", "out.h5ad",
                                   "--force", "--orient", "genes-x-cells", *map(str, OPTIONS), *how],
                                  stdin=f, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert ("streaming" in done.stderr) == bool(how)
        outputs.append((tmp_path / "out.h5ad").read_bytes())
    assert outputs[0] == outputs[1]


def test_duplicates_are_summed(quell, tmp_path):
    text = "%%MatrixMarket matrix coordinate integer general\n3 4 7\n" \
           "3 4 1\n1 1 1\n3 1 1\n2 2 5\n1 1 1\n1 4 7\n2 2 1\n"
    source = samples.write_10x_mtx(tmp_path / "in", sp.csr_matrix((4, 3)), text)
    said = quell("denoise", source, "-o", tmp_path / "out.h5ad", *OPTIONS, "--stream").stderr
    assert "2" in said and "duplicate" in said
    np.testing.assert_array_equal(read_x(tmp_path / "out.h5ad").toarray(),
                                  [[2, 0, 1], [0, 6, 0], [0, 0, 0], [7, 0, 1]])


def test_full_disk_while_sorting(full_disk, counts, tmp_path):
    full_disk(csc(tmp_path / "in.h5ad", counts))
