/*
 * BatchNormalization in inference: y = (x - mean) / sqrt(var + epsilon) * scale + B, a channel
 * each; one multiplication and one addition once the constants are combined. Where it follows a
 * convolution or a matrix product it is folded into their weights (passes/fold_norm.c).
 */
#include <math.h>
#include <string.h>

#include "core/epilogue.h"

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;
    const struct rf_value *const v = rf_prepare_in(p, 1);
    const float epsilon = rf_attr_float(p, "epsilon", 1e-5f);

    rf_attr_float(p, "momentum", 0.9f); /* of training */
    rf_attr_int_in(p, "spatial", 1, 1, 1);
    rf_attr_int_in(p, "training_mode", 0, 0, 0);
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
        const double factor = (double)scale[c] / sqrt((double)var[c] + (double)epsilon);

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

    if (in->rank < 2 || in->rank > 4)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected rank 2 to 4",
                             rf_shape_text(in, text, sizeof(text)));
    if (in->dim[1] != n)
        return rf_infer_fail(x, RF_SHAPE, "has %lld channels, its input has shape %s", (long long)n,
                             rf_shape_text(in, text, sizeof(text)));
    return rf_epilogue_only_infer(state, x);
}

RF_OP(BatchNormalization) = {
    .name = "BatchNormalization",
    .label = "BatchNorm",
    .since = 7,
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE | RF_OP_EPILOGUE | RF_OP_RESIDUAL,
    .layouts = RF_ACCEPTS_NHWC,
    .const_in = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4,
    .param_in = 1u << 1 | 1u << 2,
    .state_bytes = sizeof(struct rf_epilogue),
    .prepare = prepare,
    .infer = infer,
    .run = rf_epilogue_only_run,
};
