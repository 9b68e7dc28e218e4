/* The queue is the pool's own, in order of submission; what is bounded here is each model's share.
 */
#include "server/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/clock.h"
#include "server/compress.h"
#include "server/handlers.h"
#include "server/http.h"
#include "server/negotiate.h"
#include "server/server.h"

static void finish(struct srv_request *r, enum srv_result result)
{
    struct srv_model_metrics *m = &r->job.model->metrics;
    const uint64_t ns = srv_now() - r->received_ns;
    srv_count(&m->result[result]);
    srv_add(&m->result_ns[result], ns);
    srv_histogram_add(&m->duration, &srv_latency_buckets, ns);
}

static void shed(struct srv_request *r, enum srv_shed reason, const char *text)
{
    srv_count(&r->job.model->metrics.shed[reason]);
    srv_reply_error(r, 503, "%s", text);
    finish(r, SRV_RESULT_SHED);
}

/* A place in the queue, unless it is full. */
static bool reserve(struct srv_model_metrics *m, uint64_t limit)
{
    uint_fast64_t n = atomic_load(&m->pending);
    while (n < limit)
        if (atomic_compare_exchange_weak(&m->pending, &n, n + 1))
            return true;
    return false;
}

bool srv_queue_start(struct srv_request *r)
{
    struct srv_model_metrics *m = &r->job.model->metrics;
    srv_count(&m->started);
    if (r->no_memory) {
        shed(r, SRV_SHED_MEMORY, "no memory for the request's body now");
        return false;
    }
    if (!reserve(m, r->server->config->queue_size)) {
        shed(r, SRV_SHED_QUEUE, "the model's queue is full");
        return false;
    }
    return true;
}

/* The headers of a reply that was encoded; `first` is its first output. */
static void describe_reply(struct srv_request *r, const struct rf_tensor *first, size_t json_len)
{
    char text[RF_SHAPE_TEXT];
    r->reply.status = 200;
    r->reply.type = srv_form_type(r->job.reply_form);
    if (r->job.reply_form == RF_BODY_RAW) {
        rf_shape_text(&first->shape, text, sizeof text);
        text[strcspn(text, "]")] = '\0';
        srv_reply_header(r, "X-Tensor-Shape", text + 1);
        srv_reply_header(r, "X-Tensor-Datatype", rf_dtype_name(first->dtype));
    }
    if (json_len > 0) {
        snprintf(text, sizeof text, "%zu", json_len);
        srv_reply_header(r, SRV_JSON_LENGTH, text);
        r->reply.type = srv_form_type(RF_BODY_RAW);
    }
}

/* Runs the network on the decoded request and encodes the reply. */
static enum srv_result run(struct srv_request *r, const struct rf_infer_request *request,
                           struct rf_session *session, const void **in, struct rf_tensor *out,
                           struct rf_shape *shapes)
{
    struct srv_model *model = r->job.model;
    struct rf_error err = RF_ERROR_INIT;
    size_t json_len = 0;
    for (size_t i = 0; i < request->n_inputs; i++) {
        in[i] = request->inputs[i].data;
        shapes[i] = request->inputs[i].shape;
    }
    enum rf_status rc = rf_session_prepare(session, shapes, in, request->n_inputs, &err);
    if (rc) {
        srv_reply_failure(r, &err);
        return rc == RF_NOMEM ? SRV_RESULT_SHED : SRV_RESULT_CLIENT_ERROR;
    }
    const uint64_t start = srv_now();
    rc = rf_session_run(session, in, request->n_inputs, out, model->io.n_outputs, true, &err);
    if (!rc) {
        const uint64_t end = srv_now();
        rc = rf_infer_encode(&r->reply.body, r->job.reply_form, &model->io, request, out, &json_len,
                             &err);
        srv_metrics_run(&model->metrics, (uint64_t)request->rows,
                        (struct srv_run_times){.input = start - r->job.taken_ns,
                                               .compute = end - start,
                                               .output = srv_now() - end});
    }
    if (rc == RF_SHAPE) { /* the outputs do not suit what is wanted */
        srv_reply_failure(r, &err);
        return SRV_RESULT_CLIENT_ERROR;
    }
    if (rc) {
        srv_reply_error(r, rc == RF_NOMEM || rc == RF_LIMIT ? 503 : 500, "%s", err.text);
        return rc == RF_NOMEM || rc == RF_LIMIT ? SRV_RESULT_SHED : SRV_RESULT_FAILED;
    }
    describe_reply(r, &out[request->outputs[0].index], json_len);
    return SRV_RESULT_OK;
}

static enum srv_result run_decoded(struct srv_request *r, const struct rf_infer_request *request)
{
    struct srv_model *model = r->job.model;
    const void **in = calloc(request->n_inputs + 1, sizeof *in);
    struct rf_tensor *out = calloc(model->io.n_outputs + 1, sizeof *out);
    struct rf_shape *shapes = calloc(request->n_inputs + 1, sizeof *shapes);
    enum srv_result result = SRV_RESULT_SHED;
    if (in && out && shapes) {
        struct rf_session *session = srv_model_take_session(model);
        result = run(r, request, session, in, out, shapes);
        srv_model_give_session(model, session);
    } else {
        srv_reply_error(r, 503, "out of memory");
    }
    free(in);
    free(out);
    free(shapes);
    return result;
}

/* curl -d, which leaves out the ends of lines and calls all that it sends a web form. */
static bool is_stripped(const struct srv_request *r, enum rf_status rc)
{
    const char *type = srv_request_header(r, "Content-Type");
    return rc != RF_NOMEM && r->job.body_form == RF_BODY_NPY && type &&
           strcasecmp(type, "application/x-www-form-urlencoded") == 0;
}

static enum srv_result refuse(struct srv_request *r, enum rf_status rc, const char *text)
{
    if (is_stripped(r, rc))
        srv_reply_error(r, srv_http_status(rc), "%s; send files by curl --data-binary, not -d",
                        text);
    else
        srv_reply_error(r, srv_http_status(rc), "%s", text);
    return rc == RF_NOMEM ? SRV_RESULT_SHED : SRV_RESULT_CLIENT_ERROR;
}

/* Whether it is past its deadline, or past the timeout that it brought along itself. */
static bool is_late(struct srv_request *r, uint64_t timeout_us)
{
    uint64_t ns, end;
    if (timeout_us > 0 && !__builtin_mul_overflow(timeout_us, UINT64_C(1000), &ns) &&
        !__builtin_add_overflow(r->received_ns, ns, &end) && end < r->job.deadline_ns)
        r->job.deadline_ns = end;
    return srv_now() > r->job.deadline_ns;
}

static enum srv_result answer(struct srv_request *r, const struct rf_infer_request *request)
{
    if (is_late(r, request->timeout_us)) {
        srv_reply_error(r, 504, "the request waited past its timeout");
        return SRV_RESULT_DEADLINE;
    }
    if (r->job.reply_form != RF_BODY_JSON && request->n_outputs > 1) {
        srv_reply_error(r, 400,
                        "%s carries one output, and %zu are wanted: name one in \"outputs\" of a "
                        "JSON request",
                        srv_form_type(r->job.reply_form), request->n_outputs);
        return SRV_RESULT_CLIENT_ERROR;
    }
    return run_decoded(r, request);
}

static enum srv_result decode_and_run(struct srv_request *r)
{
    struct rf_infer_request request;
    struct rf_error err = RF_ERROR_INIT;
    enum rf_status rc = RF_OK;
    if (r->guard.compressed && r->body_len > 0)
        rc = srv_request_inflate(r, &err);
    if (rc)
        return refuse(r, rc, err.text);
    if (!srv_infer_prepare(r))
        return SRV_RESULT_CLIENT_ERROR;
    rc = rf_infer_decode(&request, r->job.body_form, &r->job.model->io, &r->job.decode, r->body,
                         r->body_len, &err);
    if (rc)
        return refuse(r, rc, err.text);
    enum srv_result result = answer(r, &request);
    rf_infer_request_release(&request);
    srv_request_drop_body(r);
    srv_reply_compress(r);
    if (!srv_request_hold_reply(r)) {
        rf_buf_release(&r->reply.body);
        rf_buf_init(&r->reply.body, r->server->reply_limit);
        srv_reply_error(r, 503, "no memory is left for the reply: too many wait to be read");
        result = SRV_RESULT_SHED;
    }
    return result;
}

static enum srv_result run_job(struct srv_request *r)
{
    const uint64_t now = r->job.taken_ns = srv_now();
    struct srv_model_metrics *m = &r->job.model->metrics;
    atomic_fetch_sub(&m->pending, 1);
    srv_histogram_add(&m->queue, &srv_latency_buckets, now - r->job.queued_ns);
    /* Looked at only after a wait: a client that half-closes an idle server is served. */
    if (r->job.waits && srv_conn_is_gone(r->conn)) {
        srv_reply_error(r, 503, "the client closed its side while the request was queued");
        return SRV_RESULT_CANCELLED;
    }
    if (now > r->job.deadline_ns) {
        srv_reply_error(r, 504, "the request waited in the queue past its deadline");
        return SRV_RESULT_DEADLINE;
    }
    return decode_and_run(r);
}

static void work(struct rf_task *task)
{
    struct srv_request *r = (struct srv_request *)task;
    struct srv_server *server = r->server;
    atomic_fetch_add(&server->busy, 1);
    const enum srv_result result = run_job(r);
    if (result == SRV_RESULT_SHED)
        srv_count(&r->job.model->metrics.shed[SRV_SHED_MEMORY]);
    finish(r, result);
    atomic_fetch_sub(&server->busy, 1);
    srv_http_resume(r);
}

void srv_queue_submit(struct srv_request *r)
{
    struct srv_server *server = r->server;
    const size_t workers = (size_t)rf_pool_threads(server->pool);
    r->job.queued_ns = srv_now();
    r->job.deadline_ns = r->start_ns + server->config->request_timeout;
    r->job.waits = atomic_load(&server->busy) >= workers;
    r->task.run = work;
    rf_pool_submit(server->pool, &r->task);
}
