# shards: 0 in the configuration: one job writes the result. Otherwise as many jobs as shards, and
# one that gathers. The bytes are the same.
if SHARDS == 0:

    rule apply:
        input:
            counts=counts_of,
            model="results/models/{sample}.quell.h5",
            plan="results/plan/{sample}.json",
        output:
            "results/denoised/{sample}.h5ad",
        log:
            "logs/{sample}/apply.log",
        benchmark:
            "benchmarks/{sample}/apply.tsv"
        conda:
            "../envs/quell.yaml"
        params:
            options=" ".join([config["read"], config["apply"]]),
        threads: 4
        retries: 3
        resources:
            mem_mb=job_mb,
            quell_mb=quell_mb,
            attempt=attempt_number,
        shell:
            'sh "$scripts/guard.sh" {resources.attempt} {log}'
            " quell apply {input.counts} --load-model {input.model} -o {output} --no-score"
            " --threads {threads} --memory {resources.quell_mb}M {params.options}"

else:

    rule apply_shard:
        input:
            counts=counts_of,
            model="results/models/{sample}.quell.h5",
            plan="results/plan/{sample}.json",
        output:
            temp("results/parts/{sample}/{scatteritem}.h5ad"),
        log:
            "logs/{sample}/apply.{scatteritem}.log",
        conda:
            "../envs/quell.yaml"
        params:
            shard=lambda wildcards: wildcards.scatteritem.replace("-of-", "/"),
            options=" ".join([config["read"], config["apply"]]),
        threads: 2
        retries: 3
        resources:
            mem_mb=job_mb,
            quell_mb=quell_mb,
            attempt=attempt_number,
        shell:
            'sh "$scripts/guard.sh" {resources.attempt} {log}'
            " quell apply {input.counts} --load-model {input.model} -o {output} --no-score"
            " --shard {params.shard} --threads {threads} --memory {resources.quell_mb}M {params.options}"

    rule merge:
        input:
            counts=counts_of,
            parts=gather.shards("results/parts/{{sample}}/{scatteritem}.h5ad"),
            plan="results/plan/{sample}.json",
        output:
            "results/denoised/{sample}.h5ad",
        log:
            "logs/{sample}/merge.log",
        benchmark:
            "benchmarks/{sample}/merge.tsv"
        conda:
            "../envs/quell.yaml"
        params:
            options=config["read"],
        threads: 1
        retries: 3
        resources:
            mem_mb=job_mb,
            quell_mb=quell_mb,
            attempt=attempt_number,
        shell:
            'sh "$scripts/guard.sh" {resources.attempt} {log}'
            " quell merge {input.parts} --input {input.counts} -o {output}"
            " --threads {threads} --memory {resources.quell_mb}M {params.options}"
