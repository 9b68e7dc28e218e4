/*
 * The tensors of a model.json: found in safetensors under PyTorch's names, or initialised.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/model_build.h"
#include "proto/text.h"

/* Initialised weights have no file that bounds them. */
static const size_t most_init_bytes = (size_t)4 << 30;

enum { NAME = RF_MAX_NAME + 32 };

/* Wrappers of PyTorch put these before every name; they may be nested. */
static const char *const prefixes[] = {"module._orig_mod.", "_orig_mod.module.", "module.",
                                       "_orig_mod."};

void rf_build_find_prefix(struct rf_build *b)
{
    const size_t n_prefixes = sizeof prefixes / sizeof *prefixes;
    b->prefix = "";
    for (size_t p = 0; p < n_prefixes && b->weights && b->weights->n > 0; p++) {
        size_t i = 0;
        while (i < b->weights->n &&
               strncmp(b->weights->tensors[i].name, prefixes[p], strlen(prefixes[p])) == 0)
            i++;
        if (i == b->weights->n) {
            b->prefix = prefixes[p];
            return;
        }
    }
}

static enum rf_status missing_tensor(const struct rf_layer *l, const char *name,
                                     const struct rf_shape *stored)
{
    const struct rf_build *const b = l->b;
    const size_t n = b->weights->n;
    char shape[RF_SHAPE_TEXT], hint[RF_HINT];
    const char **const names = calloc(n + 1, sizeof *names);
    size_t n_names = 0;
    for (size_t i = 0; names && i < n; i++)
        if (!b->weights->tensors[i].used)
            names[n_names++] = b->weights->tensors[i].name + strlen(b->prefix);
    rf_hint(hint, names ? rf_nearest(name, names, n_names) : NULL);
    rf_shape_text(stored, shape, sizeof shape);
    free(names);
    return rf_fail(b->err, RF_FORMAT, "%s: tensor '%s' is missing: layer '%s' (%s) wants it, %s%s",
                   b->weights_source, name, l->name, l->type, shape, hint);
}

/* The file's tensor of this name, which is of the shape wanted and so as small as the file is. */
static enum rf_status find_tensor(const struct rf_layer *l, const char *name,
                                  const struct rf_shape *stored, struct rf_safetensor **out)
{
    struct rf_build *const b = l->b;
    char text[NAME + 32], want[RF_SHAPE_TEXT], got[RF_SHAPE_TEXT];
    struct rf_safetensor *t = rf_safetensors_find(b->weights, name);
    if (!t && *b->prefix) {
        snprintf(text, sizeof text, "%s%s", b->prefix, name);
        t = rf_safetensors_find(b->weights, text);
        b->prefix_used |= t != NULL;
    }
    if (!t)
        return missing_tensor(l, name, stored);
    if (!rf_shape_equal(&t->shape, stored))
        return rf_fail(b->err, RF_SHAPE, "%s: tensor '%s' is %s, layer '%s' (%s) wants %s",
                       b->weights_source, t->name, rf_shape_text(&t->shape, got, sizeof got),
                       l->name, l->type, rf_shape_text(stored, want, sizeof want));
    t->used = true;
    *out = t;
    return RF_OK;
}

static enum rf_status note_made(struct rf_build *b, rf_value_id id, const struct rf_shape *stored)
{
    if (b->n_made == b->cap_made) {
        const size_t cap = b->cap_made ? b->cap_made * 2 : 32;
        struct rf_made_tensor *const made = reallocarray(b->made, cap, sizeof *made);
        if (!made)
            return rf_fail_nomem(b->err, "the list of tensors", cap * sizeof *made);
        b->made = made;
        b->cap_made = cap;
    }
    b->made[b->n_made++] = (struct rf_made_tensor){.id = id, .shape = *stored};
    return RF_OK;
}

static enum rf_status init_tensor(const struct rf_layer *l, const char *name,
                                  const struct rf_shape *stored, enum rf_tensor_role role,
                                  float *data)
{
    struct rf_build *const b = l->b;
    const size_t n = (size_t)rf_numel(stored);
    const float values[] = {
        [RF_ROLE_BIAS] = b->bias, [RF_ROLE_ONES] = 1, [RF_ROLE_ZEROS] = 0, [RF_ROLE_SLOPE] = 0.25f};
    struct rf_error inner = RF_ERROR_INIT;
    int64_t fan_in = 0, fan_out = 0;
    if (role != RF_ROLE_WEIGHT) {
        for (size_t i = 0; i < n; i++)
            data[i] = values[role];
        return RF_OK;
    }
    if (!rf_init_fans(stored, &fan_in, &fan_out))
        return rf_layer_fail(l, RF_LIMIT, "its weight is too large to initialise");
    const enum rf_status rc =
        rf_init_fill(data, n, &b->init, fan_in, fan_out, b->seed, rf_init_stream(name), &inner);
    return rc == RF_OK ? RF_OK : rf_layer_fail(l, rc, "\"init\": %s", inner.text);
}

static enum rf_status check_budget(const struct rf_layer *l, const struct rf_shape *stored)
{
    char text[RF_SHAPE_TEXT];
    int64_t n;
    size_t bytes;
    if (!rf_shape_numel(stored, &n) || __builtin_mul_overflow((size_t)n, sizeof(float), &bytes) ||
        __builtin_add_overflow(l->b->init_bytes, bytes, &l->b->init_bytes) ||
        l->b->init_bytes > most_init_bytes)
        return rf_layer_fail(l, RF_LIMIT, "a tensor of shape %s: more than 4 GiB to initialise",
                             rf_shape_text(stored, text, sizeof text));
    return RF_OK;
}

enum rf_status rf_build_tensor(const struct rf_layer *l, const char *leaf,
                               const struct rf_shape *stored, const struct rf_shape *shape,
                               enum rf_tensor_role role, rf_value_id *id)
{
    struct rf_build *const b = l->b;
    char name[NAME];
    void *data;
    snprintf(name, sizeof name, "%s.%s", l->name, leaf);
    struct rf_safetensor *t = NULL;
    enum rf_status rc = rf_build_claim(b, name);
    if (rc == RF_OK)
        rc = b->weights ? find_tensor(l, name, stored, &t) : check_budget(l, stored);
    if (rc == RF_OK)
        rc = rf_graph_constant(b->graph, name, RF_F32, shape, id, &data, b->err);
    if (rc != RF_OK)
        return rc;
    if (t)
        return rf_safetensor_to_f32(t, data, b->weights_source, b->err);
    rc = init_tensor(l, name, stored, role, data);
    return rc == RF_OK ? note_made(b, *id, stored) : rc;
}

enum rf_status rf_build_constant(const struct rf_build *b, const char *name,
                                 const struct rf_shape *shape, float value, rf_value_id *id,
                                 float **data)
{
    void *to;
    enum rf_status rc = rf_build_claim(b, name);
    if (rc == RF_OK)
        rc = rf_graph_constant(b->graph, name, RF_F32, shape, id, &to, b->err);
    if (rc != RF_OK)
        return rc;
    float *const v = to;
    const int64_t n = rf_numel(shape);
    for (int64_t i = 0; i < n; i++)
        v[i] = value;
    if (data)
        *data = v;
    return RF_OK;
}

static bool ends_in(const char *text, const char *tail)
{
    const size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

enum rf_status rf_build_check_used(const struct rf_build *b)
{
    const struct rf_safetensor *first = NULL;
    size_t n = 0;
    for (size_t i = 0; b->weights && i < b->weights->n; i++) {
        const struct rf_safetensor *const t = &b->weights->tensors[i];
        if (t->used || ends_in(t->name, ".num_batches_tracked"))
            continue;
        first = first ? first : t;
        n++;
    }
    if (!first)
        return RF_OK;
    char shape[RF_SHAPE_TEXT], more[48] = "";
    if (n > 1)
        snprintf(more, sizeof more, " (and %zu more)", n - 1);
    return rf_fail(b->err, RF_FORMAT, "%s: tensor '%s' %s belongs to no layer of %s%s",
                   b->weights_source, first->name,
                   rf_shape_text(&first->shape, shape, sizeof shape), b->source, more);
}

/* "init": {"scheme": ..., ...} */
static enum rf_status read_number(const struct rf_build *b, const json_t *init, const char *key,
                                  double *out)
{
    const json_t *const v = json_object_get(init, key);
    if (!v)
        return RF_OK;
    if (!json_is_number(v) || fabs(json_number_value(v)) > (double)FLT_MAX)
        return rf_fail(b->err, RF_FORMAT, "%s: \"init\": \"%s\" must be a number", b->source, key);
    *out = json_number_value(v);
    return RF_OK;
}

static enum rf_status read_scheme(struct rf_build *b, const json_t *init, double slope)
{
    static const char *const names[] = {
#define X(id, name) name,
        RF_INIT_MAP(X)
#undef X
    };
    const json_t *const scheme = json_object_get(init, "scheme");
    const json_t *const nonlinearity = json_object_get(init, "nonlinearity");
    const json_t *const mode = json_object_get(init, "mode");
    const char *const name = json_string_value(scheme);
    const char *const mode_name = mode ? json_string_value(mode) : "fan_in";
    char hint[RF_HINT], shown[RF_EXCERPT];
    if (scheme && (!name || !rf_init_find(name, &b->init.scheme)))
        return rf_fail(
            b->err, RF_FORMAT, "%s: \"init\": unknown scheme '%s'%s", b->source,
            name ? rf_excerpt(shown, name, strlen(name)) : "?",
            rf_hint(hint, name ? rf_nearest(name, names, sizeof names / sizeof *names) : NULL));
    const char *const kind = json_string_value(nonlinearity);
    if (nonlinearity && (!kind || !rf_init_gain(kind, slope, &b->init.gain)))
        return rf_fail(b->err, RF_FORMAT, "%s: \"init\": unknown nonlinearity '%s'", b->source,
                       kind ? rf_excerpt(shown, kind, strlen(kind)) : "?");
    if (!mode_name || (strcmp(mode_name, "fan_in") != 0 && strcmp(mode_name, "fan_out") != 0))
        return rf_fail(b->err, RF_FORMAT,
                       "%s: \"init\": \"mode\" must be \"fan_in\" or \"fan_out\"", b->source);
    b->init.fan_out = strcmp(mode_name, "fan_out") == 0;
    return RF_OK;
}

enum rf_status rf_build_read_init(struct rf_build *b, const json_t *init)
{
    static const char *const keys[] = {"scheme", "nonlinearity", "slope", "mode", "bias",  "seed",
                                       "low",    "high",         "mean",  "std",  "value", NULL};
    char what[RF_ERROR_TEXT];
    double slope = 0.01, bias = 0;
    b->init = (struct rf_init){.scheme = RF_INIT_KAIMING_NORMAL, .high = 1, .std = 1};
    b->seed = b->given_seed ? *b->given_seed : 0;
    if (!init)
        return RF_OK;
    if (!json_is_object(init))
        return rf_fail(b->err, RF_FORMAT, "%s: \"init\" must be an object", b->source);
    snprintf(what, sizeof what, "%s: \"init\"", b->source);
    enum rf_status rc = rf_check_keys(init, keys, false, what, b->err);
    const struct {
        const char *key;
        double *to;
    } numbers[] = {{"slope", &slope},        {"bias", &bias},         {"low", &b->init.low},
                   {"high", &b->init.high},  {"mean", &b->init.mean}, {"std", &b->init.std},
                   {"value", &b->init.value}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && rc == RF_OK; i++)
        rc = read_number(b, init, numbers[i].key, numbers[i].to);
    if (rc == RF_OK)
        rc = read_scheme(b, init, slope);
    const json_t *const seed = json_object_get(init, "seed");
    if (rc == RF_OK && seed && (!json_is_integer(seed) || json_integer_value(seed) < 0))
        rc = rf_fail(b->err, RF_FORMAT, "%s: \"init\": \"seed\" must be an integer of 0 or more",
                     b->source);
    b->bias = (float)bias;
    if (!b->given_seed)
        b->seed = seed ? (uint64_t)json_integer_value(seed) : 0;
    return rc;
}
