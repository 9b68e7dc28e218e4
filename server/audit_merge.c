/*
 * The activity of several replicas as one: counters add up, and a channel is dead that is dead in
 * all of them. What they have counted is taken as /activity?channels=1 tells it, from the server or
 * from a file.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/text.h"
#include "server/ask.h"
#include "server/audit.h"

#define MOST_BYTES ((size_t)1 << 30)
#define TIMEOUT_SECONDS 30

/* One source while it is read. */
struct source {
    const char *name; /* URL or path */
    struct rf_arena *arena;
    struct rf_error *err;
};

/* ---- getting the text ---- */

/* "/v2/models/net" and ".../activity" mean all that a merge needs to know. */
static bool complete_path(struct srv_url *url)
{
    static const char route[] = "/activity", query[] = "?channels=1";
    size_t n = strlen(url->path);
    if (strncmp(url->path, "/v2/models/", 11) != 0 ||
        n + sizeof route + sizeof query > sizeof url->path)
        return false;
    if (strchr(url->path, '?'))
        return true;
    if (n < sizeof route || strcmp(url->path + n - (sizeof route - 1), route) != 0)
        n += (size_t)snprintf(url->path + n, sizeof url->path - n, "%s", route);
    snprintf(url->path + n, sizeof url->path - n, "%s", query);
    return true;
}

static enum rf_status ask(const struct source *s, struct rf_buf *text)
{
    struct srv_url url;
    if (!srv_url_parse(&url, s->name) || !complete_path(&url))
        return rf_fail(s->err, RF_INVALID,
                       "%.150s: expected http://HOST[:PORT]/v2/models/NAME[/versions/N]", s->name);
    const int fd = srv_url_connect(&url, TIMEOUT_SECONDS);
    if (fd < 0)
        return rf_fail_errno(s->err, s->name, "cannot be asked");
    const int status = srv_url_get(fd, &url, text);
    close(fd);
    if (status == 200)
        return RF_OK;
    return status ? rf_fail(s->err, RF_IO, "%.150s: answers %d", s->name, status)
                  : rf_fail(s->err, RF_IO, "%.150s: no whole answer came", s->name);
}

static enum rf_status read_text(const struct source *s, struct rf_buf *text)
{
    char *file;
    size_t len;
    if (strstr(s->name, "://"))
        return ask(s, text);
    const enum rf_status rc = rf_file_read(&file, &len, s->name, MOST_BYTES, s->err);
    if (!rc)
        rf_buf_add(text, file, len);
    free(rc ? NULL : file);
    return rc;
}

/* ---- reading it; `*rc` keeps the first failure ---- */

static enum rf_status wrong(const struct source *s, const char *where, const char *key)
{
    return rf_fail(s->err, RF_FORMAT, "%.120s: %s lacks \"%s\", or it is of the wrong type",
                   s->name, where, key);
}

static bool is_count(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

static uint64_t count(const struct source *s, const json_t *o, const char *where, const char *key,
                      enum rf_status *rc)
{
    const json_t *v = json_object_get(o, key);
    if (is_count(v))
        return (uint64_t)json_integer_value(v);
    if (!*rc)
        *rc = wrong(s, where, key);
    return 0;
}

static const char *text_of(const struct source *s, const json_t *o, const char *where,
                           const char *key, enum rf_status *rc)
{
    const char *v = json_string_value(json_object_get(o, key));
    char *copy = v ? rf_arena_strdup(s->arena, v) : NULL;
    if (copy)
        rf_text_clean(copy); /* it goes to a terminal */
    else if (!*rc)
        *rc = v ? rf_fail_nomem(s->err, "a name", 1) : wrong(s, where, key);
    return copy ? copy : "";
}

static void read_shape(struct rf_shape *shape, const json_t *list)
{
    const size_t n = json_array_size(list);
    *shape = (struct rf_shape){.rank = n <= RF_MAX_RANK ? (int)n : 0};
    for (int i = 0; i < shape->rank; i++)
        shape->dim[i] = json_integer_value(json_array_get(list, (size_t)i));
}

static enum rf_activity_kind kind_of(const json_t *layer)
{
    return json_object_get(layer, "saturated")  ? RF_KIND_CLIP
           : json_object_get(layer, "inactive") ? RF_KIND_LEAKY
                                                : RF_KIND_RELU;
}

/* Moments as sums again. */
static void set_moments(struct rf_channel_activity *c, const json_t *mean, const json_t *std,
                        const json_t *max)
{
    const double n = (double)(c->values - c->nonfinite);
    const double m = json_number_value(mean), d = json_number_value(std);
    c->sum = n * m;
    c->sum_squares = n * (d * d + m * m);
    c->max = json_is_number(max) ? json_number_value(max) : -INFINITY;
}

static enum rf_status read_channels(const struct source *s, const json_t *o,
                                    struct rf_layer_activity *layer)
{
    static const struct {
        const char *key;
        size_t offset;
        bool optional;
    } fields[] = {
        {"values", offsetof(struct rf_channel_activity, values), false},
        {"fired", offsetof(struct rf_channel_activity, fired), false},
        {"fired_inputs", offsetof(struct rf_channel_activity, fired_inputs), false},
        {"zeros", offsetof(struct rf_channel_activity, zeros), false},
        {"nonfinite", offsetof(struct rf_channel_activity, nonfinite), false},
        {"inactive", offsetof(struct rf_channel_activity, inactive), true},
        {"saturated", offsetof(struct rf_channel_activity, saturated), true},
    };
    const json_t *const per = json_object_get(o, "per_channel");
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        const json_t *const list = json_object_get(per, fields[f].key);
        if (!list && fields[f].optional)
            continue;
        if (json_array_size(list) != layer->n_channels)
            return wrong(s, layer->name, fields[f].key);
        for (size_t i = 0; i < layer->n_channels; i++) {
            const json_t *const v = json_array_get(list, i);
            if (!is_count(v))
                return wrong(s, layer->name, fields[f].key);
            *(uint64_t *)(void *)((char *)&layer->channels[i] + fields[f].offset) =
                (uint64_t)json_integer_value(v);
        }
    }
    for (size_t i = 0; i < layer->n_channels; i++)
        set_moments(&layer->channels[i], json_array_get(json_object_get(per, "mean"), i),
                    json_array_get(json_object_get(per, "std"), i),
                    json_array_get(json_object_get(per, "max"), i));
    return RF_OK;
}

static enum rf_status read_layer(const struct source *s, const json_t *o,
                                 struct rf_layer_activity *layer)
{
    enum rf_status rc = RF_OK;
    layer->name = text_of(s, o, "a layer", "name", &rc);
    layer->type = text_of(s, o, layer->name, "type", &rc);
    layer->path = text_of(s, o, layer->name, "path", &rc);
    layer->kind = kind_of(o);
    read_shape(&layer->shape, json_object_get(o, "shape"));
    layer->total.values = count(s, o, layer->name, "values", &rc);
    layer->total.zeros = count(s, o, layer->name, "zeros", &rc);
    layer->total.nonfinite = count(s, o, layer->name, "nonfinite", &rc);
    if (layer->kind == RF_KIND_LEAKY)
        layer->total.inactive = count(s, o, layer->name, "inactive", &rc);
    if (layer->kind == RF_KIND_CLIP)
        layer->total.saturated = count(s, o, layer->name, "saturated", &rc);
    layer->n_channels = count(s, json_object_get(o, "channels"), layer->name, "total", &rc);
    if (rc)
        return rc;
    const json_t *const values = json_object_get(json_object_get(o, "per_channel"), "values");
    if (json_array_size(values) != layer->n_channels)
        return wrong(s, layer->name, "per_channel (saved without ?channels=1?)");
    layer->channels = rf_arena_array(s->arena, layer->n_channels + 1, sizeof *layer->channels);
    if (!layer->channels)
        return rf_fail_nomem(s->err, "channels", layer->n_channels * sizeof *layer->channels);
    set_moments(&layer->total, json_object_get(o, "mean"), json_object_get(o, "std"),
                json_object_get(o, "max"));
    return read_channels(s, o, layer);
}

static size_t layer_index(const json_t *v, size_t n)
{
    const bool named = json_is_integer(v) && (uint64_t)json_integer_value(v) < n;
    return named ? (size_t)json_integer_value(v) : SRV_NO_LAYER;
}

/* A file without products is sound; it does not say what could be saved. */
static enum rf_status read_products(const struct source *s, const json_t *list, size_t n_layers,
                                    struct srv_products *products)
{
    enum rf_status rc = RF_OK;
    const size_t n = json_array_size(list);
    products->list = rf_arena_array(s->arena, n + 1, sizeof *products->list);
    if (!products->list)
        return rf_fail_nomem(s->err, "products", n * sizeof *products->list);
    for (; products->n < n && !rc; products->n++) {
        const json_t *o = json_array_get(list, products->n);
        products->list[products->n] =
            (struct srv_product){.weights = (int64_t)count(s, o, "a product", "weights", &rc),
                                 .others = (int64_t)count(s, o, "a product", "others", &rc),
                                 .macs = (int64_t)count(s, o, "a product", "macs", &rc),
                                 .reads = layer_index(json_object_get(o, "reads"), n_layers),
                                 .writes = layer_index(json_object_get(o, "writes"), n_layers)};
    }
    return rc;
}

static enum rf_status read_activity(const struct source *s, const json_t *o, struct srv_merge *one)
{
    enum rf_status rc = RF_OK;
    const json_t *const layers = json_object_get(o, "layers");
    struct rf_activity *const a = &one->activity;
    one->model = text_of(s, o, "the reply", "model", &rc);
    one->version = text_of(s, o, "the reply", "version", &rc);
    a->inputs = count(s, o, "the reply", "inputs", &rc);
    a->distinct_inputs = count(s, o, "the reply", "distinct_inputs", &rc);
    if (!rc && !json_is_array(layers))
        rc = wrong(s, "the reply", "layers");
    if (rc)
        return rc;
    const size_t n = json_array_size(layers);
    a->layers = rf_arena_array(s->arena, n + 1, sizeof *a->layers);
    if (!a->layers)
        return rf_fail_nomem(s->err, "layers", n * sizeof *a->layers);
    for (; a->n_layers < n && !rc; a->n_layers++)
        rc = read_layer(s, json_array_get(layers, a->n_layers), &a->layers[a->n_layers]);
    return rc ? rc : read_products(s, json_object_get(o, "products"), n, &one->products);
}

static enum rf_status read_source(const struct source *s, struct srv_merge *one)
{
    struct rf_buf text;
    json_t *root = NULL;
    rf_buf_init(&text, MOST_BYTES);
    enum rf_status rc = read_text(s, &text);
    if (!rc)
        rc = text.status ? rf_fail_nomem(s->err, s->name, text.len)
                         : rf_json_parse(&root, s->name, text.data, text.len, s->err);
    if (!rc)
        rc = read_activity(s, root, one);
    json_decref(root);
    rf_buf_release(&text);
    return rc;
}

/* ---- adding ---- */

static enum rf_status add(struct srv_merge *to, const struct srv_merge *from,
                          const struct source *s)
{
    struct rf_activity *a = &to->activity;
    if (strcmp(to->model, from->model) != 0)
        return rf_fail(s->err, RF_INVALID, "%.120s: is of model '%.64s', the first of '%.64s'",
                       s->name, from->model, to->model);
    if (strcmp(to->version, from->version) != 0)
        to->version = "several";
    for (size_t i = 0; i < a->n_layers || i < from->activity.n_layers; i++) {
        struct rf_layer_activity *into = i < a->n_layers ? &a->layers[i] : NULL;
        const struct rf_layer_activity *layer =
            i < from->activity.n_layers ? &from->activity.layers[i] : NULL;
        if (!into || !layer || strcmp(into->name, layer->name) != 0 ||
            into->n_channels != layer->n_channels)
            return rf_fail(s->err, RF_INVALID,
                           "%.100s: another network than the first: layer %zu is %.40s of %zu "
                           "channels, not %.40s of %zu",
                           s->name, i, layer ? layer->name : "none", layer ? layer->n_channels : 0,
                           into ? into->name : "none", into ? into->n_channels : 0);
        rf_channels_add(&into->total, &layer->total, 1);
        rf_channels_add(into->channels, layer->channels, into->n_channels);
    }
    a->inputs += from->activity.inputs;
    if (from->activity.distinct_inputs > a->distinct_inputs) /* they may have seen the same */
        a->distinct_inputs = from->activity.distinct_inputs;
    return RF_OK;
}

enum rf_status srv_merge_read(struct srv_merge *merge, const struct srv_list *sources,
                              struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    *merge = (struct srv_merge){0};
    for (size_t i = 0; i < sources->n && !rc; i++) {
        struct srv_merge one = {0};
        const struct source s = {.name = sources->item[i], .arena = &merge->arena, .err = err};
        rc = read_source(&s, &one);
        one.arena = merge->arena;
        if (!rc && i == 0)
            *merge = one;
        else if (!rc)
            rc = add(merge, &one, &s);
    }
    return rc;
}

void srv_merge_release(struct srv_merge *merge)
{
    rf_arena_release(&merge->arena);
    *merge = (struct srv_merge){0};
}
