/* Labels of cells or points: clusters, cell types. */
#ifndef QUELL_LABELS_H
#define QUELL_LABELS_H

#include <stdint.h>

#include "quell/frame.h"
#include "quell/points.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; release with ql_labels_free. */
typedef struct {
    int64_t n;
    int32_t *code;  /* [n]: which name, -1: none; owned */
    ql_names names; /* different, each in use or not; owned */
} ql_labels;

/* The values of a column of n rows, names in natural order ("2" before "10"). Empty text and NaN
 * are no label. QL_EDATA: numbers with fractions, or more names than QL_LABELS_MOST. */
enum { QL_LABELS_MOST = 1000000 };
QL_MUST_USE ql_status ql_labels_of(const ql_column *column, int64_t n, ql_labels *out, ql_err *err);

/* Groups of n members, code[i] in [0, k) or -1, numbered anew by size: "0" is the largest; of equal
 * sizes the one whose first member comes first. Empty groups get no name. */
QL_MUST_USE ql_status ql_labels_number(const int32_t *code, int64_t n, int64_t k, ql_labels *out,
                                       ql_err *err);

/* Labels of points as labels of all cells: -1 where there is no point. And back. */
QL_MUST_USE ql_status ql_labels_spread(const ql_labels *l, const ql_points *p, ql_labels *out,
                                       ql_err *err);
QL_MUST_USE ql_status ql_labels_gather(const ql_labels *l, const ql_points *p, ql_labels *out,
                                       ql_err *err);

/* Cells of each label into size [names.n]. */
void ql_labels_sizes(const ql_labels *l, int64_t *size);
void ql_labels_free(ql_labels *l);

/* Order of text in which runs of digits count as numbers; below, equal or above 0 as strcmp. */
int ql_natural_compare(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
