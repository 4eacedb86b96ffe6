/* quell report: what a run made, as one page to look at. */

#include "quell/h5ad_writer.h"
#include "quell/text_file.h"
#include "report/report_page.h"

typedef struct {
    ql_common_args common;
    const char *output, *color, *genes;
    bool force;
} report_args;

#define S report_args
/* clang-format off */
static const ql_option report_rows[] = {
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the HTML file to write"},
    {.name = "color", QL_STRING_AT(S, color), .unit = "COLUMN", .group = "Output",
     .unset = "a column with groups of cells", .help = "column of obs that colours the cells"},
    {.name = "genes", QL_STRING_AT(S, genes), .unit = "NAME,NAME,...", .group = "Output",
     .unset = "six that vary, each unlike the others", .help = "genes to show before and after, at most 12"},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing file"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static ql_status work(const report_args *a, ql_run *run, report_data *d, ql_str *page)
{
    const char *path = run->args[0];
    QL_TRY(ql_output_check(a->output, path, a->force, &run->err));
    QL_TRY(report_data_read(path, a->genes, run, d));
    QL_TRY(report_page(d, a->color, page, &run->err));
    QL_TRY(ql_text_file_write(a->output, path, a->force, page, &run->err));
    ql_log_info(run->log, "wrote %s", a->output);
    return QL_OK;
}

static ql_status report_run(const void *args, ql_run *run)
{
    report_data d = {0};
    ql_str page = {0};
    ql_status st = work(args, run, &d, &page);
    report_data_free(&d);
    ql_str_free(&page);
    return st;
}

static const ql_opt_table report_tables[] = {{report_rows, 0}, {NULL, 0}};

static const ql_positional report_positionals[] = {
    {"INPUT", "an h5ad that quell denoise, apply or tune has written"},
    {NULL, NULL},
};

const ql_command ql_cmd_report = {
    .name = "report",
    .group = "Files",
    .summary = "a page to look at: how good a result is, with plots",
    .positionals = report_positionals,
    .examples = {{"quell report pbmc.h5ad -o pbmc.html",
                  "one HTML file that needs no network: score, training, cells, genes"},
                 {"quell report pbmc.h5ad -o pbmc.html --color cell_type --genes CD3D,MS4A1",
                  "the cells coloured by a column of obs at first, and genes of your choice"}},
    .tables = report_tables,
    QL_ARGS(report_args),
    .run = report_run,
};
