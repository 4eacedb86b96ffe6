"""quell convert: each format against a reader of its own, and back; what is kept, what is said to be lost."""
import csv
import gzip
import html
import io
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import samples
import scipy.io
import scipy.sparse as sp

OUTPUTS = {
    "h5ad": "out.h5ad", "10x-h5": "out.h5", "10x-mtx": "out", "loom": "out.loom", "csv": "out.csv",
    "csv.gz": "out.csv.gz", "tsv": "out.tsv", "tsv.gz": "out.tsv.gz", "npy": "out.npy",
}
# Names of the readers that take an output back, and what they need to be told.
READERS = {
    "h5ad": {"h5ad"}, "10x-h5": {"10x-h5"}, "10x-mtx": {"10x-mtx"}, "loom": {"loom"},
    "csv": {"table"}, "csv.gz": {"table"},
    "tsv": {"table"}, "tsv.gz": {"table"}, "npy": set(),
}


def files_of(path):
    """The files of an output: one, a folder's, or an array and its names."""
    if path.is_dir():
        return sorted(path.iterdir())
    if path.suffix == ".npy":
        return [path, path.with_suffix(".cells.txt"), path.with_suffix(".genes.txt")]
    return [path]


def convert(quell, source, target, *options, **how):
    to = ["--to", "10x-mtx"] if target.suffix == "" else []
    return quell("convert", source, "-o", target, *to, *options, **how)


# ---- readers of other makers ----


def text_of(path):
    return gzip.open(path, "rt", newline="").read() if path.suffix == ".gz" else path.read_text()


def read_h5ad(path):
    a = ad.read_h5ad(path)
    return sp.csr_matrix(a.X), list(a.obs_names), list(a.var_names)


def strings(data):
    return [s.decode() if isinstance(s, bytes) else s for s in data[:]]


def read_10x_h5(path):
    with h5py.File(path) as f:
        m = f["matrix"]
        assert m["data"].dtype.kind == "i"
        x = sp.csc_matrix((m["data"][:], m["indices"][:], m["indptr"][:]), shape=m["shape"][:])
        assert set(strings(m["features/feature_type"])) == {"Gene Expression"}
        # what is not ASCII is written as Cell Ranger does: &#233;
        names = [[html.unescape(s) for s in strings(m[key])] for key in ("barcodes", "features/name")]
        assert all(s.isascii() for key in ("barcodes", "features/id") for s in strings(m[key]))
        return x.T.tocsr(), *names


def read_10x_mtx(path):
    assert sorted(os.listdir(path)) == ["barcodes.tsv.gz", "features.tsv.gz", "matrix.mtx.gz"]
    x = scipy.io.mmread(path / "matrix.mtx.gz")
    assert x.dtype.kind == "i"
    features = [line.split("\t") for line in text_of(path / "features.tsv.gz").splitlines()]
    assert {len(line) for line in features} == {3}
    return sp.csr_matrix(x.T), text_of(path / "barcodes.tsv.gz").splitlines(), [f[1] for f in features]


def read_loom(path):
    with h5py.File(path) as f:
        groups = {"attrs", "row_attrs", "col_attrs", "layers", "row_graphs", "col_graphs"}
        assert set(f) == groups | {"matrix"}
        assert f["attrs/LOOM_SPEC_VERSION"].asstr()[()] == "3.0.0"
        assert f["matrix"].compression == "gzip"
        return sp.csr_matrix(f["matrix"][:].T), strings(f["col_attrs/CellID"]), strings(f["row_attrs/Gene"])


def read_table(path):
    rows = list(csv.reader(io.StringIO(text_of(path)), delimiter="\t" if ".tsv" in path.name else ","))
    head = rows.pop(0)
    assert head[0] == ""
    x = np.array([row[1:] for row in rows], dtype=float)
    return sp.csr_matrix(x.T), head[1:], [row[0] for row in rows]


def read_npy(path):
    x = np.load(path)
    assert x.dtype == np.float32
    return sp.csr_matrix(x), *(path.with_suffix(f".{w}.txt").read_text().splitlines() for w in ("cells", "genes"))


OTHERS = {
    "h5ad": read_h5ad, "10x-h5": read_10x_h5, "10x-mtx": read_10x_mtx, "loom": read_loom, "csv": read_table,
    "csv.gz": read_table, "tsv": read_table, "tsv.gz": read_table, "npy": read_npy,
}


def check(found, x, cells, genes):
    assert found[0].shape == x.shape
    assert (found[0] != x).nnz == 0
    assert found[1] == list(cells)
    assert found[2] == list(genes)


@pytest.fixture(scope="session")
def input_formats(quell):
    page = quell("help", "convert", "--format", "markdown").stdout
    return set(re.search(r"format of the input: (.*?)\. \|", page).group(1).split(", "))


def check_back(quell, input_formats, kind, target, x, cells, genes):
    if not READERS[kind] & input_formats:
        assert kind == "npy", f"no reader of {kind}"
        return
    back = target.parent / "back.h5ad"
    convert(quell, target, back)
    check(read_h5ad(back), x, cells, genes)


# ---- there and back ----

X = samples.counts(60, 45)
NAMES = samples.names("cell", 60), samples.names("gene", 45)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_there_and_back(quell, input_formats, tmp_path, kind):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    target = tmp_path / OUTPUTS[kind]
    done = convert(quell, source, target)
    assert "warning" not in done.stderr
    check(OTHERS[kind](target), X, *NAMES)
    check_back(quell, input_formats, kind, target, X, *NAMES)
    kept = {"in.h5ad", "back.h5ad", *(path.name for path in files_of(target)), target.name}
    assert set(os.listdir(tmp_path)) <= kept


@pytest.mark.parametrize("kind", OUTPUTS)
def test_odd_names(quell, input_formats, tmp_path, kind):
    cells = ["a b", "caf\u00e9", 'say "x"', "c,d", "&#65;", "\u4e2d\u6587", "x" * 300, "'q'", "1", "A-1"]
    genes = ["NA", "HLA-A", "5S_rRNA", "IFN-\u03b3", "g;h"]
    x = samples.counts(10, 5)
    source = samples.write_h5ad(tmp_path / "in.h5ad", x, cells, genes)
    target = tmp_path / OUTPUTS[kind]
    convert(quell, source, target)
    check(OTHERS[kind](target), x, cells, genes)
    if kind in ("h5ad", "10x-h5", "loom"):
        check_back(quell, input_formats, kind, target, x, cells, genes)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (65, 129)])
@pytest.mark.parametrize("kind", ["h5ad", "10x-h5", "10x-mtx", "loom", "csv", "npy"])
def test_shapes(quell, input_formats, tmp_path, kind, shape):
    x = samples.counts(*shape)
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    target = tmp_path / OUTPUTS[kind]
    convert(quell, source, target)
    names = samples.names("cell", shape[0]), samples.names("gene", shape[1])
    check(OTHERS[kind](target), x, *names)
    check_back(quell, input_formats, kind, target, x, *names)


# As text each of pbmc3k's 88 million zeros is written and read again; the cell lines have fewer.
REAL = {kind: "mixology_3cl_celseq2" for kind in ("csv", "csv.gz", "tsv", "tsv.gz")}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_real_counts(quell, input_formats, shared_data, tmp_path, kind):
    source = shared_data / f"{REAL.get(kind, 'pbmc3k')}.h5ad"
    a = ad.read_h5ad(source)
    target = tmp_path / OUTPUTS[kind]
    convert(quell, source, target)
    check(OTHERS[kind](target), a.X, a.obs_names, a.var_names)
    check_back(quell, input_formats, kind, target, a.X, a.obs_names, a.var_names)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_same_bytes(quell, tmp_path, kind):
    x = samples.counts(400, 900)
    for threads in (1, 2, 3, 7):
        folder = tmp_path / str(threads)
        folder.mkdir()
        samples.write_h5ad(folder / "in.h5ad", x)
        to = ["--to", "10x-mtx"] if kind == "10x-mtx" else []
        quell("convert", "in.h5ad", "-o", OUTPUTS[kind], *to, "--threads", threads, cwd=folder)
        for one, other in zip(files_of(tmp_path / "1" / OUTPUTS[kind]), files_of(folder / OUTPUTS[kind])):
            assert one.read_bytes() == other.read_bytes(), one.name


def test_rows_of_tables_and_arrays(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    convert(quell, source, tmp_path / "out.tsv", "--rows", "cells")
    x, columns, rows = read_table(tmp_path / "out.tsv")
    check((sp.csr_matrix(x.T), rows, columns), X, *NAMES)
    convert(quell, source, tmp_path / "out.npy", "--rows", "genes")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), X.toarray().T)


def test_fractions(quell, tmp_path):
    x = samples.counts(10, 8)
    x.data /= np.float32(3)
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    done = convert(quell, source, tmp_path / "out.h5", code=65)
    assert "--allow-noncounts" in done.stderr
    for kind in ("csv", "npy"):
        target = tmp_path / OUTPUTS[kind]
        convert(quell, source, target, "--allow-noncounts")
        found = OTHERS[kind](target)[0].astype(np.float32)
        assert (found != x).nnz == 0
    convert(quell, source, tmp_path / "out", "--allow-noncounts")
    found = scipy.io.mmread(tmp_path / "out" / "matrix.mtx.gz").T.astype(np.float32)
    assert (sp.csr_matrix(found) != x).nnz == 0


@pytest.mark.parametrize("level, larger", [("none", None), ("gzip:1", "gzip:9")])
def test_compression(quell, tmp_path, level, larger):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(300, 300))
    for name in ("out.h5", "out.loom", "out.csv.gz"):
        target = tmp_path / name
        convert(quell, source, target, "--compression", level, "--force")
        if name.endswith(".gz"):
            assert target.read_bytes()[:2] == b"\x1f\x8b"
        elif level == "none":
            with h5py.File(target) as f:
                assert f["matrix/data" if name == "out.h5" else "matrix"].compression is None
        if larger:
            size = target.stat().st_size
            convert(quell, source, target, "--compression", larger, "--force")
            assert target.stat().st_size < size


# ---- annotation ----


@pytest.fixture
def annotated(tmp_path):
    a = ad.AnnData(sp.csr_matrix(samples.counts(20, 12)))
    a.obs_names, a.var_names = samples.names("c", 20), samples.names("g", 12)
    k = np.arange(20)
    a.obs["type"] = pd.Categorical([None if i == 3 else "TB"[i % 2] for i in k])
    a.obs["plate"] = pd.Categorical(k % 3 + 7)
    a.obs["dose"] = pd.Categorical([None if i == 4 else [0.5, 2.0][i % 2] for i in k])
    a.obs["text"] = [f"t, {i}" for i in k]
    a.obs["small"] = k.astype(np.int8)
    a.obs["large"] = k + 2**60
    a.obs["real"] = k / 3
    a.obs["single"] = (k / 3).astype(np.float32)
    a.obs["flag"] = k % 2 == 0
    a.obs["maybe_int"] = pd.array([None if i == 5 else i for i in k], dtype="Int64")
    a.obs["whole_int"] = pd.array(k, dtype="Int64")
    a.obs["maybe_bool"] = pd.array([None if i == 6 else i % 2 == 0 for i in k], dtype="boolean")
    a.var["gene_ids"] = samples.names("ENSG", 12)
    a.var["score"] = np.linspace(0, 1, 12)
    a.layers["twice"] = a.X * 2
    a.obsm["X_pca"] = np.random.default_rng(1).normal(size=(20, 3))
    a.obsm["frame"] = pd.DataFrame({"u": k, "v": [f"v{i}" for i in k]}, index=a.obs_names)
    a.obsm["sparse"] = sp.eye(20, 4, format="csr")
    a.uns["note"] = "x"
    a.raw = a.copy()
    a.write_h5ad(tmp_path / "in.h5ad")
    return tmp_path / "in.h5ad"


KINDS = {
    "type": str, "plate": np.int64, "dose": np.float64, "text": str, "small": np.int64, "large": np.int64,
    "real": np.float64, "single": np.float32, "flag": bool, "maybe_int": np.float64, "whole_int": np.int64,
    "maybe_bool": str,
}


def expected(obs, name):
    """A column as it is in the few types there are."""
    values, kind = obs[name], KINDS[name]
    if kind is str:
        return ["" if pd.isna(v) else str(v) for v in values]
    return values.astype("float64" if values.isna().any() else object).to_numpy().astype(kind)


def test_columns_in_loom(quell, annotated, tmp_path):
    done = convert(quell, annotated, tmp_path / "out.loom")
    obs = ad.read_h5ad(annotated).obs
    with h5py.File(tmp_path / "out.loom") as f:
        assert set(f["col_attrs"]) == {"CellID", *KINDS}
        for name, kind in KINDS.items():
            found = f["col_attrs"][name]
            if kind is str:
                assert strings(found) == expected(obs, name), name
            else:
                assert found.dtype == (np.uint8 if kind is bool else kind), name
                np.testing.assert_array_equal(found[:], expected(obs, name), name)
        assert strings(f["row_attrs/gene_ids"]) == samples.names("ENSG", 12)
    [lost] = [line for line in done.stderr.splitlines() if "no place for" in line]
    for member in ("layers/twice", "obsm/X_pca", "uns/note", "raw"):
        assert member in lost
    assert "obs/" not in lost and "var/" not in lost


def test_columns_as_a_table(quell, annotated, tmp_path):
    for name in ("obs.csv", "obs.tsv.gz"):
        convert(quell, annotated, tmp_path / "out.h5ad", "--obs-out", tmp_path / name, "--force")
        obs = ad.read_h5ad(annotated).obs
        found = pd.read_csv(tmp_path / name, sep="\t" if "tsv" in name else ",", index_col=0, dtype=str,
                            keep_default_na=False)
        assert list(found.columns) == list(KINDS) and list(found.index) == list(obs.index)
        read = {str: str, bool: "True".__eq__, np.int64: int, np.float64: lambda t: float(t or "nan"),
                np.float32: float}
        for column, kind in KINDS.items():
            values = np.array([read[kind](text) for text in found[column]])
            np.testing.assert_array_equal(values.astype(kind), expected(obs, column), column)
        assert found["real"].iloc[3] == "1.0" and found["whole_int"].iloc[3] == "3"


def test_ids_and_lost_columns_of_10x(quell, annotated, tmp_path):
    done = convert(quell, annotated, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as f:
        assert strings(f["matrix/features/id"]) == samples.names("ENSG", 12)
    [lost] = [line for line in done.stderr.splitlines() if "no place for" in line]
    assert "obs/type, obs/plate" in lost and "more" in lost and "gene_ids" not in lost


def test_columns_of_other_formats_in_h5ad(quell, tmp_path):
    source = samples.write_10x_h5(tmp_path / "in.h5", X)
    done = convert(quell, source, tmp_path / "out.h5ad")
    a = ad.read_h5ad(tmp_path / "out.h5ad")
    check((a.X, list(a.obs_names), list(a.var_names)), X, *NAMES)
    assert list(a.var["gene_ids"]) == samples.names("id", 45)
    assert list(a.var["genome"]) == ["GRCh38"] * 45
    assert "warning" not in done.stderr


def test_unreadable_columns_are_said_to_be_lost(quell, annotated, tmp_path):
    with h5py.File(annotated, "r+") as f:
        f["obs/type/codes"][2] = 5
        del f["obs/real"]
        f["obs/real"] = np.zeros(19)
        del f["obs/text"]
        f["obs/text"] = np.zeros((20, 2))
        del f["obs/small"]
        f["obs/small"] = np.full(20, 2**63 + 1, dtype=np.uint64)
        del f["obs/maybe_int/mask"]
    done = convert(quell, annotated, tmp_path / "out.loom")
    [lost] = [line for line in done.stderr.splitlines() if "no place for" in line]
    assert "obs/type, obs/text, obs/small, obs/real, obs/maybe_int" in lost
    with h5py.File(tmp_path / "out.loom") as f:
        gone = {"type", "real", "text", "small", "maybe_int"}
        assert set(f["col_attrs"]) == {"CellID", *KINDS} - gone


def test_layout_of_0_7(quell, shared_data, tmp_path):
    [source] = (shared_data / "formats").glob("anndata08/layout_of_0.7.h5ad")
    before = ad.read_h5ad(source).obs
    convert(quell, source, tmp_path / "out.loom")
    with h5py.File(tmp_path / "out.loom") as f:
        for name in before:
            if isinstance(before[name].dtype, pd.CategoricalDtype) and before[name].cat.categories.dtype == object:
                want = ["" if pd.isna(v) else v for v in before[name]]
                assert strings(f["col_attrs"][name]) == want, name
        assert "__categories" not in f["col_attrs"]


def test_columns_through_loom(quell, annotated, tmp_path):
    convert(quell, annotated, tmp_path / "mid.loom")
    with h5py.File(tmp_path / "mid.loom", "r+") as f:
        f["layers/spliced"] = f["matrix"][:]
        f["col_attrs/embedding"] = np.zeros((20, 2))
        f["col_attrs/short"] = np.zeros(3)
    done = convert(quell, tmp_path / "mid.loom", tmp_path / "out.h5ad")
    before, after = ad.read_h5ad(annotated).obs, ad.read_h5ad(tmp_path / "out.h5ad").obs
    assert set(after) == set(KINDS)
    for name in KINDS:
        np.testing.assert_array_equal(after[name].to_numpy(), expected(before, name), name)
    [lost] = [line for line in done.stderr.splitlines() if "no place for" in line]
    for member in ("layers/spliced", "col_attrs/embedding", "col_attrs/short"):
        assert member in lost
    done = convert(quell, tmp_path / "mid.loom", tmp_path / "layer.h5ad", "--layer", "spliced")
    [lost] = [line for line in done.stderr.splitlines() if "no place for" in line]
    assert "matrix" in lost and "layers/spliced" not in lost


def test_one_modality_of_h5mu(quell, annotated, tmp_path):
    with h5py.File(tmp_path / "in.h5mu", "w") as f, h5py.File(annotated) as a:
        f.attrs["encoding-type"] = "MuData"
        a.copy("/", f.create_group("mod"), "rna")
        a.copy("/", f["mod"], "atac")
    done = convert(quell, tmp_path / "in.h5mu", tmp_path / "out.h5ad")
    before, after = ad.read_h5ad(annotated), ad.read_h5ad(tmp_path / "out.h5ad")
    assert list(after.obs["text"]) == list(before.obs["text"])
    assert (after.X != before.X).nnz == 0
    [lost] = [line for line in done.stderr.splitlines() if "no place for" in line]
    for member in ("layers/twice", "uns/note", "raw", "mod/atac"):
        assert member in lost
    assert "obs" not in lost.replace("obsm", "")


def test_mtx_through_a_pipe(program, tmp_path):
    folder = samples.write_10x_mtx(tmp_path / "m", X)
    command = (f"cat matrix.mtx | '{program}' convert - -o out.h5ad "
               "--genes-file features.tsv --barcodes-file barcodes.tsv")
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    check(read_h5ad(folder / "out.h5ad"), X, *NAMES)
    bare = subprocess.run([program, "convert", "/dev/stdin", "-o", "bare.h5ad"], cwd=folder, timeout=60,
                          input=(folder / "matrix.mtx").read_bytes(), capture_output=True)
    assert bare.returncode == 0, bare.stderr
    numbered = [f"cell_{i + 1}" for i in range(60)], [f"gene_{i + 1}" for i in range(45)]
    check(read_h5ad(folder / "bare.h5ad"), X, *numbered)


# ---- h5ad to h5ad ----


def test_everything_is_copied(quell, annotated, tmp_path):
    done = convert(quell, annotated, tmp_path / "out.h5ad")
    assert "warning" not in done.stderr
    before, after = ad.read_h5ad(annotated), ad.read_h5ad(tmp_path / "out.h5ad")
    pd.testing.assert_frame_equal(before.obs, after.obs)
    assert after.uns["note"] == "x" and set(after.obsm) == set(before.obsm)
    np.testing.assert_array_equal(before.raw.X.toarray(), after.raw.X.toarray())


@pytest.mark.parametrize("chosen", [["--layer", "twice"], ["--use-raw"]])
def test_a_chosen_matrix_becomes_x(quell, annotated, tmp_path, chosen):
    done = convert(quell, annotated, tmp_path / "out.h5ad", *chosen)
    before, after = ad.read_h5ad(annotated), ad.read_h5ad(tmp_path / "out.h5ad")
    x = before.layers["twice"] if "--layer" in chosen else before.raw.X
    np.testing.assert_array_equal(after.X.toarray(), x.toarray())
    pd.testing.assert_frame_equal(before.obs, after.obs)
    pd.testing.assert_frame_equal(before.var, after.var)
    np.testing.assert_array_equal(before.obsm["X_pca"], after.obsm["X_pca"])
    np.testing.assert_array_equal(before.layers["twice"].toarray(), after.layers["twice"].toarray())
    assert after.uns["note"] == "x" and after.raw is not None
    assert "not carried over to the output: X " in done.stderr


def test_raw_with_other_genes(quell, annotated, tmp_path):
    a = ad.read_h5ad(annotated)
    raw, a = a.raw, a[:, :7].copy()
    a.raw = raw.to_adata()
    a.write_h5ad(annotated)
    convert(quell, annotated, tmp_path / "out.h5ad", "--use-raw")
    after = ad.read_h5ad(tmp_path / "out.h5ad")
    assert after.shape == (20, 12)
    assert list(after.var["gene_ids"]) == samples.names("ENSG", 12)
    np.testing.assert_array_equal(after.var["score"], np.linspace(0, 1, 12))
    assert list(after.obs["text"]) == list(a.obs["text"])


def test_the_copy_says_where_the_counts_are(quell, tmp_path, annotated):
    a = ad.read_h5ad(annotated)
    a.layers["counts"] = a.X.copy()
    a.X = a.X * 0.3
    a.write_h5ad(annotated)
    done = convert(quell, annotated, tmp_path / "out.h5ad")
    assert "the counts stay in layers/counts" in done.stderr
    np.testing.assert_array_equal(ad.read_h5ad(tmp_path / "out.h5ad").X.toarray(), a.X.toarray())


# ---- obsm ----


def test_obsm_as_a_table(quell, annotated, tmp_path):
    a = ad.read_h5ad(annotated)
    table = tmp_path / "pca.csv"
    convert(quell, annotated, tmp_path / "out.h5", "--obsm-out", f"X_pca={table}")
    found = pd.read_csv(table, index_col=0, float_precision="round_trip")
    assert list(found.columns) == ["X_pca_1", "X_pca_2", "X_pca_3"] and list(found.index) == list(a.obs_names)
    np.testing.assert_array_equal(found.to_numpy(), a.obsm["X_pca"])
    convert(quell, annotated, tmp_path / "out.h5", "--obsm-out", f"frame={table}", "--force")
    found = pd.read_csv(table, index_col=0)
    assert list(found["u"]) == list(range(20)) and found["v"].iloc[19] == "v19"


@pytest.mark.parametrize("value, code, words", [
    ("X_pca", 64, "KEY=FILE"), ("=x.csv", 64, "KEY=FILE"), ("no=x.csv", 65, "it has: X_pca, frame, sparse"),
    ("sparse=x.csv", 65, "neither a dense array nor a frame"), ("X_pca=out.h5", 64, "two outputs"),
])
def test_obsm_that_cannot_be_written(quell, annotated, tmp_path, value, code, words):
    done = quell("convert", annotated, "-o", "out.h5", "--obsm-out", value, code=code, cwd=tmp_path)
    assert words in done.stderr
    assert os.listdir(tmp_path) == ["in.h5ad"]


def test_obsm_of_other_inputs(quell, tmp_path):
    source = samples.write_10x_h5(tmp_path / "in.h5", X)
    done = convert(quell, source, tmp_path / "out.h5ad", "--obsm-out", "X_pca=x.csv", code=64, cwd=tmp_path)
    assert "is no h5ad" in done.stderr
    assert os.listdir(tmp_path) == ["in.h5"]


# ---- outputs that cannot be written ----


@pytest.mark.parametrize("kind", OUTPUTS)
def test_an_output_that_exists(quell, tmp_path, kind):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    target = tmp_path / OUTPUTS[kind]
    convert(quell, source, target)
    before = [path.read_bytes() for path in files_of(target)]
    done = convert(quell, source, target, code=73)
    assert "exists already; hint: --force" in done.stderr
    convert(quell, source, target, "--force")
    assert [path.read_bytes() for path in files_of(target)] == before
    assert len(os.listdir(tmp_path)) == 1 + (3 if kind == "npy" else 1)


def test_the_input_as_the_output(quell, tmp_path):
    source = samples.write_10x_h5(tmp_path / "in.h5", X)
    before = source.read_bytes()
    assert "is the input" in convert(quell, source, source, "--force", code=64).stderr
    assert "is the input" in convert(quell, source, tmp_path / "o.loom", "--obs-out", source, "--force", code=64).stderr
    assert source.read_bytes() == before
    folder = samples.write_10x_mtx(tmp_path / "mtx", X, compress=True)
    assert "is the input" in convert(quell, folder, folder, "--force", code=64).stderr
    assert "is the input" in convert(quell, folder / "matrix.mtx.gz", folder, "--force", code=64).stderr
    assert len(os.listdir(folder)) == 3 and sorted(os.listdir(tmp_path)) == ["in.h5", "mtx"]


def test_other_files_in_a_folder_stay(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    assert "thesis.tex" in convert(quell, source, tmp_path / "out", "--force", code=73).stderr
    assert os.listdir(tmp_path / "out") == ["thesis.tex"]


def small_files(n_bytes):
    """As on a full disk, writing fails beyond this size."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("kind", OUTPUTS)
def test_no_space(quell, tmp_path, kind, share):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(300, 500), compression="gzip")
    target = tmp_path / OUTPUTS[kind]
    convert(quell, source, target)
    limit = int(max(path.stat().st_size for path in files_of(target)) * share)
    for path in files_of(target):
        path.unlink()
    if target.is_dir():
        target.rmdir()
    done = convert(quell, source, target, code=74, preexec_fn=small_files(limit), timeout=60)
    assert str(target)[:-5] in done.stderr.splitlines()[-1]
    assert ".tmp" not in done.stderr
    assert os.listdir(tmp_path) == ["in.h5ad"]


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """An input that takes some time to write."""
    folder = tmp_path_factory.mktemp("slow")
    rng = np.random.default_rng(1)
    x = sp.random(3000, 4000, 0.3, "csr", dtype=np.float32, random_state=1)
    x.data = rng.integers(1, 2000, x.nnz).astype(np.float32)
    return samples.write_h5ad(folder / "in.h5ad", x, compression="gzip", compression_opts=1)


@pytest.mark.parametrize("kind", ["10x-h5", "10x-mtx", "loom", "csv.gz"])
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_stopped(program, slow, tmp_path, kind, signals):
    to = ["--to", "10x-mtx"] if kind == "10x-mtx" else []
    process = subprocess.Popen(
        [program, "convert", str(slow), "-o", str(tmp_path / OUTPUTS[kind]), *to, "--compression", "gzip:9"],
        stderr=subprocess.PIPE)

    def written():
        try:
            return sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        except FileNotFoundError:
            return 0

    while process.poll() is None and written() < 100_000:
        time.sleep(0.002)
    for number in signals:
        process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[signals[0]]
    assert os.listdir(tmp_path) == []


# ---- files beside the output of quell denoise ----


@pytest.fixture
def denoised(quell, annotated, tmp_path):
    def run(*more, code=0):
        return quell("denoise", annotated, "--seed", 1, "--epochs", 2, *more, code=code)

    run("-o", tmp_path / "plain.h5ad")
    return run


def test_side_files(denoised, tmp_path):
    out, obs, obsm, layer = (tmp_path / name for name in ("out.h5ad", "obs.csv.gz", "latent.csv", "layer.npy"))
    denoised("-o", out, "--obs-out", obs, "--obsm-out", obsm, "--layer-out", layer)
    assert out.read_bytes() == (tmp_path / "plain.h5ad").read_bytes()
    a = ad.read_h5ad(out)
    found = pd.read_csv(obs, index_col=0, float_precision="round_trip")
    assert list(found.columns) == list(a.obs.columns) and list(found.index) == list(a.obs_names)
    for name in ("quell_n_counts", "quell_size_factor"):
        np.testing.assert_array_equal(found[name], a.obs[name])
    assert list(found["quell_split"]) == list(a.obs["quell_split"])
    found = pd.read_csv(obsm, index_col=0, dtype={0: str}, float_precision="round_trip")
    assert found.columns[0] == "X_dca_1"
    np.testing.assert_array_equal(found.to_numpy().astype(np.float32), a.obsm["X_dca"])
    np.testing.assert_array_equal(np.load(layer), a.layers["denoised"])
    assert (tmp_path / "layer.genes.txt").read_text().split() == list(a.var_names)
    assert (tmp_path / "layer.cells.txt").read_text().split() == list(a.obs_names)


def test_side_files_alone(denoised, tmp_path):
    genes = tmp_path / "genes"
    genes.write_text("g7\ng2\n")
    denoised("--layer-out", tmp_path / "layer.npy", "--genes", genes)
    a = ad.read_h5ad(tmp_path / "plain.h5ad")
    np.testing.assert_array_equal(np.load(tmp_path / "layer.npy"), a[:, ["g7", "g2"]].layers["denoised"])
    assert (tmp_path / "layer.genes.txt").read_text() == "g7\ng2\n"


@pytest.mark.parametrize("option, name, blocked", [
    ("--obs-out", "obs.csv", "obs.csv"), ("--obsm-out", "l.csv", "l.csv"), ("--layer-out", "x.npy", "x.genes.txt")])
def test_side_files_that_exist(denoised, tmp_path, option, name, blocked):
    (tmp_path / blocked).write_text("mine")
    done = denoised(option, tmp_path / name, code=73)
    assert blocked in done.stderr and "--force" in done.stderr
    assert (tmp_path / blocked).read_text() == "mine"
    denoised(option, tmp_path / name, "--force")


def test_copies_in_two_folders(quell, annotated, tmp_path):
    """An h5ad's copy is the input, byte for byte, where that has all its groups."""
    (tmp_path / "b").mkdir()
    shutil.copy(annotated, tmp_path / "b" / "in.h5ad")
    convert(quell, annotated, tmp_path / "out.h5ad")
    convert(quell, tmp_path / "b" / "in.h5ad", tmp_path / "b" / "out.h5ad")
    assert (tmp_path / "out.h5ad").read_bytes() == (tmp_path / "b" / "out.h5ad").read_bytes()
