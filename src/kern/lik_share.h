/* Likelihoods of variational models: the mean of a gene is its share of the cell's molecules times
 * their number, mu = rho L. What comes for the mean is e = exp(logit - the largest of the cell in
 * the tile), and size is L times what makes e a share (src/nn/head_softmax.c). Formulas and
 * epsilons of scVI (Lopez et al. 2018):
 *
 *     poisson    mu - y ln mu
 *     normal     ((mu - y) / theta)^2 / 2 + ln theta + ln(2 pi) / 2, theta the standard deviation
 *     bernoulli  the gene is seen with probability sigma(a), whatever its count; a is a log-odds
 *                that holds the cell's depth already, and no share */
#define LEAST_NORMAL (ql_real)1.2e-38
#define HALF_LN_2_PI (ql_real)0.91893853320467274178

QL_INLINE void link_share(vf e, vf size, lik_heads *h)
{
    h->mean_inside = v_eq(e, e);
    h->mu = v_mul(e, size);
}

#define share_poisson_has_pi    0
#define share_poisson_mean_link link_share

QL_INLINE vf share_poisson_zero(const lik_heads *h, lik_grad *g)
{
    g->ln_mu = h->mu;
    g->theta = g->pi = v_set(0);
    return h->mu;
}

QL_INLINE vf share_poisson_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    g->ln_mu = v_sub(h->mu, y);
    g->theta = g->pi = v_set(0);
    return v_sub(h->mu, v_mul(y, v_log(v_max(v_set(LEAST_NORMAL), h->mu))));
}

#define share_normal_has_pi    0
#define share_normal_mean_link link_share

QL_INLINE vf share_normal_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    vf inv = v_div(v_set(1), h->theta), e = v_mul(v_sub(h->mu, y), inv), square = v_mul(e, e);
    g->ln_mu = v_mul(v_mul(e, inv), h->mu);
    g->theta = v_mul(inv, v_sub(v_set(1), square));
    g->pi = v_set(0);
    return v_fma(v_set((ql_real)0.5), square, v_add(v_log(h->theta), v_set(HALF_LN_2_PI)));
}

QL_INLINE vf share_normal_zero(const lik_heads *h, lik_grad *g)
{
    return share_normal_nonzero(h, v_set(0), g);
}

#define bernoulli_has_pi    0
#define bernoulli_mean_link link_odds

QL_INLINE void link_odds(vf a, vf size, lik_heads *h)
{
    (void)size;
    h->mean_inside = v_eq(a, a);
    h->odds = a;
    h->soft = v_softplus(a, &h->mu);
}

QL_INLINE vf bernoulli_zero(const lik_heads *h, lik_grad *g)
{
    g->ln_mu = h->mu;
    g->theta = g->pi = v_set(0);
    return h->soft;
}

QL_INLINE vf bernoulli_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    (void)y;
    g->ln_mu = v_sub(h->mu, v_set(1));
    g->theta = g->pi = v_set(0);
    return v_sub(h->soft, h->odds);
}
