/* Split: an axis cut into pieces, one an output; equal ones unless their sizes are given. */
#include "core/ops/move.h"

struct state {
    int64_t axis;
    const int64_t *sizes; /* of the attribute (until opset 12), NULL: equal; then an input */
    size_t n;
};

static enum rf_status prepare_input(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = rf_attr_int(p, "axis", 0);
    return p->status;
}

static enum rf_status prepare_attribute(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->sizes = rf_attr_ints(p, "split", &s->n, 0, INT64_MAX);
    return prepare_input(p, state);
}

static enum rf_status prepare_count(struct rf_prepare *p, void *state)
{
    const int64_t n = rf_attr_int(p, "num_outputs", p->node->n_out);

    if (n != p->node->n_out)
        rf_prepare_fail(p, RF_INVALID, "attribute num_outputs is %lld, the node has %d outputs",
                        (long long)n, p->node->n_out);
    if (rf_node_attr(p->node, "num_outputs") && rf_prepare_in(p, 1))
        rf_prepare_fail(p, RF_INVALID, "both num_outputs and sizes are given");
    return prepare_input(p, state);
}

static enum rf_status give(struct rf_infer *x, int axis, const int64_t *sizes, size_t n)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    int64_t sum = 0;

    if (n != (size_t)x->node->n_out)
        return rf_infer_fail(x, RF_SHAPE, "%zu sizes for %d outputs", n, x->node->n_out);
    for (size_t i = 0; i < n; i++) {
        if (sizes[i] < 0 || __builtin_add_overflow(sum, sizes[i], &sum))
            return rf_infer_fail(x, RF_SHAPE, "size %zu is %lld", i, (long long)sizes[i]);
        x->out[i]->shape = *in;
        x->out[i]->shape.dim[axis] = sizes[i];
        x->out[i]->dtype = x->in[0]->dtype;
    }
    if (sum != in->dim[axis])
        return rf_infer_fail(x, RF_SHAPE, "the sizes add up to %lld, axis %d has %lld",
                             (long long)sum, axis, (long long)in->dim[axis]);
    x->max_parts = (size_t)(rf_numel(in) / 4096 + 1);
    x->cost = rf_cost(rf_numel(in), 8);
    x->algorithm = "copy";
    return RF_OK;
}

/* All alike; the last one may be smaller where the operator says so (opset 18). */
static enum rf_status give_equal(struct rf_infer *x, int axis, bool uneven)
{
    const int64_t dim = x->in[0]->shape.dim[axis], n = x->node->n_out;
    const int64_t size = dim / n + (uneven && dim % n ? 1 : 0), last = dim - size * (n - 1);
    int64_t sizes[RF_MAX_OUT];

    if (last < 0 || (!uneven && last != size))
        return rf_infer_fail(x, RF_SHAPE, "axis %d of size %lld cannot be split into %lld", axis,
                             (long long)dim, (long long)n);
    for (int64_t i = 0; i < n; i++)
        sizes[i] = i < n - 1 ? size : last;
    return give(x, axis, sizes, (size_t)n);
}

static enum rf_status infer_attribute(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    int axis;
    const enum rf_status rc = rf_infer_axis(x, s->axis, x->in[0]->shape.rank, &axis);

    if (rc)
        return rc;
    return s->sizes ? give(x, axis, s->sizes, s->n) : give_equal(x, axis, false);
}

static enum rf_status infer_sizes(const void *state, struct rf_infer *x, bool uneven)
{
    const struct state *const s = state;
    int64_t sizes[RF_MAX_OUT];
    size_t n;
    int axis;
    enum rf_status rc = rf_infer_axis(x, s->axis, x->in[0]->shape.rank, &axis);

    if (!rc)
        rc = rf_infer_ints(x, 1, "sizes", sizes, RF_MAX_OUT, &n);
    if (rc)
        return rc;
    return x->in[1] ? give(x, axis, sizes, n) : give_equal(x, axis, uneven);
}

static enum rf_status infer_input(const void *state, struct rf_infer *x)
{
    return infer_sizes(state, x, false);
}

static enum rf_status infer_count(const void *state, struct rf_infer *x)
{
    return infer_sizes(state, x, true);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_view whole = rf_view_of(x->in[0]);
    const int axis = (int)(s->axis < 0 ? s->axis + whole.rank : s->axis);

    for (int64_t i = 0, at = 0; at < whole.dim[axis]; at += x->out[i++]->shape.dim[axis]) {
        const struct rf_view to = rf_view_of(x->out[i]);
        struct rf_view from = whole;

        rf_view_slice(&from, axis, at, to.dim[axis], 1);
        rf_move(&to, &from, part, n_parts);
    }
}

RF_OP(Split2) = {
    .name = "Split",
    .since = 2,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = RF_MAX_OUT,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_attribute,
    .infer = infer_attribute,
    .run = run,
};

RF_OP(Split13) = {
    .name = "Split",
    .since = 13,
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = RF_MAX_OUT,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .known_in = 1u << 1,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_input,
    .infer = infer_input,
    .run = run,
};

RF_OP(Split18) = {
    .name = "Split",
    .since = 18,
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = RF_MAX_OUT,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .known_in = 1u << 1,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_count,
    .infer = infer_count,
    .run = run,
};
