/* /metrics: Prometheus' text format 0.0.4. Each family is one function or one row of a list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/handlers.h"
#include "server/listen.h"
#include "server/process.h"
#include "server/server.h"
#include "server/sink.h"

static void head(struct rf_buf *b, const char *family, const char *type, const char *help)
{
    rf_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, type);
}

/* A label's value: backslash, quote and newline escaped, other control characters replaced. */
static void label(struct rf_buf *b, const char *separator, const char *key, const char *value)
{
    rf_buf_printf(b, "%s%s=\"", separator, key);
    for (const char *p = value; *p; p++) {
        if (*p == '\n')
            rf_buf_text(b, "\\n");
        else if (*p == '"' || *p == '\\')
            rf_buf_printf(b, "\\%c", *p);
        else
            rf_buf_add(b, (unsigned char)*p < 0x20 ? "?" : p, 1);
    }
    rf_buf_text(b, "\"");
}

static void model_labels(struct rf_buf *b, const char *family, const struct srv_model *m)
{
    rf_buf_text(b, family);
    label(b, "{", "model", m->name);
    label(b, ",", "version", m->version);
}

/* `labels` without the closing brace, or "" for none. */
static void histogram(struct rf_buf *b, const char *family, const char *labels,
                      const struct srv_histogram *h, const struct srv_buckets *buckets)
{
    uint64_t n = 0;
    const uint64_t sum = srv_read(&h->sum);
    for (int i = 0; i <= buckets->n; i++) {
        n += srv_read(&h->count[i]);
        rf_buf_printf(b, "%s_bucket%s%sle=\"%s\"} %" PRIu64 "\n", family, *labels ? labels : "{",
                      *labels ? "," : "", i < buckets->n ? buckets->text[i] : "+Inf", n);
    }
    const char *close = *labels ? "}" : "";
    if (buckets->seconds)
        rf_buf_printf(b, "%s_sum%s%s %.9g\n", family, labels, close, (double)sum * 1e-9);
    else
        rf_buf_printf(b, "%s_sum%s%s %" PRIu64 "\n", family, labels, close, sum);
    rf_buf_printf(b, "%s_count%s%s %" PRIu64 "\n", family, labels, close, n);
}

/* ---- the build, the process, HTTP ---- */

static void build_info(struct rf_buf *b)
{
    head(b, "rectifier_build_info", "gauge", "The program and what it computes with.");
    rf_buf_text(b, "rectifier_build_info");
    label(b, "{", "version", RF_VERSION);
    label(b, ",", "isa", rf_engine_isa());
    label(b, ",", "blas", rf_engine_blas());
    rf_buf_text(b, "} 1\n");
}

static void gauge(struct rf_buf *b, const char *family, const char *type, const char *help,
                  double value)
{
    if (value < 0)
        return;
    head(b, family, type, help);
    rf_buf_printf(b, "%s %.15g\n", family, value);
}

static void process(struct rf_buf *b, const struct srv_server *server)
{
    struct srv_process p;
    const struct srv_cpus *cpus = &server->cpus;
    srv_process_read(&p);
    gauge(b, "process_cpu_seconds_total", "counter", "User and system CPU time.", p.cpu_seconds);
    gauge(b, "process_resident_memory_bytes", "gauge", "Resident memory.", p.resident_bytes);
    gauge(b, "process_open_fds", "gauge", "Open file descriptors.", p.open_fds);
    gauge(b, "process_max_fds", "gauge", "Limit of open file descriptors.", p.max_fds);
    gauge(b, "process_start_time_seconds", "gauge", "Start, seconds since 1970.", p.start_time);
    gauge(b, "process_threads", "gauge", "Threads of this process.", p.threads);
    gauge(b, "rectifier_threads", "gauge", "Compute threads.",
          (double)rf_pool_threads(server->pool));
    gauge(b, "rectifier_cpu_quota_cores", "gauge",
          "Cores this process may use: the cgroup's quota, or the CPUs of its affinity.",
          cpus->quota > 0 && cpus->quota < cpus->affinity ? cpus->quota : cpus->affinity);
}

static void http_requests(struct rf_buf *b, const struct srv_metrics *m)
{
    static const char *const methods[SRV_N_METHODS] = {"GET", "HEAD", "POST", "other"};
    static const char *const codes[SRV_N_CODES] = {
#define X(code) #code,
        SRV_CODE_MAP(X)
#undef X
            "other"};
    const char *family = "rectifier_http_requests_total";
    head(b, family, "counter",
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
                    rf_buf_printf(b, "%s{method=\"%s\",route=\"%s\",code=\"%s\"} %" PRIu64 "\n",
                                  family, methods[k], srv_routes[r].path, codes[c], n);
            }
}

static void http(struct rf_buf *b, const struct srv_server *server)
{
    char labels[96];
    http_requests(b, &server->metrics);
    const char *family = "rectifier_http_request_duration_seconds";
    head(b, family, "histogram", "From the request line to the reply made.");
    for (int r = 0; r < SRV_N_ROUTES; r++) {
        snprintf(labels, sizeof labels, "{route=\"%s\"", srv_routes[r].path);
        histogram(b, family, labels, &server->metrics.duration[r], &srv_latency_buckets);
    }
    gauge(b, "rectifier_http_connections", "gauge", "Open connections.",
          (double)srv_conns_open(&server->conns));
    gauge(b, "rectifier_http_connections_rejected_total", "counter",
          "Connections answered 503 because there were too many.",
          (double)srv_read(&server->metrics.connections_rejected));
    gauge(b, "rectifier_http_accept_failures_total", "counter",
          "Connections that the system could not accept when it was asked.",
          (double)srv_read(&server->metrics.accept_failures));
    gauge(b, "rectifier_log_lines_dropped_total", "counter",
          "Log lines lost because stderr did not take them.", (double)srv_sink_dropped());
}

/* ---- models ---- */

struct served {
    size_t n;
    struct srv_model **list;
    const struct srv_listing *listing; /* of those that are not there yet, too */
};

static void version_labels(struct rf_buf *b, const char *family, const struct srv_listed *item)
{
    rf_buf_text(b, family);
    label(b, "{", "model", item->name);
    rf_buf_printf(b, ",version=\"%" PRIu64 "\"", item->number);
}

static void model_info(struct rf_buf *b, const struct served *models)
{
    const char *family = "rectifier_model_info";
    head(b, family, "gauge", "The models served.");
    for (size_t i = 0; i < models->n; i++) {
        const struct srv_model *m = models->list[i];
        model_labels(b, family, m);
        label(b, ",", "format", m->network.format);
        label(b, ",", "sha256", m->network.sha256);
        rf_buf_text(b, "} 1\n");
    }
}

/* A family with one integer a model; `value` is an expression of `m`. */
#define MODEL_FAMILY(family, type, help, value)                                                    \
    do {                                                                                           \
        head(b, family, type, help);                                                               \
        for (size_t i = 0; i < models->n; i++) {                                                   \
            const struct srv_model *m = models->list[i];                                           \
            model_labels(b, family, m);                                                            \
            rf_buf_printf(b, "} %" PRIu64 "\n", (uint64_t)(value));                                \
        }                                                                                          \
    } while (0)

/* The same with one more label, for each of `n` values of it. */
static void labelled_counters(struct rf_buf *b, const struct served *models, const char *family,
                              const char *help, const char *key, const char *const *values,
                              size_t n, size_t offset)
{
    head(b, family, "counter", help);
    for (size_t i = 0; i < models->n; i++)
        for (size_t k = 0; k < n; k++) {
            const struct srv_model *m = models->list[i];
            const atomic_uint_fast64_t *counters =
                (const atomic_uint_fast64_t *)(const void *)((const char *)&m->metrics + offset);
            model_labels(b, family, m);
            label(b, ",", key, values[k]);
            rf_buf_printf(b, "} %" PRIu64 "\n", srv_read(&counters[k]));
        }
}

static void model_histogram(struct rf_buf *b, const struct served *models, const char *family,
                            const char *help, size_t offset, const struct srv_buckets *buckets)
{
    char labels[256];
    head(b, family, "histogram", help);
    for (size_t i = 0; i < models->n; i++) {
        const struct srv_model *m = models->list[i];
        /* A model's name needs no escaping: see srv_model_name_is_valid. */
        snprintf(labels, sizeof labels, "{model=\"%s\",version=\"%s\"", m->name, m->version);
        histogram(b, family, labels,
                  (const struct srv_histogram *)(const void *)((const char *)&m->metrics + offset),
                  buckets);
    }
}

/* Of every version known, whether it is served or not. */
static void loading_text(struct rf_buf *b, const struct srv_server *server,
                         const struct srv_listing *listing)
{
    const char *family = "rectifier_model_ready";
    head(b, family, "gauge", "1 when the version answers.");
    for (size_t i = 0; i < listing->n; i++) {
        const struct srv_listed *const item = &listing->items[i];
        version_labels(b, family, item);
        rf_buf_printf(b, "} %d\n", item->model && atomic_load(&server->ready));
    }
    family = "rectifier_model_load_failures_total";
    head(b, family, "counter", "Loads that failed; what was served before still is.");
    for (size_t i = 0; i < listing->n; i++) {
        if (!listing->items[i].is_first)
            continue;
        rf_buf_text(b, family);
        label(b, "{", "model", listing->items[i].name);
        rf_buf_printf(b, "} %" PRIu64 "\n", listing->items[i].failures);
    }
}

/* The sample of a model that is not there yet: inferences that were refused meanwhile. */
static void refused_text(struct rf_buf *b, const struct served *models, const char *family,
                         const char *key, const char *value)
{
    for (size_t i = 0; i < models->listing->n; i++) {
        const struct srv_listed *const item = &models->listing->items[i];
        if (item->refused == 0)
            continue;
        version_labels(b, family, item);
        if (key)
            label(b, ",", key, value);
        rf_buf_printf(b, "} %" PRIu64 "\n", item->refused);
    }
}

static void models_text(struct rf_buf *b, const struct srv_server *server,
                        const struct served *models)
{
#define X(id, text) text,
    static const char *const results[] = {SRV_RESULT_MAP(X)};
    static const char *const reasons[] = {SRV_SHED_MAP(X)};
#undef X
    model_info(b, models);
    /* Read before `started`, so that no scrape shows more ends than beginnings. */
    labelled_counters(b, models, "rectifier_inference_requests_total",
                      "Inferences ended, by result.", "result", results, SRV_N_RESULTS,
                      offsetof(struct srv_model_metrics, result));
    refused_text(b, models, "rectifier_inference_requests_total", "result",
                 results[SRV_RESULT_SHED]);
    labelled_counters(b, models, "rectifier_inference_shed_total",
                      "Inferences refused to protect the server.", "reason", reasons, SRV_N_SHEDS,
                      offsetof(struct srv_model_metrics, shed));
    refused_text(b, models, "rectifier_inference_shed_total", "reason", reasons[SRV_SHED_LOADING]);
    MODEL_FAMILY("rectifier_inference_started_total", "counter",
                 "Inferences begun; once idle, the sum of all results.",
                 srv_read(&m->metrics.started));
    refused_text(b, models, "rectifier_inference_started_total", NULL, NULL);
    MODEL_FAMILY("rectifier_inference_rows_total", "counter", "Rows computed.",
                 srv_read(&m->metrics.rows));
    MODEL_FAMILY("rectifier_inference_executions_total", "counter", "Runs of the network.",
                 srv_read(&m->metrics.runs.n));
    MODEL_FAMILY("rectifier_inference_pending_requests", "gauge", "Inferences in the queue.",
                 srv_read(&m->metrics.pending));
    MODEL_FAMILY("rectifier_inference_queue_limit", "gauge", "Inferences the queue holds.",
                 server->config->queue_size);
#define X(field, family, buckets, help)                                                            \
    model_histogram(b, models, family, help, offsetof(struct srv_model_metrics, field),            \
                    &srv_##buckets##_buckets);
    SRV_MODEL_HISTOGRAM_MAP(X)
#undef X
    const char *family = "rectifier_model_load_timestamp_seconds";
    head(b, family, "gauge", "When the model was loaded, seconds since 1970.");
    for (size_t i = 0; i < models->n; i++) {
        model_labels(b, family, models->list[i]);
        rf_buf_printf(b, "} %.3f\n", models->list[i]->load_time);
    }
}

static void nodes_text(struct rf_buf *b, const struct served *models)
{
    const char *family = "rectifier_node_compute_seconds_total";
    head(b, family, "counter",
         "Time in a network's nodes; of quick networks from one run in 64, taken for all.");
    for (size_t i = 0; i < models->n; i++)
        for (size_t k = 0; k < models->list[i]->nodes.n; k++) {
            const struct srv_node *node = &models->list[i]->nodes.list[k];
            if (!node->name || node->same != k)
                continue;
            model_labels(b, family, models->list[i]);
            label(b, ",", "node", node->name);
            rf_buf_printf(b, "} %.9g\n", (double)srv_read(&node->ns) * 1e-9);
        }
}

/* ---- activations ---- */

struct layer_view {
    const struct srv_model *model;
    const struct rf_layer_activity *layer;
    size_t index;
    struct rf_layer_verdict verdict;
};

/* Prints one sample of a family for a layer, or nothing. */
typedef void (*layer_sample)(struct rf_buf *b, const char *family, const struct layer_view *v);

static void layer_labels(struct rf_buf *b, const char *family, const struct layer_view *v)
{
    model_labels(b, family, v->model);
    label(b, ",", "layer", v->layer->name);
}

static void layer_info(struct rf_buf *b, const char *family, const struct layer_view *v)
{
    layer_labels(b, family, v);
    label(b, ",", "type", v->layer->type);
    rf_buf_printf(b, ",index=\"%zu\",channels=\"%zu\"} 1\n", v->index, v->layer->n_channels);
}

#define LAYER_SAMPLE(name, condition, format, value)                                               \
    static void name(struct rf_buf *b, const char *family, const struct layer_view *v)             \
    {                                                                                              \
        if (!(condition))                                                                          \
            return;                                                                                \
        layer_labels(b, family, v);                                                                \
        rf_buf_printf(b, "} " format "\n", value);                                                 \
    }

#define TOTAL(field) v->layer->total.field
LAYER_SAMPLE(layer_values, true, "%" PRIu64, TOTAL(values))
LAYER_SAMPLE(layer_zeros, true, "%" PRIu64, TOTAL(zeros))
LAYER_SAMPLE(layer_inactive, v->layer->kind == RF_KIND_LEAKY, "%" PRIu64, TOTAL(inactive))
LAYER_SAMPLE(layer_nonfinite, true, "%" PRIu64, TOTAL(nonfinite))
LAYER_SAMPLE(layer_sparsity, TOTAL(values) > 0, "%.9g",
             (double)TOTAL(zeros) / (double)TOTAL(values))
LAYER_SAMPLE(layer_dead, v->verdict.known && v->layer->channels, "%zu", v->verdict.dead)
LAYER_SAMPLE(layer_near_dead, v->verdict.known && v->layer->channels, "%zu", v->verdict.near_dead)
LAYER_SAMPLE(layer_always_on, v->verdict.known && v->layer->channels, "%zu", v->verdict.always_on)

static const struct {
    const char *family, *type, *help;
    layer_sample sample;
} layer_families[] = {
    {"rectifier_activation_info", "gauge", "The activation layers.", layer_info},
    {"rectifier_activation_values_total", "counter", "Activations computed.", layer_values},
    {"rectifier_activation_zeros_total", "counter", "Activations exactly 0.", layer_zeros},
    {"rectifier_activation_inactive_total", "counter",
     "Activations whose input was 0 or less, of layers that have few zeros.", layer_inactive},
    {"rectifier_activation_nonfinite_total", "counter", "Activations NaN or infinite.",
     layer_nonfinite},
    {"rectifier_activation_sparsity_ratio", "gauge", "Zeros to values since load.", layer_sparsity},
    {"rectifier_activation_dead_channels", "gauge", "Channels that never fired since load.",
     layer_dead},
    {"rectifier_activation_near_dead_channels", "gauge",
     "Channels that fired in less than 1 % of the inputs since load.", layer_near_dead},
    {"rectifier_activation_always_on_channels", "gauge",
     "Channels in which every value fired since load.", layer_always_on},
};

static void activity_text(struct rf_buf *b, const struct srv_server *server,
                          const struct served *models)
{
    struct rf_activity **list = calloc(models->n + 1, sizeof *list);
    for (size_t i = 0; list && i < models->n; i++)
        if (rf_activity_read(models->list[i]->model, &list[i], NULL))
            list[i] = NULL;
    for (size_t f = 0; f < sizeof layer_families / sizeof *layer_families; f++) {
        head(b, layer_families[f].family, layer_families[f].type, layer_families[f].help);
        for (size_t i = 0; list && i < models->n; i++)
            for (size_t k = 0; list[i] && k < list[i]->n_layers; k++) {
                struct layer_view v = {models->list[i], &list[i]->layers[k], k, {0}};
                rf_layer_judge(v.layer, list[i]->inputs, server->config->activity_min_inputs,
                               &v.verdict);
                layer_families[f].sample(b, layer_families[f].family, &v);
            }
    }
    const char *family = "rectifier_activation_window_inputs";
    head(b, family, "gauge", "Inputs that the gauges above are of.");
    for (size_t i = 0; list && i < models->n; i++) {
        if (!list[i])
            continue;
        model_labels(b, family, models->list[i]);
        rf_buf_printf(b, "} %" PRIu64 "\n", list[i]->inputs);
        rf_activity_free(list[i]);
    }
    free(list);
}

void srv_metrics_text(struct rf_buf *b, struct srv_server *server)
{
    struct srv_listing listing;
    struct served served = {.listing = &listing};
    srv_repository_list(&server->repository, &listing);
    served.list = calloc(listing.n + 1, sizeof(struct srv_model *));
    for (size_t i = 0; served.list && i < listing.n; i++)
        if (listing.items[i].model)
            served.list[served.n++] = listing.items[i].model;
    build_info(b);
    process(b, server);
    http(b, server);
    loading_text(b, server, &listing);
    models_text(b, server, &served);
    nodes_text(b, &served);
    activity_text(b, server, &served);
    free(served.list);
    srv_listing_release(&listing);
}
