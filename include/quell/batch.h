/* A minibatch: the cells' counts cut out of a sparse matrix, transformed into the network's input.
 *
 * The input of gene g is (l - mean_g) / sd_g with l = log1p(count / size factor). Only l / sd_g of
 * the entries with counts is stored; the constant -mean_g / sd_g of every entry is added by the
 * input layer (docs/engine.md), so nothing dense is ever made. */
#ifndef QUELL_BATCH_H
#define QUELL_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/covariates.h"
#include "quell/kern.h"
#include "quell/rng.h"
#include "quell/rows.h"
#include "quell/tile.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How counts become inputs; the arrays are borrowed and belong to the model. */
typedef struct {
    bool log;              /* take log1p; else the scaled count itself */
    bool size_factors;     /* divide by the cell's size factor first */
    const ql_real *inv_sd; /* [genes] */
    const ql_real *shift;  /* [genes] -mean * inv_sd, or NULL: no centring */
    double median_total;   /* size factor = total / median_total */
    const int32_t *place;  /* [genes] place in genome order; NULL: as they are numbered */
} ql_input_map;

/* The cells' entries, each cell at a fixed stride. */
typedef struct {
    int64_t stride;      /* room for entries of a cell, a multiple of QL_PAD */
    int64_t *n_entries;  /* [cells] */
    int32_t *gene;       /* [cells, stride] */
    ql_real *value;      /* [cells, stride] */
    int32_t *tile_start; /* [cells, n_tiles + 1] first entry of each tile, within the cell */
} ql_entries;

/* Where the cells of a batch come from. */
typedef struct {
    const ql_rows *counts;
    const ql_rows
        *targets;          /* counts to be predicted where they are not the input; NULL: the same */
    double target_scale;   /* depth of the targets relative to the input's; 0 means 1 */
    double thin;           /* > 0: each molecule goes to the input with probability 1 - thin, else
                              to the target (drawn anew each epoch) */
    double lose;           /* > 0: each molecule is lost from the input with this probability; the
                              target keeps all (drawn anew each epoch) */
    uint64_t seed, epoch;  /* of thinning and corruption */
    bool clean;            /* no corruption of scaled inputs, whatever the model says */
    bool target_input;     /* the targets' values become inputs, like the inputs' (l / sd) */
    const int64_t *window; /* [n_windows] where each window of a training order ends: its rows are
                              read together (ql_rows_want); NULL: rows are read one by one */
    int64_t n_windows;
    /* of a variational model (variational.h): */
    const int64_t *cell;      /* row of the covariates for each row of the counts; NULL: the same */
    const ql_cov_values *cov; /* covariates of the cells; NULL: those the model was given (cov of
                                 ql_ae) */
    const ql_cov_values *const
        *decode; /* [n_decode] covariates the decoder sees instead, in turn, where the means are
                    wanted: with several the means are averaged; NULL: the same as the encoder */
    int n_decode;
    const float *code; /* [cells of the visit, code] what is decoded instead of the counts' code */
    const double *library; /* [cells of the visit] molecules; NULL: those of the counts */
    bool draw; /* the code is drawn in inference too, keyed by seed and epoch, and the divergence is
                  part of a cell's loss */
} ql_batch_source;

typedef struct {
    int64_t capacity; /* most cells */
    int64_t n, n_pad; /* cells, and padded */
    ql_tiling tiling;
    ql_entries in;  /* inputs */
    ql_entries out; /* targets (counts, or their inputs); a view: of in's genes unless the source
                       has others */
    ql_entries ordered;   /* inputs by place instead of gene, tile by tile, in a tile in any order;
                             if there is room for them */
    ql_entries other;     /* genes of targets that differ, and the targets' values; owned */
    bool separate;        /* other has genes of its own */
    ql_real *size;        /* [n_pad] factor of the mean: size factor of the input (1 for pads) */
    double *total;        /* [n] molecules of the input */
    ql_real *library;     /* [n_pad] molecules of the target that are expected from the input's (1
                             for pads) */
    ql_real *weight;      /* [n_pad] factor of each cell's gradient, 0 for pads */
    int64_t *row;         /* [n] of the source */
    int64_t *cell;        /* [n] their rows of the covariates */
    uint64_t seed, epoch; /* of the source */
    bool clean;           /* of the source */
    const float *code;    /* of the source, from the batch's first cell on; NULL: none */
} ql_batch;

/* Room for batches of up to capacity cells whose rows have up to max_nnz entries. separate: targets
 * may have other entries than inputs. */
QL_MUST_USE ql_status ql_batch_alloc(ql_batch *b, int64_t capacity, int64_t max_nnz,
                                     ql_tiling tiling, bool separate, ql_err *err);

/* Room for `ordered` too. */
QL_MUST_USE ql_status ql_batch_alloc_ordered(ql_batch *b, ql_err *err);
int64_t ql_batch_ordered_bytes(int64_t capacity, int64_t max_nnz, ql_tiling tiling);

void ql_batch_free(ql_batch *b);

/* Bytes that ql_batch_alloc takes. */
int64_t ql_batch_bytes(int64_t capacity, int64_t max_nnz, ql_tiling tiling, bool separate);

/* Make the batch ready for n cells of the source; weight of each real cell. */
void ql_batch_begin(ql_batch *b, const ql_batch_source *source, int64_t n, ql_real weight);

/* Fill cell i of the batch from row `row` of the source. Cells may be filled by different threads.
 */
void ql_batch_fill(ql_batch *b, int64_t i, const ql_batch_source *source, int64_t row,
                   const ql_input_map *map, const ql_kern *kern);

/* Entries of cell i that lie in a tile: first entry within the batch arrays and how many. */
static inline ql_span ql_entries_in(const ql_entries *e, const ql_tiling *t, int64_t i,
                                    int64_t tile)
{
    const int32_t *start = e->tile_start + i * (t->n_tiles + 1) + tile;
    return (ql_span){i * e->stride + start[0], start[1] - start[0]};
}

#ifdef __cplusplus
}
#endif
#endif
