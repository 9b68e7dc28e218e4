#include "proto/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum rf_status rf_fail_errno(struct rf_error *err, const char *path, const char *what)
{
    char text[128];
    const int e = errno;
    return rf_fail(err, e == ENOENT || e == ENOTDIR ? RF_NOT_FOUND : RF_IO, "%s: %s: %s", path,
                   what, strerror_r(e, text, sizeof text));
}

enum rf_status rf_path_stat(struct stat *st, const char *path, struct rf_error *err)
{
    if (!*path)
        return rf_fail(err, RF_INVALID, "the path of the model is empty");
    if (strlen(path) > RF_LONGEST_PATH)
        return rf_fail(err, RF_INVALID, "a path of %zu bytes is too long", strlen(path));
    if (stat(path, st) != 0)
        return rf_fail_errno(err, path, "cannot be found");
    return RF_OK;
}

bool rf_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Exactly `len` bytes, and no more behind them. */
static enum rf_status read_all(int fd, char *to, size_t len, const char *path, struct rf_error *err)
{
    size_t at = 0;
    char beyond;
    for (;;) {
        const ssize_t n = at < len ? read(fd, to + at, len - at) : read(fd, &beyond, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rf_fail_errno(err, path, "cannot be read");
        if ((n == 0) == (at < len))
            return rf_fail(err, RF_IO, "%s: changed while it was read", path);
        if (n == 0)
            return RF_OK;
        at += (size_t)n;
    }
}

static enum rf_status read_file(int fd, char **text, size_t *len, const char *path, size_t limit,
                                struct rf_error *err)
{
    struct stat before, after;
    if (fstat(fd, &before) != 0)
        return rf_fail_errno(err, path, "cannot be looked at");
    if (!S_ISREG(before.st_mode))
        return rf_fail(err, RF_IO, "%s: is not a regular file", path);
    if ((uintmax_t)before.st_size > limit)
        return rf_fail(err, RF_LIMIT, "%s: %jd bytes; at most %zu are read", path,
                       (intmax_t)before.st_size, limit);
    *len = (size_t)before.st_size;
    *text = malloc(*len + 1);
    if (!*text)
        return rf_fail_nomem(err, path, *len);
    (*text)[*len] = '\0';
    const enum rf_status rc = read_all(fd, *text, *len, path, err);
    if (rc != RF_OK)
        return rc;
    if (fstat(fd, &after) != 0 || !rf_same_file(&before, &after))
        return rf_fail(err, RF_IO, "%s: changed while it was read", path);
    return RF_OK;
}

enum rf_status rf_file_read(char **text, size_t *len, const char *path, size_t limit,
                            struct rf_error *err)
{
    *text = NULL;
    *len = 0;
    const int fd = open(path, RF_OPEN_FLAGS);
    if (fd < 0)
        return rf_fail_errno(err, path, "cannot be opened");
    const enum rf_status rc = read_file(fd, text, len, path, limit, err);
    close(fd);
    if (rc != RF_OK) {
        free(*text);
        *text = NULL;
    }
    return rc;
}
