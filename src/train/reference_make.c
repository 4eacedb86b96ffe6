#include "quell/reference_make.h"

#include "mahalanobis.h"
#include "quell/alloc.h"
#include "quell/outlier.h"
#include "quell/predict.h"

static ql_status place_training(ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    const int64_t width = ql_ae_latent_width(&f->ae);
    float *latent;
    QL_TRY(QL_NEW(latent, counts->n_rows * width, "the latent space", err));
    ql_status st = ql_predict_latent(f, counts, QL_LATENT_LINEAR, latent, err);
    if (st == QL_OK)
        st =
            ql_gauss_fit(&f->reference.gauss, latent, width, f->split.train, f->split.n_train, err);
    ql_free(latent);
    return st;
}

/* Only the held-out cells are scored: for that long they are the cells there are. */
static ql_status rate_held(ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    ql_prep *p = &f->prep;
    int64_t *const kept = p->kept_cell, n_kept = p->n_kept_cells;
    ql_cell_scores scores = {0};
    p->kept_cell = f->split.valid;
    p->n_kept_cells = f->split.n_valid;
    ql_status st = ql_cell_scores_of(f, counts, QL_OUTLIER_SCORES, &scores, err);
    p->kept_cell = kept;
    p->n_kept_cells = n_kept;
    if (st == QL_OK)
        st = ql_outlier_fit(&f->reference.held, &scores, p->total, f->split.valid, f->split.n_valid,
                            err);
    ql_cell_scores_free(&scores);
    return st;
}

ql_status ql_reference_make(ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    ql_reference_free(&f->reference);
    if (f->split.n_train < 1) return QL_OK;
    QL_TRY(place_training(f, counts, err));
    if (f->split.n_valid < 1 || f->ae.cfg.likelihood->gaussian) return QL_OK;
    return rate_held(f, counts, err);
}
