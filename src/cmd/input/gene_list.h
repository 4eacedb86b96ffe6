/* The genes that --genes names. Private to src/cmd. */
#ifndef QL_GENE_LIST_H
#define QL_GENE_LIST_H

#include "quell/log.h"
#include "quell/names.h"

/* Numbers of genes, none twice. */
typedef struct {
    int64_t n;          /* 0: no list was given */
    int32_t *ascending; /* [n]; owned; NULL: all genes */
    int32_t *in_order;  /* [n] as the file has them; owned */
} gene_list;

/* One name a line; empty lines are skipped. A name that comes again counts once, which one warning
 * says. QL_ENOINPUT: cannot be read; QL_EDATA: names that no gene has (the first, its line, how
 * many more, the gene that may have been meant), or no name at all. *out is empty after a failure.
 */
QL_MUST_USE ql_status gene_list_read(const char *path, const ql_names *genes, ql_logger *log,
                                     gene_list *out, ql_err *err);
void gene_list_free(gene_list *l);

#endif
