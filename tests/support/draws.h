/*
 * Random numbers of check_numbers and check_numbers_print, from a seed.
 */
#ifndef RF_TESTS_DRAWS_H
#define RF_TESTS_DRAWS_H

#include <stdint.h>
#include <stdlib.h>

static uint64_t state;

/* `make campaign` multiplies the counts; sanitizers, which look for other faults than wrong digits,
 * see an eighth. */
static inline int rounds(int n)
{
    const char *const factor = getenv("RECTIFIER_CAMPAIGN");
    const int times = factor ? atoi(factor) : 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    n = (n + 7) / 8;
#endif
    return times > 1 ? n * times : n;
}

static inline uint64_t draw(void)
{
    uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
