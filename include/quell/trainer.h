/* Training: split, epochs, learning-rate schedule, early stopping, best weights. */
#ifndef QUELL_TRAINER_H
#define QUELL_TRAINER_H

#include "quell/autoencoder.h"
#include "quell/bundle.h"
#include "quell/preprocess.h"
#include "quell/score.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t epochs, batch_size;
    bool scvi_epochs;  /* no more epochs than scvi-tools takes (ql_scvi_epochs) */
    double validation; /* share of the cells kept for validation */
    double test;       /* share of the cells that neither train nor validate */
    bool scvi_split;   /* training cells are rounded up, and those that would be a last minibatch of
                          one   or two validate (the rule of scvi-tools) */
    bool validation_last; /* the last cells of the file, as the reference; else a random draw */
    bool molecules; /* counts are whole, so that they can be split; else nothing is held out */
    bool thinned;   /* validate by held-out molecules; else by the loss of the cells' own counts */
    bool restore_best;     /* end with the weights of the best epoch */
    int64_t patience;      /* epochs without a better validation before stopping; 0: never */
    double min_gain;       /* what counts as better: nats per held-out molecule (if thinned) */
    int64_t rate_patience; /* epochs without a better validation before the rate falls; 0: never */
    double rate_factor;    /* by which it falls */
    double min_delta;      /* what counts as better for the rate */
    double input_thin; /* train to predict this share of the molecules from the others; 0: off */
    int64_t corrupt_epochs; /* corrupt inputs in this many epochs only, at the start; 0: in all */
    uint64_t seed;
} ql_train_options;

/* One epoch. */
typedef struct {
    double loss, validation, rate, seconds;
} ql_epoch;

/* Which cells train, which validate and which do neither, and the validation cells' molecules in
 * three parts: what the model sees to decide when to stop, what it must predict for that, and
 * `report`, which nothing but the final table looks at. */
typedef struct {
    int64_t *train, n_train;     /* rows of the counts, ascending if there are many; owned */
    int64_t *valid, n_valid;     /* owned */
    int64_t *test, n_test;       /* owned */
    ql_csr stop_seen, stop_held; /* [n_valid, genes]; a division of report_seen */
    ql_csr report_seen, report_held;
} ql_split;

/* What the final table looks at, and what training is stopped by. */
static inline ql_held_out ql_split_report(const ql_split *s)
{
    return (ql_held_out){&s->report_seen, &s->report_held, s->valid};
}
static inline ql_held_out ql_split_stop(const ql_split *s)
{
    return (ql_held_out){&s->stop_seen, &s->stop_held, s->valid};
}

/* Most validation cells: more would not make the figures noticeably surer. */
enum { QL_VALID_CELLS = 10000 };

/* Share of the molecules in each held-out part. */
#define QL_HELD_SHARE 0.1

/* Cells that validate by the rule of scvi-tools. */
int64_t ql_scvi_validation(int64_t n, const ql_train_options *opt);

QL_MUST_USE ql_status ql_split_cells(const ql_rows *counts, const ql_prep *prep,
                                     const ql_train_options *opt, ql_split *out, ql_err *err);
void ql_split_free(ql_split *s);

/* Bytes of the validation cells' molecules in two parts, while there is room for all in each. */
int64_t ql_thinned_bytes(const ql_rows *counts, const ql_train_options *opt);

/* How far a training has come. */
typedef struct {
    int64_t epochs, cells; /* of the epoch after these */
    bool finished;
} ql_train_point;

/* Where the states of trainings are kept, so that a run that was stopped can go on with the same
 * bits. origin tells trainings apart that begin with other weights or cells, such as the steps of
 * one fit. */
typedef struct {
    double every; /* seconds between states, also within an epoch; 0: one after each epoch */
    /* The state kept last; *found: there is one that can be used. A failure ends the training. */
    ql_status (*load)(void *ctx, uint64_t origin, ql_bundle *state, bool *found, ql_err *err);
    /* May add to the state, which borrows the weights for this call. Tells of its failures itself,
     * and training goes on. */
    void (*save)(void *ctx, uint64_t origin, ql_bundle *state);
    /* The state was taken up: after so many epochs and cells of the next. NULL: not wanted. */
    void (*resumed)(void *ctx, uint64_t origin, const ql_train_point *at);
    void *ctx;
} ql_train_keeper;

/* Called after each epoch; NULL: nobody listens. */
typedef struct {
    void (*epoch)(void *ctx, int64_t number, const ql_epoch *epoch, bool best);
    void (*warn)(void *ctx, const char *text);
    void *ctx;
    const ql_train_keeper *keeper; /* NULL: none */
} ql_train_listener;

typedef struct {
    ql_epoch *history; /* [n_epochs]; owned */
    int64_t n_epochs;
    int64_t best;        /* epoch whose validation was best, from 0 */
    int restarts;        /* times a diverging run was rolled back */
    const char *stopped; /* why it ended; static text */
} ql_train_result;

/* Train ae on the split. A loss that is not finite rolls back to the best weights and lowers the
 * rate tenfold, three times at most; then QL_EDIVERGED. With a keeper it goes on from the state
 * that is kept, and leaves one behind when it is done or a signal stops it. */
QL_MUST_USE ql_status ql_train(ql_ae *ae, const ql_rows *counts, const ql_split *split,
                               const ql_train_options *opt, const ql_train_listener *listener,
                               ql_train_result *out, ql_err *err);
void ql_train_result_free(ql_train_result *r);

#ifdef __cplusplus
}
#endif
#endif
