/* Monotonic time in nanoseconds: the only clock that decides anything. */
#ifndef SRV_CLOCK_H
#define SRV_CLOCK_H

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

static inline void srv_sleep(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / SRV_SECOND), (long)(ns % SRV_SECOND)};
    nanosleep(&t, NULL);
}

#endif
