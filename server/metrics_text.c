/* /metrics: each family is one function or one row of a list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/exposition.h"
#include "server/handlers.h"
#include "server/process.h"
#include "server/server.h"
#include "server/sink.h"

/* ---- the build, the process, HTTP ---- */

static void build_info(struct srv_exposition *x)
{
    srv_head(x, "rectifier_build_info", "gauge", "The program and what it computes with.");
    rf_buf_text(x->b, "rectifier_build_info");
    srv_label(x, "{", "version", RF_VERSION);
    srv_label(x, ",", "isa", rf_engine_isa());
    srv_label(x, ",", "blas", rf_engine_blas());
    rf_buf_text(x->b, "} 1\n");
}

/* A family of one sample without labels; none when the value is negative, which is not known. */
static void single(struct srv_exposition *x, const char *family, const char *type, const char *help,
                   double value)
{
    if (value < 0)
        return;
    srv_head(x, family, type, help);
    rf_buf_printf(x->b, "%s %.15g\n", family, value);
}

static void process(struct srv_exposition *x, const struct srv_server *server)
{
    struct srv_process p;
    const struct srv_cpus *cpus = &server->cpus;
    srv_process_read(&p);
    single(x, "process_cpu_seconds_total", "counter", "User and system CPU time.", p.cpu_seconds);
    single(x, "process_resident_memory_bytes", "gauge", "Resident memory.", p.resident_bytes);
    single(x, "process_open_fds", "gauge", "Open file descriptors.", p.open_fds);
    single(x, "process_max_fds", "gauge", "Limit of open file descriptors.", p.max_fds);
    single(x, "process_start_time_seconds", "gauge", "Start, seconds since 1970.", p.start_time);
    single(x, "process_threads", "gauge", "Threads of this process.", p.threads);
    single(x, "rectifier_threads", "gauge", "Compute threads.",
           (double)rf_pool_threads(server->pool));
    single(x, "rectifier_cpu_quota_cores", "gauge",
           "Cores this process may use: the cgroup's quota, or the CPUs of its affinity.",
           cpus->quota > 0 && cpus->quota < cpus->affinity ? cpus->quota : cpus->affinity);
}

static void http_requests(struct srv_exposition *x, const struct srv_metrics *m)
{
    static const char *const methods[SRV_N_METHODS] = {"GET", "HEAD", "POST", "other"};
    static const char *const codes[SRV_N_CODES] = {
#define X(code) #code,
        SRV_CODE_MAP(X)
#undef X
            "other"};
    const char *family = "rectifier_http_requests_total";
    srv_head(x, family, "counter",
             "HTTP requests by outcome. 499: the client left, or the HTTP library refused it.");
    for (int r = 0; r < SRV_N_ROUTES; r++)
        for (int k = 0; k < SRV_N_METHODS; k++)
            for (int c = 0; c < SRV_N_CODES; c++) {
                const uint64_t n = srv_read(&m->requests[r][k][c]);
                const bool is_expected =
                    c == SRV_CODE_200 && srv_routes[r].methods & (k == 0   ? SRV_GET
                                                                  : k == 2 ? SRV_POST
                                                                           : 0);
                if (n || is_expected)
                    rf_buf_printf(x->b, "%s{method=\"%s\",route=\"%s\",code=\"%s\"} %" PRIu64 "\n",
                                  family, methods[k], srv_routes[r].path, codes[c], n);
            }
}

static void http(struct srv_exposition *x, const struct srv_server *server)
{
    char labels[96];
    http_requests(x, &server->metrics);
    const char *family = "rectifier_http_request_duration_seconds";
    srv_head(x, family, "histogram", "From the request line to the reply made.");
    for (int r = 0; r < SRV_N_ROUTES; r++) {
        snprintf(labels, sizeof labels, "{route=\"%s\"", srv_routes[r].path);
        srv_histogram_text(x, family, labels, &server->metrics.duration[r], &srv_latency_buckets,
                           NULL);
    }
    single(x, "rectifier_http_connections", "gauge", "Open connections.",
           (double)srv_conns_open(&server->conns));
    single(x, "rectifier_http_connections_rejected_total", "counter",
           "Connections answered 503 because there were too many.",
           (double)srv_read(&server->metrics.connections_rejected));
    single(x, "rectifier_http_accept_failures_total", "counter",
           "Connections that the system could not accept when it was asked.",
           (double)srv_read(&server->metrics.accept_failures));
    single(x, "rectifier_log_lines_dropped_total", "counter",
           "Log lines lost because stderr did not take them.", (double)srv_sink_dropped());
}

/* ---- models ---- */

static void version_labels(struct srv_exposition *x, const char *family,
                           const struct srv_listed *item)
{
    rf_buf_text(x->b, family);
    srv_label(x, "{", "model", item->name);
    rf_buf_printf(x->b, ",version=\"%" PRIu64 "\"", item->number);
}

static void model_info(struct srv_exposition *x, const struct srv_served *models)
{
    const char *family = "rectifier_model_info";
    srv_head(x, family, "gauge", "The models served.");
    for (size_t i = 0; i < models->n; i++) {
        const struct srv_model *m = models->list[i];
        srv_model_labels(x, family, m);
        srv_label(x, ",", "format", m->network.format);
        srv_label(x, ",", "sha256", m->network.sha256);
        rf_buf_text(x->b, "} 1\n");
    }
}

/* A family with one integer a model; `value` is an expression of `m`. */
#define MODEL_FAMILY(family, type, help, value)                                                    \
    do {                                                                                           \
        srv_head(x, family, type, help);                                                           \
        for (size_t i = 0; i < models->n; i++) {                                                   \
            const struct srv_model *m = models->list[i];                                           \
            srv_model_labels(x, family, m);                                                        \
            rf_buf_printf(x->b, "} %" PRIu64 "\n", (uint64_t)(value));                             \
        }                                                                                          \
    } while (0)

/* Counters side by side in struct srv_model_metrics, one for each value of a label. */
struct labelled {
    const char *family, *help, *key;
    const char *const *values;
    size_t n, offset;
};

#define X(id, text) text,
static const char *const results[] = {SRV_RESULT_MAP(X)};
static const char *const reasons[] = {SRV_SHED_MAP(X)};
#undef X

static const struct labelled by_result = {.family = "rectifier_inference_requests_total",
                                          .help = "Inferences ended, by result.",
                                          .key = "result",
                                          .values = results,
                                          .n = SRV_N_RESULTS,
                                          .offset = offsetof(struct srv_model_metrics, result)};
static const struct labelled by_reason = {.family = "rectifier_inference_shed_total",
                                          .help = "Inferences refused to protect the server.",
                                          .key = "reason",
                                          .values = reasons,
                                          .n = SRV_N_SHEDS,
                                          .offset = offsetof(struct srv_model_metrics, shed)};

static void labelled_counters(struct srv_exposition *x, const struct srv_served *models,
                              const struct labelled *l)
{
    srv_head(x, l->family, "counter", l->help);
    for (size_t i = 0; i < models->n; i++)
        for (size_t k = 0; k < l->n; k++) {
            const struct srv_model *m = models->list[i];
            const atomic_uint_fast64_t *counters =
                (const atomic_uint_fast64_t *)(const void *)((const char *)&m->metrics + l->offset);
            srv_model_labels(x, l->family, m);
            srv_label(x, ",", l->key, l->values[k]);
            rf_buf_printf(x->b, "} %" PRIu64 "\n", srv_read(&counters[k]));
        }
}

static void model_histogram(struct srv_exposition *x, const struct srv_served *models,
                            const char *family, const char *help, size_t offset,
                            const struct srv_buckets *buckets)
{
    srv_head(x, family, "histogram", help);
    for (size_t i = 0; i < models->n; i++) {
        const struct srv_model *m = models->list[i];
        const void *histogram = (const char *)&m->metrics + offset;
        srv_model_histogram_text(x, family, m, histogram, buckets, NULL);
    }
}

/* Of every version known, whether it is served or not. */
static void loading_text(struct srv_exposition *x, const struct srv_server *server,
                         const struct srv_listing *listing)
{
    const char *family = "rectifier_model_ready";
    srv_head(x, family, "gauge", "1 when the version answers.");
    for (size_t i = 0; i < listing->n; i++) {
        const struct srv_listed *const item = &listing->items[i];
        version_labels(x, family, item);
        rf_buf_printf(x->b, "} %d\n", item->model && atomic_load(&server->ready));
    }
    family = "rectifier_model_load_failures_total";
    srv_head(x, family, "counter", "Loads that failed; what was served before still is.");
    for (size_t i = 0; i < listing->n; i++) {
        if (!listing->items[i].is_first)
            continue;
        rf_buf_text(x->b, family);
        srv_label(x, "{", "model", listing->items[i].name);
        rf_buf_printf(x->b, "} %" PRIu64 "\n", listing->items[i].failures);
    }
}

/* The sample of a model that is not there yet: inferences that were refused meanwhile. */
static void refused_text(struct srv_exposition *x, const struct srv_served *models,
                         const char *family, const char *key, const char *value)
{
    for (size_t i = 0; i < models->listing->n; i++) {
        const struct srv_listed *const item = &models->listing->items[i];
        if (item->refused == 0)
            continue;
        version_labels(x, family, item);
        if (key)
            srv_label(x, ",", key, value);
        rf_buf_printf(x->b, "} %" PRIu64 "\n", item->refused);
    }
}

static void inferences_text(struct srv_exposition *x, const struct srv_server *server,
                            const struct srv_served *models)
{
    /* Read before `started`, so that no scrape shows more ends than beginnings. */
    labelled_counters(x, models, &by_result);
    refused_text(x, models, by_result.family, by_result.key, results[SRV_RESULT_SHED]);
    labelled_counters(x, models, &by_reason);
    refused_text(x, models, by_reason.family, by_reason.key, reasons[SRV_SHED_LOADING]);
    MODEL_FAMILY("rectifier_inference_started_total", "counter",
                 "Inferences begun; once idle, the sum of all results.",
                 srv_read(&m->metrics.started));
    refused_text(x, models, "rectifier_inference_started_total", NULL, NULL);
    MODEL_FAMILY("rectifier_inference_rows_total", "counter", "Rows computed.",
                 srv_read(&m->metrics.rows));
    MODEL_FAMILY("rectifier_inference_executions_total", "counter", "Runs of the network.",
                 srv_read(&m->metrics.runs.n));
    MODEL_FAMILY("rectifier_inference_pending_requests", "gauge", "Inferences in the queue.",
                 srv_read(&m->metrics.pending));
    MODEL_FAMILY("rectifier_inference_queue_limit", "gauge", "Inferences the queue holds.",
                 server->config->queue_size);
#define X(field, family, buckets, help)                                                            \
    model_histogram(x, models, family, help, offsetof(struct srv_model_metrics, field),            \
                    &srv_##buckets##_buckets);
    SRV_MODEL_HISTOGRAM_MAP(X)
#undef X
}

static void load_times_text(struct srv_exposition *x, const struct srv_served *models)
{
    const char *family = "rectifier_model_load_timestamp_seconds";
    srv_head(x, family, "gauge", "When the model was loaded, seconds since 1970.");
    for (size_t i = 0; i < models->n; i++) {
        srv_model_labels(x, family, models->list[i]);
        rf_buf_printf(x->b, "} %.3f\n", models->list[i]->load_time);
    }
}

static void nodes_text(struct srv_exposition *x, const struct srv_served *models)
{
    const char *family = "rectifier_node_compute_seconds_total";
    srv_head(x, family, "counter",
             "Time in a network's nodes; of quick networks from one run in 64, taken for all.");
    for (size_t i = 0; i < models->n; i++)
        for (size_t k = 0; k < models->list[i]->nodes.n; k++) {
            const struct srv_node *node = &models->list[i]->nodes.list[k];
            if (!node->name || node->same != k)
                continue;
            srv_model_labels(x, family, models->list[i]);
            srv_label(x, ",", "node", node->name);
            rf_buf_printf(x->b, "} %.9g\n", (double)srv_read(&node->ns) * 1e-9);
        }
}

void srv_metrics_text(struct rf_buf *b, struct srv_server *server, bool open_metrics)
{
    struct srv_exposition exposition = {.b = b, .open = open_metrics}, *const x = &exposition;
    struct srv_listing listing;
    struct srv_served served = {.listing = &listing};
    srv_repository_list(&server->repository, &listing);
    served.list = calloc(listing.n + 1, sizeof(struct srv_model *));
    for (size_t i = 0; served.list && i < listing.n; i++)
        if (listing.items[i].model)
            served.list[served.n++] = listing.items[i].model;
    build_info(x);
    process(x, server);
    http(x, server);
    loading_text(x, server, &listing);
    model_info(x, &served);
    inferences_text(x, server, &served);
    load_times_text(x, &served);
    nodes_text(x, &served);
    srv_activity_metrics(x, server, &served);
    if (open_metrics)
        rf_buf_text(b, "# EOF\n");
    free(served.list);
    srv_listing_release(&listing);
}
