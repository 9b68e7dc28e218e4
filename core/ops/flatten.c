/* Flatten: [d0, .., dn] -> [d0 * .. * d(axis-1), d(axis) * .. * dn]; the memory stays as it is. */
#include "core/ops/move.h"

struct state {
    int axis;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = (int)rf_attr_int_in(p, "axis", 1, -RF_MAX_RANK, RF_MAX_RANK);
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    const int axis = s->axis < 0 ? s->axis + in->rank : s->axis;
    struct rf_shape out = {.rank = 2, .dim = {1, 1}};
    char text[RF_SHAPE_TEXT];

    if (axis < 0 || axis > in->rank)
        return rf_infer_fail(x, RF_SHAPE, "axis %d lies outside of rank %d", s->axis, in->rank);
    for (int i = 0; i < in->rank; i++) {
        int64_t *const d = &out.dim[i < axis ? 0 : 1];

        if (__builtin_mul_overflow(*d, in->dim[i], d))
            return rf_infer_fail(x, RF_LIMIT, "input of shape %s is too large",
                                 rf_shape_text(in, text, sizeof(text)));
    }
    return rf_move_view(x, &out);
}

RF_OP(Flatten) = {
    .name = "Flatten",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = rf_move_all,
};
