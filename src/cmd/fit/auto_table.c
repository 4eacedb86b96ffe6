/* What was compared, in the output and in a model file. */
#include <stdio.h>
#include <string.h>

#include "auto_choice.h"
#include "quell/alloc.h"

#define AS_GIVEN "as given"
#define MIXTURE  "mixture"

const char *auto_name(const auto_choice *a, int i)
{
    if (i == a->specs.n) return MIXTURE;
    return *a->specs.settings[i] ? a->specs.settings[i] : AS_GIVEN;
}

static const struct {
    const char *name;
    size_t offset;
} columns[] = {
    {"gain", offsetof(ql_candidate, report)},
    {"gain_stderr", offsetof(ql_candidate, report_error)},
    {"gain_fold_sd", offsetof(ql_candidate, report_folds)},
    {"gain_select", offsetof(ql_candidate, select)},
    {"difference", offsetof(ql_candidate, difference)},
    {"difference_stderr", offsetof(ql_candidate, difference_error)},
    {"weight", offsetof(ql_candidate, weight)},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void get_column(const ql_choice *c, size_t k, double *values)
{
    for (int i = 0; i <= c->n; i++)
        memcpy(&values[i], (const char *)&c->candidate[i] + columns[k].offset, sizeof *values);
}

static ql_status list_names(const auto_choice *a, ql_names *names, ql_err *err)
{
    for (int i = 0; i <= a->specs.n; i++)
        QL_TRY(ql_names_add(names, auto_name(a, i), strlen(auto_name(a, i)), err));
    return QL_OK;
}

/* ---- in the output ---- */

static ql_status write_columns(const ql_choice *c, const char *prefix, ql_h5ad_writer *w,
                               ql_err *err)
{
    double values[QL_MEMBERS_MOST + 1];
    char key[160];
    for (size_t k = 0; k < N_COLUMNS; k++) {
        get_column(c, k, values);
        snprintf(key, sizeof key, "%s/%s", prefix, columns[k].name);
        QL_TRY(ql_h5ad_doubles(w, key, values, c->n + 1, err));
    }
    return QL_OK;
}

static ql_status write_names(const auto_choice *a, const char *prefix, ql_h5ad_writer *w,
                             ql_err *err)
{
    char key[160];
    ql_names names = {0};
    ql_status st;
    QL_GO(list_names(a, &names, err));
    snprintf(key, sizeof key, "%s/candidate", prefix);
    QL_GO(ql_h5ad_strings(w, key, &names, err));
    snprintf(key, sizeof key, "%s/chosen", prefix);
    QL_GO(ql_h5ad_string(w, key, auto_name(a, a->choice.chosen), err));
    snprintf(key, sizeof key, "%s/folds", prefix);
    QL_GO(ql_h5ad_int(w, key, a->choice.folds, err));
out:
    ql_names_free(&names);
    return st;
}

ql_status auto_write(const auto_choice *a, const char *prefix, ql_h5ad_writer *w, ql_err *err)
{
    if (!a || a->choice.n == 0) return QL_OK;
    QL_TRY(write_names(a, prefix, w, err));
    return write_columns(&a->choice, prefix, w, err);
}

/* ---- in a model file ---- */

#define GROUP "auto/"
enum { NAME = 64 };

ql_status auto_put(const auto_choice *a, ql_bundle *b, ql_err *err)
{
    double values[QL_MEMBERS_MOST + 1];
    char name[NAME];
    ql_names names = {0};
    if (!a || a->choice.n == 0) return QL_OK;
    const ql_array column = {QL_ELEM_F64, a->choice.n + 1, -1, values};
    ql_status st = list_names(a, &names, err);
    if (st == QL_OK) st = ql_bundle_copy_names(b, GROUP "candidate", &names, err);
    ql_names_free(&names);
    if (st != QL_OK) return st;
    QL_TRY(ql_bundle_put_int(b, GROUP "chosen", a->choice.chosen, err));
    QL_TRY(ql_bundle_put_int(b, GROUP "folds", a->choice.folds, err));
    QL_TRY(ql_bundle_put_int(b, GROUP "cells", a->choice.n_cells, err));
    for (size_t k = 0; k < N_COLUMNS; k++) {
        get_column(&a->choice, k, values);
        snprintf(name, sizeof name, GROUP "%s", columns[k].name);
        QL_TRY(ql_bundle_copy_array(b, name, column, err));
    }
    return QL_OK;
}

static ql_status take_names(const ql_bundle *b, auto_choice *a, ql_err *err)
{
    const ql_names *names = NULL;
    QL_TRY(ql_bundle_names(b, GROUP "candidate", -1, &names, err));
    if (names->n < 2 || names->n > QL_MEMBERS_MOST + 1)
        return ql_fail(err, QL_EDATA, GROUP "candidate has %lld names", (long long)names->n);
    a->specs.n = a->choice.n = (int)names->n - 1; /* the last is the mixture */
    for (int i = 0; i < a->specs.n; i++) {
        const char *text = ql_name(names, i);
        if (strlen(text) >= QL_MEMBER_TEXT)
            return ql_fail(err, QL_EDATA, GROUP "candidate: name %d is too long", i);
        snprintf(a->specs.settings[i], QL_MEMBER_TEXT, "%s", strcmp(text, AS_GIVEN) ? text : "");
    }
    return QL_OK;
}

static ql_status take_column(const ql_bundle *b, size_t k, ql_choice *c, ql_err *err)
{
    const ql_array want = {QL_ELEM_F64, c->n + 1, -1, NULL};
    const bool may_lack = columns[k].offset == offsetof(ql_candidate, report_folds); /* of one */
    char name[NAME];
    ql_array a;
    snprintf(name, sizeof name, GROUP "%s", columns[k].name);
    QL_TRY(may_lack ? ql_bundle_array(b, name, want, &a, err)
                    : ql_bundle_numbers(b, name, want, QL_FINITE, &a, err));
    for (int i = 0; i <= c->n; i++)
        memcpy((char *)&c->candidate[i] + columns[k].offset, (const double *)a.values + i,
               sizeof(double));
    return QL_OK;
}

static ql_status take(const ql_bundle *b, auto_choice *a, ql_err *err)
{
    int64_t chosen = 0, folds = 0;
    QL_TRY(take_names(b, a, err));
    QL_TRY(ql_bundle_int(b, GROUP "chosen", 0, a->choice.n, &chosen, err));
    QL_TRY(ql_bundle_int(b, GROUP "folds", 1, QL_CHOICE_FOLDS, &folds, err));
    QL_TRY(ql_bundle_int(b, GROUP "cells", 0, INT64_MAX, &a->choice.n_cells, err));
    a->choice.chosen = (int)chosen;
    a->choice.folds = (int)folds;
    for (size_t k = 0; k < N_COLUMNS; k++) QL_TRY(take_column(b, k, &a->choice, err));
    return QL_OK;
}

ql_status auto_take(const ql_bundle *b, auto_choice **out, ql_err *err)
{
    *out = NULL;
    if (!ql_bundle_find(b, GROUP "candidate")) return QL_OK;
    QL_TRY(QL_NEW(*out, 1, "candidates", err));
    ql_status st = take(b, *out, err);
    if (st == QL_OK) return QL_OK;
    ql_free(*out);
    *out = NULL;
    return st;
}
