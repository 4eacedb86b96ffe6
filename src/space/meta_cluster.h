/* Clusters of clusters. Private to src/space. */
#ifndef QL_META_CLUSTER_H
#define QL_META_CLUSTER_H

#include <stdint.h>

#include "quell/status.h"

typedef struct {
    int64_t n; /* rows */
    int members;
    const int32_t *label;  /* [n, members]: a cell a row */
    const int64_t *groups; /* [members] */
    int64_t k;             /* meta-clusters; lowered to the clusters there are */
    int threads;
} ql_meta_task;

/* out [n], in [0, k): not all need be in use. */
QL_MUST_USE ql_status ql_meta_cluster(const ql_meta_task *task, int32_t *out, ql_err *err);

#endif
