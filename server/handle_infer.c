/* POST /infer, /infer/{model} and /v2/models/{model}/infer: from a request to a job. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/npy.h"
#include "server/handlers.h"
#include "server/job.h"
#include "server/negotiate.h"
#include "server/server.h"
#include "server/units.h"

/* The header that splits JSON from binary tensors; a body that is all JSON may carry it, too (the
 * C++ client always sends it). The first protocol does not know it. False after a reply. */
static bool read_json_length(struct srv_request *r)
{
    const char *header = srv_request_header(r, SRV_JSON_LENGTH);
    if (!header || r->job.decode.takes == RF_TAKES_INSTANCES)
        return true;
    r->job.decode.has_json_len = true;
    if (srv_parse_uint(header, &r->job.decode.json_len))
        return true;
    srv_reply_error(r, 400, SRV_JSON_LENGTH " is '%.40s', expected a number of bytes", header);
    return false;
}

/* curl -F */
static bool is_form(const struct srv_request *r)
{
    const char *type = srv_request_header(r, "Content-Type");
    return type && strncasecmp(type, "multipart/", 10) == 0 && r->body_len > 2 &&
           memcmp(r->body, "--", 2) == 0;
}

/* Whether the body is of a kind that the path takes at all; false after a reply. */
static bool check_body(struct srv_request *r)
{
    struct srv_job *job = &r->job;
    if (r->body_len == 0) {
        srv_reply_error(r, 400, "the body is empty; expected the inputs of model '%s'",
                        job->model->name);
        return false;
    }
    if (is_form(r)) {
        srv_reply_error(r, 400,
                        "multipart forms are not taken; send the file alone, as curl --data-binary "
                        "@FILE does");
        return false;
    }
    if (job->decode.takes != RF_TAKES_ANY && !job->decode.has_json_len &&
        rf_npy_is(r->body, r->body_len)) {
        srv_reply_error(r, 400, "this path takes JSON; send npy to /infer/%s", job->model->name);
        return false;
    }
    return true;
}

static bool choose_forms(struct srv_request *r)
{
    struct srv_job *job = &r->job;
    const char *dtype = srv_request_header(r, "X-Tensor-Datatype");
    job->body_form = srv_body_form(srv_request_header(r, "Content-Type"), r->body, r->body_len);
    if (!srv_accept_form(srv_request_header(r, "Accept"), &job->reply_form)) {
        srv_reply_error(r, 406,
                        "the reply can be application/json, application/octet-stream or "
                        "application/x-npy");
        return false;
    }
    if (job->body_form == RF_BODY_RAW && dtype && !rf_dtype_find(dtype, &job->decode.raw_dtype)) {
        srv_reply_error(r, 400, "X-Tensor-Datatype: unknown datatype '%.40s'", dtype);
        return false;
    }
    return true;
}

bool srv_infer_prepare(struct srv_request *r)
{
    return read_json_length(r) && check_body(r) &&
           (r->job.decode.takes != RF_TAKES_ANY || choose_forms(r));
}

enum srv_next srv_infer_enqueue(struct srv_request *r, enum rf_takes takes)
{
    r->job.decode = (struct rf_decode_options){
        .raw_dtype = RF_N_DTYPE, .takes = takes, .max_bytes = r->server->budget.limit};
    r->job.body_form = r->job.reply_form = RF_BODY_JSON;
    return srv_job_start(r) ? SRV_QUEUE : SRV_REPLY;
}

enum srv_next srv_handle_infer(struct srv_server *server, struct srv_request *r)
{
    return srv_find_asked_model(server, r) ? srv_infer_enqueue(r, RF_TAKES_ANY) : SRV_REPLY;
}

enum srv_next srv_handle_v2_infer(struct srv_server *server, struct srv_request *r)
{
    return srv_find_model(server, r) ? srv_infer_enqueue(r, RF_TAKES_OIP) : SRV_REPLY;
}
