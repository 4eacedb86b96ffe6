/* exp, log and friends on vectors: the same operations in the same order on every instruction set,
 * so the same bits. Coefficients: tests/tools/fit_polynomials.py. Error bounds are tested in
 * tests/unit/test_kern_math.c. In the float64 test build these are libm's. */
#ifndef QUELL_VEC_MATH_H
#define QUELL_VEC_MATH_H

#ifdef QL_REAL_IS_DOUBLE

static inline vf v_exp(vf x)
{
    return exp(x);
}
static inline vf v_log(vf x)
{
    return log(x);
}
static inline vf v_log1p(vf x)
{
    return log1p(x);
}

#else

/* ln(2) in two parts; n * LN2_HI is exact inside the fused multiply-add */
#define LN2_HI 0.693145751953125f
#define LN2_LO 1.428606765330187e-06f

/* exp(x); x is held in [-87, 88], where the result is normal. NaN stays NaN, as in every function
 * here: min and max return their second operand then. */
static inline vf v_exp(vf x)
{
    x = v_min(v_set(88.0f), v_max(v_set(-87.0f), x));
    vf n = v_round(v_mul(x, v_set(1.44269504088896340736f)));
    vf r = v_fma(n, v_set(-LN2_HI), x);
    r = v_fma(n, v_set(-LN2_LO), r);
    vf p = v_set(0.00019790352962445468f);
    p = v_fma(p, r, v_set(0.0013944648671895266f));
    p = v_fma(p, r, v_set(0.008333496749401093f));
    p = v_fma(p, r, v_set(0.04166629537940025f));
    p = v_fma(p, r, v_set(0.1666666567325592f));
    p = v_fma(p, r, v_set(0.5f));
    p = v_fma(v_mul(r, r), p, r);
    return v_mul(v_add(p, v_set(1.0f)), v_exp2i(n));
}

/* log(1 + f) + e ln 2 for f in [sqrt(1/2) - 1, sqrt(2) - 1] */
static inline vf v_log_reduced(vf f, vf e)
{
    vf p = v_set(0.06746640801429749f);
    p = v_fma(p, f, v_set(-0.11675652116537094f));
    p = v_fma(p, f, v_set(0.11888162046670914f));
    p = v_fma(p, f, v_set(-0.1240558922290802f));
    p = v_fma(p, f, v_set(0.14219552278518677f));
    p = v_fma(p, f, v_set(-0.1666799634695053f));
    p = v_fma(p, f, v_set(0.2000211924314499f));
    p = v_fma(p, f, v_set(-0.25000008940696716f));
    p = v_fma(p, f, v_set(0.3333331346511841f));
    vf f2 = v_mul(f, f);
    vf tail = v_mul(v_mul(f2, f), p);
    tail = v_fma(e, v_set(LN2_LO), tail);
    tail = v_fma(f2, v_set(-0.5f), tail);
    return v_fma(e, v_set(LN2_HI), v_add(f, tail));
}

/* log(x) for positive normal x; x - x is NaN where x is NaN or infinite */
static inline vf v_log(vf x)
{
    vf m, e;
    v_split(x, &m, &e);
    return v_log_reduced(v_add(v_sub(m, v_set(1.0f)), v_sub(x, x)), e);
}

/* log(1 + x) for 0 <= x < 2^100. The rounding error c of 1 + x (exact by two-sum) is put back into
 * the reduced argument, scaled by 2^-e. */
static inline vf v_log1p(vf x)
{
    vf one = v_set(1.0f), m, e;
    vf w = v_add(one, x);
    vf a = v_sub(w, x), b = v_sub(w, a);
    vf c = v_add(v_sub(one, a), v_sub(x, b));
    v_split(w, &m, &e);
    vf f = v_fma(c, v_exp2i(v_sub(v_set(0.0f), e)), v_sub(m, one));
    return v_log_reduced(f, e);
}

#endif

/* softplus(x) = log(1 + e^x) and its derivative, the logistic function, from one exp */
static inline vf v_softplus(vf x, vf *logistic)
{
    vf zero = v_set(0), one = v_set(1);
    vf e = v_exp(v_sub(zero, v_abs(x)));
    vf inv = v_div(one, v_add(one, e));
    *logistic = v_select(v_lt(x, zero), v_mul(e, inv), inv);
    return v_add(v_max(zero, x), v_log1p(e));
}

#endif
