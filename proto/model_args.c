/*
 * Arguments of model.json's layers: types, ranges, defaults, keys that nobody knows.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/model_build.h"
#include "proto/text.h"

enum rf_status rf_layer_fail(const struct rf_layer *l, enum rf_status status, const char *fmt, ...)
{
    char text[RF_ERROR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return rf_fail(l->b->err, status, "%s: layer '%s' (%s): %s", l->b->source, l->name, l->type,
                   text);
}

/* Integers; 3.0 is one, too (scripts write such sizes). */
static bool as_int(const json_t *v, int64_t *out)
{
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    const double d = json_is_real(v) ? json_real_value(v) : 0.5;
    if (d != floor(d) || fabs(d) > RF_MAX_SIZE)
        return false;
    *out = (int64_t)d;
    return true;
}

static enum rf_status bad_int(const struct rf_layer *l, const char *key, const json_t *v,
                              const char *also, int64_t min)
{
    char *const text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    char shown[RF_EXCERPT] = "?";
    if (text)
        rf_excerpt(shown, text, strlen(text));
    free(text);
    return rf_layer_fail(l, RF_FORMAT, "\"%s\" is %s, expected an integer of %" PRId64 " or more%s",
                         key, shown, min, also);
}

static enum rf_status missing(const struct rf_layer *l, const char *key)
{
    return rf_layer_fail(l, RF_FORMAT, "\"%s\" is missing", key);
}

enum rf_status rf_arg_int(const struct rf_layer *l, const char *key, int64_t def, int64_t min,
                          int64_t *out)
{
    const json_t *const v = json_object_get(l->json, key);
    *out = def;
    if (!v)
        return def == RF_REQUIRED ? missing(l, key) : RF_OK;
    if (!as_int(v, out) || *out < min || *out > RF_MAX_SIZE)
        return bad_int(l, key, v, "", min);
    return RF_OK;
}

enum rf_status rf_arg_bool(const struct rf_layer *l, const char *key, bool def, bool *out)
{
    const json_t *const v = json_object_get(l->json, key);
    *out = v ? json_is_true(v) : def;
    return !v || json_is_boolean(v)
               ? RF_OK
               : rf_layer_fail(l, RF_FORMAT, "\"%s\" must be true or false", key);
}

enum rf_status rf_arg_float(const struct rf_layer *l, const char *key, double def, float *out)
{
    const json_t *const v = json_object_get(l->json, key);
    const double d = v ? json_number_value(v) : def;
    *out = (float)d;
    if (v && !json_is_number(v))
        return rf_layer_fail(l, RF_FORMAT, "\"%s\" must be a number", key);
    return fabs(d) <= (double)FLT_MAX
               ? RF_OK
               : rf_layer_fail(l, RF_FORMAT, "\"%s\" is beyond FP32's range", key);
}

/* One integer for all of out[0..n), or a list of exactly n. */
static bool sizes(const json_t *v, int n, int64_t min, int64_t *out)
{
    const bool list = json_is_array(v);
    if (list && json_array_size(v) != (size_t)n)
        return false;
    for (int i = 0; i < n; i++) {
        const json_t *const one = list ? json_array_get(v, (size_t)i) : v;
        if (!as_int(one, &out[i]) || out[i] < min || out[i] > RF_MAX_SIZE)
            return false;
    }
    return true;
}

enum rf_status rf_arg_sizes(const struct rf_layer *l, const char *key, int n, int64_t def,
                            int64_t min, int64_t *out)
{
    const json_t *const v = json_object_get(l->json, key);
    if (!v && def == RF_REQUIRED)
        return missing(l, key);
    for (int i = 0; i < n && !v; i++)
        out[i] = def;
    if (v && !sizes(v, n, min, out))
        return bad_int(l, key, v, n == 2 ? ", or [height, width]" : "", min);
    return RF_OK;
}

enum rf_status rf_arg_padding(const struct rf_layer *l, int n, int64_t *pads)
{
    const json_t *const v = json_object_get(l->json, "padding");
    for (int i = 0; i < 2 * n; i++)
        pads[i] = 0;
    if (!v || (n == 2 && json_array_size(v) == 4 && sizes(v, 4, 0, pads)))
        return RF_OK;
    if (!sizes(v, n, 0, pads))
        return bad_int(l, "padding", v,
                       n == 2 ? ", [height, width] or [top, left, bottom, right]" : "", 0);
    for (int i = 0; i < n; i++)
        pads[n + i] = pads[i];
    return RF_OK;
}

enum rf_status rf_arg_choice(const struct rf_layer *l, const char *key, const char *const *choices,
                             int *out)
{
    const json_t *const v = json_object_get(l->json, key);
    const char *const text = json_string_value(v);
    *out = 0;
    if (!v)
        return RF_OK;
    for (int i = 0; text && choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            return RF_OK;
        }
    }
    char list[96] = "";
    size_t n = 0;
    for (int i = 0; choices[i] && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s\"%s\"", i ? ", " : "", choices[i]);
    return rf_layer_fail(l, RF_FORMAT, "\"%s\" must be one of %s", key, list);
}

enum rf_status rf_arg_inferred(const struct rf_layer *l, const char *key, int64_t inferred)
{
    int64_t given;
    const enum rf_status rc = rf_arg_int(l, key, inferred, 1, &given);
    if (rc != RF_OK || given == inferred)
        return rc;
    return rf_layer_fail(l, RF_SHAPE, "\"%s\" is %" PRId64 ", but its input has %" PRId64, key,
                         given, inferred);
}

enum rf_status rf_check_keys(const json_t *object, const char *const *keys, bool layer,
                             const char *what, struct rf_error *err)
{
    const char *known[16] = {"type", "name"}, *key;
    const json_t *value;
    size_t n = layer ? 2 : 0;
    for (size_t i = 0; keys[i] && n < sizeof known / sizeof *known; i++)
        known[n++] = keys[i];
    json_object_foreach((json_t *)object, key, value)
    {
        char shown[RF_EXCERPT], hint[RF_HINT];
        size_t i = 0;
        while (i < n && strcmp(key, known[i]) != 0)
            i++;
        if (i == n)
            return rf_fail(err, RF_FORMAT, "%s: unknown key \"%s\"%s", what,
                           rf_excerpt(shown, key, strlen(key)),
                           rf_hint(hint, rf_nearest(key, known, n)));
    }
    return RF_OK;
}
