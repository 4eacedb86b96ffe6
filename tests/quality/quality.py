#!/usr/bin/env python3
"""quell and its peers on the same held-out molecules, over several data sets and splits.

  quality.py run  --quell build/quell --data FOLDER... --work DIR [--only NAME,...] [--sets NAME,...] [--splits 5]
  quality.py show --work DIR,...

`run` adds to DIR/results.jsonl what is not there yet, one line a data set, split and method, each in a process of its
own (time and peak memory are that process'); methods that are not installed say so and are left out. `show` prints
the tables of docs/quality.md. A FOLDER holds h5ad files of counts with types in obs['cell_type'], or simulations with
layers/true_mean beside them (simulate.py).
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import time


HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import score  # noqa: E402
from peers import PEERS  # noqa: E402
from table import show  # noqa: E402

# name -> further arguments of `quell denoise`, and the layer of its output that is the prediction
QUELL = {
    "quell": ([], "denoised"),
    "quell mean": (["--estimate", "mean"], "denoised"),
    "quell dca": (["--like", "dca"], "denoised"),
    "quell vae": (["--model", "vae"], "denoised"),
    "quell vae mean": (["--model", "vae", "--estimate", "mean"], "denoised"),
    "quell ensemble": (["--ensemble", "6"], "denoised"),
    "quell auto": (["--auto"], "denoised"),
}


def sets_of(folders):
    """Name and path of every set, in the order of the folders."""
    found = {}
    for folder in folders:
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if file.endswith(".h5ad"):
                found.setdefault(file[:-len(".h5ad")], os.path.join(folder, file))
    return found


def split_files(a, name, seed):
    """The seen molecules as h5ad, the held-out ones as npz; made once."""
    import scipy.sparse as sp
    base = os.path.join(a.work, "%s.%d" % (name, seed))
    if not os.path.exists(base + ".npz"):
        seen, held = score.split(score.read_counts(sets_of(a.data)[name]), seed)
        score.write_counts(base + ".h5ad", seen)
        sp.save_npz(base + ".part.npz", held)
        os.replace(base + ".part.npz", base + ".npz")
    return base + ".h5ad", base + ".npz"


def run_quell(a, method, path, seed):
    import h5py
    words, layer = QUELL[method]
    out = os.path.join(a.work, "out.%d.h5ad" % os.getpid())
    summary = out + ".json"
    command = [a.quell, "denoise", path, "-o", out, "--force", "--seed", str(seed), "--summary", summary] + words
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(command), done.stderr.strip()[-300:]))
    try:
        with h5py.File(out, "r") as f:
            latent = next((f["obsm"][k][:] for k in sorted(f["obsm"]) if k.startswith("X_")), None)
            prediction = f["layers"][layer][:]
        with open(summary) as f:  # its own: a child starts with the memory of this process
            return {"prediction": prediction, "latent": latent, "mib": json.load(f)["peak_bytes"] >> 20}
    finally:
        os.remove(out)
        os.remove(summary)


def one(a):
    """Child process: one method on one split; its figures as JSON on the last line of stdout."""
    import scipy.sparse as sp
    path, held_path = split_files(a, a.set, a.seed)
    seen, held = score.read_counts(path), sp.load_npz(held_path)
    who = resource.RUSAGE_CHILDREN if a.method in QUELL else resource.RUSAGE_SELF
    start, before = time.monotonic(), resource.getrusage(who).ru_utime
    result = run_quell(a, a.method, path, a.seed) if a.method in QUELL else PEERS[a.method](seen, a.seed)
    seconds = time.monotonic() - start
    used = resource.getrusage(who)
    line = {"seconds": round(seconds, 2), "cpu": round(used.ru_utime - before, 2), "mib": result.get("mib", used.ru_maxrss // 1024)}
    line["gain"], line["error"] = score.gain(seen, held, result["prediction"])
    source = sets_of(a.data)[a.set]
    if result["latent"] is not None:
        line["ari"] = score.agreement(result["latent"], score.read_labels(source, "cell_type"))
    truth = score.read_truth(source)
    if truth is not None:
        line["truth"] = score.truth_correlation(result["prediction"], truth)
    print(json.dumps(line))


def known(path):
    if not os.path.exists(path):
        return set()
    with open(path) as f:
        return {(r["set"], r["seed"], r["method"]) for r in map(json.loads, f)}


def run(a):
    os.makedirs(a.work, exist_ok=True)
    results = os.path.join(a.work, "results.jsonl")
    done = known(results)
    methods = a.only.split(",") if a.only else list(QUELL) + list(PEERS)
    for seed in range(a.splits):
        for name in a.sets.split(",") if a.sets else sets_of(a.data):
            for method in methods:
                if (name, seed, method) in done:
                    continue
                child = subprocess.run([sys.executable, __file__, "one", "--quell", a.quell, "--work", a.work, "--set", name,
                                        "--seed", str(seed), "--method", method, "--data", *a.data], capture_output=True, text=True)
                if child.returncode:
                    print("%s, split %d, %s: %s" % (name, seed, method, (child.stderr.strip() or "failed").splitlines()[-1]),
                          file=sys.stderr)
                    continue
                line = {"set": name, "seed": seed, "method": method, **json.loads(child.stdout.splitlines()[-1])}
                with open(results, "a") as f:
                    f.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["run", "show", "one"])
    p.add_argument("--quell", default="build/quell")
    p.add_argument("--data", nargs="+", default=[os.path.join(os.environ.get("QUELL_SHARED", ""), "data"), "build/quality/data"])
    p.add_argument("--work", default="build/quality")
    p.add_argument("--only", default="")
    p.add_argument("--sets", default="", help="default: every set of the folders")
    p.add_argument("--splits", type=int, default=5)
    p.add_argument("--set")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--method")
    a = p.parse_args()
    if a.what == "show":
        show(*[os.path.join(folder, "results.jsonl") for folder in a.work.split(",")])
    else:
        {"run": run, "one": one}[a.what](a)


main()
