/* quell query: retrieval by example. */
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/metric.h"
#include "quell/text_file.h"
#include "space/query_cells.h"
#include "space/query_search.h"

typedef struct {
    ql_common_args common;
    space_args space; /* output is no h5ad here: stays NULL */
    query_choice choice;
    search_args search;
    const char *output, *columns;
    bool force;
} query_args;

#define S query_args
/* clang-format off */
static const ql_option query_rows[] = {
    {.name = "number", .letter = 'k', QL_INT_AT(S, search.k), .def = "10", .min = 1, .max = 100000,
     .group = "Search", .help = "cells to find for each query"},
    {.name = "metric", QL_CHOICE_AT(S, search.metric), .def = "euclidean", .choice_at = ql_metric_at,
     .group = "Search", .help = "distance between cells"},
    {.name = "hash", QL_FLAG_AT(S, search.hash), .group = "Search",
     .help = "search among binary codes of the space",
     .more = "A bit a dimension: whether the value is above 0.5 (a sigmoid's space), or above the "
             "dimension's median. Distances are then bits that differ. The recall against the exact "
             "neighbours is said in the log and in --summary."},
    {.name = "shortlist", QL_INT_AT(S, search.shortlist), .def = "0", .min = 0, .max = 1000000,
     .group = "Search", .help = "--hash: measure so many of the nearest codes",
     .more = "The answers are then the nearest of these by --metric."},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .unset = "standard output", .help = "the table to write"},
    {.name = "columns", QL_STRING_AT(S, columns), .unit = "NAME,NAME,...", .group = "Output",
     .help = "columns of the reference's obs to add"},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing file"},
    {.name = NULL},
};
/* clang-format on */
#undef S

enum { MOST_COLUMNS = 64 };

typedef struct {
    const query_args *a;
    ql_run *run;
    space_job ref, other; /* other: the file that is asked about, where there is one */
    ql_str use;
    ql_points points, asked;
    int64_t *chosen; /* [n] positions among the points of whom is asked about */
    int64_t n;
    float *queries;
    search_answer found;
    ql_names column_names;
    ql_labels *column;
} job;

static space_job *asker(job *j)
{
    return j->run->n_args > 1 ? &j->other : &j->ref;
}

static const ql_points *askers_points(const job *j)
{
    return j->run->n_args > 1 ? &j->asked : &j->points;
}

/* ---- reading ---- */

static ql_status read_other(job *j)
{
    ql_err *err = &j->run->err;
    QL_TRY(space_open(&j->other, &j->a->space, j->run->args[1], j->run));
    QL_TRY(space_points(&j->other, ql_str_text(&j->use), &j->asked, NULL));
    if (j->asked.n_dims == j->points.n_dims)
        return space_same_model(&j->other, &j->ref, ql_str_text(&j->use));
    return ql_fail(err, QL_EMISMATCH,
                   "%s: obsm/%s has %lld dimensions, and %lld in %s: it is another space",
                   j->other.path, ql_str_text(&j->use), (long long)j->asked.n_dims,
                   (long long)j->points.n_dims, j->ref.path);
}

static ql_status read_columns(job *j)
{
    ql_err *err = &j->run->err;
    for (const char *s = j->a->columns; s && *s;) {
        const size_t n = strcspn(s, ",");
        if (n > 0) QL_TRY(ql_names_add(&j->column_names, s, n, err));
        s += n + (s[n] == ',');
    }
    if (j->column_names.n > MOST_COLUMNS)
        return ql_fail(err, QL_EUSAGE, "--columns: more than %d", MOST_COLUMNS);
    QL_TRY(QL_NEW(j->column, j->column_names.n, "columns", err));
    for (int64_t c = 0; c < j->column_names.n; c++)
        QL_TRY(space_labels(&j->ref, ql_name(&j->column_names, c), &j->column[c]));
    return QL_OK;
}

static ql_status read_all(job *j)
{
    ql_err *err = &j->run->err;
    const bool other = j->run->n_args > 1;
    if (!other && !query_choice_given(&j->a->choice)) {
        ql_fail(err, QL_EUSAGE, "which cells are asked about is missing");
        return ql_hint(err, QL_EUSAGE, "--cells, --cells-from, --where, or a second h5ad");
    }
    if (j->a->output) QL_TRY(ql_output_check(j->a->output, j->run->args[0], j->a->force, err));
    QL_TRY(space_open(&j->ref, &j->a->space, j->run->args[0], j->run));
    QL_TRY(space_points(&j->ref, j->a->space.use, &j->points, &j->use));
    QL_TRY(read_columns(j));
    if (other) QL_TRY(read_other(j));
    return query_choose(asker(j), &j->a->choice, askers_points(j), &j->chosen, &j->n);
}

/* ---- searching ---- */

static ql_status search(job *j)
{
    const ql_points *from = askers_points(j);
    const size_t row = (size_t)from->n_dims * sizeof *j->queries;
    QL_TRY(QL_NEW(j->queries, j->n * from->n_dims, "the queries", &j->run->err));
    for (int64_t i = 0; i < j->n; i++)
        memcpy(j->queries + i * from->n_dims, from->x + j->chosen[i] * from->n_dims, row);
    const search_question q = {.points = &j->points,
                               .queries = j->queries,
                               .self = j->run->n_args > 1 ? NULL : j->chosen,
                               .n = j->n};
    ql_summary_int(j->run->summary, "queries", j->n);
    return query_search(&j->ref, &j->a->search, &q, &j->found);
}

/* ---- the table ---- */

/* A field: tabs and ends of lines would break the table. */
static void put_field(ql_str *out, const char *text)
{
    for (; *text; text += 1) {
        const bool odd = *text == '\t' || *text == '\n' || *text == '\r';
        ql_str_bytes(out, odd ? " " : text, 1);
    }
}

static void put_header(const job *j, ql_str *out)
{
    ql_str_puts(out, "query\trank\tcell\tdistance");
    for (int64_t c = 0; c < j->column_names.n; c++) {
        ql_str_puts(out, "\t");
        put_field(out, ql_name(&j->column_names, c));
    }
    ql_str_puts(out, "\n");
}

static void put_row(const job *j, const char *query, int64_t i, int rank, ql_str *out)
{
    const int64_t cell = j->points.cell[j->found.index[i * j->found.k + rank]];
    put_field(out, query);
    ql_str_printf(out, "\t%d\t", rank + 1);
    put_field(out, ql_name(&j->ref.cells, cell));
    ql_str_printf(out, "\t%.8g", j->found.distance[i * j->found.k + rank]);
    for (int64_t c = 0; c < j->column_names.n; c++) {
        const int32_t code = j->column[c].code[cell];
        ql_str_puts(out, "\t");
        if (code >= 0) put_field(out, ql_name(&j->column[c].names, code));
    }
    ql_str_puts(out, "\n");
}

static ql_status write_table(job *j)
{
    ql_str out = {0};
    const space_job *from = asker(j);
    ql_status st = QL_OK;
    put_header(j, &out);
    for (int64_t i = 0; i < j->n; i++)
        for (int rank = 0; rank < j->found.k; rank++)
            put_row(j, ql_name(&from->cells, askers_points(j)->cell[j->chosen[i]]), i, rank, &out);
    if (j->a->output) {
        st = ql_text_file_write(j->a->output, j->ref.path, j->a->force, &out, &j->run->err);
        if (st == QL_OK) ql_log_info(j->run->log, "wrote %s", j->a->output);
    } else if (out.failed) {
        st = ql_fail(&j->run->err, QL_EMEMORY, "no memory for the table");
    } else {
        fputs(ql_str_text(&out), j->run->out);
    }
    ql_str_free(&out);
    return st;
}

/* ---- the command ---- */

static ql_status work(job *j)
{
    QL_TRY(read_all(j));
    QL_TRY(search(j));
    return write_table(j);
}

static ql_status query_run(const void *args, ql_run *run)
{
    job j = {.a = args, .run = run};
    ql_status st = work(&j);
    for (int64_t c = 0; j.column && c < j.column_names.n; c++) ql_labels_free(&j.column[c]);
    ql_free(j.column);
    ql_names_free(&j.column_names);
    search_answer_free(&j.found);
    ql_free(j.queries);
    ql_free(j.chosen);
    ql_str_free(&j.use);
    ql_points_free(&j.points);
    ql_points_free(&j.asked);
    space_close(&j.ref);
    space_close(&j.other);
    return st;
}

static const ql_opt_table query_tables[] = {{ql_space_use_rows, offsetof(query_args, space)},
                                            {ql_query_choice_rows, offsetof(query_args, choice)},
                                            {query_rows, 0},
                                            {NULL, 0}};

static const ql_positional query_positionals[] = {
    {"REFERENCE", "an h5ad with a latent space in obsm, whose cells are looked through"},
    {"[QUERY]", "another h5ad with the same space (quell apply), whose cells are asked about"},
    {NULL, NULL},
};

const ql_command ql_cmd_query = {
    .name = "query",
    .group = "After an embedding",
    .summary = "the nearest cells to given cells: retrieval by example",
    .positionals = query_positionals,
    .examples = {{"quell query atlas.h5ad --cells AAACATACAACCAC-1 --columns cell_type",
                  "its 10 nearest cells and their types, as a table"},
                 {"quell query atlas.h5ad new.h5ad --use X_dca -k 5 -o nearest.tsv",
                  "5 cells of the atlas for each cell of another file"}},
    .tables = query_tables,
    QL_ARGS(query_args),
    .run = query_run,
};
