/* A baseline -> its file. */
#include "proto/baseline.h"

#define DIGITS 9 /* more than any statistic over inputs has */

const char *rf_baseline_source_text(enum rf_baseline_source source)
{
    static const char *const texts[RF_N_BASELINE_SOURCES] = {"held-out data", "training data",
                                                             "live traffic"};

    return texts[source];
}

static void numbers(struct rf_buf *to, const double *v, size_t n)
{
    rf_buf_text(to, "[");
    for (size_t i = 0; i < n; i++)
        rf_buf_printf(to, "%s%.*g", i ? "," : "", DIGITS, v[i]);
    rf_buf_text(to, "]");
}

/* Rows of n numbers, `pitch` apart. */
static void rows(struct rf_buf *to, const double *v, size_t n_rows, size_t pitch, size_t n)
{
    rf_buf_text(to, "[");
    for (size_t i = 0; i < n_rows; i++) {
        rf_buf_text(to, i ? ",\n    " : "");
        numbers(to, v + i * pitch, n);
    }
    rf_buf_text(to, "]");
}

static void write_vector(struct rf_buf *to, const struct rf_baseline *b,
                         const struct rf_feature_layer *layer, size_t v)
{
    const size_t first = layer->first + v * layer->n_channels, n = layer->n_channels;

    rf_buf_printf(to, ",\n   \"%s\":{\"mean\":", rf_feature_vector_name(layer, v));
    numbers(to, b->mean + first, n);
    rf_buf_text(to, ",\n    \"variance\":");
    numbers(to, b->variance + first, n);
    if (b->class_mean) {
        rf_buf_text(to, ",\n    \"class_mean\":");
        rows(to, b->class_mean + first, b->n_classes, b->n_features, n);
    }
    rf_buf_text(to, "}");
}

static void write_classes(struct rf_buf *to, const struct rf_baseline *b)
{
    rf_buf_text(to, " \"classes\":[");
    for (size_t k = 0; k < b->n_classes; k++)
        rf_buf_printf(to, "%s%llu", k ? "," : "", (unsigned long long)b->classes[k]);
    rf_buf_text(to, "],\n");
    if (b->class_error) {
        rf_buf_text(to, " \"class_error\":");
        rows(to, b->class_error, b->n_classes, b->n_classes, b->n_classes);
        rf_buf_text(to, ",\n");
    }
}

void rf_baseline_write(struct rf_buf *to, const struct rf_baseline *b,
                       const struct rf_baseline_about *about, const struct rf_feature_map *map)
{
    rf_buf_text(to, "{\"format\":\"rectifier-baseline\",\"version\":1,\n \"model\":");
    rf_buf_json_string(to, about->model);
    rf_buf_printf(to, ",\"sha256\":\"%s\",\n \"source\":\"%s\",\n", about->sha256,
                  rf_baseline_source_text(about->source));
    if (about->source == RF_BASELINE_TRAINING)
        rf_buf_text(to, " \"warning\":\"on data that a network was trained on its classes lie "
                        "further apart than elsewhere: make a baseline from held-out data\",\n");
    rf_buf_printf(to, " \"inputs\":%llu,\n \"sub_window_max\":%.*g,\n",
                  (unsigned long long)b->inputs, DIGITS, b->sub_window_max);
    if (b->n_classes)
        write_classes(to, b);
    rf_buf_text(to, " \"layers\":[");
    for (size_t i = 0; i < map->n_layers; i++) {
        const struct rf_feature_layer *const layer = &map->layers[i];

        rf_buf_text(to, i ? ",\n  {\"name\":" : "\n  {\"name\":");
        rf_buf_json_string(to, layer->name);
        rf_buf_printf(to, ",\"channels\":%zu", layer->n_channels);
        for (size_t v = 0; v < layer->n_vectors; v++)
            write_vector(to, b, layer, v);
        rf_buf_text(to, "}");
    }
    rf_buf_text(to, "]}\n");
}
