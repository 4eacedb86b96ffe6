#include "scdha_output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fingerprint.h"
#include "quell/labels.h"

#define RUN_KEY  "uns/quell/embed"
#define CLUSTERS "scdha_cluster" /* column of obs */
enum { KEY = 300 };

static void latent_key(const scdha_output *o, int which, char key[KEY])
{
    if (which < 0)
        snprintf(key, KEY, "obsm/%s", o->key);
    else
        snprintf(key, KEY, "obsm/%s_%d", o->key, which + 1);
}

ql_status scdha_output_begin(const scdha_output *o, ql_notes *notes, ql_h5ad_writer **writer)
{
    ql_err *err = &o->run->err;
    char key[KEY];
    ql_write_options opt = {.force = o->args->force, .threads = o->run->threads};
    QL_TRY(ql_denoise_deflate(o->args, &opt.deflate, err));
    const int known = notes->n;
    QL_TRY(ql_h5ad_begin(o->args->output, o->ds, &opt, notes, writer, err));
    ql_notes added = {.items = notes->items + known, .n = notes->n - known};
    ql_log_notes(o->run->log, &added);
    for (int i = -1; i < (o->all ? o->n_latents : 0); i++) {
        latent_key(o, i, key);
        QL_TRY(ql_h5ad_claim(*writer, key, err));
    }
    if (o->model->opt.result == QL_SCDHA_CONSENSUS)
        QL_TRY(ql_h5ad_claim_column(*writer, "obs", CLUSTERS, err));
    QL_TRY(ql_h5ad_claim_column(*writer, "var", "scdha_weight", err));
    QL_TRY(ql_h5ad_claim_column(*writer, "var", "scdha_selected", err));
    return ql_h5ad_claim(*writer, RUN_KEY, err);
}

/* ---- latent spaces ---- */

static ql_status write_result(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    const int64_t n = o->rows->n_rows, width = ql_scdha_width(&o->model->opt);
    char key[KEY];
    float *x;
    QL_TRY(QL_NEW(x, n * width, "a latent space", err));
    latent_key(o, -1, key);
    ql_status st = ql_scdha_result_of(o->model, o->rows, o->kern, x, err);
    if (st == QL_OK) st = ql_h5ad_matrix(w, key, x, n, width, err);
    ql_free(x);
    return st;
}

static ql_status write_members(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    const int64_t n = o->rows->n_rows, latent = o->model->opt.latent;
    char key[KEY];
    float *x;
    ql_status st = QL_OK;
    QL_TRY(QL_NEW(x, n * latent, "a latent space", err));
    for (int i = 0; i < o->model->n_latents; i++) {
        QL_GO(ql_scdha_latents(o->model, o->rows, i, o->kern, x, latent, err));
        latent_key(o, i, key);
        QL_GO(ql_h5ad_matrix(w, key, x, n, latent, err));
    }
out:
    ql_free(x);
    return st;
}

/* ---- genes ---- */

static void fill_genes(const scdha_output *o, int64_t n, double *weight, uint8_t *chosen)
{
    const ql_scdha *m = o->model;
    const int32_t *place = o->place ? o->place : m->scale.place;
    for (int64_t g = 0; g < n; g++) {
        const int32_t at = place[g];
        weight[g] = at >= 0 && m->weight ? m->weight[at] : NAN;
        chosen[g] = at >= 0 && m->column[at] >= 0;
    }
}

static ql_status write_genes(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    const ql_scdha *m = o->model;
    const int64_t n = o->ds->genes.index.n;
    ql_frame frame = {0};
    double *weight = NULL;
    uint8_t *chosen = NULL;
    ql_status st;
    QL_GO(ql_names_copy(&o->ds->genes.index, &frame.index, err));
    QL_GO(QL_NEW(weight, n, "gene columns", err));
    QL_GO(QL_NEW(chosen, n, "gene columns", err));
    fill_genes(o, n, weight, chosen);
    if (m->weight) QL_GO(ql_frame_add(&frame, "scdha_weight", QL_COL_F64, weight, err));
    QL_GO(ql_frame_add(&frame, "scdha_selected", QL_COL_BOOL, chosen, err));
    QL_GO(ql_h5ad_columns(w, "var", &frame, err));
out:
    ql_free(weight);
    ql_free(chosen);
    ql_frame_free(&frame);
    return st;
}

/* ---- clusters ---- */

static ql_status write_clusters(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    ql_labels l = {0};
    if (!o->choice || o->choice->n == 0) return QL_OK;
    ql_status st = ql_labels_number(o->choice->label, o->rows->n_rows, o->choice->k, &l, err);
    if (st == QL_OK) st = ql_h5ad_categories(w, "obs", CLUSTERS, l.code, l.n, &l.names, err);
    ql_labels_free(&l);
    return st;
}

/* ---- how it was made ---- */

static ql_status write_losses(ql_h5ad_writer *w, const char *name, const double *loss, int64_t n,
                              int64_t epochs, ql_err *err)
{
    char key[KEY];
    for (int64_t i = 0; loss && i < n; i++) {
        snprintf(key, sizeof key, RUN_KEY "/history/%s_%lld", name, (long long)i + 1);
        QL_TRY(ql_h5ad_doubles(w, key, loss + i * epochs, epochs, err));
    }
    return QL_OK;
}

static ql_status write_numbers(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    const ql_scdha *m = o->model;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {RUN_KEY "/seed", (int64_t)m->opt.seed},      {RUN_KEY "/genes", m->n_genes},
        {RUN_KEY "/train_cells", m->opt.train_cells}, {RUN_KEY "/batch_size", m->opt.batch_size},
        {RUN_KEY "/latent", m->opt.latent},           {RUN_KEY "/skipped_steps", m->skipped}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        QL_TRY(ql_h5ad_int(w, numbers[i].key, numbers[i].value, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/learning_rate", m->opt.rate, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/weight_decay", m->opt.weight_decay, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/error_weight", m->opt.beta, err));
    return ql_h5ad_string(w, RUN_KEY "/inputs",
                          m->scale.log ? "log(x + 1), each cell stretched to 0 to 1"
                                       : "x, each cell stretched to 0 to 1",
                          err);
}

/* Which latent space KEY is, and what said so. */
static ql_status write_choice(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    enum { MOST = QL_SCDHA_MOST_LATENTS };
    const ql_scdha_choice *c = o->choice;
    double groups[MOST];
    QL_TRY(o->model->returned < 0
               ? ql_h5ad_string(w, RUN_KEY "/returned", "joined", err)
               : ql_h5ad_int(w, RUN_KEY "/returned", o->model->returned + 1, err));
    if (!c || c->n == 0) return QL_OK;
    for (int i = 0; i < c->n; i++) groups[i] = (double)c->groups[i];
    QL_TRY(ql_h5ad_doubles(w, RUN_KEY "/groups", groups, c->n, err));
    return ql_h5ad_doubles(w, RUN_KEY "/agreement", c->agreement, c->n, err);
}

static ql_status write_scales(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    static const char text[] = "latent space: means of scDHA's encoder, linear, for distances and "
                               "clustering; no counts";
    char key[KEY];
    snprintf(key, sizeof key, RUN_KEY "/scale/%s", o->key);
    QL_TRY(ql_h5ad_string(w, key, text, err));
    for (int i = 0; i < (o->all ? o->n_latents : 0); i++) {
        snprintf(key, sizeof key, RUN_KEY "/scale/%s_%d", o->key, i + 1);
        QL_TRY(ql_h5ad_string(w, key, text, err));
    }
    if (!o->model->weight) return QL_OK;
    return ql_h5ad_string(
        w, RUN_KEY "/scale/scdha_weight",
        o->model->filter_loss
            ? "spread of a gene's weights into the filter's code, 0 to 1"
            : "ln(variance / mean), in standard deviations from genes of like mean",
        err);
}

/* Tells latent spaces of different models from each other. */
static ql_status write_weights(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    uint64_t h = QL_HASH_START;
    for (int i = 0; i < o->model->n_latents; i++) {
        const ql_scdha_encoder *e = &o->model->encoder[i];
        h = ql_floats_fingerprint(e->weight, e->n_genes * e->hidden, h);
        h = ql_floats_fingerprint(e->mu_weight, e->hidden * e->latent, h);
    }
    return ql_h5ad_hash(w, RUN_KEY "/weights_fnv1a", h, err);
}

static ql_status write_run(const scdha_output *o, ql_h5ad_writer *w, ql_err *err)
{
    const ql_scdha *m = o->model;
    ql_str json = {0};
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/version", "quell " QL_VERSION, err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/model", "scdha", err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/matrix", o->ds->matrix, err));
    QL_TRY(write_weights(o, w, err));
    QL_TRY(write_numbers(o, w, err));
    QL_TRY(write_clusters(o, w, err));
    QL_TRY(write_choice(o, w, err));
    QL_TRY(write_scales(o, w, err));
    QL_TRY(
        write_losses(w, "filter_loss", m->filter_loss, m->opt.filters, m->opt.filter_epochs, err));
    QL_TRY(write_losses(w, "loss", m->loss, m->opt.models, ql_scdha_epochs(&m->opt), err));
    if (o->applied) {
        QL_TRY(ql_h5ad_string(w, RUN_KEY "/applied/version", o->applied, err));
        QL_TRY(ql_h5ad_int(w, RUN_KEY "/applied/missing_genes", o->n_missing, err));
    }
    ql_options_json(o->run->opts, false, &json);
    ql_status st = json.failed ? ql_fail(err, QL_EMEMORY, "no memory for the options")
                               : ql_h5ad_string(w, RUN_KEY "/options", ql_str_text(&json), err);
    ql_str_free(&json);
    return st;
}

ql_status scdha_output_write(const scdha_output *o, ql_h5ad_writer **writer)
{
    ql_err *err = &o->run->err;
    ql_h5ad_writer *w = *writer;
    if (o->all) QL_TRY(write_members(o, w, err));
    QL_TRY(write_result(o, w, err));
    QL_TRY(write_genes(o, w, err));
    QL_TRY(write_run(o, w, err));
    *writer = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(w, err));
    ql_log_info(o->run->log, "wrote %s: obsm/%s (%lld dimensions)%s", o->args->output, o->key,
                (long long)ql_scdha_width(&o->model->opt),
                o->all ? ", and the latent space of each model and snapshot" : "");
    return QL_OK;
}
