/*
 * Preloaded into the server by test_cpus.py: what it reads of control groups is below the folder
 * that the environment names.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_of_groups(const char *path)
{
    static const char tree[] = "/sys/fs/cgroup";
    return strcmp(path, "/proc/self/cgroup") == 0 || strncmp(path, tree, sizeof tree - 1) == 0;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    FILE *(*const next)(const char *, const char *) =
        (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    const char *const root = getenv("FAKE_CGROUP");
    char other[4096];
    if (root && is_of_groups(path)) {
        snprintf(other, sizeof other, "%s%s", root, path);
        path = other;
    }
    return next(path, mode);
}
