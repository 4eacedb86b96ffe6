/* Replays inputs with any compiler: all of the kept corpus as unit tests, or
 *
 *     fuzz --targets             the names of the targets, without those of libraries
 *     fuzz TARGET FILE...        these files
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fuzz.h"

#ifndef FZ_CORPUS
#define FZ_CORPUS "tests/fuzz/corpus"
#endif

static bool replay(const fz_target *t, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        if (f) (void)fclose(f);
        return false;
    }
    size_t size = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(size + 1); /* of its own size: a sanitizer sees the end */
    bool good = data && fread(data, 1, size, f) == size;
    if (good) t->run(t->argument, data, size);
    free(data);
    return fclose(f) == 0 && good;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In byte order, so that what a run prints is the same everywhere. */
static int replay_folder(const fz_target *t, const char *folder)
{
    struct dirent **list = NULL;
    int n = scandir(folder, &list, is_input, alphasort), done = 0;
    for (int i = 0; i < n; i++) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
        (void)fprintf(stderr, "%s\n", path);
        done += replay(t, path);
        free(list[i]);
    }
    free(list);
    return n < 0 ? 0 : done;
}

static void test_corpus(void **state)
{
    const fz_target *t = *state;
    int64_t before = fz_n_sound();
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s/%s", FZ_CORPUS, t->name);
    assert_true(replay_folder(t, folder) > 0);
    if (strncmp(t->name, "read-", 5) == 0) assert_true(fz_n_sound() > before);
    if (strcmp(t->name, "model") == 0) assert_true(fz_n_sound_models() > 0);
}

static int replay_all(void)
{
    static fz_target all[FZ_TARGETS_MAX];
    static struct CMUnitTest tests[FZ_TARGETS_MAX];
    int n = fz_targets(all);
    for (int i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){all[i].name, test_corpus, NULL, NULL, &all[i]};
    return _cmocka_run_group_tests("corpus", tests, (size_t)n, NULL, NULL);
}

static int print_targets(void)
{
    fz_target all[FZ_TARGETS_MAX];
    int n = fz_targets(all);
    for (int i = 0; i < n; i++)
        if (!all[i].of_library) puts(all[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    fz_target t;
    if (argc < 2) return replay_all();
    if (strcmp(argv[1], "--targets") == 0) return print_targets();
    if (!fz_target_find(argv[1], &t)) {
        fprintf(stderr, "%s is no target\n", argv[1]);
        return 64;
    }
    for (int i = 2; i < argc; i++)
        if (!replay(&t, argv[i])) {
            perror(argv[i]);
            return 66;
        }
    return 0;
}
