#!/usr/bin/env python3
"""The speed of quell as ratios measured in one run on one machine.

  bench.py --build build --data DIR [--only SECTION,...] [--rounds 5] [--large] [--write docs/performance.md]

What is compared runs in turns (A B A B ...), so that a neighbour who slows one slows the other; each
figure is the median of the rounds with the range over them, and a ratio whose range includes 1 is
called even. Peers that are not installed leave their rows out.
"""
import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TORCH_DCA = os.path.join(os.environ.get("QUELL_SHARED", ""), "tools", "torch_dca.py")


class Figure:
    """Values of the rounds; shown as median (lowest - highest)."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)

    def over(self, other):
        return Figure(a / b for a, b in zip(self.values, other.values))

    def times(self, factor):
        return Figure(v * factor for v in self.values)

    def text(self, digits=3):
        def show(v):
            return "%.*g" % (digits, v)
        return "%s (%s - %s)" % (show(self.median), show(min(self.values)), show(max(self.values)))

    def ratio(self):
        low, high = min(self.values), max(self.values)
        return "%.3gx (%.3g - %.3g)%s" % (self.median, low, high, ", even" if low <= 1 <= high else "")


class Bench:
    def __init__(self, a):
        self.a = a
        self.lines = []
        os.makedirs(a.data, exist_ok=True)

    def run(self, command, **env):
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env})
        if done.returncode:
            sys.exit("bench: %s: %s" % (" ".join(command), done.stderr.strip()[-400:]))
        return done.stdout

    def counts(self, cells, genes, density, kind="h5ad"):
        name = "c%d_g%d_d%g.%s" % (cells, genes, density, {"h5ad": "h5ad", "10x": "h5", "mtx": "mtx"}[kind])
        path = os.path.join(self.a.data, name)
        if not os.path.exists(path):
            self.note("making %s" % name)
            self.run([sys.executable, os.path.join(HERE, "make_counts.py"), path + ".part", "--cells", str(cells),
                      "--genes", str(genes), "--density", str(density), "--format", kind])
            os.rename(path + ".part", path)
        return path

    def train(self, path, **settings):
        words = ["%s=%s" % (k, v) for k, v in settings.items()]
        return json.loads(self.run([os.path.join(self.a.build, "bench", "train_bench"), path] + words))

    def in_turns(self, *calls):
        """One list of results per call; the calls take turns."""
        results = [[] for _ in calls]
        for k in range(self.a.rounds):
            print("  round %d of %d" % (k + 1, self.a.rounds), end="\r", file=sys.stderr, flush=True)
            for call, out in zip(calls, results):
                out.append(call())
        return results

    def note(self, text):
        print("bench: %s" % text, file=sys.stderr, flush=True)

    def put(self, line=""):
        self.lines.append(line)
        print(line, flush=True)

    def table(self, title, head, rows):
        self.put()
        self.put("### " + title)
        self.put()
        self.put("| " + " | ".join(head) + " |")
        self.put("|" + "---|" * len(head))
        for row in rows:
            self.put("| " + " | ".join(row) + " |")


def seconds(results):
    return Figure(r["s_per_epoch"] for r in results)


# --- sections ---------------------------------------------------------------------------------

SIZES = [(3200, 2000, 0.31, 32), (3200, 2000, 0.31, 128), (3200, 2000, 0.07, 32), (3200, 2000, 0.07, 128),
         (3200, 10000, 0.07, 32)]


def torch_epoch(b, path, batch, epochs):
    out = b.run([sys.executable, TORCH_DCA, path, os.devnull, "--bench", "--threads", str(b.a.threads), "--batch",
                 str(batch), "--epochs", str(epochs)])
    return json.loads(out.strip().splitlines()[-1])


def against_torch(b):
    """Seconds per epoch against PyTorch: nb-conddisp, 64-32-64, RMSprop, the same batch and threads."""
    have = os.path.exists(TORCH_DCA) and has("torch")
    rows = []
    for cells, genes, density, batch in SIZES:
        path = b.counts(cells, genes, density)
        calls = [lambda: b.train(path, batch=batch, threads=b.a.threads, epochs=7)]
        if have:
            calls.append(lambda: torch_epoch(b, path, batch, 3))
        results = b.in_turns(*calls)
        ours = seconds(results[0])
        row = ["%d x %d, %.0f %% nonzero, batch %d" % (cells, genes, 100 * density, batch), ours.text(),
               "%.3g" % (cells / ours.median)]
        if have:
            theirs = seconds(results[1])
            row += [theirs.text(), theirs.over(ours).ratio()]
        rows.append(row)
    b.table("Seconds per epoch, nb-conddisp 64-32-64, %d threads" % b.a.threads,
            ["size", "quell, s", "cells/s"] + (["PyTorch, s", "ratio"] if have else []), rows)


SCVI = r"""
import json, sys, time, warnings
warnings.simplefilter('ignore')
import anndata, torch, scvi
path, threads, epochs, early = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == '1'
torch.set_num_threads(threads)
scvi.settings.seed, scvi.settings.verbosity = 0, 40
cells = anndata.read_h5ad(path)
scvi.model.SCVI.setup_anndata(cells)
model = scvi.model.SCVI(cells)
def train(epochs):
    start = time.perf_counter()
    model.train(max_epochs=epochs, train_size=None if early else 1.0, early_stopping=early, accelerator='cpu',
                enable_progress_bar=False, logger=None if early else False, enable_checkpointing=False)
    return time.perf_counter() - start
if early:
    seconds = train(None)
    print(json.dumps({'seconds': seconds, 'epochs': len(model.history['elbo_validation'])}))
else:
    train(1)
    print(json.dumps({'s_per_epoch': train(epochs) / epochs, 'cells': cells.n_obs}))
"""


def run_scvi(b, path, epochs, early):
    out = b.run([sys.executable, "-c", SCVI, path, str(b.a.threads), str(epochs), str(int(early))])
    return json.loads(out.strip().splitlines()[-1])


def has(module):
    return subprocess.run([sys.executable, "-c", "import " + module], capture_output=True).returncode == 0


def against_scvi(b):
    """The same network in scvi-tools: zinb, 128 units, 10 of the code, minibatches of 128."""
    path = b.a.cells or b.counts(2638, 13714, 0.062)
    network = dict(vae=1, type="zinb", hidden="128,10,128", batch=128, dropout=0.1, threads=b.a.threads, epochs=5)
    calls = [lambda: b.train(path, **network)]
    have = has("scvi")
    if have:
        calls.append(lambda: run_scvi(b, path, 3, False))
    if b.train(path, epochs=1, hidden="2")["bf16"]:
        calls.append(lambda: b.train(path, bf16=1, **network))
    results = b.in_turns(*calls)
    n, ours = results[0][0]["cells"], seconds(results[0])
    rate = lambda f: Figure(n / v for v in f.values).text()
    theirs = seconds(results[1]) if have else None
    beside = (lambda f: [theirs.text(), rate(theirs), theirs.over(f).ratio()]) if have else (lambda f: [])
    rows = [["float32", ours.text(), rate(ours)] + beside(ours)]
    if len(calls) > 1 + have:
        rows.append(["`--precision bf16`", seconds(results[-1]).text(), rate(seconds(results[-1]))] +
                    beside(seconds(results[-1])))
    b.table("Seconds per epoch, the network of scvi-tools (zinb, 128-10-128), %d cells, %d genes, %d threads" %
            (n, results[0][0]["genes"], b.a.threads),
            ["products", "quell, s", "cells/s"] + (["scvi-tools, s", "cells/s", "ratio"] if have else []), rows)
    if not have:
        b.put()
        b.put("scvi-tools is not installed for %s: its column is left out." % sys.executable)


def from_file_to_file(b):
    """Our default variational model from file to file against training scvi-tools, with early stopping."""
    path = b.a.cells or b.counts(2638, 13714, 0.062)
    out = os.path.join(b.a.data, "vae.h5ad")

    def whole():
        start = time.perf_counter()
        b.run([os.path.join(b.a.build, "quell"), "denoise", path, "-o", out, "--force", "--model", "vae", "--threads",
               str(b.a.threads)])
        return {"seconds": time.perf_counter() - start}
    have = has("scvi")
    ours = in_seconds([whole() for _ in range(b.a.rounds)])
    row = ["%s" % os.path.basename(path), ours.text()]
    if have:  # once: it takes minutes
        theirs = run_scvi(b, path, 0, True)
        row += ["%.0f (%d epochs)" % (theirs["seconds"], theirs["epochs"]),
                "%.3gx" % (theirs["seconds"] / ours.median)]
    b.table("`quell denoise --model vae` from file to file, %d threads" % b.a.threads,
            ["file", "quell, s"] + (["training of scvi-tools, s", "ratio"] if have else []), [row])
    if not have:
        b.put()
        b.put("scvi-tools is not installed for %s: its column is left out." % sys.executable)


def arithmetic(b):
    """Achieved arithmetic against OpenBLAS's sgemm on the same threads."""
    sgemm = lambda: json.loads(b.run([os.path.join(b.a.build, "bench", "sgemm_bench"), "threads=%d" % b.a.threads]))
    rows = []
    for cells, genes, density, batch in [(3200, 2000, 0.31, 32), (3200, 2000, 0.31, 128), (3200, 2000, 0.07, 128),
                                         (3200, 20000, 0.07, 128)]:
        path = b.counts(cells, genes, density)
        ours, blas = b.in_turns(lambda: b.train(path, batch=batch, threads=b.a.threads, epochs=5), sgemm)
        mine, theirs = Figure(r["gflops"] for r in ours), Figure(r["gflops"] for r in blas)
        rows.append(["%d x %d, %.0f %% nonzero, batch %d" % (cells, genes, 100 * density, batch), mine.text(),
                     theirs.text(), mine.over(theirs).times(100).text() + " %"])
    b.table("Useful arithmetic of a whole step against sgemm 1024^3, %d threads" % b.a.threads,
            ["size", "quell, GFLOP/s", "OpenBLAS, GFLOP/s", "share"], rows)


def shares(b):
    """Where the time goes, one thread."""
    rows = []
    for type_, hidden, optimizer, batch in [("nb-conddisp", "64,32,64", "rmsprop", 32),
                                            ("nb-conddisp", "64,32,64", "rmsprop", 128),
                                            ("zinb-conddisp", "64,32,64", "rmsprop", 32),
                                            ("nb", "128,32", "adam", 128)]:
        r = b.train(b.counts(3200, 2000, 0.31), type=type_, hidden=hidden, optimizer=optimizer, batch=batch, threads=1,
                    epochs=15, profile=1)
        rows.append(["%s %s, batch %d" % (type_, hidden.replace(",", "-"), batch)] +
                    ["%.0f %%" % (100 * r["share"][p]) for p in ("products", "likelihood", "optimizer", "input",
                                                                 "rest")])
    b.table("Where the time goes (3200 x 2000, 31 % nonzero, one thread)",
            ["model", "products", "likelihood", "optimizer", "input layer", "rest"], rows)


def variants(b):
    """Models and precisions against nb-conddisp in float32."""
    path = b.counts(3200, 2000, 0.31)
    t = b.a.threads
    calls = [("nb-conddisp 64-32-64, batch 32", dict(batch=32)),
             ("zinb-conddisp 64-32-64, batch 32", dict(type="zinb-conddisp", batch=32)),
             ("nb-conddisp 64-32-64, batch 32, bf16", dict(batch=32, bf16=1)),
             ("nb-conddisp 64-32-64, batch 128", dict(batch=128)),
             ("nb-conddisp 64-32-64, batch 128, bf16", dict(batch=128, bf16=1)),
             ("default of denoise: nb 128-32, Adam, batch 128", dict(type="nb", hidden="128,32", optimizer="adam",
                                                                     dropout=0.5, batch=128)),
             ("poisson 64-32-64, batch 32", dict(type="poisson", batch=32))]
    if not b.train(path, epochs=1)["bf16"]:
        calls = [c for c in calls if "bf16" not in c[1]]
    results = b.in_turns(*[lambda s=s: b.train(path, threads=t, epochs=7, **s) for _, s in calls])
    base = seconds(results[0])
    b.table("Variants (3200 x 2000, 31 %% nonzero, %d threads)" % t, ["model", "s per epoch", "over the first"],
            [[name, seconds(r).text(), seconds(r).over(base).ratio()] for (name, _), r in zip(calls, results)])


def threads(b):
    """Speed-up with threads."""
    rows = []
    counts = [n for n in (1, 2, 4, 8, 16) if n <= len(os.sched_getaffinity(0))]
    for genes, density, batch in [(2000, 0.31, 32), (2000, 0.31, 128), (10000, 0.115, 32)]:
        path = b.counts(3200, genes, density)
        results = b.in_turns(*[lambda n=n: b.train(path, batch=batch, threads=n, epochs=7) for n in counts])
        one = seconds(results[0])
        for n, r in list(zip(counts, results))[1:]:
            gain = one.over(seconds(r))
            rows.append(["3200 x %d, batch %d" % (genes, batch), str(n), gain.ratio(), gain.times(1 / n).text()])
    b.table("Threads", ["size", "threads", "speed-up", "efficiency"], rows)


def scale(b):
    """Cost per cell and gene as data grow."""
    rows = []
    sizes = [(1000, 2000), (10000, 2000), (100000, 2000), (10000, 500), (10000, 8000)]
    if b.a.large:
        sizes.append((1300000, 2000))
    for cells, genes in sizes:
        r = b.train(b.counts(cells, genes, 0.07), batch=128, threads=b.a.threads, epochs=3 if cells < 1e6 else 20)
        rows.append(["%d x %d" % (cells, genes), "%.3g" % r["s_per_epoch"],
                     "%.3g" % (1e9 * r["s_per_epoch"] / (r["cells"] * r["genes"])), "%.0f" % r["peak_mib"],
                     "%.3g" % r["total_s"]])
    b.table("Scale: nb-conddisp 64-32-64, batch 128, 7 %% nonzero, %d threads" % b.a.threads,
            ["cells x genes", "s per epoch", "ns per cell and gene", "peak memory, MiB", "training, s"], rows)


READ_PEERS = {
    "h5ad": ("anndata.read_h5ad", "import anndata; x = anndata.read_h5ad(P).X"),
    "10x": ("scanpy.read_10x_h5", "import scanpy; x = scanpy.read_10x_h5(P).X"),
    "mtx": ("scipy mmread", "import scipy.io; x = scipy.io.mmread(P + '/matrix.mtx.gz').tocsr()"),
    "mtx, names": ("scanpy.read_10x_mtx", "import scanpy; x = scanpy.read_10x_mtx(P, cache=False).X"),
}
TIMED = """
import json, time, warnings
warnings.simplefilter('ignore')
P = %r
%s
def run():
    start = time.perf_counter()
    %s
    return time.perf_counter() - start
run()
print(json.dumps({'seconds': run()}))
"""


def peer(b, path, code):
    """Seconds of the code in Python, the second time it runs; None without its modules."""
    module, work = code.split("; ", 1)
    done = subprocess.run([sys.executable, "-c", TIMED % (path, module, work)], capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def second_read(b, path):
    """Seconds of reading a file the second time in a process, as of the peers."""
    r = json.loads(b.run([os.path.join(b.a.build, "bench", "io_bench"), "read", path, "threads=%d" % b.a.threads,
                          "rounds=2"]))
    return {"seconds": r["last"], "entries": r["entries"]}


def in_seconds(results):
    return Figure(r["seconds"] for r in results)


def reading(b):
    """Reading into CSR, against Python's readers."""
    rows = []
    for name, (what, code) in READ_PEERS.items():
        path = b.counts(250000 if name in ("h5ad", "10x") else 50000, 2000, 0.1, name.split(",")[0])
        call = lambda: second_read(b, path)
        size = sum(os.path.getsize(os.path.join(path, f)) for f in os.listdir(path)) if os.path.isdir(path) \
            else os.path.getsize(path)
        have = peer(b, path, code)
        results = b.in_turns(call, *([lambda: peer(b, path, code)] if have else []))
        ours = in_seconds(results[0])
        n = results[0][0]["entries"]
        row = [name, "%.3g M, %.3g MB" % (n / 1e6, size / 1e6), ours.text(), "%.3g M/s, %.2g GB/s" %
               (n / ours.median / 1e6, size / ours.median / 1e9)]
        row += ["%s: %s" % (what, in_seconds(results[1]).text()), in_seconds(results[1]).over(ours).ratio()] \
            if have else [what + ": not installed", ""]
        rows.append(row)
    b.table("Reading into memory, %d threads" % b.a.threads,
            ["format", "nonzeros, file", "quell, s", "rate", "peer, s", "ratio"], rows)


WRITE_PEER = ("import anndata, numpy as np, scipy.sparse as sp; rng = np.random.default_rng(1); "
              "a = anndata.AnnData(sp.csr_matrix((2638, 13714), dtype='f4')); "
              "a.layers['denoised'] = np.exp(rng.normal(-3, 2, (2638, 13714))).astype('f4')")


def writing(b):
    """A dense gzip layer as each writes it (quell level 1, anndata level 4), against anndata."""
    out = os.path.join(b.a.data, "written.h5ad")
    code = TIMED % (out, WRITE_PEER.replace("; ", "\n"), "a.write_h5ad(P, compression='gzip')")
    run = lambda: subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    have = run().returncode == 0
    results = b.in_turns(lambda: json.loads(b.run([os.path.join(b.a.build, "bench", "io_bench"), "write", out,
                                                   "threads=%d" % b.a.threads, "rounds=2"])),
                         *([lambda: json.loads(run().stdout.splitlines()[-1])] if have else []))
    ours = in_seconds(results[0])
    row = ["2638 x 13714 float32, gzip", ours.text(), "%.2g GB/s" % (4 * 2638 * 13714 / ours.median / 1e9)]
    row += [in_seconds(results[1]).text(), in_seconds(results[1]).over(ours).ratio()] if have else ["", ""]
    b.table("Writing a dense layer, %d threads" % b.a.threads,
            ["layer", "quell, s", "rate", "anndata, s", "ratio"], [row])


def instructions(b):
    """Instructions per cell and gene, from callgrind: they do not depend on the neighbours."""
    if not shutil.which("valgrind"):
        return
    rows = []
    for type_, density in [("nb-conddisp", 0.31), ("nb-conddisp", 0.07), ("zinb-conddisp", 0.07), ("nb", 0.07)]:
        path = b.counts(256, 1000, density)
        total = []
        for epochs in (1, 2):
            out = os.path.join(b.a.data, "callgrind.out")
            b.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out,
                   os.path.join(b.a.build, "bench", "train_bench"), path, "epochs=%d" % epochs, "type=" + type_,
                   "threads=1"], QUELL_ISA="avx2")
            total.append(int(re.search(r"(?m)^(?:totals|summary): (\d+)", open(out).read()).group(1)))
        rows.append([type_, "%.0f %%" % (100 * density), "%.1f" % ((total[1] - total[0]) / 256 / 1000)])
    b.table("Instructions per cell and gene of an epoch (callgrind, AVX2 kernels, 64-32-64, batch 32)",
            ["likelihood", "nonzero", "instructions"], rows)


def budget(b):
    """Does --auto keep its --time-budget? From file to file; the last line has none."""
    rows, path = [], b.counts(3200, 2000, 0.31)
    out = os.path.join(b.a.data, "budget.h5ad")
    for seconds_ in (15, 30, 60, None):
        words = ["--time-budget", "%ds" % seconds_] if seconds_ else []
        summary = os.path.join(b.a.data, "budget.json")
        start = time.perf_counter()
        b.run([os.path.join(b.a.build, "quell"), "denoise", path, "-o", out, "--force", "--auto", "--threads", str(b.a.threads),
               "--summary", summary, *words])
        took = time.perf_counter() - start
        metrics = json.load(open(summary))["metrics"]
        rows.append([str(seconds_ or "none"), "%.1f" % took, "%.2f" % (took / seconds_) if seconds_ else "",
                     str(metrics.get("auto_candidates", "all")), metrics.get("auto_chosen", "as given")])
    b.table("--auto within a time budget: 3200 x 2000, %d threads" % b.a.threads,
            ["budget, s", "took, s", "of the budget", "candidates", "chosen"], rows)


SECTIONS = {"torch": against_torch, "scvi": against_scvi, "vae": from_file_to_file, "arithmetic": arithmetic,
            "shares": shares, "variants": variants, "threads": threads, "scale": scale, "instructions": instructions,
            "reading": reading, "writing": writing, "budget": budget}


# --- the machine, and the document ------------------------------------------------------------

def machine(b):
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read()) if os.path.exists("/proc/cpuinfo") else None
    version = b.run([os.path.join(b.a.build, "quell"), "version"]).splitlines()
    return ["Machine: %s, %d processors, %s." % (cpu.group(1) if cpu else platform.processor(), os.cpu_count(),
                                                 platform.system()),
            "Program: %s." % "; ".join(v.strip() for v in version[:3]),
            "Each figure: median of %d rounds (lowest - highest)." % b.a.rounds]


def write(path, lines):
    text = open(path).read()
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
    head, rest = text.split(begin)
    open(path, "w").write(head + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--data", default="build/bench/data")
    p.add_argument("--only", default=",".join(SECTIONS))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    p.add_argument("--large", action="store_true", help="also 1.3 million cells (makes 0.4 GB of data first)")
    p.add_argument("--cells", metavar="H5AD", help="counts for the sections scvi and vae (made up, of pbmc3k's size)")
    p.add_argument("--write", help="put the tables into this document")
    a = p.parse_args()
    b = Bench(a)
    for line in machine(b):
        b.put(line)
    for name in a.only.split(","):
        b.note(name)
        SECTIONS[name](b)
    if a.write:
        write(a.write, b.lines)


if __name__ == "__main__":
    main()
