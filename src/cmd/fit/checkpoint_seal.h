/* What makes a damaged or foreign checkpoint known. Private to src/cmd. */
#ifndef QL_CHECKPOINT_SEAL_H
#define QL_CHECKPOINT_SEAL_H

#include "quell/bundle.h"

/* Add the key and a checksum of everything. */
QL_MUST_USE ql_status checkpoint_seal(ql_bundle *b, const char *key, ql_err *err);

/* QL_EDATA when the checksum or the key is another. */
QL_MUST_USE ql_status checkpoint_check_seal(const ql_bundle *b, const char *key, ql_err *err);

#endif
