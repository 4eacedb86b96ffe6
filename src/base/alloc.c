/* Accounted allocation. A block is laid out as
 *
 *     raw (from calloc) ... header | user block (64-byte aligned) ...
 *
 * calloc rather than aligned_alloc and memset: the system hands out zero pages that cost nothing
 * until they are touched. */
#include "quell/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "quell/clock.h"

typedef struct {
    void *raw;      /* what free() wants */
    int64_t total;  /* bytes accounted for, this header and the padding included */
    int64_t usable; /* bytes of the user's block */
} header;

enum { ALIGN = 64, EXTRA = 2 * ALIGN };

/* Blocks from here on are offered to the system for huge pages: fewer faults when they are first
 * touched, fewer misses of the address cache later. */
enum { HUGE_BLOCK = 16 << 20, PAGE = 4096 };

_Static_assert(sizeof(header) <= ALIGN, "the header must fit in front of an aligned block");

static _Atomic int64_t held, peak, n_allocations, cap, fail_in;

static int64_t request_size(int64_t n, size_t size)
{
    if (n < 0) return -1;
    if (n == 0 || size == 0) return 1;
    const uint64_t most = (uint64_t)PTRDIFF_MAX - EXTRA;
    if ((uint64_t)size > most || (uint64_t)n > most / (uint64_t)size) return -1;
    return n * (int64_t)size;
}

static bool told_to_fail(void)
{
    if (atomic_load_explicit(&fail_in, memory_order_relaxed) <= 0) return false;
    return atomic_fetch_sub(&fail_in, 1) == 1;
}

static void raise_peak(int64_t now)
{
    int64_t high = atomic_load(&peak);
    while (high < now)
        if (atomic_compare_exchange_weak(&peak, &high, now)) return;
}

/* Count `bytes` more, unless the cap forbids it. */
static bool reserve(int64_t bytes)
{
    int64_t limit = atomic_load_explicit(&cap, memory_order_relaxed);
    int64_t now = atomic_load(&held);
    do {
        if (limit > 0 && bytes > limit - now) return false;
    } while (!atomic_compare_exchange_weak(&held, &now, now + bytes));
    raise_peak(now + bytes);
    return true;
}

static void unreserve(int64_t bytes)
{
    atomic_fetch_sub(&held, bytes);
}

static void *align_up(void *raw)
{
    uintptr_t at = (uintptr_t)raw + ALIGN;
    return (char *)raw + ALIGN + (ALIGN - at % ALIGN) % ALIGN;
}

static header *header_of(void *block)
{
    return (header *)(void *)((char *)block - ALIGN);
}

/* Such a block is a mapping of its own, from the page that raw is in; all of it is named, so that
 * it stays one mapping, which realloc() can move. That it may fail is of no concern. */
static void offer_huge_pages(void *raw, int64_t bytes)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t begin = (uintptr_t)raw / PAGE * PAGE, end = (uintptr_t)raw + (uintptr_t)bytes;
    if (bytes < HUGE_BLOCK) return;
    end = (end + PAGE - 1) / PAGE * PAGE;
    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)raw;
    (void)bytes;
#endif
}

void *ql_alloc(int64_t n, size_t size)
{
    int64_t bytes = request_size(n, size);
    if (bytes < 0 || told_to_fail() || !reserve(bytes + EXTRA)) return NULL;
    void *raw = calloc(1, (size_t)bytes + EXTRA);
    if (!raw) {
        unreserve(bytes + EXTRA);
        return NULL;
    }
    offer_huge_pages(raw, bytes + EXTRA);
    atomic_fetch_add(&n_allocations, 1);
    void *block = align_up(raw);
    *header_of(block) = (header){raw, bytes + EXTRA, bytes};
    return block;
}

/* realloc() moves large blocks by remapping pages; only the alignment may have to be mended. */
static void *move_block(void *old, int64_t bytes)
{
    header h = *header_of(old);
    size_t offset = (size_t)((char *)old - (char *)h.raw);
    size_t keep = (size_t)(bytes < h.usable ? bytes : h.usable);
    char *raw = realloc(h.raw, (size_t)bytes + EXTRA);

    if (!raw) return NULL;
    char *block = align_up(raw);
    if (block != raw + offset) memmove(block, raw + offset, keep);
    memset(block + keep, 0, (size_t)bytes - keep);
    *header_of(block) = (header){raw, bytes + EXTRA, bytes};
    return block;
}

void *ql_realloc(void *old, int64_t n, size_t size)
{
    if (!old) return ql_alloc(n, size);
    int64_t bytes = request_size(n, size);
    if (bytes < 0) return NULL;
    int64_t more = bytes - header_of(old)->usable;
    if (more > 0 && (told_to_fail() || !reserve(more))) return NULL;

    void *block = move_block(old, bytes);
    if (!block) {
        if (more > 0) unreserve(more);
        return NULL;
    }
    if (more < 0) unreserve(-more);
    atomic_fetch_add(&n_allocations, 1);
    return block;
}

void ql_free(void *block)
{
    if (!block) return;
    header h = *header_of(block);
    unreserve(h.total);
    free(h.raw);
}

static ql_status out_of_memory(int64_t n, size_t size, const char *what, ql_err *err)
{
    int64_t bytes = request_size(n, size), limit = atomic_load(&cap);
    if (bytes < 0)
        return ql_fail(err, QL_EMEMORY, "not enough memory for %s: %lld x %zu bytes", what,
                       (long long)n, size);
    ql_fail(err, QL_EMEMORY, "not enough memory for %s: %lld bytes wanted, %lld held", what,
            (long long)bytes, (long long)ql_alloc_bytes());
    if (limit > 0)
        ql_hint(err, QL_EMEMORY, "the limit is %lld bytes; raise it if the machine has more",
                (long long)limit);
    return QL_EMEMORY;
}

ql_status ql_new_(void **ptr, int64_t n, size_t size, const char *what, ql_err *err)
{
    void *block = ql_alloc(n, size);
    /* Copied bytewise: *ptr is really a float *, an int64_t *, ... */
    memcpy(ptr, &block, sizeof block);
    return block ? QL_OK : out_of_memory(n, size, what, err);
}

int64_t ql_alloc_bytes(void)
{
    return atomic_load(&held);
}

int64_t ql_alloc_peak(void)
{
    return atomic_load(&peak);
}

int64_t ql_alloc_count(void)
{
    return atomic_load(&n_allocations);
}

void ql_alloc_set_cap(int64_t bytes)
{
    atomic_store(&cap, bytes);
}

int64_t ql_alloc_room(void)
{
    int64_t limit = atomic_load(&cap), now = atomic_load(&held);
    if (limit <= 0) return INT64_MAX;
    return now < limit ? limit - now : 0;
}

void ql_alloc_fail_after(int64_t n)
{
    atomic_store(&fail_in, n);
}

ql_status ql_need_memory(double bytes, const char *what, ql_err *err)
{
    int64_t left = ql_memory_available();
    if (left <= 0 || bytes < (double)left) return QL_OK;
    const double gib = 1024.0 * 1024 * 1024;
    ql_fail(err, QL_EMEMORY, "%s: needs %.1f GiB of memory, %.1f GiB are available", what,
            bytes / gib, (double)left / gib);
    return ql_hint(err, QL_EMEMORY, "run it on a machine with more memory");
}
