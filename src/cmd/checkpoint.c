#include "checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static ql_status read_duration(const char *text, double *seconds, ql_err *err)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
    size_t digits = strspn(text, "0123456789.");
    char *end = NULL;
    double value = digits > 0 ? strtod(text, &end) : NAN;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        *seconds = value * units[i].seconds;
        if (end == text + digits && !strcmp(end, units[i].unit) && *seconds <= 1e9) return QL_OK;
    }
    ql_fail(err, QL_EUSAGE, "--checkpoint-every: '%s' is no time", text);
    return ql_hint(err, "such as 90s, 10m or 2h; 0 for every epoch");
}

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
    QL_TRY(read_duration(args->every, &c->every, &run->err));
    return args->dir ? make_folder(args->dir, &run->err) : QL_OK;
}

void checkpoint_free(checkpoint *c)
{
    for (int i = 0; i < N_CHECKPOINTS; i++) {
        ql_str_free(&c->file[i].key);
        ql_str_free(&c->file[i].path);
    }
}

/* ---- names ---- */

static bool decides_training(const ql_option *row)
{
    return !(row->bits & QL_OPT_VOLATILE) && strcmp(row->group, "Output") != 0;
}

static const char *name_of(const checkpoint_file *f)
{
    return strrchr(ql_str_text(&f->path), '/') + 1;
}

static ql_status name_file(checkpoint *c, checkpoint_stage stage, const ql_rows *counts,
                           uint64_t code, const char *products)
{
    checkpoint_file *f = &c->file[stage];
    f->owner = c;
    ql_str_printf(&f->key,
                  "quell %s, state %d, %s of %lld x %lld counts, %lld not 0, fnv1a %016llx",
                  QL_VERSION, STATE_FORMAT, stage_names[stage], (long long)counts->n_rows,
                  (long long)counts->n_cols, (long long)counts->nnz, (unsigned long long)code);
    if (products) ql_str_printf(&f->key, ", products by %s", products);
    ql_str_puts(&f->key, ", ");
    ql_options_json_of(c->run->opts, decides_training, &f->key);
    const char *key = ql_str_text(&f->key);
    uint64_t name = ql_hash_bytes(QL_HASH_START, key, (int64_t)strlen(key));
    ql_str_printf(&f->path, "%s/" PREFIX "%016llx" SUFFIX, c->args->dir, (unsigned long long)name);
    if (f->key.failed || f->path.failed)
        return ql_fail(&c->run->err, QL_EMEMORY, "no memory for the name of the checkpoint");
    return QL_OK;
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
    int ours, others;
} census;

static void count_name(void *ctx, const char *name)
{
    census *n = ctx;
    size_t len = strlen(name), end = strlen(SUFFIX);
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || len < end) return;
    if (strcmp(name + len - end, SUFFIX) != 0) return;
    for (int i = 0; i < N_CHECKPOINTS; i++) {
        if (strcmp(name, name_of(&n->c->file[i])) != 0) continue;
        n->ours++;
        return;
    }
    n->others++;
}

/* Somebody who expects to go on should read why that is not so. */
static void tell_names(const checkpoint *c)
{
    census n = {.c = c};
    each_name(c->args->dir, count_name, &n);
    if (n.ours == 0 && n.others > 0)
        ql_log_info(c->run->log,
                    "checkpoint: none of the %d in %s is of these counts, options and version: "
                    "training from the start",
                    n.others, c->args->dir);
    ql_log_debug(c->run->log, "checkpoint: %s", ql_str_text(&c->file[CHECKPOINT_FIT].path));
}

ql_status checkpoint_name(checkpoint *c, const ql_rows *counts, const char *products)
{
    uint64_t code;
    if (!c->args->dir) return QL_OK;
    QL_TRY(ql_rows_fingerprint(counts, &code, &c->run->err));
    for (int i = 0; i < N_CHECKPOINTS; i++)
        QL_TRY(name_file(c, (checkpoint_stage)i, counts, code, products));
    tell_names(c);
    return QL_OK;
}

/* ---- states ---- */

static ql_status read_state(const checkpoint_file *f, ql_bundle *state, ql_err *err)
{
    QL_TRY(ql_bundle_h5_read(ql_str_text(&f->path), state, err));
    return checkpoint_check_seal(state, ql_str_text(&f->key), err);
}

/* Only a file that is damaged is passed over: where it cannot be read, for whatever reason, it is
 * not to be lost to a training that begins anew. */
static ql_status load(void *ctx, ql_bundle *state, bool *found, ql_err *err)
{
    checkpoint_file *f = ctx;
    const char *path = ql_str_text(&f->path);
    ql_err why = {0};
    *found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return QL_OK;
    if (fd < 0)
        return ql_fail(err, QL_ENOINPUT, "the checkpoint %s cannot be opened: %s", path,
                       strerror(errno));
    close(fd);
    ql_interrupt_hold(true);
    ql_status st = read_state(f, state, &why);
    ql_interrupt_hold(false);
    *found = st == QL_OK;
    if (st == QL_OK) return QL_OK;
    ql_bundle_free(state);
    if (st == QL_EMEMORY) {
        *err = why;
        return st;
    }
    ql_log_warn(f->owner->run->log, "the checkpoint is damaged and not used: %s", why.msg);
    return QL_OK;
}

/* A signal that has come must not stop the writing of what it asks for. */
static void save(void *ctx, ql_bundle *state)
{
    checkpoint_file *f = ctx;
    const ql_bundle_write_options opt = {.force = true, .threads = f->owner->run->threads};
    ql_log *log = f->owner->run->log;
    ql_err err = {0};
    ql_status st = checkpoint_seal(state, ql_str_text(&f->key), &err);
    ql_interrupt_hold(true);
    if (st == QL_OK) st = ql_bundle_h5_write(ql_str_text(&f->path), state, &opt, &err);
    ql_interrupt_hold(false);
    if (st == QL_OK) f->there = true;
    if (st != QL_OK && !f->failed)
        ql_log_warn(log, "the checkpoint cannot be written, training goes on without: %s", err.msg);
    f->failed = st != QL_OK;
}

static void resumed(void *ctx, int64_t epochs, int64_t cells, bool finished)
{
    checkpoint_file *f = ctx;
    const char *path = ql_str_text(&f->path);
    ql_log *log = f->owner->run->log;
    f->there = true;
    if (finished)
        ql_log_info(log, "checkpoint: the training is finished in %s (%lld epochs)", path,
                    (long long)epochs);
    else
        ql_log_info(log,
                    "checkpoint: going on from %s, after %lld epochs and %lld cells of the next",
                    path, (long long)epochs, (long long)cells);
}

const ql_train_keeper *checkpoint_keeper(checkpoint *c, checkpoint_stage stage)
{
    checkpoint_file *f = &c->file[stage];
    if (!c->args->dir) return NULL;
    f->keeper = (ql_train_keeper){
        .every = c->every, .load = load, .save = save, .resumed = resumed, .ctx = f};
    return &f->keeper;
}

/* ---- the end ---- */

/* What killed runs of this name left of files they were writing. */
static void remove_part(void *ctx, const char *name)
{
    const checkpoint_file *f = ctx;
    const char *own = name_of(f), *dir = f->owner->args->dir;
    size_t n = strlen(own), len = strlen(name);
    ql_str path = {0};
    if (name[0] != '.' || strncmp(name + 1, own, n) != 0 || len < 4) return;
    if (strcmp(name + len - 4, ".tmp") != 0) return;
    ql_str_printf(&path, "%s/%s", dir, name);
    if (!path.failed) unlink(ql_str_text(&path));
    ql_str_free(&path);
}

static void remove_file(checkpoint_file *f)
{
    if (!f->owner) return;
    if (!f->owner->args->keep && unlink(ql_str_text(&f->path)) == 0) f->there = false;
    each_name(f->owner->args->dir, remove_part, f);
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
    for (int i = 0; i < N_CHECKPOINTS; i++) {
        if (st == QL_OK) remove_file(&c->file[i]);
        if (!path && c->file[i].there) path = ql_str_text(&c->file[i].path);
    }
    if (path && passing(st) && !*err->hint)
        ql_hint(err, "the training is kept in %s: the same command goes on from there", path);
    return st;
}
