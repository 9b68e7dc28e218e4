/* Counting the bits of masks: how often each channel's bit is set over many rows. */
#include "core/kernels/simd/table.h"

#define COUNT_ROWS 65535 /* what 16 bits can count */

#ifdef RF_AVX512
/* Two groups at once: their bits are the mask of an addition. */
RF_INLINE void count_groups(const uint16_t *mask, size_t rows, size_t pitch, const size_t groups,
                            uint32_t *counts, uint16_t *any)
{
    __m512i n = _mm512_setzero_si512();
    uint32_t seen = 0;

    for (size_t i = 0; i < rows; i++, mask += pitch) {
        uint32_t bits = 0;

        __builtin_memcpy(&bits, mask, groups * sizeof(*mask));
        n = _mm512_mask_sub_epi16(n, bits, n, _mm512_set1_epi16(-1));
        seen |= bits;
    }
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(n));
    const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(n, 1));

    _mm512_storeu_si512(counts, _mm512_add_epi32(low, _mm512_loadu_si512(counts)));
    any[0] = (uint16_t)(any[0] | seen);
    if (groups == 1)
        return;
    _mm512_storeu_si512(counts + RF_GROUP,
                        _mm512_add_epi32(high, _mm512_loadu_si512(counts + RF_GROUP)));
    any[1] = (uint16_t)(any[1] | seen >> RF_GROUP);
}

static void count_rows(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                       uint32_t *counts, uint16_t *any)
{
    size_t g = 0;

    for (; g + 2 <= groups; g += 2)
        count_groups(mask + g, rows, pitch, 2, counts + g * RF_GROUP, any + g);
    if (g < groups)
        count_groups(mask + g, rows, pitch, 1, counts + g * RF_GROUP, any + g);
}
#else
/* Counts of 16 bits, a whole group of them or, where vectors are narrower, half. */
#define COUNTS (VW >= 8 ? RF_GROUP : RF_GROUP / 2)
typedef uint16_t count_vector __attribute__((vector_size(COUNTS * 2)));

/* The bits of each word from `low` on. */
static void count_bits(const uint16_t *mask, size_t rows, size_t pitch, size_t low,
                       uint32_t *counts, uint16_t *any)
{
    count_vector bit = {0}, n = {0};
    unsigned seen = 0;

    for (size_t i = 0; i < COUNTS; i++)
        bit[i] = (uint16_t)(1u << (low + i));
    for (size_t i = 0; i < rows; i++) {
        const uint16_t word = mask[i * pitch];
        /* A comparison gives -1 where it holds. */
        n -= (count_vector)((bit & (word - (count_vector){0})) == bit);
        seen |= word;
    }
    for (size_t i = 0; i < COUNTS; i++)
        counts[low + i] += n[i];
    *any = (uint16_t)(*any | seen);
}

static void count_rows(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                       uint32_t *counts, uint16_t *any)
{
    for (size_t g = 0; g < groups; g++)
        for (size_t low = 0; low < RF_GROUP; low += COUNTS)
            count_bits(mask + g, rows, pitch, low, counts + g * RF_GROUP, any + g);
}
#endif

void RF_K(rf_mask_counts)(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                          uint32_t *counts, uint16_t *any)
{
    for (size_t first = 0; first < rows; first += COUNT_ROWS)
        count_rows(mask + first * pitch, rows - first < COUNT_ROWS ? rows - first : COUNT_ROWS,
                   groups, pitch, counts, any);
    v_leave();
}
