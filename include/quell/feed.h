/* Work that must be fetched by one thread and can be done by all: the calling thread fetches items
 * in order, the others (and it, when enough is waiting) work on them meanwhile. */
#ifndef QUELL_FEED_H
#define QUELL_FEED_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_FEED_SLOTS = 256 };

typedef struct {
    int64_t n_items;
    int n_slots; /* items fetched and not yet done, at most; up to QL_FEED_SLOTS */
    /* Called by the calling thread alone, items in order. False: this item and those behind it do
     * not come; those before it are still worked on. */
    bool (*fetch)(void *ctx, int64_t item, int slot);
    /* Called by any thread, rank in [0, n_threads); the slot is free again afterwards. */
    void (*work)(void *ctx, int64_t item, int slot, int rank);
    void *ctx;
} ql_feed;

/* Threads to start so that none waits for a slot; returns when all that was fetched is done. */
void ql_feed_run(int n_threads, const ql_feed *feed);

/* Slots that keep n_threads busy when up to `room` of them can be had: at least one a thread. */
int ql_feed_slots(int n_threads, int64_t room);

#ifdef __cplusplus
}
#endif
#endif
