/* What a run found worth telling: decisions (which matrix was taken, what was dropped) and
 * warnings. Layers below the commands append; the command prints each once and stores warnings in
 * the output. */
#ifndef QUELL_NOTES_H
#define QUELL_NOTES_H

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { QL_NOTE_INFO, QL_NOTE_WARNING } ql_note_level;

typedef struct {
    ql_note_level level;
    char *text; /* owned by the list */
} ql_note;

typedef struct {
    ql_note *items; /* owned */
    int n, cap;
} ql_notes;

/* notes may be NULL (dropped). */
void ql_note_add(ql_notes *notes, ql_note_level level, const char *fmt, ...) QL_PRINTF(3, 4);
void ql_notes_free(ql_notes *notes);

#ifdef __cplusplus
}
#endif
#endif
