#include "proto/powers.h"

/*
 * Every 27th power is in a table, rounded up; those between are multiplied by a power of five,
 * which fits 64 bits up to the 27th (after Jeon, "Dragonbox", 2020). The factor at most doubles the
 * table's error of 1, and rounding up again adds 1.
 */
enum { STEP = 27 };

static const struct rf_power tens[] = {
    {UINT64_C(0xeef453d6923bd65a), UINT64_C(0x113faa2906a13b40)},
    {UINT64_C(0xc1069cd4eabe89f8), UINT64_C(0x999ec0bb696e840b)},
    {UINT64_C(0x9becce62836ac577), UINT64_C(0x4ee367f9430aec33)},
    {UINT64_C(0xfbe9141915d7a922), UINT64_C(0x4bf1ff9f0062baa9)},
    {UINT64_C(0xcb7ddcdda26da268), UINT64_C(0xa9942f5dcf7dfd0a)},
    {UINT64_C(0xa46116538d0deb78), UINT64_C(0x52d9be85f074e609)},
    {UINT64_C(0x84c8d4dfd2c63f3b), UINT64_C(0x29ecd9f40041e074)},
    {UINT64_C(0xd686619ba27255a2), UINT64_C(0xc80a537b0efefebe)},
    {UINT64_C(0xad4ab7112eb3929d), UINT64_C(0x86c16c98d2c953c7)},
    {UINT64_C(0x8bfbea76c619ef36), UINT64_C(0x57eb4edb3c55b65b)},
    {UINT64_C(0xe2280b6c20dd5232), UINT64_C(0x25c6da63c38de1b1)},
    {UINT64_C(0xb6b00d69bb55c8d1), UINT64_C(0x3d607b97c5fd0d23)},
    {UINT64_C(0x9392ee8e921d5d07), UINT64_C(0x3aff322e62439fd0)},
    {UINT64_C(0xee6b280000000000), UINT64_C(0x0000000000000001)},
    {UINT64_C(0xc097ce7bc90715b3), UINT64_C(0x4b9f100000000001)},
    {UINT64_C(0x9b934c3b330c8577), UINT64_C(0x63cc55f49f88eb30)},
    {UINT64_C(0xfb5878494ace3a5f), UINT64_C(0x04ab48a04065c724)},
    {UINT64_C(0xcb090c8001ab551c), UINT64_C(0x5cadf5bfd3072cc6)},
    {UINT64_C(0xa402b9c5a8d3a6e7), UINT64_C(0x5f16206c9c6209a7)},
    {UINT64_C(0x847c9b5d7c2e09b7), UINT64_C(0x69956135febada12)},
    {UINT64_C(0xd60b3bd56a5586f1), UINT64_C(0x8a71e223d8d3b075)},
    {UINT64_C(0xace73cbfdc0bfb7b), UINT64_C(0x636cc64d1001550c)},
    {UINT64_C(0x8bab8eefb6409c1a), UINT64_C(0x1ad089b6c2f7548f)},
    {UINT64_C(0xe1a63853bbd26451), UINT64_C(0x5e7873f8a0396974)},
    {UINT64_C(0xb6472e511c81471d), UINT64_C(0xe0133fe4adf8e953)},
};
/* clang-format off */
static const uint64_t fives[STEP] = {
    1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125,
    9765625, 48828125, 244140625, 1220703125, 6103515625, 30517578125, 152587890625,
    762939453125, 3814697265625, 19073486328125, 95367431640625, 476837158203125,
    2384185791015625, 11920928955078125, 59604644775390625, 298023223876953125, 1490116119384765625,
};
/* clang-format on */

_Static_assert(RF_POWER_MIN + STEP * (int)(sizeof tens / sizeof *tens) == RF_POWER_MAX + 1,
               "the table ends where the range does");

struct rf_power rf_power_of_ten(int k)
{
    const int nth = (k - RF_POWER_MIN) / STEP, rest = (k - RF_POWER_MIN) % STEP;
    const struct rf_power from = tens[nth];
    if (rest == 0)
        return from;
    const int shift = rf_log2_of_power(k) - rf_log2_of_power(k - rest) - rest;
    const unsigned __int128 low = (unsigned __int128)from.low * fives[rest];
    const unsigned __int128 high = (unsigned __int128)from.high * fives[rest] + (low >> 64);
    const unsigned __int128 g = (high << (64 - shift) | (uint64_t)low >> shift) + 1;
    return (struct rf_power){.high = (uint64_t)(g >> 64), .low = (uint64_t)g};
}
