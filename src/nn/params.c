#include "quell/params.h"

#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fingerprint.h"
#include "quell/kern.h"

int ql_params_add(ql_params *p, const char *name, int64_t rows, int64_t cols, bool trained)
{
    ql_tensor *t = &p->tensor[p->n_tensors];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rows = rows;
    t->cols = cols;
    t->ld = ql_pad(cols);
    t->offset = p->size;
    t->trained = trained;
    p->size += rows * t->ld;
    return p->n_tensors++;
}

int64_t ql_params_bytes(const ql_params *p, int n_moments)
{
    return (1 + n_moments) * p->size * (int64_t)sizeof(ql_real);
}

const ql_tensor *ql_params_find(const ql_params *p, const char *name)
{
    for (int i = 0; i < p->n_tensors; i++)
        if (!strcmp(p->tensor[i].name, name)) return &p->tensor[i];
    return NULL;
}

ql_status ql_params_alloc(ql_params *p, int n_moments, ql_err *err)
{
    QL_TRY(QL_NEW(p->w, p->size, "model weights", err));
    if (n_moments >= 1) QL_TRY(QL_NEW(p->v, p->size, "optimizer state", err));
    if (n_moments >= 2) QL_TRY(QL_NEW(p->m, p->size, "optimizer state", err));
    return QL_OK;
}

void ql_params_drop_moments(ql_params *p)
{
    ql_free(p->m);
    ql_free(p->v);
    p->m = p->v = NULL;
}

void ql_params_free(ql_params *p)
{
    ql_free(p->w);
    ql_free(p->m);
    ql_free(p->v);
    *p = (ql_params){0};
}

uint64_t ql_params_fingerprint(const ql_params *p)
{
    uint64_t h = QL_HASH_START;
    for (int k = 0; k < p->n_tensors; k++) {
        const ql_tensor *t = &p->tensor[k];
        h = ql_hash_word(ql_hash_word(h, (uint64_t)t->rows), (uint64_t)t->cols);
        for (int64_t i = 0; i < t->rows * t->cols; i++) {
            const float x = (float)p->w[t->offset + i / t->cols * t->ld + i % t->cols];
            h = ql_floats_fingerprint(&x, 1, h);
        }
    }
    return h;
}
