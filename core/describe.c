/* What a model tells of itself: inputs, outputs, activation layers and their names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/init.h"
#include "core/model.h"
#include "core/passes/expression.h"
#include "core/passes/passes.h"

#define DEFAULT_SLOTS 30

/* ---- inputs and outputs ---- */

static struct rf_shape with_open(const struct rf_value *v)
{
    struct rf_shape shape = v->shape;

    for (int k = 0; k < shape.rank; k++)
        if (v->open >> k & 1)
            shape.dim[k] = -1;
    return shape;
}

static struct rf_io describe(const struct rf_graph *g, rf_value_id id,
                             const struct rf_shape *nominal)
{
    const struct rf_value *const v = &g->values[id];

    return (struct rf_io){.id = id,
                          .name = v->name,
                          .dtype = v->dtype,
                          .shape = with_open(v),
                          .nominal = *nominal,
                          .is_key = v->is_key};
}

static enum rf_status describe_io(struct rf_model *model, const struct rf_shape *nominal,
                                  struct rf_error *err)
{
    struct rf_graph *const g = model->graph;

    model->inputs = rf_arena_array(&g->arena, g->n_inputs + 1, sizeof(*model->inputs));
    model->outputs = rf_arena_array(&g->arena, g->n_outputs + 1, sizeof(*model->outputs));
    if (!model->inputs || !model->outputs)
        return rf_fail_nomem(err, "inputs and outputs", g->n_inputs * sizeof(*model->inputs));
    for (size_t i = 0; i < g->n_inputs; i++)
        model->inputs[i] = describe(g, g->inputs[i], &nominal[i]);
    for (size_t i = 0; i < g->n_outputs; i++)
        model->outputs[i] = describe(g, g->outputs[i], &g->values[g->outputs[i]].shape);
    model->n_outputs = g->n_outputs;
    return RF_OK;
}

/* ---- names of layers ---- */

/* Names in use, and how often each base was asked for: open addressing over 2^n places. */
struct names {
    struct place {
        const char *name;
        size_t copies;
    } * places;
    size_t mask;
};

static struct place *find_name(const struct names *names, const char *name)
{
    size_t at = (size_t)rf_init_stream(name) & names->mask;

    while (names->places[at].name && strcmp(names->places[at].name, name) != 0)
        at = (at + 1) & names->mask;
    return &names->places[at];
}

/* `base`, or base#2, base#3, ... where that is taken. */
static const char *unique_name(struct rf_arena *arena, const struct names *names, const char *base)
{
    struct place *const first = find_name(names, base);
    char name[RF_MAX_NAME + 1];
    struct place *place = first;

    snprintf(name, sizeof(name), "%s", base);
    while (place->name) {
        char suffix[24];
        const int n = snprintf(suffix, sizeof(suffix), "#%zu", ++first->copies + 1);

        snprintf(name, sizeof(name), "%.*s%s", RF_MAX_NAME - n, base, suffix);
        place = find_name(names, name);
    }
    place->name = rf_arena_strdup(arena, name);
    return place->name;
}

/* A name fit to show: of bounded length, without control bytes, not used before. */
static const char *layer_name(struct rf_model *model, const struct names *names,
                              const struct rf_node *node)
{
    char base[RF_MAX_NAME + 1];

    if (*node->name)
        snprintf(base, sizeof(base), "%s", node->name);
    else
        snprintf(base, sizeof(base), "%s_%zu", node->op->name, model->n_layers);
    for (char *c = base; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return unique_name(&model->graph->arena, names, base);
}

static enum rf_status names_init(struct names *names, size_t n, struct rf_error *err)
{
    size_t places = 16;

    while (places < 2 * n)
        places *= 2;
    *names = (struct names){.places = calloc(places, sizeof(*names->places)), .mask = places - 1};
    return names->places ? RF_OK
                         : rf_fail_nomem(err, "layer names", places * sizeof(*names->places));
}

/* ---- layers ---- */

/* Positions of one input; 0 where they vary. */
static size_t area_of(const struct rf_shape *shape, int axis)
{
    size_t area = 1;

    for (int k = 1; k < shape->rank; k++) {
        if (k == axis)
            continue;
        if (shape->dim[k] < 0 || __builtin_mul_overflow(area, (size_t)shape->dim[k], &area))
            return 0;
    }
    return area;
}

/* Whether what does not fire is 0. */
static bool is_never_negative(const struct rf_graph *g, const struct rf_node *activation)
{
    return rf_node_is(activation, "Relu") ||
           (rf_node_is(activation, "Clip") && rf_clip_limit(g, activation, "min", 1) == 0 &&
            rf_clip_limit(g, activation, "max", 2) >= 0);
}

static enum rf_status add_layer(struct rf_model *model, const struct names *names, size_t index,
                                struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    const struct rf_node *const node = g->nodes[index];
    const struct rf_node *const activation = node->activation ? node->activation : node;
    const struct rf_value *const out = &g->values[node->out[0]];
    const struct rf_tensor as_tensor = {.dtype = out->dtype,
                                        .layout = out->layout,
                                        .channels_last = out->channels_last,
                                        .shape = out->shape};
    struct rf_layer *const layer = &model->layers[model->n_layers];

    if (activation->op->kind == RF_KIND_NONE || node->known || !rf_tensor_has_pixels(&as_tensor))
        return RF_OK;
    const struct rf_shape shape = with_open(out);
    const int axis = rf_tensor_channel_axis(&as_tensor);
    const int64_t channels = shape.dim[axis];
    if (channels < 1)
        return RF_OK;
    *layer = (struct rf_layer){.name = layer_name(model, names, activation),
                               .type = activation->op->name,
                               .path = node->path,
                               .kind = activation->op->kind,
                               .shape.rank = shape.rank - 1,
                               .channel_axis = axis - 1,
                               .n_channels = (size_t)channels,
                               .area = area_of(&shape, axis),
                               .node = (int32_t)index,
                               .index = model->n_layers,
                               .first = model->n_channels,
                               .first_place = model->n_layers ? rf_layer_end_place(layer - 1) : 0,
                               .needs_zero = !is_never_negative(g, activation)};
    if (!layer->name)
        return rf_fail_nomem(err, "layer name", RF_MAX_NAME);
    memcpy(layer->shape.dim, shape.dim + 1, (size_t)layer->shape.rank * sizeof(*shape.dim));
    model->n_channels += layer->n_channels;
    model->n_layers++;
    return RF_OK;
}

static enum rf_status find_layers(struct rf_model *model, enum rf_activity_level level,
                                  struct rf_error *err)
{
    struct rf_graph *const g = model->graph;
    struct names names;
    enum rf_status rc = names_init(&names, g->n_nodes, err);

    if (rc)
        return rc;
    model->layers = rf_arena_array(&g->arena, g->n_nodes + 1, sizeof(*model->layers));
    if (!model->layers)
        rc = rf_fail_nomem(err, "layers", g->n_nodes * sizeof(*model->layers));
    for (size_t i = 0; i < g->n_nodes && !rc && level != RF_ACTIVITY_OFF; i++)
        rc = add_layer(model, &names, i, err);
    free(names.places);
    return rc;
}

/* Gives units to layers whose number of them is known; returns the words of all. */
static size_t place_units(struct rf_model *model)
{
    size_t words = 0;

    for (struct rf_layer *l = model->layers; l < model->layers + model->n_layers; l++) {
        l->first_unit = words;
        if (__builtin_mul_overflow(rf_mask_words(l->n_channels), l->area, &l->unit_words) ||
            __builtin_add_overflow(words, l->unit_words, &words))
            return SIZE_MAX;
    }
    return words;
}

static enum rf_status make_record(struct rf_model *model, const struct rf_model_options *options,
                                  struct rf_error *err)
{
    const size_t n = model->n_layers;
    const bool has_slots = options->activity >= RF_ACTIVITY_CHANNEL;
    const struct rf_record_layout layout = {
        .level = options->activity,
        .layers = model->layers,
        .n_layers = n,
        .n_channels = model->n_channels,
        .places = n ? rf_layer_end_place(&model->layers[n - 1]) : 0,
        .unit_words = options->activity == RF_ACTIVITY_UNIT ? place_units(model) : 0,
        .map = &model->features,
        .kernels = model->kernels,
        .n_slots = !has_slots         ? 0
                   : options->n_slots ? options->n_slots
                                      : DEFAULT_SLOTS};
    const size_t bytes = rf_record_bytes(&layout);

    if (layout.n_slots > RF_MAX_SLOTS)
        return rf_fail(err, RF_LIMIT, "activity of %zu slots, at most %d are kept", layout.n_slots,
                       RF_MAX_SLOTS);
    if (bytes > model->max_session_bytes)
        return rf_fail(err, RF_LIMIT,
                       "activity of %zu channels takes %zu bytes, beyond the limit of %zu",
                       model->n_channels, bytes, model->max_session_bytes);
    return rf_record_init(&model->record, &layout, err);
}

enum rf_status rf_model_describe(struct rf_model *model, const struct rf_model_options *options,
                                 const struct rf_shape *nominal, struct rf_error *err)
{
    enum rf_status rc = describe_io(model, nominal, err);

    if (!rc)
        rc = find_layers(model, options->activity, err);
    if (!rc)
        rc = rf_feature_map_init(&model->features, model, err);
    return rc ? rc : make_record(model, options, err);
}
