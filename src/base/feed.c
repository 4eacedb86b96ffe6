#include "quell/feed.h"

#include <pthread.h>

#include "quell/parallel.h"

/* Slots a thread: enough to bridge the time in which the feeding thread works on an item. */
enum { A_THREAD = 4 };

typedef struct {
    const ql_feed *feed;
    pthread_mutex_t lock;
    pthread_cond_t more; /* something waits, or nothing will come any more */
    int64_t next, end;   /* to fetch; where it ends */
    int n_free, free[QL_FEED_SLOTS];
    int64_t n_taken, n_put; /* since the start; what waits is between them */
    struct {
        int64_t item;
        int slot;
    } waiting[QL_FEED_SLOTS]; /* a ring */
} state;

int ql_feed_slots(int n_threads, int64_t room)
{
    if (n_threads < 1) n_threads = 1;
    if (n_threads > QL_FEED_SLOTS / A_THREAD) n_threads = QL_FEED_SLOTS / A_THREAD;
    if (room < n_threads) return n_threads;
    return room < n_threads * A_THREAD ? (int)room : n_threads * A_THREAD;
}

/* The lock is held on entry and on return of all of these. */

static void fetch_one(state *s)
{
    int64_t item = s->next++;
    int slot = s->free[--s->n_free];
    pthread_mutex_unlock(&s->lock);
    bool ok = s->feed->fetch(s->feed->ctx, item, slot);
    pthread_mutex_lock(&s->lock);
    if (ok) {
        s->waiting[s->n_put % QL_FEED_SLOTS].item = item;
        s->waiting[s->n_put++ % QL_FEED_SLOTS].slot = slot;
    } else {
        s->next = s->end = item;
        s->free[s->n_free++] = slot;
    }
    if (ok && s->next < s->end)
        pthread_cond_signal(&s->more);
    else
        pthread_cond_broadcast(&s->more);
}

static void work_on_one(state *s, int rank)
{
    int64_t item = s->waiting[s->n_taken % QL_FEED_SLOTS].item;
    int slot = s->waiting[s->n_taken++ % QL_FEED_SLOTS].slot;
    pthread_mutex_unlock(&s->lock);
    s->feed->work(s->feed->ctx, item, slot, rank);
    pthread_mutex_lock(&s->lock);
    s->free[s->n_free++] = slot;
}

/* There are as many slots as threads, so while this one has none in work, one is free or waits. */
static void feed_all(state *s)
{
    for (;;) {
        if (s->next < s->end && s->n_free > 0)
            fetch_one(s);
        else if (s->n_taken < s->n_put)
            work_on_one(s, 0);
        else
            return;
    }
}

static void help(state *s, int rank)
{
    for (;;) {
        if (s->n_taken < s->n_put)
            work_on_one(s, rank);
        else if (s->next < s->end)
            pthread_cond_wait(&s->more, &s->lock);
        else
            return;
    }
}

static void run_rank(void *ctx, ql_team *team, int rank)
{
    state *s = ctx;
    (void)team;
    pthread_mutex_lock(&s->lock);
    if (rank == 0)
        feed_all(s);
    else
        help(s, rank);
    pthread_mutex_unlock(&s->lock);
}

void ql_feed_run(int n_threads, const ql_feed *feed)
{
    state s = {.feed = feed,
               .lock = PTHREAD_MUTEX_INITIALIZER,
               .more = PTHREAD_COND_INITIALIZER,
               .end = feed->n_items,
               .n_free = feed->n_slots};
    for (int i = 0; i < s.n_free; i++) s.free[i] = i;
    if (n_threads > feed->n_slots) n_threads = feed->n_slots;
    if (n_threads > feed->n_items) n_threads = (int)feed->n_items;
    ql_team_run(n_threads, run_rank, &s);
    pthread_cond_destroy(&s.more);
    pthread_mutex_destroy(&s.lock);
}
