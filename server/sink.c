/* Two buffers: one is filled by who logs while the thread writes the other. */
#include "server/sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "server/clock.h"

#define ROOM (128 * 1024)
#define PATIENCE (SRV_SECOND / 2)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    char buffer[2][ROOM];
    int filling;
    size_t len; /* of what is in that one */
    bool has_thread, is_writing;
    atomic_uint_fast64_t dropped;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static void drop(void)
{
    atomic_fetch_add_explicit(&sink.dropped, 1, memory_order_relaxed);
}

/* A write of its own for each line: short ones into a pipe that others share stay whole. */
static void write_line(const char *line, size_t n)
{
    while (n > 0) {
        const ssize_t written = write(STDERR_FILENO, line, n);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&fd, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            drop();
            return;
        } else if (written > 0) {
            line += written;
            n -= (size_t)written;
        }
    }
}

static void write_lines(const char *lines, size_t n)
{
    const char *const end = lines + n;
    while (lines < end) {
        const char *const newline = memchr(lines, '\n', (size_t)(end - lines));
        const char *const next = newline ? newline + 1 : end;
        write_line(lines, (size_t)(next - lines));
        lines = next;
    }
}

/* Ends with the process. */
static void *write_for_ever(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&sink.lock);
    for (;;) {
        while (sink.len == 0)
            pthread_cond_wait(&sink.filled, &sink.lock);
        const char *const lines = sink.buffer[sink.filling];
        const size_t n = sink.len;
        sink.filling = !sink.filling;
        sink.len = 0;
        sink.is_writing = true;
        pthread_mutex_unlock(&sink.lock);
        write_lines(lines, n);
        pthread_mutex_lock(&sink.lock);
        sink.is_writing = false;
    }
    return NULL;
}

void srv_sink_start(void)
{
    pthread_t thread;
    pthread_mutex_lock(&sink.lock);
    sink.has_thread = pthread_create(&thread, NULL, write_for_ever, NULL) == 0;
    if (sink.has_thread)
        pthread_detach(thread);
    pthread_mutex_unlock(&sink.lock);
}

static bool all_written(void)
{
    pthread_mutex_lock(&sink.lock);
    const bool all = sink.len == 0 && !sink.is_writing;
    pthread_mutex_unlock(&sink.lock);
    return all;
}

void srv_sink_flush(void)
{
    const uint64_t until = srv_now() + PATIENCE;
    while (!all_written() && srv_now() < until)
        srv_sleep(SRV_MS);
}

void srv_sink_line(const char *line, size_t n)
{
    pthread_mutex_lock(&sink.lock);
    const bool has_thread = sink.has_thread;
    const bool fits = n <= ROOM - sink.len;
    if (has_thread && fits) {
        memcpy(sink.buffer[sink.filling] + sink.len, line, n);
        sink.len += n;
        pthread_cond_signal(&sink.filled);
    }
    pthread_mutex_unlock(&sink.lock);
    if (!has_thread)
        write_line(line, n);
    else if (!fits)
        drop();
}

uint64_t srv_sink_dropped(void)
{
    return atomic_load_explicit(&sink.dropped, memory_order_relaxed);
}
