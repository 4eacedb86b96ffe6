process QUELL_CONVERT {
    tag "${meta.id}"
    label 'process_low'

    conda "${moduleDir}/environment.yml"
    container "quell:0.7.0"

    input:
    tuple val(meta), path(counts)

    output:
    tuple val(meta), path("${prefix}.${suffix}"), emit: counts
    tuple val("${task.process}"), val('quell'), eval('quell --version | sed "s/^quell //"'), topic: versions, emit: versions_quell

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def memory = task.memory ? "--memory ${task.memory.toMega()}M" : ''
    prefix = task.ext.prefix ?: "${meta.id}"
    suffix = task.ext.suffix ?: 'h5ad'
    if ([counts].flatten().any { file -> file.name == "${prefix}.${suffix}" }) {
        error("QUELL_CONVERT: the input is called ${prefix}.${suffix} as the output: set another ext.prefix")
    }
    """
    quell convert \\
        ${counts} \\
        -o ${prefix}.${suffix} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args}
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    suffix = task.ext.suffix ?: 'h5ad'
    """
    touch ${prefix}.${suffix}
    """
}
