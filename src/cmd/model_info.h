/* What `quell info` says of a model file. Private to src/cmd. */
#ifndef QL_MODEL_INFO_H
#define QL_MODEL_INFO_H

#include <stdbool.h>

#include "quell/strbuf.h"

/* Append the description of the model at path: lines for people, or one JSON object. */
QL_MUST_USE ql_status model_info(const char *path, bool json, ql_str *out, ql_err *err);

#endif
