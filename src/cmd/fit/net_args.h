/* The options of the network: layers, heads, penalties, convolution. Private to src/cmd. */
#ifndef QL_NET_ARGS_H
#define QL_NET_ARGS_H

#include "model_args.h"

/* Options of the network that do not go together (QL_EUSAGE). */
QL_MUST_USE ql_status net_args_check(const model_args *a, ql_err *err);

/* What they say of it, into c; the likelihood must be there (model_type_check). */
void net_args_config(const model_args *a, ql_ae_config *c);

#endif
