#include "model_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "model_fit.h"
#include "quell/alloc.h"
#include "quell/bundle_h5.h"
#include "quell/covariates_bundle.h"
#include "quell/utf8.h"

#define FORMAT "quell-model"
#define KIND   "autoencoder"
#define MANY   "ensemble" /* one, and others mixed with it */
enum { FORMAT_VERSION = 1, LEVEL = 1 };

static const ql_opt_table model_tables[] = {{ql_net_rows, 0},
                                            {ql_training_rows, 0},
                                            {ql_kind_rows, 0},
                                            {ql_vae_rows, offsetof(model_args, vae)},
                                            {ql_seed_rows, offsetof(model_args, seed)},
                                            {NULL, 0}};

const ql_names *model_gene_ids(const ql_frame *genes)
{
    static const char *const columns[] = {"gene_ids", "gene_id", "ensembl_id"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const ql_names *ids = ql_frame_texts(genes, columns[i]);
        if (ids) return ids;
    }
    return NULL;
}

ql_status model_default_options(model_args *args, ql_opts **opts, ql_err *err)
{
    return ql_opts_new(model_tables, NULL, args, opts, err);
}

/* ---- writing ---- */

static ql_status put_text(ql_bundle *b, const char *name, ql_str *text, ql_err *err)
{
    ql_status st = text->failed ? ql_fail(err, QL_EMEMORY, "no memory for the options")
                                : ql_bundle_put_text(b, name, ql_str_text(text), err);
    ql_str_free(text);
    return st;
}

static ql_status put_options(const model_args *args, ql_bundle *b, ql_err *err)
{
    model_args copy;
    ql_opts *opts = NULL;
    ql_str text = {0}, json = {0};
    QL_TRY(ql_opts_new(model_tables, NULL, &copy, &opts, err));
    copy = *args;
    ql_options_text(opts, &text);
    ql_options_json(opts, false, &json);
    ql_opts_free(opts);
    ql_status st = put_text(b, "options", &text, err);
    if (st != QL_OK) {
        ql_str_free(&json);
        return st;
    }
    return put_text(b, "options_json", &json, err);
}

static ql_status put_kept(const ql_names *all, const ql_prep *prep, const char *name, ql_bundle *b,
                          ql_err *err)
{
    ql_names kept = {0};
    for (int64_t g = 0; g < prep->n_kept_genes; g++) {
        const char *text = ql_name(all, prep->kept_gene[g]);
        ql_status st = ql_names_add(&kept, text, strlen(text), err);
        if (st == QL_OK) continue;
        ql_names_free(&kept);
        return st;
    }
    return ql_bundle_give_names(b, name, &kept, err);
}

ql_status model_file_put_marks(ql_bundle *b, const char *kind, ql_err *err)
{
    QL_TRY(ql_bundle_put_text(b, "format", FORMAT, err));
    QL_TRY(ql_bundle_put_int(b, "format_version", FORMAT_VERSION, err));
    QL_TRY(ql_bundle_put_text(b, "quell_version", QL_VERSION, err));
    return ql_bundle_put_text(b, "kind", kind, err);
}

static ql_status put_all(const model_content *c, ql_bundle *b, ql_err *err)
{
    const ql_names *ids = model_gene_ids(c->genes);
    QL_TRY(model_file_put_marks(b, c->fitted->others ? MANY : KIND, err));
    if (c->estimate) QL_TRY(ql_bundle_put_text(b, "estimate", c->estimate, err));
    QL_TRY(put_options(c->args, b, err));
    QL_TRY(put_kept(&c->genes->index, &c->fitted->prep, "genes/names", b, err));
    if (ids) QL_TRY(put_kept(ids, &c->fitted->prep, "genes/ids", b, err));
    QL_TRY(ql_fitted_put(c->fitted, b, err));
    QL_TRY(auto_put(c->choice, b, err));
    return c->fitted->others ? ql_ensemble_put(c->fitted, b, err) : QL_OK;
}

ql_status model_file_write(const char *path, const model_content *content, ql_err *err)
{
    const ql_bundle_write_options how = {.force = content->force,
                                         .deflate = LEVEL,
                                         .threads = content->threads,
                                         .in_path = content->in_path};
    ql_bundle b = {0};
    ql_status st = put_all(content, &b, err);
    if (st == QL_OK) st = ql_bundle_h5_write(path, &b, &how, err);
    ql_bundle_free(&b);
    return st;
}

/* ---- reading ---- */

static bool has_mark(const ql_bundle *root)
{
    const ql_entry *e = ql_bundle_find(root, "format");
    return e && e->kind == QL_ENTRY_TEXT && strcmp(e->text, FORMAT) == 0;
}

ql_status model_file_is(const char *path, bool *is, ql_err *err)
{
    ql_bundle root = {0};
    struct stat s;
    *is = false;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return QL_OK; /* a pipe can be read once only */
    const ql_status st = ql_bundle_h5_read_root(path, &root, err);
    *is = st == QL_OK && has_mark(&root);
    ql_bundle_free(&root);
    return st == QL_EMEMORY ? st : QL_OK;
}

ql_status model_file_blame(const char *path, ql_status st, ql_err *err)
{
    if (err) {
        ql_utf8_make_safe(err->msg);
        ql_utf8_make_safe(err->hint);
    }
    return ql_context(err, st, "%s", path);
}

static ql_status check_marks(const ql_bundle *root, char kind[MODEL_KIND], ql_err *err)
{
    int64_t version = 0;
    const char *text = NULL;
    if (!has_mark(root)) {
        ql_fail(err, QL_EDATA, "is no model: its root has no attribute format = \"" FORMAT "\"");
        return ql_hint(err, QL_EDATA, "quell train INPUT --save-model FILE writes one");
    }
    QL_TRY(ql_bundle_int(root, "format_version", 1, INT64_MAX, &version, err));
    if (version > FORMAT_VERSION) {
        ql_fail(err, QL_EDATA, "is a model of format version %lld; this quell reads version %d",
                (long long)version, FORMAT_VERSION);
        return ql_hint(err, QL_EDATA, "use a newer quell");
    }
    QL_TRY(ql_bundle_text(root, "kind", &text, err));
    snprintf(kind, MODEL_KIND, "%s", text);
    return QL_OK;
}

/* The root first: of a file that is something else no more is read. */
ql_status model_file_kind(const char *path, char kind[MODEL_KIND], ql_err *err)
{
    ql_bundle root = {0};
    QL_TRY(ql_bundle_h5_read_root(path, &root, err));
    ql_status st = check_marks(&root, kind, err);
    ql_bundle_free(&root);
    return st == QL_OK ? QL_OK : model_file_blame(path, st, err);
}

static ql_status check_kind(const char *path, ql_err *err)
{
    char kind[MODEL_KIND];
    QL_TRY(model_file_kind(path, kind, err));
    if (!strcmp(kind, KIND) || !strcmp(kind, MANY)) return QL_OK;
    const ql_status st =
        ql_fail(err, QL_EDATA, "is a model of kind '%s'; '" KIND "' is needed here", kind);
    return model_file_blame(path, st, err);
}

/* Levels of the columns that the options name. */
static ql_status read_covariates(model_file *m, ql_err *err)
{
    const ql_cov_shape named = m->fit.ae.vae.cov;
    QL_TRY(ql_covariates_take(&m->bundle, &m->cov, err));
    const ql_cov_shape shape = ql_covariates_shape(&m->cov);
    bool same = shape.n == named.n && (shape.n_labels > 0) == (named.n_labels > 0);
    for (int k = 0; k < shape.n && same; k++)
        same = (shape.n_levels[k] == 0) == (named.n_levels[k] == 0);
    if (!same) return ql_fail(err, QL_EDATA, "covariates: are not those that the options name");
    m->fit.ae.vae.cov = shape;
    return QL_OK;
}

/* Options that this quell does not know are the file's fault, not the command line's. */
static ql_status read_options(model_file *m, int threads, ql_err *err)
{
    ql_err own = {0};
    const char *text = NULL;
    QL_TRY(ql_bundle_text(&m->bundle, "options", &text, err));
    QL_TRY(ql_opts_new(model_tables, NULL, &m->args, &m->opts, err));
    ql_status st = ql_opts_set_text(m->opts, text, "options", &own);
    if (st == QL_EUSAGE) {
        ql_fail(err, QL_EDATA, "%s", own.msg);
        return ql_hint(err, QL_EDATA, "it was written by quell %.40s, this is " QL_VERSION,
                       m->version);
    }
    if (st != QL_OK) return ql_fail(err, st, "%s", own.msg);
    if (m->args.hidden.n < 1) return ql_fail(err, QL_EDATA, "options: no hidden layers");
    st = model_args_check(&m->args, &own);
    if (st == QL_OK) model_fit_options(&m->args, threads, &m->fit);
    if (st == QL_OK) QL_TRY(read_covariates(m, err));
    if (st == QL_OK) st = ql_ae_check(&m->fit.ae, &own);
    return st == QL_OK ? QL_OK : ql_fail(err, QL_EDATA, "options: %s", own.msg);
}

ql_status model_file_read_genes(model_file *m, ql_err *err)
{
    QL_TRY(ql_bundle_text(&m->bundle, "quell_version", &m->version, err));
    QL_TRY(ql_bundle_names(&m->bundle, "genes/names", -1, &m->genes, err));
    if (m->genes->n < 1 || m->genes->n > INT32_MAX / 2)
        return ql_fail(err, QL_EDATA, "genes/names has %lld names", (long long)m->genes->n);
    if (!ql_bundle_find(&m->bundle, "genes/ids")) return QL_OK;
    return ql_bundle_names(&m->bundle, "genes/ids", m->genes->n, &m->ids, err);
}

static ql_status read_parts(model_file *m, int threads, ql_err *err)
{
    QL_TRY(model_file_read_genes(m, err));
    if (ql_bundle_find(&m->bundle, "estimate"))
        QL_TRY(ql_bundle_text(&m->bundle, "estimate", &m->estimate, err));
    QL_TRY(read_options(m, threads, err));
    QL_TRY(ql_fitted_check(&m->bundle, &m->fit, m->genes->n, err));
    QL_TRY(auto_take(&m->bundle, &m->choice, err));
    QL_TRY(ensemble_specs_read(&m->bundle, &m->args, threads, &m->models, err));
    if (!m->models) return QL_OK;
    ensemble_specs_covariates(m->models, &m->fit);
    return ql_ensemble_check(&m->bundle, m->models->spec, m->models->n, m->genes->n, err);
}

ql_status model_file_read(const char *path, int threads, model_file *m, ql_err *err)
{
    *m = (model_file){.path = path};
    QL_TRY(check_kind(path, err));
    QL_TRY(ql_bundle_h5_read(path, &m->bundle, err));
    ql_status st = read_parts(m, threads, err);
    if (st == QL_OK) return QL_OK;
    model_file_free(m);
    return model_file_blame(path, st, err);
}

void model_file_free(model_file *m)
{
    ql_opts_free(m->opts);
    ql_covariates_free(&m->cov);
    ql_free(m->models);
    ql_free(m->choice);
    ql_bundle_free(&m->bundle);
    *m = (model_file){0};
}
