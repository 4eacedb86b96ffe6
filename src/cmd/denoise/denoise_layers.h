/* The layers of `quell denoise`: which there are, how their numbers are made, what they are called.
 * Private to src/cmd. */
#ifndef QL_DENOISE_LAYERS_H
#define QL_DENOISE_LAYERS_H

#include "denoise_output.h"

enum { DRAWS_MOST = 64, LAYERS_MOST = DRAWS_MOST + 16, LAYER_KEY = 64, LAYER_TEXT = 400 };

typedef struct {
    char key[LAYER_KEY];   /* "layers/..." */
    char text[LAYER_TEXT]; /* what its numbers are; "": said elsewhere */
    ql_view view;
    bool sparse; /* stored without its zeros */
} denoise_layer;

/* Every layer that is written, in order; returns how many. out [LAYERS_MOST]. */
int denoise_layers(const denoise_result *r, denoise_layer *out);

/* The view of layers/denoised. */
ql_view denoise_view(const denoise_args *a, bool posterior);

/* Before the work: do --scale, --intervals, --sd and --draws go together, and with the rest?
 * denoise_layers_fit: and with the estimate, once that is known. */
QL_MUST_USE ql_status denoise_layers_check(const denoise_args *a, ql_err *err);
QL_MUST_USE ql_status denoise_layers_fit(const denoise_args *a, bool posterior, ql_err *err);

/* Are values of all cells and genes written? */
bool denoise_writes_layers(const denoise_args *a, unsigned extras);

/* Does any of them need the posterior? */
bool denoise_asks_how_sure(const denoise_args *a);

/* Write a layer without its zeros. */
QL_MUST_USE ql_status denoise_write_sparse(const denoise_result *r, ql_h5ad_writer *w,
                                           const char *key, const ql_predictor *p, ql_err *err);

/* Make their keys free, asked for or not. */
QL_MUST_USE ql_status denoise_claim_layers(ql_h5ad_writer *w, ql_err *err);

#endif
