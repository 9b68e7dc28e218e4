/*
 * Pools on channels-last pixels: MaxPool and AveragePool over windows, global ones over the image,
 * AdaptiveAveragePool (PyTorch's) over equal shares of it. The input's halo holds what padding
 * means: -infinity for a maximum, 0 for a sum.
 */
#include <math.h>

#include "core/window.h"

struct state {
    struct rf_window window;
    bool max, count_include_pad;
    int64_t out_h, out_w; /* adaptive: bins */
};

/* ---- over windows ------------------------------------------------------------------------------
 */

static enum rf_status prepare_window(struct rf_prepare *p, struct state *s)
{
    if (rf_window_prepare(p, &s->window, 0, NULL))
        return p->status;
    rf_attr_int_in(p, "storage_order", 0, 0, 0);
    /* A window within the padding alone would have nothing to take a maximum or mean of. */
    const struct rf_window *const w = &s->window;
    if (w->top >= w->kernel_h * w->dilation_h || w->left >= w->kernel_w * w->dilation_w ||
        w->bottom >= w->kernel_h * w->dilation_h || w->right >= w->kernel_w * w->dilation_w)
        return rf_prepare_fail(p, RF_INVALID, "padding is not smaller than the kernel");
    return p->status;
}

static enum rf_status prepare_max(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->max = true;
    return prepare_window(p, s);
}

static enum rf_status prepare_average(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->count_include_pad = rf_attr_int_in(p, "count_include_pad", 0, 0, 1);
    return prepare_window(p, s);
}

static enum rf_status infer_window(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_window *const w = &s->window;
    const size_t taps = (size_t)(w->kernel_h * w->kernel_w);
    const enum rf_status rc =
        rf_window_infer(w, x, x->in[0]->shape.rank > 1 ? x->in[0]->shape.dim[1] : 0);

    if (rc)
        return rc;
    x->halo_value = s->max ? -INFINITY : 0;
    x->scratch = taps * sizeof(float *);
    x->cost = rf_cost(rf_cost(rf_numel(&x->out[0]->shape), (int64_t)taps), 4);
    x->max_parts = (size_t)rf_cost(x->out[0]->shape.dim[0], x->cost / 65536 + 1);
    x->algorithm = "window";
    return RF_OK;
}

/* Elements of a window along one dimension that count: inside the input, or also inside the
 * padding. */
static int64_t counted(int64_t start, int64_t kernel, int64_t dilation, int64_t size,
                       int64_t before, int64_t after, bool with_padding)
{
    const int64_t lo = with_padding ? -before : 0, hi = with_padding ? size + after : size;
    int64_t n = 0;

    for (int64_t k = 0; k < kernel; k++)
        n += start + k * dilation >= lo && start + k * dilation < hi;
    return n;
}

static float weight(const struct state *s, const struct rf_pixels *in, size_t y, size_t x)
{
    const struct rf_window *const w = &s->window;
    const int64_t rows = counted((int64_t)y * w->stride_h - w->top, w->kernel_h, w->dilation_h,
                                 (int64_t)in->h, w->top, w->bottom, s->count_include_pad);
    const int64_t columns = counted((int64_t)x * w->stride_w - w->left, w->kernel_w, w->dilation_w,
                                    (int64_t)in->w, w->left, w->right, s->count_include_pad);

    return 1 / (float)(rows * columns);
}

static void run_window(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_window *const w = &s->window;
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const size_t area = out.h * out.w, taps = (size_t)(w->kernel_h * w->kernel_w);
    const float **const tap = x->scratch;
    size_t first, last;

    rf_part_range(out.n * area, part, n_parts, &first, &last);
    for (size_t i = first; i < last; i++) {
        const size_t n = i / area, oy = i % area / out.w, ox = i % out.w;
        float *const to = out.data + n * out.image + oy * out.row + ox * out.pitch;

        for (size_t t = 0; t < taps; t++)
            tap[t] = rf_window_pixel(w, &in, n, oy, ox, (int64_t)t / w->kernel_w,
                                     (int64_t)t % w->kernel_w);
        if (s->max)
            x->k->max_taps(to, tap, taps, out.c);
        else
            x->k->sum_taps(to, tap, taps, weight(s, &in, oy, ox), out.c);
    }
}

/* ---- over shares of the image ------------------------------------------------------------------
 */

static enum rf_status prepare_global(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->out_h = s->out_w = 1;
    return p->status;
}

static enum rf_status prepare_global_max(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->max = true;
    return prepare_global(p, state);
}

static enum rf_status prepare_adaptive(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    size_t n;
    const int64_t *const size = rf_attr_ints(p, "output_size", &n, 1, INT32_MAX);

    if (p->status)
        return p->status;
    if (n != 1 && n != 2)
        return rf_prepare_fail(p, RF_INVALID, "output_size has %zu elements, expected 1 or 2", n);
    s->out_h = n == 2 ? size[0] : 1;
    s->out_w = size[n - 1];
    return RF_OK;
}

static enum rf_status infer_shares(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    char text[RF_SHAPE_TEXT];

    if (in->rank < 3 || in->rank > 4)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected rank 3 or 4",
                             rf_shape_text(in, text, sizeof(text)));
    *out = *in;
    if (in->rank == 4)
        out->dim[2] = s->out_h;
    out->dim[in->rank - 1] = s->out_w;
    x->out[0]->dtype = RF_F32;
    const int64_t h = in->rank == 4 ? in->dim[2] : 1, w = in->dim[in->rank - 1];
    if (h < 1 || w < 1)
        return rf_infer_fail(x, RF_SHAPE, "input %s has no pixels",
                             rf_shape_text(in, text, sizeof(text)));
    /* Pointers to a row's pixels or to the rows' results, and these results. */
    x->scratch =
        (size_t)(h > w ? h : w) * sizeof(float *) + (size_t)(h * in->dim[1]) * sizeof(float);
    x->cost = rf_cost(rf_numel(in), 4);
    x->max_parts = (size_t)(in->dim[0] * s->out_h * s->out_w);
    x->algorithm = "share";
    return RF_OK;
}

/* [first, last) of `size` pixels for bin i of `bins`; as in PyTorch, bins may overlap. */
static void share(size_t size, size_t i, size_t bins, size_t *first, size_t *last)
{
    *first = i * size / bins;
    *last = ((i + 1) * size + bins - 1) / bins;
}

/* Row by row, then over the rows: a long sum in two short steps keeps its precision. */
static void run_shares(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const size_t bins = out.h * out.w;
    const float **const tap = x->scratch;
    float *const sums = (float *)(tap + (in.h > in.w ? in.h : in.w));
    size_t first, last, y0, y1, x0, x1;

    rf_part_range(out.n * bins, part, n_parts, &first, &last);
    for (size_t i = first; i < last; i++) {
        const size_t n = i / bins, oy = i % bins / out.w, ox = i % out.w;
        float *const to = out.data + n * out.image + oy * out.row + ox * out.pitch;

        share(in.h, oy, out.h, &y0, &y1);
        share(in.w, ox, out.w, &x0, &x1);
        for (size_t y = y0; y < y1; y++) {
            for (size_t t = x0; t < x1; t++)
                tap[t - x0] = in.data + n * in.image + y * in.row + t * in.pitch;
            if (s->max)
                x->k->max_taps(sums + (y - y0) * in.c, tap, x1 - x0, in.c);
            else
                x->k->sum_taps(sums + (y - y0) * in.c, tap, x1 - x0, 1, in.c);
        }
        for (size_t y = y0; y < y1; y++)
            tap[y - y0] = sums + (y - y0) * in.c;
        if (s->max)
            x->k->max_taps(to, tap, y1 - y0, in.c);
        else
            x->k->sum_taps(to, tap, y1 - y0, 1 / (float)((y1 - y0) * (x1 - x0)), in.c);
    }
}

#define POOL                                                                                       \
    .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .layouts = RF_ACCEPTS_NHWC,              \
    .state_bytes = sizeof(struct state)

RF_OP(MaxPool) = {
    POOL,
    .name = "MaxPool",
    .since = 1,
    .prepare = prepare_max,
    .infer = infer_window,
    .run = run_window,
};

RF_OP(AveragePool) = {
    POOL,
    .name = "AveragePool",
    .since = 1,
    .prepare = prepare_average,
    .infer = infer_window,
    .run = run_window,
};

RF_OP(GlobalAveragePool) = {
    POOL,
    .name = "GlobalAveragePool",
    .since = 1,
    .prepare = prepare_global,
    .infer = infer_shares,
    .run = run_shares,
};

RF_OP(GlobalMaxPool) = {
    POOL,
    .name = "GlobalMaxPool",
    .since = 1,
    .prepare = prepare_global_max,
    .infer = infer_shares,
    .run = run_shares,
};

RF_OP(AdaptiveAveragePool) = {
    POOL,
    .name = "AdaptiveAveragePool",
    .since = 1,
    .prepare = prepare_adaptive,
    .infer = infer_shares,
    .run = run_shares,
};
