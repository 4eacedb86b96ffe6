/* scDHA from counts to latent spaces: choice of genes by several small networks, then several
 * models that are trained side by side, of each the encoder after each of the last epochs
 * (docs/scdha.md). One network is one thread's work, so results do not depend on their number. */
#ifndef QUELL_SCDHA_FIT_H
#define QUELL_SCDHA_FIT_H

#include "quell/scdha_filter.h"
#include "quell/scdha_net.h"
#include "quell/scdha_scale.h"
#include "quell/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_SCDHA_MOST_MODELS = 16, QL_SCDHA_MOST_LATENTS = 64 };

/* How what is not given follows from the number of cells. */
typedef enum {
    QL_SCDHA_OWN,      /* quell's choice */
    QL_SCDHA_REFERENCE /* scDHA 1.2.2 */
} ql_scdha_rules;

/* What genes are chosen by. */
typedef enum {
    QL_SCDHA_DISPERSION, /* ql_scdha_dispersion */
    QL_SCDHA_WEIGHTS     /* the weights of small networks, as scDHA does */
} ql_scdha_gene_rule;

/* Which latent space is the result of a fit. */
typedef enum {
    QL_SCDHA_JOINED,   /* the last one of each model, side by side */
    QL_SCDHA_LAST,     /* the last one of model 1 */
    QL_SCDHA_CONSENSUS /* the one that ql_scdha_choose takes */
} ql_scdha_result;

/* Zero (NaN for weight decays) where the rules decide. */
typedef struct {
    ql_scdha_rules rules;
    int64_t genes;        /* to be kept, where there are more */
    int64_t filters;      /* networks that choose genes, 3 */
    int64_t filter_width; /* 32 */
    int64_t filter_epochs;
    double filter_rate, filter_decay;
    int64_t models, snapshots; /* 3 and 3 */
    int64_t train_cells, batch_size;
    int64_t hidden, latent;
    int64_t warm_up, epochs; /* 10 and 20, before the epochs of the snapshots */
    double rate, weight_decay, beta, noise;
    bool cell_noise, batch_norm; /* batch_norm: set by the rules */
    const double *cell_weight; /* [cells] of being drawn for training; NULL: all alike; borrowed */
    ql_scdha_gene_rule gene_rule;
    ql_scdha_result result;
    uint64_t seed;
    int threads;
} ql_scdha_options;

/* The defaults that do not depend on the cells. */
ql_scdha_options ql_scdha_defaults(ql_scdha_rules rules);

/* Everything that was left open, for so many cells. */
void ql_scdha_resolve(ql_scdha_options *opt, int64_t n_cells);

/* Halves are rounded to the even number, as R does. */
int64_t ql_scdha_batch_size(int64_t n_train);

typedef struct {
    bool filter;           /* of the choice of genes, or of the models */
    int64_t number, total; /* epochs done of this stage, and all of it */
    double loss;           /* mean over the networks */
} ql_scdha_epoch;

typedef struct {
    void (*epoch)(void *ctx, const ql_scdha_epoch *e);
    void *ctx;
    const ql_train_keeper *keeper; /* NULL: none */
} ql_scdha_listener;

/* A finished fit. */
typedef struct {
    ql_scdha_options opt; /* resolved */
    ql_scdha_scale scale;
    int64_t n_cells;
    int64_t n_genes; /* that the models see */
    double *weight;  /* [scale.n_kept] scores of the genes; NULL: all are taken; owned */
    int32_t *column; /* [scale.n_kept] a kept gene's number for the models, or -1; owned */
    int n_latents;   /* models * snapshots: model 1 snapshot 1, 2, ..., model 2, ... */
    int returned;    /* the one that is the result; -1: QL_SCDHA_JOINED */
    ql_scdha_encoder encoder[QL_SCDHA_MOST_LATENTS]; /* owned */
    double *filter_loss;                             /* [filters, filter_epochs]; owned */
    double *loss;                                    /* [models, ql_scdha_epochs]; owned */
    int64_t skipped;                                 /* steps left out because a gradient was NaN */
} ql_scdha;

/* Epochs of a model: warm-up, main, snapshots. */
static inline int64_t ql_scdha_epochs(const ql_scdha_options *o)
{
    return o->warm_up + o->epochs + o->snapshots;
}

/* QL_EDATA: fewer than two cells, or no value; QL_EDIVERGED: no step of an epoch could be taken;
 * QL_EINT, QL_ETERM. listener may be NULL. Release with ql_scdha_free whatever this returns. */
QL_MUST_USE ql_status ql_scdha_run(const ql_rows *rows, const ql_scdha_options *opt,
                                   const ql_kern *kern, const ql_scdha_listener *listener,
                                   ql_scdha *out, ql_err *err);
void ql_scdha_free(ql_scdha *f);

/* n of n_rows cells, ascending, into *list [n_rows] (owned by the caller): without replacement,
 * each draw by weight [n_rows] among the cells that are left (NULL: all alike), as R's sample.int
 * does. QL_EDATA: fewer than n cells have a weight above 0. */
QL_MUST_USE ql_status ql_scdha_draw(uint64_t seed, int64_t n_rows, int64_t n, const double *weight,
                                    int64_t **list, ql_err *err);

/* Columns of the result. */
static inline int64_t ql_scdha_width(const ql_scdha_options *o)
{
    return o->result == QL_SCDHA_JOINED ? o->models * o->latent : o->latent;
}

/* Bytes that fit and latents take beside the counts and what is returned. */
int64_t ql_scdha_bytes(const ql_rows *counts, const ql_scdha_options *opt);

/* Latent space `which` of every row into the first columns of out [rows, stride]; NaN for a cell
 * without inputs. The same for a cell whatever the others are. */
QL_MUST_USE ql_status ql_scdha_latents(const ql_scdha *f, const ql_rows *rows, int which,
                                       const ql_kern *kern, float *out, int64_t stride,
                                       ql_err *err);

/* The result into out [rows, ql_scdha_width]. */
QL_MUST_USE ql_status ql_scdha_result_of(const ql_scdha *f, const ql_rows *rows,
                                         const ql_kern *kern, float *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
