/* The state of a fit of scDHA between two epochs. Private to src/train. */
#ifndef QL_SCDHA_STATE_H
#define QL_SCDHA_STATE_H

#include "scdha_group.h"

/* A fit and its stage; the group is made for the stage. */
typedef struct {
    ql_scdha *fit;
    scdha_group *group;
} scdha_state;

/* Put everything that the rest depends on into b, which borrows it. */
QL_MUST_USE ql_status scdha_state_put(const scdha_state *s, ql_bundle *b, ql_err *err);

/* Is the state one of the filters' stage? QL_EDATA: it is none. */
QL_MUST_USE ql_status scdha_state_stage(const ql_bundle *b, bool *filter, ql_err *err);

/* Weights and columns of the genes out of a state of the models' stage. */
QL_MUST_USE ql_status scdha_state_genes(const ql_bundle *b, ql_scdha *fit, ql_err *err);

/* Everything else into the group, which was just made, and the fit. */
QL_MUST_USE ql_status scdha_state_take(const scdha_state *s, const ql_bundle *b, ql_err *err);

#endif
