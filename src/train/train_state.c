#include "train_state.h"

#include <stddef.h>
#include <string.h>

#include "quell/hash.h"

const char *const ql_train_ends[] = {"epochs done", "no better validation", NULL};

/* ---- numbers ---- */

typedef struct {
    int64_t origin, finished, ended, epochs, best_epoch, restarts, at, step;
    int64_t wait[QL_N_PATIENCE], seen[QL_N_PATIENCE];
    double loss, rate, power1, power2, lowest[QL_N_PATIENCE];
} numbers;

static const struct {
    const char *name;
    size_t offset;
    int64_t least;
} wholes[] = {
    {"origin", offsetof(numbers, origin), INT64_MIN},
    {"finished", offsetof(numbers, finished), 0},
    {"ended", offsetof(numbers, ended), 0},
    {"epochs", offsetof(numbers, epochs), 0},
    {"best_epoch", offsetof(numbers, best_epoch), 0},
    {"restarts", offsetof(numbers, restarts), 0},
    {"cells", offsetof(numbers, at), 0},
    {"step", offsetof(numbers, step), 0},
    {"best/wait", offsetof(numbers, wait[0]), 0},
    {"stop/wait", offsetof(numbers, wait[1]), 0},
    {"plateau/wait", offsetof(numbers, wait[2]), 0},
    {"best/seen", offsetof(numbers, seen[0]), 0},
    {"stop/seen", offsetof(numbers, seen[1]), 0},
    {"plateau/seen", offsetof(numbers, seen[2]), 0},
};

static const struct {
    const char *name;
    size_t offset;
} doubles[] = {
    {"loss", offsetof(numbers, loss)},
    {"optimizer/rate", offsetof(numbers, rate)},
    {"optimizer/power1", offsetof(numbers, power1)},
    {"optimizer/power2", offsetof(numbers, power2)},
    {"best/lowest", offsetof(numbers, lowest[0])},
    {"stop/lowest", offsetof(numbers, lowest[1])},
    {"plateau/lowest", offsetof(numbers, lowest[2])},
};

enum { N_WHOLES = sizeof wholes / sizeof *wholes, N_DOUBLES = sizeof doubles / sizeof *doubles };

static int64_t *whole_at(numbers *n, int i)
{
    return (int64_t *)(void *)((char *)n + wholes[i].offset);
}

static double *double_at(numbers *n, int i)
{
    return (double *)(void *)((char *)n + doubles[i].offset);
}

static int64_t number_of_end(const char *text)
{
    int64_t i = 0;
    while (ql_train_ends[i] && (!text || strcmp(ql_train_ends[i], text) != 0)) i++;
    return ql_train_ends[i] ? i : 0;
}

static numbers numbers_of(const ql_train_state *s)
{
    numbers n = {.origin = (int64_t)s->origin,
                 .finished = *s->finished,
                 .ended = number_of_end(s->result->stopped),
                 .epochs = s->result->n_epochs,
                 .best_epoch = s->result->best,
                 .restarts = s->result->restarts,
                 .at = s->progress->at,
                 .step = (int64_t)s->ae->step,
                 .loss = s->progress->loss,
                 .rate = s->ae->opt.rate,
                 .power1 = s->ae->opt.power1,
                 .power2 = s->ae->opt.power2};
    for (int i = 0; i < QL_N_PATIENCE; i++) {
        n.wait[i] = s->patience[i]->wait;
        n.seen[i] = s->patience[i]->seen;
        n.lowest[i] = s->patience[i]->best;
    }
    return n;
}

static void set_numbers(const ql_train_state *s, const numbers *n)
{
    *s->finished = n->finished != 0;
    s->result->stopped = ql_train_ends[n->ended];
    s->result->n_epochs = n->epochs;
    s->result->best = n->best_epoch;
    s->result->restarts = (int)n->restarts;
    *s->progress = (ql_ae_progress){n->at, n->loss};
    s->ae->step = (uint64_t)n->step;
    s->ae->opt.rate = n->rate;
    s->ae->opt.power1 = n->power1;
    s->ae->opt.power2 = n->power2;
    for (int i = 0; i < QL_N_PATIENCE; i++) {
        s->patience[i]->wait = n->wait[i];
        s->patience[i]->seen = n->seen[i] != 0;
        s->patience[i]->best = n->lowest[i];
    }
}

static ql_status read_numbers(const ql_bundle *b, numbers *n, ql_err *err)
{
    for (int i = 0; i < N_WHOLES; i++)
        QL_TRY(ql_bundle_int(b, wholes[i].name, wholes[i].least, INT64_MAX, whole_at(n, i), err));
    for (int i = 0; i < N_DOUBLES; i++)
        QL_TRY(ql_bundle_double(b, doubles[i].name, double_at(n, i), err));
    return QL_OK;
}

/* Numbers that index something must fit it, whatever the checksum says. */
static ql_status check_numbers(const ql_train_state *s, const numbers *n, ql_err *err)
{
    if (n->origin != (int64_t)s->origin)
        return ql_fail(err, QL_EDATA, "it began with other weights or cells");
    bool fits = n->epochs <= s->max_epochs && n->at <= s->n_train && n->restarts <= INT32_MAX &&
                n->best_epoch <= (n->epochs > 0 ? n->epochs - 1 : 0) &&
                n->ended <= number_of_end(ql_train_ends[1]);
    return fits ? QL_OK : ql_fail(err, QL_EDATA, "its numbers contradict each other");
}

/* ---- arrays ---- */

enum { MOST_ARRAYS = 5, EPOCH_NUMBERS = sizeof(ql_epoch) / sizeof(double) };

typedef struct {
    const char *name;
    ql_array a;
    void *values; /* where they belong */
} state_array;

static ql_array block_of(const ql_train_state *s, const ql_real *values)
{
    return (ql_array){sizeof(ql_real) == sizeof(float) ? QL_ELEM_F32 : QL_ELEM_F64,
                      s->ae->params.size, -1, values};
}

/* The arrays of a state with so many epochs; returns how many there are. */
static int arrays_of(const ql_train_state *s, int64_t epochs, bool finished,
                     state_array list[MOST_ARRAYS])
{
    const ql_params *p = &s->ae->params;
    const struct {
        const char *name;
        ql_real *values;
    } blocks[] = {{"weights", p->w},
                  {"best/weights", finished ? NULL : s->best},
                  {"optimizer/first", finished ? NULL : p->m},
                  {"optimizer/second", finished ? NULL : p->v}};
    int n = 0;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (blocks[i].values)
            list[n++] =
                (state_array){blocks[i].name, block_of(s, blocks[i].values), blocks[i].values};
    list[n++] = (state_array){
        "history", {QL_ELEM_F64, epochs, EPOCH_NUMBERS, s->result->history}, s->result->history};
    return n;
}

/* ---- the whole ---- */

ql_status ql_train_state_put(const ql_train_state *s, ql_bundle *b, ql_err *err)
{
    state_array list[MOST_ARRAYS];
    numbers n = numbers_of(s);
    int n_arrays = arrays_of(s, n.epochs, n.finished != 0, list);
    for (int i = 0; i < N_WHOLES; i++)
        QL_TRY(ql_bundle_put_int(b, wholes[i].name, *whole_at(&n, i), err));
    for (int i = 0; i < N_DOUBLES; i++)
        QL_TRY(ql_bundle_put_double(b, doubles[i].name, *double_at(&n, i), err));
    for (int i = 0; i < n_arrays; i++)
        QL_TRY(ql_bundle_lend_array(b, list[i].name, list[i].a, err));
    return QL_OK;
}

ql_status ql_train_state_take(const ql_train_state *s, const ql_bundle *b, ql_err *err)
{
    state_array list[MOST_ARRAYS];
    ql_array there;
    numbers n = {0};
    QL_TRY(read_numbers(b, &n, err));
    QL_TRY(check_numbers(s, &n, err));
    int n_arrays = arrays_of(s, n.epochs, n.finished != 0, list);
    for (int i = 0; i < n_arrays; i++)
        QL_TRY(ql_bundle_array(b, list[i].name, list[i].a, &there, err));
    for (int i = 0; i < n_arrays; i++)
        QL_TRY(ql_bundle_load(b, list[i].name, list[i].a, list[i].values, err));
    set_numbers(s, &n);
    return QL_OK;
}

/* What the training cells are told to be, where the model wants to know. */
static uint64_t hash_covariates(uint64_t h, const ql_ae *ae, const ql_split *split)
{
    const int64_t width = ql_cov_width(&ae->cfg.vae.cov);
    if (!ae->cov.value) return h;
    for (int64_t i = 0; i < split->n_train; i++) {
        float row[QL_COV_MOST];
        ql_cov_row(&ae->cov, width, split->train[i], row);
        h = ql_hash_bytes(h, row, width * (int64_t)sizeof *row);
    }
    return h;
}

uint64_t ql_train_origin(const ql_ae *ae, const ql_split *split, const ql_train_options *opt)
{
    const int64_t bytes = (int64_t)sizeof(int64_t);
    uint64_t h = ql_hash_word(QL_HASH_START, (uint64_t)opt->batch_size);
    h = ql_hash_bytes(h, ae->params.w, ae->params.size * (int64_t)sizeof *ae->params.w);
    if (ae->map.place)
        h = ql_hash_bytes(h, ae->map.place, ae->n_genes * (int64_t)sizeof *ae->map.place);
    h = hash_covariates(h, ae, split);
    h = ql_hash_bytes(h, split->train, split->n_train * bytes);
    return ql_hash_bytes(h, split->valid, split->n_valid * bytes);
}
