"""Several inputs in one command, against anndata.concat; what is said, and what is refused."""
import re
import shutil
import subprocess

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import samples
import scipy.sparse as sp


def part(number, n_cells, genes, **columns):
    """An AnnData of its own cells with these genes, in this order."""
    rng = np.random.default_rng(number)
    x = sp.random(n_cells, len(genes), density=0.4, random_state=rng, format="csr", dtype=np.float32)
    x.data = np.ceil(x.data * 9)
    a = ad.AnnData(x)
    a.obs_names, a.var_names = samples.names(f"p{number}_", n_cells), list(genes)
    for name, values in columns.items():
        a.obs[name] = values
    return a


GENES = samples.names("g", 60)
RNG = np.random.default_rng(7)


@pytest.fixture
def parts(tmp_path):
    """Three files with overlapping genes in orders of their own."""
    made = []
    for i, n in enumerate([30, 45, 20]):
        genes = list(RNG.permutation(GENES[i * 5 : 45 + i * 7]))
        a = part(i, n, genes, depth=np.arange(n) / 3, type=pd.Categorical(["T" if k % 3 else "B" for k in range(n)]))
        a.var["id"] = [f"E{g}" for g in genes]
        a.write_h5ad(tmp_path / f"part{i}.h5ad")
        made.append(a)
    return made


def paths(tmp_path, n=3):
    return [tmp_path / f"part{i}.h5ad" for i in range(n)]


def same(found, expected):
    """The matrix by names, whatever the order of the genes."""
    assert list(found.obs_names) == list(expected.obs_names)
    assert sorted(found.var_names) == sorted(expected.var_names)
    x = found[:, list(expected.var_names)].X
    np.testing.assert_array_equal(x.toarray(), expected.X.toarray())


@pytest.mark.parametrize("how", ["inner", "outer"])
def test_as_anndata_does(quell, parts, tmp_path, how):
    done = quell("convert", *paths(tmp_path), "-o", tmp_path / "out.h5ad", "--join", how)
    found = ad.read_h5ad(tmp_path / "out.h5ad")
    expected = ad.concat(parts, join=how, label="sample", keys=["part0", "part1", "part2"], merge="unique", fill_value=0)
    same(found, expected)
    assert found.X.has_canonical_format
    assert list(found.obs["sample"]) == list(expected.obs["sample"])
    np.testing.assert_array_equal(found.obs["depth"], expected.obs["depth"])
    assert list(found.obs["type"]) == list(expected.obs["type"])
    assert [f"E{g}" for g in found.var_names] == list(found.var["id"])
    first = [g for g in parts[0].var_names if g in set(expected.var_names)]
    assert list(found.var_names)[: len(first)] == first
    assert "3 inputs joined: 95 cells" in done.stderr
    if how == "inner":
        for i, a in enumerate(parts):
            share = 100 * (1 - a[:, list(expected.var_names)].X.sum() / a.X.sum())
            assert f"sample part{i}, {a.n_obs} cells; {expected.n_vars} of its {a.n_vars} genes" in done.stderr
            assert f"({share:.1f} % of its counts)" in done.stderr


def test_denoise_and_convert_agree(quell, parts, tmp_path):
    quell("convert", *paths(tmp_path), "-o", tmp_path / "all.h5ad")
    short = ["--epochs", 2, "--seed", 1, "--threads", 1]
    quell("denoise", *paths(tmp_path), "-o", tmp_path / "several.h5ad", *short)
    quell("denoise", tmp_path / "all.h5ad", "-o", tmp_path / "one.h5ad", *short)
    one, several = ad.read_h5ad(tmp_path / "one.h5ad"), ad.read_h5ad(tmp_path / "several.h5ad")
    np.testing.assert_array_equal(one.layers["denoised"], several.layers["denoised"])
    np.testing.assert_array_equal(one.obsm["X_dca"], several.obsm["X_dca"])
    np.testing.assert_array_equal(one.X.toarray(), several.X.toarray())
    assert list(one.obs.columns) == list(several.obs.columns)
    assert one.uns["quell"]["denoise"]["counts_fnv1a"] == several.uns["quell"]["denoise"]["counts_fnv1a"]


def test_the_same_bytes_with_any_threads(quell, parts, tmp_path):
    for threads in (1, 2, 5):
        quell("convert", *paths(tmp_path), "-o", tmp_path / f"{threads}.h5ad", "--threads", threads)
    one = (tmp_path / "1.h5ad").read_bytes()
    assert all((tmp_path / f"{t}.h5ad").read_bytes() == one for t in (2, 5))


def test_formats_may_differ(quell, tmp_path):
    x = samples.counts(40, 25)
    samples.write_h5ad(tmp_path / "a.h5ad", x[:15])
    samples.write_10x_h5(tmp_path / "b.h5", x[15:30])
    samples.write_10x_mtx(tmp_path / "c", x[30:])
    quell("convert", tmp_path / "a.h5ad", tmp_path / "b.h5", tmp_path / "c", "-o", tmp_path / "out.h5ad")
    found = ad.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_array_equal(found.X.toarray(), x.toarray())
    assert list(found.obs["sample"]) == ["a"] * 15 + ["b"] * 15 + ["c"] * 10
    names = samples.names("cell", 15)
    expected = [f"{n}-a" for n in names] + [f"{n}-b" for n in names] + [f"{n}-c" for n in names[:10]]
    assert list(found.obs_names) == expected


def test_names_of_samples(quell, tmp_path):
    x = samples.counts(12, 9)
    for name in ("liver", "lung"):
        (tmp_path / name / "outs").mkdir(parents=True)
        samples.write_10x_mtx(tmp_path / name / "outs" / "filtered_feature_bc_matrix", x, compress=True)
    inputs = [tmp_path / name / "outs" / "filtered_feature_bc_matrix" for name in ("liver", "lung")]
    quell("convert", *inputs, "-o", tmp_path / "out.h5ad")
    found = ad.read_h5ad(tmp_path / "out.h5ad")
    assert list(found.obs["sample"]) == ["liver"] * 12 + ["lung"] * 12
    assert list(found.obs_names) == [f"cell{i}-{s}" for s in ("liver", "lung") for i in range(12)]
    quell("convert", *inputs, "-o", tmp_path / "out.h5ad", "--force", "--samples", "x y,z")
    assert set(ad.read_h5ad(tmp_path / "out.h5ad").obs["sample"]) == {"x y", "z"}
    quell("convert", ".", "../lung", "-o", "out.h5ad", cwd=tmp_path / "liver")
    assert set(ad.read_h5ad(tmp_path / "liver" / "out.h5ad").obs["sample"]) == {"liver", "lung"}


def test_only_names_that_repeat_change(quell, tmp_path):
    a, b = part(1, 4, GENES), part(2, 4, GENES)
    a.obs_names, b.obs_names = ["AA-1", "AC-1", "AG-1", "AT-1"], ["CA-1", "AC-1", "CG-1", "CT-1"]
    a.write_h5ad(tmp_path / "a.h5ad")
    b.write_h5ad(tmp_path / "b.h5ad")
    done = quell("convert", tmp_path / "a.h5ad", tmp_path / "b.h5ad", "-o", tmp_path / "out.h5ad")
    expected = ["AA-1", "AC-1-a", "AG-1", "AT-1", "CA-1", "AC-1-b", "CG-1", "CT-1"]
    assert list(ad.read_h5ad(tmp_path / "out.h5ad").obs_names) == expected
    assert '2 cells with a name that another input has too' in done.stderr


def test_what_is_lost_is_said(quell, tmp_path):
    a, b = part(1, 10, GENES, age=1), part(2, 12, GENES, sex="f")
    a.obsm["X_pca"] = np.zeros((10, 2))
    b.layers["other"] = b.X
    a.var["score"], b.var["score"] = 1.0, 2.0
    a.write_h5ad(tmp_path / "a.h5ad")
    b.write_h5ad(tmp_path / "b.h5ad")
    for command in (["convert"], ["denoise", "--epochs", 1]):
        done = quell(*command, tmp_path / "a.h5ad", tmp_path / "b.h5ad", "-o", tmp_path / "out.h5ad", "--force")
        assert "left out, since inputs are joined: obsm/X_pca, layers/other" in done.stderr
        assert "columns of cells left out, which not every input has alike: sex, age" in done.stderr
        assert "score (differs for 60, such as g0)" in done.stderr
        found = ad.read_h5ad(tmp_path / "out.h5ad")
        assert "score" not in found.var and "sample" in found.obs


def test_ids_and_symbols(quell, tmp_path):
    a, b = part(1, 10, GENES), part(2, 12, samples.names("ENSG", 60))
    b.var["gene_name"] = GENES
    a.write_h5ad(tmp_path / "a.h5ad")
    b.write_h5ad(tmp_path / "b.h5ad")
    done = quell("denoise", tmp_path / "a.h5ad", tmp_path / "b.h5ad", "-o", tmp_path / "out.h5ad", code=65)
    assert re.search(r"b\.h5ad: shares no gene with .*a\.h5ad", done.stderr)
    assert "b.h5ad has such names in var['gene_name']" in done.stderr
    assert not (tmp_path / "out.h5ad").exists()


def test_one_input_is_copied_as_before(quell, parts, tmp_path):
    quell("convert", tmp_path / "part0.h5ad", "-o", tmp_path / "out.h5ad", "--join", "outer")
    assert (tmp_path / "out.h5ad").read_bytes() == (tmp_path / "part0.h5ad").read_bytes()


def test_the_second_is_missing(quell, parts, tmp_path):
    done = quell("denoise", tmp_path / "part0.h5ad", tmp_path / "none.h5ad", "-o", tmp_path / "o.h5ad", code=66)
    assert "nonzero entries" not in done.stderr  # said before the first is read


def test_a_damaged_input(quell, parts, tmp_path):
    data = (tmp_path / "part1.h5ad").read_bytes()
    (tmp_path / "part1.h5ad").write_bytes(data[: len(data) // 2])
    done = quell("convert", *paths(tmp_path), "-o", tmp_path / "out.h5ad", code=65)
    assert "part1.h5ad" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out.h5ad").exists()


def test_no_output_is_an_input(quell, parts, tmp_path):
    shutil.copy(tmp_path / "part1.h5ad", tmp_path / "keep.h5ad")
    done = quell("denoise", *paths(tmp_path), "-o", tmp_path / "part1.h5ad", "--force", code=64)
    assert "is the input" in done.stderr
    assert (tmp_path / "keep.h5ad").read_bytes() == (tmp_path / "part1.h5ad").read_bytes()


def test_real_data(quell, shared_data, tmp_path):
    names = ["mixology_3cl_celseq2", "mixology_5cl_celseq2"]
    inputs = [shared_data / f"{name}.h5ad" for name in names]
    before = [ad.read_h5ad(path) for path in inputs]
    for how in ("inner", "outer"):
        quell("convert", *inputs, "-o", tmp_path / "out.h5ad", "--join", how, "--force")
        found = ad.read_h5ad(tmp_path / "out.h5ad")
        expected = ad.concat(before, join=how, label="sample", keys=names, fill_value=0)
        again = found.obs_names != expected.obs_names
        assert all(found.obs_names[again] == expected.obs_names[again] + "-" + found.obs["sample"][again].astype(str))
        found.obs_names = expected.obs_names
        x = found[:, list(expected.var_names)].X
        assert (sp.csr_matrix(x) != sp.csr_matrix(expected.X)).nnz == 0


def test_memory_is_one_input_beside_the_joined(program, tmp_path):
    n = 4
    for i in range(n):
        part(i, 3000, samples.names("g", 1500)).write_h5ad(tmp_path / f"part{i}.h5ad")

    def peak(*inputs):
        done = subprocess.run([program, "convert", *map(str, inputs), "-o", str(tmp_path / "o.npy"), "--threads", "1",
                               "--force"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return float(re.search(r"peak memory ([0-9.]+) MiB", done.stderr).group(1))

    one, all_of = peak(tmp_path / "part0.h5ad"), peak(*paths(tmp_path, n))
    nnz = 3000 * 1500 * 0.4 * 8 / 2**20
    assert all_of - one < (n + 1) * nnz
