/* The results in an h5ad (docs/output.md). */
#include <stdio.h>
#include <string.h>

#include "../fit/ensemble_run.h"
#include "cell_labels.h"
#include "denoise_layers.h"
#include "denoise_output.h"
#include "quell/alloc.h"
#include "quell/fingerprint.h"
#include "quell/interrupt.h"

#define RUN_KEY  "uns/quell/denoise"
#define LOADINGS "varm/vae_loadings"

/* A variational model with a linear decoder has loadings; parts of a result leave them out. */
static bool has_loadings(const denoise_args *a)
{
    return model_is_vae(&a->fit.model) && a->fit.model.hidden.n == 2;
}

/* ---- layers ---- */

static ql_status write_bands(const denoise_result *r, ql_h5ad_writer *w, const ql_predictor *p,
                             int64_t band_rows, ql_err *err)
{
    const int64_t first = r->range.first, n_cells = r->range.n;
    float *band;
    ql_status st;
    QL_TRY(QL_NEW(band, band_rows * p->n_columns, "a band of the denoised layer", err));
    for (int64_t row = 0; row < n_cells; row += band_rows) {
        int64_t n = n_cells - row < band_rows ? n_cells - row : band_rows;
        denoise_tell_cells(r, row);
        QL_GO(ql_predict_cells(p, first + row, n, band, err));
        QL_GO(ql_h5ad_dense_rows(w, band, n, err));
    }
    st = ql_h5ad_dense_end(w, err);
    ql_log_progress_end(r->run->log);
out:
    ql_free(band);
    return st;
}

static ql_status write_dense(const denoise_result *r, ql_h5ad_writer *w, const char *key,
                             const ql_predictor *p, ql_err *err)
{
    const int64_t n_genes = r->fitted->prep.n_genes;
    const gene_list *genes = r->genes;
    int64_t band_rows;
    if (genes->ascending)
        QL_TRY(ql_h5ad_chosen_begin(w, key, r->range.n, n_genes, genes->ascending, genes->n,
                                    &band_rows, err));
    else
        QL_TRY(ql_h5ad_dense_begin(w, key, r->range.n, n_genes, &band_rows, err));
    return write_bands(r, w, p, band_rows, err);
}

static ql_status write_layer(const denoise_result *r, ql_h5ad_writer *w, const denoise_layer *l,
                             ql_err *err)
{
    const gene_list *genes = r->genes;
    ql_predictor p = {0};
    ql_status st;
    QL_GO(ql_predictor_new(&p, r->fitted, r->rows, l->view.value, genes->ascending, genes->n, err));
    QL_GO(ql_predictor_look(&p, &l->view, err));
    QL_GO(l->sparse ? denoise_write_sparse(r, w, l->key, &p, err)
                    : write_dense(r, w, l->key, &p, err));
out:
    ql_predictor_free(&p);
    return st;
}

static ql_status write_layers(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    denoise_layer *layers;
    QL_TRY(QL_NEW(layers, LAYERS_MOST, "layers", err));
    const int n = denoise_layers(r, layers);
    ql_status st = QL_OK;
    for (int i = 0; i < n && st == QL_OK; i++) st = write_layer(r, w, &layers[i], err);
    ql_free(layers);
    return st;
}

/* ---- latent space and columns ---- */

static ql_status write_latent(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    const int64_t n = r->ds->counts.n_rows, width = ql_ae_latent_width(&r->fitted->ae);
    char key[256];
    float *latent;
    ql_status st;
    QL_TRY(QL_NEW(latent, n * width, "the latent space", err));
    snprintf(key, sizeof key, "obsm/%s", denoise_key(r->args));
    QL_GO(ql_predict_latent(r->fitted, r->rows, r->fitted->ae.cfg.latent_at, latent, err));
    QL_GO(ql_h5ad_matrix(w, key, latent + r->range.first * width, r->range.n, width, err));
out:
    ql_free(latent);
    return st;
}

static ql_status write_latent_use(const ql_latent_use *u, const char *where, bool library,
                                  ql_h5ad_writer *w, ql_err *err)
{
    char key[128];
    if (u->n_units == 0) return QL_OK;
    snprintf(key, sizeof key, RUN_KEY "/%s/kl", where);
    QL_TRY(ql_h5ad_doubles(w, key, u->kl, u->n_units, err));
    snprintf(key, sizeof key, RUN_KEY "/%s/variance", where);
    QL_TRY(ql_h5ad_doubles(w, key, u->variance, u->n_units, err));
    if (library) QL_TRY(ql_h5ad_double(w, RUN_KEY "/code/kl_library", u->library, err));
    snprintf(key, sizeof key, RUN_KEY "/%s/active_units", where);
    return ql_h5ad_int(w, key, u->active, err);
}

/* The second code of a ladder, beside the first. */
static ql_status write_second(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    const int64_t n = r->ds->counts.n_rows, width = r->fitted->ae.ladder.n_out;
    char key[256];
    float *second;
    ql_status st;
    if (width == 0) return QL_OK;
    QL_TRY(QL_NEW(second, n * width, "the second code", err));
    snprintf(key, sizeof key, "obsm/%s2", denoise_key(r->args));
    QL_GO(ql_predict_second(r->fitted, r->rows, second, err));
    QL_GO(ql_h5ad_matrix(w, key, second + r->range.first * width, r->range.n, width, err));
    QL_GO(write_latent_use(&r->fitted->second, "code2", false, w, err));
    snprintf(key, sizeof key, RUN_KEY "/scale/%s2", denoise_key(r->args));
    QL_GO(ql_h5ad_string(
        w, key, "second code: mean of its posterior under a prior N(0, 1); no counts", err));
out:
    ql_free(second);
    return st;
}

static ql_status split_column(const denoise_result *r, int64_t n, ql_names *out, ql_err *err)
{
    static const char *const words[] = {"unused", "train", "validation", "test", "applied"};
    const ql_fitted *f = r->fitted;
    uint8_t *which;
    ql_status st;
    QL_TRY(QL_NEW(which, n, "cell roles", err));
    for (int64_t i = 0; i < f->split.n_train; i++) which[f->split.train[i]] = 1;
    for (int64_t i = 0; i < f->split.n_valid; i++) which[f->split.valid[i]] = 2;
    for (int64_t i = 0; i < f->split.n_test; i++) which[f->split.test[i]] = 3;
    for (int64_t i = 0; r->applied && i < f->prep.n_kept_cells; i++)
        which[f->prep.kept_cell[i]] = 4;
    st = QL_OK;
    for (int64_t i = 0; i < n && st == QL_OK; i++)
        st = ql_names_add(out, words[which[i]], strlen(words[which[i]]), err);
    ql_free(which);
    return st;
}

ql_status denoise_cell_columns(const denoise_result *r, ql_frame *frame, ql_err *err)
{
    const ql_prep *prep = &r->fitted->prep;
    ql_names split = {0};
    double *size = NULL;
    ql_status st;
    QL_GO(QL_NEW(size, prep->n_cells, "size factors", err));
    for (int64_t i = 0; i < prep->n_cells; i++) size[i] = prep->total[i] / prep->median_total;
    QL_GO(split_column(r, prep->n_cells, &split, err));
    QL_GO(ql_frame_add(frame, "quell_n_counts", QL_COL_F64, prep->total, err));
    QL_GO(ql_frame_add(frame, "quell_size_factor", QL_COL_F64, size, err));
    QL_GO(ql_frame_add(frame, "quell_split", QL_COL_STRING, &split, err));
    QL_GO(cell_labels_columns(r, frame, err));
    for (int i = 0; i < N_EXTRAS; i++) {
        const double *values = cell_extras_column(r->extras, (extra)i);
        const char *name = extra_rows[i].key + strlen("obs/");
        if (values) QL_GO(ql_frame_add(frame, name, QL_COL_F64, values, err));
    }
out:
    ql_free(size);
    ql_names_free(&split);
    return st;
}

static ql_status write_cells(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    ql_frame frame = {0}, part = {0};
    ql_status st;
    QL_GO(ql_names_copy(&r->ds->cells.index, &frame.index, err));
    QL_GO(denoise_cell_columns(r, &frame, err));
    const bool all = r->range.n == frame.index.n;
    if (!all) QL_GO(ql_frame_rows(&frame, r->range.first, r->range.n, &part, err));
    QL_GO(ql_h5ad_columns(w, "obs", all ? &frame : &part, err));
out:
    ql_frame_free(&frame);
    ql_frame_free(&part);
    return st;
}

/* ---- how it was made ---- */

static ql_status write_history(const ql_fitted *f, ql_h5ad_writer *w, ql_err *err)
{
    const ql_train_result *t = &f->result;
    double *loss = NULL, *validation = NULL, *rate = NULL;
    ql_status st;
    QL_GO(QL_NEW(loss, t->n_epochs, "training history", err));
    QL_GO(QL_NEW(validation, t->n_epochs, "training history", err));
    QL_GO(QL_NEW(rate, t->n_epochs, "training history", err));
    for (int64_t i = 0; i < t->n_epochs; i++) {
        loss[i] = t->history[i].loss;
        validation[i] = t->history[i].validation;
        rate[i] = t->history[i].rate;
    }
    QL_GO(ql_h5ad_doubles(w, RUN_KEY "/history/loss", loss, t->n_epochs, err));
    QL_GO(ql_h5ad_doubles(w, RUN_KEY "/history/validation", validation, t->n_epochs, err));
    QL_GO(ql_h5ad_doubles(w, RUN_KEY "/history/learning_rate", rate, t->n_epochs, err));
    QL_GO(ql_h5ad_int(w, RUN_KEY "/history/best_epoch", t->best + 1, err));
out:
    ql_free(loss);
    ql_free(validation);
    ql_free(rate);
    return st;
}

static ql_status write_score(const ql_score *s, const char *where, ql_h5ad_writer *w, ql_err *err)
{
    static const char *const names[QL_N_PREDS] = {[QL_PRED_MEAN] = "mean",
                                                  [QL_PRED_POSTERIOR] = "posterior",
                                                  [QL_PRED_BASE] = "gene_mean",
                                                  [QL_PRED_RAW] = "raw"};
    char key[128];
    if (s->n_molecules == 0) return QL_OK;
    for (int i = 0; i < QL_N_PREDS; i++) {
        snprintf(key, sizeof key, RUN_KEY "/%s/%s_gain", where, names[i]);
        QL_TRY(ql_h5ad_double(w, key, s->line[i].gain, err));
        snprintf(key, sizeof key, RUN_KEY "/%s/%s_gain_stderr", where, names[i]);
        QL_TRY(ql_h5ad_double(w, key, s->stderr_gain[i], err));
        snprintf(key, sizeof key, RUN_KEY "/%s/%s_deviance", where, names[i]);
        QL_TRY(ql_h5ad_double(w, key, s->line[i].deviance, err));
    }
    snprintf(key, sizeof key, RUN_KEY "/%s/molecules", where);
    return ql_h5ad_int(w, key, s->n_molecules, err);
}

static ql_status write_code(const ql_code_use *u, ql_h5ad_writer *w, ql_err *err)
{
    if (u->n_units == 0) return QL_OK;
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/code/near_zero", u->near_zero, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/code/mean", u->mean, err));
    QL_TRY(ql_h5ad_int(w, RUN_KEY "/code/dead_units", u->dead, err));
    return ql_h5ad_int(w, RUN_KEY "/code/units", u->n_units, err);
}

static ql_status write_options(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    ql_str json = {0};
    ql_options_json(r->run->opts, false, &json);
    ql_status st = json.failed ? ql_fail(err, QL_EMEMORY, "no memory for the options")
                               : ql_h5ad_string(w, RUN_KEY "/options", ql_str_text(&json), err);
    ql_str_free(&json);
    return st;
}

static const char *latent_scale(const ql_ae *ae)
{
    const ql_latent_at at = ae->cfg.latent_at;
    if (ae->cfg.vae.on)
        return "code: mean of its posterior under a prior N(0, 1) of each coordinate; no counts";
    static const char *const texts[] = {
        [QL_LATENT_LINEAR] = "latent space: linear, for distances and clustering; no counts",
        [QL_LATENT_NORM] = "latent space after batch norm: each coordinate standardised; no counts",
        [QL_LATENT_ACTIVATION] = "code: the bottleneck's output, after its activation; no counts"};
    return texts[at];
}

static ql_status write_extra_scales(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    char key[128];
    for (int i = 0; i < N_EXTRAS; i++) {
        if (!cell_extras_column(r->extras, (extra)i)) continue;
        snprintf(key, sizeof key, RUN_KEY "/scale%s", strchr(extra_rows[i].key, '/'));
        QL_TRY(ql_h5ad_string(w, key, extra_rows[i].scale, err));
    }
    if (!r->extras->outlier) return QL_OK;
    return ql_h5ad_int(w, RUN_KEY "/outlier/held_out_cells", r->extras->n_held, err);
}

static ql_status write_layer_scales(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    char key[128];
    denoise_layer *layers;
    QL_TRY(QL_NEW(layers, LAYERS_MOST, "layers", err));
    const int n = denoise_layers(r, layers);
    ql_status st = QL_OK;
    for (int i = 0; i < n && st == QL_OK; i++) {
        snprintf(key, sizeof key, RUN_KEY "/scale%s", strchr(layers[i].key, '/'));
        st = ql_h5ad_string(w, key, layers[i].text, err);
    }
    ql_free(layers);
    return st;
}

static ql_status write_scales(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    char latent[300];
    snprintf(latent, sizeof latent, RUN_KEY "/scale/%s", denoise_key(r->args));
    QL_TRY(ql_h5ad_string(w, latent, latent_scale(&r->fitted->ae), err));
    QL_TRY(write_extra_scales(r, w, err));
    if (r->args->denoised && r->args->decode_as)
        QL_TRY(ql_h5ad_string(w, RUN_KEY "/decoded_as", r->args->decode_as, err));
    QL_TRY(write_layer_scales(r, w, err));
    const char *name = r->args->scale ? r->args->scale : "counts";
    if (has_loadings(r->args))
        QL_TRY(ql_h5ad_string(
            w, RUN_KEY "/scale/vae_loadings",
            "by how much the logit of a gene's share moves with each unit of the code", err));
    return r->args->denoised ? ql_h5ad_string(w, RUN_KEY "/scale_name", name, err) : QL_OK;
}

static ql_status write_type(const type_choice *c, ql_h5ad_writer *w, ql_err *err)
{
    ql_names names = {0};
    ql_status st;
    if (c->n == 0) return QL_OK;
    for (int i = 0; i < c->n; i++) QL_GO(ql_names_add(&names, c->name[i], strlen(c->name[i]), err));
    QL_GO(ql_h5ad_strings(w, RUN_KEY "/type_choice/type", &names, err));
    QL_GO(ql_h5ad_doubles(w, RUN_KEY "/type_choice/difference", c->difference, c->n, err));
    QL_GO(ql_h5ad_doubles(w, RUN_KEY "/type_choice/difference_stderr", c->error, c->n, err));
out:
    ql_names_free(&names);
    return st;
}

static ql_status write_applied(const denoise_applied *a, ql_h5ad_writer *w, ql_err *err)
{
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/applied/version", a->version, err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/applied/options", a->options, err));
    QL_TRY(ql_h5ad_int(w, RUN_KEY "/applied/genes", a->genes->n, err));
    return ql_h5ad_int(w, RUN_KEY "/applied/missing_genes", a->n_missing, err);
}

static ql_status write_run(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    const ql_fitted *f = r->fitted;
    uint64_t counts;
    QL_TRY(ql_rows_fingerprint(r->rows, &counts, err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/version", "quell " QL_VERSION, err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/matrix", r->ds->matrix, err));
    QL_TRY(ql_h5ad_hash(w, RUN_KEY "/counts_fnv1a", counts, err));
    QL_TRY(ql_h5ad_hash(w, RUN_KEY "/weights_fnv1a", ql_params_fingerprint(&f->ae.params), err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/model", f->ae.cfg.likelihood->name, err));
    QL_TRY(ql_h5ad_int(w, RUN_KEY "/seed", (int64_t)f->train.seed, err));
    QL_TRY(ql_h5ad_int(w, RUN_KEY "/batch_size", f->train.batch_size, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/median_counts", f->prep.median_total, err));
    QL_TRY(write_options(r, w, err));
    QL_TRY(write_scales(r, w, err));
    QL_TRY(write_history(f, w, err));
    QL_TRY(write_type(r->type, w, err));
    QL_TRY(write_code(&f->code, w, err));
    QL_TRY(write_latent_use(&f->latent, "code", f->ae.library.n_groups > 0, w, err));
    QL_TRY(auto_write(r->choice, RUN_KEY "/auto", w, err));
    QL_TRY(ensemble_write(f->others, RUN_KEY "/ensemble", w, err));
    QL_TRY(write_score(&f->score, "heldout", w, err));
    QL_TRY(denoise_write_coverage(&f->coverage, w, err));
    if (r->applied) QL_TRY(write_applied(r->applied, w, err));
    return r->mcv ? write_score(r->mcv, "mcv", w, err) : QL_OK;
}

ql_status denoise_claim_h5ad(const denoise_args *a, ql_h5ad_writer *w, ql_err *err)
{
    char latent[256], second[256];
    snprintf(latent, sizeof latent, "obsm/%s", denoise_key(a));
    QL_TRY(ql_h5ad_claim(w, RUN_KEY, err));
    QL_TRY(ql_h5ad_claim(w, latent, err));
    if (has_loadings(a)) QL_TRY(ql_h5ad_claim(w, LOADINGS, err));
    snprintf(second, sizeof second, "obsm/%s2", denoise_key(a));
    if (a->fit.model.vae.latent2 > 0) QL_TRY(ql_h5ad_claim(w, second, err));
    if (a->fit.model.vae.labels) {
        QL_TRY(ql_h5ad_claim(w, CELL_LABELS_KEY, err));
        QL_TRY(ql_h5ad_claim_column(w, "obs", "quell_label", err));
        QL_TRY(ql_h5ad_claim_column(w, "obs", "quell_label_prob", err));
    }
    /* asked for or not: none of an earlier run may stay beside these results */
    for (int i = 0; i < N_EXTRAS; i++) {
        const char *key = extra_rows[i].key, *name = strchr(key, '/') + 1;
        if (EXTRA_LAYERS & EXTRA_BIT(i))
            QL_TRY(ql_h5ad_claim(w, key, err));
        else
            QL_TRY(ql_h5ad_claim_column(w, "obs", name, err));
    }
    QL_TRY(denoise_claim_layers(w, err));
    if (!a->denoised) return QL_OK;
    QL_TRY(ql_h5ad_claim(w, "layers/denoised", err));
    return ql_h5ad_claim(w, "layers/denoised_mean", err);
}

/* Of a linear decoder: how the logit of each gene moves with each unit of the code. Genes that were
 * set aside have 0. */
static ql_status write_loadings(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    const ql_ae *ae = &r->fitted->ae;
    const ql_prep *prep = &r->fitted->prep;
    const int64_t width = ql_ae_latent_width(ae);
    float *x;
    if (!has_loadings(r->args)) return QL_OK;
    const int tensor = ae->heads.weight[QL_HEAD_MEAN];
    const int64_t ld = ae->params.tensor[tensor].ld;
    QL_TRY(QL_NEW(x, prep->n_genes * width, "the loadings", err));
    for (int64_t g = 0; g < prep->n_kept_genes; g++)
        for (int64_t u = 0; u < width && prep->kept_gene[g] >= 0; u++)
            x[prep->kept_gene[g] * width + u] = (float)ql_param(&ae->params, tensor)[g * ld + u];
    ql_status st = ql_h5ad_matrix(w, LOADINGS, x, prep->n_genes, width, err);
    ql_free(x);
    return st;
}

ql_status denoise_write_h5ad(const denoise_result *r, ql_h5ad_writer *w, ql_err *err)
{
    QL_TRY(write_latent(r, w, err));
    QL_TRY(write_second(r, w, err));
    QL_TRY(write_loadings(r, w, err));
    QL_TRY(cell_labels_write(r, RUN_KEY, w, err));
    QL_TRY(write_layers(r, w, err));
    QL_TRY(write_cells(r, w, err));
    QL_TRY(denoise_write_genes(r, w, err));
    return write_run(r, w, err);
}
