"""Tables in Markdown from the lines of results.jsonl: what was measured, and the verdict, which holds quell's own
estimates against the best of all other methods, split by split."""
import json
import statistics
from collections import defaultdict

# method, and by what factor its gain is to be above that of the best other method
AIMS = {"quell": 1.05, "quell auto": 1.15}


def load(paths):
    """set -> method -> split -> line; of a line that is there twice the first."""
    by = defaultdict(lambda: defaultdict(dict))
    for path in paths:
        with open(path) as f:
            for r in map(json.loads, f):
                by[r["set"]][r["method"]].setdefault(r["seed"], r)
    return by


def mean_error(values):
    """Mean over splits and its standard error."""
    m = statistics.mean(values)
    return m, statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def gain_of(seeds):
    return statistics.mean(r["gain"] for r in seeds.values())


def best_other(methods, own):
    """The method that is not quell's with the best mean gain over the splits that it shares with `own`."""
    means = {}
    for name, seeds in methods.items():
        shared = [seeds[s]["gain"] for s in seeds if s in own]
        if shared and not name.startswith("quell"):
            means[name] = statistics.mean(shared)
    return max(means, key=means.get) if means else None


def compare(own, other):
    """Paired over the splits both have: (splits, ratio, its error, difference, its error)."""
    both = sorted(set(own) & set(other))
    a, b = [own[s]["gain"] for s in both], [other[s]["gain"] for s in both]
    ratio = mean_error([x / y for x, y in zip(a, b)]) if min(b) > 0 else (float("inf"), float("nan"))
    return (len(both), *ratio, *mean_error([x - y for x, y in zip(a, b)]))


def verdict(n, ratio, difference, error, aim):
    if ratio < aim:
        return "no"
    if n < 2:
        return "yes, in one split"
    return "yes" if difference > 2 * error else "not beyond two errors"


def number(m, e, digits):
    return "%.*f" % (digits, m) if e != e else "%.*f +- %.*f" % (digits, m, digits, e)


def show_verdicts(by):
    print("| data | estimate | gain | best other method | its gain | splits | ratio | difference | aim | met |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, methods in by.items():
        for method, aim in AIMS.items():
            own = methods.get(method)
            other = best_other(methods, own) if own else None
            if not other:
                continue
            n, ratio, ratio_error, difference, error = compare(own, methods[other])
            print("| %s | %s | %.4f | %s | %.4f | %d | %s | %s | %.2f | %s |" % (
                name, method, gain_of(own), other, gain_of(methods[other]), n, number(ratio, ratio_error, 3),
                number(difference, error, 4), aim, verdict(n, ratio, difference, error, aim)))


def cell(seeds, key, digits):
    values = [r[key] for r in seeds.values() if key in r]
    return number(*mean_error(values), digits) if values else ""


def middle(seeds, key):
    values = [r[key] for r in seeds.values() if key in r]
    return "%.1f" % statistics.median(values) if values else ""


def columns_of(methods):
    """Name and cell of each column that has any values."""
    def used(key):
        return any(key in r for seeds in methods.values() for r in seeds.values())
    return [c for c in [
        ("splits", lambda seeds: str(len(seeds))),
        ("gain", lambda seeds: cell(seeds, "gain", 4)),
        ("truth", lambda seeds: cell(seeds, "truth", 4)),
        ("ARI", lambda seeds: cell(seeds, "ari", 2)),
        ("CPU, s", lambda seeds: middle(seeds, "cpu")),
        ("MiB", lambda seeds: "%d" % statistics.median(r["mib"] for r in seeds.values())),
    ] if {"truth": used("truth"), "ARI": used("ari"), "CPU, s": used("cpu")}.get(c[0], True)]


def show_set(name, methods):
    columns = columns_of(methods)
    print("\n**%s**\n" % name)
    print("| method | %s |" % " | ".join(c[0] for c in columns))
    print("|---" * (len(columns) + 1) + "|")
    for method in sorted(methods, key=lambda k: -gain_of(methods[k])):
        print("| %s | %s |" % (method, " | ".join(of(methods[method]) for _, of in columns)))


def show(*paths):
    by = load(paths)
    show_verdicts(by)
    for name, methods in by.items():
        show_set(name, methods)
