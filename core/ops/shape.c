/* Shape and Size: known before a run, from the input's shape alone. */
#include "core/op.h"

struct state {
    int64_t start, end; /* of the dimensions reported; `end` exclusive */
};

static enum rf_status prepare_all(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->end = RF_MAX_RANK;
    return p->status;
}

static enum rf_status prepare_slice(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->start = rf_attr_int(p, "start", 0);
    s->end = rf_attr_int(p, "end", RF_MAX_RANK);
    return p->status;
}

/* Counted from the back where negative; what lies outside is moved to the border. */
static int clamped(int64_t axis, int rank)
{
    if (axis < 0)
        axis += rank;
    return axis < 0 ? 0 : axis > rank ? rank : (int)axis;
}

static enum rf_status infer_shape(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const int rank = x->in[0]->shape.rank;
    const int n = clamped(s->end, rank) - clamped(s->start, rank);

    x->out[0]->shape = (struct rf_shape){.rank = 1, .dim = {n > 0 ? n : 0}};
    x->out[0]->dtype = RF_I64;
    return RF_OK;
}

static void run_shape(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_shape *const in = &x->in[0]->shape;
    const int start = clamped(s->start, in->rank);
    int64_t *const out = x->out[0]->data;

    (void)part, (void)n_parts;
    for (int64_t i = 0; i < x->out[0]->shape.dim[0]; i++)
        out[i] = in->dim[start + i];
}

static enum rf_status infer_size(const void *state, struct rf_infer *x)
{
    (void)state;
    x->out[0]->shape = (struct rf_shape){.rank = 0};
    x->out[0]->dtype = RF_I64;
    return RF_OK;
}

static void run_size(const struct rf_exec *x, int part, int n_parts)
{
    (void)part, (void)n_parts;
    *(int64_t *)x->out[0]->data = rf_numel(&x->in[0]->shape);
}

RF_OP(Shape1) = {
    .name = "Shape",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_SHAPES,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_all,
    .infer = infer_shape,
    .run = run_shape,
};

RF_OP(Shape15) = {
    .name = "Shape",
    .since = 15,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_SHAPES,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_slice,
    .infer = infer_shape,
    .run = run_shape,
};

RF_OP(Size) = {
    .name = "Size",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_SHAPES,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .prepare = rf_prepare_nothing,
    .infer = infer_size,
    .run = run_size,
};
