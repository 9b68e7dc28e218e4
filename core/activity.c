#include "core/activity.h"

#include <math.h>
#include <stdlib.h>

#include "core/model.h"

#define RULE_OF_THREE 3.0 /* no event in n trials: the rate is below 3 / n, at 95 % */

/* ---- what was counted ---- */

/* With channels of all layers side by side, for layers[0].channels. */
static enum rf_status activity_new(struct rf_activity **out, const struct rf_model *model,
                                   struct rf_error *err)
{
    const size_t bytes = sizeof(**out) + model->n_layers * sizeof(struct rf_layer_activity) +
                         model->n_channels * sizeof(struct rf_channel_activity);
    struct rf_activity *const a = calloc(1, bytes);

    *out = a;
    if (!a)
        return rf_fail_nomem(err, "activity", bytes);
    a->n_layers = model->n_layers;
    a->layers = (struct rf_layer_activity *)(a + 1);
    struct rf_channel_activity *const channels = (void *)(a->layers + model->n_layers);
    rf_channels_clear(channels, model->n_channels);
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

/* Adds up each layer's channels, and forgets them where they are not asked for. */
static void add_up(struct rf_activity *a, const struct rf_model *model)
{
    for (size_t i = 0; i < a->n_layers; i++) {
        struct rf_layer_activity *const layer = &a->layers[i];

        rf_channels_clear(&layer->total, 1);
        for (size_t c = 0; c < layer->n_channels; c++)
            rf_channels_add(&layer->total, &layer->channels[c], 1);
        if (model->record.layout.level < RF_ACTIVITY_CHANNEL)
            layer->channels = NULL;
    }
}

static size_t n_units(const struct rf_model *model, const struct rf_layer *layer)
{
    return model->record.layout.level == RF_ACTIVITY_UNIT ? layer->n_channels * layer->area : 0;
}

/* Units that are silent in the open slot and those closed in the last `slots`. */
static void count_units(struct rf_activity *a, const struct rf_model *model,
                        const struct rf_units *units, size_t slots)
{
    for (size_t i = 0; i < a->n_layers; i++) {
        a->layers[i].n_units = n_units(model, &model->layers[i]);
        if (a->layers[i].n_units)
            a->layers[i].dead_units =
                rf_units_dead(units, &model->layers[i], slots, model->kernels);
    }
}

/* Under the record's lock, into the channels of the first layer. */
static void add_slots(const struct rf_record *r, size_t slots, uint64_t *inputs,
                      struct rf_channel_activity *sums)
{
    for (size_t age = 0; age <= slots; age++) {
        const struct rf_slot *const slot = rf_record_slot(r, age);

        *inputs += slot->inputs.n;
        rf_tally_add(&slot->tally, r->layout.layers, sums);
    }
}

static void read_load(struct rf_record *r, struct rf_activity *a)
{
    a->inputs = r->inputs;
    if (a->n_layers)
        rf_channels_add(a->layers[0].channels, r->totals, r->layout.n_channels);
}

/* `slots` closed ones, or since load. */
static enum rf_status read(struct rf_model *model, size_t slots, bool since_load,
                           struct rf_activity **out, struct rf_error *err)
{
    struct rf_record *const r = &model->record;
    uint64_t *const hashes = malloc(RF_DISTINCT_INPUTS * sizeof(*hashes));
    enum rf_status rc = activity_new(out, model, err);
    struct rf_activity *const a = *out;

    if (!rc && !hashes)
        rc = rf_fail_nomem(err, "activity", RF_DISTINCT_INPUTS * sizeof(*hashes));
    if (rc) {
        free(hashes);
        rf_activity_free(a);
        *out = NULL;
        return rc;
    }
    rf_counters_collect(r);
    pthread_mutex_lock(&r->lock);
    if (since_load)
        read_load(r, a);
    else
        a->n_slots = slots < r->n_closed ? slots : r->n_closed;
    if (a->n_layers)
        add_slots(r, a->n_slots, &a->inputs, a->layers[0].channels);
    else
        a->inputs += rf_record_slot(r, 0)->inputs.n;
    count_units(a, model, &r->units, since_load ? RF_NEVER_FIRED - 1 : a->n_slots);
    const size_t n = rf_distinct_copy(&r->distinct, since_load ? 0 : r->rolls - a->n_slots, hashes);
    pthread_mutex_unlock(&r->lock);
    a->distinct_inputs = rf_distinct_count(hashes, n);
    free(hashes);
    add_up(a, model);
    return RF_OK;
}

enum rf_status rf_activity_read(struct rf_model *model, struct rf_activity **out,
                                struct rf_error *err)
{
    return read(model, 0, true, out, err);
}

enum rf_status rf_activity_read_window(struct rf_model *model, size_t slots,
                                       struct rf_activity **out, struct rf_error *err)
{
    return read(model, slots, false, out, err);
}

void rf_activity_free(struct rf_activity *a)
{
    free(a);
}

void rf_activity_roll(struct rf_model *model)
{
    struct rf_record *const r = &model->record;

    rf_counters_collect(r);
    pthread_mutex_lock(&r->lock);
    rf_record_roll(r);
    pthread_mutex_unlock(&r->lock);
}

bool rf_activity_unit_ages(struct rf_model *model, size_t layer, uint8_t *ages)
{
    struct rf_record *const r = &model->record;

    if (layer >= model->n_layers || !n_units(model, &model->layers[layer]))
        return false;
    rf_counters_collect(r);
    pthread_mutex_lock(&r->lock);
    rf_units_ages(&r->units, &model->layers[layer], ages);
    pthread_mutex_unlock(&r->lock);
    return true;
}

size_t rf_activity_bytes(const struct rf_model *model, size_t *session)
{
    const struct rf_record_layout *const l = &model->record.layout;

    *session = rf_tally_bytes(l->n_layers, l->places, l->unit_words);
    return rf_record_bytes(l);
}

/* ---- judgement ---- */

bool rf_channel_is_dead(const struct rf_channel_activity *c, const struct rf_criteria *criteria)
{
    const double threshold = criteria->dead_threshold;

    return c->fired == 0 || (threshold > 0 && c->nonfinite == 0 && c->max <= threshold);
}

/* Distinct inputs are not counted beyond a limit, and with channels only. */
static bool is_known(const struct rf_activity *a, const struct rf_layer_activity *layer,
                     uint64_t min)
{
    const uint64_t distinct = min < RF_DISTINCT_INPUTS ? min : RF_DISTINCT_INPUTS;

    return a->inputs && a->inputs >= min && (!layer->channels || a->distinct_inputs >= distinct);
}

void rf_layer_judge(const struct rf_activity *activity, size_t index,
                    const struct rf_criteria *criteria, struct rf_layer_verdict *v)
{
    const struct rf_layer_activity *const layer = &activity->layers[index];
    const double inputs = (double)activity->inputs;

    *v = (struct rf_layer_verdict){.known = is_known(activity, layer, criteria->min_inputs)};
    if (!v->known)
        return;
    for (size_t i = 0; layer->channels && i < layer->n_channels; i++) {
        const struct rf_channel_activity *const c = &layer->channels[i];

        if (rf_channel_is_dead(c, criteria))
            v->dead++;
        else if ((double)c->fired_inputs < criteria->near_dead * inputs)
            v->near_dead++;
        v->always_on += c->values && c->fired == c->values;
    }
    v->dead_rate_upper = RULE_OF_THREE / inputs;
    if (v->dead_rate_upper > 1)
        v->dead_rate_upper = 1;
    if (layer->kind == RF_KIND_LEAKY)
        return; /* a leaky neuron below zero still learns and still speaks */
    v->dying = (double)v->dead > criteria->dying * (double)layer->n_channels;
    v->high_sparsity =
        (double)layer->total.zeros > criteria->high_sparsity * (double)layer->total.values;
}

/* ---- features and drift ---- */

const struct rf_feature_map *rf_model_features(const struct rf_model *model)
{
    return &model->features;
}

static void add_slot(struct rf_feature_sum *sum, const struct rf_record *r,
                     const struct rf_slot *slot)
{
    rf_features_add(sum, r->layout.map, r->layout.layers, &slot->tally, 1, &slot->inputs);
}

void rf_activity_features(struct rf_model *model, size_t newest, size_t oldest,
                          struct rf_feature_sum *sum)
{
    struct rf_record *const r = &model->record;
    const struct rf_slot *slot;

    rf_feature_sum_clear(sum, &model->features);
    rf_counters_collect(r);
    pthread_mutex_lock(&r->lock);
    for (size_t age = newest; age < oldest && (slot = rf_record_slot(r, age)); age++)
        add_slot(sum, r, slot);
    pthread_mutex_unlock(&r->lock);
}

void rf_model_set_baseline(struct rf_model *model, struct rf_baseline *baseline)
{
    struct rf_record *const r = &model->record;

    pthread_mutex_lock(&r->lock);
    rf_recent_compare(&r->recent, baseline);
    pthread_mutex_unlock(&r->lock);
}

void rf_model_use_baseline(struct rf_model *model,
                           void (*use)(void *arg, const struct rf_baseline *baseline), void *arg)
{
    struct rf_record *const r = &model->record;

    pthread_mutex_lock(&r->lock);
    use(arg, r->recent.baseline);
    pthread_mutex_unlock(&r->lock);
}

enum rf_status rf_activity_baseline(struct rf_model *model, struct rf_baseline **out,
                                    struct rf_error *err)
{
    struct rf_record *const r = &model->record;

    *out = NULL;
    if (r->layout.level < RF_ACTIVITY_CHANNEL)
        return rf_fail(err, RF_INVALID, "a baseline takes activity by channel or unit");
    rf_counters_collect(r);
    pthread_mutex_lock(&r->lock);
    const enum rf_status rc = rf_traffic_baseline(&r->recent.traffic, out, err);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

bool rf_activity_drift(struct rf_model *model, struct rf_drift *drift, double *layers)
{
    struct rf_record *const r = &model->record;

    rf_counters_collect(r);
    pthread_mutex_lock(&r->lock);
    const bool compared = r->recent.baseline != NULL;
    *drift = r->recent.drift;
    for (size_t i = 0; layers && compared && i < model->features.n_layers; i++)
        layers[i] = r->recent.scores[i];
    pthread_mutex_unlock(&r->lock);
    return compared;
}

/* ---- of one session ---- */

enum rf_status rf_activity_of(const struct rf_model *model, const struct rf_counters *c,
                              struct rf_activity **out, struct rf_error *err)
{
    const enum rf_status rc = activity_new(out, model, err);
    struct rf_activity *const a = *out;

    if (rc)
        return rc;
    a->inputs = c->inputs.n;
    for (size_t i = 0; i < c->n_tallies && a->n_layers; i++)
        rf_tally_add(&c->tallies[i], model->layers, a->layers[0].channels);
    add_up(a, model);
    return RF_OK;
}

int rf_features_of(const struct rf_model *model, const struct rf_counters *c, double *features)
{
    const struct rf_feature_map *const map = &model->features;
    uint64_t classes[RF_MAX_CLASSES] = {0};
    struct rf_feature_sum sum = {.classes = classes, .sum = features};

    rf_feature_sum_clear(&sum, map);
    rf_features_add(&sum, map, model->layers, c->tallies, c->n_tallies, &c->inputs);
    for (size_t f = 0; f < map->n_features && sum.inputs; f++)
        features[f] = sum.nonfinite ? INFINITY : features[f] / (double)sum.inputs;
    for (size_t k = 0; k < map->n_classes; k++)
        if (sum.inputs == 1 && classes[k])
            return (int)k;
    return -1;
}
