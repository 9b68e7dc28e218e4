/* The routes: which handler answers which method and path. */
#ifndef SRV_ROUTES_H
#define SRV_ROUTES_H

#include "server/guard.h"

struct srv_server;
struct srv_request;

/* What a handler did: filled the reply, or made a job of the request that will fill it: for a
 * model's queue, or for the loader. */
enum srv_next { SRV_REPLY, SRV_QUEUE, SRV_LOAD };

typedef enum srv_next (*srv_handler)(struct srv_server *server, struct srv_request *request);

/* id, path (its label in the metrics, too), methods, handler, query keys ("" none, "*" any is
 * ignored); the first path that matches counts */
#define SRV_ROUTE_MAP(X)                                                                           \
    X(INFER, "/infer", SRV_POST | SRV_INFERS, srv_handle_infer, "")                                \
    X(INFER_MODEL, "/infer/{model}", SRV_POST | SRV_INFERS, srv_handle_infer, "")                  \
    X(V2_INFER, "/v2/models/{model}/infer", SRV_POST | SRV_INFERS, srv_handle_v2_infer, "*")       \
    X(V2, "/v2", SRV_GET, srv_handle_v2, "*")                                                      \
    X(LIVE, "/v2/health/live", SRV_GET, srv_handle_live, "*")                                      \
    X(READY, "/v2/health/ready", SRV_GET, srv_handle_ready, "*")                                   \
    X(MODELS, "/v2/models", SRV_GET, srv_handle_models, "*")                                       \
    X(ALL_STATS, "/v2/models/stats", SRV_GET, srv_handle_all_stats, "*")                           \
    X(MODEL, "/v2/models/{model}", SRV_GET, srv_handle_model, "*")                                 \
    X(MODEL_READY, "/v2/models/{model}/ready", SRV_GET, srv_handle_model_ready, "*")               \
    X(CONFIG, "/v2/models/{model}/config", SRV_GET, srv_handle_config, "*")                        \
    X(STATS, "/v2/models/{model}/stats", SRV_GET, srv_handle_stats, "*")                           \
    X(INDEX, "/v2/repository/index", SRV_POST, srv_handle_index, "*")                              \
    X(LOAD, "/v2/repository/models/{model}/load", SRV_POST | SRV_ADMIN, srv_handle_load, "*")      \
    X(UNLOAD, "/v2/repository/models/{model}/unload", SRV_POST | SRV_ADMIN, srv_handle_unload,     \
      "*")                                                                                         \
    X(V1_MODELS, "/v1/models", SRV_GET, srv_handle_models, "*")                                    \
    X(V1_PREDICT, "/v1/models/{model}:predict", SRV_POST | SRV_INFERS, srv_handle_v1_predict, "*") \
    X(V1_MODEL, "/v1/models/{model}", SRV_GET, srv_handle_v1_model, "*")                           \
    X(V1_METADATA, "/v1/models/{model}/metadata", SRV_GET, srv_handle_v1_metadata, "*")            \
    X(ACTIVITY, "/v2/models/{model}/activity", SRV_GET, srv_handle_activity,                       \
      "layer|channels|units|window")                                                               \
    X(BASELINE, "/v2/models/{model}/activity/baseline", SRV_GET | SRV_POST, srv_handle_baseline,   \
      "")                                                                                          \
    X(COMPARE, "/v2/models/{model}/activity/compare", SRV_GET, srv_handle_compare,                 \
      "versions|window")                                                                           \
    X(NOVEL, "/v2/models/{model}/activity/novel.npy", SRV_GET, srv_handle_novel, "")               \
    X(GRAPH, "/v2/models/{model}/graph", SRV_GET, srv_handle_graph, "*")                           \
    X(PAGE, "/", SRV_GET | SRV_ADMIN, srv_handle_page, "*")                                        \
    X(PAGE_FILE, "/page/{file}", SRV_GET | SRV_ADMIN, srv_handle_page_file, "*")                   \
    X(METRICS, "/metrics", SRV_GET | SRV_ADMIN, srv_handle_metrics, "*")

enum srv_route_id {
#define X(id, path, methods, handler, query) SRV_ROUTE_##id,
    SRV_ROUTE_MAP(X)
#undef X
        SRV_ROUTE_OTHER,
    SRV_N_ROUTES
};

struct srv_route {
    const char *path; /* {...} matches one segment, up to ':' where the path has one behind it;
                         "/versions/{version}" may follow it */
    unsigned methods; /* enum srv_method bits; HEAD is where GET is. And SRV_ADMIN, SRV_INFERS */
    srv_handler handler;
    const char *query;
};

/* The row of SRV_ROUTE_OTHER has only its label. */
extern const struct srv_route srv_routes[SRV_N_ROUTES];

struct srv_match {
    enum srv_route_id id; /* SRV_ROUTE_OTHER: no such path */
    char model[160];      /* cut, if longer than any model's name can be */
    const char *version;  /* digits in the path given, or NULL */
    bool method_allowed;
};

/* `path` is decoded; it must outlive the match. */
void srv_route_find(struct srv_match *match, const char *path, enum srv_method method);
/* "GET, HEAD" */
const char *srv_route_allow(enum srv_route_id id);

#define X(id, path, methods, handler, query)                                                       \
    enum srv_next handler(struct srv_server *server, struct srv_request *request);
SRV_ROUTE_MAP(X)
#undef X

#endif
