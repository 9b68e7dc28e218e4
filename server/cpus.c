/*
 * cgroup limits, version 1 and 2. A limit may stand at any level from this process's group up to
 * the root, so every level is read and the smallest counts.
 */
#include "server/cpus.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE 1024

static bool read_line(const char *folder, const char *group, const char *file, char *line)
{
    char path[2 * LINE];
    snprintf(path, sizeof path, "%s%s/%s", folder, group, file);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    const bool ok = fgets(line, LINE, f) != NULL;
    fclose(f);
    return ok;
}

/* Whether "cpu,cpuacct" holds "cpu". */
static bool has_controller(const char *list, size_t len, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = list, *end = list + len; p < end; p += strcspn(p, ",:") + 1)
        if (strcspn(p, ",:") == n && memcmp(p, name, n) == 0)
            return true;
    return false;
}

/* This process's group for the controller: a version 1 line of that name, else the version 2 one.
 * `*version` is 0 when there is neither. */
static void find_group(const char *controller, char *group, int *version)
{
    char line[LINE];
    *version = 0;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *list = strchr(line, ':');
        char *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        list++;
        const size_t len = (size_t)(path - list);
        const bool v1 = has_controller(list, len, controller);
        if (!v1 && (len != 0 || *version == 1))
            continue;
        *version = v1 ? 1 : 2;
        snprintf(group, LINE, "%s", path + 1);
    }
    fclose(f);
}

/* Calls `each` for the group and every one above it; the last has the empty name. */
static void walk_up(char *group, void (*each)(const char *group, int version, void *arg),
                    int version, void *arg)
{
    for (;;) {
        char *slash = strrchr(group, '/');
        if (strcmp(group, "/") == 0)
            *group = '\0';
        each(group, version, arg);
        if (!slash || *group == '\0')
            return;
        *slash = '\0';
    }
}

static void read_quota(const char *group, int version, void *arg)
{
    char line[LINE];
    double *least = arg;
    long long quota = -1, period = 0;
    if (version == 2) {
        if (!read_line("/sys/fs/cgroup", group, "cpu.max", line) ||
            sscanf(line, "%lld %lld", &quota, &period) != 2)
            return;
    } else {
        if (!read_line("/sys/fs/cgroup/cpu", group, "cpu.cfs_quota_us", line) ||
            sscanf(line, "%lld", &quota) != 1 ||
            !read_line("/sys/fs/cgroup/cpu", group, "cpu.cfs_period_us", line) ||
            sscanf(line, "%lld", &period) != 1)
            return;
    }
    if (quota <= 0 || period <= 0)
        return;
    const double cores = (double)quota / (double)period;
    if (*least == 0 || cores < *least)
        *least = cores;
}

static void read_memory(const char *group, int version, void *arg)
{
    char line[LINE];
    uint64_t *least = arg, bytes;
    const bool ok = version == 2
                        ? read_line("/sys/fs/cgroup", group, "memory.max", line)
                        : read_line("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", line);
    if (ok && sscanf(line, "%" SCNu64, &bytes) == 1 && bytes < *least)
        *least = bytes;
}

static int affinity_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < INT_MAX ? (int)online : 1;
}

void srv_cpus_read(struct srv_cpus *cpus)
{
    char group[LINE] = "";
    int version;
    cpus->affinity = affinity_count();
    cpus->quota = 0;
    find_group("cpu", group, &version);
    if (version)
        walk_up(group, read_quota, version, &cpus->quota);
    cpus->threads = cpus->affinity;
    cpus->why = "affinity";
    if (cpus->quota > 0 && cpus->quota < cpus->affinity) {
        cpus->threads = cpus->quota < 1 ? 1 : (int)cpus->quota;
        cpus->why = "cgroup quota";
    }
}

int srv_cpus_threads(const struct srv_cpus *cpus, uint64_t option)
{
    return option ? (int)option : cpus->threads;
}

uint64_t srv_memory_limit(void)
{
    char group[LINE] = "";
    int version;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t least = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(1) << 31;
    find_group("memory", group, &version);
    if (version)
        walk_up(group, read_memory, version, &least);
    return least;
}

uint64_t srv_memory(uint64_t option)
{
    return option ? option : srv_memory_limit() / 2;
}

bool srv_cpus_may_spin(const struct srv_cpus *cpus, int threads)
{
    return cpus->quota == 0 && threads <= cpus->affinity;
}
