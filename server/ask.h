/* A client of HTTP servers, just enough to ask our own. */
#ifndef SRV_ASK_H
#define SRV_ASK_H

#include <stdbool.h>

#include "proto/buf.h"

struct srv_url {
    char host[256], port[8], path[1024]; /* path: with its query; "" when there is none */
};

/* "http://host[:port][/path]"; false when it is none. */
bool srv_url_parse(struct srv_url *url, const char *text);
/* A connected socket with timeouts, or -1 with the reason in errno. */
int srv_url_connect(const struct srv_url *url, int timeout_seconds);
/* Sends a GET. The reply's status, 0 when none came whole; its body is appended to `body`, or with
 * NULL not waited for. The connection is of no use afterwards. */
int srv_url_get(int fd, const struct srv_url *url, struct rf_buf *body);

#endif
