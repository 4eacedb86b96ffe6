/* One labeling out of several of the same cells: those of an ensemble of latent spaces. */
#ifndef QUELL_CONSENSUS_H
#define QUELL_CONSENSUS_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n;
    int members;
    const int32_t *label;  /* [members, n], in [0, groups[m]) */
    const int64_t *groups; /* [members] */
    uint64_t seed;
    int threads;
} ql_consensus_task;

typedef struct {
    int32_t *label; /* [n], in [0, k), each in use; owned */
    int64_t k;
    int64_t typical_k; /* clusters that the members agree on: the tree is cut one below */
    double *agreement; /* [members]: adjusted Rand index of each with label; owned */
    int best;          /* the first member with the largest */
} ql_consensus;

/* Weighted meta-clustering as scDHA uses it (Tran et al. 2021): the
 * clusters of all members are grouped by the cells they share, cells weighing more the less the
 * members agree on them, and each cell goes where most of its clusters are. QL_EUSAGE: no members
 * or cells. Release *out with ql_consensus_free; it is empty after a failure. */
QL_MUST_USE ql_status ql_consensus_make(const ql_consensus_task *task, ql_consensus *out,
                                        ql_err *err);
void ql_consensus_free(ql_consensus *c);

#ifdef __cplusplus
}
#endif
#endif
