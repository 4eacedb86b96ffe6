/* Options of the commands that read counts: which format, which matrix of the file. */
#include "quell/read_args.h"

static const char *format_at(int i)
{
    return ql_formats[i] ? ql_formats[i]->name : NULL;
}

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
     .help = "h5ad: take the counts from this layer"},
    {.name = "use-raw",
     QL_FLAG_AT(ql_read_args, use_raw),
     .group = "Input",
     .help = "h5ad: take the counts from raw/X"},
    {.name = "use-x",
     QL_FLAG_AT(ql_read_args, use_x),
     .group = "Input",
     .help = "h5ad: take X even if it holds no counts"},
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
    {.name = NULL},
};

ql_status ql_read_args_options(const ql_read_args *a, int threads, ql_read_options *out,
                               ql_err *err)
{
    if ((a->layer != NULL) + a->use_raw + a->use_x > 1)
        return ql_fail(err, QL_EUSAGE, "--layer, --use-raw and --use-x exclude each other");
    *out = (ql_read_options){.format = a->format,
                             .layer = a->layer,
                             .use_raw = a->use_raw,
                             .use_x = a->use_x,
                             .feature_type = a->feature_type,
                             .genome = a->genome,
                             .threads = threads};
    return QL_OK;
}
