/*
 * Softmax, LogSoftmax and Hardmax: since opset 13 along one axis; before that, along all axes from
 * one on, as if they were one.
 */
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "core/reduce.h"

struct state {
    int axis;
    bool flat, log, hard;
};

static enum rf_status prepare_soft(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->flat = p->node->op->since < 13;
    s->axis = (int)rf_attr_int_in(p, "axis", s->flat ? 1 : -1, -RF_MAX_RANK, RF_MAX_RANK - 1);
    return p->status;
}

static enum rf_status prepare_log(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->log = true;
    return prepare_soft(p, state);
}

static enum rf_status prepare_hard(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->hard = true;
    return prepare_soft(p, state);
}

/* The tensor as the operator sees it, and the axis of its lines. */
static struct rf_view lines_of(const struct state *s, const struct rf_tensor *t, int *axis)
{
    struct rf_tensor flat = *t;

    *axis = s->axis < 0 ? s->axis + t->shape.rank : s->axis;
    if (!s->flat)
        return rf_view_of(t);
    flat.shape = (struct rf_shape){.rank = 2, .dim = {1, 1}};
    for (int i = 0; i < t->shape.rank; i++)
        flat.shape.dim[i >= *axis] *= t->shape.dim[i];
    *axis = 1;
    return rf_view_of(&flat);
}

static int longest_of(const struct rf_view *v, int axis)
{
    struct rf_shape shape = {.rank = v->rank};

    memcpy(shape.dim, v->dim, sizeof(shape.dim));
    return rf_longest_kept(&shape, 1u << axis);
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const shape = &x->in[0]->shape;
    enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);
    int axis;

    if (!rc)
        rc = rf_infer_axis(x, s->axis, shape->rank, &axis);
    if (rc)
        return rc;
    const struct rf_view lines = lines_of(s, x->in[0], &axis);
    const int longest = longest_of(&lines, axis);

    x->scratch = (size_t)lines.dim[axis] * sizeof(float);
    x->max_parts = longest < 0 ? 1 : (size_t)lines.dim[longest];
    x->cost = rf_cost(rf_numel(shape), 32);
    x->algorithm = "rows";
    return rf_infer_same(state, x);
}

/* 1 where the first of the largest is, 0 elsewhere. */
static void hard_line(float *y, const float *x, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[i]) && !isnan(x[best])))
            best = i;
    for (size_t i = 0; i < n; i++)
        y[i] = i == best;
}

/* A line of n elements; those that are no neighbours are brought together in `row` first. */
static void line(const struct rf_exec *x, const float *from, int64_t step, float *to,
                 int64_t to_step, size_t n)
{
    const struct state *const s = x->state;
    const bool gathered = step != 1 || to_step != 1;
    float *const row = x->scratch;

    for (size_t i = 0; i < n && gathered; i++)
        row[i] = from[(int64_t)i * step];
    if (s->hard)
        hard_line(gathered ? row : to, gathered ? row : from, n);
    else
        x->k->softmax(gathered ? row : to, gathered ? row : from, n, s->log);
    for (size_t i = 0; i < n && gathered; i++)
        to[(int64_t)i * to_step] = row[i];
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    int axis;
    const struct rf_view from = lines_of(x->state, x->in[0], &axis);
    const struct rf_view to = lines_of(x->state, x->out[0], &axis);
    const int longest = longest_of(&from, axis);
    struct rf_view in = rf_view_kept(&from, 1u << axis), out = rf_view_kept(&to, 1u << axis);
    const struct rf_view *const views[] = {&out, &in};
    struct rf_walk w;
    size_t first, last;

    if (longest >= 0) {
        rf_part_range((size_t)from.dim[longest], part, n_parts, &first, &last);
        rf_view_slice(&in, longest, (int64_t)first, (int64_t)(last - first), 1);
        rf_view_slice(&out, longest, (int64_t)first, (int64_t)(last - first), 1);
    }
    for (rf_walk_begin(&w, views, 2); w.n; rf_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++)
            line(x, (const float *)w.data[1] + i * w.step[1], from.step[axis],
                 (float *)w.data[0] + i * w.step[0], to.step[axis], (size_t)from.dim[axis]);
}

#define SOFTMAX                                                                                    \
    .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .state_bytes = sizeof(struct state),     \
    .infer = infer, .run = run

#define FLAT(op, how)                                                                              \
    {                                                                                              \
        SOFTMAX, .name = (op), .since = 1, .flags = RF_OP_INPLACE, .layouts = RF_ACCEPTS_ROWMAJOR, \
                 .prepare = (how)                                                                  \
    }
#define ALONG_AN_AXIS(op, how)                                                                     \
    {                                                                                              \
        SOFTMAX, .name = (op), .since = 13, .flags = RF_OP_INPLACE | RF_OP_READS_ANY,              \
                 .layouts = RF_ACCEPTS_ANY, .prepare = (how)                                       \
    }

RF_OP(SoftmaxFlat) = FLAT("Softmax", prepare_soft);
RF_OP(Softmax) = ALONG_AN_AXIS("Softmax", prepare_soft);
RF_OP(LogSoftmaxFlat) = FLAT("LogSoftmax", prepare_log);
RF_OP(LogSoftmax) = ALONG_AN_AXIS("LogSoftmax", prepare_log);
RF_OP(HardmaxFlat) = FLAT("Hardmax", prepare_hard);
RF_OP(Hardmax) = ALONG_AN_AXIS("Hardmax", prepare_hard);
