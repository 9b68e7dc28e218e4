/* The families of activations: counters since load, gauges over --activity-window. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/activity.h"
#include "server/exposition.h"
#include "server/server.h"
#include "server/slots.h"

/* With --metrics-detail channel: what a scraper can be expected to keep. */
#define MOST_CHANNEL_SERIES 10000

/* A model as one scrape sees it. */
struct view {
    struct srv_model *model;
    struct rf_activity *load, *window; /* NULL: not to be had */
    struct rf_layer_verdict *verdicts; /* of the window's layers, or NULL */
    struct srv_drift drift;
};

struct layer_view {
    const struct view *of;
    size_t index;
    const struct rf_layer_activity *load, *window;
    const struct rf_layer_verdict *verdict; /* of the window */
};

/* Prints one sample of a family for a layer, or nothing. */
typedef void (*layer_sample)(struct srv_exposition *x, const char *family,
                             const struct layer_view *v);

static void layer_labels(struct srv_exposition *x, const char *family, const struct layer_view *v)
{
    srv_model_labels(x, family, v->of->model);
    srv_label(x, ",", "layer", v->load->name);
}

static void layer_info(struct srv_exposition *x, const char *family, const struct layer_view *v)
{
    layer_labels(x, family, v);
    srv_label(x, ",", "type", v->load->type);
    rf_buf_printf(x->b, ",index=\"%zu\",channels=\"%zu\"} 1\n", v->index, v->load->n_channels);
}

#define LAYER_SAMPLE(name, condition, format, value)                                               \
    static void name(struct srv_exposition *x, const char *family, const struct layer_view *v)     \
    {                                                                                              \
        if (!(condition))                                                                          \
            return;                                                                                \
        layer_labels(x, family, v);                                                                \
        rf_buf_printf(x->b, "} " format "\n", value);                                              \
    }

#define TOTAL(field) v->load->total.field
#define KNOWN v->verdict->known
#define CHANNELS v->verdict->known && v->window->channels
LAYER_SAMPLE(layer_values, true, "%" PRIu64, TOTAL(values))
LAYER_SAMPLE(layer_zeros, true, "%" PRIu64, TOTAL(zeros))
LAYER_SAMPLE(layer_inactive, v->load->kind == RF_KIND_LEAKY, "%" PRIu64, TOTAL(inactive))
LAYER_SAMPLE(layer_nonfinite, true, "%" PRIu64, TOTAL(nonfinite))
LAYER_SAMPLE(layer_sparsity, KNOWN && v->window->total.values, "%.9g",
             (double)v->window->total.zeros / (double)v->window->total.values)
LAYER_SAMPLE(layer_dead, CHANNELS, "%zu", v->verdict->dead)
LAYER_SAMPLE(layer_near_dead, CHANNELS, "%zu", v->verdict->near_dead)
LAYER_SAMPLE(layer_always_on, CHANNELS, "%zu", v->verdict->always_on)
LAYER_SAMPLE(layer_dead_units, KNOWN && v->window->n_units, "%zu", v->window->dead_units)

static const struct {
    const char *family, *type, *help;
    layer_sample sample;
} layer_families[] = {
    {"rectifier_activation_info", "gauge", "The activation layers.", layer_info},
    {"rectifier_activation_values_total", "counter", "Activations computed.", layer_values},
    {"rectifier_activation_zeros_total", "counter", "Activations exactly 0.", layer_zeros},
    {"rectifier_activation_inactive_total", "counter",
     "Activations whose input was 0 or less, of layers that have few zeros.", layer_inactive},
    {"rectifier_activation_nonfinite_total", "counter", "Activations NaN or infinite.",
     layer_nonfinite},
    {"rectifier_activation_sparsity_ratio", "gauge", "Zeros to values in the window.",
     layer_sparsity},
    {"rectifier_activation_dead_channels", "gauge", "Channels that never fired in the window.",
     layer_dead},
    {"rectifier_activation_near_dead_channels", "gauge",
     "Channels that fired in a small share of the window's inputs, --near-dead.", layer_near_dead},
    {"rectifier_activation_always_on_channels", "gauge",
     "Channels in which every value of the window fired.", layer_always_on},
    {"rectifier_activation_dead_units", "gauge", "Units that never fired in the window.",
     layer_dead_units},
};

static void view_text(struct srv_exposition *x, const char *family, layer_sample sample,
                      const struct view *v)
{
    if (!v->load || !v->window || !v->verdicts)
        return;
    for (size_t k = 0; k < v->load->n_layers; k++) {
        const struct layer_view layer = {v, k, &v->load->layers[k], &v->window->layers[k],
                                         &v->verdicts[k]};
        sample(x, family, &layer);
    }
}

static void layers_text(struct srv_exposition *x, const struct view *list, size_t n)
{
    for (size_t f = 0; f < sizeof layer_families / sizeof *layer_families; f++) {
        srv_head(x, layer_families[f].family, layer_families[f].type, layer_families[f].help);
        for (size_t i = 0; i < n; i++)
            view_text(x, layer_families[f].family, layer_families[f].sample, &list[i]);
    }
}

static void drift_text(struct srv_exposition *x, const struct view *list, size_t n)
{
    const char *family = "rectifier_activation_drift_score";
    srv_head(x, family, "gauge",
             "How far a layer is from the baseline, in standard deviations of single inputs.");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; srv_drift_has_score(&list[i].drift) && k < list[i].drift.map->n_layers;
             k++) {
            srv_model_labels(x, family, list[i].model);
            srv_label(x, ",", "layer", list[i].drift.map->layers[k].name);
            rf_buf_printf(x->b, "} %.9g\n", list[i].drift.scores[k]);
        }
}

/* A family with one value a model; `v` is the model's view in both expressions. */
#define MODEL_GAUGE(family, help, condition, format, value)                                        \
    do {                                                                                           \
        srv_head(x, family, "gauge", help);                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            const struct view *v = &list[i];                                                       \
            if (!(condition))                                                                      \
                continue;                                                                          \
            srv_model_labels(x, family, v->model);                                                 \
            rf_buf_printf(x->b, "} " format "\n", value);                                          \
        }                                                                                          \
    } while (0)

static void models_text(struct srv_exposition *x, const struct view *list, size_t n)
{
    MODEL_GAUGE("rectifier_activation_window_inputs", "Inputs that the gauges of windows are of.",
                v->window, "%" PRIu64, v->window->inputs);
    MODEL_GAUGE("rectifier_activation_drift_state",
                "What the drift score comes to: 0 all is well, 1 a warning, 2 an alarm.",
                v->drift.known, "%d", (int)v->drift.drift.state);
    MODEL_GAUGE(
        "rectifier_activation_class_mix_score",
        "How far the mix of classes is from the baseline's: their population stability index.",
        srv_drift_has_score(&v->drift), "%.9g", v->drift.drift.mix.psi);
}

static void novelty_text(struct srv_exposition *x, const struct view *list, size_t n)
{
    const char *family = "rectifier_activation_novelty";
    srv_head(x, family, "histogram",
             "How far single inputs are from the baseline, of those for which it was found out.");
    for (size_t i = 0; i < n; i++) {
        struct srv_novelty *novelty = &list[i].model->metrics.novelty;
        pthread_mutex_lock(&novelty->lock);
        srv_model_histogram_text(x, family, list[i].model, &novelty->histogram,
                                 &srv_novelty_buckets, novelty->last);
        pthread_mutex_unlock(&novelty->lock);
    }
}

/* One series a channel, up to a limit; returns how many are left out. */
static uint64_t channels_text(struct srv_exposition *x, const struct view *list, size_t n)
{
    const char *family = "rectifier_activation_channel_fired_total";
    uint64_t series = 0;
    srv_head(x, family, "counter", "Activations above 0, channel by channel.");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; list[i].load && k < list[i].load->n_layers; k++) {
            const struct rf_layer_activity *layer = &list[i].load->layers[k];
            for (size_t c = 0; layer->channels && c < layer->n_channels; c++) {
                if (series++ >= MOST_CHANNEL_SERIES)
                    continue;
                srv_model_labels(x, family, list[i].model);
                srv_label(x, ",", "layer", layer->name);
                rf_buf_printf(x->b, ",channel=\"%zu\"} %" PRIu64 "\n", c, layer->channels[c].fired);
            }
        }
    return series > MOST_CHANNEL_SERIES ? series - MOST_CHANNEL_SERIES : 0;
}

static void dropped_text(struct srv_exposition *x, uint64_t more)
{
    static atomic_uint_fast64_t dropped;
    srv_add(&dropped, more);
    srv_head(x, "rectifier_metrics_series_dropped_total", "counter",
             "Series of channels left out of scrapes because there were too many.");
    rf_buf_printf(x->b, "rectifier_metrics_series_dropped_total %" PRIu64 "\n", srv_read(&dropped));
}

/* What there is no memory for is left out. */
static void read_window(struct view *v, const struct rf_criteria *criteria)
{
    if (rf_activity_read_window(v->model->model, SRV_SLOTS, &v->window, NULL)) {
        v->window = NULL;
        return;
    }
    v->verdicts = calloc(v->window->n_layers + 1, sizeof *v->verdicts);
    for (size_t k = 0; v->verdicts && k < v->window->n_layers; k++)
        rf_layer_judge(v->window, k, criteria, &v->verdicts[k]);
}

static void read_views(struct view *list, const struct srv_served *models,
                       const struct rf_criteria *criteria)
{
    for (size_t i = 0; i < models->n; i++) {
        struct rf_model *model = models->list[i]->model;
        list[i].model = models->list[i];
        if (srv_drift_read(&list[i].drift, model, NULL))
            list[i].drift = (struct srv_drift){0};
        if (rf_activity_read(model, &list[i].load, NULL))
            list[i].load = NULL;
        else
            read_window(&list[i], criteria);
    }
}

void srv_activity_metrics(struct srv_exposition *x, const struct srv_server *server,
                          const struct srv_served *models)
{
    const struct rf_criteria criteria = srv_criteria(server->config);
    const int detail = server->config->metrics_detail;
    struct view *list = calloc(models->n + 1, sizeof *list);
    const size_t n = list ? models->n : 0;
    uint64_t dropped = 0;
    if (list)
        read_views(list, models, &criteria);
    if (detail >= SRV_DETAIL_LAYER)
        layers_text(x, list, n);
    if (detail >= SRV_DETAIL_LAYER)
        drift_text(x, list, n);
    models_text(x, list, n);
    novelty_text(x, list, n);
    if (detail >= SRV_DETAIL_CHANNEL)
        dropped = channels_text(x, list, n);
    dropped_text(x, dropped);
    for (size_t i = 0; i < n; i++) {
        rf_activity_free(list[i].load);
        rf_activity_free(list[i].window);
        free(list[i].verdicts);
        srv_drift_release(&list[i].drift);
    }
    free(list);
}
