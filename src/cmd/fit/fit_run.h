/* Reading counts and fitting a model to them: what the commands that train share. Private to
 * src/cmd. */
#ifndef QL_FIT_RUN_H
#define QL_FIT_RUN_H

#include "../input/inputs.h"
#include "auto_choice.h"
#include "checkpoint.h"
#include "dca_args.h"
#include "ensemble_specs.h"
#include "model_args.h"
#include "model_start.h"
#include "mqc_args.h"
#include "quell/notes.h"
#include "quell/read_args.h"
#include "quell/scdha_fit.h"
#include "type_choice.h"

/* The options of all of it. In .tables: QL_FIT_TABLES(S, fit). */
typedef struct {
    ql_read_args read;
    ql_join_args join;
    model_args model;
    dca_args dca;
    checkpoint_args checkpoint;
    mqc_args mqc;
    bool allow_noncounts, stream;
    const char *tmpdir, *plan, *init_from;
} fit_args;

extern const ql_option fit_rows[];      /* counts, plan and cache */
extern const ql_option fit_init_rows[]; /* where training starts */

#define FIT_TABLES(S, member)                                                                      \
    {ql_net_rows, offsetof(S, member.model)}, {ql_training_rows, offsetof(S, member.model)},       \
        {fit_init_rows, offsetof(S, member)}, {ql_vae_rows, offsetof(S, member.model.vae)},        \
        {fit_rows, offsetof(S, member)}, {dca_rows, offsetof(S, member.dca)},                      \
        {checkpoint_rows, offsetof(S, member.checkpoint)}, {mqc_rows, offsetof(S, member.mqc)},    \
        {ql_seed_rows, offsetof(S, member.model.seed)}, {ql_join_rows, offsetof(S, member.join)},  \
    {                                                                                              \
        ql_read_rows, offsetof(S, member.read)                                                     \
    }

/* What the command will write, as far as reading and the plan have to know. */
typedef struct {
    const char *path; /* beside which the cache may go; NULL: none */
    bool layer;       /* values of all cells and genes are written */
    bool text;        /* as text too */
    bool columns;     /* the cells' columns are wanted */
    bool trials;      /* fits are compared first (quell/trials.h) */
    bool model;       /* the model is written or comes from a file: so are the genes' columns */
    bool means;       /* the model means are written alone */
    bool decode_as;   /* cells are decoded as if they were of another batch */
    ensemble_specs *models; /* of an ensemble that comes from a file; NULL: none; borrowed */
    int64_t model_genes;    /* of the model that comes from a file; 0: it is trained */
    unsigned scores;        /* of the cells, that will be made (quell/cell_scores.h) */
    int64_t components;     /* > 0: not a network is fitted, but so many principal components */
    const ql_scdha_options *scdha; /* NULL, or this is fitted */
    /* bytes that are held beside all this, for counts of this shape; NULL: none */
    int64_t (*beside)(const void *ctx, const ql_rows *shape, const ql_fit_options *fit);
    const void *beside_ctx;
} fit_output;

/* Everything of one run. */
typedef struct fit_run {
    const fit_args *args;
    fit_output output;
    ql_run *run;
    const ql_kern *kern;
    const char *bf16_how; /* instructions of --precision bf16; NULL: float32 */
    ql_fit_options options;
    ensemble_specs *specs;          /* with --ensemble, or chosen; NULL: one model */
    auto_choice *candidates;        /* with --auto; NULL: none */
    double shares[QL_MEMBERS_MOST]; /* of specs, if shares_known */
    bool shares_known;
    double budget; /* seconds of --time-budget; 0: none */
    ql_dataset ds;
    ql_rows rows;       /* its counts; after the fit, of the genes that are kept */
    ql_str folder;      /* of the output, if the cache goes there */
    int64_t *gene_rank; /* of --gene-order; NULL: none */
    ql_covariates cov;  /* of the cells, for a model that has covariates */
    bool cov_free;      /* the cells' own batches decide nothing (cell_covariates.h) */
    ql_notes notes;
    type_choice type; /* with --type auto */
    checkpoint states;
    ql_score mcv;      /* with --mcv */
    model_start start; /* with --init-from */
    ql_fitted fitted;
} fit_run;

/* The fit that the options describe, and the kernels for it. Release *f with fit_run_free whatever
 * this returns. */
QL_MUST_USE ql_status fit_run_begin(fit_run *f, const fit_args *args, fit_output output,
                                    ql_run *run);
void fit_run_free(fit_run *f);

/* Take over options that have changed since (ql_opts_assign). */
QL_MUST_USE ql_status fit_run_reconfigure(fit_run *f);

/* Read the counts into memory, or into a file if the plan says so. Where the format tells no sizes,
 * they are read first and moved if they have to. *done: only the plan was wanted, and is printed.
 */
QL_MUST_USE ql_status fit_run_read(fit_run *f, bool *done);

/* Cross-validate if asked for, then fit, telling how it goes. */
QL_MUST_USE ql_status fit_run_train(fit_run *f);

/* The command has ended with st, its outputs in place if that is QL_OK: settle the checkpoints.
 * Before fit_run_free; returns st. */
QL_MUST_USE ql_status fit_run_end(fit_run *f, ql_status st);

#endif
