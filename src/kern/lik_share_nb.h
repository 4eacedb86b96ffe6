/* Negative binomial and zero-inflated negative binomial around shares (lik_share.h), in scVI's
 * form: with eps = 1e-8, T = theta + eps, D = T + mu, sp = softplus and the logit p of an extra
 * zero nb:   theta ln(D / T) + y (ln D - ln(mu + eps)) - [lgamma(y + theta) - lgamma(theta)] zinb:
 * y = 0: sp(-p) - sp(A), A = -p - theta ln(D / T);   y > 0: nb + sp(p) (plus ln y!, left out
 * everywhere). */
#define share_nb_has_pi    0
#define share_nb_mean_link link_share

/* inv_sum is left to those who divide by more than D. */
QL_INLINE nb_parts share_split(const lik_heads *h)
{
    nb_parts p = {.t = v_add(h->theta, v_set(SHARE_EPS)), .inv_t = h->inv_t};
    p.sum = v_add(p.t, h->mu);
    p.log_ratio = v_log1p(v_mul(h->mu, h->inv_t));
    return p;
}

QL_INLINE vf share_nb_zero(const lik_heads *h, lik_grad *g)
{
    nb_parts p = share_split(h);
    p.inv_sum = v_div(v_set(1), p.sum);
    return nb_zero_of(h, &p, g);
}

QL_INLINE vf share_nb_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    nb_parts p = share_split(h);
    p.inv_sum = v_div(v_set(1), p.sum);
    return nb_nonzero_of(h, &p, h->theta, y, SHARE_EPS, g);
}

#define share_zinb_has_pi    PI_GATE
#define share_zinb_mean_link link_share

/* ridge pi^2; its derivative by p is added to *by_gate. */
QL_INLINE vf gate_ridge(const lik_heads *h, vf pi, vf not_pi, vf *by_gate)
{
    vf weighed = v_mul(h->ridge, v_mul(pi, pi));
    *by_gate = v_fma(v_mul(v_set(2), weighed), not_pi, *by_gate);
    return weighed;
}

/* One division serves D, 1 + e^-|p| and 1 + e^-|A|. With sigma the logistic, the gradient by p is
 * sigma(A) - sigma(-p) or, where both are near 1, the same as sigma(p) - sigma(-A). */
QL_INLINE vf share_zinb_zero(const lik_heads *h, lik_grad *g)
{
    vf one = v_set(1), zero = v_set(0);
    nb_parts p = share_split(h);
    lik_grad nb;
    vf a = v_sub(v_sub(zero, h->gate), v_mul(h->theta, p.log_ratio));
    vf fade = v_exp_inside(v_max(v_set(-87), v_sub(zero, v_abs(a))));
    vf w_gate = v_add(one, h->fade), w_a = v_add(one, fade), both = v_mul(w_gate, w_a);
    vf inv = v_div(one, v_mul(both, p.sum)), inv_both = v_mul(inv, p.sum);
    vf gate_large = v_mul(inv_both, w_a), gate_small = v_mul(h->fade, gate_large);
    vf large = v_mul(inv_both, w_gate), small = v_mul(fade, large);
    vmask gate_low = v_lt(h->gate, zero), low = v_lt(a, zero);
    vf share = v_select(low, small, large), rest = v_select(low, large, small);
    p.inv_sum = v_mul(inv, both);
    (void)nb_zero_of(h, &p, &nb);
    g->ln_mu = v_mul(share, nb.ln_mu);
    g->theta = v_mul(share, nb.theta);
    g->pi = v_select(gate_low, v_sub(gate_small, rest), v_sub(share, gate_small));
    g->ratio = v_mul(w_gate, large);
    vf pi = v_select(gate_low, gate_small, gate_large);
    vf not_pi = v_select(gate_low, gate_large, gate_small);
    vf loss = v_sub(v_max(zero, v_sub(zero, h->gate)), v_max(zero, a));
    return v_add(loss, gate_ridge(h, pi, not_pi, &g->pi));
}

QL_INLINE vf share_zinb_nonzero(const lik_heads *h, vf y, lik_grad *g)
{
    vf loss = share_nb_nonzero(h, y, g), zero = v_set(0);
    vf pi = pi_of_gate(h), not_pi = v_sub(v_set(1), pi);
    g->pi = pi;
    loss = v_add(loss, v_add(v_max(zero, h->gate), v_log1p(h->fade)));
    return v_add(loss, gate_ridge(h, pi, not_pi, &g->pi));
}
