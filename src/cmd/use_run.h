/* A trained generative model and the cells it is asked about: what the commands on one share.
 * Private to src/cmd. */
#ifndef QL_USE_RUN_H
#define QL_USE_RUN_H

#include "cell_select.h"
#include "fit_run.h"
#include "gene_match.h"
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

typedef struct {
    const use_args *a;
    ql_run *run;
    fit_args fit; /* as the model's file and the command line say */
    fit_run f;
    model_file model;
    gene_match match;
    ql_vae_generative vae;
    ql_generative g;
    uint64_t seed;
    int64_t batch;       /* of --decode-as: a level, or QL_OWN_BATCH */
    const double *total; /* [cells] molecules in the model's genes */
    int64_t n_cells;     /* of the input */
    int64_t *usable;     /* [n_usable] cells with molecules in the model's genes, ascending */
    int64_t n_usable;
} use_run;

/* Read model and cells. output: a file that will be written, or NULL. any_counts: the model will be
 * asked about counts beside those of the cells. *done: only the plan was wanted. Release *u with
 * use_run_free whatever this returns. */
QL_MUST_USE ql_status use_run_begin(use_run *u, const use_args *a, const char *output,
                                    bool any_counts, ql_run *run, bool *done);
void use_run_free(use_run *u);

/* Usable cells that an option chooses (text NULL: all) into *rows, owned by the caller. */
QL_MUST_USE ql_status use_run_select(const use_run *u, const char *option, const char *text,
                                     int64_t **rows, int64_t *n, ql_err *err);

/* Their posterior means into *z [n, n_latent], owned by the caller; var NULL: not wanted. */
QL_MUST_USE ql_status use_run_encode(const use_run *u, const int64_t *rows, int64_t n, float **z,
                                     ql_err *err);

/* Before the work: can path be written? It must be neither an input nor the model. NULL: nothing.
 */
QL_MUST_USE ql_status use_check_output(const use_args *a, const char *path, ql_run *run);

/* A table under path: the frame as text. */
QL_MUST_USE ql_status use_write_table(const use_run *u, const char *path, const ql_frame *frame);

/* Add a column of numbers; of the model's genes or of the frame's own rows. */
static inline ql_status use_column(ql_frame *frame, const char *name, const double *values,
                                   ql_err *err)
{
    return ql_frame_add(frame, name, QL_COL_F64, values, err);
}

#endif
