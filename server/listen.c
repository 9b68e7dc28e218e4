/* The accept thread. */
#include "server/listen.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/http.h"
#include "server/log.h"

#define MAX_LINGER 64
#define LINGER_TIME SRV_SECOND
#define SWEEP_MS 100
#define SWEEPS_A_LOOK 5 /* of them, one looks for peers that have left */
#define ACCEPTS_A_TURN 64
#define SETTLE (10 * SRV_MS)

struct lingerer {
    int fd;
    uint64_t until;
};

struct srv_listener {
    struct srv_server *server;
    int fd, wake; /* fd: the port, -1 once closed */
    uint16_t port;
    char address[SRV_ADDRESS_TEXT];
    pthread_t thread;
    bool has_thread;
    atomic_bool close_port, port_closed, quit;
    pthread_mutex_t lock; /* the sockets handed in by other threads */
    int handed_in[MAX_LINGER];
    size_t n_handed_in;
    /* the thread's own */
    struct lingerer lingerers[MAX_LINGER];
    size_t n_lingerers;
};

/* ---- the socket ---- */

static enum rf_status bind_one(const struct addrinfo *ai, int *out, struct rf_error *err)
{
    const int on = 1;
    const int fd =
        socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
    if (fd < 0)
        return rf_fail(err, RF_IO, "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        const int why = errno;
        close(fd);
        return rf_fail(err, RF_IO, "%s", strerror(why));
    }
    *out = fd;
    return RF_OK;
}

static void name_address(struct srv_listener *l)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof storage;
    char host[48] = "", port[8] = "0";
    if (getsockname(l->fd, (struct sockaddr *)&storage, &len) == 0)
        getnameinfo((struct sockaddr *)&storage, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    l->port = (uint16_t)strtoul(port, NULL, 10);
    snprintf(l->address, sizeof l->address, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static enum rf_status open_port(struct srv_listener *l, struct rf_error *err)
{
    const struct srv_config *config = l->server->config;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct rf_error why = RF_ERROR_INIT;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)config->port);
    const int gai = getaddrinfo(config->host, port, &hints, &list);
    if (gai != 0)
        return rf_fail(err, RF_IO, "--host %s: %s", config->host, gai_strerror(gai));
    enum rf_status rc = RF_IO;
    for (const struct addrinfo *ai = list; ai && rc; ai = ai->ai_next)
        rc = bind_one(ai, &l->fd, &why);
    freeaddrinfo(list);
    if (rc)
        return rf_fail(err, rc, "cannot listen on %s port %s: %s", config->host, port, why.text);
    name_address(l);
    return RF_OK;
}

enum rf_status srv_listener_new(struct srv_listener **out, struct srv_server *server,
                                struct rf_error *err)
{
    struct srv_listener *l = calloc(1, sizeof *l);
    if (!l)
        return rf_fail_nomem(err, "the listener", sizeof *l);
    l->server = server;
    l->fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const enum rf_status rc =
        l->wake < 0 ? rf_fail(err, RF_IO, "eventfd: %s", strerror(errno)) : open_port(l, err);
    if (rc) {
        srv_listener_free(l);
        return rc;
    }
    *out = l;
    return RF_OK;
}

const char *srv_listener_address(const struct srv_listener *l)
{
    return l->address;
}

uint16_t srv_listener_port(const struct srv_listener *l)
{
    return l->port;
}

/* ---- sockets that wait for their peer ---- */

static void wake_up(struct srv_listener *l)
{
    const uint64_t one = 1;
    const ssize_t n = write(l->wake, &one, sizeof one);
    (void)n;
}

void srv_listener_linger(void *listener, int fd)
{
    struct srv_listener *l = listener;
    pthread_mutex_lock(&l->lock);
    const bool room = l->n_handed_in < MAX_LINGER;
    if (room)
        l->handed_in[l->n_handed_in++] = fd;
    pthread_mutex_unlock(&l->lock);
    if (room)
        wake_up(l);
    else
        close(fd);
}

static void add_lingerer(struct srv_listener *l, int fd)
{
    shutdown(fd, SHUT_WR);
    if (l->n_lingerers == MAX_LINGER)
        close(fd);
    else
        l->lingerers[l->n_lingerers++] = (struct lingerer){fd, srv_now() + LINGER_TIME};
}

static void take_handed_in(struct srv_listener *l)
{
    uint64_t n;
    const ssize_t got = read(l->wake, &n, sizeof n);
    (void)got;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_handed_in; i++)
        add_lingerer(l, l->handed_in[i]);
    l->n_handed_in = 0;
    pthread_mutex_unlock(&l->lock);
}

/* Reads and drops what came; true when the peer has closed. */
static bool drain_socket(int fd)
{
    for (int i = 0; i < 64; i++) {
        /* With MSG_TRUNC, TCP drops the bytes without copying them (tcp(7)). */
        const ssize_t n = recv(fd, NULL, 1 << 20, MSG_DONTWAIT | MSG_TRUNC);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return true;
        if (n < 0)
            return false;
    }
    return false;
}

static void serve_lingerers(struct srv_listener *l, uint64_t now)
{
    for (size_t i = 0; i < l->n_lingerers;) {
        const bool ends = drain_socket(l->lingerers[i].fd) || now > l->lingerers[i].until;
        if (!ends) {
            i++;
            continue;
        }
        close(l->lingerers[i].fd);
        l->lingerers[i] = l->lingerers[--l->n_lingerers];
    }
}

/* ---- accepting ---- */

static void take_connection(struct srv_listener *l, int fd, const struct sockaddr *address,
                            socklen_t len)
{
    struct srv_server *server = l->server;
    if (srv_conns_open(&server->conns) < server->config->max_connections) {
        srv_http_add(server->http, fd, address, len);
        return;
    }
    srv_count(&server->metrics.connections_rejected);
    srv_send_error(fd, 503, "too many connections");
    add_lingerer(l, fd);
}

/* Whether the queue is empty, as far as can be told. */
static bool accept_some(struct srv_listener *l)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage storage;
        socklen_t len = sizeof storage;
        struct sockaddr *address = (struct sockaddr *)&storage;
        const int fd = accept4(l->fd, address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take_connection(l, fd, address, len);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return true;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            srv_log(SRV_WARN, "accept: %s; waiting", strerror(errno));
            srv_sleep(SWEEP_MS * SRV_MS);
            return true;
        }
        /* Otherwise that one connection failed; the next may be sound. */
    }
    return false;
}

/* What had connected is handed over. Closing the port resets whoever connects after the last
 * accept, so newcomers are ignored first (their next attempt finds the port closed), while
 * handshakes under way may end. The filter sees a segment from its TCP header on; byte 13 holds the
 * flags. */
static void close_port(struct srv_listener *l)
{
    struct sock_filter drop_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = sizeof drop_syn / sizeof *drop_syn,
                                       .filter = drop_syn};
    setsockopt(l->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    srv_sleep(SETTLE);
    while (!accept_some(l))
        ;
    close(l->fd);
    l->fd = -1;
    atomic_store(&l->port_closed, true);
}

static void *listen_thread(void *arg)
{
    struct srv_listener *l = arg;
    struct pollfd fds[2 + MAX_LINGER];
    uint64_t swept = 0;
    unsigned sweeps = 0;
    while (!atomic_load(&l->quit)) {
        nfds_t n = 0;
        fds[n++] = (struct pollfd){.fd = l->wake, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = l->fd, .events = POLLIN}; /* -1 is skipped */
        for (size_t i = 0; i < l->n_lingerers; i++)
            fds[n++] = (struct pollfd){.fd = l->lingerers[i].fd, .events = POLLIN};
        poll(fds, n, SWEEP_MS);
        const uint64_t now = srv_now();
        if (fds[0].revents)
            take_handed_in(l);
        if (l->fd >= 0 && atomic_load(&l->close_port))
            close_port(l);
        else if (l->fd >= 0 && fds[1].revents)
            accept_some(l);
        serve_lingerers(l, now);
        if (now - swept >= SWEEP_MS * SRV_MS) {
            srv_conns_sweep(&l->server->conns, now, ++sweeps % SWEEPS_A_LOOK == 0);
            srv_dispatch_sweep(&l->server->dispatch);
            swept = now;
        }
    }
    return NULL;
}

enum rf_status srv_listener_start(struct srv_listener *l, struct rf_error *err)
{
    if (listen(l->fd, SOMAXCONN) != 0)
        return rf_fail(err, RF_IO, "cannot listen on %s: %s", l->address, strerror(errno));
    const int why = pthread_create(&l->thread, NULL, listen_thread, l);
    if (why != 0)
        return rf_fail(err, RF_IO, "the accept thread: %s", strerror(why));
    l->has_thread = true;
    return RF_OK;
}

void srv_listener_close(struct srv_listener *l)
{
    atomic_store(&l->close_port, true);
    wake_up(l);
    while (!atomic_load(&l->port_closed))
        srv_sleep(SRV_MS);
}

void srv_listener_free(struct srv_listener *l)
{
    if (!l)
        return;
    if (l->has_thread) {
        atomic_store(&l->quit, true);
        wake_up(l);
        pthread_join(l->thread, NULL);
    }
    for (size_t i = 0; i < l->n_lingerers; i++)
        close(l->lingerers[i].fd);
    for (size_t i = 0; i < l->n_handed_in; i++)
        close(l->handed_in[i]);
    if (l->fd >= 0)
        close(l->fd);
    if (l->wake >= 0)
        close(l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
