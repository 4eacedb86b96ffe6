/* exp, log and friends on vectors: the same operations in the same order on every instruction set,
 * so the same bits. Coefficients: tests/tools/fit_polynomials.py. Largest errors over all floats of
 * the domain, in units in the last place: exp 0.92, log 1.99, log1p 2.29, softplus 2.60, logistic
 * 2.83, reciprocal 0.51 (tests/unit/test_kern_math.c, test_kern_opt.c). In the float64 test build
 * these are libm's. */
#ifndef QUELL_VEC_MATH_H
#define QUELL_VEC_MATH_H

#ifdef QL_REAL_IS_DOUBLE

QL_INLINE vf v_exp(vf x)
{
    return exp(x);
}
QL_INLINE vf v_exp_inside(vf x)
{
    return exp(x);
}
QL_INLINE vf v_log(vf x)
{
    return log(x);
}
QL_INLINE vf v_log1p(vf x)
{
    return log1p(x);
}
QL_INLINE vf v_log1p_of(vf x, vf w)
{
    (void)w;
    return log1p(x);
}

#else

/* ln(2), and in two parts of which the product of the first with n is exact in the fused
 * multiply-add */
#define LN2       0.693147182464599609375f
#define LN2_HI    0.693145751953125f
#define LN2_LO    1.428606765330187e-06f

/* 1.5 2^23: a number near it has no fraction, and its low bits are a whole number */
#define EXP_MAGIC 12582912.0f

/* exp(x) for x in [-87, 88], where the result is normal. NaN stays NaN, as in every function here.
 */
QL_INLINE vf v_exp_inside(vf x)
{
    vf whole = v_fma(x, v_set(1.44269504088896340736f), v_set(EXP_MAGIC));
    vf n = v_sub(whole, v_set(EXP_MAGIC));
    vf r = v_fma(n, v_set(-LN2_HI), x);
    r = v_fma(n, v_set(-LN2_LO), r);
    vf p = v_set(0.001381461275741458f);
    p = v_fma(p, r, v_set(0.008368710055947304f));
    p = v_fma(p, r, v_set(0.04166838899254799f));
    p = v_fma(p, r, v_set(0.1666652113199234f));
    p = v_fma(p, r, v_set(0.4999999403953552f));
    p = v_fma(p, r, v_set(1.0f));
    p = v_fma(p, r, v_set(1.0f));
    return v_scale(p, whole);
}

/* exp(x), x held in that range; min and max return their second operand where one is NaN */
QL_INLINE vf v_exp(vf x)
{
    return v_exp_inside(v_min(v_set(88.0f), v_max(v_set(-87.0f), x)));
}

/* log(1 + f) + k ln 2 for f in [sqrt(1/2) - 1, sqrt(2) - 1], k as v_exponent gives it */
QL_INLINE vf v_log_reduced(vf f, vi k)
{
    vf p = v_set(0.08700435608625412f);
    p = v_fma(p, f, v_set(-0.14267486333847046f));
    p = v_fma(p, f, v_set(0.14914767444133759f));
    p = v_fma(p, f, v_set(-0.1657758504152298f));
    p = v_fma(p, f, v_set(0.19963063299655914f));
    p = v_fma(p, f, v_set(-0.2500133812427521f));
    p = v_fma(p, f, v_set(0.3333390951156616f));
    p = v_fma(p, f, v_set(-0.5f));
    p = v_fma(p, f, v_set(1.0f));
    return v_fma(v_number(k), v_set(LN2 / 8388608), v_mul(f, p));
}

/* log(x) for positive normal x; x - x is NaN where x is NaN or infinite */
QL_INLINE vf v_log(vf x)
{
    vi k = v_exponent(x);
    return v_log_reduced(v_add(v_sub(v_unscale(x, k), v_set(1.0f)), v_sub(x, x)), k);
}

/* log(1 + x) for 0 <= x < 2^100, w being 1 + x rounded. With s = 2^-k the reduced argument is
 * (1 + x) s - 1 = x s + (s - 1), of which s - 1 is exact or too small to matter. */
QL_INLINE vf v_log1p_of(vf x, vf w)
{
    vf one = v_set(1.0f);
    vi k = v_exponent(w);
    vf s = v_unscale(one, k);
    return v_log_reduced(v_fma(x, s, v_sub(s, one)), k);
}

QL_INLINE vf v_log1p(vf x)
{
    return v_log1p_of(x, v_add(v_set(1.0f), x));
}

#endif

#ifdef QL_REAL_IS_DOUBLE
QL_INLINE vf v_inverse(vf x)
{
    return 1 / x;
}
#else
/* 1 / x for x and 1 / x positive and normal: a guess from the bits, error 1/8, and two steps that
 * take it to the third power, in the time in which a processor divides half as many */
QL_INLINE vf v_inverse(vf x)
{
    vf r = v_inverse_guess(x), one = v_set(1), minus = v_sub(v_set(0), x);
    vf e = v_fma(minus, r, one);
    r = v_fma(r, v_fma(e, e, e), r);
    e = v_fma(minus, r, one);
    return v_fma(r, v_fma(e, e, e), r);
}
#endif

/* softplus(x) = log(1 + e^x) and its derivative, the logistic function, from one exp */
QL_INLINE vf v_softplus(vf x, vf *logistic)
{
    vf zero = v_set(0), one = v_set(1);
    vf e = v_exp_inside(v_max(v_set(-87), v_sub(zero, v_abs(x))));
    vf w = v_add(one, e), inv = v_div(one, w);
    *logistic = v_select(v_lt(x, zero), v_mul(e, inv), inv);
    return v_add(v_max(zero, x), v_log1p_of(e, w));
}

#endif
