"""Every layout of counts in HDF5, written with h5py as its makers lay it out: the same matrix, names
and columns must come out of each. What is read is seen in the output of a short run, which holds
the counts, the names and (for inputs that are not copied) the columns.
"""
import json
import re

import anndata
import h5py
import numpy as np
import pytest
import samples
import scipy.sparse as sp

X = samples.counts()
DENSE = X.toarray()
N_CELLS, N_GENES = X.shape
CELLS, GENES = samples.names("cell", N_CELLS), samples.names("gene", N_GENES)
TEXT = samples.TEXT


def outcome(quell, folder, source, *options, code=0):
    target = folder / "out.h5ad"
    return target, quell("denoise", source, "-o", target, "--epochs", 1, *options, code=code, timeout=120)


def read(quell, folder, source, *options):
    """The AnnData that a short run makes of source, and what was said on the way."""
    target, done = outcome(quell, folder, source, *options)
    return anndata.read_h5ad(target), done.stderr


def refused(quell, folder, source, words, *options, code=65):
    target, done = outcome(quell, folder, source, *options, code=code)
    assert not target.exists()
    assert re.search(words, done.stderr.splitlines()[-1]), done.stderr


def check(a, cells=CELLS, genes=GENES, dense=DENSE):
    assert np.array_equal(a.X.toarray() if sp.issparse(a.X) else a.X, dense)
    assert list(a.obs_names) == list(cells)
    assert list(a.var_names) == list(genes)


def described(quell, source, *options):
    return "\n".join(json.loads(quell("info", "--json", source, *options).stdout)["layout"])


# ---- h5ad of anndata 0.6 and older ----

LABELS = np.arange(N_CELLS) % 3 - (np.arange(N_CELLS) % 7 == 0)  # -2 nowhere, -1 = missing
LABELS[LABELS < -1] = -1
WORDS = ["B cell", "T \N{GREEK SMALL LETTER ALPHA}\N{GREEK SMALL LETTER BETA}", "NK"]


def compound(index, text, **columns):
    kinds = [(index[0], text)] + [(name, values.dtype) for name, values in columns.items()]
    out = np.zeros(len(index[1]), dtype=kinds)
    out[index[0]] = [s if text is TEXT else s.encode() for s in index[1]]
    for name, values in columns.items():
        out[name] = values
    return out


def put_h5sparse(file, name, x):
    group = file.create_group(name)
    group.attrs["h5sparse_format"] = x.format
    group.attrs["h5sparse_shape"] = np.array(x.shape)
    for member in "data", "indices", "indptr":
        group[member] = getattr(x, member)


def write_old(path, text=TEXT, x_name="X", obs=("obs", "index"), var=("var", "index"), x=X):
    with h5py.File(path, "w") as f:
        if sp.issparse(x):
            put_h5sparse(f, x_name, x)
        else:
            f[x_name] = x
        f[obs[0]] = compound((obs[1], CELLS), text, depth=DENSE.sum(1).astype("f4"), label=LABELS.astype("i1"),
                             good=np.arange(N_CELLS) % 2 == 0)
        f[var[0]] = compound((var[1], GENES), text, n_cells=(DENSE > 0).sum(0).astype("i8"))
        f.create_dataset("uns/label_categories", data=np.array(WORDS, dtype=object), dtype=TEXT)
    return path


@pytest.mark.parametrize("text", [TEXT, "S12", "S6"], ids=["vlen", "fixed", "full"])
@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
def test_old_h5ad(quell, tmp_path, text, layout):
    x = DENSE if layout == "dense" else X.asformat(layout)
    source = write_old(tmp_path / "in.h5ad", text, x=x)
    a, told = read(quell, tmp_path, source)
    check(a)
    words = [WORDS[k] if k >= 0 else "" for k in LABELS]
    assert list(a.obs["label"]) == words
    assert np.array_equal(a.obs["depth"], DENSE.sum(1))
    assert list(a.obs["good"]) == [i % 2 == 0 for i in range(N_CELLS)]
    assert np.array_equal(a.var["n_cells"], (DENSE > 0).sum(0))
    assert "not carried over to the output: uns/label_categories" in told
    assert "anndata 0.6 or older" in described(quell, source)


@pytest.mark.parametrize("names", [("data", ("smp", "smp_names"), ("var", "var_names")),
                                   ("_X", ("_obs", "obs_names"), ("_var", "col_names")),
                                   ("X", ("obs", "row_names"), ("var", "anything"))])
def test_old_names_of_the_parts(quell, tmp_path, names):
    a, told = read(quell, tmp_path, write_old(tmp_path / "in.h5ad", "S12", *names))
    check(a)
    assert "not carried over to the output: uns/label_categories (" in told


def test_old_raw(quell, tmp_path):
    source = write_old(tmp_path / "in.h5ad", x=np.log1p(DENSE))
    with h5py.File(source, "r+") as f:
        put_h5sparse(f, "raw.X", X)
        f["raw.var"] = compound(("index", samples.names("raw", N_GENES)), TEXT, length=np.arange(N_GENES))
    a, told = read(quell, tmp_path, source)
    check(a, genes=samples.names("raw", N_GENES))
    assert np.array_equal(a.var["length"], np.arange(N_GENES))
    assert re.search("using raw.X .*X holds no counts.*looks log-", told)


def test_old_codes_out_of_range(quell, tmp_path):
    source = write_old(tmp_path / "in.h5ad")
    with h5py.File(source, "r+") as f:
        del f["uns/label_categories"]
        f["uns/label_categories"] = np.array([b"one", b"two"])
    a, told = read(quell, tmp_path, source)
    assert "label" not in a.obs
    assert "obs.label" in told and "code 2 at 2, but there are 2 categories" in told


# ---- columns of anndata 0.7 and later, where the file is not copied ----


def test_columns_of_raw_var(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(np.log1p(DENSE[:, :20])))
    codes = (np.arange(N_GENES) % 2).astype("i2")
    with h5py.File(source, "r+") as f:
        raw = f.create_group("raw")
        samples.put_csr(raw, "X", X)
        samples.put_frame(raw, "var", GENES)
        var = raw["var"]
        var.attrs["column-order"] = np.array(
            ["old", "seurat", "new", "nullable", "flag", "gone", "bad", "score", "few"], dtype=object)
        kinds = np.array([b"coding", b"other"])
        var["__categories/old"] = kinds
        var["__categories/seurat"] = kinds
        var["old"] = codes
        var["old"].attrs["categories"] = var["__categories/old"].ref
        var["seurat"] = codes
        new = var.create_group("new")
        new["codes"], new["categories"] = codes.astype("i8"), np.array([1.5, 2.5])
        nullable = var.create_group("nullable")
        nullable["values"], nullable["mask"] = np.arange(N_GENES), np.arange(N_GENES) == 3
        var["flag"] = codes == 1
        bad = var.create_group("bad")
        bad["codes"], bad["categories"] = codes, kinds[:1]
        var["score"] = np.linspace(0, 1, N_GENES).astype(">f8")
        var["few"] = np.arange(3)
    a, told = read(quell, tmp_path, source)
    check(a)
    words = ["coding", "other"] * (N_GENES // 2)
    assert list(a.var["old"]) == list(a.var["seurat"]) == words
    assert np.array_equal(a.var["new"], [1.5, 2.5] * (N_GENES // 2))
    assert np.isnan(a.var["nullable"].iloc[3]) and a.var["nullable"].iloc[4] == 4
    assert list(a.var["flag"]) == [False, True] * (N_GENES // 2)
    assert np.array_equal(a.var["score"], np.linspace(0, 1, N_GENES))
    assert not {"gone", "bad", "few"} & set(a.var)
    assert 'column "gone" is listed but missing' in told
    assert "raw/var/bad" in told and "code 1 at 1" in told
    assert "/raw/var/few: has 3 values for 30 names: left out" in told


# ---- h5mu ----


def write_h5mu(path, **modalities):
    with h5py.File(path, "w", userblock_size=512) as f:
        f.attrs["encoding-type"] = "MuData"
        for name, x in modalities.items():
            samples.write_h5ad(path.with_suffix(".part"), x)
            with h5py.File(path.with_suffix(".part")) as part:
                part.copy("/", f, f"mod/{name}")
            samples.put_text(f[f"mod/{name}/obs"], "batch", ["a", "b"] * (N_CELLS // 2))
            f[f"mod/{name}/obs"].attrs["column-order"] = np.array(["batch"], dtype=object)
    with open(path, "r+b") as f:
        f.write(b"MuData (format-version=0.1.0)")
    return path


def test_h5mu(quell, tmp_path):
    source = write_h5mu(tmp_path / "in.h5mu", prot=X[:, :7], rna=X)
    a, told = read(quell, tmp_path, source)
    check(a)
    assert list(a.obs["batch"]) == ["a", "b"] * (N_CELLS // 2)
    assert "using modality rna of prot, rna" in told
    assert a.uns["quell"]["denoise"]["matrix"] == "mod/rna/X"
    assert "modality  mod/prot" in described(quell, source)


def test_h5mu_modality(quell, tmp_path):
    source = write_h5mu(tmp_path / "in.h5mu", prot=X[:, :7], gex=X)
    check(read(quell, tmp_path, source, "--modality", "prot")[0], genes=GENES[:7], dense=DENSE[:, :7])
    (tmp_path / "out.h5ad").unlink()
    refused(quell, tmp_path, source, "none of them called rna: gex, prot.*--modality")
    refused(quell, tmp_path, source, 'no modality "rna" .it has: gex, prot', "--modality", "rna")


def test_h5mu_of_one(quell, tmp_path):
    check(read(quell, tmp_path, write_h5mu(tmp_path / "in.h5mu", gex=X))[0])


def test_h5mu_names_the_place(quell, tmp_path):
    source = write_h5mu(tmp_path / "in.h5mu", rna=X)
    with h5py.File(source, "r+") as f:
        f["mod/rna/X/indices"][5] = N_GENES
    refused(quell, tmp_path, source, r"in.h5mu: mod/rna: /X/indices\[5\] is 30, but there are 30 genes")


# ---- loom ----


def write_loom(path, version=3, matrix=DENSE.T, cells="CellID", genes="Gene", **storage):
    text = (lambda v: np.array(v, dtype=object)) if version == 3 else (lambda v: np.array(v, dtype="S"))
    kind = {"dtype": TEXT} if version == 3 else {}
    with h5py.File(path, "w") as f:
        f.create_dataset("matrix", data=matrix, **storage)
        for group in "layers", "row_attrs", "col_attrs", "row_graphs", "col_graphs":
            f.create_group(group)
        if version == 3:
            f.create_dataset("attrs/LOOM_SPEC_VERSION", data="3.0.0", dtype=TEXT)
        elif version == 2:
            f.attrs["LOOM_SPEC_VERSION"] = "2.0.1"
        if genes:
            f["row_attrs"].create_dataset(genes, data=text(GENES), **kind)
        if cells:
            f["col_attrs"].create_dataset(cells, data=text(CELLS), **kind)
    return path


STORED = {"gzip": {"chunks": (8, 16), "compression": 2}, "contiguous": {},
          "uneven": {"chunks": (7, 9), "compression": 4, "shuffle": True, "fletcher32": True},
          "lzf": {"chunks": (64, 64), "maxshape": (None, None), "compression": "lzf"}}


@pytest.mark.parametrize("version", [3, 2, 1])
@pytest.mark.parametrize("stored", STORED)
def test_loom(quell, tmp_path, version, stored):
    source = write_loom(tmp_path / "in.loom", version, **STORED[stored])
    a, _ = read(quell, tmp_path, source)
    check(a)
    assert f"loom {['of an early version', '2.0.1', '3.0.0'][version - 1]}" in described(quell, source)


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i4", "u2", ">i8", ">f4", "u1"])
def test_loom_types(quell, tmp_path, kind):
    check(read(quell, tmp_path, write_loom(tmp_path / "in.loom", matrix=DENSE.T.astype(kind), chunks=(8, 8)))[0])


@pytest.mark.parametrize("cells, genes", [("obs_names", "var_names"), ("Barcode", "Accession"),
                                          ("colnames", "rownames"), ("cell_names", "gene_names")])
def test_loom_names(quell, tmp_path, cells, genes):
    check(read(quell, tmp_path, write_loom(tmp_path / "in.loom", cells=cells, genes=genes))[0])


def test_loom_without_names(quell, tmp_path):
    source = write_loom(tmp_path / "in.loom", cells=None, genes=None)
    with h5py.File(source, "r+") as f:
        f["col_attrs/Cell"] = np.arange(N_CELLS) + 100
    a, told = read(quell, tmp_path, source)
    check(a, [f"cell_{i + 1}" for i in range(N_CELLS)], [f"gene_{i + 1}" for i in range(N_GENES)])
    assert np.array_equal(a.obs["Cell"], np.arange(N_CELLS) + 100)
    assert "/col_attrs: has no names of the cells" in told and "/row_attrs: has no names" in told


def test_loom_attributes(quell, tmp_path):
    source = write_loom(tmp_path / "in.loom", version=2)
    with h5py.File(source, "r+") as f:
        f["row_attrs/Accession"] = np.array([b"&#945;1"] * N_GENES)
        f["col_attrs/Batch"] = np.arange(N_CELLS, dtype="f8").reshape(-1, 1)
        f["col_attrs/Label"] = np.array([b"x", b"y"] * (N_CELLS // 2)).reshape(-1, 1)
        f["col_attrs/Embedding"] = np.zeros((N_CELLS, 2))
        f["col_attrs/Embeddings"] = np.zeros(N_CELLS, dtype=[("x", "f4"), ("y", "f4")])
        f["col_attrs/Short"] = np.arange(4)
        f["col_attrs"].create_group("a_group")
    a, told = read(quell, tmp_path, source)
    check(a)
    assert set(a.var["Accession"]) == {"\N{GREEK SMALL LETTER ALPHA}1"}
    assert np.array_equal(a.obs["Batch"], np.arange(N_CELLS))
    assert list(a.obs["Label"]) == ["x", "y"] * (N_CELLS // 2)
    assert not {"Embedding", "Embeddings", "Short", "a_group"} & set(a.obs)
    assert "/col_attrs/Short: has 4 values for 40 names: left out" in told


def test_loom_layers(quell, tmp_path):
    source = write_loom(tmp_path / "in.loom", matrix=DENSE.T * 0 + 9)
    with h5py.File(source, "r+") as f:
        f["layers/spliced"] = DENSE.T
    check(read(quell, tmp_path, source, "--layer", "spliced")[0])
    (tmp_path / "out.h5ad").unlink()
    refused(quell, tmp_path, source, 'no layer "ambiguous" .it has: spliced', "--layer", "ambiguous")


def test_loom_that_was_not_filled(quell, tmp_path):
    source = write_loom(tmp_path / "in.loom")
    with h5py.File(source, "r+") as f:
        del f["matrix"]
        f.create_dataset("matrix", shape=(N_GENES, N_CELLS), dtype="f4", chunks=(4, 4), compression=4)
        f["matrix"][:10] = DENSE.T[:10]
    expected = DENSE.copy()
    expected[:, 10:] = 0
    check(read(quell, tmp_path, source)[0], dense=expected)


def test_loom_of_too_few_names(quell, tmp_path):
    source = write_loom(tmp_path / "in.loom")
    with h5py.File(source, "r+") as f:
        del f["col_attrs/CellID"]
        f["col_attrs/CellID"] = np.array(CELLS[:-1], dtype="S")
    refused(quell, tmp_path, source, "/col_attrs/CellID: has 39 values, but /matrix has 40 cells")


# ---- 10x of version 2, CellBender ----


def put_genome(file, group, x, cells=CELLS, genes=GENES, without=()):
    members = {"barcodes": np.array(cells, dtype="S"), "genes": np.array([f"id_{g}" for g in genes], dtype="S"),
               "gene_names": np.array(genes, dtype="S"), "data": x.data.astype("i4"), "indices": x.indices,
               "indptr": x.indptr, "shape": np.array(x.shape[::-1], dtype="i4")}
    for name, values in members.items():
        if name not in without:
            file[f"{group}/{name}"] = values


def test_10x_v2_of_two_genomes(quell, tmp_path):
    source = tmp_path / "in.h5"
    order = np.random.default_rng(0).permutation(N_CELLS)[:25]
    with h5py.File(source, "w") as f:
        put_genome(f, "hg19", X[order, :20], [CELLS[i] for i in order], GENES[:20])
        put_genome(f, "mm10", X[:30, 20:], CELLS[:30], GENES[20:])
    a, told = read(quell, tmp_path, source)
    expected = DENSE.copy()
    expected[np.setdiff1d(np.arange(N_CELLS), order), :20] = 0
    expected[30:, 20:] = 0
    union = [CELLS[i] for i in order] + [c for i, c in enumerate(CELLS[:30]) if i not in order]
    check(a, union, GENES, expected[[CELLS.index(c) for c in union]])
    assert list(a.var["genome"]) == ["hg19"] * 20 + ["mm10"] * 10
    assert list(a.var["gene_ids"]) == [f"id_{g}" for g in GENES]
    assert "joined the genomes hg19 (20 genes, 25 barcodes), mm10 (10 genes, 30 barcodes)" in told
    (tmp_path / "out.h5ad").unlink()
    check(read(quell, tmp_path, source, "--genome", "mm10")[0], CELLS[:30], GENES[20:], DENSE[:30, 20:])


@pytest.mark.parametrize("without", [["barcodes"], ["genes"], ["gene_names"], ["genes", "gene_names"],
                                     ["barcodes", "genes", "gene_names"]])
def test_10x_v2_without_names(quell, tmp_path, without):
    source = tmp_path / "in.h5"
    with h5py.File(source, "w") as f:
        put_genome(f, "GRCh38", X, without=without)
        f["GRCh38/junk"] = 5
        f.create_group("other")["data"] = np.arange(3)
    a, told = read(quell, tmp_path, source)
    cells = [f"cell_{i + 1}" for i in range(N_CELLS)] if "barcodes" in without else CELLS
    genes = GENES
    if "gene_names" in without:
        genes = [f"gene_{i + 1}" for i in range(N_GENES)] if "genes" in without else [f"id_{g}" for g in GENES]
    check(a, cells, genes)
    assert ("has no barcodes" in told) == ("barcodes" in without)


def test_cellbender_v2(quell, tmp_path):
    source = tmp_path / "in.h5"
    with h5py.File(source, "w") as f:
        f.attrs["PYTABLES_FORMAT_VERSION"] = "2.1"
        put_genome(f, "matrix_v2", X)
        f["matrix_v2/genome"] = np.array([b"hg19"] * 20 + [b"mm10"] * 10)
        f["droplet_latents/cell_probability"] = np.ones(N_CELLS)
        f["metadata/barcodes_analyzed_inds"] = np.arange(N_CELLS)
    a, _ = read(quell, tmp_path, source)
    check(a)
    assert list(a.var["genome"]) == ["hg19"] * 20 + ["mm10"] * 10
    assert "written by CellBender" in described(quell, source)
    (tmp_path / "out.h5ad").unlink()
    check(read(quell, tmp_path, source, "--genome", "mm10")[0], genes=GENES[20:], dense=DENSE[:, 20:])


def test_cellbender_v3(quell, tmp_path):
    source = samples.write_10x_h5(tmp_path / "in.h5", X)
    with h5py.File(source, "r+") as f:
        f["droplet_latents/background_fraction"] = np.zeros(N_CELLS)
        f["global_latents/ambient_expression"] = np.ones(N_GENES)
        values = f["matrix/data"][:].astype("i8")
        del f["matrix/data"]
        f["matrix/data"] = values
    check(read(quell, tmp_path, source)[0])
    assert "written by CellBender" in described(quell, source)


# ---- other HDF5 ----


def test_a_dataset_by_name(quell, tmp_path):
    source = tmp_path / "in.h5"
    with h5py.File(source, "w") as f:
        f["X"], f["Y"] = DENSE, np.arange(N_CELLS)
        f["deep/t"] = DENSE.T
        put_genome(f, "deep/sparse", X.tocsc(), without=["barcodes", "genes", "gene_names", "shape"])
        f["deep/sparse"].attrs["shape"] = X.shape
    numbered = [f"cell_{i + 1}" for i in range(N_CELLS)], [f"gene_{i + 1}" for i in range(N_GENES)]
    refused(quell, tmp_path, source, "dataset X but without obs and var.*--dataset X")
    for options in (["X"], ["/X"], ["deep/sparse"], ["deep/t", "--orient", "genes-x-cells"]):
        a, told = read(quell, tmp_path, source, "--force", "--dataset", *options)
        check(a, *numbered)
        assert "no names of the cells" in told
    (tmp_path / "genes.txt").write_text("\n".join(["gene_id", *GENES]) + "\n")
    (tmp_path / "cells.txt").write_text("\n".join(CELLS) + "\n")
    check(read(quell, tmp_path, source, "--force", "--dataset", "X", "--genes-file", tmp_path / "genes.txt",
               "--barcodes-file", tmp_path / "cells.txt")[0])
    (tmp_path / "out.h5ad").unlink()
    refused(quell, tmp_path, source, "/Z: is missing", "--dataset", "Z")
    refused(quell, tmp_path, source, "needs --dataset", "--format", "hdf5", code=64)


# ---- how numbers are stored ----

VALUES = ["f8", "f4", "i8", "u8", "i4", "u4", "i2", "u2", "i1", "u1", ">f4", ">f8", ">i4", ">u2"]
FILTERS = {"plain": {}, "gzip": {"compression": 4}, "shuffle, gzip": {"compression": 1, "shuffle": True},
           "lzf": {"compression": "lzf"}, "shuffle, lzf": {"compression": "lzf", "shuffle": True},
           "fletcher": {"fletcher32": True}, "all": {"compression": 9, "shuffle": True, "fletcher32": True}}


def put_sparse(file, x, kinds=("f4", "i4", "i4"), **storage):
    """X anew: the three arrays in these types."""
    del file["X"]
    group = file.create_group("X")
    group.attrs["encoding-type"], group.attrs["encoding-version"] = f"{x.format}_matrix", "0.1.0"
    group.attrs["shape"] = x.shape
    for name, kind in zip(("data", "indices", "indptr"), kinds):
        group.create_dataset(name, data=getattr(x, name).astype(kind), **storage)


@pytest.mark.parametrize("filters", FILTERS)
def test_stored_numbers(quell, tmp_path, filters):
    """Every type of values, with types of indices and pointers in turn, as csr and as csc. Shape,
    sum and largest entry are enough here."""
    want = {"cells": N_CELLS, "genes": N_GENES, "nonzeros": X.nnz, "total": DENSE.sum(), "largest": DENSE.max()}
    sources = []
    for i, kind in enumerate(VALUES):
        source = samples.write_h5ad(tmp_path / f"{i}.h5ad", X)
        numbers = [("i4", "i4"), ("i8", "i8"), ("u1", "u8"), ("u2", "i4"), (">u4", ">i8")][i % 5]
        with h5py.File(source, "r+") as f:
            put_sparse(f, X if i % 2 else X.tocsc(), (kind, *numbers), chunks=(29,), **FILTERS[filters])
        sources.append(source)
    seen = [json.loads(line) for line in quell("info", "--json", *sources).stdout.splitlines()]
    assert len(seen) == len(VALUES)
    for one in seen:
        assert {key: one[key] for key in want} == want, one["file"]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_threads_do_not_matter(quell, tmp_path, n_threads):
    x = samples.counts(300, 200, seed=3)
    source = samples.write_h5ad(tmp_path / "in.h5ad", sp.csr_matrix(x.shape))
    with h5py.File(source, "r+") as f:
        put_sparse(f, x.tocsc(), chunks=(64,), compression=1)
        f["layers/dense"] = np.ones(x.shape)
        raw = f.create_group("raw")
        samples.put_frame(raw, "var", samples.names("other", 200))
        f.move("X", "raw/X")
    a, _ = read(quell, tmp_path, source, "--threads", n_threads, "--use-raw")
    check(a, samples.names("cell", 300), samples.names("other", 200), x.toarray())


# ---- real files ----

REAL = {
    "formats/loom/retina.loom": (25, 1316, 2825),
    "formats/loom/L1_DRG_20_example.loom": (20, 20, 1039),
    "formats/anndata08/layout_of_0.6.h5ad": (30, 40, 70693),
    "formats/anndata08/layout_of_0.7.h5ad": (30, 40, 70693),
    "formats/tenx_v2_h5/filtered_gene_bc_matrices_h5.h5": (12, 343, 12),
    "formats/tenx_v3_h5/filtered_feature_bc_matrix.h5": (1107, 507, 41549),
    "formats/h5ad_csr_layers/example.h5ad": (50, 100, 9805),
    "formats/h5ad_csc/mixology_3cl_celseq2_csc.h5ad": (274, 28073, 10321416),
    "formats/h5ad_dense/example_anndata.h5ad": (200, 459, 610126),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(quell, shared_data, name):
    seen = json.loads(quell("info", "--json", shared_data / name).stdout)
    assert (seen["cells"], seen["genes"], seen["total"]) == REAL[name]


def test_a_real_file_without_counts(quell, shared_data, tmp_path):
    source = shared_data / "formats/h5ad_old_v0.5/adata.h5ad"
    refused(quell, tmp_path, source, r"X: cell .* is -0.326.*looks scaled; no counts in raw.X either")
    seen = json.loads(quell("info", "--json", source).stdout)
    assert (seen["cells"], seen["genes"], seen["is_counts"]) == (700, 765, False)
    a, _ = read(quell, tmp_path, shared_data / "formats/anndata08/layout_of_0.6.h5ad")
    with h5py.File(shared_data / "formats/anndata08/layout_of_0.6.h5ad") as f:
        assert list(a.obs_names) == [s.decode() for s in f["obs"]["index"]]
        words = f["uns/cell_type_categories"].asstr()[:]
        assert list(a.obs["cell_type"]) == [words[k] if k >= 0 else "" for k in f["obs"]["cell_type"]]


def test_a_real_loom_like_loompy_reads_it(quell, shared_data, tmp_path):
    source = shared_data / "formats/loom/L1_DRG_20_example.loom"
    a, _ = read(quell, tmp_path, source)
    with h5py.File(source) as f:
        assert np.array_equal(a.X.toarray(), f["matrix"][:].T)
        assert list(a.obs_names) == [s.decode() for s in f["col_attrs/CellID"]]
        assert list(a.obs["Clusters"]) == list(f["col_attrs/Clusters"])
        assert list(a.obs["Age"]) == [s.decode() for s in f["col_attrs/Age"]]
        assert set(a.var) >= {"Accession", "X_LogCV"}
