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
