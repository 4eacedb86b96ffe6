#include "model_start.h"

#include "gene_match.h"
#include "quell/alloc.h"

static void tell(model_start *s, const gene_match *match, const ql_fitted *f, int64_t found,
                 const ql_start_report *report)
{
    ql_logger *log = s->run->log;
    if (s->told) return;
    s->told = true;
    ql_log_info(log, "starts from %s: weights of %lld of the %lld genes (the model has %lld)",
                s->model.path, (long long)found, (long long)f->prep.n_kept_genes,
                (long long)match->n_model);
    ql_log_info(log, "taken over: %s", report->taken.len ? report->taken.text : "nothing");
    if (report->fresh.len)
        ql_log_warn(log, "%s: these have other shapes there and start anew: %s", s->model.path,
                    report->fresh.text);
}

/* Number of the old model's gene for each gene of the new one. */
static ql_status sources(const gene_match *match, const ql_prep *prep, int64_t **out,
                         int64_t *found, ql_err *err)
{
    QL_TRY(QL_NEW(*out, prep->n_kept_genes, "gene list", err));
    for (int64_t g = 0; g < prep->n_kept_genes; g++) {
        (*out)[g] = match->map[prep->kept_gene[g]];
        *found += (*out)[g] >= 0;
    }
    return QL_OK;
}

static ql_status set_weights(void *ctx, ql_fitted *f, ql_err *err)
{
    model_start *s = ctx;
    gene_match match = {0};
    ql_start_report report = {0};
    int64_t *source = NULL, found = 0;
    ql_status st;
    QL_GO(gene_match_make(&s->model, s->genes, &match, err));
    QL_GO(sources(&match, &f->prep, &source, &found, err));
    QL_GO(ql_fitted_start(&s->model.bundle, source, f, &report, err));
    tell(s, &match, f, found, &report);
out:
    ql_str_free(&report.taken);
    ql_str_free(&report.fresh);
    ql_free(source);
    gene_match_free(&match);
    return st;
}

ql_status model_start_open(model_start *s, const char *path, const ql_frame *genes, ql_run *run,
                           ql_fit_options *fit)
{
    *s = (model_start){.genes = genes, .run = run, .hook = {set_weights, s}};
    QL_TRY(model_file_read(path, run->threads, &s->model, &run->err));
    fit->start = &s->hook;
    return QL_OK;
}

void model_start_free(model_start *s)
{
    model_file_free(&s->model);
}
