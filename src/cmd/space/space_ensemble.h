/* The latent spaces of an ensemble: obsm/KEY, and obsm/KEY_1, KEY_2, ... where the file has them,
 * as quell embed --model scdha --all-latents writes them. Private to src/cmd. */
#ifndef QL_SPACE_ENSEMBLE_H
#define QL_SPACE_ENSEMBLE_H

#include "quell/spectral.h"
#include "space_job.h"

enum { SPACE_MEMBERS_MOST = 64 };

/* Zero-initialise; release with space_ensemble_free. */
typedef struct {
    const ql_points *points;       /* of obsm/KEY; every member has the same cells; borrowed */
    int n;                         /* members, at least 1: KEY itself where there are no others */
    double *x[SPACE_MEMBERS_MOST]; /* [points->n, d[m]]; owned */
    int64_t d[SPACE_MEMBERS_MOST];
    int shown; /* the member that KEY itself is; -1: none of them */
} space_ensemble;

/* The members beside obsm/KEY, whose points are read already. alone: KEY itself only. What was
 * taken is said in the log. */
QL_MUST_USE ql_status space_ensemble_read(space_job *j, const ql_points *points, const char *key,
                                          bool alone, space_ensemble *out);
void space_ensemble_free(space_ensemble *e);

/* A clustering of each member. Zero-initialise; release with space_groups_free. */
typedef struct {
    int32_t *label;  /* [members, points->n]; owned */
    int64_t *groups; /* [members]; owned */
} space_groups;

/* How each is clustered. */
typedef struct {
    bool louvain; /* by ql_cluster_shared, not ql_cluster_latent */
    int64_t k;    /* 0: estimated for each */
    uint64_t seed;
} space_way;

/* Every member, side by side (Louvain: one after the other). */
QL_MUST_USE ql_status space_ensemble_cluster(const space_job *j, const space_ensemble *e,
                                             const space_way *way, space_groups *out);
void space_groups_free(space_groups *g);

#endif
