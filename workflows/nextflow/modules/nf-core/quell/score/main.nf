process QUELL_SCORE {
    tag "${meta.id}"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    container "quell:0.7.0"

    input:
    tuple val(meta), path(counts)
    tuple val(meta2), path(model)

    output:
    tuple val(meta), path("${prefix}.scores.tsv"), emit: tsv
    tuple val(meta), path("${prefix}.summary.json"), emit: summary, optional: true
    tuple val("${task.process}"), val('quell'), eval('quell --version | sed "s/^quell //"'), topic: versions, emit: versions_quell

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def memory = task.memory ? "--memory ${task.memory.toMega()}M" : ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    quell score \\
        ${counts} \\
        -m ${model} \\
        -o ${prefix}.scores.tsv \\
        --threads ${task.cpus} \\
        ${memory} \\
        --summary ${prefix}.summary.json \\
        ${args}
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.scores.tsv
    touch ${prefix}.summary.json
    """
}
