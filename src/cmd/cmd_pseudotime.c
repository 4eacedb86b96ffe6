/* quell pseudotime: how far each cell is along a process, from a start. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/consensus.h"
#include "quell/pseudotime.h"
#include "space/space_ensemble.h"

typedef struct {
    ql_common_args common;
    ql_seed_args seed;
    space_args space;
    const char *start_cell, *start_group, *key, *stages, *stage_order, *groups;
    bool alone, draw_in;
} pseudotime_args;

typedef struct {
    const pseudotime_args *a;
    space_job space;
    ql_points points;
    ql_str use;
    space_ensemble e;
    space_groups groups;
    ql_pseudotime_member *member; /* [e.n]; the first `members` count */
    int members, voter;
    int64_t start; /* point */
    double *time;  /* [points] */
    double r_squared;
    bool scored;
} job;

static ql_run *run_of(const job *j)
{
    return j->space.run;
}

/* ---- where to start ---- */

/* The point that a cell is; fails if it is none. */
static ql_status point_of_cell(const job *j, int64_t cell, int64_t *point)
{
    const ql_points *p = &j->points;
    for (int64_t i = 0; i < p->n; i++)
        if (p->cell[i] == cell) {
            *point = i;
            return QL_OK;
        }
    return ql_fail(&run_of(j)->err, QL_EDATA, "%s: cell '%s' has no place in obsm/%s",
                   j->space.path, ql_name(&j->space.cells, cell), ql_str_text(&j->use));
}

static const char *cell_at(const void *ctx, int i)
{
    const ql_names *cells = ctx;
    return i < cells->n ? ql_name(cells, i) : NULL;
}

static ql_status start_at_cell(job *j)
{
    ql_err *err = &run_of(j)->err;
    const ql_names *cells = &j->space.cells;
    for (int64_t i = 0; i < cells->n; i++)
        if (strcmp(ql_name(cells, i), j->a->start_cell) == 0) return point_of_cell(j, i, &j->start);
    ql_fail(err, QL_EDATA, "%s: no cell is named '%s'", j->space.path, j->a->start_cell);
    const char *near = ql_nearest(j->a->start_cell, cell_at, cells);
    return near ? ql_hint(err, QL_EDATA, "did you mean '%s'?", near) : QL_EDATA;
}

/* in [points]: cells with that label. */
static ql_status mark_group(job *j, const char *column, const char *value, uint8_t *in)
{
    ql_labels l = {0};
    int64_t found = 0, code = -1;
    ql_err *err = &run_of(j)->err;
    QL_TRY(space_labels(&j->space, column, &l));
    for (int64_t k = 0; k < l.names.n; k++)
        if (strcmp(ql_name(&l.names, k), value) == 0) code = k;
    for (int64_t i = 0; i < j->points.n; i++) {
        in[i] = code >= 0 && l.code[j->points.cell[i]] == code;
        found += in[i];
    }
    ql_status st = QL_OK;
    if (found == 0) {
        const char *near = code < 0 ? ql_nearest(value, cell_at, &l.names) : NULL;
        st = ql_fail(err, QL_EDATA, "%s: obs/%s: no cell with a place in the space is '%s'",
                     j->space.path, column, value);
        if (near) st = ql_hint(err, st, "did you mean '%s'?", near);
    }
    ql_labels_free(&l);
    return st;
}

static ql_status start_at_group(job *j)
{
    ql_err *err = &run_of(j)->err;
    char *text;
    uint8_t *in = NULL;
    const char *equals = strchr(j->a->start_group, '=');
    if (!equals || equals == j->a->start_group)
        return ql_fail(err, QL_EUSAGE, "--start-group %s: COLUMN=VALUE is wanted",
                       j->a->start_group);
    QL_TRY(ql_text_copy(j->a->start_group, &text, err));
    text[equals - j->a->start_group] = '\0';
    ql_status st = QL_NEW(in, j->points.n, "the start", err);
    if (st == QL_OK) st = mark_group(j, text, equals + 1, in);
    const int m = j->e.shown >= 0 ? j->e.shown : 0;
    if (st == QL_OK) st = ql_central_cell(j->e.x[m], j->points.n, j->e.d[m], in, &j->start, err);
    ql_free(in);
    ql_free(text);
    return st;
}

static ql_status find_start(job *j)
{
    QL_TRY(j->a->start_cell ? start_at_cell(j) : start_at_group(j));
    ql_log_info(run_of(j)->log, "starts at cell %s",
                ql_name(&j->space.cells, j->points.cell[j->start]));
    return QL_OK;
}

/* ---- which spaces count ---- */

/* Groups named by a column hold for every member; cells without a label are a group. */
static ql_status take_groups(job *j)
{
    ql_labels l = {0};
    ql_err *err = &run_of(j)->err;
    const int64_t n = j->points.n;
    ql_status st;
    QL_GO(space_labels(&j->space, j->a->groups, &l));
    QL_GO(QL_NEW(j->groups.label, n * j->e.n, "groups", err));
    QL_GO(QL_NEW(j->groups.groups, j->e.n, "groups", err));
    for (int m = 0; m < j->e.n; m++) {
        j->groups.groups[m] = l.names.n + 1;
        for (int64_t i = 0; i < n; i++) {
            int32_t code = l.code[j->points.cell[i]];
            j->groups.label[m * n + i] = code >= 0 ? code : (int32_t)l.names.n;
        }
    }
out:
    ql_labels_free(&l);
    return st;
}

static void add_member(job *j, int m)
{
    const int64_t n = j->points.n;
    j->member[j->members++] =
        (ql_pseudotime_member){.x = j->e.x[m],
                               .d = j->e.d[m],
                               .group = j->a->draw_in ? j->groups.label + m * n : NULL,
                               .n_groups = j->a->draw_in ? j->groups.groups[m] : 0};
}

/* Members whose own clustering agrees with the consensus of all. */
static void keep_members(job *j, const ql_consensus *c)
{
    static const double bounds[] = {0.75, 0.5};
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds && j->members == 0; b++)
        for (int m = 0; m < j->e.n; m++) {
            if (c->agreement[m] <= bounds[b]) continue;
            if (m == c->best) j->voter = j->members;
            add_member(j, m);
        }
    if (j->members == 0) add_member(j, c->best);
    if (j->members < j->e.n)
        ql_log_info(run_of(j)->log,
                    "%d of %d spaces count: those whose clusters agree with all of them",
                    j->members, j->e.n);
}

static ql_status choose_members(job *j)
{
    ql_err *err = &run_of(j)->err;
    ql_consensus c;
    const uint64_t seed = (uint64_t)j->a->seed.seed;
    QL_TRY(QL_NEW(j->member, j->e.n, "spaces", err));
    if (j->a->groups)
        QL_TRY(take_groups(j));
    else if (j->a->draw_in || j->e.n > 1)
        QL_TRY(space_ensemble_cluster(&j->space, &j->e, &(space_way){.seed = seed}, &j->groups));
    if (j->e.n == 1 || j->a->groups) {
        for (int m = 0; m < j->e.n; m++) add_member(j, m);
        return QL_OK;
    }
    const ql_consensus_task task = {j->points.n,      j->e.n, j->groups.label,
                                    j->groups.groups, seed,   run_of(j)->threads};
    QL_TRY(ql_consensus_make(&task, &c, err));
    keep_members(j, &c);
    ql_consensus_free(&c);
    return QL_OK;
}

/* ---- known stages ---- */

/* Place of a label in a list "a,b,c"; -1: it is not in it. */
static int place_in_list(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (int i = 0; list; i++) {
        const char *comma = strchr(list, ',');
        size_t len = comma ? (size_t)(comma - list) : strlen(list);
        if (len == n && strncmp(list, name, n) == 0) return i;
        list = comma ? comma + 1 : NULL;
    }
    return -1;
}

/* The place of a stage among the others in natural order, or what its name says as a number where
 * all do. */
static double stage_number(const job *j, const ql_labels *l, bool numeric, int32_t code)
{
    if (code < 0) return NAN;
    const char *name = ql_name(&l->names, code);
    if (numeric) return strtod(name, NULL);
    if (!j->a->stage_order) return (double)code;
    int place = place_in_list(j->a->stage_order, name);
    return place < 0 ? NAN : (double)place;
}

static bool all_numbers(const ql_names *names)
{
    for (int64_t i = 0; i < names->n; i++) {
        char *end;
        double x = strtod(ql_name(names, i), &end);
        if (end == ql_name(names, i) || *end || !isfinite(x)) return false;
    }
    return names->n > 0;
}

static ql_status score_stages(job *j)
{
    ql_labels l = {0};
    double *stage = NULL;
    ql_status st;
    ql_run *run = run_of(j);
    const ql_points *p = &j->points;
    if (!j->a->stages) return QL_OK;
    QL_GO(space_labels(&j->space, j->a->stages, &l));
    QL_GO(QL_NEW(stage, p->n, "stages", &run->err));
    const bool numeric = !j->a->stage_order && all_numbers(&l.names);
    for (int64_t i = 0; i < p->n; i++) stage[i] = stage_number(j, &l, numeric, l.code[p->cell[i]]);
    j->r_squared = ql_r_squared(j->time, stage, p->n);
    j->scored = isfinite(j->r_squared);
    if (j->scored)
        ql_log_info(run->log, "R2 with obs/%s: %.4f", j->a->stages, j->r_squared);
    else
        ql_log_warn(run->log, "obs/%s: no two stages, so no R2", j->a->stages);
    if (j->scored) ql_summary_double(run->summary, "r_squared", j->r_squared);
out:
    ql_labels_free(&l);
    ql_free(stage);
    return st;
}

/* ---- the command ---- */

static ql_status compute(job *j)
{
    ql_run *run = run_of(j);
    const int64_t n = j->points.n;
    QL_TRY(QL_NEW(j->time, n, "pseudotime", &run->err));
    QL_TRY(choose_members(j));
    const ql_pseudotime_task task = {.n = n,
                                     .member = j->member,
                                     .members = j->members,
                                     .voter = j->voter,
                                     .start = j->start,
                                     .seed = (uint64_t)j->a->seed.seed,
                                     .threads = run->threads};
    if (n > QL_PSEUDOTIME_DIRECT)
        ql_log_info(run->log, "more than %d cells: a sample makes the trees, the others follow",
                    QL_PSEUDOTIME_DIRECT);
    QL_TRY(ql_pseudotime(&task, j->time, &run->err));
    return score_stages(j);
}

static ql_status write(job *j)
{
    space_job *s = &j->space;
    QL_TRY(space_write_numbers(s, j->a->key, j->time, &j->points));
    QL_TRY(space_write_record(s, ql_str_text(&j->use)));
    QL_TRY(space_record_string(s, "start_cell", ql_name(&s->cells, j->points.cell[j->start])));
    QL_TRY(space_record_int(s, "spaces", j->members));
    if (j->scored) QL_TRY(space_record_double(s, "r_squared", j->r_squared));
    return space_commit(s);
}

static ql_status check(const pseudotime_args *a, ql_run *run)
{
    if (!a->start_cell == !a->start_group) {
        ql_fail(&run->err, QL_EUSAGE, "%s",
                a->start_cell ? "--start-cell and --start-group exclude each other"
                              : "where the process starts is not said");
        return ql_hint(&run->err, QL_EUSAGE,
                       "as in --start-group cell_type=HSC, or --start-cell NAME");
    }
    if (a->stage_order && !a->stages)
        return ql_fail(&run->err, QL_EUSAGE, "--stage-order is of no use without --stages");
    return QL_OK;
}

static ql_status work(job *j, ql_run *run)
{
    char claim[300], record[300];
    const char *const claims[] = {claim, NULL};
    QL_TRY(check(j->a, run));
    QL_TRY(space_open(&j->space, &j->a->space, run->args[0], run));
    QL_TRY(space_points(&j->space, j->a->space.use, &j->points, &j->use));
    QL_TRY(space_ensemble_read(&j->space, &j->points, ql_str_text(&j->use), j->a->alone, &j->e));
    QL_TRY(find_start(j));
    (void)snprintf(claim, sizeof claim, "obs/%s", j->a->key);
    (void)snprintf(record, sizeof record, "pseudotime/%s", j->a->key);
    QL_TRY(space_begin(&j->space, record, claims));
    QL_TRY(compute(j));
    return write(j);
}

static ql_status pseudotime_run(const void *args, ql_run *run)
{
    job j = {.a = args};
    ql_status st = work(&j, run);
    ql_free(j.time);
    ql_free(j.member);
    space_groups_free(&j.groups);
    space_ensemble_free(&j.e);
    ql_points_free(&j.points);
    ql_str_free(&j.use);
    space_close(&j.space);
    return st;
}

#define S pseudotime_args
/* clang-format off */
static const ql_option pseudotime_rows[] = {
    {.name = "start-cell", QL_STRING_AT(S, start_cell), .unit = "NAME", .group = "Start",
     .help = "the cell that the process starts from"},
    {.name = "start-group", QL_STRING_AT(S, start_group), .unit = "COLUMN=VALUE", .group = "Start",
     .help = "start from the most central cell of this group",
     .more = "The group's cell whose coordinates correlate most with the mean direction of the group."},
    {.name = "alone", QL_FLAG_AT(S, alone), .group = "Method",
     .help = "leave the other spaces of an ensemble out"},
    {.name = "groups", QL_STRING_AT(S, groups), .unit = "COLUMN", .unset = "clusters of the space",
     .group = "Method", .help = "groups within which times are drawn in"},
    {.name = "draw-in", QL_FLAG_AT(S, draw_in), .def = "yes", .group = "Method",
     .help = "draw the times of a group in to its quartiles",
     .more = "scDHA's way to keep long branches of the tree from stretching a group."},
    {.name = "stages", QL_STRING_AT(S, stages), .unit = "COLUMN", .group = "Check",
     .help = "known stages: say R2 with them",
     .more = "Stages count as numbers where all are, otherwise 0, 1, 2, ... in natural order of their "
             "names or in that of --stage-order."},
    {.name = "stage-order", QL_STRING_AT(S, stage_order), .unit = "NAME,NAME,...", .group = "Check",
     .unset = "natural order", .help = "order of the stages; others are left out of R2"},
    {.name = "key", QL_STRING_AT(S, key), .unit = "NAME", .def = "quell_pseudotime",
     .group = "Output", .help = "column of obs to write"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static const ql_opt_table pseudotime_tables[] = {{pseudotime_rows, 0},
                                                 SPACE_TABLES(pseudotime_args, space),
                                                 {ql_seed_rows, offsetof(pseudotime_args, seed)},
                                                 {NULL, 0}};

static const ql_positional pseudotime_positionals[] = {
    {"INPUT", "an h5ad with a latent space in obsm"},
    {NULL, NULL},
};

const ql_command ql_cmd_pseudotime = {
    .name = "pseudotime",
    .group = "After an embedding",
    .summary = "how far cells are along a process, from a start",
    .positionals = pseudotime_positionals,
    .examples = {{"quell pseudotime blood.h5ad -o time.h5ad --start-group cell_type=HSC",
                  "obs/quell_pseudotime, from the most central stem cell"},
                 {"quell pseudotime embryo.h5ad -o t.h5ad --start-cell E3.1 --stages day",
                  "from one cell; and how well the times follow the days known"}},
    .tables = pseudotime_tables,
    QL_ARGS(pseudotime_args),
    .run = pseudotime_run,
};
