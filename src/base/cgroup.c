/* Control groups: /proc/self/cgroup tells the group of this process, /sys/fs/cgroup its limits. In
 * a container the path may name folders that are not visible from inside; those above it still are,
 * so every folder on the way up is tried. */
#include "cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 1024, PATH_SIZE = 2048 };

/* Folds the limit found in one group's folder, if any, into *least (0: none yet). */
typedef void visitor(const char *folder, bool is_v2, double *least);

static void keep_least(double *least, double value)
{
    if (value > 0 && (*least == 0 || value < *least)) *least = value;
}

/* First line of folder/name into text[LINE_SIZE]. */
static bool read_line(const char *folder, const char *name, char *text)
{
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool found = fgets(text, LINE_SIZE, f) != NULL;
    fclose(f);
    return found;
}

/* Visit folder = mount + group, and each parent down to mount itself. */
static void climb(const char *mount, const char *group, bool is_v2, visitor *visit, double *least)
{
    char folder[PATH_SIZE];
    int n = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof folder) return;
    size_t floor = strlen(mount);
    for (;;) {
        visit(folder, is_v2, least);
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < floor) return;
        *slash = '\0';
    }
}

/* Whether a comma-separated list of controllers has this one. */
static bool has_controller(const char *list, const char *controller)
{
    size_t n = strlen(controller);
    for (const char *c = list;;) {
        size_t len = strcspn(c, ",");
        if (len == n && memcmp(c, controller, n) == 0) return true;
        if (c[len] == '\0') return false;
        c += len + 1;
    }
}

/* A line is "number:controllers:group"; version 2 has no controllers. */
static void visit_line(const char *root, char *line, const char *controller, visitor *visit,
                       double *least)
{
    char mount[PATH_SIZE];
    line[strcspn(line, "\n")] = '\0';
    char *list = strchr(line, ':');
    char *group = list ? strchr(list + 1, ':') : NULL;
    if (!group) return;
    *list++ = *group++ = '\0';

    bool is_v2 = list[0] == '\0';
    if (!is_v2 && !has_controller(list, controller)) return;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s%s", root, is_v2 ? "" : "/",
             is_v2 ? "" : controller);
    climb(mount, group, is_v2, visit, least);
}

static double least_limit(const char *root, const char *controller, visitor *visit)
{
    char path[PATH_SIZE], line[LINE_SIZE];
    double least = 0;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f)) visit_line(root, line, controller, visit, &least);
    fclose(f);
    return least;
}

/* cpu.max is "quota period" or "max period" in microseconds. */
static void visit_cpu(const char *folder, bool is_v2, double *least)
{
    char quota[LINE_SIZE], period[LINE_SIZE];

    if (is_v2) {
        if (!read_line(folder, "cpu.max", quota)) return;
        char *rest;
        double most = strtod(quota, &rest); /* 0 for "max" */
        keep_least(least, most / strtod(rest, NULL));
        return;
    }
    if (!read_line(folder, "cpu.cfs_quota_us", quota)) return; /* -1: none */
    if (!read_line(folder, "cpu.cfs_period_us", period)) return;
    keep_least(least, strtod(quota, NULL) / strtod(period, NULL));
}

static void visit_memory(const char *folder, bool is_v2, double *least)
{
    char text[LINE_SIZE];
    if (!read_line(folder, is_v2 ? "memory.max" : "memory.limit_in_bytes", text)) return;
    keep_least(least, strtod(text, NULL)); /* 0 for "max" */
}

double ql_cgroup_cpus(const char *root)
{
    return least_limit(root, "cpu", visit_cpu);
}

int64_t ql_cgroup_memory(const char *root)
{
    /* Version 1 writes "none" as the largest multiple of the page size. */
    const double none = 0x1p62;
    double least = least_limit(root, "memory", visit_memory);
    return least < none ? (int64_t)least : 0;
}
