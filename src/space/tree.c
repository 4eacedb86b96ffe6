/* Prim's algorithm on a complete graph: each step holds the new cell against all others. */
#include <math.h>

#include "correlation.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/pseudotime.h"

typedef struct {
    int64_t n;
    double *edge;    /* [n]: shortest to the tree; -1: in it */
    double *fresh;   /* [n]: distances to the cell that came last */
    int32_t *parent; /* [n] */
} prim;

/* The cell nearest to the tree, the first of equally near ones; distances from `last` are taken in.
 */
static int64_t next_cell(prim *p, int64_t last)
{
    int64_t best = -1;
    for (int64_t i = 0; i < p->n; i++) {
        if (p->edge[i] < 0) continue;
        if (p->fresh[i] < p->edge[i]) {
            p->edge[i] = p->fresh[i];
            p->parent[i] = (int32_t)last;
        }
        if (best < 0 || p->edge[i] < p->edge[best]) best = i;
    }
    return best;
}

ql_status ql_tree_lengths(const double *x, int64_t n, int64_t d, int64_t start, double *length,
                          int32_t *parent, ql_err *err)
{
    ql_directions v = {0};
    prim p = {.n = n, .parent = parent};
    ql_status st;
    QL_GO(ql_directions_make(x, n, d, &v, err));
    QL_GO(QL_NEW(p.edge, n, "a spanning tree", err));
    QL_GO(QL_NEW(p.fresh, n, "a spanning tree", err));
    if (!parent) QL_GO(QL_NEW(p.parent, n, "a spanning tree", err));
    for (int64_t i = 0; i < n; i++) p.edge[i] = INFINITY;
    p.edge[start] = -1;
    p.parent[start] = -1;
    length[start] = 0;
    for (int64_t added = 1, last = start; added < n; added++) {
        QL_GO(ql_interrupt_check(err));
        ql_directions_distance(&v, last, &v, 0, n, p.fresh);
        last = next_cell(&p, last);
        length[last] = length[p.parent[last]] + p.edge[last];
        p.edge[last] = -1;
    }
out:
    if (!parent) ql_free(p.parent);
    ql_free(p.edge);
    ql_free(p.fresh);
    ql_directions_free(&v);
    return st;
}
