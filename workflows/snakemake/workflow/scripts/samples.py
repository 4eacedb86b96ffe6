"""One line a sample: what was read, how the training went, how good the model is. To stdout."""
import argparse
import csv
import json
import sys

COLUMNS = {  # of the table: from which file, where in it
    "cells": ("info", "cells"),
    "genes": ("info", "genes"),
    "counts_per_cell": ("info", "cell_sum", "median"),
    "genes_per_cell": ("info", "genes_per_cell_median"),
    "epochs": ("model", "training", "epochs"),
    "stopped": ("model", "training", "stopped"),
    "gain": ("model", "score", "posterior_gain"),
    "gain_stderr": ("model", "score", "posterior_gain_stderr"),
}


def look_up(facts, keys):
    for key in keys:
        facts = facts.get(key) if isinstance(facts, dict) else None
    return "NA" if facts is None else facts


def read_json(path):
    with open(path) as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("names", "info", "models"):
        parser.add_argument("--" + name, nargs="+", required=True)
    given = parser.parse_args()
    table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    table.writerow(["sample", *COLUMNS])
    for sample, info, model in zip(given.names, given.info, given.models):
        facts = {"info": read_json(info), "model": read_json(model)}
        table.writerow([sample, *(look_up(facts, keys) for keys in COLUMNS.values())])


main()
