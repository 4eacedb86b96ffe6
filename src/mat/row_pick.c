#include "row_pick.h"

#include <stdbool.h>
#include <stddef.h>

/* Shell's sort: rows are short and often in order already. */
static void sort_row(int64_t n, int32_t *gene, float *count)
{
    static const int64_t gaps[] = {9841, 3280, 1093, 364, 121, 40, 13, 4, 1};
    for (size_t s = 0; s < sizeof gaps / sizeof *gaps; s++) {
        for (int64_t gap = gaps[s], i = gap; i < n; i++) {
            int32_t g = gene[i];
            float c = count[i];
            int64_t at = i;
            for (; at >= gap && gene[at - gap] > g; at -= gap) {
                gene[at] = gene[at - gap];
                count[at] = count[at - gap];
            }
            gene[at] = g;
            count[at] = c;
        }
    }
}

int64_t ql_row_pick(const int32_t *map, int64_t n, int32_t *gene, float *count)
{
    int64_t kept = 0;
    bool in_order = true;
    for (int64_t k = 0; k < n; k++) {
        int32_t g = map[gene[k]];
        if (g < 0) continue;
        in_order = in_order && (kept == 0 || gene[kept - 1] < g);
        gene[kept] = g;
        count[kept++] = count[k];
    }
    if (!in_order) sort_row(kept, gene, count);
    return kept;
}
