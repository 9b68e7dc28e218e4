/* A file -> a baseline. */
#include "proto/baseline.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/model_build.h"
#include "proto/text.h"

/* Beyond what sums of FP32 values come to, and such that no score overflows. */
#define MOST_MEAN 1e40
#define MOST_VARIANCE 1e80
#define MOST_SCORE 1e9

struct reader {
    const char *source, *model;
    const struct rf_feature_map *map;
    struct rf_baseline_about *about;
    struct rf_baseline *baseline;
    char place[RF_EXCERPT + 32]; /* "layer 'NAME': \"VECTOR\": ", or "" in the head */
    struct rf_error *err;
};

/* "FILE: PLACE..." */
static enum rf_status fail(const struct reader *r, enum rf_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));
static enum rf_status fail(const struct reader *r, enum rf_status status, const char *fmt, ...)
{
    char text[RF_ERROR_TEXT];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return rf_fail(r->err, status, "%s: %s%s", r->source, r->place, text);
}

/* A list of n numbers. */
struct numbers {
    const char *what; /* where it is */
    size_t n;
    double least, most;
};

static enum rf_status read_numbers(const struct reader *r, const json_t *list,
                                   const struct numbers *numbers, double *to)
{
    const char *const what = numbers->what;

    if (!json_is_array(list) || json_array_size(list) != numbers->n)
        return fail(r, RF_FORMAT, "%s must be a list of %zu numbers", what, numbers->n);
    for (size_t i = 0; i < numbers->n; i++) {
        const json_t *const v = json_array_get(list, i);

        to[i] = json_number_value(v);
        if (!json_is_number(v) || !(to[i] >= numbers->least && to[i] <= numbers->most))
            return fail(r, RF_FORMAT, "%s[%zu] must be a number from %g to %g", what, i,
                        numbers->least, numbers->most);
    }
    return RF_OK;
}

/* One such list for each class, written `pitch` apart. */
static enum rf_status read_rows(const struct reader *r, const json_t *list,
                                const struct numbers *numbers, size_t pitch, double *to)
{
    const size_t n_rows = r->baseline->n_classes;
    enum rf_status rc = RF_OK;

    if (!json_is_array(list) || json_array_size(list) != n_rows)
        return fail(r, RF_FORMAT, "%s must be a list of %zu lists, one for each class",
                    numbers->what, n_rows);
    for (size_t i = 0; i < n_rows && !rc; i++) {
        struct numbers row = *numbers;
        char what[48];

        snprintf(what, sizeof what, "%.20s[%zu]", numbers->what, i);
        row.what = what;
        rc = read_numbers(r, json_array_get(list, i), &row, to + i * pitch);
    }
    return rc;
}

/* An object with no other keys. */
static enum rf_status check_object(const struct reader *r, const json_t *json,
                                   const char *const *keys)
{
    char what[RF_ERROR_TEXT];

    if (!json_is_object(json))
        return fail(r, RF_FORMAT, "must be an object");
    snprintf(what, sizeof what, "%.100s: %s", r->source, r->place);
    what[strlen(what) - strlen(": ")] = '\0';
    return rf_check_keys(json, keys, false, what, r->err);
}

static enum rf_status read_vector(const struct reader *r, const json_t *json, size_t first,
                                  size_t n)
{
    static const char *const keys[] = {"mean", "variance", "class_mean", NULL};
    const json_t *const class_mean = json_object_get(json, "class_mean");
    const struct numbers means = {"\"mean\"", n, -MOST_MEAN, MOST_MEAN};
    const struct numbers variances = {"\"variance\"", n, 0, MOST_VARIANCE};
    const struct numbers class_means = {"\"class_mean\"", n, -MOST_MEAN, MOST_MEAN};
    struct rf_baseline *const b = r->baseline;
    enum rf_status rc = check_object(r, json, keys);

    if (!rc)
        rc = read_numbers(r, json_object_get(json, "mean"), &means, b->mean + first);
    if (!rc)
        rc = read_numbers(r, json_object_get(json, "variance"), &variances, b->variance + first);
    for (size_t i = 0; i < n; i++)
        b->variance[first + i] = fmax(b->variance[first + i], rf_baseline_floor(b->inputs));
    if (!rc && b->class_mean)
        return read_rows(r, class_mean, &class_means, b->n_features, b->class_mean + first);
    if (!rc && class_mean)
        return fail(r, RF_FORMAT, "\"class_mean\" needs a \"class_error\"");
    return rc;
}

static enum rf_status read_layer(struct reader *r, const json_t *json,
                                 const struct rf_feature_layer *layer)
{
    const char *keys[2 + RF_N_INPUT_VECTORS + 1] = {"name", "channels"};
    const size_t n = layer->n_channels;
    char shown[RF_EXCERPT];

    rf_excerpt(shown, layer->name, strlen(layer->name));
    for (size_t v = 0; v < layer->n_vectors; v++)
        keys[2 + v] = rf_feature_vector_name(layer, v);
    snprintf(r->place, sizeof r->place, "layer '%s': ", shown);
    enum rf_status rc = check_object(r, json, keys);
    for (size_t v = 0; v < layer->n_vectors && !rc; v++) {
        snprintf(r->place, sizeof r->place, "layer '%s': \"%.12s\": ", shown, keys[2 + v]);
        rc = read_vector(r, json_object_get(json, keys[2 + v]), layer->first + v * n, n);
    }
    return rc;
}

/* ---- whose it is ---- */

/* Whether an entry of "layers" is of the model's layer. */
static enum rf_status check_layer(const struct reader *r, const json_t *json, size_t i)
{
    const struct rf_feature_layer *const mine = &r->map->layers[i];
    const char *const name = json_string_value(json_object_get(json, "name"));
    const json_t *const channels = json_object_get(json, "channels");
    char theirs[RF_EXCERPT], ours[RF_EXCERPT];

    if (!name || !json_is_integer(channels))
        return fail(r, RF_FORMAT, "layers[%zu] must be an object with \"name\" and \"channels\"",
                    i);
    if (!strcmp(name, mine->name) && json_integer_value(channels) == (json_int_t)mine->n_channels)
        return RF_OK;
    return fail(r, RF_SHAPE,
                "baseline of '%.48s': its layer '%s' has %lld channels; in model '%.48s' that is "
                "'%s' with %zu",
                r->about->model, rf_excerpt(theirs, name, strlen(name)),
                (long long)json_integer_value(channels), r->model,
                rf_excerpt(ours, mine->name, strlen(mine->name)), mine->n_channels);
}

static enum rf_status check_fit(const struct reader *r, const json_t *root)
{
    const json_t *const layers = json_object_get(root, "layers");
    const json_t *const classes = json_object_get(root, "classes");
    const size_t n = json_array_size(layers), k = json_array_size(classes);
    enum rf_status rc = RF_OK;

    if (!json_is_array(layers))
        return fail(r, RF_FORMAT, "\"layers\" must be a list");
    if (classes && !json_is_array(classes))
        return fail(r, RF_FORMAT, "\"classes\" must be a list");
    for (size_t i = 0; i < n && i < r->map->n_layers && !rc; i++)
        rc = check_layer(r, json_array_get(layers, i), i);
    if (!rc && n != r->map->n_layers)
        rc = fail(r, RF_SHAPE, "baseline of '%.48s' has %zu layers, model '%.48s' %zu",
                  r->about->model, n, r->model, r->map->n_layers);
    if (!rc && k != r->map->n_classes)
        rc = fail(r, RF_SHAPE, "baseline of '%.48s' has %zu classes, model '%.48s' %zu",
                  r->about->model, k, r->model, r->map->n_classes);
    return rc;
}

/* ---- the head ---- */

static enum rf_status read_source(const struct reader *r, const json_t *root)
{
    const char *const text = json_string_value(json_object_get(root, "source"));

    for (int i = 0; text && i < RF_N_BASELINE_SOURCES; i++) {
        r->about->source = (enum rf_baseline_source)i;
        if (!strcmp(text, rf_baseline_source_text(r->about->source)))
            return RF_OK;
    }
    return fail(r, RF_FORMAT,
                "\"source\" must be \"held-out data\", \"training data\" or \"live traffic\"");
}

static enum rf_status read_about(const struct reader *r, const json_t *root)
{
    static const char *const keys[] = {"format", "version",     "model",          "sha256",
                                       "source", "warning",     "inputs",         "classes",
                                       "layers", "class_error", "sub_window_max", NULL};
    const char *const format = json_string_value(json_object_get(root, "format"));
    const json_t *const version = json_object_get(root, "version");
    const char *const model = json_string_value(json_object_get(root, "model"));
    const char *const sha256 = json_string_value(json_object_get(root, "sha256"));

    if (!format || strcmp(format, "rectifier-baseline") != 0)
        return fail(r, RF_FORMAT, "is no baseline: \"format\" must be \"rectifier-baseline\"");
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return fail(r, RF_FORMAT, "\"version\" must be 1");
    const enum rf_status rc = rf_check_keys(root, keys, false, r->source, r->err);
    if (rc)
        return rc;
    if (!model || !*model || strlen(model) >= sizeof r->about->model)
        return fail(r, RF_FORMAT, "\"model\" must be a string of 1 to %d bytes", RF_MAX_NAME);
    if (!sha256 || strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64)
        return fail(r, RF_FORMAT, "\"sha256\" must be 64 hexadecimal digits in lower case");
    strcpy(r->about->model, model);
    strcpy(r->about->sha256, sha256);
    return read_source(r, root);
}

/* Of `inputs` in all. */
static enum rf_status read_classes(const struct reader *r, const json_t *classes)
{
    struct rf_baseline *const b = r->baseline;
    uint64_t left = b->inputs;

    for (size_t k = 0; k < b->n_classes; k++) {
        const json_t *const n = json_array_get(classes, k);
        const json_int_t count = json_integer_value(n);

        if (!json_is_integer(n) || count < 0 || (uint64_t)count > left)
            return fail(r, RF_FORMAT,
                        "classes[%zu] must be an integer, and all together at most \"inputs\"", k);
        b->classes[k] = (uint64_t)count;
        left -= b->classes[k];
    }
    return RF_OK;
}

static enum rf_status read_sizes(struct reader *r, const json_t *root)
{
    const json_t *const inputs = json_object_get(root, "inputs"),
                        *const error = json_object_get(root, "class_error"),
                        *const score = json_object_get(root, "sub_window_max");

    if (!json_is_integer(inputs) || json_integer_value(inputs) < RF_BASELINE_MIN_INPUTS ||
        json_integer_value(inputs) > (json_int_t)1 << 53)
        return fail(r, RF_FORMAT, "\"inputs\" must be an integer from %d to 2^53",
                    RF_BASELINE_MIN_INPUTS);
    enum rf_status rc = rf_baseline_new(&r->baseline, r->map, !error, r->err);
    if (rc)
        return rc;
    struct rf_baseline *const b = r->baseline;
    b->inputs = (uint64_t)json_integer_value(inputs);
    b->sub_window_max = json_number_value(score);
    if (!json_is_number(score) || !(b->sub_window_max >= 0 && b->sub_window_max <= MOST_SCORE))
        return fail(r, RF_FORMAT, "\"sub_window_max\" must be a number from 0 to %g", MOST_SCORE);
    rc = read_classes(r, json_object_get(root, "classes"));
    const struct numbers errors = {"\"class_error\"", b->n_classes, -1, 1};
    if (!rc && error)
        rc = read_rows(r, error, &errors, b->n_classes, b->class_error);
    return rc;
}

static enum rf_status read_root(struct reader *r, const json_t *root)
{
    if (!json_is_object(root))
        return fail(r, RF_FORMAT, "must be a JSON object");
    enum rf_status rc = read_about(r, root);
    if (!rc)
        rc = check_fit(r, root);
    if (!rc)
        rc = read_sizes(r, root);
    for (size_t i = 0; i < r->map->n_layers && !rc; i++)
        rc = read_layer(r, json_array_get(json_object_get(root, "layers"), i), &r->map->layers[i]);
    return rc;
}

enum rf_status rf_baseline_parse(struct rf_baseline **out, struct rf_baseline_about *about,
                                 const struct rf_baseline_file *file,
                                 const struct rf_baseline_owner *owner, struct rf_error *err)
{
    struct reader r = {.source = file->source,
                       .model = owner->model,
                       .map = owner->map,
                       .about = about,
                       .err = err};
    json_t *root = NULL;
    enum rf_status rc = rf_json_parse(&root, file->source, file->text, file->len, err);

    *out = NULL;
    *about = (struct rf_baseline_about){.source = RF_BASELINE_HELD_OUT};
    if (!rc)
        rc = read_root(&r, root);
    json_decref(root);
    if (rc) {
        rf_baseline_free(r.baseline);
        rf_error_clean(err);
        return rc;
    }
    *out = r.baseline;
    return RF_OK;
}

enum rf_status rf_baseline_load(struct rf_baseline **out, struct rf_baseline_about *about,
                                const char *path, const struct rf_baseline_owner *owner,
                                struct rf_error *err)
{
    char *text;
    struct rf_baseline_file file = {.source = strlen(path) < 80 ? path : path + strlen(path) - 79};
    enum rf_status rc = rf_file_read(&text, &file.len, path, RF_BASELINE_LIMIT, err);

    *out = NULL;
    if (rc)
        return rc;
    file.text = text;
    rc = rf_baseline_parse(out, about, &file, owner, err);
    free(text);
    return rc;
}
