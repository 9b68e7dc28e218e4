/* Monotonic time in nanoseconds: the only clock that decides anything. The time of day is shown. */
#ifndef SRV_CLOCK_H
#define SRV_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define SRV_MS UINT64_C(1000000)
#define SRV_SECOND UINT64_C(1000000000)

static inline uint64_t srv_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SRV_SECOND + (uint64_t)t.tv_nsec;
}

static inline struct timespec srv_timespec(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / SRV_SECOND), (long)(ns % SRV_SECOND)};
}

static inline void srv_sleep(uint64_t ns)
{
    const struct timespec t = srv_timespec(ns);
    nanosleep(&t, NULL);
}

/* A condition whose timed waits end by srv_now(). */
static inline void srv_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* Seconds since 1970. */
static inline double srv_time_of_day(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
