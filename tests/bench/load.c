/*
 * `load CONNECTIONS TURN SECONDS PORT=FOLDER...`: keeps CONNECTIONS connections to a server busy,
 * each with one request at a time, and checks every reply. The servers take turns of TURN seconds
 * until SECONDS for each are over, at least five after one that is not printed. A FOLDER has the
 * bytes to send as 0.request and the float32 that the reply must have as 0.values, then 1.request
 * and so on; connections go through them in turn.
 *
 * Prints a line a turn: the server's place among the arguments, requests, seconds from the first
 * request to the last reply, and the 50th, 99th and 99.9th percentile of a request's microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_TURN (1 << 20) /* requests */
#define MAX_REPLY (1 << 18)
#define MAX_SERVERS 16
#define MAX_WORKS 64
#define LEAST_ROUNDS 5
#define STALL_MS 60000
#define DIAL_US 1000   /* between connections: processes that share a port then share them */
#define OF_SCALE 1e-4F /* outputs may differ by this much of the largest one */

struct work {
    char *request;
    float *values;
    size_t request_len, count;
    float scale;
};

struct connection {
    int fd;
    size_t next;             /* the work after this one */
    const struct work *work; /* NULL: idle */
    size_t sent, got, head, want;
    double start;
    char reply[MAX_REPLY];
};

struct server {
    const char *name;
    struct work works[MAX_WORKS];
    size_t works_len;
    struct connection *connections;
    int epoll;
};

static struct server servers[MAX_SERVERS];
static double times[MAX_TURN];

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

__attribute__((format(printf, 2, 3))) _Noreturn static void fail(const struct server *server,
                                                                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", server->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *const memory = calloc(n, size);
    if (!memory)
        abort();
    return memory;
}

/* ---- what to send, and what must come back ---- */

/* NULL when there is no such file. */
static void *read_file(const char *folder, size_t i, const char *suffix, size_t *len)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%zu.%s", folder, i, suffix);
    FILE *const file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    void *const bytes = allocate(*len + 1, 1);
    *len = fread(bytes, 1, *len, file);
    fclose(file);
    return bytes;
}

static void read_works(struct server *server, const char *folder)
{
    for (size_t i = 0; i < MAX_WORKS; i++) {
        struct work *const work = &server->works[i];
        work->request = read_file(folder, i, "request", &work->request_len);
        if (!work->request)
            break;
        work->values = read_file(folder, i, "values", &work->count);
        if (!work->values)
            fail(server, "%zu.values is missing", i);
        work->count /= sizeof *work->values;
        for (size_t k = 0; k < work->count; k++)
            work->scale = fmaxf(work->scale, fabsf(work->values[k]));
        server->works_len++;
    }
    if (server->works_len == 0)
        fail(server, "no 0.request");
}

/* The values of a JSON reply are those of its first "data"; any other form ends with them. */
static void check(const struct server *server, const struct connection *c)
{
    static const char key[] = "\"data\":[";
    const struct work *const work = c->work;
    const char *const body = c->reply + c->head;
    const char *at = strstr(body, key);
    const bool json = at != NULL;
    const size_t size = work->count * sizeof *work->values;
    if (!json && c->want - c->head < size)
        fail(server, "a body of %zu bytes", c->want - c->head);
    at = json ? at + sizeof key - 1 : c->reply + c->want - size;
    for (size_t i = 0; i < work->count; i++) {
        char *end = NULL;
        float value = 0;
        if (json)
            value = strtof(at, &end);
        else
            memcpy(&value, at, sizeof value);
        if (end == at || !(fabsf(value - work->values[i]) <= OF_SCALE * work->scale))
            fail(server, "value %zu is %g, not %g", i, (double)value, (double)work->values[i]);
        at = json ? end + 1 : at + sizeof value;
    }
    if (json && at[-1] != ']')
        fail(server, "more than %zu values", work->count);
}

/* ---- connections ---- */

static int dial(const struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(server->name)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail(server, "connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void open_connections(struct server *server, size_t n)
{
    server->epoll = epoll_create1(0);
    server->connections = allocate(n, sizeof *server->connections);
    for (size_t i = 0; i < n; i++) {
        struct connection *const c = &server->connections[i];
        c->fd = dial(server);
        usleep(DIAL_US);
        c->next = i;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, c->fd, &event);
    }
}

/* Sends what the socket takes. */
static void push(const struct server *server, struct connection *c)
{
    while (c->sent < c->work->request_len) {
        const ssize_t n =
            send(c->fd, c->work->request + c->sent, c->work->request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            fail(server, "send: %s", strerror(errno));
        c->sent += (size_t)n;
    }
}

static void begin(const struct server *server, struct connection *c)
{
    c->work = &server->works[c->next++ % server->works_len];
    c->sent = c->got = c->want = 0;
    c->start = now_us();
    push(server, c);
}

/* Sets `head` and `want`, where the body begins and ends, once the head is there. */
static void read_head(const struct server *server, struct connection *c)
{
    const char *const end = strstr(c->reply, "\r\n\r\n");
    if (!end)
        return;
    const char *const length = strcasestr(c->reply, "\r\nContent-Length:");
    if (strncmp(c->reply, "HTTP/1.1 200", 12) != 0 || !length || length > end)
        fail(server, "%.400s", c->reply);
    c->head = (size_t)(end + 4 - c->reply);
    c->want = c->head + strtoul(length + 17, NULL, 10);
}

/* Reads what there is; true when the reply is whole. */
static bool pull(const struct server *server, struct connection *c)
{
    while (c->want == 0 || c->got < c->want) {
        const ssize_t n = recv(c->fd, c->reply + c->got, MAX_REPLY - 1 - c->got, 0);
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n <= 0)
            fail(server, "recv: %s", n < 0 ? strerror(errno) : "closed, or a reply too long");
        c->got += (size_t)n;
        c->reply[c->got] = '\0';
        if (c->want == 0)
            read_head(server, c);
    }
    return true;
}

/* ---- turns ---- */

/* Returns the requests, their times in `times`. */
static size_t turn(struct server *server, size_t connections, double seconds)
{
    const double end = now_us() + 1e6 * seconds;
    size_t done = 0, busy = connections;
    for (size_t i = 0; i < connections; i++)
        begin(server, &server->connections[i]);
    while (busy > 0) {
        struct epoll_event events[64];
        const int n = epoll_wait(server->epoll, events, 64, STALL_MS);
        if (n <= 0)
            fail(server, "no reply within a minute");
        for (int i = 0; i < n; i++) {
            struct connection *const c = events[i].data.ptr;
            if (!c->work)
                continue;
            push(server, c);
            if (!pull(server, c))
                continue;
            const double now = now_us();
            times[done++] = now - c->start;
            check(server, c);
            c->work = NULL;
            if (now < end && done + busy < MAX_TURN)
                begin(server, c);
            else
                busy--;
        }
    }
    return done;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(int place, size_t n, double seconds)
{
    qsort(times, n, sizeof *times, compare);
    printf("%d %zu %.6f", place, n, seconds);
    for (size_t i = 0; i < 3; i++)
        printf(" %.1f", times[(size_t)((double[]){0.5, 0.99, 0.999}[i] * (double)(n - 1))]);
    putchar('\n');
}

int main(int argc, char **argv)
{
    bool usable = argc >= 5 && argc <= 4 + MAX_SERVERS;
    for (int i = 4; i < argc; i++)
        usable = usable && strchr(argv[i], '=');
    if (!usable) {
        fprintf(stderr, "usage: load CONNECTIONS TURN SECONDS PORT=FOLDER...\n");
        return 2;
    }
    const size_t connections = strtoul(argv[1], NULL, 10);
    const double turn_seconds = strtod(argv[2], NULL), seconds = strtod(argv[3], NULL);
    const int servers_len = argc - 4;
    for (int i = 0; i < servers_len; i++) {
        servers[i].name = argv[4 + i];
        read_works(&servers[i], strchr(argv[4 + i], '=') + 1);
        open_connections(&servers[i], connections);
    }
    const double end = now_us() + 1e6 * seconds * servers_len;
    for (size_t round = 0; round <= LEAST_ROUNDS || now_us() < end; round++) {
        for (int i = 0; i < servers_len; i++) {
            const double start = now_us();
            const size_t n = turn(&servers[i], connections, turn_seconds);
            if (round > 0)
                report(i, n, 1e-6 * (now_us() - start));
        }
    }
    return 0;
}
