/*
 * make_drift: reads features as numbers from standard input and prints, as JSON, the baseline they
 * make, each window's scores and each input's novelty. For test_drift.py and tests/drift.
 *
 *   classes layers, then of each layer: channels vectors
 *   plain blocks, then of each block: inputs nonfinite, its classes, its sums
 *   windows, each as a block: they come one behind the other, as a watch sees them
 *   inputs, of each: class, its features
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/drift.h"

static void fail(const char *why)
{
    fprintf(stderr, "make_drift: %s\n", why);
    exit(1);
}

static double number(void)
{
    double v;

    if (scanf("%lf", &v) != 1)
        fail("a number is missing");
    return v;
}

static size_t count(void)
{
    return (size_t)number();
}

static void must(enum rf_status rc, const struct rf_error *err)
{
    if (rc)
        fail(err->text);
}

static void read_map(struct rf_feature_map *map)
{
    *map = (struct rf_feature_map){.n_classes = count()};
    map->n_layers = count();
    map->layers = calloc(map->n_layers + 1, sizeof(*map->layers));
    if (!map->layers || map->n_classes > RF_MAX_CLASSES)
        fail("too many");
    for (size_t i = 0; i < map->n_layers; i++) {
        struct rf_feature_layer *const layer = &map->layers[i];

        layer->n_channels = count();
        layer->n_vectors = count();
        layer->first = map->n_features;
        map->n_features += layer->n_channels * layer->n_vectors;
    }
}

static void read_sum(struct rf_feature_sum *sum, const struct rf_feature_map *map)
{
    sum->inputs = count();
    sum->nonfinite = count();
    for (size_t k = 0; k < map->n_classes; k++)
        sum->classes[k] = count();
    for (size_t f = 0; f < map->n_features; f++)
        sum->sum[f] = number();
}

static void print_doubles(const char *key, const double *v, size_t n)
{
    printf("\"%s\": [", key);
    for (size_t i = 0; i < n; i++)
        printf("%s%.17g", i ? ", " : "", v[i]);
    printf("]");
}

static struct rf_baseline *read_baseline(const struct rf_feature_map *map,
                                         struct rf_feature_sum *sum)
{
    const bool plain = number() != 0;
    const size_t n_blocks = count(), k = map->n_classes;
    struct rf_error err = RF_ERROR_INIT;
    struct rf_baseline_builder *builder;
    struct rf_baseline *b;

    must(rf_baseline_builder_new(&builder, map, RF_BASELINE_SUB_WINDOWS, &err), &err);
    for (size_t i = 0; i < n_blocks; i++) {
        read_sum(sum, map);
        must(rf_baseline_builder_add(builder, sum, &err), &err);
    }
    must(rf_baseline_builder_finish(builder, plain, &b, &err), &err);
    rf_baseline_builder_free(builder);
    printf("{\"inputs\": %" PRIu64 ", \"sub_window_max\": %.17g, ", b->inputs, b->sub_window_max);
    print_doubles("mean", b->mean, b->n_features);
    printf(", ");
    print_doubles("variance", b->variance, b->n_features);
    if (b->class_mean) {
        printf(", ");
        print_doubles("class_mean", b->class_mean, k * b->n_features);
        printf(", ");
        print_doubles("class_error", b->class_error, k * k);
    }
    printf(",\n");
    return b;
}

static void print_windows(const struct rf_feature_map *map, const struct rf_baseline *b,
                          struct rf_feature_sum *sum)
{
    const size_t n = count();
    double *const layers = calloc(map->n_layers + 1, sizeof(*layers));
    struct rf_drift_watch watch;
    uint64_t seen = 0;

    if (!layers)
        fail("out of memory");
    rf_drift_watch_init(&watch, b);
    printf("\"windows\": [");
    for (size_t i = 0; i < n; i++) {
        read_sum(sum, map);
        seen += sum->inputs;
        const double score = rf_drift_score(map, b, sum, layers);
        const struct rf_mix mix = rf_class_mix(b, sum);
        const enum rf_drift_state state = rf_drift_watch_step(&watch, sum, score, seen);

        printf("%s\n{\"score\": %.17g, \"psi\": %.17g, \"p\": %.17g, \"mix\": %s, "
               "\"state\": \"%s\", ",
               i ? "," : "", score, mix.psi, mix.p, mix.notice ? "true" : "false",
               rf_drift_state_text(state));
        print_doubles("layers", layers, map->n_layers);
        printf("}");
    }
    printf("],\n");
    free(layers);
}

static void print_novelty(const struct rf_feature_map *map, const struct rf_baseline *b,
                          struct rf_feature_sum *sum)
{
    const size_t n = count();

    printf("\"novelty\": [");
    for (size_t i = 0; i < n; i++) {
        const int class = (int)number();

        for (size_t f = 0; f < map->n_features; f++)
            sum->sum[f] = number();
        printf("%s%.17g", i ? ", " : "", rf_novelty(b, sum->sum, class));
    }
    printf("]}\n");
}

int main(void)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_feature_map map;
    struct rf_feature_sum sum;

    read_map(&map);
    must(rf_feature_sum_init(&sum, &map, &err), &err);
    struct rf_baseline *const b = read_baseline(&map, &sum);
    print_windows(&map, b, &sum);
    print_novelty(&map, b, &sum);
    rf_baseline_free(b);
    rf_feature_sum_release(&sum);
    rf_feature_map_release(&map);
    return 0;
}
