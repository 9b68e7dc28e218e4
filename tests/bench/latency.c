/*
 * `latency PORT PORT REQUEST SECONDS`: sends the bytes of the file REQUEST over one connection to
 * each port in turn, 200 times, waits for each reply to come whole, and prints the median, 10th
 * and 90th percentile in microseconds for either port, and the median ratio of neighbouring turns.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURN 200
#define MAX_TURNS 4096

static char request[1 << 20], reply[1 << 20];
static size_t request_len;
static double times[2][MAX_TURNS * TURN], ratios[MAX_TURNS];

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Reads one reply; its length is in its Content-Length. */
static void read_reply(int fd)
{
    size_t len = 0, want = sizeof reply - 1;
    while (len < want) {
        const ssize_t n = recv(fd, reply + len, sizeof reply - 1 - len, 0);
        if (n <= 0)
            fail("recv");
        len += (size_t)n;
        reply[len] = '\0';
        const char *const end = strstr(reply, "\r\n\r\n");
        const char *const length = end ? strcasestr(reply, "\r\nContent-Length:") : NULL;
        if (length)
            want = (size_t)(end + 4 - reply) + strtoul(length + 17, NULL, 10);
    }
    if (strncmp(reply, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "%.*s\n", 200, reply);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double percentile(double *values, size_t n, double p)
{
    qsort(values, n, sizeof *values, compare);
    return values[(size_t)(p * (double)(n - 1))];
}

static double turn(int fd, double *to)
{
    double sorted[TURN];
    for (int i = 0; i < TURN; i++) {
        const double start = now_us();
        if (send(fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
            fail("send");
        read_reply(fd);
        sorted[i] = to[i] = now_us() - start;
    }
    return percentile(sorted, TURN, 0.5);
}

int main(int argc, char **argv)
{
    size_t n = 0;
    if (argc != 5) {
        fprintf(stderr, "usage: latency PORT PORT REQUEST SECONDS\n");
        return 2;
    }
    FILE *const file = fopen(argv[3], "rb");
    if (!file)
        fail(argv[3]);
    request_len = fread(request, 1, sizeof request, file);
    fclose(file);
    const int fds[2] = {dial(argv[1]), dial(argv[2])};
    const double end = now_us() + 1e6 * atof(argv[4]);
    for (; n < MAX_TURNS && (n < 3 || now_us() < end); n++) {
        const double first = turn(fds[0], times[0] + n * TURN);
        ratios[n] = first / turn(fds[1], times[1] + n * TURN);
    }
    for (int k = 0; k < 2; k++)
        printf("%.1f %.1f %.1f\n", percentile(times[k], n * TURN, 0.5),
               percentile(times[k], n * TURN, 0.1), percentile(times[k], n * TURN, 0.9));
    printf("%.3f\n", percentile(ratios, n, 0.5));
    return 0;
}
