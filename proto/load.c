#include "proto/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/model_json.h"
#include "proto/sha256.h"

enum { LONGEST_PATH = 3000 };

static const size_t most_json = (size_t)16 << 20, most_weights = (size_t)8 << 30;

/* ---- files ---- */

static enum rf_status fail_errno(struct rf_error *err, const char *path, const char *what)
{
    char text[128];
    const int e = errno;
    return rf_fail(err, e == ENOENT || e == ENOTDIR ? RF_NOT_FOUND : RF_IO, "%s: %s: %s", path,
                   what, strerror_r(e, text, sizeof text));
}

static bool same_file(const struct stat *a, const struct stat *b)
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
            return fail_errno(err, path, "cannot be read");
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
        return fail_errno(err, path, "cannot be looked at");
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
    if (fstat(fd, &after) != 0 || !same_file(&before, &after))
        return rf_fail(err, RF_IO, "%s: changed while it was read", path);
    return RF_OK;
}

enum rf_status rf_file_read(char **text, size_t *len, const char *path, size_t limit,
                            struct rf_error *err)
{
    *text = NULL;
    *len = 0;
    /* A FIFO must not block, a terminal not become ours. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_errno(err, path, "cannot be opened");
    const enum rf_status rc = read_file(fd, text, len, path, limit, err);
    close(fd);
    if (rc != RF_OK) {
        free(*text);
        *text = NULL;
    }
    return rc;
}

/* ---- networks ---- */

/* The end of a path, for messages that have room for the rest of what they say. */
static const char *shorten(const char *path, char out[80])
{
    const size_t n = strlen(path);
    if (n < 80)
        return path;
    snprintf(out, 80, "...%s", path + n - 76);
    return out;
}

struct bytes {
    const char *source;
    const void *data; /* NULL: there is no such file */
    size_t len;
};

static enum rf_status parse(struct rf_network *out, const struct bytes *json,
                            const struct bytes *weights, struct rf_error *err)
{
    struct rf_safetensors *st = NULL;
    struct rf_sha256 hash;
    enum rf_status rc = RF_OK;
    *out = (struct rf_network){.format = "model.json"};
    if (weights->data)
        rc = rf_safetensors_read(&st, weights->source, weights->data, weights->len, err);
    if (rc == RF_OK) {
        const struct rf_model_json in = {.source = json->source,
                                         .text = json->data,
                                         .len = json->len,
                                         .weights_source = weights->source,
                                         .weights = st};
        rc = rf_model_json_read(out, &in, err);
    }
    rf_safetensors_free(st);
    if (rc != RF_OK) {
        rf_network_release(out);
        return rc;
    }
    rf_sha256_init(&hash);
    rf_sha256_add(&hash, json->data, json->len);
    if (weights->data)
        rf_sha256_add(&hash, weights->data, weights->len);
    rf_sha256_hex(&hash, out->sha256);
    return RF_OK;
}

/* A model without a name of its own is called as `name`, `len` bytes of it. */
static enum rf_status give_name(struct rf_network *net, const char *name, size_t len,
                                struct rf_error *err)
{
    if (*net->name)
        return RF_OK;
    free(net->name);
    net->name = len ? strndup(name, len) : strdup("model");
    if (net->name)
        return RF_OK;
    rf_network_release(net);
    return rf_fail_nomem(err, "a name", len);
}

enum rf_status rf_network_parse(struct rf_network *out, const char *source, const void *json,
                                size_t json_len, const void *weights, size_t weights_len,
                                struct rf_error *err)
{
    char weights_source[128];
    snprintf(weights_source, sizeof weights_source, "%.80s's weights", source);
    const struct bytes j = {source, json, json_len};
    const struct bytes w = {weights_source, weights, weights_len};
    const enum rf_status rc = parse(out, &j, &w, err);
    return rc == RF_OK ? give_name(out, source, strlen(source), err) : rc;
}

static bool ends_in(const char *text, const char *tail)
{
    const size_t n = strlen(text), m = strlen(tail);
    return n > m && strcmp(text + n - m, tail) == 0;
}

/* The folder's name for .../NAME/model.json, the file's without .json otherwise. */
static enum rf_status name_by_path(struct rf_network *net, const char *json_path,
                                   struct rf_error *err)
{
    const char *const slash = strrchr(json_path, '/');
    const char *const file = slash ? slash + 1 : json_path;
    if (strcmp(file, "model.json") != 0)
        return give_name(net, file, strlen(file) - strlen(".json"), err);
    char *const folder = realpath(json_path, NULL);
    if (!folder)
        return give_name(net, "model", strlen("model"), err);
    char *const end = strrchr(folder, '/');
    *end = '\0';
    const char *const before = strrchr(folder, '/');
    const char *const name = before ? before + 1 : "model";
    const enum rf_status rc = give_name(net, name, strlen(name), err);
    free(folder);
    return rc;
}

static enum rf_status load_files(struct rf_network *out, const char *json_path,
                                 const char *weights_path, struct rf_error *err)
{
    char json_shown[80], weights_shown[80];
    char *json = NULL, *weights = NULL;
    struct bytes j = {.source = shorten(json_path, json_shown)};
    struct bytes w = {.source = shorten(weights_path, weights_shown)};
    struct stat st;
    enum rf_status rc = rf_file_read(&json, &j.len, json_path, most_json, err);
    /* Only a file that is not there may be replaced by "init". */
    if (rc == RF_OK && (stat(weights_path, &st) == 0 || errno != ENOENT))
        rc = rf_file_read(&weights, &w.len, weights_path, most_weights, err);
    j.data = json;
    w.data = weights;
    if (rc == RF_OK)
        rc = parse(out, &j, &w, err);
    if (rc == RF_OK)
        rc = name_by_path(out, json_path, err);
    free(json);
    free(weights);
    return rc;
}

enum rf_status rf_network_load(struct rf_network *out, const char *path, struct rf_error *err)
{
    struct stat st;
    char json[LONGEST_PATH + 16], weights[LONGEST_PATH + 32];
    int n;
    *out = (struct rf_network){.format = "model.json"};
    if (strlen(path) > LONGEST_PATH)
        return rf_fail(err, RF_INVALID, "a path of %zu bytes is too long", strlen(path));
    if (stat(path, &st) != 0)
        return fail_errno(err, path, "cannot be found");
    if (S_ISDIR(st.st_mode)) {
        snprintf(json, sizeof json, "%s/model.json", path);
    } else {
        if (!ends_in(path, ".json"))
            return rf_fail(err, RF_UNSUPPORTED,
                           "%s: expected a folder with model.json, or a .json file", path);
        snprintf(json, sizeof json, "%s", path);
    }
    n = (int)(strlen(json) - strlen(".json"));
    snprintf(weights, sizeof weights, "%.*s.safetensors", n, json);
    return load_files(out, json, weights, err);
}

void rf_network_release(struct rf_network *net)
{
    rf_graph_free(net->graph);
    free(net->name);
    for (size_t i = 0; i < net->n_labels; i++)
        free(net->labels[i]);
    free(net->labels);
    *net = (struct rf_network){.format = "model.json"};
}
