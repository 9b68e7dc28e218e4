#include "core/window.h"

#include <string.h>

/* ---- attributes ---- */

/* All attributes speak of the same number of dimensions. */
static const int64_t *take(struct rf_prepare *p, struct rf_window_attrs *a, const char *name,
                           int64_t lo, size_t per_dimension)
{
    size_t n;
    const int64_t *const v = rf_attr_ints(p, name, &n, lo, RF_MAX_EXTENT);

    if (!v)
        return NULL;
    if (!a->spatial && n >= per_dimension && n <= RF_MAX_SPATIAL * per_dimension)
        a->spatial = (int)(n / per_dimension);
    if (n != (size_t)a->spatial * per_dimension) {
        rf_prepare_fail(p, RF_INVALID, "attribute %s has %zu elements, expected %zu", name, n,
                        (a->spatial ? (size_t)a->spatial : 2) * per_dimension);
        return NULL;
    }
    return v;
}

static void take_sizes(struct rf_prepare *p, struct rf_window_attrs *a, const char *name,
                       int64_t *to)
{
    const int64_t *const v = take(p, a, name, 1, 1);

    for (int d = 0; d < RF_MAX_SPATIAL; d++)
        to[d] = v && d < a->spatial ? v[d] : 1;
}

static void take_pads(struct rf_prepare *p, struct rf_window_attrs *a)
{
    const int64_t *const v = take(p, a, "pads", 0, 2);

    for (int d = 0; v && d < a->spatial; d++) {
        a->before[d] = v[d];
        a->after[d] = v[a->spatial + d];
        if (a->auto_pad != RF_PAD_NOTSET && (a->before[d] || a->after[d])) {
            rf_prepare_fail(p, RF_INVALID, "has both auto_pad and pads");
            return;
        }
    }
}

static void take_auto_pad(struct rf_prepare *p, struct rf_window_attrs *a)
{
    static const char *const names[] = {[RF_PAD_NOTSET] = "NOTSET",
                                        [RF_PAD_VALID] = "VALID",
                                        [RF_PAD_SAME_UPPER] = "SAME_UPPER",
                                        [RF_PAD_SAME_LOWER] = "SAME_LOWER"};
    const char *const given = rf_attr_string(p, "auto_pad", names[RF_PAD_NOTSET]);

    for (int i = 0; i <= RF_PAD_SAME_LOWER; i++) {
        if (!strcmp(given, names[i])) {
            a->auto_pad = (enum rf_auto_pad)i;
            return;
        }
    }
    rf_prepare_fail(p, RF_UNSUPPORTED,
                    "auto_pad is %s, expected one of NOTSET, VALID, SAME_UPPER, "
                    "SAME_LOWER",
                    given);
}

enum rf_status rf_window_prepare(struct rf_prepare *p, struct rf_window_attrs *a)
{
    take_sizes(p, a, "kernel_shape", a->kernel);
    a->has_kernel = a->spatial > 0;
    take_sizes(p, a, "strides", a->stride);
    take_sizes(p, a, "dilations", a->dilation);
    take_auto_pad(p, a);
    take_pads(p, a);
    return p->status;
}

/* ---- one input ---- */

enum rf_status rf_window_check(const struct rf_window_attrs *a, struct rf_infer *x,
                               const int64_t *kernel)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    char text[RF_SHAPE_TEXT];

    rf_shape_text(in, text, sizeof(text));
    if (a->spatial && in->rank != a->spatial + 2)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected rank %d", text,
                             a->spatial + 2);
    if (in->rank < 3)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected rank 3 or more", text);
    if (!kernel && !a->has_kernel)
        return rf_infer_fail(x, RF_INVALID, "attribute kernel_shape is missing");
    for (int d = 0; kernel && d < in->rank - 2; d++) {
        if (a->has_kernel && a->kernel[d] != kernel[d])
            return rf_infer_fail(x, RF_SHAPE,
                                 "kernel_shape[%d] is %lld, but the weight has a kernel of %lld", d,
                                 (long long)a->kernel[d], (long long)kernel[d]);
        if (kernel[d] < 1 || kernel[d] > RF_MAX_EXTENT)
            return rf_infer_fail(x, RF_SHAPE, "the weight has a kernel of %lld along dimension %d",
                                 (long long)kernel[d], d);
    }
    return RF_OK;
}

/*
 * Output size and padding along one dimension. A last window that ceil_mode adds must begin within
 * the input or its left padding (as in PyTorch, and in ONNX).
 */
static bool fit(const struct rf_window_attrs *a, struct rf_window *w, int d)
{
    const int64_t stride = w->stride[d], size = w->in[d];
    const int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1;

    if (size < 1 || size > INT32_MAX || span > INT32_MAX)
        return false;
    if (a->auto_pad == RF_PAD_SAME_UPPER || a->auto_pad == RF_PAD_SAME_LOWER) {
        w->out[d] = (size + stride - 1) / stride;
        const int64_t missing = (w->out[d] - 1) * stride + span - size;
        const int64_t total = missing > 0 ? missing : 0;

        w->before[d] = a->auto_pad == RF_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->after[d] = total - w->before[d];
        return true;
    }
    const int64_t room = size + w->before[d] + w->after[d] - span;

    if (room < 0)
        return false;
    const bool up = a->ceil_mode && a->auto_pad == RF_PAD_NOTSET;

    w->out[d] = (up ? (room + stride - 1) / stride : room / stride) + 1;
    if (up && (w->out[d] - 1) * stride >= size + w->before[d])
        w->out[d]--;
    return true;
}

bool rf_window_fit(const struct rf_window_attrs *a, const struct rf_shape *in,
                   const int64_t *kernel, struct rf_window *w)
{
    *w = (struct rf_window){.spatial = in->rank - 2};
    for (int d = 0; d < w->spatial; d++) {
        w->kernel[d] = kernel ? kernel[d] : a->kernel[d];
        w->stride[d] = a->stride[d];
        w->dilation[d] = a->dilation[d];
        w->before[d] = a->before[d];
        w->after[d] = a->after[d];
        w->in[d] = in->dim[d + 2];
        if (!fit(a, w, d))
            return false;
    }
    return true;
}

enum rf_status rf_window_infer(const struct rf_window_attrs *a, struct rf_infer *x,
                               const int64_t *kernel, int64_t channels, struct rf_window *w)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    char text[RF_SHAPE_TEXT], window[RF_SHAPE_TEXT];
    const enum rf_status rc = rf_window_check(a, x, kernel);

    if (rc)
        return rc;
    if (!rf_window_fit(a, in, kernel, w)) {
        struct rf_shape span = {.rank = w->spatial};

        for (int d = 0; d < w->spatial; d++)
            span.dim[d] = ((kernel ? kernel[d] : a->kernel[d]) - 1) * a->dilation[d] + 1;
        return rf_infer_fail(x, RF_SHAPE, "windows of %s do not fit input %s",
                             rf_shape_text(&span, window, sizeof(window)),
                             rf_shape_text(in, text, sizeof(text)));
    }
    *out = (struct rf_shape){.rank = in->rank, .dim = {in->dim[0], channels}};
    memcpy(&out->dim[2], w->out, (size_t)w->spatial * sizeof(*w->out));
    x->out[0]->dtype = RF_F32;
    return RF_OK;
}

/* Of a step that is not negative. */
static int64_t round_up(int64_t n, int64_t step)
{
    return n > 0 ? (n + step - 1) / step : 0;
}

void rf_window_taps(const struct rf_window *w, int d, int64_t o, int64_t lo, int64_t hi,
                    int64_t *first, int64_t *last)
{
    const int64_t start = o * w->stride[d] - w->before[d];
    const int64_t end = round_up(hi - start, w->dilation[d]);

    *first = round_up(lo - start, w->dilation[d]);
    *last = end < w->kernel[d] ? end : w->kernel[d];
    if (*first > *last)
        *first = *last;
}

bool rf_window_size(const struct rf_window *w, int64_t *n)
{
    struct rf_shape shape = {.rank = w->spatial};

    memcpy(shape.dim, w->kernel, sizeof(w->kernel));
    return rf_shape_numel(&shape, n);
}

/* ---- channels-last pixels ---- */

static void shift(int64_t *v, int64_t first)
{
    v[1] = v[0];
    v[0] = first;
}

void rf_window_as_image(struct rf_window *w)
{
    if (w->spatial == 2)
        return;
    w->spatial = 2;
    shift(w->kernel, 1);
    shift(w->stride, 1);
    shift(w->dilation, 1);
    shift(w->before, 0);
    shift(w->after, 0);
    shift(w->in, 1);
    shift(w->out, 1);
}

static int32_t reach(const struct rf_window *w, int d)
{
    const int64_t end = (w->out[d] - 1) * w->stride[d] + (w->kernel[d] - 1) * w->dilation[d] + 1;
    const int64_t beyond = end - w->before[d] - w->in[d];

    return beyond > 0 ? (int32_t)beyond : 0;
}

struct rf_halo rf_window_halo(const struct rf_window *w)
{
    return (struct rf_halo){.top = (int32_t)w->before[0],
                            .left = (int32_t)w->before[1],
                            .bottom = reach(w, 0),
                            .right = reach(w, 1)};
}

void rf_window_offsets(const struct rf_window *w, const struct rf_pixels *in, ptrdiff_t *tap)
{
    for (int64_t y = 0; y < w->kernel[0]; y++)
        for (int64_t x = 0; x < w->kernel[1]; x++)
            *tap++ =
                y * w->dilation[0] * (ptrdiff_t)in->row + x * w->dilation[1] * (ptrdiff_t)in->pitch;
}
