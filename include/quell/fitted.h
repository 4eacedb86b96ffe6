/* A fitted model: a network with all that it takes to use it; and the options it is fitted by. */
#ifndef QUELL_FITTED_H
#define QUELL_FITTED_H

#include "quell/code_use.h"
#include "quell/estimate.h"
#include "quell/latent_use.h"
#include "quell/reference.h"
#include "quell/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ql_fitted;
struct ql_ensemble;

/* Held-out counts inside their predictive intervals (coverage.h), summed over a group. */
typedef struct {
    double n, inside, below, above; /* counts; of these inside the interval, below it, above it */
    double seen, expected;          /* molecules held out, and how many were predicted */
} ql_cover;
enum { QL_COVER_THIRDS = 3, QL_COVER_LEVELS = 13 };
typedef struct {
    double level;                    /* nominal, 0.9; 0: not measured */
    ql_cover third[QL_COVER_THIRDS]; /* genes with counts in order of their mean, in three */
    ql_cover at[QL_COVER_LEVELS];    /* by the count expected of the cell and gene */
} ql_coverage;

/* Called when a new model has been built, before it is trained: may put other weights into it. */
typedef struct {
    ql_status (*set)(void *ctx, struct ql_fitted *fitted, ql_err *err);
    void *ctx;
} ql_fit_start;

typedef struct {
    ql_prep_options prep;
    ql_ae_config ae;
    ql_train_options train; /* batch_size 0: by the number of cells; patience -1: by the steps */
    bool fit_theta;         /* dispersions per gene by empirical Bayes after training */
    int64_t layer_epochs; /* above 0: each encoder layer is first trained on its own for so many */
    bool shrink_genes;    /* genes of which the model knows little: back towards their mean
                             (gene_gain.h) */
    const ql_fit_start *start; /* NULL: weights are drawn by the seed */
    bool resumable;            /* a state may be taken up: room for one is planned */
    int threads;
    const ql_covariates *cov; /* of the cells, with ae.vae.cov as its shape; NULL: none; borrowed,
                                 must outlive the fitted model */
    const int64_t *gene_rank; /* [genes of the file] place in the genome, for ae.conv; NULL: as they
                                 stand; borrowed */
} ql_fit_options;

typedef struct ql_fitted {
    ql_prep prep;
    ql_ae ae;
    ql_split split;
    ql_train_result result;
    ql_train_options train;   /* as used: sizes decided */
    const ql_covariates *cov; /* of the cells; NULL: none; borrowed */
    const ql_cov_values *const
        *decode; /* [n_decode] covariates that predictions are decoded with, averaged; borrowed */
    int n_decode;
    float *theta; /* [kept genes] dispersion per gene, NULL: the model's own per cell; owned */
    float *mix_weight, *mix_share;       /* [kept genes] as ql_ae has them; NULL: none; owned */
    double *gene_gain, *gene_gain_error; /* [kept genes] gene_gain.h; NULL: none; owned */
    uint8_t *lacks;                      /* [kept genes] as ql_ae has it; NULL: none; owned */
    int64_t n_lacking;
    ql_code_use code;     /* of all cells; n_units 0: not measured, as it has no rule of its own */
    ql_latent_use second; /* the same of its second code; n_units 0: it has none */
    ql_latent_use latent; /* of all cells; n_units 0: the model is not variational */
    ql_reference reference; /* for scores of cells; zero: those the model was trained on are here */
    ql_coverage coverage;   /* of the same molecules; level 0: none */
    ql_score score;         /* on the validation cells' `report` molecules; n_cells 0: none */
    struct ql_ensemble *others; /* models mixed with this one (ensemble.h); NULL: none; owned */
} ql_fitted;

void ql_fitted_free(ql_fitted *f);

/* Dispersions of the genes around the means as they are now, by the cells that were trained on. */
QL_MUST_USE ql_status ql_fitted_theta(ql_fitted *f, const ql_rows *counts, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
