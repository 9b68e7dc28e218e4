/* Where the elements of a resized tensor come from. */
#include <math.h>
#include <string.h>

#include "core/ops/resize.h"

/* ---- sizes ---- */

static const struct rf_tensor *input(const struct rf_tensor *const *in, int i)
{
    return i ? in[i] : NULL;
}

/* Of inputs that were checked. */
void rf_resize_load(const struct rf_resize *s, const struct rf_tensor *const *in,
                    struct rf_resize_request *r)
{
    const struct rf_tensor *const scales = input(in, s->scales_in);
    const float *const factors = scales ? scales->data : s->scales;
    const struct rf_tensor *const roi = input(in, s->roi_in);
    const int rank = in[0]->shape.rank;

    *r = (struct rf_resize_request){.n = s->axes ? s->n_axes : (size_t)rank};
    r->n_sizes = rf_tensor_ints(input(in, s->sizes_in), r->size, RF_MAX_RANK);
    r->n_scales = scales ? (size_t)rf_numel(&scales->shape) : s->n_scales;
    r->n_roi = roi ? (size_t)rf_numel(&roi->shape) : 0;
    if (roi && r->n_roi == 2 * r->n)
        memcpy(r->roi, roi->data, r->n_roi * sizeof(*r->roi));
    for (size_t i = 0; i < r->n; i++) {
        const int axis = s->axes ? (int)s->axes[i] : (int)i;

        r->axis[i] = axis < 0 ? axis + rank : axis;
        if (r->n_scales == r->n)
            r->scale[i] = factors[i];
    }
}

/* The one factor that keeps the aspect ratio within the sizes, or beyond them. */
static double common_scale(const struct rf_resize *s, const struct rf_shape *in,
                           const struct rf_resize_request *r)
{
    double scale = 0;

    for (size_t i = 0; i < r->n; i++) {
        const double own = (double)r->size[i] / (double)in->dim[r->axis[i]];

        if (!i || (s->policy == RF_RESIZE_NOT_LARGER ? own < scale : own > scale))
            scale = own;
    }
    return scale;
}

static void measure_axis(const struct rf_resize *s, const struct rf_resize_request *r, size_t i,
                         double common, struct rf_resize_axis *a)
{
    double out;

    if (r->n_scales) {
        /* In single precision: as exporters compute what they expect. */
        out = (double)floorf(r->scale[i] * (float)a->in);
        a->den = (double)r->scale[i];
    } else if (s->policy == RF_RESIZE_STRETCH) {
        out = (double)r->size[i];
        a->num = (double)a->in;
        a->den = out;
    } else {
        out = floor(common * (double)a->in + 0.5);
        a->den = common;
    }
    a->out = out <= INT32_MAX ? (int64_t)out : -1;
    a->start = (double)r->roi[i];
    a->end = (double)r->roi[i + r->n];
}

/* Sizes of all axes; -1: too large. */
void rf_resize_measure(const struct rf_resize *s, const struct rf_shape *in,
                       const struct rf_resize_request *r, struct rf_resize_axis *axes)
{
    const double common = r->n_sizes && s->policy != RF_RESIZE_STRETCH ? common_scale(s, in, r) : 1;

    for (int d = 0; d < in->rank; d++)
        axes[d] = (struct rf_resize_axis){.in = in->dim[d], .out = in->dim[d], .num = 1, .den = 1};
    for (size_t i = 0; i < r->n; i++)
        measure_axis(s, r, i, common, &axes[r->axis[i]]);
}

/* ---- tables ---- */

/* Where index o of the output lies. */
static double place(const struct rf_resize *s, const struct rf_resize_axis *a, int64_t o)
{
    const double at = (double)o;

    switch (s->transform) {
    case RF_RESIZE_ASYMMETRIC:
        return at * a->num / a->den;
    case RF_RESIZE_TF_HALF_PIXEL_FOR_NN:
        return (at + 0.5) * a->num / a->den;
    case RF_RESIZE_ALIGN_CORNERS:
        return a->out > 1 ? at * (double)(a->in - 1) / (double)(a->out - 1) : 0;
    case RF_RESIZE_PYTORCH_HALF_PIXEL:
        return a->out > 1 ? (at + 0.5) * a->num / a->den - 0.5 : 0;
    case RF_RESIZE_HALF_PIXEL_SYMMETRIC: {
        /* What the output lacks to the exact size is missing at both ends. */
        const double lack = (double)a->in - (double)a->out * a->num / a->den;

        return lack / 2 + (at + 0.5) * a->num / a->den - 0.5;
    }
    case RF_RESIZE_TF_CROP_AND_RESIZE: {
        const double last = (double)(a->in - 1);
        const double share = a->out > 1 ? at / (double)(a->out - 1) : 0.5;

        return (a->start + share * (a->end - a->start)) * last;
    }
    default:
        return (at + 0.5) * a->num / a->den - 0.5;
    }
}

static double nearest(const struct rf_resize *s, const struct rf_resize_axis *a, double at)
{
    switch (s->rounding) {
    case RF_RESIZE_ROUND_PREFER_FLOOR:
        return ceil(at - 0.5);
    case RF_RESIZE_ROUND_PREFER_CEIL:
        return floor(at + 0.5);
    case RF_RESIZE_FLOOR:
        return floor(at);
    case RF_RESIZE_CEIL:
        return ceil(at);
    default: /* before opset 11: down where it grows, up where it shrinks */
        return a->num > a->den ? ceil(at) : floor(at);
    }
}

static int32_t clamp(double at, const struct rf_resize_axis *a)
{
    const int32_t last = (int32_t)(a->in - 1);

    return at > 0 ? at < (double)last ? (int32_t)at : last : 0;
}

void rf_resize_fill(const struct rf_resize *s, const struct rf_resize_axis *a,
                    struct rf_resize_tap *taps)
{
    const bool crops = s->transform == RF_RESIZE_TF_CROP_AND_RESIZE;

    for (int64_t o = 0; o < a->out; o++) {
        const double at = place(s, a, o);
        const double lo = s->linear ? floor(at) : nearest(s, a, at);

        taps[o] = (struct rf_resize_tap){
            .lo = clamp(lo, a), .hi = clamp(lo + 1, a), .weight = s->linear ? (float)(at - lo) : 0};
        if (crops && !(at >= 0 && at <= (double)(a->in - 1)))
            taps[o].lo = -1;
    }
}
