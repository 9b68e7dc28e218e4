/*
 * Reshape: the same elements under another shape. In the target, -1 is what is left and 0 the
 * input's dimension, unless `allowzero` (opset 14) says that it is empty.
 */
#include "core/ops/move.h"

struct state {
    const int64_t *shape; /* of the attribute (opset 1) */
    size_t n;
    bool allow_zero;
};

static enum rf_status prepare_attribute(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    size_t n;

    rf_attr_ints(p, "consumed_inputs", &n, INT64_MIN, INT64_MAX);
    s->shape = rf_attr_ints(p, "shape", &s->n, -1, INT64_MAX);
    if (!s->shape)
        rf_prepare_fail(p, RF_INVALID, "attribute shape is missing");
    if (s->n > RF_MAX_RANK)
        rf_prepare_fail(p, RF_UNSUPPORTED, "shape has %zu dimensions, at most %d are offered", s->n,
                        RF_MAX_RANK);
    return p->status;
}

static enum rf_status prepare_allow_zero(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->allow_zero = rf_attr_int_in(p, "allowzero", 0, 0, 1);
    return p->status;
}

/* -1 becomes what the other dimensions leave of the input. Those that are copied cancel out, so an
 * empty batch stays one. */
static bool resolve(const struct state *s, const struct rf_shape *in, struct rf_shape *out)
{
    struct rf_shape rest = *in, given = *out;
    int64_t n, m;
    int left = -1;

    for (int i = 0; i < out->rank; i++) {
        if (out->dim[i] == -1) {
            if (left >= 0)
                return false;
            left = i;
            given.dim[i] = 1;
        } else if (out->dim[i] == 0 && !s->allow_zero) {
            if (i >= in->rank)
                return false;
            out->dim[i] = in->dim[i];
            rest.dim[i] = given.dim[i] = 1;
        }
    }
    if (!rf_shape_numel(&rest, &n) || !rf_shape_numel(&given, &m))
        return false;
    if (left < 0)
        return n == m;
    if (m == 0 || n % m != 0)
        return false;
    out->dim[left] = n / m;
    return true;
}

static enum rf_status reshape(const struct state *s, struct rf_infer *x, const int64_t *target,
                              size_t n)
{
    struct rf_shape out = {.rank = (int)n}, want;
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];

    for (size_t i = 0; i < n; i++)
        out.dim[i] = target[i];
    want = out;
    if (!resolve(s, &x->in[0]->shape, &out))
        return rf_infer_fail(x, RF_SHAPE, "an input of shape %s cannot take the shape %s",
                             rf_shape_text(&x->in[0]->shape, a, sizeof(a)),
                             rf_shape_text(&want, b, sizeof(b)));
    return rf_move_view(x, &out);
}

static enum rf_status infer_attribute(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;

    return reshape(s, x, s->shape, s->n);
}

static enum rf_status infer_input(const void *state, struct rf_infer *x)
{
    int64_t target[RF_MAX_RANK];
    size_t n;
    const enum rf_status rc = rf_infer_ints(x, 1, "the target shape", target, RF_MAX_RANK, &n);

    return rc ? rc : reshape(state, x, target, n);
}

RF_OP(Reshape1) = {
    .name = "Reshape",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_attribute,
    .infer = infer_attribute,
    .run = rf_move_all,
};

RF_OP(Reshape5) = {
    .name = "Reshape",
    .since = 5,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .known_in = 1u << 1,
    .state_bytes = sizeof(struct state),
    .prepare = rf_prepare_nothing,
    .infer = infer_input,
    .run = rf_move_all,
};

RF_OP(Reshape14) = {
    .name = "Reshape",
    .since = 14,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_VIEW,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .known_in = 1u << 1,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_allow_zero,
    .infer = infer_input,
    .run = rf_move_all,
};
