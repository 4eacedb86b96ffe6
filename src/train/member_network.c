/* A network as a member of an ensemble. */
#include "member_network.h"

#include <string.h>

#include "network_rates.h"
#include "quell/alloc.h"
#include "quell/fit.h"

ql_status member_network_rates(void *state, const ql_batch_source *source, const int64_t *rows,
                               int64_t n, int64_t ld, ql_real *out, ql_err *err)
{
    ql_fitted *f = state;
    return ql_network_rates(&f->ae, source, rows, n, ld, out, err);
}

/* ---- the model ---- */

/* Dispersions, and what is moved back towards the mean, are the mixture's. */
static ql_fit_options fit_options(const ql_member_spec *spec)
{
    ql_fit_options o = spec->fit;
    o.fit_theta = o.shrink_genes = false;
    return o;
}

int64_t member_network_bytes(const ql_rows *counts, const ql_member_spec *spec)
{
    return ql_fit_bytes(counts, &spec->fit);
}

int64_t member_network_held(const ql_rows *counts, const ql_member_spec *spec)
{
    return ql_fit_held_bytes(counts, &spec->fit);
}

/* What only training and the choice of its best epoch need. */
static void drop_training(ql_fitted *f)
{
    ql_params_drop_moments(&f->ae.params);
    ql_csr_free(&f->split.stop_seen);
    ql_csr_free(&f->split.stop_held);
    ql_csr_free(&f->split.report_seen);
    ql_csr_free(&f->split.report_held);
}

const ql_fitted *member_network_itself(const void *state)
{
    return state;
}

void member_network_free(void *state)
{
    if (state) ql_fitted_free(state);
    ql_free(state);
}

/* Into a new ql_fitted, which *state is if all goes well. */
static ql_status settle(ql_status st, ql_fitted *f, void **state)
{
    if (st == QL_OK)
        *state = f;
    else
        member_network_free(f);
    return st;
}

ql_status member_network_fit(const ql_member_data *data, const ql_member_spec *spec, void **state,
                             ql_err *err)
{
    const ql_fit_options o = fit_options(spec);
    ql_rows counts = *data->counts;
    ql_fitted *f;
    QL_TRY(QL_NEW(f, 1, "a member of the ensemble", err));
    ql_status st = ql_fit(&counts, &o, data->kern, data->listener, f, err);
    if (st == QL_OK) drop_training(f);
    return settle(st, f, state);
}

/* The covariates are those of the first model, which the file has once. */
ql_status member_network_put(const void *state, ql_bundle *b, ql_err *err)
{
    ql_fitted f = *(const ql_fitted *)state;
    f.cov = NULL;
    return ql_fitted_put(&f, b, err);
}

ql_status member_network_check(const ql_bundle *b, const ql_member_spec *spec, int64_t n_genes,
                               ql_err *err)
{
    const ql_fit_options o = fit_options(spec);
    return ql_fitted_check(b, &o, n_genes, err);
}

ql_status member_network_take(const ql_bundle *b, const ql_member_spec *spec, const ql_rows *counts,
                              const ql_gene_places *genes, const ql_kern *kern, void **state,
                              ql_err *err)
{
    const ql_fit_options o = fit_options(spec);
    ql_fitted *f;
    QL_TRY(QL_NEW(f, 1, "a member of the ensemble", err));
    return settle(ql_fitted_take(b, &o, counts, genes, kern, f, err), f, state);
}

const ql_member_kind ql_member_network = {
    .name = "network",
    .help = "an autoencoder of the options given, with other widths, loss or seed",
    MEMBER_NETWORK,
};
