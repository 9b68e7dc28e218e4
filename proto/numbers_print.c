/*
 * The shortest decimal that reads back the same, and of those the nearest: Giulietti, "The
 * Schubfach way to render doubles" (2021), as Bolz wrote it down for C++. A float goes the same way
 * as a double, its neighbours are only farther off.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/numbers.h"
#include "proto/powers.h"

/* value = digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* value = mantissa * 2^exponent; `closer`: the next smaller one is half as far as the next larger.
 */
struct binary {
    uint64_t mantissa;
    int exponent;
    bool closer;
};

/* floor(g * v / 2^128), with the lowest bit set when that cuts something off. */
static uint64_t multiply_to_odd(struct rf_power g, uint64_t v)
{
    const unsigned __int128 low = (unsigned __int128)g.low * v;
    const unsigned __int128 high = (unsigned __int128)g.high * v + (low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* 10^k <= the distance of b's neighbours, the shorter one, < 10^(k+1) */
static int power_below(struct binary b)
{
    return (b.exponent * 1262611 - (b.closer ? 524031 : 0)) >> 22;
}

static struct decimal schubfach(struct binary b)
{
    /* All is in quarters of 10^k. */
    const int k = power_below(b);
    const int shift = b.exponent + rf_log2_of_power(-k) + 1;
    const struct rf_power g = rf_power_of_ten(-k);
    const bool even = b.mantissa % 2 == 0; /* halfway cases are rounded to it */
    const uint64_t lower = multiply_to_odd(g, (4 * b.mantissa - 2 + b.closer) << shift) + !even;
    const uint64_t value = multiply_to_odd(g, 4 * b.mantissa << shift);
    const uint64_t upper = multiply_to_odd(g, (4 * b.mantissa + 2) << shift) - !even;

    /* At most one multiple of 10^(k+1) lies between the neighbours, else the nearest of 10^k. */
    const uint64_t ones = value / 4, tens = ones / 10;
    const bool tens_down = lower <= 40 * tens, tens_up = 40 * tens + 40 <= upper;
    const bool down = lower <= 4 * ones, up = 4 * ones + 4 <= upper;
    const uint64_t middle = 4 * ones + 2;
    const bool nearer_up = value > middle || (value == middle && ones % 2 == 1);
    const bool cut = ones >= 10 && tens_down != tens_up;
    const uint64_t digits_cut = tens + tens_up, digits_kept = ones + (down != up ? up : nearer_up);
    return (struct decimal){.digits = cut ? digits_cut : digits_kept, .exponent = k + cut};
}

/* 2^n, of a normal double */
static double power_of_two(int n)
{
    const uint64_t bits = (uint64_t)(n + 1023) << 52;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/*
 * The same for a float, in doubles of 10^k: false where rounding errors could matter. At most 28
 * bits stand before the point, which leaves errors of 2^-23: far below `error`.
 */
static bool quickly(struct binary b, double v, struct decimal *d)
{
    enum { FARTHEST = 22 };
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    static const double error = 1e-5;
    const int k = power_below(b);
    if (k > 0 || k < -FARTHEST || b.closer)
        return false;
    const double value = v * power[-k], half = power_of_two(b.exponent - 1) * power[-k];
    const int64_t ones = (int64_t)value, tens = ones / 10;
    const double below = value - (double)(10 * tens), above = 10 - below;
    const double down = value - (double)ones;
    if (fabs(below - half) < error || fabs(above - half) < error || fabs(down - 0.5) < error)
        return false;
    /* chosen without a branch: nobody could predict it */
    const bool cut_down = below < half, cut = cut_down | (above < half);
    const int64_t kept = ones + (down > 0.5);
    d->digits = (uint64_t)(kept + (tens + !cut_down - kept) * cut);
    d->exponent = k + cut;
    return true;
}

static struct decimal shortest(struct binary b, double v)
{
    struct decimal d = {.digits = 0};
    if (b.exponent <= 0 && b.exponent > -64 && !(b.mantissa & ((UINT64_C(1) << -b.exponent) - 1)))
        d.digits = b.mantissa >> -b.exponent; /* a small whole number */
    else if (b.mantissa >> 24 || !quickly(b, v, &d))
        d = schubfach(b);
    return d;
}

/* The digits of v < 10^8, leading zeros included: halves, then quarters, then eighths are taken
 * apart side by side; the constants are the inverses of 100 and 10. */
static void print_eight(char *to, uint32_t v)
{
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    const uint64_t hundreds = x * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
    x = hundreds | (x - hundreds * 100) << 16;
    const uint64_t tens = x * 103 >> 10 & UINT64_C(0x000f000f000f000f);
    x = (tens | (x - tens * 10) << 8) + UINT64_C(0x3030303030303030);
    memcpy(to, &x, sizeof x);
}

static int count_digits(uint64_t v)
{
    /* clang-format off */
    static const uint64_t power[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
        100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
        10000000000000000, 100000000000000000, 1000000000000000000, UINT64_C(10000000000000000000)};
    /* clang-format on */
    const int near = (64 - __builtin_clzll(v | 1)) * 1233 >> 12; /* log10(2) */
    return near + (near < 20 && v >= power[near]) + (v == 0);
}

/* Digits between zeros: whole words may be copied, and a point be put anywhere. */
struct padded {
    char text[64];
    const char *first;
    int n;
};

/* clang-format off */
#define PADDED_INIT {.text = "000000000000000000000000000000000000000000000000000000000000000"}
/* clang-format on */

enum { ZEROS = 4, MOST_DIGITS = 17, WORDS = 24 };

static void pad(struct padded *p, uint64_t digits)
{
    const uint64_t high = digits / 100000000;
    print_eight(p->text + ZEROS + 9, (uint32_t)(digits % 100000000));
    p->text[ZEROS + 8] = (char)('0' + high);
    if (high >= 10) {
        print_eight(p->text + ZEROS + 1, (uint32_t)(high % 100000000));
        p->text[ZEROS] = (char)('0' + high / 100000000);
    }
    p->n = count_digits(digits);
    p->first = p->text + ZEROS + MOST_DIGITS - p->n;
}

static char *print_exponent(char *to, int exponent)
{
    const unsigned v = (unsigned)abs(exponent);
    *to++ = 'e';
    if (exponent < 0)
        *to++ = '-';
    if (v >= 100)
        *to++ = (char)('0' + v / 100);
    if (v >= 10)
        *to++ = (char)('0' + v / 10 % 10);
    *to++ = (char)('0' + v % 10);
    return to;
}

/* Like Python's repr: "0.0001" and "1000000000000000.0" are written out, what is smaller or larger
 * has an exponent. Always a real number: readers keep the type. */
static char *print_decimal(char *to, struct decimal d)
{
    struct padded p = PADDED_INIT;
    if (d.exponent)
        for (; d.digits % 10 == 0; d.exponent++)
            d.digits /= 10;
    pad(&p, d.digits);
    const int point = p.n + d.exponent; /* digits before the point, if written out */
    const bool out = point <= 16 && point > -ZEROS;
    const int leading = out * (point < 1) * (1 - point), before = out ? point + leading : 1;
    const int n = p.n + leading;
    memcpy(to, p.first - leading, WORDS);
    to[before] = '.';
    memcpy(to + before + 1, p.first - leading + before, WORDS);
    if (out)
        return to + (n > before ? n : before + 1) + 1;
    return print_exponent(to + (n > 1 ? n + 1 : 1), point - 1);
}

static size_t print(char out[RF_NUMBER_TEXT], bool negative, struct binary b, double v)
{
    *out = '-';
    char *const end = print_decimal(out + negative, shortest(b, v));
    *end = '\0';
    return (size_t)(end - out);
}

size_t rf_number_print_u64(char out[RF_NUMBER_TEXT], uint64_t v)
{
    struct padded low = PADDED_INIT;
    char *to = out;
    const uint64_t high = v / UINT64_C(100000000000000000);
    pad(&low, v % UINT64_C(100000000000000000));
    if (high) {
        to += rf_number_print_u64(out, high);
        low.first = low.text + ZEROS;
        low.n = MOST_DIGITS;
    }
    memcpy(to, low.first, WORDS);
    to[low.n] = '\0';
    return (size_t)(to - out + low.n);
}

static size_t print_nonfinite(char out[RF_NUMBER_TEXT], double v)
{
    const char *const text = isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
    const size_t n = strlen(text);
    memcpy(out, text, n + 1);
    return n;
}

/* Of fields of IEEE 754: `fraction` has `bits` bits, `exponent` is as stored. */
static struct binary from_fields(uint64_t fraction, int bits, int exponent, int bias)
{
    if (exponent == 0)
        return (struct binary){.mantissa = fraction, .exponent = fraction ? 1 - bias - bits : 0};
    return (struct binary){.mantissa = fraction | UINT64_C(1) << bits,
                           .exponent = exponent - bias - bits,
                           .closer = fraction == 0 && exponent > 1};
}

size_t rf_number_print_f32(char out[RF_NUMBER_TEXT], float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (!isfinite(v))
        return print_nonfinite(out, (double)v);
    return print(out, bits >> 31, from_fields(bits & 0x7fffff, 23, bits >> 23 & 0xff, 127),
                 fabs((double)v));
}

size_t rf_number_print_f64(char out[RF_NUMBER_TEXT], double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (!isfinite(v))
        return print_nonfinite(out, v);
    return print(out, bits >> 63,
                 from_fields(bits & UINT64_C(0xfffffffffffff), 52, (int)(bits >> 52 & 0x7ff), 1023),
                 fabs(v));
}
