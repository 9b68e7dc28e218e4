/*
 * The shortest decimal that reads back the same, and of those the nearest: Giulietti, "The
 * Schubfach way to render doubles" (2021), as Bolz wrote it down for C++. What floats and doubles
 * have in common, which is all but the width of their products and of their digits.
 */
#ifndef RF_PROTO_NUMBERS_PRINT_H
#define RF_PROTO_NUMBERS_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* value = digits * 10^exponent */
struct rf_decimal {
    uint64_t digits;
    int exponent;
};

/* value = mantissa * 2^exponent; `closer`: the next smaller one is half as far as the next larger.
 */
struct rf_binary {
    uint64_t mantissa;
    int exponent;
    bool closer;
};

/* Of fields of IEEE 754: `fraction` has `bits` bits, `exponent` is as stored. */
static inline struct rf_binary rf_binary_of(uint64_t fraction, int bits, int exponent, int bias)
{
    if (exponent == 0)
        return (struct rf_binary){.mantissa = fraction, .exponent = fraction ? 1 - bias - bits : 0};
    return (struct rf_binary){.mantissa = fraction | UINT64_C(1) << bits,
                              .exponent = exponent - bias - bits,
                              .closer = fraction == 0 && exponent > 1};
}

/* 10^k <= the distance of b's neighbours, the shorter one, < 10^(k+1) */
static inline int rf_power_below(struct rf_binary b)
{
    return (b.exponent * 1262611 - (b.closer ? 524031 : 0)) >> 22;
}

/* In quarters of 10^k: a number, and the least and the largest that are read as it. At most one
 * multiple of 10^(k+1) lies between those, else the nearest of 10^k is it. Chosen without a branch:
 * nobody could predict it. */
static inline struct rf_decimal rf_decimal_between(uint64_t lower, uint64_t value, uint64_t upper,
                                                   int k)
{
    const uint64_t ones = value / 4, tens = ones / 10, middle = 4 * ones + 2;
    const bool tens_down = lower <= 40 * tens, tens_up = 40 * tens + 40 <= upper;
    const bool down = lower <= 4 * ones, up = 4 * ones + 4 <= upper;
    const bool nearer_up = (value > middle) | ((value == middle) & (ones % 2));
    const bool cut = (ones >= 10) & (tens_down != tens_up), one_side = down != up;
    const uint64_t kept = ones + ((one_side & up) | (!one_side & nearer_up));
    return (struct rf_decimal){.digits = kept + (tens + tens_up - kept) * cut, .exponent = k + cut};
}

/* The digits of v < 10^8, leading zeros included, as numbers, the first one in the lowest byte:
 * halves, then quarters, then eighths are taken apart side by side; the constants are the inverses
 * of 100 and 10. */
static inline uint64_t rf_eight_digits(uint32_t v)
{
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    const uint64_t hundreds = x * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
    x = hundreds | (x - hundreds * 100) << 16;
    const uint64_t tens = x * 103 >> 10 & UINT64_C(0x000f000f000f000f);
    return tens | (x - tens * 10) << 8;
}

/* NaN and infinities; returns the bytes written, terminator left out. */
size_t rf_print_nonfinite(char *to, double v);
/* "e-5"; returns its end. */
char *rf_print_exponent(char *to, int exponent);

#endif
