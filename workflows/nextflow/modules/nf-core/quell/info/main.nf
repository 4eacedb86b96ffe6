process QUELL_INFO {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container "quell:0.7.0"

    input:
    tuple val(meta), path(counts)

    output:
    tuple val(meta), path("${prefix}.info.json"), emit: json
    tuple val("${task.process}"), val('quell'), eval('quell --version | sed "s/^quell //"'), topic: versions, emit: versions_quell

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def memory = task.memory ? "--memory ${task.memory.toMega()}M" : ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    quell info \\
        --json \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        ${counts} \\
        > ${prefix}.info.json
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.info.json
    """
}
