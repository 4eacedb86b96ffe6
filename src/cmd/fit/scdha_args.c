#include "scdha_args.h"

#include <string.h>

static const char *const rules[] = {"own", "reference", NULL};
static const char *const gene_rules[] = {"dispersion", "weights", NULL};
static const char *const returns[] = {[QL_SCDHA_JOINED] = "joined",
                                      [QL_SCDHA_LAST] = "last",
                                      [QL_SCDHA_CONSENSUS] = "consensus",
                                      NULL};
static const char *const noises[] = {"cell", "batch", NULL};

#define S scdha_args
/* clang-format off */
const ql_option scdha_rows[] = {
    {.name = "top-genes", QL_INT_AT(S, top_genes), .min = 1, .max = 1e9, .group = "scDHA",
     .unset = "2000; 5000 with --scdha-rules reference", .help = "scdha: genes kept",
     .more = "A matrix with no more genes with counts is used whole."},
    {.name = "models", QL_INT_AT(S, models), .def = "3", .min = 1, .max = QL_SCDHA_MOST_MODELS,
     .group = "scDHA", .help = "scdha: models that are trained side by side"},
    {.name = "snapshots", QL_INT_AT(S, snapshots), .def = "3", .min = 1, .max = 4, .group = "scDHA",
     .level = QL_OPT_EXPERT, .help = "scdha: last epochs of a model that give a latent space"},
    {.name = "all-latents", QL_FLAG_AT(S, all_latents), .group = "scDHA",
     .help = "scdha: write the latent space of each model and snapshot",
     .more = "As KEY_1, KEY_2, ...: model 1 with its snapshots in order, then model 2."},
    {.name = "genes-by", QL_CHOICE_AT(S, genes_by), .def = "dispersion", .choices = gene_rules,
     .group = "scDHA", .help = "scdha: what genes are chosen by",
     .more = "dispersion: how much a gene varies beyond others of its mean. weights: those that small "
             "non-negative autoencoders give it, as the reference does."},
    {.name = "return", QL_CHOICE_AT(S, returned), .def = "joined", .choices = returns, .group = "scDHA",
     .help = "scdha: the latent space that is KEY",
     .more = "joined: the last ones of all models, side by side. last: that of model 1. consensus: the cells "
             "are clustered in each, and the one is taken whose clusters agree best with a consensus of all, "
             "as the reference does."},
    {.name = "latent-width", QL_INT_AT(S, latent_width), .min = 1, .max = 1024, .group = "scDHA",
     .unset = "15, from 50,000 cells on 25", .help = "scdha: dimensions of the latent space"},
    {.name = "train-cells", QL_INT_AT(S, train_cells), .min = 2, .max = 1e9, .group = "scDHA",
     .unset = "by the number of cells and --scdha-rules",
     .help = "scdha: cells that each network is trained on"},
    {.name = "sample-weights", QL_STRING_AT(S, sample_weights), .unit = "COLUMN", .group = "scDHA",
     .level = QL_OPT_EXPERT, .help = "scdha: column of obs by which cells are drawn for training",
     .more = "Numbers are weights; of names, such as those of batches, each gets an equal share. Where all "
             "cells are trained on it has no effect."},
    {.name = "scdha-rules", QL_CHOICE_AT(S, rules), .def = "own", .choices = rules, .group = "scDHA",
     .level = QL_OPT_EXPERT, .help = "scdha: what follows from the number of cells",
     .more = "reference: as scDHA 1.2.2 has it. own: docs/scdha.md says where it differs."},
    {.name = "noise-per", QL_CHOICE_AT(S, noise_per), .def = "cell", .choices = noises, .group = "scDHA",
     .level = QL_OPT_EXPERT, .help = "scdha: what has a draw of the latent noise of its own",
     .more = "batch: one draw for all cells of a minibatch, as the reference has it."},
    {.name = "latent-noise", QL_DOUBLE_AT(S, noise), .def = "0.25", .min = 0, .max = 10, .group = "scDHA",
     .level = QL_OPT_EXPERT, .help = "scdha: factor of that noise's standard deviation"},
    {.name = "error-weight", QL_DOUBLE_AT(S, error_weight), .min = 0, .max = 1e6,
     .bits = QL_OPT_MIN_EXCLUDED, .group = "scDHA", .level = QL_OPT_EXPERT,
     .unset = "100, from 50,000 cells on 50",
     .help = "scdha: weight of the squared error beside the divergence"},
    {.name = "l1-epochs", QL_INT_AT(S, l1_epochs), .def = "10", .min = 0, .max = 1e5, .group = "scDHA",
     .level = QL_OPT_EXPERT, .help = "scdha: first epochs, by the absolute error alone"},
    {.name = NULL},
};
/* clang-format on */
#undef S

const char *const scdha_like[] = {"model=scdha",      "scdha-rules=reference", "noise-per=batch",
                                  "genes-by=weights", "return=consensus",      NULL};

ql_scdha_result scdha_result(const scdha_args *a)
{
    return (ql_scdha_result)ql_place_in(a->returned, returns);
}
