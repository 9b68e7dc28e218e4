/* Matching a path against the table, segment by segment. */
#include "server/routes.h"

#include <stdio.h>
#include <string.h>

const struct srv_route srv_routes[SRV_N_ROUTES] = {
#define X(id, path, methods, handler, query) [SRV_ROUTE_##id] = {path, methods, handler, query},
    SRV_ROUTE_MAP(X)
#undef X
        [SRV_ROUTE_OTHER] = {"other", 0, NULL, "*"},
};

#define VERSIONS "/versions/"

/* "/versions/12" at `path`, the end of a path or more behind it: its length, or 0. */
static size_t version_segment(const char *path)
{
    const size_t head = sizeof VERSIONS - 1;
    if (strncmp(path, VERSIONS, head) != 0)
        return 0;
    const size_t digits = strspn(path + head, "0123456789");
    const char end = path[head + digits];
    return digits > 0 && digits < 20 && strchr("/:", end) ? head + digits : 0; /* or the end */
}

/* Only the versioned protocols have versions in their paths. */
static bool path_matches(const char *pattern, const char *path, struct srv_match *match)
{
    const char *any = strstr(pattern, "/{");
    if (!any)
        return strcmp(pattern, path) == 0;
    const size_t head = (size_t)(any - pattern);
    if (strncmp(pattern, path, head) != 0 || path[head] != '/')
        return false;
    const char *name = path + head + 1;
    const char *tail = strchr(any, '}') + 1;
    const size_t len = strcspn(name, *tail == ':' ? "/:" : "/");
    const char *rest = name + len;
    const size_t version = strncmp(pattern, "/v", 2) == 0 ? version_segment(rest) : 0;
    if (len == 0 || strcmp(tail, rest + version) != 0)
        return false;
    snprintf(match->model, sizeof match->model, "%.*s", (int)(len > 159 ? 159 : len), name);
    match->version = version ? rest + sizeof VERSIONS - 1 : NULL;
    return true;
}

void srv_route_find(struct srv_match *match, const char *path, enum srv_method method)
{
    memset(match, 0, sizeof *match);
    match->id = SRV_ROUTE_OTHER;
    for (int i = 0; i < SRV_ROUTE_OTHER; i++) {
        const struct srv_route *r = &srv_routes[i];
        if (!path_matches(r->path, path, match))
            continue;
        match->id = (enum srv_route_id)i;
        match->method_allowed =
            (r->methods & method) || (method == SRV_HEAD && (r->methods & SRV_GET));
        return;
    }
}

const char *srv_route_allow(enum srv_route_id id)
{
    const unsigned methods = srv_routes[id].methods;
    if (methods & SRV_GET)
        return methods & SRV_POST ? "GET, HEAD, POST" : "GET, HEAD";
    return "POST";
}
