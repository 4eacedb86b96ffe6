/* Genes of groups as scanpy's rank_genes_groups has them, for its tables and plots. Private to
 * src/cmd. */
#ifndef QL_RANK_GROUPS_H
#define QL_RANK_GROUPS_H

#include "quell/differential.h"
#include "quell/h5ad_writer.h"

/* Results of groups, a group after the other. Zero-initialise. */
typedef struct {
    ql_names groups;
    int64_t n_genes;
    int64_t *gene; /* [groups, genes] by falling score; owned, as all that follows */
    double *score, *fold, *p, *p_adjusted;
} rank_groups;

QL_MUST_USE ql_status rank_groups_new(rank_groups *r, int64_t n_groups, int64_t n_genes,
                                      ql_err *err);
void rank_groups_free(rank_groups *r);

/* Of one group, with
 * scores          change: the probability that the gene differs, negative where its mean LFC is;
 *                 vanilla: that group1's share is the larger one less that it is not;
 * logfoldchanges  the mean LFC (log2);
 * pvals           change: the probability that the gene does not differ; vanilla: 1 - |score|. It
 *                 is a posterior probability and no p-value: the nearest that there is;
 * pvals_adj       its mean over the genes whose pvals is no larger: the false discovery rate that
 *                 is expected of them. */
QL_MUST_USE ql_status rank_groups_add(rank_groups *r, const char *group, const ql_de_result *of,
                                      bool vanilla, ql_err *err);

/* uns/rank_genes_groups: these, and params. */
typedef struct {
    const char *groupby, *reference, *method;
    const ql_names *genes;
} rank_groups_params;
QL_MUST_USE ql_status rank_groups_write(const rank_groups *r, const rank_groups_params *params,
                                        ql_h5ad_writer *w, ql_err *err);

#endif
