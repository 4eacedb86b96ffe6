#include "quell/fitted_bundle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/covariates_bundle.h"

enum { NAME = 64, MAX_EPOCHS = 1000000 };

/* Where the model's means are mixed with the genes' own (gene_gain.h): both or neither. */
#define MIX_WEIGHT "genes/model_weight"
#define MIX_SHARE  "genes/model_share"

/* ---- tensors ---- */

static void tensor_name(const ql_tensor *t, char out[NAME])
{
    snprintf(out, NAME, "net/%s", t->name);
}

/* A tensor's shape in the file: without pads, and a single row is a vector. */
static ql_array tensor_shape(const ql_tensor *t)
{
    bool vector = t->rows == 1;
    return (ql_array){QL_ELEM_F32, vector ? t->cols : t->rows, vector ? -1 : t->cols, NULL};
}

static ql_status put_tensor(const ql_params *p, const ql_tensor *t, ql_bundle *b, ql_err *err)
{
    char name[NAME];
    float *values = NULL;
    tensor_name(t, name);
    QL_TRY(QL_NEW(values, t->rows * t->cols, "a tensor", err));
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++)
            values[i * t->cols + j] = (float)p->w[t->offset + i * t->ld + j];
    ql_array a = tensor_shape(t);
    a.values = values;
    return ql_bundle_give_array(b, name, a, values, err);
}

static void set_tensor(ql_params *p, const ql_tensor *t, const float *values)
{
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++)
            p->w[t->offset + i * t->ld + j] = (ql_real)values[i * t->cols + j];
}

/* ---- putting ---- */

/* How far each gene goes back towards its mean, and what that is. */
static ql_status put_mix(const ql_fitted *f, int64_t n, ql_bundle *b, ql_err *err)
{
    QL_TRY(ql_bundle_copy_array(b, MIX_WEIGHT, (ql_array){QL_ELEM_F32, n, -1, f->mix_weight}, err));
    return ql_bundle_copy_array(b, MIX_SHARE, (ql_array){QL_ELEM_F32, n, -1, f->mix_share}, err);
}

static ql_status put_genes(const ql_fitted *f, ql_bundle *b, ql_err *err)
{
    const ql_prep *p = &f->prep;
    const int64_t n = p->n_kept_genes;
    float *mean = NULL, *sd = NULL;
    ql_status st;
    QL_GO(QL_NEW(mean, n, "gene moments", err));
    QL_GO(QL_NEW(sd, n, "gene moments", err));
    for (int64_t g = 0; g < n; g++) {
        mean[g] = (float)p->mean[g];
        sd[g] = (float)p->sd[g];
    }
    QL_GO(ql_bundle_copy_array(b, "genes/mean", (ql_array){QL_ELEM_F32, n, -1, mean}, err));
    QL_GO(ql_bundle_copy_array(b, "genes/sd", (ql_array){QL_ELEM_F32, n, -1, sd}, err));
    QL_GO(
        ql_bundle_copy_array(b, "genes/total", (ql_array){QL_ELEM_F64, n, -1, p->gene_total}, err));
    if (p->place)
        QL_GO(
            ql_bundle_copy_array(b, "genes/place", (ql_array){QL_ELEM_I32, n, -1, p->place}, err));
    if (f->theta)
        QL_GO(
            ql_bundle_copy_array(b, "genes/theta", (ql_array){QL_ELEM_F32, n, -1, f->theta}, err));
    if (f->mix_weight) QL_GO(put_mix(f, n, b, err));
out:
    ql_free(mean);
    ql_free(sd);
    return st;
}

/* A column of the history. */
static const struct {
    const char *name;
    size_t offset;
} history[] = {{"training/history/loss", offsetof(ql_epoch, loss)},
               {"training/history/validation", offsetof(ql_epoch, validation)},
               {"training/history/learning_rate", offsetof(ql_epoch, rate)}};
enum { N_HISTORY = sizeof history / sizeof *history };

static ql_status put_history(const ql_train_result *r, ql_bundle *b, ql_err *err)
{
    double *column = NULL;
    ql_status st = QL_NEW(column, r->n_epochs, "training history", err);
    for (int k = 0; st == QL_OK && k < N_HISTORY; k++) {
        for (int64_t i = 0; i < r->n_epochs; i++)
            memcpy(&column[i], (const char *)&r->history[i] + history[k].offset, sizeof *column);
        st = ql_bundle_copy_array(b, history[k].name,
                                  (ql_array){QL_ELEM_F64, r->n_epochs, -1, column}, err);
    }
    ql_free(column);
    return st;
}

static ql_status put_training(const ql_fitted *f, ql_bundle *b, ql_err *err)
{
    const ql_train_result *r = &f->result;
    QL_TRY(ql_bundle_put_int(b, "training/cells", f->split.n_train, err));
    QL_TRY(ql_bundle_put_int(b, "training/validation_cells", f->split.n_valid, err));
    QL_TRY(ql_bundle_put_int(b, "training/batch_size", f->train.batch_size, err));
    QL_TRY(ql_bundle_put_int(b, "training/epochs", r->n_epochs, err));
    QL_TRY(ql_bundle_put_int(b, "training/best_epoch", r->best + 1, err));
    QL_TRY(ql_bundle_put_int(b, "training/restarts", r->restarts, err));
    QL_TRY(ql_bundle_put_text(b, "training/stopped", r->stopped ? r->stopped : "", err));
    return put_history(r, b, err);
}

static const char *const predictions[QL_N_PREDS] = {[QL_PRED_MEAN] = "mean",
                                                    [QL_PRED_POSTERIOR] = "posterior",
                                                    [QL_PRED_BASE] = "gene_mean",
                                                    [QL_PRED_RAW] = "raw"};

static ql_status put_score(const ql_score *s, ql_bundle *b, ql_err *err)
{
    char name[NAME];
    if (s->n_molecules == 0) return QL_OK;
    QL_TRY(ql_bundle_put_int(b, "score/cells", s->n_cells, err));
    QL_TRY(ql_bundle_put_int(b, "score/molecules", s->n_molecules, err));
    for (int i = 0; i < QL_N_PREDS; i++) {
        snprintf(name, sizeof name, "score/%s_gain", predictions[i]);
        QL_TRY(ql_bundle_put_double(b, name, s->line[i].gain, err));
        snprintf(name, sizeof name, "score/%s_gain_stderr", predictions[i]);
        QL_TRY(ql_bundle_put_double(b, name, s->stderr_gain[i], err));
        snprintf(name, sizeof name, "score/%s_deviance", predictions[i]);
        QL_TRY(ql_bundle_put_double(b, name, s->line[i].deviance, err));
    }
    return QL_OK;
}

ql_status ql_fitted_put(const ql_fitted *f, ql_bundle *b, ql_err *err)
{
    const ql_params *p = &f->ae.params;
    for (int i = 0; i < p->n_tensors; i++) QL_TRY(put_tensor(p, &p->tensor[i], b, err));
    QL_TRY(ql_bundle_put_double(b, "genes/median_total", f->prep.median_total, err));
    QL_TRY(put_genes(f, b, err));
    QL_TRY(put_training(f, b, err));
    QL_TRY(ql_reference_put(&f->reference, b, err));
    if (f->cov) QL_TRY(ql_covariates_put(f->cov, b, err));
    return put_score(&f->score, b, err);
}

/* ---- checking ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static ql_status check_tensors(const ql_bundle *b, const ql_params *p, ql_err *err)
{
    char name[NAME];
    for (int i = 0; i < p->n_tensors; i++) {
        const ql_tensor *t = &p->tensor[i];
        tensor_name(t, name);
        const ql_range r = ends_with(t->name, "/moving_var") ? QL_FROM_0 : QL_FINITE;
        QL_TRY(ql_bundle_numbers(b, name, tensor_shape(t), r, NULL, err));
    }
    return QL_OK;
}

/* A tensor too many means another network than the options say. */
static ql_status check_surplus(const ql_bundle *b, const ql_params *p, ql_err *err)
{
    for (int i = 0; i < b->n; i++) {
        const char *name = b->entries[i].name;
        if (strncmp(name, "net/", 4) == 0 && !ql_params_find(p, name + 4))
            return ql_fail(err, QL_EDATA, "%s is no part of a network of these options", name);
    }
    return QL_OK;
}

/* Weights and shares are parts of a whole. */
static ql_status check_mix(const ql_bundle *b, int64_t n, ql_err *err)
{
    static const char *const names[] = {MIX_WEIGHT, MIX_SHARE};
    const ql_array want = {QL_ELEM_F32, n, -1, NULL};
    if (!ql_bundle_find(b, MIX_WEIGHT) && !ql_bundle_find(b, MIX_SHARE)) return QL_OK;
    for (int k = 0; k < 2; k++)
        QL_TRY(ql_bundle_numbers(b, names[k], want, QL_FROM_0_TO_1, NULL, err));
    return QL_OK;
}

/* Each gene has a place of its own. */
static ql_status check_permutation(const int32_t *place, int64_t n, ql_err *err)
{
    uint8_t *taken;
    ql_status st = QL_OK;
    QL_TRY(QL_NEW(taken, n, "gene order", err));
    for (int64_t g = 0; g < n && st == QL_OK; g++) {
        if (place[g] < 0 || place[g] >= n || taken[place[g]])
            st = ql_fail(err, QL_EDATA, "genes/place: value %lld is %d: not a place of its own",
                         (long long)g, (int)place[g]);
        else
            taken[place[g]] = 1;
    }
    ql_free(taken);
    return st;
}

/* Places are of use to a convolution only, and it can do without. */
static ql_status check_places(const ql_bundle *b, const ql_fit_options *opt, int64_t n, ql_err *err)
{
    ql_array places;
    if (!ql_bundle_find(b, "genes/place")) return QL_OK;
    if (opt->ae.conv.filters == 0)
        return ql_fail(err, QL_EDATA, "genes/place is of no use without a convolution");
    QL_TRY(ql_bundle_array(b, "genes/place", (ql_array){QL_ELEM_I32, n, -1, NULL}, &places, err));
    return check_permutation(places.values, n, err);
}

static ql_status check_genes(const ql_bundle *b, const ql_fit_options *opt, int64_t n, ql_err *err)
{
    const ql_array f32 = {QL_ELEM_F32, n, -1, NULL}, f64 = {QL_ELEM_F64, n, -1, NULL};
    double median;
    QL_TRY(ql_bundle_double(b, "genes/median_total", &median, err));
    if (!(median > 0)) return ql_fail(err, QL_EDATA, "genes/median_total is %g", median);
    QL_TRY(ql_bundle_numbers(b, "genes/mean", f32, QL_FINITE, NULL, err));
    QL_TRY(ql_bundle_numbers(b, "genes/sd", f32, QL_ABOVE_0, NULL, err));
    QL_TRY(ql_bundle_numbers(b, "genes/total", f64, QL_FROM_0, NULL, err));
    QL_TRY(check_places(b, opt, n, err));
    QL_TRY(check_mix(b, n, err));
    if (!opt->fit_theta) return QL_OK;
    return ql_bundle_numbers(b, "genes/theta", f32, QL_ABOVE_0, NULL, err);
}

static ql_status check_training(const ql_bundle *b, ql_err *err)
{
    int64_t n = 0, best = 0, size = 0;
    QL_TRY(ql_bundle_int(b, "training/epochs", 0, MAX_EPOCHS, &n, err));
    QL_TRY(ql_bundle_int(b, "training/best_epoch", 1, n > 0 ? n : 1, &best, err));
    QL_TRY(ql_bundle_int(b, "training/batch_size", 1, INT32_MAX, &size, err));
    for (int k = 0; k < N_HISTORY; k++)
        QL_TRY(ql_bundle_numbers(b, history[k].name, (ql_array){QL_ELEM_F64, n, -1, NULL},
                                 QL_FINITE, NULL, err));
    return QL_OK;
}

ql_status ql_fitted_check(const ql_bundle *b, const ql_fit_options *opt, int64_t n_genes,
                          ql_err *err)
{
    ql_ae ae;
    ql_ae_declare(&ae, &opt->ae, n_genes);
    QL_TRY(check_tensors(b, &ae.params, err));
    QL_TRY(check_surplus(b, &ae.params, err));
    QL_TRY(check_training(b, err));
    QL_TRY(ql_reference_check(b, ql_ae_latent_width(&ae), err));
    return check_genes(b, opt, n_genes, err);
}

/* ---- taking ---- */

static ql_status take_places(const ql_bundle *b, ql_prep *p, ql_err *err)
{
    const int64_t n = p->n_kept_genes;
    if (!ql_bundle_find(b, "genes/place")) return QL_OK;
    QL_TRY(QL_NEW(p->place, n, "gene order", err));
    return ql_bundle_load(b, "genes/place", (ql_array){QL_ELEM_I32, n, -1, NULL}, p->place, err);
}

static ql_status take_prep(const ql_bundle *b, const ql_fit_options *opt, const ql_rows *counts,
                           const ql_gene_places *genes, ql_prep *out, ql_err *err)
{
    const ql_array want = {QL_ELEM_F32, genes->n_genes, -1, NULL};
    ql_array mean, sd;
    ql_prep_model known = {
        .n_genes = genes->n_genes, .n_file_genes = genes->n_file_genes, .place = genes->place};
    QL_TRY(ql_bundle_array(b, "genes/mean", want, &mean, err));
    QL_TRY(ql_bundle_array(b, "genes/sd", want, &sd, err));
    QL_TRY(ql_bundle_double(b, "genes/median_total", &known.median_total, err));
    known.mean = mean.values;
    known.sd = sd.values;
    QL_TRY(ql_prep_apply(counts, opt->prep, &known, out, err));
    return take_places(b, out, err);
}

static ql_status take_tensors(const ql_bundle *b, ql_params *p, ql_err *err)
{
    char name[NAME];
    for (int i = 0; i < p->n_tensors; i++) {
        ql_array a;
        tensor_name(&p->tensor[i], name);
        QL_TRY(ql_bundle_array(b, name, tensor_shape(&p->tensor[i]), &a, err));
        set_tensor(p, &p->tensor[i], a.values);
    }
    return QL_OK;
}

static ql_status take_training(const ql_bundle *b, ql_fitted *f, ql_err *err)
{
    ql_train_result *r = &f->result;
    int64_t best = 1;
    QL_TRY(ql_bundle_int(b, "training/epochs", 0, MAX_EPOCHS, &r->n_epochs, err));
    QL_TRY(ql_bundle_int(b, "training/best_epoch", 1, INT64_MAX, &best, err));
    QL_TRY(ql_bundle_int(b, "training/batch_size", 1, INT32_MAX, &f->train.batch_size, err));
    r->best = best - 1;
    QL_TRY(QL_NEW(r->history, r->n_epochs, "training history", err));
    for (int k = 0; k < N_HISTORY; k++) {
        ql_array a;
        QL_TRY(ql_bundle_array(b, history[k].name, (ql_array){QL_ELEM_F64, r->n_epochs, -1, NULL},
                               &a, err));
        for (int64_t i = 0; i < r->n_epochs; i++)
            memcpy((char *)&r->history[i] + history[k].offset, (const double *)a.values + i,
                   sizeof(double));
    }
    return QL_OK;
}

static ql_status take_theta(const ql_bundle *b, ql_fitted *f, ql_err *err)
{
    const int64_t n = f->prep.n_kept_genes;
    QL_TRY(QL_NEW(f->theta, n, "dispersions", err));
    return ql_bundle_load(b, "genes/theta", (ql_array){QL_ELEM_F32, n, -1, NULL}, f->theta, err);
}

static ql_status take_mix(const ql_bundle *b, ql_fitted *f, ql_err *err)
{
    const int64_t n = f->prep.n_kept_genes;
    const ql_array want = {QL_ELEM_F32, n, -1, NULL};
    if (!ql_bundle_find(b, MIX_WEIGHT)) return QL_OK;
    QL_TRY(QL_NEW(f->mix_weight, n, "weights of genes", err));
    QL_TRY(QL_NEW(f->mix_share, n, "weights of genes", err));
    QL_TRY(ql_bundle_load(b, MIX_WEIGHT, want, f->mix_weight, err));
    QL_TRY(ql_bundle_load(b, MIX_SHARE, want, f->mix_share, err));
    f->ae.mix_weight = f->mix_weight;
    f->ae.mix_share = f->mix_share;
    return QL_OK;
}

static ql_status take_network(const ql_bundle *b, const ql_fit_options *opt, const ql_rows *counts,
                              const ql_kern *kern, ql_fitted *f, ql_err *err)
{
    const ql_ae_sizes sizes = {.n_genes = f->prep.n_kept_genes,
                               .max_row_nnz = counts->max_row,
                               .batch_size = f->train.batch_size,
                               .n_threads = opt->threads,
                               .separate_targets = true};
    QL_TRY(ql_ae_new(&f->ae, &opt->ae, &sizes, ql_prep_map(&f->prep), f->prep.log_rate, kern, err));
    f->cov = opt->cov;
    if (opt->cov) f->ae.cov = ql_covariates_values(opt->cov);
    return take_tensors(b, &f->ae.params, err);
}

/* Genes of the model that the counts do not have. */
static ql_status take_lacking(const ql_gene_places *genes, ql_fitted *f, ql_err *err)
{
    for (int64_t g = 0; g < genes->n_genes; g++) f->n_lacking += genes->place[g] < 0;
    if (f->n_lacking == 0) return QL_OK;
    QL_TRY(QL_NEW(f->lacks, genes->n_genes, "gene list", err));
    for (int64_t g = 0; g < genes->n_genes; g++) f->lacks[g] = genes->place[g] < 0;
    f->ae.lacks = f->lacks;
    return QL_OK;
}

ql_status ql_fitted_take(const ql_bundle *b, const ql_fit_options *opt, const ql_rows *counts,
                         const ql_gene_places *genes, const ql_kern *kern, ql_fitted *out,
                         ql_err *err)
{
    ql_status st;
    *out = (ql_fitted){.train = opt->train};
    QL_GO(take_prep(b, opt, counts, genes, &out->prep, err));
    QL_GO(take_network(b, opt, counts, kern, out, err));
    QL_GO(take_lacking(genes, out, err));
    if (opt->fit_theta) QL_GO(take_theta(b, out, err));
    QL_GO(take_mix(b, out, err));
    QL_GO(take_training(b, out, err));
    QL_GO(ql_reference_take(b, ql_ae_latent_width(&out->ae), &out->reference, err));
out:
    if (st != QL_OK) ql_fitted_free(out);
    return st;
}

/* ---- starting from ---- */

/* Is a dimension of the tensor that of the genes? Widths of hidden layers may equal their number.
 */
static bool per_gene(const ql_tensor *t, int64_t n_genes)
{
    static const char *const hidden[] = {"enc",       "center",   "dec",
                                         "inputconv", "variance", "input/covariates"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (strncmp(t->name, hidden[i], strlen(hidden[i])) == 0) return false;
    return t->rows == n_genes || (t->rows == 1 && t->cols == n_genes);
}

/* Values of a gene in a tensor of the old model: its row, or its element of a vector. */
static void start_genes(ql_params *p, const ql_tensor *t, const ql_array *old,
                        const int64_t *source)
{
    bool vector = t->rows == 1;
    const float *values = old->values;
    const int64_t n_genes = vector ? t->cols : t->rows, width = vector ? 1 : t->cols;
    for (int64_t g = 0; g < n_genes; g++) {
        ql_real *to = p->w + t->offset + g * (vector ? 1 : t->ld);
        for (int64_t j = 0; source[g] >= 0 && j < width; j++)
            to[j] = (ql_real)values[source[g] * width + j];
    }
}

/* Behind a convolution the first layer's rows belong to positions, which are others as soon as a
 * gene is. */
typedef enum { ROWS_ARE_GENES, SAME_POSITIONS, OTHER_ROWS } first_rows;

static bool same_places(const ql_bundle *b, const ql_prep *p)
{
    ql_array old;
    const int64_t n = p->n_kept_genes;
    if (!p->place || !ql_bundle_find(b, "genes/place"))
        return !p->place && !ql_bundle_find(b, "genes/place");
    return ql_bundle_array(b, "genes/place", (ql_array){QL_ELEM_I32, n, -1, NULL}, &old, NULL) ==
               QL_OK &&
           memcmp(old.values, p->place, (size_t)n * sizeof *p->place) == 0;
}

static first_rows compare_first_rows(const ql_bundle *b, const int64_t *source, const ql_fitted *f,
                                     int64_t n_old)
{
    const bool conv = f->ae.cfg.conv.filters > 0;
    if (conv != (ql_bundle_find(b, "net/inputconv/weight") != NULL)) return OTHER_ROWS;
    if (!conv) return ROWS_ARE_GENES;
    bool same = n_old == f->ae.n_genes && same_places(b, &f->prep);
    for (int64_t g = 0; g < n_old && same; g++) same = source[g] == g;
    return same ? SAME_POSITIONS : OTHER_ROWS;
}

/* false: the old model has nothing that would fit. */
static bool start_tensor(const ql_bundle *b, const int64_t *source, ql_params *p,
                         const ql_tensor *t, int64_t n_genes, int64_t n_old, first_rows rows)
{
    char name[NAME];
    ql_array want = tensor_shape(t), old;
    bool genes = per_gene(t, n_genes);
    if (strcmp(t->name, "input/weight") == 0) {
        if (rows == OTHER_ROWS) return false;
        genes = rows == ROWS_ARE_GENES;
    }
    if (genes) want.n_rows = n_old;
    tensor_name(t, name);
    if (ql_bundle_array(b, name, want, &old, NULL) != QL_OK) return false;
    if (genes)
        start_genes(p, t, &old, source);
    else
        set_tensor(p, t, old.values);
    return true;
}

static void note(ql_str *list, const char *name)
{
    ql_str_printf(list, "%s%s", list->len ? ", " : "", name);
}

ql_status ql_fitted_start(const ql_bundle *b, const int64_t *source, ql_fitted *f,
                          ql_start_report *report, ql_err *err)
{
    ql_params *p = &f->ae.params;
    ql_array old;
    QL_TRY(ql_bundle_array(b, "genes/mean", (ql_array){QL_ELEM_F32, -1, -1, NULL}, &old, err));
    const first_rows rows = compare_first_rows(b, source, f, old.n_rows);
    for (int i = 0; i < p->n_tensors; i++) {
        const ql_tensor *t = &p->tensor[i];
        bool taken = start_tensor(b, source, p, t, f->ae.n_genes, old.n_rows, rows);
        note(taken ? &report->taken : &report->fresh, t->name);
    }
    return report->taken.failed || report->fresh.failed
               ? ql_fail(err, QL_EMEMORY, "no memory for the names of the layers")
               : QL_OK;
}
