#include "core/activity.h"

#include <math.h>
#include <stdlib.h>

#include "core/model.h"

#define NEAR_DEAD_SHARE 0.01 /* of inputs */
#define DYING_SHARE 0.5      /* of channels */
#define HIGH_SPARSITY 0.7    /* of values */
#define RULE_OF_THREE 3.0    /* no event in n trials: the rate is below 3 / n, at 95 % */

static enum rf_status layers_new(struct rf_activity *a, const struct rf_model *model,
                                 struct rf_error *err)
{
    struct rf_channel_activity *const channels = calloc(model->n_channels + 1, sizeof(*channels));

    a->layers = calloc(model->n_layers + 1, sizeof(*a->layers));
    if (!a->layers || !channels) {
        free(channels);
        return rf_fail_nomem(err, "activity", model->n_channels * sizeof(*channels));
    }
    rf_channels_clear(channels, model->n_channels);
    a->n_layers = model->n_layers;
    a->layers[0].channels = channels; /* one block, freed through the first layer */
    for (size_t i = 0; i < model->n_layers; i++) {
        const struct rf_layer *const layer = &model->layers[i];

        a->layers[i] = (struct rf_layer_activity){.name = layer->name,
                                                  .type = layer->type,
                                                  .path = layer->path,
                                                  .kind = layer->kind,
                                                  .shape = layer->shape,
                                                  .n_channels = layer->n_channels,
                                                  .channels = channels + layer->first};
    }
    return RF_OK;
}

enum rf_status rf_activity_read(struct rf_model *model, struct rf_activity **out,
                                struct rf_error *err)
{
    struct rf_activity *const a = calloc(1, sizeof(*a));

    *out = NULL;
    if (!a)
        return rf_fail_nomem(err, "activity", sizeof(*a));
    const enum rf_status rc = layers_new(a, model, err);
    if (rc) {
        rf_activity_free(a);
        return rc;
    }
    struct rf_channel_activity *const all = a->layers[0].channels;

    pthread_mutex_lock(&model->lock);
    a->inputs = model->retired_inputs;
    rf_channels_add(all, model->retired, model->n_channels);
    for (struct rf_counters *c = model->counters; c; c = c->next)
        rf_counters_read(c, &a->inputs, all);
    pthread_mutex_unlock(&model->lock);
    for (size_t i = 0; i < a->n_layers; i++) {
        struct rf_layer_activity *const layer = &a->layers[i];

        rf_channels_clear(&layer->total, 1);
        for (size_t c = 0; c < layer->n_channels; c++)
            rf_channels_add(&layer->total, &layer->channels[c], 1);
    }
    *out = a;
    return RF_OK;
}

void rf_activity_free(struct rf_activity *a)
{
    if (!a)
        return;
    if (a->layers)
        free(a->layers[0].channels);
    free(a->layers);
    free(a);
}

bool rf_channel_is_dead(const struct rf_channel_activity *c)
{
    return c->fired == 0;
}

void rf_layer_judge(const struct rf_layer_activity *layer, uint64_t inputs, uint64_t min_inputs,
                    struct rf_layer_verdict *v)
{
    *v = (struct rf_layer_verdict){.known = inputs && inputs >= min_inputs};
    if (!v->known)
        return;
    for (size_t i = 0; i < layer->n_channels; i++) {
        const struct rf_channel_activity *const c = &layer->channels[i];

        if (rf_channel_is_dead(c))
            v->dead++;
        else if ((double)c->fired_inputs < NEAR_DEAD_SHARE * (double)inputs)
            v->near_dead++;
        v->always_on += c->values && c->fired == c->values;
    }
    v->dead_rate_upper = RULE_OF_THREE / (double)inputs;
    if (v->dead_rate_upper > 1)
        v->dead_rate_upper = 1;
    if (layer->kind == RF_KIND_LEAKY)
        return; /* a leaky neuron below zero still learns and still speaks */
    v->dying = (double)v->dead > DYING_SHARE * (double)layer->n_channels;
    v->high_sparsity = (double)layer->total.zeros > HIGH_SPARSITY * (double)layer->total.values;
}
