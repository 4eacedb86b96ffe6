#include "scdha_file.h"

#include <string.h>

#include "quell/bundle_h5.h"
#include "quell/json.h"

enum { LEVEL = 1 };

/* ---- writing ---- */

static ql_status put_names(const ql_names *all, const ql_scdha_scale *s, const char *name,
                           ql_bundle *b, ql_err *err)
{
    ql_names kept = {0};
    for (int64_t g = 0; g < s->n_genes; g++) {
        if (s->place[g] < 0) continue;
        const char *text = ql_name(all, g);
        ql_status st = ql_names_add(&kept, text, strlen(text), err);
        if (st == QL_OK) continue;
        ql_names_free(&kept);
        return st;
    }
    return ql_bundle_give_names(b, name, &kept, err);
}

static ql_status put_options(const ql_run *run, ql_bundle *b, ql_err *err)
{
    ql_str json = {0};
    ql_options_json(run->opts, false, &json);
    ql_status st = json.failed ? ql_fail(err, QL_EMEMORY, "no memory for the options")
                               : ql_bundle_put_text(b, "options_json", ql_str_text(&json), err);
    ql_str_free(&json);
    return st;
}

static ql_status put_all(const scdha_output *o, ql_bundle *b, ql_err *err)
{
    const ql_names *ids = model_gene_ids(&o->ds->genes);
    QL_TRY(model_file_put_marks(b, SCDHA_KIND, err));
    QL_TRY(put_options(o->run, b, err));
    QL_TRY(put_names(&o->ds->genes.index, &o->model->scale, "genes/names", b, err));
    if (ids) QL_TRY(put_names(ids, &o->model->scale, "genes/ids", b, err));
    return ql_scdha_put(o->model, b, err);
}

ql_status scdha_file_write(const char *path, const scdha_output *o)
{
    ql_err *err = &o->run->err;
    const ql_bundle_write_options how = {.force = o->args->force,
                                         .deflate = LEVEL,
                                         .threads = o->run->threads,
                                         .in_path = o->ds->path};
    ql_bundle b = {0};
    if (o->model->scale.negative)
        return ql_fail(err, QL_EDATA,
                       "a model of data with negative values cannot be kept for other cells");
    ql_status st = put_all(o, &b, err);
    if (st == QL_OK) st = ql_bundle_h5_write(path, &b, &how, err);
    ql_bundle_free(&b);
    if (st == QL_OK)
        ql_log_info(o->run->log, "wrote %s: a model of %lld genes, %lld of them chosen", path,
                    (long long)o->model->scale.n_kept, (long long)o->model->n_genes);
    return st;
}

/* ---- reading ---- */

static ql_status read_parts(scdha_file *f, ql_err *err)
{
    QL_TRY(model_file_read_genes(&f->file, err));
    return ql_scdha_take_bundle(&f->file.bundle, f->file.genes->n, &f->model, err);
}

ql_status scdha_file_read(const char *path, scdha_file *f, ql_err *err)
{
    *f = (scdha_file){.file.path = path};
    QL_TRY(ql_bundle_h5_read(path, &f->file.bundle, err));
    ql_status st = read_parts(f, err);
    if (st == QL_OK) return QL_OK;
    scdha_file_free(f);
    return model_file_blame(path, st, err);
}

void scdha_file_free(scdha_file *f)
{
    ql_scdha_free(&f->model);
    model_file_free(&f->file);
}

/* ---- what is in one ---- */

static void as_text(const scdha_file *f, ql_str *out)
{
    const ql_scdha *m = &f->model;
    ql_str_printf(out, "%s\n  %-16s model of quell ", f->file.path, "format");
    ql_str_escape(out, f->file.version, strlen(f->file.version));
    ql_str_printf(out, "\n  %-16s scdha\n", "kind");
    ql_str_printf(out, "  %-16s %lld, %lld of them chosen%s\n", "genes",
                  (long long)f->file.genes->n, (long long)m->n_genes,
                  f->file.ids ? ", with ids" : "");
    ql_str_printf(out, "  %-16s %lld models, %lld snapshots of each, latent spaces of %lld\n",
                  "network", (long long)m->opt.models, (long long)m->opt.snapshots,
                  (long long)m->opt.latent);
    ql_str_printf(out, "  %-16s %s, each cell stretched to 0 to 1\n", "inputs",
                  m->scale.log ? "logarithms" : "values as they are");
    ql_str_printf(out, "  %-16s %lld epochs of %lld of %lld cells\n", "trained",
                  (long long)ql_scdha_epochs(&m->opt), (long long)m->opt.train_cells,
                  (long long)m->n_cells);
}

static void as_json(const scdha_file *f, ql_str *out)
{
    const ql_scdha *m = &f->model;
    ql_json j = {.out = out};
    ql_json_begin_object(&j, NULL);
    ql_json_string(&j, "file", f->file.path);
    ql_json_string(&j, "format", "quell-model");
    ql_json_string(&j, "kind", SCDHA_KIND);
    ql_json_string(&j, "version", f->file.version);
    ql_json_int(&j, "genes", f->file.genes->n);
    ql_json_int(&j, "chosen_genes", m->n_genes);
    ql_json_bool(&j, "ids", f->file.ids != NULL);
    ql_json_int(&j, "models", m->opt.models);
    ql_json_int(&j, "snapshots", m->opt.snapshots);
    ql_json_int(&j, "latent", m->opt.latent);
    ql_json_bool(&j, "log", m->scale.log);
    ql_json_int(&j, "epochs", ql_scdha_epochs(&m->opt));
    ql_json_int(&j, "train_cells", m->opt.train_cells);
    ql_json_int(&j, "cells", m->n_cells);
    ql_json_end_object(&j);
    ql_str_puts(out, "\n");
}

ql_status scdha_info(const char *path, bool json, ql_str *out, ql_err *err)
{
    scdha_file f;
    QL_TRY(scdha_file_read(path, &f, err));
    (json ? as_json : as_text)(&f, out);
    scdha_file_free(&f);
    return QL_OK;
}
