/* Negative binomial and zero-inflated negative binomial around shares (lik_share.h), in scVI's
 * form: with eps = 1e-8, T = theta + eps, D = T + mu and the logit p of an extra zero, nb:   theta
 * ln(D / T) + y (ln D - ln(mu + eps)) - [lgamma(y + theta) - lgamma(theta)] zinb: y = 0: -ln(pi +
 * (1 - pi) (T / D)^theta); y > 0: nb - ln(1 - pi); pi = sigma(p) (plus ln y!, left out everywhere).
 */
#define share_nb_has_pi    0
#define share_nb_mean_link link_share

QL_INLINE vf share_nb_zero(const lik_heads *h, lik_grad *g)
{
    nb_parts p = nb_split(h, SHARE_EPS);
    return nb_zero_of(h, &p, g);
}

QL_INLINE vf share_nb_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    return nb_nonzero_of(h, h->theta, y, SHARE_EPS, g);
}

#define share_zinb_has_pi    1
#define share_zinb_mean_link link_share

QL_INLINE vf share_zinb_zero(const lik_heads *h, lik_grad *g)
{
    nb_parts p = nb_split(h, SHARE_EPS);
    lik_grad nb;
    vf one = v_set(1), z = v_exp(v_sub(v_set(0), nb_zero_of(h, &p, &nb)));
    vf q = v_fma(h->not_pi, z, h->pi), inv_q = v_div(one, q);
    vf share = v_mul(v_mul(h->not_pi, z), inv_q);
    g->ln_mu = v_mul(share, nb.ln_mu);
    g->theta = v_mul(share, nb.theta);
    g->pi = zinb_pi_gradient(h, v_mul(v_sub(z, one), inv_q));
    return v_sub(v_mul(h->ridge, v_mul(h->pi, h->pi)), v_log(q));
}

QL_INLINE vf share_zinb_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    vf loss = share_nb_nonzero(h, y, g);
    g->pi = zinb_pi_gradient(h, v_div(v_set(1), h->not_pi));
    return v_add(loss, v_sub(v_mul(h->ridge, v_mul(h->pi, h->pi)), v_log(h->not_pi)));
}
