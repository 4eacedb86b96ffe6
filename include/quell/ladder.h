/* A second code above that of a variational model, with the two inferred top-down (Sonderby et al.
 * 2016, "Ladder variational autoencoders"). From d1, what the code's own layer sees:
 *
 *     q(z2 | x) = N(m2, V2)        from one more layer on d1;    p(z2) = N(0, 1)
 *     p(z1 | z2) = N(m_p, V_p)     from one layer on the z2 that is drawn
 *     q(z1 | z2, x) = N(m_q, V_q)  V_q = 1 / (1 / V1 + 1 / V_p), m_q = V_q (m1 / V1 + m_p / V_p)
 *
 * with m1 and V1 what the plain model has of the code. The loss has w (KL(q(z1) || p(z1 | z2)) +
 * KL(q(z2) || N(0, 1))). In inference z2 is m2 and z1 is m_q. */
#ifndef QUELL_LADDER_H
#define QUELL_LADDER_H

#include "quell/gauss_net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n_out;      /* units of z2; 0: there is none */
    ql_gauss_net top;   /* q(z2 | x) */
    ql_gauss_net prior; /* p(z1 | z2) */
    /* of the minibatch at hand, [units of z1, cells] unless said; owned. While they are used the
     * code's own latent layer has m_q, V_q and ln V_q. */
    ql_real *mean, *var; /* m1, V1 */
    ql_real *by_second;  /* [n_out, cells] gradient by z2 */
    ql_real *by_below;   /* [units of d1, cells] what z2 adds to the gradient by d1 */
} ql_ladder;

/* Two normal distributions of the same number multiplied. */
typedef struct {
    double mean, var;
} ql_normal;
ql_normal ql_combine_normals(ql_normal a, ql_normal b);

#ifdef __cplusplus
}
#endif
#endif
