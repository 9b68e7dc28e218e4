/* Writing files. */
#include "server/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum rf_status srv_file_write(const char *path, const void *data, size_t len, struct rf_error *err)
{
    FILE *f = fopen(path, "we");
    if (!f)
        return rf_fail(err, RF_IO, "%s: %s", path, strerror(errno));
    const bool ok = fwrite(data, 1, len, f) == len;
    const bool closed = fclose(f) == 0;
    return ok && closed ? RF_OK : rf_fail(err, RF_IO, "%s: %s", path, strerror(errno));
}
