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
#include "server/slots.h"
#include "server/log.h"

#define MAX_LINGER 64
#define LINGER_TIME SRV_SECOND
#define SWEEP_MS 100
#define SWEEPS_A_LOOK 5 /* of them, one looks for peers that have left */
#define ACCEPTS_A_TURN 64
#define SETTLE (10 * SRV_MS)
/* For the admin port, when the others have taken all connections. */
#define ADMIN_CONNECTIONS 16

struct lingerer {
    int fd;
    uint64_t until;
};

struct port {
    int fd; /* -1: none, or closed */
    uint16_t number;
    size_t max_connections; /* of all ports */
    char address[SRV_ADDRESS_TEXT];
};

struct srv_listener {
    struct srv_server *server;
    int wake;
    struct port port[SRV_N_PORTS];
    bool starved; /* of descriptors or memory, when it last accepted */
    pthread_t thread;
    bool has_thread;
    atomic_bool close_ports, ports_closed, quit;
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

/* The port number of a socket's own end. */
static uint16_t own_port(int fd, char *host, size_t size)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof storage;
    char number[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&storage, &len) == 0)
        getnameinfo((struct sockaddr *)&storage, len, host, (socklen_t)size, number, sizeof number,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    return (uint16_t)strtoul(number, NULL, 10);
}

static enum rf_status open_port(struct port *p, const char *host_name, uint64_t number,
                                struct rf_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct rf_error why = RF_ERROR_INIT;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)number);
    const int gai = getaddrinfo(host_name, port, &hints, &list);
    if (gai != 0)
        return rf_fail(err, RF_IO, "--host %s: %s", host_name, gai_strerror(gai));
    enum rf_status rc = RF_IO;
    for (const struct addrinfo *ai = list; ai && rc; ai = ai->ai_next)
        rc = bind_one(ai, &p->fd, &why);
    freeaddrinfo(list);
    if (rc)
        return rf_fail(err, rc, "cannot listen on %s port %s: %s", host_name, port, why.text);
    char host[48] = "";
    p->number = own_port(p->fd, host, sizeof host);
    snprintf(p->address, sizeof p->address, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
             (unsigned)p->number);
    return RF_OK;
}

static enum rf_status open_ports(struct srv_listener *l, struct rf_error *err)
{
    const struct srv_config *config = l->server->config;
    l->port[SRV_PORT_MAIN].max_connections = config->max_connections;
    l->port[SRV_PORT_ADMIN].max_connections = config->max_connections + ADMIN_CONNECTIONS;
    const enum rf_status rc = open_port(&l->port[SRV_PORT_MAIN], config->host, config->port, err);
    if (rc || config->admin_port == 0)
        return rc;
    return open_port(&l->port[SRV_PORT_ADMIN], config->host, config->admin_port, err);
}

enum rf_status srv_listener_new(struct srv_listener **out, struct srv_server *server,
                                struct rf_error *err)
{
    struct srv_listener *l = calloc(1, sizeof *l);
    if (!l)
        return rf_fail_nomem(err, "the listener", sizeof *l);
    l->server = server;
    for (int i = 0; i < SRV_N_PORTS; i++)
        l->port[i].fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const enum rf_status rc =
        l->wake < 0 ? rf_fail(err, RF_IO, "eventfd: %s", strerror(errno)) : open_ports(l, err);
    if (rc) {
        srv_listener_free(l);
        return rc;
    }
    *out = l;
    return RF_OK;
}

const char *srv_listener_address(const struct srv_listener *l, enum srv_port port)
{
    return l->port[port].address;
}

enum srv_port srv_listener_port_of(const struct srv_listener *l, int fd)
{
    char host[48];
    const uint16_t admin = l->port[SRV_PORT_ADMIN].number;
    return admin && own_port(fd, host, sizeof host) == admin ? SRV_PORT_ADMIN : SRV_PORT_MAIN;
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

static void take_connection(struct srv_listener *l, const struct port *p, int fd,
                            const struct sockaddr *address, socklen_t len)
{
    struct srv_server *server = l->server;
    if (srv_conns_open(&server->conns) < p->max_connections) {
        srv_http_add(server->http, fd, address, len);
        return;
    }
    srv_count(&server->metrics.connections_rejected);
    srv_send_error(fd, 503, "too many connections");
    add_lingerer(l, fd);
}

/* Whether the queue is empty, as far as can be told. */
static bool accept_some(struct srv_listener *l, const struct port *p)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage storage;
        socklen_t len = sizeof storage;
        struct sockaddr *address = (struct sockaddr *)&storage;
        const int fd = accept4(p->fd, address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            l->starved = false;
            take_connection(l, p, fd, address, len);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return true;
        srv_count(&l->server->metrics.accept_failures);
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!l->starved)
                srv_log(SRV_WARN, "accept: %s; waiting", strerror(errno));
            l->starved = true;
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
static void close_port(struct srv_listener *l, struct port *p)
{
    struct sock_filter drop_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = sizeof drop_syn / sizeof *drop_syn,
                                       .filter = drop_syn};
    setsockopt(p->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    srv_sleep(SETTLE);
    while (!accept_some(l, p))
        ;
    close(p->fd);
    p->fd = -1;
}

static void close_ports(struct srv_listener *l)
{
    for (int i = 0; i < SRV_N_PORTS; i++)
        if (l->port[i].fd >= 0)
            close_port(l, &l->port[i]);
    atomic_store(&l->ports_closed, true);
}

static void *listen_thread(void *arg)
{
    struct srv_listener *l = arg;
    struct pollfd fds[1 + SRV_N_PORTS + MAX_LINGER];
    uint64_t swept = 0;
    unsigned sweeps = 0;
    while (!atomic_load(&l->quit)) {
        nfds_t n = 0;
        fds[n++] = (struct pollfd){.fd = l->wake, .events = POLLIN};
        for (int i = 0; i < SRV_N_PORTS; i++) /* -1 is skipped */
            fds[n++] = (struct pollfd){.fd = l->port[i].fd, .events = POLLIN};
        for (size_t i = 0; i < l->n_lingerers; i++)
            fds[n++] = (struct pollfd){.fd = l->lingerers[i].fd, .events = POLLIN};
        poll(fds, n, SWEEP_MS);
        const uint64_t now = srv_now();
        if (fds[0].revents)
            take_handed_in(l);
        for (int i = 0; i < SRV_N_PORTS; i++)
            if (l->port[i].fd >= 0 && fds[1 + i].revents)
                accept_some(l, &l->port[i]);
        if (atomic_load(&l->close_ports) && !atomic_load(&l->ports_closed))
            close_ports(l);
        serve_lingerers(l, now);
        if (now - swept >= SWEEP_MS * SRV_MS) {
            srv_conns_sweep(&l->server->conns, now, ++sweeps % SWEEPS_A_LOOK == 0);
            srv_dispatch_sweep(&l->server->dispatch);
            srv_slots_roll(l->server, now);
            swept = now;
        }
    }
    return NULL;
}

enum rf_status srv_listener_start(struct srv_listener *l, struct rf_error *err)
{
    for (int i = 0; i < SRV_N_PORTS; i++)
        if (l->port[i].fd >= 0 && listen(l->port[i].fd, SOMAXCONN) != 0)
            return rf_fail(err, RF_IO, "cannot listen on %s: %s", l->port[i].address,
                           strerror(errno));
    const int why = pthread_create(&l->thread, NULL, listen_thread, l);
    if (why != 0)
        return rf_fail(err, RF_IO, "the accept thread: %s", strerror(why));
    l->has_thread = true;
    return RF_OK;
}

void srv_listener_close(struct srv_listener *l)
{
    atomic_store(&l->close_ports, true);
    wake_up(l);
    while (!atomic_load(&l->ports_closed))
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
    for (int i = 0; i < SRV_N_PORTS; i++)
        if (l->port[i].fd >= 0)
            close(l->port[i].fd);
    if (l->wake >= 0)
        close(l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
