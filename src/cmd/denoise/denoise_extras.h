/* What `quell denoise` writes on request (--write). Private to src/cmd. */
#ifndef QL_DENOISE_EXTRAS_H
#define QL_DENOISE_EXTRAS_H

#include "quell/cell_scores.h"
#include "quell/command.h"
#include "quell/predict.h"

typedef enum {
    EXTRA_NLL,
    EXTRA_ERROR,
    EXTRA_PEARSON,
    EXTRA_DISTANCE,
    EXTRA_OUTLIER,
    EXTRA_DISPERSION,
    EXTRA_DROPOUT,
    N_EXTRAS
} extra;

typedef struct {
    const char *name;  /* in --write */
    const char *key;   /* "obs/..." or "layers/..." */
    const char *scale; /* sentence that says what the numbers are */
    ql_value value;    /* of a layer */
} extra_row;

extern const extra_row extra_rows[N_EXTRAS];

/* A set of extras is a sum of these bits. */
#define EXTRA_BIT(x) (1U << (x))
#define EXTRA_LAYERS (EXTRA_BIT(EXTRA_DISPERSION) | EXTRA_BIT(EXTRA_DROPOUT))

/* The set that a list of names asks for ("nll,outlier"; NULL: none). QL_EUSAGE: a name that is
 * none, or something that this likelihood does not have. */
QL_MUST_USE ql_status extras_parse(const char *list, const ql_likelihood *likelihood,
                                   unsigned *which, ql_err *err);

/* The scores that have to be made for them. */
unsigned extras_scores(unsigned which);

/* The columns among them. */
typedef struct {
    unsigned which;
    ql_cell_scores scores;
    double *outlier; /* [cells of the file]; NULL: not asked for, or no cells are held out; owned */
    int64_t n_held;  /* of those */
} cell_extras;

/* Make the columns; run is told where one cannot be. Release *out with cell_extras_free. */
QL_MUST_USE ql_status cell_extras_make(ql_fitted *fitted, const ql_rows *rows, unsigned which,
                                       ql_run *run, cell_extras *out);
void cell_extras_free(cell_extras *e);

/* Values [cells of the file] of an extra that is a column; NULL: not to be written. */
const double *cell_extras_column(const cell_extras *e, extra x);

#endif
