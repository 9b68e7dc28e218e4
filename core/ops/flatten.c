/* Flatten: [d0, .., dn] -> [d0 * .. * d(axis-1), d(axis) * .. * dn]; the memory stays as it is. */
#include <string.h>

#include "core/op.h"

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
    int64_t rows = 1, columns = 1;

    if (axis < 0 || axis > in->rank)
        return rf_infer_fail(x, RF_SHAPE, "axis %d lies outside of rank %d", s->axis, in->rank);
    for (int i = 0; i < in->rank; i++)
        *(i < axis ? &rows : &columns) *= in->dim[i];
    x->out[0]->dtype = x->in[0]->dtype;
    x->out[0]->shape = (struct rf_shape){.rank = 2, .dim = {rows, columns}};
    x->algorithm = "view";
    return RF_OK;
}

/* Only where a view will not do: the caller's input that leaves as an output. */
static void run(const struct rf_exec *x, int part, int n_parts)
{
    const size_t n = (size_t)rf_numel(&x->in[0]->shape);

    (void)part, (void)n_parts;
    if (n)
        memcpy(x->out[0]->data, x->in[0]->data, n * rf_dtype_size(x->in[0]->dtype));
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
    .run = run,
};
