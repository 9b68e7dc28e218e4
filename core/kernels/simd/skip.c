/*
 * One row times weights that lie as whole rows, [depth][pitch]: where the row is 0 a row of weights
 * is not even read. Sums go through the first-level cache, several rows of weights at a time, while
 * the next ones are fetched: the hardware does not see them coming across the gaps.
 */
#include "core/kernels/simd/table.h"

#define ROWS 6     /* as many as pointers to them and to the next ones fit into registers */
#define BLOCK 1024 /* depths that are looked through at once */
#define SLAB 4096  /* columns whose sums stay in the first-level cache */

/* Indices in [first, end) of what is not 0; NaN is not. */
RF_INLINE size_t find_nonzero(uint32_t *index, const float *x, size_t first, size_t end)
{
    size_t found = 0;

    for (size_t i = first; i < end; i += VW) {
        const size_t lanes = end - i < VW ? end - i : VW;
        const uint32_t all = (uint32_t)((UINT64_C(1) << lanes) - 1);
        uint32_t bits = ~v_bits(v_eq(v_load_lanes(x + i, lanes), v_set(0))) & all;

        for (; bits; bits &= bits - 1)
            index[found++] = (uint32_t)(i + (size_t)__builtin_ctz(bits));
    }
    return found;
}

/* y += rows of weights, one after the other; `index` has `rows` more entries if `ahead`. */
RF_INLINE void add_rows(const struct rf_skip_row *t, const uint32_t *index, const size_t rows,
                        bool ahead, float *y, const float *weights, size_t columns)
{
    const float *w[ROWS], *next[ROWS];
    vf x[ROWS];
    size_t c = 0;

#pragma GCC unroll 6
    for (size_t r = 0; r < rows; r++) {
        w[r] = weights + index[r] * t->pitch;
        next[r] = ahead ? weights + index[rows + r] * t->pitch : w[r];
        x[r] = v_set(t->x[index[r]]);
    }
    for (; c + VW <= columns; c += VW) {
        vf sum = v_load(y + c);

#pragma GCC unroll 6
        for (size_t r = 0; r < rows; r++) {
            __builtin_prefetch(next[r] + c, 0, 2);
            sum = v_fma(x[r], v_load(w[r] + c), sum);
        }
        v_store(y + c, sum);
    }
    if (c < columns) {
        const size_t lanes = columns - c;
        vf sum = v_load_part(y + c, lanes);

#pragma GCC unroll 6
        for (size_t r = 0; r < rows; r++)
            sum = v_fma(x[r], v_load_part(w[r] + c, lanes), sum);
        v_store_part(y + c, sum, lanes);
    }
}

static void add_block(const struct rf_skip_row *t, const uint32_t *index, size_t n, float *y,
                      const float *weights, size_t columns)
{
    size_t i = 0;

    for (; i + ROWS <= n; i += ROWS)
        add_rows(t, index + i, ROWS, i + 2 * ROWS <= n, y, weights, columns);
    for (; i < n; i++)
        add_rows(t, index + i, 1, false, y, weights, columns);
}

void RF_K(rf_skip_row)(const struct rf_skip_row *t)
{
    uint32_t index[BLOCK];

    for (size_t c = 0; c < t->columns; c += SLAB) {
        const size_t columns = t->columns - c < SLAB ? t->columns - c : SLAB;

        memset(t->y + c, 0, columns * sizeof(float));
        for (size_t k = 0; k < t->depth; k += BLOCK) {
            const size_t end = t->depth - k < BLOCK ? t->depth : k + BLOCK;
            const size_t n = find_nonzero(index, t->x, k, end);

            add_block(t, index, n, t->y + c, t->weights + c, columns);
        }
    }
    v_leave();
}
