/*
 * Pools on channels-last pixels: MaxPool and AveragePool over windows, global ones over the image,
 * AdaptiveAveragePool (PyTorch's) over equal shares of it. The input's halo holds what padding
 * means: -infinity for a maximum, 0 for a sum.
 */
#include <math.h>

#include "core/ops/pooling.h"

/* ---- over windows ---- */

static enum rf_status infer_window(const void *state, struct rf_infer *x)
{
    const struct rf_pooling *const s = state;
    struct rf_window w;
    const enum rf_status rc = rf_pooling_infer(s, x, &w);

    if (rc)
        return rc;
    rf_window_as_image(&w);
    const int64_t taps = w.kernel[0] * w.kernel[1];

    x->halo = rf_window_halo(&w);
    x->halo_value = s->kind == RF_POOLING_MAX ? -INFINITY : 0;
    x->scratch = (size_t)taps * sizeof(ptrdiff_t);
    x->cost = rf_cost(taps, 4);
    for (int d = 0; d < x->out[0]->shape.rank; d++)
        x->cost = rf_cost(x->cost, x->out[0]->shape.dim[d]);
    x->max_parts = (size_t)rf_cost(x->out[0]->shape.dim[0], x->cost / 65536 + 1);
    x->algorithm = "window";
    return RF_OK;
}

/* Elements of window o along dimension d that a mean is over. */
static int64_t counted(const struct rf_pooling *s, const struct rf_window *w, int d, size_t o)
{
    const bool all = s->count_include_pad;
    int64_t first, last;

    rf_window_taps(w, d, (int64_t)o, all ? -w->before[d] : 0,
                   all ? w->in[d] + w->after[d] : w->in[d], &first, &last);
    return last - first;
}

/* Output positions of a row from `first` on, at most up to `end`, whose means are over as many
 * elements. */
static size_t alike(const struct rf_pooling *s, const struct rf_window *w, size_t first, size_t end)
{
    const int64_t n = counted(s, w, 1, first);
    size_t last = first + 1;

    while (last < end && counted(s, w, 1, last) == n)
        last++;
    return last - first;
}

static void run_window(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_pooling *const s = x->state;
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const bool max = s->kind == RF_POOLING_MAX;
    struct rf_window w;
    size_t first, last;

    rf_window_fit(&s->window, &x->in[0]->shape, NULL, &w);
    rf_window_as_image(&w);
    rf_window_offsets(&w, &in, x->scratch);
    struct rf_window_row r = {.y_pitch = out.pitch,
                              .x_step = (size_t)w.stride[1] * in.pitch,
                              .tap = x->scratch,
                              .n_taps = (size_t)(w.kernel[0] * w.kernel[1]),
                              .channels = out.c};

    rf_part_range(out.n * out.h * out.w, part, n_parts, &first, &last);
    for (size_t i = first; i < last; i += r.pixels) {
        const size_t n = i / out.w / out.h, oy = i / out.w % out.h, ox = i % out.w;
        const size_t end = out.w - ox < last - i ? out.w : ox + last - i;

        r.x = rf_window_pixel(&w, &in, n, oy, ox, 0, 0);
        r.y = out.data + n * out.image + oy * out.row + ox * out.pitch;
        r.pixels = max ? end - ox : alike(s, &w, ox, end);
        if (max) {
            x->k->window_max(&r);
        } else {
            r.scale = 1 / (float)(counted(s, &w, 0, oy) * counted(s, &w, 1, ox));
            x->k->window_sum(&r);
        }
    }
}

/* ---- over shares of the image ---- */

struct state {
    bool max;
    int64_t out_h, out_w; /* bins */
};

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
    const enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);
    if (rc)
        return rc;
    *out = *in;
    if (in->rank == 4)
        out->dim[2] = s->out_h;
    out->dim[in->rank - 1] = s->out_w;
    x->out[0]->dtype = RF_F32;
    const int64_t h = in->rank == 4 ? in->dim[2] : 1, w = in->dim[in->rank - 1];
    if (h < 1 || w < 1)
        return rf_infer_fail(x, RF_SHAPE, "input %s has no pixels",
                             rf_shape_text(in, text, sizeof(text)));
    /* Where a row's pixels lie or the rows' results, and these results. */
    x->scratch =
        (size_t)(h > w ? h : w) * sizeof(ptrdiff_t) + (size_t)(h * in->dim[1]) * sizeof(float);
    x->cost = rf_cost(rf_numel(in), 4);
    x->max_parts = (size_t)rf_cost(rf_cost(in->dim[0], s->out_h), s->out_w);
    x->algorithm = "share";
    return RF_OK;
}

/* [first, last) of `size` pixels for bin i of `bins`; as in PyTorch, bins may overlap. */
static void share(size_t size, size_t i, size_t bins, size_t *first, size_t *last)
{
    *first = i * size / bins;
    *last = ((i + 1) * size + bins - 1) / bins;
}

/* One result over n_taps rows of channels that lie `step` floats apart. */
static void fold(const struct rf_exec *x, float *y, const float *from, size_t n_taps, size_t step,
                 size_t channels, float scale)
{
    const struct state *const s = x->state;
    ptrdiff_t *const tap = x->scratch;
    const struct rf_window_row r = {.y = y,
                                    .x = from,
                                    .tap = tap,
                                    .n_taps = n_taps,
                                    .pixels = 1,
                                    .channels = channels,
                                    .scale = scale};

    for (size_t t = 0; t < n_taps; t++)
        tap[t] = (ptrdiff_t)(t * step);
    (s->max ? x->k->window_max : x->k->window_sum)(&r);
}

/* Row by row, then over the rows: a long sum in two short steps keeps its precision. */
static void run_shares(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const size_t bins = out.h * out.w;
    float *const rows = (float *)((ptrdiff_t *)x->scratch + (in.h > in.w ? in.h : in.w));
    size_t first, last, y0, y1, x0, x1;

    rf_part_range(out.n * bins, part, n_parts, &first, &last);
    for (size_t i = first; i < last; i++) {
        const size_t n = i / bins, oy = i % bins / out.w, ox = i % out.w;

        share(in.h, oy, out.h, &y0, &y1);
        share(in.w, ox, out.w, &x0, &x1);
        for (size_t y = y0; y < y1; y++)
            fold(x, rows + (y - y0) * in.c, in.data + n * in.image + y * in.row + x0 * in.pitch,
                 x1 - x0, in.pitch, in.c, 1);
        fold(x, out.data + n * out.image + oy * out.row + ox * out.pitch, rows, y1 - y0, in.c, in.c,
             1 / (float)((y1 - y0) * (x1 - x0)));
    }
}

/* ---- rows ---- */

static bool fits_image(const struct rf_graph *g, const struct rf_node *node)
{
    const int rank = g->values[node->in[0]].shape.rank;

    return (rank == 3 || rank == 4) && node->n_out == 1;
}

extern const struct rf_op rf_op_MaxPoolPlain, rf_op_AveragePoolPlain, rf_op_GlobalMaxPoolPlain,
    rf_op_GlobalAveragePoolPlain;

#define POOL                                                                                       \
    .min_in = 1, .max_in = 1, .min_out = 1, .flags = RF_OP_IMAGEWISE, .layouts = RF_ACCEPTS_NHWC
#define WINDOW                                                                                     \
    POOL, .fits = fits_image, .state_bytes = sizeof(struct rf_pooling), .infer = infer_window,     \
          .run = run_window
#define SHARE                                                                                      \
    POOL, .max_out = 1, .state_bytes = sizeof(struct state), .infer = infer_shares,                \
          .run = run_shares

RF_OP(MaxPool) = {
    WINDOW,
    .name = "MaxPool",
    .since = 1,
    .max_out = 2,
    .otherwise = &rf_op_MaxPoolPlain,
    .prepare = rf_pooling_prepare_max,
};

RF_OP(AveragePool) = {
    WINDOW,
    .name = "AveragePool",
    .since = 1,
    .max_out = 1,
    .otherwise = &rf_op_AveragePoolPlain,
    .prepare = rf_pooling_prepare_mean,
};

RF_OP(GlobalAveragePool) = {
    SHARE,
    .name = "GlobalAveragePool",
    .since = 1,
    .fits = fits_image,
    .otherwise = &rf_op_GlobalAveragePoolPlain,
    .prepare = prepare_global,
};

RF_OP(GlobalMaxPool) = {
    SHARE,
    .name = "GlobalMaxPool",
    .since = 1,
    .fits = fits_image,
    .otherwise = &rf_op_GlobalMaxPoolPlain,
    .prepare = prepare_global_max,
};

RF_OP(AdaptiveAveragePool) = {
    SHARE,
    .name = "AdaptiveAveragePool",
    .since = RF_OWN,
    .prepare = prepare_adaptive,
};
