#include "ensemble_run.h"

#include <stdio.h>
#include <string.h>

static void tell_member(void *ctx, int i, const ql_member_spec *spec, const ql_fitted *fitted)
{
    const fit_run *f = ctx;
    const char *settings = *spec->settings ? spec->settings : "as given";
    if (fitted)
        ql_log_info(f->run->log, "  model %d: %s: %lld epochs (%s; best %lld)", i + 1, settings,
                    (long long)fitted->result.n_epochs, fitted->result.stopped,
                    (long long)fitted->result.best + 1);
    else
        ql_log_info(f->run->log, "  model %d: %s", i + 1, settings);
}

static ql_ensemble_options options_of(fit_run *f, bool tell)
{
    return (ql_ensemble_options){.threads = f->run->threads,
                                 .posterior = !f->output.means,
                                 .share = f->shares_known ? f->shares : NULL,
                                 .done = tell ? tell_member : NULL,
                                 .ctx = f};
}

/* The first starts from a model if one was given; the counts are known by now. */
void ensemble_complete(const fit_run *f, ensemble_specs *s)
{
    ensemble_specs_covariates(s, &f->options);
    for (int i = 0; i < s->n; i++) {
        ql_fit_options *o = &s->spec[i].fit;
        o->train.molecules = f->options.train.molecules;
        o->gene_rank = f->options.gene_rank;
        o->start = i == 0 ? f->options.start : NULL;
        o->resumable = f->options.resumable;
        o->shrink_genes = f->options.shrink_genes;
    }
}

static void tell_size(const fit_run *f)
{
    const int n = f->specs->n;
    ql_log_info(f->run->log, "ensemble: %d models, of which %d train side by side", n,
                f->rows.store         ? 1
                : f->run->threads < n ? f->run->threads
                                      : n);
}

ql_status ensemble_fit(fit_run *f, ql_rows *counts, bool tell, const ql_train_listener *listener,
                       ql_fitted *out, ql_err *err)
{
    const ql_ensemble_options opt = options_of(f, tell);
    ensemble_complete(f, f->specs);
    if (tell) tell_size(f);
    return ql_ensemble_fit(counts, f->specs->spec, f->specs->n, &opt, f->kern, listener, out, err);
}

void ensemble_tell(const fit_run *f)
{
    const ql_ensemble *e = f->fitted.others;
    const ql_mixture_facts *facts = &e->facts;
    ql_logger *log = f->run->log;
    ql_str shares = {0};
    for (int i = 0; i < e->n; i++) ql_str_printf(&shares, "%s%.3f", i ? ", " : "", facts->share[i]);
    ql_log_info(log, "ensemble: weights of the models %s%s", ql_str_text(&shares),
                facts->n_groups > 1 ? ", and others for groups of genes" : "");
    ql_str_free(&shares);
    ql_summary_int(f->run->summary, "ensemble_models", e->n);
    if (!facts->scored) return;
    ql_log_info(log,
                "ensemble: better than its first model alone (%.4f) by %+.4f +- %.4f nats a "
                "molecule (cells that were not trained on)",
                facts->alone, facts->better, facts->better_error);
    ql_summary_double(f->run->summary, "ensemble_first_gain", facts->alone);
    ql_summary_double(f->run->summary, "ensemble_better", facts->better);
    ql_summary_double(f->run->summary, "ensemble_better_stderr", facts->better_error);
}

/* ---- the table in the output ---- */

static ql_status put(ql_h5ad_writer *w, const char *prefix, const char *name, const double *values,
                     int64_t n, ql_err *err)
{
    char key[160];
    snprintf(key, sizeof key, "%s/%s", prefix, name);
    return ql_h5ad_doubles(w, key, values, n, err);
}

static ql_status put_one(ql_h5ad_writer *w, const char *prefix, const char *name, double value,
                         ql_err *err)
{
    char key[160];
    snprintf(key, sizeof key, "%s/%s", prefix, name);
    return ql_h5ad_double(w, key, value, err);
}

static ql_status write_settings(const ql_ensemble *e, const char *prefix, ql_h5ad_writer *w,
                                ql_err *err)
{
    char key[160];
    ql_names names = {0};
    ql_status st;
    for (int i = 0; i < e->n; i++) {
        const char *text = *e->member[i].settings ? e->member[i].settings : "as given";
        QL_GO(ql_names_add(&names, text, strlen(text), err));
    }
    snprintf(key, sizeof key, "%s/settings", prefix);
    QL_GO(ql_h5ad_strings(w, key, &names, err));
out:
    ql_names_free(&names);
    return st;
}

ql_status ensemble_write(const ql_ensemble *e, const char *prefix, ql_h5ad_writer *w, ql_err *err)
{
    char name[64];
    if (!e) return QL_OK;
    const ql_mixture_facts *facts = &e->facts;
    QL_TRY(write_settings(e, prefix, w, err));
    QL_TRY(put(w, prefix, "weight", facts->share, e->n, err));
    for (int k = 0; k < facts->n_groups && facts->n_groups > 1; k++) {
        snprintf(name, sizeof name, "weight_group%d", k + 1);
        QL_TRY(put(w, prefix, name, facts->group_weight[k], e->n, err));
    }
    if (!facts->scored) return QL_OK;
    QL_TRY(put_one(w, prefix, "first_gain", facts->alone, err));
    QL_TRY(put_one(w, prefix, "first_gain_stderr", facts->alone_error, err));
    QL_TRY(put_one(w, prefix, "better", facts->better, err));
    return put_one(w, prefix, "better_stderr", facts->better_error, err);
}
