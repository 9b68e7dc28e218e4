/*
 * Preloaded into the server by test_clock.py: the date is wrong by as many seconds as the test
 * says. What measures time by it, or waits until a date, finds out. Time can be let pass, too.
 */
#include "tests/e2e/shim.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

struct control {
    atomic_int_fast64_t seconds; /* ahead of the clock */
    atomic_int_fast64_t reads;
    atomic_int_fast64_t later; /* seconds that seem to have passed */
};
static struct control unused;
static struct control *control = &unused;
static int (*get)(clockid_t clock, struct timespec *now);

static void __attribute__((constructor)) map_control(void)
{
    struct control *map = shim_map("JUMP_CLOCK", sizeof *map);
    if (map)
        control = map;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!get)
        get = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const int rc = get(clock, now);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += atomic_load(&control->seconds);
        atomic_fetch_add(&control->reads, 1);
    }
    if (rc == 0 && clock == CLOCK_MONOTONIC)
        now->tv_sec += atomic_load(&control->later);
    return rc;
}

static struct timespec date(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

time_t time(time_t *out)
{
    const time_t now = date().tv_sec;
    if (out)
        *out = now;
    return now;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    const struct timespec now = date();
    (void)zone;
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

int timespec_get(struct timespec *out, int base)
{
    *out = date();
    return base;
}
