#include "quell/covariates.h"

#include <string.h>

#include "quell/alloc.h"

/* A category that all cells have says nothing. */
static int64_t columns_of(int64_t n_levels)
{
    return n_levels == 0 ? 1 : n_levels == 1 ? 0 : n_levels;
}

int64_t ql_cov_columns(const ql_cov_shape *s)
{
    int64_t n = 0;
    for (int k = 0; k < s->n; k++) n += columns_of(s->n_levels[k]);
    return n;
}

void ql_cov_row(const ql_cov_values *v, int64_t width, int64_t cell, float *out)
{
    for (int64_t k = 0; k < width; k++) {
        out[k] = v->value ? v->value[(v->same ? 0 : cell * width) + k] : -1;
        if (v->fixed && v->fixed[k] == v->fixed[k]) out[k] = v->fixed[k];
    }
}

void ql_cov_fill(const ql_cov_shape *s, const float *row, int64_t stride, ql_real *x)
{
    for (int k = 0; k < s->n; k++) {
        const int64_t n = columns_of(s->n_levels[k]);
        for (int64_t c = 0; c < n; c++, x += stride)
            *x = s->n_levels[k] == 0 ? (ql_real)row[k] : (ql_real)((int64_t)row[k] == c);
    }
}

void ql_covariates_free(ql_covariates *c)
{
    for (int k = 0; k < c->n; k++) {
        ql_free(c->item[k].name);
        ql_names_free(&c->item[k].levels);
    }
    ql_free(c->label);
    ql_names_free(&c->labels);
    ql_free(c->value);
    *c = (ql_covariates){0};
}

ql_cov_shape ql_covariates_shape(const ql_covariates *c)
{
    ql_cov_shape s = {.n = c->n, .n_labels = c->labels.n};
    for (int k = 0; k < c->n; k++) s.n_levels[k] = c->item[k].number ? 0 : c->item[k].levels.n;
    return s;
}

ql_cov_values ql_covariates_values(const ql_covariates *c)
{
    return (ql_cov_values){.value = c->value};
}

int64_t ql_covariate_level(const ql_covariate *c, const char *name)
{
    for (int64_t i = 0; i < c->levels.n; i++)
        if (strcmp(ql_name(&c->levels, i), name) == 0) return i;
    return -1;
}
