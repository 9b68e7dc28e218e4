/* The request guard: a request line, then "name:value" lines, all ended by LF, as a library that
 * checks nothing would hand them over. What passes must be what guard.h says. */
#include <stdlib.h>

/* A pure function; its object is not in a library. */
#include "server/guard.c"
#include "tests/fuzz/fuzz.h"

#define MAX_BODY 1000

/* The next piece of the text, which ends at `end` or at the text's end; cuts it off there. */
static char *cut(char **text, char end)
{
    char *const piece = *text;
    char *const at = strchr(piece, end);
    *text = at ? at + 1 : piece + strlen(piece);
    if (at)
        *at = '\0';
    return piece;
}

static size_t read_headers(struct srv_header *headers, char *text)
{
    size_t n = 0;
    while (*text && n <= SRV_MAX_HEADERS) {
        char *value = cut(&text, '\n');
        const char *const name = cut(&value, ':');
        headers[n++] = (struct srv_header){name, value, strlen(name), strlen(value)};
    }
    return n;
}

static void demand(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static size_t count(const struct srv_header *headers, size_t n, const char *name)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += strcasecmp(headers[i].name, name) == 0;
    return found;
}

static void judge(const struct srv_guard *g, const struct srv_header *headers, size_t n)
{
    demand(strlen(g->path) < sizeof g->path && strlen(g->message) < sizeof g->message);
    demand((g->status != 0) == (*g->message != '\0'));
    if (g->status)
        return;
    const size_t lengths = count(headers, n, "content-length");
    const size_t codings = count(headers, n, "transfer-encoding");
    demand(n <= SRV_MAX_HEADERS && g->is_http && *g->path == '/' && g->query);
    demand(lengths + codings <= 1 && g->has_length == (lengths == 1));
    demand(g->chunked == (codings == 1) && (!g->has_length || g->length <= MAX_BODY));
    demand(!strstr(g->path, "/../") && !strstr(g->path, "/./") && !strchr(g->path, '\\'));
    for (const char *p = g->path; *p; p++)
        demand((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct srv_header headers[SRV_MAX_HEADERS + 1];
    struct srv_guard guard;
    char *const copy = malloc(size + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    char *rest = copy;
    char *line = cut(&rest, '\n');
    const char *const method = cut(&line, ' ');
    const char *const uri = cut(&line, ' ');
    const size_t n = read_headers(headers, rest);
    const struct srv_head head = {method, uri, line, headers, n};
    srv_guard_check(&guard, &head, MAX_BODY);
    judge(&guard, headers, n);
    const char *const host = srv_header_find(headers, n, "host");
    if (host)
        demand(!srv_host_is_allowed(host, "") || srv_host_is_allowed(host, ".b,a"));
    free(copy);
    return 0;
}
