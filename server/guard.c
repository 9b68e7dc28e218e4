/* The request guard. Each check refuses by `return deny(...)`; the first refusal counts. */
#include "server/guard.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/text.h"

/* Refuses and closes: where framing is in doubt the next bytes cannot be trusted. */
static bool __attribute__((format(printf, 3, 4)))
deny(struct srv_guard *g, int status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(g->message, sizeof g->message, fmt, args);
    va_end(args);
    g->status = status;
    g->close = true;
    return false;
}

/* Refuses a request whose framing is sound. */
static bool deny_open(struct srv_guard *g, int status, const char *text)
{
    deny(g, status, "%s", text);
    g->close = false;
    return false;
}

static bool is_token_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_token_char((unsigned char)text[i]))
            return false;
    return len > 0;
}

static bool is_name(const struct srv_header *h, const char *name, size_t len)
{
    return h->name_len == len && strncasecmp(h->name, name, len) == 0;
}

const char *srv_header_find(const struct srv_header *headers, size_t n, const char *name)
{
    const size_t len = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (is_name(&headers[i], name, len))
            return headers[i].value;
    return NULL;
}

/* `name` as in a list of hosts, with or without a dot in front. */
static bool host_is(const char *host, size_t n, const char *name, size_t len)
{
    const bool or_below = *name == '.';
    if (or_below && n > len && strncasecmp(host + n - len, name, len) == 0)
        return true;
    name += or_below;
    len -= or_below;
    return n == len && strncasecmp(host, name, len) == 0;
}

bool srv_host_is_allowed(const char *host, const char *list)
{
    const size_t n = strcspn(host, ":"); /* up to the port */
    if (*host == '[' || (n > 0 && strspn(host, "0123456789.") == n))
        return true;
    if (host_is(host, n, ".localhost", sizeof ".localhost" - 1))
        return true;
    for (const char *p = list + strspn(list, ", "); *p; p += strspn(p, ", ")) {
        const size_t len = strcspn(p, ", ");
        if (host_is(host, n, p, len))
            return true;
        p += len;
    }
    return false;
}

bool srv_origin_is_own(const char *origin, const char *host, const char *list)
{
    const char *const authority = strstr(origin, "://");
    return authority && strcasecmp(authority + 3, host) == 0 && srv_host_is_allowed(host, list);
}

static bool check_method(struct srv_guard *g, const char *method)
{
    static const char *const others[] = {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"};
    if (strcmp(method, "GET") == 0)
        g->method = SRV_GET;
    else if (strcmp(method, "HEAD") == 0)
        g->method = SRV_HEAD;
    else if (strcmp(method, "POST") == 0)
        g->method = SRV_POST;
    else {
        g->method = SRV_OTHER;
        bool known = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            known |= strcmp(method, others[i]) == 0;
        if (!known)
            return is_token(method, strlen(method)) ? deny(g, 501, "unknown method '%.20s'", method)
                                                    : deny(g, 400, "malformed method");
    }
    return true;
}

static bool check_version(struct srv_guard *g, const char *version)
{
    if (strcmp(version, "HTTP/1.1") == 0 || strcmp(version, "HTTP/1.0") == 0)
        return true;
    return strncmp(version, "HTTP/", 5) == 0 ? deny(g, 505, "HTTP/1.1 and HTTP/1.0 are served here")
                                             : deny(g, 400, "malformed HTTP version");
}

/* One decoded character of the path; -1 after deny(). */
static int path_char(struct srv_guard *g, const char **p)
{
    const unsigned char c = (unsigned char)*(*p)++;
    if (c <= ' ' || c >= 0x7f || c == '\\' || c == '#') {
        deny(g, 400, "character 0x%02x in the path must be percent-encoded", c);
        return -1;
    }
    if (c != '%')
        return c;
    const int high = rf_hex_digit((*p)[0]);
    const int low = high < 0 ? -1 : rf_hex_digit((*p)[1]);
    if (low < 0) {
        deny(g, 400, "'%%' in the path must be followed by two hexadecimal digits");
        return -1;
    }
    *p += 2;
    const int decoded = high * 16 + low;
    if (decoded < 0x20 || decoded == 0x7f || decoded == '/' || decoded == '\\') {
        deny(g, 400, "%%%02X is not allowed in a path", (unsigned)decoded);
        return -1;
    }
    return decoded;
}

/* "http://host/path" is legal on a request line; what counts is the path. */
static const char *skip_authority(const char *uri)
{
    if (strncasecmp(uri, "http://", 7) != 0)
        return uri;
    uri += 7 + strcspn(uri + 7, "/?");
    return *uri == '/' ? uri : "/";
}

static bool check_query(struct srv_guard *g, const char *query)
{
    for (const char *p = query; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return deny(g, 400, "character 0x%02x in the query must be percent-encoded",
                        (unsigned char)*p);
    return true;
}

static bool check_uri(struct srv_guard *g, const char *uri)
{
    const char *p = skip_authority(uri);
    size_t n = 0, segment = 1;
    if (*p != '/')
        return deny(g, 400, "the path must begin with '/'");
    while (*p && *p != '?') {
        const bool is_slash = *p == '/';
        const int c = path_char(g, &p);
        if (c < 0)
            return false;
        if (n + 1 == sizeof g->path)
            return deny(g, 414, "the path is longer than %d characters", SRV_MAX_PATH - 1);
        g->path[n++] = (char)c;
        if (is_slash)
            segment = n;
        const bool ends = *p == '\0' || *p == '/' || *p == '?';
        const size_t len = n - segment;
        if (ends && ((len == 1 && g->path[segment] == '.') ||
                     (len == 2 && g->path[segment] == '.' && g->path[segment + 1] == '.')))
            return deny(g, 400, "'.' and '..' are not allowed in a path");
    }
    g->path[n] = '\0';
    g->query = *p == '?' ? p + 1 : "";
    return check_query(g, g->query);
}

static bool has_prefix(const struct srv_header *h, const char *prefix)
{
    const size_t n = strlen(prefix);
    return h->name_len >= n && strncasecmp(h->name, prefix, n) == 0;
}

/* Names are tokens and values hold no control characters. The library glues a folded line to the
 * name before it, so a name that only begins like a framing header is one in disguise. */
static bool check_header(struct srv_guard *g, const struct srv_header *h)
{
    static const char *const framing[] = {"content-length", "transfer-encoding"};
    for (size_t i = 0; i < 2; i++)
        if (has_prefix(h, framing[i]) && h->name_len != strlen(framing[i]))
            return deny(g, 400, "malformed %s header", framing[i]);
    if (!is_token(h->name, h->name_len))
        return deny(g, 400, "malformed header name");
    for (size_t i = 0; i < h->value_len; i++) {
        const unsigned char c = (unsigned char)h->value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return deny(g, 400, "control character in header %.40s", h->name);
    }
    return true;
}

/* The only header of that name in `*found` (NULL: none); false when there are more. */
static bool find_one(struct srv_guard *g, const struct srv_head *head, const char *name,
                     const struct srv_header **found)
{
    const size_t len = strlen(name);
    *found = NULL;
    for (size_t i = 0; i < head->n_headers; i++) {
        if (!is_name(&head->headers[i], name, len))
            continue;
        if (*found)
            return deny(g, 400, "more than one %s header", name);
        *found = &head->headers[i];
    }
    return true;
}

static bool is_http10(const struct srv_head *head)
{
    return strcmp(head->version, "HTTP/1.0") == 0;
}

static bool parse_length(const struct srv_header *h, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < h->value_len; i++) {
        const char c = h->value[i];
        if (c < '0' || c > '9')
            return false;
        if (__builtin_mul_overflow(*length, UINT64_C(10), length) ||
            __builtin_add_overflow(*length, (uint64_t)(c - '0'), length))
            *length = UINT64_MAX;
    }
    return h->value_len > 0;
}

static bool check_framing(struct srv_guard *g, const struct srv_head *head)
{
    const struct srv_header *te, *cl;
    if (!find_one(g, head, "Transfer-Encoding", &te) || !find_one(g, head, "Content-Length", &cl))
        return false;
    if (te && cl)
        return deny(g, 400, "both Transfer-Encoding and Content-Length");
    if (te && is_http10(head))
        return deny(g, 400, "Transfer-Encoding in an HTTP/1.0 request");
    if (te && strcasecmp(te->value, "chunked") != 0)
        return deny(g, 501, "Transfer-Encoding '%.40s': only chunked is known here", te->value);
    if (cl && !parse_length(cl, &g->length))
        return deny(g, 400, "Content-Length is not a number");
    g->chunked = te != NULL;
    g->has_length = cl != NULL;
    return true;
}

static bool check_host(struct srv_guard *g, const struct srv_head *head)
{
    const struct srv_header *host;
    if (!find_one(g, head, "Host", &host))
        return false;
    if (!host)
        return is_http10(head) || deny(g, 400, "the Host header is missing");
    for (const char *p = host->value; *p; p++)
        if (!is_token_char((unsigned char)*p) && !strchr(":[]", *p))
            return deny(g, 400, "malformed Host header");
    return true;
}

/* How the body is coded; one coding at most. */
static bool check_coding(struct srv_guard *g, const struct srv_head *head)
{
    static const char *const known[] = {"gzip", "x-gzip", "deflate"};
    const struct srv_header *coding;
    if (!find_one(g, head, "Content-Encoding", &coding))
        return false;
    if (!coding || !*coding->value || strcasecmp(coding->value, "identity") == 0)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        g->compressed |= strcasecmp(coding->value, known[i]) == 0;
    return g->compressed ||
           deny_open(g, 415, "Content-Encoding: only gzip, deflate and identity are known here");
}

/* What is refused although it is clear where the request ends. */
static bool check_body(struct srv_guard *g, const struct srv_head *head, uint64_t max_body)
{
    const char *expect = srv_header_find(head->headers, head->n_headers, "Expect");
    if (expect && *expect && strcasecmp(expect, "100-continue") != 0)
        return deny(g, 417, "Expect '%.40s': only 100-continue is known here", expect);
    g->expect_continue = expect && *expect && !is_http10(head);
    if (g->has_length && g->length > max_body) {
        deny(g, 413, "the body has %" PRIu64 " bytes; at most %" PRIu64 " are taken", g->length,
             max_body);
        g->close = false;
        return false;
    }
    return check_coding(g, head);
}

void srv_guard_check(struct srv_guard *out, const struct srv_head *head, uint64_t max_body)
{
    memset(out, 0, sizeof *out);
    out->method = SRV_OTHER;
    out->query = "";
    if (!check_version(out, head->version) || !check_method(out, head->method))
        return;
    out->is_http = true;
    if (head->n_headers > SRV_MAX_HEADERS) {
        deny(out, 431, "more than %d headers", SRV_MAX_HEADERS);
        return;
    }
    for (size_t i = 0; i < head->n_headers; i++)
        if (!check_header(out, &head->headers[i]))
            return;
    if (check_framing(out, head) && check_host(out, head) && check_uri(out, head->uri))
        (void)check_body(out, head, max_body);
}
