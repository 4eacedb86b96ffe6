/* The options of `quell embed --model scdha`. Private to src/cmd. */
#ifndef QL_SCDHA_ARGS_H
#define QL_SCDHA_ARGS_H

#include "quell/command.h"
#include "quell/scdha_fit.h"

/* List {scdha_rows, offsetof(S, scdha)} in .tables. */
typedef struct {
    const char *rules, *noise_per, *returned, *genes_by, *sample_weights;
    int top_genes, models, snapshots, train_cells, latent_width, l1_epochs;
    double error_weight, noise;
    bool all_latents;
} scdha_args;

extern const ql_option scdha_rows[];

ql_scdha_result scdha_result(const scdha_args *a); /* what --return names */

/* The settings of --like scdha. */
extern const char *const scdha_like[];

#endif
