/* Poisson factors as a member of an ensemble. */
#include <string.h>

#include "quell/alloc.h"
#include "quell/factors.h"
#include "quell/member.h"

/* Chosen by held-out molecules of four data sets (docs/ensembles.md). */
#define CELL_PRIOR 50.0
#define GENE_PRIOR 2000.0
#define TOLERANCE  2e-4
enum { ROUNDS = 200 };

static int64_t bytes(const ql_rows *counts, const ql_member_spec *spec)
{
    return ql_factors_bytes(counts->n_rows, counts->n_cols, (int)spec->rank) +
           2 * ql_cursor_bytes(counts->max_row);
}

static void release(void *state)
{
    if (state) ql_factors_free(state);
    ql_free(state);
}

static ql_status fit(const ql_member_data *data, const ql_member_spec *spec, void **state,
                     ql_err *err)
{
    const ql_factors_options opt = {.rank = (int)spec->rank,
                                    .rounds = ROUNDS,
                                    .tolerance = TOLERANCE,
                                    .cell_prior = CELL_PRIOR,
                                    .gene_prior = GENE_PRIOR,
                                    .seed = spec->fit.ae.seed};
    ql_factors *f;
    QL_TRY(QL_NEW(f, 1, "factors", err));
    ql_status st = ql_factors_fit(data->counts, data->train, data->n_train, &opt, f, err);
    if (st == QL_OK)
        *state = f;
    else
        release(f);
    return st;
}

static ql_status rates(void *state, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       int64_t ld, ql_real *out, ql_err *err)
{
    return ql_factors_rates(state, source->counts, rows, n, ld, out, err);
}

/* ---- in a file ---- */

static ql_status put(const void *state, ql_bundle *b, ql_err *err)
{
    const ql_factors *f = state;
    float *profile;
    QL_TRY(QL_NEW(profile, f->n_genes * f->rank, "factors", err));
    for (int64_t g = 0; g < f->n_genes; g++)
        memcpy(profile + g * f->rank, f->profile + g * f->width, (size_t)f->rank * sizeof *profile);
    QL_TRY(ql_bundle_give_array(b, "profile", (ql_array){QL_ELEM_F32, f->n_genes, f->rank, profile},
                                profile, err));
    QL_TRY(ql_bundle_copy_array(b, "usage", (ql_array){QL_ELEM_F32, f->rank, -1, f->usage}, err));
    return ql_bundle_put_double(b, "cell_prior", f->cell_prior, err);
}

static ql_status check(const ql_bundle *b, const ql_member_spec *spec, int64_t n_genes, ql_err *err)
{
    double prior = 0;
    QL_TRY(ql_bundle_numbers(b, "profile", (ql_array){QL_ELEM_F32, n_genes, spec->rank, NULL},
                             QL_FROM_0_TO_1, NULL, err));
    QL_TRY(ql_bundle_numbers(b, "usage", (ql_array){QL_ELEM_F32, spec->rank, -1, NULL},
                             QL_FROM_0_TO_1, NULL, err));
    QL_TRY(ql_bundle_double(b, "cell_prior", &prior, err));
    return prior >= 0 ? QL_OK : ql_fail(err, QL_EDATA, "cell_prior is %g", prior);
}

static ql_status load(const ql_bundle *b, const ql_gene_places *genes, ql_factors *f, ql_err *err)
{
    ql_array profile;
    uint8_t *lacks = NULL;
    bool lacking = false;
    ql_status st;
    QL_GO(ql_bundle_array(b, "profile", (ql_array){QL_ELEM_F32, f->n_genes, f->rank, NULL},
                          &profile, err));
    for (int64_t g = 0; g < f->n_genes; g++)
        memcpy(f->profile + g * f->width, (const float *)profile.values + g * f->rank,
               (size_t)f->rank * sizeof *f->profile);
    QL_GO(ql_bundle_load(b, "usage", (ql_array){QL_ELEM_F32, f->rank, -1, NULL}, f->usage, err));
    QL_GO(ql_bundle_double(b, "cell_prior", &f->cell_prior, err));
    QL_GO(QL_NEW(lacks, f->n_genes, "gene list", err));
    for (int64_t g = 0; g < f->n_genes; g++) lacking |= lacks[g] = genes->place[g] < 0;
    if (lacking) ql_factors_lack(f, lacks);
out:
    ql_free(lacks);
    return st;
}

static ql_status take(const ql_bundle *b, const ql_member_spec *spec, const ql_rows *counts,
                      const ql_gene_places *genes, const ql_kern *kern, void **state, ql_err *err)
{
    ql_factors *f;
    (void)counts;
    (void)kern;
    QL_TRY(QL_NEW(f, 1, "factors", err));
    ql_status st = ql_factors_alloc(f, genes->n_genes, (int)spec->rank, err);
    if (st == QL_OK) st = load(b, genes, f, err);
    if (st == QL_OK)
        *state = f;
    else
        release(f);
    return st;
}

const ql_member_kind ql_member_factors = {
    .name = "factors",
    .help = "Poisson factors: non-negative matrix factorisation under the Kullback-Leibler loss",
    .most = QL_FACTORS_MOST,
    .bytes = bytes,
    .fit = fit,
    .rates = rates,
    .put = put,
    .check = check,
    .take = take,
    .free = release,
};
