/* Columns of var: what the model knows of each gene (docs/output.md). */
#include <math.h>

#include "denoise_output.h"
#include "quell/alloc.h"

/* Per-gene values of the file's genes; set-aside ones keep what fill has put there. */
typedef struct {
    float *theta, *weight;
    double *rate, *gain, *error;
    uint8_t *used, *denoised, *from_mean;
} gene_columns;

static void fill_genes(const denoise_result *r, gene_columns *c)
{
    const ql_prep *prep = &r->fitted->prep;
    const ql_fitted *f = r->fitted;
    for (int64_t g = 0; g < prep->n_genes; g++)
        c->theta[g] = c->weight[g] = (float)(c->gain[g] = c->error[g] = NAN);
    for (int64_t g = 0; g < prep->n_kept_genes; g++) {
        int64_t at = prep->kept_gene[g];
        if (at < 0) continue; /* a gene of the model that the file has not */
        c->used[at] = 1;
        c->rate[at] = prep->gene_total[g] / (double)prep->n_cells;
        if (f->theta) c->theta[at] = f->theta[g];
        if (f->gene_gain) c->gain[at] = f->gene_gain[g];
        if (f->gene_gain) c->error[at] = f->gene_gain_error[g];
        if (!f->mix_weight) continue;
        c->weight[at] = f->mix_weight[g];
        c->from_mean[at] = f->mix_weight[g] < 0.5F;
    }
    for (int64_t g = 0; g < r->genes->n; g++) c->denoised[r->genes->ascending[g]] = 1;
}

static ql_status add_gains(const ql_fitted *f, const gene_columns *c, ql_frame *frame, ql_err *err)
{
    if (f->gene_gain) {
        QL_TRY(ql_frame_add(frame, "quell_gain", QL_COL_F64, c->gain, err));
        QL_TRY(ql_frame_add(frame, "quell_gain_stderr", QL_COL_F64, c->error, err));
    }
    if (!f->mix_weight) return QL_OK;
    QL_TRY(ql_frame_add(frame, "quell_model_weight", QL_COL_F32, c->weight, err));
    return ql_frame_add(frame, "quell_from_mean", QL_COL_BOOL, c->from_mean, err);
}

static ql_status gene_columns_new(gene_columns *c, int64_t n, ql_err *err)
{
    QL_TRY(QL_NEW(c->theta, n, "gene columns", err));
    QL_TRY(QL_NEW(c->weight, n, "gene columns", err));
    QL_TRY(QL_NEW(c->gain, n, "gene columns", err));
    QL_TRY(QL_NEW(c->error, n, "gene columns", err));
    QL_TRY(QL_NEW(c->from_mean, n, "gene columns", err));
    QL_TRY(QL_NEW(c->rate, n, "gene columns", err));
    QL_TRY(QL_NEW(c->used, n, "gene columns", err));
    return QL_NEW(c->denoised, n, "gene columns", err);
}

static void gene_columns_free(gene_columns *c)
{
    ql_free(c->theta);
    ql_free(c->weight);
    ql_free(c->gain);
    ql_free(c->error);
    ql_free(c->from_mean);
    ql_free(c->rate);
    ql_free(c->used);
    ql_free(c->denoised);
}

ql_status denoise_write_genes(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    const int64_t n = r->fitted->prep.n_genes;
    ql_frame frame = {0};
    gene_columns c = {0};
    ql_status st;
    QL_GO(ql_names_copy(&r->ds->genes.index, &frame.index, err));
    QL_GO(gene_columns_new(&c, n, err));
    fill_genes(r, &c);
    QL_GO(ql_frame_add(&frame, "quell_mean_counts", QL_COL_F64, c.rate, err));
    if (r->fitted->theta) QL_GO(ql_frame_add(&frame, "quell_theta", QL_COL_F32, c.theta, err));
    QL_GO(ql_frame_add(&frame, "quell_used", QL_COL_BOOL, c.used, err));
    QL_GO(add_gains(r->fitted, &c, &frame, err));
    if (r->genes->ascending)
        QL_GO(ql_frame_add(&frame, "quell_denoised", QL_COL_BOOL, c.denoised, err));
    QL_GO(ql_h5ad_columns(w, "var", &frame, err));
out:
    gene_columns_free(&c);
    ql_frame_free(&frame);
    return st;
}
