process MULTIQC {
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container "multiqc/multiqc:v1.35"

    input:
    path(multiqc_files, stageAs: "?/*")

    output:
    path("${prefix}.html"), emit: report
    path("${prefix}_data"), emit: data
    tuple val("${task.process}"), val('multiqc'), eval('multiqc --version | sed "s/.* //"'), topic: versions, emit: versions_multiqc

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    prefix = task.ext.prefix ?: 'multiqc_report'
    """
    multiqc \\
        --force \\
        --filename ${prefix}.html \\
        ${args} \\
        .
    """

    stub:
    prefix = task.ext.prefix ?: 'multiqc_report'
    """
    mkdir ${prefix}_data
    touch ${prefix}.html
    """
}
