/*
 * ReduceMean and its kin: a fold over any axes (core/reduce.h) and what is made of its result. The
 * axes are an attribute at first and an input since opset 13 (ReduceSum) or 18 (the others).
 */
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "core/reduce.h"

#define FLOATS (1u << RF_F32)
#define NUMBERS (1u << RF_F32 | 1u << RF_I32 | 1u << RF_I64)

enum finish { AS_IT_IS, MEAN, ROOT, LOGARITHM, SHIFTED_LOGARITHM };

struct kind {
    const char *name;
    enum rf_fold fold;
    enum finish finish;
    uint32_t dtypes;
};

static const struct kind kinds[] = {
    {"ReduceSum", RF_FOLD_SUM, AS_IT_IS, NUMBERS},
    {"ReduceMean", RF_FOLD_SUM, MEAN, NUMBERS},
    {"ReduceMax", RF_FOLD_MAX, AS_IT_IS, NUMBERS},
    {"ReduceMin", RF_FOLD_MIN, AS_IT_IS, NUMBERS},
    {"ReduceProd", RF_FOLD_PRODUCT, AS_IT_IS, NUMBERS},
    {"ReduceL1", RF_FOLD_SUM_ABS, AS_IT_IS, NUMBERS},
    {"ReduceL2", RF_FOLD_SUM_SQUARES, ROOT, FLOATS},
    {"ReduceSumSquare", RF_FOLD_SUM_SQUARES, AS_IT_IS, NUMBERS},
    {"ReduceLogSum", RF_FOLD_SUM, LOGARITHM, FLOATS},
    {"ReduceLogSumExp", RF_FOLD_SUM_EXP, SHIFTED_LOGARITHM, FLOATS},
};

struct state {
    const struct kind *kind;
    int64_t axes[RF_MAX_RANK];
    size_t n_axes;
    bool keeps_dims, keeps_all; /* keeps_all: no axes means none, not all of them */
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    for (s->kind = kinds; strcmp(s->kind->name, p->node->op->name) != 0;)
        s->kind++;
    s->keeps_dims = rf_attr_int_in(p, "keepdims", 1, 0, 1);
    if (p->node->op->max_in > 1) {
        s->keeps_all = rf_attr_int_in(p, "noop_with_empty_axes", 0, 0, 1);
        return p->status;
    }
    const int64_t *const axes = rf_attr_ints(p, "axes", &s->n_axes, -RF_MAX_RANK, RF_MAX_RANK - 1);

    if (s->n_axes > RF_MAX_RANK)
        return rf_prepare_fail(p, RF_INVALID, "axes has %zu elements, at most %d are offered",
                               s->n_axes, RF_MAX_RANK);
    if (s->n_axes)
        memcpy(s->axes, axes, s->n_axes * sizeof(*axes));
    return p->status;
}

/* Bits of the axes that go; `given` are those of the input, n of them. */
static bool find_axes(const struct state *s, const int64_t *given, size_t n, int rank,
                      uint32_t *axes)
{
    if (!n) {
        given = s->axes;
        n = s->n_axes;
    }
    if (n)
        return rf_axes_mask(given, n, rank, axes);
    *axes = s->keeps_all ? 0 : (1u << rank) - 1;
    return true;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    int64_t given[RF_MAX_RANK];
    size_t n = 0;
    uint32_t axes;
    enum rf_status rc = rf_infer_dtype(x, 0, s->kind->dtypes);

    if (!rc && x->node->n_in > 1)
        rc = rf_infer_ints(x, 1, "axes", given, RF_MAX_RANK, &n);
    if (rc)
        return rc;
    if (!find_axes(s, given, n, in->rank, &axes))
        return rf_infer_fail(x, RF_SHAPE, "an axis lies outside of rank %d, or is there twice",
                             in->rank);
    const struct rf_shape kept = rf_shape_reduced(in, axes);
    const int axis = rf_longest_kept(in, axes);

    out->rank = 0;
    for (int i = 0; i < in->rank; i++)
        if (s->keeps_dims || !(axes >> i & 1))
            out->dim[out->rank++] = kept.dim[i];
    x->out[0]->dtype = x->in[0]->dtype;
    x->scratch = (size_t)rf_numel(&kept) * 2 * sizeof(double);
    x->max_parts = axis < 0 ? 1 : (size_t)kept.dim[axis];
    x->cost = rf_cost(rf_numel(in), 4);
    x->algorithm = axes ? "fold" : "copy";
    return RF_OK;
}

/* ---- results ---- */

/* n: elements behind each result. */
static double finished(const struct kind *kind, double v, double shift, double n)
{
    switch (kind->finish) {
    case MEAN:
        return v / n;
    case ROOT:
        return sqrt(v);
    case LOGARITHM:
        return log(v);
    case SHIFTED_LOGARITHM:
        return log(v) + shift;
    default:
        return v;
    }
}

static void store_floats(const struct kind *kind, const struct rf_walk *w, int64_t n)
{
    for (int64_t i = 0; i < w->n; i++)
        ((float *)w->data[0])[i * w->step[0]] =
            (float)finished(kind, ((const double *)w->data[1])[i * w->step[1]],
                            ((const double *)w->data[2])[i * w->step[2]], (double)n);
}

/* A mean is cut towards 0; one of nothing is 0. */
static void store_integers(const struct kind *kind, const struct rf_walk *w, int64_t n, bool wide)
{
    for (int64_t i = 0; i < w->n; i++) {
        int64_t v = ((const int64_t *)w->data[1])[i * w->step[1]];

        if (kind->finish == MEAN)
            v = n ? v / n : 0;
        if (wide)
            ((int64_t *)w->data[0])[i * w->step[0]] = v;
        else if (!n && kind->fold == RF_FOLD_MAX)
            ((int32_t *)w->data[0])[i * w->step[0]] = INT32_MIN;
        else if (!n && kind->fold == RF_FOLD_MIN)
            ((int32_t *)w->data[0])[i * w->step[0]] = INT32_MAX;
        else
            ((int32_t *)w->data[0])[i * w->step[0]] = (int32_t)v;
    }
}

/* What a LogSumExp subtracts from its exponents: 0 where the largest is not finite. */
static void shift_by_largest(const struct rf_view *shift, const struct rf_view *in, uint32_t axes)
{
    const struct rf_view kept = rf_view_kept(shift, axes);
    const struct rf_view *const views[] = {&kept};
    struct rf_walk w;

    rf_fold(RF_FOLD_MAX, shift, in, RF_F32, NULL, NULL);
    for (rf_walk_begin(&w, views, 1); w.n; rf_walk_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            double *const v = &((double *)w.data[0])[i * w.step[0]];

            *v = isfinite(*v) ? *v : 0;
        }
    }
}

/* The output in the shape that keeps the reduced axes. */
static struct rf_view view_of_output(const struct rf_tensor *out, const struct rf_shape *kept)
{
    struct rf_tensor t = *out;

    t.shape = *kept;
    return rf_view_of(&t);
}

/* Views of a part's elements and of what they are folded into. */
struct share {
    struct rf_view in, out, results, shift;
};

static struct share share_of(const struct rf_exec *x, uint32_t axes, int part, int n_parts)
{
    const struct rf_shape *const shape = &x->in[0]->shape;
    const struct rf_shape kept = rf_shape_reduced(shape, axes);
    const int axis = rf_longest_kept(shape, axes);
    double *const results = x->scratch;
    struct share s = {.in = rf_view_of(x->in[0]),
                      .out = view_of_output(x->out[0], &kept),
                      .results = rf_results_view(results, shape, axes),
                      .shift = rf_results_view(results + rf_numel(&kept), shape, axes)};
    struct rf_view *const all[] = {&s.in, &s.out, &s.results, &s.shift};
    size_t first, last;

    if (axis < 0)
        return s;
    rf_part_range((size_t)kept.dim[axis], part, n_parts, &first, &last);
    for (int k = 0; k < 4; k++)
        rf_view_slice(all[k], axis, (int64_t)first, (int64_t)(last - first), 1);
    return s;
}

static void fold(const struct kind *kind, const struct share *s, uint32_t axes,
                 const struct rf_exec *x)
{
    const enum rf_dtype dtype = x->in[0]->dtype;
    const int64_t n = rf_reduced_count(&x->in[0]->shape, axes);
    const struct rf_view *const shift = kind->fold == RF_FOLD_SUM_EXP ? &s->shift : NULL;
    const struct rf_view *const views[] = {&s->out, &s->results, shift ? shift : &s->results};
    struct rf_walk w;

    if (shift)
        shift_by_largest(shift, &s->in, axes);
    rf_fold(kind->fold, &s->results, &s->in, dtype, shift, x->k);
    for (rf_walk_begin(&w, views, 3); w.n; rf_walk_next(&w)) {
        if (dtype == RF_F32)
            store_floats(kind, &w, n);
        else
            store_integers(kind, &w, n, dtype == RF_I64);
    }
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    int64_t given[RF_MAX_RANK];
    const size_t n = rf_tensor_ints(x->in[1], given, RF_MAX_RANK);
    uint32_t axes;

    if (!find_axes(s, given, n, x->in[0]->shape.rank, &axes))
        return;
    const struct share share = share_of(x, axes, part, n_parts);

    if (!axes && s->keeps_all)
        rf_view_copy(&share.out, &share.in);
    else
        fold(s->kind, &share, axes, x);
}

/* ---- rows ---- */

#define REDUCTION                                                                                  \
    .min_in = 1, .min_out = 1, .max_out = 1, .flags = RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,  \
    .state_bytes = sizeof(struct state), .prepare = prepare, .infer = infer, .run = run

#define BY_ATTRIBUTE(op)                                                                           \
    {                                                                                              \
        REDUCTION, .name = (op), .since = 1, .max_in = 1                                           \
    }
#define BY_INPUT(op, opset)                                                                        \
    {                                                                                              \
        REDUCTION, .name = (op), .since = (opset), .max_in = 2, .known_in = 1u << 1                \
    }

RF_OP(ReduceSum) = BY_ATTRIBUTE("ReduceSum");
RF_OP(ReduceSumByInput) = BY_INPUT("ReduceSum", 13);
RF_OP(ReduceMean) = BY_ATTRIBUTE("ReduceMean");
RF_OP(ReduceMeanByInput) = BY_INPUT("ReduceMean", 18);
RF_OP(ReduceMax) = BY_ATTRIBUTE("ReduceMax");
RF_OP(ReduceMaxByInput) = BY_INPUT("ReduceMax", 18);
RF_OP(ReduceMin) = BY_ATTRIBUTE("ReduceMin");
RF_OP(ReduceMinByInput) = BY_INPUT("ReduceMin", 18);
RF_OP(ReduceProd) = BY_ATTRIBUTE("ReduceProd");
RF_OP(ReduceProdByInput) = BY_INPUT("ReduceProd", 18);
RF_OP(ReduceL1) = BY_ATTRIBUTE("ReduceL1");
RF_OP(ReduceL1ByInput) = BY_INPUT("ReduceL1", 18);
RF_OP(ReduceL2) = BY_ATTRIBUTE("ReduceL2");
RF_OP(ReduceL2ByInput) = BY_INPUT("ReduceL2", 18);
RF_OP(ReduceSumSquare) = BY_ATTRIBUTE("ReduceSumSquare");
RF_OP(ReduceSumSquareByInput) = BY_INPUT("ReduceSumSquare", 18);
RF_OP(ReduceLogSum) = BY_ATTRIBUTE("ReduceLogSum");
RF_OP(ReduceLogSumByInput) = BY_INPUT("ReduceLogSum", 18);
RF_OP(ReduceLogSumExp) = BY_ATTRIBUTE("ReduceLogSumExp");
RF_OP(ReduceLogSumExpByInput) = BY_INPUT("ReduceLogSumExp", 18);
