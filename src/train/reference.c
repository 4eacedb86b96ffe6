#include "quell/reference.h"

#include "quell/alloc.h"

void ql_gauss_free(ql_gauss *g)
{
    ql_free(g->mean);
    ql_free(g->factor);
    ql_free(g->work);
    *g = (ql_gauss){0};
}

void ql_outlier_free(ql_outlier *o)
{
    ql_free(o->sorted);
    *o = (ql_outlier){0};
}

void ql_reference_free(ql_reference *r)
{
    ql_gauss_free(&r->gauss);
    ql_outlier_free(&r->held);
}
