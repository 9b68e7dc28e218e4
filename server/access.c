#include "server/access.h"

#include <stdio.h>

#include "server/log.h"
#include "server/server.h"

void srv_access_log(const struct srv_request *r, uint64_t ns)
{
    const int access = r->server->config->access_log;
    if (access == SRV_ACCESS_OFF ||
        (access == SRV_ACCESS_ERRORS && r->reply.status < 400 && r->reply.status != 0))
        return;
    struct srv_line line;
    srv_line_begin(&line, SRV_INFO, "request");
    srv_line_text(&line, "request_id", r->id);
    if (*r->traceparent) {
        char trace[33];
        snprintf(trace, sizeof trace, "%.32s", r->traceparent + 3);
        srv_line_text(&line, "trace_id", trace);
    }
    srv_line_text(&line, "method", *r->method ? r->method : "-");
    /* A path that the guard refused is decoded in part only. */
    const bool decoded = *r->guard.path && !r->guard.status;
    srv_line_text(&line, "path", decoded ? r->guard.path : r->uri);
    srv_line_text(&line, "route", srv_routes[r->match.id].path);
    srv_line_uint(&line, "status", (uint64_t)(r->reply.status ? r->reply.status : 499));
    srv_line_ms(&line, "duration_ms", ns);
    srv_line_uint(&line, "body_bytes", r->body_len + r->discarded);
    if (r->job.model)
        srv_line_text(&line, "model", r->job.model->name);
    srv_line_end(&line);
}
