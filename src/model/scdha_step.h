/* A step of AdamW over one block of weights, as both networks of scDHA take it. Private to
 * src/model. */
#ifndef QL_SCDHA_STEP_H
#define QL_SCDHA_STEP_H

#include <stdbool.h>

#include "quell/optimizer.h"
#include "quell/params.h"

/* Room for gene rows beyond the last, which the kernels write zeros to; returns the tensor. */
int scdha_gene_rows(ql_params *p, const char *name, int64_t n_genes, int64_t width);

void scdha_step_start(ql_optimizer *opt, const ql_kern *kern, double rate, double weight_decay);

/* Update the first n weights, all of which decay; false, and nothing is done, where a gradient is
 * NaN. */
QL_MUST_USE bool scdha_step(ql_optimizer *opt, ql_params *p, const ql_real *grad, int64_t n);

#endif
