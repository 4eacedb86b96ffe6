/* Changes of one gene over pairs of cells. Private to src/infer. */
#ifndef QL_DE_SUMMARY_H
#define QL_DE_SUMMARY_H

#include "quell/kern.h"

/* lfc[i] = log2(a[i] + c) - log2(b[i] + c); arrays padded, pads finite and above -c; scratch as
 * large as lfc. */
void de_lfc(const ql_kern *kern, int64_t n, const float *a, const float *b, float c, float *lfc,
            float *scratch);

typedef struct {
    double mean, median, sd, least, most;
    double low, high; /* the shortest interval with the wanted share of the draws */
} de_summary;

/* lfc [n] is put in order; scratch [n]. sd: with n, as numpy's. */
void de_summarise(float *lfc, int64_t n, double interval, float *scratch, de_summary *out);

#endif
