#include "proto/numbers.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

size_t rf_number_length(const char *at, const char *end)
{
    const char *p = at;
    if (p < end && *p == '-')
        p++;
    if (p >= end || !is_digit(*p))
        return 0;
    p = *p == '0' ? p + 1 : digits(p, end);
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

/* False when the number has more digits than fit, or a far exponent. */
static bool split(const char *token, size_t len, struct decimal *d)
{
    const char *p = token;
    const char *const end = token + len;
    int n = 0, scale = 0, exponent = 0;
    bool fraction = false;
    *d = (struct decimal){.negative = *p == '-'};
    for (p += d->negative; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (n || *p != '0')
            n++;
        if (n > 18)
            return false;
        d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
        scale -= fraction;
    }
    if (p < end) {
        const bool negative = p[1] == '-';
        for (p += p[1] == '-' || p[1] == '+' ? 2 : 1; p < end; p++) {
            exponent = exponent * 10 + (*p - '0');
            if (exponent > 1000)
                return false;
        }
        if (negative)
            exponent = -exponent;
    }
    d->exponent = exponent + scale;
    return true;
}

/* Both factors are exact doubles, so one multiplication or division rounds once (Clinger, "How to
 * Read Floating Point Numbers Accurately", 1990). */
static bool easy_f64(const struct decimal *d, double *v)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->mantissa > UINT64_C(1) << 53 || d->exponent > 22 || d->exponent < -22)
        return false;
    const double m = (double)d->mantissa;
    const double x = d->exponent < 0 ? m / power[-d->exponent] : m * power[d->exponent];
    *v = d->negative ? -x : x;
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
    if (len <= 64 && split(token, len, &d) && easy_f64(&d, v))
        return true;
    if (!copy_token(text, token, len))
        return false;
    *v = strtod(text, NULL);
    return isfinite(*v);
}

/* A correctly rounded double rounds on to the right float unless it lies halfway between two. */
static bool narrow(double x, float *v)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const bool halfway = (bits & 0x1fffffff) == 0x10000000;
    const bool normal = fabs(x) >= (double)FLT_MIN && fabs(x) <= (double)FLT_MAX;
    if (x != 0 && (halfway || !normal))
        return false;
    *v = (float)x;
    return true;
}

bool rf_number_f32(const char *token, size_t len, float *v)
{
    struct decimal d;
    double x;
    char text[RF_NUMBER_LONGEST + 1];
    if (len <= 64 && split(token, len, &d) && easy_f64(&d, &x) && narrow(x, v))
        return true;
    if (!copy_token(text, token, len))
        return false;
    *v = strtof(text, NULL);
    return isfinite(*v);
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

/* "1" and "-0" become "1.0" and "-0.0": readers keep the type, and the sign of zero. */
static size_t as_real(char out[RF_NUMBER_TEXT])
{
    const size_t n = strlen(out);
    if (strpbrk(out, ".e"))
        return n;
    memcpy(out + n, ".0", 3);
    return n + 2;
}

static size_t print_nonfinite(char out[RF_NUMBER_TEXT], double v)
{
    const char *const text = isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
    const size_t n = strlen(text);
    memcpy(out, text, n + 1);
    return n;
}

size_t rf_number_print_f32(char out[RF_NUMBER_TEXT], float v)
{
    if (!isfinite(v))
        return print_nonfinite(out, (double)v);
    /* %g drops trailing zeros, and FLT_DIG digits survive a round trip: below them only
     * denormals have something to gain. */
    for (int digits_now = fabsf(v) < FLT_MIN ? 1 : FLT_DIG; digits_now <= 9; digits_now++) {
        snprintf(out, RF_NUMBER_TEXT, "%.*g", digits_now, (double)v);
        if (strtof(out, NULL) == v)
            break;
    }
    return as_real(out);
}

size_t rf_number_print_f64(char out[RF_NUMBER_TEXT], double v)
{
    if (!isfinite(v))
        return print_nonfinite(out, v);
    for (int digits_now = fabs(v) < DBL_MIN ? 1 : DBL_DIG; digits_now <= 17; digits_now++) {
        snprintf(out, RF_NUMBER_TEXT, "%.*g", digits_now, v);
        if (strtod(out, NULL) == v)
            break;
    }
    return as_real(out);
}
