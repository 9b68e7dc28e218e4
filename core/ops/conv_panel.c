/*
 * Conv on channels-last pixels with weights in panels (core/panel.h): no gathering, as every tap of
 * the kernel is the same step from each output position's first pixel. Works where RECTIFIER_GEMM
 * lets panels do it; groups one after the other.
 */
#include "core/gemm.h"
#include "core/ops/conv.h"

#define BLOCK 112               /* output positions that are finished while they are hot */
#define COLUMNS 64              /* ... and their channels; a multiple of RF_GROUP and of panels */
#define LEAST 28                /* positions of a part */
#define FEW 100                 /* positions ... */
#define LARGE ((size_t)2 << 20) /* ... and bytes of weights of which parts share columns */

struct state {
    struct rf_conv_state common; /* first */
    struct rf_gemm *gemm;        /* one a group: [kernel_h][kernel_w][in / groups][out / groups] */
};

/* The convolution at one size of its input. */
struct layer {
    const struct state *s;
    struct rf_window window;
    struct rf_pixels in, out;
    size_t groups, n_in, n_out; /* the latter of one group */
    size_t n_taps, depth;       /* taps that are neighbours in memory are one */
};

/* ---- geometry ---- */

/* A kernel's row of pixels without gaps is one piece. */
static bool joins_taps(const struct rf_window *w, size_t pitch, size_t channels)
{
    return w->dilation[1] == 1 && pitch == channels;
}

static void look(const struct rf_exec *x, struct layer *l)
{
    const struct rf_shape *const weight = &x->in[1]->shape;
    struct rf_window *const w = &l->window;

    l->s = x->state;
    rf_window_fit(&l->s->common.conv.window, &x->in[0]->shape, &weight->dim[2], w);
    rf_window_as_image(w);
    l->in = rf_tensor_pixels(x->in[0]);
    l->out = rf_tensor_pixels(x->out[0]);
    l->groups = (size_t)l->s->common.conv.groups;
    l->n_in = (size_t)weight->dim[1];
    l->n_out = (size_t)weight->dim[0] / l->groups;
    const bool joined = joins_taps(w, l->in.pitch, l->n_in);

    l->n_taps = (size_t)(w->kernel[0] * (joined ? 1 : w->kernel[1]));
    l->depth = l->n_in * (joined ? (size_t)w->kernel[1] : 1);
}

/* Parts that share positions all read the weights; those that share columns all read the input, and
 * wait for each other's rows of it. */
static bool shares_columns(size_t positions, const struct rf_shape *weight, int64_t groups)
{
    return groups == 1 && positions < FEW && rf_shape_bytes(weight, RF_F32) > LARGE;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    struct rf_window w;
    enum rf_status rc = rf_conv_infer(&s->common.conv, x, &w);

    if (rc)
        return rc;
    rf_window_as_image(&w);
    const size_t channels = (size_t)x->out[0]->shape.dim[1];
    const size_t positions = channels ? (size_t)rf_numel(&x->out[0]->shape) / channels : 0;
    const size_t taps = (size_t)(w.kernel[0] * w.kernel[1]);

    x->halo = rf_window_halo(&w);
    x->cost = x->macs;
    x->max_parts = shares_columns(positions, &x->in[1]->shape, s->common.conv.groups)
                       ? (channels + COLUMNS - 1) / COLUMNS
                       : positions / LEAST + 1;
    x->scratch = taps * sizeof(ptrdiff_t) + BLOCK * (sizeof(float *) + sizeof(const float *));
    x->algorithm = taps == 1 ? "pointwise panel" : "direct panel";
    return rf_epilogue_infer(&s->common.epilogue, x);
}

/* ---- weights ---- */

static enum rf_status pack(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const value = rf_prepare_in(p, 1);
    const float *const w = value->constant;
    const size_t groups = (size_t)s->common.conv.groups, in = (size_t)value->shape.dim[1];
    const size_t out = (size_t)value->shape.dim[0] / groups;
    const size_t taps = (size_t)rf_numel(&value->shape) / (in * out * groups);

    s->gemm = rf_prepare_alloc(p, groups, sizeof(*s->gemm));
    for (size_t g = 0; g < groups && !p->status; g++) {
        if (rf_gemm_init(p, &s->gemm[g], &rf_gemm_panel, taps * in, out))
            return p->status;
        const struct rf_gemm_source source = {.w = w + g * out * in * taps,
                                              .in_step = 1,
                                              .out_step = in * taps,
                                              .scale = 1,
                                              .channels = in};

        rf_gemm_pack(&s->gemm[g], &source);
    }
    return p->status;
}

/* ---- arithmetic ---- */

/* Where a block's positions begin, in the input and in the output. */
struct block {
    ptrdiff_t *tap;
    const float **row;
    float **y;
    size_t first, n;
};

static void place_taps(const struct layer *l, ptrdiff_t *tap)
{
    const struct rf_window *const w = &l->window;
    const size_t columns = l->n_taps / (size_t)w->kernel[0];

    for (size_t i = 0; i < l->n_taps; i++)
        tap[i] = (ptrdiff_t)(i / columns) * w->dilation[0] * (ptrdiff_t)l->in.row +
                 (ptrdiff_t)(i % columns) * w->dilation[1] * (ptrdiff_t)l->in.pitch;
}

static void place_rows(const struct layer *l, struct block *b)
{
    const struct rf_pixels *const out = &l->out;
    const size_t area = out->h * out->w;
    size_t n = b->first / area, y = b->first % area / out->w, x = b->first % out->w;

    for (size_t i = 0; i < b->n; i++) {
        b->row[i] = rf_window_pixel(&l->window, &l->in, n, y, x, 0, 0);
        b->y[i] = out->data + n * out->image + y * out->row + x * out->pitch;
        if (++x == out->w) {
            x = 0;
            if (++y == out->h) {
                y = 0;
                n++;
            }
        }
    }
}

static void run_block(const struct layer *l, const struct rf_exec *x, int part, struct block *b,
                      size_t c0, size_t c1)
{
    const struct rf_gemm *const gemm = l->s->gemm;
    const struct rf_panel_rows rows = {
        .row = b->row, .y = b->y, .n = b->n, .tap = b->tap, .n_taps = l->n_taps, .depth = l->depth};

    for (size_t c = c0; c < c1; c += COLUMNS) {
        const size_t end = c + COLUMNS < c1 ? c + COLUMNS : c1;
        const float *const behind = gemm->weights + (end < c1 ? end : c0) * gemm->n_in;

        rf_panel_product(gemm, &rows, c, end, behind);
        rf_epilogue_run(&l->s->common.epilogue, x, part, b->first, b->n, NULL, 0, c, end);
    }
}

static void run_groups(const struct layer *l, const struct rf_exec *x, int part, struct block *b)
{
    const struct rf_panel_rows rows = {
        .row = b->row, .y = b->y, .n = b->n, .tap = b->tap, .n_taps = l->n_taps, .depth = l->depth};

    for (size_t g = 0; g < l->groups; g++) {
        rf_panel_product(&l->s->gemm[g], &rows, 0, l->n_out,
                         l->s->gemm[g + 1 < l->groups ? g + 1 : 0].weights);
        for (size_t i = 0; i < b->n; i++) {
            b->row[i] += l->n_in;
            b->y[i] += l->n_out;
        }
    }
    rf_epilogue_run(&l->s->common.epilogue, x, part, b->first, b->n, NULL, 0, 0, l->out.c);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    struct layer l;
    struct block b = {.tap = x->scratch};
    size_t first = 0, last, c0 = 0, c1;

    look(x, &l);
    last = l.out.n * l.out.h * l.out.w;
    c1 = l.out.c;
    b.row = (const float **)(b.tap + l.window.kernel[0] * l.window.kernel[1]);
    b.y = (float **)(b.row + BLOCK);
    if (shares_columns(last, &x->in[1]->shape, (int64_t)l.groups)) {
        rf_part_range((c1 + COLUMNS - 1) / COLUMNS, part, n_parts, &c0, &c1);
        c0 *= COLUMNS;
        c1 = c1 * COLUMNS < l.out.c ? c1 * COLUMNS : l.out.c;
    } else {
        rf_part_range(last, part, n_parts, &first, &last);
    }
    place_taps(&l, b.tap);
    for (size_t at = first; at < last; at += BLOCK) {
        b.first = at;
        b.n = last - at < BLOCK ? last - at : BLOCK;
        place_rows(&l, &b);
        if (l.groups > 1)
            run_groups(&l, x, part, &b);
        else
            run_block(&l, x, part, &b, c0, c1);
    }
}

/* ---- rows ---- */

static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    return rf_gemm_backend() == &rf_gemm_panel && rf_conv_fits_constant(g, node);
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    return rf_conv_prepare_constant(p, &s->common);
}

extern const struct rf_op rf_op_ConvGathered;

RF_OP(ConvPanel) = {
    RF_CONV_ROW,
    .since = RF_NO_OPSET,
    .const_in = 1u << 1 | 1u << 2,
    .fits = fits,
    .otherwise = &rf_op_ConvGathered,
    .prepare = prepare,
    .infer = infer,
    .pack = pack,
    .run = run,
};
