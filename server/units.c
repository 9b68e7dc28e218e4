/* Numbers with units. */
#include "server/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first within a family, so that printing finds the largest that divides. */
static const struct unit durations[] = {
    {"h", UINT64_C(3600000000000)},
    {"m", UINT64_C(60000000000)},
    {"s", 1000000000},
    {"ms", 1000000},
    {"us", 1000},
    {"ns", 1},
};
static const struct unit sizes[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", 1 << 30},
    {"MiB", 1 << 20},
    {"KiB", 1 << 10},
    {"TB", UINT64_C(1000000000000)},
    {"GB", 1000000000},
    {"MB", 1000000},
    {"KB", 1000},
    {"B", 1},
    {"", 1},
};
#define N(array) (sizeof(array) / sizeof *(array))

/* The digits at the start; `*rest` is what follows. */
static bool parse_digits(const char *text, uint64_t *value, const char **rest)
{
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return false;
    *value = v;
    *rest = p;
    return p != text;
}

static bool parse_with_unit(const char *text, const struct unit *units, size_t n, uint64_t *value)
{
    uint64_t v;
    const char *rest;
    if (!parse_digits(text, &v, &rest))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rest, units[i].name) == 0)
            return !__builtin_mul_overflow(v, units[i].factor, value);
    *value = 0;
    return v == 0 && *rest == '\0';
}

bool srv_parse_uint(const char *text, uint64_t *value)
{
    const char *rest;
    return parse_digits(text, value, &rest) && *rest == '\0';
}

bool srv_parse_duration(const char *text, uint64_t *ns)
{
    return parse_with_unit(text, durations, N(durations), ns);
}

bool srv_parse_size(const char *text, uint64_t *bytes)
{
    return parse_with_unit(text, sizes, N(sizes), bytes);
}

const char *srv_duration_text(uint64_t ns, char *text, size_t size)
{
    size_t i = 0;
    while (i + 1 < N(durations) && ns % durations[i].factor != 0)
        i++;
    if (ns == 0)
        snprintf(text, size, "0s");
    else
        snprintf(text, size, "%" PRIu64 "%s", ns / durations[i].factor, durations[i].name);
    return text;
}

const char *srv_size_text(uint64_t bytes, char *text, size_t size)
{
    size_t i = 0;
    while (i < 3 && bytes % sizes[i].factor != 0)
        i++;
    const bool whole = bytes != 0 && bytes % sizes[i].factor == 0;
    snprintf(text, size, "%" PRIu64 "%s", whole ? bytes / sizes[i].factor : bytes,
             whole ? sizes[i].name : "");
    return text;
}

const char *srv_bytes_text(size_t bytes, char text[SRV_UNIT_TEXT])
{
    const bool small = bytes < (size_t)10 << 20;
    snprintf(text, SRV_UNIT_TEXT, "%.1f %s", (double)bytes / (small ? 1 << 10 : 1 << 20),
             small ? "KiB" : "MiB");
    return text;
}
