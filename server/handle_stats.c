/* GET /v2/models/stats and /v2/models/{model}/stats: the protocol's statistics extension. */
#include <inttypes.h>

#include "server/handlers.h"
#include "server/server.h"

static void add_pair(struct rf_buf *b, const char *separator, const char *key, uint64_t count,
                     uint64_t ns)
{
    rf_buf_printf(b, "%s\"%s\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}", separator, key, count,
                  ns);
}

static uint64_t count_of(const struct srv_histogram *h)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= SRV_MAX_BUCKETS; i++)
        n += srv_read(&h->count[i]);
    return n;
}

/* Whatever was not answered is a failure. */
static void add_outcomes(struct rf_buf *b, const struct srv_model_metrics *m)
{
    uint64_t failed = 0, failed_ns = 0;
    for (int i = 0; i < SRV_N_RESULTS; i++) {
        failed += i == SRV_RESULT_OK ? 0 : srv_read(&m->result[i]);
        failed_ns += i == SRV_RESULT_OK ? 0 : srv_read(&m->result_ns[i]);
    }
    add_pair(b, "", "success", srv_read(&m->result[SRV_RESULT_OK]),
             srv_read(&m->result_ns[SRV_RESULT_OK]));
    add_pair(b, ",", "fail", failed, failed_ns);
}

static void add_times(struct rf_buf *b, const struct srv_runs *runs)
{
    const uint64_t n = srv_read(&runs->n);
    add_pair(b, ",", "compute_input", n, srv_read(&runs->input));
    add_pair(b, ",", "compute_infer", n, srv_read(&runs->compute));
    add_pair(b, ",", "compute_output", n, srv_read(&runs->output));
}

static void add_batches(struct rf_buf *b, const struct srv_model_metrics *m)
{
    const char *separator = "";
    for (int rows = 1; rows <= SRV_MAX_ROWS_APART; rows++) {
        if (srv_read(&m->runs_of[rows].n) == 0)
            continue;
        rf_buf_printf(b, "%s{\"batch_size\":%d", separator, rows);
        add_times(b, &m->runs_of[rows]);
        rf_buf_text(b, "}");
        separator = ",";
    }
}

static void add_model(struct rf_buf *b, const struct srv_model *model)
{
    const struct srv_model_metrics *m = &model->metrics;
    rf_buf_json_member(b, "{", "name", model->name);
    rf_buf_printf(b,
                  ",\"version\":\"%s\",\"last_inference\":%" PRIu64 ",\"inference_count\":%" PRIu64
                  ",\"execution_count\":%" PRIu64 ",\"inference_stats\":{",
                  model->version, srv_read(&m->last_run_ms), srv_read(&m->rows),
                  srv_read(&m->runs.n));
    add_outcomes(b, m);
    add_pair(b, ",", "queue", count_of(&m->queue), srv_read(&m->queue.sum));
    add_times(b, &m->runs);
    add_pair(b, ",", "cache_hit", 0, 0); /* clients want them, though nothing is cached */
    add_pair(b, ",", "cache_miss", 0, 0);
    rf_buf_text(b, "},\"response_stats\":{},\"batch_stats\":[");
    add_batches(b, m);
    rf_buf_text(b, "],\"memory_usage\":[]}");
}

enum srv_next srv_handle_all_stats(struct srv_server *server, struct srv_request *r)
{
    struct rf_buf *b = &r->reply.body;
    struct srv_listing listing;
    const char *separator = "";
    srv_repository_list(&server->repository, &listing);
    rf_buf_text(b, "{\"model_stats\":[");
    for (size_t i = 0; i < listing.n; i++) {
        if (!listing.items[i].model)
            continue;
        rf_buf_text(b, separator);
        add_model(b, listing.items[i].model);
        separator = ",";
    }
    rf_buf_text(b, "]}");
    srv_listing_release(&listing);
    return srv_reply_json(r, 200);
}

enum srv_next srv_handle_stats(struct srv_server *server, struct srv_request *r)
{
    const struct srv_model *m = srv_find_model(server, r);
    if (!m)
        return SRV_REPLY;
    rf_buf_text(&r->reply.body, "{\"model_stats\":[");
    add_model(&r->reply.body, m);
    rf_buf_text(&r->reply.body, "]}");
    return srv_reply_json(r, 200);
}
