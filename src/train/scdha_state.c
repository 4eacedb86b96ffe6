#include "scdha_state.h"

#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"

#define REAL_ELEM (sizeof(ql_real) == sizeof(float) ? QL_ELEM_F32 : QL_ELEM_F64)

/* The arrays of a state, all of them numbers that are there already. */
typedef struct {
    char name[64];
    ql_array a;
    void *values;
} state_array;

enum { MOST_ARRAYS = 5 * QL_SCDHA_MOST_MODELS + QL_SCDHA_MOST_LATENTS + 4 };

typedef struct {
    int n;
    state_array item[MOST_ARRAYS];
} array_list;

static void add(array_list *l, ql_elem elem, void *values, int64_t n, const char *what, int number)
{
    state_array *a = &l->item[l->n++];
    *a = (state_array){.a = {elem, n, -1, values}, .values = values};
    if (number >= 0)
        snprintf(a->name, sizeof a->name, "network%d/%s", number + 1, what);
    else
        snprintf(a->name, sizeof a->name, "%s", what);
}

static ql_params *params_of(const scdha_group *g, int i)
{
    scdha_unit *u = (scdha_unit *)&g->unit[i];
    return g->filter ? &u->filter.params : &u->net.params;
}

static ql_optimizer *optimizer_of(const scdha_group *g, int i)
{
    scdha_unit *u = (scdha_unit *)&g->unit[i];
    return g->filter ? &u->filter.opt : &u->net.opt;
}

/* Encoders that are there after so many epochs. */
static int n_encoders(const ql_scdha *f, int64_t epochs)
{
    const int64_t done = epochs - f->opt.warm_up - f->opt.epochs;
    return done > 0 ? (int)done : 0;
}

static void list_network(const scdha_state *s, int i, array_list *l)
{
    const scdha_group *g = s->group;
    ql_params *p = params_of(g, i);
    add(l, REAL_ELEM, p->w, p->size, "weights", i);
    add(l, REAL_ELEM, p->m, p->size, "first", i);
    add(l, REAL_ELEM, p->v, p->size, "second", i);
    if (g->filter) return;
    add(l, REAL_ELEM, g->unit[i].net.moving_mean, g->unit[i].net.ld, "moving_mean", i);
    add(l, REAL_ELEM, g->unit[i].net.moving_var, g->unit[i].net.ld, "moving_var", i);
}

static void list_all(const scdha_state *s, int64_t epochs, array_list *l)
{
    ql_scdha *f = s->fit;
    const scdha_group *g = s->group;
    l->n = 0;
    for (int i = 0; i < g->n; i++) list_network(s, i, l);
    if (f->filter_loss)
        add(l, QL_ELEM_F64, f->filter_loss, f->opt.filters * f->opt.filter_epochs, "filter_loss",
            -1);
    if (g->filter) return;
    add(l, QL_ELEM_F64, f->loss, f->opt.models * ql_scdha_epochs(&f->opt), "loss", -1);
    if (f->weight) add(l, QL_ELEM_F64, f->weight, f->scale.n_kept, "gene/weight", -1);
    add(l, QL_ELEM_I32, f->column, f->scale.n_kept, "gene/column", -1);
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < n_encoders(f, epochs); k++) {
            ql_scdha_encoder *e = &f->encoder[i * (int)f->opt.snapshots + k];
            char name[32];
            snprintf(name, sizeof name, "encoder%d", k + 1);
            add(l, QL_ELEM_F32, e->weight, ql_scdha_encoder_size(e), name, i);
        }
}

/* ---- the numbers of a network ---- */

static ql_status put_numbers(const scdha_group *g, int i, ql_bundle *b, ql_err *err)
{
    char name[64];
    const ql_optimizer *o = optimizer_of(g, i);
    snprintf(name, sizeof name, "network%d/power1", i + 1);
    QL_TRY(ql_bundle_put_double(b, name, o->power1, err));
    snprintf(name, sizeof name, "network%d/power2", i + 1);
    QL_TRY(ql_bundle_put_double(b, name, o->power2, err));
    snprintf(name, sizeof name, "network%d/skipped", i + 1);
    QL_TRY(ql_bundle_put_int(b, name, g->unit[i].skipped, err));
    snprintf(name, sizeof name, "network%d/step", i + 1);
    return ql_bundle_put_int(b, name, g->filter ? 0 : (int64_t)g->unit[i].net.step, err);
}

static ql_status take_numbers(scdha_group *g, int i, const ql_bundle *b, ql_err *err)
{
    char name[64];
    int64_t step;
    ql_optimizer *o = optimizer_of(g, i);
    snprintf(name, sizeof name, "network%d/power1", i + 1);
    QL_TRY(ql_bundle_double(b, name, &o->power1, err));
    snprintf(name, sizeof name, "network%d/power2", i + 1);
    QL_TRY(ql_bundle_double(b, name, &o->power2, err));
    snprintf(name, sizeof name, "network%d/skipped", i + 1);
    QL_TRY(ql_bundle_int(b, name, 0, INT64_MAX, &g->unit[i].skipped, err));
    snprintf(name, sizeof name, "network%d/step", i + 1);
    QL_TRY(ql_bundle_int(b, name, 0, INT64_MAX, &step, err));
    if (!g->filter) g->unit[i].net.step = (uint64_t)step;
    return QL_OK;
}

/* ---- the whole ---- */

ql_status scdha_state_put(const scdha_state *s, ql_bundle *b, ql_err *err)
{
    array_list l;
    QL_TRY(ql_bundle_put_text(b, "stage", s->group->filter ? "filter" : "models", err));
    QL_TRY(ql_bundle_put_int(b, "epoch", s->group->epoch, err));
    QL_TRY(ql_bundle_put_int(b, "skipped", s->fit->skipped, err));
    if (!s->group->filter) QL_TRY(ql_bundle_put_int(b, "gene/n", s->fit->n_genes, err));
    for (int i = 0; i < s->group->n; i++) QL_TRY(put_numbers(s->group, i, b, err));
    list_all(s, s->group->epoch, &l);
    for (int i = 0; i < l.n; i++) QL_TRY(ql_bundle_lend_array(b, l.item[i].name, l.item[i].a, err));
    return QL_OK;
}

ql_status scdha_state_stage(const ql_bundle *b, bool *filter, ql_err *err)
{
    const char *stage;
    QL_TRY(ql_bundle_text(b, "stage", &stage, err));
    *filter = strcmp(stage, "filter") == 0;
    if (*filter || strcmp(stage, "models") == 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "stage: '%.40s' is none of this model", stage);
}

ql_status scdha_state_genes(const ql_bundle *b, ql_scdha *f, ql_err *err)
{
    const int64_t n = f->scale.n_kept;
    if (ql_bundle_find(b, "gene/weight")) {
        QL_TRY(QL_NEW(f->weight, n, "weights of the genes", err));
        QL_TRY(
            ql_bundle_load(b, "gene/weight", (ql_array){QL_ELEM_F64, n, -1, NULL}, f->weight, err));
    }
    QL_TRY(QL_NEW(f->column, n, "the chosen genes", err));
    QL_TRY(ql_bundle_load(b, "gene/column", (ql_array){QL_ELEM_I32, n, -1, NULL}, f->column, err));
    QL_TRY(ql_bundle_int(b, "gene/n", 1, n, &f->n_genes, err));
    int64_t next = 0;
    for (int64_t g = 0; g < n; g++)
        if (f->column[g] != -1 && f->column[g] != next++)
            return ql_fail(err, QL_EDATA, "gene/column: entry %lld is out of order", (long long)g);
    return next == f->n_genes ? QL_OK
                              : ql_fail(err, QL_EDATA, "gene/column has other genes than gene/n");
}

ql_status scdha_state_take(const scdha_state *s, const ql_bundle *b, ql_err *err)
{
    array_list l;
    scdha_group *g = s->group;
    const ql_scdha_options *o = &s->fit->opt;
    QL_TRY(ql_bundle_int(b, "epoch", 0, g->filter ? o->filter_epochs : ql_scdha_epochs(o),
                         &g->epoch, err));
    QL_TRY(ql_bundle_int(b, "skipped", 0, INT64_MAX, &s->fit->skipped, err));
    for (int i = 0; i < g->n; i++) QL_TRY(take_numbers(g, i, b, err));
    list_all(s, g->epoch, &l);
    for (int i = 0; i < l.n; i++)
        QL_TRY(ql_bundle_load(b, l.item[i].name, l.item[i].a, l.item[i].values, err));
    return QL_OK;
}
