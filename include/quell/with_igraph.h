/* Is igraph there? The program can be built without it. */
#ifndef QUELL_WITH_IGRAPH_H
#define QUELL_WITH_IGRAPH_H

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of igraph; "" where the program was built without. */
const char *ql_igraph_version(void);

/* QL_EUSAGE, with how to get it, where the program was built without igraph. what: "--method
 * leiden". */
QL_MUST_USE ql_status ql_igraph_check(const char *what, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
