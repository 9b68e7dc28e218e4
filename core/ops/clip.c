/* Clip: y = min(max(x, lo), hi). Limits are attributes until opset 10, scalar inputs from 11 on. */
#include <math.h>

#include "core/epilogue.h"

static enum rf_status finish(struct rf_prepare *p, struct rf_epilogue *e, float lo, float hi)
{
    if (isnan(lo) || isnan(hi))
        return rf_prepare_fail(p, RF_INVALID, "min or max is NaN");
    e->unary = RF_UNARY_Clip;
    e->kind = p->node->op->kind;
    rf_epilogue_scalars(e, lo, hi);
    return p->status;
}

static enum rf_status by_attribute(struct rf_prepare *p, struct rf_epilogue *e)
{
    const float lo = rf_attr_float(p, "min", -INFINITY), hi = rf_attr_float(p, "max", INFINITY);

    return finish(p, e, lo, hi);
}

static float limit(struct rf_prepare *p, int i, const char *what, float fallback)
{
    const struct rf_value *const v = rf_prepare_in(p, i);
    const float *const data = v ? rf_prepare_weights(p, i, what) : NULL;

    if (!data)
        return fallback;
    if (rf_numel(&v->shape) != 1) {
        rf_prepare_fail(p, RF_SHAPE, "%s %s has %lld elements, expected one", what, v->name,
                        (long long)rf_numel(&v->shape));
        return fallback;
    }
    return data[0];
}

static enum rf_status by_input(struct rf_prepare *p, struct rf_epilogue *e)
{
    const float lo = limit(p, 1, "min", -INFINITY), hi = limit(p, 2, "max", INFINITY);

    return finish(p, e, lo, hi);
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;

    e->residual = -1;
    return p->node->op->activation(p, e);
}

RF_OP(Clip6) = {
    .name = "Clip",
    .since = 6,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE,
    .layouts = RF_ACCEPTS_ANY,
    .kind = RF_KIND_CLIP,
    .state_bytes = sizeof(struct rf_epilogue),
    .prepare = prepare,
    .infer = rf_epilogue_only_infer,
    .run = rf_epilogue_only_run,
    .activation = by_attribute,
};

RF_OP(Clip11) = {
    .name = "Clip",
    .since = 11,
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE,
    .layouts = RF_ACCEPTS_ANY,
    .const_in = 1u << 1 | 1u << 2,
    .kind = RF_KIND_CLIP,
    .state_bytes = sizeof(struct rf_epilogue),
    .prepare = prepare,
    .infer = rf_epilogue_only_infer,
    .run = rf_epilogue_only_run,
    .activation = by_input,
};
