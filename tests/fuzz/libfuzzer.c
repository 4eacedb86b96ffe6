/* libFuzzer's entry: the target is named by QUELL_FUZZ_TARGET. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static fz_target target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("QUELL_FUZZ_TARGET");
    (void)argc, (void)argv;
    if (name && fz_target_find(name, &target)) return 0;
    fprintf(stderr, "QUELL_FUZZ_TARGET: %s is no target\n", name ? name : "(unset)");
    exit(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    target.run(target.argument, data, size);
    return 0;
}
