/* Zero-inflated negative binomial: an extra zero with probability pi.
 *   y = 0: loss = -ln(pi + (1 - pi) z + eps), z = r^theta, r = theta / (theta + mu + eps)
 *   y > 0: loss = NB loss - ln(1 - pi + eps)
 * plus ridge * pi^2. Only the branch that is taken is computed. */
#define zinb_has_pi    PI_PLAIN
#define zinb_mean_link link_mean

/* The gradient of ridge pi^2 and of a loss with derivative d by pi, passed through the logistic. */
QL_INLINE vf zinb_pi_gradient(const lik_heads *h, vf d)
{
    vf ridge = v_mul(v_mul(v_set(2), h->ridge), h->pi);
    return v_mul(v_add(d, ridge), v_mul(h->pi, h->not_pi));
}

QL_INLINE vf zinb_zero(const lik_heads *h, lik_grad *g)
{
    vf eps = v_set(LIK_EPS), one = v_set(1);
    vf mu = v_add(h->mu, eps);
    vf inv = v_div(one, v_mul(h->theta, v_add(h->theta, mu)));
    vf inv_theta = v_mul(inv, v_add(h->theta, mu));
    vf r = v_mul(v_mul(inv, h->theta), h->theta);
    vf not_r = v_mul(v_mul(inv, h->theta), mu);
    vf log_ratio = v_log1p(v_mul(mu, inv_theta));
    vf z = v_exp(v_sub(v_set(0), v_mul(h->theta, log_ratio)));
    vf nb = v_mul(h->not_pi, z);
    vf q = v_add(v_add(h->pi, nb), eps);
    vf inv_q = v_div(one, q);
    vf share = v_mul(nb, inv_q);
    g->ln_mu = v_mul(v_mul(share, r), h->mu);
    g->theta = v_mul(share, v_sub(log_ratio, not_r));
    g->pi = zinb_pi_gradient(h, v_mul(v_sub(z, one), inv_q));
    return v_sub(v_mul(h->ridge, v_mul(h->pi, h->pi)), v_log(q));
}

QL_INLINE vf zinb_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    vf loss = nb_nonzero(h, y, g);
    vf not_pi = v_add(h->not_pi, v_set(LIK_EPS));
    g->pi = zinb_pi_gradient(h, v_div(v_set(1), not_pi));
    return v_add(loss, v_sub(v_mul(h->ridge, v_mul(h->pi, h->pi)), v_log(not_pi)));
}
