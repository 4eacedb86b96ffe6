/* Poisson: loss = mu - y ln(mu + eps). */
#define poisson_has_pi    0
#define poisson_mean_link link_mean

QL_INLINE vf poisson_zero(const lik_heads *h, lik_grad *g)
{
    g->ln_mu = h->mu;
    g->theta = g->pi = v_set(0);
    return h->mu;
}

QL_INLINE vf poisson_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    vf shifted = v_add(h->mu, v_set(LIK_EPS));
    g->ln_mu = v_sub(h->mu, v_mul(y, v_div(h->mu, shifted)));
    g->theta = g->pi = v_set(0);
    return v_sub(h->mu, v_mul(y, v_log(shifted)));
}
