/*
 * Products with constant weights: Gemm, Y = alpha * A * B + beta * C, as nn.Linear exports it, and
 * rectifier.Linear, which passes make of a MatMul: the same over the last dimension of any rank.
 * What a Gemm computes of other operands is in matmul.c.
 *
 * Gemm's A may also be a channels-last image (the layout pass takes a Flatten away and lets Gemm
 * read what it flattened): the weights are then packed in the order of its pixels.
 */
#include <string.h>

#include "core/epilogue.h"
#include "core/gemm.h"
#include "core/skip.h"

#define COLUMNS 64 /* outputs in the smallest share of a product split by columns */
#define TILE 256   /* rows that are multiplied and then finished while they are hot */

extern const struct rf_op rf_op_GemmPlain;

struct state {
    struct rf_epilogue epilogue; /* first */
    bool trans_b;
    float alpha;
    size_t n_in, n_out;
    struct rf_gemm gemm;
};

/* A vector of n values, or one value for all. */
static bool is_bias(const struct rf_value *v, int64_t n)
{
    const int rank = v->shape.rank;
    const int64_t numel = rf_numel(&v->shape);

    return v->constant && v->dtype == RF_F32 &&
           (numel == 1 || (numel == n && v->shape.dim[rank - 1] == n));
}

static bool is_matrix(const struct rf_shape *shape)
{
    return shape->rank == 2 && shape->dim[0] > 0 && shape->dim[1] > 0;
}

/* A is not transposed, B a constant matrix and C, if there is one, a constant vector. */
static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_attr *const trans_a = rf_node_attr(node, "transA");
    const struct rf_attr *const trans_b = rf_node_attr(node, "transB");
    const struct rf_value *const b = &g->values[node->in[1]];

    if (node->known || !b->constant || b->dtype != RF_F32 || !is_matrix(&b->shape) ||
        (trans_a && trans_a->as.i))
        return false;
    return node->n_in < 3 || node->in[2] == RF_NO_VALUE ||
           is_bias(&g->values[node->in[2]], b->shape.dim[trans_b && trans_b->as.i ? 0 : 1]);
}

/* There is always one, and -0 becomes +0: the sign of a sum that is 0 is then the same however it
 * was computed (skip.h). */
static enum rf_status prepare_bias(struct rf_prepare *p, struct state *s, float beta)
{
    const struct rf_value *const v = rf_prepare_in(p, 2);
    const float *const bias = v ? rf_prepare_weights(p, 2, "bias") : NULL;
    char text[RF_SHAPE_TEXT];

    if (v && !bias)
        return p->status;
    if (v && !is_bias(v, (int64_t)s->n_out))
        return rf_prepare_fail(p, RF_SHAPE, "bias %s has shape %s, expected [%zu]", v->name,
                               rf_shape_text(&v->shape, text, sizeof(text)), s->n_out);
    float *const copy = rf_prepare_alloc(p, s->n_out, sizeof(*copy));
    const size_t step = v && rf_numel(&v->shape) > 1;

    for (size_t i = 0; copy && bias && i < s->n_out; i++)
        copy[i] = beta * bias[i * step] + 0.f;
    s->epilogue.bias = copy;
    return p->status;
}

static enum rf_status prepare_product(struct rf_prepare *p, struct state *s, float beta)
{
    const struct rf_value *const b = rf_prepare_in(p, 1);
    char text[RF_SHAPE_TEXT];

    if (!rf_prepare_weights(p, 1, "weight"))
        return p->status;
    if (!is_matrix(&b->shape))
        return rf_prepare_fail(p, RF_SHAPE, "weight %s has shape %s, expected two dimensions",
                               b->name, rf_shape_text(&b->shape, text, sizeof(text)));
    s->n_in = (size_t)b->shape.dim[s->trans_b ? 1 : 0];
    s->n_out = (size_t)b->shape.dim[s->trans_b ? 0 : 1];
    rf_epilogue_prepare(p, &s->epilogue);
    return p->status ? p->status : prepare_bias(p, s, beta);
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->alpha = rf_attr_float(p, "alpha", 1);
    s->trans_b = rf_attr_int_in(p, "transB", 0, 0, 1);
    rf_attr_int_in(p, "transA", 0, 0, 0);
    if (p->graph->opset < 7)
        rf_attr_int_in(p, "broadcast", 0, 0, 1); /* C does so where its shape asks for it */
    return p->status ? p->status : prepare_product(p, s, rf_attr_float(p, "beta", 1));
}

static enum rf_status prepare_linear(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->alpha = 1;
    return prepare_product(p, s, 1);
}

/* Feature c * area + i of the flattened image is feature i * channels + c of its pixels. */
static enum rf_status pack(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const a = rf_prepare_in(p, 0);
    const float *const w = rf_prepare_weights(p, 1, "weight");
    const size_t channels = a->layout == RF_NHWC ? (size_t)a->shape.dim[1] : s->n_in;

    if (!w || rf_gemm_init(p, &s->gemm, rf_gemm_backend(), s->n_in, s->n_out))
        return p->status;
    const struct rf_gemm_source source = {.w = w,
                                          .in_step = s->trans_b ? 1 : s->n_out,
                                          .out_step = s->trans_b ? s->n_in : 1,
                                          .scale = s->alpha,
                                          .channels = channels};

    rf_gemm_pack(&s->gemm, &source);
    return rf_has_zeros(p->graph, p->node->in[0]) ? rf_skip_keep(p, &s->gemm) : p->status;
}

/* A's rows lie in memory as the product wants them. */
static bool reads_in_place(const struct rf_tensor *a)
{
    const struct rf_pixels p = rf_tensor_pixels(a);

    return p.pitch == p.c && p.row == p.w * p.pitch;
}

/* Many rows are split between parts, else the columns are. */
static bool splits_rows(size_t rows)
{
    return rows >= 8 * TILE;
}

/* rows x features -> rows x n_out */
static enum rf_status infer_product(const struct state *s, struct rf_infer *x, int64_t rows,
                                    int64_t features)
{
    char text[RF_SHAPE_TEXT];

    if (x->in[0]->dtype != RF_F32)
        return rf_infer_dtype(x, 0, 1u << RF_F32);
    if (features != (int64_t)s->n_in)
        return rf_infer_fail(x, RF_SHAPE, "expects %zu features, its input has shape %s", s->n_in,
                             rf_shape_text(&x->in[0]->shape, text, sizeof(text)));
    if (rows > INT32_MAX)
        return rf_infer_fail(x, RF_LIMIT, "%lld rows, at most %d fit a product", (long long)rows,
                             INT32_MAX);
    x->out[0]->dtype = RF_F32;
    x->macs = x->cost = rf_cost(rf_cost(rows, features), (int64_t)s->n_out);
    x->max_parts =
        splits_rows((size_t)rows) ? (size_t)rows / TILE : (s->n_out + COLUMNS - 1) / COLUMNS;
    x->algorithm = rows != 1 ? "gemm" : s->gemm.rows ? "gemv without zeros" : "gemv";
    return rf_epilogue_infer(&s->epilogue, x);
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
    x->out[0]->shape = (struct rf_shape){.rank = 2, .dim = {a->shape.dim[0], (int64_t)s->n_out}};
    /* Where pixels turn out to be padded, their rows are copied together first. */
    if (a->shape.rank > 2)
        x->scratch = (size_t)a->shape.dim[0] * s->n_in * sizeof(float);
    return infer_product(s, x, a->shape.dim[0], features);
}

static enum rf_status infer_linear(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    char text[RF_SHAPE_TEXT];
    int64_t rows = 1;

    if (in->rank < 2)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected [N,..,%zu]",
                             rf_shape_text(in, text, sizeof(text)), s->n_in);
    for (int i = 0; i < in->rank - 1; i++)
        rows *= in->dim[i];
    x->out[0]->shape = *in;
    x->out[0]->shape.dim[in->rank - 1] = (int64_t)s->n_out;
    return infer_product(s, x, rows, in->dim[in->rank - 1]);
}

static void compact(const struct rf_pixels *p, float *to)
{
    for (size_t n = 0; n < p->n; n++)
        for (size_t y = 0; y < p->h; y++)
            for (size_t i = 0; i < p->w; i++, to += p->c)
                memcpy(to, p->data + n * p->image + y * p->row + i * p->pitch, p->c * sizeof(*to));
}

/* This part's share of the product. */
static void multiply(const struct rf_exec *x, int part, int n_parts, const float *rows,
                     size_t pitch, size_t n)
{
    const struct state *const s = x->state;
    const struct rf_pixels out = rf_tensor_pixels(x->out[0]);
    size_t first = 0, last = n, c0 = 0, c1 = s->n_out;

    if (splits_rows(n)) {
        rf_part_range(n, part, n_parts, &first, &last);
    } else {
        rf_part_range((s->n_out + COLUMNS - 1) / COLUMNS, part, n_parts, &c0, &c1);
        c0 *= COLUMNS;
        c1 = c1 * COLUMNS < s->n_out ? c1 * COLUMNS : s->n_out;
    }
    for (size_t at = first; at < last && c0 < c1; at += TILE) {
        const size_t count = last - at < TILE ? last - at : TILE;

        rf_gemm_run(&s->gemm, rows + at * pitch, pitch, count, out.data + at * out.pitch + c0,
                    out.pitch, c0, c1);
        rf_epilogue_run(&s->epilogue, x, part, at, count, NULL, 0, c0, c1);
    }
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_pixels a = rf_tensor_pixels(x->in[0]);

    if (reads_in_place(x->in[0])) {
        multiply(x, part, n_parts, a.data, a.image, a.n);
        return;
    }
    compact(&a, x->scratch);
    multiply(x, part, n_parts, x->scratch, s->n_in, a.n);
}

static void run_linear(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const size_t rows = (size_t)rf_numel(&x->in[0]->shape) / s->n_in;

    multiply(x, part, n_parts, x->in[0]->data, s->n_in, rows);
}

#define PRODUCT                                                                                    \
    .min_in = 2, .max_in = 3, .min_out = 1, .max_out = 1, .layouts = RF_ACCEPTS_ROWMAJOR,          \
    .const_in = 1u << 1 | 1u << 2, .param_in = 1u << 1 | 1u << 2,                                  \
    .state_bytes = sizeof(struct state)

RF_OP(Gemm) = {
    PRODUCT,
    .name = "Gemm",
    .since = 1,
    .flags = RF_OP_EPILOGUE | RF_OP_RESIDUAL | RF_OP_READS_PIXELS,
    .fits = fits,
    .otherwise = &rf_op_GemmPlain,
    .prepare = prepare,
    .infer = infer,
    .pack = pack,
    .run = run,
};

RF_OP(Linear) = {
    PRODUCT,
    .name = "rectifier.Linear",
    .since = RF_OWN,
    .label = "MatMul",
    .flags = RF_OP_EPILOGUE | RF_OP_RESIDUAL | RF_OP_CHANNELS_LAST,
    .prepare = prepare_linear,
    .infer = infer_linear,
    .pack = pack,
    .run = run_linear,
};
