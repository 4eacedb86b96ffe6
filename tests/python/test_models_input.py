"""Settings of the input side together with what else a run can be: model files, embed, checkpoints,
searches."""
import h5py
import numpy as np
import pytest
import samples

EPOCHS = ["--epochs", 3, "--seed", 3]
GENES = 150
KINDS = {
    "conv": ["--conv", "4:6:3"],
    "order": ["--conv", "4:6:3", "--gene-order", "order.txt"],
    "noisy": ["--conv", "4:6:3", "--gene-order", "order.txt", "--corrupt", "mask"],
    "input": ["--target", "input", "--corrupt", "gaussian"],
    "pretrain": ["--corrupt", "thin", "--pretrain", "denoise", "--pretrain-epochs", 2],
    "tied": ["--tied", "--hidden", "20,6,20", "--corrupt", "mask", "--contractive", 0.01],
}


def read(path, *names):
    with h5py.File(path) as f:
        return [f[name][()] for name in names]


@pytest.fixture
def folder(tmp_path):
    x = samples.counts(120, GENES).tolil()
    x[:, 17] = 0
    samples.write_h5ad(tmp_path / "in.h5ad", x.tocsr())
    order = np.random.default_rng(5).permutation(GENES)[:140]
    (tmp_path / "order.txt").write_text("".join(f"gene{g} {i}\n" for i, g in enumerate(order)))
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_apply(quell, folder, kind):
    """To the run's own cells, and to them with the genes turned round: the run's numbers."""
    quell("denoise", "in.h5ad", "-o", "run.h5ad", "--save-model", "m.quell.h5", *EPOCHS, *KINDS[kind],
          cwd=folder)
    (folder / "order.txt").unlink()
    quell("apply", "in.h5ad", "-m", "m.quell.h5", "-o", "own.h5ad", cwd=folder)
    for name in ("layers/denoised", "obsm/X_dca"):
        (a,), (b,) = read(folder / "run.h5ad", name), read(folder / "own.h5ad", name)
        np.testing.assert_array_equal(a, b)
    x = samples.counts(120, GENES).tolil()
    x[:, 17] = 0
    turned = np.arange(GENES)[::-1]
    samples.write_h5ad(folder / "turned.h5ad", x.tocsr()[:, turned], genes=[f"gene{g}" for g in turned])
    quell("apply", "turned.h5ad", "-m", "m.quell.h5", "-o", "other.h5ad", cwd=folder)
    (a,), (b,) = read(folder / "run.h5ad", "obsm/X_dca"), read(folder / "other.h5ad", "obsm/X_dca")
    np.testing.assert_array_equal(a, b)
    with h5py.File(folder / "m.quell.h5") as f:
        assert ("genes/place" in f) == ("order.txt" in KINDS[kind])


@pytest.mark.parametrize("place", [-1, 149, 0], ids=["negative", "large", "twice"])
def test_places_of_a_file_are_checked(quell, folder, place):
    quell("train", "in.h5ad", "-o", "m.quell.h5", *EPOCHS, *KINDS["order"], cwd=folder)
    with h5py.File(folder / "m.quell.h5", "a") as f:
        places = f["genes/place"][()]
        assert sorted(places) == list(range(149))
        where = 3 if places[3] != 0 else 4
        places[where] = place
        f["genes/place"][:] = places
    done = quell("apply", "in.h5ad", "-m", "m.quell.h5", "-o", "out.h5ad", cwd=folder, code=65)
    assert "genes/place: value" in done.stderr and "m.quell.h5" in done.stderr


def test_start_from_a_convolution(quell, folder):
    """Positions are taken over only where all genes are in the same order."""
    quell("train", "in.h5ad", "-o", "m.quell.h5", *EPOCHS, *KINDS["order"], cwd=folder)
    start = ["--init-from", "m.quell.h5", *EPOCHS, "--conv", "4:6:3"]
    same = quell("train", "in.h5ad", "-o", "a.h5", *start, "--gene-order", "order.txt", cwd=folder)
    assert "start anew" not in same.stderr
    other = quell("train", "in.h5ad", "-o", "b.h5", *start, cwd=folder)
    assert "start anew: input/weight" in other.stderr
    none = quell("train", "in.h5ad", "-o", "c.h5", *start[:-2], cwd=folder)
    assert "start anew: input/weight" in none.stderr


def test_embed_saves_the_model_of_denoise(quell, folder):
    quell("denoise", "in.h5ad", "-o", "run.h5ad", "--save-model", "a.quell.h5", *EPOCHS, cwd=folder)
    quell("embed", "in.h5ad", "-o", "embed.h5ad", "--save-model", "b.quell.h5", *EPOCHS, cwd=folder)
    assert (folder / "a.quell.h5").read_bytes() == (folder / "b.quell.h5").read_bytes()
    (a,), (b,) = read(folder / "run.h5ad", "obsm/X_dca"), read(folder / "embed.h5ad", "obsm/X_dca")
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("options", [["--save-model", "m.h5"], ["--init-from", "m.h5"], ["--mcv"],
                                     ["--checkpoint", "states"]], ids=lambda o: o[0])
def test_components_are_not_trained(quell, folder, options):
    done = quell("embed", "in.h5ad", "-o", "out.h5ad", "--model", "pca", *options, cwd=folder, code=64)
    assert f"{options[0]} is of no use with --model pca" in done.stderr


@pytest.mark.parametrize("options, says", [
    (["--conv", "4:6:3", "--tied", "--hidden", "20,6,20"], "--conv does not go with --tied"),
    (["--conv", "4:6:3", "--contractive", 0.1], "--conv does not go with --contractive"),
    (["--conv", "4:6:3", "--orthogonal", 0.1], "--conv does not go with --orthogonal"),
    (["--conv", "4:6:3", "--activation", "prelu"], "--conv does not go with an activation"),
    (["--target", "input", "--type", "auto"], "--type auto chooses among likelihoods of counts"),
    (["--target", "input", "--estimate", "posterior"], "--target input has no posterior"),
    (["--target", "input", "--write", "nll"], "--write nll"),
], ids=lambda o: " ".join(map(str, o)) if isinstance(o, list) else "")
def test_what_does_not_go_together(quell, folder, options, says):
    done = quell("denoise", "in.h5ad", "-o", "out.h5ad", *EPOCHS, *options, cwd=folder, code=64)
    assert says in done.stderr
    assert not (folder / "out.h5ad").exists()


def test_other_scores_of_cells(quell, folder):
    quell("denoise", "in.h5ad", "-o", "out.h5ad", *EPOCHS, *KINDS["input"], "--write", "error,distance",
          cwd=folder)
    for values in read(folder / "out.h5ad", "obs/quell_error", "obs/quell_distance"):
        assert np.isfinite(values).all()


def test_searches(quell, folder):
    """Trials see fewer genes than the file has, in the same order of the genome."""
    done = quell("tune", "in.h5ad", "-o", "out.h5ad", *EPOCHS, *KINDS["order"], "--trials", 3, "--search",
                 "corrupt=none|mask|thin hidden=16,4|20,6", cwd=folder)
    assert "3 trials" in done.stderr
    quell("denoise", "in.h5ad", "-o", "auto.h5ad", *EPOCHS, "--type", "auto", *KINDS["noisy"], cwd=folder)
    for search, says in (("gene-order=order.txt|x.txt", "gene-order is no setting to search"),
                         ("conv=8|9", "FILTERS:WIDTH:STRIDE"),
                         ("pretrain=denoise|none", "--pretrain denoise needs a --corrupt")):
        done = quell("tune", "in.h5ad", "-o", "no.h5ad", *EPOCHS, "--trials", 3, "--search", search,
                     cwd=folder, code=64)
        assert says in done.stderr


def test_a_checkpoint_knows_the_order_of_the_genes(quell, folder):
    run = ["in.h5ad", *EPOCHS, *KINDS["order"], "--checkpoint", "states", "--keep-checkpoint", "--force"]
    quell("denoise", *run, "-o", "one.h5ad", cwd=folder)
    again = quell("denoise", *run, "-o", "two.h5ad", cwd=folder)
    (a,), (b,) = read(folder / "one.h5ad", "obsm/X_dca"), read(folder / "two.h5ad", "obsm/X_dca")
    np.testing.assert_array_equal(a, b)
    assert "trained already" in again.stderr or "finished" in again.stderr
    (folder / "order.txt").write_text("".join(f"gene{g} {g}\n" for g in range(GENES)))
    quell("denoise", *run, "-o", "three.h5ad", cwd=folder)
    plain = ["in.h5ad", *EPOCHS, *KINDS["order"]]
    quell("denoise", *plain, "-o", "four.h5ad", cwd=folder)
    (a,), (b,) = read(folder / "three.h5ad", "obsm/X_dca"), read(folder / "four.h5ad", "obsm/X_dca")
    np.testing.assert_array_equal(a, b)
