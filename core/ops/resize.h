/* Resize: from attributes and inputs to a table for each axis. */
#ifndef RF_CORE_OPS_RESIZE_H
#define RF_CORE_OPS_RESIZE_H

#include "core/op.h"

enum rf_resize_transform {
    RF_RESIZE_HALF_PIXEL,
    RF_RESIZE_HALF_PIXEL_SYMMETRIC,
    RF_RESIZE_PYTORCH_HALF_PIXEL,
    RF_RESIZE_ALIGN_CORNERS,
    RF_RESIZE_ASYMMETRIC,
    RF_RESIZE_TF_HALF_PIXEL_FOR_NN,
    RF_RESIZE_TF_CROP_AND_RESIZE
};
enum rf_resize_rounding {
    RF_RESIZE_ROUND_PREFER_FLOOR,
    RF_RESIZE_ROUND_PREFER_CEIL,
    RF_RESIZE_FLOOR,
    RF_RESIZE_CEIL,
    RF_RESIZE_OUTWARD
};
enum rf_resize_policy { RF_RESIZE_STRETCH, RF_RESIZE_NOT_LARGER, RF_RESIZE_NOT_SMALLER };

struct rf_resize {
    bool linear;
    enum rf_resize_transform transform;
    enum rf_resize_rounding rounding;
    enum rf_resize_policy policy;
    int roi_in, scales_in, sizes_in; /* inputs; 0: it has none */
    float outside;                   /* what lies outside of the roi's image */
    const float *scales;             /* of an attribute, or NULL */
    size_t n_scales, n_axes;
    const int64_t *axes; /* NULL: all */
};

/* What is asked for: a factor or a size for each of `n` axes. */
struct rf_resize_request {
    size_t n, n_scales, n_sizes, n_roi;
    int axis[RF_MAX_RANK];
    float scale[RF_MAX_RANK], roi[2 * RF_MAX_RANK]; /* starts, then ends */
    int64_t size[RF_MAX_RANK];
};

/* num / den: input elements for one of the output. */
struct rf_resize_axis {
    int64_t in, out;
    double num, den;
    double start, end; /* of the roi, in shares of the input */
};

/* An output index is in[lo] * (1 - weight) + in[hi] * weight; lo < 0: outside. */
struct rf_resize_tap {
    int32_t lo, hi;
    float weight;
};

/* Reads inputs whose dtypes, and axes, were checked. */
void rf_resize_load(const struct rf_resize *s, const struct rf_tensor *const *in,
                    struct rf_resize_request *r);
/* Sizes of all axes; -1: too large. */
void rf_resize_measure(const struct rf_resize *s, const struct rf_shape *in,
                       const struct rf_resize_request *r, struct rf_resize_axis *axes);
void rf_resize_fill(const struct rf_resize *s, const struct rf_resize_axis *a,
                    struct rf_resize_tap *taps);

#endif
