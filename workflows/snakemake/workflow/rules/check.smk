rule info:
    input:
        counts_of,
    output:
        "results/info/{sample}.json",
    log:
        "logs/{sample}/info.log",
    conda:
        "../envs/quell.yaml"
    params:
        options=config["read"],
    shell:
        "quell info --json --quiet {params.options} {input} > {output} 2> {log}"


rule samples:
    input:
        info=expand("results/info/{sample}.json", sample=SAMPLES),
        models=expand("results/models/{sample}.json", sample=SAMPLES),
    output:
        report(
            "results/samples.tsv",
            caption="../report/samples.rst",
            category="Samples",
        ),
    log:
        "logs/samples.log",
    conda:
        "../envs/quell.yaml"
    params:
        names=list(SAMPLES),
    shell:
        'python3 "$scripts/samples.py" --names {params.names} --info {input.info}'
        " --models {input.models} > {output} 2> {log}"


# What a run of this sample needs, with the options that it will have. Every thread needs some
# memory: planned for more than the rules have.
rule plan:
    input:
        counts=counts_of,
        info="results/info/{sample}.json",
    output:
        "results/plan/{sample}.json",
    log:
        "logs/{sample}/plan.log",
    conda:
        "../envs/quell.yaml"
    params:
        options=" ".join([TRAIN_OPTIONS, config["apply"]]),
        workers=config["memory"]["threads"],
    shell:
        "quell denoise {input.counts} -o unwritten.h5ad --plan=json --quiet"
        " --threads {params.workers} {params.options}"
        " > {output} 2> {log}"
