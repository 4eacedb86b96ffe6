/* Neighbours of cells, for the commands that need them: found anew, or those that are in the file.
 * Private to src/cmd. */
#ifndef QL_NEIGHBORS_H
#define QL_NEIGHBORS_H

#include "quell/graph.h"
#include "space_job.h"

typedef struct {
    int neighbors; /* of a cell, itself counted, as scanpy counts */
    const char *metric;
    const char *graph; /* name of a graph of the file; NULL: none was named */
} knn_args;

extern const ql_option ql_knn_rows[];   /* --neighbors, --metric */
extern const ql_option ql_graph_rows[]; /* --neighbors-key, for commands that take a graph */

/* What the graph of a file is called unless it has another name. */
#define NEIGHBORS_KEY "neighbors"

/* The nearest of each point. Where there are too few points all of them are taken, which is said.
 */
QL_MUST_USE ql_status neighbors_find(space_job *j, const knn_args *a, const ql_points *points,
                                     ql_knn *out);

/* A graph of the cells. Zero-initialise; release with neighbor_graph_free. */
typedef struct {
    ql_points points; /* its nodes; without coordinates where the graph is that of the file */
    ql_csr graph;     /* [points.n, points.n], symmetric */
    ql_str use;       /* the obsm key behind it; empty: not known */
    bool from_file;
} neighbor_graph;

/* The graph of --neighbors-key; else that of uns/neighbors, where the file has one and neither
 * --use nor an option of neighbours was given; else a new one. Which of them is said in the log. */
QL_MUST_USE ql_status neighbors_graph(space_job *j, const knn_args *a, neighbor_graph *out);
void neighbor_graph_free(neighbor_graph *g);

#endif
