#include "quell/covariates_bundle.h"

#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"

#define NAMES  "covariates/names"
#define LABEL  "covariates/label"
#define LABELS "covariates/labels"
enum { NAME = 64, MOST_LEVELS = 1 << 20 };

static void entry_name(int k, const char *what, char out[NAME])
{
    snprintf(out, NAME, "covariates/%d/%s", k, what);
}

/* ---- putting ---- */

static ql_status put_item(const ql_covariate *c, int k, ql_bundle *b, ql_err *err)
{
    char name[NAME];
    if (!c->number) {
        entry_name(k, "levels", name);
        return ql_bundle_copy_names(b, name, &c->levels, err);
    }
    entry_name(k, "mean", name);
    QL_TRY(ql_bundle_put_double(b, name, c->mean, err));
    entry_name(k, "sd", name);
    return ql_bundle_put_double(b, name, c->sd, err);
}

ql_status ql_covariates_put(const ql_covariates *c, ql_bundle *b, ql_err *err)
{
    ql_names names = {0};
    for (int k = 0; k < c->n; k++) {
        ql_status st = ql_names_add(&names, c->item[k].name, strlen(c->item[k].name), err);
        if (st != QL_OK) {
            ql_names_free(&names);
            return st;
        }
    }
    QL_TRY(ql_bundle_give_names(b, NAMES, &names, err));
    for (int k = 0; k < c->n; k++) QL_TRY(put_item(&c->item[k], k, b, err));
    if (!c->label) return QL_OK;
    QL_TRY(ql_bundle_put_text(b, LABEL, c->label, err));
    return ql_bundle_copy_names(b, LABELS, &c->labels, err);
}

/* ---- taking ---- */

static ql_status copy_text(const char *text, char **out, ql_err *err)
{
    const size_t n = strlen(text) + 1;
    QL_TRY(QL_NEW(*out, (int64_t)n, "a name", err));
    memcpy(*out, text, n);
    return QL_OK;
}

static ql_status take_names(const ql_bundle *b, const char *name, ql_names *out, ql_err *err)
{
    const ql_names *there;
    QL_TRY(ql_bundle_names(b, name, -1, &there, err));
    if (there->n < 1 || there->n > MOST_LEVELS)
        return ql_fail(err, QL_EDATA, "%s has %lld names", name, (long long)there->n);
    return ql_names_copy(there, out, err);
}

static ql_status take_item(const ql_bundle *b, int k, const char *column, ql_covariate *c,
                           ql_err *err)
{
    char name[NAME];
    QL_TRY(copy_text(column, &c->name, err));
    entry_name(k, "levels", name);
    c->number = ql_bundle_find(b, name) == NULL;
    if (!c->number) return take_names(b, name, &c->levels, err);
    entry_name(k, "mean", name);
    QL_TRY(ql_bundle_double(b, name, &c->mean, err));
    entry_name(k, "sd", name);
    QL_TRY(ql_bundle_double(b, name, &c->sd, err));
    return c->sd > 0 ? QL_OK : ql_fail(err, QL_EDATA, "%s is %g", name, c->sd);
}

static ql_status take_all(const ql_bundle *b, ql_covariates *out, ql_err *err)
{
    const ql_names *names;
    const char *label;
    QL_TRY(ql_bundle_names(b, NAMES, -1, &names, err));
    if (names->n > QL_MAX_COVARIATES)
        return ql_fail(err, QL_EDATA, NAMES " has %lld names", (long long)names->n);
    for (int k = 0; k < (int)names->n; k++) {
        out->n++; /* it is freed with the others */
        QL_TRY(take_item(b, k, ql_name(names, k), &out->item[k], err));
    }
    if (!ql_bundle_find(b, LABEL)) return QL_OK;
    QL_TRY(ql_bundle_text(b, LABEL, &label, err));
    QL_TRY(copy_text(label, &out->label, err));
    return take_names(b, LABELS, &out->labels, err);
}

ql_status ql_covariates_take(const ql_bundle *b, ql_covariates *out, ql_err *err)
{
    *out = (ql_covariates){0};
    if (!ql_bundle_find(b, NAMES)) return QL_OK;
    ql_status st = take_all(b, out, err);
    if (st != QL_OK) ql_covariates_free(out);
    return st;
}
