/* Several models whose expected counts are mixed.
 *
 * The first is a ql_fitted as any other: its latent space, its history, its preparation of the
 * counts are those of the whole. The others hang on it, and wherever it is visited its means are
 * those of the mixture, so that prediction, scores and dispersions need not know of them.
 *
 * The weights of a gene add up to 1 over the models. They are those under which the mixture
 * predicts molecules best that no model has seen: of the validation cells, the part that training
 * was stopped by (ql_split), not the part that is reported. What is mixed for that are the
 * posterior estimates, as these are what is written. One set for all genes, drawn towards equal
 * weights; then, where there are molecules enough, one for each group of genes of similar
 * abundance, drawn towards those of all. */
#ifndef QUELL_ENSEMBLE_H
#define QUELL_ENSEMBLE_H

#include "quell/member.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_MEMBERS_MOST = 32, QL_GENE_GROUPS = 8, QL_MEMBER_TEXT = 120 };

/* How the mixture came about; of models from a file only the shares. */
typedef struct {
    double share[QL_MEMBERS_MOST];          /* weight of each model, over all genes */
    int n_groups;                           /* of genes; 0 or 1: the shares are the weights */
    double group_molecules[QL_GENE_GROUPS]; /* held out, that their weights rest on */
    double group_weight[QL_GENE_GROUPS][QL_MEMBERS_MOST]; /* most abundant genes first */
    double alone, alone_error;   /* gain of the first model alone on the reported molecules */
    double better, better_error; /* gain of the mixture above it, standard error over cells */
    bool scored;
} ql_mixture_facts;

typedef struct {
    const ql_member_kind *kind;
    void *state;                   /* owned */
    char settings[QL_MEMBER_TEXT]; /* how it differs from the first, for people */
} ql_member;

typedef struct ql_ensemble {
    int n; /* models, the first included */
    int64_t n_genes;
    ql_member member[QL_MEMBERS_MOST]; /* [0] has no state: it is the ql_fitted */
    ql_real *weight;                   /* [n, n_genes]; owned */
    ql_ae_company company;             /* how the first sees the others */
    int threads;
    ql_mixture_facts facts;
} ql_ensemble;

typedef struct {
    int threads; /* members are fitted side by side, one thread each; fewer where memory is short,
                    and one after the other with all threads if the counts are in a file */
    const double *share; /* [n] weights that are known already; NULL: they are fitted */
    bool posterior;      /* of the posterior estimates, else of the means */
    /* may be NULL: called for each member when all are fitted; fitted: of networks */
    void (*done)(void *ctx, int i, const ql_member_spec *spec, const ql_fitted *fitted);
    void *ctx;
} ql_ensemble_options;

/* Bytes of the fit and of the predictions. */
int64_t ql_ensemble_bytes(const ql_rows *counts, const ql_member_spec *specs, int n, int threads);

/* Fit n models, the first of them a network, and mix them: out->others. Validation cells are drawn
 * by the seed of the first. Empty genes are set aside IN PLACE, as by ql_fit. Results do not depend
 * on the number of threads. */
QL_MUST_USE ql_status ql_ensemble_fit(ql_rows *counts, const ql_member_spec *specs, int n,
                                      const ql_ensemble_options *opt, const ql_kern *kern,
                                      const ql_train_listener *listener, ql_fitted *out,
                                      ql_err *err);

/* A new ensemble of n models around f, all weights equal, without members yet. */
QL_MUST_USE ql_status ql_ensemble_begin(ql_fitted *f, int n, int threads, ql_err *err);
void ql_ensemble_free(ql_ensemble *e); /* NULL is allowed */

/* Expected counts of model i alone, as ql_member_kind has it. */
QL_MUST_USE ql_status ql_ensemble_rates(ql_fitted *f, int i, const ql_batch_source *source,
                                        const int64_t *rows, int64_t n, int64_t ld, ql_real *out,
                                        ql_err *err);

/* Weights and members beside the first into the file of a model (below "ensemble"), whose texts of
 * the members' options are the caller's; checked, for models like these; and back, into what
 * ql_fitted_take has made. */
QL_MUST_USE ql_status ql_ensemble_put(const ql_fitted *f, ql_bundle *b, ql_err *err);
QL_MUST_USE ql_status ql_ensemble_check(const ql_bundle *b, const ql_member_spec *specs, int n,
                                        int64_t n_genes, ql_err *err);
QL_MUST_USE ql_status ql_ensemble_take(const ql_bundle *b, const ql_member_spec *specs, int n,
                                       const ql_rows *counts, const ql_gene_places *genes,
                                       const ql_kern *kern, int threads, ql_fitted *f, ql_err *err);

/* Kind of model i in a file, checked. */
QL_MUST_USE ql_status ql_ensemble_kind(const ql_bundle *b, int i, const ql_member_kind **out,
                                       ql_err *err);
/* Number of models in a file; 1: no ensemble. */
QL_MUST_USE ql_status ql_ensemble_size(const ql_bundle *b, int *n, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
