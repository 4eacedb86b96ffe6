"""One matrix in every layout and compression that MatrixMarket counts come in: the same counts and
names each time, compared with numpy; and the layouts that must be refused."""
import gzip
import os
import re
import struct
import zlib

import h5py
import numpy as np
import pytest
import samples
import scipy.io
import scipy.sparse as sp

X = samples.counts(23, 17)
N_CELLS, N_GENES = X.shape
BARCODES = [f"ACGT{i:04d}-1" for i in range(N_CELLS)]
IDS = [f"ENSG{i:08d}.{i % 5}" for i in range(N_GENES)]
SYMBOLS = [f"Gene {i}" for i in range(N_GENES)]


# ---- compression ----


def members(data):
    """As `cat a.gz b.gz` and pigz leave it."""
    cut = len(data) // 3
    return gzip.compress(data[:cut]) + gzip.compress(data[cut:2 * cut]) + gzip.compress(data[2 * cut:])


def bgzip(data, size=60):
    """Blocks that say how long they are; small ones, so that there are many."""
    out = b""
    for at in [*range(0, len(data), size), None]:
        raw = b"" if at is None else data[at:at + size]
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = packer.compress(raw) + packer.flush()
        head = b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H2sHH", 6, b"BC", 2, len(body) + 25)
        out += head + body + struct.pack("<II", zlib.crc32(raw), len(raw))
    return out


COMPRESSIONS = {
    "plain": lambda data: data,
    "gz": gzip.compress,
    "members": members,
    "bgzip": bgzip,
    "padded": lambda data: gzip.compress(data) + bytes(512),
}


# ---- text ----


def market(x, field="integer", value=lambda v: f"{v:g}", separator=" ", end="\n", order=None):
    """x as MatrixMarket text, column by column or in the order given (of the entries)."""
    c = sp.coo_matrix(sp.csc_matrix(x))
    order = range(c.nnz) if order is None else order
    lines = [f"%%MatrixMarket matrix coordinate {field} general", "%",
             separator.join(map(str, (*x.shape, c.nnz)))]
    lines += [separator.join((str(c.row[k] + 1), str(c.col[k] + 1), value(c.data[k])))
              for k in order]
    return end.join(lines) + end


def lines(*columns, separator="\t"):
    return "".join(separator.join(row) + "\n" for row in zip(*columns))


def write(folder, files, pack=COMPRESSIONS["plain"]):
    """files: {name: text}; a name that ends in ? gets .gz where pack compresses."""
    for name, text in files.items():
        data, zipped = text.encode() if isinstance(text, str) else text, name.endswith("?")
        name = name.rstrip("?")
        if zipped and pack is not COMPRESSIONS["plain"]:
            data, name = pack(data), name + ".gz"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


FEATURES = lines(IDS, SYMBOLS, ["Gene Expression"] * N_GENES)
CELLS = lines(BARCODES)
NUMBERED_GENES = [f"gene_{i + 1}" for i in range(N_GENES)]
NUMBERED_CELLS = [f"cell_{i + 1}" for i in range(N_CELLS)]


def parts(x=X):
    """Spliced, unspliced and ambiguous counts that are all different and sum to no more than 3x."""
    x = x.toarray()
    return [sp.csr_matrix(y) for y in (x, np.roll(x, 1, 0), np.roll(x, 1, 1))]


S, U, A = parts()
USA_NAMES = IDS + [i + "-U" for i in IDS] + [i + "-A" for i in IDS]
USA = {"quants_mat.mtx?": market(sp.hstack([S, U, A])), "quants_mat_cols.txt": lines(USA_NAMES),
       "quants_mat_rows.txt": CELLS}


def eds(x):
    """alevin's binary since version 0.14."""
    out = b""
    for row in x.toarray():
        out += np.packbits(row != 0).tobytes() + row[row != 0].astype("<f4").tobytes()
    return out


def alevin(binary):
    return {"quants_mat.gz": gzip.compress(binary), "quants_mat_rows.txt": CELLS,
            "quants_mat_cols.txt": lines(IDS)}


KALLISTO = {"cells_x_genes.genes.txt": lines(IDS), "cells_x_genes.genes.names.txt": lines(SYMBOLS),
            "cells_x_genes.barcodes.txt": CELLS}
VELOCYTO = {"features.tsv": lines(IDS, SYMBOLS), "barcodes.tsv": CELLS, "spliced.mtx": market(S.T),
            "unspliced.mtx": market(U.T), "ambiguous.mtx": market(A.T)}


class Case:
    def __init__(self, format, files, path="", options=(), want=X, genes=SYMBOLS, cells=BARCODES):
        self.format, self.files, self.path, self.options = format, files, path, options
        self.want, self.genes, self.cells = want, genes, cells


CASES = {
    "cellranger2": Case("10x-mtx", {"matrix.mtx": market(X.T), "genes.tsv": lines(IDS, SYMBOLS),
                                    "barcodes.tsv": CELLS}),
    "cellranger3": Case("10x-mtx", {"matrix.mtx?": market(X.T), "features.tsv?": FEATURES,
                                    "barcodes.tsv?": CELLS}),
    "cellranger outs": Case("10x-mtx", {
        "outs/filtered_feature_bc_matrix/matrix.mtx?": market(X.T),
        "outs/filtered_feature_bc_matrix/features.tsv?": FEATURES,
        "outs/filtered_feature_bc_matrix/barcodes.tsv?": CELLS,
        "outs/raw_feature_bc_matrix/matrix.mtx?": "not read"}, path="outs"),
    "arc": Case("10x-mtx", {
        "matrix.mtx?": market(X.T), "barcodes.tsv?": CELLS,
        "features.tsv?": lines(IDS, SYMBOLS, ["Gene Expression"] * N_GENES, ["chr1"] * N_GENES,
                               ["1"] * N_GENES, ["2"] * N_GENES)}),
    "dragen": Case("10x-mtx", {"a.scRNA.matrix.mtx?": market(X.T), "a.scRNA.genes.tsv?": FEATURES,
                               "a.scRNA.barcodes.tsv?": CELLS, "a.scRNA.metrics.csv": "x\n"}),
    "dragen filtered": Case("10x-mtx", {
        "a.scRNA.filtered.matrix.mtx?": market(X.T), "a.scRNA.features.tsv?": FEATURES,
        "a.scRNA.filtered.barcodes.tsv?": CELLS, "a.scRNA.barcodes.tsv?": CELLS + CELLS}),
    "geo": Case("10x-mtx", {"GSM1_liver_matrix.mtx?": market(X.T),
                            "GSM1_liver_features.tsv": FEATURES,
                            "GSM1_liver_barcodes.tsv?": CELLS}),
    "geo, one of two": Case("10x-mtx", {
        "GSM1_liver_matrix.mtx?": market(X.T), "features.tsv": FEATURES,
        "GSM1_liver_barcodes.tsv": CELLS, "GSM2_lung_matrix.mtx?": market(U.T),
        "GSM2_lung_barcodes.tsv": CELLS}, path="GSM1_liver_matrix.mtx?"),
    "bd": Case("10x-mtx", {"matrix.mtx?": market(X.T), "barcodes.tsv?": lines(map(str, range(N_CELLS))),
                           "features.tsv?": lines(SYMBOLS, SYMBOLS, ["Gene Expression"] * N_GENES)},
               cells=[str(i) for i in range(N_CELLS)]),
    "starsolo": Case("10x-mtx", {"S.out/Gene/filtered/matrix.mtx": market(X.T),
                                 "S.out/Gene/filtered/features.tsv": lines(IDS, SYMBOLS),
                                 "S.out/Gene/filtered/barcodes.tsv": CELLS,
                                 "S.out/Gene/raw/matrix.mtx": "not read"}, path="S.out"),
    "starsolo uniform": Case("10x-mtx", {"UniqueAndMult-Uniform.mtx": market(X.T, "real"),
                                         "features.tsv": FEATURES, "barcodes.tsv": CELLS}),
    "velocyto file": Case("10x-mtx", VELOCYTO, path="unspliced.mtx", want=U),
    "velocyto layer": Case("10x-mtx", VELOCYTO, options=("--layer", "ambiguous"), want=A),
    "kb cellranger": Case("10x-mtx", {"counts_unfiltered/cellranger/matrix.mtx": market(X.T),
                                      "counts_unfiltered/cellranger/genes.tsv": lines(IDS, SYMBOLS),
                                      "counts_unfiltered/cellranger/barcodes.tsv": CELLS},
                          path="counts_unfiltered/cellranger"),
    "kb": Case("kallisto", {"counts_unfiltered/cells_x_genes.mtx?": market(X, "real"),
                            **{"counts_unfiltered/" + k: v for k, v in KALLISTO.items()}}),
    "kb prefix": Case("kallisto", {"cells_x_genes.mtx?": market(X, "real"), **KALLISTO,
                                   "cells_x_genes.barcodes.prefix.txt": "s1_\n" * N_CELLS},
                      cells=["s1_" + b for b in BARCODES]),
    "kb layers": Case("kallisto", {"cells_x_genes.mature.mtx": market(S),
                                   "cells_x_genes.nascent.mtx": market(U),
                                   "cells_x_genes.ambiguous.mtx": market(A), **KALLISTO},
                      options=("--layer", "nascent"), want=U),
    "bustools": Case("kallisto", {"genes.mtx": market(X, "real"), "genes.genes.txt": lines(IDS),
                                  "genes.barcodes.txt": CELLS}, genes=IDS),
    "alevin-fry": Case("alevin", {"af/alevin/quants_mat.mtx?": market(X, "real"),
                                  "af/alevin/quants_mat_rows.txt": CELLS,
                                  "af/alevin/quants_mat_cols.txt": lines(IDS)}, path="af", genes=IDS),
    "alevin": Case("alevin", {"quants_mat.mtx?": market(X, "real", lambda v: f"{v:.6f}", "\t"),
                              "quants_mat_rows.txt": CELLS, "quants_mat_cols.txt": lines(IDS)},
                   genes=IDS),
    "usa": Case("alevin", USA, want=S + A, genes=IDS),
    "usa spliced": Case("alevin", USA, options=("--layer", "spliced"), want=S, genes=IDS),
    "usa unspliced": Case("alevin", USA, options=("--layer", "unspliced"), want=U, genes=IDS),
    "usa ambiguous": Case("alevin", USA, options=("--layer", "ambiguous"), want=A, genes=IDS),
    "usa all": Case("alevin", USA, options=("--layer", "all"), want=S + U + A, genes=IDS),
    "eds": Case("alevin-eds", alevin(eds(X)), genes=IDS),
    "eds above": Case("alevin-eds", {"alevin/" + k: v for k, v in alevin(eds(X)).items()},
                      genes=IDS),
    "eds file": Case("alevin-eds", alevin(eds(X)), path="quants_mat.gz", genes=IDS),
    "old alevin": Case("alevin-eds", alevin(X.toarray().astype("<f8").tobytes()), genes=IDS),
    "parse": Case("parse", {
        "DGE.mtx": market(X), "all_genes.csv": "gene_id,gene_name,genome\n" + lines(
            IDS, SYMBOLS, ["hg38"] * N_GENES, separator=","),
        "cell_metadata.csv": "bc_wells,sample,species\n" + lines(
            BARCODES, ["a"] * N_CELLS, ["hg38"] * N_CELLS, separator=",")}),
    "parse below": Case("parse", {
        "DGE_filtered/count_matrix.mtx": market(X),
        "DGE_filtered/all_genes.csv": "gene_id,gene_name,genome\n" + lines(
            IDS, [f'"{s}"' for s in SYMBOLS], ["hg38"] * N_GENES, separator=","),
        "DGE_filtered/cell_metadata.csv": "bc_wells,sample\n" + lines(
            BARCODES, ['"a, b"'] * N_CELLS, separator=",")}),
    "beside": Case("mtx", {"counts.mtx?": market(X), "counts_genes.txt": lines(IDS),
                           "counts_barcodes.txt": CELLS}, path="counts.mtx?", genes=IDS),
    "scanpy": Case("mtx", {"x.mtx": market(X), "genes.csv": ",gene_ids\n" + lines(
        IDS, IDS, separator=","), "cells.csv": ",n\n" + lines(
            BARCODES, ["1"] * N_CELLS, separator=",")}, path="x.mtx", genes=IDS),
    "alone": Case("mtx", {"counts.mtx?": market(X.T)}, path="counts.mtx?", genes=NUMBERED_GENES,
                  cells=NUMBERED_CELLS),
    "alone, cells first": Case("mtx", {"x.mtx": market(X)}, genes=NUMBERED_GENES,
                               cells=NUMBERED_CELLS, options=("--orient", "cells-x-genes")),
    "alone, alevin's": Case("alevin", {"quants_mat.mtx": market(X)}, genes=NUMBERED_GENES,
                            cells=NUMBERED_CELLS),
    "names given": Case("mtx", {"m/x.mtx": market(X), "g.tsv": lines(IDS, SYMBOLS), "c": CELLS},
                        path="m", options=("--genes-file", "g.tsv", "--barcodes-file", "c")),
    "genes given": Case("mtx", {"m/x.mtx": market(X), "g.csv": lines(IDS, SYMBOLS, separator=",")},
                        path="m", options=("--genes-file", "g.csv"), cells=NUMBERED_CELLS),
    "names replaced": Case("10x-mtx", {"m/matrix.mtx": market(X.T), "m/features.tsv": "stale\n",
                                       "m/barcodes.tsv": CELLS, "g": FEATURES}, path="m",
                           options=("--genes-file", "g")),
    "the other way round": Case("10x-mtx", {"matrix.mtx": market(X), "features.tsv": FEATURES,
                                            "barcodes.tsv": CELLS}),
    "forced": Case("mtx", {"matrix.mtx": market(X.T), "features.tsv": lines(IDS, SYMBOLS),
                           "barcodes.tsv": CELLS}, options=("--format", "mtx")),
    "crlf": Case("10x-mtx", {"matrix.mtx?": market(X.T, end="\r\n"),
                             "features.tsv": FEATURES.replace("\n", "\r\n"),
                             "barcodes.tsv": CELLS.replace("\n", "\r\n")}),
    "R": Case("10x-mtx", {"matrix.mtx": market(X.T, "real", lambda v: f"{v:e}"),
                          "features.tsv": '"x"\n' + lines([f'"{i}"' for i in SYMBOLS]),
                          "barcodes.tsv": '"x"\n' + lines([f'"{b}"' for b in BARCODES])}),
    "entries shuffled": Case("10x-mtx", {
        "matrix.mtx": market(X.T, order=np.random.default_rng(1).permutation(X.nnz)),
        "features.tsv": FEATURES, "barcodes.tsv": CELLS}),
}


def zipped(text, compression):
    return text.replace("?", "" if compression == "plain" else ".gz")


def read_counts(quell, folder, case, compression):
    """What quell reads, as it puts it into a new h5ad."""
    done = quell("denoise", zipped(case.path, compression) or ".", "-o", "../out.h5ad", "--epochs", 1,
                 "--hidden", 4, "--no-denoised", *case.options, cwd=folder, timeout=60)
    with h5py.File(folder.parent / "out.h5ad") as f:
        x = sp.csr_matrix(tuple(f["X"][k][:] for k in ("data", "indices", "indptr")),
                          tuple(f["X"].attrs["shape"])) if isinstance(f["X"], h5py.Group) else f["X"][:]
        names = [[s.decode() for s in f[k][f[k].attrs["_index"]][:]] for k in ("obs", "var")]
    return x, *names, done.stderr


def ways():
    """What its makers compress in every way, the rest as it is."""
    for name, case in CASES.items():
        packed = any(k.endswith("?") for k in case.files)
        yield from ((name, c) for c in (COMPRESSIONS if packed else ["plain"]))


@pytest.mark.parametrize("name, compression", list(ways()))
def test_layout(quell, tmp_path, name, compression):
    case = CASES[name]
    folder = write(tmp_path / "in", case.files, COMPRESSIONS[compression])
    x, cells, genes, _ = read_counts(quell, folder, case, compression)
    np.testing.assert_array_equal(sp.csr_matrix(x).toarray(), case.want.toarray())
    assert cells == case.cells
    assert genes == case.genes
    described = quell("info", zipped(case.path, compression) or ".", *case.options, cwd=folder).stdout
    assert f"format           {case.format}\n" in described


def test_as_scipy_reads_it(quell, tmp_path):
    """Random text of scipy's own making, in all of its kinds."""
    rng = np.random.default_rng(5)
    dense = rng.poisson(0.4, (31, 12)).astype(np.int32)
    square = np.tril(rng.poisson(0.6, (9, 9)))
    for name, x, symmetry in [("sparse", sp.coo_matrix(dense), "general"), ("dense", dense, "general"),
                              ("symmetric", sp.coo_matrix(square + square.T), "symmetric"),
                              ("real", sp.coo_matrix(dense.astype(float)), "general")]:
        path = tmp_path / f"{name}.mtx"
        scipy.io.mmwrite(path, x, symmetry=symmetry)
        want = scipy.io.mmread(path)
        want = want.toarray() if sp.issparse(want) else want
        case = Case("mtx", {}, path=path.name, options=("--orient", "cells-x-genes"))
        (tmp_path / "in").mkdir(exist_ok=True)
        path.rename(tmp_path / "in" / path.name)
        got = read_counts(quell, tmp_path / "in", case, "plain")[0]
        np.testing.assert_array_equal(sp.csr_matrix(got).toarray(), want)
        os.remove(tmp_path / "out.h5ad")


def square_files(matrix, genes, cells):
    n = 17
    x = samples.counts(n, n)
    return x, {matrix: market(x), genes: lines(IDS), cells: lines(BARCODES[:n])}


@pytest.mark.parametrize("matrix, genes, cells, rows_are_cells", [
    ("quants_mat.mtx", "quants_mat_cols.txt", "quants_mat_rows.txt", True),
    ("cells_x_genes.mtx", "cells_x_genes.genes.txt", "cells_x_genes.barcodes.txt", True),
    ("DGE.mtx", "all_genes.csv", "cell_metadata.csv", True),
    ("matrix.mtx", "features.tsv", "barcodes.tsv", False),
])
def test_a_square_matrix_goes_by_the_names_of_its_files(quell, tmp_path, matrix, genes, cells,
                                                        rows_are_cells):
    x, files = square_files(matrix, genes, cells)
    folder = write(tmp_path / "in", files)
    want = x.toarray() if rows_are_cells else x.toarray().T
    got = read_counts(quell, folder, Case("", {}), "plain")[0]
    np.testing.assert_array_equal(sp.csr_matrix(got).toarray(), want)
    os.remove(tmp_path / "out.h5ad")
    turned = ("--orient", "genes-x-cells" if rows_are_cells else "cells-x-genes")
    got = read_counts(quell, folder, Case("", {}, options=turned), "plain")[0]
    np.testing.assert_array_equal(sp.csr_matrix(got).toarray(), want.T)


WARNED = {
    "numbered": ({"x.mtx": market(X.T)}, (), "no file names the genes: they are numbered"),
    "guessed": ({"x.mtx": market(X.T)}, (), r"taken as genes x cells \(--orient says otherwise\)"),
    "short": ({"matrix.mtx": market(X.T).rsplit("\n", 2)[0] + "\n", "features.tsv": FEATURES,
               "barcodes.tsv": CELLS}, ("--allow-short",), "announces %d entries, has %d" % (X.nnz, X.nnz - 1)),
    "twice": ({"matrix.mtx": market(X.T).replace(f" {X.nnz}\n", f" {X.nnz + 2}\n", 1) + "1 1 1\n1 1 1\n",
               "features.tsv": FEATURES, "barcodes.tsv": CELLS}, (), "given more than once: [12], summed"),
    "gene names": ({"cells_x_genes.mtx": market(X), **KALLISTO, "cells_x_genes.genes.names.txt": "a\n"},
                   (), r"names\.txt: has 1 lines for 17 genes: left out"),
}


@pytest.mark.parametrize("name", WARNED)
def test_warned(quell, tmp_path, name):
    files, options, words = WARNED[name]
    folder = write(tmp_path / "in", files)
    stderr = read_counts(quell, folder, Case("", files, options=options), "plain")[3]
    assert re.search("warning: .*" + words, stderr), stderr


TENX = {"matrix.mtx": market(X.T), "features.tsv": FEATURES, "barcodes.tsv": CELLS}
NOTED = {
    "usa": (USA, (), f"of {N_GENES} genes: using spliced\\+ambiguous"),
    "header": ({**TENX, "barcodes.tsv": "barcode\n" + CELLS}, (), "cells begins with a header line: skipped"),
    "others": ({**TENX, "UniqueAndMult-EM.mtx": market(X.T)}, (), r"matrix\.mtx \(the folder has 1 more\)"),
    "old alevin": (alevin(X.toarray().astype("<f8").tobytes()), (), "dense binary of before version 0.14"),
}


@pytest.mark.parametrize("name", NOTED)
def test_noted(quell, tmp_path, name):
    files, options, words = NOTED[name]
    folder = write(tmp_path / "in", files)
    assert re.search(words, quell("info", ".", *options, cwd=folder).stdout)


REFUSED = {
    "tcc": ({"cells_x_tcc.mtx": market(X), "cells_x_tcc.barcodes.txt": CELLS, "cells_x_tcc.ec.txt": "0\t0\n"},
            (), 65, r"holds counts of transcript classes \(TCC\), not of genes"),
    "old tcc": ({"tcc.mtx": market(X), "tcc.barcodes.txt": CELLS, "tcc.ec.txt": "0\t0\n"},
                (), 65, "transcript classes"),
    "several": ({"a.mtx": market(X), "b.mtx": market(X)}, (), 65, r"several matrices: a\.mtx, b\.mtx"),
    "velocyto": (VELOCYTO, (), 65, r"several matrices: ambiguous\.mtx, spliced\.mtx, unspliced\.mtx"),
    "lengths": ({**TENX, "barcodes.tsv": CELLS + "a\nb\n"}, (), 65,
                f"is {N_GENES} x {N_CELLS}, but the files beside it name {N_GENES} genes and {N_CELLS + 2} cells"),
    "orient": (TENX, ("--orient", "cells-x-genes"), 65,
               f"is {N_GENES} x {N_CELLS} cells x genes, but the files beside it name {N_GENES} genes"),
    "one side": ({"quants_mat.mtx": market(X), "quants_mat_cols.txt": lines(IDS)}, (), 65,
                 r"names the cells \(quants_mat_rows\.txt"),
    "names file": (TENX, ("--genes-file", "none.tsv"), 66, r"none\.tsv: cannot be read: No such file"),
    "numbers": ({"x.mtx": "%%MatrixMarket matrix coordinate integer general\n2000000000 5 1\n1 1 1\n"},
                (), 65, "announces 2000000000 genes, and there are no names of them"),
    "huge": ({**TENX, "matrix.mtx": market(X.T).replace(f" {X.nnz}\n", " 999999999999999999\n", 1)}, (),
             65, f"announces 999999999999999999 entries, has {X.nnz}: is it truncated"),
    "too many": ({**TENX, "matrix.mtx": market(X.T) + "1 1 1\n"}, ("--allow-short",), 65, "but has more"),
    "layer": (TENX, ("--layer", "spliced"), 64, "holds one matrix, so --layer spliced cannot be picked"),
    "usa layer": (USA, ("--layer", "mature"), 64, 'has no layer "mature"'),
    "eds cut": (alevin(eds(X)[:-1]), (), 65, f"quants_mat.gz: ends in cell {N_CELLS} of {N_CELLS}"),
    "eds long": (alevin(eds(X) + b"\0"), (), 65, f"has more data than {N_CELLS} cells"),
    "eds halves": (alevin(eds(X * 0.5)), (), 65, "no count"),
    "alevin halves": ({"quants_mat.mtx": market(X * 0.5, "real"), "quants_mat_rows.txt": CELLS,
                       "quants_mat_cols.txt": lines(IDS)}, (), 65, "no count"),
    "integer halves": ({**TENX, "matrix.mtx": market(X.T * 0.5)}, (), 65,
                       r"line \d+: has the value \d*\.5 in a file of integers"),
    "from 0": ({**TENX, "matrix.mtx": market(X.T) .replace("\n1 1 ", "\n0 1 ", 1)}, (), 65,
               r"line 4: the row is 0, but they count from 1 \(are the indices 0-based\?\)"),
    "format": (TENX, ("--format", "alevin"), 65, "is no matrix of the format alevin"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(quell, tmp_path, name):
    files, options, code, words = REFUSED[name]
    folder = write(tmp_path / "in", files)
    done = quell("denoise", ".", "-o", "../out.h5ad", "--epochs", 1, *options, cwd=folder, code=code)
    assert done.stdout == ""
    assert re.search("^quell denoise: .*" + words, done.stderr, re.M), done.stderr
    assert not (tmp_path / "out.h5ad").exists()


BROKEN = {
    "cut": lambda d: d[:-5],
    "cut in half": lambda d: d[:len(d) // 2],
    "checksum": lambda d: d[:-6] + bytes([d[-6] ^ 1]) + d[-5:],
    "inside": lambda d: d[:len(d) // 2] + bytes([d[len(d) // 2] ^ 255]) + d[len(d) // 2 + 1:],
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("compression", ["gz", "members", "bgzip"])
def test_broken_gzip(quell, tmp_path, compression, how):
    data = COMPRESSIONS[compression](market(X.T).encode())
    if compression == "bgzip":
        data = data[:-28]  # the empty block at the end
    files = {"matrix.mtx.gz": BROKEN[how](data), "features.tsv": FEATURES, "barcodes.tsv": CELLS}
    folder = write(tmp_path / "in", files)
    done = quell("info", ".", cwd=folder, code=65)
    assert re.search("matrix.mtx.gz: (ends early: incomplete gzip stream|is damaged: the gzip checksum)",
                     done.stderr), done.stderr


@pytest.fixture(scope="module")
def long_texts(tmp_path_factory):
    """Several blocks of text (8 MiB each), as plain text and in blocks of gzip; and the counts."""
    rng = np.random.default_rng(2)
    x = sp.random(900, 4000, 0.45, "csr", random_state=rng, dtype=np.float32)
    x.data[:] = rng.integers(1, 3000, x.nnz)
    text = market(x.T).encode()
    assert len(text) > 2 << 23
    names = {"features.tsv": lines(samples.names("g", 4000)),
             "barcodes.tsv": lines(samples.names("c", 900))}
    folder = tmp_path_factory.mktemp("long")
    return [write(folder / name, {name: data, **names})
            for name, data in [("matrix.mtx", text), ("matrix.mtx.gz", bgzip(text, 65280))]], x


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads(quell, long_texts, threads):
    folders, x = long_texts
    for folder in folders:
        out = quell("info", "--json", "--threads", threads, ".", cwd=folder).stdout
        assert f'"nonzeros":{x.nnz},' in out
        assert f'"total":{int(x.data.sum(dtype=np.float64))},' in out


SHARED = {  # shape and sum as the README of the data states them
    "tenx_v2_mtx": ("10x-mtx", 62, 226, 3683, 18209),
    "tenx_v2_mtx_chr21": ("10x-mtx", 12, 343, 12, 12),
    "tenx_v3_mtx": ("10x-mtx", 1107, 507, 23866, 41549),
    "starsolo_mtx": ("10x-mtx", 20, 20, 69, 83),
    "kallisto_bustools_mtx": ("kallisto", 29, 17, 2, None),
    "alevin_mtx": ("alevin", 95, 61, 99, 95),
}


@pytest.mark.parametrize("name", SHARED)
def test_real_folders(quell, shared_data, name):
    format, cells, genes, entries, total = SHARED[name]
    out = quell("info", shared_data / "formats" / name).stdout
    assert f"format           {format}\n" in out
    assert f"shape            {cells} cells x {genes} genes\n" in out
    assert f"nonzeros         {entries} (" in out
    assert total is None or f"total            {total}\n" in out


def test_real_halves_are_refused(quell, shared_data, tmp_path):
    done = quell("denoise", shared_data / "formats" / "alevin_mtx", "-o", tmp_path / "x.h5ad", code=65)
    assert 'cell "cell_16", gene "gene_43" is 0.5, no count (and 7 more)' in done.stderr
