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

const uint64_t rf_float_powers[] = {
    UINT64_C(0xcfb11ead453994bb), UINT64_C(0x81ceb32c4b43fcf5), UINT64_C(0xa2425ff75e14fc32),
    UINT64_C(0xcad2f7f5359a3b3f), UINT64_C(0xfd87b5f28300ca0e), UINT64_C(0x9e74d1b791e07e49),
    UINT64_C(0xc612062576589ddb), UINT64_C(0xf79687aed3eec552), UINT64_C(0x9abe14cd44753b53),
    UINT64_C(0xc16d9a0095928a28), UINT64_C(0xf1c90080baf72cb2), UINT64_C(0x971da05074da7bef),
    UINT64_C(0xbce5086492111aeb), UINT64_C(0xec1e4a7db69561a6), UINT64_C(0x9392ee8e921d5d08),
    UINT64_C(0xb877aa3236a4b44a), UINT64_C(0xe69594bec44de15c), UINT64_C(0x901d7cf73ab0acda),
    UINT64_C(0xb424dc35095cd810), UINT64_C(0xe12e13424bb40e14), UINT64_C(0x8cbccc096f5088cc),
    UINT64_C(0xafebff0bcb24aaff), UINT64_C(0xdbe6fecebdedd5bf), UINT64_C(0x89705f4136b4a598),
    UINT64_C(0xabcc77118461cefd), UINT64_C(0xd6bf94d5e57a42bd), UINT64_C(0x8637bd05af6c69b6),
    UINT64_C(0xa7c5ac471b478424), UINT64_C(0xd1b71758e219652c), UINT64_C(0x83126e978d4fdf3c),
    UINT64_C(0xa3d70a3d70a3d70b), UINT64_C(0xcccccccccccccccd), UINT64_C(0x8000000000000001),
    UINT64_C(0xa000000000000001), UINT64_C(0xc800000000000001), UINT64_C(0xfa00000000000001),
    UINT64_C(0x9c40000000000001), UINT64_C(0xc350000000000001), UINT64_C(0xf424000000000001),
    UINT64_C(0x9896800000000001), UINT64_C(0xbebc200000000001), UINT64_C(0xee6b280000000001),
    UINT64_C(0x9502f90000000001), UINT64_C(0xba43b74000000001), UINT64_C(0xe8d4a51000000001),
    UINT64_C(0x9184e72a00000001), UINT64_C(0xb5e620f480000001), UINT64_C(0xe35fa931a0000001),
    UINT64_C(0x8e1bc9bf04000001), UINT64_C(0xb1a2bc2ec5000001), UINT64_C(0xde0b6b3a76400001),
    UINT64_C(0x8ac7230489e80001), UINT64_C(0xad78ebc5ac620001), UINT64_C(0xd8d726b7177a8001),
    UINT64_C(0x878678326eac9001), UINT64_C(0xa968163f0a57b401), UINT64_C(0xd3c21bcecceda101),
    UINT64_C(0x84595161401484a1), UINT64_C(0xa56fa5b99019a5c9), UINT64_C(0xcecb8f27f4200f3b),
    UINT64_C(0x813f3978f8940985), UINT64_C(0xa18f07d736b90be6), UINT64_C(0xc9f2c9cd04674edf),
    UINT64_C(0xfc6f7c4045812297), UINT64_C(0x9dc5ada82b70b59e), UINT64_C(0xc5371912364ce306),
    UINT64_C(0xf684df56c3e01bc7), UINT64_C(0x9a130b963a6c115d), UINT64_C(0xc097ce7bc90715b4),
    UINT64_C(0xf0bdc21abb48db21), UINT64_C(0x96769950b50d88f5), UINT64_C(0xbc143fa4e250eb32),
    UINT64_C(0xeb194f8e1ae525fe), UINT64_C(0x92efd1b8d0cf37bf), UINT64_C(0xb7abc627050305ae),
    UINT64_C(0xe596b7b0c643c71a), UINT64_C(0x8f7e32ce7bea5c70), UINT64_C(0xb35dbf821ae4f38c),
};
