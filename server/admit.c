/* One refusal after the other; the first counts. */
#include "server/admit.h"

#include <string.h>

#include "server/handlers.h"
#include "server/server.h"

static void answer_preflight(struct srv_request *r)
{
    r->reply.status = 204;
    srv_reply_header(r, "Access-Control-Allow-Methods", srv_route_allow(r->match.id));
    srv_reply_header(r, "Access-Control-Allow-Headers", "*");
    srv_reply_header(r, "Access-Control-Max-Age", "600");
}

/* What a browser asks before a page of another origin may send its request. */
static bool is_preflight(const struct srv_request *r)
{
    return *r->server->config->cors_origin && strcmp(r->method, "OPTIONS") == 0 &&
           srv_request_header(r, "Access-Control-Request-Method");
}

/* A browser lets every page send what a form can send, here and without asking first. It says whose
 * page it is; newer ones also how far that is from here. */
static bool is_foreign_page(const struct srv_request *r)
{
    const struct srv_config *config = r->server->config;
    const char *const origin = srv_request_header(r, "Origin");
    const char *const site = srv_request_header(r, "Sec-Fetch-Site");
    const char *const host = srv_request_header(r, "Host");
    if (r->guard.method != SRV_POST || strcmp(config->cors_origin, "*") == 0)
        return false;
    if (!origin)
        return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
    return !(*origin && strcmp(origin, config->cors_origin) == 0) &&
           !(host && srv_origin_is_own(origin, host, config->allowed_hosts));
}

static void check_query(struct srv_request *r)
{
    const struct srv_route *route = &srv_routes[r->match.id];
    char key[64], value[64];
    const char *at = r->guard.query;
    while (strcmp(route->query, "*") != 0 &&
           srv_query_next(&at, key, sizeof key, value, sizeof value)) {
        if (srv_choice_find(route->query, key) >= 0)
            continue;
        if (strcmp(key, "model") == 0)
            srv_reply_error(r, 400, "unknown query key 'model': use /infer/%s", value);
        else
            srv_reply_error(r, 400, "unknown query key '%s'", key);
        return;
    }
}

/* Who waits for a word before sending the body learns in time that there is no such model. */
static void check_model(struct srv_request *r)
{
    if (!r->guard.expect_continue || !(srv_routes[r->match.id].methods & SRV_INFERS))
        return;
    srv_model_unref(srv_find_asked_model(r->server, r));
    r->job.model = NULL;
}

static bool is_load(const struct srv_request *r)
{
    return r->match.id == SRV_ROUTE_LOAD || r->match.id == SRV_ROUTE_UNLOAD;
}

void srv_admit(struct srv_request *r)
{
    const struct srv_config *config = r->server->config;
    const char *host = srv_request_header(r, "Host");
    srv_route_find(&r->match, r->guard.path, r->guard.method);
    if (host && *config->allowed_hosts && !srv_host_is_allowed(host, config->allowed_hosts)) {
        srv_reply_error(r, 421, "'%.100s' is none of the hosts allowed here", host);
    } else if (r->match.id == SRV_ROUTE_OTHER) {
        srv_reply_error(r, 404, "no such path: %.100s", r->guard.path);
    } else if (config->admin_port && !r->conn->is_admin &&
               (srv_routes[r->match.id].methods & SRV_ADMIN)) {
        srv_reply_error(r, 404, "%.100s is on the admin port", r->guard.path);
    } else if (is_preflight(r)) {
        answer_preflight(r);
    } else if (!r->match.method_allowed) {
        srv_reply_error(r, 405, "%.100s does not take %s; it takes %s", r->guard.path, r->method,
                        srv_route_allow(r->match.id));
        srv_reply_header(r, "Allow", srv_route_allow(r->match.id));
    } else if (is_foreign_page(r)) {
        srv_reply_error(r, 403,
                        "pages of other origins may not ask here: --cors-origin lets those of one, "
                        "--allowed-hosts the server's own under another name");
    } else if (!is_load(r) || srv_may_load(r)) {
        check_query(r);
        if (!r->reply.status)
            check_model(r);
    }
}
