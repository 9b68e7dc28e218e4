/*
 * Sliding windows: the geometry that convolutions and pools share. One spatial dimension is seen as
 * two with H = 1.
 */
#ifndef RF_CORE_WINDOW_H
#define RF_CORE_WINDOW_H

#include "core/op.h"

struct rf_window {
    int spatial; /* 1 or 2 */
    int64_t kernel_h, kernel_w;
    int64_t stride_h, stride_w;
    int64_t dilation_h, dilation_w;
    int64_t top, left, bottom, right; /* padding */
    bool ceil_mode;
};

/* Attributes kernel_shape, strides, dilations, pads (begin of each dimension, then end of each),
 * ceil_mode. `spatial` 0: as many as kernel_shape has. */
enum rf_status rf_window_prepare(struct rf_prepare *p, struct rf_window *w, int spatial,
                                 const int64_t *kernel);

/* Spatial output size for x's input 0, whose rank is checked; and the halo that windows reach
 * beyond it. `channels` becomes dim[1] of output 0. */
enum rf_status rf_window_infer(const struct rf_window *w, struct rf_infer *x, int64_t channels);

/* The input pixel at window element (ky, kx) of output position (n, y, x); may lie in the halo. */
static inline const float *rf_window_pixel(const struct rf_window *w, const struct rf_pixels *in,
                                           size_t n, size_t y, size_t x, int64_t ky, int64_t kx)
{
    const int64_t iy = (int64_t)y * w->stride_h - w->top + ky * w->dilation_h;
    const int64_t ix = (int64_t)x * w->stride_w - w->left + kx * w->dilation_w;

    return in->data + (int64_t)(n * in->image) + iy * (int64_t)in->row + ix * (int64_t)in->pitch;
}

#endif
