/*
 * The frame of model.json: input, output, labels; what lies between is in model_blocks.c.
 */
#include "proto/model_json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/model_build.h"
#include "proto/text.h"

static enum rf_status fail(const struct rf_build *b, const char *text)
{
    return rf_fail(b->err, RF_FORMAT, "%s: %s", b->source, text);
}

/* A member that must be a string of 1 to RF_MAX_NAME - 1 bytes, or absent. */
static enum rf_status read_string(const struct rf_build *b, const json_t *object, const char *what,
                                  const char *key, const char *def, const char **out)
{
    const json_t *const v = json_object_get(object, key);
    const char *const text = json_string_value(v);
    *out = v ? text : def;
    if (v && (!text || !*text || strlen(text) >= RF_MAX_NAME))
        return rf_fail(b->err, RF_FORMAT, "%s: %s must be a string of 1 to %d bytes", b->source,
                       what, RF_MAX_NAME - 1);
    return RF_OK;
}

static enum rf_status check_part(const struct rf_build *b, const json_t *object, const char *what,
                                 const char *const *keys)
{
    char text[RF_ERROR_TEXT];
    snprintf(text, sizeof text, "%s: %s", b->source, what);
    if (!json_is_object(object))
        return rf_fail(b->err, RF_FORMAT, "%s must be an object", text);
    return rf_check_keys(object, keys, false, text, b->err);
}

static enum rf_status read_shape(const struct rf_build *b, const json_t *input,
                                 struct rf_shape *sample)
{
    const json_t *const shape = json_object_get(input, "shape");
    const size_t rank = json_array_size(shape);
    int64_t n;
    *sample = (struct rf_shape){.rank = 0};
    if (rank < 1 || rank > 3)
        return fail(b, "\"input\": \"shape\" must be a list of 1 to 3 sizes (without the batch)");
    for (size_t i = 0; i < rank; i++) {
        const json_t *const dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 1 ||
            json_integer_value(dim) > RF_MAX_SIZE)
            return rf_fail(b->err, RF_FORMAT,
                           "%s: \"input\": shape[%zu] must be an integer from 1 to %d", b->source,
                           i, RF_MAX_SIZE);
        sample->dim[sample->rank++] = json_integer_value(dim);
    }
    return rf_shape_numel(sample, &n) && n <= INT64_MAX >> 24
               ? RF_OK
               : rf_fail(b->err, RF_LIMIT, "%s: \"input\": \"shape\" is too large", b->source);
}

/* What "input" says of a channel. */
struct channel {
    const struct rf_build *b;
    const json_t *input;
    size_t index, of;
};

/* A number for all channels, or a list of one for each; `*out` stays where there is none. */
static enum rf_status channel_number(const struct channel *c, const char *key, double *out)
{
    const struct rf_build *const b = c->b;
    const json_t *v = json_object_get(c->input, key);
    if (!v)
        return RF_OK;
    if (json_is_array(v) && json_array_size(v) != c->of)
        return rf_fail(b->err, RF_SHAPE, "%s: \"input\": \"%s\" has %zu numbers for %zu channels",
                       b->source, key, json_array_size(v), c->of);
    if (json_is_array(v))
        v = json_array_get(v, c->index);
    *out = json_number_value(v);
    return json_is_number(v) && fabs(*out) <= (double)FLT_MAX
               ? RF_OK
               : rf_fail(b->err, RF_FORMAT,
                         "%s: \"input\": \"%s\" must be a number or one for each channel",
                         b->source, key);
}

/* Scale and bias that come to (x * scale - mean) / std. */
static enum rf_status normalize_channel(const struct channel *c, float *factor, float *bias)
{
    double scale = 1, mean = 0, std = 1;
    enum rf_status rc = channel_number(c, "scale", &scale);
    if (rc == RF_OK)
        rc = channel_number(c, "mean", &mean);
    if (rc == RF_OK)
        rc = channel_number(c, "std", &std);
    if (rc != RF_OK)
        return rc;
    if (!(std > 0) || !isfinite((float)(scale / std)) || !isfinite((float)(mean / std)))
        return fail(c->b, "\"input\": \"std\" must be positive");
    *factor = (float)(scale / std);
    *bias = (float)(-mean / std);
    return RF_OK;
}

/*
 * (x * scale - mean) / std as a BatchNormalization that the passes fold on: its scale is
 * scale / std, its bias -mean / std, over a mean of 0 and a variance of 1.
 */
static enum rf_status normalize(const struct rf_build *b, const json_t *input, const char *name,
                                struct rf_flow *flow)
{
    static const struct {
        const char *name;
        float value;
    } constants[4] = {{"scale", 1}, {"bias", 0}, {"mean", 0}, {"variance", 1}};
    const size_t channels = (size_t)flow->sample.dim[0];
    const struct rf_shape vector = {.rank = 1, .dim = {flow->sample.dim[0]}};
    rf_value_id in[5] = {flow->value};
    float *data[4] = {NULL};
    char text[RF_MAX_NAME + 16];
    struct rf_node *node = NULL;
    enum rf_status rc = RF_OK;
    for (int i = 0; i < 4 && rc == RF_OK; i++) {
        snprintf(text, sizeof text, "%s/%s", name, constants[i].name);
        rc = rf_build_constant(b, text, &vector, constants[i].value, &in[1 + i], &data[i]);
    }
    for (size_t c = 0; c < channels && rc == RF_OK; c++) {
        const struct channel channel = {.b = b, .input = input, .index = c, .of = channels};
        rc = normalize_channel(&channel, &data[0][c], &data[1][c]);
    }
    snprintf(text, sizeof text, "%s/normalize", name);
    if (rc == RF_OK)
        rc = rf_build_claim(b, text);
    if (rc == RF_OK)
        rc = rf_graph_op(b->graph, "BatchNormalization", text, in, 5, &flow->value, &node, b->err);
    return rc == RF_OK ? rf_node_set_float(b->graph, node, "epsilon", 0, b->err) : rc;
}

static enum rf_status read_input(const struct rf_build *b, const json_t *root, struct rf_flow *flow)
{
    static const char *const keys[] = {"name", "shape", "scale", "mean", "std", NULL};
    const json_t *const input = json_object_get(root, "input");
    const char *name;
    enum rf_status rc =
        input ? check_part(b, input, "\"input\"", keys) : fail(b, "\"input\" is missing");
    if (rc == RF_OK)
        rc = read_string(b, input, "\"input\": \"name\"", "name", "input", &name);
    if (rc == RF_OK)
        rc = read_shape(b, input, &flow->sample);
    if (rc == RF_OK)
        rc = rf_build_claim(b, name);
    if (rc != RF_OK)
        return rc;
    struct rf_shape shape = {.rank = flow->sample.rank + 1, .dim = {-1}};
    memcpy(shape.dim + 1, flow->sample.dim, (size_t)flow->sample.rank * sizeof *shape.dim);
    rc = rf_graph_input(b->graph, name, RF_F32, &shape, &flow->value, b->err);
    const bool normalized = json_object_get(input, "scale") || json_object_get(input, "mean") ||
                            json_object_get(input, "std");
    return rc == RF_OK && normalized ? normalize(b, input, name, flow) : rc;
}

static enum rf_status read_output(struct rf_build *b, const json_t *root)
{
    static const char *const keys[] = {"name", NULL};
    const json_t *const output = json_object_get(root, "output");
    const enum rf_status rc = output ? check_part(b, output, "\"output\"", keys) : RF_OK;
    if (rc != RF_OK)
        return rc;
    return read_string(b, output, "\"output\": \"name\"", "name", "output", &b->output_name);
}

static enum rf_status read_labels(const struct rf_build *b, const json_t *root,
                                  const struct rf_shape *sample, struct rf_network *out)
{
    const json_t *const labels = json_object_get(root, "labels");
    const size_t n = json_array_size(labels);
    char text[RF_SHAPE_TEXT];
    if (!labels)
        return RF_OK;
    if (!json_is_array(labels))
        return fail(b, "\"labels\" must be a list of strings");
    if (sample->rank != 1 || sample->dim[0] != (int64_t)n)
        return rf_fail(b->err, RF_SHAPE, "%s: %zu labels, but the output is %s", b->source, n,
                       rf_shape_text(sample, text, sizeof text));
    out->labels = calloc(n + 1, sizeof *out->labels);
    if (!out->labels)
        return rf_fail_nomem(b->err, "labels", n * sizeof *out->labels);
    for (size_t i = 0; i < n; i++) {
        const char *const label = json_string_value(json_array_get(labels, i));
        if (!label)
            return rf_fail(b->err, RF_FORMAT, "%s: labels[%zu] must be a string", b->source, i);
        out->labels[i] = strdup(label);
        if (!out->labels[i])
            return rf_fail_nomem(b->err, "a label", strlen(label));
        out->n_labels++;
    }
    return RF_OK;
}

static enum rf_status read_head(struct rf_build *b, const json_t *root, struct rf_network *out)
{
    static const char *const keys[] = {"format", "name",   "input", "layers",
                                       "output", "labels", "init",  NULL};
    const json_t *const format = json_object_get(root, "format");
    const char *name;
    if (!json_is_object(root))
        return fail(b, "must be a JSON object");
    enum rf_status rc = rf_check_keys(root, keys, false, b->source, b->err);
    if (rc != RF_OK)
        return rc;
    if (!json_is_integer(format) || json_integer_value(format) != 1)
        return fail(b, format ? "\"format\" must be 1" : "\"format\" is missing; it must be 1");
    rc = read_string(b, root, "\"name\"", "name", "", &name);
    if (rc != RF_OK)
        return rc;
    out->format = "model.json";
    out->name = strdup(name);
    return out->name ? rf_graph_new(&out->graph, name, RF_MODEL_JSON_OPSET, b->err)
                     : rf_fail_nomem(b->err, "a name", strlen(name));
}

static enum rf_status read_root(struct rf_build *b, const json_t *root, bool always_init,
                                struct rf_network *out)
{
    const json_t *const init = json_object_get(root, "init");
    const json_t *const layers = json_object_get(root, "layers");
    struct rf_flow flow = {.value = RF_NO_VALUE};
    enum rf_status rc = read_head(b, root, out);
    b->graph = out->graph;
    if (rc == RF_OK)
        rc = rf_build_read_init(b, init);
    if (rc == RF_OK && !b->weights && !init && !always_init)
        rc = rf_fail(b->err, RF_NOT_FOUND,
                     "%s: there are no weights: no %s, and no \"init\" in the description",
                     b->source, b->weights_source);
    if (rc == RF_OK)
        rc = read_output(b, root);
    if (rc == RF_OK)
        rc = read_input(b, root, &flow);
    if (rc == RF_OK && json_array_size(layers) == 0)
        rc = fail(b, "\"layers\" must be a list of at least one layer");
    if (rc == RF_OK)
        rc = rf_build_layers(b, layers, "", true, &flow);
    if (rc == RF_OK)
        rc = rf_graph_output(b->graph, flow.value, b->err);
    if (rc == RF_OK)
        rc = read_labels(b, root, &flow.sample, out);
    return rc == RF_OK ? rf_build_check_used(b) : rc;
}

static enum rf_status build(struct rf_build *b, const struct rf_model_json *in,
                            struct rf_network *out)
{
    json_t *root = NULL;
    *out = (struct rf_network){.format = "model.json"};
    *b = (struct rf_build){.source = in->source,
                           .weights_source = in->weights_source,
                           .weights = in->weights,
                           .prefix = "",
                           .names = json_object(),
                           .given_seed = in->seed,
                           .err = b->err};
    rf_build_find_prefix(b);
    enum rf_status rc = b->names ? rf_json_parse(&root, in->source, in->text, in->len, b->err)
                                 : rf_fail_nomem(b->err, "the table of names", 1);
    if (rc == RF_OK)
        rc = read_root(b, root, in->always_init, out);
    if (rc == RF_OK && b->prefix_used)
        snprintf(out->note, sizeof out->note, "prefix '%s' of the tensors' names was left out",
                 b->prefix);
    json_decref(root);
    json_decref(b->names);
    b->names = NULL;
    rf_error_clean(b->err);
    return rc;
}

enum rf_status rf_model_json_read(struct rf_network *out, const struct rf_model_json *in,
                                  struct rf_error *err)
{
    struct rf_build b = {.err = err};
    const enum rf_status rc = build(&b, in, out);
    free(b.made);
    return rc;
}

static enum rf_status write_made(struct rf_buf *file, const struct rf_build *b)
{
    struct rf_safetensor *const tensors = calloc(b->n_made + 1, sizeof *tensors);
    if (!tensors)
        return rf_fail_nomem(b->err, "the list of tensors", b->n_made * sizeof *tensors);
    for (size_t i = 0; i < b->n_made; i++) {
        const struct rf_value *const v = &b->graph->values[b->made[i].id];
        tensors[i] = (struct rf_safetensor){.name = v->name,
                                            .dtype = RF_F32,
                                            .shape = b->made[i].shape,
                                            .data = v->constant,
                                            .bytes = (size_t)rf_numel(&v->shape) * sizeof(float)};
    }
    rf_safetensors_write(file, tensors, b->n_made);
    free(tensors);
    if (file->status == RF_NOMEM)
        return rf_fail_nomem(b->err, "the weights file", file->len);
    return file->status == RF_OK ? RF_OK
                                 : rf_fail(b->err, RF_LIMIT,
                                           "the weights are over the limit of %zu "
                                           "bytes",
                                           file->limit);
}

enum rf_status rf_model_json_init(struct rf_buf *file, const char *source, const void *text,
                                  size_t len, uint64_t seed, struct rf_error *err)
{
    const struct rf_model_json in = {.source = source,
                                     .text = text,
                                     .len = len,
                                     .weights_source = "weights",
                                     .seed = &seed,
                                     .always_init = true};
    struct rf_build b = {.err = err};
    struct rf_network net;
    enum rf_status rc = build(&b, &in, &net);
    if (rc == RF_OK)
        rc = write_made(file, &b);
    rf_network_release(&net);
    free(b.made);
    return rc;
}
