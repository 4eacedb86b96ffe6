/* Negative binomial with mean mu and inverse dispersion theta, T = theta + eps:
 *   loss = -[lgamma(y + T) - lgamma(T)] + (theta + y) ln(1 + mu / T) + y (ln T - ln(mu + eps))
 * (plus ln y!, left out everywhere). The sums in the gradients are arranged so that the parts of
 * size y and of size mu do not cancel. */
#define nb_has_pi    0
#define nb_mean_link link_mean

typedef struct {
    vf t, inv_t, sum, inv_sum; /* T, 1 / T, T + mu, 1 / (T + mu) from a single division */
    vf log_ratio;              /* ln(1 + mu / T) */
} nb_parts;

QL_INLINE nb_parts nb_split(const lik_heads *h, ql_real eps)
{
    nb_parts p;
    p.t = v_add(h->theta, v_set(eps));
    p.sum = v_add(p.t, h->mu);
    vf inv = v_div(v_set(1), v_mul(p.t, p.sum));
    p.inv_t = v_mul(inv, p.sum);
    p.inv_sum = v_mul(inv, p.t);
    p.log_ratio = v_log1p(v_mul(h->mu, p.inv_t));
    return p;
}

QL_INLINE vf nb_zero_of(const lik_heads *h, const nb_parts *p, lik_grad *g)
{
    g->ln_mu = v_mul(h->theta, v_mul(h->mu, p->inv_sum));
    g->theta = v_sub(p->log_ratio, v_mul(v_mul(h->theta, p->inv_t), v_mul(h->mu, p->inv_sum)));
    g->pi = v_set(0);
    return v_mul(h->theta, p->log_ratio);
}

QL_INLINE vf nb_zero(const lik_heads *h, lik_grad *g)
{
    nb_parts p = nb_split(h, LIK_EPS);
    return nb_zero_of(h, &p, g);
}

/* shape: what the gamma functions take for theta */
QL_INLINE vf nb_nonzero_of(const lik_heads *h, const nb_parts *p, vf shape, vf y, ql_real eps,
                           lik_grad *g)
{
    vf zero = nb_zero_of(h, p, g), dgamma;
    vf gamma = lgamma_rise(shape, y, &dgamma);
    vf inv_mu = v_div(v_set(1), v_add(h->mu, v_set(eps)));
    vf across = v_sub(v_mul(h->theta, h->mu), v_mul(y, p->t));
    g->ln_mu = v_fma(across, p->inv_sum, v_mul(y, v_mul(v_set(eps), inv_mu)));
    g->theta = v_add(g->theta, v_sub(v_mul(y, p->inv_sum), dgamma));
    return v_add(zero, v_sub(v_mul(y, v_log(v_mul(p->sum, inv_mu))), gamma));
}

QL_INLINE vf nb_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    nb_parts p = nb_split(h, LIK_EPS);
    return nb_nonzero_of(h, &p, p.t, y, LIK_EPS, g);
}
