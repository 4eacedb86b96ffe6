#include "schedule.h"

#include <math.h>

bool ql_patience_step(ql_patience *p, double value, bool *improved)
{
    bool better = isfinite(value) && (!p->seen || value < p->best - p->min_delta);
    if (improved) *improved = better;
    if (better) {
        p->best = value;
        p->seen = true;
        p->wait = 0;
        return false;
    }
    p->wait++;
    if (p->patience <= 0 || p->wait < p->patience) return false;
    p->wait = 0;
    return true;
}
