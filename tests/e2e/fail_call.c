/*
 * Preloaded into the server by test_calls.py: makes system calls of the program and of its HTTP
 * library fail, or transfer one byte only.
 */
#include "tests/e2e/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* As test_calls.py numbers them. */
enum call { NONE, ACCEPT, RECV, SEND, POLL, EPOLL_WAIT, EPOLL_ADD, OPEN, READ, WRITE };

struct control {
    atomic_int_fast64_t call;  /* enum call */
    atomic_int_fast64_t error; /* 0: one byte is transferred */
    atomic_int_fast64_t every; /* each so manieth of these calls */
    atomic_int_fast64_t calls, hits;
};
static struct control unused;
static struct control *control = &unused;

static void __attribute__((constructor)) map_control(void)
{
    struct control *map = shim_map("FAIL_CALL", sizeof *map);
    if (map)
        control = map;
}

static bool is_hit(enum call call)
{
    if (atomic_load(&control->call) != call)
        return false;
    const int_fast64_t every = atomic_load(&control->every);
    if (atomic_fetch_add(&control->calls, 1) % every != every - 1)
        return false;
    atomic_fetch_add(&control->hits, 1);
    errno = (int)atomic_load(&control->error);
    return true;
}

/* Whether this one fails; `n`, if not NULL, is cut where it is to be short. */
static bool fails(enum call call, size_t *n)
{
    if (!is_hit(call))
        return false;
    if (errno == 0 && n && *n > 1)
        *n = 1;
    return errno != 0;
}

/* The function that the program would have called. */
#define REAL(name) ((__typeof__(&name))next(#name))
static void *next(const char *name)
{
    const int before = errno;
    void *const function = dlsym(RTLD_NEXT, name);
    errno = before;
    return function;
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    return fails(ACCEPT, NULL) ? -1 : REAL(accept4)(fd, address, len, flags);
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
    return fails(RECV, &n) ? -1 : REAL(recv)(fd, to, n, flags);
}

ssize_t send(int fd, const void *from, size_t n, int flags)
{
    return fails(SEND, &n) ? -1 : REAL(send)(fd, from, n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr part = *message;
    struct iovec first = {0};
    size_t n = 2; /* 1: cut */
    if (fails(SEND, &n))
        return -1;
    for (size_t i = 0; n == 1 && i < part.msg_iovlen; i++)
        if (part.msg_iov[i].iov_len > 0) {
            first = (struct iovec){part.msg_iov[i].iov_base, 1};
            part.msg_iov = &first;
            part.msg_iovlen = 1;
        }
    return REAL(sendmsg)(fd, &part, flags);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    return fails(POLL, NULL) ? -1 : REAL(poll)(fds, n, timeout);
}

int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    return fails(EPOLL_WAIT, NULL) ? -1 : REAL(epoll_wait)(fd, events, n, timeout);
}

/* Connections only: the library takes its own descriptors for granted. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    struct stat s;
    const bool counts = op == EPOLL_CTL_ADD && fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode);
    return counts && fails(EPOLL_ADD, NULL) ? -1 : REAL(epoll_ctl)(epoll, op, fd, event);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails(OPEN, NULL) ? -1 : REAL(open)(path, flags, mode);
}

/* Of files only. */
ssize_t read(int fd, void *to, size_t n)
{
    struct stat s;
    const bool counts = fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
    return counts && fails(READ, &n) ? -1 : REAL(read)(fd, to, n);
}

/* Of the log only. */
ssize_t write(int fd, const void *from, size_t n)
{
    return fd == STDERR_FILENO && fails(WRITE, &n) ? -1 : REAL(write)(fd, from, n);
}
