#include "space_ensemble.h"

#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/parallel.h"

/* ---- reading ---- */

static ql_status widen(const ql_points *p, double **out, ql_err *err)
{
    const int64_t n = p->n * p->n_dims;
    QL_TRY(QL_NEW(*out, n, "a latent space", err));
    for (int64_t i = 0; i < n; i++) (*out)[i] = (double)p->x[i];
    return QL_OK;
}

static ql_status check_cells(const space_job *j, const ql_points *base, const ql_points *p,
                             const char *key)
{
    if (p->n == base->n && memcmp(p->cell, base->cell, (size_t)p->n * sizeof *p->cell) == 0)
        return QL_OK;
    return ql_fail(&j->run->err, QL_EDATA, "%s: /%s: other cells have a place in it than in the %s",
                   j->path, key, "space it belongs to");
}

static ql_status add_member(space_job *j, const char *key, space_ensemble *e)
{
    ql_points p = {0};
    const ql_points *base = e->points;
    QL_TRY(space_read_points(j, key, &p));
    ql_status st = check_cells(j, base, &p, key);
    if (st == QL_OK) st = widen(&p, &e->x[e->n], &j->run->err);
    if (st == QL_OK) {
        const size_t bytes = (size_t)(p.n * p.n_dims) * sizeof *p.x;
        if (e->shown < 0 && p.n_dims == base->n_dims && memcmp(p.x, base->x, bytes) == 0)
            e->shown = e->n;
        e->d[e->n++] = p.n_dims;
    }
    ql_points_free(&p);
    return st;
}

ql_status space_ensemble_read(space_job *j, const ql_points *points, const char *key, bool alone,
                              space_ensemble *out)
{
    char member[300];
    *out = (space_ensemble){.points = points, .shown = -1};
    for (int i = 1; !alone && i <= SPACE_MEMBERS_MOST; i++) {
        (void)snprintf(member, sizeof member, "obsm/%s_%d", key, i);
        if (!space_has(j, member)) break;
        QL_TRY(add_member(j, member, out));
    }
    if (out->n > 0) {
        ql_log_info(j->run->log, "an ensemble: obsm/%s_1 to _%d", key, out->n);
        ql_summary_int(j->run->summary, "members", out->n);
        return QL_OK;
    }
    QL_TRY(widen(points, &out->x[0], &j->run->err));
    out->d[0] = points->n_dims;
    out->n = 1;
    out->shown = 0;
    return QL_OK;
}

void space_ensemble_free(space_ensemble *e)
{
    for (int i = 0; i < SPACE_MEMBERS_MOST; i++) ql_free(e->x[i]);
    *e = (space_ensemble){0};
}

/* ---- clustering ---- */

typedef struct {
    const space_ensemble *e;
    ql_spectral_options opt;
    bool louvain;
    space_groups *out;
    ql_err *fault; /* [members] */
} cluster_all;

static void cluster_member(void *ctx, int64_t m)
{
    const cluster_all *c = ctx;
    const int64_t n = c->e->points->n;
    ql_spectral_options opt = c->opt;
    opt.purpose = (uint64_t)m;
    ql_err *err = &c->fault[m];
    err->code = (c->louvain ? ql_cluster_shared : ql_cluster_latent)(
        c->e->x[m], n, c->e->d[m], &opt, c->out->label + m * n, &c->out->groups[m], err);
}

ql_status space_ensemble_cluster(const space_job *j, const space_ensemble *e, const space_way *way,
                                 space_groups *out)
{
    ql_err *err = &j->run->err;
    const int threads = j->run->threads;
    /* one member: its own steps are divided; several: each thread takes whole ones */
    const bool alone = e->n == 1 || way->louvain;
    cluster_all c = {.e = e,
                     .opt = {.k = way->k, .seed = way->seed, .threads = alone ? threads : 1},
                     .louvain = way->louvain,
                     .out = out};
    QL_TRY(QL_NEW(out->label, e->points->n * e->n, "clusters", err));
    QL_TRY(QL_NEW(out->groups, e->n, "clusters", err));
    QL_TRY(QL_NEW(c.fault, e->n, "clusters", err));
    ql_parallel_for(alone ? 1 : threads, e->n, cluster_member, &c);
    ql_status st = QL_OK;
    for (int m = 0; m < e->n && st == QL_OK; m++) {
        st = c.fault[m].code;
        if (st != QL_OK) *err = c.fault[m];
    }
    ql_free(c.fault);
    return st;
}

void space_groups_free(space_groups *g)
{
    ql_free(g->label);
    ql_free(g->groups);
    *g = (space_groups){0};
}
