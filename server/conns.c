/* The table of open connections and the sweep. */
#include "server/conns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/request_id.h"

void srv_conns_init(struct srv_conns *conns, void (*linger)(void *arg, int fd), void *arg)
{
    memset(conns, 0, sizeof *conns);
    pthread_mutex_init(&conns->lock, NULL);
    conns->linger = linger;
    conns->linger_arg = arg;
}

void srv_conns_release(struct srv_conns *conns)
{
    pthread_mutex_destroy(&conns->lock);
}

struct srv_conn *srv_conns_add(struct srv_conns *conns, int fd, uint64_t deadline)
{
    struct srv_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->fd = fd;
    atomic_store(&conn->deadline, deadline);
    pthread_mutex_lock(&conns->lock);
    conn->next = conns->head;
    if (conn->next)
        conn->next->prev = conn;
    conns->head = conn;
    pthread_mutex_unlock(&conns->lock);
    return conn;
}

void srv_conns_remove(struct srv_conns *conns, struct srv_conn *conn)
{
    pthread_mutex_lock(&conns->lock);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        conns->head = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    pthread_mutex_unlock(&conns->lock);
    if (atomic_load(&conn->linger)) {
        const int fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            conns->linger(conns->linger_arg, fd);
    }
    free(conn);
}

size_t srv_conns_open(const struct srv_conns *conns)
{
    const size_t closed = atomic_load(&conns->closed);
    const size_t handed = atomic_load(&conns->handed);
    return handed > closed ? handed - closed : 0;
}

static bool move(struct srv_conn *conn, int from, enum srv_conn_state to)
{
    return atomic_compare_exchange_strong(&conn->state, &from, (int)to);
}

bool srv_conn_enter(struct srv_conn *conn, enum srv_conn_state state, uint64_t deadline)
{
    const int from = atomic_load(&conn->state);
    /* The deadline first: the sweep must not see the new state with the old one's. */
    atomic_store(&conn->deadline, deadline);
    return from < SRV_CONN_EXPIRED && move(conn, from, state);
}

bool srv_conn_refuse(struct srv_conn *conn, int status, const char *message)
{
    const int state = atomic_load(&conn->state);
    if (state >= SRV_CONN_EXPIRED || !move(conn, state, SRV_CONN_EXPIRED))
        return false;
    srv_send_error(conn->fd, status, message);
    atomic_store(&conn->linger, true);
    shutdown(conn->fd, SHUT_WR);
    return true;
}

bool srv_conn_is_gone(const struct srv_conn *conn)
{
    char byte;
    const ssize_t n = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void expire(struct srv_conn *conn, int state)
{
    if (!move(conn, state, SRV_CONN_EXPIRED))
        return;
    if (state == SRV_CONN_HEADERS || state == SRV_CONN_BODY)
        srv_send_error(conn->fd, 408, "the request did not arrive in time");
    shutdown(conn->fd, SHUT_RDWR);
}

/* Twice in the same state (each has its own deadline): a peer that only closed its own side after a
 * whole request must not be cut off in the moment before that request is dispatched. */
static void check_peer(struct srv_conn *conn, int state)
{
    const uint64_t deadline = atomic_load(&conn->deadline);
    if (state >= SRV_CONN_BUSY || !srv_conn_is_gone(conn))
        return;
    if (conn->gone != deadline)
        conn->gone = deadline;
    else if (move(conn, state, SRV_CONN_GONE))
        shutdown(conn->fd, SHUT_RDWR);
}

void srv_conns_sweep(struct srv_conns *conns, uint64_t now, bool look)
{
    pthread_mutex_lock(&conns->lock);
    for (struct srv_conn *c = conns->head; c; c = c->next) {
        const int state = atomic_load(&c->state);
        if (state < SRV_CONN_EXPIRED && now > atomic_load(&c->deadline))
            expire(c, state);
        else if (look)
            check_peer(c, state);
    }
    pthread_mutex_unlock(&conns->lock);
}

void srv_conns_end_idle(struct srv_conns *conns)
{
    pthread_mutex_lock(&conns->lock);
    for (struct srv_conn *c = conns->head; c; c = c->next)
        if (atomic_load(&c->state) == SRV_CONN_IDLE)
            shutdown(c->fd, SHUT_RD);
    pthread_mutex_unlock(&conns->lock);
}

static const char *reason(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 408:
        return "Request Timeout";
    case 413:
        return "Payload Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

void srv_send_error(int fd, int status, const char *message)
{
    char id[SRV_REQUEST_ID_MADE], body[256], text[768];
    srv_request_id_make(id);
    const int body_len = snprintf(body, sizeof body, "{\"error\":\"%s\"}", message);
    const int len = snprintf(text, sizeof text,
                             "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
                             "Content-Length: %d\r\n%sX-Request-Id: %s\r\n"
                             "Connection: close\r\n\r\n%s",
                             status, reason(status), body_len,
                             status == 503 ? "Retry-After: 1\r\n" : "", id, body);
    const ssize_t sent = send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}
