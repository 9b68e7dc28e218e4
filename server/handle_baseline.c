/* GET and POST /v2/models/{model}/activity/baseline */
#include <inttypes.h>

#include "server/baselines.h"
#include "server/control.h"
#include "server/handlers.h"
#include "server/log.h"
#include "server/server.h"

static enum srv_next show(struct srv_request *r, struct srv_model *m)
{
    if (srv_baseline_text(&r->reply.body, m))
        return srv_reply_json(r, 200);
    srv_reply_error(r, 404,
                    "model '%s' has no baseline: write one with `rectifier audit "
                    "--write-baseline`, or POST here to take its recent traffic",
                    m->name);
    return SRV_REPLY;
}

static void set_from_traffic(struct srv_request *r, struct srv_model *m)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_baseline *baseline;
    struct rf_buf *b = &r->reply.body;
    const struct rf_baseline_about about = srv_baseline_about(m, RF_BASELINE_TRAFFIC);
    if (rf_activity_baseline(m->model, &baseline, &err)) {
        srv_reply_failure(r, &err);
        return;
    }
    rf_buf_json_member(b, "{", "model", m->name);
    rf_buf_printf(b, ",\"version\":\"%s\",\"inputs\":%" PRIu64 ",\"sub_window_max\":", m->version,
                  baseline->inputs);
    rf_buf_json_double(b, baseline->sub_window_max);
    rf_buf_text(b, "}");
    srv_baseline_set(m, baseline, &about);
    srv_log(SRV_INFO, "model %s: its traffic is its baseline now", m->name);
    srv_reply_json(r, 200);
}

enum srv_next srv_handle_baseline(struct srv_server *server, struct srv_request *r)
{
    struct srv_model *m = srv_find_model(server, r);
    if (!m)
        return SRV_REPLY;
    if (r->guard.method != SRV_POST)
        return show(r, m);
    if (!srv_may_control(r, "a baseline is set"))
        return SRV_REPLY;
    if (r->body_len)
        srv_reply_error(r, 400,
                        "no body is expected: the recent traffic becomes the baseline; one in a "
                        "file is for --baseline");
    else
        set_from_traffic(r, m);
    return SRV_REPLY;
}
