/*
 * Rows of numbers whose grammar is all that matters, 64 bytes at a time.
 */
#include "proto/numbers.h"

#ifdef __SSE2__
#include <emmintrin.h>

enum { BLOCK = 64, LANES = 4 };

/* Bit i: byte i is c. */
static inline uint64_t equal(const __m128i v[LANES], char c)
{
    uint64_t bits = 0;
    for (int i = 0; i < LANES; i++)
        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v[i], _mm_set1_epi8(c)))
                << 16 * i;
    return bits;
}

static inline uint64_t find_digits(const __m128i v[LANES])
{
    uint64_t bits = 0;
    for (int i = 0; i < LANES; i++) {
        const __m128i value = _mm_sub_epi8(v[i], _mm_set1_epi8('0'));
        const __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value);
        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(is_digit) << 16 * i;
    }
    return bits;
}

/* What a block begins behind: bit 0 only. A row begins behind a comma, so to speak. */
struct before {
    uint64_t gap, minus, point, digit, zero, fraction;
};

/* Moves every byte's bit to the byte behind it, across blocks. */
static inline uint64_t behind(uint64_t bits, uint64_t *before)
{
    const uint64_t moved = bits << 1 | *before;
    *before = bits >> 63;
    return moved;
}

/* The bytes that must not stand where they do: the first is surely wrong, or has an exponent. */
static uint64_t find_wrong(const char *at, struct before *b, uint64_t *commas)
{
    __m128i v[LANES];
    for (int i = 0; i < LANES; i++)
        v[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
    const uint64_t digit = find_digits(v), point = equal(v, '.'), minus = equal(v, '-');
    const uint64_t comma = equal(v, ','), space = equal(v, ' ') | equal(v, '\n');
    const uint64_t behind_gap = behind(comma | space, &b->gap);
    const uint64_t behind_minus = behind(minus, &b->minus);
    const uint64_t behind_digit = behind(digit, &b->digit);
    const uint64_t behind_point = behind(point, &b->point);
    const uint64_t zero_first = equal(v, '0') & (behind_gap | behind_minus);
    uint64_t wrong = ~(digit | point | minus | comma | space);
    wrong |= ((minus | space) & ~behind_gap) | ((point | comma) & ~behind_digit);
    wrong |= (behind_minus | behind_point) & ~digit;
    wrong |= behind(zero_first, &b->zero) & digit;
    /* The sum carries from each first digit of a fraction to what is behind its last. */
    const uint64_t first = (behind_point | b->fraction) & digit;
    uint64_t sum;
    const uint64_t ended = b->fraction & ~digit;
    b->fraction = __builtin_add_overflow(first, digit, &sum);
    wrong |= ((sum & ~digit) | ended) & point;
    *commas = comma;
    return wrong;
}

/* Up to the last comma of the blocks that are in order. Every one has a comma: no number is long.
 */
static const char *past_blocks(const char *at, const char *end)
{
    struct before b = {.gap = 1};
    const char *good = at;
    for (uint64_t wrong = 0; !wrong && end - at >= BLOCK; at += BLOCK) {
        uint64_t commas;
        wrong = find_wrong(at, &b, &commas);
        if (wrong)
            commas &= (wrong & -wrong) - 1;
        if (!commas)
            break;
        good = at + BLOCK - __builtin_clzll(commas);
    }
    return good;
}
#else
static const char *past_blocks(const char *at, const char *end)
{
    (void)end;
    return at;
}
#endif

const char *rf_numbers_past(const char *at, const char *end)
{
    for (;;) {
        at = past_blocks(at, end);
        if (at < end && *at == ' ')
            at++;
        const size_t n = rf_number_length(at, end);
        const char *const after = at + n;
        if (!n || n > RF_NUMBER_LONGEST || after == end || *after != ',')
            return at;
        at = after + 1;
    }
}
