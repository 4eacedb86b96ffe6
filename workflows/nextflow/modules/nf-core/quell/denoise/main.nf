process QUELL_DENOISE {
    tag "${meta.id}"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    container "quell:0.7.0"

    input:
    tuple val(meta), path(counts)
    tuple val(meta2), path(model)

    output:
    tuple val(meta), path("${prefix}.h5ad"), emit: h5ad
    tuple val(meta), path("*.quell.h5"), emit: model, optional: true
    tuple val(meta), path("${prefix}.summary.json"), emit: summary, optional: true
    path "*_mqc.{json,tsv}", emit: multiqc_files, optional: true
    tuple val("${task.process}"), val('quell'), eval('quell --version | sed "s/^quell //"'), topic: versions, emit: versions_quell

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def memory = task.memory ? "--memory ${task.memory.toMega()}M" : ''
    def init = model ? "--init-from ${model}" : ''
    prefix = task.ext.prefix ?: "${meta.id}"
    if ([counts].flatten().any { file -> file.name == "${prefix}.h5ad" }) {
        error("QUELL_DENOISE: the input is called ${prefix}.h5ad as the output: set another ext.prefix")
    }
    """
    quell denoise \\
        ${counts} \\
        -o ${prefix}.h5ad \\
        ${init} \\
        --threads ${task.cpus} \\
        ${memory} \\
        --summary ${prefix}.summary.json \\
        ${args}
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.h5ad
    touch ${prefix}.summary.json
    """
}
