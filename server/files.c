/* Writing files. */
#include "server/files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum rf_status srv_file_try(const char *path, struct rf_error *err)
{
    const bool there = access(path, F_OK) == 0;
    FILE *f = fopen(path, "ae");
    if (!f)
        return rf_fail(err, RF_IO, "%s: %s", path, strerror(errno));
    fclose(f);
    if (!there)
        unlink(path);
    return RF_OK;
}

enum rf_status srv_file_write(const char *path, const void *data, size_t len, struct rf_error *err)
{
    FILE *f = fopen(path, "we");
    if (!f)
        return rf_fail(err, RF_IO, "%s: %s", path, strerror(errno));
    const bool ok = fwrite(data, 1, len, f) == len;
    const bool closed = fclose(f) == 0;
    return ok && closed ? RF_OK : rf_fail(err, RF_IO, "%s: %s", path, strerror(errno));
}

static enum rf_status make_one(const char *path, struct rf_error *err)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return RF_OK;
    const int why = errno;
    if (why == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return RF_OK;
    return rf_fail(err, RF_IO, "%s: %s", path, why == EEXIST ? "not a folder" : strerror(why));
}

enum rf_status srv_folder_make(const char *path, struct rf_error *err)
{
    char parent[4096];
    const size_t len = strlen(path);
    if (len >= sizeof parent)
        return rf_fail(err, RF_LIMIT, "%.64s..: the path is too long", path);
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/')
            continue;
        memcpy(parent, path, i);
        parent[i] = '\0';
        const enum rf_status rc = make_one(parent, err);
        if (rc)
            return rc;
    }
    return make_one(path, err);
}
