#include "proto/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/file.h"
#include "proto/model_json.h"
#include "proto/onnx.h"
#include "proto/sha256.h"

static const size_t most_json = (size_t)16 << 20, most_weights = (size_t)8 << 30,
                    most_onnx = (size_t)2 << 30; /* protobuf's own limit */

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

/* .../NAME/model.json and .../NAME/model.onnx are called NAME, other files as they are, without
 * the ending. */
static enum rf_status name_by_path(struct rf_network *net, const char *path, const char *ending,
                                   struct rf_error *err)
{
    const char *const slash = strrchr(path, '/');
    const char *const file = slash ? slash + 1 : path;
    const size_t stem = strlen(file) - strlen(ending);
    if (stem != strlen("model") || strncmp(file, "model", stem) != 0)
        return give_name(net, file, stem, err);
    char *const folder = realpath(path, NULL);
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

static enum rf_status load_json(struct rf_network *out, const char *json_path, struct rf_error *err)
{
    char weights_path[RF_LONGEST_PATH + 32], json_shown[80], weights_shown[80];
    char *json = NULL, *weights = NULL;
    const int stem = (int)(strlen(json_path) - strlen(".json"));
    snprintf(weights_path, sizeof weights_path, "%.*s.safetensors", stem, json_path);
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
        rc = name_by_path(out, json_path, ".json", err);
    free(json);
    free(weights);
    return rc;
}

static enum rf_status load_onnx(struct rf_network *out, const char *path, struct rf_error *err)
{
    char shown[80];
    char *bytes;
    struct rf_sha256 hash;
    struct rf_onnx_file file = {.source = shorten(path, shown), .path = path, .hash = &hash};
    enum rf_status rc = rf_file_read(&bytes, &file.len, path, most_onnx, err);
    if (rc != RF_OK)
        return rc;
    rf_sha256_init(&hash);
    rf_sha256_add(&hash, bytes, file.len);
    file.bytes = bytes;
    out->format = "onnx";
    rc = rf_onnx_read(&out->graph, &file, err);
    if (rc == RF_OK && !(out->name = strdup("")))
        rc = rf_fail_nomem(err, "a name", 1);
    if (rc != RF_OK) {
        rf_network_release(out);
        return rc;
    }
    rf_sha256_hex(&hash, out->sha256);
    return name_by_path(out, path, ".onnx", err);
}

/* A link is there, too, wherever it leads. */
static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static enum rf_status load_folder(struct rf_network *out, const char *path, struct rf_error *err)
{
    char json[RF_LONGEST_PATH + 16], onnx[RF_LONGEST_PATH + 16];
    snprintf(json, sizeof json, "%s/model.json", path);
    snprintf(onnx, sizeof onnx, "%s/model.onnx", path);
    const bool has_json = is_there(json), has_onnx = is_there(onnx);
    if (has_json && has_onnx)
        return rf_fail(err, RF_INVALID, "%s: has model.json and model.onnx, expected one of them",
                       path);
    if (!has_json && !has_onnx)
        return rf_fail(err, RF_NOT_FOUND, "%s: there is neither model.json nor model.onnx in it",
                       path);
    return has_onnx ? load_onnx(out, onnx, err) : load_json(out, json, err);
}

enum rf_status rf_network_load(struct rf_network *out, const char *path, struct rf_error *err)
{
    struct stat st;
    *out = (struct rf_network){.format = "model.json"};
    const enum rf_status rc = rf_path_stat(&st, path, err);
    if (rc)
        return rc;
    if (S_ISDIR(st.st_mode))
        return load_folder(out, path, err);
    if (ends_in(path, ".onnx"))
        return load_onnx(out, path, err);
    if (ends_in(path, ".json"))
        return load_json(out, path, err);
    return rf_fail(
        err, RF_UNSUPPORTED,
        "%s: expected an .onnx or a .json file, or a folder with model.onnx or model.json", path);
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
