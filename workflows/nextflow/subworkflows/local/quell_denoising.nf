/*
 * Denoise samples: train on each (or take one model for all), apply the model to its cells in
 * shards, gather the shards. The result has the same bytes for any number of shards.
 */
include { QUELL_INFO  } from '../../modules/nf-core/quell/info'
include { QUELL_TRAIN } from '../../modules/nf-core/quell/train'
include { QUELL_APPLY } from '../../modules/nf-core/quell/apply'
include { QUELL_MERGE } from '../../modules/nf-core/quell/merge'

workflow QUELL_DENOISING {
    take:
    samples // channel: [ meta, counts ]
    models  // channel: one model for all samples, or none if one is trained for each
    trains  // whether one is trained for each
    shards  // number of shards

    main:
    QUELL_INFO(samples)
    // What is no matrix of counts has failed by now, before anything is trained.
    ch_counts = samples.join(QUELL_INFO.out.json).map { meta, counts, _json -> [meta, counts] }

    ch_model = ch_counts.combine(models).map { meta, _counts, model -> [meta, model] }
    ch_multiqc = channel.empty()
    if (trains) {
        QUELL_TRAIN(ch_counts, [[:], []])
        ch_model = QUELL_TRAIN.out.model
        ch_multiqc = QUELL_TRAIN.out.multiqc_files
    }

    ch_shards = ch_counts
        .join(ch_model)
        .flatMap { meta, counts, trained ->
            (1..shards).collect { i -> [shards > 1 ? meta + [shard: i, shards: shards] : meta, counts, trained] }
        }
        .multiMap { meta, counts, trained ->
            counts: [meta, counts]
            model: [[id: trained.name], trained]
        }
    QUELL_APPLY(ch_shards.counts, ch_shards.model)

    ch_h5ad = QUELL_APPLY.out.h5ad
    if (shards > 1) {
        // Sorted: the order in which shards end must not change the hash of the task.
        ch_parts = ch_h5ad
            .map { meta, part -> [meta.findAll { key, _value -> !(key in ['shard', 'shards']) }, part] }
            .groupTuple(size: shards, sort: { a, b -> a.name <=> b.name })
            .join(ch_counts)
            .multiMap { meta, parts, counts ->
                parts: [meta, parts]
                counts: [meta, counts]
            }
        QUELL_MERGE(ch_parts.parts, ch_parts.counts)
        ch_h5ad = QUELL_MERGE.out.h5ad
    }

    emit:
    h5ad          = ch_h5ad             // channel: [ meta, h5ad ]
    model         = ch_model            // channel: [ meta, model ]
    counts        = ch_counts           // channel: [ meta, counts ] that are counts
    info          = QUELL_INFO.out.json // channel: [ meta, json ]
    multiqc_files = ch_multiqc          // channel: files
}
