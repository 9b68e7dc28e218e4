/* ConstantOfShape: one value, FP32 0 unless it is given, in a shape known before a run. */
#include <string.h>

#include "core/ops/move.h"

struct state {
    enum rf_dtype dtype;
    uint64_t value; /* its first bytes */
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const value = rf_attr_tensor(p, "value");
    char text[RF_SHAPE_TEXT];

    s->dtype = RF_F32;
    if (!value)
        return p->status;
    if (rf_numel(&value->shape) != 1)
        return rf_prepare_fail(p, RF_INVALID, "attribute value has shape %s, expected [1]",
                               rf_shape_text(&value->shape, text, sizeof(text)));
    s->dtype = value->dtype;
    memcpy(&s->value, value->constant, rf_dtype_size(value->dtype));
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    struct rf_shape shape = {0};
    int64_t dims[RF_MAX_RANK];
    size_t n;
    const enum rf_status rc = rf_infer_ints(x, 0, "the shape", dims, RF_MAX_RANK, &n);

    if (rc)
        return rc;
    shape.rank = (int)n;
    for (size_t i = 0; i < n; i++) {
        if (dims[i] < 0)
            return rf_infer_fail(x, RF_SHAPE, "dimension %zu is %lld", i, (long long)dims[i]);
        shape.dim[i] = dims[i];
    }
    x->out[0]->shape = shape;
    x->out[0]->dtype = s->dtype;
    return RF_OK;
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    struct state s = *(const struct state *)x->state;
    const struct rf_view to = rf_view_of(x->out[0]);
    struct rf_view from = to;

    from.data = (char *)&s.value;
    memset(from.step, 0, sizeof(from.step));
    rf_move(&to, &from, part, n_parts);
}

RF_OP(ConstantOfShape) = {
    .name = "ConstantOfShape",
    .since = 9,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .known_in = 1u << 0,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
