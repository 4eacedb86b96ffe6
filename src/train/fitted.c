#include "quell/fitted.h"

#include "quell/alloc.h"
#include "quell/ensemble.h"

ql_status ql_fitted_theta(ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    const ql_batch_source source = {.counts = counts};
    if (!f->theta) QL_TRY(QL_NEW(f->theta, f->prep.n_kept_genes, "dispersions", err));
    return ql_fit_theta(&f->ae, &source, f->split.train, f->split.n_train, f->theta, err);
}

void ql_fitted_free(ql_fitted *f)
{
    ql_ensemble_free(f->others);
    ql_ae_free(&f->ae);
    ql_split_free(&f->split);
    ql_train_result_free(&f->result);
    ql_prep_free(&f->prep);
    ql_reference_free(&f->reference);
    ql_latent_use_free(&f->latent);
    ql_latent_use_free(&f->second);
    ql_free(f->theta);
    ql_free(f->mix_weight);
    ql_free(f->mix_share);
    ql_free(f->gene_gain);
    ql_free(f->gene_gain_error);
    ql_free(f->lacks);
    *f = (ql_fitted){0};
}
