#include "denoise_args.h"

#include <string.h>

#include "../input/compression.h"

static const char *const estimates[] = {"posterior", "mean", "both", NULL};

/* mean-log-counts: what mean-log1p was called in 0.4.0 */
static const char *const scales[] = {"counts",        "cp10k",           "log1p",   "mean-log1p",
                                     "mean-log-rate", "mean-log-counts", "pearson", NULL};
static const char *const draw_kinds[] = {"rate", "counts", NULL};

#define S denoise_args
/* clang-format off */
const ql_option ql_denoise_rows[] = {
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "the h5ad to write",
     .more = "An h5ad input is carried through whole; other inputs become an h5ad with the counts in X."},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing output and earlier results in it"},
    {.name = "estimate", QL_CHOICE_AT(S, estimate), .choices = estimates, .group = "Output",
     .unset = "posterior; mean for reads without UMIs", .help = "what layers/denoised holds",
     .more = "posterior: mu (x + theta) / (mu + theta), the best estimate of what this cell expresses. "
             "mean: mu, what cells like this one express (DCA's output). both: posterior in "
             "layers/denoised and the mean in layers/denoised_mean."},
    {.name = "scale", QL_CHOICE_AT(S, scale), .choices = scales, .def = "counts", .group = "Output",
     .help = "of layers/denoised and what goes with it",
     .more = "counts: at each cell's own depth. cp10k: per 10,000 molecules of the cell. log1p: ln(1 + "
             "that). mean-log1p: the mean of that logarithm over the counts that another look at the cell may "
             "show, the best forecast of log counts (mean-log-counts is the same). mean-log-rate: over "
             "the rate it may have. pearson: residuals from the gene means. docs/scales.md says what "
             "each is for."},
    {.name = "intervals", QL_DOUBLE_AT(S, intervals), .def = "0", .min = 0, .max = 1,
     .bits = QL_OPT_MAX_EXCLUDED, .group = "Output",
     .help = "posterior quantiles that hold this share, as layers",
     .more = "0.9: the 5 % and 95 % quantiles of each cell's rate, in layers/denoised_lower and "
             "layers/denoised_upper. 0: none."},
    {.name = "sd", QL_FLAG_AT(S, sd), .group = "Output",
     .help = "posterior standard deviation, in layers/denoised_sd"},
    {.name = "draws", QL_INT64_AT(S, draws), .def = "0", .min = 0, .max = 64, .group = "Output",
     .unit = "N", .help = "N draws of the posterior, in layers/draw_1 to draw_N",
     .more = "For methods that need the noise, such as tests between groups; the same for any number "
             "of threads, by --seed. Turns on --shrink-genes, of which all layers then are, unless "
             "--no-shrink-genes is given."},
    {.name = "draws-of", QL_CHOICE_AT(S, draws_of), .choices = draw_kinds, .def = "rate",
     .group = "Output", .help = "what is drawn: rates, or counts of another look at the cells",
     .more = "Counts are whole, at the cell's own depth, stored sparse, and treated as counts are."},
    {.name = "genes", QL_STRING_AT(S, genes), .unit = "FILE", .group = "Output", .bits = QL_OPT_VOLATILE,
     .aliases = "denoisesubset", .help = "denoise only the genes named in FILE, one a line",
     .more = "The layer is then sparse: it stores the values of these genes only, and "
             "var/quell_denoised says which they are. Files of --layer-out and --tsv have the genes "
             "in the order of FILE."},
    {.name = "denoised", QL_FLAG_AT(S, denoised), .def = "yes", .group = "Output",
     .help = "write layers/denoised; --no-denoised leaves it out"},
    {.name = "write", QL_STRING_AT(S, write), .unit = "NAME,NAME,...", .group = "Output",
     .unset = "nothing more", .help = "write more: scores of each cell, more layers",
     .more = "In obs nll, error, pearson, distance, outlier; in layers dispersion and dropout. nll: -ln "
             "of the counts' probability, per molecule. error: of log1p of the counts. pearson: "
             "squared residuals. distance: from the training cells in the latent space. outlier: the "
             "share of held-out cells that fit better. dispersion: of the types with one a cell and "
             "gene. dropout: of the ZINB types."},
    {.name = "decode-as", QL_STRING_AT(S, decode_as), .unit = "BATCH|mean", .group = "Output",
     .unset = "each cell's own batch", .help = "vae: decode all cells as if they were of this batch",
     .more = "A level of --batch, or mean: the mean over all of them. Of several --batch columns a list, in "
             "their order; columns without an entry stay each cell's own. layers/denoised then holds what the "
             "model expects there, and no estimate of the cell's own counts: --estimate mean."},
    {.name = "compression", QL_STRING_AT(S, compression), .def = "gzip", .unit = "none|gzip[:LEVEL]",
     .group = "Output", .help = "compression of what is written"},
    {.name = "key", QL_STRING_AT(S, key), .unset = "X_dca or X_vae", .unit = "KEY", .group = "Output",
     .help = "obsm key of the latent space"},
    {.name = "tsv", QL_STRING_AT(S, tsv), .unit = "DIR", .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "also write mean.tsv, latent.tsv, ... as DCA does"},
    {.name = "obs-out", QL_STRING_AT(S, obs_out), .unit = "FILE", .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "also write the cells' names and columns as csv[.gz]"},
    {.name = "obsm-out", QL_STRING_AT(S, obsm_out), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "also write the latent space as csv[.gz]"},
    {.name = "layer-out", QL_STRING_AT(S, layer_out), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "also write the denoised counts as .npy, cells x genes",
     .more = "X.npy has the names of its rows and columns in X.cells.txt and X.genes.txt. With --genes "
             "it has these genes only."},
    {.name = NULL},
};

const ql_option ql_denoise_save_rows[] = {
    {.name = "shrink-genes", QL_FLAG_AT(S, shrink_genes), .group = "Output", .unset = "with --draws",
     .help = "genes of which the model knows little: their mean",
     .more = "By molecules held out of the validation cells, and all the way where a gene's counts do "
             "not depend on the latent space; weights in var/quell_model_weight, genes that are mostly "
             "their mean in var/quell_from_mean. Then a test of draws calls no more than it should of "
             "genes that say nothing."},
    {.name = "save-model", QL_STRING_AT(S, save_model), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "also write the trained model, for quell apply"},
    {.name = "saveweights", QL_FLAG_AT(S, save_weights), .group = "Output", .level = QL_OPT_EXPERT,
     .bits = QL_OPT_VOLATILE, .help = "the same beside the output, as OUT.quell.h5",
     .more = "DCA's spelling; the file is a model of quell (docs/model-file.md), not Keras weights."},
    {.name = NULL},
};
/* clang-format on */
#undef S

void denoise_model_path(const denoise_args *a, ql_str *path)
{
    static const char ending[] = ".h5ad";
    if (a->save_model) {
        ql_str_puts(path, a->save_model);
        return;
    }
    size_t n = strlen(a->output), m = sizeof ending - 1;
    if (n > m && strcmp(a->output + n - m, ending) == 0) n -= m;
    ql_str_bytes(path, a->output, n);
    ql_str_puts(path, ".quell.h5");
}

ql_status ql_denoise_deflate(const denoise_args *a, int *level, ql_err *err)
{
    return ql_compression_level(a->compression, 1, level, err);
}
