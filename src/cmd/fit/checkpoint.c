#include "checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../input/duration.h"
#include "checkpoint_seal.h"
#include "quell/bundle_h5.h"
#include "quell/fingerprint.h"
#include "quell/hash.h"
#include "quell/interrupt.h"

/* Of the states: to be raised when they change their meaning within one version. */
enum { STATE_FORMAT = 1 };

#define PREFIX "quell-"
#define SUFFIX ".checkpoint.h5"

static const char *const stage_names[N_CHECKPOINTS] = {
    [CHECKPOINT_FIT] = "fit",
    [CHECKPOINT_MCV] = "mcv",
};

#define S checkpoint_args
/* clang-format off */
const ql_option checkpoint_rows[] = {
    {.name = "checkpoint", QL_STRING_AT(S, dir), .unit = "DIR", .group = "Run",
     .bits = QL_OPT_VOLATILE, .help = "keep the state of the training in DIR, and go on from it",
     .more = "The same command started again goes on where the last one was stopped, with the same "
             "output, byte for byte. TERM, INT and USR2 keep the state before the program ends."},
    {.name = "checkpoint-every", QL_STRING_AT(S, every), .def = "10m", .unit = "TIME", .group = "Run",
     .level = QL_OPT_EXPERT, .bits = QL_OPT_VOLATILE,
     .help = "how often: 90s, 10m, 2h; 0: after every epoch"},
    {.name = "keep-checkpoint", QL_FLAG_AT(S, keep), .group = "Run", .level = QL_OPT_EXPERT,
     .bits = QL_OPT_VOLATILE, .help = "leave the finished training's state in DIR"},
    {.name = NULL},
};
/* clang-format on */
#undef S

/* ---- options ---- */

static ql_status make_folder(const char *dir, ql_err *err)
{
    struct stat sb;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return ql_fail(err, QL_ECREATE, "--checkpoint: %s: %s", dir, strerror(errno));
    if (stat(dir, &sb) != 0 || !S_ISDIR(sb.st_mode))
        return ql_fail(err, QL_ECREATE, "--checkpoint: %s is not a folder", dir);
    if (access(dir, R_OK | W_OK | X_OK) != 0)
        return ql_fail(err, QL_ECREATE, "--checkpoint: %s: %s", dir, strerror(errno));
    return QL_OK;
}

ql_status checkpoint_begin(checkpoint *c, const checkpoint_args *args, ql_run *run)
{
    *c = (checkpoint){.args = args, .run = run};
    if (args->every) QL_TRY(duration_read("checkpoint-every", args->every, &c->every, &run->err));
    return args->dir ? make_folder(args->dir, &run->err) : QL_OK;
}

void checkpoint_free(checkpoint *c)
{
    ql_str_free(&c->basis);
    for (int i = 0; i < c->n_files; i++) {
        ql_str_free(&c->file[i].key);
        ql_str_free(&c->file[i].path);
    }
}

/* ---- names ---- */

static bool decides_training(const ql_option *row)
{
    return !(row->bits & QL_OPT_VOLATILE) && strcmp(row->group, "Output") != 0;
}

ql_status checkpoint_name(checkpoint *c, const ql_rows *counts, const char *products)
{
    uint64_t code;
    if (!c->args->dir) return QL_OK;
    QL_TRY(ql_rows_fingerprint(counts, &code, &c->run->err));
    ql_str_printf(&c->basis, "quell %s %s, state %d, %lld x %lld counts, %lld not 0, fnv1a %016llx",
                  QL_VERSION, c->run->command->name, STATE_FORMAT, (long long)counts->n_rows,
                  (long long)counts->n_cols, (long long)counts->nnz, (unsigned long long)code);
    if (products) ql_str_printf(&c->basis, ", products by %s", products);
    ql_str_puts(&c->basis, ", ");
    ql_options_json_of(c->run->opts, decides_training, &c->basis);
    return c->basis.failed ? ql_fail(&c->run->err, QL_EMEMORY, "no memory for the checkpoint")
                           : QL_OK;
}

static const char *name_of(const checkpoint_file *f)
{
    return strrchr(ql_str_text(&f->path), '/') + 1;
}

static void name_file(checkpoint *c, checkpoint_file *f)
{
    ql_str_printf(&f->key, "%s from %016llx, %s", stage_names[f->stage],
                  (unsigned long long)f->origin, ql_str_text(&c->basis));
    const char *key = ql_str_text(&f->key);
    uint64_t name = ql_hash_bytes(QL_HASH_START, key, (int64_t)strlen(key));
    ql_str_printf(&f->path, "%s/" PREFIX "%016llx" SUFFIX, c->args->dir, (unsigned long long)name);
}

/* The file of a training, NULL when there is no room for it. */
static checkpoint_file *file_of(checkpoint_group *g, uint64_t origin)
{
    checkpoint *c = g->owner;
    for (int i = 0; i < c->n_files; i++)
        if (c->file[i].stage == g->stage && c->file[i].origin == origin) return &c->file[i];
    if (c->n_files == CHECKPOINT_FILES) return NULL;
    checkpoint_file *f = &c->file[c->n_files];
    *f = (checkpoint_file){.stage = g->stage, .origin = origin};
    name_file(c, f);
    if (f->key.failed || f->path.failed) {
        ql_str_free(&f->key);
        ql_str_free(&f->path);
        return NULL;
    }
    c->n_files++;
    return f;
}

/* Call found for each name in the folder. */
static void each_name(const char *dir, void (*found)(void *ctx, const char *name), void *ctx)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL) found(ctx, e->d_name);
    if (d) closedir(d);
}

typedef struct {
    const checkpoint *c;
    int others;
} census;

static void count_name(void *ctx, const char *name)
{
    census *n = ctx;
    size_t len = strlen(name), end = strlen(SUFFIX);
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || len < end) return;
    if (strcmp(name + len - end, SUFFIX) != 0) return;
    for (int i = 0; i < n->c->n_files; i++)
        if (strcmp(name, name_of(&n->c->file[i])) == 0) return;
    n->others++;
}

/* Somebody who expects to go on should read why that is not so. */
static void tell_others(checkpoint *c)
{
    census n = {.c = c};
    each_name(c->args->dir, count_name, &n);
    if (n.others > 0 && !c->told)
        ql_log_info(c->run->log,
                    "checkpoint: none of the %d in %s is of these counts, options and version: "
                    "training from the start",
                    n.others, c->args->dir);
    c->told = true;
}

/* ---- states ---- */

static ql_status read_state(const checkpoint_file *f, ql_bundle *state, ql_err *err)
{
    QL_TRY(ql_bundle_h5_read(ql_str_text(&f->path), state, err));
    return checkpoint_check_seal(state, ql_str_text(&f->key), err);
}

/* Whether there is a file. One that cannot be opened is not to be lost to a training that begins
 * anew. */
static ql_status look_for(const char *path, bool *there, ql_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *there = fd >= 0;
    if (fd < 0 && errno != ENOENT)
        return ql_fail(err, QL_ENOINPUT, "the checkpoint %s cannot be opened: %s", path,
                       strerror(errno));
    if (fd >= 0) close(fd);
    return QL_OK;
}

static ql_status load(void *ctx, uint64_t origin, ql_bundle *state, bool *found, ql_err *err)
{
    checkpoint_group *g = ctx;
    checkpoint_file *f = file_of(g, origin);
    ql_err why = {0};
    bool there;
    *found = false;
    g->owner->before = 0;
    if (!f) return QL_OK;
    QL_TRY(look_for(ql_str_text(&f->path), &there, err));
    if (!there) {
        tell_others(g->owner);
        return QL_OK;
    }
    ql_interrupt_hold(true);
    ql_status st = read_state(f, state, &why);
    ql_interrupt_hold(false);
    *found = st == QL_OK;
    if (st == QL_OK) return QL_OK;
    ql_bundle_free(state);
    if (st == QL_EMEMORY) return ql_fail(err, st, "%s", why.msg);
    ql_log_warn(g->owner->run->log, "the checkpoint is damaged and not used: %s", why.msg);
    return QL_OK;
}

/* A signal that has come must not stop the writing of what it asks for. */
static ql_status write_state(const checkpoint_group *g, const checkpoint_file *f, ql_bundle *state,
                             ql_err *err)
{
    const ql_bundle_write_options opt = {.force = true, .threads = g->owner->run->threads};
    QL_TRY(checkpoint_seal(state, ql_str_text(&f->key), err));
    ql_interrupt_hold(true);
    ql_status st = ql_bundle_h5_write(ql_str_text(&f->path), state, &opt, err);
    ql_interrupt_hold(false);
    return st;
}

static void save(void *ctx, uint64_t origin, ql_bundle *state)
{
    checkpoint_group *g = ctx;
    checkpoint_file *f = file_of(g, origin);
    ql_err err = {0};
    if (!f) return;
    bool failed = write_state(g, f, state, &err) != QL_OK;
    if (!failed) f->there = true;
    if (failed && !f->failed)
        ql_log_warn(g->owner->run->log,
                    "the checkpoint cannot be written, training goes on without: %s", err.msg);
    f->failed = failed;
}

static void resumed(void *ctx, uint64_t origin, const ql_train_point *at)
{
    checkpoint_group *g = ctx;
    checkpoint_file *f = file_of(g, origin);
    ql_logger *log = g->owner->run->log;
    if (!f) return;
    const char *path = ql_str_text(&f->path);
    f->there = true;
    g->owner->before = at->epochs;
    if (at->finished)
        ql_log_info(log, "checkpoint: the training is finished in %s (%lld epochs)", path,
                    (long long)at->epochs);
    else
        ql_log_info(log,
                    "checkpoint: going on from %s, after %lld epochs and %lld cells of the next",
                    path, (long long)at->epochs, (long long)at->cells);
}

const ql_train_keeper *checkpoint_keeper(checkpoint *c, checkpoint_stage stage)
{
    checkpoint_group *g = &c->group[stage];
    if (!c->args->dir) return NULL;
    *g = (checkpoint_group){c, stage, {c->every, load, save, resumed, g}};
    return &g->keeper;
}

/* ---- the end ---- */

typedef struct {
    const char *dir, *name;
} part;

/* What killed runs of this name left of files they were writing. */
static void remove_part(void *ctx, const char *name)
{
    const part *p = ctx;
    size_t n = strlen(p->name), len = strlen(name);
    ql_str path = {0};
    if (name[0] != '.' || strncmp(name + 1, p->name, n) != 0 || len < 4) return;
    if (strcmp(name + len - 4, ".tmp") != 0) return;
    ql_str_printf(&path, "%s/%s", p->dir, name);
    if (!path.failed) unlink(ql_str_text(&path));
    ql_str_free(&path);
}

static void remove_file(const checkpoint *c, checkpoint_file *f)
{
    part p = {c->args->dir, name_of(f)};
    if (!c->args->keep && unlink(ql_str_text(&f->path)) == 0) f->there = false;
    each_name(c->args->dir, remove_part, &p);
}

/* Failures after which the same command may succeed. */
static bool passing(ql_status st)
{
    return st == QL_EINT || st == QL_ETERM || st == QL_EIO || st == QL_ECREATE || st == QL_EMEMORY;
}

ql_status checkpoint_end(checkpoint *c, ql_status st)
{
    ql_err *err = &c->run->err;
    const char *path = NULL;
    for (int i = 0; i < c->n_files; i++) {
        if (st == QL_OK) remove_file(c, &c->file[i]);
        if (c->file[i].there) path = ql_str_text(&c->file[i].path);
    }
    if (path && passing(st) && !*err->hint)
        ql_hint(err, st, "the training is kept in %s: the same command goes on from there", path);
    return st;
}
