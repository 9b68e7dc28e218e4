#include "core/drift.h"

#include <math.h>
#include <string.h>

/* What is expected of a window, or of one input. */
struct expectation {
    const struct rf_baseline *baseline;
    double shares[RF_MAX_CLASSES]; /* of classes with inputs; all 0: the overall means */
    bool by_class;
    double sampling; /* what a mean deviates by itself, squared, in variances */
    double stretch;  /* of squared distances: 1, or more for a part of the baseline itself */
};

static void expect_class(struct expectation *e, const struct rf_baseline *baseline, int class)
{
    *e = (struct expectation){.baseline = baseline};
    if (class < 0 || !baseline->class_mean)
        return;
    e->by_class = true;
    e->shares[class] = 1;
}

/* p' class_error p, or 1/n0: what the expectation itself is off. */
static double error_of_baseline(const struct expectation *e)
{
    const struct rf_baseline *const b = e->baseline;
    double error = 0;

    if (!e->by_class)
        return 1 / (double)b->inputs;
    for (size_t k = 0; k < b->n_classes; k++)
        for (size_t l = 0; l < b->n_classes; l++)
            error += e->shares[k] * e->shares[l] * b->class_error[k * b->n_classes + l];
    return error;
}

static void expect_mix(struct expectation *e, const struct rf_baseline *baseline,
                       const struct rf_feature_sum *window)
{
    const size_t n_classes = baseline->n_classes;
    uint64_t known = 0;

    *e = (struct expectation){.baseline = baseline, .stretch = 1};
    for (size_t k = 0; k < n_classes; k++)
        known += window->classes[k];
    e->by_class = known && baseline->class_mean;
    for (size_t k = 0; k < n_classes && e->by_class; k++)
        e->shares[k] = (double)window->classes[k] / (double)known;
    e->sampling = 1 / (double)window->inputs + error_of_baseline(e);
}

#define TILE ((size_t)64) /* features expected at a time */

static void expected(const struct expectation *e, size_t first, size_t n, double *mean)
{
    const struct rf_baseline *const b = e->baseline;

    if (!e->by_class) {
        memcpy(mean, b->mean + first, n * sizeof(*mean));
        return;
    }
    memset(mean, 0, n * sizeof(*mean));
    for (size_t k = 0; k < b->n_classes; k++) {
        const double share = e->shares[k], *const of_class = b->class_mean + k * b->n_features;

        if (share == 0)
            continue;
        for (size_t i = 0; i < n; i++)
            mean[i] += share * of_class[first + i];
    }
}

/* Mean over n features from `first` of the squared distance, in variances; `sum` is of `inputs`. */
static double distance(const struct expectation *e, const double *sum, double inputs, size_t first,
                       size_t n)
{
    const double *const variance = e->baseline->variance;
    double mean[TILE], total = 0;

    for (size_t at = first; at < first + n; at += TILE) {
        const size_t here = first + n - at < TILE ? first + n - at : TILE;

        expected(e, at, here, mean);
        for (size_t i = 0; i < here; i++) {
            const double off = sum[at + i] / inputs - mean[i];

            total += off * off / variance[at + i];
        }
    }
    return total / (double)n;
}

static double layer_score(const struct expectation *e, const struct rf_feature_layer *layer,
                          const struct rf_feature_sum *window)
{
    double score = 0;

    for (size_t v = 0; v < layer->n_vectors; v++) {
        const double d = distance(e, window->sum, (double)window->inputs,
                                  layer->first + v * layer->n_channels, layer->n_channels);

        score = fmax(score, sqrt(fmax(0, e->stretch * d - e->sampling)));
    }
    return score;
}

static double score_layers(const struct rf_feature_map *map, const struct expectation *e,
                           const struct rf_feature_sum *window, double *layers)
{
    double score = 0;

    for (size_t i = 0; i < map->n_layers; i++) {
        const double here = layer_score(e, &map->layers[i], window);

        if (layers)
            layers[i] = here;
        score = fmax(score, here);
    }
    return score;
}

double rf_drift_score(const struct rf_feature_map *map, const struct rf_baseline *baseline,
                      const struct rf_feature_sum *window, double *layers)
{
    struct expectation e;

    if (window->inputs) {
        expect_mix(&e, baseline, window);
        return score_layers(map, &e, window, layers);
    }
    for (size_t i = 0; layers && i < map->n_layers; i++)
        layers[i] = 0;
    return 0;
}

/* The part pulls the baseline towards itself: it is as much further from the rest as that is
 * smaller than the whole, and the rest is known as much worse. */
double rf_drift_own_score(const struct rf_feature_map *map, const struct rf_baseline *baseline,
                          const struct rf_feature_sum *part)
{
    const double all = (double)baseline->inputs, rest = all - (double)part->inputs;
    struct expectation e;

    if (!part->inputs || rest < (double)part->inputs)
        return 0;
    expect_mix(&e, baseline, part);
    e.stretch = all * all / (rest * rest);
    e.sampling = 1 / (double)part->inputs + error_of_baseline(&e) * all / rest;
    return score_layers(map, &e, part, NULL);
}

double rf_novelty(const struct rf_baseline *baseline, const double *features, int class)
{
    struct expectation e;

    if (!baseline->n_features)
        return 0;
    expect_class(&e, baseline, class);
    return distance(&e, features, 1, 0, baseline->n_features);
}
