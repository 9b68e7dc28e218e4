/*
 * Conv, 1-D and 2-D, on channels-last pixels.
 *
 * A tile of output positions is gathered into rows of kernel_h * kernel_w * channels floats
 * (im2col) and multiplied with the weights, a group after the other; the epilogue runs on the tile
 * while it is hot. A 1x1 convolution needs no gathering, and where every channel is its own group
 * no product: that is a sum over the window, channel by channel.
 */
#include <string.h>

#include "core/epilogue.h"
#include "core/gemm.h"
#include "core/window.h"

#define TILE_BYTES (1 << 20) /* of a tile's rows and results: what a core's L2 holds */

struct state {
    struct rf_epilogue epilogue; /* first */
    struct rf_window window;
    int64_t in_channels, out_channels, groups;
    bool depthwise;
    struct rf_gemm
        *gemm;   /* one a group: [kernel_h][kernel_w][in_channels / groups][out / groups] */
    float *taps; /* depthwise: [kernel_h][kernel_w][channels] */
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const w = rf_prepare_in(p, 1);
    char text[RF_SHAPE_TEXT];

    if (!rf_prepare_weights(p, 1, "weight"))
        return p->status;
    if (w->shape.rank < 3 || w->shape.rank > 4)
        return rf_prepare_fail(p, RF_UNSUPPORTED, "weight %s has shape %s: 1-D and 2-D are offered",
                               w->name, rf_shape_text(&w->shape, text, sizeof(text)));
    s->out_channels = w->shape.dim[0];
    s->groups = rf_attr_int_in(p, "group", 1, 1, s->out_channels > 1 ? s->out_channels : 1);
    s->in_channels = w->shape.dim[1] * s->groups;
    if (rf_window_prepare(p, &s->window, w->shape.rank - 2, &w->shape.dim[2]))
        return p->status;
    if (s->out_channels < 1 || w->shape.dim[1] < 1 || s->out_channels % s->groups)
        return rf_prepare_fail(p, RF_SHAPE,
                               "weight %s has shape %s, which %lld groups do not divide", w->name,
                               rf_shape_text(&w->shape, text, sizeof(text)), (long long)s->groups);
    s->depthwise = s->groups > 1 && s->groups == s->in_channels && s->groups == s->out_channels;

    const float *const bias = rf_prepare_vector(p, 2, "bias", s->out_channels);
    if (rf_epilogue_prepare(p, &s->epilogue) || !bias)
        return p->status;
    float *const copy = rf_prepare_alloc(p, (size_t)s->out_channels, sizeof(*copy));
    if (copy)
        memcpy(copy, bias, (size_t)s->out_channels * sizeof(*copy));
    s->epilogue.bias = copy;
    return p->status;
}

/* Weights arrive as [out][in / groups][kernel_h][kernel_w]. */
static enum rf_status pack_groups(struct rf_prepare *p, struct state *s, const float *w)
{
    const size_t taps = (size_t)(s->window.kernel_h * s->window.kernel_w);
    const size_t in = (size_t)(s->in_channels / s->groups),
                 out = (size_t)(s->out_channels / s->groups);

    s->gemm = rf_prepare_alloc(p, (size_t)s->groups, sizeof(*s->gemm));
    for (size_t g = 0; s->gemm && g < (size_t)s->groups; g++) {
        float *const to = rf_gemm_init(p, &s->gemm[g], taps * in, out);

        if (!to)
            return p->status;
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                for (size_t t = 0; t < taps; t++)
                    to[(t * in + i) * out + o] = w[((g * out + o) * in + i) * taps + t];
    }
    return p->status;
}

static enum rf_status pack(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const float *const w = rf_prepare_weights(p, 1, "weight");
    const size_t taps = (size_t)(s->window.kernel_h * s->window.kernel_w);
    const size_t channels = (size_t)s->out_channels;

    if (!w)
        return p->status;
    if (!s->depthwise)
        return pack_groups(p, s, w);
    s->taps = rf_prepare_alloc(p, taps * channels, sizeof(*s->taps));
    for (size_t c = 0; s->taps && c < channels; c++)
        for (size_t t = 0; t < taps; t++)
            s->taps[t * channels + c] = w[c * taps + t];
    return p->status;
}

static size_t gathered(const struct state *s)
{
    return (size_t)(s->window.kernel_h * s->window.kernel_w * (s->in_channels / s->groups));
}

static bool is_pointwise(const struct state *s)
{
    const struct rf_window *const w = &s->window;

    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1;
}

/* Positions in a tile; never so few that the product's own overhead dominates. */
static size_t tile_rows(const struct state *s)
{
    const size_t row = (gathered(s) + (size_t)s->out_channels) * sizeof(float);
    const size_t rows = TILE_BYTES / row;

    return rows < RF_GEMM_MIN_ROWS ? RF_GEMM_MIN_ROWS : rows;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    char text[RF_SHAPE_TEXT];
    enum rf_status rc = rf_window_infer(&s->window, x, s->out_channels);

    if (!rc && in->dim[1] != s->in_channels)
        rc = rf_infer_fail(x, RF_SHAPE, "expects %lld input channels, its input has shape %s",
                           (long long)s->in_channels, rf_shape_text(in, text, sizeof(text)));
    if (!rc)
        rc = rf_epilogue_infer(&s->epilogue, x);
    if (rc)
        return rc;

    int64_t outputs;
    if (!rf_shape_numel(&x->out[0]->shape, &outputs) ||
        __builtin_mul_overflow(outputs, (int64_t)gathered(s), &x->macs))
        return rf_infer_fail(x, RF_LIMIT, "output %s is too large",
                             rf_shape_text(&x->out[0]->shape, text, sizeof(text)));
    const size_t positions = (size_t)(outputs / s->out_channels);
    const size_t taps = (size_t)(s->window.kernel_h * s->window.kernel_w);

    x->cost = s->depthwise ? rf_cost(x->macs, 8) : x->macs;
    if (s->depthwise) {
        x->scratch = taps * sizeof(float *);
        x->max_parts = positions / 16 + 1;
        x->algorithm = "depthwise";
    } else {
        const size_t rows = tile_rows(s) < positions ? tile_rows(s) : positions;

        x->scratch = rows * (gathered(s) + (size_t)s->out_channels) * sizeof(float);
        x->max_parts = positions / RF_GEMM_MIN_ROWS + 1;
        x->algorithm = is_pointwise(s) ? "pointwise" : "im2col";
    }
    return RF_OK;
}

/* Rows of the product for positions [first, first + n) of one group. */
static void gather(const struct state *s, const struct rf_pixels *in, const struct rf_pixels *out,
                   size_t group, size_t first, size_t n, float *to)
{
    const struct rf_window *const w = &s->window;
    const size_t channels = (size_t)(s->in_channels / s->groups), area = out->h * out->w;
    /* Neighbours in a window row that are neighbours in memory go in one copy. */
    const bool joined = w->dilation_w == 1 && in->pitch == channels;
    const int64_t steps = joined ? 1 : w->kernel_w;
    const size_t bytes = (joined ? (size_t)w->kernel_w : 1) * channels * sizeof(float);

    for (size_t i = first; i < first + n; i++) {
        for (int64_t ky = 0; ky < w->kernel_h; ky++) {
            for (int64_t kx = 0; kx < steps; kx++) {
                memcpy(to,
                       rf_window_pixel(w, in, i / area, i % area / out->w, i % out->w, ky, kx) +
                           group * channels,
                       bytes);
                to += bytes / sizeof(float);
            }
        }
    }
}

static bool is_dense(const struct rf_pixels *p)
{
    return p->row == p->w * p->pitch && p->image == p->h * p->row;
}

/* One tile: all groups, then the epilogue. Where the output is one block of rows the product is
 * written straight into it. */
static void run_tile(const struct state *s, const struct rf_exec *x, int part, size_t first,
                     size_t n)
{
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const size_t width = (size_t)(s->out_channels / s->groups);
    const bool straight = is_dense(&out), direct = is_pointwise(s) && is_dense(&in);
    float *const rows = x->scratch, *const result = rows + n * gathered(s);
    float *const y = straight ? out.data + first * out.pitch : result;
    const size_t y_pitch = straight ? out.pitch : (size_t)s->out_channels;

    for (size_t g = 0; g < (size_t)s->groups; g++) {
        const float *a = in.data + first * in.pitch + g * s->gemm[g].n_in;
        size_t a_pitch = in.pitch;

        if (!direct) {
            gather(s, &in, &out, g, first, n, rows);
            a = rows;
            a_pitch = s->gemm[g].n_in;
        }
        rf_gemm_run(&s->gemm[g], a, a_pitch, n, y + g * width, y_pitch, 0, width);
    }
    rf_epilogue_run(&s->epilogue, x, part, first, n, straight ? NULL : result, y_pitch, 0,
                    (size_t)s->out_channels);
}

static void run_depthwise(const struct state *s, const struct rf_exec *x, int part, size_t first,
                          size_t last)
{
    const struct rf_window *const w = &s->window;
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const size_t area = out.h * out.w, taps = (size_t)(w->kernel_h * w->kernel_w);
    const float **const tap = x->scratch;

    for (size_t i = first; i < last; i++) {
        const size_t n = i / area, oy = i % area / out.w, ox = i % out.w;

        for (size_t t = 0; t < taps; t++)
            tap[t] = rf_window_pixel(w, &in, n, oy, ox, (int64_t)t / w->kernel_w,
                                     (int64_t)t % w->kernel_w);
        x->k->depthwise(out.data + n * out.image + oy * out.row + ox * out.pitch, tap, s->taps,
                        out.c, taps, out.c);
    }
    rf_epilogue_run(&s->epilogue, x, part, first, last - first, NULL, 0, 0, out.c);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_pixels out = rf_tensor_pixels(x->out[0]);
    const size_t step = s->depthwise ? out.w : tile_rows(s);
    size_t first, last;

    rf_part_range(out.n * out.h * out.w, part, n_parts, &first, &last);
    for (size_t at = first; at < last; at += step) {
        const size_t n = last - at < step ? last - at : step;

        if (s->depthwise)
            run_depthwise(s, x, part, at, at + n);
        else
            run_tile(s, x, part, at, n);
    }
}

RF_OP(Conv) = {
    .name = "Conv",
    .since = 1,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_EPILOGUE | RF_OP_RESIDUAL,
    .layouts = RF_ACCEPTS_NHWC,
    .const_in = 1u << 1 | 1u << 2,
    .param_in = 1u << 1 | 1u << 2,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .pack = pack,
    .run = run,
};
