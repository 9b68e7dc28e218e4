/* Activity as JSON: what a model's neurons did, and what that says of them. No NaN in it: null. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/handlers.h"
#include "server/server.h"

#define HIGH_SPARSITY                                                                              \
    "high sparsity: more than 70 % zeros. If accuracy suffers, try LeakyReLU or ELU, a lower "     \
    "learning rate, He initialisation, a small positive bias, or BatchNorm. Late layers of "       \
    "healthy networks reach this, too: compare with the network when it was good."

static void add_double(struct rf_buf *b, double v)
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
    add_double(b, of ? (double)n / (double)of : NAN);
}

static double mean_of(const struct rf_channel_activity *c)
{
    const uint64_t n = c->values - c->nonfinite;
    return n ? c->sum / (double)n : NAN;
}

/* The population's. */
static double std_of(const struct rf_channel_activity *c)
{
    const uint64_t n = c->values - c->nonfinite;
    const double mean = mean_of(c);
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
    add_double(b, mean_of(t));
    rf_buf_text(b, ",\"std\":");
    add_double(b, std_of(t));
    rf_buf_text(b, ",\"max\":");
    add_double(b, t->max);
    rf_buf_printf(b, ",\"nonfinite\":%" PRIu64, t->nonfinite);
}

static void add_channels(struct rf_buf *b, const struct rf_layer_activity *layer,
                         const struct rf_layer_verdict *v)
{
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
        if (!rf_channel_is_dead(&layer->channels[i]))
            continue;
        rf_buf_printf(b, "%s%zu", separator, i);
        separator = ",";
    }
    rf_buf_text(b, "],\"dead_rate_upper\":");
    add_double(b, v->dead_rate_upper);
    rf_buf_text(b, "}");
}

/* Only layers that are zero where they do not fire can be called dying. */
static void add_verdict(struct rf_buf *b, const struct rf_layer_activity *layer,
                        const struct rf_layer_verdict *v)
{
    const bool judged = layer->kind == RF_KIND_RELU || layer->kind == RF_KIND_CLIP;
    rf_buf_printf(b, ",\"verdict\":%s",
                  !judged                         ? "null"
                  : !v->known || !layer->channels ? "\"unknown\""
                  : v->dying                      ? "\"dying\""
                                                  : "\"healthy\"");
    rf_buf_text(b, ",\"notes\":[");
    if (v->known && v->high_sparsity)
        rf_buf_json_string(b, HIGH_SPARSITY);
    rf_buf_text(b, "]");
}

/* One counter of each channel as an array. */
#define COUNTS(field)                                                                              \
    do {                                                                                           \
        rf_buf_text(b, ",\"" #field "\":[");                                                       \
        for (size_t i = 0; i < layer->n_channels; i++)                                             \
            rf_buf_printf(b, "%s%" PRIu64, i ? "," : "", layer->channels[i].field);                \
        rf_buf_text(b, "]");                                                                       \
    } while (0)

#define NUMBERS(key, expression)                                                                   \
    do {                                                                                           \
        rf_buf_text(b, ",\"" key "\":[");                                                          \
        for (size_t i = 0; i < layer->n_channels; i++) {                                           \
            const struct rf_channel_activity *c = &layer->channels[i];                             \
            rf_buf_text(b, i ? "," : "");                                                          \
            add_double(b, expression);                                                             \
        }                                                                                          \
        rf_buf_text(b, "]");                                                                       \
    } while (0)

static void add_per_channel(struct rf_buf *b, const struct rf_layer_activity *layer)
{
    rf_buf_text(b, ",\"per_channel\":{\"index\":[");
    for (size_t i = 0; i < layer->n_channels; i++)
        rf_buf_printf(b, "%s%zu", i ? "," : "", i);
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
    NUMBERS("mean", mean_of(c));
    NUMBERS("std", std_of(c));
    NUMBERS("max", c->max);
    rf_buf_text(b, "}");
}

static void add_layer(struct rf_buf *b, size_t index, const struct rf_layer_activity *layer,
                      uint64_t inputs, const struct srv_activity_query *query)
{
    struct rf_layer_verdict verdict;
    char shape[RF_SHAPE_TEXT];
    rf_layer_judge(layer, inputs, query->min_inputs, &verdict);
    rf_buf_printf(b, "{\"index\":%zu,\"name\":", index);
    rf_buf_json_string(b, layer->name);
    rf_buf_json_member(b, ",", "type", layer->type);
    rf_buf_json_member(b, ",", "path", layer->path);
    rf_buf_printf(b, ",\"shape\":%s", rf_shape_text(&layer->shape, shape, sizeof shape));
    add_totals(b, layer);
    add_channels(b, layer, &verdict);
    add_verdict(b, layer, &verdict);
    if (query->channels && layer->channels)
        add_per_channel(b, layer);
    rf_buf_text(b, "}");
}

enum rf_status srv_activity_json(struct rf_buf *b, struct rf_model *model, const char *name,
                                 const char *version, const struct srv_activity_query *query,
                                 struct rf_error *err)
{
    struct rf_activity *activity;
    enum rf_status rc = rf_activity_read(model, &activity, err);
    if (rc)
        return rc;
    rf_buf_json_member(b, "{", "model", name);
    rf_buf_printf(b, ",\"version\":\"%s\",\"window\":\"load\",\"inputs\":%" PRIu64 ",\"layers\":[",
                  version, activity->inputs);
    size_t found = 0;
    for (size_t i = 0; i < activity->n_layers; i++) {
        if (query->layer && strcmp(query->layer, activity->layers[i].name) != 0)
            continue;
        rf_buf_text(b, found++ ? "," : "");
        add_layer(b, i, &activity->layers[i], activity->inputs, query);
    }
    rf_buf_text(b, "]}");
    rf_activity_free(activity);
    if (query->layer && found == 0)
        return rf_fail(err, RF_NOT_FOUND, "model '%s' has no activation layer '%.64s'", name,
                       query->layer);
    return b->status ? rf_fail(err, b->status, "no memory for the reply") : RF_OK;
}

enum srv_next srv_handle_activity(struct srv_server *server, struct srv_request *r)
{
    struct srv_activity_query query = {.min_inputs = server->config->activity_min_inputs};
    struct srv_model *m = srv_find_model(server, r);
    struct rf_error err = RF_ERROR_INIT;
    char key[32], value[RF_MAX_NAME + 1], layer[RF_MAX_NAME + 1];
    const char *at = r->guard.query;
    if (!m)
        return SRV_REPLY;
    while (srv_query_next(&at, key, sizeof key, value, sizeof value)) {
        if (strcmp(key, "layer") == 0) {
            snprintf(layer, sizeof layer, "%s", value);
            query.layer = layer;
        } else if (strcmp(key, "channels") == 0 && (!strcmp(value, "1") || !strcmp(value, "0"))) {
            query.channels = *value == '1';
        } else if (strcmp(key, "channels") == 0) {
            srv_reply_error(r, 400, "channels: expected 0 or 1, got '%s'", value);
            return SRV_REPLY;
        } else if (strcmp(value, "load") != 0) {
            srv_reply_error(r, 400, "window: expected load, got '%s'", value);
            return SRV_REPLY;
        }
    }
    if (srv_activity_json(&r->reply.body, m->model, m->name, m->version, &query, &err)) {
        srv_reply_failure(r, &err);
        return SRV_REPLY;
    }
    return srv_reply_json(r, 200);
}
