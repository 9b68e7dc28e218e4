/* `rectifier health`: asks a server whether it is ready; a container image needs no curl for it. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/cli.h"
#include "server/commands.h"

#define PATH "/v2/health/ready"
#define TIMEOUT_SECONDS 3

struct target {
    char host[256], port[8], path[256];
};

/* "http://host[:port][/path]"; false when it is none. */
static bool parse_url(struct target *t, const char *url)
{
    if (strncmp(url, "http://", 7) != 0)
        return false;
    const char *host = url + 7;
    const bool is_v6 = *host == '[';
    const char *end = is_v6 ? strchr(host, ']') : host + strcspn(host, ":/");
    if (!end)
        return false;
    snprintf(t->host, sizeof t->host, "%.*s", (int)(end - host - is_v6), host + is_v6);
    end += is_v6;
    snprintf(t->port, sizeof t->port, "80");
    if (*end == ':') {
        const size_t n = strspn(end + 1, "0123456789");
        snprintf(t->port, sizeof t->port, "%.*s", (int)n, end + 1);
        end += 1 + n;
    }
    if (*end != '\0' && *end != '/')
        return false;
    snprintf(t->path, sizeof t->path, "%s", strlen(end) > 1 ? end : PATH);
    return *t->host != '\0' && *t->port != '\0';
}

/* Where a server with these settings can be asked: a wildcard address listens on loopback, too. */
static void target_from_config(struct target *t, const struct srv_config *config)
{
    const char *host = config->host;
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    snprintf(t->host, sizeof t->host, "%s", host);
    snprintf(t->port, sizeof t->port, "%u", (unsigned)config->port);
    snprintf(t->path, sizeof t->path, "%s", PATH);
}

/* A connected socket with timeouts, or -1 with the reason in errno. */
static int connect_to(const struct target *t)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    const struct timeval patience = {.tv_sec = TIMEOUT_SECONDS};
    struct addrinfo *list = NULL;
    int fd = -1, why = EHOSTUNREACH;
    if (getaddrinfo(t->host, t->port, &hints, &list) == 0) {
        for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
            fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
            if (fd < 0)
                continue;
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
            if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
                continue;
            why = errno;
            close(fd);
            fd = -1;
        }
        freeaddrinfo(list);
    }
    errno = why;
    return fd;
}

/* The reply's status, or 0. */
static int ask(int fd, const struct target *t)
{
    char text[768];
    const bool is_v6 = strchr(t->host, ':') != NULL;
    const int len = snprintf(text, sizeof text,
                             "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n\r\n",
                             t->path, is_v6 ? "[" : "", t->host, is_v6 ? "]" : "", t->port);
    if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
        return 0;
    size_t n = 0;
    ssize_t got = 1;
    while (n < 12 && got > 0) {
        got = recv(fd, text + n, sizeof text - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
    }
    text[n] = '\0';
    int status = 0;
    return sscanf(text, "HTTP/1.%*1d %3d", &status) == 1 ? status : 0;
}

int srv_cmd_health(const struct srv_config *config)
{
    struct target t;
    if (config->args.n > 1)
        return srv_usage("health: expected at most one URL, got %zu arguments", config->args.n);
    if (config->args.n == 0)
        target_from_config(&t, config);
    else if (!parse_url(&t, config->args.item[0]))
        return srv_usage("health: expected http://HOST[:PORT], got '%.100s'", config->args.item[0]);
    const int fd = connect_to(&t);
    if (fd < 0)
        return srv_fail("health: %s port %s: %s", t.host, t.port, strerror(errno));
    const int status = ask(fd, &t);
    close(fd);
    if (status == 200)
        return SRV_EXIT_OK;
    return status ? srv_fail("health: not ready (%d)", status)
                  : srv_fail("health: %s port %s did not answer in %d s", t.host, t.port,
                             TIMEOUT_SECONDS);
}
