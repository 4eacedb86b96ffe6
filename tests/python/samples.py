"""Small count matrices in every input format, written with h5py and plain text only."""
import gzip

import h5py
import numpy as np
import scipy.sparse as sp

TEXT = h5py.string_dtype()


def counts(n_cells=40, n_genes=30, seed=1):
    """Overdispersed counts, csr, with at least one molecule in every cell and gene."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.0, 2.0, (1, n_genes)) * rng.gamma(5.0, 0.2, (n_cells, 1))
    x = rng.poisson(rate)
    x[np.arange(n_cells), np.arange(n_cells) % n_genes] += 1
    x[np.arange(n_genes) % n_cells, np.arange(n_genes)] += 1
    return sp.csr_matrix(x.astype(np.float32))


def names(prefix, n):
    return [f"{prefix}{i}" for i in range(n)]


def put_text(group, name, values, encoding="string-array"):
    data = group.create_dataset(name, data=np.array(values, dtype=object), dtype=TEXT)
    data.attrs["encoding-type"] = encoding
    data.attrs["encoding-version"] = "0.2.0"


def put_frame(file, name, index):
    frame = file.create_group(name)
    frame.attrs["encoding-type"] = "dataframe"
    frame.attrs["encoding-version"] = "0.2.0"
    frame.attrs["_index"] = "_index"
    frame.attrs.create("column-order", np.array([], dtype=np.float64))
    put_text(frame, "_index", index)


def put_csr(file, name, x, **storage):
    group = file.create_group(name)
    group.attrs["encoding-type"] = "csr_matrix"
    group.attrs["encoding-version"] = "0.1.0"
    group.attrs["shape"] = np.array(x.shape, dtype=np.int64)
    group.create_dataset("data", data=x.data, **storage)
    group.create_dataset("indices", data=x.indices.astype(np.int32), **storage)
    group.create_dataset("indptr", data=x.indptr.astype(np.int64), **storage)


def put_dense(file, name, x):
    data = file.create_dataset(name, data=x)
    data.attrs["encoding-type"] = "array"
    data.attrs["encoding-version"] = "0.2.0"


def write_h5ad(path, x, cells=None, genes=None, **storage):
    """x: a csr matrix or a dense array, [cells, genes]. storage: h5py's, of the csr arrays."""
    with h5py.File(path, "w") as f:
        f.attrs["encoding-type"] = "anndata"
        f.attrs["encoding-version"] = "0.1.0"
        if sp.issparse(x):
            put_csr(f, "X", x, **storage)
        else:
            put_dense(f, "X", x)
        put_frame(f, "obs", cells or names("cell", x.shape[0]))
        put_frame(f, "var", genes or names("gene", x.shape[1]))
    return path


def write_10x_h5(path, x, kinds=None, genomes=None):
    """Layout of Cell Ranger 3."""
    n_cells, n_genes = x.shape
    with h5py.File(path, "w") as f:
        m = f.create_group("matrix")
        m["barcodes"] = np.array(names("cell", n_cells), dtype="S")
        m["data"] = x.data.astype(np.int32)
        m["indices"] = x.indices.astype(np.int64)
        m["indptr"] = x.indptr.astype(np.int64)
        m["shape"] = np.array([n_genes, n_cells], dtype=np.int32)
        features = m.create_group("features")
        features["id"] = np.array(names("id", n_genes), dtype="S")
        features["name"] = np.array(names("gene", n_genes), dtype="S")
        features["feature_type"] = np.array(kinds or ["Gene Expression"] * n_genes, dtype="S")
        features["genome"] = np.array(genomes or ["GRCh38"] * n_genes, dtype="S")
    return path


def mtx_text(x):
    """genes x cells, as Cell Ranger writes it."""
    entries = sp.coo_matrix(x)
    lines = ["%%MatrixMarket matrix coordinate integer general",
             f"{x.shape[1]} {x.shape[0]} {entries.nnz}"]
    lines += [f"{g + 1} {c + 1} {int(v)}" for c, g, v in zip(entries.row, entries.col, entries.data)]
    return "\n".join(lines) + "\n"


def write_10x_mtx(folder, x, text=None, compress=False):
    """Layout of Cell Ranger 2 (plain) or 3 (compressed); text replaces matrix.mtx's own."""
    folder.mkdir()
    features = [f"id{i}\tgene{i}\tGene Expression" for i in range(x.shape[1])]
    contents = {
        "matrix.mtx": mtx_text(x) if text is None else text,
        "features.tsv": "\n".join(features) + "\n",
        "barcodes.tsv": "\n".join(names("cell", x.shape[0])) + "\n",
    }
    for name, content in contents.items():
        if compress:
            (folder / (name + ".gz")).write_bytes(gzip.compress(content.encode()))
        else:
            (folder / name).write_text(content)
    return folder
