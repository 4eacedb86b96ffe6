/* quell classify: labels of known cells handed on to others. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/vote.h"
#include "space/space_ensemble.h"

typedef struct {
    ql_common_args common;
    space_args space;
    const char *labels, *reference, *key, *truth, *unknown, *mask;
    double threshold;
    int neighbors;
    bool alone;
} classify_args;

typedef struct {
    const classify_args *a;
    space_job space, reference; /* reference: open where one is given */
    ql_points points, known_points;
    ql_str use;
    space_ensemble e, known_e; /* known_e: of the reference, where there is one */
    ql_labels known;           /* of the points of the reference, or of the input */
    int64_t n_known, n_asked;
    int64_t *known_at, *asked_at; /* points */
    int32_t *known_label;         /* [n_known] */
    int32_t *label;               /* [n_asked] */
    double *share;                /* [n_asked] */
    double accuracy, accuracy_assigned;
    int64_t n_true, n_assigned;
} job;

static ql_run *run_of(const job *j)
{
    return j->space.run;
}

static const space_ensemble *known_space(const job *j)
{
    return j->a->reference ? &j->known_e : &j->e;
}

/* ---- who knows, who asks ---- */

static ql_status read_known(job *j)
{
    ql_labels all = {0};
    ql_err *err = &run_of(j)->err;
    space_job *s = j->a->reference ? &j->reference : &j->space;
    QL_TRY(space_labels(s, j->a->labels, &all));
    ql_status st = ql_labels_gather(&all, known_space(j)->points, &j->known, err);
    ql_labels_free(&all);
    return st;
}

/* Within one file: cells to be treated as unlabelled, whatever their label says. */
static ql_status hide_masked(job *j)
{
    ql_labels all = {0};
    if (!j->a->mask) return QL_OK;
    QL_TRY(space_labels(&j->space, j->a->mask, &all));
    for (int64_t i = 0; i < j->known.n; i++) {
        int32_t code = all.code[j->points.cell[i]];
        if (code >= 0 && strcmp(ql_name(&all.names, code), "True") == 0) j->known.code[i] = -1;
    }
    ql_labels_free(&all);
    return QL_OK;
}

static ql_status part_cells(job *j)
{
    ql_err *err = &run_of(j)->err;
    const bool one = !j->a->reference;
    QL_TRY(QL_NEW(j->known_at, j->known.n, "cells", err));
    QL_TRY(QL_NEW(j->known_label, j->known.n, "cells", err));
    QL_TRY(QL_NEW(j->asked_at, j->points.n, "cells", err));
    for (int64_t i = 0; i < j->known.n; i++) {
        if (j->known.code[i] < 0) continue;
        j->known_label[j->n_known] = j->known.code[i];
        j->known_at[j->n_known++] = i;
    }
    for (int64_t i = 0; i < j->points.n; i++)
        if (!one || j->known.code[i] < 0) j->asked_at[j->n_asked++] = i;
    const char *path = one ? j->space.path : j->a->reference;
    if (j->n_known == 0)
        return ql_fail(err, QL_EDATA, "%s: obs/%s: no cell with a place in the space has a label",
                       path, j->a->labels);
    if (j->n_asked == 0) {
        ql_fail(err, QL_EDATA, "%s: obs/%s: every cell has a label: there is nobody to classify",
                path, j->a->labels);
        return ql_hint(err, QL_EDATA,
                       "give labelled cells of another file with --reference, or name cells "
                       "whose label is to be hidden with --mask");
    }
    return QL_OK;
}

/* ---- the reference ---- */

/* Spaces of different models are not comparable, whatever their names. */
static ql_status check_spaces(const job *j)
{
    ql_err *err = &run_of(j)->err;
    if (j->known_e.n != j->e.n)
        return ql_fail(err, QL_EMISMATCH, "%s has %d spaces named %s, %s has %d", j->space.path,
                       j->e.n, ql_str_text(&j->use), j->a->reference, j->known_e.n);
    for (int m = 0; m < j->e.n; m++)
        if (j->known_e.d[m] != j->e.d[m])
            return ql_fail(err, QL_EMISMATCH,
                           "obsm/%s has %lld dimensions in %s and %lld in %s: not the same model",
                           ql_str_text(&j->use), (long long)j->e.d[m], j->space.path,
                           (long long)j->known_e.d[m], j->a->reference);
    return space_same_model(&j->space, &j->reference, ql_str_text(&j->use));
}

static ql_status read_reference(job *j)
{
    static const space_args none = {0};
    if (!j->a->reference) return QL_OK;
    QL_TRY(space_open(&j->reference, &none, j->a->reference, run_of(j)));
    const char *use = ql_str_text(&j->use);
    QL_TRY(space_points(&j->reference, use, &j->known_points, NULL));
    QL_TRY(space_ensemble_read(&j->reference, &j->known_points, use, j->a->alone, &j->known_e));
    return check_spaces(j);
}

/* ---- the vote ---- */

static ql_status gather(const double *x, int64_t d, const int64_t *which, int64_t n, double **out,
                        ql_err *err)
{
    QL_TRY(QL_NEW(*out, n * d, "cells", err));
    for (int64_t i = 0; i < n; i++)
        memcpy(*out + i * d, x + which[i] * d, (size_t)d * sizeof **out);
    return QL_OK;
}

static ql_status vote(job *j, ql_vote_task *task, double **known, double **asked)
{
    const space_ensemble *from = known_space(j);
    ql_err *err = &run_of(j)->err;
    for (int m = 0; m < j->e.n; m++) {
        QL_TRY(gather(from->x[m], from->d[m], j->known_at, j->n_known, &known[m], err));
        QL_TRY(gather(j->e.x[m], j->e.d[m], j->asked_at, j->n_asked, &asked[m], err));
        task[m] = (ql_vote_task){.known = known[m],
                                 .n_known = j->n_known,
                                 .label = j->known_label,
                                 .n_labels = j->known.names.n,
                                 .asked = asked[m],
                                 .n_asked = j->n_asked,
                                 .d = j->e.d[m],
                                 .neighbours = j->a->neighbors,
                                 .threads = run_of(j)->threads};
    }
    QL_TRY(QL_NEW(j->label, j->n_asked, "labels", err));
    QL_TRY(QL_NEW(j->share, j->n_asked, "labels", err));
    const ql_vote_ensemble e = {task, j->e.n};
    return ql_vote_ensemble_run(&e, j->label, j->share, err);
}

static ql_status run_vote(job *j)
{
    ql_vote_task task[SPACE_MEMBERS_MOST];
    double *known[SPACE_MEMBERS_MOST] = {0}, *asked[SPACE_MEMBERS_MOST] = {0};
    ql_status st = vote(j, task, known, asked);
    for (int m = 0; m < SPACE_MEMBERS_MOST; m++) {
        ql_free(known[m]);
        ql_free(asked[m]);
    }
    if (st != QL_OK) return st;
    for (int64_t i = 0; i < j->n_asked; i++) j->n_assigned += j->share[i] >= j->a->threshold;
    ql_log_info(run_of(j)->log,
                "%lld cells with a label, %lld without: %lld of these are assigned, %lld stay %s",
                (long long)j->n_known, (long long)j->n_asked, (long long)j->n_assigned,
                (long long)(j->n_asked - j->n_assigned), j->a->unknown);
    ql_summary_int(run_of(j)->summary, "labelled", j->n_known);
    ql_summary_int(run_of(j)->summary, "classified", j->n_asked);
    ql_summary_int(run_of(j)->summary, "assigned", j->n_assigned);
    return QL_OK;
}

/* ---- where the truth is known ---- */

/* How often the labels are those of `truth`, of all cells that have one there and of those that are
 * not left unknown. */
static void compare_truth(job *j, const ql_labels *truth)
{
    int64_t right = 0, right_assigned = 0, assigned = 0;
    for (int64_t i = 0; i < j->n_asked; i++) {
        int32_t code = truth->code[j->points.cell[j->asked_at[i]]];
        if (code < 0) continue;
        const bool sure = j->share[i] >= j->a->threshold;
        const bool same =
            strcmp(ql_name(&truth->names, code), ql_name(&j->known.names, j->label[i])) == 0;
        j->n_true++;
        right += same;
        assigned += sure;
        right_assigned += same && sure;
    }
    if (j->n_true == 0) return;
    j->accuracy = (double)right / (double)j->n_true;
    j->accuracy_assigned = assigned > 0 ? (double)right_assigned / (double)assigned : NAN;
}

static ql_status score(job *j)
{
    ql_labels truth = {0};
    ql_run *run = run_of(j);
    if (!j->a->truth) return QL_OK;
    QL_TRY(space_labels(&j->space, j->a->truth, &truth));
    compare_truth(j, &truth);
    ql_labels_free(&truth);
    if (j->n_true == 0) {
        ql_log_warn(run->log, "obs/%s: no cell that was classified has a label there", j->a->truth);
        return QL_OK;
    }
    ql_log_info(run->log, "right: %.2f %% of %lld cells; of those not left %s %.2f %%",
                100 * j->accuracy, (long long)j->n_true, j->a->unknown, 100 * j->accuracy_assigned);
    ql_summary_double(run->summary, "accuracy", j->accuracy);
    ql_summary_double(run->summary, "accuracy_assigned", j->accuracy_assigned);
    return QL_OK;
}

/* ---- the results ---- */

/* Labels of all points: known ones are their own, with probability 1, and unknown a name more. */
static ql_status fill(const job *j, ql_labels *out, double *share)
{
    ql_err *err = &run_of(j)->err;
    const int64_t n = j->points.n;
    int64_t unknown = -1;
    *out = (ql_labels){.n = n};
    QL_TRY(ql_names_copy(&j->known.names, &out->names, err));
    QL_TRY(QL_NEW(out->code, n, "labels", err));
    for (int64_t k = 0; k < out->names.n; k++)
        if (strcmp(ql_name(&out->names, k), j->a->unknown) == 0) unknown = k;
    if (unknown < 0 && j->n_assigned < j->n_asked) {
        unknown = out->names.n;
        QL_TRY(ql_names_add(&out->names, j->a->unknown, strlen(j->a->unknown), err));
    }
    for (int64_t i = 0; !j->a->reference && i < n; i++) {
        out->code[i] = j->known.code[i];
        share[i] = 1;
    }
    for (int64_t i = 0; i < j->n_asked; i++) {
        const int64_t at = j->asked_at[i];
        share[at] = j->share[i];
        out->code[at] = j->share[i] >= j->a->threshold ? j->label[i] : (int32_t)unknown;
    }
    return QL_OK;
}

static ql_status write_columns(job *j)
{
    char name[300];
    ql_labels l = {0};
    double *share = NULL;
    ql_status st;
    QL_GO(QL_NEW(share, j->points.n, "probabilities", &run_of(j)->err));
    QL_GO(fill(j, &l, share));
    QL_GO(space_write_labels(&j->space, j->a->key, &l, &j->points));
    (void)snprintf(name, sizeof name, "%s_probability", j->a->key);
    QL_GO(space_write_numbers(&j->space, name, share, &j->points));
out:
    ql_labels_free(&l);
    ql_free(share);
    return st;
}

static ql_status write(job *j)
{
    space_job *s = &j->space;
    QL_TRY(write_columns(j));
    QL_TRY(space_write_record(s, ql_str_text(&j->use)));
    QL_TRY(space_record_int(s, "labelled", j->n_known));
    QL_TRY(space_record_int(s, "classified", j->n_asked));
    QL_TRY(space_record_int(s, "assigned", j->n_assigned));
    if (j->n_true > 0) QL_TRY(space_record_double(s, "accuracy", j->accuracy));
    if (j->n_true > 0 && isfinite(j->accuracy_assigned))
        QL_TRY(space_record_double(s, "accuracy_assigned", j->accuracy_assigned));
    return space_commit(s);
}

static ql_status work(job *j, ql_run *run)
{
    char label[300], share[300], record[300];
    const char *const claims[] = {label, share, NULL};
    const classify_args *a = j->a;
    (void)snprintf(label, sizeof label, "obs/%s", a->key);
    (void)snprintf(share, sizeof share, "obs/%s_probability", a->key);
    if (a->mask && a->reference)
        return ql_fail(&run->err, QL_EUSAGE, "--mask is of no use with --reference");
    QL_TRY(space_open(&j->space, &a->space, run->args[0], run));
    QL_TRY(space_points(&j->space, a->space.use, &j->points, &j->use));
    QL_TRY(space_ensemble_read(&j->space, &j->points, ql_str_text(&j->use), a->alone, &j->e));
    QL_TRY(read_reference(j));
    QL_TRY(read_known(j));
    QL_TRY(hide_masked(j));
    QL_TRY(part_cells(j));
    (void)snprintf(record, sizeof record, "classify/%s", a->key);
    QL_TRY(space_begin(&j->space, record, claims));
    QL_TRY(run_vote(j));
    QL_TRY(score(j));
    return write(j);
}

static ql_status classify_run(const void *args, ql_run *run)
{
    job j = {.a = args};
    ql_status st = work(&j, run);
    ql_free(j.known_at);
    ql_free(j.asked_at);
    ql_free(j.known_label);
    ql_free(j.label);
    ql_free(j.share);
    ql_labels_free(&j.known);
    space_ensemble_free(&j.e);
    space_ensemble_free(&j.known_e);
    ql_points_free(&j.points);
    ql_points_free(&j.known_points);
    ql_str_free(&j.use);
    space_close(&j.space);
    space_close(&j.reference);
    return st;
}

#define S classify_args
/* clang-format off */
static const ql_option classify_rows[] = {
    {.name = "labels", .letter = 'l', QL_STRING_AT(S, labels), .unit = "COLUMN", .group = "Input",
     .bits = QL_OPT_REQUIRED, .help = "column of obs with the labels that are known",
     .more = "Cells where it is empty are classified; with --reference it is a column there, and all "
             "cells of the input are."},
    {.name = "reference", .letter = 'r', QL_STRING_AT(S, reference), .unit = "FILE", .group = "Input",
     .bits = QL_OPT_VOLATILE, .unset = "the labelled cells of the input",
     .help = "an h5ad of labelled cells, in the same latent space",
     .more = "The same key of obsm, made by the same model: train on the reference, and quell apply to "
             "the input."},
    {.name = "mask", QL_STRING_AT(S, mask), .unit = "COLUMN", .group = "Input",
     .help = "boolean column: classify these cells, labelled or not",
     .more = "To see how right it is: mask some labelled cells, and give their labels as --truth."},
    {.name = "neighbors", .letter = 'k', QL_INT_AT(S, neighbors), .def = "10", .min = 1, .max = 10000,
     .group = "Method", .help = "nearest labelled cells that vote, by correlation"},
    {.name = "threshold", QL_DOUBLE_AT(S, threshold), .def = "0.5", .min = 0, .max = 1,
     .group = "Method", .help = "least share of the votes for a label to be given"},
    {.name = "alone", QL_FLAG_AT(S, alone), .group = "Method",
     .help = "leave the other spaces of an ensemble out"},
    {.name = "truth", QL_STRING_AT(S, truth), .unit = "COLUMN", .group = "Check",
     .help = "true labels: say how many are right"},
    {.name = "key", QL_STRING_AT(S, key), .unit = "NAME", .def = "quell_predicted", .group = "Output",
     .help = "column of obs to write; NAME_probability too"},
    {.name = "unknown", QL_STRING_AT(S, unknown), .unit = "NAME", .def = "unknown", .group = "Output",
     .help = "what a cell below the threshold is called"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static const ql_opt_table classify_tables[] = {
    {classify_rows, 0}, SPACE_TABLES(classify_args, space), {NULL, 0}};

static const ql_positional classify_positionals[] = {
    {"INPUT", "an h5ad with a latent space in obsm"},
    {NULL, NULL},
};

const ql_command ql_cmd_classify = {
    .name = "classify",
    .group = "After an embedding",
    .summary = "labels of known cells handed on to others",
    .positionals = classify_positionals,
    .examples = {{"quell classify half.h5ad -o all.h5ad --labels cell_type",
                  "cells without a cell_type get that of their nearest neighbours"},
                 {"quell classify patient.h5ad -o typed.h5ad -r atlas.h5ad -l cell_type",
                  "labels of an atlas for a patient's cells, both in the space of one model"}},
    .tables = classify_tables,
    QL_ARGS(classify_args),
    .run = classify_run,
};
