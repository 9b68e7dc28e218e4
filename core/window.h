/*
 * Sliding windows: the geometry that convolutions and pools share, over any number of spatial
 * dimensions. What the attributes say is kept apart from what follows for one input's size, since
 * one model runs at many.
 */
#ifndef RF_CORE_WINDOW_H
#define RF_CORE_WINDOW_H

#include "core/op.h"

#define RF_MAX_SPATIAL (RF_MAX_RANK - 2)
/* Of kernels, strides, dilations, pads: keeps every product of two of them, and of one with a
 * dimension below 2^31, within int64. */
#define RF_MAX_EXTENT (1 << 24)

enum rf_auto_pad { RF_PAD_NOTSET, RF_PAD_VALID, RF_PAD_SAME_UPPER, RF_PAD_SAME_LOWER };

struct rf_window_attrs {
    int spatial; /* as many as the attributes have; 0: none of them is there */
    bool has_kernel;
    enum rf_auto_pad auto_pad;
    bool ceil_mode;
    int64_t kernel[RF_MAX_SPATIAL], stride[RF_MAX_SPATIAL], dilation[RF_MAX_SPATIAL];
    int64_t before[RF_MAX_SPATIAL], after[RF_MAX_SPATIAL]; /* padding */
};

/* Window o of dimension d begins at input element o * stride - before. */
struct rf_window {
    int spatial;
    int64_t kernel[RF_MAX_SPATIAL], stride[RF_MAX_SPATIAL], dilation[RF_MAX_SPATIAL];
    int64_t before[RF_MAX_SPATIAL], after[RF_MAX_SPATIAL]; /* padding */
    int64_t in[RF_MAX_SPATIAL], out[RF_MAX_SPATIAL];
};

/* Attributes kernel_shape, strides, dilations, pads (begin of each dimension, then end of each),
 * auto_pad. */
enum rf_status rf_window_prepare(struct rf_prepare *p, struct rf_window_attrs *a);

/* Everything but padding and output size: checks the rank, and kernel_shape against `kernel` (of a
 * weight; NULL: kernel_shape is the kernel). */
enum rf_status rf_window_check(const struct rf_window_attrs *a, struct rf_infer *x,
                               const int64_t *kernel);
/* The windows over an input of this shape, which rf_window_check took; for `run`. False: the kernel
 * does not fit. */
bool rf_window_fit(const struct rf_window_attrs *a, const struct rf_shape *in,
                   const int64_t *kernel, struct rf_window *w);
/* Both of them, and output 0: FP32 of `channels` channels. */
enum rf_status rf_window_infer(const struct rf_window_attrs *a, struct rf_infer *x,
                               const int64_t *kernel, int64_t channels, struct rf_window *w);

/* Elements [first, last) of window o that lie within [lo, hi) of dimension d. */
void rf_window_taps(const struct rf_window *w, int d, int64_t o, int64_t lo, int64_t hi,
                    int64_t *first, int64_t *last);
/* Elements of one window; false when they are too many to count. */
bool rf_window_size(const struct rf_window *w, int64_t *n) RF_CHECKED;

/* ---- channels-last pixels ---- */

/* One spatial dimension becomes two with H = 1. */
void rf_window_as_image(struct rf_window *w);
/* How far the windows reach beyond the image. */
struct rf_halo rf_window_halo(const struct rf_window *w);

/* Where each tap's pixel lies from its window's first one, in floats; row by row. */
void rf_window_offsets(const struct rf_window *w, const struct rf_pixels *in, ptrdiff_t *tap);

/* The input pixel at window element (ky, kx) of output position (n, y, x); may lie in the halo. */
static inline const float *rf_window_pixel(const struct rf_window *w, const struct rf_pixels *in,
                                           size_t n, size_t y, size_t x, int64_t ky, int64_t kx)
{
    const int64_t iy = (int64_t)y * w->stride[0] - w->before[0] + ky * w->dilation[0];
    const int64_t ix = (int64_t)x * w->stride[1] - w->before[1] + kx * w->dilation[1];

    return in->data + (int64_t)(n * in->image) + iy * (int64_t)in->row + ix * (int64_t)in->pitch;
}

#endif
