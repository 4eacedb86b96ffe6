/* Which name was meant by a word that is none. */
#include <string.h>

#include "quell/option.h"

enum { MAX_WORD = 64 };

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment distance: insert, delete, replace, swap of neighbours cost 1 each. */
static int distance(const char *a, const char *b)
{
    int row[3][MAX_WORD + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > MAX_WORD || m > MAX_WORD) return n + m;
    for (int j = 0; j <= m; j++) row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3], *above = row[(i + 2) % 3], *twice = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            bool same = a[i - 1] == b[j - 1];
            now[j] = min3(above[j] + 1, now[j - 1] + 1, above[j - 1] + !same);
            bool swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swap && twice[j - 2] + 1 < now[j]) now[j] = twice[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

const char *ql_nearest(const char *word, const char *(*at)(const void *ctx, int i), const void *ctx)
{
    size_t len = strlen(word);
    int best = 1 + (int)len / 3 + 1; /* words farther away than this are other words */
    if (best > 4) best = 4;
    const char *found = NULL, *name;
    for (int i = 0; (name = at(ctx, i)); i++) {
        int d = distance(word, name);
        bool begins = len >= 3 && strncmp(name, word, len) == 0;
        if (begins && d > 1) d = 1;
        if (d >= best) continue;
        best = d;
        found = name;
    }
    return found;
}
