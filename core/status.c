#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

enum rf_status rf_fail(struct rf_error *err, enum rf_status status, const char *fmt, ...)
{
    if (err && err->status == RF_OK) {
        va_list ap;

        err->status = status;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return status;
}

enum rf_status rf_fail_nomem(struct rf_error *err, const char *what, unsigned long long bytes)
{
    return rf_fail(err, RF_NOMEM, "out of memory: %s needs %llu bytes", what, bytes);
}

const char *rf_status_text(enum rf_status status)
{
    static const char *const texts[] = {
#define X(id, text) text,
        RF_STATUS_MAP(X)
#undef X
    };

    return (unsigned)status < RF_N_STATUS ? texts[status] : "unknown status";
}
