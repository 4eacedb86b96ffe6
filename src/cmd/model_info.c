#include "model_info.h"

#include <stdio.h>
#include <string.h>

#include "embed/scdha_file.h"
#include "fit/model_file.h"
#include "fit/option_rows.h"
#include "quell/json.h"

/* The figures of a file: they were not needed to read it, so they may be missing. */
static bool find_int(const model_file *m, const char *name, int64_t *out)
{
    return ql_bundle_int(&m->bundle, name, 0, INT64_MAX, out, NULL) == QL_OK;
}

static bool find_double(const model_file *m, const char *name, double *out)
{
    return ql_bundle_double(&m->bundle, name, out, NULL) == QL_OK;
}

static int64_t n_weights(const model_file *m)
{
    int64_t n = 0;
    for (int i = 0; i < m->bundle.n; i++) {
        const ql_entry *e = &m->bundle.entries[i];
        if (strncmp(e->name, "net/", 4) == 0) n += e->n_rows * e->n_cols;
    }
    return n;
}

static const char *const predictions[] = {"posterior", "mean", "gene_mean", "raw"};
enum { N_PREDICTIONS = sizeof predictions / sizeof *predictions };

/* ---- for people ---- */

static void put_row(ql_str *out, const char *name)
{
    ql_str_printf(out, "  %-16s ", name);
}

static void put_genes(const model_file *m, ql_str *out)
{
    put_row(out, "genes");
    ql_str_printf(out, "%lld (", (long long)m->genes->n);
    for (int64_t g = 0; g < m->genes->n && g < 3; g++) {
        ql_str_puts(out, g ? ", " : "");
        ql_str_escape(out, ql_name(m->genes, g), strlen(ql_name(m->genes, g)));
    }
    ql_str_printf(out, "%s)%s\n", m->genes->n > 3 ? ", ..." : "", m->ids ? ", with ids" : "");
}

static void put_network(const model_file *m, ql_str *out)
{
    const ql_ae_config *c = &m->fit.ae;
    put_row(out, "likelihood");
    ql_str_printf(out, "%s\n", c->likelihood->name);
    put_row(out, "hidden layers");
    for (int i = 0; i < c->n_hidden; i++)
        ql_str_printf(out, i ? "-%lld" : "%lld", (long long)c->hidden[i]);
    ql_str_printf(out, ", latent space of %lld\n", (long long)c->hidden[c->n_hidden / 2]);
    put_row(out, "weights");
    ql_str_printf(out, "%lld\n", (long long)n_weights(m));
}

static void put_training(const model_file *m, ql_str *out)
{
    int64_t epochs = 0, best = 0, cells = 0;
    if (!find_int(m, "training/epochs", &epochs) || !find_int(m, "training/best_epoch", &best) ||
        !find_int(m, "training/cells", &cells))
        return;
    put_row(out, "trained");
    ql_str_printf(out, "%lld epochs of %lld cells, best epoch %lld\n", (long long)epochs,
                  (long long)cells, (long long)best);
}

static void put_score(const model_file *m, ql_str *out)
{
    char key[64];
    double gain, error;
    for (int i = 0; i < N_PREDICTIONS; i++) {
        (void)snprintf(key, sizeof key, "score/%s_gain", predictions[i]);
        if (!find_double(m, key, &gain)) continue;
        (void)snprintf(key, sizeof key, "score/%s_gain_stderr", predictions[i]);
        if (!find_double(m, key, &error)) continue;
        put_row(out, i ? "" : "gain");
        ql_str_printf(out, "%-9s %7.4f +- %.4f nats per held-out molecule\n", predictions[i], gain,
                      error);
    }
}

/* What --auto compared; what it chose is marked. */
static void put_choice(const model_file *m, ql_str *out)
{
    const auto_choice *a = m->choice;
    for (int i = 0; a && i <= a->choice.n; i++) {
        const ql_candidate *c = &a->choice.candidate[i];
        put_row(out, i ? "" : "compared");
        ql_str_printf(out, "%c %8.4f +- %.4f, weight %.3f: ", i == a->choice.chosen ? '*' : ' ',
                      c->report, c->report_error, i < a->choice.n ? c->weight : 1.0);
        ql_str_escape(out, auto_name(a, i), strlen(auto_name(a, i)));
        ql_str_puts(out, "\n");
    }
}

static const char *default_of(const char *name, size_t n)
{
    const ql_option *const tables[] = {ql_net_rows, ql_training_rows, ql_kind_rows,
                                       ql_vae_rows, ql_seed_rows,     NULL};
    const ql_option *row = rows_find(tables, name, n);
    if (!row) return "";
    return row->def ? row->def : row->type == QL_OPT_FLAG ? "no" : "";
}

/* Options that are not what they are by default. */
static void put_options(const model_file *m, ql_str *out)
{
    ql_str text = {0};
    int n_put = 0;
    ql_options_text(m->opts, &text);
    for (const char *line = ql_str_text(&text); *line; line += strcspn(line, "\n") + 1) {
        const size_t n = strcspn(line, "\n"), name = strcspn(line, " ");
        const char *def = default_of(line, name), *value = line + name + 3;
        const size_t n_value = n - name - 3;
        if (strlen(def) == n_value && strncmp(def, value, n_value) == 0) continue;
        put_row(out, n_put++ ? "" : "options");
        ql_str_printf(out, "%.*s\n", (int)n, line);
    }
    ql_str_free(&text);
}

static void as_text(const model_file *m, ql_str *out)
{
    ql_str_printf(out, "%s\n", m->path);
    put_row(out, "format");
    ql_str_puts(out, "model of quell ");
    ql_str_escape(out, m->version, strlen(m->version));
    ql_str_puts(out, "\n");
    put_genes(m, out);
    put_network(m, out);
    put_training(m, out);
    put_score(m, out);
    put_choice(m, out);
    put_options(m, out);
}

/* ---- for programs ---- */

static void json_group(const model_file *m, ql_json *j, const char *group)
{
    size_t n = strlen(group);
    ql_json_begin_object(j, group);
    for (int i = 0; i < m->bundle.n; i++) {
        const ql_entry *e = &m->bundle.entries[i];
        const char *name = e->name + n + 1;
        if (strncmp(e->name, group, n) != 0 || e->name[n] != '/' || strchr(name, '/')) continue;
        if (e->kind == QL_ENTRY_INT) ql_json_int(j, name, e->i);
        if (e->kind == QL_ENTRY_DOUBLE) ql_json_double(j, name, e->d);
        if (e->kind == QL_ENTRY_TEXT) ql_json_string(j, name, e->text);
    }
    ql_json_end_object(j);
}

static void json_choice(const auto_choice *a, ql_json *j)
{
    if (!a) return;
    ql_json_begin_object(j, "auto");
    ql_json_string(j, "chosen", auto_name(a, a->choice.chosen));
    ql_json_int(j, "folds", a->choice.folds);
    ql_json_begin_array(j, "candidates");
    for (int i = 0; i <= a->choice.n; i++) {
        const ql_candidate *c = &a->choice.candidate[i];
        ql_json_begin_object(j, NULL);
        ql_json_string(j, "candidate", auto_name(a, i));
        ql_json_double(j, "gain", c->report);
        ql_json_double(j, "gain_stderr", c->report_error);
        ql_json_double(j, "difference", c->difference);
        ql_json_double(j, "difference_stderr", c->difference_error);
        ql_json_double(j, "weight", c->weight);
        ql_json_end_object(j);
    }
    ql_json_end_array(j);
    ql_json_end_object(j);
}

static void as_json(const model_file *m, ql_str *out)
{
    const ql_ae_config *c = &m->fit.ae;
    ql_json j = {.out = out};
    ql_json_begin_object(&j, NULL);
    ql_json_string(&j, "file", m->path);
    ql_json_string(&j, "format", "quell-model");
    ql_json_string(&j, "version", m->version);
    ql_json_int(&j, "genes", m->genes->n);
    ql_json_bool(&j, "ids", m->ids != NULL);
    ql_json_string(&j, "likelihood", c->likelihood->name);
    ql_json_begin_array(&j, "hidden");
    for (int i = 0; i < c->n_hidden; i++) ql_json_int(&j, NULL, c->hidden[i]);
    ql_json_end_array(&j);
    ql_json_int(&j, "latent", c->hidden[c->n_hidden / 2]);
    ql_json_int(&j, "weights", n_weights(m));
    json_group(m, &j, "training");
    json_group(m, &j, "score");
    json_choice(m->choice, &j);
    ql_json_begin_object(&j, "options");
    ql_options_members(m->opts, false, &j);
    ql_json_end_object(&j);
    ql_json_end_object(&j);
    ql_str_puts(out, "\n");
}

ql_status model_info(const char *path, bool json, ql_str *out, ql_err *err)
{
    model_file m;
    char kind[MODEL_KIND];
    QL_TRY(model_file_kind(path, kind, err));
    if (strcmp(kind, SCDHA_KIND) == 0) return scdha_info(path, json, out, err);
    QL_TRY(model_file_read(path, 1, &m, err));
    (json ? as_json : as_text)(&m, out);
    model_file_free(&m);
    return QL_OK;
}
