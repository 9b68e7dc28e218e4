/* Concat: inputs side by side along one axis. */
#include <string.h>

#include "core/op.h"

struct state {
    int axis, n_in;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = (int)rf_attr_int_in(p, "axis", 1, -RF_MAX_RANK, RF_MAX_RANK - 1);
    s->n_in = p->node->n_in;
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    struct rf_shape shape = x->in[0]->shape;
    const int axis = s->axis < 0 ? s->axis + shape.rank : s->axis;
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];

    if (axis < 0 || axis >= shape.rank)
        return rf_infer_fail(x, RF_SHAPE, "axis %d lies outside of rank %d", s->axis, shape.rank);
    for (int i = 1; i < s->n_in; i++) {
        struct rf_shape other = x->in[i]->shape;

        if (other.rank != shape.rank ||
            __builtin_add_overflow(shape.dim[axis], other.dim[axis], &other.dim[axis]))
            return rf_infer_fail(x, RF_SHAPE, "input %d has another rank than input 0", i);
        shape.dim[axis] = other.dim[axis];
        if (!rf_shape_equal(&shape, &other))
            return rf_infer_fail(x, RF_SHAPE, "input %d has shape %s, input 0 %s; axis is %d", i,
                                 rf_shape_text(&x->in[i]->shape, a, sizeof(a)),
                                 rf_shape_text(&x->in[0]->shape, b, sizeof(b)), axis);
    }
    x->out[0]->shape = shape;
    x->out[0]->dtype = x->in[0]->dtype;
    x->algorithm = "copy";
    return RF_OK;
}

/* `at` counts along the axis where this input begins. */
static void copy_pixels(const struct rf_tensor *from, const struct rf_tensor *to, int axis,
                        size_t at)
{
    const struct rf_pixels in = rf_tensor_pixels(from), out = rf_tensor_pixels(to);
    const bool line = from->shape.rank == 3;
    const size_t n0 = axis == 0 ? at : 0, c0 = axis == 1 ? at : 0;
    const size_t y0 = axis == 2 && !line ? at : 0, x0 = axis == 3 || (axis == 2 && line) ? at : 0;

    for (size_t n = 0; n < in.n; n++)
        for (size_t y = 0; y < in.h; y++)
            for (size_t x = 0; x < in.w; x++)
                memcpy(out.data + (n0 + n) * out.image + (y0 + y) * out.row + (x0 + x) * out.pitch +
                           c0,
                       in.data + n * in.image + y * in.row + x * in.pitch, in.c * sizeof(float));
}

static void copy_dense(const struct rf_tensor *from, const struct rf_tensor *to, int axis,
                       size_t at)
{
    size_t outer = 1, inner = rf_dtype_size(from->dtype);

    for (int i = 0; i < axis; i++)
        outer *= (size_t)from->shape.dim[i];
    for (int i = axis + 1; i < from->shape.rank; i++)
        inner *= (size_t)from->shape.dim[i];
    const size_t in_row = (size_t)from->shape.dim[axis] * inner;
    const size_t out_row = (size_t)to->shape.dim[axis] * inner;

    for (size_t i = 0; i < outer; i++)
        memcpy((char *)to->data + i * out_row + at * inner, (const char *)from->data + i * in_row,
               in_row);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_tensor *const out = x->out[0];
    const int axis = s->axis < 0 ? s->axis + out->shape.rank : s->axis;
    size_t at = 0;

    (void)part, (void)n_parts;
    for (int i = 0; i < s->n_in; i++) {
        (out->layout == RF_NHWC ? copy_pixels : copy_dense)(x->in[i], out, axis, at);
        at += (size_t)x->in[i]->shape.dim[axis];
    }
}

RF_OP(Concat) = {
    .name = "Concat",
    .since = 4,
    .min_in = 1,
    .max_in = RF_MAX_IN,
    .min_out = 1,
    .max_out = 1,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
