/* The options of a model and its training: what the commands that train share. Private to
 * src/cmd. */
#ifndef QL_MODEL_ARGS_H
#define QL_MODEL_ARGS_H

#include "quell/command.h"
#include "quell/fit.h"
#include "vae_args.h"

/* List {ql_net_rows, offsetof(S, model)}, {ql_training_rows, offsetof(S, model)} and
 * {ql_seed_rows, offsetof(S, model.seed)} in .tables. */
typedef struct {
    ql_seed_args seed;
    const char *kind; /* "dca" or "vae" */
    vae_args vae;
    /* of the network (net_args.c) */
    const char *type, *target, *activation, *code_activation, *init, *norm, *latent_at;
    const char *nonnegative, *conv, *gene_order, *time_budget;
    ql_int_list hidden;
    ql_double_list dropout;
    bool automatic, linear_latent, batch_norm, tied, match_depth, start_at_means, shared_pi;
    bool size_factors, log_input, norm_input, code_unit;
    int ensemble, folds, code_k;
    double slope, ridge, l1, l2, l1_enc, l2_enc, start_theta;
    double code_l1, code_kl, code_rho, contractive, orthogonal;
    /* of the training (train_args.c) */
    const char *optimizer, *precision, *loss_scale, *corrupt, *pretrain;
    const char *validation_cells, *validate;
    int epochs, batch_size, pretrain_epochs, early_stop, reduce_rate;
    bool restore_best, merge_last, mcv, test_split, never_stop;
    double learning_rate, weight_decay, theta_rate, clip, input_thin, corrupt_strength;
    double input_dropout, validation, min_gain;
} model_args;

/* --model, of commands that have no other models. List {ql_kind_rows, offsetof(S, model)}. */
extern const ql_option ql_kind_rows[];

static inline bool model_is_vae(const model_args *a)
{
    return a->kind && a->kind[0] == 'v';
}

extern const ql_option ql_net_rows[];      /* net_args.c */
extern const ql_option ql_training_rows[]; /* train_args.c */

/* The two: what --search and --members may set. */
extern const ql_option *const ql_setting_tables[];

extern const ql_preset ql_model_presets[];
extern const ql_preset ql_fit_presets[];   /* of a command without --estimate */
extern const ql_preset ql_embed_presets[]; /* of quell embed */

/* A variational model by its own defaults, all else as it is. */
QL_MUST_USE ql_status model_become_vae(model_args *a, ql_err *err);

#endif
