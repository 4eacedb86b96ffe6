# A latent space, then neighbours, clusters and a layout of it. embed: model: dca in the configuration is
# the space of the model that denoises, for which nothing has to be computed; another model is a job of
# its own on the counts. Each step carries the file before it through and adds to it.
if EMBEDS:

    rule plan_embed:
        input:
            counts=counts_of,
            info="results/info/{sample}.json",
        output:
            "results/plan/{sample}.embed.json",
        log:
            "logs/{sample}/plan_embed.log",
        conda:
            "../envs/quell.yaml"
        params:
            options=EMBED_OPTIONS,
            workers=config["memory"]["threads"],
        shell:
            "quell embed {input.counts} -o unwritten.h5ad --plan=json --quiet"
            " --threads {params.workers} {params.options}"
            " > {output} 2> {log}"

    rule embed:
        input:
            counts=counts_of,
            plan="results/plan/{sample}.embed.json",
        output:
            "results/embedded/{sample}.h5ad",
        log:
            "logs/{sample}/embed.log",
        benchmark:
            "benchmarks/{sample}/embed.tsv"
        conda:
            "../envs/quell.yaml"
        params:
            options=EMBED_OPTIONS,
            seed=config["seed"],
        threads: 4
        retries: 3
        resources:
            mem_mb=job_mb,
            quell_mb=quell_mb,
            attempt=attempt_number,
        shell:
            'sh "$scripts/guard.sh" {resources.attempt} {log}'
            " quell embed {input.counts} -o {output} --seed {params.seed}"
            " --threads {threads} --memory {resources.quell_mb}M {params.options}"


rule neighbors:
    input:
        h5ad=f"results/{SPACE_IN}/{{sample}}.h5ad",
        plan=SPACE_PLAN,
    output:
        temp("results/neighbors/{sample}.h5ad"),
    log:
        "logs/{sample}/neighbors.log",
    conda:
        "../envs/quell.yaml"
    params:
        options=config["neighbors"],
    threads: 2
    retries: 3
    resources:
        mem_mb=job_mb,
        quell_mb=quell_mb,
        attempt=attempt_number,
    shell:
        'sh "$scripts/guard.sh" {resources.attempt} {log}'
        " quell neighbors {input.h5ad} -o {output}"
        " --threads {threads} --memory {resources.quell_mb}M {params.options}"


rule cluster:
    input:
        h5ad="results/neighbors/{sample}.h5ad",
        plan=SPACE_PLAN,
    output:
        h5ad=temp("results/clustered/{sample}.h5ad"),
        mqc=directory("results/mqc/{sample}.clusters"),
    log:
        "logs/{sample}/cluster.log",
    conda:
        "../envs/quell.yaml"
    params:
        resolution=config["resolution"],
        options=config["cluster"],
        seed=config["seed"],
    threads: 2
    retries: 3
    resources:
        mem_mb=job_mb,
        quell_mb=quell_mb,
        attempt=attempt_number,
    shell:
        'sh "$scripts/guard.sh" {resources.attempt} {log}'
        " quell cluster {input.h5ad} -o {output.h5ad} --resolution {params.resolution}"
        " --seed {params.seed} --mqc {output.mqc} --sample-id {wildcards.sample}"
        " --threads {threads} --memory {resources.quell_mb}M {params.options}"


rule layout:
    input:
        h5ad="results/clustered/{sample}.h5ad",
        plan=SPACE_PLAN,
    output:
        "results/clusters/{sample}.h5ad",
    log:
        "logs/{sample}/layout.log",
    benchmark:
        "benchmarks/{sample}/layout.tsv"
    conda:
        "../envs/quell.yaml"
    params:
        options=config["layout"],
        seed=config["seed"],
    threads: 2
    retries: 3
    resources:
        mem_mb=job_mb,
        quell_mb=quell_mb,
        attempt=attempt_number,
    shell:
        'sh "$scripts/guard.sh" {resources.attempt} {log}'
        " quell layout {input.h5ad} -o {output} --seed {params.seed}"
        " --threads {threads} --memory {resources.quell_mb}M {params.options}"
