/* What the samples are called that several inputs hold. Private to src/cmd. */
#ifndef QL_SAMPLE_NAMES_H
#define QL_SAMPLE_NAMES_H

#include "quell/names.h"

/* One name for each path into *out: from given ("a,b,c"), or, where that is NULL, the file's name
 * without its endings; of files and folders that every run calls the same
 * (filtered_feature_bc_matrix, outs, matrix.mtx, ...) the nearest folder above that has a name of
 * its own. Names that several would get have the folder before them ("liver_counts"), or else a
 * number behind. QL_EUSAGE when given names another number, an empty name or one twice. */
QL_MUST_USE ql_status ql_sample_names(const char *const *paths, int n, const char *given,
                                      ql_names *out, ql_err *err);

#endif
