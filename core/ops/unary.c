/*
 * Elementwise activations: every row of unary.def becomes an operator that is an epilogue. Three of
 * them take other dtypes than FP32, too: those values are dense.
 */
#include <string.h>

#include "core/epilogue.h"

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;

    e->residual = -1;
    return p->node->op->activation(p, e);
}

/* ---- other dtypes ---- */

static uint32_t dtypes_of(enum rf_unary unary)
{
    switch (unary) {
    case RF_UNARY_Identity:
        return UINT32_MAX;
    case RF_UNARY_Abs:
    case RF_UNARY_Neg:
    case RF_UNARY_Sign:
        return 1u << RF_F32 | 1u << RF_I32 | 1u << RF_I64;
    default:
        return 1u << RF_F32;
    }
}

/* The smallest number has no positive counterpart and stays. */
#define WHOLE(T, U)                                                                                \
    static void whole_##T(T *y, const T *x, enum rf_unary unary, size_t first, size_t last)        \
    {                                                                                              \
        for (size_t i = first; i < last; i++) {                                                    \
            if (unary == RF_UNARY_Sign)                                                            \
                y[i] = (x[i] > 0) - (x[i] < 0);                                                    \
            else                                                                                   \
                y[i] = unary == RF_UNARY_Neg || x[i] < 0 ? (T)(0 - (U)x[i]) : x[i];                \
        }                                                                                          \
    }
WHOLE(int32_t, uint32_t)
WHOLE(int64_t, uint64_t)

static void run_dense(const struct rf_exec *x, enum rf_unary unary, int part, int n_parts)
{
    const struct rf_tensor *const in = x->in[0], *const out = x->out[0];
    const size_t size = rf_dtype_size(in->dtype);
    size_t first, last;

    rf_part_range((size_t)rf_numel(&in->shape), part, n_parts, &first, &last);
    if (unary != RF_UNARY_Identity && in->dtype == RF_I32)
        whole_int32_t(out->data, in->data, unary, first, last);
    else if (unary != RF_UNARY_Identity)
        whole_int64_t(out->data, in->data, unary, first, last);
    else if (out->data != in->data)
        memcpy((char *)out->data + first * size, (const char *)in->data + first * size,
               (last - first) * size);
}

/* ---- the rows ---- */

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct rf_epilogue *const e = state;
    const enum rf_status rc = rf_infer_dtype(x, 0, dtypes_of(e->unary));

    if (rc || x->in[0]->dtype == RF_F32)
        return rc ? rc : rf_epilogue_only_infer(state, x);
    x->max_parts = (size_t)rf_numel(&x->in[0]->shape) / 4096 + 1;
    x->cost = rf_cost(rf_numel(&x->in[0]->shape), 8);
    x->algorithm = "elements";
    return rf_infer_same(state, x);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_epilogue *const e = x->state;

    if (x->in[0]->dtype == RF_F32)
        rf_epilogue_only_run(x, part, n_parts);
    else
        run_dense(x, e->unary, part, n_parts);
}

/* Gelu's attribute chooses the row. */
static enum rf_unary form_of_gelu(struct rf_prepare *p)
{
    const char *const form = rf_attr_string(p, "approximate", "none");

    if (strcmp(form, "none") != 0 && strcmp(form, "tanh") != 0)
        rf_prepare_fail(p, RF_UNSUPPORTED, "approximate is \"%.32s\", expected none or tanh", form);
    return strcmp(form, "tanh") == 0 ? RF_UNARY_GeluTanh : RF_UNARY_Gelu;
}

static enum rf_status activation(struct rf_prepare *p, struct rf_epilogue *e, enum rf_unary unary,
                                 const char *a_name, float a, const char *b_name, float b)
{
    e->unary = unary == RF_UNARY_Gelu ? form_of_gelu(p) : unary;
    e->kind = p->node->op->kind;
    rf_epilogue_scalars(e, a_name ? rf_attr_float(p, a_name, a) : a,
                        b_name ? rf_attr_float(p, b_name, b) : b);
    if (unary == RF_UNARY_Celu && e->own[0] == 0)
        return rf_prepare_fail(p, RF_INVALID, "alpha is 0, and x / alpha undefined");
    return p->status;
}

#define UNARY(id, torch, opset, a_name, a_torch, a, b_name, b_torch, b, activity, ...)             \
    static enum rf_status activation_##id(struct rf_prepare *p, struct rf_epilogue *e)             \
    {                                                                                              \
        return activation(p, e, RF_UNARY_##id, a_name, a, b_name, b);                              \
    }                                                                                              \
    const struct rf_op rf_op_##id = {                                                              \
        .name = #id,                                                                               \
        .since = opset,                                                                            \
        .min_in = 1,                                                                               \
        .max_in = 1,                                                                               \
        .min_out = 1,                                                                              \
        .max_out = 1,                                                                              \
        .flags = RF_OP_INPLACE | RF_OP_IMAGEWISE,                                                  \
        .layouts = RF_ACCEPTS_ANY,                                                                 \
        .kind = RF_KIND_##activity,                                                                \
        .state_bytes = sizeof(struct rf_epilogue),                                                 \
        .prepare = prepare,                                                                        \
        .infer = infer,                                                                            \
        .run = run,                                                                                \
        .activation = activation_##id,                                                             \
    };
#include "core/ops/unary.def"
