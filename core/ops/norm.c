/*
 * BatchNormalization in inference: y = (x - mean) / sqrt(var + epsilon) * scale + B, a channel
 * each; one multiplication and one addition once the constants are combined. Where it follows a
 * convolution or a matrix product it is folded into their weights (passes/fold_norm.c). The plain
 * row takes any rank, and statistics that are computed.
 */
#include <math.h>
#include <string.h>

#include "core/epilogue.h"
#include "core/reduce.h"

static const char *const names[] = {"input", "scale", "B", "mean", "var"};

struct plain {
    float epsilon;
    bool spatial; /* a value for each channel; else for each place of a sample */
};

static void prepare_attributes(struct rf_prepare *p, struct plain *s)
{
    size_t n;

    s->epsilon = rf_attr_float(p, "epsilon", 1e-5f);
    s->spatial = true;
    rf_attr_float(p, "momentum", 0.9f); /* of training */
    if (p->graph->opset < 6)
        rf_attr_ints(p, "consumed_inputs", &n, INT64_MIN, INT64_MAX);
    if (p->graph->opset < 7)
        rf_attr_int_in(p, "is_test", 0, 0, 1); /* the only output says that it is */
    if (p->graph->opset < 9)
        s->spatial = rf_attr_int_in(p, "spatial", 1, 0, 1);
    if (p->graph->opset >= 14)
        rf_attr_int_in(p, "training_mode", 0, 0, 0);
}

/* ---- constants over an image or a matrix ---- */

static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_value *const in = &g->values[node->in[0]];
    const struct rf_attr *const spatial = rf_node_attr(node, "spatial");

    for (int i = 1; i < 5; i++)
        if (!g->values[node->in[i]].constant)
            return false;
    return !node->known && in->dtype == RF_F32 && in->shape.rank >= 2 && in->shape.rank <= 4 &&
           !(spatial && !spatial->as.i);
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;
    const struct rf_value *const v = rf_prepare_in(p, 1);
    struct plain attributes;

    prepare_attributes(p, &attributes);
    const double epsilon = (double)attributes.epsilon;
    if (rf_epilogue_prepare(p, e))
        return p->status;

    const int64_t n = v->shape.rank == 1 ? v->shape.dim[0] : -1;
    const float *const scale = rf_prepare_vector(p, 1, "scale", n);
    const float *const shift = rf_prepare_vector(p, 2, "B", n);
    const float *const mean = rf_prepare_vector(p, 3, "mean", n);
    const float *const var = rf_prepare_vector(p, 4, "var", n);
    if (p->status)
        return p->status;
    float *const s = rf_prepare_alloc(p, (size_t)n, sizeof(*s));
    float *const b = rf_prepare_alloc(p, (size_t)n, sizeof(*b));
    if (!s || !b)
        return p->status;
    for (int64_t c = 0; c < n; c++) {
        const double factor = (double)scale[c] / sqrt((double)var[c] + epsilon);

        s[c] = (float)factor;
        b[c] = (float)((double)shift[c] - (double)mean[c] * factor);
    }
    e->scale = s;
    e->bias = b;
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    const int64_t n = x->in[1]->shape.dim[0];
    char text[RF_SHAPE_TEXT];

    if (in->dim[1] != n)
        return rf_infer_fail(x, RF_SHAPE, "has %lld channels, its input has shape %s", (long long)n,
                             rf_shape_text(in, text, sizeof(text)));
    return rf_epilogue_only_infer(state, x);
}

/* ---- anything else ---- */

static enum rf_status prepare_plain(struct rf_prepare *p, void *state)
{
    prepare_attributes(p, state);
    return p->status;
}

/* The axes along which a pair of factor and shift holds; a vector has one channel. */
static uint32_t shared_axes(const struct plain *s, int rank)
{
    const uint32_t all = (1u << rank) - 1;

    return all & (s->spatial ? ~2u : 1u);
}

static enum rf_status infer_plain(const void *state, struct rf_infer *x)
{
    const struct plain *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    const struct rf_shape kept = rf_shape_reduced(in, shared_axes(s, in->rank));
    char text[RF_SHAPE_TEXT];
    enum rf_status rc = RF_OK;

    for (int i = 0; i < 5 && !rc; i++)
        rc = rf_infer_dtype(x, i, 1u << RF_F32);
    if (!rc && in->rank < 1)
        rc = rf_infer_fail(x, RF_SHAPE, "its input is a scalar, expected [N,C,..]");
    for (int i = 1; i < 5 && !rc; i++)
        if (rf_numel(&x->in[i]->shape) != rf_numel(&kept) ||
            (s->spatial && x->in[i]->shape.rank != 1))
            rc = rf_infer_fail(x, RF_SHAPE, "%s has shape %s, expected %lld elements", names[i],
                               rf_shape_text(&x->in[i]->shape, text, sizeof(text)),
                               (long long)rf_numel(&kept));
    if (rc)
        return rc;
    x->scratch = (size_t)rf_numel(&kept) * 2 * sizeof(double);
    x->cost = rf_cost(rf_numel(in), 8);
    x->algorithm = "plain";
    return rf_infer_same(state, x);
}

static void run_plain(const struct rf_exec *x, int part, int n_parts)
{
    const struct plain *const s = x->state;
    const struct rf_shape *const shape = &x->in[0]->shape;
    const uint32_t axes = shared_axes(s, shape->rank);
    const size_t n = (size_t)rf_numel(&x->in[1]->shape);
    const float *const scale = x->in[1]->data, *const bias = x->in[2]->data;
    const float *const mean = x->in[3]->data, *const var = x->in[4]->data;
    double *const factor = x->scratch, *const shift = factor + n;
    const struct rf_view in = rf_view_of(x->in[0]), out = rf_view_of(x->out[0]);
    const struct rf_view factors = rf_results_view(factor, shape, axes);
    const struct rf_view shifts = rf_results_view(shift, shape, axes);

    (void)part, (void)n_parts;
    for (size_t i = 0; i < n; i++) {
        factor[i] = (double)scale[i] / sqrt((double)var[i] + (double)s->epsilon);
        shift[i] = (double)bias[i] - (double)mean[i] * factor[i];
    }
    rf_scale_shift(&out, &in, &factors, &shifts);
}

static const struct rf_op plain = {
    .name = "BatchNormalization",
    .label = "BatchNorm",
    .since = RF_NO_OPSET,
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE | RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .param_in = 1u << 1 | 1u << 2,
    .state_bytes = sizeof(struct plain),
    .prepare = prepare_plain,
    .infer = infer_plain,
    .run = run_plain,
};

RF_OP(BatchNormalization) = {
    .name = "BatchNormalization",
    .label = "BatchNorm",
    .since = 1,
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE | RF_OP_EPILOGUE | RF_OP_RESIDUAL | RF_OP_IMAGEWISE,
    .layouts = RF_ACCEPTS_NHWC,
    .const_in = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4,
    .param_in = 1u << 1 | 1u << 2,
    .state_bytes = sizeof(struct rf_epilogue),
    .fits = fits,
    .otherwise = &plain,
    .prepare = prepare,
    .infer = infer,
    .run = rf_epilogue_only_run,
};
