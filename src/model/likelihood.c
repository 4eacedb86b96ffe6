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

/* The kernels of each likelihood in a table, by name: kernel_nb_GENE, ... */
#define KERNEL(field)                                                                              \
    static const ql_lik_kern *kernel_##field(const ql_kern *k)                                     \
    {                                                                                              \
        return &k->field;                                                                          \
    }
#define X(name, disp) KERNEL(name##_##disp)
KERNEL(gaussian)
QL_LIK_MAP(X)
QL_LIK_SHARE_MAP(X)
#undef X

/* One row of a registry. */
#define ROW(...)                                                                                   \
    &(const ql_likelihood)                                                                         \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

const ql_likelihood *const ql_likelihoods[] = {
    ROW(.name = "nb", .summary = "negative binomial, one dispersion per gene", .disp = QL_DISP_GENE,
        .heads = {{QL_KIND_DENSE, QL_KIND_GENE, QL_KIND_NONE}}, .kernel = kernel_nb_GENE,
        .nll = nb_nll),
    ROW(.name = "nb-conddisp", .summary = "negative binomial, a dispersion per cell and gene",
        .disp = QL_DISP_CELL, .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_NONE}},
        .kernel = kernel_nb_CELL, .nll = nb_nll),
    ROW(.name = "nb-shared", .summary = "negative binomial, one dispersion per cell",
        .disp = QL_DISP_CELL, .heads = {{QL_KIND_DENSE, QL_KIND_UNIT, QL_KIND_NONE}},
        .kernel = kernel_nb_CELL, .nll = nb_nll),
    ROW(.name = "nb-fork", .summary = "nb-conddisp with decoder layers for each head",
        .disp = QL_DISP_CELL, .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_NONE}, .fork = true},
        .kernel = kernel_nb_CELL, .nll = nb_nll),
    ROW(.name = "zinb", .summary = "zero-inflated NB, one dispersion per gene",
        .disp = QL_DISP_GENE, .has_pi = true,
        .heads = {{QL_KIND_DENSE, QL_KIND_GENE, QL_KIND_DENSE}}, .kernel = kernel_zinb_GENE,
        .nll = zinb_nll),
    ROW(.name = "zinb-conddisp", .summary = "zero-inflated NB, a dispersion per cell and gene",
        .disp = QL_DISP_CELL, .has_pi = true,
        .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_DENSE}}, .kernel = kernel_zinb_CELL,
        .nll = zinb_nll),
    ROW(.name = "zinb-shared", .summary = "zero-inflated NB, one dispersion and dropout per cell",
        .disp = QL_DISP_CELL, .has_pi = true,
        .heads = {{QL_KIND_DENSE, QL_KIND_UNIT, QL_KIND_UNIT}}, .kernel = kernel_zinb_CELL,
        .nll = zinb_nll),
    ROW(.name = "zinb-fork", .summary = "zinb-conddisp with decoder layers for each head",
        .disp = QL_DISP_CELL, .has_pi = true,
        .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_DENSE}, .fork = true},
        .kernel = kernel_zinb_CELL, .nll = zinb_nll),
    ROW(.name = "zinb-elempi", .summary = "zinb-conddisp, the dropout a function of the mean",
        .disp = QL_DISP_CELL, .has_pi = true,
        .heads = {{QL_KIND_DENSE, QL_KIND_DENSE, QL_KIND_ELEMENT}}, .kernel = kernel_zinb_CELL,
        .nll = zinb_nll),
    ROW(.name = "poisson", .summary = "Poisson", .disp = QL_DISP_NONE,
        .heads = {{QL_KIND_DENSE, QL_KIND_NONE, QL_KIND_NONE}}, .kernel = kernel_poisson_NONE,
        .nll = poisson_nll),
    ROW(.name = "normal", .summary = "squared error around a linear mean", .disp = QL_DISP_NONE,
        .gaussian = true, .heads = {{QL_KIND_DENSE, QL_KIND_NONE, QL_KIND_NONE}},
        .kernel = kernel_normal_NONE, .nll = normal_nll),
    NULL,
};
const ql_likelihood ql_gaussian = {.name = "gaussian",
                                   .summary = "squared error of the scaled input",
                                   .disp = QL_DISP_NONE,
                                   .gaussian = true,
                                   .of_inputs = true,
                                   .heads = {{QL_KIND_DENSE, QL_KIND_NONE, QL_KIND_NONE}},
                                   .kernel = kernel_gaussian,
                                   .nll = normal_nll};

/* ---- of variational models ---- */

/* The epsilon of scVI (Lopez et al. 2018, as published in code) */
#define SHARE_EPS 1e-8

static double share_poisson_nll(double y, double mu, double theta, double pi)
{
    (void)theta;
    (void)pi;
    return mu - (y > 0 ? y * log(mu) : 0) + lgamma(y + 1);
}

static double share_nb_nll(double y, double mu, double theta, double pi)
{
    (void)pi;
    double sum = log(theta + mu + SHARE_EPS);
    return theta * (sum - log(theta + SHARE_EPS)) + y * (sum - log(mu + SHARE_EPS)) -
           (lgamma(y + theta) - lgamma(theta) - lgamma(y + 1));
}

static double share_zinb_nll(double y, double mu, double theta, double pi)
{
    if (y > 0) return share_nb_nll(y, mu, theta, pi) - log1p(-pi);
    return -log(pi + (1 - pi) * exp(-share_nb_nll(0, mu, theta, pi)));
}

static double share_normal_nll(double y, double mu, double theta, double pi)
{
    (void)pi;
    double e = (y - mu) / theta;
    return 0.5 * e * e + log(theta) + 0.91893853320467274178;
}

static double bernoulli_nll(double y, double mu, double theta, double pi)
{
    (void)theta;
    (void)pi;
    return y > 0 ? -log(mu) : -log1p(-mu);
}

#define WITHOUT_THETA                                                                              \
    {                                                                                              \
        QL_KIND_DENSE, QL_KIND_NONE, QL_KIND_NONE                                                  \
    }
#define THETA(kind)                                                                                \
    {                                                                                              \
        QL_KIND_DENSE, QL_KIND_##kind, QL_KIND_NONE                                                \
    }
#define THETA_PI(kind)                                                                             \
    {                                                                                              \
        QL_KIND_DENSE, QL_KIND_##kind, QL_KIND_DENSE                                               \
    }
#define NB_ROW(kernels, kinds, text)                                                               \
    ROW(.name = "nb", .summary = "negative binomial, " text, .disp = QL_DISP_##kernels,            \
        .heads = {kinds, .share = true}, .kernel = kernel_share_nb_##kernels, .nll = share_nb_nll)
#define ZINB_ROW(kernels, kinds, text)                                                             \
    ROW(.name = "zinb", .summary = "zero-inflated NB, " text, .disp = QL_DISP_##kernels,           \
        .has_pi = true, .heads = {kinds, .share = true}, .kernel = kernel_share_zinb_##kernels,    \
        .nll = share_zinb_nll)
#define NORMAL_ROW(kernels, kinds, text)                                                           \
    ROW(.name = "normal", .summary = "normal, " text, .disp = QL_DISP_##kernels, .gaussian = true, \
        .heads = {kinds, .share = true}, .kernel = kernel_share_normal_##kernels,                  \
        .nll = share_normal_nll)

const ql_likelihood *const ql_vae_likelihoods[] = {
    ZINB_ROW(EXP_GENE, THETA_PI(GENE), "a dispersion per gene"),
    ZINB_ROW(EXP_CELL, THETA_PI(GROUP), "a dispersion per gene and group of cells"),
    ZINB_ROW(EXP_CELL, THETA_PI(DENSE), "a dispersion per gene and cell"),
    NB_ROW(EXP_GENE, THETA(GENE), "a dispersion per gene"),
    NB_ROW(EXP_CELL, THETA(GROUP), "a dispersion per gene and group of cells"),
    NB_ROW(EXP_CELL, THETA(DENSE), "a dispersion per gene and cell"),
    NORMAL_ROW(EXP_GENE, THETA(GENE), "a standard deviation per gene"),
    NORMAL_ROW(EXP_CELL, THETA(GROUP), "a standard deviation per gene and group of cells"),
    NORMAL_ROW(EXP_CELL, THETA(DENSE), "a standard deviation per gene and cell"),
    ROW(.name = "poisson", .summary = "Poisson", .disp = QL_DISP_NONE,
        .heads = {WITHOUT_THETA, .share = true}, .kernel = kernel_share_poisson_NONE,
        .nll = share_poisson_nll),
    ROW(.name = "bernoulli", .summary = "is the gene (or peak) seen at all, whatever its count",
        .disp = QL_DISP_NONE, .gaussian = true, .heads = {WITHOUT_THETA, .odds = true},
        .kernel = kernel_bernoulli_NONE, .nll = bernoulli_nll),
    NULL,
};

const ql_likelihood *ql_vae_likelihood_find(const char *name, ql_theta_kind theta)
{
    static const ql_head_kind kinds[] = {[QL_THETA_GENE] = QL_KIND_GENE,
                                         [QL_THETA_GROUP] = QL_KIND_GROUP,
                                         [QL_THETA_CELL] = QL_KIND_DENSE};
    for (int i = 0; ql_vae_likelihoods[i]; i++) {
        const ql_likelihood *l = ql_vae_likelihoods[i];
        if (strcmp(l->name, name) != 0) continue;
        if (l->disp == QL_DISP_NONE || l->heads.kind[QL_HEAD_DISP] == kinds[theta]) return l;
    }
    return NULL;
}

const ql_likelihood *ql_likelihood_find(const char *name)
{
    for (int i = 0; ql_likelihoods[i]; i++)
        if (!strcmp(ql_likelihoods[i]->name, name)) return ql_likelihoods[i];
    return NULL;
}
