/* Fitting a count autoencoder from start to finish: preprocessing, split, training, dispersions,
 * and the honest score. What the commands share. */
#ifndef QUELL_FIT_H
#define QUELL_FIT_H

#include "quell/fitted.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Epochs that scvi-tools trains so many cells for. */
int64_t ql_scvi_epochs(int64_t n_cells);

/* Bytes a fit takes beside the counts, so that the plan can be checked before the work starts. */
int64_t ql_fit_bytes(const ql_rows *counts, const ql_fit_options *opt);
/* Of these, what a fitted model holds that has neither moments nor the molecules held out. */
int64_t ql_fit_held_bytes(const ql_rows *counts, const ql_fit_options *opt);

/* Fit a model to counts. Empty genes are set aside IN PLACE (ql_prep_counts). Release *out with
 * ql_fitted_free; it is empty after a failure. */
QL_MUST_USE ql_status ql_fit(ql_rows *counts, const ql_fit_options *opt, const ql_kern *kern,
                             const ql_train_listener *listener, ql_fitted *out, ql_err *err);

/* Score, gains of the genes and coverage, by molecules that nothing has looked at. */
QL_MUST_USE ql_status ql_fitted_judge(ql_fitted *f, const ql_held_out *parts, ql_err *err);

/* A fit of one model or of several: ql_fit's part, with all that it needs in ctx. */
typedef struct {
    ql_status (*run)(void *ctx, ql_rows *counts, ql_fitted *out, ql_err *err);
    void *ctx;
} ql_fit_call;

/* Score by molecular cross-validation: split every cell's molecules, fit on 90 %, predict the rest
 * (a run of its own). */
QL_MUST_USE ql_status ql_cross_validate(const ql_rows *counts, uint64_t seed,
                                        const ql_fit_call *fit, ql_score *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
