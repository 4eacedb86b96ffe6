/* The list of targets. Formats come from the registry, so that a new one is fuzzed from its first
 * day: as HDF5 built by a program or as a folder where that is known here, else as a file of any
 * bytes. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "quell/reader.h"

static const fz_target fixed[] = {
    {"options", NULL, fz_options, false},    {"config", NULL, fz_config, false},
    {"folder", NULL, fz_folder, false},      {"packed-rows", NULL, fz_packed_rows, false},
    {"hdf5-bytes", NULL, fz_h5_bytes, true}, {"model", "model", fz_hdf5, false},
};

/* Formats of several files. */
static const char *const of_folders[] = {"10x-mtx", "alevin", "alevin-eds", "kallisto", "parse"};

static bool is_of_folders(const char *format)
{
    for (size_t i = 0; i < sizeof of_folders / sizeof *of_folders; i++)
        if (strcmp(of_folders[i], format) == 0) return true;
    return false;
}

static fz_target of_format(const char *format)
{
    fz_target t = {.argument = format, .run = fz_file};
    if (is_of_folders(format)) t.run = fz_folder;
    if (fz_hdf5_has(format)) t.run = fz_hdf5;
    (void)snprintf(t.name, sizeof t.name, "read-%s", format);
    return t;
}

int fz_targets(fz_target out[FZ_TARGETS_MAX])
{
    int n = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) out[n++] = fixed[i];
    for (const ql_format *const *f = ql_formats; *f && n < FZ_TARGETS_MAX; f++)
        out[n++] = of_format((*f)->name);
    return n;
}

bool fz_target_find(const char *name, fz_target *out)
{
    fz_target all[FZ_TARGETS_MAX];
    int n = fz_targets(all);
    for (int i = 0; i < n; i++) {
        if (strcmp(all[i].name, name) != 0) continue;
        *out = all[i];
        return true;
    }
    return false;
}
