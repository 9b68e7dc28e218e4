/* Counting the bits of masks: how often each channel's bit is set over many rows. */
#include "core/kernels/simd/table.h"

/* Counts of 16 bits, a whole group of them or, where vectors are narrower, half. */
#define COUNTS (VW >= 8 ? RF_GROUP : RF_GROUP / 2)
typedef uint16_t count_vector __attribute__((vector_size(COUNTS * 2)));

#define COUNT_ROWS 65535 /* what 16 bits can count */

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

void RF_K(rf_mask_counts)(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                          uint32_t *counts, uint16_t *any)
{
    for (size_t first = 0; first < rows; first += COUNT_ROWS) {
        const size_t n = rows - first < COUNT_ROWS ? rows - first : COUNT_ROWS;
        for (size_t g = 0; g < groups; g++)
            for (size_t low = 0; low < RF_GROUP; low += COUNTS)
                count_bits(mask + first * pitch + g, n, pitch, low, counts + g * RF_GROUP, any + g);
    }
    v_leave();
}
