/* GET /v2 and below: metadata and health. */
#include <string.h>

#include "server/handlers.h"
#include "server/negotiate.h"
#include "server/server.h"

/* Of the Open Inference Protocol. */
static const char *const extensions[] = {"binary_tensor_data", "classification",
                                         "model_configuration", "model_repository", "statistics"};

enum srv_next srv_handle_v2(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    (void)server;
    rf_buf_text(b, "{\"name\":\"rectifier\",\"version\":\"" RF_VERSION "\",\"extensions\":[");
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        rf_buf_printf(b, "%s\"%s\"", i ? "," : "", extensions[i]);
    rf_buf_text(b, "]");
    rf_buf_json_member(b, ",", "isa", rf_engine_isa());
    rf_buf_json_member(b, ",", "gemm", rf_engine_gemm());
    rf_buf_text(b, "}");
    return srv_reply_json(r, 200);
}

enum srv_next srv_handle_live(struct srv_server *server, struct srv_request *r)
{
    (void)server;
    rf_buf_text(&r->reply.body, "{\"live\":true}");
    return srv_reply_json(r, 200);
}

enum srv_next srv_handle_ready(struct srv_server *server, struct srv_request *r)
{
    const bool ready = atomic_load(&server->ready) && srv_repository_serves(&server->repository);
    rf_buf_text(&r->reply.body, ready ? "{\"ready\":true}" : "{\"ready\":false}");
    return srv_reply_json(r, ready ? 200 : 503);
}

enum srv_next srv_handle_models(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    struct srv_listing listing;
    const char *before = "", *separator = "";
    srv_repository_list(&server->repository, &listing);
    rf_buf_text(b, "{\"models\":[");
    for (size_t i = 0; i < listing.n; i++) {
        const char *const name = listing.items[i].name;
        if (!listing.items[i].model || strcmp(name, before) == 0)
            continue;
        rf_buf_text(b, separator);
        rf_buf_json_string(b, name);
        separator = ",";
        before = name;
    }
    rf_buf_text(b, "]}");
    srv_listing_release(&listing);
    return srv_reply_json(r, 200);
}

/* Those of the model's versions that are served. */
static void add_versions(struct rf_buf *b, struct srv_server *server, const char *name)
{
    struct srv_listing listing;
    const char *separator = "";
    srv_repository_list(&server->repository, &listing);
    rf_buf_text(b, ",\"versions\":[");
    for (size_t i = 0; i < listing.n; i++) {
        const struct srv_model *const m = listing.items[i].model;
        if (!m || strcmp(m->name, name) != 0)
            continue;
        rf_buf_printf(b, "%s\"%s\"", separator, m->version);
        separator = ",";
    }
    rf_buf_text(b, "]");
    srv_listing_release(&listing);
}

static void add_io(struct rf_buf *b, const char *key, const struct rf_io *list, size_t n)
{
    char shape[RF_SHAPE_TEXT];
    rf_buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        rf_buf_json_member(b, i ? ",{" : "{", "name", list[i].name);
        rf_buf_json_member(b, ",", "datatype", rf_dtype_name(list[i].dtype));
        rf_shape_text(&list[i].shape, shape, sizeof shape);
        /* An output whose rank only a request tells is as Triton writes it. */
        rf_buf_printf(b, ",\"shape\":%s}", list[i].shape.rank < 0 ? "[-1]" : shape);
    }
    rf_buf_text(b, "]");
}

enum srv_next srv_handle_model(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    const struct srv_model *m = srv_find_model(server, r);
    if (!m)
        return SRV_REPLY;
    rf_buf_json_member(b, "{", "name", m->name);
    add_versions(b, server, m->name);
    rf_buf_text(b, ",\"platform\":\"rectifier\"");
    add_io(b, "inputs", m->io.inputs, m->io.n_inputs);
    add_io(b, "outputs", m->io.outputs, m->io.n_outputs);
    rf_buf_text(b, "}");
    return srv_reply_json(r, 200);
}

enum srv_next srv_handle_model_ready(struct srv_server *server, struct srv_request *r)
{
    const struct srv_model *m = srv_find_model(server, r);
    const bool ready = atomic_load(&server->ready);
    if (!m)
        return SRV_REPLY;
    rf_buf_json_member(&r->reply.body, "{", "name", m->name);
    rf_buf_printf(&r->reply.body, ",\"ready\":%s}", ready ? "true" : "false");
    return srv_reply_json(r, ready ? 200 : 503);
}

enum srv_next srv_handle_metrics(struct srv_server *server, struct srv_request *r)
{
    const bool open = srv_accepts_open_metrics(srv_request_header(r, "Accept"));
    srv_metrics_text(&r->reply.body, server, open);
    srv_reply_json(r, 200);
    if (r->reply.status == 200)
        r->reply.type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                             : "text/plain; version=0.0.4; charset=utf-8";
    return SRV_REPLY;
}
