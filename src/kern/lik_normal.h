/* Normal with a fixed variance: loss = (mu - y)^2, the mean linear. The gradient is by the
 * pre-activation itself, d mu / d a being the size factor. */
#define normal_has_pi    0
#define normal_mean_link link_linear

QL_INLINE vf normal_at(const lik_heads *h, vf y, lik_grad *g)
{
    vf error = v_sub(h->mu, y);
    g->ln_mu = v_mul(v_mul(v_set(2), error), h->dmu);
    g->theta = g->pi = v_set(0);
    return v_mul(error, error);
}

QL_INLINE vf normal_zero(const lik_heads *h, lik_grad *g)
{
    return normal_at(h, v_set(0), g);
}

QL_INLINE vf normal_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    return normal_at(h, y, g);
}
