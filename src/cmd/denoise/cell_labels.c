#include "cell_labels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"

static int64_t n_labels(const denoise_result *r)
{
    return r->fitted->ae.labels.n_labels;
}

static ql_status probabilities(const denoise_result *r, float **out, ql_err *err)
{
    QL_TRY(QL_NEW(*out, r->rows->n_rows * n_labels(r), "probabilities of labels", err));
    return ql_predict_labels(r->fitted, r->rows, *out, err);
}

/* The first of the most likely labels; -1 for a cell without counts. */
static int64_t best_of(const float *prob, int64_t n)
{
    int64_t best = 0;
    for (int64_t l = 1; l < n; l++)
        if (prob[l] > prob[best]) best = l;
    return isnan(prob[0]) ? -1 : best;
}

/* Of the held-out cells with a label: how many are given it. */
static void tell_accuracy(const denoise_result *r, const float *prob)
{
    const ql_split *split = &r->fitted->split;
    const ql_covariates *cov = r->fitted->cov;
    const ql_cov_shape shape = ql_covariates_shape(cov);
    const int64_t n = n_labels(r), width = ql_cov_width(&shape);
    int64_t right = 0, labelled = 0;
    for (int64_t i = 0; i < split->n_valid; i++) {
        const int64_t cell = split->valid[i], truth = (int64_t)cov->value[cell * width + cov->n];
        labelled += truth >= 0;
        right += truth >= 0 && best_of(prob + cell * n, n) == truth;
    }
    if (labelled == 0) return;
    ql_log_info(r->run->log, "labels: %lld of %lld cells that were not trained on are given theirs",
                (long long)right, (long long)labelled);
    ql_summary_double(r->run->summary, "label_accuracy", (double)right / (double)labelled);
}

static ql_status fill_columns(const denoise_result *r, const float *prob, ql_names *names,
                              double *likely, ql_err *err)
{
    const ql_covariates *cov = r->fitted->cov;
    const int64_t n = n_labels(r);
    for (int64_t i = 0; i < r->rows->n_rows; i++) {
        const int64_t best = best_of(prob + i * n, n);
        const char *name = best < 0 ? "" : ql_name(&cov->labels, best);
        likely[i] = best < 0 ? NAN : (double)prob[i * n + best];
        QL_TRY(ql_names_add(names, name, strlen(name), err));
    }
    return QL_OK;
}

ql_status cell_labels_columns(const denoise_result *r, ql_frame *frame, ql_err *err)
{
    float *prob = NULL;
    double *likely = NULL;
    ql_names names = {0};
    ql_status st;
    if (n_labels(r) == 0) return QL_OK;
    QL_GO(probabilities(r, &prob, err));
    QL_GO(QL_NEW(likely, r->rows->n_rows, "probabilities of labels", err));
    QL_GO(fill_columns(r, prob, &names, likely, err));
    QL_GO(ql_frame_add(frame, "quell_label", QL_COL_STRING, &names, err));
    QL_GO(ql_frame_add(frame, "quell_label_prob", QL_COL_F64, likely, err));
out:
    ql_free(prob);
    ql_free(likely);
    ql_names_free(&names);
    return st;
}

ql_status cell_labels_write(const denoise_result *r, const char *run_key, ql_h5ad_writer *w,
                            ql_err *err)
{
    const int64_t n = n_labels(r);
    float *prob = NULL;
    char key[128];
    ql_status st;
    if (n == 0) return QL_OK;
    QL_GO(probabilities(r, &prob, err));
    tell_accuracy(r, prob);
    QL_GO(ql_h5ad_matrix(w, CELL_LABELS_KEY, prob + r->range.first * n, r->range.n, n, err));
    snprintf(key, sizeof key, "%s/labels", run_key);
    QL_GO(ql_h5ad_strings(w, key, &r->fitted->cov->labels, err));
    snprintf(key, sizeof key, "%s/scale/quell_label_probs", run_key);
    QL_GO(
        ql_h5ad_string(w, key,
                       "probability of each label of uns/quell/denoise/labels, by a classifier on "
                       "the latent space",
                       err));
out:
    ql_free(prob);
    return st;
}
