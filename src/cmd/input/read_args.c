/* Options of the commands that read counts: which format, which matrix of the file. */
#include "quell/read_args.h"

#include <string.h>

static const char *format_at(int i)
{
    return ql_formats[i] ? ql_formats[i]->name : NULL;
}

static const char *const orients[] = {"cells-x-genes", "genes-x-cells", NULL};

const ql_option ql_read_rows[] = {
    {.name = "format",
     QL_CHOICE_AT(ql_read_args, format),
     .choice_at = format_at,
     .unset = "by content",
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "format of the input"},
    {.name = "layer",
     QL_STRING_AT(ql_read_args, layer),
     .group = "Input",
     .help = "h5ad, h5mu, loom, mtx: take the counts from this layer"},
    {.name = "use-raw",
     QL_FLAG_AT(ql_read_args, use_raw),
     .group = "Input",
     .help = "h5ad, h5mu: take the counts from raw/X"},
    {.name = "use-x",
     QL_FLAG_AT(ql_read_args, use_x),
     .group = "Input",
     .help = "h5ad, h5mu: take X even if it holds no counts"},
    {.name = "feature-type",
     QL_STRING_AT(ql_read_args, feature_type),
     .unset = "Gene Expression",
     .group = "Input",
     .help = "10x: kind of features to take; 'all' for every kind"},
    {.name = "genome",
     QL_STRING_AT(ql_read_args, genome),
     .unset = "all",
     .group = "Input",
     .help = "10x: genome to take"},
    {.name = "modality",
     QL_STRING_AT(ql_read_args, modality),
     .unset = "rna",
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "h5mu: modality to take"},
    {.name = "dataset",
     QL_STRING_AT(ql_read_args, dataset),
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "plain HDF5: the dataset or sparse group"},
    {.name = "genes-file",
     QL_STRING_AT(ql_read_args, genes_file),
     .unit = "FILE",
     .unset = "beside the matrix",
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "mtx, plain HDF5: names of the genes, one a line"},
    {.name = "barcodes-file",
     QL_STRING_AT(ql_read_args, barcodes_file),
     .unit = "FILE",
     .unset = "beside the matrix",
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "mtx, plain HDF5: names of the cells, one a line"},
    {.name = "orient",
     QL_CHOICE_AT(ql_read_args, orient),
     .choices = orients,
     .unset = "by names and lengths; tables: genes-x-cells",
     .group = "Input",
     .help = "text, mtx and plain HDF5: what the rows and columns are"},
    {.name = "transpose",
     .letter = 't',
     QL_FLAG_AT(ql_read_args, transpose),
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "DCA's -t: --orient cells-x-genes"},
    {.name = "header",
     QL_FLAG_AT(ql_read_args, header),
     .def = "yes",
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "tables: the first line holds names"},
    {.name = "row-names",
     QL_FLAG_AT(ql_read_args, row_names),
     .def = "yes",
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "tables: the first column holds names"},
    {.name = "allow-short",
     QL_FLAG_AT(ql_read_args, allow_short),
     .group = "Input",
     .level = QL_OPT_EXPERT,
     .help = "mtx: accept fewer entries than announced"},
    {.name = NULL},
};

static ql_orient orient_of(const ql_read_args *a)
{
    const char *name = a->transpose ? orients[0] : a->orient;
    if (!name) return QL_ORIENT_AUTO;
    return !strcmp(name, orients[0]) ? QL_ORIENT_CELLS_X_GENES : QL_ORIENT_GENES_X_CELLS;
}

ql_status ql_read_args_options(const ql_read_args *a, int threads, ql_read_options *out,
                               ql_err *err)
{
    if ((a->layer != NULL) + a->use_raw + a->use_x > 1)
        return ql_fail(err, QL_EUSAGE, "--layer, --use-raw and --use-x exclude each other");
    if (a->transpose && a->orient && strcmp(a->orient, orients[0]) != 0)
        return ql_fail(err, QL_EUSAGE,
                       "--transpose says that rows are cells, --orient that they are "
                       "genes");
    *out = (ql_read_options){.format = a->format,
                             .layer = a->layer,
                             .use_raw = a->use_raw,
                             .use_x = a->use_x,
                             .feature_type = a->feature_type,
                             .genome = a->genome,
                             .modality = a->modality,
                             .dataset = a->dataset,
                             .genes_file = a->genes_file,
                             .barcodes_file = a->barcodes_file,
                             .orient = orient_of(a),
                             .no_header = !a->header,
                             .no_row_names = !a->row_names,
                             .allow_short = a->allow_short,
                             .threads = threads};
    return QL_OK;
}
