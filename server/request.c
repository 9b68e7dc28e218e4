/* Requests: body, reply, errors. */
#include "server/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "server/clock.h"
#include "server/server.h"

#define FIRST_BODY_BYTES (16 * 1024)
#define MAX_ERROR_TEXT 480
/* A body in pieces smaller than this on average, past the first MAX_SMALL_PIECES, is an attack. */
#define MIN_PIECE 16
#define MAX_SMALL_PIECES 65536

struct srv_request *srv_request_new(struct srv_server *server, const char *uri)
{
    struct srv_request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->uri = strdup(uri);
    if (!r->uri) {
        free(r);
        return NULL;
    }
    r->server = server;
    r->start_ns = srv_now();
    r->match.id = SRV_ROUTE_OTHER;
    r->guard.method = SRV_OTHER;
    rf_buf_init(&r->reply.body, server->reply_limit);
    return r;
}

void srv_request_free(struct srv_request *r)
{
    if (!r)
        return;
    srv_request_drop_body(r);
    srv_budget_give(&r->server->budget, r->reply_held);
    rf_buf_release(&r->reply.body);
    srv_model_unref(r->job.model);
    free(r->uri);
    free(r);
}

const char *srv_request_header(const struct srv_request *r, const char *name)
{
    return srv_header_find(r->headers, r->n_headers, name);
}

void srv_request_identify(struct srv_request *r)
{
    const char *id = srv_request_header(r, "X-Request-Id");
    const char *trace = srv_request_header(r, "traceparent");
    if (id && r->guard.is_http && srv_request_id_is_sound(id))
        rf_text_copy(r->id, sizeof r->id, id);
    else
        srv_request_id_make(r->id);
    if (trace && srv_traceparent_is_valid(trace))
        rf_text_copy(r->traceparent, sizeof r->traceparent, trace);
}

/* Grows by what has come, not by what Content-Length promises. */
bool srv_request_grow(struct srv_request *r, size_t need)
{
    size_t cap = r->body_cap ? r->body_cap : FIRST_BODY_BYTES;
    while (cap < need)
        cap *= 2;
    if (r->guard.has_length && cap > r->guard.length && need <= r->guard.length)
        cap = (size_t)r->guard.length;
    const size_t more = cap - r->body_cap;
    if (!srv_budget_take(&r->server->budget, more))
        return false;
    char *body = realloc(r->body, cap);
    if (!body) {
        srv_budget_give(&r->server->budget, more);
        return false;
    }
    r->body = body;
    r->body_cap = cap;
    return true;
}

void srv_request_drop_body(struct srv_request *r)
{
    srv_budget_give(&r->server->budget, r->body_cap);
    free(r->body);
    r->body = NULL;
    r->body_len = r->body_cap = 0;
}

bool srv_request_hold_reply(struct srv_request *r)
{
    const size_t bytes = r->reply.body.cap;
    if (!srv_budget_take(&r->server->budget, bytes))
        return false;
    r->reply_held = bytes;
    return true;
}

enum srv_take srv_request_take(struct srv_request *r, const char *bytes, size_t n)
{
    const size_t max = r->server->config->max_body;
    const size_t have = r->body_len + r->discarded;
    if (++r->n_pieces > MAX_SMALL_PIECES + have / MIN_PIECE)
        return SRV_TAKE_TOO_MANY_PIECES;
    if (have > max || n > max - have)
        return SRV_TAKE_TOO_LONG;
    if (!r->no_memory && r->body_len + n > r->body_cap && !srv_request_grow(r, r->body_len + n)) {
        r->discarded = have;
        srv_request_drop_body(r);
        r->no_memory = true;
    }
    if (r->no_memory) {
        r->discarded += n;
        return SRV_TAKE_OK;
    }
    memcpy(r->body + r->body_len, bytes, n);
    r->body_len += n;
    return SRV_TAKE_OK;
}

void srv_reply_header(struct srv_request *r, const char *name, const char *value)
{
    if (r->reply.n_headers == SRV_REPLY_HEADERS)
        return;
    struct srv_reply_header *h = &r->reply.headers[r->reply.n_headers++];
    h->name = name;
    rf_text_copy(h->value, sizeof h->value, value);
}

void srv_reply_error(struct srv_request *r, int status, const char *fmt, ...)
{
    char text[MAX_ERROR_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    rf_buf_release(&r->reply.body);
    rf_buf_init(&r->reply.body, r->server->reply_limit);
    rf_buf_text(&r->reply.body, "{\"error\":");
    rf_buf_json_string(&r->reply.body, text);
    rf_buf_text(&r->reply.body, "}");
    r->reply.status = status;
    r->reply.type = "application/json";
    r->reply.n_headers = 0;
    r->reply.fixed = NULL;
    if (status == 503)
        srv_reply_header(r, "Retry-After", "1");
}

int srv_http_status(enum rf_status status)
{
    static const short table[] = {
        [RF_OK] = 200,     [RF_NOMEM] = 503,       [RF_INVALID] = 400,
        [RF_FORMAT] = 400, [RF_UNSUPPORTED] = 400, [RF_SHAPE] = 400,
        [RF_LIMIT] = 413,  [RF_NOT_FOUND] = 404,   [RF_IO] = 500,
    };
    _Static_assert(sizeof table / sizeof *table == RF_N_STATUS, "one row a status");
    return table[status];
}

void srv_reply_failure(struct srv_request *r, const struct rf_error *err)
{
    srv_reply_error(r, srv_http_status(err->status), "%s", err->text);
}

enum srv_next srv_reply_json(struct srv_request *r, int status)
{
    if (r->reply.body.status != RF_OK) {
        srv_reply_error(r, 503, "no memory for the reply");
        return SRV_REPLY;
    }
    r->reply.status = status;
    r->reply.type = "application/json";
    return SRV_REPLY;
}

/* Decodes `n` characters; a broken %-sequence stands for itself. */
static void query_decode(char *out, size_t size, const char *text, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n && len + 1 < size; i++) {
        char c = text[i] == '+' ? ' ' : text[i];
        const bool coded = c == '%' && i + 2 < n;
        const int high = coded ? rf_hex_digit(text[i + 1]) : -1;
        const int low = coded ? rf_hex_digit(text[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[len++] = c ? c : '?';
    }
    out[len] = '\0';
}

bool srv_query_next(const char **at, char *key, size_t key_size, char *value, size_t value_size)
{
    const char *p = *at + strspn(*at, "&");
    if (!*p)
        return false;
    const size_t n = strcspn(p, "&");
    const char *eq = memchr(p, '=', n);
    const size_t key_len = eq ? (size_t)(eq - p) : n;
    query_decode(key, key_size, p, key_len);
    query_decode(value, value_size, eq ? eq + 1 : "", eq ? n - key_len - 1 : 0);
    *at = p + n;
    return true;
}
