#include "quell/variates.h"

#include "quell/rng_draw.h"

double ql_draw_count(ql_rng *rng, ql_law law, double mean, double theta, double pi)
{
    double x = 0;
    switch (law) {
    case QL_LAW_BERNOULLI:
        return ql_rng_open(rng) < mean;
    case QL_LAW_NORMAL:
        return mean + theta * ql_rng_normal(ql_rng_word(rng));
    case QL_LAW_POISSON:
        x = ql_rng_poisson(rng, mean);
        break;
    case QL_LAW_ZINB: /* 0 with probability pi, else */
        if (ql_rng_open(rng) > pi) x = ql_rng_negbin(rng, mean, theta);
        break;
    case QL_LAW_NB:
        x = ql_rng_negbin(rng, mean, theta);
        break;
    }
    return x < QL_COUNT_MOST ? x : QL_COUNT_MOST;
}
