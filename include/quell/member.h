/* A member of an ensemble: anything that, fitted to counts, says what a cell is expected to have of
 * each gene at its own depth. A kind is a file of its own and a row of ql_member_kinds.
 *
 * All members of an ensemble know the same genes, each of which has counts. */
#ifndef QUELL_MEMBER_H
#define QUELL_MEMBER_H

#include "quell/fitted.h"
#include "quell/fitted_bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ql_member_kind ql_member_kind;

/* What a member is to be. */
typedef struct {
    const ql_member_kind *kind;
    ql_fit_options fit;   /* of a network; of the others the seed and the number of threads */
    int64_t rank;         /* of a factor model; cells to a landmark of a smoother */
    const char *settings; /* how it differs from the first, for people; borrowed */
} ql_member_spec;

/* What it is fitted to; nothing is changed. */
typedef struct {
    const ql_rows *counts; /* no gene is empty */
    const int64_t *train;  /* [n_train] the cells to fit to; a network draws the same */
    int64_t n_train;
    const ql_kern *kern;
    const ql_train_listener *listener; /* NULL: nobody listens */
} ql_member_data;

struct ql_member_kind {
    const char *name, *help;
    /* Largest rank of a spec; 0: it has none. */
    int64_t most;
    /* Bytes that fitting takes, beside the counts. */
    int64_t (*bytes)(const ql_rows *counts, const ql_member_spec *spec);
    /* Bytes that a fitted one holds; NULL: as many. */
    int64_t (*held)(const ql_rows *counts, const ql_member_spec *spec);
    ql_status (*fit)(const ql_member_data *data, const ql_member_spec *spec, void **state,
                     ql_err *err);
    /* out [genes, ld]: expected counts of rows[0..n), n <= ld, at the depth they have in the
     * source's counts; its covariates are for those that were fitted with them. Several members at
     * a time may be asked. */
    ql_status (*rates)(void *state, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       int64_t ld, ql_real *out, ql_err *err);
    /* The network that it is; NULL: it is none. */
    const ql_fitted *(*network)(const void *state);
    /* As a model file has it; checked; and back, ready for counts whose columns are the genes. */
    ql_status (*put)(const void *state, ql_bundle *b, ql_err *err);
    ql_status (*check)(const ql_bundle *b, const ql_member_spec *spec, int64_t n_genes,
                       ql_err *err);
    ql_status (*take)(const ql_bundle *b, const ql_member_spec *spec, const ql_rows *counts,
                      const ql_gene_places *genes, const ql_kern *kern, void **state, ql_err *err);
    void (*free)(void *state); /* NULL is allowed */
};

/* Every kind, NULL-terminated; the one of this name, or NULL. */
extern const ql_member_kind *const ql_member_kinds[];
const ql_member_kind *ql_member_kind_find(const char *name);

extern const ql_member_kind ql_member_network, ql_member_vae, ql_member_factors, ql_member_smooth,
    ql_member_means;

#ifdef __cplusplus
}
#endif
#endif
