/*
 * Sums of Winograd's F(4x4, 3x3) that its noise hides, computed once more: few values, each of them
 * a dot product along the channels of its nine pixels.
 */
#include "core/kernels/simd/table.h"

#define TILE 6
#define SUMS 16 /* of a tile */
#define TAPS 9

/* One vector of channels of a tile; a maximum a column, so that they need not wait for each other.
 */
RF_INLINE void raise(const struct rf_winograd_exact *t, size_t c, size_t lanes, vf *max)
{
#pragma GCC unroll 6
    for (size_t p = 0; p < TILE; p++) {
#pragma GCC unroll 6
        for (size_t q = 0; q < TILE; q++)
            max[q] =
                v_max(max[q], v_abs(v_load_lanes(t->x + p * t->x_row + q * t->x_pitch + c, lanes)));
    }
}

/* The largest magnitude in the tile; NaN is none. */
static float magnitude(const struct rf_winograd_exact *t)
{
    vf max[TILE] = {{0}};
    float lane[VW], largest = 0;
    size_t c = 0;

    for (; c + VW <= t->in_channels; c += VW)
        raise(t, c, VW, max);
    if (c < t->in_channels)
        raise(t, c, t->in_channels - c, max);
#pragma GCC unroll 6
    for (size_t q = 1; q < TILE; q++)
        max[0] = v_max(max[0], max[q]);
    v_store(lane, max[0]);
    for (size_t i = 0; i < VW; i++)
        largest = lane[i] > largest ? lane[i] : largest;
    return largest;
}

/* One vector of channels, of each tap. */
RF_INLINE void add_taps(const struct rf_winograd_exact *t, const float *x, const float *weights,
                        size_t lanes, vf *sum)
{
#pragma GCC unroll 9
    for (size_t i = 0; i < TAPS; i++)
        sum[i] = v_fma(v_load_lanes(x + i / 3 * t->x_row + i % 3 * t->x_pitch, lanes),
                       v_load_lanes(weights + i * t->in_channels, lanes), sum[i]);
}

/* The sum of the window whose first pixel is x. Opposite taps meet first, so that an edge filter
 * gives exactly 0 where channels are even. */
static float direct(const struct rf_winograd_exact *t, const float *x, const float *weights)
{
    vf sum[TAPS] = {{0}};
    size_t c = 0;

    for (; c + VW <= t->in_channels; c += VW)
        add_taps(t, x + c, weights + c, VW, sum);
    if (c < t->in_channels)
        add_taps(t, x + c, weights + c, t->in_channels - c, sum);
#pragma GCC unroll 4
    for (size_t i = 0; i < TAPS / 2; i++)
        sum[TAPS / 2] += sum[i] + sum[TAPS - 1 - i];
    return v_sum(sum[TAPS / 2]);
}

/* Which of a vector of channels, from the group's channel c on, are too near at one position. */
RF_INLINE uint32_t near(const struct rf_winograd_group *g, size_t c, size_t lanes, const float *y,
                        vf max)
{
    const vf distance = v_abs(v_load_lanes(y + c, lanes) + v_load(g->bias + c));

    return v_bits(v_lt(distance, v_load(g->noise + c) * max)) << c;
}

/* The same of a group, a bit a channel in `bits`, one a position; returns all of them together. */
static uint32_t find(const struct rf_winograd_exact *t, const struct rf_winograd_group *g, vf max,
                     uint32_t *bits)
{
    const size_t rest = t->out_channels - g->first, n = rest < RF_GROUP ? rest : RF_GROUP;
    uint32_t any = 0;

    for (size_t p = 0; p < t->h; p++) {
        for (size_t q = 0; q < t->w; q++, bits++) {
            const float *const y = t->y + p * t->y_row + q * t->y_pitch + g->first;
            size_t c = 0;

            for (*bits = 0; c + VW <= n; c += VW)
                *bits |= near(g, c, VW, y, max);
            if (c < n)
                *bits |= near(g, c, n - c, y, max);
            any |= *bits;
        }
    }
    return any;
}

/* A channel at a time, whose weights then stay in the first-level cache. */
static void correct(const struct rf_winograd_exact *t, const struct rf_winograd_group *g,
                    uint32_t any, const uint32_t *bits)
{
    for (; any; any &= any - 1) {
        const size_t c = (size_t)__builtin_ctz(any);

        for (size_t i = 0; i < t->h * t->w; i++) {
            const size_t p = i / t->w, q = i % t->w;

            if (bits[i] >> c & 1)
                t->y[p * t->y_row + q * t->y_pitch + g->first + c] =
                    direct(t, t->x + p * t->x_row + q * t->x_pitch, g->weights[c]);
        }
    }
}

void RF_K(rf_winograd_exact)(const struct rf_winograd_exact *t)
{
    const vf max = v_set(magnitude(t));
    uint32_t bits[SUMS];

    for (size_t i = 0; i < t->n_groups; i++)
        correct(t, &t->group[i], find(t, &t->group[i], max, bits), bits);
    v_leave();
}
