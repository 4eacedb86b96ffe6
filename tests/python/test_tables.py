"""One matrix as every kind of text table: each must give the same counts and the same names.

The tables are written here by plain string formatting (and by csv's writer), as pandas, R, scanpy,
Drop-seq tools, UMI-tools, featureCounts and spreadsheets would; nothing of the reader is used.
"""
import csv
import gzip
import io
import json
import os
import subprocess
import threading

import h5py
import numpy as np
import pytest
import samples

X = samples.counts(n_cells=25, n_genes=18, seed=4).toarray().astype(int)
X[7] = 0  # a cell without counts
X[:, 11] = 0  # a gene without counts
X[3, 2] = 100000
CELLS = [f"AAAC{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16]}GTTT-1" for i in range(25)]
GENES = [f"Gene{i}" for i in range(16)] + ["MT-CO1", "HLA-DRA"]


def field(text, delim, quote):
    if quote == "all" or delim in str(text) or '"' in str(text):
        return '"' + str(text).replace('"', '""') + '"'
    return str(text)


def table(rows, columns, values, *, delim=",", corner="", quote="", end="\n", number=str):
    """corner None: R's write.table, whose header has no field for the names of the rows."""
    head = [field(c, delim, quote) for c in columns]
    lines = [head if corner is None else [field(corner, delim, quote), *head]]
    for name, row in zip(rows, values):
        lines.append([field(name, delim, quote), *(number(int(v)) for v in row)])
    return "".join(delim.join(line) + end for line in lines)


def genes_x_cells(**layout):
    return table(GENES, CELLS, X.T, **layout)


def cells_x_genes(**layout):
    return table(CELLS, GENES, X, **layout)


def by_csv_writer(dialect):
    out = io.StringIO()
    writer = csv.writer(out, dialect)
    writer.writerow(["", *CELLS])
    for gene, row in zip(GENES, X.T):
        writer.writerow([gene, *row])
    return out.getvalue()


def feature_counts():
    lines = ["# Program:featureCounts v2.0.3; Command:\"featureCounts\" \"-a\" \"x.gtf\"",
             "\t".join(["Geneid", "Chr", "Start", "End", "Strand", "Length", *CELLS])]
    for gene, row in zip(GENES, X.T):
        lines.append("\t".join([gene, "chr1;chr1", "1;50", "20;90", "+;+", "61", *map(str, row)]))
    return "\n".join(lines) + "\n"


def two_names():
    lines = [",".join(["transcript_id", "gene_id", *CELLS])]
    for gene, row in zip(GENES, X.T):
        lines.append(",".join([gene, "ENSG1", *map(str, row)]))
    return "\n".join(lines) + "\n"


def as_float(value):
    return f"{value:.1f}"


def as_r_prints(value):
    return "1e+05" if value == 100000 else str(value)


WIDE = {
    "dca": genes_x_cells(),
    "pandas to_csv": (cells_x_genes(), "--orient", "cells-x-genes"),
    "pandas, index called gene": genes_x_cells(corner="gene"),
    "pandas, floats": genes_x_cells(number=as_float),
    "tsv": genes_x_cells(delim="\t"),
    "semicolons": genes_x_cells(delim=";"),
    "blanks": genes_x_cells(delim=" ", corner="gene"),
    "write.csv": genes_x_cells(quote="all", number=as_r_prints),
    "write.table": genes_x_cells(delim=" ", corner=None, quote="all", number=as_r_prints),
    "write.table, tabs, no quotes": genes_x_cells(delim="\t", corner=None, number=as_r_prints),
    "write.table, cells as rows": (cells_x_genes(delim="\t", corner=None), "--orient", "cells-x-genes"),
    "csv writer, CRLF": by_csv_writer("excel"),
    "csv writer, tabs": by_csv_writer("excel-tab"),
    "csv writer, all quoted": by_csv_writer("unix"),
    "CRLF": genes_x_cells(end="\r\n"),
    "byte order mark": "\ufeff" + genes_x_cells(corner="gene"),
    "no newline at the end": genes_x_cells().rstrip("\n"),
    "blank lines": genes_x_cells().replace("\nGene5,", "\n\n\r\nGene5,") + "\n\n",
    "comments": "# made by x\n## and y\n" + genes_x_cells(),
    "Drop-seq": genes_x_cells(delim="\t", corner="GENE"),
    "BD": "#Bead version V1\n##\n" + cells_x_genes(corner="Cell_Index"),
    "featureCounts": feature_counts(),
    "two columns of names": two_names(),
    "delimiter at the ends of lines": genes_x_cells(corner="gene").replace("\n", ",\n"),
}


def layout_of(case):
    return (case, ()) if isinstance(case, str) else (case[0], case[1:])


def read_counts(quell, source, folder, *options, **kwargs):
    """What the program read: layers/counts or X of an output with every cell and gene in it."""
    target = folder / "out.h5ad"
    quell("denoise", source, "-o", target, "--epochs", 1, *options, timeout=120, **kwargs)
    with h5py.File(target) as f:
        where = f["layers/counts"] if "layers/counts" in f else f["X"]
        shape = tuple(where.attrs["shape"])
        dense = np.zeros(shape)
        indptr, indices, data = (where[k][:] for k in ("indptr", "indices", "data"))
        for i in range(shape[0]):
            dense[i, indices[indptr[i]:indptr[i + 1]]] = data[indptr[i]:indptr[i + 1]]
        frames = []
        for frame in ("obs", "var"):
            frames.append([n.decode() for n in f[frame][f[frame].attrs["_index"]][:]])
    return dense, *frames


def assert_same(read, cells=CELLS, genes=GENES):
    dense, got_cells, got_genes = read
    assert got_cells == list(cells)
    assert got_genes == list(genes)
    assert np.array_equal(dense, X)


@pytest.mark.parametrize("name", WIDE)
def test_every_layout(quell, tmp_path, name):
    text, options = layout_of(WIDE[name])
    source = tmp_path / "counts.txt"
    source.write_bytes(text.encode())
    assert_same(read_counts(quell, source, tmp_path, *options))


@pytest.mark.parametrize("members", [1, 3])
def test_gzip(quell, tmp_path, members):
    source = tmp_path / "counts.csv.gz"
    text = genes_x_cells().encode()
    cuts = [len(text) * i // members for i in range(members + 1)]
    source.write_bytes(b"".join(gzip.compress(text[a:b]) for a, b in zip(cuts, cuts[1:])))
    assert_same(read_counts(quell, source, tmp_path))


def test_names_that_need_quotes(quell, tmp_path):
    genes = ["a,b", 'say "hi"', "two words", "5'-end", "\u03b2-actin", *GENES[5:]]
    source = tmp_path / "counts.csv"
    source.write_text(table(genes, CELLS, X.T), encoding="utf-8")
    assert_same(read_counts(quell, source, tmp_path), genes=genes)


def test_latin_1_and_repeated_names(quell, tmp_path):
    source = tmp_path / "counts.csv"
    genes = ["\u00b5", "Gene2", "Gene2", *GENES[3:]]
    source.write_bytes(table(genes, CELLS, X.T).encode("latin-1"))
    assert_same(read_counts(quell, source, tmp_path), genes=["\u00b5", "Gene2", "Gene2-1", *GENES[3:]])


def test_without_names(quell, tmp_path):
    source = tmp_path / "counts.csv"
    source.write_text("\n".join(",".join(map(str, row)) for row in X))
    read = read_counts(quell, source, tmp_path, "--no-header", "--no-row-names", "--orient", "cells-x-genes")
    assert_same(read, [f"cell_{i}" for i in range(1, 26)], [f"gene_{i}" for i in range(1, 19)])


LONG = {
    "umi_tools": ("gene\tcell\tcount\n", lambda g, c, n: f"{g}\t{c}\t{n}\n"),
    "dropseq": ("CELL\tGENE\tUMI_COUNT\n", lambda g, c, n: f"{c}\t{g}\t{n}\n"),
    "csv": ("gene,cell,count\r\n", lambda g, c, n: f'"{g}",{c},{n}.0\r\n'),
}


@pytest.mark.parametrize("name", LONG)
def test_long_tables(quell, tmp_path, name):
    head, line = LONG[name]
    source = tmp_path / "counts.txt"
    source.write_text(head + "".join(line(GENES[g], CELLS[c], X[c, g]) for c, g in np.argwhere(X >= 0)), newline="")
    assert_same(read_counts(quell, source, tmp_path))


def test_a_long_table_without_zeros_and_with_repeats(quell, tmp_path):
    """Only what was seen is in it; counts of one gene in one cell given twice are added."""
    source = tmp_path / "counts.tsv"
    pairs = np.argwhere(X > 0)
    lines = [f"{CELLS[c]}\t{GENES[g]}\t{X[c, g]}\n" for c, g in pairs]
    c, g = pairs[0]
    lines[0] = f"{CELLS[c]}\t{GENES[g]}\t{X[c, g] - 1}\n"
    lines.append(f"{CELLS[c]}\t{GENES[g]}\t1\n")
    source.write_text("CELL\tGENE\tUMI_COUNT\n" + "".join(lines))
    dense, cells, genes = read_counts(quell, source, tmp_path)
    expected = X[np.ix_([CELLS.index(c) for c in cells], [GENES.index(g) for g in genes])]
    assert sorted(cells) == sorted(set(CELLS) - {CELLS[7]})
    assert sorted(genes) == sorted(set(GENES) - {GENES[11]})
    assert np.array_equal(dense, expected)


# ---- what info tells ----


def info(quell, *args, **kwargs):
    return json.loads(quell("info", "--json", *args, **kwargs).stdout)


def test_guesses_are_told(quell, tmp_path):
    source = tmp_path / "counts.tsv"
    source.write_text(feature_counts())
    told = info(quell, source)
    assert (told["format"], told["cells"], told["genes"]) == ("table", 25, 18)
    assert told["total"] == X.sum()
    text = " ".join([*told["layout"], *(n["text"] for n in told["notes"])])
    for part in ("separated by tab", 'corner "Geneid"', "1 comment line", "5 columns of featureCounts",
                 "genes x cells (by the word in the corner)"):
        assert part in text


def test_the_wrong_orientation_is_warned_of(quell, tmp_path):
    source = tmp_path / "counts.csv"
    source.write_text(cells_x_genes())
    warnings = [n["text"] for n in info(quell, source)["notes"] if n["level"] == "warning"]
    assert len(warnings) == 1
    assert "look like cell barcodes" in warnings[0]
    assert "--orient cells-x-genes" in warnings[0]
    told = info(quell, "--orient", "cells-x-genes", source)
    assert (told["cells"], told["genes"]) == (25, 18)
    assert [n for n in told["notes"] if n["level"] == "warning"] == []


# ---- pipes ----


def test_standard_input(program, tmp_path):
    target = tmp_path / "tmp"
    target.mkdir()
    for text in (genes_x_cells().encode(), gzip.compress(genes_x_cells().encode())):
        done = subprocess.run([program, "info", "--json", "-"], input=text, stdout=subprocess.PIPE, timeout=60,
                              check=True, env={**os.environ, "TMPDIR": str(target)})
        told = json.loads(done.stdout)
        assert (told["file"], told["cells"], told["genes"], told["total"]) == ("<stdin>", 25, 18, X.sum())
        assert os.listdir(target) == []


def test_denoise_from_a_fifo(quell, tmp_path):
    pipe = tmp_path / "counts.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(genes_x_cells().encode()), daemon=True)
    writer.start()
    assert_same(read_counts(quell, pipe, tmp_path))
    writer.join()


def test_a_file_on_standard_input_may_be_hdf5(program, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts())
    for args in (["info", "--json", "-"], ["denoise", "-", "-o", tmp_path / "out.h5ad", "--epochs", "1"]):
        with open(source) as file:
            done = subprocess.run([program, *map(str, args)], stdin=file, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.h5ad").exists()


def test_hdf5_through_a_pipe_is_refused(program, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts())
    done = subprocess.run([program, "info", "-"], input=source.read_bytes(), capture_output=True, timeout=60)
    assert done.returncode == 66
    assert b"<stdin>: is HDF5 through a pipe" in done.stderr
    assert done.stdout == b""


def test_no_room_for_the_copy(program, tmp_path):
    done = subprocess.run([program, "info", "-"], input=genes_x_cells().encode(), capture_output=True, timeout=60,
                          env={**os.environ, "TMPDIR": str(tmp_path / "nowhere")})
    assert done.returncode == 73
    assert b"nowhere" in done.stderr and b"set TMPDIR" in done.stderr


# ---- real files ----

REAL = {
    "sc_celseq2.count.csv.gz": (274, 28204, 10321416),
    "pbmc_raw.txt": (80, 230, 19633),
    "oligodendroglioma_expression_downsampled.counts.matrix.gz": (184, 10338, None),
}


def plain_sum(path):
    """Sum and shape by Python alone."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as f:
        delim = "," if "," in f.readline() else "\t"
        rows = [sum(map(float, line.split(delim)[1:])) for line in f]
    return len(rows), sum(rows)


@pytest.mark.parametrize("name", REAL)
def test_real_tables(quell, shared_data, tmp_path, name):
    cells, genes, total = REAL[name]
    source = shared_data / "formats" / "text" / name
    told = info(quell, source)
    n_rows, expected = plain_sum(source)
    assert (told["cells"], told["genes"], n_rows) == (cells, genes, genes)
    assert told["total"] == pytest.approx(expected, rel=1e-6)
    assert total is None or told["total"] == total
    assert told["is_counts"] == (total is not None)
    if total is None:
        done = quell("denoise", source, "-o", tmp_path / "out.h5ad", code=65)
        assert "no count" in done.stderr
        assert not (tmp_path / "out.h5ad").exists()


def test_a_table_and_an_h5ad_of_the_same_counts(quell, shared_data):
    """The csv has 131 more genes, all of them zero."""
    table_told = info(quell, shared_data / "formats" / "text" / "sc_celseq2.count.csv.gz")
    h5ad_told = info(quell, shared_data / "mixology_3cl_celseq2.h5ad")
    assert table_told["total"] == h5ad_told["total"]
    assert table_told["nonzeros"] == h5ad_told["nonzeros"]
    assert table_told["genes"] - h5ad_told["genes"] == 131
