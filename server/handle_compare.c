/* GET /v2/models/{model}/activity/compare: two versions beside each other. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/activity.h"
#include "server/baselines.h"
#include "server/handlers.h"
#include "server/server.h"
#include "server/slots.h"
#include "server/units.h"

/* The two, in the order asked for. */
struct pair {
    struct srv_model *model[2];
    struct rf_activity *activity[2];
    char window[SRV_UNIT_TEXT];
    struct rf_criteria criteria;
    /* D of the second's window against the first. */
    const struct rf_feature_map *map;
    double score, *scores; /* scores: by the map's layers, NULL when it is not known */
    uint64_t inputs, baseline_inputs;
    char why[RF_ERROR_TEXT]; /* it is not known */
};

/* ---- what to compare ---- */

static bool find_version(struct srv_server *server, struct srv_request *r, const char *text,
                         size_t len, struct srv_model **model)
{
    uint64_t number;
    if (srv_version_parse(text, len, &number) &&
        srv_repository_find(&server->repository, r->match.model, number, model) == SRV_FOUND)
        return true;
    srv_reply_error(r, 404, "model '%.64s' version %.*s is not served", r->match.model,
                    (int)(len < 20 ? len : 20), text);
    return false;
}

/* False after a reply. */
static bool read_query(struct srv_server *server, struct srv_request *r, struct pair *p)
{
    char key[32], value[64], versions[64] = "";
    const char *at = r->guard.query;
    snprintf(p->window, sizeof p->window, "load");
    while (srv_query_next(&at, key, sizeof key, value, sizeof value))
        if (strcmp(key, "versions") == 0)
            snprintf(versions, sizeof versions, "%s", value);
        else
            snprintf(p->window, sizeof p->window, "%.31s", value);
    const char *comma = strchr(versions, ',');
    if (!comma || strchr(comma + 1, ',')) {
        srv_reply_error(r, 400, "versions: expected two, as versions=1,2, got '%s'", versions);
        return false;
    }
    return find_version(server, r, versions, (size_t)(comma - versions), &p->model[0]) &&
           find_version(server, r, comma + 1, strlen(comma + 1), &p->model[1]);
}

/* ---- drift between them ---- */

static bool same_features(const struct rf_feature_map *a, const struct rf_feature_map *b)
{
    bool same = a && b && a->n_features == b->n_features && a->n_layers == b->n_layers &&
                a->n_classes == b->n_classes;
    for (size_t i = 0; same && i < a->n_layers; i++)
        same = a->layers[i].n_channels == b->layers[i].n_channels &&
               strcmp(a->layers[i].name, b->layers[i].name) == 0;
    return same;
}

struct scoring {
    struct pair *pair;
    const struct rf_feature_sum *window;
};

static void score(void *arg, const struct rf_baseline *baseline)
{
    const struct scoring *s = arg;
    if (!baseline)
        return;
    s->pair->baseline_inputs = baseline->inputs;
    s->pair->score = rf_drift_score(s->pair->map, baseline, s->window, s->pair->scores);
}

/* Against the first one's baseline, else against what it has seen lately. */
static enum rf_status score_window(struct pair *p, const struct rf_feature_sum *window,
                                   struct rf_error *err)
{
    struct scoring s = {.pair = p, .window = window};
    struct rf_baseline *baseline;
    p->inputs = window->inputs;
    if (window->inputs < RF_DRIFT_MIN_INPUTS)
        return rf_fail(err, RF_INVALID, "version %s has seen %" PRIu64 " inputs lately, of %d",
                       p->model[1]->version, window->inputs, RF_DRIFT_MIN_INPUTS);
    rf_model_use_baseline(p->model[0]->model, score, &s);
    if (p->baseline_inputs)
        return RF_OK;
    const enum rf_status rc = rf_activity_baseline(p->model[0]->model, &baseline, err);
    if (!rc)
        score(&s, baseline);
    rf_baseline_free(baseline);
    return rc;
}

static enum rf_status find_drift(struct pair *p, struct rf_error *err)
{
    struct rf_feature_sum window;
    struct rf_error why = RF_ERROR_INIT;
    p->map = rf_model_features(p->model[0]->model);
    if (!same_features(p->map, rf_model_features(p->model[1]->model))) {
        snprintf(p->why, sizeof p->why, "the versions have other layers, or none");
        return RF_OK;
    }
    p->scores = calloc(p->map->n_layers + 1, sizeof *p->scores);
    if (!p->scores)
        return rf_fail_nomem(err, "drift", p->map->n_layers * sizeof *p->scores);
    enum rf_status rc = rf_feature_sum_init(&window, p->map, err);
    if (rc)
        return rc;
    rf_activity_features(p->model[1]->model, 0, SRV_SLOTS + 1, &window);
    rc = score_window(p, &window, &why);
    rf_feature_sum_release(&window);
    if (rc) {
        free(p->scores);
        p->scores = NULL;
        snprintf(p->why, sizeof p->why, "%s", why.text);
    }
    return RF_OK;
}

/* ---- the reply ---- */

static size_t find_layer(const struct rf_activity *a, const char *name)
{
    size_t i = 0;
    while (i < a->n_layers && strcmp(a->layers[i].name, name) != 0)
        i++;
    return i;
}

/* Channels dead in `one` and alive in `other`. */
static void add_only(struct rf_buf *b, const struct pair *p, const struct rf_layer_activity *one,
                     const struct rf_layer_activity *other)
{
    const char *separator = "";
    rf_buf_text(b, "[");
    for (size_t i = 0; i < one->n_channels && i < other->n_channels; i++) {
        if (!rf_channel_is_dead(&one->channels[i], &p->criteria) ||
            rf_channel_is_dead(&other->channels[i], &p->criteria))
            continue;
        rf_buf_printf(b, "%s%zu", separator, i);
        separator = ",";
    }
    rf_buf_text(b, "]");
}

static void add_layer(struct rf_buf *b, const struct pair *p, size_t first, size_t second)
{
    const struct rf_layer_activity *const layer[2] = {&p->activity[0]->layers[first],
                                                      &p->activity[1]->layers[second]};
    struct rf_layer_verdict v[2];
    rf_layer_judge(p->activity[0], first, &p->criteria, &v[0]);
    rf_layer_judge(p->activity[1], second, &p->criteria, &v[1]);
    rf_buf_json_member(b, "{", "name", layer[0]->name);
    rf_buf_text(b, ",\"sparsity\":[");
    for (int k = 0; k < 2; k++) {
        const struct rf_channel_activity *t = &layer[k]->total;
        rf_buf_text(b, k ? "," : "");
        srv_json_number(b, t->values ? (double)t->zeros / (double)t->values : NAN);
    }
    if (v[0].known && v[1].known && layer[0]->channels && layer[1]->channels) {
        rf_buf_printf(b, "],\"dead\":[%zu,%zu],\"dead_only\":[", v[0].dead, v[1].dead);
        add_only(b, p, layer[0], layer[1]);
        rf_buf_text(b, ",");
        add_only(b, p, layer[1], layer[0]);
        rf_buf_text(b, "]");
    } else {
        rf_buf_text(b, "],\"dead\":null,\"dead_only\":null");
    }
    rf_buf_text(b, ",\"drift\":");
    srv_json_number(b, p->scores ? p->scores[first + p->map->has_input] : NAN);
    rf_buf_text(b, "}");
}

static void add_reply(struct rf_buf *b, const struct pair *p)
{
    const char *separator = "";
    rf_buf_json_member(b, "{", "model", p->model[0]->name);
    rf_buf_printf(b,
                  ",\"versions\":[\"%s\",\"%s\"],\"window\":\"%s\",\"inputs\":[%" PRIu64 ",%" PRIu64
                  "],\"layers\":[",
                  p->model[0]->version, p->model[1]->version, p->window, p->activity[0]->inputs,
                  p->activity[1]->inputs);
    for (size_t i = 0; i < p->activity[0]->n_layers; i++) {
        const size_t other = find_layer(p->activity[1], p->activity[0]->layers[i].name);
        if (other == p->activity[1]->n_layers)
            continue;
        rf_buf_text(b, separator);
        add_layer(b, p, i, other);
        separator = ",";
    }
    rf_buf_text(b, "],\"drift\":{\"score\":");
    srv_json_number(b, p->scores ? p->score : NAN);
    rf_buf_text(b, ",\"input\":");
    srv_json_number(b, p->scores && p->map->has_input ? p->scores[0] : NAN);
    rf_buf_printf(b, ",\"n\":%" PRIu64 ",\"baseline_n\":%" PRIu64 ",\"why\":", p->inputs,
                  p->baseline_inputs);
    if (*p->why)
        rf_buf_json_string(b, p->why);
    else
        rf_buf_text(b, "null");
    rf_buf_text(b, "}}");
}

static enum rf_status compare(struct srv_server *server, struct srv_request *r, struct pair *p,
                              struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    double seconds;
    for (int k = 0; k < 2 && !rc; k++)
        rc = srv_slots_read(server, p->model[k], p->window, &p->activity[k], &seconds, err);
    if (!rc)
        rc = find_drift(p, err);
    if (!rc)
        add_reply(&r->reply.body, p);
    return rc;
}

enum srv_next srv_handle_compare(struct srv_server *server, struct srv_request *r)
{
    struct rf_error err = RF_ERROR_INIT;
    struct pair p = {.criteria = srv_criteria(server->config)};
    const bool asked = read_query(server, r, &p);
    const enum rf_status rc = asked ? compare(server, r, &p, &err) : RF_OK;
    free(p.scores);
    for (int k = 0; k < 2; k++) {
        rf_activity_free(p.activity[k]);
        srv_model_unref(p.model[k]);
    }
    if (rc)
        srv_reply_failure(r, &err);
    return asked && !rc ? srv_reply_json(r, 200) : SRV_REPLY;
}
