# States of the training live outside results/: what a failed job leaves there is deleted.
rule train:
    input:
        counts=counts_of,
        plan="results/plan/{sample}.json",
    output:
        model="results/models/{sample}.quell.h5",
        mqc=directory("results/mqc/{sample}"),
    log:
        "logs/{sample}/train.log",
    benchmark:
        "benchmarks/{sample}/train.tsv"
    conda:
        "../envs/quell.yaml"
    params:
        options=TRAIN_OPTIONS,
        states=config["checkpoints"]["folder"],
        every=config["checkpoints"]["every"],
        seed=config["seed"],
    threads: 4
    retries: 3
    resources:
        mem_mb=job_mb,
        quell_mb=quell_mb,
        attempt=attempt_number,
    shell:
        'sh "$scripts/guard.sh" {resources.attempt} {log}'
        " quell train {input.counts} --save-model {output.model} --seed {params.seed}"
        " --mqc {output.mqc} --sample-id {wildcards.sample}"
        " --checkpoint {params.states} --checkpoint-every {params.every}"
        " --threads {threads} --memory {resources.quell_mb}M {params.options}"


rule model_info:
    input:
        "results/models/{sample}.quell.h5",
    output:
        "results/models/{sample}.json",
    log:
        "logs/{sample}/model_info.log",
    conda:
        "../envs/quell.yaml"
    shell:
        "quell info --json --quiet {input} > {output} 2> {log}"
