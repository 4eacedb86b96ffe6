/* Where genes lie in the genome (--gene-order). Private to src/cmd. */
#ifndef QL_GENE_ORDER_H
#define QL_GENE_ORDER_H

#include <stdint.h>

#include "quell/names.h"
#include "quell/status.h"

/* Read lines "NAME POSITION" or "NAME CHROMOSOME START ...", separated by tabs or spaces;
 * chromosomes come in the order in which the file names them. *rank [genes->n] (caller frees with
 * ql_free) gets each gene's place in that order, genes that the file does not name behind all
 * others as they stand; *n_missing: how many these are. QL_ENOINPUT; QL_EDATA with the line. */
QL_MUST_USE ql_status gene_order_read(const char *path, const ql_names *genes, int64_t **rank,
                                      int64_t *n_missing, ql_err *err);

#endif
