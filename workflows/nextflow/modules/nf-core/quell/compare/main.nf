process QUELL_COMPARE {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container "quell:0.7.0"

    input:
    tuple val(meta), path(h5ad), val(reference)
    tuple val(meta2), path(others)

    output:
    tuple val(meta), path("${prefix}.compare.tsv"), emit: tsv
    tuple val(meta), path("${prefix}.summary.json"), emit: summary, optional: true
    tuple val("${task.process}"), val('quell'), eval('quell --version | sed "s/^quell //"'), topic: versions, emit: versions_quell

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def memory = task.memory ? "--memory ${task.memory.toMega()}M" : ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    quell compare \\
        ${h5ad}:${reference} \\
        ${others} \\
        --threads ${task.cpus} \\
        ${memory} \\
        --summary ${prefix}.summary.json \\
        ${args} \\
        > ${prefix}.compare.tsv
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.compare.tsv
    touch ${prefix}.summary.json
    """
}
