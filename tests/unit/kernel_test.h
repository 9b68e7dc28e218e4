/* What the tests of kernels share: random values, guard words and pages, a case an instruction set.
 */
#ifndef TESTS_UNIT_KERNEL_TEST_H
#define TESTS_UNIT_KERNEL_TEST_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"

#define MAX_CHANNELS 67
#define GUARD 0x7fc5a5a5u /* as a float: a NaN of its own */
#define GUARDS 32

/* For loops over values: unlike ck_assert, no system call where it holds. */
#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

static uint64_t rng_state = 42;

static inline uint32_t random_bits(void)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng_state >> 32);
}

static inline float random_in(float low, float high)
{
    return low + (high - low) * (float)(random_bits() >> 8) * 0x1p-24f;
}

static inline void *guarded(size_t bytes, size_t guard_bytes)
{
    unsigned char *const p = malloc(bytes + 2 * guard_bytes);

    EXPECT(p, "out of memory");
    return p;
}

static inline void fill_guards(float *p, size_t n)
{
    const uint32_t guard = GUARD;

    for (size_t i = 0; i < n; i++)
        memcpy(p + i, &guard, sizeof(guard));
}

static inline bool is_guard(const float *p)
{
    const uint32_t guard = GUARD;

    return memcmp(p, &guard, sizeof(guard)) == 0;
}

/* The table of a loop test's case, or NULL where the processor lacks it. */
static inline const struct rf_kernels *table_of(int i)
{
    return rf_kernels_for((enum rf_isa)(i % RF_N_ISA));
}

/* A test with `cases` cases. */
static inline void add(Suite *s, const char *name, const TTest *test, int cases)
{
    TCase *const t = tcase_create(name);

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test, 0, cases);
    suite_add_tcase(s, t);
}

#endif
