/* Which gene of a file is which gene of a model. Private to src/cmd. */
#ifndef QL_GENE_MATCH_H
#define QL_GENE_MATCH_H

#include "model_file.h"

/* Zero-initialise; release with gene_match_free. */
typedef struct {
    int64_t n_file, n_model;
    int32_t *map;   /* [n_file] the model's gene, or -1; owned */
    int64_t *place; /* [n_model] the file's gene, or -1; owned */
    int64_t by_name, by_id;
    double missing_share; /* of the molecules the model was trained on, those of genes the file has
                             not */
} gene_match;

/* By name, then by id what is left, then names against ids. Each gene is used once. QL_EMISMATCH
 * with names from both sides when there is no gene in common. */
QL_MUST_USE ql_status gene_match_make(const model_file *m, const ql_frame *genes, gene_match *out,
                                      ql_err *err);
void gene_match_free(gene_match *g);

#endif
