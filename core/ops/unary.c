/* Elementwise activations: every row of unary.def becomes an operator that is an epilogue. */
#include <string.h>

#include "core/epilogue.h"
#include "core/ops/move.h"

/* Identity of other types than FP32. */
static enum rf_status infer_moved(const void *state, struct rf_infer *x)
{
    (void)state;
    return rf_move_copy(x, &x->in[0]->shape);
}

static void run_moved(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_view to = rf_view_of(x->out[0]), from = rf_view_of(x->in[0]);

    rf_move(&to, &from, part, n_parts);
}

static const struct rf_op moved_identity = {
    .name = "Identity",
    .since = RF_NO_OPSET,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .prepare = rf_move_prepare,
    .infer = infer_moved,
    .run = run_moved,
};

static bool is_f32(const struct rf_graph *g, const struct rf_node *node)
{
    return g->values[node->in[0]].dtype == RF_F32;
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;

    e->residual = -1;
    return p->node->op->activation(p, e);
}

static enum rf_status activation(struct rf_prepare *p, struct rf_epilogue *e, enum rf_unary unary,
                                 const char *a_name, float a, const char *b_name, float b)
{
    e->unary = unary;
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
        .flags = RF_OP_INPLACE,                                                                    \
        .layouts = RF_ACCEPTS_ANY,                                                                 \
        .kind = RF_KIND_##activity,                                                                \
        .state_bytes = sizeof(struct rf_epilogue),                                                 \
        .fits = is_f32,                                                                            \
        .otherwise = RF_UNARY_##id == RF_UNARY_Identity ? &moved_identity : NULL,                  \
        .prepare = prepare,                                                                        \
        .infer = rf_epilogue_only_infer,                                                           \
        .run = rf_epilogue_only_run,                                                               \
        .activation = activation_##id,                                                             \
    };
#include "core/ops/unary.def"
