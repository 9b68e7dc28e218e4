/*
 * Gemm: Y = alpha * A * B + beta * C with constant B and C, as nn.Linear exports it.
 *
 * A may also be a channels-last image (the layout pass takes a Flatten away and lets Gemm read what
 * it flattened): the weights are then packed in the order of its pixels.
 */
#include <string.h>

#include "core/epilogue.h"
#include "core/gemm.h"

#define COLUMNS 64 /* outputs in the smallest share of a product split by columns */

struct state {
    struct rf_epilogue epilogue; /* first */
    bool trans_b;
    float alpha;
    size_t n_in, n_out;
    struct rf_gemm gemm;
};

static void prepare_bias(struct rf_prepare *p, struct state *s, float beta)
{
    const struct rf_value *const v = rf_prepare_in(p, 2);
    const float *const bias = v ? rf_prepare_weights(p, 2, "bias") : NULL;
    char text[RF_SHAPE_TEXT];

    if (!bias)
        return;
    const size_t n = (size_t)rf_numel(&v->shape);
    const int rank = v->shape.rank;

    if (n != 1 && (n != s->n_out || v->shape.dim[rank - 1] != (int64_t)n)) {
        rf_prepare_fail(p, RF_SHAPE, "bias %s has shape %s, expected [%zu]", v->name,
                        rf_shape_text(&v->shape, text, sizeof(text)), s->n_out);
        return;
    }
    float *const copy = rf_prepare_alloc(p, s->n_out, sizeof(*copy));
    for (size_t i = 0; copy && i < s->n_out; i++)
        copy[i] = beta * bias[n == 1 ? 0 : i];
    s->epilogue.bias = copy;
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const b = rf_prepare_in(p, 1);
    char text[RF_SHAPE_TEXT];

    s->alpha = rf_attr_float(p, "alpha", 1);
    s->trans_b = rf_attr_int_in(p, "transB", 0, 0, 1);
    rf_attr_int_in(p, "transA", 0, 0, 0);
    const float beta = rf_attr_float(p, "beta", 1);

    if (!rf_prepare_weights(p, 1, "weight"))
        return p->status;
    if (b->shape.rank != 2 || b->shape.dim[0] < 1 || b->shape.dim[1] < 1)
        return rf_prepare_fail(p, RF_SHAPE, "weight %s has shape %s, expected two dimensions",
                               b->name, rf_shape_text(&b->shape, text, sizeof(text)));
    s->n_in = (size_t)b->shape.dim[s->trans_b ? 1 : 0];
    s->n_out = (size_t)b->shape.dim[s->trans_b ? 0 : 1];
    rf_epilogue_prepare(p, &s->epilogue);
    prepare_bias(p, s, beta);
    return p->status;
}

/* Feature c * area + i of the flattened image is feature i * channels + c of its pixels. */
static enum rf_status pack(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const a = rf_prepare_in(p, 0);
    const float *const w = rf_prepare_weights(p, 1, "weight");
    float *const to = w ? rf_gemm_init(p, &s->gemm, s->n_in, s->n_out) : NULL;
    const size_t channels = a->layout == RF_NHWC ? (size_t)a->shape.dim[1] : s->n_in;
    const size_t area = s->n_in / channels;

    if (!to)
        return p->status;
    for (size_t i = 0; i < s->n_in; i++) {
        const size_t row = i % area * channels + i / area;

        for (size_t o = 0; o < s->n_out; o++)
            to[row * s->n_out + o] = s->alpha * w[s->trans_b ? o * s->n_in + i : i * s->n_out + o];
    }
    return p->status;
}

/* A's rows lie in memory as the product wants them. */
static bool reads_in_place(const struct rf_tensor *a)
{
    const struct rf_pixels p = rf_tensor_pixels(a);

    return p.pitch == p.c && p.row == p.w * p.pitch;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_tensor *const a = x->in[0];
    char text[RF_SHAPE_TEXT];
    int64_t features = 1;

    if (a->shape.rank < 2 || (a->shape.rank != 2 && a->layout != RF_NHWC))
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected [N,%zu]",
                             rf_shape_text(&a->shape, text, sizeof(text)), s->n_in);
    for (int i = 1; i < a->shape.rank; i++)
        features *= a->shape.dim[i];
    if (features != (int64_t)s->n_in)
        return rf_infer_fail(x, RF_SHAPE, "expects %zu features, its input has shape %s", s->n_in,
                             rf_shape_text(&a->shape, text, sizeof(text)));
    x->out[0]->dtype = RF_F32;
    x->out[0]->shape = (struct rf_shape){.rank = 2, .dim = {a->shape.dim[0], (int64_t)s->n_out}};
    if (a->shape.dim[0] > INT32_MAX)
        return rf_infer_fail(x, RF_LIMIT, "%lld rows, at most %d fit a product",
                             (long long)a->shape.dim[0], INT32_MAX);
    x->macs = x->cost = rf_cost(rf_cost(a->shape.dim[0], features), (int64_t)s->n_out);
    x->max_parts = (s->n_out + COLUMNS - 1) / COLUMNS;
    /* Where pixels turn out to be padded, their rows are copied together first. */
    if (a->shape.rank > 2)
        x->scratch = (size_t)a->shape.dim[0] * s->n_in * sizeof(float);
    x->algorithm = a->shape.dim[0] == 1 ? "gemv" : "gemm";
    return rf_epilogue_infer(&s->epilogue, x);
}

static void compact(const struct rf_pixels *p, float *to)
{
    for (size_t n = 0; n < p->n; n++)
        for (size_t y = 0; y < p->h; y++)
            for (size_t i = 0; i < p->w; i++, to += p->c)
                memcpy(to, p->data + n * p->image + y * p->row + i * p->pitch, p->c * sizeof(*to));
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_pixels a = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const float *rows = a.data;
    size_t pitch = a.image, c0, c1;

    rf_part_range((s->n_out + COLUMNS - 1) / COLUMNS, part, n_parts, &c0, &c1);
    c0 *= COLUMNS;
    c1 = c1 * COLUMNS < s->n_out ? c1 * COLUMNS : s->n_out;
    if (c0 >= c1 || !a.n)
        return;
    if (!reads_in_place(x->in[0])) {
        compact(&a, x->scratch);
        rows = x->scratch;
        pitch = s->n_in;
    }
    rf_gemm_run(&s->gemm, rows, pitch, a.n, out.data + c0, out.pitch, c0, c1);
    rf_epilogue_run(&s->epilogue, x, part, 0, a.n, NULL, 0, c0, c1);
}

RF_OP(Gemm) = {
    .name = "Gemm",
    .since = 7,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_EPILOGUE | RF_OP_RESIDUAL | RF_OP_READS_PIXELS,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .const_in = 1u << 1 | 1u << 2,
    .param_in = 1u << 1 | 1u << 2,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .pack = pack,
    .run = run,
};
