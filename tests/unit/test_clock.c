/* Time, memory, and the limits of control groups (in a made-up /proc and /sys). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/base/cgroup.h"
#include "quell/clock.h"

static void clocks_run_forwards(void **state)
{
    (void)state;
    double wall = ql_clock_wall(), cpu = ql_clock_cpu();
    volatile unsigned work = 0;
    while (ql_clock_cpu() - cpu < 0.02) work = work + 1;
    assert_true(ql_clock_wall() > wall);
    assert_true(ql_clock_cpu() - cpu < 5);
}

static void memory_is_in_bytes(void **state)
{
    (void)state;
    int64_t before = ql_peak_rss(), size = 64 << 20;
    assert_true(before > 100000 && before < (int64_t)1 << 40);
    char *block = malloc((size_t)size);
    assert_non_null(block);
    memset(block, 1, (size_t)size);
    assert_int_equal(block[size / 2], 1);
    assert_true(ql_peak_rss() >= before + size / 2);
    free(block);
    assert_true(ql_memory_available() > 1 << 20);
}

typedef struct {
    char root[64];
} sandbox;

static int make_sandbox(void **state)
{
    sandbox *box = calloc(1, sizeof *box);
    if (!box) return -1;
    snprintf(box->root, sizeof box->root, "%s/quell-cgroup-XXXXXX", P_tmpdir);
    *state = box;
    return mkdtemp(box->root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *walk)
{
    (void)sb;
    (void)type;
    (void)walk;
    return remove(path);
}

static int remove_sandbox(void **state)
{
    sandbox *box = *state;
    int rc = nftw(box->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(box);
    return rc;
}

/* Writes text to root/path, making the folders on the way. */
static void put(const sandbox *box, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", box->root, path);
    for (char *slash = strchr(full + strlen(box->root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void nothing_there_means_no_limit(void **state)
{
    const sandbox *box = *state;
    assert_true(ql_cgroup_cpus(box->root) == 0);
    assert_int_equal(ql_cgroup_memory(box->root), 0);
    put(box, "proc/self/cgroup", "nonsense\n0::/job\n");
    assert_true(ql_cgroup_cpus(box->root) == 0);
    put(box, "sys/fs/cgroup/job/cpu.max", "max 100000\n");
    put(box, "sys/fs/cgroup/job/memory.max", "max\n");
    assert_true(ql_cgroup_cpus(box->root) == 0);
    assert_int_equal(ql_cgroup_memory(box->root), 0);
}

static void version_2_limits_of_parents_count(void **state)
{
    const sandbox *box = *state;
    put(box, "proc/self/cgroup", "0::/slice/job/step\n");
    put(box, "sys/fs/cgroup/slice/job/step/cpu.max", "max 100000\n");
    put(box, "sys/fs/cgroup/slice/job/cpu.max", "800000 100000\n");
    put(box, "sys/fs/cgroup/slice/cpu.max", "250000 100000\n");
    put(box, "sys/fs/cgroup/slice/job/memory.max", "1073741824\n");
    put(box, "sys/fs/cgroup/slice/memory.max", "2147483648\n");
    assert_true(ql_cgroup_cpus(box->root) == 2.5);
    assert_int_equal(ql_cgroup_memory(box->root), 1073741824);
}

/* In a container the group's own folder is not visible; its limits are at the mount. */
static void limits_at_the_mount_count(void **state)
{
    const sandbox *box = *state;
    put(box, "proc/self/cgroup", "0::/docker/0123\n");
    put(box, "sys/fs/cgroup/cpu.max", "50000 100000\n");
    put(box, "sys/fs/cgroup/memory.max", "4096\n");
    assert_true(ql_cgroup_cpus(box->root) == 0.5);
    assert_int_equal(ql_cgroup_memory(box->root), 4096);
}

static void version_1_is_read_too(void **state)
{
    const sandbox *box = *state;
    put(box, "proc/self/cgroup", "9:memory:/job\n4:cpuset:/job\n3:cpu,cpuacct:/job\n0::/\n");
    put(box, "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "300000\n");
    put(box, "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
    put(box, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put(box, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put(box, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(ql_cgroup_cpus(box->root) == 3);
    assert_int_equal(ql_cgroup_memory(box->root), 0);
    put(box, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "123456\n");
    assert_int_equal(ql_cgroup_memory(box->root), 123456);
}

int main(void)
{
#define IN_SANDBOX(test) cmocka_unit_test_setup_teardown(test, make_sandbox, remove_sandbox)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_run_forwards),    cmocka_unit_test(memory_is_in_bytes),
        IN_SANDBOX(nothing_there_means_no_limit), IN_SANDBOX(version_2_limits_of_parents_count),
        IN_SANDBOX(limits_at_the_mount_count),    IN_SANDBOX(version_1_is_read_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
