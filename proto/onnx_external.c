/* External data: files that lie below the model's own folder, and nowhere else. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/onnx_import.h"
#include "proto/text.h"

static const size_t most_external = (size_t)8 << 30;

/* ---- the file ---- */

static enum rf_status fail_open(struct rf_import *imp, const char *what, const char *location)
{
    char excerpt[RF_EXCERPT], text[128];
    const int e = errno;
    const char *const name = rf_excerpt(excerpt, location, strlen(location));
    if (e == EXDEV)
        return rf_fail(imp->err, RF_IO, "%s: external data '%s' leads out of the model's folder",
                       what, name);
    return rf_fail(imp->err, e == ENOENT || e == ENOTDIR ? RF_NOT_FOUND : RF_IO,
                   "%s: external data '%s' cannot be opened: %s", what, name,
                   strerror_r(e, text, sizeof text));
}

static enum rf_status open_folder(struct rf_import *imp, const char *what)
{
    struct rf_external *const x = &imp->external;
    if (x->folder >= 0)
        return RF_OK;
    if (!x->path)
        return rf_fail(imp->err, RF_UNSUPPORTED, "%s: external data, but the model is no file",
                       what);
    char *const path = realpath(x->path, NULL);
    if (!path)
        return fail_open(imp, what, "of the model's folder");
    char *const slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    x->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(path);
    return x->folder >= 0 ? RF_OK : fail_open(imp, what, "of the model's folder");
}

/* ".." is refused wherever it leads, as ONNX's own checker does. */
static bool stays_inside(const char *location)
{
    if (!*location || *location == '/')
        return false;
    for (const char *step = location; step; step = strchr(step, '/')) {
        step += *step == '/';
        if (strncmp(step, "..", 2) == 0 && (step[2] == '/' || !step[2]))
            return false;
    }
    return true;
}

enum rf_status rf_external_close(struct rf_import *imp)
{
    struct rf_external *const x = &imp->external;
    struct stat after;
    char excerpt[RF_EXCERPT];
    enum rf_status rc = RF_OK;
    if (x->file < 0)
        return RF_OK;
    if (fstat(x->file, &after) != 0 || !rf_same_file(&x->before, &after))
        rc = rf_fail(imp->err, RF_IO, "external data '%s' changed while they were read",
                     rf_excerpt(excerpt, x->location, strlen(x->location)));
    close(x->file);
    x->file = -1;
    free(x->location);
    x->location = NULL;
    return rc;
}

static enum rf_status open_file(struct rf_import *imp, const char *what, const char *location)
{
    struct rf_external *const x = &imp->external;
    char excerpt[RF_EXCERPT];
    const char *const name = rf_excerpt(excerpt, location, strlen(location));
    if (x->file >= 0 && strcmp(x->location, location) == 0)
        return RF_OK;
    enum rf_status rc = rf_external_close(imp);
    if (rc == RF_OK && !stays_inside(location))
        rc = rf_fail(imp->err, RF_FORMAT,
                     "%s: external data '%s' must be a path inside the model's folder", what, name);
    if (rc == RF_OK)
        rc = open_folder(imp, what);
    if (rc != RF_OK)
        return rc;
    x->location = strdup(location);
    if (!x->location)
        return rf_fail_nomem(imp->err, what, strlen(location));
    x->file = rf_open_beneath(x->folder, location);
    if (x->file < 0 || fstat(x->file, &x->before) != 0)
        rc = fail_open(imp, what, location);
    else if (!S_ISREG(x->before.st_mode))
        rc = rf_fail(imp->err, RF_IO, "%s: external data '%s' is not a regular file", what, name);
    if (rc != RF_OK) {
        if (x->file >= 0)
            close(x->file);
        x->file = -1;
        free(x->location);
        x->location = NULL;
    }
    return rc;
}

/* ---- the place in it ---- */

struct place {
    const char *location, *offset, *length, *checksum;
};

static enum rf_status read_entries(struct rf_import *imp, const RfOnnx__Tensor *t, const char *what,
                                   struct place *place)
{
    const struct {
        const char *key;
        const char **value;
    } keys[] = {{"location", &place->location},
                {"offset", &place->offset},
                {"length", &place->length},
                {"checksum", &place->checksum}}; /* that of the whole file: not looked at */
    char excerpt[RF_EXCERPT];
    for (size_t i = 0; i < t->n_external_data; i++) {
        const RfOnnx__Entry *const e = t->external_data[i];
        const char *const key = e->key ? e->key : "";
        const char **value = NULL;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if (strcmp(key, keys[k].key) == 0)
                value = keys[k].value;
        if (!value || *value)
            return rf_fail(imp->err, RF_FORMAT, "%s: external data: %s key '%s'", what,
                           value ? "a second" : "unknown", rf_excerpt(excerpt, key, strlen(key)));
        *value = e->value ? e->value : "";
    }
    if (!place->location)
        return rf_fail(imp->err, RF_FORMAT, "%s: external data without a location", what);
    return RF_OK;
}

/* Digits only; false for anything else, and for what no file is as long as. */
static bool read_size(const char *text, off_t *out)
{
    int64_t v = 0;
    for (const char *c = text; *c; c++)
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, *c - '0', &v))
            return false;
    *out = v;
    return *text != '\0';
}

enum rf_status rf_external_find(struct rf_import *imp, const RfOnnx__Tensor *t, const char *what,
                                size_t bytes, off_t *offset)
{
    struct rf_external *const x = &imp->external;
    struct place place = {.location = NULL};
    off_t length;
    *offset = 0;
    enum rf_status rc = read_entries(imp, t, what, &place);
    if (rc == RF_OK && place.offset && !read_size(place.offset, offset))
        rc = rf_fail(imp->err, RF_FORMAT, "%s: external data: offset is no size", what);
    if (rc == RF_OK && place.length && !read_size(place.length, &length))
        rc = rf_fail(imp->err, RF_FORMAT, "%s: external data: length is no size", what);
    if (rc == RF_OK)
        rc = open_file(imp, what, place.location);
    if (rc != RF_OK)
        return rc;
    const off_t size = x->before.st_size;
    if (!place.length)
        length = *offset < size ? size - *offset : 0;
    if ((size_t)length != bytes)
        return rf_fail(imp->err, RF_FORMAT, "%s: %jd bytes of external data, its shape has %zu",
                       what, (intmax_t)length, bytes);
    if (*offset > size || length > size - *offset)
        return rf_fail(imp->err, RF_FORMAT,
                       "%s: external data at %jd of %jd bytes, '%.64s' has %jd", what,
                       (intmax_t)*offset, (intmax_t)length, x->location, (intmax_t)size);
    if (bytes > most_external - x->total)
        return rf_fail(imp->err, RF_LIMIT, "%s: more than %zu bytes of external data", what,
                       most_external);
    x->total += bytes;
    return RF_OK;
}

/* ---- the bytes ---- */

static enum rf_status read_bytes(struct rf_import *imp, void *to, size_t bytes, off_t offset)
{
    struct rf_external *const x = &imp->external;
    char text[128];
    size_t at = 0;
    while (at < bytes) {
        const ssize_t n = pread(x->file, (char *)to + at, bytes - at, offset + (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rf_fail(imp->err, RF_IO, "external data '%.64s' cannot be read: %s", x->location,
                           n < 0 ? strerror_r(errno, text, sizeof text) : "the file got shorter");
        at += (size_t)n;
    }
    if (x->hash)
        rf_sha256_add(x->hash, to, bytes);
    return RF_OK;
}

enum { CHUNK = 4096 }; /* bytes; of elements that become wider */

enum rf_status rf_external_read(struct rf_import *imp, off_t offset, enum rf_dtype stored, size_t n,
                                void *dst)
{
    const size_t size = rf_dtype_size(stored);
    enum rf_status rc = RF_OK;
    if (rf_onnx_graph_dtype(stored) == stored) {
        rc = read_bytes(imp, dst, n * size, offset);
        if (rc == RF_OK && stored == RF_BOOL)
            rf_onnx_elements(dst, stored, dst, n);
        return rc;
    }
    char chunk[CHUNK];
    for (size_t i = 0; i < n && rc == RF_OK; i += CHUNK / size) {
        const size_t some = n - i < CHUNK / size ? n - i : CHUNK / size;
        rc = read_bytes(imp, chunk, some * size, offset + (off_t)(i * size));
        if (rc == RF_OK)
            rf_onnx_elements((float *)dst + i, stored, chunk, some);
    }
    return rc;
}
