#include "decode_as.h"

#include <math.h>
#include <string.h>

#include "../fit/cell_covariates.h"
#include "../fit/vae_args.h"
#include "quell/alloc.h"
#include "quell/ensemble.h"

enum { NAME = 256, MOST = 1000 };

void decode_as_free(decode_as *d)
{
    ql_free(d->values);
    ql_free(d->list);
    ql_free(d->fixed);
    *d = (decode_as){0};
}

/* One entry of the list: fixed becomes the level's number, or *mean the covariate. */
static ql_status take_entry(const ql_covariates *cov, int k, const char *level, float *fixed,
                            int *mean, ql_err *err)
{
    const ql_covariate *c = &cov->item[k];
    const int64_t number = ql_covariate_level(c, level);
    if (number >= 0) {
        fixed[k] = (float)number;
        return QL_OK;
    }
    if (strcmp(level, "mean") != 0)
        return cell_level_unknown(&c->levels, c->name, "--decode-as", level, "; or mean", err);
    if (*mean >= 0) return ql_fail(err, QL_EUSAGE, "--decode-as: mean of one column at most");
    *mean = k;
    return QL_OK;
}

static ql_status take_entries(const char *text, const ql_covariates *cov, float *fixed, int *mean,
                              ql_err *err)
{
    char level[NAME];
    for (int k = 0; vae_column(text, k, level, sizeof level); k++) {
        if (k >= cov->n || cov->item[k].number)
            return ql_fail(err, QL_EUSAGE, "--decode-as %s: the model has %d batch columns", text,
                           k);
        QL_TRY(take_entry(cov, k, level, fixed, mean, err));
    }
    return QL_OK;
}

/* All that is mixed must know batches. */
static ql_status check_members(const ql_ensemble *e, const char *text, ql_err *err)
{
    for (int i = 0; e && i < e->n; i++)
        if (e->member[i].kind != &ql_member_vae)
            return ql_fail(err, QL_EUSAGE, "--decode-as %s: model %d (%s) knows no batches", text,
                           i + 1, e->member[i].kind->name);
    return QL_OK;
}

ql_status decode_as_set(const char *text, ql_fitted *fitted, decode_as *d, ql_err *err)
{
    float fixed[QL_COV_MOST];
    int mean = -1;
    const ql_covariates *cov = fitted->cov;
    if (!text) return QL_OK;
    if (!cov || cov->n == 0)
        return ql_fail(err, QL_EUSAGE, "--decode-as %s: the model has no batches", text);
    QL_TRY(check_members(fitted->others, text, err));
    const ql_cov_shape shape = ql_covariates_shape(cov);
    const int64_t width = ql_cov_width(&shape);
    for (int64_t k = 0; k < width; k++) fixed[k] = NAN;
    QL_TRY(take_entries(text, cov, fixed, &mean, err));
    d->n = mean >= 0 ? (int)cov->item[mean].levels.n : 1;
    if (d->n > MOST) return ql_fail(err, QL_EUSAGE, "--decode-as mean: of more than %d", MOST);
    QL_TRY(QL_NEW(d->values, d->n, "covariates", err));
    QL_TRY(QL_NEW(d->list, d->n, "covariates", err));
    QL_TRY(QL_NEW(d->fixed, d->n * width, "covariates", err));
    for (int i = 0; i < d->n; i++) {
        memcpy(d->fixed + i * width, fixed, (size_t)width * sizeof *fixed);
        if (mean >= 0) d->fixed[i * width + mean] = (float)i;
        d->values[i] = (ql_cov_values){.value = cov->value, .fixed = d->fixed + i * width};
        d->list[i] = &d->values[i];
    }
    fitted->decode = d->list;
    fitted->n_decode = d->n;
    return QL_OK;
}
