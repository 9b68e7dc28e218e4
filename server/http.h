/*
 * With respond.c the only place that knows libmicrohttpd: connections in, requests collected and
 * answered.
 *
 * HTTP threads run the guard, collect the body and call the handler. A handler that queues leaves
 * the connection suspended until a worker calls srv_http_resume, exactly once, as its last access.
 */
#ifndef SRV_HTTP_H
#define SRV_HTTP_H

#include <sys/socket.h>

#include "core/status.h"
#include "server/request.h"

struct srv_http;

enum rf_status srv_http_start(struct srv_http **out, struct srv_server *server,
                              struct rf_error *err) RF_CHECKED;
/* Only when no request is in flight and every socket added was seen. NULL is fine. */
void srv_http_stop(struct srv_http *http);

/* Takes the socket. */
void srv_http_add(struct srv_http *http, int fd, const struct sockaddr *address, socklen_t len);
void srv_http_resume(struct srv_request *r);

#endif
