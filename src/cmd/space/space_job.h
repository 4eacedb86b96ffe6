/* What every command that works on a latent space does: read it and labels from an h5ad, write the
 * same file with results added. Private to src/cmd.
 *
 *     space_open -> space_points, space_labels -> space_begin (claims what will be written) -> work
 *     -> space_write_... -> space_commit; space_close in any case.
 *
 * All fail with one line in run->err. */
#ifndef QL_SPACE_JOB_H
#define QL_SPACE_JOB_H

#include "quell/command.h"
#include "quell/h5ad_part.h"
#include "quell/h5ad_writer.h"
#include "quell/kern.h"
#include "quell/labels.h"
#include "quell/points.h"

typedef struct {
    const char *use, *output, *compression;
    bool force;
} space_args;

extern const ql_option ql_space_use_rows[];    /* --use */
extern const ql_option ql_space_output_rows[]; /* -o (required), --force, --compression */

/* Both tables, of a struct S with a space_args member. */
#define SPACE_TABLES(S, member)                                                                    \
    {ql_space_use_rows, offsetof(S, member)},                                                      \
    {                                                                                              \
        ql_space_output_rows, offsetof(S, member)                                                  \
    }

typedef struct {
    const space_args *a;
    ql_run *run;
    const char *path; /* the input */
    const ql_kern *kern;
    ql_part *part;
    int64_t n_cells;
    ql_names cells; /* their names */
    ql_h5ad_writer *writer;
    ql_str record;  /* "uns/quell/cluster/leiden" */
    ql_str written; /* the keys written so far, for the last line */
} space_job;

/* Check the output's name (if a->output is given), open the input, read the cells' names. a and
 * path are borrowed. */
QL_MUST_USE ql_status space_open(space_job *j, const space_args *a, const char *path, ql_run *run);

/* The latent space obsm/<use>; NULL: the only or best known one (X_scdha, X_vae, X_dca, X_ae,
 * X_pca). *key (may be NULL): its name, released with ql_str_free. What was taken is said in the
 * log. */
QL_MUST_USE ql_status space_points(space_job *j, const char *use, ql_points *out, ql_str *key);

/* The places of the cells in the matrix at key ("obsm/X_scdha_1"). */
QL_MUST_USE ql_status space_read_points(space_job *j, const char *key, ql_points *out);

/* Can this name a member of the file? QL_EUSAGE: it is empty, long, or has a '/' in it. option: for
 * the message. */
QL_MUST_USE ql_status space_check_key(const char *option, const char *key, ql_run *run);

/* Are obsm/<use> of both files of the same model? Told by the hash of its weights, which quell
 * writes beside the space (uns/quell/denoise or embed, weights_fnv1a): QL_EMISMATCH where they
 * differ; where a file does not say, the log does. */
QL_MUST_USE ql_status space_same_model(const space_job *a, const space_job *b, const char *use);

/* Does the input have it? */
bool space_has(const space_job *j, const char *key);

/* The column obs/<name> as labels of all cells. */
QL_MUST_USE ql_status space_labels(space_job *j, const char *name, ql_labels *out);

/* Start the output. record: what uns/quell/<record> describes ("cluster/leiden"); claims: what will
 * be written ("obsm/X_umap", "obs/leiden", ended by NULL). What is there already is an error unless
 * --force is given, before any work is done. */
QL_MUST_USE ql_status space_begin(space_job *j, const char *record, const char *const *claims);

/* Results of points, written for all cells: -1 (missing) and NaN where there is no point. */
QL_MUST_USE ql_status space_write_labels(space_job *j, const char *name, const ql_labels *l,
                                         const ql_points *p);
QL_MUST_USE ql_status space_write_numbers(space_job *j, const char *name, const double *x,
                                          const ql_points *p);
QL_MUST_USE ql_status space_write_matrix(space_job *j, const char *key, const float *x,
                                         int64_t width, const ql_points *p);

/* The names of what was written by other means, for the last line. */
void space_wrote(space_job *j, const char *key);

/* Under the record: "quell VERSION", the options, and the space used (NULL: none). */
QL_MUST_USE ql_status space_write_record(space_job *j, const char *use);
QL_MUST_USE ql_status space_record_int(space_job *j, const char *name, int64_t value);
QL_MUST_USE ql_status space_record_double(space_job *j, const char *name, double value);
QL_MUST_USE ql_status space_record_string(space_job *j, const char *name, const char *value);

/* Finish the output and say what was written. */
QL_MUST_USE ql_status space_commit(space_job *j);
void space_close(space_job *j); /* harmless on a zeroed job */

#endif
