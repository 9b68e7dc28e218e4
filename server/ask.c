#include "server/ask.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LONGEST_HEAD 16384

bool srv_url_parse(struct srv_url *url, const char *text)
{
    if (strncmp(text, "http://", 7) != 0)
        return false;
    const char *host = text + 7;
    const bool is_v6 = *host == '[';
    const char *end = is_v6 ? strchr(host, ']') : host + strcspn(host, ":/");
    if (!end)
        return false;
    snprintf(url->host, sizeof url->host, "%.*s", (int)(end - host - is_v6), host + is_v6);
    end += is_v6;
    snprintf(url->port, sizeof url->port, "80");
    if (*end == ':') {
        const size_t n = strspn(end + 1, "0123456789");
        snprintf(url->port, sizeof url->port, "%.*s", (int)n, end + 1);
        end += 1 + n;
    }
    if ((*end != '\0' && *end != '/') || strlen(end) >= sizeof url->path)
        return false;
    snprintf(url->path, sizeof url->path, "%s", end);
    return *url->host != '\0' && *url->port != '\0';
}

int srv_url_connect(const struct srv_url *url, int timeout_seconds)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    const struct timeval patience = {.tv_sec = timeout_seconds};
    struct addrinfo *list = NULL;
    int fd = -1, why = EHOSTUNREACH;
    if (getaddrinfo(url->host, url->port, &hints, &list) == 0) {
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

/* HTTP/1.0, whose replies come in one piece and end with the connection. */
static bool send_request(int fd, const struct srv_url *url)
{
    char text[2048];
    const bool is_v6 = strchr(url->host, ':') != NULL;
    const int len = snprintf(text, sizeof text,
                             "GET %s HTTP/1.0\r\nHost: %s%s%s:%s\r\nConnection: close\r\n\r\n",
                             url->path, is_v6 ? "[" : "", url->host, is_v6 ? "]" : "", url->port);
    return send(fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

/* More of the reply; false at its end. */
static bool receive(int fd, struct rf_buf *reply)
{
    char *to = rf_buf_reserve(reply, 65536);
    const ssize_t got = to ? recv(fd, to, 65536, 0) : -1;
    reply->len += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Bytes of the status line and headers with the empty line behind them; 0: not all there. */
static size_t head_length(const struct rf_buf *reply)
{
    const size_t n = reply->len < LONGEST_HEAD ? reply->len : LONGEST_HEAD;
    const char *end = n ? memmem(reply->data, n, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - reply->data) + 4 : 0;
}

/* What Content-Length says in a head of n bytes, which end in an empty line; else SIZE_MAX. */
static size_t body_length(const char *head, size_t n)
{
    const char *const end = head + n;
    for (const char *line = memmem(head, n, "\r\n", 2); line && end - line > 17;
         line = memmem(line + 2, (size_t)(end - line - 2), "\r\n", 2))
        if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
            return (size_t)strtoull(line + 17, NULL, 10);
    return SIZE_MAX;
}

static int take_reply(const struct rf_buf *reply, struct rf_buf *body)
{
    char first[16];
    int status = 0;
    const size_t n = head_length(reply);
    snprintf(first, sizeof first, "%.*s", (int)(reply->len < 15 ? reply->len : 15),
             reply->data ? reply->data : "");
    if (sscanf(first, "HTTP/1.%*1d %3d", &status) != 1 || !body)
        return status;
    const size_t want = n ? body_length(reply->data, n) : 0;
    if (n == 0 || reply->status || (want != SIZE_MAX && want != reply->len - n))
        return 0;
    rf_buf_add(body, reply->data + n, reply->len - n);
    return body->status ? 0 : status;
}

int srv_url_get(int fd, const struct srv_url *url, struct rf_buf *body)
{
    struct rf_buf reply;
    if (!send_request(fd, url))
        return 0;
    rf_buf_init(&reply, body ? body->limit : LONGEST_HEAD + 65536);
    while ((body || reply.len < 12) && receive(fd, &reply))
        ;
    const int status = take_reply(&reply, body);
    rf_buf_release(&reply);
    return status;
}
