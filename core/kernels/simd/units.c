/* Which units fired, as masks, and when they last did, as an age each. */
#include "core/kernels/simd/table.h"

#define OLDEST 254 /* of those that fired at all */

typedef uint8_t bytes __attribute__((vector_size(RF_GROUP)));
typedef uint64_t halves __attribute__((vector_size(RF_GROUP)));

void RF_K(rf_units_add)(uint16_t *units, const uint16_t *mask, size_t n)
{
    size_t i = 0;

    for (; i + 2 * VW <= n; i += 2 * VW) {
        vu a, b;

        __builtin_memcpy(&a, units + i, sizeof(a));
        __builtin_memcpy(&b, mask + i, sizeof(b));
        a |= b;
        __builtin_memcpy(units + i, &a, sizeof(a));
    }
    for (; i < n; i++)
        units[i] = (uint16_t)(units[i] | mask[i]);
    v_leave();
}

/* All bits of a byte where the word's bit is set. */
RF_INLINE bytes spread(uint16_t word)
{
    const uint64_t each = 0x0101010101010101u;
    const halves both = {(word & 0xff) * each, (word >> 8) * each};
    const bytes bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

    return (bytes)(((bytes)both & bit) == bit);
}

RF_INLINE bytes load(const uint8_t *ages)
{
    bytes b;

    __builtin_memcpy(&b, ages, sizeof(b));
    return b;
}

void RF_K(rf_units_age)(uint8_t *ages, uint16_t *units, size_t n)
{
    const bytes one = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    for (size_t i = 0; i < n; i++, ages += RF_GROUP) {
        const bytes fired = spread(units[i]), age = load(ages);
        const bytes older = age - (bytes)(age < OLDEST); /* -1 where it holds */
        const bytes now = (fired & one) | (~fired & older);

        __builtin_memcpy(ages, &now, sizeof(now));
        units[i] = 0;
    }
}

size_t RF_K(rf_units_silent)(const uint8_t *ages, const uint16_t *units, size_t n, uint8_t age)
{
    size_t silent = 0;

    while (n) {
        const size_t some = n < 255 ? n : 255; /* what a byte can count */
        bytes counts = {0};

        for (size_t i = 0; i < some; i++, ages += RF_GROUP)
            counts -= (bytes)(load(ages) > age) & ~spread(units[i]);
        for (size_t i = 0; i < RF_GROUP; i++)
            silent += counts[i];
        units += some;
        n -= some;
    }
    return silent;
}
