/*
 * Lists of layers, the layers that hold lists, and those that only move values.
 */
#include <stdio.h>
#include <string.h>

#include "proto/model_build.h"
#include "proto/text.h"

enum { MAX_LAYERS = 10000 };

#define CONV_KEYS                                                                                  \
    {                                                                                              \
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",   \
            "bias", "padding_mode", NULL                                                           \
    }
#define NORM_KEYS                                                                                  \
    {                                                                                              \
        "num_features", "eps", "momentum", "affine", "track_running_stats", NULL                   \
    }

static const struct rf_layer_type types[] = {
    {"conv1d", CONV_KEYS, 2, 2, rf_build_conv},
    {"conv2d", CONV_KEYS, 3, 3, rf_build_conv},
    {"linear", {"in_features", "out_features", "bias"}, 1, 1, rf_build_linear},
    {"batchnorm1d", NORM_KEYS, 1, 2, rf_build_norm},
    {"batchnorm2d", NORM_KEYS, 3, 3, rf_build_norm},
    {"maxpool2d",
     {"kernel_size", "stride", "padding", "dilation", "ceil_mode"},
     3,
     3,
     rf_build_pool},
    {"avgpool2d",
     {"kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"},
     3,
     3,
     rf_build_pool},
    {"adaptiveavgpool2d", {"output_size"}, 3, 3, rf_build_adaptive},
    {"prelu", {"num_parameters"}, 1, 3, rf_build_prelu},
    {"relu6", {"inplace"}, 1, 3, rf_build_relu6},
    {"gelu", {"approximate"}, 1, 3, rf_build_gelu},
    {"softmax", {"dim"}, 1, 3, rf_build_softmax},
    {"logsoftmax", {"dim"}, 1, 3, rf_build_softmax},
    {"flatten", {"start_dim", "end_dim"}, 1, 3, rf_build_flatten},
    {"dropout", {"p", "inplace"}, 1, 3, rf_build_dropout},
    {"residual", {"layers", "shortcut"}, 1, 3, rf_build_residual},
    {"concat", {"branches"}, 1, 3, rf_build_concat},
};

enum { N_TYPES = sizeof types / sizeof *types, MAX_UNARY = 64 };

enum rf_status rf_build_claim(const struct rf_build *b, const char *name)
{
    if (json_object_get(b->names, name))
        return rf_fail(b->err, RF_FORMAT, "%s: the name '%s' is used twice", b->source, name);
    if (json_object_set_new_nocheck(b->names, name, json_true()) != 0)
        return rf_fail_nomem(b->err, "the table of names", strlen(name));
    return RF_OK;
}

enum rf_status rf_build_node(const struct rf_layer *l, const char *op, const rf_value_id *in,
                             int n_in, const struct rf_shape *sample, struct rf_flow *flow,
                             struct rf_node **node)
{
    struct rf_graph *const g = l->b->graph;
    char text[RF_SHAPE_TEXT];
    rf_value_id out;
    int64_t n;
    if (!rf_shape_numel(sample, &n) || n > INT64_MAX >> 24)
        return rf_layer_fail(l, RF_LIMIT, "its output %s is too large",
                             rf_shape_text(sample, text, sizeof text));
    enum rf_status rc = rf_graph_value(g, l->last ? l->b->output_name : l->name, &out, l->b->err);
    if (rc == RF_OK)
        rc = rf_graph_node(g, op, l->name, in, n_in, &out, 1, node, l->b->err);
    flow->value = out;
    flow->sample = *sample;
    return rc;
}

static enum rf_status unknown_type(const struct rf_layer *l)
{
    const char *names[N_TYPES + MAX_UNARY];
    char hint[RF_HINT], shown[RF_EXCERPT];
    size_t n = 0, n_unary;
    const char *const *const unary = rf_unary_names(&n_unary);
    for (size_t i = 0; i < N_TYPES; i++)
        names[n++] = types[i].name;
    for (size_t i = 0; i < n_unary && i < MAX_UNARY; i++)
        if (*unary[i])
            names[n++] = unary[i];
    return rf_fail(l->b->err, RF_UNSUPPORTED, "%s: layer '%s': unknown type '%s'%s", l->b->source,
                   l->name, rf_excerpt(shown, l->type, strlen(l->type)),
                   rf_hint(hint, rf_nearest(l->type, names, n)));
}

static enum rf_status check_rank(const struct rf_layer *l, const struct rf_layer_type *type,
                                 const struct rf_flow *flow)
{
    static const char *const shapes[] = {"", "[features]", "[channels,length]",
                                         "[channels,height,width]"};
    char text[RF_SHAPE_TEXT];
    const int rank = flow->sample.rank;
    if (rank >= type->min_rank && rank <= type->max_rank)
        return RF_OK;
    const bool wants_flatten = type->max_rank == 1;
    return rf_layer_fail(l, RF_SHAPE, "its input is %s, expected %s%s%s",
                         rf_shape_text(&flow->sample, text, sizeof text), shapes[type->min_rank],
                         type->max_rank > type->min_rank ? " or [channels,length]" : "",
                         wants_flatten ? ": a flatten before it makes one" : "");
}

static enum rf_status build_layer(const struct rf_layer *l, struct rf_flow *flow)
{
    char what[RF_ERROR_TEXT];
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i].name, l->type) != 0)
            continue;
        snprintf(what, sizeof what, "%s: layer '%s' (%s)", l->b->source, l->name, l->type);
        enum rf_status rc = rf_check_keys(l->json, types[i].keys, true, what, l->b->err);
        if (rc == RF_OK)
            rc = check_rank(l, &types[i], flow);
        return rc == RF_OK ? types[i].build(l, flow) : rc;
    }
    return rf_is_unary(l->type) ? rf_build_unary(l, flow) : unknown_type(l);
}

/* The layer's own name, or its place's; it and the name of its value are taken. */
static enum rf_status name_layer(struct rf_layer *l, const char *prefix, size_t index,
                                 char name[RF_MAX_NAME])
{
    const json_t *const given = json_object_get(l->json, "name");
    const char *const text = json_string_value(given);
    char place[RF_MAX_NAME];
    const int n = snprintf(place, sizeof place, "%s%zu", prefix, index);
    const struct rf_build *const b = l->b;
    if (given && (!text || !*text || strlen(text) >= RF_MAX_NAME))
        return rf_fail(b->err, RF_FORMAT,
                       "%s: layer %s: \"name\" must be a string of 1 to %d bytes", b->source, place,
                       RF_MAX_NAME - 1);
    for (const char *c = text; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return rf_fail(b->err, RF_FORMAT, "%s: layer %s: \"name\" holds a control character",
                           b->source, place);
    if (!given && (n < 0 || n >= RF_MAX_NAME))
        return rf_fail(b->err, RF_LIMIT, "%s: layer %s...: its name is too long", b->source, place);
    snprintf(name, RF_MAX_NAME, "%s", text ? text : place);
    l->name = name;
    const char *const type = json_string_value(json_object_get(l->json, "type"));
    if (!type)
        return rf_fail(b->err, RF_FORMAT, "%s: layer '%s': \"type\" must be a string", b->source,
                       name);
    l->type = type;
    const enum rf_status rc = rf_build_claim(b, name);
    if (rc != RF_OK || !l->last || strcmp(name, b->output_name) == 0)
        return rc;
    return rf_build_claim(b, b->output_name);
}

enum rf_status rf_build_layers(struct rf_build *b, const json_t *layers, const char *prefix,
                               bool last, struct rf_flow *flow)
{
    const size_t n = json_array_size(layers);
    for (size_t i = 0; i < n; i++) {
        struct rf_layer l = {
            .b = b, .json = json_array_get(layers, i), .type = "", .last = last && i == n - 1};
        char name[RF_MAX_NAME];
        if (!json_is_object(l.json))
            return rf_fail(b->err, RF_FORMAT, "%s: layer %s%zu must be an object", b->source,
                           prefix, i);
        if (++b->n_layers > MAX_LAYERS)
            return rf_fail(b->err, RF_LIMIT, "%s: more than %d layers", b->source, MAX_LAYERS);
        enum rf_status rc = name_layer(&l, prefix, i, name);
        if (rc == RF_OK)
            rc = build_layer(&l, flow);
        if (rc != RF_OK)
            return rc;
    }
    return RF_OK;
}

/* ---- blocks ---- */

static enum rf_status build_part(const struct rf_layer *l, const json_t *layers, const char *part,
                                 struct rf_flow *flow)
{
    char prefix[RF_MAX_NAME + 32];
    if (!json_is_array(layers))
        return rf_layer_fail(l, RF_FORMAT, "\"%s\" must be a list of layers", part);
    snprintf(prefix, sizeof prefix, "%s.%s.", l->name, part);
    return rf_build_layers(l->b, layers, prefix, false, flow);
}

enum rf_status rf_build_residual(const struct rf_layer *l, struct rf_flow *flow)
{
    const json_t *const layers = json_object_get(l->json, "layers");
    const json_t *const shortcut = json_object_get(l->json, "shortcut");
    struct rf_flow main = *flow, other = *flow;
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];
    enum rf_status rc = build_part(l, layers, "layers", &main);
    if (rc == RF_OK && json_array_size(layers) == 0)
        rc = rf_layer_fail(l, RF_FORMAT, "\"layers\" is empty");
    if (rc == RF_OK && shortcut)
        rc = build_part(l, shortcut, "shortcut", &other);
    if (rc != RF_OK)
        return rc;
    if (!rf_shape_equal(&main.sample, &other.sample))
        return rf_layer_fail(
            l, RF_SHAPE, "its layers give %s, its %s %s", rf_shape_text(&main.sample, a, sizeof a),
            shortcut ? "shortcut" : "input is", rf_shape_text(&other.sample, b, sizeof b));
    const rf_value_id in[2] = {main.value, other.value};
    return rf_build_node(l, "Add", in, 2, &main.sample, flow, NULL);
}

enum rf_status rf_build_concat(const struct rf_layer *l, struct rf_flow *flow)
{
    const json_t *const branches = json_object_get(l->json, "branches");
    const size_t n = json_array_size(branches);
    struct rf_shape sample = flow->sample;
    rf_value_id in[RF_MAX_IN];
    struct rf_node *node = NULL;
    if (!json_is_array(branches) || n < 1 || n > RF_MAX_IN)
        return rf_layer_fail(l, RF_FORMAT, "\"branches\" must be a list of 1 to %d lists of layers",
                             RF_MAX_IN);
    for (size_t i = 0; i < n; i++) {
        struct rf_flow branch = *flow;
        char part[32], a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];
        snprintf(part, sizeof part, "branches.%zu", i);
        const enum rf_status rc = build_part(l, json_array_get(branches, i), part, &branch);
        if (rc != RF_OK)
            return rc;
        struct rf_shape rest = branch.sample;
        rest.dim[0] = sample.dim[0];
        if (i == 0) {
            sample = branch.sample;
        } else if (!rf_shape_equal(&rest, &sample)) {
            sample.dim[0] = -1;
            return rf_layer_fail(l, RF_SHAPE, "branch %zu gives %s, expected %s", i,
                                 rf_shape_text(&branch.sample, a, sizeof a),
                                 rf_shape_text(&sample, b, sizeof b));
        } else if (__builtin_add_overflow(sample.dim[0], branch.sample.dim[0], &sample.dim[0])) {
            return rf_layer_fail(l, RF_LIMIT, "too many channels");
        }
        in[i] = branch.value;
    }
    const enum rf_status rc = rf_build_node(l, "Concat", in, (int)n, &sample, flow, &node);
    return rc == RF_OK ? rf_node_set_int(l->b->graph, node, "axis", 1, l->b->err) : rc;
}

/* ---- layers that only move values ---- */

enum rf_status rf_build_flatten(const struct rf_layer *l, struct rf_flow *flow)
{
    const json_t *const start = json_object_get(l->json, "start_dim");
    const json_t *const end = json_object_get(l->json, "end_dim");
    const rf_value_id in = flow->value;
    struct rf_shape sample = {.rank = 1};
    struct rf_node *node = NULL;
    if ((start && json_integer_value(start) != 1) ||
        (end && (!json_is_integer(end) ||
                 (json_integer_value(end) != -1 && json_integer_value(end) != flow->sample.rank))))
        return rf_layer_fail(l, RF_UNSUPPORTED,
                             "only \"start_dim\" 1 and \"end_dim\" -1 are supported");
    if (!rf_shape_numel(&flow->sample, &sample.dim[0]))
        return rf_layer_fail(l, RF_LIMIT, "its input is too large");
    const enum rf_status rc = rf_build_node(l, "Flatten", &in, 1, &sample, flow, &node);
    return rc == RF_OK ? rf_node_set_int(l->b->graph, node, "axis", 1, l->b->err) : rc;
}

enum rf_status rf_build_dropout(const struct rf_layer *l, struct rf_flow *flow)
{
    const rf_value_id in = flow->value;
    const struct rf_shape sample = flow->sample;
    bool inplace;
    float p;
    enum rf_status rc = rf_arg_float(l, "p", 0.5, &p);
    if (rc == RF_OK)
        rc = rf_arg_bool(l, "inplace", false, &inplace);
    if (rc == RF_OK && !(p >= 0 && p <= 1))
        rc = rf_layer_fail(l, RF_FORMAT, "\"p\" must be from 0 to 1");
    return rc == RF_OK ? rf_build_node(l, "Identity", &in, 1, &sample, flow, NULL) : rc;
}

enum rf_status rf_build_softmax(const struct rf_layer *l, struct rf_flow *flow)
{
    const json_t *const dim = json_object_get(l->json, "dim");
    const struct rf_shape sample = flow->sample;
    const rf_value_id in = flow->value;
    const int rank = sample.rank + 1;
    int64_t axis = json_is_integer(dim) ? json_integer_value(dim) : 1;
    struct rf_node *node = NULL;
    if (!dim && rank == 3) /* PyTorch would take the batch */
        return rf_layer_fail(l, RF_FORMAT,
                             "\"dim\" is missing (an input of 3 dimensions needs it)");
    if (axis < 0)
        axis += rank;
    if ((dim && !json_is_integer(dim)) || axis < 1 || axis >= rank)
        return rf_layer_fail(l, RF_FORMAT, "\"dim\" must be from 1 to %d, or from %d to -1",
                             rank - 1, 1 - rank);
    const bool log = strcmp(l->type, "logsoftmax") == 0;
    const enum rf_status rc =
        rf_build_node(l, log ? "LogSoftmax" : "Softmax", &in, 1, &sample, flow, &node);
    return rc == RF_OK ? rf_node_set_int(l->b->graph, node, "axis", axis, l->b->err) : rc;
}
