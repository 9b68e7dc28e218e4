/* Counting, decoding, encoding, and the result of one inference. */
#include "server/job.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/tensor_json.h"
#include "server/clock.h"
#include "server/compress.h"
#include "server/handlers.h"
#include "server/http.h"
#include "server/negotiate.h"
#include "server/server.h"

/* ---- beginning ---- */

static void finish(struct srv_request *r, enum srv_result result, uint64_t now)
{
    struct srv_model_metrics *m = &r->job.model->metrics;
    const uint64_t ns = now - r->received_ns;
    srv_count(&m->result[result]);
    srv_add(&m->result_ns[result], ns);
    srv_histogram_add(&m->duration, &srv_latency_buckets, ns);
}

static void shed(struct srv_request *r, enum srv_shed reason, const char *text)
{
    srv_count(&r->job.model->metrics.shed[reason]);
    srv_reply_error(r, 503, "%s", text);
    finish(r, SRV_RESULT_SHED, srv_now());
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

bool srv_job_start(struct srv_request *r)
{
    struct srv_model_metrics *m = &r->job.model->metrics;
    srv_count(&m->started);
    if (r->no_memory) {
        shed(r, SRV_SHED_MEMORY, "no memory for the request's body now");
        return false;
    }
    if (!reserve(m, r->server->config->queue_size)) {
        shed(r, SRV_SHED_QUEUE, "Exceeds maximum queue size: the model's queue is full");
        return false;
    }
    r->job.queued = true;
    r->job.waiting.arrival_ns = r->received_ns;
    r->job.waiting.deadline_ns = r->start_ns + r->server->config->request_timeout;
    return true;
}

/* ---- decoding ---- */

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

/* Counts what was decoded; the body goes if nothing of it is read in place. */
static enum srv_result hold_inputs(struct srv_request *r)
{
    const struct rf_infer_request *in = &r->job.inputs;
    size_t bytes = 0;
    bool in_place = false;
    for (size_t i = 0; i < in->n_inputs; i++) {
        if (in->storage[i])
            bytes += rf_shape_bytes(&in->inputs[i].shape, in->inputs[i].dtype);
        else
            in_place = true;
    }
    if (!in_place)
        srv_request_drop_body(r);
    if (!srv_budget_take(&r->server->budget, bytes)) {
        srv_reply_error(r, 503, "no memory for the request's inputs now");
        return SRV_RESULT_SHED;
    }
    r->job.inputs_held = bytes;
    return SRV_RESULT_OK;
}

/* The timeout that a request brings along counts from when it was received. */
static void shorten_deadline(struct srv_request *r)
{
    uint64_t ns, end;
    if (r->job.inputs.timeout_us > 0 &&
        !__builtin_mul_overflow(r->job.inputs.timeout_us, UINT64_C(1000), &ns) &&
        !__builtin_add_overflow(r->received_ns, ns, &end) && end < r->job.waiting.deadline_ns)
        r->job.waiting.deadline_ns = end;
}

/* The rows that inputs have in common, of a model whose rows may share a run; else 0. */
static int64_t shared_rows(const struct srv_request *r)
{
    const struct rf_infer_request *in = &r->job.inputs;
    for (size_t i = 0; i < in->n_inputs; i++)
        if (in->inputs[i].shape.rank < 1 || in->inputs[i].shape.dim[0] != in->rows)
            return 0;
    return r->job.model->max_batch > 0 ? in->rows : 0;
}

/* What the queue wants to know. */
static void describe(struct srv_request *r)
{
    struct srv_waiting *w = &r->job.waiting;
    shorten_deadline(r);
    w->priority = r->job.inputs.priority;
    w->rows = r->job.inputs.wants_activity || r->job.inputs.wants_novelty ? 0 : shared_rows(r);
    w->inputs = r->job.inputs.inputs;
    w->n_inputs = r->job.inputs.n_inputs;
}

/* Whether all that is wanted can be said in the form that Accept asks for; false after a reply. */
static bool suits_reply_form(struct srv_request *r)
{
    const struct rf_infer_request *in = &r->job.inputs;
    const char *const type = srv_form_type(r->job.reply_form);
    if (r->job.reply_form == RF_BODY_JSON)
        return true;
    if (in->n_outputs > 1)
        srv_reply_error(r, 400,
                        "%s carries one output, and %zu are wanted: name one in \"outputs\" of a "
                        "JSON request",
                        type, in->n_outputs);
    else if (in->wants_activity || in->wants_novelty)
        srv_reply_error(r, 400, "\"activity\" and \"novelty\" are told in JSON, and Accept is %s",
                        type);
    else
        return true;
    return false;
}

static enum srv_result decode(struct srv_request *r)
{
    struct srv_job *job = &r->job;
    struct rf_error err = RF_ERROR_INIT;
    enum rf_status rc = RF_OK;
    if (r->guard.compressed && r->body_len > 0)
        rc = srv_request_inflate(r, &err);
    if (rc)
        return refuse(r, rc, err.text);
    if (!srv_infer_prepare(r))
        return SRV_RESULT_CLIENT_ERROR;
    rc = rf_infer_decode(&job->inputs, job->body_form, &job->model->io, &job->decode, r->body,
                         r->body_len, &err);
    if (rc)
        return refuse(r, rc, err.text);
    if (!suits_reply_form(r))
        return SRV_RESULT_CLIENT_ERROR;
    describe(r);
    return hold_inputs(r);
}

bool srv_job_decode(struct srv_request *r)
{
    const uint64_t start = srv_now();
    if (srv_job_is_over(&r->job.waiting, start)) {
        srv_job_end_over(r, start);
        return false;
    }
    const enum srv_result result = decode(r);
    r->job.decode_ns = srv_now() - start;
    if (result != SRV_RESULT_OK)
        srv_job_end(r, result);
    return result == SRV_RESULT_OK;
}

/* ---- giving up ---- */

/* Looked at only when it had to wait: a client that half-closes an idle server is served. */
static bool is_abandoned(const struct srv_request *r)
{
    return r->job.waited && srv_conn_is_gone(r->conn);
}

bool srv_job_is_over(const struct srv_waiting *w, uint64_t now)
{
    return now > w->deadline_ns || is_abandoned(srv_waiting_request((struct srv_waiting *)w));
}

void srv_job_end_over(struct srv_request *r, uint64_t now)
{
    if (now > r->job.waiting.deadline_ns) {
        srv_reply_error(r, 504, "the request waited in the queue past its timeout");
        srv_job_end(r, SRV_RESULT_DEADLINE);
        return;
    }
    srv_reply_error(r, 503, "the client closed its side while the request was queued");
    srv_job_end(r, SRV_RESULT_CANCELLED);
}

/* ---- the reply ---- */

/* The headers of a reply that was encoded; `first` is its first output. */
static void describe_reply(struct srv_request *r, const struct rf_tensor *first, size_t json_len)
{
    char text[RF_DIMS_TEXT];
    r->reply.status = 200;
    r->reply.type = srv_form_type(r->job.reply_form);
    if (r->job.reply_form == RF_BODY_RAW) {
        rf_dims_print(text, &first->shape);
        srv_reply_header(r, "X-Tensor-Shape", text);
        srv_reply_header(r, "X-Tensor-Datatype", rf_dtype_name(first->dtype));
    }
    if (json_len > 0) {
        snprintf(text, sizeof text, "%zu", json_len);
        srv_reply_header(r, SRV_JSON_LENGTH, text);
        r->reply.type = srv_form_type(RF_BODY_RAW);
    }
}

enum srv_result srv_job_encode(struct srv_request *r, const struct rf_tensor *outputs)
{
    struct rf_error err = RF_ERROR_INIT;
    size_t json_len = 0;
    const enum rf_status rc = rf_infer_encode(&r->reply.body, r->job.reply_form, &r->job.model->io,
                                              &r->job.inputs, outputs, &json_len, &err);
    if (rc == RF_SHAPE) { /* the outputs do not suit what is wanted */
        srv_reply_failure(r, &err);
        return SRV_RESULT_CLIENT_ERROR;
    }
    if (rc) {
        srv_reply_error(r, rc == RF_NOMEM || rc == RF_LIMIT ? 503 : 500, "%s", err.text);
        return rc == RF_NOMEM || rc == RF_LIMIT ? SRV_RESULT_SHED : SRV_RESULT_FAILED;
    }
    describe_reply(r, &outputs[r->job.inputs.outputs[0].index], json_len);
    return SRV_RESULT_OK;
}

enum srv_result srv_job_fail(struct srv_request *r, const struct rf_error *err)
{
    srv_reply_failure(r, err);
    return err->status == RF_NOMEM ? SRV_RESULT_SHED : SRV_RESULT_CLIENT_ERROR;
}

/* ---- the end ---- */

void srv_job_leave_queue(struct srv_request *r, uint64_t now)
{
    struct srv_model_metrics *m = &r->job.model->metrics;
    r->job.queued = false;
    atomic_fetch_sub(&m->pending, 1);
    srv_histogram_add(&m->queue, &srv_latency_buckets,
                      now - r->job.waiting.arrival_ns - r->job.decode_ns);
}

static void drop_inputs(struct srv_request *r)
{
    rf_infer_request_release(&r->job.inputs);
    rf_buf_release(&r->job.report);
    srv_budget_give(&r->server->budget, r->job.inputs_held);
    r->job.inputs_held = 0;
    srv_request_drop_body(r);
}

void srv_job_end(struct srv_request *r, enum srv_result result)
{
    if (r->job.queued)
        srv_job_leave_queue(r, srv_now());
    drop_inputs(r);
    srv_reply_compress(r);
    if (r->reply.status == 200 && !srv_request_hold_reply(r)) {
        rf_buf_release(&r->reply.body);
        rf_buf_init(&r->reply.body, r->server->reply_limit);
        srv_reply_error(r, 503, "no memory is left for the reply: too many wait to be read");
        result = SRV_RESULT_SHED;
    }
    if (result == SRV_RESULT_SHED)
        srv_count(&r->job.model->metrics.shed[SRV_SHED_MEMORY]);
    finish(r, result, srv_now());
    srv_http_resume(r);
}
