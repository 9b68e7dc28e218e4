/* Adding to counters and histograms. */
#include "server/metrics.h"

#include <stdio.h>

#include "server/clock.h"

#define US UINT64_C(1000)
#define MS SRV_MS

const struct srv_buckets srv_latency_buckets = {
    .n = 16,
    .bound = {50 * US, 100 * US, 250 * US, 500 * US, MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS,
              50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 10000 * MS},
    .text = {"5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
             "0.05", "0.1", "0.25", "0.5", "1", "2.5", "10"},
    .unit = 1e-9,
};

const struct srv_buckets srv_rows_buckets = {
    .n = 8,
    .bound = {1, 2, 4, 8, 16, 32, 64, 128},
    .text = {"1", "2", "4", "8", "16", "32", "64", "128"},
    .unit = 1,
};

#define ONE UINT64_C(1000000)
const struct srv_buckets srv_novelty_buckets = {
    .n = 11,
    .bound = {ONE / 4, ONE / 2, ONE, 2 * ONE, 3 * ONE, 5 * ONE, 10 * ONE, 30 * ONE, 100 * ONE,
              1000 * ONE, 10000 * ONE},
    .text = {"0.25", "0.5", "1", "2", "3", "5", "10", "30", "100", "1000", "10000"},
    .unit = 1e-6,
};

int srv_histogram_add(struct srv_histogram *h, const struct srv_buckets *buckets, uint64_t value)
{
    int i = 0;
    while (i < buckets->n && value > buckets->bound[i])
        i++;
    srv_count(&h->count[i]);
    srv_add(&h->sum, value);
    return i;
}

void srv_novelty_add(struct srv_novelty *novelty, double distance, const char *traceparent)
{
    /* A sum of many must fit, too. */
    const double capped = distance < 1e6 ? distance : 1e6;
    const int i = srv_histogram_add(&novelty->histogram, &srv_novelty_buckets,
                                    (uint64_t)(capped * (double)ONE));
    if (!*traceparent)
        return;
    pthread_mutex_lock(&novelty->lock);
    struct srv_exemplar *last = &novelty->last[i];
    snprintf(last->trace, sizeof last->trace, "%.32s", traceparent + 3);
    last->value = capped;
    last->time = srv_time_of_day();
    pthread_mutex_unlock(&novelty->lock);
}

static void add_times(struct srv_runs *runs, const struct srv_run_times *ns)
{
    srv_count(&runs->n);
    srv_add(&runs->input, ns->input);
    srv_add(&runs->compute, ns->compute);
    srv_add(&runs->output, ns->output);
}

void srv_metrics_refused(struct srv_model_metrics *m, uint64_t n)
{
    srv_add(&m->started, n);
    srv_add(&m->shed[SRV_SHED_LOADING], n);
    srv_add(&m->result[SRV_RESULT_SHED], n);
}

void srv_metrics_run(struct srv_model_metrics *m, uint64_t rows, struct srv_run_times ns)
{
    srv_histogram_add(&m->compute, &srv_latency_buckets, ns.compute);
    srv_histogram_add(&m->batch_rows, &srv_rows_buckets, rows);
    srv_add(&m->rows, rows);
    add_times(&m->runs, &ns);
    if (rows > 0 && rows <= SRV_MAX_ROWS_APART)
        add_times(&m->runs_of[rows], &ns);
    atomic_store_explicit(&m->last_run_ms, (uint64_t)(srv_time_of_day() * 1e3),
                          memory_order_relaxed);
}

static enum srv_code_index code_index(int code)
{
    switch (code) {
#define X(c)                                                                                       \
    case c:                                                                                        \
        return SRV_CODE_##c;
        SRV_CODE_MAP(X)
#undef X
    default:
        return SRV_CODE_OTHER;
    }
}

static int method_index(enum srv_method method)
{
    switch (method) {
    case SRV_GET:
        return 0;
    case SRV_HEAD:
        return 1;
    case SRV_POST:
        return 2;
    case SRV_OTHER:
        break;
    }
    return 3;
}

void srv_metrics_request(struct srv_metrics *m, enum srv_route_id route, enum srv_method method,
                         int code, uint64_t ns)
{
    srv_count(&m->requests[route][method_index(method)][code_index(code ? code : 499)]);
    srv_histogram_add(&m->duration[route], &srv_latency_buckets, ns);
}
