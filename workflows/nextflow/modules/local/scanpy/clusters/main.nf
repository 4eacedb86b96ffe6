process SCANPY_CLUSTERS {
    tag "${meta.id}"
    label 'process_low'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(h5ad)

    output:
    tuple val(meta), path("${prefix}.clusters.csv"), emit: csv
    tuple val(meta), path("${prefix}.umap.png"), emit: png
    tuple val("${task.process}"), val('scanpy'), eval('python3 -c "import importlib.metadata as m; print(m.version(\'scanpy\'))"'), topic: versions, emit: versions_scanpy

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    scanpy_clusters.py ${h5ad} ${prefix} ${args}
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.clusters.csv
    touch ${prefix}.umap.png
    """
}
