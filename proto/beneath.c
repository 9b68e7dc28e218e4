/* Opening files that must lie below a folder. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/file.h"

int rf_open_by_steps(int folder, const char *path)
{
    char steps[PATH_MAX];
    const size_t n = strlen(path);
    int at = folder;
    errno = n == 0 ? ENOENT : *path == '/' ? EXDEV : ENAMETOOLONG;
    if (n == 0 || *path == '/' || n >= sizeof steps)
        return -1;
    memcpy(steps, path, n + 1);
    for (char *step = steps;;) {
        char *const slash = strchr(step, '/');
        if (slash)
            *slash = '\0';
        const bool up = strcmp(step, "..") == 0;
        const int flags = slash ? O_PATH | O_DIRECTORY | O_CLOEXEC : RF_OPEN_FLAGS;
        const int next = up ? -1 : openat(at, *step ? step : ".", flags | O_NOFOLLOW);
        const int reason = up ? EXDEV : errno;
        if (at != folder)
            close(at);
        errno = reason;
        if (next < 0 || !slash)
            return next;
        at = next;
        step = slash + 1;
    }
}

int rf_open_beneath(int folder, const char *path)
{
    const struct open_how how = {.flags = RF_OPEN_FLAGS,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const long fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return rf_open_by_steps(folder, path);
    return (int)fd;
}
