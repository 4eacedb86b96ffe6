#include "cell_covariates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/order.h"

enum { NAME = 256 };

/* ---- columns ---- */

static ql_status find_column(const ql_frame *cells, const char *option, const char *name,
                             const ql_column **out, ql_err *err)
{
    ql_str names = {0};
    *out = ql_frame_column(cells, name);
    if (*out) return QL_OK;
    for (int i = 0; i < cells->n_columns; i++)
        ql_str_printf(&names, "%s%s", i ? ", " : "", cells->columns[i].name);
    ql_fail(err, QL_EUSAGE, "--%s %s: the cells have no such column", option, name);
    ql_status st =
        ql_hint(err, QL_EUSAGE, "they have %.400s", names.len ? ql_str_text(&names) : "none");
    ql_str_free(&names);
    return st;
}

/* The level of a cell as text; NULL: it has none. Whole numbers and truth values are levels too. */
static const char *level_text(const ql_column *c, int64_t i, char buffer[32])
{
    if (c->type == QL_COL_STRING) {
        const char *text = ql_name(&c->strings, i);
        return *text && strcmp(text, "nan") != 0 && strcmp(text, "NaN") != 0 ? text : NULL;
    }
    const double x = ql_column_number(c, i);
    if (isnan(x)) return NULL;
    if (c->type == QL_COL_BOOL)
        snprintf(buffer, 32, "%s", x != 0 ? "True" : "False");
    else
        snprintf(buffer, 32, "%.9g", x);
    return buffer;
}

/* Append the distinct levels of a column in the order of their names, without `skip`. */
static ql_status collect_levels(const ql_column *c, int64_t n, const char *skip, ql_names *out,
                                ql_err *err)
{
    ql_names all = {0};
    const char **sorted = NULL, *last = NULL;
    char buffer[32];
    ql_status st;
    for (int64_t i = 0; i < n; i++) {
        const char *text = level_text(c, i, buffer);
        if (text) QL_GO(ql_names_add(&all, text, strlen(text), err));
    }
    QL_GO(QL_NEW(sorted, all.n > 0 ? all.n : 1, "levels", err));
    for (int64_t i = 0; i < all.n; i++) sorted[i] = ql_name(&all, i);
    qsort(sorted, (size_t)all.n, sizeof *sorted, ql_by_text);
    for (int64_t i = 0; i < all.n; i++) {
        if ((last && !strcmp(last, sorted[i])) || (skip && !strcmp(skip, sorted[i]))) continue;
        last = sorted[i];
        QL_GO(ql_names_add(out, last, strlen(last), err));
    }
    st = QL_OK;
out:
    ql_free(sorted);
    ql_names_free(&all);
    return st;
}

static ql_status copy_text(const char *text, char **out, ql_err *err)
{
    const size_t n = strlen(text) + 1;
    QL_TRY(QL_NEW(*out, (int64_t)n, "a name", err));
    memcpy(*out, text, n);
    return QL_OK;
}

/* ---- what a model is trained with ---- */

static ql_status read_category(const ql_column *c, const ql_frame *cells, ql_covariate *out,
                               ql_err *err)
{
    enum { MOST = 10000 };
    QL_TRY(collect_levels(c, cells->index.n, NULL, &out->levels, err));
    if (out->levels.n <= MOST) return QL_OK;
    ql_fail(err, QL_EUSAGE, "--batch %s: %lld levels", c->name, (long long)out->levels.n);
    return ql_hint(err, QL_EUSAGE, "a column of numbers is a --covariate");
}

static ql_status read_number(const ql_column *c, const ql_frame *cells, ql_covariate *out,
                             ql_err *err)
{
    const int64_t n = cells->index.n;
    double sum = 0, square = 0;
    out->number = true;
    if (c->type == QL_COL_STRING)
        return ql_fail(err, QL_EUSAGE, "--covariate %s: the column holds words, not numbers",
                       c->name);
    for (int64_t i = 0; i < n; i++) sum += ql_column_number(c, i);
    out->mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double d = ql_column_number(c, i) - out->mean;
        square += d * d;
    }
    out->sd = square > 0 ? sqrt(square / (double)n) : 1;
    return QL_OK; /* a value that is no number is found when the cells are filled in */
}

static ql_status read_item(const ql_frame *cells, const char *option, const char *name,
                           ql_covariates *out, ql_err *err)
{
    const ql_column *c;
    ql_covariate *item = &out->item[out->n];
    QL_TRY(find_column(cells, option, name, &c, err));
    out->n++; /* from here on it is freed with the others */
    QL_TRY(copy_text(name, &item->name, err));
    return strcmp(option, "batch") ? read_number(c, cells, item, err)
                                   : read_category(c, cells, item, err);
}

static ql_status read_labels(const vae_args *a, const ql_frame *cells, ql_covariates *out,
                             ql_err *err)
{
    const ql_column *c;
    if (!a->labels) return QL_OK;
    QL_TRY(find_column(cells, "labels", a->labels, &c, err));
    QL_TRY(copy_text(a->labels, &out->label, err));
    QL_TRY(collect_levels(c, cells->index.n, a->unlabelled, &out->labels, err));
    if (out->labels.n > 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "--labels %s: no cell has a label", a->labels);
}

ql_status cell_covariates_read(const vae_args *a, const ql_frame *cells, ql_covariates *out,
                               ql_err *err)
{
    char name[NAME];
    *out = (ql_covariates){0};
    ql_status st = QL_OK;
    for (int i = 0; st == QL_OK && vae_column(a->batch, i, name, sizeof name); i++)
        st = read_item(cells, "batch", name, out, err);
    for (int i = 0; st == QL_OK && vae_column(a->covariate, i, name, sizeof name); i++)
        st = read_item(cells, "covariate", name, out, err);
    if (st == QL_OK) st = read_labels(a, cells, out, err);
    if (st == QL_OK) st = cell_covariates_match(a, cells, false, out, err);
    if (st != QL_OK) ql_covariates_free(out);
    return st;
}

/* ---- the cells' values ---- */

static ql_status unknown_level(const ql_covariate *k, const ql_frame *cells, int64_t cell,
                               const char *level, ql_err *err)
{
    ql_str known = {0};
    for (int64_t i = 0; i < k->levels.n; i++)
        ql_str_printf(&known, "%s%s", i ? ", " : "", ql_name(&k->levels, i));
    if (level)
        ql_fail(err, QL_EDATA, "obs['%s'] of cell %s is '%s', which the model does not know",
                k->name, ql_name(&cells->index, cell), level);
    else
        ql_fail(err, QL_EDATA, "obs['%s'] of cell %s is empty", k->name,
                ql_name(&cells->index, cell));
    ql_status st =
        level ? ql_hint(err, QL_EDATA, "it knows %.400s", ql_str_text(&known)) : QL_EDATA;
    ql_str_free(&known);
    return st;
}

static ql_status match_category(const ql_covariate *k, const ql_column *c, const ql_frame *cells,
                                bool free, int64_t width, float *to, ql_err *err)
{
    ql_name_index *index;
    char buffer[32];
    ql_status st = QL_OK;
    QL_TRY(ql_name_index_new(&k->levels, &index, err));
    for (int64_t i = 0; i < cells->index.n && st == QL_OK; i++) {
        const char *text = level_text(c, i, buffer);
        const int64_t level = text ? ql_name_index_find(index, text) : -1;
        to[i * width] = (float)level;
        if (level < 0 && !free) st = unknown_level(k, cells, i, text, err);
    }
    ql_name_index_free(index);
    return st;
}

static ql_status match_number(const ql_covariate *k, const ql_column *c, const ql_frame *cells,
                              int64_t width, float *to, ql_err *err)
{
    for (int64_t i = 0; i < cells->index.n; i++) {
        const double x = ql_column_number(c, i);
        if (!isfinite(x))
            return ql_fail(err, QL_EDATA, "obs['%s'] of cell %s is no number", k->name,
                           ql_name(&cells->index, i));
        to[i * width] = (float)((x - k->mean) / k->sd);
    }
    return QL_OK;
}

/* Labels are never needed: cells that have none, or another one, are unlabelled. */
static ql_status match_labels(const ql_covariates *known, const ql_column *c, const ql_frame *cells,
                              int64_t width, float *to, ql_err *err)
{
    ql_name_index *index;
    char buffer[32];
    QL_TRY(ql_name_index_new(&known->labels, &index, err));
    for (int64_t i = 0; i < cells->index.n; i++) {
        const char *text = c ? level_text(c, i, buffer) : NULL;
        to[i * width] = (float)(text ? ql_name_index_find(index, text) : -1);
    }
    ql_name_index_free(index);
    return QL_OK;
}

static ql_status match_item(const ql_covariates *known, int k, const ql_frame *cells, bool free,
                            ql_err *err)
{
    const ql_covariate *item = &known->item[k];
    const ql_cov_shape shape = ql_covariates_shape(known);
    const int64_t width = ql_cov_width(&shape);
    const ql_column *c = ql_frame_column(cells, item->name);
    float *to = known->value + k;
    if (!c && free) {
        for (int64_t i = 0; i < cells->index.n; i++) to[i * width] = item->number ? 0 : -1;
        return QL_OK;
    }
    if (!c) QL_TRY(find_column(cells, item->number ? "covariate" : "batch", item->name, &c, err));
    if (item->number) return match_number(item, c, cells, width, to, err);
    return match_category(item, c, cells, free, width, to, err);
}

ql_status cell_covariates_match(const vae_args *a, const ql_frame *cells, bool free,
                                ql_covariates *known, ql_err *err)
{
    const ql_cov_shape shape = ql_covariates_shape(known);
    const int64_t width = ql_cov_width(&shape), n = cells->index.n;
    (void)a;
    if (width == 0) return QL_OK;
    QL_TRY(QL_NEW(known->value, n * width, "covariates", err));
    known->n_cells = n;
    for (int k = 0; k < known->n; k++) QL_TRY(match_item(known, k, cells, free, err));
    if (known->labels.n == 0) return QL_OK;
    return match_labels(known, ql_frame_column(cells, known->label), cells, width,
                        known->value + known->n, err);
}

void cell_covariates_tell(const ql_covariates *c, ql_logger *log)
{
    for (int k = 0; k < c->n; k++) {
        const ql_covariate *item = &c->item[k];
        if (item->number)
            ql_log_info(log, "covariate %s: mean %.4g, sd %.4g", item->name, item->mean, item->sd);
        else
            ql_log_info(log, "batch %s: %lld levels%s", item->name, (long long)item->levels.n,
                        item->levels.n < 2 ? ", so that it says nothing" : "");
    }
    if (c->label) ql_log_info(log, "labels %s: %lld", c->label, (long long)c->labels.n);
}

ql_status cell_level_unknown(const ql_names *levels, const char *column, const char *option,
                             const char *name, const char *also, ql_err *err)
{
    ql_str known = {0};
    for (int64_t i = 0; i < levels->n; i++)
        ql_str_printf(&known, "%s%s", i ? ", " : "", ql_name(levels, i));
    ql_fail(err, QL_EUSAGE, "%s %s: no level of %s", option, name, column);
    ql_status st = ql_hint(err, QL_EUSAGE, "it has %.400s%s", ql_str_text(&known), also);
    ql_str_free(&known);
    return st;
}
