#include "fit_tell.h"

#include "ensemble_run.h"

static void tell_model(const fit_run *f)
{
    const ql_ae_config *c = &f->options.ae;
    ql_str hidden = {0};
    for (int i = 0; i < c->n_hidden; i++)
        ql_str_printf(&hidden, i ? "-%lld" : "%lld", (long long)c->hidden[i]);
    ql_log_info(f->run->log,
                "model: %s, hidden layers %s, %s, seed %lld, %d threads (%s), %s kernels%s%s",
                c->likelihood->name, ql_str_text(&hidden), c->optimizer->name, (long long)c->seed,
                f->run->threads, f->run->threads_from, f->kern->isa,
                f->bf16_how ? ", products in bfloat16 by " : "", f->bf16_how ? f->bf16_how : "");
    ql_str_free(&hidden);
}

/* A penalty's weight means nothing without what it is weighed against. */
static void tell_penalties(const fit_run *f)
{
    const ql_ae_config *c = &f->options.ae;
    if (!ql_ae_has_penalty(c)) return;
    ql_log_info(f->run->log,
                "penalties are weighed against the mean loss of %s and are part of the training "
                "loss (of the validation loss those of the weights)",
                c->mean_loss ? "an entry" : "a cell, the sum over its genes,");
}

static void tell_code(const fit_run *f)
{
    const ql_code_use *u = &f->fitted.code;
    if (u->n_units == 0) return;
    ql_log_info(f->run->log,
                "code: %.1f %% of the values are 0, %lld of %lld units are 0 in every cell, mean "
                "%.4g",
                100 * u->near_zero, (long long)u->dead, (long long)u->n_units, u->mean);
    ql_summary_double(f->run->summary, "code_near_zero", u->near_zero);
    ql_summary_int(f->run->summary, "code_dead_units", u->dead);
    ql_summary_double(f->run->summary, "code_mean", u->mean);
}

static void tell_latent(const fit_run *f)
{
    const ql_latent_use *u = &f->fitted.latent;
    ql_str units = {0};
    if (u->n_units == 0) return;
    for (int64_t i = 0; i < u->n_units; i++)
        ql_str_printf(&units, "%s%.2f", i ? ", " : "", u->kl[i]);
    ql_log_info(f->run->log,
                "code: divergence %.3f nats a cell (units: %.400s), %lld of %lld units active",
                u->total, ql_str_text(&units), (long long)u->active, (long long)u->n_units);
    if (f->fitted.ae.library.n_groups > 0) {
        ql_log_info(f->run->log, "library size: divergence %.3f nats a cell", u->library);
        ql_summary_double(f->run->summary, "kl_library", u->library);
    }
    if (f->fitted.second.n_units > 0) {
        const ql_latent_use *second = &f->fitted.second;
        ql_log_info(f->run->log,
                    "second code: divergence %.3f nats a cell, %lld of %lld units active",
                    second->total, (long long)second->active, (long long)second->n_units);
        ql_summary_double(f->run->summary, "kl2", second->total);
        ql_summary_int(f->run->summary, "active_units2", second->active);
    }
    ql_summary_double(f->run->summary, "kl", u->total);
    ql_summary_int(f->run->summary, "active_units", u->active);
    ql_str_free(&units);
}

static void tell_training(const fit_run *f)
{
    const ql_fitted *m = &f->fitted;
    const ql_prep *p = &m->prep;
    if (p->n_kept_genes < p->n_genes || p->n_kept_cells < p->n_cells)
        ql_log_info(f->run->log, "set aside: %lld genes and %lld cells without counts",
                    (long long)(p->n_genes - p->n_kept_genes),
                    (long long)(p->n_cells - p->n_kept_cells));
    ql_log_info(f->run->log,
                "trained %lld epochs of %lld cells in minibatches of %lld (%s; best epoch %lld, "
                "validation %.6f)",
                (long long)m->result.n_epochs, (long long)m->split.n_train,
                (long long)m->train.batch_size, m->result.stopped, (long long)m->result.best + 1,
                m->result.n_epochs ? m->result.history[m->result.best].validation : 0);
    ql_summary_int(f->run->summary, "cells", p->n_cells);
    ql_summary_int(f->run->summary, "genes", p->n_genes);
    ql_summary_int(f->run->summary, "epochs", m->result.n_epochs);
    ql_summary_int(f->run->summary, "best_epoch", m->result.best + 1);
}

void fit_tell_model(const fit_run *f)
{
    tell_model(f);
    tell_penalties(f);
}

void fit_tell_fitted(const fit_run *f)
{
    tell_training(f);
    if (f->specs) ensemble_tell(f);
    tell_code(f);
    tell_latent(f);
}
