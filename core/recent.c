#include "core/recent.h"

#include <stdlib.h>

#include "core/baseline.h"

enum rf_status rf_recent_init(struct rf_recent *r, const struct rf_feature_map *map,
                              struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    *r = (struct rf_recent){.map = map};
    if (!map)
        return RF_OK;
    r->scores = calloc(map->n_layers + 1, sizeof(*r->scores));
    if (!r->scores)
        return rf_fail_nomem(err, "drift", map->n_layers * sizeof(*r->scores));
    rc = rf_feature_sum_init(&r->open, map, err);
    if (!rc)
        rc = rf_feature_sum_init(&r->window, map, err);
    for (size_t i = 0; i < RF_N_BLOCKS && !rc; i++)
        rc = rf_feature_sum_init(&r->blocks[i], map, err);
    if (!rc)
        rc = rf_traffic_init(&r->traffic, map, err);
    return rc;
}

void rf_recent_release(struct rf_recent *r)
{
    rf_feature_sum_release(&r->open);
    rf_feature_sum_release(&r->window);
    for (size_t i = 0; i < RF_N_BLOCKS; i++)
        rf_feature_sum_release(&r->blocks[i]);
    rf_baseline_free(r->baseline);
    free(r->scores);
    rf_traffic_release(&r->traffic);
}

size_t rf_recent_bytes(const struct rf_feature_map *map)
{
    return (RF_N_BLOCKS + 2) * (map->n_features + map->n_classes) * sizeof(double) +
           rf_traffic_bytes(map);
}

/* ---- features of counts ------------------------------------------------------------------------
 */

/* An activation layer's, whose sums over positions count `share` each. */
static void add_layer(double *features, const struct rf_layer *layer, const struct rf_tally *t,
                      double share)
{
    const uint32_t *const fired = t->counts[RF_COUNT_FIRED] + layer->first_place;
    const double *const sum = t->moments.sum + layer->first_place;

    for (size_t c = 0; c < layer->n_channels; c++)
        features[RF_FEATURE_FIRING * layer->n_channels + c] += fired[c] * share;
    for (size_t c = 0; c < layer->n_channels; c++)
        features[RF_FEATURE_ACTIVATION * layer->n_channels + c] += sum[c] * share;
}

static uint64_t count_nonfinite(const struct rf_tally *t)
{
    uint64_t n = 0;

    for (size_t i = 0; i < t->places; i++)
        n += t->counts[RF_COUNT_NONFINITE][i];
    return n;
}

void rf_features_add(struct rf_feature_sum *sum, const struct rf_feature_map *map,
                     const struct rf_layer *layers, const struct rf_tally *tallies, size_t n,
                     const struct rf_inputs *in)
{
    if (!in->n)
        return;
    sum->inputs += in->n;
    sum->nonfinite += in->nonfinite;
    for (size_t i = 0; i < n; i++)
        sum->nonfinite += count_nonfinite(&tallies[i]);
    for (size_t k = 0; k < map->n_classes; k++)
        sum->classes[k] += in->classes[k];
    for (size_t f = 0; f < in->n_features; f++)
        sum->sum[f] += in->features[f];
    for (size_t l = 0; l < tallies->n_layers; l++) {
        double *const features = sum->sum + map->layers[l + map->has_input].first;
        uint64_t positions = 0;

        for (size_t i = 0; i < n; i++)
            positions += tallies[i].positions[l];
        for (size_t i = 0; i < n && positions; i++)
            add_layer(features, &layers[l], &tallies[i], (double)in->n / (double)positions);
    }
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* Anew each time: sums from which large values were taken off again would be rounded as those were.
 */
static void sum_up(struct rf_recent *r)
{
    rf_feature_sum_clear(&r->window, r->map);
    for (size_t i = 0; i < r->n; i++)
        rf_feature_sum_add(&r->window, &r->blocks[(r->first + i) % RF_N_BLOCKS], r->map);
}

/* Blocks behind which there are inputs enough. */
static void drop_old(struct rf_recent *r)
{
    uint64_t inputs = 0;
    size_t n = 0;

    while (n < r->n && inputs < RF_DRIFT_WINDOW)
        inputs += r->blocks[(r->first + r->n - ++n) % RF_N_BLOCKS].inputs;
    r->first = (r->first + r->n - n) % RF_N_BLOCKS;
    r->n = n;
}

static void compare(struct rf_recent *r)
{
    struct rf_drift *const d = &r->drift;

    d->inputs = r->window.inputs;
    d->score = d->inputs < RF_DRIFT_MIN_INPUTS
                   ? 0
                   : rf_drift_score(r->map, r->baseline, &r->window, r->scores);
    d->mix = rf_class_mix(r->baseline, &r->window);
    d->state = rf_drift_watch_step(&r->watch, &r->window, d->score, r->seen);
}

/* The open block becomes the newest of those that are compared. */
static void keep_block(struct rf_recent *r)
{
    struct rf_feature_sum *const slot = &r->blocks[(r->first + r->n) % RF_N_BLOCKS];
    const struct rf_feature_sum free_one = *slot;

    r->seen += r->open.inputs;
    *slot = r->open;
    r->open = free_one;
    r->n++;
    drop_old(r);
    sum_up(r);
    compare(r);
}

void rf_recent_add(struct rf_recent *r, const struct rf_layer *layers,
                   const struct rf_tally *tallies, size_t n, const struct rf_inputs *in)
{
    const bool wanted = rf_traffic_wants(&r->traffic);

    if (!r->map || (!r->baseline && !wanted))
        return;
    rf_features_add(&r->open, r->map, layers, tallies, n, in);
    if (r->baseline && r->open.nonfinite) /* the rest of the block may be long in coming */
        r->drift.state = rf_drift_watch_step(&r->watch, &r->open, 0, r->seen);
    if (r->open.inputs < RF_BLOCK_INPUTS)
        return;
    if (wanted)
        rf_traffic_add(&r->traffic, &r->open);
    if (r->baseline)
        keep_block(r);
    rf_feature_sum_clear(&r->open, r->map);
}

void rf_recent_compare(struct rf_recent *r, struct rf_baseline *baseline)
{
    if (!r->map) {
        rf_baseline_free(baseline);
        return;
    }
    rf_baseline_free(r->baseline);
    r->baseline = baseline;
    r->n = 0;
    r->seen = 0;
    rf_feature_sum_clear(&r->window, r->map);
    rf_feature_sum_clear(&r->open, r->map);
    r->drift = (struct rf_drift){.baseline_inputs = baseline ? baseline->inputs : 0, .mix.p = 1};
    for (size_t i = 0; i < r->map->n_layers; i++)
        r->scores[i] = 0;
    if (baseline)
        rf_drift_watch_init(&r->watch, baseline);
}
