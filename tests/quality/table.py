"""Tables in Markdown from the lines of results.jsonl."""
import json
import statistics
from collections import defaultdict


def load(path):
    by = defaultdict(lambda: defaultdict(dict))
    with open(path) as f:
        for r in map(json.loads, f):
            by[r["set"]][r["method"]][r["seed"]] = r
    return by


def mean_error(values):
    """Mean over splits and its standard error."""
    m = statistics.mean(values)
    return m, statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def family_best(methods, prefix):
    """Of 'nmf 4', 'nmf 8', ... the one with the best mean gain."""
    rows = {k: v for k, v in methods.items() if k == prefix or k.startswith(prefix + " ")}
    return max(rows, key=lambda k: statistics.mean(r["gain"] for r in rows[k].values())) if rows else None


def cell(seeds, key, digits):
    values = [r[key] for r in seeds.values() if key in r]
    if not values:
        return ""
    m, e = mean_error(values)
    return "%.*f +- %.*f" % (digits, m, digits, e)


def show(path):
    for name, methods in load(path).items():
        print("\n**%s**\n" % name)
        print("| method | splits | gain | ARI | truth | seconds | MiB |")
        print("|---|---|---|---|---|---|---|")
        for method in sorted(methods, key=lambda k: -statistics.mean(r["gain"] for r in methods[k].values())):
            seeds = methods[method]
            print("| %s | %d | %s | %s | %s | %.1f | %d |" % (
                method, len(seeds), cell(seeds, "gain", 4), cell(seeds, "ari", 2), cell(seeds, "truth", 4),
                statistics.median(r["seconds"] for r in seeds.values()), max(r["mib"] for r in seeds.values())))
