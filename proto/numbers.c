#include "proto/numbers.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/powers.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Eight characters, the first one in the lowest byte. */
static uint64_t load8(const char *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

/* How many of eight characters are digits before the first that is none. What carries between bytes
 * goes up, past the first hit. */
static inline int count_digits(uint64_t v)
{
    const uint64_t others =
        ((v + UINT64_C(0x4646464646464646)) | (v - UINT64_C(0x3030303030303030))) &
        UINT64_C(0x8080808080808080);
    return others ? __builtin_ctzll(others) / 8 : 8;
}

/* Past the digits at p. */
static inline const char *digits(const char *p, const char *end)
{
    while (end - p >= 8) {
        const int n = count_digits(load8(p));
        p += n;
        if (n < 8)
            return p;
    }
    while (p < end && is_digit(*p))
        p++;
    return p;
}

size_t rf_number_length(const char *at, const char *end)
{
    const char *p = at;
    p += p < end && *p == '-';
    if (p >= end || !is_digit(*p))
        return 0;
    const char *const first = p;
    p = digits(p, end);
    if (*first == '0' && p > first + 1)
        return (size_t)(first + 1 - at); /* nothing follows a leading zero */
    if (p < end && *p == '.') {
        if (p + 1 >= end || !is_digit(p[1]))
            return 0;
        p = digits(p + 1, end);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (p >= end || !is_digit(*p))
            return 0;
        p = digits(p, end);
    }
    return (size_t)(p - at);
}

/* value = mantissa * 10^exponent, exactly. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    bool negative;
};

/* The number of eight digits (after Lemire, "Number Parsing at a Gigabyte per Second", 2021):
 * pairs, then fours, then all, each by a multiplication that adds neighbours. */
static inline uint64_t value_of_eight(uint64_t v)
{
    v -= UINT64_C(0x3030303030303030);
    v = v * 10 + (v >> 8);
    return (((v & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064)) +
            ((v >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001))) >>
           32;
}

/* Appends the digits at p to the mantissa, modulo 2^64. */
static inline const char *add_digits(const char *p, const char *end, uint64_t *mantissa)
{
    static const uint64_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    while (end - p >= 8) {
        const uint64_t v = load8(p);
        const int n = count_digits(v);
        if (n == 8) {
            *mantissa = *mantissa * power[8] + value_of_eight(v);
            p += 8;
            continue;
        }
        /* moved up behind zeros */
        const uint64_t zeros = UINT64_C(0x3030303030303030) >> 8 * n;
        *mantissa = *mantissa * power[n] + value_of_eight(v << 8 << (56 - 8 * n) | zeros);
        return p + n;
    }
    for (; p < end && is_digit(*p); p++)
        *mantissa = *mantissa * 10 + (uint64_t)(*p - '0');
    return p;
}

/* The exponent at p, behind its 'e', added to d's. NULL when it is far off. */
static const char *add_exponent(const char *p, const char *end, struct decimal *d)
{
    const bool negative = *p == '-';
    int exponent = 0;
    for (p += *p == '-' || *p == '+'; p < end && is_digit(*p); p++) {
        exponent = exponent * 10 + (*p - '0');
        if (exponent > 1000)
            return NULL;
    }
    d->exponent += negative ? -exponent : exponent;
    return p;
}

/* The number at p, which is well-formed; returns what is past it. NULL when it has more digits than
 * fit, or a far exponent. */
static inline const char *scan(const char *p, const char *end, struct decimal *d)
{
    enum { ALWAYS = 19 }; /* digits that fit */
    *d = (struct decimal){.negative = *p == '-'};
    const char *first = p + d->negative;
    p = add_digits(first, end, &d->mantissa);
    if (p < end && *p == '.') {
        const char *const fraction = p + 1;
        p = add_digits(fraction, end, &d->mantissa);
        d->exponent = (int)(fraction - p);
    }
    if (p - first > ALWAYS) { /* unless they are leading zeros */
        while (first < p && (*first == '0' || *first == '.'))
            first++;
        if (p - first > ALWAYS)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E'))
        return add_exponent(p + 1, end, d);
    return p;
}

static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWER = 22 };

/* Both factors are exact doubles, so one multiplication or division rounds once (Clinger, "How to
 * Read Floating Point Numbers Accurately", 1990). */
static inline bool by_one_step(const struct decimal *d, double *v)
{
    if (d->exponent > EXACT_POWER || d->exponent < -EXACT_POWER)
        return false;
    const double m = (double)d->mantissa;
    *v = d->exponent < 0 ? m / power_of_ten[-d->exponent] : m * power_of_ten[d->exponent];
    return true;
}

/*
 * The product with 128 bits of the power of ten (Lemire, as above). False when it is too near to
 * the middle between two doubles, given the power's error, or not a normal number.
 */
static bool by_wide_product(const struct decimal *d, double *v)
{
    enum { ERROR = 8, BIAS = 1023, INFINITE = 0x7ff }; /* 4 of the power, 1 cut off here, doubled */
    if (!d->mantissa || d->exponent < RF_POWER_MIN || d->exponent > DBL_MAX_10_EXP)
        return false;
    const int zeros = __builtin_clzll(d->mantissa);
    const uint64_t m = d->mantissa << zeros;
    const struct rf_power g = rf_power_of_ten(d->exponent);
    unsigned __int128 product =
        (unsigned __int128)g.high * m + (uint64_t)((unsigned __int128)g.low * m >> 64);
    const int low = !(product >> 127); /* the highest bit is 126 or 127 */
    product <<= low;
    const int exponent = rf_log2_of_power(d->exponent) + 64 - zeros - low + BIAS;
    const unsigned __int128 rest = product << 53, middle = (unsigned __int128)1 << 127;
    const unsigned __int128 off = rest > middle ? rest - middle : middle - rest;
    if (off >> 53 <= ERROR || exponent <= 0)
        return false;
    const uint64_t rounded =
        (uint64_t)(product >> 75) + (rest > middle); /* carries into exponent */
    const uint64_t bits = ((uint64_t)(exponent - 1) << 52) + rounded;
    if (bits >> 52 >= INFINITE)
        return false;
    memcpy(v, &bits, sizeof bits);
    return true;
}

/* Rounded once, sign left out. */
static bool to_double(const struct decimal *d, double *v)
{
    return (d->mantissa <= UINT64_C(1) << 53 && by_one_step(d, v)) || by_wide_product(d, v);
}

/* Rounds on to the float that the true value is nearest to, if that lies within `error` units of
 * the last place of x: not when the middle between two floats is as near. */
static inline bool narrow(double x, uint64_t error, float *v)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t from_middle = (bits - 0x10000000 + error) & 0x1fffffff;
    const bool normal = x >= (double)FLT_MIN && x <= (double)FLT_MAX;
    if (x != 0 && (from_middle <= 2 * error || !normal))
        return false;
    *v = (float)x;
    return true;
}

/* One step of more than 53 bits rounds twice, by half a unit each; twice as much when the product's
 * place is lower than the factor's. */
static inline bool to_float(const struct decimal *d, float *v)
{
    enum { TWO_ROUNDINGS = 4, EXACT = 1 << 24 };
    double x;
    if (d->exponent == 0 && d->mantissa <= EXACT) /* pixels */
        *v = (float)(int)d->mantissa;
    else if (!(by_one_step(d, &x) && narrow(x, TWO_ROUNDINGS, v)) &&
             !(to_double(d, &x) && narrow(x, 0, v)))
        return false;
    *v = copysignf(*v, d->negative ? -1.0f : 1.0f);
    return true;
}

static bool copy_token(char text[RF_NUMBER_LONGEST + 1], const char *token, size_t len)
{
    if (len > RF_NUMBER_LONGEST)
        return false;
    memcpy(text, token, len);
    text[len] = '\0';
    return true;
}

bool rf_number_f64(const char *token, size_t len, double *v)
{
    struct decimal d;
    char text[RF_NUMBER_LONGEST + 1];
    if (scan(token, token + len, &d) && to_double(&d, v)) {
        *v = d.negative ? -*v : *v;
        return true;
    }
    if (!copy_token(text, token, len))
        return false;
    *v = strtod(text, NULL);
    return isfinite(*v);
}

bool rf_number_f32(const char *token, size_t len, float *v)
{
    struct decimal d;
    char text[RF_NUMBER_LONGEST + 1];
    if (scan(token, token + len, &d) && to_float(&d, v))
        return true;
    if (!copy_token(text, token, len))
        return false;
    *v = strtof(text, NULL);
    return isfinite(*v);
}

size_t rf_numbers_f32(const char **at, const char *end, float *v, size_t n)
{
    size_t i = 0;
    for (; i < n; i++) {
        struct decimal d;
        const char *const after = scan(*at, end, &d);
        if (!after || after == *at + d.negative || *after != ',' || !to_float(&d, &v[i]))
            break;
        *at = after + 1 + (after[1] == ' ');
    }
    return i;
}

bool rf_number_i64(const char *token, size_t len, int64_t *v)
{
    const bool negative = len && *token == '-';
    int64_t x = 0;
    for (size_t i = negative; i < len; i++) {
        const int digit = token[i] - '0';
        if (!is_digit(token[i]) || __builtin_mul_overflow(x, 10, &x) ||
            __builtin_sub_overflow(x, digit, &x))
            return false;
    }
    return !__builtin_mul_overflow(x, negative ? 1 : -1, v);
}

bool rf_number_u64(const char *token, size_t len, uint64_t *v)
{
    uint64_t x = 0;
    for (size_t i = 0; i < len; i++)
        if (!is_digit(token[i]) || __builtin_mul_overflow(x, 10, &x) ||
            __builtin_add_overflow(x, token[i] - '0', &x))
            return false;
    *v = x;
    return len > 0;
}
