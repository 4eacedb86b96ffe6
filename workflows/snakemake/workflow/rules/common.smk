import csv
import json
import math
import os
import re
import shutil
import subprocess

from snakemake.utils import validate


validate(config, schema="../schemas/config.schema.yaml")


def read_samples(path):
    with open(path, newline="") as sheet:
        return list(csv.DictReader(sheet, delimiter="\t"))


def samples_by_name(rows):
    names = {}
    for row in rows:
        validate(row, schema="../schemas/samples.schema.yaml")
        if row["sample"] in names:
            raise WorkflowError(f"{config['samples']}: sample {row['sample']} is there twice")
        names[row["sample"]] = row
    return names


SAMPLES = samples_by_name(read_samples(config["samples"]))
SHARDS = config["shards"]


wildcard_constraints:
    sample="|".join(re.escape(name) for name in SAMPLES),


scattergather:
    shards=max(1, SHARDS),


def counts_of(wildcards):
    return SAMPLES[wildcards.sample]["counts"]


def quell_clusters():
    """Whether the quell on the PATH, if there is one, was built with igraph."""
    if shutil.which("quell") is None:
        return False
    about = subprocess.run(["quell", "version"], capture_output=True, text=True)
    return "igraph" in about.stdout


def switched_on(setting, is_there):
    """auto: when the program or module is there."""
    return is_there() if setting == "auto" else setting


CLUSTERS = switched_on(config["clusters"], quell_clusters)
MULTIQC = switched_on(config["multiqc"], lambda: shutil.which("multiqc") is not None)


# How models are trained, besides the options in words.
def several_models():
    if config["auto"] and config["ensemble"] > 1:
        raise WorkflowError("auto chooses the models itself: it does not go with ensemble")
    if config["auto"]:
        return "--auto"
    return f"--ensemble {config['ensemble']}" if config["ensemble"] > 1 else ""


TRAIN_OPTIONS = " ".join([config["read"], several_models(), config["train"]])

# What is clustered: the space of the model that denoises, or that of another one.
EMBEDS = config["embed"]["model"] != "dca"
EMBED_OPTIONS = " ".join(
    [config["read"], "--model", config["embed"]["model"], config["embed"]["options"]]
)
SPACE_IN = "embedded" if EMBEDS else "denoised"
SPACE_PLAN = "results/plan/{sample}.embed.json" if EMBEDS else "results/plan/{sample}.json"
REPORT_IN = "clusters" if CLUSTERS and not EMBEDS else "denoised"


def wanted_files():
    files = expand("results/denoised/{sample}.h5ad", sample=SAMPLES)
    files += ["results/samples.tsv"]
    if config["reports"]:
        files += expand("results/report/{sample}.html", sample=SAMPLES)
    if EMBEDS:
        files += expand("results/embedded/{sample}.h5ad", sample=SAMPLES)
    if CLUSTERS:
        files += expand("results/clusters/{sample}.h5ad", sample=SAMPLES)
    if MULTIQC:
        files += ["results/multiqc/report.html"]
    return files


def quell_mb(wildcards, input, attempt):
    """Memory of quell in MiB: what it planned, more with every attempt, at most memory.limit_mb.

    Snakemake asks once more when the plan has been written.
    """
    with open(input.plan) as plan:
        planned = json.load(plan)["memory_bytes"]
    memory = config["memory"]
    grown = planned * memory["margin"] * memory["growth"] ** (attempt - 1)
    return min(max(1, math.ceil(grown / 2**20)), memory["limit_mb"])


def job_mb(wildcards, input, attempt):
    """Memory of the job: on a cluster a Snakemake runs in it beside quell."""
    return quell_mb(wildcards, input, attempt) + config["memory"]["beside_mb"]


def attempt_number(wildcards, attempt):
    return attempt


# Commands find the scripts as $scripts. As params they would make every job run again when the
# workflow is in another folder.
shell.prefix(f"set -euo pipefail; scripts='{workflow.basedir}/scripts'; ")
