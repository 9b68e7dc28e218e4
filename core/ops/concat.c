/* Concat: inputs side by side along one axis. */
#include "core/ops/move.h"

struct state {
    int64_t axis;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = rf_attr_int(p, "axis", 1);
    if (!rf_node_attr(p->node, "axis"))
        rf_prepare_fail(p, RF_INVALID, "attribute axis is missing");
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    struct rf_shape shape = x->in[0]->shape;
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];
    int axis;
    const enum rf_status rc = rf_infer_axis(x, s->axis, shape.rank, &axis);

    if (rc)
        return rc;
    for (int i = 1; i < x->node->n_in; i++) {
        struct rf_shape other;

        if (!x->in[i])
            return rf_infer_fail(x, RF_INVALID, "input %d is absent", i);
        other = x->in[i]->shape;
        if (x->in[i]->dtype != x->in[0]->dtype)
            return rf_infer_fail(x, RF_UNSUPPORTED, "input %d is %s, input 0 %s", i,
                                 rf_dtype_name(x->in[i]->dtype), rf_dtype_name(x->in[0]->dtype));
        if (other.rank != shape.rank ||
            __builtin_add_overflow(shape.dim[axis], other.dim[axis], &other.dim[axis]))
            return rf_infer_fail(x, RF_SHAPE, "input %d has another rank than input 0", i);
        shape.dim[axis] = other.dim[axis];
        if (!rf_shape_equal(&shape, &other))
            return rf_infer_fail(x, RF_SHAPE, "input %d has shape %s, input 0 %s; axis is %d", i,
                                 rf_shape_text(&x->in[i]->shape, a, sizeof(a)),
                                 rf_shape_text(&x->in[0]->shape, b, sizeof(b)), axis);
    }
    return rf_move_copy(x, &shape);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_view whole = rf_view_of(x->out[0]);
    const int axis = (int)(s->axis < 0 ? s->axis + whole.rank : s->axis);

    for (int64_t i = 0, at = 0; at < whole.dim[axis]; at += x->in[i++]->shape.dim[axis]) {
        const struct rf_view from = rf_view_of(x->in[i]);
        struct rf_view to = whole;

        rf_view_slice(&to, axis, at, from.dim[axis], 1);
        rf_move(&to, &from, part, n_parts);
    }
}

RF_OP(Concat) = {
    .name = "Concat",
    .since = 4,
    .min_in = 1,
    .max_in = RF_MAX_IN,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY | RF_OP_IMAGEWISE,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
