#!/usr/bin/env nextflow
/*
 * Denoised counts and an embedding for every sample of a sheet: look at the counts, train, apply the
 * model to shards of the cells, gather the shards; neighbours, clusters and a layout of the cells; a
 * MultiQC report if wanted.
 * docs/nextflow.md says how to run it.
 */
nextflow.preview.topic = true

include { QUELL_DENOISING } from './subworkflows/local/quell_denoising'
include { QUELL_CLUSTERS  } from './subworkflows/local/quell_clusters'
include { QUELL_EMBED     } from './modules/nf-core/quell/embed'
include { QUELL_REPORT    } from './modules/nf-core/quell/report'
include { MULTIQC         } from './modules/nf-core/multiqc'

// Paths in the sheet are relative to the sheet, unless absolute or an address.
def counts_of(row, sheet) {
    def counts = row.counts.trim()
    def path = counts.startsWith('/') || counts.contains('://') ? file(counts) : sheet.parent.resolve(counts).normalize()
    if (!path.exists()) {
        error("${sheet.name}: sample ${row.sample}: there is no ${path}")
    }
    return path
}

def sample_of(row, sheet) {
    if (!row.sample || !row.counts) {
        error("${sheet.name}: every line needs a sample and its counts (columns sample,counts): ${row}")
    }
    if (!(row.sample ==~ /[A-Za-z0-9][A-Za-z0-9._-]*/)) {
        error("${sheet.name}: sample '${row.sample}': names hold letters, digits, '.', '_' and '-'")
    }
    return [[id: row.sample], counts_of(row, sheet)]
}

def samples_of(sheet) {
    def samples = sheet.splitCsv(header: true, strip: true).collect { row -> sample_of(row, sheet) }
    if (!samples) {
        error("${sheet.name}: no samples in it")
    }
    def names = samples.collect { meta, _counts -> meta.id }
    def twice = names.findAll { name -> names.count(name) > 1 }
    if (twice) {
        error("${sheet.name}: sample ${twice[0]} is there more than once")
    }
    return samples
}

def check_params() {
    if (!params.input) {
        error('--input: a sheet with the columns sample,counts is needed (-profile test runs the example data)')
    }
    if (!(params.shards.toString() ==~ /[1-9][0-9]*/)) {
        error("--shards ${params.shards}: at least 1 is needed")
    }
    if (!(params.embed_model in ['dca', 'vae', 'scdha', 'pca'])) {
        error("--embed_model ${params.embed_model}: dca, vae, scdha and pca are known")
    }
    if (params.auto && params.ensemble.toInteger() > 1) {
        error('--auto chooses the models itself: it does not go with --ensemble')
    }
    // A relative one would lie in the work directory of each task, and a retry would not find it.
    if (!params.checkpoint_dir.toString().startsWith('/')) {
        error("--checkpoint_dir ${params.checkpoint_dir}: an absolute path is needed")
    }
}

workflow {
    main:
    check_params()
    file(params.checkpoint_dir).mkdirs()

    def sheet = file(params.input, checkIfExists: true)
    ch_models = params.model ? channel.fromPath(params.model, checkIfExists: true) : channel.empty()
    QUELL_DENOISING(channel.fromList(samples_of(sheet)), ch_models, !params.model, params.shards.toInteger())
    ch_multiqc = QUELL_DENOISING.out.multiqc_files

    // The space that is clustered: that of the model that denoises, or that of another one.
    ch_spaces = QUELL_DENOISING.out.h5ad
    if (params.embed_model != 'dca') {
        QUELL_EMBED(QUELL_DENOISING.out.counts)
        ch_spaces = QUELL_EMBED.out.h5ad
    }
    // The page has clusters and their layout where these are of the denoised file.
    ch_pages = QUELL_DENOISING.out.h5ad
    if (params.clusters) {
        QUELL_CLUSTERS(ch_spaces)
        ch_multiqc = ch_multiqc.mix(QUELL_CLUSTERS.out.multiqc_files)
        ch_pages = params.embed_model == 'dca' ? QUELL_CLUSTERS.out.h5ad : ch_pages
    }
    if (params.reports) {
        QUELL_REPORT(ch_pages)
    }
    if (params.multiqc) {
        MULTIQC(ch_multiqc.flatten().collect(sort: { a, b -> a.name <=> b.name }))
    }

    channel.topic('versions')
        .unique()
        .map { process, tool, version -> "${process.tokenize(':').last()}:\n    ${tool}: ${version}" }
        .collectFile(name: 'versions.yml', storeDir: "${params.outdir}/pipeline_info", newLine: true, sort: true)
}
