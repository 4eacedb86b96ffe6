/* A string of variable length is stored as its length, the address of a collection in the global
 * heap, and its number there. A collection holds numbered objects one behind the other:
 *
 *     "GCOL" version(1) zeros(3) bytes(8) | number(2) uses(2) zeros(4) bytes(8) data, padded to 8 |
 *
 * up to its end or to the object numbered 0, the free space. All numbers are little-endian. */
#include "h5_heap.h"

#include <string.h>
#include <unistd.h>

#include "h5_chunks.h"
#include "quell/alloc.h"

enum { REF = 16, HEAD = 16, N_NUMBERS = 1 << 16, COLLECTION_MAX = 16 << 20, FREE_READS = 1 << 20 };

typedef struct {
    int fd;
    int64_t left;       /* bytes to read before it is cheaper to leave it to HDF5's cache */
    uint64_t address;   /* of the collection at hand, 0: none */
    unsigned char *raw; /* [cap]; owned */
    int64_t size, cap;
    uint32_t *at;  /* [N_NUMBERS]; where in raw an object's header is, 0: nowhere; owned */
    uint32_t last; /* highest number that may be set in at */
    bool damaged;
} heap;

static uint64_t little(const unsigned char *p, int n)
{
    uint64_t x = 0;
    while (n-- > 0) x = x << 8 | p[n];
    return x;
}

/* ---- the file below HDF5 ---- */

static bool plain_layout(hid_t file)
{
    size_t address = 0, length = 0;
    hsize_t user_block = 1;
    hid_t fcpl = H5Fget_create_plist(file);
    bool ok = fcpl >= 0 && H5Pget_sizes(fcpl, &address, &length) >= 0 && address == 8 &&
              length == 8 && H5Pget_userblock(fcpl, &user_block) >= 0 && user_block == 0;
    ql_h5r_close(fcpl);
    return ok;
}

/* Descriptor of a file that is open for reading alone, so that all of it is on disk; -1: not such
 * a file. */
static int descriptor(hid_t file)
{
    unsigned intent = H5F_ACC_RDWR;
    void *handle = NULL;
    int fd = -1;
    hid_t fapl = H5Fget_access_plist(file);
    if (fapl >= 0 && H5Pget_driver(fapl) == H5FD_SEC2 && H5Fget_intent(file, &intent) >= 0 &&
        intent == H5F_ACC_RDONLY && H5Fget_vfd_handle(file, fapl, &handle) >= 0 && handle)
        fd = *(const int *)handle;
    ql_h5r_close(fapl);
    return fd;
}

static bool read_at(int fd, void *to, int64_t n, uint64_t at)
{
    char *p = to;
    while (n > 0) {
        ssize_t got = pread(fd, p, (size_t)n, (off_t)at);
        if (got <= 0) return false;
        p += got;
        n -= got;
        at += (uint64_t)got;
    }
    return true;
}

/* ---- references ---- */

static bool read_refs(const ql_h5r_array *a, int fd, unsigned char *refs)
{
    bool done = false;
    haddr_t at = H5Dget_offset(a->id);
    if (at != HADDR_UNDEF) return at < (haddr_t)a->file_bytes && read_at(fd, refs, a->n * REF, at);
    ql_h5r_array raw = *a;
    const ql_h5r_taker taker = {.out = refs};
    raw.raw_size = REF;
    return ql_h5r_stream_chunks(&raw, a->n, 1, &taker, &done, NULL) == QL_OK && done;
}

/* ---- collections ---- */

static bool damaged(heap *h)
{
    h->damaged = true;
    return false;
}

/* The free space counts its header, and ends the collection. */
static bool find_objects(heap *h)
{
    memset(h->at, 0, ((size_t)h->last + 1) * sizeof *h->at);
    h->last = 0;
    for (int64_t at = HEAD; h->size - at >= HEAD;) {
        const uint64_t left = (uint64_t)(h->size - at);
        uint32_t number = (uint32_t)little(h->raw + at, 2);
        uint64_t bytes = little(h->raw + at + 8, 8);
        if (number == 0) return bytes == left || damaged(h);
        if (bytes > left - HEAD || h->at[number]) return damaged(h);
        h->at[number] = (uint32_t)at;
        if (number > h->last) h->last = number;
        at += HEAD + ((int64_t)bytes + 7) / 8 * 8;
    }
    return true;
}

static bool make_room(heap *h, int64_t size)
{
    if (size <= h->cap) return true;
    ql_free(h->raw);
    h->cap = 0;
    h->raw = ql_alloc(size, 1);
    if (h->raw) h->cap = size;
    return h->raw != NULL;
}

static bool load(heap *h, uint64_t address)
{
    unsigned char head[HEAD];
    h->address = 0;
    if (address > INT64_MAX || !read_at(h->fd, head, HEAD, address)) return false;
    uint64_t size = little(head + 8, 8);
    if (memcmp(head, "GCOL\1", 5) != 0 || size < HEAD || size > COLLECTION_MAX) return false;
    h->left -= (int64_t)size;
    if (h->left < 0 || !make_room(h, (int64_t)size)) return false;
    h->size = (int64_t)size;
    if (!read_at(h->fd, h->raw, h->size, address) || !find_objects(h)) return false;
    h->address = address;
    return true;
}

static bool add_string(heap *h, const unsigned char *ref, ql_names *out)
{
    uint64_t length = little(ref, 4), address = little(ref + 4, 8), number = little(ref + 12, 4);
    if (length == 0) return ql_names_add(out, "", 0, NULL) == QL_OK;
    if (number == 0 || number >= N_NUMBERS) return damaged(h);
    if (address != h->address && !load(h, address)) return false;
    const unsigned char *object = h->raw + h->at[number];
    if (h->at[number] == 0 || little(object + 8, 8) != length) return damaged(h);
    return ql_names_add(out, (const char *)object + HEAD, (size_t)length, NULL) == QL_OK;
}

static ql_heap_outcome add_strings(const ql_h5r_array *a, int fd, ql_names *out, int64_t *bad)
{
    heap h = {.fd = fd, .left = 2 * a->file_bytes + FREE_READS, .last = N_NUMBERS - 1};
    unsigned char *refs = ql_alloc(a->n, REF);
    h.at = ql_alloc(N_NUMBERS, sizeof *h.at);
    bool ok = refs && h.at && read_refs(a, fd, refs);
    for (*bad = 0; ok && *bad < a->n; ++*bad) ok = add_string(&h, refs + *bad * REF, out);
    if (!ok) --*bad;
    ql_free(h.raw);
    ql_free(h.at);
    ql_free(refs);
    return ok ? QL_HEAP_DONE : h.damaged ? QL_HEAP_DAMAGED : QL_HEAP_UNUSUAL;
}

ql_heap_outcome ql_h5r_heap_strings(const ql_h5r_array *a, hid_t type, ql_names *out, int64_t *bad)
{
    if (out->n > 0 || a->n == 0 || H5Tis_variable_str(type) <= 0) return QL_HEAP_UNUSUAL;
    hid_t file = H5Iget_file_id(a->id);
    int fd = file >= 0 && plain_layout(file) ? descriptor(file) : -1;
    ql_heap_outcome outcome = fd < 0 ? QL_HEAP_UNUSUAL : add_strings(a, fd, out, bad);
    if (outcome != QL_HEAP_DONE) ql_names_free(out);
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(file);
    return outcome;
}
