#include "space_job.h"

#include <stdio.h>
#include <string.h>

#include "../input/compression.h"
#include "quell/alloc.h"

#define S space_args
/* clang-format off */
const ql_option ql_space_use_rows[] = {
    {.name = "use", .letter = 'u', QL_STRING_AT(S, use), .unit = "KEY", .group = "Input",
     .unset = "the only or best known one", .help = "obsm key of the latent space",
     .more = "Without it the first of X_scdha, X_vae, X_dca, X_ae and X_pca that is there, or the only "
             "one that is no layout. Cells whose row is NaN (those a model set aside) get no result."},
    {.name = NULL},
};

const ql_option ql_space_output_rows[] = {
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the h5ad to write",
     .more = "The input is carried through whole; another file than the input."},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing output and earlier results in it"},
    {.name = "compression", QL_STRING_AT(S, compression), .def = "gzip", .unit = "none|gzip[:LEVEL]",
     .group = "Output", .help = "compression of what is written"},
    {.name = NULL},
};
/* clang-format on */
#undef S

/* ---- reading ---- */

ql_status space_open(space_job *j, const space_args *a, const char *path, ql_run *run)
{
    ql_err *err = &run->err;
    *j = (space_job){.a = a, .run = run, .path = path};
    if (a->output) QL_TRY(ql_output_check(a->output, path, a->force, err));
    QL_TRY(ql_kern_select(&j->kern, err));
    QL_TRY(ql_part_open(path, &j->part, err));
    QL_TRY(ql_part_index(j->part, "obs", &j->cells, err));
    j->n_cells = j->cells.n;
    return QL_OK;
}

bool space_has(const space_job *j, const char *key)
{
    return ql_part_has(j->part, key);
}

/* Best first. */
static const char *const known[] = {"X_scdha", "X_vae", "X_dca", "X_ae", "X_pca"};
/* Layouts: made for the eye, distances in them mean little. */
static const char *const layouts[] = {"X_umap", "X_tsne", "X_draw_graph", "X_diffmap", "spatial"};

static bool is_layout(const char *name)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (strncmp(name, layouts[i], strlen(layouts[i])) == 0) return true;
    return false;
}

static bool is_in(const ql_names *names, const char *name)
{
    for (int64_t i = 0; i < names->n; i++)
        if (strcmp(ql_name(names, i), name) == 0) return true;
    return false;
}

static void list_names(const ql_names *names, ql_str *out)
{
    for (int64_t i = 0; i < names->n; i++) {
        ql_str_puts(out, i ? ", " : "");
        ql_str_escape(out, ql_name(names, i), strlen(ql_name(names, i)));
    }
    if (names->n == 0) ql_str_puts(out, "none");
}

static ql_status fail_no_space(const space_job *j, const ql_names *has, const char *use)
{
    ql_str list = {0};
    list_names(has, &list);
    if (use)
        ql_fail(&j->run->err, QL_EDATA, "%s: has no obsm/%s (it has: %s)", j->path, use,
                ql_str_text(&list));
    else
        ql_fail(&j->run->err, QL_EDATA, "%s: which latent space is meant is not clear (it has: %s)",
                j->path, ql_str_text(&list));
    ql_str_free(&list);
    return ql_hint(&j->run->err, QL_EDATA,
                   use || has->n > 0 ? "--use names one"
                                     : "quell embed and quell denoise make one");
}

/* The name of the space to take; NULL: none is known, nor is there one alone. */
static const char *choose(const ql_names *has)
{
    const char *only = NULL;
    int n = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_in(has, known[i])) return known[i];
    for (int64_t i = 0; i < has->n; i++) {
        if (is_layout(ql_name(has, i))) continue;
        only = ql_name(has, i);
        n++;
    }
    return n == 1 ? only : NULL;
}

ql_status space_read_points(space_job *j, const char *key, ql_points *out)
{
    ql_err *err = &j->run->err;
    int64_t shape[2];
    float *x;
    QL_TRY(ql_part_shape(j->part, key, &shape[0], &shape[1], err));
    if (shape[0] != j->n_cells)
        return ql_fail(err, QL_EDATA, "%s: /%s: has %lld rows for %lld cells", j->path, key,
                       (long long)shape[0], (long long)j->n_cells);
    QL_TRY(QL_NEW(x, shape[0] * shape[1], "a latent space", err));
    ql_status st = ql_part_rows(j->part, key, shape, 0, shape[0], x, err);
    if (st != QL_OK) {
        ql_free(x);
        return st;
    }
    st = ql_points_take(x, shape[0], shape[1], out, err);
    return st == QL_OK ? st : ql_context(err, st, "%s: /%s", j->path, key);
}

ql_status space_check_key(const char *option, const char *key, ql_run *run)
{
    enum { LONGEST = 100 };
    const size_t n = strlen(key);
    if (n > 0 && n <= LONGEST && !strchr(key, '/') && *key != '.') return QL_OK;
    ql_fail(&run->err, QL_EUSAGE, "%s '%.100s' cannot be a name in the file", option, key);
    return ql_hint(&run->err, QL_EUSAGE, "1 to %d characters, no '/', no '.' in front", LONGEST);
}

/* ---- of which model a space is ---- */

/* Appends the hash of the weights behind obsm/<use>; nothing where the file does not say. */
static void find_weights(const space_job *j, const char *use, ql_str *hash)
{
    static const char *const runs[] = {"uns/quell/denoise", "uns/quell/embed"};
    char key[400];
    for (size_t i = 0; i < sizeof runs / sizeof *runs && hash->len == 0; i++) {
        ql_part_value v = {0};
        (void)snprintf(key, sizeof key, "%s/scale/%s", runs[i], use);
        if (!space_has(j, key)) continue;
        (void)snprintf(key, sizeof key, "%s/weights_fnv1a", runs[i]);
        if (!space_has(j, key) || ql_part_get(j->part, key, &v, NULL) != QL_OK) continue;
        if (v.kind == QL_PART_TEXT) ql_str_puts(hash, ql_name(&v.texts, 0));
        ql_part_value_free(&v);
    }
}

static ql_status compare_weights(const space_job *a, const ql_str *of_a, const space_job *b,
                                 const ql_str *of_b, const char *use)
{
    ql_run *run = a->run;
    if (of_a->len == 0 || of_b->len == 0) {
        ql_log_info(run->log,
                    "%s does not say which model made obsm/%s: that it is the one of %s "
                    "cannot be checked",
                    of_a->len ? b->path : a->path, use, of_a->len ? a->path : b->path);
        return QL_OK;
    }
    if (strcmp(ql_str_text(of_a), ql_str_text(of_b)) == 0) return QL_OK;
    ql_fail(&run->err, QL_EMISMATCH,
            "obsm/%s of %s is of another model (weights %.16s) than that of %s (%.16s)", use,
            a->path, ql_str_text(of_a), b->path, ql_str_text(of_b));
    return ql_hint(&run->err, QL_EMISMATCH,
                   "quell apply with the model of one file makes the space of the other");
}

ql_status space_same_model(const space_job *a, const space_job *b, const char *use)
{
    ql_str of_a = {0}, of_b = {0};
    find_weights(a, use, &of_a);
    find_weights(b, use, &of_b);
    const ql_status st = compare_weights(a, &of_a, b, &of_b, use);
    ql_str_free(&of_a);
    ql_str_free(&of_b);
    return st;
}

static ql_status read_points(space_job *j, const char *use, ql_points *out)
{
    char key[300];
    (void)snprintf(key, sizeof key, "obsm/%s", use);
    return space_read_points(j, key, out);
}

static void tell_points(const space_job *j, const char *use, bool chosen, const ql_names *has,
                        const ql_points *p)
{
    ql_logger *log = j->run->log;
    ql_log_info(log, "%lld cells in obsm/%s, %lld dimensions%s", (long long)p->n, use,
                (long long)p->n_dims, chosen && has->n > 1 ? " (--use takes another)" : "");
    if (p->n < p->n_cells)
        ql_log_info(log, "%lld cells have no place in it (NaN): they get no result",
                    (long long)(p->n_cells - p->n));
    ql_summary_int(j->run->summary, "cells", p->n);
    ql_summary_int(j->run->summary, "cells_without_place", p->n_cells - p->n);
    ql_summary_string(j->run->summary, "use", use);
}

ql_status space_points(space_job *j, const char *use, ql_points *out, ql_str *key)
{
    ql_names has = {0};
    ql_status st;
    QL_GO(ql_part_members(j->part, "obsm", &has, &j->run->err));
    const bool chosen = !use;
    if (chosen) {
        use = choose(&has);
        if (!use) QL_GO(fail_no_space(j, &has, NULL));
    } else if (!is_in(&has, use)) {
        QL_GO(fail_no_space(j, &has, use));
    }
    QL_GO(read_points(j, use, out));
    tell_points(j, use, chosen, &has, out);
    if (key) ql_str_puts(key, use);
out:
    ql_names_free(&has);
    return st;
}

/* A column obs/<name> of any kind, into a frame with the cells' names as index. */
static ql_status read_column(space_job *j, const char *name, ql_frame *out)
{
    if (out->index.n == 0) QL_TRY(ql_names_copy(&j->cells, &out->index, &j->run->err));
    return ql_part_column(j->part, "obs", name, out, &j->run->err);
}

ql_status space_labels(space_job *j, const char *name, ql_labels *out)
{
    ql_frame frame = {0};
    ql_err *err = &j->run->err;
    ql_status st = read_column(j, name, &frame);
    if (st == QL_OK) {
        st = ql_labels_of(ql_frame_column(&frame, name), j->n_cells, out, err);
        if (st != QL_OK) ql_context(err, st, "%s: /obs", j->path);
    }
    ql_frame_free(&frame);
    return st;
}

/* ---- writing ---- */

static ql_status claim(space_job *j, const char *key)
{
    ql_err *err = &j->run->err;
    if (strncmp(key, "obs/", 4) == 0) return ql_h5ad_claim_column(j->writer, "obs", key + 4, err);
    return ql_h5ad_claim(j->writer, key, err);
}

ql_status space_begin(space_job *j, const char *record, const char *const *claims)
{
    ql_err *err = &j->run->err;
    ql_write_options opt = {.force = j->a->force, .threads = j->run->threads};
    QL_TRY(ql_compression_level(j->a->compression, 1, &opt.deflate, err));
    QL_TRY(ql_h5ad_begin_copy(j->a->output, j->path, &opt, &j->writer, err));
    ql_str_printf(&j->record, "uns/quell/%s", record);
    if (j->record.failed) return ql_fail(err, QL_EMEMORY, "no memory for a name");
    for (; *claims; claims++) QL_TRY(claim(j, *claims));
    return claim(j, j->record.text);
}

void space_wrote(space_job *j, const char *key)
{
    ql_str_puts(&j->written, j->written.len ? ", " : "");
    ql_str_puts(&j->written, key);
}

ql_status space_write_labels(space_job *j, const char *name, const ql_labels *l, const ql_points *p)
{
    char key[300];
    ql_labels all = {0};
    QL_TRY(ql_labels_spread(l, p, &all, &j->run->err));
    ql_status st =
        ql_h5ad_categories(j->writer, "obs", name, all.code, all.n, &all.names, &j->run->err);
    ql_labels_free(&all);
    (void)snprintf(key, sizeof key, "obs/%s", name);
    space_wrote(j, key);
    return st;
}

ql_status space_write_numbers(space_job *j, const char *name, const double *x, const ql_points *p)
{
    char key[300];
    ql_err *err = &j->run->err;
    ql_frame frame = {0};
    double *all = NULL;
    ql_status st;
    QL_GO(QL_NEW(all, p->n_cells, "a column", err));
    ql_points_spread_doubles(p, x, all);
    QL_GO(ql_names_copy(&j->cells, &frame.index, err));
    QL_GO(ql_frame_add(&frame, name, QL_COL_F64, all, err));
    QL_GO(ql_h5ad_columns(j->writer, "obs", &frame, err));
    (void)snprintf(key, sizeof key, "obs/%s", name);
    space_wrote(j, key);
out:
    ql_free(all);
    ql_frame_free(&frame);
    return st;
}

ql_status space_write_matrix(space_job *j, const char *key, const float *x, int64_t width,
                             const ql_points *p)
{
    float *all;
    QL_TRY(QL_NEW(all, p->n_cells * width, "a result", &j->run->err));
    ql_points_spread(p, x, width, all);
    ql_status st = ql_h5ad_matrix(j->writer, key, all, p->n_cells, width, &j->run->err);
    ql_free(all);
    space_wrote(j, key);
    return st;
}

/* ---- the record ---- */

static const char *record_key(const space_job *j, const char *name, char key[300])
{
    (void)snprintf(key, 300, "%s/%s", j->record.text, name);
    return key;
}

ql_status space_record_int(space_job *j, const char *name, int64_t value)
{
    char key[300];
    return ql_h5ad_int(j->writer, record_key(j, name, key), value, &j->run->err);
}

ql_status space_record_double(space_job *j, const char *name, double value)
{
    char key[300];
    return ql_h5ad_double(j->writer, record_key(j, name, key), value, &j->run->err);
}

ql_status space_record_string(space_job *j, const char *name, const char *value)
{
    char key[300];
    return ql_h5ad_string(j->writer, record_key(j, name, key), value, &j->run->err);
}

ql_status space_write_record(space_job *j, const char *use)
{
    ql_str json = {0};
    QL_TRY(space_record_string(j, "version", "quell " QL_VERSION));
    if (use) QL_TRY(space_record_string(j, "use", use));
    ql_options_json(j->run->opts, false, &json);
    ql_status st = json.failed ? ql_fail(&j->run->err, QL_EMEMORY, "no memory for the options")
                               : space_record_string(j, "options", ql_str_text(&json));
    ql_str_free(&json);
    return st;
}

ql_status space_commit(space_job *j)
{
    ql_h5ad_writer *writer = j->writer;
    j->writer = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(writer, &j->run->err));
    ql_log_info(j->run->log, "wrote %s: %s", j->a->output, ql_str_text(&j->written));
    return QL_OK;
}

void space_close(space_job *j)
{
    ql_h5ad_abort(j->writer);
    ql_part_close(j->part);
    ql_names_free(&j->cells);
    ql_str_free(&j->record);
    ql_str_free(&j->written);
    *j = (space_job){0};
}
