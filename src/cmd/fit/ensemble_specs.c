#include "ensemble_specs.h"
#include "model_fit.h"
#include "model_type.h"
#include "option_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/factors.h"

enum { WORD = 128 };

ql_status ensemble_check(const model_args *a, ql_err *err)
{
    const bool counts = model_likelihood(a) != &ql_gaussian;
    const bool fits = !strcmp(a->type, "nb") || !strcmp(a->type, "poisson");
    if (fits && counts && strcmp(a->vae.dispersion, "gene") != 0)
        return ql_fail(err, QL_EUSAGE, "--ensemble and --auto: not with --dispersion %s",
                       a->vae.dispersion);
    if (fits && counts) return QL_OK;
    ql_fail(err, QL_EUSAGE, "--ensemble mixes expected counts of types with a dispersion per gene");
    return ql_hint(err, QL_EUSAGE, "leave out --type and --target, or give --type nb or poisson");
}

/* ---- settings ---- */

/* One word NAME=VALUE into the options. */
static ql_status set_word(model_args *m, const char *word, ql_err *err)
{
    const size_t n = strcspn(word, "=");
    const ql_option *const seed[] = {ql_seed_rows, NULL};
    const ql_option *row = word[n] ? rows_find(ql_setting_tables, word, n) : NULL;
    if (row) return ql_opt_set(row, word + n + 1, (char *)m + row->offset, err);
    row = word[n] ? rows_find(seed, word, n) : NULL;
    if (row) return ql_opt_set(row, word + n + 1, (char *)&m->seed + row->offset, err);
    return ql_fail(err, QL_EUSAGE, "'%s' is no setting of a model", word);
}

/* *is: the word makes another kind of model: its name, or NAME=RANK where it has a rank. */
static ql_status set_kind(const char *word, ql_member_spec *out, bool *is, ql_err *err)
{
    const size_t n = strcspn(word, "=");
    char name[WORD], *end = NULL;
    (void)snprintf(name, sizeof name, "%.*s", (int)n, word);
    const ql_member_kind *kind = ql_member_kind_find(name);
    *is = kind && kind != &ql_member_network && (kind->most > 0) == (word[n] == '=');
    if (!*is) return QL_OK;
    out->kind = kind;
    if (kind->most == 0) return QL_OK;
    out->rank = strtol(word + n + 1, &end, 10);
    if (end != word + n + 1 && !*end && out->rank >= 1 && out->rank <= kind->most) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "%s: not a number from 1 to %lld", word, (long long)kind->most);
}

/* Every word in turn; those of options into m. */
static ql_status set_words(const char *settings, model_args *m, ql_member_spec *out, ql_err *err)
{
    char word[WORD];
    bool is;
    for (const char *at = settings; *at; at += strspn(at, " ")) {
        const size_t n = strcspn(at, " ");
        if (n >= sizeof word) return ql_fail(err, QL_EUSAGE, "a setting is too long: %s", at);
        memcpy(word, at, n);
        word[n] = '\0';
        at += n;
        QL_TRY(set_kind(word, out, &is, err));
        if (!is) QL_TRY(set_word(m, word, err));
        if (is && out->kind == &ql_member_vae) QL_TRY(model_become_vae(m, err));
    }
    return QL_OK;
}

/* The model that settings make of the options: words NAME=VALUE for a network; "means";
 * "factors=8"; "vae" and words NAME=VALUE. out->settings borrows them. QL_EUSAGE where they make
 * none. */
static ql_status make_spec(const model_args *a, const char *settings, int threads,
                           ql_member_spec *out, ql_err *err)
{
    model_args m = *a;
    *out = (ql_member_spec){.kind = &ql_member_network, .settings = settings};
    QL_TRY(set_words(settings, &m, out, err));
    if (model_is_vae(&m) && out->kind == &ql_member_network) out->kind = &ql_member_vae;
    QL_TRY(model_args_check(&m, err));
    model_fit_options(&m, threads, &out->fit);
    return ql_ae_check(&out->fit.ae, err);
}

/* ---- the models of --ensemble ---- */

static int scaled(int width, double factor)
{
    const int least = 2;
    const double w = width * factor;
    return w < least ? least : w > 1e6 ? (int)1e6 : (int)w;
}

/* "hidden=..." with one layer scaled. */
static void put_hidden(const model_args *a, int layer, double factor, ql_str *out)
{
    ql_str_puts(out, "hidden=");
    for (int i = 0; i < a->hidden.n; i++)
        ql_str_printf(out, "%s%d", i ? "," : "",
                      i == layer ? scaled(a->hidden.v[i], factor) : a->hidden.v[i]);
}

/* The variants take turns, each round with other seeds. */
void ensemble_put_variant(const model_args *a, int i, ql_str *out)
{
    enum { AS_GIVEN, WIDE_CODE, POISSON, NARROW_CODE, WIDE_LAYER, OTHER_SEED, N_VARIANTS };
    const int variant = i % N_VARIANTS;
    if (i == 0) return;
    if (variant == WIDE_CODE) put_hidden(a, a->hidden.n / 2, 2, out);
    if (variant == NARROW_CODE) put_hidden(a, a->hidden.n / 2, 0.5, out);
    if (variant == WIDE_LAYER) put_hidden(a, 0, 2, out);
    if (variant == POISSON) ql_str_puts(out, "type=poisson");
    ql_str_printf(out, "%sseed=%lld", out->len ? " " : "", (long long)a->seed.seed + i);
}

ql_status ensemble_specs_add(ensemble_specs *s, const model_args *a, const char *settings,
                             int threads, ql_err *err)
{
    char *text = s->settings[s->n];
    if (s->n == QL_MEMBERS_MOST)
        return ql_fail(err, QL_EUSAGE, "more than %d models", QL_MEMBERS_MOST);
    if (strlen(settings) >= QL_MEMBER_TEXT)
        return ql_fail(err, QL_EUSAGE, "settings of a model are too long: %s", settings);
    memcpy(text, settings, strlen(settings) + 1);
    QL_TRY(make_spec(a, text, threads, &s->spec[s->n], err));
    if (s->n > 0) s->spec[s->n].fit.ae.label_weight = 0; /* labels are learnt by the first */
    s->n++;
    return QL_OK;
}

ql_status ensemble_specs_make(const model_args *a, int threads, ensemble_specs **out, ql_err *err)
{
    ql_str text = {0};
    ql_status st = QL_OK;
    ensemble_specs *s;
    *out = NULL;
    QL_TRY(ensemble_check(a, err));
    QL_TRY(QL_NEW(s, 1, "the ensemble", err));
    for (int i = 0; i < a->ensemble && st == QL_OK; i++) {
        ql_str_clear(&text);
        ensemble_put_variant(a, i, &text);
        st = text.failed ? ql_fail(err, QL_EMEMORY, "no memory for the ensemble")
                         : ensemble_specs_add(s, a, ql_str_text(&text), threads, err);
    }
    ql_str_free(&text);
    if (st == QL_OK)
        *out = s;
    else
        ql_free(s);
    return st;
}

void ensemble_specs_covariates(ensemble_specs *s, const ql_fit_options *first)
{
    for (int i = 0; i < s->n; i++) {
        s->spec[i].fit.ae.vae.cov = first->ae.vae.cov;
        s->spec[i].fit.cov = first->cov;
    }
}

/* ---- of a file ---- */

static ql_status read_one(const ql_bundle *b, const model_args *a, int threads, ensemble_specs *s,
                          ql_err *err)
{
    char name[64];
    const ql_member_kind *kind = NULL;
    const char *settings = NULL;
    ql_err own = {0};
    const int i = s->n;
    snprintf(name, sizeof name, "ensemble/model%d/settings", i);
    QL_TRY(ql_bundle_text(b, name, &settings, err));
    QL_TRY(ql_ensemble_kind(b, i, &kind, err));
    if (ensemble_specs_add(s, a, settings, threads, &own) != QL_OK)
        return ql_fail(err, QL_EDATA, "%s: %s", name, own.msg);
    if (s->spec[i].kind != kind)
        return ql_fail(err, QL_EDATA, "%s is '%s', which makes no %s", name, settings, kind->name);
    return QL_OK;
}

ql_status ensemble_specs_read(const ql_bundle *b, const model_args *a, int threads,
                              ensemble_specs **out, ql_err *err)
{
    ensemble_specs *s;
    int n = 1;
    *out = NULL;
    QL_TRY(ql_ensemble_size(b, &n, err));
    if (n == 1) return QL_OK;
    QL_TRY(QL_NEW(s, 1, "the ensemble", err));
    while (s->n < n) {
        ql_status st = read_one(b, a, threads, s, err);
        if (st == QL_OK) continue;
        ql_free(s);
        return st;
    }
    *out = s;
    return QL_OK;
}
