#include "quell/scdha_bundle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"

/* Whole numbers of the options, and their bounds in a file. */
typedef struct {
    const char *name;
    size_t at;
    int64_t least, most;
} whole_row;

#define WHOLE(name, field, least, most)                                                            \
    {                                                                                              \
        "scdha/" name, offsetof(ql_scdha_options, field), least, most                              \
    }

static const whole_row wholes[] = {
    WHOLE("models", models, 1, QL_SCDHA_MOST_MODELS),
    WHOLE("snapshots", snapshots, 1, QL_SCDHA_MOST_LATENTS / QL_SCDHA_MOST_MODELS),
    WHOLE("hidden", hidden, 1, 4096),
    WHOLE("latent", latent, 1, 4096),
    WHOLE("filters", filters, 1, QL_SCDHA_MOST_MODELS),
    WHOLE("filter_epochs", filter_epochs, 0, 1000000),
    WHOLE("warm_up", warm_up, 0, 1000000),
    WHOLE("epochs", epochs, 0, 1000000),
    WHOLE("train_cells", train_cells, 1, INT64_MAX),
    WHOLE("batch_size", batch_size, 1, INT64_MAX),
};
enum { N_WHOLES = sizeof wholes / sizeof *wholes };

static int64_t *whole_at(const ql_scdha_options *o, int i)
{
    return (int64_t *)((char *)o + wholes[i].at);
}

static const whole_row doubles[] = {
    WHOLE("learning_rate", rate, 0, 0),
    WHOLE("weight_decay", weight_decay, 0, 0),
    WHOLE("error_weight", beta, 0, 0),
    WHOLE("noise", noise, 0, 0),
};
enum { N_DOUBLES = sizeof doubles / sizeof *doubles };

static double *double_at(const ql_scdha_options *o, int i)
{
    return (double *)((char *)o + doubles[i].at);
}

/* The tensors of encoder `number` of e, whose arrays are there. */
typedef struct {
    const char *name;
    float *values;
    int64_t rows, cols; /* cols -1: a vector */
    bool positive;
} tensor_row;

enum { N_TENSORS = 8 };

static void tensors_of(const ql_scdha_encoder *e, tensor_row t[N_TENSORS])
{
    const int64_t h = e->hidden, l = e->latent;
    const tensor_row all[N_TENSORS] = {{"weight", e->weight, e->n_genes, h, false},
                                       {"bias", e->bias, h, -1, false},
                                       {"mu/weight", e->mu_weight, h, l, false},
                                       {"mu/bias", e->mu_bias, l, -1, false},
                                       {"gamma", e->gamma, h, -1, false},
                                       {"beta", e->beta, h, -1, false},
                                       {"moving_mean", e->moving_mean, h, -1, false},
                                       {"moving_var", e->moving_var, h, -1, true}};
    memcpy(t, all, sizeof all);
}

static int n_tensors(const ql_scdha_encoder *e)
{
    return e->batch_norm ? N_TENSORS : N_TENSORS - 4;
}

static void tensor_name(char name[64], int encoder, const char *what)
{
    snprintf(name, 64, "encoder%d/%s", encoder + 1, what);
}

/* ---- out ---- */

static ql_status put_encoder(const ql_scdha *f, int i, ql_bundle *b, ql_err *err)
{
    tensor_row t[N_TENSORS];
    char name[64];
    tensors_of(&f->encoder[i], t);
    for (int k = 0; k < n_tensors(&f->encoder[i]); k++) {
        tensor_name(name, i, t[k].name);
        QL_TRY(ql_bundle_lend_array(
            b, name, (ql_array){QL_ELEM_F32, t[k].rows, t[k].cols, t[k].values}, err));
    }
    return QL_OK;
}

static ql_status put_training(const ql_scdha *f, ql_bundle *b, ql_err *err)
{
    const ql_scdha_options *o = &f->opt;
    QL_TRY(ql_bundle_put_int(b, "training/cells", f->n_cells, err));
    QL_TRY(ql_bundle_put_int(b, "training/skipped_steps", f->skipped, err));
    QL_TRY(ql_bundle_lend_array(b, "training/history/loss",
                                (ql_array){QL_ELEM_F64, o->models, ql_scdha_epochs(o), f->loss},
                                err));
    if (!f->filter_loss) return QL_OK;
    return ql_bundle_lend_array(
        b, "training/history/filter_loss",
        (ql_array){QL_ELEM_F64, o->filters, o->filter_epochs, f->filter_loss}, err);
}

ql_status ql_scdha_put(const ql_scdha *f, ql_bundle *b, ql_err *err)
{
    const int64_t n = f->scale.n_kept;
    for (int i = 0; i < N_WHOLES; i++)
        QL_TRY(ql_bundle_put_int(b, wholes[i].name, *whole_at(&f->opt, i), err));
    for (int i = 0; i < N_DOUBLES; i++)
        QL_TRY(ql_bundle_put_double(b, doubles[i].name, *double_at(&f->opt, i), err));
    QL_TRY(ql_bundle_put_int(b, "scdha/batch_norm", f->opt.batch_norm, err));
    QL_TRY(ql_bundle_put_int(b, "scdha/log", f->scale.log, err));
    QL_TRY(ql_bundle_put_int(b, "scdha/returned", f->returned, err));
    QL_TRY(ql_bundle_lend_array(b, "genes/total", (ql_array){QL_ELEM_F64, n, -1, f->scale.total},
                                err));
    QL_TRY(ql_bundle_lend_array(b, "genes/column", (ql_array){QL_ELEM_I32, n, -1, f->column}, err));
    if (f->weight)
        QL_TRY(ql_bundle_lend_array(b, "genes/weight", (ql_array){QL_ELEM_F64, n, -1, f->weight},
                                    err));
    for (int i = 0; i < f->n_latents; i++) QL_TRY(put_encoder(f, i, b, err));
    return put_training(f, b, err);
}

/* ---- in ---- */

static ql_status check_finite(const char *name, const tensor_row *t, ql_err *err)
{
    const int64_t n = t->rows * (t->cols < 0 ? 1 : t->cols);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(t->values[i]) || (t->positive && t->values[i] < 0))
            return ql_fail(err, QL_EDATA, "%s: entry %lld is %g", name, (long long)i,
                           (double)t->values[i]);
    return QL_OK;
}

static ql_status take_encoder(const ql_bundle *b, int i, ql_scdha_encoder *e, ql_err *err)
{
    tensor_row t[N_TENSORS];
    char name[64];
    tensors_of(e, t);
    for (int k = 0; k < n_tensors(e); k++) {
        tensor_name(name, i, t[k].name);
        QL_TRY(ql_bundle_load(b, name, (ql_array){QL_ELEM_F32, t[k].rows, t[k].cols, NULL},
                              t[k].values, err));
        QL_TRY(check_finite(name, &t[k], err));
    }
    return QL_OK;
}

/* Files of 0.4 do not say which latent space is the result: model 1's last. */
static ql_status take_returned(const ql_bundle *b, ql_scdha *f, ql_err *err)
{
    int64_t which = f->opt.snapshots - 1;
    const int64_t last = f->opt.models * f->opt.snapshots - 1;
    if (ql_bundle_find(b, "scdha/returned"))
        QL_TRY(ql_bundle_int(b, "scdha/returned", -1, last, &which, err));
    f->returned = (int)which;
    f->opt.result = which < 0 ? QL_SCDHA_JOINED : QL_SCDHA_LAST;
    return QL_OK;
}

/* Columns count up from 0 over the chosen genes. */
static ql_status take_genes(const ql_bundle *b, int64_t n, ql_scdha *f, ql_err *err)
{
    ql_array total;
    QL_TRY(QL_NEW(f->column, n, "the chosen genes", err));
    QL_TRY(ql_bundle_array(b, "genes/total", (ql_array){QL_ELEM_F64, n, -1, NULL}, &total, err));
    for (int64_t g = 0; g < n; g++)
        if (!isfinite(((const double *)total.values)[g]))
            return ql_fail(err, QL_EDATA, "genes/total: entry %lld is not finite", (long long)g);
    QL_TRY(ql_bundle_load(b, "genes/column", (ql_array){QL_ELEM_I32, n, -1, NULL}, f->column, err));
    for (int64_t g = 0; g < n; g++)
        if (f->column[g] != -1 && f->column[g] != f->n_genes++)
            return ql_fail(err, QL_EDATA, "genes/column: entry %lld is %d, out of order",
                           (long long)g, (int)f->column[g]);
    if (f->n_genes == 0) return ql_fail(err, QL_EDATA, "genes/column: no gene is chosen");
    if (!ql_bundle_find(b, "genes/weight")) return QL_OK;
    QL_TRY(QL_NEW(f->weight, n, "weights of the genes", err));
    return ql_bundle_load(b, "genes/weight", (ql_array){QL_ELEM_F64, n, -1, NULL}, f->weight, err);
}

static ql_status take_options(const ql_bundle *b, ql_scdha *f, bool *log, ql_err *err)
{
    int64_t flag;
    for (int i = 0; i < N_WHOLES; i++)
        QL_TRY(ql_bundle_int(b, wholes[i].name, wholes[i].least, wholes[i].most,
                             whole_at(&f->opt, i), err));
    for (int i = 0; i < N_DOUBLES; i++)
        QL_TRY(ql_bundle_double(b, doubles[i].name, double_at(&f->opt, i), err));
    QL_TRY(ql_bundle_int(b, "scdha/batch_norm", 0, 1, &flag, err));
    f->opt.batch_norm = flag != 0;
    QL_TRY(ql_bundle_int(b, "scdha/log", 0, 1, &flag, err));
    *log = flag != 0;
    QL_TRY(ql_bundle_int(b, "training/skipped_steps", 0, INT64_MAX, &f->skipped, err));
    return ql_bundle_int(b, "training/cells", 1, INT64_MAX, &f->n_cells, err);
}

static ql_status take_histories(const ql_bundle *b, ql_scdha *f, ql_err *err)
{
    const ql_scdha_options *o = &f->opt;
    const int64_t epochs = ql_scdha_epochs(o);
    QL_TRY(QL_NEW(f->loss, o->models * epochs, "training history", err));
    QL_TRY(ql_bundle_load(b, "training/history/loss",
                          (ql_array){QL_ELEM_F64, o->models, epochs, NULL}, f->loss, err));
    if (!ql_bundle_find(b, "training/history/filter_loss")) return QL_OK;
    QL_TRY(QL_NEW(f->filter_loss, o->filters * o->filter_epochs, "training history", err));
    return ql_bundle_load(b, "training/history/filter_loss",
                          (ql_array){QL_ELEM_F64, o->filters, o->filter_epochs, NULL},
                          f->filter_loss, err);
}

ql_status ql_scdha_take_bundle(const ql_bundle *b, int64_t n_genes, ql_scdha *out, ql_err *err)
{
    bool log = false;
    *out = (ql_scdha){0};
    QL_TRY(take_options(b, out, &log, err));
    QL_TRY(take_returned(b, out, err));
    QL_TRY(ql_scdha_scale_of(n_genes, log, &out->scale, err));
    QL_TRY(take_genes(b, n_genes, out, err));
    QL_TRY(take_histories(b, out, err));
    const int n = (int)(out->opt.models * out->opt.snapshots);
    for (int i = 0; i < n; i++) {
        ql_scdha_encoder *e = &out->encoder[out->n_latents++];
        *e = (ql_scdha_encoder){.n_genes = out->n_genes,
                                .hidden = out->opt.hidden,
                                .latent = out->opt.latent,
                                .batch_norm = out->opt.batch_norm};
        QL_TRY(ql_scdha_encoder_new(e, err));
        QL_TRY(take_encoder(b, i, e, err));
    }
    return QL_OK;
}
