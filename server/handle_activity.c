/* GET /v2/models/{model}/activity */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/activity.h"
#include "server/handlers.h"
#include "server/prune.h"
#include "server/server.h"
#include "server/slots.h"
#include "server/units.h"

/* What a request asks for. */
struct query {
    char window[SRV_UNIT_TEXT], layer[RF_MAX_NAME + 1];
    bool one_layer, channels, units;
};

static bool read_flag(struct srv_request *r, const char *key, const char *value, bool *flag)
{
    *flag = strcmp(value, "1") == 0;
    if (*flag || strcmp(value, "0") == 0)
        return true;
    srv_reply_error(r, 400, "%s: expected 0 or 1, got '%.64s'", key, value);
    return false;
}

/* False after a reply. */
static bool read_query(struct srv_request *r, struct query *q)
{
    char key[32], value[RF_MAX_NAME + 1];
    const char *at = r->guard.query;
    *q = (struct query){.window = "load"};
    while (srv_query_next(&at, key, sizeof key, value, sizeof value)) {
        if (strcmp(key, "layer") == 0) {
            snprintf(q->layer, sizeof q->layer, "%s", value);
            q->one_layer = true;
        } else if (strcmp(key, "window") == 0) {
            snprintf(q->window, sizeof q->window, "%.31s", value);
        } else if (!read_flag(r, key, value,
                              strcmp(key, "channels") == 0 ? &q->channels : &q->units)) {
            return false;
        }
    }
    return true;
}

static enum rf_status write_reply(struct srv_request *r, struct srv_model *m, const struct query *q,
                                  struct srv_activity_view view, struct rf_error *err)
{
    struct srv_drift drift;
    struct srv_products products = {0};
    enum rf_status rc = srv_drift_read(&drift, m->model, err);
    if (!rc && q->channels)
        rc = srv_products_find(&products, m->model, view.activity->layers, view.activity->n_layers,
                               err);
    view.drift = &drift;
    view.products = q->channels ? &products : NULL;
    if (!rc)
        rc = srv_activity_json(&r->reply.body, &view, err);
    if (!rc)
        srv_drift_json(&r->reply.body, &drift);
    rf_buf_text(&r->reply.body, "}");
    srv_products_release(&products);
    srv_drift_release(&drift);
    return rc;
}

enum srv_next srv_handle_activity(struct srv_server *server, struct srv_request *r)
{
    struct srv_model *m = srv_find_model(server, r);
    struct rf_error err = RF_ERROR_INIT;
    struct rf_activity *activity = NULL;
    struct query q;
    double seconds;
    if (!m || !read_query(r, &q))
        return SRV_REPLY;
    enum rf_status rc = srv_slots_read(server, m, q.window, &activity, &seconds, &err);
    if (!rc) {
        const struct srv_activity_view view = {.model = m->name,
                                               .version = m->version,
                                               .window = q.window,
                                               .window_seconds = round(seconds * 1e3) / 1e3,
                                               .activity = activity,
                                               .criteria = srv_criteria(server->config),
                                               .layer = q.one_layer ? q.layer : NULL,
                                               .channels = q.channels,
                                               .units = q.units ? m->model : NULL};
        rc = write_reply(r, m, &q, view, &err);
    }
    rf_activity_free(activity);
    if (rc) {
        srv_reply_failure(r, &err);
        return SRV_REPLY;
    }
    return srv_reply_json(r, 200);
}
