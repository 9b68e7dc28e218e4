/*
 * Winograd's minimal filtering F(m x m, 3 x 3) for m = 2 and 4: the transforms of inputs and
 * outputs, a vector of channels at a time (Lavin and Gray, "Fast Algorithms for Convolutional
 * Neural Networks", 2015). A tile of (m + 2)^2 pixels becomes as many matrices' rows, and back.
 */
#include "core/kernels/simd/table.h"

typedef void transform_fn(const vf *x, vf *y);

/* y = B^T x */
RF_INLINE void input_2(const vf *x, vf *y)
{
    y[0] = x[0] - x[2];
    y[1] = x[1] + x[2];
    y[2] = x[2] - x[1];
    y[3] = x[1] - x[3];
}

RF_INLINE void input_4(const vf *x, vf *y)
{
    const vf a = v_fma(x[2], v_set(-4), x[4]), b = v_fma(x[1], v_set(-4), x[3]);
    const vf c = x[4] - x[2], d = x[3] - x[1];

    y[0] = v_fma(x[0], v_set(4), v_fma(x[2], v_set(-5), x[4]));
    y[1] = a + b;
    y[2] = a - b;
    y[3] = v_fma(d, v_set(2), c);
    y[4] = v_fma(d, v_set(-2), c);
    y[5] = v_fma(x[1], v_set(4), v_fma(x[3], v_set(-5), x[5]));
}

/* y = A^T x */
RF_INLINE void output_2(const vf *x, vf *y)
{
    y[0] = x[0] + x[1] + x[2];
    y[1] = x[1] - x[2] - x[3];
}

RF_INLINE void output_4(const vf *x, vf *y)
{
    const vf a = x[1] + x[2], b = x[1] - x[2], c = x[3] + x[4], d = x[3] - x[4];

    y[0] = x[0] + a + c;
    y[1] = v_fma(d, v_set(2), b);
    y[2] = v_fma(c, v_set(4), a);
    y[3] = v_fma(d, v_set(8), b) + x[5];
}

#define MAX_TILE 6

/* One vector of channels of a tile's input: columns first, then rows. */
RF_INLINE void input_vector(const struct rf_winograd_input *t, size_t c, size_t lanes,
                            const size_t n, transform_fn *f)
{
    vf half[MAX_TILE][MAX_TILE], x[MAX_TILE], y[MAX_TILE];

#pragma GCC unroll 6
    for (size_t q = 0; q < n; q++) {
#pragma GCC unroll 6
        for (size_t p = 0; p < n; p++)
            x[p] = v_load_lanes(t->x + p * t->row + q * t->pitch + c, lanes);
        f(x, y);
#pragma GCC unroll 6
        for (size_t p = 0; p < n; p++)
            half[p][q] = y[p];
    }
#pragma GCC unroll 6
    for (size_t p = 0; p < n; p++) {
        f(half[p], y);
#pragma GCC unroll 6
        for (size_t q = 0; q < n; q++)
            v_store_lanes(t->v + (p * n + q) * t->step + c, y[q], lanes);
    }
}

/* One vector of channels of a tile's output; the first h x w of m x m pixels are kept. */
RF_INLINE void output_vector(const struct rf_winograd_output *t, size_t c, size_t lanes,
                             const size_t m, transform_fn *f)
{
    const size_t n = m + 2;
    vf half[MAX_TILE][MAX_TILE], x[MAX_TILE], y[MAX_TILE];

#pragma GCC unroll 6
    for (size_t q = 0; q < n; q++) {
#pragma GCC unroll 6
        for (size_t p = 0; p < n; p++)
            x[p] = v_load_lanes(t->m + (p * n + q) * t->step + c, lanes);
        f(x, y);
#pragma GCC unroll 4
        for (size_t p = 0; p < m; p++)
            half[p][q] = y[p];
    }
#pragma GCC unroll 4
    for (size_t p = 0; p < m; p++) {
        if (p >= t->h)
            break;
        f(half[p], y);
#pragma GCC unroll 4
        for (size_t q = 0; q < m; q++)
            if (q < t->w)
                v_store_lanes(t->y + p * t->row + q * t->pitch + c, y[q], lanes);
    }
}

#define TRANSFORMS(m_)                                                                             \
    void RF_K(rf_winograd_input_##m_)(const struct rf_winograd_input *t)                           \
    {                                                                                              \
        size_t c = 0;                                                                              \
                                                                                                   \
        for (; c + VW <= t->channels; c += VW)                                                     \
            input_vector(t, c, VW, m_ + 2, input_##m_);                                            \
        if (c < t->channels)                                                                       \
            input_vector(t, c, t->channels - c, m_ + 2, input_##m_);                               \
        v_leave();                                                                                 \
    }                                                                                              \
                                                                                                   \
    void RF_K(rf_winograd_output_##m_)(const struct rf_winograd_output *t)                         \
    {                                                                                              \
        size_t c = 0;                                                                              \
                                                                                                   \
        for (; c + VW <= t->channels; c += VW)                                                     \
            output_vector(t, c, VW, m_, output_##m_);                                              \
        if (c < t->channels)                                                                       \
            output_vector(t, c, t->channels - c, m_, output_##m_);                                 \
        v_leave();                                                                                 \
    }

TRANSFORMS(2)
TRANSFORMS(4)
