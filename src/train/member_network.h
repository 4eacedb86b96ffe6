/* What kinds of members that are networks share. Private to src/train. */
#ifndef QL_MEMBER_NETWORK_H
#define QL_MEMBER_NETWORK_H

#include "quell/member.h"

int64_t member_network_bytes(const ql_rows *counts, const ql_member_spec *spec);
int64_t member_network_held(const ql_rows *counts, const ql_member_spec *spec);
QL_MUST_USE ql_status member_network_fit(const ql_member_data *data, const ql_member_spec *spec,
                                         void **state, ql_err *err);
QL_MUST_USE ql_status member_network_rates(void *state, const ql_batch_source *source,
                                           const int64_t *rows, int64_t n, int64_t ld, ql_real *out,
                                           ql_err *err);
const ql_fitted *member_network_itself(const void *state);
QL_MUST_USE ql_status member_network_put(const void *state, ql_bundle *b, ql_err *err);
QL_MUST_USE ql_status member_network_check(const ql_bundle *b, const ql_member_spec *spec,
                                           int64_t n_genes, ql_err *err);
QL_MUST_USE ql_status member_network_take(const ql_bundle *b, const ql_member_spec *spec,
                                          const ql_rows *counts, const ql_gene_places *genes,
                                          const ql_kern *kern, void **state, ql_err *err);
void member_network_free(void *state);

/* The functions of a kind that is a network through and through. */
#define MEMBER_NETWORK                                                                             \
    .bytes = member_network_bytes, .held = member_network_held, .fit = member_network_fit,         \
    .rates = member_network_rates, .network = member_network_itself, .put = member_network_put,    \
    .check = member_network_check, .take = member_network_take, .free = member_network_free

#endif
