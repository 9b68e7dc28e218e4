/* Counting the bits of masks: how often each channel's bit is set over many rows. */
#include "core/kernels/simd/table.h"

/* One lane a channel, whatever the instruction set: the compiler splits it where it must. */
typedef uint16_t group_counts __attribute__((vector_size(RF_GROUP * 2)));

#define COUNT_ROWS 65535 /* what a 16-bit lane can count */

static void count_group(const uint16_t *mask, size_t rows, size_t pitch, uint32_t *counts,
                        uint16_t *any)
{
    const group_counts bit = {1u << 0,  1u << 1,  1u << 2,  1u << 3, 1u << 4,  1u << 5,
                              1u << 6,  1u << 7,  1u << 8,  1u << 9, 1u << 10, 1u << 11,
                              1u << 12, 1u << 13, 1u << 14, 1u << 15};
    group_counts n = {0};
    unsigned seen = 0;

    for (size_t i = 0; i < rows; i++) {
        const uint16_t word = mask[i * pitch];
        /* A comparison gives -1 where it holds. */
        n -= (group_counts)((bit & (word - (group_counts){0})) == bit);
        seen |= word;
    }
    for (size_t c = 0; c < RF_GROUP; c++)
        counts[c] += n[c];
    *any = (uint16_t)(*any | seen);
}

void RF_K(rf_mask_counts)(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                          uint32_t *counts, uint16_t *any)
{
    for (size_t first = 0; first < rows; first += COUNT_ROWS) {
        const size_t n = rows - first < COUNT_ROWS ? rows - first : COUNT_ROWS;
        for (size_t g = 0; g < groups; g++)
            count_group(mask + first * pitch + g, n, pitch, counts + g * RF_GROUP, any + g);
    }
}
