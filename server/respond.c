/* The headers of every reply, and its body. */
#include "server/respond.h"

#include <microhttpd.h>

#include <stdlib.h>
#include <string.h>

#include "server/log.h"
#include "server/server.h"

static bool reply_closes(const struct srv_request *r)
{
    return r->reply.close || atomic_load(&r->server->draining);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        srv_log(SRV_WARN, "a reply's header %s could not be set", name);
}

/* For scripts of pages that came from `origin`; none, unless it is set. */
static void add_cors(struct MHD_Response *response, const char *origin)
{
    if (!*origin)
        return;
    add_header(response, "Access-Control-Allow-Origin", origin);
    add_header(response, "Access-Control-Expose-Headers", "*");
    if (strcmp(origin, "*") != 0)
        add_header(response, "Vary", "Origin");
}

/* The reply's body; when there was no memory for it, one that needs none. */
static struct MHD_Response *make_body(struct srv_request *r)
{
    static char none[] = "", no_memory[] = "{\"error\":\"no memory for the reply\"}";
    size_t len = 0;
    if (r->reply.body.status != RF_OK) {
        r->reply.status = 503;
        r->reply.type = "application/json";
        r->reply.n_headers = 0;
        r->reply.fixed = NULL;
        srv_reply_header(r, "Retry-After", "1");
        return MHD_create_response_from_buffer(sizeof no_memory - 1, no_memory,
                                               MHD_RESPMEM_PERSISTENT);
    }
    char *body = rf_buf_take(&r->reply.body, &len);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        len, body ? body : none, body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response)
        free(body);
    return response;
}

struct MHD_Response *srv_respond(struct srv_request *r)
{
    struct MHD_Response *response = make_body(r);
    if (!response)
        return NULL;
    if (r->reply.type)
        add_header(response, "Content-Type", r->reply.type);
    add_header(response, "X-Request-Id", r->id);
    if (*r->traceparent)
        add_header(response, "traceparent", r->traceparent);
    for (size_t i = 0; i < r->reply.n_headers; i++)
        add_header(response, r->reply.headers[i].name, r->reply.headers[i].value);
    for (const struct srv_fixed_header *h = r->reply.fixed; h && h->name; h++)
        add_header(response, h->name, h->value);
    add_cors(response, r->server->config->cors_origin);
    if (reply_closes(r))
        add_header(response, "Connection", "close");
    return response;
}
