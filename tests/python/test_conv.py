"""The convolutional first layer from the command line; its numbers: tests/unit/test_conv.c."""
import h5py
import numpy as np
import pytest
import samples

CONV = ["--conv", "4:6:3", "--epochs", 3]


@pytest.fixture
def source(tmp_path):
    return samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(90, 150))


def latent(quell, source, out, *options):
    done = quell("denoise", source, "-o", out, *CONV, *options)
    with h5py.File(out) as f:
        return f["obsm/X_dca"][:], done.stderr


def gene_names(source):
    with h5py.File(source) as f:
        var = f["var"]
        return [n.decode() for n in var[var.attrs["_index"]][:]]


def test_order(quell, source, tmp_path):
    names = gene_names(source)
    order = tmp_path / "order.txt"
    plain, _ = latent(quell, source, tmp_path / "plain.h5ad")
    order.write_text("".join(f"{n}\t{i}\n" for i, n in enumerate(names)))
    same, said = latent(quell, source, tmp_path / "same.h5ad", "--gene-order", order)
    assert np.array_equal(plain, same) and "places 150 genes; 0 are not in it" in said
    # chromosomes in the order of the file, and in each the positions turned round: the same order
    lines = [f"{n}\tchr{2 - i // 75}\t{1000 + i}\t{2000 + i}\n" for i, n in enumerate(names)]
    order.write_text("".join(lines[:75][::-1] + lines[75:]) + "NOTHERE chr1 5\n")
    same, _ = latent(quell, source, tmp_path / "chromosomes.h5ad", "--gene-order", order)
    assert np.array_equal(plain, same)
    order.write_text("".join(f"{n} {-i}\n" for i, n in enumerate(names[:100])))
    other, said = latent(quell, source, tmp_path / "other.h5ad", "--gene-order", order)
    assert not np.array_equal(plain, other) and "places 100 genes; 50 are not in it and go last" in said


@pytest.mark.parametrize("text, says", [
    ("gene1\n", "line 1: no position for 'gene1'"),
    ("\ngene1 chr1 here\n", "line 2: position 'here' is not a number"),
    ("gene1 1\ngene1 2\n", "line 2: 'gene1' has a position already"),
    ("another 1\n", "names no gene of the matrix"),
    ("gene1 nan\n", "is not a number"),
    ("x" * 5000 + " 1\n", "line 1 is too long"),
], ids=["position", "number", "twice", "none", "nan", "long"])
def test_bad_orders(quell, tmp_path, text, says):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(), genes=samples.names("gene", 30))
    (tmp_path / "order.txt").write_text(text)
    done = quell("denoise", source, "-o", tmp_path / "out.h5ad", *CONV, "--gene-order",
                 tmp_path / "order.txt", code=65)
    assert says in done.stderr and "order.txt" in done.stderr
    assert not (tmp_path / "out.h5ad").exists()


@pytest.mark.parametrize("conv", ["8", "8:32", "3:32:16", "128:4:2", "8:0:1", "8:4:5", "8:600:2", "8:4:2x", ":::"])
def test_bad_shapes(quell, source, tmp_path, conv):
    done = quell("denoise", source, "-o", tmp_path / "out.h5ad", "--conv", conv, code=64)
    assert "FILTERS:WIDTH:STRIDE" in done.stderr


def test_same_bytes(quell, source, tmp_path):
    seen = set()
    for threads, more in ((1, []), (2, []), (7, ["--stream"])):
        (tmp_path / str(threads)).mkdir()
        out = tmp_path / str(threads) / "out.h5ad"
        quell("denoise", source, "-o", out, *CONV, "--threads", threads, *more)
        seen.add(out.read_bytes())
    assert len(seen) == 1
    quell("denoise", source, "-o", tmp_path / "x.h5ad", "--gene-order", "none.txt", code=64)
