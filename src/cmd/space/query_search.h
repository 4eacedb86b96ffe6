/* The searches of quell query: exact, or among binary codes. Private to src/cmd. */
#ifndef QL_QUERY_SEARCH_H
#define QL_QUERY_SEARCH_H

#include "space_job.h"

typedef struct {
    const char *metric;
    int k;
    bool hash;
    int shortlist; /* with hash: measure so many of the nearest codes; 0: rank by codes alone */
} search_args;

/* What is asked: queries [n, points->n_dims]; self [n]: position of the query among the points,
 * which is no answer; NULL: queries are other cells. */
typedef struct {
    const ql_points *points;
    const float *queries;
    const int64_t *self;
    int64_t n;
} search_question;

/* k of each query, nearest first. Zero-initialise; release with search_answer_free. */
typedef struct {
    int k;
    int32_t *index;   /* [n, k] among the points */
    double *distance; /* [n, k]; of codes: bits that differ */
    double recall;    /* with hash: share of the exact k nearest that were found; else 1 */
} search_answer;

QL_MUST_USE ql_status query_search(space_job *j, const search_args *a, const search_question *q,
                                   search_answer *out);
void search_answer_free(search_answer *s);

#endif
