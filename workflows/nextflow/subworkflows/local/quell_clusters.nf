/*
 * Neighbours, clusters and a layout of cells with a latent space. Each step carries the file before it
 * through and adds to it.
 */
include { QUELL_NEIGHBORS } from '../../modules/nf-core/quell/neighbors'
include { QUELL_CLUSTER   } from '../../modules/nf-core/quell/cluster'
include { QUELL_LAYOUT    } from '../../modules/nf-core/quell/layout'

workflow QUELL_CLUSTERS {
    take:
    spaces // channel: [ meta, h5ad ]

    main:
    QUELL_NEIGHBORS(spaces)
    QUELL_CLUSTER(QUELL_NEIGHBORS.out.h5ad)
    QUELL_LAYOUT(QUELL_CLUSTER.out.h5ad)

    emit:
    h5ad          = QUELL_LAYOUT.out.h5ad           // channel: [ meta, h5ad ]
    multiqc_files = QUELL_CLUSTER.out.multiqc_files // channel: files
}
