/* PRelu: y = x > 0 ? x : slope * x, one slope for all or one a channel (axis 1). */
#include "core/epilogue.h"

/* Slopes broadcast from the right in ONNX: [C,1,1] for [N,C,H,W], [C] for [N,C]; [1] for all. */
static enum rf_status activation(struct rf_prepare *p, struct rf_epilogue *e)
{
    const float *const slope = rf_prepare_weights(p, 1, "slope");
    const struct rf_value *const v = rf_prepare_in(p, 1);

    if (!slope)
        return p->status;
    const int64_t n = rf_numel(&v->shape);
    for (int i = 1; i < v->shape.rank; i++)
        if (v->shape.dim[i] != 1 && v->shape.dim[0] != 1)
            return rf_prepare_fail(p, RF_UNSUPPORTED, "slope %s is not one value a channel",
                                   v->name);
    if (n < 1)
        return rf_prepare_fail(p, RF_SHAPE, "slope %s is empty", v->name);

    float *const copy = rf_prepare_alloc(p, (size_t)n, sizeof(*copy));
    if (!copy)
        return p->status;
    for (int64_t i = 0; i < n; i++)
        copy[i] = slope[i];
    e->unary = RF_UNARY_PRelu;
    e->kind = p->node->op->kind;
    e->a = e->b = copy;
    e->n_params = (size_t)n;
    return p->status;
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;

    e->residual = -1;
    return activation(p, e);
}

RF_OP(PRelu) = {
    .name = "PRelu",
    .since = 7,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE,
    .layouts = RF_ACCEPTS_NHWC,
    .const_in = 1u << 1,
    .param_in = 1u << 1,
    .kind = RF_KIND_LEAKY,
    .state_bytes = sizeof(struct rf_epilogue),
    .prepare = prepare,
    .infer = rf_epilogue_only_infer,
    .run = rf_epilogue_only_run,
    .activation = activation,
};
