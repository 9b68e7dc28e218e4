/* Softmax and LogSoftmax along one axis (the meaning since opset 13). */
#include "core/op.h"

struct state {
    int axis;
    bool log;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = (int)rf_attr_int_in(p, "axis", -1, -RF_MAX_RANK, RF_MAX_RANK - 1);
    return p->status;
}

static enum rf_status prepare_log(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->log = true;
    return prepare(p, state);
}

/* The axis has n elements, `inner` apart; `outer` * `inner` of such rows. */
static void extents(const struct state *s, const struct rf_shape *shape, size_t *outer, size_t *n,
                    size_t *inner)
{
    const int axis = s->axis < 0 ? s->axis + shape->rank : s->axis;

    *outer = *inner = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (i < axis)
            *outer *= (size_t)shape->dim[i];
        else if (i > axis)
            *inner *= (size_t)shape->dim[i];
    }
    *n = (size_t)shape->dim[axis];
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const shape = &x->in[0]->shape;
    size_t outer, n, inner;

    if (s->axis >= shape->rank || s->axis + shape->rank < 0)
        return rf_infer_fail(x, RF_SHAPE, "axis %d lies outside of rank %d", s->axis, shape->rank);
    extents(s, shape, &outer, &n, &inner);
    x->scratch = inner > 1 ? n * sizeof(float) : 0;
    x->max_parts = outer * inner;
    x->cost = rf_numel(shape) * 32;
    x->algorithm = "rows";
    return rf_infer_same(state, x);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const float *const in = x->in[0]->data;
    float *const out = x->out[0]->data, *const row = x->scratch;
    size_t outer, n, inner, first, last;

    extents(s, &x->in[0]->shape, &outer, &n, &inner);
    rf_part_range(outer * inner, part, n_parts, &first, &last);
    for (size_t at = first; at < last; at++) {
        const size_t start = at / inner * n * inner + at % inner;

        if (inner == 1) {
            x->k->softmax(out + start, in + start, n, s->log);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            row[i] = in[start + i * inner];
        x->k->softmax(row, row, n, s->log);
        for (size_t i = 0; i < n; i++)
            out[start + i * inner] = row[i];
    }
}

RF_OP(Softmax) = {
    .name = "Softmax",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

RF_OP(LogSoftmax) = {
    .name = "LogSoftmax",
    .since = 13,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_log,
    .infer = infer,
    .run = run,
};
