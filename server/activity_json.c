/* Activity as JSON: what a model's neurons did, and what that says of them. No NaN in it: null. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/activity.h"
#include "server/prune.h"

#define HIGH_SPARSITY                                                                              \
    "high sparsity: more than %g %% zeros. If accuracy suffers, try LeakyReLU or ELU, a lower "    \
    "learning rate, He initialisation, a small positive bias, or BatchNorm. Late layers of "       \
    "healthy networks reach this, too: compare with the network when it was good."

#define NONFINITE                                                                                  \
    "NaN or infinity: this is the first layer that has any. Look at the inputs, and at the "       \
    "weights from there to here."

#define MOVED 0.1 /* of sparsity, against the baseline */

struct rf_criteria srv_criteria(const struct srv_config *config)
{
    return (struct rf_criteria){.min_inputs = config->activity_min_inputs,
                                .dead_threshold = config->dead_threshold,
                                .near_dead = config->near_dead,
                                .dying = config->dying,
                                .high_sparsity = config->high_sparsity};
}

const char *srv_verdict_text(const struct rf_layer_activity *layer,
                             const struct rf_layer_verdict *v)
{
    if (layer->kind != RF_KIND_RELU && layer->kind != RF_KIND_CLIP)
        return NULL; /* what is not zero where it does not fire cannot be called dying */
    if (!v->known || !layer->channels)
        return "unknown";
    return v->dying ? "dying" : "healthy";
}

void srv_json_number(struct rf_buf *b, double v)
{
    if (isfinite(v))
        rf_buf_json_double(b, v);
    else
        rf_buf_text(b, "null");
}

/* A ratio, null without a denominator. */
static void add_ratio(struct rf_buf *b, const char *key, uint64_t n, uint64_t of)
{
    rf_buf_printf(b, ",\"%s\":", key);
    srv_json_number(b, of ? (double)n / (double)of : NAN);
}

double srv_mean(const struct rf_channel_activity *c)
{
    const uint64_t n = c->values - c->nonfinite;
    return n ? c->sum / (double)n : NAN;
}

double srv_std(const struct rf_channel_activity *c)
{
    const uint64_t n = c->values - c->nonfinite;
    const double mean = srv_mean(c);
    return n ? sqrt(fmax(0, c->sum_squares / (double)n - mean * mean)) : NAN;
}

static void add_totals(struct rf_buf *b, const struct rf_layer_activity *layer)
{
    const struct rf_channel_activity *t = &layer->total;
    rf_buf_printf(b, ",\"values\":%" PRIu64 ",\"zeros\":%" PRIu64, t->values, t->zeros);
    add_ratio(b, "sparsity", t->zeros, t->values);
    if (layer->kind == RF_KIND_LEAKY)
        rf_buf_printf(b, ",\"inactive\":%" PRIu64, t->inactive);
    if (layer->kind == RF_KIND_CLIP)
        rf_buf_printf(b, ",\"saturated\":%" PRIu64, t->saturated);
    rf_buf_text(b, ",\"mean\":");
    srv_json_number(b, srv_mean(t));
    rf_buf_text(b, ",\"std\":");
    srv_json_number(b, srv_std(t));
    rf_buf_text(b, ",\"max\":");
    srv_json_number(b, t->max);
    rf_buf_printf(b, ",\"nonfinite\":%" PRIu64, t->nonfinite);
}

/* One layer, and what is asked of it. */
struct subject {
    const struct srv_activity_view *view;
    size_t index;
    const struct rf_layer_activity *layer;
    struct rf_layer_verdict verdict;
};

static void add_channels(struct rf_buf *b, const struct subject *s)
{
    const struct rf_layer_activity *layer = s->layer;
    const struct rf_layer_verdict *v = &s->verdict;
    if (!layer->channels) { /* counted by layers only */
        rf_buf_text(b, ",\"channels\":null");
        return;
    }
    rf_buf_printf(b, ",\"channels\":{\"total\":%zu", layer->n_channels);
    if (!v->known) {
        rf_buf_text(b, ",\"dead\":null,\"near_dead\":null,\"always_on\":null,"
                       "\"dead_indices\":null,\"dead_rate_upper\":null}");
        return;
    }
    rf_buf_printf(b, ",\"dead\":%zu,\"near_dead\":%zu,\"always_on\":%zu,\"dead_indices\":[",
                  v->dead, v->near_dead, v->always_on);
    const char *separator = "";
    for (size_t i = 0; i < layer->n_channels; i++) {
        if (!rf_channel_is_dead(&layer->channels[i], &s->view->criteria))
            continue;
        rf_buf_printf(b, "%s%zu", separator, i);
        separator = ",";
    }
    rf_buf_text(b, "],\"dead_rate_upper\":");
    srv_json_number(b, v->dead_rate_upper);
    rf_buf_text(b, "}");
}

/* Those that did not fire in the window, or never since load. */
static void add_dead_units(struct rf_buf *b, const struct subject *s)
{
    const size_t n = s->layer->n_units, slots = s->view->activity->n_slots;
    const uint8_t silent = slots ? (uint8_t)(slots + 1) : RF_NEVER_FIRED;
    const char *separator = "";
    uint8_t *ages = malloc(n + 1);
    rf_buf_text(b, ",\"dead_indices\":[");
    if (!ages && b->status == RF_OK)
        b->status = RF_NOMEM;
    if (ages && rf_activity_unit_ages(s->view->units, s->index, ages))
        for (size_t i = 0; i < n; i++) {
            if (ages[i] < silent)
                continue;
            rf_buf_printf(b, "%s%zu", separator, i);
            separator = ",";
        }
    rf_buf_text(b, "]");
    free(ages);
}

/* A threshold is for what is measured, and of units it is only known whether they fired. */
static void add_units(struct rf_buf *b, const struct subject *s)
{
    if (s->layer->n_units == 0) {
        rf_buf_text(b, ",\"units\":null");
        return;
    }
    rf_buf_printf(b, ",\"units\":{\"total\":%zu,\"dead\":", s->layer->n_units);
    const bool known = s->verdict.known && s->view->criteria.dead_threshold == 0;
    if (known)
        rf_buf_printf(b, "%zu", s->layer->dead_units);
    else
        rf_buf_text(b, "null");
    if (known && s->view->units)
        add_dead_units(b, s);
    rf_buf_text(b, "}");
}

/* `*separator` is what goes before the next note. */
static void add_note(struct rf_buf *b, const char **separator, const char *text)
{
    rf_buf_text(b, *separator);
    rf_buf_json_string(b, text);
    *separator = ",";
}

static bool is_first_nonfinite(const struct subject *s)
{
    for (size_t i = 0; i < s->index; i++)
        if (s->view->activity->layers[i].total.nonfinite > 0)
            return false;
    return s->layer->total.nonfinite > 0;
}

static void add_high_sparsity(struct rf_buf *b, const struct subject *s, const char **separator)
{
    char text[sizeof HIGH_SPARSITY + 32];
    snprintf(text, sizeof text, HIGH_SPARSITY, 100 * s->view->criteria.high_sparsity);
    add_note(b, separator, text);
}

static void add_moved(struct rf_buf *b, const struct subject *s, const char **separator)
{
    char text[128];
    const struct rf_channel_activity *t = &s->layer->total;
    const struct srv_drift *drift = s->view->drift;
    const double before = drift && drift->known ? drift->sparsity[s->index] : NAN;
    const double now = t->values ? (double)t->zeros / (double)t->values : NAN;
    if (s->layer->kind != RF_KIND_RELU || !(fabs(now - before) > MOVED))
        return;
    snprintf(text, sizeof text, "sparsity moved against the baseline: from %.3f to %.3f", before,
             now);
    add_note(b, separator, text);
}

static void add_notes(struct rf_buf *b, const struct subject *s)
{
    const char *separator = "";
    rf_buf_text(b, ",\"notes\":[");
    if (is_first_nonfinite(s))
        add_note(b, &separator, NONFINITE);
    if (s->verdict.known && s->verdict.high_sparsity)
        add_high_sparsity(b, s, &separator);
    if (s->verdict.known)
        add_moved(b, s, &separator);
    rf_buf_text(b, "]");
}

static void add_verdict(struct rf_buf *b, const struct subject *s)
{
    const char *verdict = srv_verdict_text(s->layer, &s->verdict);
    rf_buf_printf(b, ",\"verdict\":%s%s%s", verdict ? "\"" : "", verdict ? verdict : "null",
                  verdict ? "\"" : "");
}

/* `value` of each channel *c as an array. printf would take most of the time of the whole reply. */
#define ARRAY(key, print, value)                                                                   \
    do {                                                                                           \
        rf_buf_text(b, ",\"" key "\":[");                                                          \
        for (size_t i = 0; i < layer->n_channels; i++) {                                           \
            const struct rf_channel_activity *c = &layer->channels[i];                             \
            rf_buf_add(b, ",", i > 0);                                                             \
            print(b, value);                                                                       \
        }                                                                                          \
        rf_buf_text(b, "]");                                                                       \
    } while (0)
#define COUNTS(field) ARRAY(#field, rf_buf_json_count, c->field)
#define NUMBERS(key, value) ARRAY(key, srv_json_number, value)

static void add_per_channel(struct rf_buf *b, const struct rf_layer_activity *layer)
{
    rf_buf_text(b, ",\"per_channel\":{\"index\":[");
    for (size_t i = 0; i < layer->n_channels; i++) {
        rf_buf_add(b, ",", i > 0);
        rf_buf_json_count(b, i);
    }
    rf_buf_text(b, "]");
    COUNTS(values);
    COUNTS(fired);
    COUNTS(fired_inputs);
    COUNTS(zeros);
    COUNTS(nonfinite);
    if (layer->kind == RF_KIND_LEAKY)
        COUNTS(inactive);
    if (layer->kind == RF_KIND_CLIP)
        COUNTS(saturated);
    NUMBERS("mean", srv_mean(c));
    NUMBERS("std", srv_std(c));
    NUMBERS("max", c->max);
    rf_buf_text(b, "}");
}

static void add_layer(struct rf_buf *b, const struct srv_activity_view *view, size_t index)
{
    struct subject s = {.view = view, .index = index, .layer = &view->activity->layers[index]};
    const struct rf_layer_activity *layer = s.layer;
    char shape[RF_SHAPE_TEXT];
    rf_layer_judge(view->activity, index, &view->criteria, &s.verdict);
    rf_buf_printf(b, "{\"index\":%zu,\"name\":", index);
    rf_buf_json_string(b, layer->name);
    rf_buf_json_member(b, ",", "type", layer->type);
    rf_buf_json_member(b, ",", "path", layer->path);
    rf_buf_printf(b, ",\"shape\":%s", rf_shape_text(&layer->shape, shape, sizeof shape));
    add_totals(b, layer);
    add_channels(b, &s);
    add_units(b, &s);
    add_verdict(b, &s);
    add_notes(b, &s);
    if (view->channels && layer->channels)
        add_per_channel(b, layer);
    rf_buf_text(b, "}");
}

enum rf_status srv_activity_json(struct rf_buf *b, const struct srv_activity_view *view,
                                 struct rf_error *err)
{
    const struct rf_activity *activity = view->activity;
    rf_buf_json_member(b, "{", "model", view->model);
    rf_buf_json_member(b, ",", "version", view->version);
    rf_buf_json_member(b, ",", "window", view->window);
    rf_buf_text(b, ",\"window_seconds\":");
    srv_json_number(b, view->window_seconds < 0 ? NAN : view->window_seconds);
    rf_buf_printf(b, ",\"inputs\":%" PRIu64 ",\"distinct_inputs\":%zu,\"layers\":[",
                  activity->inputs, activity->distinct_inputs);
    size_t found = 0;
    for (size_t i = 0; i < activity->n_layers; i++) {
        if (view->layer && strcmp(view->layer, activity->layers[i].name) != 0)
            continue;
        rf_buf_text(b, found++ ? "," : "");
        add_layer(b, view, i);
    }
    rf_buf_text(b, "]");
    if (view->products)
        srv_products_json(b, view->products);
    if (view->layer && found == 0)
        return rf_fail(err, RF_NOT_FOUND, "model '%s' has no activation layer '%.64s'", view->model,
                       view->layer);
    return b->status ? rf_fail(err, b->status, "no memory for the reply") : RF_OK;
}
