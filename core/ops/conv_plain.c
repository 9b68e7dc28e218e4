/*
 * Conv and ConvTranspose of any rank on row-major tensors: plain loops over planes.
 *
 * Both are one pattern. Element o of the small side (Conv's output, ConvTranspose's input) meets
 * element o * stride + k * dilation - before of the large side through the weight's element k;
 * they differ in which side is read and which is added to.
 */
#include <string.h>

#include "core/ops/conv.h"

/* ---- arithmetic ---- */

struct planes {
    struct rf_window w; /* of the large side */
    bool transposed;
    size_t groups, n_in, n_out; /* channels, the latter of one group */
    /* Elements of one plane, and between neighbours of each dimension. */
    int64_t to_size, from_size, taps;
    int64_t to_step[RF_MAX_SPATIAL], from_step[RF_MAX_SPATIAL], tap_step[RF_MAX_SPATIAL];
};

static int64_t set_steps(int64_t *step, const int64_t *dim, int n)
{
    int64_t size = 1;

    for (int d = n - 1; d >= 0; d--) {
        step[d] = size;
        size *= dim[d];
    }
    return size;
}

static void complete(struct planes *p, const struct rf_shape *weight, int64_t groups)
{
    const struct rf_window *const w = &p->w;
    const size_t first = (size_t)(weight->dim[0] / groups), second = (size_t)weight->dim[1];

    p->groups = (size_t)groups;
    p->n_in = p->transposed ? first : second;
    p->n_out = p->transposed ? second : first;
    p->to_size = set_steps(p->to_step, p->transposed ? w->in : w->out, w->spatial);
    p->from_size = set_steps(p->from_step, p->transposed ? w->out : w->in, w->spatial);
    p->taps = set_steps(p->tap_step, w->kernel, w->spatial);
}

/* Elements [first, last) of the small side that meet one of the large side `offset` further on. */
static void meeting(const struct rf_window *w, int d, int64_t offset, int64_t *first, int64_t *last)
{
    const int64_t stride = w->stride[d], end = w->in[d] - offset;

    *first = offset < 0 ? (-offset + stride - 1) / stride : 0;
    *last = end > 0 ? (end + stride - 1) / stride : 0;
    if (*last > w->out[d])
        *last = w->out[d];
}

/* Adds what one plane gives to another through a kernel, from dimension d on. */
static void add_plane(const struct planes *p, int d, float *to, const float *from,
                      const float *taps)
{
    const struct rf_window *const w = &p->w;
    const int64_t stride = w->stride[d];
    const int64_t to_by = (p->transposed ? stride : 1) * p->to_step[d];
    const int64_t from_by = (p->transposed ? 1 : stride) * p->from_step[d];

    for (int64_t k = 0; k < w->kernel[d]; k++, taps += p->tap_step[d]) {
        const int64_t offset = k * w->dilation[d] - w->before[d];
        const int64_t to_offset = (p->transposed ? offset : 0) * p->to_step[d];
        const int64_t from_offset = (p->transposed ? 0 : offset) * p->from_step[d];
        int64_t first, last;

        meeting(w, d, offset, &first, &last);
        for (int64_t o = first; o < last; o++) {
            float *const y = to + o * to_by + to_offset;
            const float *const x = from + o * from_by + from_offset;

            if (d < w->spatial - 1)
                add_plane(p, d + 1, y, x, taps);
            else
                *y += *taps * *x;
        }
    }
}

static void run_planes(const struct planes *p, const struct rf_exec *x, int part, int n_parts)
{
    const size_t channels = p->groups * p->n_out;
    const float *const in = x->in[0]->data, *const weight = x->in[1]->data;
    const float *const bias = x->in[2] ? x->in[2]->data : NULL;
    float *const out = x->out[0]->data;
    size_t first, last;

    rf_part_range((size_t)x->out[0]->shape.dim[0] * channels, part, n_parts, &first, &last);
    for (size_t at = first; at < last; at++) {
        const size_t n = at / channels, c = at % channels, g = c / p->n_out;
        float *const to = out + at * (size_t)p->to_size;

        for (int64_t i = 0; i < p->to_size; i++)
            to[i] = bias ? bias[c] : 0;
        for (size_t i = g * p->n_in; i < (g + 1) * p->n_in; i++) {
            const float *const from = in + (n * p->groups * p->n_in + i) * (size_t)p->from_size;
            const size_t block =
                p->transposed ? i * p->n_out + c % p->n_out : c * p->n_in + i % p->n_in;

            add_plane(p, 0, to, from, weight + block * (size_t)p->taps);
        }
    }
}

static void wish(struct rf_infer *x)
{
    x->cost = rf_cost(x->macs, 4);
    x->max_parts = (size_t)rf_cost(x->out[0]->shape.dim[0], x->out[0]->shape.dim[1]);
    x->algorithm = "planes";
}

/* ---- Conv ---- */

static enum rf_status prepare_conv(struct rf_prepare *p, void *state)
{
    return rf_conv_prepare(p, state);
}

static enum rf_status infer_conv(const void *state, struct rf_infer *x)
{
    struct rf_window w;
    const enum rf_status rc = rf_conv_infer(state, x, &w);

    if (!rc)
        wish(x);
    return rc;
}

static void run_conv(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_conv *const c = x->state;
    const struct rf_shape *const weight = &x->in[1]->shape;
    struct planes p = {.transposed = false};

    rf_window_fit(&c->window, &x->in[0]->shape, &weight->dim[2], &p.w);
    complete(&p, weight, c->groups);
    run_planes(&p, x, part, n_parts);
}

/* ---- ConvTranspose ---- */

struct transpose {
    struct rf_conv conv; /* first */
    bool floor_first;    /* an odd padding's smaller half comes first */
    int n_added, n_sizes;
    int64_t added[RF_MAX_SPATIAL]; /* output_padding */
    int64_t size[RF_MAX_SPATIAL];  /* output_shape */
};

static int take(struct rf_prepare *p, const char *name, int64_t lo, int64_t hi, int64_t *to)
{
    size_t n;
    const int64_t *const v = rf_attr_ints(p, name, &n, lo, hi);

    if (n > RF_MAX_SPATIAL) {
        rf_prepare_fail(p, RF_INVALID, "attribute %s has %zu elements, expected at most %d", name,
                        n, RF_MAX_SPATIAL);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        to[i] = v[i];
    return (int)n;
}

static enum rf_status prepare_transpose(struct rf_prepare *p, void *state)
{
    struct transpose *const t = state;

    t->n_added = take(p, "output_padding", 0, RF_MAX_EXTENT, t->added);
    t->n_sizes = take(p, "output_shape", 1, INT32_MAX, t->size);
    rf_conv_prepare(p, &t->conv);
    t->floor_first = t->conv.window.auto_pad == RF_PAD_SAME_UPPER;
    return p->status;
}

/* Before opset 11 the halves of what output_shape leaves lay the other way round. */
static enum rf_status prepare_transpose_1(struct rf_prepare *p, void *state)
{
    struct transpose *const t = state;

    prepare_transpose(p, state);
    if (t->n_sizes)
        t->floor_first = !t->floor_first;
    return p->status;
}

/* Output size and padding along dimension d; w->in is the output, w->out the input. */
static bool fit_dimension(const struct transpose *t, struct rf_window *w, int d)
{
    const enum rf_auto_pad pad = t->conv.window.auto_pad;
    const bool same = pad == RF_PAD_SAME_UPPER || pad == RF_PAD_SAME_LOWER;
    const int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1;

    if (w->out[d] < 1 || w->out[d] > INT32_MAX || span > INT32_MAX)
        return false;
    const int64_t full = (w->out[d] - 1) * w->stride[d] + span + t->added[d];

    if (same || t->n_sizes) {
        w->in[d] = t->n_sizes ? t->size[d] : w->out[d] * w->stride[d];
        const int64_t total = full > w->in[d] ? full - w->in[d] : 0;

        w->before[d] = t->floor_first ? total / 2 : total - total / 2;
        w->after[d] = total - w->before[d];
    } else {
        w->in[d] = full - w->before[d] - w->after[d];
    }
    return w->in[d] >= 1 && w->in[d] <= INT32_MAX;
}

static bool fit_transpose(const struct transpose *t, const struct rf_shape *in,
                          const int64_t *kernel, struct rf_window *w)
{
    const struct rf_window_attrs *const a = &t->conv.window;

    *w = (struct rf_window){.spatial = in->rank - 2};
    for (int d = 0; d < w->spatial; d++) {
        w->kernel[d] = kernel[d];
        w->stride[d] = a->stride[d];
        w->dilation[d] = a->dilation[d];
        w->before[d] = a->before[d];
        w->after[d] = a->after[d];
        w->out[d] = in->dim[d + 2];
        if (!fit_dimension(t, w, d))
            return false;
    }
    return true;
}

static enum rf_status infer_transpose(const void *state, struct rf_infer *x)
{
    const struct transpose *const t = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    char text[RF_SHAPE_TEXT];
    struct rf_window w;
    int64_t channels;
    enum rf_status rc = rf_conv_check(&t->conv, x, true, &channels);

    if (!rc)
        rc = rf_window_check(&t->conv.window, x, &x->in[1]->shape.dim[2]);
    if (rc)
        return rc;
    if ((t->n_added && t->n_added != in->rank - 2) || (t->n_sizes && t->n_sizes != in->rank - 2))
        return rf_infer_fail(x, RF_SHAPE,
                             "output_padding or output_shape is not for an input of shape %s",
                             rf_shape_text(in, text, sizeof(text)));
    if (!fit_transpose(t, in, &x->in[1]->shape.dim[2], &w))
        return rf_infer_fail(x, RF_SHAPE, "an input of shape %s leaves no output, or too large one",
                             rf_shape_text(in, text, sizeof(text)));
    x->out[0]->dtype = RF_F32;
    x->out[0]->shape = (struct rf_shape){.rank = in->rank, .dim = {in->dim[0], channels}};
    memcpy(&x->out[0]->shape.dim[2], w.in, (size_t)w.spatial * sizeof(*w.in));
    rc = rf_conv_macs(x, in);
    wish(x);
    return rc;
}

static void run_transpose(const struct rf_exec *x, int part, int n_parts)
{
    const struct transpose *const t = x->state;
    const struct rf_shape *const weight = &x->in[1]->shape;
    struct planes p = {.transposed = true};

    fit_transpose(t, &x->in[0]->shape, &weight->dim[2], &p.w);
    complete(&p, weight, t->conv.groups);
    run_planes(&p, x, part, n_parts);
}

#define PLAIN                                                                                      \
    .min_in = 2, .max_in = 3, .min_out = 1, .max_out = 1, .layouts = RF_ACCEPTS_ROWMAJOR,          \
    .param_in = 1u << 1 | 1u << 2

RF_OP(ConvPlain) = {
    PLAIN,
    .name = "Conv",
    .since = RF_NO_OPSET,
    .state_bytes = sizeof(struct rf_conv),
    .prepare = prepare_conv,
    .infer = infer_conv,
    .run = run_conv,
};

RF_OP(ConvTranspose1) = {
    PLAIN,
    .name = "ConvTranspose",
    .since = 1,
    .state_bytes = sizeof(struct transpose),
    .prepare = prepare_transpose_1,
    .infer = infer_transpose,
    .run = run_transpose,
};

RF_OP(ConvTranspose) = {
    PLAIN,
    .name = "ConvTranspose",
    .since = 11,
    .state_bytes = sizeof(struct transpose),
    .prepare = prepare_transpose,
    .infer = infer_transpose,
    .run = run_transpose,
};
