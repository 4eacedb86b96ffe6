"""What quell writes, read with anndata: the current one and the oldest supported (0.8).

QUELL_TEST_FILES  a folder with the files that tests/unit/test_h5ad_writer.c writes; where it is not
                  set, that program is run to make them.
"""
import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import anndata as ad
    import h5py
    import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parents[2]
OLD = tuple(int(part) for part in importlib.metadata.version("anndata").split(".")[:2]) < (0, 12)
COLUMNS = ["quell_f32", "quell_f64", "quell_int", "quell_flag", "quell_text"]

pytestmark = pytest.mark.filterwarnings("ignore")


def read(path, write_back=True, **how):
    """A file that quell wrote; also written back, which checks more than reading does."""
    data = ad.read_h5ad(path, **how)
    if write_back and not how:
        data.copy().write_h5ad(pathlib.Path(path).with_suffix(".back"))
        pathlib.Path(path).with_suffix(".back").unlink()
    return data


def dense(matrix):
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


def value_at(n_rows, n_cols):
    """The matrix that the unit test writes as denoised."""
    row, col = np.indices((n_rows, n_cols))
    return np.where(col % 11 == 0, 0, row % 97 * 0.125 + col % 31).astype(np.float32)


# ---- the files of the unit test ----


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    given = os.environ.get("QUELL_TEST_FILES")
    if given:
        return pathlib.Path(given)
    build = pathlib.Path(os.environ.get("QUELL", ROOT / "build" / "quell")).parent
    program = build / "tests" / "test_h5ad_writer"
    if not program.is_file():
        pytest.skip(f"neither QUELL_TEST_FILES nor {program} is there")
    folder = tmp_path_factory.mktemp("samples")
    env = {**os.environ, "QUELL_TEST_FILES": str(folder)}
    subprocess.run([program], check=True, env=env, cwd=ROOT, capture_output=True)
    return folder


def check_results(a):
    n_cells, n_genes = a.shape
    want = value_at(n_cells, n_genes)
    np.testing.assert_array_equal(dense(a.layers["denoised"]), want)
    assert a.layers["denoised"].dtype == np.float32
    chosen = a.layers["chosen"]
    assert sp.issparse(chosen) and chosen.format == "csr" and chosen.nnz == 3 * n_cells
    kept = np.zeros_like(want)
    kept[:, [0, 2, n_genes - 1]] = want[:, [0, 2, n_genes - 1]]
    np.testing.assert_array_equal(chosen.toarray(), kept)
    np.testing.assert_array_equal(a.obsm["X_dca"], value_at(n_cells, 3))
    for frame in (a.obs, a.var):
        n = len(frame)
        assert list(frame.columns[-5:]) == COLUMNS
        assert frame["quell_f32"].dtype == np.float32
        np.testing.assert_array_equal(frame["quell_f32"], np.arange(n) / 2)
        np.testing.assert_array_equal(frame["quell_f64"], np.arange(n) / 4)
        np.testing.assert_array_equal(frame["quell_int"], np.arange(n) - 5)
        assert frame["quell_flag"].dtype == bool
        np.testing.assert_array_equal(frame["quell_flag"], np.arange(n) % 3 != 0)
        assert list(frame["quell_text"]) == [f"text {i}" for i in range(n)]


def check_uns(uns):
    run = uns["quell"]["denoise"]
    assert run["version"] == "1.0"
    assert run["command"] == "quell denoise caf\u00e9.h5"
    assert run["empty"] == ""
    assert run["seed"] == 1234567890123
    assert run["rate"] == 1e-3
    assert list(run["steps"]) == ["step 0", "step 1"]
    np.testing.assert_array_equal(run["history"]["loss"], [2.5, 1.25, 1.0])
    assert len(run["history"]["none"]) == 0


@pytest.mark.parametrize("name", ["new_level0", "new_level4", "again"])
def test_a_new_file(samples, name):
    a = read(samples / f"{name}.h5ad")
    assert a.shape == (300, 700)
    assert sp.issparse(a.X) and a.X.format == "csr" and a.X.dtype == np.float32
    k = np.arange(300 * 700).reshape(300, 700)
    row, col = np.indices(k.shape)
    np.testing.assert_array_equal(a.X.toarray(), np.where(k % 3 == 0, 1 + (row + col) % 7, 0))
    assert list(a.obs_names[:2]) == ["cell0", "cell1"]
    assert list(a.var_names[:2]) == ["gene0", "gene1"]
    assert list(a.var.columns) == ["gene_ids", *COLUMNS]
    check_results(a)
    check_uns(a.uns)


def test_backed_reading(samples):
    a = read(samples / "new_level4.h5ad", backed="r")
    np.testing.assert_array_equal(a[5:9].to_memory().layers["denoised"], value_at(300, 700)[5:9])
    a.file.close()


def test_level_0_is_contiguous(samples):
    """What mmap and H5Dread like best."""
    with h5py.File(samples / "new_level0.h5ad", "r") as f:
        assert f["layers/denoised"].chunks is None
        assert f["obsm/X_dca"].chunks is None
        assert f["X/data"].compression == "gzip"
    with h5py.File(samples / "new_level4.h5ad", "r") as f:
        stored = f["layers/denoised"]
        assert stored.chunks == (256, 256)
        assert (stored.compression, stored.compression_opts, stored.shuffle) == ("gzip", 4, True)


def members(path):
    """Every object of a file with its attributes and contents, results of quell aside."""
    found = {}

    def plain(value):
        return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

    def visit(name, item):
        parts = name.split("/")
        if "quell" in parts or parts[-1].startswith("quell_"):
            return
        if name.startswith(("layers/denoised", "layers/chosen", "obsm/X_dca")):
            return
        attributes = {
            key: plain(value) for key, value in item.attrs.items()
            if key != "column-order" and not isinstance(value, h5py.Reference)
        }
        is_set = isinstance(item, h5py.Dataset)
        content = plain(item[()]) if is_set and item.shape is not None else None
        found[name] = (repr(attributes), repr(content))

    with h5py.File(path, "r") as f:
        f.visititems(visit)
    return found


CARRIED = [
    "all_elements_gzip", "csr_f32_plain", "csc_i32_gzip", "csr_lzf", "dense_f32_gzip_shuffle_chunked",
    "no_X_layers_only", "layout_of_0.7", "nullable_string_names", "null_in_uns",
]


@pytest.mark.parametrize("name", CARRIED)
def test_everything_of_the_input_is_carried_through(samples, shared_data, name):
    [source] = (shared_data / "formats").glob(f"anndata0*/{name}.h5ad")
    before, after = members(source), members(samples / f"carried_{name}.h5ad")
    assert before == {key: after.get(key) for key in before}
    empty = {"layers", "obsm", "varm", "obsp", "varp", "uns"}
    assert set(after) - set(before) <= empty


# anndata 0.8 cannot read these inputs, so neither what was made of them.
TOO_NEW = {"nullable_string_names", "null_in_uns"} if OLD else set()


@pytest.mark.parametrize("name", [name for name in CARRIED if name not in TOO_NEW])
def test_results_on_files_of_others(samples, shared_data, name):
    [source] = (shared_data / "formats").glob(f"anndata0*/{name}.h5ad")
    before = ad.read_h5ad(source)
    # anndata writes nullable strings only when it is told to
    a = read(samples / f"carried_{name}.h5ad", write_back=name != "nullable_string_names")
    check_results(a)
    check_uns(a.uns)
    pd.testing.assert_frame_equal(a.obs.iloc[:, :-5], before.obs)
    pd.testing.assert_frame_equal(a.var.iloc[:, :-5], before.var)
    assert set(a.uns) == {*before.uns, "quell"}
    assert (a.X is None) == (before.X is None)
    if before.X is not None:
        np.testing.assert_array_equal(dense(a.X), dense(before.X))


# ---- the program ----


@pytest.fixture
def counts(tmp_path):
    """A small h5ad with something in every place."""
    rng = np.random.default_rng(1)
    x = rng.poisson(rng.gamma(0.5, 2.0, (1, 60)) * rng.gamma(5, 0.2, (80, 1)))
    a = ad.AnnData(sp.csr_matrix(x.astype(np.float32)))
    a.obs_names = [f"cell{i}" for i in range(80)]
    a.var_names = [f"gene{i}" for i in range(60)]
    a.obs["batch"] = pd.Categorical(["a", "b"] * 40)
    a.obs["depth"] = x.sum(axis=1)
    a.var["highly"] = [True, False] * 30
    a.layers["twice"] = a.X * 2
    a.obsm["X_umap"] = rng.normal(size=(80, 2))
    a.obsp["near"] = sp.eye(80, format="csr")
    a.uns["colors"] = {"batch": np.array(["#ff0000", "#00ff00"])}
    a.raw = a.copy()
    a.write_h5ad(tmp_path / "counts.h5ad")
    return tmp_path / "counts.h5ad"


def denoise(quell, source, target, *more, **how):
    return quell("denoise", source, "-o", target, "--seed", 1, "--epochs", 3, *more, **how)


def test_denoise_adds_to_the_input(quell, counts, tmp_path):
    before = ad.read_h5ad(counts)
    denoise(quell, counts, tmp_path / "out.h5ad")
    a = read(tmp_path / "out.h5ad")
    layer = a.layers["denoised"]
    assert layer.shape == a.shape and layer.dtype == np.float32
    assert np.isfinite(dense(layer)).all() and (dense(layer) >= 0).all()
    assert a.obsm["X_dca"].shape[0] == 80 and a.obsm["X_dca"].ndim == 2
    assert [c for c in a.obs if c.startswith("quell_")]
    assert [c for c in a.var if c.startswith("quell_")]
    assert "quell" in a.uns
    np.testing.assert_array_equal(dense(a.X), dense(before.X))
    np.testing.assert_array_equal(dense(a.raw.X), dense(before.raw.X))
    np.testing.assert_array_equal(dense(a.layers["twice"]), dense(before.layers["twice"]))
    np.testing.assert_array_equal(a.obsm["X_umap"], before.obsm["X_umap"])
    np.testing.assert_array_equal(dense(a.obsp["near"]), dense(before.obsp["near"]))
    assert list(a.uns["colors"]["batch"]) == ["#ff0000", "#00ff00"]
    pd.testing.assert_frame_equal(a.obs[before.obs.columns], before.obs)
    pd.testing.assert_frame_equal(a.var[before.var.columns], before.var)


def test_a_second_run_needs_force(quell, counts, tmp_path):
    first, second = tmp_path / "one.h5ad", tmp_path / "two.h5ad"
    denoise(quell, counts, first)
    done = denoise(quell, first, second, code=73)
    assert "--force" in done.stderr and not second.exists()
    denoise(quell, first, second, "--force")
    a, b = read(first), read(second)
    assert list(a.obs.columns) == list(b.obs.columns)
    np.testing.assert_array_equal(dense(a.layers["denoised"]), dense(b.layers["denoised"]))


def test_the_same_bytes_in_another_folder(quell, counts, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(counts, tmp_path / name / "in.h5ad")
    for name, threads in (("a", 1), ("b", 2)):
        denoise(quell, "in.h5ad", "out.h5ad", "--threads", threads, cwd=tmp_path / name)
    first, second = (tmp_path / name / "out.h5ad" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_the_input_is_not_overwritten(quell, counts):
    before = counts.read_bytes()
    done = denoise(quell, counts, counts, "--force", code=64)
    assert "input" in done.stderr
    assert counts.read_bytes() == before


@pytest.mark.parametrize("how", [[], ["--stream"]], ids=["memory", "streamed"])
def test_sparse_matrices_have_one_type_of_index(quell, example_data, tmp_path, how):
    """scipy's tocoo, and with it much else, fails where indices and row pointers differ in type."""
    (tmp_path / "genes.txt").write_text("CD3D\nLYZ\n")
    quell("denoise", example_data / "pbmc_small.h5", "-o", tmp_path / "out.h5ad", "--epochs", 1, "--genes",
          tmp_path / "genes.txt", *how)
    data = read(tmp_path / "out.h5ad")
    for matrix in data.X, data.layers["denoised"]:
        assert matrix.indptr.dtype == matrix.indices.dtype == np.int32
        assert matrix.tocoo().nnz == matrix.nnz
