/* Counting the bits of masks: how often each channel's bit is set over many rows. */
#include "core/kernels/simd/table.h"

/* Counts of 16 bits in one vector of integers: of two groups, of one, or of half of one. */
#define COUNTS (VW * 2)
typedef uint16_t count_vector __attribute__((vector_size(COUNTS * 2)));

#define COUNT_ROWS 65535 /* what 16 bits can count */

/* counts[i] + bit i of `bits`; bit[i] is 1 << i. */
RF_INLINE count_vector add_bits(count_vector counts, uint32_t bits, count_vector bit)
{
#ifdef RF_AVX512
    (void)bit;
    return (count_vector)_mm512_mask_sub_epi16((__m512i)counts, bits, (__m512i)counts,
                                               _mm512_set1_epi16(-1));
#else
    const count_vector word = (uint16_t)bits - (count_vector){0};

    return counts - (count_vector)((bit & word) == bit); /* -1 where it holds */
#endif
}

/* The bits of `words` neighbouring words, which fill a vector or are the last, from `low` on. */
RF_INLINE void count_bits(const uint16_t *mask, size_t rows, size_t pitch, const size_t words,
                          const size_t low, uint32_t *counts, uint16_t *any)
{
    const size_t n = words * RF_GROUP < COUNTS ? words * RF_GROUP : COUNTS;
    count_vector bit = {0}, sums = {0};
    uint32_t seen = 0;

    for (size_t i = 0; i < n; i++)
        bit[i] = (uint16_t)(1u << i);
    for (size_t i = 0; i < rows; i++, mask += pitch) {
        const uint32_t bits = words == 2 ? mask[0] | (uint32_t)mask[1] << RF_GROUP : mask[0];

        sums = add_bits(sums, bits >> low, bit);
        seen |= bits;
    }
    for (size_t i = 0; i < n; i++)
        counts[low + i] += sums[i];
    for (size_t i = 0; i < words; i++)
        any[i] = (uint16_t)(any[i] | seen >> i * RF_GROUP);
}

void RF_K(rf_mask_counts)(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                          uint32_t *counts, uint16_t *any)
{
    for (size_t first = 0; first < rows; first += COUNT_ROWS, mask += COUNT_ROWS * pitch) {
        const size_t n = rows - first < COUNT_ROWS ? rows - first : COUNT_ROWS;
        size_t g = 0;

        for (; COUNTS > RF_GROUP && g + 2 <= groups; g += 2)
            count_bits(mask + g, n, pitch, 2, 0, counts + g * RF_GROUP, any + g);
        for (; g < groups; g++)
            for (size_t low = 0; low < RF_GROUP; low += COUNTS)
                count_bits(mask + g, n, pitch, 1, low, counts + g * RF_GROUP, any + g);
    }
    v_leave();
}
