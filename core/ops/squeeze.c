/* Squeeze and Unsqueeze: dimensions of size 1 go and come; the memory stays as it is. */
#include "core/ops/move.h"

struct state {
    const int64_t *axes; /* of the attribute, NULL: absent; an input since opset 13 */
    size_t n;
};

static enum rf_status prepare_attribute(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axes = rf_attr_ints(p, "axes", &s->n, -RF_MAX_RANK, RF_MAX_RANK - 1);
    return p->status;
}

static enum rf_status prepare_unsqueeze(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    if (!prepare_attribute(p, state) && !s->axes)
        rf_prepare_fail(p, RF_INVALID, "attribute axes is missing");
    return p->status;
}

static enum rf_status squeeze(struct rf_infer *x, const int64_t *axes, size_t n)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape out = {0};
    int axis[RF_MAX_RANK];
    uint32_t gone = 0;
    char text[RF_SHAPE_TEXT];
    const enum rf_status rc = rf_move_axes(x, axes, n, in->rank, axis);

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (in->dim[axis[i]] != 1)
            return rf_infer_fail(x, RF_SHAPE, "axis %d of shape %s is not 1", axis[i],
                                 rf_shape_text(in, text, sizeof(text)));
        gone |= 1u << axis[i];
    }
    for (int i = 0; i < in->rank; i++)
        if (n ? !(gone >> i & 1) : in->dim[i] != 1)
            out.dim[out.rank++] = in->dim[i];
    return rf_move_view(x, &out);
}

static enum rf_status unsqueeze(struct rf_infer *x, const int64_t *axes, size_t n)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape out = {.rank = in->rank + (int)n};
    int axis[RF_MAX_RANK], from = 0;
    uint32_t added = 0;

    if (out.rank > RF_MAX_RANK)
        return rf_infer_fail(x, RF_UNSUPPORTED, "%d dimensions, at most %d are offered", out.rank,
                             RF_MAX_RANK);
    const enum rf_status rc = rf_move_axes(x, axes, n, out.rank, axis);

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        added |= 1u << axis[i];
    for (int i = 0; i < out.rank; i++)
        out.dim[i] = added >> i & 1 ? 1 : in->dim[from++];
    return rf_move_view(x, &out);
}

typedef enum rf_status change(struct rf_infer *x, const int64_t *axes, size_t n);

static enum rf_status by_attribute(const struct state *s, struct rf_infer *x, change *apply)
{
    if (s->n > RF_MAX_RANK)
        return rf_infer_fail(x, RF_SHAPE, "%zu axes", s->n);
    return apply(x, s->axes, s->n);
}

static enum rf_status by_input(struct rf_infer *x, change *apply)
{
    int64_t axes[RF_MAX_RANK];
    size_t n;
    const enum rf_status rc = rf_infer_ints(x, 1, "axes", axes, RF_MAX_RANK, &n);

    return rc ? rc : apply(x, axes, n);
}

static enum rf_status infer_squeeze1(const void *state, struct rf_infer *x)
{
    return by_attribute(state, x, squeeze);
}

static enum rf_status infer_squeeze13(const void *state, struct rf_infer *x)
{
    (void)state;
    return by_input(x, squeeze);
}

static enum rf_status infer_unsqueeze1(const void *state, struct rf_infer *x)
{
    return by_attribute(state, x, unsqueeze);
}

static enum rf_status infer_unsqueeze13(const void *state, struct rf_infer *x)
{
    (void)state;
    return by_input(x, unsqueeze);
}

RF_OP(Squeeze1) = {
    .name = "Squeeze",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_attribute,
    .infer = infer_squeeze1,
    .run = rf_move_all,
};

RF_OP(Squeeze13) = {
    .name = "Squeeze",
    .since = 13,
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .known_in = 1u << 1,
    .prepare = rf_prepare_nothing,
    .infer = infer_squeeze13,
    .run = rf_move_all,
};

RF_OP(Unsqueeze1) = {
    .name = "Unsqueeze",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_unsqueeze,
    .infer = infer_unsqueeze1,
    .run = rf_move_all,
};

RF_OP(Unsqueeze13) = {
    .name = "Unsqueeze",
    .since = 13,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .known_in = 1u << 1,
    .prepare = rf_prepare_nothing,
    .infer = infer_unsqueeze13,
    .run = rf_move_all,
};
