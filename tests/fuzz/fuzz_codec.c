/* The packed rows of a store: bytes that are no row, and rows that must come back as they were. */
#include <stdlib.h>
#include <string.h>

#include "../../src/mat/packed_rows.h"
#include "fuzz.h"

enum { MOST = 4096 };

/* Of its own size, so that a sanitizer sees the ends. */
static void *room_for(int64_t n, size_t size)
{
    void *room = malloc((size_t)n * size + 1);
    fz_require(room != NULL);
    return room;
}

/* Pack n entries and unpack them again. */
static void go_round(const int32_t *gene, const float *count, int64_t n, int64_t n_cols)
{
    uint32_t *scratch = room_for(n, sizeof *scratch);
    uint8_t *packed = room_for(ql_pack_bound(n), 1);
    int32_t *gene_back = room_for(n, sizeof *gene_back);
    float *count_back = room_for(n, sizeof *count_back);
    int64_t size = ql_pack_row(gene, count, n, scratch, packed);
    fz_require(size > 0 && size <= ql_pack_bound(n));
    packed = realloc(packed, (size_t)size);
    fz_require(packed != NULL);
    fz_require(ql_unpack_row(packed, size, n, n_cols, gene_back, count_back) == n);
    fz_require(n == 0 || memcmp(gene, gene_back, (size_t)n * sizeof *gene) == 0);
    fz_require(n == 0 || memcmp(count, count_back, (size_t)n * sizeof *count) == 0);
    if (n > 0) fz_require(ql_unpack_row(packed, size, n - 1, n_cols, gene_back, count_back) == -1);
    if (n > 0) fz_require(ql_unpack_row(packed, size - 1, n, n_cols, gene_back, count_back) == -1);
    free(scratch);
    free(packed);
    free(gene_back);
    free(count_back);
}

static void unpack_any(fz_bytes *b)
{
    const int64_t room = fz_u16(b) % MOST, n_cols = (int64_t)fz_u16(b) << (fz_u8(b) % 16);
    int32_t *gene = room_for(room, sizeof *gene);
    float *count = room_for(room, sizeof *count);
    int64_t n = ql_unpack_row(b->at, (int64_t)fz_left(b), room, n_cols, gene, count);
    fz_require(n >= -1 && n <= room);
    for (int64_t i = 0; i < n; i++) {
        fz_require(gene[i] >= 0 && gene[i] < n_cols);
        fz_require(i == 0 || gene[i - 1] < gene[i]);
    }
    if (n >= 0) go_round(gene, count, n, n_cols);
    free(gene);
    free(count);
}

/* A row from a step and a count an entry: a byte each, or more where the byte has its high bits. */
static void pack_any(fz_bytes *b)
{
    static int32_t gene[MOST];
    static float count[MOST];
    int64_t n = 0, next = 0;
    while (n < MOST && fz_left(b)) {
        uint32_t step = fz_u8(b), value = fz_u8(b);
        if (step >= 0xf0) step = (step & 15) << 24 | fz_u16(b) << 8;
        if (value >= 0xf8) value = (value & 7) << 29 | fz_u16(b) << 12 | fz_u8(b);
        next += step;
        if (next >= INT32_MAX) break;
        gene[n] = (int32_t)next++;
        if (value % 64 == 63)
            memcpy(&count[n++], &(uint32_t){value << 7 | fz_u8(b)}, sizeof *count);
        else
            count[n++] = (float)((int64_t)value + 1);
    }
    go_round(gene, count, n, next);
}

void fz_packed_rows(const char *argument, const uint8_t *data, size_t size)
{
    fz_bytes b = {data, data + size};
    (void)argument;
    if (fz_u8(&b) & 1)
        pack_any(&b);
    else
        unpack_any(&b);
}
