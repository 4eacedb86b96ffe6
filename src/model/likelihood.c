#include "quell/likelihood.h"

#include <math.h>
#include <string.h>

/* The reference's epsilon (Eraslan et al. 2019, as published in code) */
#define EPS 1e-10

static double normal_nll(double y, double mu, double theta, double pi)
{
    (void)theta;
    (void)pi;
    return (mu - y) * (mu - y);
}

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
KERNEL(gaussian)
KERNEL(normal_NONE)
KERNEL(poisson_NONE)
KERNEL(nb_GENE)
KERNEL(nb_CELL)
KERNEL(zinb_GENE)
KERNEL(zinb_CELL)

static const ql_likelihood all[] = {
    {.name = "nb",
     .summary = "negative binomial, one dispersion per gene",
     .disp = QL_DISP_GENE,
     .heads = {{QL_KIND_DENSE, QL_KIND_GENE, QL_KIND_NONE}},
     .kernel = kernel_nb_GENE,
     .nll = nb_nll},
    {.name = "nb-conddisp",
     .summary = "negative binomial, a dispersion per cell and gene",
     .disp = QL_DISP_CELL,
     .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_NONE}},
     .kernel = kernel_nb_CELL,
     .nll = nb_nll},
    {.name = "nb-shared",
     .summary = "negative binomial, one dispersion per cell",
     .disp = QL_DISP_CELL,
     .heads = {{QL_KIND_DENSE, QL_KIND_UNIT, QL_KIND_NONE}},
     .kernel = kernel_nb_CELL,
     .nll = nb_nll},
    {.name = "nb-fork",
     .summary = "nb-conddisp with decoder layers for each head",
     .disp = QL_DISP_CELL,
     .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_NONE}, .fork = true},
     .kernel = kernel_nb_CELL,
     .nll = nb_nll},
    {.name = "zinb",
     .summary = "zero-inflated NB, one dispersion per gene",
     .disp = QL_DISP_GENE,
     .has_pi = true,
     .heads = {{QL_KIND_DENSE, QL_KIND_GENE, QL_KIND_DENSE}},
     .kernel = kernel_zinb_GENE,
     .nll = zinb_nll},
    {.name = "zinb-conddisp",
     .summary = "zero-inflated NB, a dispersion per cell and gene",
     .disp = QL_DISP_CELL,
     .has_pi = true,
     .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_DENSE}},
     .kernel = kernel_zinb_CELL,
     .nll = zinb_nll},
    {.name = "zinb-shared",
     .summary = "zero-inflated NB, one dispersion and dropout per cell",
     .disp = QL_DISP_CELL,
     .has_pi = true,
     .heads = {{QL_KIND_DENSE, QL_KIND_UNIT, QL_KIND_UNIT}},
     .kernel = kernel_zinb_CELL,
     .nll = zinb_nll},
    {.name = "zinb-fork",
     .summary = "zinb-conddisp with decoder layers for each head",
     .disp = QL_DISP_CELL,
     .has_pi = true,
     .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_DENSE}, .fork = true},
     .kernel = kernel_zinb_CELL,
     .nll = zinb_nll},
    {.name = "zinb-elempi",
     .summary = "zinb-conddisp, the dropout a function of the mean",
     .disp = QL_DISP_CELL,
     .has_pi = true,
     .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_ELEMENT}},
     .kernel = kernel_zinb_CELL,
     .nll = zinb_nll},
    {.name = "poisson",
     .summary = "Poisson",
     .disp = QL_DISP_NONE,
     .heads = {{QL_KIND_DENSE, QL_KIND_NONE, QL_KIND_NONE}},
     .kernel = kernel_poisson_NONE,
     .nll = poisson_nll},
    {.name = "normal",
     .summary = "squared error around a linear mean",
     .disp = QL_DISP_NONE,
     .gaussian = true,
     .heads = {{QL_KIND_DENSE, QL_KIND_NONE, QL_KIND_NONE}},
     .kernel = kernel_normal_NONE,
     .nll = normal_nll},
};

const ql_likelihood *const ql_likelihoods[] = {
    &all[0], &all[1], &all[2], &all[3], &all[4],  &all[5],
    &all[6], &all[7], &all[8], &all[9], &all[10], NULL,
};
const ql_likelihood ql_gaussian = {.name = "gaussian",
                                   .summary = "squared error of the scaled input",
                                   .disp = QL_DISP_NONE,
                                   .gaussian = true,
                                   .of_inputs = true,
                                   .heads = {{QL_KIND_DENSE, QL_KIND_NONE, QL_KIND_NONE}},
                                   .kernel = kernel_gaussian,
                                   .nll = normal_nll};

const ql_likelihood *ql_likelihood_find(const char *name)
{
    for (int i = 0; ql_likelihoods[i]; i++)
        if (!strcmp(ql_likelihoods[i]->name, name)) return ql_likelihoods[i];
    return NULL;
}
