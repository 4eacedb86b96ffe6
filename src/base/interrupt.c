/* Signals and temporary files. What the handler touches is lock-free and async-signal-safe. */
#include "quell/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILES = 8, PATH_SIZE = 4096 };

typedef struct {
    int number;
    const char *name;
    ql_status status;
    int counts; /* towards the second signal that ends the process */
} signal_info;

static const signal_info SIGNALS[] = {
    {SIGINT, "INT", QL_EINT, 1},
    {SIGTERM, "TERM", QL_ETERM, 1},
    {SIGUSR2, "USR2", QL_ETERM, 0},
};
enum { N_SIGNALS = sizeof SIGNALS / sizeof SIGNALS[0] };

/* A file's path may be read by the handler at any moment, so only while it is LIVE. */
enum { FREE, CHANGING, LIVE };

static atomic_int file_state[MAX_FILES];
static char file_path[MAX_FILES][PATH_SIZE];

static atomic_int received; /* the latest signal, or 0 */
static atomic_int n_counted;
static atomic_bool held;

static const signal_info *info_of(int number)
{
    for (int i = 0; i < N_SIGNALS; i++)
        if (SIGNALS[i].number == number) return &SIGNALS[i];
    return &SIGNALS[0];
}

static void remove_files(void)
{
    for (int i = 0; i < MAX_FILES; i++)
        if (atomic_load(&file_state[i]) == LIVE) unlink(file_path[i]);
    for (int i = 0; i < MAX_FILES; i++)
        if (atomic_load(&file_state[i]) == LIVE) rmdir(file_path[i]); /* folders, empty by now */
}

static void on_signal(int number)
{
    int saved = errno;
    const signal_info *info = info_of(number);

    atomic_store(&received, number);
    if (info->counts && atomic_fetch_add(&n_counted, 1) > 0) {
        remove_files();
        _exit(ql_status_exit_code(info->status));
    }
    errno = saved;
}

void ql_interrupt_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART; /* libraries that read and write do not expect EINTR */
    for (int i = 0; i < N_SIGNALS; i++) sigaction(SIGNALS[i].number, &action, NULL);

    /* Then the write itself fails, and is reported. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}

ql_status ql_interrupt_check(ql_err *err)
{
    int number = atomic_load_explicit(&received, memory_order_relaxed);
    if (number == 0 || atomic_load_explicit(&held, memory_order_relaxed)) return QL_OK;
    const signal_info *info = info_of(number);
    return ql_fail(err, info->status, "stopped by signal %s", info->name);
}

void ql_interrupt_hold(bool on)
{
    atomic_store(&held, on);
}

void ql_tempfile_register(const char *path)
{
    if (strlen(path) >= PATH_SIZE) return; /* cut, it would name another file */
    for (int i = 0; i < MAX_FILES; i++) {
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&file_state[i], &expected, CHANGING)) continue;
        memcpy(file_path[i], path, strlen(path) + 1);
        atomic_store(&file_state[i], LIVE);
        return;
    }
}

void ql_tempfile_forget(const char *path)
{
    for (int i = 0; i < MAX_FILES; i++) {
        if (atomic_load(&file_state[i]) != LIVE) continue;
        if (strcmp(file_path[i], path) == 0) {
            atomic_store(&file_state[i], FREE);
            return;
        }
    }
}
