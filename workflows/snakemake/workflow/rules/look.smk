rule clusters:
    input:
        "results/denoised/{sample}.h5ad",
    output:
        report(
            "results/clusters/{sample}.tsv",
            caption="../report/clusters.rst",
            category="Clusters",
        ),
    log:
        "logs/{sample}/clusters.log",
    conda:
        "../envs/scanpy.yaml"
    params:
        resolution=config["resolution"],
        seed=config["seed"],
    # One thread, or the layout of UMAP is another every time.
    threads: 1
    shell:
        'python3 "$scripts/clusters.py" {input} --resolution {params.resolution} --seed {params.seed}'
        " > {output} 2> {log}"


rule report:
    input:
        h5ad="results/denoised/{sample}.h5ad",
        plan="results/plan/{sample}.json",
    output:
        report(
            "results/report/{sample}.html",
            caption="../report/report.rst",
            category="Reports",
        ),
    log:
        "logs/{sample}/report.log",
    conda:
        "../envs/quell.yaml"
    threads: 1
    retries: 3
    resources:
        mem_mb=job_mb,
        quell_mb=quell_mb,
        attempt=attempt_number,
    shell:
        'sh "$scripts/guard.sh" {resources.attempt} {log}'
        " quell report {input.h5ad} -o {output} --threads {threads} --memory {resources.quell_mb}M"


rule multiqc:
    input:
        expand("results/mqc/{sample}", sample=SAMPLES),
    output:
        report(
            "results/multiqc/report.html",
            caption="../report/multiqc.rst",
            category="Samples",
        ),
    log:
        "logs/multiqc.log",
    conda:
        "../envs/multiqc.yaml"
    shell:
        "multiqc --force --outdir $(dirname {output}) --filename $(basename {output}) {input}"
        " > {log} 2>&1"
