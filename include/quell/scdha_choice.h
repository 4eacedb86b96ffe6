/* Which of scDHA's latent spaces is the one to return: the cells are clustered in each, and the
 * first is taken whose clusters agree best with the consensus of all (Tran et al. 2021, Nat.
 * Commun. 12, 1029; quell/spectral.h, quell/consensus.h). */
#ifndef QUELL_SCDHA_CHOICE_H
#define QUELL_SCDHA_CHOICE_H

#include "quell/scdha_fit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; release with ql_scdha_choice_free. */
typedef struct {
    int n;             /* latent spaces; 0: they were not clustered */
    int64_t *groups;   /* [n] clusters in each; owned */
    double *agreement; /* [n] adjusted Rand index of each with the consensus; owned */
    int64_t k;         /* clusters of the consensus */
    int32_t *label;    /* [rows] in [0, k); -1: a cell without inputs; owned */
} ql_scdha_choice;

/* Set f->returned by the cells of rows. Fewer than 4 cells with inputs are not clustered, and
 * f->returned stays as it is. The same for any number of threads. QL_EMEMORY, QL_EINT, QL_ETERM. */
QL_MUST_USE ql_status ql_scdha_choose(ql_scdha *f, const ql_rows *rows, const ql_kern *kern,
                                      ql_scdha_choice *out, ql_err *err);
void ql_scdha_choice_free(ql_scdha_choice *c);

/* Bytes that it takes for so many cells and spaces of that width. */
int64_t ql_scdha_choice_bytes(int64_t n_cells, int64_t n_latents, int64_t latent);

#ifdef __cplusplus
}
#endif
#endif
