/*
 * Conv on channels-last pixels where a vector of outputs holds whole groups, every channel its own
 * one (depthwise) at best: no product, but sums over the window, vector by vector. Blocks of
 * positions and channels are finished while they are hot.
 */
#include "core/gemm.h"
#include "core/ops/conv.h"

#define BLOCK 112   /* output positions of a block */
#define CHANNELS 64 /* ... and their channels; a multiple of RF_GROUP */

struct state {
    struct rf_conv_state common; /* first */
    float *weights;              /* [taps][in / groups][out]; NULL: with the request */
};

/* The convolution at one size of its input. */
struct layer {
    struct rf_epilogue epilogue;
    struct rf_window window;
    struct rf_pixels in, out;
    ptrdiff_t *tap;
    const float *weights;
    size_t n_taps;
    size_t n_in, n_out; /* channels of one group */
};

static size_t taps_of(const struct rf_shape *weight)
{
    size_t n = 1;

    for (int d = 2; d < weight->rank; d++)
        n *= (size_t)weight->dim[d];
    return n;
}

static bool is_depthwise(const struct rf_shape *weight, int64_t groups)
{
    return groups > 1 && groups == weight->dim[0] && weight->dim[1] == 1;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    struct rf_window w;
    const enum rf_status rc = rf_conv_infer(&s->common.conv, x, &w);

    if (rc)
        return rc;
    const struct rf_shape *const out = &x->out[0]->shape, *const weight = &x->in[1]->shape;
    const size_t channels = (size_t)out->dim[1], n_taps = taps_of(weight);

    rf_window_as_image(&w);
    x->halo = rf_window_halo(&w);
    x->cost = rf_cost(x->macs, 3);
    x->max_parts = (size_t)rf_numel(out) / channels / BLOCK + 1;
    x->scratch = n_taps * sizeof(ptrdiff_t);
    if (!s->weights)
        x->scratch += (size_t)rf_numel(weight) * sizeof(float);
    x->algorithm = is_depthwise(weight, s->common.conv.groups) ? "depthwise" : "grouped";
    return rf_epilogue_infer(&s->common.epilogue, x);
}

/* ---- weights ---- */

static enum rf_status pack(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const value = rf_prepare_in(p, 1);
    const struct rf_tensor weight = {
        .data = value->constant, .dtype = value->dtype, .shape = value->shape};

    if (!value->constant)
        return p->status;
    s->weights = rf_prepare_alloc(p, (size_t)rf_numel(&weight.shape), sizeof(*s->weights));
    if (s->weights)
        rf_conv_transpose(&weight, 0, (size_t)weight.shape.dim[0], s->weights);
    return p->status;
}

/* ---- arithmetic ---- */

static void look(const struct rf_exec *x, struct layer *l)
{
    const struct state *const s = x->state;
    const struct rf_shape *const weight = &x->in[1]->shape;
    struct rf_window *const w = &l->window;

    rf_window_fit(&s->common.conv.window, &x->in[0]->shape, &weight->dim[2], w);
    rf_window_as_image(w);
    l->in = rf_tensor_pixels(x->in[0]);
    l->out = rf_tensor_pixels(x->out[0]);
    l->n_taps = taps_of(weight);
    l->n_in = (size_t)weight->dim[1];
    l->n_out = (size_t)(weight->dim[0] / s->common.conv.groups);
    l->tap = x->scratch;
    rf_window_offsets(w, &l->in, l->tap);
    l->epilogue = s->common.epilogue;
    l->epilogue.bias = x->in[2] ? x->in[2]->data : NULL;
    l->weights = s->weights;
    if (!l->weights) {
        float *const to = (float *)(l->tap + l->n_taps);

        rf_conv_transpose(x->in[1], 0, (size_t)weight->dim[0], to);
        l->weights = to;
    }
}

/* Channels [c0, c1) of positions [first, last). */
static void run_block(const struct layer *l, const struct rf_exec *x, int part, size_t first,
                      size_t last, size_t c0, size_t c1)
{
    const struct rf_pixels *const out = &l->out;
    struct rf_window_row r = {.y_pitch = out->pitch,
                              .x_step = (size_t)l->window.stride[1] * l->in.pitch,
                              .tap = l->tap,
                              .n_taps = l->n_taps,
                              .channels = c1 - c0,
                              .weights = l->weights + c0,
                              .weights_pitch = out->c,
                              .group_in = l->n_in,
                              .group_out = l->n_out};
    const bool depthwise = l->n_in == 1 && l->n_out == 1;

    for (size_t at = first; at < last; at += r.pixels) {
        const size_t n = at / out->w / out->h, oy = at / out->w % out->h, ox = at % out->w;

        r.pixels = out->w - ox < last - at ? out->w - ox : last - at;
        r.x = rf_window_pixel(&l->window, &l->in, n, oy, ox, 0, 0) + c0 / l->n_out * l->n_in;
        r.y = out->data + n * out->image + oy * out->row + ox * out->pitch + c0;
        (depthwise ? x->k->window_depthwise : x->k->window_grouped)(&r);
    }
    rf_epilogue_run(&l->epilogue, x, part, first, last - first, NULL, 0, c0, c1);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    struct layer l;
    size_t first, last;

    look(x, &l);
    rf_part_range(l.out.n * l.out.h * l.out.w, part, n_parts, &first, &last);
    for (size_t at = first; at < last; at += BLOCK) {
        const size_t end = last - at < BLOCK ? last : at + BLOCK;

        for (size_t c = 0; c < l.out.c; c += CHANNELS)
            run_block(&l, x, part, at, end, c, l.out.c - c < CHANNELS ? l.out.c : c + CHANNELS);
    }
}

/* ---- the row ---- */

/* From half a vector on, a panel's columns are used as well. */
static bool are_narrow(size_t n_in, size_t n_out)
{
    const size_t vector = rf_kernels_best()->panel_width / 2;

    return rf_gemm_backend() == &rf_gemm_panel && n_out && n_in <= n_out && n_out <= vector / 2 &&
           vector % n_out == 0;
}

static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_shape *const weight = &g->values[node->in[1]].shape;
    const struct rf_attr *const group = rf_node_attr(node, "group");
    const int64_t groups = group ? group->as.i : 1;

    if (!rf_conv_fits_image(g, node) || groups < 2 || weight->dim[0] % groups)
        return false;
    return is_depthwise(weight, groups) ||
           are_narrow((size_t)weight->dim[1], (size_t)(weight->dim[0] / groups));
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    if (rf_conv_prepare(p, &s->common.conv))
        return p->status;
    return rf_epilogue_prepare(p, &s->common.epilogue);
}

extern const struct rf_op rf_op_ConvPanel;

RF_OP(ConvGrouped) = {
    RF_CONV_ROW,        .since = RF_NO_OPSET, .fits = fits, .otherwise = &rf_op_ConvPanel,
    .prepare = prepare, .infer = infer,       .pack = pack, .run = run,
};
