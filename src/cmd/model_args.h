/* The options of a model and its training, and the fit they describe: what the commands that train
 * share. Private to src/cmd. */
#ifndef QL_MODEL_ARGS_H
#define QL_MODEL_ARGS_H

#include "quell/command.h"
#include "quell/fit.h"
#include "vae_args.h"

/* List {ql_model_rows, offsetof(S, model)} and {ql_seed_rows, offsetof(S, model.seed)} in .tables.
 */
typedef struct {
    ql_seed_args seed;
    /* model */
    const char *type, *activation, *init, *latent_at;
    ql_int_list hidden;
    bool linear_latent, batch_norm, match_depth, start_at_means, shared_pi;
    bool size_factors, log_input, norm_input;
    const char *time_budget;
    const char *norm, *code_activation, *nonnegative;
    ql_double_list dropout;
    bool tied, code_unit, automatic;
    int code_k, ensemble, folds;
    double slope, code_l1, code_kl, code_rho, contractive, orthogonal;
    double ridge, l1, l2, l1_enc, l2_enc, start_theta, theta_rate;
    /* training */
    const char *optimizer, *validation_cells, *validate, *loss_scale, *precision;
    double learning_rate, weight_decay, clip, validation, input_thin, min_gain;
    int epochs, batch_size, early_stop, reduce_rate;
    bool restore_best, merge_last, mcv, test_split, never_stop;
    /* input */
    const char *corrupt, *target, *pretrain, *conv, *gene_order;
    int pretrain_epochs;
    double corrupt_strength, input_dropout;
    const char *kind; /* "dca" or "vae" */
    vae_args vae;
} model_args;

/* --model, of commands that have no other models. List {ql_kind_rows, offsetof(S, model)}. */
extern const ql_option ql_kind_rows[];

static inline bool model_is_vae(const model_args *a)
{
    return a->kind && a->kind[0] == 'v';
}

extern const ql_option ql_model_rows[];
extern const ql_preset ql_model_presets[];
extern const ql_preset ql_fit_presets[];   /* of a command without --estimate */
extern const ql_preset ql_embed_presets[]; /* of quell embed */

/* What is predicted, and how it is judged; until --type auto is decided, its default. */
const ql_likelihood *model_likelihood(const model_args *a);

/* Has the model such a type (QL_EUSAGE)? If not, model_likelihood is NULL. */
QL_MUST_USE ql_status model_type_check(const model_args *a, ql_err *err);

/* A variational model by its own defaults, all else as it is. */
QL_MUST_USE ql_status model_become_vae(model_args *a, ql_err *err);

/* Options that do not go together (QL_EUSAGE). */
QL_MUST_USE ql_status model_args_check(const model_args *a, ql_err *err);

/* The fit that the options describe. */
void model_fit_options(const model_args *a, int threads, ql_fit_options *out);

#endif
