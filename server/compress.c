#include "server/compress.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "server/config.h"
#include "server/negotiate.h"
#include "server/server.h"

/* zlib's formats, by what it calls window bits: which one is to be seen, gzip, or its own (which is
 * HTTP's deflate). */
enum { EITHER = 15 + 32, GZIP = 15 + 16, ZLIB = 15 };
/* Shorter replies cost more than they save. */
enum { SHORTEST = 1024, CHUNK = 16 * 1024 };

/* zlib counts in 32 bits. */
static unsigned at_most(size_t n)
{
    return n < UINT_MAX ? (unsigned)n : UINT_MAX;
}

/* Gives the stream more of its input, of which `*left` bytes are ahead. */
static void feed(z_stream *z, size_t *left)
{
    if (z->avail_in > 0)
        return;
    z->avail_in = at_most(*left);
    *left -= z->avail_in;
}

/* Inflates into what room the body has, which is made when there is none. */
static enum rf_status inflate_more(z_stream *z, struct srv_request *r, int *state,
                                   struct rf_error *err)
{
    const uint64_t max = r->server->config->max_body;
    if (r->body_len == r->body_cap && !srv_request_grow(r, r->body_len + 1))
        return rf_fail_nomem(err, "the inflated body", r->body_len + 1);
    const unsigned room = at_most(r->body_cap - r->body_len);
    z->next_out = (Bytef *)r->body + r->body_len;
    z->avail_out = room;
    *state = inflate(z, Z_NO_FLUSH);
    r->body_len += room - z->avail_out;
    if (r->body_len > max)
        return rf_fail(err, RF_LIMIT, "the body inflates to more than the %" PRIu64 " bytes taken",
                       max);
    return RF_OK;
}

/* A gzip file may have several members, one behind the other. */
static enum rf_status inflate_all(z_stream *z, struct srv_request *r, size_t left,
                                  struct rf_error *err)
{
    int state = Z_OK;
    while (state == Z_OK) {
        feed(z, &left);
        const enum rf_status rc = inflate_more(z, r, &state, err);
        if (rc != RF_OK)
            return rc;
        if (state == Z_STREAM_END && (z->avail_in > 0 || left > 0))
            state = inflateReset(z);
    }
    if (state == Z_STREAM_END)
        return RF_OK;
    if (state == Z_MEM_ERROR)
        return rf_fail_nomem(err, "inflating the body", 0);
    if (state == Z_BUF_ERROR)
        return rf_fail(err, RF_FORMAT, "the compressed body is cut short");
    return rf_fail(err, RF_FORMAT, "the body is not what Content-Encoding says: %s",
                   z->msg ? z->msg : "it needs a dictionary");
}

enum rf_status srv_request_inflate(struct srv_request *r, struct rf_error *err)
{
    char *const packed = r->body;
    const size_t cap = r->body_cap;
    z_stream z = {.next_in = (Bytef *)packed};
    const size_t len = r->body_len;
    if (inflateInit2(&z, EITHER) != Z_OK)
        return rf_fail_nomem(err, "inflating the body", 0);
    r->body = NULL;
    r->body_len = r->body_cap = 0;
    const enum rf_status rc = inflate_all(&z, r, len, err);
    inflateEnd(&z);
    free(packed);
    srv_budget_give(&r->server->budget, cap);
    if (rc != RF_OK)
        srv_request_drop_body(r);
    return rc;
}

/* Deflates `from` into `to`; false when it fails or is not worth it. */
static bool deflate_all(struct rf_buf *to, const struct rf_buf *from, int format)
{
    z_stream z = {.next_in = (Bytef *)from->data};
    size_t left = from->len;
    int state = Z_OK;
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, format, MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return false;
    while (state == Z_OK && to->len < from->len) {
        z.next_out = (Bytef *)rf_buf_reserve(to, CHUNK);
        if (!z.next_out)
            break;
        z.avail_out = CHUNK;
        feed(&z, &left);
        state = deflate(&z, left > 0 ? Z_NO_FLUSH : Z_FINISH);
        to->len += CHUNK - z.avail_out;
    }
    deflateEnd(&z);
    return state == Z_STREAM_END && to->len < from->len;
}

void srv_reply_compress(struct srv_request *r)
{
    struct rf_buf *const body = &r->reply.body;
    struct rf_buf packed;
    if (r->reply.status != 200 || body->len < SHORTEST)
        return;
    const enum srv_coding coding = srv_accept_coding(srv_request_header(r, "Accept-Encoding"));
    if (coding == SRV_IDENTITY)
        return;
    rf_buf_init(&packed, body->limit);
    if (!deflate_all(&packed, body, coding == SRV_GZIP ? GZIP : ZLIB)) {
        rf_buf_release(&packed);
        return;
    }
    rf_buf_release(body);
    *body = packed;
    srv_reply_header(r, "Content-Encoding", coding == SRV_GZIP ? "gzip" : "deflate");
}
