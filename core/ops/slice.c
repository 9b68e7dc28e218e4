/* Slice: every step-th index of some axes, from a start to an end that is left out. */
#include "core/ops/move.h"

struct list {
    int64_t v[RF_MAX_RANK];
    size_t n;
};

/* What is asked for; empty axes are the first ones, empty steps 1. */
struct wish {
    struct list starts, ends, axes, steps;
};

/* Attributes until opset 9, then inputs. */
struct state {
    struct wish wish;
};

struct range {
    int64_t start, count, step;
};

static void attribute(struct rf_prepare *p, const char *name, struct list *list)
{
    const int64_t *const v = rf_attr_ints(p, name, &list->n, INT64_MIN, INT64_MAX);

    if (list->n > RF_MAX_RANK) {
        rf_prepare_fail(p, RF_SHAPE, "attribute %s has %zu elements, at most %d are offered", name,
                        list->n, RF_MAX_RANK);
        return;
    }
    for (size_t i = 0; i < list->n; i++)
        list->v[i] = v[i];
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    attribute(p, "starts", &s->wish.starts);
    attribute(p, "ends", &s->wish.ends);
    attribute(p, "axes", &s->wish.axes);
    return p->status;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* As Python's slices, where negative indices count from the back and none is out of range. */
static struct range range_of(int64_t start, int64_t end, int64_t step, int64_t dim)
{
    struct range r = {.step = step == INT64_MIN ? -INT64_MAX : step};

    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    if (step > 0) {
        r.start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        r.count = end > r.start ? (end - r.start - 1) / r.step + 1 : 0;
    } else {
        r.start = clamp(start, -1, dim - 1);
        end = clamp(end, -1, dim - 1);
        r.count = r.start > end ? (r.start - end - 1) / -r.step + 1 : 0;
    }
    if (r.count < 2)
        r.step = 1;
    return r;
}

/* One range an axis; the wish was checked. */
static void find_ranges(const struct wish *w, const struct rf_shape *shape, struct range *ranges)
{
    for (int i = 0; i < shape->rank; i++)
        ranges[i] = (struct range){.count = shape->dim[i], .step = 1};
    for (size_t i = 0; i < w->starts.n; i++) {
        const int64_t a = w->axes.n ? w->axes.v[i] : (int64_t)i;
        const int axis = (int)(a < 0 ? a + shape->rank : a);

        ranges[axis] = range_of(w->starts.v[i], w->ends.v[i], w->steps.n ? w->steps.v[i] : 1,
                                shape->dim[axis]);
    }
}

static enum rf_status slice(struct rf_infer *x, const struct wish *w)
{
    struct rf_shape shape = x->in[0]->shape;
    const size_t n = w->starts.n;
    struct range ranges[RF_MAX_RANK];
    int axes[RF_MAX_RANK];

    if (w->ends.n != n || (w->axes.n && w->axes.n != n) || (w->steps.n && w->steps.n != n))
        return rf_infer_fail(x, RF_SHAPE, "%zu starts, %zu ends, %zu axes, %zu steps", n, w->ends.n,
                             w->axes.n, w->steps.n);
    if (n > (size_t)shape.rank)
        return rf_infer_fail(x, RF_SHAPE, "%zu starts, the input has rank %d", n, shape.rank);
    const enum rf_status rc = rf_move_axes(x, w->axes.v, w->axes.n, shape.rank, axes);
    if (rc)
        return rc;
    for (size_t i = 0; i < w->steps.n; i++)
        if (!w->steps.v[i])
            return rf_infer_fail(x, RF_INVALID, "step %zu is 0", i);
    find_ranges(w, &shape, ranges);
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = ranges[i].count;
    return rf_move_copy(x, &shape);
}

static void copy(const struct rf_exec *x, const struct wish *w, int part, int n_parts)
{
    const struct rf_view to = rf_view_of(x->out[0]);
    struct rf_view from = rf_view_of(x->in[0]);
    struct range ranges[RF_MAX_RANK] = {{0}};

    find_ranges(w, &x->in[0]->shape, ranges);
    for (int i = 0; i < from.rank; i++)
        rf_view_slice(&from, i, ranges[i].start, ranges[i].count, ranges[i].step);
    rf_move(&to, &from, part, n_parts);
}

static enum rf_status infer_attributes(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;

    return slice(x, &s->wish);
}

static void run_attributes(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;

    copy(x, &s->wish, part, n_parts);
}

static enum rf_status input(struct rf_infer *x, int i, const char *what, struct list *list)
{
    return rf_infer_ints(x, i, what, list->v, RF_MAX_RANK, &list->n);
}

static enum rf_status infer_inputs(const void *state, struct rf_infer *x)
{
    struct wish w = {.starts.n = 0};
    enum rf_status rc = input(x, 1, "starts", &w.starts);

    (void)state;
    if (!rc)
        rc = input(x, 2, "ends", &w.ends);
    if (!rc)
        rc = input(x, 3, "axes", &w.axes);
    if (!rc)
        rc = input(x, 4, "steps", &w.steps);
    return rc ? rc : slice(x, &w);
}

static void run_inputs(const struct rf_exec *x, int part, int n_parts)
{
    struct wish w = {.starts.n = 0};

    w.starts.n = rf_tensor_ints(x->in[1], w.starts.v, RF_MAX_RANK);
    w.ends.n = rf_tensor_ints(x->in[2], w.ends.v, RF_MAX_RANK);
    w.axes.n = rf_tensor_ints(x->in[3], w.axes.v, RF_MAX_RANK);
    w.steps.n = rf_tensor_ints(x->in[4], w.steps.v, RF_MAX_RANK);
    copy(x, &w, part, n_parts);
}

RF_OP(Slice1) = {
    .name = "Slice",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer_attributes,
    .run = run_attributes,
};

RF_OP(Slice10) = {
    .name = "Slice",
    .since = 10,
    .min_in = 3,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .known_in = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4,
    .prepare = rf_prepare_nothing,
    .infer = infer_inputs,
    .run = run_inputs,
};
