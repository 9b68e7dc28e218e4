/*
 * libmicrohttpd 0.9.75 (Debian 12). What it demands, learnt from its source:
 *   - a reply may be queued in the first call for a request or in the last one, not in between;
 *   - suspend first, then submit: resuming a connection that is not suspended yet is absorbed;
 *   - its sockets are shut down here, never closed: it would abort when it finds one gone.
 */
#include "server/http.h"

#include <microhttpd.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "server/access.h"
#include "server/admit.h"
#include "server/clock.h"
#include "server/listen.h"
#include "server/loader.h"
#include "server/log.h"
#include "server/respond.h"
#include "server/server.h"
#include "server/sink.h"

/* A refused body up to this size is read and dropped, so that the client sees the reply and may go
 * on with the connection; behind a longer one the connection is closed. */
#define MAX_DISCARD (256 * 1024)
#define HEADER_TIMEOUT (10 * SRV_SECOND)
/* A body may take this long and a second more for each KiB that has come, within the request's
 * time. */
#define BODY_TIMEOUT (10 * SRV_SECOND)
#define BODY_BYTES_PER_SECOND 1024
/* A reply may take this long and a second more for each 16 KiB. */
#define REPLY_TIMEOUT (60 * SRV_SECOND)
#define REPLY_BYTES_PER_SECOND 16384
#define CONNECTION_MEMORY (16 * 1024)

struct srv_http {
    struct srv_server *server;
    struct MHD_Daemon *daemon;
};

/* This thread's requests whose headers have not all come. */
static _Thread_local struct srv_request *reading;
/* Whether this is a version whose header values lie in its read buffer (see lines_are_sound). */
static bool values_in_place;

static void start_reading(struct srv_request *r)
{
    r->next = reading;
    if (r->next)
        r->next->link = &r->next;
    r->link = &reading;
    reading = r;
}

static void end_reading(struct srv_request *r)
{
    if (!r->link)
        return;
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->link = NULL;
}

/* ---- the reply ---- */

static void count_request(const struct srv_request *r, uint64_t now)
{
    srv_metrics_request(&r->server->metrics, r->match.id, r->guard.method, r->reply.status,
                        now - r->start_ns);
}

static enum MHD_Result send_reply(struct srv_request *r)
{
    const uint64_t bytes = r->reply.body.len;
    const uint64_t patience = REPLY_TIMEOUT + bytes / REPLY_BYTES_PER_SECOND * SRV_SECOND;
    struct MHD_Response *response = srv_respond(r);
    if (!response)
        return MHD_NO;
    const uint64_t now = srv_now();
    if (!srv_conn_enter(r->conn, SRV_CONN_BUSY, now + patience)) {
        MHD_destroy_response(response);
        return MHD_NO;
    }
    r->stage = SRV_STAGE_SENT;
    /* before the client can know, so that who was answered finds it counted */
    count_request(r, now);
    const enum MHD_Result ok =
        MHD_queue_response(r->transport, (unsigned)r->reply.status, response);
    MHD_destroy_response(response);
    return ok;
}

/* Answers without reading (more of) the body. */
static enum MHD_Result reply_now(struct srv_request *r)
{
    const bool has_body = r->guard.chunked || (r->guard.has_length && r->guard.length > 0);
    r->reply.close |= has_body;
    atomic_store(&r->conn->linger, r->reply.close);
    return send_reply(r);
}

/* ---- the first call: headers are complete ---- */

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                      size_t name_len, const char *value, size_t value_len)
{
    struct srv_request *r = arg;
    (void)kind;
    if (r->n_headers == SRV_MAX_HEADERS) {
        r->n_headers++;
        return MHD_NO;
    }
    r->headers[r->n_headers++] = (struct srv_header){.name = name,
                                                     .value = value ? value : "",
                                                     .name_len = name_len,
                                                     .value_len = value ? value_len : 0};
    return MHD_YES;
}

/*
 * Whether request line and header section are what they seem. The library cuts a method, path or
 * value at a NUL, takes LF alone for a line's end, and ends the section at a header without a name,
 * so that the headers behind it become the next request. All are read in place: of the request
 * line's spaces one zero byte each is left, of each CR LF two behind a value, and the last value
 * must end right before the blank line.
 */
static bool lines_are_sound(const struct srv_request *r, const char *method, const char *version)
{
    if (!values_in_place || r->n_headers > SRV_MAX_HEADERS)
        return true;
    if (method + strlen(method) + 1 + strlen(r->uri) + 1 != version)
        return false;
    const char *end_of_last = version + strlen(version);
    for (size_t i = 0; i < r->n_headers; i++) {
        end_of_last = r->headers[i].value + r->headers[i].value_len;
        if (end_of_last[1] != '\0')
            return false;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->transport, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info && method + info->header_size == end_of_last + sizeof "\r\n\r\n" - 1;
}

static void run_guard(struct srv_request *r, const char *method, const char *version)
{
    const struct srv_head head = {.method = method,
                                  .uri = r->uri,
                                  .version = version,
                                  .headers = r->headers,
                                  .n_headers = r->n_headers};
    srv_guard_check(&r->guard, &head, r->server->config->max_body);
    if (lines_are_sound(r, method, version))
        return;
    r->guard.status = 400;
    r->guard.close = true;
    snprintf(r->guard.message, sizeof r->guard.message,
             "lines must end with CR LF and hold no NUL, the first one two spaces, headers a name");
}

/* Moves with what has come. */
static uint64_t body_deadline(const struct srv_request *r)
{
    const uint64_t come = r->body_len + r->discarded;
    const uint64_t patience = BODY_TIMEOUT + come / BODY_BYTES_PER_SECOND * SRV_SECOND;
    const uint64_t most = r->server->config->request_timeout;
    return r->start_ns + (patience < most ? patience : most);
}

static enum MHD_Result begin(struct srv_request *r, const char *method, const char *version)
{
    end_reading(r);
    rf_text_copy(r->method, sizeof r->method, method);
    MHD_get_connection_values_n(r->transport, MHD_HEADER_KIND, collect_header, r);
    run_guard(r, method, version);
    if (r->n_headers > SRV_MAX_HEADERS)
        r->n_headers = SRV_MAX_HEADERS;
    srv_request_identify(r);
    if (!srv_conn_enter(r->conn, SRV_CONN_BODY, body_deadline(r)))
        return MHD_NO;
    if (r->guard.status) {
        srv_reply_error(r, r->guard.status, "%s", r->guard.message);
        r->reply.close = r->guard.close;
        if (r->guard.status == 415)
            srv_reply_header(r, "Accept-Encoding", "gzip, deflate");
        if (!r->guard.close) /* the path is sound: count it under its route */
            srv_route_find(&r->match, r->guard.path, r->guard.method);
    } else {
        srv_admit(r);
    }
    r->stage = r->reply.status ? SRV_STAGE_DISCARD : SRV_STAGE_BODY;
    const bool is_long = r->guard.chunked || r->guard.length > MAX_DISCARD;
    if (r->reply.status && (r->reply.close || r->guard.expect_continue || is_long))
        return reply_now(r);
    return MHD_YES;
}

/* ---- the body ---- */

static enum MHD_Result more_body(struct srv_request *r, const char *bytes, size_t *n)
{
    const size_t size = *n;
    *n = 0;
    if (r->stage == SRV_STAGE_DISCARD) {
        r->discarded += size;
        atomic_store(&r->conn->deadline, body_deadline(r));
        return r->discarded > MAX_DISCARD ? MHD_NO : MHD_YES;
    }
    const enum srv_take took = srv_request_take(r, bytes, size);
    if (took == SRV_TAKE_OK) {
        atomic_store(&r->conn->deadline, body_deadline(r));
        return MHD_YES;
    }
    /* Only chunked bodies get here: their length shows on the way, when the library lets no one
     * reply any more. So this answers past it and drops the connection. */
    char text[96] = "the body comes in too many small pieces";
    r->reply.status = took == SRV_TAKE_TOO_LONG ? 413 : 400;
    if (took == SRV_TAKE_TOO_LONG)
        snprintf(text, sizeof text, "the body is longer than the %" PRIu64 " bytes taken",
                 r->server->config->max_body);
    srv_conn_refuse(r->conn, r->reply.status, text);
    return MHD_NO;
}

static enum MHD_Result dispatch(struct srv_request *r)
{
    if (!srv_conn_enter(r->conn, SRV_CONN_BUSY, UINT64_MAX))
        return MHD_NO;
    if (r->stage == SRV_STAGE_DISCARD)
        return send_reply(r);
    r->received_ns = srv_now();
    const enum srv_next next = srv_routes[r->match.id].handler(r->server, r);
    if (next == SRV_REPLY || (next == SRV_QUEUE && srv_dispatch_run_here(&r->server->dispatch, r)))
        return send_reply(r);
    r->stage = SRV_STAGE_QUEUED;
    MHD_suspend_connection(r->transport);
    if (next == SRV_LOAD)
        srv_loader_submit(r->server->loader, &r->load);
    else
        srv_dispatch_submit(&r->server->dispatch, r);
    return MHD_YES;
}

void srv_http_resume(struct srv_request *r)
{
    struct MHD_Connection *connection = r->transport;
    const bool suspended = r->stage == SRV_STAGE_QUEUED;
    r->stage = SRV_STAGE_READY;
    if (suspended)
        MHD_resume_connection(connection);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **state)
{
    struct srv_request *r = *state;
    (void)arg;
    (void)connection;
    (void)url;
    if (!r)
        return MHD_NO;
    switch (r->stage) {
    case SRV_STAGE_BEGIN:
        return begin(r, method, version);
    case SRV_STAGE_BODY:
    case SRV_STAGE_DISCARD:
        return *n ? more_body(r, bytes, n) : dispatch(r);
    case SRV_STAGE_READY:
        return send_reply(r);
    case SRV_STAGE_QUEUED:
    case SRV_STAGE_SENT:
        break;
    }
    return MHD_YES;
}

/* ---- beginnings and ends ---- */

static struct srv_conn *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The request line is read; its raw form, for the guard. */
static void *on_request_line(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct srv_http *http = arg;
    struct srv_conn *conn = connection_of(connection);
    if (!conn)
        return NULL;
    struct srv_request *r = srv_request_new(http->server, uri ? uri : "");
    if (!r) {
        srv_conn_refuse(conn, 503, "no memory for a request now");
        return NULL;
    }
    r->transport = connection;
    r->conn = conn;
    start_reading(r);
    atomic_fetch_add(&http->server->conns.in_flight, 1);
    (void)srv_conn_enter(conn, SRV_CONN_HEADERS, r->start_ns + HEADER_TIMEOUT);
    return r;
}

static void end_of_request(struct srv_request *r)
{
    struct srv_server *server = r->server;
    end_reading(r);
    const uint64_t now = srv_now(), ns = now - r->start_ns;
    if (!r->reply.status && atomic_load(&r->conn->state) == SRV_CONN_EXPIRED)
        r->reply.status = 408; /* by the sweep */
    if (!*r->id)
        srv_request_id_make(r->id);
    if (r->stage != SRV_STAGE_SENT)
        count_request(r, now);
    srv_access_log(r, ns);
    (void)srv_conn_enter(r->conn, SRV_CONN_IDLE, now + server->config->idle_timeout);
    srv_request_free(r);
    atomic_fetch_sub(&server->conns.in_flight, 1);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct srv_request *r = *state;
    (void)arg;
    (void)connection;
    (void)code;
    *state = NULL;
    if (r)
        end_of_request(r);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct srv_http *http = arg;
    struct srv_conns *conns = &http->server->conns;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct srv_conn *conn = srv_conns_add(conns, info->connect_fd, srv_now() + HEADER_TIMEOUT);
        if (conn) {
            conn->is_admin =
                srv_listener_port_of(http->server->listener, conn->fd) == SRV_PORT_ADMIN;
        } else { /* the sweep will not see it */
            srv_send_error(info->connect_fd, 503, "no memory for a connection now");
            shutdown(info->connect_fd, SHUT_RDWR);
        }
        *context = conn;
        atomic_fetch_add(&conns->started, 1);
        return;
    }
    if (*context)
        srv_conns_remove(conns, *context);
    *context = NULL;
    atomic_fetch_add(&conns->closed, 1);
}

static bool is_number(const char *text, bool *fits)
{
    uint64_t n = 0;
    const char *p = text;
    *fits = true;
    for (; *p >= '0' && *p <= '9'; p++)
        *fits &= !__builtin_mul_overflow(n, UINT64_C(10), &n) &&
                 !__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n);
    return *p == '\0' && p != text;
}

/* The library answers a Content-Length that is no number twice, without asking us. It logs first,
 * in the connection's thread: time to answer, and to close the way for its own replies. */
static void refuse_bad_lengths(void)
{
    for (struct srv_request *r = reading; r; r = r->next) {
        bool fits;
        const char *length =
            MHD_lookup_connection_value(r->transport, MHD_HEADER_KIND, "Content-Length");
        if (!length || (is_number(length, &fits) && fits))
            continue;
        r->reply.status = is_number(length, &fits) ? 413 : 400;
        srv_conn_refuse(r->conn, r->reply.status,
                        r->reply.status == 413 ? "the body is longer than is taken here"
                                               : "Content-Length is not a number");
    }
}

static void __attribute__((format(printf, 2, 0))) on_log(void *arg, const char *fmt, va_list args)
{
    char text[256];
    (void)arg;
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    if (strstr(fmt, "Content-Length"))
        refuse_bad_lengths();
    srv_log(SRV_DEBUG, "libmicrohttpd: %s", text);
}

static void on_panic(void *arg, const char *file, unsigned line, const char *reason)
{
    (void)arg;
    srv_log(SRV_ERROR, "libmicrohttpd gave up: %s (%s:%u)", reason ? reason : "no reason", file,
            line);
    srv_sink_flush();
    abort();
}

enum rf_status srv_http_start(struct srv_http **out, struct srv_server *server,
                              struct rf_error *err)
{
    const struct srv_config *config = server->config;
    struct srv_http *http = calloc(1, sizeof *http);
    if (!http)
        return rf_fail_nomem(err, "the HTTP server", sizeof *http);
    http->server = server;
    values_in_place = strcmp(MHD_get_version(), "0.9.75") == 0;
    MHD_set_panic_func(on_panic, NULL);
    /* The library's limits stand above ours, which answer instead of hanging; the sweep alone keeps
     * the time. Strictness is the guard's: the library's sends two replies to some malformed
     * requests. */
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
            MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)config->http_threads, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(config->max_connections + 64 * config->http_threads),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)(CONNECTION_MEMORY / 2),
        MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, http,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, http, MHD_OPTION_END);
    if (!http->daemon) {
        free(http);
        return rf_fail(err, RF_IO, "the HTTP threads could not be started");
    }
    *out = http;
    return RF_OK;
}

void srv_http_stop(struct srv_http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    free(http);
}

void srv_http_add(struct srv_http *http, int fd, const struct sockaddr *address, socklen_t len)
{
    struct srv_conns *conns = &http->server->conns;
    atomic_fetch_add(&conns->handed, 1);
    if (MHD_add_connection(http->daemon, fd, address, len) != MHD_YES) {
        atomic_fetch_sub(&conns->handed, 1);
        srv_log(SRV_WARN, "libmicrohttpd did not take a connection: %s", strerror(errno));
    }
}
