__license__ = "BSD-3-Clause"

import shlex

from snakemake.shell import shell


def option(name, value):
    return f"{name} {shlex.quote(str(value))}" if value else ""


def listed(files):
    files = [files] if isinstance(files, str) else files
    return " ".join(shlex.quote(str(file)) for file in files)


log = snakemake.log_fmt_shell(stdout=True, stderr=True)
extra = snakemake.params.get("extra", "")
counts = listed(snakemake.input.get("counts", snakemake.input[0]))
output = option("--output", snakemake.output.get("h5ad", snakemake.output[0]))

memory_mb = snakemake.resources.get("mem_mb")
budget = option("--memory", f"{memory_mb}M" if memory_mb else "")
more = " ".join(
    filter(
        None,
        [
            option("--init-from", snakemake.input.get("init")),
            option("--save-model", snakemake.output.get("model")),
            option("--summary", snakemake.output.get("summary")),
            option("--checkpoint", snakemake.params.get("checkpoint")),
        ],
    )
)

shell(
    "quell denoise {counts} {output} --threads {snakemake.threads} {budget} {more} {extra} {log}"
)
