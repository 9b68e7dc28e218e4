/* Baselines of one small network. What is read gives finite scores, and reads back once written. */
#include "proto/baseline.h"

#include <math.h>
#include <stdlib.h>

#include "core/drift.h"
#include "tests/fuzz/fuzz.h"

static struct rf_feature_layer layers[] = {
    {.name = "input", .n_channels = 1, .n_vectors = RF_N_INPUT_VECTORS, .first = 0},
    {.name = "relu", .n_channels = 2, .n_vectors = RF_N_LAYER_VECTORS, .first = 3}};
static const struct rf_feature_map map = {
    .layers = layers, .n_layers = 2, .n_features = 7, .n_classes = 2, .has_input = true};

static void score(const struct rf_baseline *b)
{
    uint64_t classes[] = {100, 200};
    double sums[] = {1e20, -1e20, 0, 300, 0, -1, 1};
    const struct rf_feature_sum window = {.inputs = 300, .classes = classes, .sum = sums};
    const struct rf_mix mix = rf_class_mix(b, &window);

    if (!isfinite(rf_drift_score(&map, b, &window, NULL)) || !isfinite(rf_novelty(b, sums, 1)) ||
        !isfinite(mix.psi) || !(mix.p >= 0 && mix.p <= 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rf_baseline_owner owner = {.model = "net", .map = &map};
    struct rf_baseline_file file = {.source = "fuzz", .text = data, .len = size};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_baseline_about about;
    struct rf_baseline *b;
    struct rf_buf text;

    if (rf_baseline_parse(&b, &about, &file, &owner, &err))
        return 0;
    score(b);
    rf_buf_init(&text, RF_BASELINE_LIMIT);
    rf_baseline_write(&text, b, &about, &map);
    rf_baseline_free(b);
    file.text = text.data;
    file.len = text.len;
    if (rf_baseline_parse(&b, &about, &file, &owner, &err))
        abort();
    rf_baseline_free(b);
    rf_buf_release(&text);
    return 0;
}
