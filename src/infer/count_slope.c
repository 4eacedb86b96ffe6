#include "count_slope.h"

#include "quell/fmath.h"
#include "quell/special.h"

#define LEAST_MEAN 1e-12 /* of a count */

static count_slope of_poisson(double x, double mu, double theta, double pi)
{
    (void)theta;
    (void)pi;
    return (count_slope){x / mu - 1, 1 / mu};
}

static count_slope of_nb(double x, double mu, double theta, double pi)
{
    (void)pi;
    return (count_slope){x / mu - (x + theta) / (mu + theta), theta / (mu * (mu + theta))};
}

/* A zero is of the negative binomial in part only. How pi moves with the code is left out: a
 * proposal need not be exact. */
static count_slope of_zinb(double x, double mu, double theta, double pi)
{
    count_slope m = of_nb(x, mu, theta, pi);
    m.information *= 1 - pi;
    if (x > 0) return m;
    const double zero = (1 - pi) * ql_exp(-theta * ql_log1p(mu / theta));
    m.slope *= zero + pi > 0 ? zero / (zero + pi) : 0;
    return m;
}

static count_slope of_normal(double x, double mu, double theta, double pi)
{
    (void)pi;
    return (count_slope){(x - mu) / (theta * theta), 1 / (theta * theta)};
}

static count_slope of_bernoulli(double x, double mu, double theta, double pi)
{
    const double var = mu * (1 - mu) > LEAST_MEAN ? mu * (1 - mu) : LEAST_MEAN;
    (void)theta;
    (void)pi;
    return (count_slope){(x - mu) / var, 1 / var};
}

static count_slope (*const laws[])(double x, double mu, double theta,
                                   double pi) = {[QL_LAW_POISSON] = of_poisson,
                                                 [QL_LAW_NB] = of_nb,
                                                 [QL_LAW_ZINB] = of_zinb,
                                                 [QL_LAW_NORMAL] = of_normal,
                                                 [QL_LAW_BERNOULLI] = of_bernoulli};

count_slope count_slope_of(ql_law law, double x, double mu, double theta, double pi)
{
    const bool floored = law != QL_LAW_NORMAL && !(mu > LEAST_MEAN);
    return laws[law](x, floored ? LEAST_MEAN : mu, theta, pi);
}
