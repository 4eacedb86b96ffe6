"""Outputs that cannot be written, runs that are stopped: the exit code says so, nothing is left."""
import json
import os
import resource
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest
import samples

X = samples.counts()
FOREVER = ["--epochs", 1000000, "--early-stop", 1000000]


@pytest.fixture
def source(tmp_path):
    return samples.write_h5ad(tmp_path / "in.h5ad", X)


def refused(quell, source, code, words, *options, **how):
    """Before any training: these runs would not end by themselves."""
    before = sorted(os.listdir(source.parent)), source.read_bytes()
    done = quell("denoise", source, *FOREVER, *options, code=code, timeout=30, **how)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("quell denoise: ")]
    assert words in line, line
    assert (sorted(os.listdir(source.parent)), source.read_bytes()) == before


def test_no_output_is_asked_for(quell, source):
    refused(quell, source, 64, "-o FILE.h5ad")


def test_an_output_that_exists(quell, source):
    target = source.with_name("out.h5ad")
    target.write_text("mine")
    refused(quell, source, 73, "exists already; hint: --force", "-o", target)
    assert target.read_text() == "mine"


def test_the_input_as_the_output(quell, source):
    refused(quell, source, 64, "is the input", "-o", source, "--force")
    (source.parent / "link.h5ad").symlink_to(source)
    refused(quell, source, 64, "is the input", "-o", source.with_name("link.h5ad"), "--force")


def test_a_folder_as_the_output(quell, source):
    source.with_name("out.h5ad").mkdir()
    refused(quell, source, 73, "is a folder", "-o", source.with_name("out.h5ad"), "--force")


def test_a_folder_that_is_not_there(quell, source):
    refused(quell, source, 73, "mkdir -p", "-o", source.with_name("no") / "out.h5ad")


@pytest.mark.parametrize("device", ["/dev/full", "/dev/stdout", "-"])
def test_devices(quell, source, device):
    refused(quell, source, 64, "", "-o", device, "--force")


def test_results_in_the_input(quell, source):
    first, target = source.with_name("first.h5ad"), source.with_name("out.h5ad")
    quell("denoise", source, "-o", first, "--epochs", 1)
    refused(quell, first, 73, "--force", "-o", target)
    quell("denoise", first, "-o", target, "--epochs", 1, "--force")


@pytest.mark.parametrize("key", ["", ".", "a/b", "k" * 300])
def test_keys_that_name_nothing(quell, source, key):
    refused(quell, source, 64, "--key", "-o", source.with_name("out.h5ad"), "--key", key)


@pytest.mark.parametrize("file", ["mean.tsv", "latent.tsv", "dispersion.tsv"])
def test_text_files_that_exist(quell, source, file):
    folder = source.with_name("text")
    folder.mkdir()
    (folder / file).write_text("mine")
    refused(quell, source, 73, file, "--tsv", folder)
    assert (folder / file).read_text() == "mine"


def test_text_files_in_a_file(quell, source):
    refused(quell, source, 73, "in.h5ad", "--tsv", source)
    refused(quell, source, 73, "no/text", "--tsv", source.with_name("no") / "text")


def test_a_gene_list(quell, source):
    genes, target = source.with_name("genes.txt"), source.with_name("out.h5ad")
    refused(quell, source, 66, "genes.txt", "-o", target, "--genes", genes)
    genes.write_text("gene3\nnothing\n")
    refused(quell, source, 65, "genes.txt: line 2: no gene is named 'nothing'", "-o", target, "--genes", genes)
    genes.write_text("\n\n")
    refused(quell, source, 65, "names no gene", "-o", target, "--genes", genes)


def test_the_peak_is_not_that_of_who_starts_it(quell, source, tmp_path):
    held = np.ones(400 << 17)  # 400 MiB, touched
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--summary", tmp_path / "s.json", "--epochs", 1)
    assert held.nbytes == 400 << 20
    assert 4 << 20 < json.loads((tmp_path / "s.json").read_text())["peak_bytes"] < 200 << 20


def test_the_memory_budget(quell, tmp_path):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(200, 3000))
    refused(quell, source, 137, "memory", "-o", tmp_path / "out.h5ad", "--memory", "8M")


# ---- no space ----


def small_files(n_bytes):
    """As on a full disk, writing fails beyond this size."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.fixture
def larger(tmp_path):
    return samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(200, 400), compression="gzip")


@pytest.mark.parametrize("beyond", [-1000, 1000, 50_000, 150_000])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_no_space(quell, larger, beyond, compression):
    limit = larger.stat().st_size + beyond
    done = quell("denoise", larger, "-o", larger.with_name("out.h5ad"), "--epochs", 1, "--compression",
                 compression, code=74, preexec_fn=small_files(limit), timeout=60)
    assert "out.h5ad" in done.stderr.splitlines()[-1]
    assert os.listdir(larger.parent) == ["in.h5ad"]


def test_no_space_for_text(quell, larger):
    folder = larger.with_name("text")
    quell("denoise", larger, "--tsv", folder, "--epochs", 1, code=74, preexec_fn=small_files(100_000), timeout=60)
    assert os.listdir(folder) == []


def test_an_output_is_kept_when_its_replacement_fails(quell, larger):
    target = larger.with_name("out.h5ad")
    target.write_text("mine")
    quell("denoise", larger, "-o", target, "--epochs", 1, "--force", code=74,
          preexec_fn=small_files(larger.stat().st_size + 1000), timeout=60)
    assert target.read_text() == "mine"
    assert sorted(os.listdir(larger.parent)) == ["in.h5ad", "out.h5ad"]


# ---- signals ----

SIGNALS = [(signal.SIGTERM, 143, "TERM"), (signal.SIGINT, 130, "INT"), (signal.SIGUSR2, 143, "USR2")]


class Running:
    """A run whose progress goes to a file that can be looked into."""

    def __init__(self, program, source, *options):
        self.folder = source.parent
        self.log = self.folder / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [program, "denoise", str(source), "-o", str(self.folder / "out.h5ad"), *map(str, options)],
                stderr=log, stdout=subprocess.PIPE)

    def wait_for(self, ready):
        for _ in range(3000):
            if ready():
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)
        self.process.kill()
        raise AssertionError(f"it never came to that: {self.log.read_text()}")

    def temporaries(self):
        return [path for path in self.folder.iterdir() if path.name.startswith(".out.h5ad")]

    def ends(self, code, words):
        try:
            assert self.process.wait(timeout=30) == code, self.log.read_text()
        finally:
            self.process.kill()
        assert self.process.stdout.read() == b""
        assert words in self.log.read_text().splitlines()[-1]
        assert sorted(os.listdir(self.folder)) == ["in.h5ad", "log"]


@pytest.mark.parametrize("number, code, name", SIGNALS)
def test_stopped_in_training(program, tmp_path, number, code, name):
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(300, 400))
    run = Running(program, source, *FOREVER)
    run.wait_for(lambda: "model:" in run.log.read_text())
    time.sleep(0.2)
    assert run.temporaries()
    run.process.send_signal(number)
    run.ends(code, f"stopped by signal {name}")


@pytest.mark.parametrize("number, code, name", SIGNALS[:2])
def test_stopped_in_writing(program, tmp_path, number, code, name):
    rng = np.random.default_rng(1)
    x = np.zeros((6000, 4000), np.float32)
    x[:, rng.integers(0, 4000, 300)] = rng.poisson(2.0, (6000, 300))
    x[0], x[:, 0] = 1, 1
    source = samples.write_h5ad(tmp_path / "in.h5ad", x, compression="gzip")
    run = Running(program, source, "--epochs", 1, "--compression", "gzip:9")
    size = source.stat().st_size

    def writing():
        return any(path.stat().st_size > size + 4e6 for path in run.temporaries())

    run.wait_for(writing)
    run.process.send_signal(number)
    run.ends(code, f"stopped by signal {name}")


def test_stopped_twice(program, tmp_path):
    """The second signal ends the process at once, without a word."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(300, 400))
    run = Running(program, source, *FOREVER)
    run.wait_for(lambda: "model:" in run.log.read_text())
    run.process.send_signal(signal.SIGTERM)
    run.process.send_signal(signal.SIGTERM)
    run.ends(143, "")


# ---- text files as DCA writes them ----


def read_text(path, header):
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    head = rows.pop(0) if header else None
    return head, [row[0] for row in rows], np.array([row[1:] for row in rows], dtype=float)


LAYOUT = {
    "nb": ["dispersion.tsv", "latent.tsv", "mean.tsv"],
    "nb-conddisp": ["dispersion.tsv", "latent.tsv", "mean.tsv"],
    "zinb-conddisp": ["dispersion.tsv", "dropout.tsv", "latent.tsv", "mean.tsv"],
    "poisson": ["dispersion.tsv", "latent.tsv", "mean.tsv"],
}


@pytest.mark.parametrize("kind", LAYOUT)
def test_text_files(quell, tmp_path, kind):
    x = X.toarray()
    x[7], x[:, 11] = 0, 0
    source = samples.write_h5ad(tmp_path / "in.h5ad", x)
    folder = tmp_path / "text"
    quell("denoise", source, "-o", tmp_path / "out.h5ad", "--tsv", folder, "--type", kind, "--epochs", 2)
    assert sorted(os.listdir(folder)) == LAYOUT[kind]
    cells = np.delete(np.arange(40), 7)
    genes = np.delete(np.arange(30), 11)
    cell_names, gene_names = [f"cell{i}" for i in cells], [f"gene{i}" for i in genes]
    with h5py.File(tmp_path / "out.h5ad") as f:
        layer, latent = f["layers/denoised"][:], f["obsm/X_dca"][:]
        theta = f["var/quell_theta"][:] if "quell_theta" in f["var"] else None
        dispersion_is_of_genes = theta is not None

    head, rows, values = read_text(folder / "mean.tsv", header=True)
    assert head == ["", *cell_names] and rows == gene_names
    np.testing.assert_allclose(values, layer[cells][:, genes].T, rtol=0, atol=5.1e-7)
    head, rows, values = read_text(folder / "latent.tsv", header=False)
    assert rows == cell_names
    np.testing.assert_allclose(values, latent[cells], rtol=0, atol=5.1e-7)
    _, rows, values = read_text(folder / "dispersion.tsv", header=False)
    assert rows == gene_names
    assert values.shape == ((29, 1) if dispersion_is_of_genes else (29, 39))
    if dispersion_is_of_genes:
        np.testing.assert_allclose(values[:, 0], theta[genes], rtol=1e-6, atol=5.1e-7)
    if "dropout.tsv" in LAYOUT[kind]:
        _, rows, values = read_text(folder / "dropout.tsv", header=False)
        assert rows == gene_names and values.shape == (29, 39)
        assert ((values >= 0) & (values <= 1)).all()


def test_text_files_alone(quell, source):
    folder = source.with_name("text")
    quell("denoise", source, "--tsv", folder, "--epochs", 1)
    assert sorted(os.listdir(source.parent)) == ["in.h5ad", "text"]
    before = (folder / "mean.tsv").read_bytes()
    quell("denoise", source, "--tsv", folder, "--epochs", 1, "--force")
    assert (folder / "mean.tsv").read_bytes() == before


def test_files_of_another_type_do_not_stay(quell, tmp_path):
    """A file that lies there from a model with dropout is not one of a model without."""
    source = samples.write_h5ad(tmp_path / "in.h5ad", samples.counts(60, 50))
    folder = tmp_path / "dca"
    quell("denoise", source, "--tsv", folder, "--epochs", 1, "--type", "zinb-conddisp")
    (folder / "mine.txt").write_text("kept")
    assert (folder / "dropout.tsv").exists() and (folder / "dispersion.tsv").exists()
    quell("denoise", source, "--tsv", folder, "--epochs", 1, "--type", "poisson", "--estimate", "mean", code=73)
    assert (folder / "dropout.tsv").exists()
    quell("denoise", source, "--tsv", folder, "--epochs", 1, "--type", "nb", "--force")
    assert {p.name for p in folder.iterdir()} == {"mean.tsv", "latent.tsv", "dispersion.tsv", "mine.txt"}
    quell("denoise", source, "--tsv", folder, "--epochs", 1, "--type", "normal", "--force")
    assert {p.name for p in folder.iterdir()} == {"mean.tsv", "latent.tsv", "mine.txt"}
