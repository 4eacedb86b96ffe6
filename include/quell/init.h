/* How weights start: a registry of initialisers, under the names that Keras gives them. */
#ifndef QUELL_INIT_H
#define QUELL_INIT_H

#include "quell/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a variance is divided by. */
typedef enum { QL_FAN_NONE, QL_FAN_IN, QL_FAN_MEAN } ql_fan;

typedef enum {
    QL_DRAW_UNIFORM,   /* of this variance, around 0 */
    QL_DRAW_NORMAL,    /* of this variance, around 0 */
    QL_DRAW_TRUNCATED, /* normal, drawn again beyond two standard deviations */
    QL_DRAW_CONSTANT   /* the variance itself: nothing is drawn */
} ql_draw;

typedef struct {
    const char *name;
    double variance; /* before it is divided by the fan */
    ql_fan fan;
    ql_draw draw;
    bool keeps_variance; /* TRUNCATED: the variance is that after the truncation */
    bool biases;         /* those of a layer are drawn too, with its fan */
} ql_init;

extern const ql_init *const ql_inits[];        /* NULL-terminated */
const ql_init *ql_init_find(const char *name); /* NULL: unknown */

/* Fill a tensor; init NULL: glorot_uniform, U(-l, l) with l = sqrt(6 / (fan_in + fan_out)) (Glorot
 * and Bengio 2010). Row i depends only on the initialiser, the fans, the seed, the tensor's number
 * and i. */
void ql_params_init(ql_params *p, int tensor, const ql_init *init, int64_t fan_in, int64_t fan_out,
                    uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
