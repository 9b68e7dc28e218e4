/*
 * Conv, 1-D and 2-D, on channels-last pixels, by OpenBLAS.
 *
 * A tile of output positions is gathered into rows of kernel_h * kernel_w * channels floats
 * (im2col) and multiplied with the weights, a group after the other; the epilogue runs on the tile
 * while it is hot. A 1x1 convolution needs no gathering.
 *
 * Constant weights are packed once; others by every part of every run, into its scratch.
 */
#include "core/ops/conv.h"

#include <string.h>

#include "core/gemm.h"
#include "core/view.h"

#define TILE_BYTES (1 << 20) /* of a tile's rows and results: what a core's L2 holds */

struct state {
    struct rf_conv_state common; /* first */
    /* Constant weights: one a group, [kernel_h][kernel_w][in_channels / groups][out / groups] */
    struct rf_gemm *gemm;
};

/* The convolution at one size of its input. */
struct layer {
    struct rf_epilogue epilogue;
    struct rf_window window;
    size_t groups, n_in, n_out; /* the latter of one group */
    size_t taps;
    bool pointwise;
    const struct rf_gemm *gemm;
};

/* ---- geometry ---- */

static void complete(struct layer *l, const struct state *s, const struct rf_shape *weight)
{
    struct rf_window *const w = &l->window;

    rf_window_as_image(w);
    l->epilogue = s->common.epilogue;
    l->groups = (size_t)s->common.conv.groups;
    l->n_in = (size_t)weight->dim[1];
    l->n_out = (size_t)weight->dim[0] / l->groups;
    l->taps = (size_t)(w->kernel[0] * w->kernel[1]);
    l->pointwise = l->taps == 1 && w->stride[0] == 1 && w->stride[1] == 1;
    l->gemm = s->gemm;
}

/* Floats of one row of the product. */
static size_t gathered(const struct layer *l)
{
    return l->taps * l->n_in;
}

/* Positions in a tile; never so few that the product's own overhead dominates. */
static size_t tile_rows(const struct layer *l)
{
    const size_t row = (gathered(l) + l->groups * l->n_out) * sizeof(float);
    const size_t rows = TILE_BYTES / row;

    return rows < RF_GEMM_MIN_ROWS ? RF_GEMM_MIN_ROWS : rows;
}

/* Room for weights that are packed in each run: the groups' products, then their weights. */
static size_t packed_bytes(const struct layer *l)
{
    return rf_align_up(l->groups * sizeof(struct rf_gemm)) +
           rf_align_up(l->groups * gathered(l) * l->n_out * sizeof(float));
}

static enum rf_status infer_layer(const struct state *s, struct rf_infer *x, struct layer *l)
{
    enum rf_status rc = rf_conv_infer(&s->common.conv, x, &l->window);

    if (rc)
        return rc;
    complete(l, s, &x->in[1]->shape);
    x->halo = rf_window_halo(&l->window);
    return rf_epilogue_infer(&s->common.epilogue, x);
}

static void wish(const struct layer *l, struct rf_infer *x)
{
    const size_t channels = l->groups * l->n_out;
    const size_t positions = (size_t)rf_numel(&x->out[0]->shape) / channels;
    const size_t rows = tile_rows(l) < positions ? tile_rows(l) : positions;

    x->cost = x->macs;
    x->scratch = rows * (gathered(l) + channels) * sizeof(float);
    x->max_parts = positions / RF_GEMM_MIN_ROWS + 1;
    x->algorithm = l->pointwise ? "pointwise" : "im2col";
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    struct layer l;
    const enum rf_status rc = infer_layer(state, x, &l);

    if (!rc)
        wish(&l, x);
    return rc;
}

static enum rf_status infer_packing(const void *state, struct rf_infer *x)
{
    struct layer l;
    const enum rf_status rc = infer_layer(state, x, &l);

    if (rc)
        return rc;
    wish(&l, x);
    x->scratch += packed_bytes(&l);
    return RF_OK;
}

/* ---- weights ---- */

void rf_conv_transpose(const struct rf_tensor *weight, size_t first, size_t n, float *to)
{
    struct rf_view from = rf_view_of(weight), v;
    int64_t step = from.dim[1] * (int64_t)n;

    rf_view_slice(&from, 0, (int64_t)first, (int64_t)n, 1);
    v = from;
    v.data = (char *)to;
    v.step[0] = 1;
    v.step[1] = from.dim[0];
    for (int d = from.rank - 1; d >= 2; d--) {
        v.step[d] = step;
        step *= from.dim[d];
    }
    rf_view_copy(&v, &from);
}

static enum rf_status pack(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const value = rf_prepare_in(p, 1);
    const struct rf_tensor weight = {
        .data = value->constant, .dtype = value->dtype, .shape = value->shape};
    struct layer l = {.window.spatial = weight.shape.rank - 2};

    memcpy(l.window.kernel, &weight.shape.dim[2],
           (size_t)l.window.spatial * sizeof(*weight.shape.dim));
    complete(&l, s, &value->shape);
    s->gemm = rf_prepare_alloc(p, l.groups, sizeof(*s->gemm));
    for (size_t g = 0; s->gemm && g < l.groups; g++) {
        if (rf_gemm_init(p, &s->gemm[g], &rf_gemm_openblas, gathered(&l), l.n_out))
            return p->status;
        rf_conv_transpose(&weight, g * l.n_out, l.n_out, s->gemm[g].weights);
    }
    return p->status;
}

/* The same in a run; returns the scratch that is left. */
static void *pack_into(struct layer *l, const struct rf_tensor *weight, void *scratch)
{
    struct rf_gemm *const gemm = scratch;
    float *to = (float *)((char *)scratch + rf_align_up(l->groups * sizeof(*gemm)));

    l->gemm = gemm;
    for (size_t g = 0; g < l->groups; g++, to += gathered(l) * l->n_out) {
        rf_conv_transpose(weight, g * l->n_out, l->n_out, to);
        gemm[g] = (struct rf_gemm){
            .backend = &rf_gemm_openblas, .weights = to, .n_in = gathered(l), .n_out = l->n_out};
    }
    return (char *)scratch + packed_bytes(l);
}

/* ---- arithmetic ---- */

/* Rows of the product for positions [first, first + n) of one group. */
static void gather(const struct layer *l, const struct rf_pixels *in, const struct rf_pixels *out,
                   size_t group, size_t first, size_t n, float *to)
{
    const struct rf_window *const w = &l->window;
    const size_t channels = l->n_in, area = out->h * out->w;
    /* Neighbours in a window row that are neighbours in memory go in one copy. */
    const bool joined = w->dilation[1] == 1 && in->pitch == channels;
    const int64_t steps = joined ? 1 : w->kernel[1];
    const size_t bytes = (joined ? (size_t)w->kernel[1] : 1) * channels * sizeof(float);

    for (size_t i = first; i < first + n; i++) {
        for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
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
static void run_tile(const struct layer *l, const struct rf_exec *x, int part, size_t first,
                     size_t n)
{
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const bool straight = is_dense(&out), direct = l->pointwise && is_dense(&in);
    float *const rows = x->scratch, *const result = rows + n * gathered(l);
    float *const y = straight ? out.data + first * out.pitch : result;
    const size_t y_pitch = straight ? out.pitch : out.c;

    for (size_t g = 0; g < l->groups; g++) {
        const float *a = in.data + first * in.pitch + g * l->n_in;
        size_t a_pitch = in.pitch;

        if (!direct) {
            gather(l, &in, &out, g, first, n, rows);
            a = rows;
            a_pitch = gathered(l);
        }
        rf_gemm_run(&l->gemm[g], a, a_pitch, n, y + g * l->n_out, y_pitch, 0, l->n_out);
    }
    rf_epilogue_run(&l->epilogue, x, part, first, n, straight ? NULL : result, y_pitch, 0, out.c);
}

static void run_layer(const struct layer *l, const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_pixels out = rf_tensor_pixels(x->out[0]);
    const size_t step = tile_rows(l);
    size_t first, last;

    rf_part_range(out.n * out.h * out.w, part, n_parts, &first, &last);
    for (size_t at = first; at < last; at += step) {
        const size_t n = last - at < step ? last - at : step;

        run_tile(l, x, part, at, n);
    }
}

static void look(const struct rf_exec *x, struct layer *l)
{
    const struct state *const s = x->state;
    const struct rf_shape *const weight = &x->in[1]->shape;

    rf_window_fit(&s->common.conv.window, &x->in[0]->shape, &weight->dim[2], &l->window);
    complete(l, s, weight);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    struct layer l;

    look(x, &l);
    run_layer(&l, x, part, n_parts);
}

static void run_packing(const struct rf_exec *x, int part, int n_parts)
{
    struct rf_exec rest = *x;
    struct layer l;

    look(x, &l);
    rest.scratch = pack_into(&l, x->in[1], x->scratch);
    l.epilogue.bias = x->in[2] ? x->in[2]->data : NULL;
    run_layer(&l, &rest, part, n_parts);
}

/* ---- rows ---- */

static enum rf_status prepare_packing(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    if (rf_conv_prepare(p, &s->common.conv))
        return p->status;
    return rf_epilogue_prepare(p, &s->common.epilogue);
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    return rf_conv_prepare_constant(p, &s->common);
}

extern const struct rf_op rf_op_ConvPlain;

RF_OP(ConvPacking) = {
    RF_CONV_ROW,
    .since = RF_NO_OPSET,
    .fits = rf_conv_fits_image,
    .otherwise = &rf_op_ConvPlain,
    .prepare = prepare_packing,
    .infer = infer_packing,
    .run = run_packing,
};

RF_OP(ConvGathered) = {
    RF_CONV_ROW,
    .since = RF_NO_OPSET,
    .const_in = 1u << 1 | 1u << 2,
    .fits = rf_conv_fits_constant,
    .otherwise = &rf_op_ConvPacking,
    .prepare = prepare,
    .infer = infer,
    .pack = pack,
    .run = run,
};
