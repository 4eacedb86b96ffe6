/* A trained generative model and the cells it is asked about: what the commands on one share.
 * Private to src/cmd. */
#ifndef QL_USE_RUN_H
#define QL_USE_RUN_H

#include "../fit/fit_run.h"
#include "../fit/gene_match.h"
#include "../input/cell_select.h"
#include "quell/h5ad_writer.h"
#include "quell/vae_generative.h"

/* List USE_TABLES(S, use) in .tables. */
typedef struct {
    fit_args fit; /* its model options are those of the model file */
    const char *load_model, *decode_as;
    bool force;
} use_args;

extern const ql_option use_rows[];
#define USE_TABLES(S, member)                                                                      \
    {use_rows, offsetof(S, member)}, {fit_rows, offsetof(S, member.fit)},                          \
        {ql_seed_rows, offsetof(S, member.fit.model.seed)},                                        \
        {ql_join_outer_rows, offsetof(S, member.fit.join)},                                        \
    {                                                                                              \
        ql_read_rows, offsetof(S, member.fit.read)                                                 \
    }

typedef struct use_command use_command;

typedef struct {
    const use_command *command;
    const void *args; /* of the command */
    const use_args *a;
    ql_run *run;
    fit_args fit; /* as the model's file and the command line say */
    fit_run f;
    model_file model;
    gene_match match;
    ql_vae_generative vae;
    ql_generative g;
    ql_h5ad_writer *writer; /* of command->h5ad, begun before genes are picked; NULL: none */
    uint64_t seed;
    int64_t batch;       /* of --decode-as: a level, or QL_OWN_BATCH */
    const double *total; /* [cells] molecules in the model's genes */
    int64_t n_cells;     /* of the input */
    int64_t *usable;     /* [n_usable] cells with molecules in the model's genes, ascending */
    int64_t n_usable;
} use_run;

/* What a command on a generative model is beside its options: the row of its run. */
struct use_command {
    size_t use;         /* where its use_args are among its arguments */
    size_t output[2];   /* where the names of what it may write are; 0: none */
    size_t h5ad;        /* the same of one of them that is the input with more in it; 0: none */
    size_t compression; /* and of how that is compressed; 0: as usual */
    bool any_counts;    /* the model will be asked about counts beside those of the cells */
    ql_status (*check)(const void *args, ql_run *run); /* of options; NULL: nothing */
    /* bytes that its work holds beside model and counts, for n_rows cells and n_cols genes */
    int64_t (*bytes)(const void *args, const ql_rows *shape, const ql_fit_options *fit);
    ql_status (*work)(const void *args, use_run *u);
};

/* Check, read, work: the run of such a command. */
QL_MUST_USE ql_status use_run_work(const use_command *c, const void *args, ql_run *run);

extern const ql_positional use_positionals[];

/* Usable cells that an option chooses (text NULL: all) into *rows, owned by the caller. */
QL_MUST_USE ql_status use_run_select(const use_run *u, const char *option, const char *text,
                                     int64_t **rows, int64_t *n, ql_err *err);

/* Number of the level of a column that an option names. */
QL_MUST_USE ql_status use_find_level(const ql_names *levels, const char *column, const char *option,
                                     const char *name, int64_t *at, ql_err *err);

/* Bytes of decoding in blocks: n arrays [block, genes]; and of what each cell has in a table of
 * so many columns, which are copied into a frame. */
int64_t use_decode_bytes(const ql_rows *shape, int n);
int64_t use_table_bytes(int64_t n_rows, int columns);
int64_t use_code_bytes(int64_t n, const ql_fit_options *fit);

/* Their posterior means into *z [n, n_latent], owned by the caller; var NULL: not wanted. */
QL_MUST_USE ql_status use_run_encode(const use_run *u, const int64_t *rows, int64_t n, float **z,
                                     ql_err *err);

/* A table under path: the frame as text. */
QL_MUST_USE ql_status use_write_table(const use_run *u, const char *path, const ql_frame *frame);

/* Finish u->writer. */
QL_MUST_USE ql_status use_commit_h5ad(use_run *u, const char *what);

/* Add a column of numbers; of the model's genes or of the frame's own rows. */
static inline ql_status use_column(ql_frame *frame, const char *name, const double *values,
                                   ql_err *err)
{
    return ql_frame_add(frame, name, QL_COL_F64, values, err);
}

#endif
