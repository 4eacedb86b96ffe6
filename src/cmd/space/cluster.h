/* Ways to cluster cells: a method is one file cluster_NAME.c with a const cluster_method and one
 * row in cmd_cluster.c. Private to src/cmd. */
#ifndef QL_CLUSTER_H
#define QL_CLUSTER_H

#include "../fit/mqc_args.h"
#include "neighbors.h"

/* Options of methods on a graph of neighbours. */
typedef struct {
    double resolution;
    int iterations; /* 0: until nothing changes */
    const char *objective;
} cluster_graph_args;

extern const ql_option ql_cluster_graph_rows[];

/* Options of methods on coordinates. */
typedef struct {
    int clusters; /* 0: estimated */
    int starts;
    const char *each, *estimate;
    bool alone;
} cluster_points_args;

extern const ql_option ql_cluster_points_rows[];

typedef struct {
    ql_common_args common;
    ql_seed_args seed;
    space_args space;
    knn_args knn;
    mqc_args mqc;
    const char *method, *key;
    cluster_graph_args graph;
    cluster_points_args points;
} cluster_args;

typedef struct {
    const cluster_args *a;
    ql_run *run;
    space_job space; /* open; its writer too once the work begins */
    const char *key; /* of obs: --key, or the method's name */
    /* What is clustered: nodes of a graph, or points. */
    neighbor_graph g;  /* points and use for every method; graph for those that ask for it */
    double modularity; /* NaN: of a method that has none */
} cluster_job;

typedef struct cluster_method {
    const char *name; /* --method; also the column's name where no --key is given */
    bool of_graph;    /* wants the graph of neighbours; otherwise points with coordinates */
    /* Fails with QL_EUSAGE for options that do not fit; before anything is read. NULL: none. */
    ql_status (*check)(const cluster_args *a, ql_run *run);
    /* The clusters of j->g.points, numbered by size (ql_labels_number). */
    ql_status (*run)(cluster_job *j, ql_labels *out);
    /* What else there is to write, beside obs/KEY and the record: NULL: nothing. */
    ql_status (*write)(cluster_job *j);
} cluster_method;

/* Files for MultiQC, after the result: numbers, sizes, modularity. Nothing without --mqc. */
QL_MUST_USE ql_status cluster_mqc(const cluster_job *j, const ql_labels *found);

extern const cluster_method ql_cluster_leiden, ql_cluster_louvain, ql_cluster_kmeans,
    ql_cluster_spectral, ql_cluster_scdha;

#endif
