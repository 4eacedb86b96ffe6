# The page has clusters and their layout where these are of the denoised file.
rule report:
    input:
        h5ad=f"results/{REPORT_IN}/{{sample}}.h5ad",
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
        expand("results/mqc/{sample}.clusters", sample=SAMPLES if CLUSTERS else []),
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
