/*
 * Windows over pixels in a row: maximum, sum, depthwise and grouped convolution. Neighbouring
 * pixels are computed together, a vector of channels each: a weight is loaded once for all of them,
 * and their chains hide one another's latency.
 */
#include <math.h>

#include "core/kernels/simd/table.h"

#define PIXELS 8 /* at once: one register each, and what they share fits beside them */

/* What a tap's value x, and its weight, do to what was seen of the window before. */
typedef vf tap_fn(vf seen, vf x, vf weight);

RF_INLINE vf f_max(vf seen, vf x, vf weight)
{
    (void)weight;
    return v_max_nan(seen, x);
}

RF_INLINE vf f_sum(vf seen, vf x, vf weight)
{
    (void)weight;
    return seen + x;
}

RF_INLINE vf f_depthwise(vf seen, vf x, vf weight)
{
    return v_fma(x, weight, seen);
}

/* Pixels at .. at + n of the channels c .. c + lanes. */
RF_INLINE void vectors(const struct rf_window_row *r, size_t at, const size_t n, size_t c,
                       size_t lanes, float start, tap_fn *f)
{
    const float *const x = r->x + at * r->x_step + c, *w = r->weights;
    float *y = r->y + at * r->y_pitch + c;
    vf seen[PIXELS], weight = v_set(0);

#pragma GCC unroll 8
    for (size_t i = 0; i < n; i++)
        seen[i] = v_set(start);
    for (size_t t = 0; t < r->n_taps; t++) {
        const float *from = x + r->tap[t];

        if (f == f_depthwise) {
            weight = v_load_lanes(w + c, lanes);
            w += r->weights_pitch;
        }
#pragma GCC unroll 8
        for (size_t i = 0; i < n; i++, from += r->x_step)
            seen[i] = f(seen[i], v_load_lanes(from, lanes), weight);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < n; i++, y += r->y_pitch)
        v_store_lanes(y, f == f_sum ? seen[i] * v_set(r->scale) : seen[i], lanes);
}

RF_INLINE void pixels(const struct rf_window_row *r, size_t at, const size_t n, float start,
                      tap_fn *f)
{
    const size_t whole = r->channels / VW * VW;

    for (size_t c = 0; c < whole; c += VW)
        vectors(r, at, n, c, VW, start, f);
}

/* Behind the last whole vector, a pixel at a time: a part of a vector takes many instructions. */
RF_INLINE void rest(const struct rf_window_row *r, float start, tap_fn *f)
{
    const size_t lanes = r->channels % VW;

    for (size_t at = 0; lanes && at < r->pixels; at++)
        vectors(r, at, 1, r->channels - lanes, lanes, start, f);
}

#define CASE(n)                                                                                    \
    case n:                                                                                        \
        pixels(r, at, n, start, f);                                                                \
        break;

/* In pieces as even as possible. */
RF_INLINE void row(const struct rf_window_row *r, float start, tap_fn *f)
{
    size_t pieces = (r->pixels + PIXELS - 1) / PIXELS;

    for (size_t at = 0, n; at < r->pixels; at += n, pieces--) {
        n = (r->pixels - at + pieces - 1) / pieces;
        /* clang-format off */
        switch (n) {
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
        }
        /* clang-format on */
    }
    rest(r, start, f);
    v_leave();
}

void RF_K(rf_window_max)(const struct rf_window_row *r)
{
    row(r, -INFINITY, f_max);
}

void RF_K(rf_window_sum)(const struct rf_window_row *r)
{
    row(r, 0, f_sum);
}

void RF_K(rf_window_depthwise)(const struct rf_window_row *r)
{
    row(r, 0, f_depthwise);
}

/* ---- groups ------------------------------------------------------------------------------------
 * A vector of outputs holds whole groups, so their inputs are at most as many, side by side: lanes
 * of one group all take the same of its inputs, one after the other.
 */

RF_INLINE void group_vectors(const struct rf_window_row *r, size_t at, const size_t n, size_t c,
                             size_t lanes, vi first)
{
    const size_t inputs = lanes / r->group_out * r->group_in;
    const float *const x = r->x + at * r->x_step + c / r->group_out * r->group_in;
    const float *w = r->weights + c;
    float *y = r->y + at * r->y_pitch + c;
    vf sum[PIXELS], seen[PIXELS];

#pragma GCC unroll 8
    for (size_t i = 0; i < n; i++)
        sum[i] = v_set(0);
    for (size_t t = 0; t < r->n_taps; t++) {
        const float *from = x + r->tap[t];

#pragma GCC unroll 8
        for (size_t i = 0; i < n; i++, from += r->x_step)
            seen[i] = v_load_lanes(from, inputs);
        for (size_t k = 0; k < r->group_in; k++, w += r->weights_pitch) {
            const vf weight = v_load_lanes(w, lanes);
            const vi lane = first + (int32_t)k;

#pragma GCC unroll 8
            for (size_t i = 0; i < n; i++)
                sum[i] = v_fma(v_permute(seen[i], lane), weight, sum[i]);
        }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < n; i++, y += r->y_pitch)
        v_store_lanes(y, sum[i], lanes);
}

#define GROUP_PIXELS (PIXELS / 2) /* at once, with what they saw in registers as well */

void RF_K(rf_window_grouped)(const struct rf_window_row *r)
{
    const size_t whole = r->channels / VW * VW, lanes = r->channels % VW;
    vi first = {0};
    size_t at = 0;

    for (size_t i = 0; i < VW; i++)
        first[i] = (int32_t)(i / r->group_out * r->group_in);
    for (; at + GROUP_PIXELS <= r->pixels; at += GROUP_PIXELS)
        for (size_t c = 0; c < whole; c += VW)
            group_vectors(r, at, GROUP_PIXELS, c, VW, first);
    for (; at < r->pixels; at++)
        for (size_t c = 0; c < whole; c += VW)
            group_vectors(r, at, 1, c, VW, first);
    for (at = 0; lanes && at < r->pixels; at++)
        group_vectors(r, at, 1, whole, lanes, first);
    v_leave();
}
