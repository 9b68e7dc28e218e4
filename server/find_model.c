/* The model that a request is for: named in the path, or the one of /infer. */
#include <string.h>

#include "proto/text.h"
#include "server/handlers.h"
#include "server/server.h"

/* No version has the number of one that cannot be written so. */
static uint64_t version_asked(const struct srv_match *match)
{
    uint64_t number;
    if (!match->version)
        return 0;
    const size_t n = strcspn(match->version, "/:");
    return srv_version_parse(match->version, n, &number) ? number : UINT64_MAX;
}

static void refuse(struct srv_request *r, enum srv_found found)
{
    const char *const name = r->match.model, *const version = r->match.version;
    const bool loaded = atomic_load(&r->server->loaded);
    if (found == SRV_NOT_YET && (srv_routes[r->match.id].methods & SRV_INFERS))
        srv_repository_refused(&r->server->repository, name, version_asked(&r->match), 1);
    if (found == SRV_NOT_YET || (found == SRV_NO_MODEL && !loaded))
        srv_reply_error(r, 503, "model '%.128s' is not at ready state: it is loading", name);
    else if (found == SRV_NO_MODEL)
        srv_reply_error(r, 404, "Request for unknown model: '%.64s' is not found", name);
    else if (found == SRV_NO_VERSION)
        srv_reply_error(r, 404, "Request for unknown model: '%.128s' version %.*s is not found",
                        name, (int)strcspn(version, "/:"), version);
    else
        srv_reply_error(r, 404, "Request for unknown model: '%.128s' has no available versions",
                        name);
}

struct srv_model *srv_find_model(struct srv_server *server, struct srv_request *r)
{
    const enum srv_found found = srv_repository_find(&server->repository, r->match.model,
                                                     version_asked(&r->match), &r->job.model);
    if (found != SRV_FOUND)
        refuse(r, found);
    return r->job.model;
}

static struct srv_model *find_default_model(struct srv_server *server, struct srv_request *r)
{
    char names[256];
    const char *const option = server->config->default_model;
    if (*option || srv_repository_default(&server->repository, names, sizeof names)) {
        rf_text_copy(r->match.model, sizeof r->match.model, *option ? option : names);
        return srv_find_model(server, r);
    }
    if (*names)
        srv_reply_error(r, 400,
                        "several models are served: %s; use /infer/NAME, or start the server with "
                        "--default-model",
                        names);
    else if (atomic_load(&server->loaded))
        srv_reply_error(r, 404, "no model is served");
    else
        srv_reply_error(r, 503, "the models are loading");
    return NULL;
}

struct srv_model *srv_find_asked_model(struct srv_server *server, struct srv_request *r)
{
    return r->match.id == SRV_ROUTE_INFER ? find_default_model(server, r)
                                          : srv_find_model(server, r);
}
