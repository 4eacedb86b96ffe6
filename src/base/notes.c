/* The list of notes of a run. A note that finds no memory is dropped: notes never fail a run. */
#include "quell/notes.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "quell/alloc.h"
#include "quell/utf8.h"

static ql_note *next_slot(ql_notes *notes)
{
    if (notes->n == notes->cap) {
        if (notes->cap > INT_MAX / 2) return NULL;
        int cap = notes->cap ? 2 * notes->cap : 8;
        ql_note *items = ql_realloc(notes->items, cap, sizeof *items);
        if (!items) return NULL;
        notes->items = items;
        notes->cap = cap;
    }
    return &notes->items[notes->n];
}

static char *print_text(const char *fmt, va_list ap) QL_PRINTF(1, 0);
static char *print_text(const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = n < 0 ? NULL : ql_alloc((int64_t)n + 1, 1);
    if (text) vsnprintf(text, (size_t)n + 1, fmt, ap);
    return text;
}

void ql_note_add(ql_notes *notes, ql_note_level level, const char *fmt, ...)
{
    ql_note *slot = notes ? next_slot(notes) : NULL;
    if (!slot) return;
    va_list ap;
    va_start(ap, fmt);
    char *text = print_text(fmt, ap);
    va_end(ap);
    if (!text) return;
    ql_utf8_make_safe(text); /* names of files may be in it; notes are printed and stored */
    *slot = (ql_note){level, text};
    notes->n++;
}

void ql_notes_free(ql_notes *notes)
{
    if (!notes) return;
    for (int i = 0; i < notes->n; i++) ql_free(notes->items[i].text);
    ql_free(notes->items);
    *notes = (ql_notes){0};
}
