"""Inputs that cannot be denoised: one line says why, and nothing but that line is left behind.

Each row of a table makes one broken file from a good one and says which exit code and which words
it must lead to. What is broken but can still be used (test_works_all_the_same) gives an output.
"""
import gzip
import hashlib
import os
import re

import h5py
import numpy as np
import pytest
import samples

X = samples.counts()
N_CELLS, N_GENES, NNZ = *X.shape, X.nnz


def fingerprint(path):
    """Of a file, or of all files of a folder; None for what cannot be read as such."""
    if path.is_dir():
        return {p.name: fingerprint(p) for p in path.iterdir()}
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def refused(quell, folder, source, code, words, *options):
    before, listing = fingerprint(source), sorted(os.listdir(folder))
    (folder / "out").mkdir()
    target = folder / "out" / "out.h5ad"
    done = quell("denoise", source, "-o", target, "--epochs", 2, *options, code=code, timeout=60)
    errors = [line for line in done.stderr.splitlines() if line.startswith("quell denoise: ")
              and not line.startswith("quell denoise: warning: ")]
    assert len(errors) == 1, done.stderr
    assert errors == done.stderr.splitlines()[-1:], "the error is not the last line"
    assert re.search(words, errors[0]), errors[0]
    assert done.stdout == ""
    assert os.listdir(folder / "out") == [], "something was left behind"
    assert sorted(os.listdir(folder)) == sorted([*listing, "out"])
    assert fingerprint(source) == before
    return errors[0]


# ---- h5ad ----


def put(file, where, at, value):
    """One number of a dataset."""
    values = file[where][:]
    values[at] = value
    file[where][...] = values


def replace(file, where, value, **storage):
    attributes = dict(file[where].attrs)
    del file[where]
    made = file.create_dataset(where, data=value, **storage)
    made.attrs.update(attributes)


def resize(file, where, n):
    replace(file, where, np.resize(file[where][:], n))


def set_shape(*shape):
    return lambda f: f["X"].attrs.__setitem__("shape", np.array(shape, dtype=np.int64))


def lose(*where):
    def edit(file):
        for one in where:
            del file[one]
    return edit


def lose_attribute(where, name):
    return lambda f: f[where].attrs.__delitem__(name)


def only_nan_names(file):
    del file["var/_index"]
    file["var/_index"] = np.arange(N_GENES) * 0.5 + 1j


H5AD = {
    "indptr begins late": (lambda f: put(f, "X/indptr", 0, 1), r"/X/indptr\[0\] is 1, 0 expected"),
    "indptr decreases": (lambda f: put(f, "X/indptr", 17, 0),
                         r"/X/indptr\[17\] is 0, smaller than indptr\[16\] = \d+"),
    "indptr wrapped around": (lambda f: put(f, "X/indptr", 40, -2**31),
                              r"/X/indptr\[40\] is -2147483648, smaller than"),
    "indptr ends beyond the values": (lambda f: put(f, "X/indptr", 40, NNZ + 5),
                                      rf"/X/indptr\[40\] is {NNZ + 5}, but there are {NNZ} values"),
    "indptr too short": (lambda f: resize(f, "X/indptr", 31), r"/X/indptr has 31 values, 41 expected"),
    "indptr is text": (lambda f: replace(f, "X/indptr", np.array([b"a"] * 41)), r"/X/indptr: .*expected"),
    "indptr is of floats": (lambda f: replace(f, "X/indptr", f["X/indptr"][:] + 0.5),
                            r"/X/indptr: .*integers expected"),
    "gene number too large": (lambda f: put(f, "X/indices", 5, 30),
                              r"/X/indices\[5\] is 30, but there are 30"),
    "gene number negative": (lambda f: put(f, "X/indices", 7, -1), r"/X/indices\[7\] is -1"),
    "data shorter than indices": (lambda f: resize(f, "X/data", NNZ - 1),
                                  rf"/X/data has {NNZ - 1} values, but /X/indices has {NNZ}"),
    "data missing": (lose("X/data"), r"/X/data: is missing"),
    "indices missing": (lose("X/indices"), r"/X/indices: is missing"),
    "data of two dimensions": (lambda f: replace(f, "X/data", np.ones((NNZ, 2), "f4")),
                               r"/X/data: has 2 dimensions, 1 expected"),
    "data is text": (lambda f: replace(f, "X/data", np.array([b"5"] * NNZ)), r"/X/data: is .*, numbers expected"),
    "dense of three dimensions": (lambda f: (lose("X")(f), f.create_dataset("X", data=np.ones((40, 30, 2)))),
                                  r"/X: has 3 dimensions, 2 expected"),
    "shape missing": (lose_attribute("X", "shape"), r"/X: has no attribute \"shape\""),
    "shape of three numbers": (set_shape(40, 30, 1), r"/X: attribute \"shape\" has 3 numbers, 2 expected"),
    "shape negative": (set_shape(-40, 30), r"/X: attribute \"shape\" is -40 x 30"),
    "shape huge": (set_shape(2**40, 2**40), r"/X.*1099511627776"),
    "more cells than names": (set_shape(39, 30), r"/X"),
    "fewer cell names": (lambda f: resize_names(f, "obs", 39), r"/X.* 40 x 30, but there are 39 cells"),
    "fewer gene names": (lambda f: resize_names(f, "var", 31), r"/X.* 40 x 30, but there are 40 cells and 31 genes"),
    "no index attribute": (lose_attribute("obs", "_index"), r"/?obs.*_index"),
    "index is not there": (lambda f: f["var"].attrs.__setitem__("_index", "symbol"), r"/var: its index \"symbol\" is missing"),
    "no X and no layers": (lose("X"), r"X"),
    "a negative value": (lambda f: put(f, "X/data", 3, -2), r"cell \"cell0\", gene \"gene\d+\" is -2, no count.*scaled"),
    "a fraction": (lambda f: put(f, "X/data", 3, 1.5), r"cell \"cell0\", gene \"gene\d+\" is 1\.5, no count"),
    "a NaN": (lambda f: put(f, "X/data", 3, np.nan), r"gene \"gene\d+\" is -?nan, no count.*no finite"),
    "more than 31 bits": (lambda f: put(f, "X/data", 3, 2.0**31), r"is 2\.14748365e\+09, no count.*2147483648 and more"),
    "an infinity": (lambda f: put(f, "X/data", 3, np.inf), r"gene \"gene\d+\" is inf, no count"),
    "nothing but zeros": (lambda f: f["X/data"].__setitem__(slice(None), 0), r"no counts"),
    "data in another file": (lambda f: external(f), r"/X/data: .*other file"),
    "a gene name that is no text": (only_nan_names, r"/var/_index: .*names expected"),
}


def resize_names(file, frame, n):
    del file[frame]["_index"]
    samples.put_text(file[frame], "_index", samples.names("x", n))


def external(file):
    del file["X/data"]
    kept = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    kept.set_external(b"/etc/hostname", 0, NNZ * 4)
    space = h5py.h5s.create_simple((NNZ,))
    h5py.h5d.create(file["X"].id, b"data", h5py.h5t.NATIVE_FLOAT, space, dcpl=kept)


@pytest.mark.parametrize("name", H5AD)
def test_broken_h5ad(quell, tmp_path, name):
    edit, words = H5AD[name]
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        edit(f)
    line = refused(quell, tmp_path, source, 65, words)
    assert str(source) in line


def test_a_layer_that_is_not_there(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    refused(quell, tmp_path, source, 65, r'has no layer "umis" \(it has: none\)', "--layer", "umis")


def test_a_layer_of_another_shape(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        samples.put_csr(f, "layers/umis", X[:, :20])
    refused(quell, tmp_path, source, 65, r"/layers/umis.* 40 x 20", "--layer", "umis")


def test_a_filter_that_is_not_installed(quell, tmp_path):
    """A filter number without a plug-in anywhere, set on arrays whose chunks skip it."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        values = f["X/data"][:]
        del f["X/data"]
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((NNZ,))
        made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((NNZ,))
        data = h5py.h5d.create(f["X"].id, b"data", h5py.h5t.IEEE_F32LE, space, dcpl=made)
        data.write_direct_chunk((0,), values.astype("<f4").tobytes(), filter_mask=0)
    refused(quell, tmp_path, source, 65, r"/X/data: is compressed with zstd \(HDF5 filter 32015\)")


def test_a_damaged_chunk(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X, compression="gzip")
    with h5py.File(source, "r+") as f:
        replace(f, "X/data", X.data, compression="gzip", chunks=(100,))
    with h5py.File(source) as f:
        chunk = f["X/data"].id.get_chunk_info(3)
    with open(source, "r+b") as f:
        f.seek(chunk.byte_offset + 2)
        f.write(b"\xff" * (chunk.size - 2))
    refused(quell, tmp_path, source, 65, r"/X/data: chunk 3 .*damaged")


@pytest.mark.parametrize("kept", [4000, 15000])
def test_a_truncated_file(quell, tmp_path, kept):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    size = source.stat().st_size
    assert size > kept
    os.truncate(source, kept)
    refused(quell, tmp_path, source, 65, rf"truncated: has {kept} bytes, {size} expected")


def test_values_that_were_never_written(quell, tmp_path):
    """3e9 entries announced by 2 kB on disk."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    n = 3 * 10**9
    with h5py.File(source, "r+") as f:
        for name, kind in (("data", "f4"), ("indices", "i4")):
            del f["X"][name]
            f["X"].create_dataset(name, shape=(n,), dtype=kind, fillvalue=1, chunks=(1 << 20,))
        put(f, "X/indptr", N_CELLS, n)
    done = quell("denoise", source, "-o", tmp_path / "out.h5ad", "--memory", "1G", code=None, timeout=60)
    assert done.returncode in (65, 137), done.stderr
    assert sorted(os.listdir(tmp_path)) == ["in.h5ad"]


# ---- 10x HDF5 ----


def only_antibodies(file):
    del file["matrix/features/feature_type"]
    file["matrix/features/feature_type"] = np.array(["Antibody Capture"] * 30, dtype="S")


TENX_H5 = {
    "fewer barcodes": (lambda f: replace(f, "matrix/barcodes", f["matrix/barcodes"][:39]),
                       r"30 x 40, but there are 30 features and 39 barcodes"),
    "fewer features": (lambda f: [replace(f, f"matrix/features/{k}", f[f"matrix/features/{k}"][:29])
                                  for k in ("id", "name", "feature_type", "genome")],
                       r"30 x 40, but there are 29 features"),
    "shape of one number": (lambda f: replace(f, "matrix/shape", np.array([30])),
                            r"/matrix/shape: has 1 numbers, 2 expected"),
    "shape negative": (lambda f: replace(f, "matrix/shape", np.array([-30, 40])),
                       r"/matrix/shape: is -30 x 40"),
    "feature number too large": (lambda f: put(f, "matrix/indices", 9, 30),
                                 r"/matrix/indices\[9\] is 30, but there are 30"),
    "indptr decreases": (lambda f: put(f, "matrix/indptr", 3, 0), r"/matrix/indptr\[3\] is 0, smaller"),
    "data missing": (lose("matrix/data"), r"data.*missing|no known layout"),
    "no feature ids": (lose("matrix/features/id"), r"/matrix/features/id: is missing"),
    "no genes": (only_antibodies, r"has no .*Gene Expression \(it has: 30 Antibody Capture\)"),
}


@pytest.mark.parametrize("name", TENX_H5)
def test_broken_10x_h5(quell, tmp_path, name):
    edit, words = TENX_H5[name]
    source = samples.write_10x_h5(tmp_path / "in.h5", X)
    with h5py.File(source, "r+") as f:
        edit(f)
    refused(quell, tmp_path, source, 65, words)


def test_an_unknown_genome(quell, tmp_path):
    source = samples.write_10x_h5(tmp_path / "in.h5", X, genomes=["GRCh38"] * 20 + ["mm10"] * 10)
    refused(quell, tmp_path, source, 65, r"hg19.*it has:.*GRCh38.*mm10", "--genome", "hg19")


# ---- 10x folders ----

BANNER = "%%MatrixMarket matrix coordinate integer general\n"
GOOD = samples.mtx_text(X)


def lines(edit):
    """mtx text with its list of lines edited in place."""
    all_lines = GOOD.splitlines()
    edit(all_lines)
    return "\n".join(all_lines) + "\n"


MTX = {
    "no banner": (GOOD.split("\n", 1)[1], r"line 1: .*%%MatrixMarket"),
    "no size line": (BANNER + "%\n", r"line 3: the file ends before the line with the sizes"),
    "sizes that are words": (BANNER + "thirty 40 1\n", r"line 2: rows, columns and number of entries expected"),
    "counted from zero": (lines(lambda t: t.__setitem__(2, "0 1 5")), r"line 3: .*"),
    "gene number too large": (lines(lambda t: t.__setitem__(5, "31 1 5")), r"line 6: .*"),
    "cell number too large": (lines(lambda t: t.__setitem__(5, "1 41 5")), r"line 6: .*"),
    "number beyond 64 bits": (lines(lambda t: t.__setitem__(2, "1 1 99999999999999999999999")),
                            r"cell \"cell0\", gene \"gene0\" is 9\.999\d+e\+22, no count"),
    "word for a number": (lines(lambda t: t.__setitem__(5, "1 1 five")), r"line 6"),
    "entry of two numbers": (lines(lambda t: t.__setitem__(5, "1 1")), r"line 6"),
    "negative value": (lines(lambda t: t.__setitem__(2, "1 1 -4")), r"cell \"cell0\", gene \"gene0\" is -4"),
    "fewer entries than announced": (lines(lambda t: t.pop()), rf"announces {NNZ} entries, has {NNZ - 1}.*truncated"),
    "more entries than announced": (GOOD + "1 1 1\n", rf"announces {NNZ} entries, but has more"),
    "cut in a line": (GOOD[:-3], r"line|announces"),
    "huge numbers in the header": (BANNER + "1 1 1000000000000000000\n", r".+"),
    "sizes beyond 31 bits": (BANNER + "9999999999 1 1\n1 1 1\n", r"line 2: announces 9999999999 x 1"),
    "complex values": (GOOD.replace("integer", "complex", 1), r"line 1: .*\"complex\""),
    "skew-symmetric": (GOOD.replace("general", "skew-symmetric", 1), r"line 1: .*skew-symmetric"),
    "symmetric but not square": (GOOD.replace("general", "symmetric", 1), r"symmetric but 30 x 40"),
    "more genes than names": (GOOD.replace("30 40", "31 40", 1), r"31"),
    "empty": ("", r"empty"),
}


@pytest.mark.parametrize("name", MTX)
def test_broken_mtx(quell, tmp_path, name):
    text, words = MTX[name]
    source = samples.write_10x_mtx(tmp_path / "counts", X, text)
    refused(quell, tmp_path, source, 65, words)


def cut(data):
    return data[: len(data) // 2]


def flip_checksum(data):
    return data[:-6] + bytes([data[-6] ^ 0xFF]) + data[-5:]


def lose_trailer(data):
    """All of the text is there, the gzip stream has no end."""
    return data[:-8]


@pytest.mark.parametrize("file", ["matrix.mtx.gz", "barcodes.tsv.gz"])
@pytest.mark.parametrize("harm", [cut, flip_checksum, lose_trailer])
def test_a_damaged_gzip_stream(quell, tmp_path, file, harm):
    source = samples.write_10x_mtx(tmp_path / "counts", X, compress=True)
    damaged = source / file
    damaged.write_bytes(harm(damaged.read_bytes()))
    words = "checksum|damaged|corrupt" if harm is flip_checksum else "ends early|incomplete|truncated"
    line = refused(quell, tmp_path, source, 65, words)
    assert file in line


@pytest.mark.parametrize("file", ["barcodes.tsv", "features.tsv"])
def test_a_folder_without_names(quell, tmp_path, file):
    source = samples.write_10x_mtx(tmp_path / "counts", X)
    (source / file).unlink()
    refused(quell, tmp_path, source, 65, file)


@pytest.mark.parametrize("file", ["barcodes.tsv", "features.tsv"])
def test_a_name_too_few(quell, tmp_path, file):
    source = samples.write_10x_mtx(tmp_path / "counts", X)
    text = (source / file).read_text()
    (source / file).write_text(text[: text.rstrip("\n").rindex("\n") + 1])
    refused(quell, tmp_path, source, 65, r"30.*40|40.*30|39|29")


# ---- what is no count matrix at all ----


def a_file(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name
    return make


def a_folder(name):
    def make(folder):
        (folder / name).mkdir()
        return folder / name
    return make


def a_link(name, target):
    def make(folder):
        (folder / name).symlink_to(target)
        return folder / name
    return make


def hdf5_with(*members):
    def make(folder):
        with h5py.File(folder / "in.h5", "w") as f:
            for member in members:
                f.create_group(member)
        return folder / "in.h5"
    return make


OTHER = {
    "missing": (lambda folder: folder / "no.h5ad", 66, "No such file or directory"),
    "missing folder": (lambda folder: folder / "no" / "no.h5ad", 66, "No such file or directory"),
    "dangling link": (a_link("in.h5ad", "gone.h5ad"), 66, "is a link to gone.h5ad: No such file"),
    "link to itself": (a_link("in.h5ad", "in.h5ad"), 66, "in.h5ad"),
    "empty folder": (a_folder("counts"), 65, "folder without a count matrix.*matrix.mtx"),
    "folder called h5ad": (a_folder("in.h5ad"), 65, "is a folder"),
    "empty file": (a_file("in.h5ad", b""), 65, "is empty"),
    "text called h5": (a_file("in.h5", b"to\nbe\n"), 65, "is text, but no table"),
    "table without values": (a_file("in.h5", b"gene,cell1,cell2\nA,1,\n"), 65, "line 2, column 3.*is empty"),
    "web page": (a_file("in.csv", b"<!DOCTYPE html>\n<a b>\n"), 65, "web page"),
    "fragments": (a_file("fragments.tsv.gz", gzip.compress(b"# id=x\nchr1\t9\t60\tACGT-1\t2\n")), 65, "fragments"),
    "xlsx": (a_file("in.xlsx", b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml"), 65, "Excel"),
    "bytes of no format": (a_file("in.h5", bytes(range(256)) * 8), 65, "no known format"),
    "zip": (a_file("in.xlsx", b"PK\x03\x04" + b"\0" * 100), 65, "zip archive"),
    "rds": (a_file("in.rds", gzip.compress(b"X\n\0\0\0\3\0\4\2\0")), 65, "R object"),
    "gzip of HDF5": (a_file("in.h5.gz", gzip.compress(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)), 65, "gunzip"),
    "only a signature of HDF5": (a_file("in.h5", b"\x89HDF\r\n\x1a\n"), 65, "in.h5"),
    "h5mu without modalities": (hdf5_with("mod", "obs", "var"), 65, "h5mu file without modalities"),
    "CellBender's posterior": (hdf5_with("posterior_noise_log_prob"), 65, "posterior of CellBender.*_filtered.h5"),
    "molecule_info": (hdf5_with("barcode_idx", "count"), 65, "molecule_info"),
    "HDF5 of something else": (hdf5_with("weather"), 65, "no known layout; its root holds weather"),
    "HDF5 without anything": (hdf5_with(), 65, "holds nothing"),
    "zarr": (lambda folder: zarr(folder), 65, "zarr"),
}


def zarr(folder):
    (folder / "in.zarr").mkdir()
    (folder / "in.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    return folder / "in.zarr"


@pytest.mark.parametrize("name", OTHER)
def test_no_count_matrix(quell, tmp_path, name):
    make, code, words = OTHER[name]
    refused(quell, tmp_path, make(tmp_path), code, words)


def test_a_name_with_control_characters_is_escaped(quell, tmp_path):
    cells = ["bad\x1b[31m" + "x" * 300, *samples.names("cell", N_CELLS - 1)]
    x = X.copy()
    x.data[0] = 0.5
    line = refused(quell, tmp_path, samples.write_h5ad(tmp_path / "in.h5ad", x, cells), 65, "is 0.5, no count")
    assert "\x1b" not in line and "x" * 100 not in line


# ---- what is odd but can be used ----


def denoised(quell, folder, source, *options):
    done = quell("denoise", source, "-o", folder / "out.h5ad", "--epochs", 2, *options, timeout=60)
    with h5py.File(folder / "out.h5ad") as f:
        layer, latent = f["layers/denoised"][:], f["obsm/X_dca"][:]
    assert (layer >= 0).all()
    return done, layer, latent


def test_cells_and_genes_without_counts_stay(quell, tmp_path):
    x = X.toarray()
    x[7], x[:, 11] = 0, 0
    done, layer, latent = denoised(quell, tmp_path, samples.write_h5ad(tmp_path / "in.h5ad", x))
    assert layer.shape == X.shape
    assert (layer[7] == 0).all() and (layer[:, 11] == 0).all()
    assert np.isnan(latent[7]).all() and np.isfinite(np.delete(latent, 7, 0)).all()
    assert "set aside: 1 genes and 1 cells without counts" in done.stderr


@pytest.mark.parametrize("n_cells, n_genes", [(1, 30), (2, 30), (40, 1), (1, 1), (5, 3)])
def test_tiny_matrices(quell, tmp_path, n_cells, n_genes):
    x = samples.counts(n_cells, n_genes)
    _, layer, _ = denoised(quell, tmp_path, samples.write_h5ad(tmp_path / "in.h5ad", x))
    assert layer.shape == (n_cells, n_genes) and np.isfinite(layer).all()


def test_repeated_names_are_made_unique(quell, tmp_path):
    genes = ["MATR3", "MATR3", *samples.names("gene", N_GENES - 2)]
    source = samples.write_10x_h5(tmp_path / "in.h5", X)
    with h5py.File(source, "r+") as f:
        replace(f, "matrix/features/name", np.array(genes, dtype="S"))
    done, _, _ = denoised(quell, tmp_path, source)
    with h5py.File(tmp_path / "out.h5ad") as f:
        index = f["var"].attrs["_index"]
        written = [name.decode() for name in f["var"][index][:]]
    assert written[:2] == ["MATR3", "MATR3-1"] and len(set(written)) == N_GENES
    assert [line for line in done.stderr.splitlines() if "warning" in line and "MATR3" in line]


def test_names_of_every_kind(quell, tmp_path):
    cells = ["caf\u00e9", "", "a b", 'q"uote', "t\tab", "n" * 10000,
             *samples.names("cell", N_CELLS - 6)]
    source = samples.write_h5ad(tmp_path / "in.h5ad", X, cells)
    denoised(quell, tmp_path, source)
    with h5py.File(tmp_path / "out.h5ad") as f:
        assert [name.decode() for name in f["obs/_index"][:]] == cells


@pytest.mark.parametrize("name", ["a file with spaces.h5ad", "z\u00e4hlung.h5ad", "-in.h5ad", "counts.h5"])
def test_names_of_files(quell, tmp_path, name):
    samples.write_h5ad(tmp_path / name, X)
    quell("denoise", f"./{name}", "-o", "out of it.h5ad", "--epochs", 1, cwd=tmp_path)
    assert (tmp_path / "out of it.h5ad").is_file()


def test_broken_columns_are_a_warning(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", X)
    with h5py.File(source, "r+") as f:
        frame = f["obs"]
        group = frame.create_group("batch")
        group.attrs["encoding-type"], group.attrs["encoding-version"] = "categorical", "0.2.0"
        group.attrs["ordered"] = False
        group["codes"] = np.full(N_CELLS, 9, "i1")
        samples.put_text(group, "categories", ["a", "b"])
        frame.attrs["column-order"] = np.array(["batch", "gone"], dtype=samples.TEXT)
    done, _, _ = denoised(quell, tmp_path, source)
    warnings = [line for line in done.stderr.splitlines() if "warning" in line]
    assert any("gone" in line for line in warnings), done.stderr


def test_a_link_to_the_input(quell, tmp_path):
    samples.write_h5ad(tmp_path / "real.h5ad", X)
    (tmp_path / "link.h5ad").symlink_to("real.h5ad")
    denoised(quell, tmp_path, tmp_path / "link.h5ad")


def test_a_file_that_is_open_for_writing(quell, tmp_path):
    with h5py.File(samples.write_h5ad(tmp_path / "in.h5ad", X), "r+") as f:
        f.flush()
        denoised(quell, tmp_path, tmp_path / "in.h5ad")


def test_comments_blank_lines_and_crlf_in_mtx(quell, tmp_path):
    head, sizes, rest = GOOD.split("\n", 2)
    text = "\r\n".join([head, "% a comment", "", sizes, *rest.splitlines()]) + "\r\n"
    source = samples.write_10x_mtx(tmp_path / "counts", X, text)
    plain = samples.write_10x_mtx(tmp_path / "plain", X)
    denoised(quell, tmp_path, source)
    first = (tmp_path / "out.h5ad").read_bytes()
    denoised(quell, tmp_path, plain, "--force")
    assert first == (tmp_path / "out.h5ad").read_bytes()


def test_counts_in_a_layer_are_found(quell, tmp_path):
    x = X.copy()
    x.data = np.log1p(x.data)
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    with h5py.File(source, "r+") as f:
        samples.put_csr(f, "layers/counts", X)
    done, _, _ = denoised(quell, tmp_path, source)
    assert "layers/counts" in done.stderr


def test_one_matrix_in_every_format(quell, tmp_path):
    """Bit-identical results from the same counts and names, whatever file they came in."""
    sources = [
        samples.write_h5ad(tmp_path / "csr.h5ad", X),
        samples.write_h5ad(tmp_path / "dense.h5ad", X.toarray()),
        samples.write_h5ad(tmp_path / "gzip.h5ad", X, compression="gzip", shuffle=True),
        samples.write_h5ad(tmp_path / "lzf.h5ad", X, compression="lzf"),
        samples.write_10x_h5(tmp_path / "tenx.h5", X),
        samples.write_10x_mtx(tmp_path / "plain", X),
        samples.write_10x_mtx(tmp_path / "compressed", X, compress=True),
    ]
    results = [denoised(quell, tmp_path, source, "--force")[1:] for source in sources]
    for layer, latent in results[1:]:
        np.testing.assert_array_equal(layer, results[0][0])
        np.testing.assert_array_equal(latent, results[0][1])
