#include "quell/scdha_choice.h"

#include "quell/alloc.h"
#include "quell/consensus.h"
#include "quell/points.h"
#include "quell/spectral.h"

enum { CELLS_LEAST = 4 };

/* Clusters of all spaces: one space is looked at after the other, so that one is held at a time. */
typedef struct {
    ql_scdha *fit;
    const ql_rows *rows;
    const ql_kern *kern;
    ql_scdha_choice *out;
    int64_t n;      /* cells with inputs: the same in every space */
    int64_t *cell;  /* [n]: which */
    int32_t *label; /* [n_latents, n] */
} job;

/* The cells with inputs in one space, in float64. */
static ql_status read_space(job *j, int which, double **x, ql_err *err)
{
    const int64_t rows = j->rows->n_rows, d = j->fit->opt.latent;
    ql_points p = {0};
    float *all;
    QL_TRY(QL_NEW(all, rows * d, "a latent space", err));
    ql_status st = ql_scdha_latents(j->fit, j->rows, which, j->kern, all, d, err);
    if (st != QL_OK) {
        ql_free(all);
        return st;
    }
    QL_TRY(ql_points_take(all, rows, d, &p, err));
    j->n = p.n;
    if (!j->cell) {
        j->cell = p.cell;
        p.cell = NULL;
    }
    st = QL_NEW(*x, p.n * d, "a latent space", err);
    for (int64_t i = 0; st == QL_OK && i < p.n * d; i++) (*x)[i] = (double)p.x[i];
    ql_points_free(&p);
    return st;
}

static ql_status cluster_space(job *j, int which, ql_err *err)
{
    const ql_scdha_options *o = &j->fit->opt;
    const ql_spectral_options opt = {
        .seed = o->seed, .purpose = (uint64_t)which, .threads = o->threads};
    double *x = NULL;
    ql_status st = read_space(j, which, &x, err);
    if (st == QL_OK && which == 0 && j->n >= CELLS_LEAST)
        st = QL_NEW(j->label, j->n * j->fit->n_latents, "clusters", err);
    if (st == QL_OK && j->label)
        st = ql_cluster_latent(x, j->n, o->latent, &opt, j->label + which * j->n,
                               &j->out->groups[which], err);
    ql_free(x);
    return st;
}

static ql_status agree(job *j, ql_err *err)
{
    ql_scdha *f = j->fit;
    ql_consensus c;
    const ql_consensus_task task = {.n = j->n,
                                    .members = f->n_latents,
                                    .label = j->label,
                                    .groups = j->out->groups,
                                    .seed = f->opt.seed,
                                    .threads = f->opt.threads};
    QL_TRY(ql_consensus_make(&task, &c, err));
    for (int i = 0; i < f->n_latents; i++) j->out->agreement[i] = c.agreement[i];
    for (int64_t i = 0; i < j->n; i++) j->out->label[j->cell[i]] = c.label[i];
    j->out->k = c.k;
    j->out->n = f->n_latents;
    f->returned = c.best;
    ql_consensus_free(&c);
    return QL_OK;
}

ql_status ql_scdha_choose(ql_scdha *f, const ql_rows *rows, const ql_kern *kern,
                          ql_scdha_choice *out, ql_err *err)
{
    job j = {.fit = f, .rows = rows, .kern = kern, .out = out};
    ql_status st;
    QL_GO(QL_NEW(out->groups, f->n_latents, "clusters", err));
    QL_GO(QL_NEW(out->agreement, f->n_latents, "clusters", err));
    QL_GO(QL_NEW(out->label, rows->n_rows, "clusters", err));
    for (int64_t i = 0; i < rows->n_rows; i++) out->label[i] = -1;
    for (int i = 0; i < f->n_latents && (i == 0 || j.label); i++) QL_GO(cluster_space(&j, i, err));
    if (j.label) QL_GO(agree(&j, err));
out:
    ql_free(j.label);
    ql_free(j.cell);
    return st;
}

void ql_scdha_choice_free(ql_scdha_choice *c)
{
    ql_free(c->groups);
    ql_free(c->agreement);
    ql_free(c->label);
    *c = (ql_scdha_choice){0};
}

int64_t ql_scdha_choice_bytes(int64_t n_cells, int64_t n_latents, int64_t latent)
{
    enum {
        NUMBER = 4 + 8 + 8, /* a coordinate: as it is read, in float64, as a direction */
        VOTES = 10 * 20,    /* a cell's neighbours, their distances and labels */
        ROWS = 32,          /* its place among the distinct rows of labels */
        SAMPLED = 4096      /* a cell that is clustered directly: neighbours, eigenvectors */
    };
    const int64_t sampled = n_cells < QL_SPECTRAL_DIRECT ? n_cells : QL_SPECTRAL_DIRECT;
    return n_cells * (latent * NUMBER + 4 * (n_latents + 1) + 8 + VOTES + ROWS) + sampled * SAMPLED;
}
