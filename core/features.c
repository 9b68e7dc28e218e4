#include "core/features.h"

#include <stdlib.h>
#include <string.h>

#include "core/model.h"

/* Channels of the input that are compared; 0: none. */
static size_t input_channels(const struct rf_model *model)
{
    const struct rf_io *const in = &model->inputs[0];

    if (!rf_model_n_inputs(model) || in->dtype != RF_F32 || in->shape.rank < 2)
        return 0;
    if (in->shape.rank == 2)
        return 1;
    return in->shape.dim[1] > 0 ? (size_t)in->shape.dim[1] : 0;
}

static size_t count_classes(const struct rf_model *model)
{
    const struct rf_io *const out = &model->outputs[0];

    if (!rf_model_n_outputs(model) || out->dtype != RF_F32 || out->shape.rank != 2)
        return 0;
    const int64_t n = out->shape.dim[1];
    return n >= 2 && n <= RF_MAX_CLASSES ? (size_t)n : 0;
}

static void add_layer(struct rf_feature_map *map, const char *name, size_t n_channels,
                      size_t n_vectors)
{
    map->layers[map->n_layers++] = (struct rf_feature_layer){
        .name = name, .n_channels = n_channels, .n_vectors = n_vectors, .first = map->n_features};
    map->n_features += n_vectors * n_channels;
}

enum rf_status rf_feature_map_init(struct rf_feature_map *map, const struct rf_model *model,
                                   struct rf_error *err)
{
    const size_t channels = input_channels(model), n = model->n_layers + 1;

    *map = (struct rf_feature_map){.layers = calloc(n, sizeof(*map->layers)),
                                   .n_classes = count_classes(model),
                                   .has_input = channels > 0};
    if (!map->layers)
        return rf_fail_nomem(err, "features", n * sizeof(*map->layers));
    if (channels)
        add_layer(map, "input", channels, RF_N_INPUT_VECTORS);
    for (size_t i = 0; i < model->n_layers; i++)
        add_layer(map, model->layers[i].name, model->layers[i].n_channels, RF_N_LAYER_VECTORS);
    return RF_OK;
}

void rf_feature_map_release(struct rf_feature_map *map)
{
    free(map->layers);
    *map = (struct rf_feature_map){.layers = NULL};
}

const char *rf_feature_vector_name(const struct rf_feature_layer *layer, size_t vector)
{
    static const char *const of_input[] = {"mean", "std", "range"};
    static const char *const of_layer[] = {"firing", "activation"};

    return layer->n_vectors == RF_N_INPUT_VECTORS ? of_input[vector] : of_layer[vector];
}

int rf_feature_class(const float *row, size_t n_classes)
{
    int best = 0;

    for (size_t k = 0; k < n_classes; k++) {
        if (row[k] != row[k])
            return -1;
        if (row[k] > row[best])
            best = (int)k;
    }
    return best;
}

enum rf_status rf_feature_sum_init(struct rf_feature_sum *sum, const struct rf_feature_map *map,
                                   struct rf_error *err)
{
    *sum = (struct rf_feature_sum){.classes = calloc(map->n_classes + 1, sizeof(*sum->classes)),
                                   .sum = calloc(map->n_features + 1, sizeof(*sum->sum))};
    if (sum->classes && sum->sum)
        return RF_OK;
    rf_feature_sum_release(sum);
    return rf_fail_nomem(err, "features", map->n_features * sizeof(*sum->sum));
}

void rf_feature_sum_release(struct rf_feature_sum *sum)
{
    free(sum->classes);
    free(sum->sum);
    *sum = (struct rf_feature_sum){.inputs = 0};
}

void rf_feature_sum_clear(struct rf_feature_sum *sum, const struct rf_feature_map *map)
{
    sum->inputs = sum->nonfinite = 0;
    memset(sum->classes, 0, map->n_classes * sizeof(*sum->classes));
    memset(sum->sum, 0, map->n_features * sizeof(*sum->sum));
}

void rf_feature_sum_add(struct rf_feature_sum *to, const struct rf_feature_sum *from,
                        const struct rf_feature_map *map)
{
    to->inputs += from->inputs;
    to->nonfinite += from->nonfinite;
    for (size_t k = 0; k < map->n_classes; k++)
        to->classes[k] += from->classes[k];
    for (size_t f = 0; f < map->n_features; f++)
        to->sum[f] += from->sum[f];
}
