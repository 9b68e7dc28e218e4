#include "core/window.h"

#include <string.h>

/* Keeps every product of two of them, and of one with a dimension below 2^31, within int64. */
#define MAX_EXTENT (1 << 24)

static void take(struct rf_prepare *p, const char *name, int spatial, int64_t lo, int64_t fallback,
                 int64_t *h, int64_t *w)
{
    size_t n;
    const int64_t *const v = rf_attr_ints(p, name, &n, lo, MAX_EXTENT);

    *h = *w = fallback;
    if (spatial == 1)
        *h = 1;
    if (!v)
        return;
    if (n != (size_t)spatial) {
        rf_prepare_fail(p, RF_INVALID, "attribute %s has %zu elements, expected %d", name, n,
                        spatial);
        return;
    }
    if (spatial == 2)
        *h = v[0];
    *w = v[spatial - 1];
}

static void take_pads(struct rf_prepare *p, struct rf_window *w)
{
    size_t n;
    const int64_t *const v = rf_attr_ints(p, "pads", &n, 0, MAX_EXTENT);

    if (!v)
        return;
    if (n != (size_t)w->spatial * 2) {
        rf_prepare_fail(p, RF_INVALID, "attribute pads has %zu elements, expected %d", n,
                        w->spatial * 2);
        return;
    }
    w->left = v[w->spatial - 1];
    w->right = v[n - 1];
    if (w->spatial == 2) {
        w->top = v[0];
        w->bottom = v[2];
    }
}

enum rf_status rf_window_prepare(struct rf_prepare *p, struct rf_window *w, int spatial,
                                 const int64_t *kernel)
{
    size_t n;
    const int64_t *const shape = rf_attr_ints(p, "kernel_shape", &n, 1, MAX_EXTENT);

    if (!spatial)
        spatial = (int)n;
    if (spatial < 1 || spatial > 2)
        return rf_prepare_fail(p, RF_UNSUPPORTED, "has %d spatial dimensions, 1 and 2 are offered",
                               spatial);
    w->spatial = spatial;
    take(p, "kernel_shape", spatial, 1, 0, &w->kernel_h, &w->kernel_w);
    take(p, "strides", spatial, 1, 1, &w->stride_h, &w->stride_w);
    take(p, "dilations", spatial, 1, 1, &w->dilation_h, &w->dilation_w);
    take_pads(p, w);
    w->ceil_mode = rf_attr_int_in(p, "ceil_mode", 0, 0, 1);
    if (strcmp(rf_attr_string(p, "auto_pad", "NOTSET"), "NOTSET") != 0)
        return rf_prepare_fail(p, RF_UNSUPPORTED, "auto_pad %s is not offered",
                               rf_attr_string(p, "auto_pad", ""));
    if (!kernel || p->status)
        return p->status;
    if (shape && (w->kernel_w != kernel[spatial - 1] || (spatial == 2 && w->kernel_h != kernel[0])))
        return rf_prepare_fail(p, RF_SHAPE, "kernel_shape differs from the weight's shape");
    w->kernel_w = kernel[spatial - 1];
    w->kernel_h = spatial == 2 ? kernel[0] : 1;
    if (w->kernel_h < 1 || w->kernel_w < 1 || w->kernel_h > MAX_EXTENT || w->kernel_w > MAX_EXTENT)
        return rf_prepare_fail(p, RF_SHAPE, "kernel of %lld by %lld", (long long)w->kernel_h,
                               (long long)w->kernel_w);
    return p->status;
}

/*
 * Output size along one dimension and how far the last window reaches beyond the input. A last
 * window that ceil_mode adds must begin within the input or its left padding (as in PyTorch).
 */
static bool extent(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                   int64_t after, bool ceil_mode, int64_t *out, int32_t *reach)
{
    const int64_t span = (kernel - 1) * dilation + 1;
    const int64_t room = size + before + after - span;

    if (size < 1 || size > INT32_MAX || room < 0)
        return false;
    *out = (ceil_mode ? (room + stride - 1) / stride : room / stride) + 1;
    if (ceil_mode && (*out - 1) * stride >= size + before)
        (*out)--;

    const int64_t beyond = (*out - 1) * stride + span - before - size;
    if (beyond > INT32_MAX)
        return false;
    *reach = beyond > 0 ? (int32_t)beyond : 0;
    return true;
}

enum rf_status rf_window_infer(const struct rf_window *w, struct rf_infer *x, int64_t channels)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    char text[RF_SHAPE_TEXT];

    if (in->rank != w->spatial + 2)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected rank %d",
                             rf_shape_text(in, text, sizeof(text)), w->spatial + 2);
    *out = (struct rf_shape){.rank = in->rank, .dim = {in->dim[0], channels}};
    const int64_t h = w->spatial == 2 ? in->dim[2] : 1;
    int64_t out_h;

    if (!extent(h, w->kernel_h, w->stride_h, w->dilation_h, w->top, w->bottom, w->ceil_mode, &out_h,
                &x->halo.bottom) ||
        !extent(in->dim[in->rank - 1], w->kernel_w, w->stride_w, w->dilation_w, w->left, w->right,
                w->ceil_mode, &out->dim[in->rank - 1], &x->halo.right))
        return rf_infer_fail(
            x, RF_SHAPE, "kernel %lldx%lld (dilation %lld,%lld) does not fit input %s",
            (long long)w->kernel_h, (long long)w->kernel_w, (long long)w->dilation_h,
            (long long)w->dilation_w, rf_shape_text(in, text, sizeof(text)));
    if (w->spatial == 2)
        out->dim[2] = out_h;
    x->halo.top = (int32_t)w->top;
    x->halo.left = (int32_t)w->left;
    x->out[0]->dtype = RF_F32;
    return RF_OK;
}
