/*
 * How to get past things in a checked text. There is no end to look out for: the brackets around
 * close. So blocks are read whole, as strlen does: an aligned one never leaves a page of which a
 * byte is the text's. Sanitizers cannot know that.
 */
#include <stdbool.h>
#include <stdint.h>

#include "proto/json.h"

typedef signed char block __attribute__((vector_size(16), may_alias));

#define READS_BLOCKS __attribute__((no_sanitize("address", "thread")))

/* Whether a comparison of blocks was true anywhere. */
static bool any(block hits)
{
    typedef uint64_t halves __attribute__((vector_size(16)));
    const halves h = (halves)hits;
    return (h[0] | h[1]) != 0;
}

static bool is_aligned(const char *at)
{
    return (uintptr_t)at % sizeof(block) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

const char *rf_json_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

/* Both cases of a letter or bracket become the lower one: [ and { differ in this bit, ] and }. */
enum { LOWER = 0x20 };

static bool is_structure(char c)
{
    return c == '"' || (c | LOWER) == '{' || (c | LOWER) == '}';
}

/* The first quote or bracket from `at` on. */
READS_BLOCKS static const char *find_structure(const char *at)
{
    for (; !is_aligned(at); at++)
        if (is_structure(*at))
            return at;
    for (;; at += sizeof(block)) {
        const block v = *(const block *)at, lower = v | LOWER;
        if (any((v == '"') | (lower == '{') | (lower == '}')))
            break;
    }
    while (!is_structure(*at))
        at++;
    return at;
}

/* Letters but e and E, brackets, quotes. */
static bool ends_numbers(char c)
{
    return c == '"' || ((c | LOWER) > '`' && (c | LOWER) != 'e');
}

READS_BLOCKS const char *rf_json_past_numbers(const char *at, int64_t *commas)
{
    enum { MOST = 127 }; /* that a lane counts */
    int blocks = MOST;
    for (; !is_aligned(at); at++) {
        if (ends_numbers(*at))
            return at;
        *commas += *at == ',';
    }
    while (blocks == MOST) {
        block count = {0};
        for (blocks = 0; blocks < MOST; blocks++, at += sizeof(block)) {
            const block v = *(const block *)at, lower = v | LOWER;
            if (any((v == '"') | ((lower > '`') & (lower != 'e'))))
                break;
            count -= v == ',';
        }
        for (size_t i = 0; i < sizeof(block); i++)
            *commas += count[i];
    }
    for (; !ends_numbers(*at); at++)
        *commas += *at == ',';
    return at;
}

static const char *past_string(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

static const char *past_container(const char *at)
{
    int depth = 0;
    do {
        at = find_structure(at);
        if (*at == '"') {
            at = past_string(at);
            continue;
        }
        depth += *at == '[' || *at == '{' ? 1 : -1;
        at++;
    } while (depth > 0);
    return at;
}

const char *rf_json_past(const char *at)
{
    if (*at == '"')
        return past_string(at);
    if (*at == '[' || *at == '{')
        return past_container(at);
    while (!is_space(*at) && *at != ',' && *at != ']' && *at != '}')
        at++;
    return at;
}
