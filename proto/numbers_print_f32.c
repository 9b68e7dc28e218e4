/*
 * Floats, many at a time. Each step is done for all of them before the next, and no branch depends
 * on usual numbers, so that the processor has several at hand at once.
 */
#include <math.h>
#include <string.h>

#include "proto/numbers.h"
#include "proto/numbers_print.h"
#include "proto/powers.h"

typedef uint64_t word_pair __attribute__((vector_size(16), aligned(1), may_alias));

enum { DIGITS = 9 };

/* On its way to a text. */
struct number {
    uint64_t text[3]; /* from the second on: nine digits, the first not 0 unless all are, zeros */
    int point, n;     /* digits before the point; digits without zeros at the end */
};

/* ---- the shortest decimal ---- */

/* floor(g * v / 2^64), with the lowest bit set when that cuts something off. */
static uint32_t multiply_to_odd(uint64_t g, uint32_t v)
{
    const unsigned __int128 product = (unsigned __int128)g * v;
    return (uint32_t)(product >> 64) | ((uint32_t)(product >> 32) > 1);
}

/* Of any finite number but 0. Seven digits at least. */
static __attribute__((noinline)) struct rf_decimal exactly(uint32_t fraction, int exponent)
{
    const struct rf_binary b = rf_binary_of(fraction, 23, exponent, 127);
    const int k = rf_power_below(b);
    const int shift = b.exponent + rf_log2_of_power(-k) + 1;
    const uint64_t g = rf_float_power_of_ten(-k);
    const uint32_t mantissa = (uint32_t)b.mantissa;
    const uint32_t odd = mantissa % 2; /* halfway cases are rounded to even */
    struct rf_decimal d =
        rf_decimal_between(multiply_to_odd(g, (4 * mantissa - 2 + b.closer) << shift) + odd,
                           multiply_to_odd(g, 4 * mantissa << shift),
                           multiply_to_odd(g, (4 * mantissa + 2) << shift) - odd, k);
    for (; d.digits < 1000000; d.exponent--)
        d.digits *= 10;
    return d;
}

/* 1 if a and b, fractions of 2^64, are too close to tell which is larger, else 0. */
static unsigned near(uint64_t a, uint64_t b)
{
    static const uint64_t error = UINT64_C(1) << 28;
    return a - b + error < 2 * error;
}

/* The same of mantissa * 2^exponent whose neighbours are equally far, in tens of 10^k: how many,
 * and the rest in 64 bits. False where the errors of these, up to 2^24, could matter. */
static bool quickly(uint32_t mantissa, int exponent, struct rf_decimal *d)
{
    const int k = rf_power_below((struct rf_binary){.exponent = exponent});
    const uint64_t distance =
        rf_float_power_of_ten(-k - 1) >> -(exponent + rf_log2_of_power(-k - 1) + 1);
    const unsigned __int128 value = (unsigned __int128)distance * mantissa;
    const uint64_t tens = (uint64_t)(value >> 64), rest = (uint64_t)value, half = distance / 2;
    const uint64_t ones = rest / 16 * 10 + (UINT64_C(1) << 59); /* of 2^60, to be rounded */
    const bool up = ~rest < half, cut = up | (rest < half);
    const uint64_t kept = ones >> 60;
    d->digits = tens * 10 + kept + (10 * up - kept) * cut;
    d->exponent = k;
    return !(near(rest, half) | near(~rest, half) | near(ones << 4, 0));
}

/* ---- its digits ---- */

/* Adding 2^23 leaves a whole number in the fraction, if there is nothing else. */
static bool is_small_whole(float magnitude, uint32_t *whole)
{
    static const float most = 8388608;
    const float sum = magnitude + most;
    uint32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    *whole = bits & 0x7fffff;
    return (magnitude < most) & (sum - most == magnitude);
}

static const uint32_t power[] = {1,      10,      100,      1000,      10000,
                                 100000, 1000000, 10000000, 100000000, 1000000000};

static int count_digits(uint32_t v)
{
    const int most = (32 - __builtin_clz(v | 1)) * 1233 >> 12; /* log10(2) */
    return most + ((v | 1) >= power[most]);
}

/* Of seven to nine. */
static int count_of_many(uint32_t v)
{
    return 7 + (v >= power[7]) + (v >= power[8]);
}

/* `count` digits, the last of which stands for 10^exponent. */
static void print_digits(struct number *to, uint32_t digits, int count, int exponent)
{
    static const uint64_t zeros = UINT64_C(0x3030303030303030);
    digits *= power[DIGITS - count];
    const uint64_t eight = rf_eight_digits(digits / 10), ninth = digits % 10;
    const int n = (63 - __builtin_clzll(eight | 1)) / 8 + 1;
    to->text[0] = 0;
    to->text[1] = eight | zeros;
    to->text[2] = ninth | zeros;
    to->point = count + exponent;
    to->n = n + (DIGITS - n) * (ninth != 0);
}

static void make_number(struct number *to, float v)
{
    uint32_t bits, digits;
    struct rf_decimal d;
    memcpy(&bits, &v, sizeof bits);
    const uint32_t fraction = bits & 0x7fffff;
    const int exponent = bits >> 23 & 0xff;
    if (is_small_whole(fabsf(v), &digits)) { /* also 0 */
        print_digits(to, digits, count_digits(digits), 0);
        return;
    }
    if (fraction == 0 || exponent == 0 || !quickly(fraction | 0x800000, exponent - 150, &d))
        d = exactly(fraction, exponent);
    digits = (uint32_t)d.digits;
    print_digits(to, digits, count_of_many(digits), d.exponent);
}

/* ---- its layout ---- */

/* Like Python's repr: "0.0001" and "1000000000000000.0" are written out, what is smaller or larger
 * has an exponent. Always a real number: readers keep the type. */
struct layout {
    unsigned char first, dot; /* where the digits begin, and where the point is */
    unsigned char mask;       /* in is_before: of the characters in front of it */
    unsigned char more;       /* characters that are not counted in n */
    unsigned char least;      /* of all characters: ".0" is there */
};

static const unsigned char is_before[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                            255, 255, 255, 255, 255, 255, 255, 255};

#define BEHIND(zeros)                                                                              \
    {                                                                                              \
        .first = zeros + 2, .dot = 1, .more = zeros + 2                                            \
    }
#define AFTER(n)                                                                                   \
    {                                                                                              \
        .dot = n, .mask = 16 - n, .more = 1, .least = n + 2                                        \
    }
enum { FIRST_POINT = -3, LAYOUTS = 20 };
static const struct layout layouts[LAYOUTS] = {
    BEHIND(3), BEHIND(2), BEHIND(1), BEHIND(0), AFTER(1),  AFTER(2),  AFTER(3),
    AFTER(4),  AFTER(5),  AFTER(6),  AFTER(7),  AFTER(8),  AFTER(9),  AFTER(10),
    AFTER(11), AFTER(12), AFTER(13), AFTER(14), AFTER(15), AFTER(16),
};

/* Whole words: what is written past the end is overwritten by what follows. */
static char *lay_out(char *to, const struct number *number)
{
    const bool out = (unsigned)(number->point - FIRST_POINT) < LAYOUTS;
    const struct layout *const l = &layouts[(out ? number->point : 1) - FIRST_POINT];
    const word_pair mask = *(const word_pair *)(is_before + l->mask);
    /* Digits behind the point move up by one: they are read from one place lower. */
    const char *const digits = (const char *)&number->text[1];
    const word_pair before = *(const word_pair *)digits, behind = *(const word_pair *)(digits - 1);
    memset(to, '0', 8);
    *(word_pair *)(to + l->first) = (before & mask) | (behind & ~mask);
    memset(to + l->first + 16, '0', 8);
    to[l->dot] = '.';
    const int end = number->n + l->more;
    if (!out)
        return rf_print_exponent(to + (number->n > 1 ? end : 1), number->point - 1);
    return to + (end > l->least ? end : l->least);
}

size_t rf_numbers_print_f32(char *out, const float *v, size_t n)
{
    struct number numbers[RF_NUMBERS_AT_ONCE] __attribute__((uninitialized));
    char *to = out;
    for (size_t i = 0; i < n; i++)
        make_number(&numbers[i], v[i]);
    for (size_t i = 0; i < n; i++) {
        *to = '-';
        if (isfinite(v[i]))
            to = lay_out(to + (signbit(v[i]) != 0), &numbers[i]);
        else
            to += rf_print_nonfinite(to, (double)v[i]);
        *to++ = ',';
    }
    return (size_t)(to - out) - 1;
}

size_t rf_number_print_f32(char out[RF_NUMBER_TEXT], float v)
{
    const size_t n = rf_numbers_print_f32(out, &v, 1);
    out[n] = '\0';
    return n;
}
