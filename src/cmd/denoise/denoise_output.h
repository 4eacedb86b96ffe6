/* What `quell denoise` writes. Private to src/cmd. */
#ifndef QL_DENOISE_OUTPUT_H
#define QL_DENOISE_OUTPUT_H

#include "../input/gene_list.h"
#include "../input/shard.h"
#include "denoise_args.h"
#include "denoise_extras.h"
#include "quell/dataset.h"
#include "quell/h5ad_writer.h"
#include "quell/predict.h"

/* A model that was trained elsewhere, as it met these counts. */
typedef struct {
    const ql_names *genes; /* the model's */
    int64_t n_missing;     /* of them, those that the counts do not have */
    const char *options;   /* that it was trained with, as JSON */
    const char *version;   /* of the quell that wrote it */
} denoise_applied;

/* A finished fit and everything that is said about it. */
typedef struct {
    const denoise_args *args;
    ql_run *run;
    const ql_dataset *ds; /* names as read */
    const ql_rows *rows;  /* its counts as ql_fit left them */
    cell_range range;     /* the cells that an h5ad is written of */
    ql_fitted *fitted;
    const gene_list *genes;
    const cell_extras *extras;
    uint64_t run_seed;   /* of draws */
    bool posterior;      /* layers/denoised holds the posterior, not the mean */
    const ql_score *mcv; /* NULL: not asked for */
    const type_choice *type;
    const auto_choice *choice;      /* NULL: none */
    const denoise_applied *applied; /* NULL: trained on these counts */
} denoise_result;

/* Before the work: make room for the results in the file, or fail (QL_ECREATE) where an earlier run
 * left some and force is not given. */
QL_MUST_USE ql_status denoise_claim_h5ad(const denoise_args *a, ql_h5ad_writer *w, ql_err *err);

/* All of the h5ad beside what the writer began with. */
QL_MUST_USE ql_status denoise_write_h5ad(const denoise_result *r, ql_h5ad_writer *w, ql_err *err);

/* Of it the columns of var (denoise_genes.c). */
QL_MUST_USE ql_status denoise_write_genes(const denoise_result *r, ql_h5ad_writer *w, ql_err *err);

/* Before the work: can DCA's files be made in this folder? */
QL_MUST_USE ql_status denoise_check_tsv(const char *dir, bool force, ql_err *err);

/* DCA's own files in a folder, which is made if it is missing. */
QL_MUST_USE ql_status denoise_write_tsv(const denoise_result *r, const char *dir, ql_err *err);

/* Before the work: can the files of --obs-out, --obsm-out and --layer-out be made? */
QL_MUST_USE ql_status denoise_check_side(const denoise_args *a, const char *in_path, ql_err *err);

/* These files, as far as they were asked for. */
QL_MUST_USE ql_status denoise_write_side(const denoise_result *r, ql_err *err);

/* Add what the run says of each cell (quell_n_counts, ...) to frame, which has the cells' names. */
QL_MUST_USE ql_status denoise_cell_columns(const denoise_result *r, ql_frame *frame, ql_err *err);

/* Progress of writing a layer: so many cells are done. */
void denoise_tell_cells(const denoise_result *r, int64_t done);

/* One line of how often predictive intervals hold, and the figures in the summary. */
void denoise_report_coverage(const denoise_result *r);

/* The coverage of predictive intervals, below uns/quell/denoise/coverage. */
QL_MUST_USE ql_status denoise_write_coverage(const ql_coverage *c, ql_h5ad_writer *w, ql_err *err);

/* The table "how good was it", one line a call of ql_log_info, and the figures in the summary.
 * title: what was scored; key: prefix of the summary's figures. */
void denoise_report(const denoise_result *r, const ql_score *score, const char *title,
                    const char *key);

#endif
