/*
 * Counters and histograms: atomics that any thread adds to without a lock, and their lists, from
 * which the text of /metrics is made (metrics_text.c).
 */
#ifndef SRV_METRICS_H
#define SRV_METRICS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "server/guard.h"
#include "server/routes.h"

/* id, label */
#define SRV_RESULT_MAP(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(CLIENT_ERROR, "client_error")                                                                \
    X(SHED, "shed")                                                                                \
    X(DEADLINE, "deadline")                                                                        \
    X(CANCELLED, "cancelled")                                                                      \
    X(FAILED, "failed")

#define SRV_SHED_MAP(X)                                                                            \
    X(QUEUE, "queue")                                                                              \
    X(MEMORY, "memory")                                                                            \
    X(LOADING, "loading")                                                                          \
    X(DRAINING, "draining")

enum srv_result {
#define X(id, label) SRV_RESULT_##id,
    SRV_RESULT_MAP(X)
#undef X
        SRV_N_RESULTS
};

enum srv_shed {
#define X(id, label) SRV_SHED_##id,
    SRV_SHED_MAP(X)
#undef X
        SRV_N_SHEDS
};

#define SRV_MAX_BUCKETS 16

/* Upper bounds as integers (nanoseconds, rows) and as text. */
struct srv_buckets {
    int n;
    uint64_t bound[SRV_MAX_BUCKETS];
    const char *text[SRV_MAX_BUCKETS];
    double unit; /* what is printed for 1 */
};
extern const struct srv_buckets srv_latency_buckets, srv_rows_buckets, srv_novelty_buckets;

struct srv_histogram {
    atomic_uint_fast64_t count[SRV_MAX_BUCKETS + 1]; /* each bucket's own; the last is +Inf */
    atomic_uint_fast64_t sum;
};
/* The bucket that the value is in is returned. */
int srv_histogram_add(struct srv_histogram *h, const struct srv_buckets *buckets, uint64_t value);

/* field, family, buckets, help */
#define SRV_MODEL_HISTOGRAM_MAP(X)                                                                 \
    X(duration, "rectifier_inference_duration_seconds", latency,                                   \
      "From the whole request received to the reply made.")                                        \
    X(queue, "rectifier_inference_queue_duration_seconds", latency,                                \
      "Waiting for a compute thread.")                                                             \
    X(compute, "rectifier_inference_compute_duration_seconds", latency, "Running the network.")    \
    X(batch_rows, "rectifier_inference_batch_rows", rows, "Rows computed by one run.")

/* Nanoseconds that runs took: decoding and preparing, the network, encoding. */
struct srv_run_times {
    uint64_t input, compute, output;
};
struct srv_runs {
    atomic_uint_fast64_t n, input, compute, output;
};

#define SRV_MAX_ROWS_APART 128

/* The trace behind the last value of each bucket. */
struct srv_exemplar {
    char trace[33]; /* or "" */
    double value, time;
};
struct srv_novelty {
    struct srv_histogram histogram; /* of millionths */
    pthread_mutex_t lock;
    struct srv_exemplar last[SRV_MAX_BUCKETS + 1];
};
/* `traceparent`: of the request, or "". */
void srv_novelty_add(struct srv_novelty *novelty, double distance, const char *traceparent);

/* Of one model. */
struct srv_model_metrics {
    atomic_uint_fast64_t started, rows, pending;
    atomic_uint_fast64_t result[SRV_N_RESULTS], shed[SRV_N_SHEDS];
    atomic_uint_fast64_t result_ns[SRV_N_RESULTS];         /* from received to replied */
    atomic_uint_fast64_t last_run_ms;                      /* Unix time; 0: never */
    struct srv_runs runs, runs_of[SRV_MAX_ROWS_APART + 1]; /* all; by rows, from 1 on */
#define X(field, family, buckets, help) struct srv_histogram field;
    SRV_MODEL_HISTOGRAM_MAP(X)
#undef X
    struct srv_novelty novelty;
};

/* `n` inferences refused because the model was loading. */
void srv_metrics_refused(struct srv_model_metrics *m, uint64_t n);
/* One run of the network. */
void srv_metrics_run(struct srv_model_metrics *m, uint64_t rows, struct srv_run_times ns);

/* Statuses that requests are counted under; 499: the client went, or the HTTP library answered. */
#define SRV_CODE_MAP(X)                                                                            \
    X(200)                                                                                         \
    X(204)                                                                                         \
    X(400)                                                                                         \
    X(403)                                                                                         \
    X(404)                                                                                         \
    X(405)                                                                                         \
    X(406)                                                                                         \
    X(408) X(413) X(414) X(415) X(417) X(421) X(431) X(499) X(500) X(501) X(503) X(504) X(505)

enum srv_code_index {
#define X(code) SRV_CODE_##code,
    SRV_CODE_MAP(X)
#undef X
        SRV_CODE_OTHER,
    SRV_N_CODES
};

#define SRV_N_METHODS 4 /* GET, HEAD, POST, other */

/* Of the server as a whole. */
struct srv_metrics {
    atomic_uint_fast64_t requests[SRV_N_ROUTES][SRV_N_METHODS][SRV_N_CODES];
    struct srv_histogram duration[SRV_N_ROUTES];
    atomic_uint_fast64_t connections_rejected, accept_failures;
};

/* One HTTP request answered with `code` (0: not answered). */
void srv_metrics_request(struct srv_metrics *m, enum srv_route_id route, enum srv_method method,
                         int code, uint64_t ns);

static inline void srv_add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void srv_count(atomic_uint_fast64_t *counter)
{
    srv_add(counter, 1);
}

static inline uint64_t srv_read(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
