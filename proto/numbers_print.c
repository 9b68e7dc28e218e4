/*
 * Doubles and integers, and what is rare of all numbers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/numbers.h"
#include "proto/numbers_print.h"
#include "proto/powers.h"

/* floor(g * v / 2^128), with the lowest bit set when that cuts something off. */
static uint64_t multiply_to_odd(struct rf_power g, uint64_t v)
{
    const unsigned __int128 low = (unsigned __int128)g.low * v;
    const unsigned __int128 high = (unsigned __int128)g.high * v + (low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static struct rf_decimal shortest(struct rf_binary b)
{
    if (b.exponent <= 0 && b.exponent > -64 && !(b.mantissa & ((UINT64_C(1) << -b.exponent) - 1)))
        return (struct rf_decimal){.digits = b.mantissa >> -b.exponent}; /* a small whole number */
    const int k = rf_power_below(b);
    const int shift = b.exponent + rf_log2_of_power(-k) + 1;
    const struct rf_power g = rf_power_of_ten(-k);
    const bool odd = b.mantissa % 2; /* halfway cases are rounded to even */
    return rf_decimal_between(multiply_to_odd(g, (4 * b.mantissa - 2 + b.closer) << shift) + odd,
                              multiply_to_odd(g, 4 * b.mantissa << shift),
                              multiply_to_odd(g, (4 * b.mantissa + 2) << shift) - odd, k);
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

static void print_eight(char *to, uint32_t v)
{
    const uint64_t text = rf_eight_digits(v) | UINT64_C(0x3030303030303030);
    memcpy(to, &text, sizeof text);
}

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

char *rf_print_exponent(char *to, int exponent)
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
static char *print_decimal(char *to, struct rf_decimal d)
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
    return rf_print_exponent(to + (n > 1 ? n + 1 : 1), point - 1);
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

size_t rf_print_nonfinite(char *to, double v)
{
    const char *const text = isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
    const size_t n = strlen(text);
    memcpy(to, text, n + 1);
    return n;
}

size_t rf_number_print_f64(char out[RF_NUMBER_TEXT], double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (!isfinite(v))
        return rf_print_nonfinite(out, v);
    *out = '-';
    char *const end = print_decimal(out + (bits >> 63),
                                    shortest(rf_binary_of(bits & UINT64_C(0xfffffffffffff), 52,
                                                          (int)(bits >> 52 & 0x7ff), 1023)));
    *end = '\0';
    return (size_t)(end - out);
}
