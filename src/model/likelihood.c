#include "quell/likelihood.h"

#include <math.h>
#include <string.h>

/* The reference's epsilon (Eraslan et al. 2019, as published in code) */
#define EPS 1e-10

static double poisson_nll(double y, double mu, double theta, double pi)
{
    (void)theta;
    (void)pi;
    return mu - y * log(mu + EPS) + lgamma(y + 1);
}

static double nb_nll(double y, double mu, double theta, double pi)
{
    (void)pi;
    double t = theta + EPS;
    return lgamma(t) + lgamma(y + 1) - lgamma(y + t) + (theta + y) * log(1 + mu / t) +
           y * (log(t) - log(mu + EPS));
}

static double zinb_nll(double y, double mu, double theta, double pi)
{
    if (y >= 1e-8) return nb_nll(y, mu, theta, pi) - log(1 - pi + EPS);
    double zero = pow(theta / (theta + mu + EPS), theta);
    return -log(pi + (1 - pi) * zero + EPS);
}

#define KERNEL(field)                                                                              \
    static const ql_lik_kern *kernel_##field(const ql_kern *k)                                     \
    {                                                                                              \
        return &k->field;                                                                          \
    }
KERNEL(poisson_NONE)
KERNEL(nb_GENE)
KERNEL(nb_CELL)
KERNEL(zinb_GENE)
KERNEL(zinb_CELL)

static const ql_likelihood all[] = {
    {"nb", "negative binomial, one dispersion per gene", QL_DISP_GENE, false, kernel_nb_GENE,
     nb_nll},
    {"nb-conddisp", "negative binomial, a dispersion per cell and gene", QL_DISP_CELL, false,
     kernel_nb_CELL, nb_nll},
    {"zinb", "zero-inflated NB, one dispersion per gene", QL_DISP_GENE, true, kernel_zinb_GENE,
     zinb_nll},
    {"zinb-conddisp", "zero-inflated NB, a dispersion per cell and gene", QL_DISP_CELL, true,
     kernel_zinb_CELL, zinb_nll},
    {"poisson", "Poisson", QL_DISP_NONE, false, kernel_poisson_NONE, poisson_nll},
};

static double gaussian_nll(double y, double mu, double theta, double pi)
{
    (void)theta;
    (void)pi;
    return (y - mu) * (y - mu);
}

static const ql_lik_kern *kernel_gaussian(const ql_kern *k)
{
    return &k->gaussian;
}

const ql_likelihood ql_gaussian = {.name = "gaussian",
                                   .summary = "squared error of the scaled input",
                                   .disp = QL_DISP_NONE,
                                   .kernel = kernel_gaussian,
                                   .nll = gaussian_nll};

const ql_likelihood *const ql_likelihoods[] = {&all[0], &all[1], &all[2], &all[3], &all[4], NULL};

const ql_likelihood *ql_likelihood_find(const char *name)
{
    for (int i = 0; ql_likelihoods[i]; i++)
        if (!strcmp(ql_likelihoods[i]->name, name)) return ql_likelihoods[i];
    return NULL;
}
