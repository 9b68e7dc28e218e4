/*
 * Clip: y = min(max(x, low), high). Limits are attributes until opset 10, scalar inputs from 11 on.
 * FP32 with constant limits is an activation; the plain row takes limits of a run, and whole
 * numbers.
 */
#include <math.h>

#include "core/broadcast.h"
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

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);

    return rc ? rc : rf_epilogue_only_infer(state, x);
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
    .infer = infer,
    .run = rf_epilogue_only_run,
    .activation = by_attribute,
};

/* ---- any limits and dtypes ---- */

static enum rf_status prepare_plain(struct rf_prepare *p, void *state)
{
    int *const n_in = state;

    *n_in = p->node->n_in;
    return p->status;
}

static enum rf_status infer_plain(const void *state, struct rf_infer *x)
{
    enum rf_status rc = rf_broadcast_dtypes(x, 0, RF_NUMBERS);
    char text[RF_SHAPE_TEXT];

    for (int i = 1; i < x->node->n_in && !rc; i++)
        if (x->in[i] && rf_numel(&x->in[i]->shape) != 1)
            rc = rf_infer_fail(x, RF_SHAPE, "%s has shape %s, expected one element",
                               i == 1 ? "min" : "max",
                               rf_shape_text(&x->in[i]->shape, text, sizeof(text)));
    x->cost = rf_cost(rf_numel(&x->in[0]->shape), 8);
    x->max_parts = (size_t)rf_numel(&x->in[0]->shape) / 4096 + 1;
    x->algorithm = "plain";
    return rc ? rc : rf_infer_same(state, x);
}

static void run_floats(const struct rf_exec *x, const float *lo, const float *hi, int part,
                       int n_parts)
{
    struct rf_epilogue e = {.unary = RF_UNARY_Clip, .residual = -1};
    struct rf_exec inner = *x;

    rf_epilogue_scalars(&e, lo ? *lo : -INFINITY, hi ? *hi : INFINITY);
    inner.state = &e;
    rf_epilogue_only_run(&inner, part, n_parts);
}

#define WHOLE(T)                                                                                   \
    static void whole_##T(T *y, const T *x, const T *lo, const T *hi, size_t first, size_t last)   \
    {                                                                                              \
        for (size_t i = first; i < last; i++) {                                                    \
            const T v = lo && x[i] < *lo ? *lo : x[i];                                             \
            y[i] = hi && v > *hi ? *hi : v;                                                        \
        }                                                                                          \
    }
WHOLE(int32_t)
WHOLE(int64_t)

static void run_plain(const struct rf_exec *x, int part, int n_parts)
{
    const int n_in = *(const int *)x->state;
    const void *const lo = n_in > 1 && x->in[1] ? x->in[1]->data : NULL;
    const void *const hi = n_in > 2 && x->in[2] ? x->in[2]->data : NULL;
    size_t first, last;

    rf_part_range((size_t)rf_numel(&x->in[0]->shape), part, n_parts, &first, &last);
    if (x->in[0]->dtype == RF_F32)
        run_floats(x, lo, hi, part, n_parts);
    else if (x->in[0]->dtype == RF_I32)
        whole_int32_t(x->out[0]->data, x->in[0]->data, lo, hi, first, last);
    else
        whole_int64_t(x->out[0]->data, x->in[0]->data, lo, hi, first, last);
}

static const struct rf_op plain = {
    .name = "Clip",
    .since = RF_NO_OPSET,
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(int),
    .prepare = prepare_plain,
    .infer = infer_plain,
    .run = run_plain,
};

static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    for (int i = 1; i < node->n_in; i++)
        if (node->in[i] != RF_NO_VALUE && !g->values[node->in[i]].constant)
            return false;
    return g->values[node->in[0]].dtype == RF_F32 && g->values[node->in[0]].shape.rank >= 0;
}

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
    .fits = fits,
    .otherwise = &plain,
    .prepare = prepare,
    .infer = infer,
    .run = rf_epilogue_only_run,
    .activation = by_input,
};
