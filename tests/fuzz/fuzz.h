/* What the fuzz targets share. A target is a function of bytes: whatever they are, it must end,
 * break no rule of the sanitizers and none that fz_require states. docs/fuzzing.md says how to run
 * them. */
#ifndef QUELL_FUZZ_H
#define QUELL_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- targets ---- */

typedef struct {
    char name[64];
    const char *argument; /* of run: a format's or a layout's name; NULL: none */
    void (*run)(const char *argument, const uint8_t *data, size_t size);
    bool of_library; /* finds faults that are not ours: run only when named */
} fz_target;

enum { FZ_TARGETS_MAX = 64 };

/* All targets: the fixed ones, and one for each format of the registry. Returns their number. */
int fz_targets(fz_target out[FZ_TARGETS_MAX]);

/* The target of that name into *out; false if there is none. */
bool fz_target_find(const char *name, fz_target *out);

void fz_options(const char *argument, const uint8_t *data, size_t size);
void fz_config(const char *argument, const uint8_t *data, size_t size);
/* argument: a format, tried besides what is detected; of fz_folder it may be NULL */
void fz_file(const char *argument, const uint8_t *data, size_t size);
void fz_folder(const char *argument, const uint8_t *data, size_t size);
void fz_packed_rows(const char *argument, const uint8_t *data, size_t size);
void fz_h5_bytes(const char *argument, const uint8_t *data, size_t size);
void fz_hdf5(const char *argument, const uint8_t *data, size_t size);
bool fz_hdf5_has(const char *format); /* fz_hdf5 knows how a file of this format is laid out */

/* ---- rules ---- */

/* Ends the process, as a sanitizer does, if what must hold does not. */
#define fz_require(what) ((what) ? (void)0 : fz_broken(#what, __FILE__, __LINE__))
_Noreturn void fz_broken(const char *what, const char *file, int line);

/* ---- bytes as a source of decisions; past the end come zeros ---- */

typedef struct {
    const uint8_t *at, *end;
} fz_bytes;

static inline size_t fz_left(const fz_bytes *b)
{
    return (size_t)(b->end - b->at);
}

uint8_t fz_u8(fz_bytes *b);
uint32_t fz_u16(fz_bytes *b); /* low byte first */

/* Up to the next NUL (which is passed over) or the end, cut to fit: returns the length. */
size_t fz_word(fz_bytes *b, char *out, size_t cap);

/* ---- files ---- */

/* A file with these bytes; the same path again for every call. NULL: no room. */
const char *fz_file_with(const void *bytes, size_t n);

/* The one scratch folder of the process, made on the first call and removed at exit. */
const char *fz_scratch(void);

/* ---- reading ---- */

/* How to read, taken from the first bytes of an input. */
typedef struct {
    uint8_t flags;      /* the yes/no options of ql_read_options */
    uint8_t texts;      /* which texts to give for the others */
    uint8_t fail_after; /* n: the n-th allocation fails; 0: none */
} fz_settings;

fz_settings fz_take_settings(fz_bytes *b);

/* Read path as `format` says (NULL: by detection), and check what comes back: a sound matrix or one
 * sensible line, no memory and no HDF5 object kept. */
void fz_read(const char *path, const char *format, const fz_settings *s);

/* Read path as a model, and apply what comes back; the same rules. */
void fz_model(const char *path, const fz_settings *s);
int64_t fz_n_sound_models(void);

/* Reads that gave a matrix, so far: inputs that all fail alike test little. */
int64_t fz_n_sound(void);

#endif
