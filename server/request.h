/*
 * One HTTP request from its first line to its last reply byte.
 *
 * Owner: the HTTP thread of its connection; from suspend to resume the queue, and the worker that
 * decodes or runs it. Whoever owns it is the only one to touch it. Freed by the HTTP thread on
 * completion.
 */
#ifndef SRV_REQUEST_H
#define SRV_REQUEST_H

#include "core/pool.h"
#include "proto/buf.h"
#include "proto/infer.h"
#include "server/guard.h"
#include "server/metrics.h"
#include "server/queue.h"
#include "server/request_id.h"
#include "server/routes.h"

struct srv_server;
struct srv_model;
struct srv_conn;

enum srv_stage {
    SRV_STAGE_BEGIN,   /* request line read */
    SRV_STAGE_BODY,    /* collecting the body */
    SRV_STAGE_DISCARD, /* reading past a body that is refused */
    SRV_STAGE_QUEUED,  /* suspended */
    SRV_STAGE_READY,   /* the reply is made */
    SRV_STAGE_SENT,    /* handed to the library */
};

#define SRV_REPLY_HEADERS 3

struct srv_reply_header {
    const char *name;
    char value[RF_SHAPE_TEXT];
};

/* One that is the same in every reply of its kind. */
struct srv_fixed_header {
    const char *name, *value;
};

struct srv_reply {
    int status;
    const char *type;
    struct rf_buf body;
    bool close;
    size_t n_headers;
    struct srv_reply_header headers[SRV_REPLY_HEADERS];
    const struct srv_fixed_header *fixed; /* up to one without a name; or NULL */
};

/* What the workers need to know of an inference. */
struct srv_job {
    struct srv_model *model; /* a reference, until the request is completed */
    enum rf_body body_form, reply_form;
    struct rf_decode_options decode;
    struct srv_waiting waiting; /* the queue's view of it */
    bool queued;                /* has a place in the queue */
    bool waited;                /* all workers were busy when it came */
    struct rf_infer_request inputs;
    size_t inputs_held; /* bytes of them in the budget */
    uint64_t decode_ns;
    struct rf_buf report;   /* of a run that was observed */
    enum srv_result result; /* of a run, until the job ends */
};

struct srv_request {
    struct srv_server *server;
    struct rf_task load; /* the loader's view of it */
    void *transport;     /* the HTTP library's connection */
    struct srv_conn *conn;
    enum srv_stage stage;
    struct srv_request *next, **link; /* of its thread's requests without all of their headers */
    uint64_t start_ns, received_ns;

    char *uri; /* as on the request line */
    char method[12];
    struct srv_guard guard;
    struct srv_match match;
    struct srv_header headers[SRV_MAX_HEADERS];
    size_t n_headers; /* one more than the maximum: there were too many */
    char id[SRV_MAX_REQUEST_ID];
    char traceparent[SRV_TRACEPARENT]; /* or "" */

    char *body;
    size_t body_len, body_cap, discarded, n_pieces;
    size_t reply_held; /* bytes of the reply, in the budget */
    bool no_memory;    /* the budget for bodies was used up */

    struct srv_job job;
    struct srv_reply reply;
};

struct srv_request *srv_request_new(struct srv_server *server, const char *uri);
void srv_request_free(struct srv_request *r);
/* Gives the body's memory back, once nothing reads it any more. */
void srv_request_drop_body(struct srv_request *r);
/* Counts the reply's bytes, which may wait for a slow reader; false when the budget is used up. */
bool srv_request_hold_reply(struct srv_request *r);

const char *srv_request_header(const struct srv_request *r, const char *name);
/* Takes over the client's request id and trace, or makes an id. */
void srv_request_identify(struct srv_request *r);

enum srv_take { SRV_TAKE_OK, SRV_TAKE_TOO_LONG, SRV_TAKE_TOO_MANY_PIECES };
/* More of the body; past memory's end it is read and dropped, and no_memory says so. */
enum srv_take srv_request_take(struct srv_request *r, const char *bytes, size_t n);

/* Room for a body of `need` bytes; false when the budget is used up. */
bool srv_request_grow(struct srv_request *r, size_t need);

void srv_reply_header(struct srv_request *r, const char *name, const char *value);
/* Replaces whatever reply there was by {"error": "..."}. */
void srv_reply_error(struct srv_request *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same of a failure, with its text and its status. */
void srv_reply_failure(struct srv_request *r, const struct rf_error *err);
/* JSON written to r->reply.body is the reply; 503 where there was no memory for it. */
enum srv_next srv_reply_json(struct srv_request *r, int status);
/* The HTTP status that stands for it. */
int srv_http_status(enum rf_status status);

/* The query's next "key=value", percent-decoded; false at its end. Start with *at = guard.query. */
bool srv_query_next(const char **at, char *key, size_t key_size, char *value, size_t value_size);

#endif
