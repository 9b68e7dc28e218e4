/*
 * The request guard: what a request line and headers must be before anything else looks at them.
 *
 * The HTTP library accepts much that a proxy in front would read differently (two lengths, folded
 * headers, `Transfer-Encoding :`), which is how requests are smuggled. A pure function: no
 * allocation, no library, no state.
 */
#ifndef SRV_GUARD_H
#define SRV_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct srv_header {
    const char *name, *value;
    size_t name_len, value_len;
};

/* Bits, so that a route can allow several. */
enum srv_method {
    SRV_GET = 1,
    SRV_HEAD = 2,
    SRV_POST = 4,
    SRV_OTHER = 8, /* a known method that no route has: PUT, DELETE, OPTIONS, ... */
};
/* Of a route: served by the admin port only, if there is one. */
#define SRV_ADMIN 16u
/* Takes a model's inputs. */
#define SRV_INFERS 32u

#define SRV_MAX_PATH 1024
#define SRV_MAX_HEADERS 64

struct srv_guard {
    int status;        /* 0: pass; else answer this, */
    char message[160]; /* with these words, */
    bool close;        /* and read nothing more from the connection; */
    bool is_http;      /* the request line is HTTP, so that its headers mean something */
    enum srv_method method;
    bool chunked, has_length, expect_continue;
    bool compressed;         /* the body is, by gzip or deflate */
    uint64_t length;         /* of the body, if has_length */
    char path[SRV_MAX_PATH]; /* decoded, without the query */
    const char *query;       /* in the uri, after '?'; or "" */
};

/* What stands before the body: the parts of the request line, and the headers. */
struct srv_head {
    const char *method, *uri, *version;
    const struct srv_header *headers;
    size_t n_headers;
};

/* Longer bodies than `max_body` are refused. */
void srv_guard_check(struct srv_guard *out, const struct srv_head *head, uint64_t max_body);

/* Whether a Host header may be: an address, localhost, or in `list`, names separated by commas of
 * which ".example.org" is that domain and everything below it. A page that had its own name point
 * here comes with that name. */
bool srv_host_is_allowed(const char *host, const char *list);

/* Whether a page of `origin` came from here: it has the name that the request was sent to, and that
 * name is allowed. */
bool srv_origin_is_own(const char *origin, const char *host, const char *list);

/* The value of the first header of that name (any case), or NULL. */
const char *srv_header_find(const struct srv_header *headers, size_t n, const char *name);

#endif
