/* POST /v2/repository/...: the protocol's model repository extension. */
#include <inttypes.h>
#include <string.h>

#include "proto/oip_repository.h"
#include "server/handlers.h"
#include "server/http.h"
#include "server/loader.h"
#include "server/server.h"
#include "server/sync.h"

static void add_version(struct rf_buf *b, const struct srv_listed *item)
{
    rf_buf_json_member(b, "{", "name", item->name);
    rf_buf_printf(b, ",\"version\":\"%" PRIu64 "\",\"state\":\"%s\"", item->number,
                  srv_state_text(item->state));
    if (*item->reason && item->state != SRV_UNLOADING)
        rf_buf_json_member(b, ",", "reason", item->reason);
    rf_buf_text(b, "}");
}

enum srv_next srv_handle_index(struct srv_server *server, struct srv_request *r)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_listing listing;
    bool only_ready;
    const char *separator = "";
    if (rf_oip_index_decode(&only_ready, r->body, r->body_len, &err)) {
        srv_reply_failure(r, &err);
        return SRV_REPLY;
    }
    srv_repository_list(&server->repository, &listing);
    rf_buf_text(&r->reply.body, "[");
    for (size_t i = 0; i < listing.n; i++) {
        if (only_ready && listing.items[i].state != SRV_READY)
            continue;
        rf_buf_text(&r->reply.body, separator);
        add_version(&r->reply.body, &listing.items[i]);
        separator = ",";
    }
    rf_buf_text(&r->reply.body, "]");
    srv_listing_release(&listing);
    return srv_reply_json(r, 200);
}

/* A page in somebody's browser must not, and browsers name its origin. */
bool srv_may_load(struct srv_request *r)
{
    if (r->server->config->model_control != SRV_CONTROL_API)
        srv_reply_error(r, 403,
                        "explicit model load / unload is not allowed: start the server with "
                        "--model-control api");
    else if (srv_request_header(r, "Origin"))
        srv_reply_error(r, 403, "models are not loaded or unloaded for a web page");
    else if (r->match.version)
        srv_reply_error(r, 404, "models are loaded and unloaded with all of their versions");
    else if (!atomic_load(&r->server->loaded))
        srv_reply_error(r, 503, "the models are loading");
    else
        return true;
    return false;
}

static void control(struct srv_request *r, const char *verb,
                    enum rf_status (*act)(struct srv_sync *, const char *, struct rf_error *))
{
    struct rf_error err = RF_ERROR_INIT;
    const enum rf_status rc = act(r->server->sync, r->match.model, &err);
    if (rc) {
        srv_reply_error(r, srv_http_status(rc), "failed to %s '%.128s', %s", verb, r->match.model,
                        err.text);
    } else { /* an empty body, as clients have it from elsewhere */
        r->reply.status = 200;
        r->reply.type = "application/json";
    }
    srv_http_resume(r);
}

static struct srv_request *request_of(struct rf_task *task)
{
    return (struct srv_request *)(void *)((char *)task - offsetof(struct srv_request, load));
}

static void load_task(struct rf_task *task)
{
    control(request_of(task), "load", srv_sync_load);
}

static void unload_task(struct rf_task *task)
{
    control(request_of(task), "unload", srv_sync_unload);
}

static enum srv_next hand_over(struct srv_request *r, void (*run)(struct rf_task *))
{
    struct rf_error err = RF_ERROR_INIT;
    if (rf_oip_control_decode(r->body, r->body_len, &err)) {
        srv_reply_failure(r, &err);
        return SRV_REPLY;
    }
    r->load.run = run;
    return SRV_LOAD;
}

enum srv_next srv_handle_load(struct srv_server *server, struct srv_request *r)
{
    (void)server;
    return hand_over(r, load_task);
}

enum srv_next srv_handle_unload(struct srv_server *server, struct srv_request *r)
{
    (void)server;
    return hand_over(r, unload_task);
}
