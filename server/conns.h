/*
 * The table of open connections: what each is doing and until when it may. The HTTP library's own
 * timeout only sees inactivity, so a client that drips bytes would stay for ever; a sweep enforces
 * total deadlines by shutdown(). Sockets are closed by the library alone.
 *
 * State changes are compare-and-swap: either the sweep expires a connection or its request goes on,
 * never both.
 */
#ifndef SRV_CONNS_H
#define SRV_CONNS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum srv_conn_state {
    SRV_CONN_IDLE,    /* no request begun */
    SRV_CONN_HEADERS, /* request line read */
    SRV_CONN_BODY,    /* headers read */
    SRV_CONN_BUSY,    /* request read; ours to answer */
    SRV_CONN_EXPIRED, /* shut down by the sweep: past its deadline */
    SRV_CONN_GONE,    /* shut down by the sweep: its peer has left */
};

struct srv_conn {
    int fd;
    bool is_admin; /* came by the admin port */
    atomic_int state;
    atomic_uint_fast64_t deadline; /* of the state; srv_now(). That of BODY moves as bytes come */
    atomic_bool linger;            /* its peer may still be sending when it is closed */
    uint64_t gone; /* the sweep's: the deadline at which its peer was seen to have left */
    struct srv_conn *prev, *next;
};

struct srv_conns {
    pthread_mutex_t lock; /* the list, and that no fd in it is closed meanwhile */
    struct srv_conn *head;
    atomic_size_t handed, started, closed; /* to the library; seen by it; gone */
    atomic_size_t in_flight;               /* requests begun and not finished */
    void (*linger)(void *arg, int fd);     /* takes a duplicate of a closing socket */
    void *linger_arg;
};

void srv_conns_init(struct srv_conns *conns, void (*linger)(void *arg, int fd), void *arg);
void srv_conns_release(struct srv_conns *conns);

/* NULL when there is no memory. */
struct srv_conn *srv_conns_add(struct srv_conns *conns, int fd, uint64_t deadline);
/* Before the socket is closed. */
void srv_conns_remove(struct srv_conns *conns, struct srv_conn *conn);
size_t srv_conns_open(const struct srv_conns *conns);

/* False when the sweep was faster: the request must be dropped. */
bool srv_conn_enter(struct srv_conn *conn, enum srv_conn_state state, uint64_t deadline);
/* Ends what the client is sending: answers `status` itself and shuts down. False: too late. */
bool srv_conn_refuse(struct srv_conn *conn, int status, const char *message);
/* Whether the peer has closed or reset; only while the library leaves the socket alone. */
bool srv_conn_is_gone(const struct srv_conn *conn);

/* Shuts down what is past its deadline; with `look`, also what waits for a peer that has left: the
 * library misses a FIN that arrives together with data. */
void srv_conns_sweep(struct srv_conns *conns, uint64_t now, bool look);
/* Lets idle connections end: a request that has already arrived is still read and answered. */
void srv_conns_end_idle(struct srv_conns *conns);

/* An error reply of our own on a socket that no one else writes to. Never blocks. */
void srv_send_error(int fd, int status, const char *message);

#endif
