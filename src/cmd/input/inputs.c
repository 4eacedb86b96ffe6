#include "inputs.h"

#include <string.h>
#include <sys/stat.h>

#include "quell/dataset_join.h"
#include "sample_names.h"

static const char *const joins[] = {"inner", "outer", NULL};

/* clang-format off */
#define JOIN_ROWS(DEFAULT)                                                                         \
    {.name = "join",                                                                               \
     QL_CHOICE_AT(ql_join_args, join),                                                             \
     .choices = joins,                                                                             \
     .def = DEFAULT,                                                                               \
     .group = "Input",                                                                             \
     .help = "several inputs: genes that all have, or that any has",                               \
     .more = "Genes are matched by name. outer counts a gene as 0 where an input lacks it."},      \
    {.name = "samples",                                                                            \
     QL_STRING_AT(ql_join_args, samples),                                                          \
     .unit = "NAME,NAME,...",                                                                      \
     .unset = "from the names of the files",                                                       \
     .group = "Input",                                                                             \
     .help = "several inputs: what obs['sample'] calls them"},                                     \
    {.name = NULL}

const ql_option ql_join_rows[] = {JOIN_ROWS("inner")};
const ql_option ql_join_outer_rows[] = {JOIN_ROWS("outer")};
/* clang-format on */

/* --- before the work --- */

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    if (strcmp(a, b) == 0) return true;
    if (stat(a, &x) != 0 || stat(b, &y) != 0) return false;
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

ql_status ql_inputs_check(const ql_join_args *a, ql_run *run)
{
    ql_names names = {0};
    if (run->n_args == 1)
        return a->samples ? ql_fail(&run->err, QL_EUSAGE, "--samples is for several inputs")
                          : QL_OK;
    for (int i = 0; i < run->n_args; i++)
        for (int k = 0; k < i; k++)
            if (is_same_file(run->args[i], run->args[k]))
                return ql_fail(&run->err, QL_EUSAGE, "%s: is given twice", run->args[i]);
    ql_status st = ql_sample_names(run->args, run->n_args, a->samples, &names, &run->err);
    ql_names_free(&names);
    return st;
}

/* --- the work --- */

static void tell_matrix(const ql_run *run, const ql_dataset *ds)
{
    ql_log_info(run->log, "%s: %s, matrix %s, %lld cells x %lld genes, %lld nonzero entries",
                ds->path, ds->format, ds->matrix, (long long)ds->counts.n_rows,
                (long long)ds->counts.n_cols, (long long)ql_csr_nnz(&ds->counts));
}

/* Among several inputs a note says which one it is about. */
static void move_notes(ql_notes *from, const char *path, ql_notes *to)
{
    for (int i = 0; i < from->n; i++)
        ql_note_add(to, from->items[i].level, "%s: %s", path, from->items[i].text);
    ql_notes_free(from);
}

static void tell_notes(const ql_run *run, const ql_notes *notes, int from)
{
    const ql_notes fresh = {.items = notes->items + from, .n = notes->n - from};
    ql_log_notes(run->log, &fresh);
}

static ql_status add_input(ql_join *join, const char *path, const char *sample,
                           const ql_read_options *opt, ql_run *run, ql_notes *notes)
{
    ql_dataset ds = {0};
    ql_notes own = {0};
    int told = notes->n;
    ql_status st = ql_read_counts(path, opt, &ds, &own, &run->err);
    move_notes(&own, ds.path ? ds.path : path, notes);
    tell_notes(run, notes, told);
    if (st == QL_OK) {
        tell_matrix(run, &ds);
        st = ql_join_add(join, &ds, sample, &run->err);
    }
    ql_dataset_free(&ds);
    return st;
}

/* What is missing or unreadable is said before the first input has been read. */
static ql_status detect_inputs(const ql_read_options *opt, ql_run *run)
{
    const ql_format *format = NULL;
    for (int i = 0; i < run->n_args; i++)
        QL_TRY(ql_format_detect(run->args[i], opt, &format, &run->err));
    return QL_OK;
}

static ql_status join_inputs(const ql_join_args *a, const ql_read_options *opt, ql_run *run,
                             ql_dataset *ds, ql_notes *notes)
{
    ql_join *join = NULL;
    ql_names samples = {0};
    ql_join_how how = strcmp(a->join, "outer") == 0 ? QL_JOIN_OUTER : QL_JOIN_INNER;
    int told;
    ql_status st;
    QL_GO(ql_sample_names(run->args, run->n_args, a->samples, &samples, &run->err));
    QL_GO(detect_inputs(opt, run));
    QL_GO(ql_join_new(how, run->threads, &join, &run->err));
    for (int i = 0; i < run->n_args; i++)
        QL_GO(add_input(join, run->args[i], ql_name(&samples, i), opt, run, notes));
    told = notes->n;
    QL_GO(ql_join_finish(join, ds, notes, &run->err));
    tell_notes(run, notes, told);
    ql_log_info(run->log, "%d inputs joined: %lld cells x %lld genes, %lld nonzero entries",
                run->n_args, (long long)ds->counts.n_rows, (long long)ds->counts.n_cols,
                (long long)ql_csr_nnz(&ds->counts));
out:
    ql_names_free(&samples);
    ql_join_free(join);
    return st;
}

ql_status ql_inputs_read(const ql_join_args *a, const ql_read_options *opt, ql_run *run,
                         ql_dataset *ds, ql_notes *notes)
{
    ql_read_options all = *opt;
    all.columns = true;
    if (run->n_args > 1) return join_inputs(a, &all, run, ds, notes);
    QL_TRY(ql_read_counts(run->args[0], opt, ds, notes, &run->err));
    ql_log_notes(run->log, notes);
    tell_matrix(run, ds);
    return QL_OK;
}
