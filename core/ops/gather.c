/* Gather: slices of an axis, picked by a tensor of indices that takes the axis's place. */
#include <math.h>
#include <string.h>

#include "core/ops/move.h"

struct state {
    int64_t axis;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = rf_attr_int(p, "axis", 0);
    return p->status;
}

static int64_t index_at(const struct rf_tensor *indices, size_t i)
{
    return indices->dtype == RF_I32 ? ((const int32_t *)indices->data)[i]
                                    : ((const int64_t *)indices->data)[i];
}

static bool is_outside(int64_t i, int64_t dim)
{
    return i < -dim || i >= dim;
}

static enum rf_status check_indices(struct rf_infer *x, int64_t dim)
{
    const struct rf_tensor *const indices = x->in[1];
    const size_t n = (size_t)rf_numel(&indices->shape);

    if (n && !dim)
        return rf_infer_fail(x, RF_SHAPE, "there is nothing to gather along an axis of size 0");
    for (size_t i = 0; i < n && indices->data; i++)
        if (is_outside(index_at(indices, i), dim))
            return rf_infer_fail(x, RF_SHAPE, "index %lld lies outside of an axis of size %lld",
                                 (long long)index_at(indices, i), (long long)dim);
    return RF_OK;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape, *const at = &x->in[1]->shape;
    struct rf_shape out = {.rank = in->rank - 1 + at->rank};
    int axis;
    enum rf_status rc = rf_infer_axis(x, s->axis, in->rank, &axis);

    if (!rc)
        rc = rf_infer_dtype(x, 1, 1u << RF_I32 | 1u << RF_I64);
    if (!rc)
        rc = check_indices(x, in->dim[axis]);
    if (rc)
        return rc;
    if (out.rank > RF_MAX_RANK)
        return rf_infer_fail(x, RF_UNSUPPORTED, "%d dimensions, at most %d are offered", out.rank,
                             RF_MAX_RANK);
    for (int i = 0; i < out.rank; i++)
        out.dim[i] = i < axis              ? in->dim[i]
                     : i < axis + at->rank ? at->dim[i - axis]
                                           : in->dim[i - at->rank + 1];
    return rf_move_copy(x, &out);
}

/* Index 0 of the axis, which gives way to `n` dimensions of size 1. */
static struct rf_view first_slice(const struct rf_view *from, int axis, int n)
{
    struct rf_view v = *from;

    v.rank = from->rank - 1 + n;
    for (int i = axis; i < v.rank; i++) {
        v.dim[i] = i < axis + n ? 1 : from->dim[i - n + 1];
        v.step[i] = i < axis + n ? 0 : from->step[i - n + 1];
    }
    return v;
}

/* A run cannot fail. Indices that come with it and lie outside give NaN, which shows in the answer
 * and is counted as not finite; integers have none, and give the nearest slice. */
static int64_t nearest(int64_t i, int64_t dim)
{
    i += i < 0 ? dim : 0;
    return i < 0 ? 0 : i >= dim ? dim - 1 : i;
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_tensor *const indices = x->in[1];
    const struct rf_view to = rf_view_of(x->out[0]), from = rf_view_of(x->in[0]);
    const int axis = (int)(s->axis < 0 ? s->axis + from.rank : s->axis);
    const struct rf_view slice = first_slice(&from, axis, indices->shape.rank);
    const bool has_nan = x->in[0]->dtype == RF_F32;
    float nan = NAN;
    size_t first, last;

    rf_part_range((size_t)rf_numel(&indices->shape), part, n_parts, &first, &last);
    for (size_t i = first; i < last; i++) {
        const int64_t index = index_at(indices, i);
        struct rf_view a = to, b = slice;
        size_t rest = i;

        for (int k = indices->shape.rank - 1; k >= 0; k--) {
            const size_t dim = (size_t)indices->shape.dim[k];

            rf_view_slice(&a, axis + k, (int64_t)(rest % dim), 1, 1);
            rest /= dim;
        }
        if (has_nan && is_outside(index, from.dim[axis])) {
            b.data = (char *)&nan;
            memset(b.step, 0, sizeof(b.step));
        } else {
            b.data += nearest(index, from.dim[axis]) * from.step[axis] * (int64_t)from.size;
        }
        rf_view_copy(&a, &b);
    }
}

RF_OP(Gather) = {
    .name = "Gather",
    .since = 1,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
