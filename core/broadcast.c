#include "core/broadcast.h"

#include <stdlib.h>

/* ---- shapes ---- */

enum rf_status rf_broadcast_prepare_6(struct rf_prepare *p, void *state)
{
    struct rf_broadcast *const b = state;

    b->how = rf_attr_int_in(p, "broadcast", 0, 0, 1) ? RF_BROADCAST_TO_FIRST : RF_BROADCAST_NONE;
    b->axis = (int)rf_attr_int_in(p, "axis", -1, -1, RF_MAX_RANK - 1);
    return p->status;
}

enum rf_status rf_broadcast_dtypes(struct rf_infer *x, int first, uint32_t dtypes)
{
    for (int i = first; i < x->node->n_in; i++) {
        const enum rf_status rc = rf_infer_dtype(x, i, dtypes);

        if (rc)
            return rc;
        if (x->in[i] && x->in[i]->dtype != x->in[first]->dtype)
            return rf_infer_fail(x, RF_INVALID, "input %d is %s, input %d is %s", i,
                                 rf_dtype_name(x->in[i]->dtype), first,
                                 rf_dtype_name(x->in[first]->dtype));
    }
    return RF_OK;
}

/* Dimensions of size 1 to add behind the second input's, so that they begin at the axis. */
static int trailing(const struct rf_broadcast *b, const struct rf_shape *second, int rank)
{
    int64_t n;

    if (b->how != RF_BROADCAST_TO_FIRST || b->axis < 0)
        return 0;
    return rf_shape_numel(second, &n) && n == 1 ? 0 : rank - b->axis - second->rank;
}

static enum rf_status fail(struct rf_infer *x, int i, const struct rf_shape *to)
{
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];

    return rf_infer_fail(x, RF_SHAPE, "input %d of shape %s does not broadcast to %s", i,
                         rf_shape_text(&x->in[i]->shape, a, sizeof(a)),
                         rf_shape_text(to, b, sizeof(b)));
}

static bool meet(const struct rf_broadcast *b, struct rf_shape *out, const struct rf_shape *in)
{
    const struct rf_shape before = *out;
    struct rf_shape padded = *in;
    const int n = trailing(b, in, out->rank);

    if (b->how == RF_BROADCAST_NONE)
        return rf_shape_equal(out, in);
    if (n < 0)
        return false;
    for (int i = 0; i < n; i++)
        padded.dim[padded.rank++] = 1;
    return rf_shape_broadcast(out, &padded) &&
           (b->how == RF_BROADCAST_BOTH || rf_shape_equal(out, &before));
}

enum rf_status rf_broadcast_infer(const struct rf_broadcast *b, struct rf_infer *x,
                                  enum rf_dtype dtype)
{
    struct rf_shape out = x->in[0]->shape;
    int64_t n;

    for (int i = 1; i < x->node->n_in; i++) {
        const struct rf_shape before = out;

        if (x->in[i] && !meet(b, &out, &x->in[i]->shape))
            return fail(x, i, &before);
    }
    if (!rf_shape_numel(&out, &n))
        return rf_infer_fail(x, RF_LIMIT, "the output has too many elements");
    x->out[0]->shape = out;
    x->out[0]->dtype = dtype;
    x->max_parts = (size_t)n / 4096 + 1;
    x->cost = rf_cost(n, 8);
    x->algorithm = "broadcast";
    return RF_OK;
}

struct rf_view rf_broadcast_view(const struct rf_broadcast *b, const struct rf_tensor *in, int i,
                                 const struct rf_tensor *out)
{
    struct rf_view v = rf_view_of(in);

    for (int n = i == 1 ? trailing(b, &in->shape, out->shape.rank) : 0; n > 0; n--) {
        v.dim[v.rank] = 1;
        v.step[v.rank++] = 0;
    }
    rf_view_broadcast(&v, &out->shape);
    return v;
}

/* ---- runs ---- */

/* The dimension that takes the largest steps through memory. */
static int outermost(const struct rf_view *v)
{
    int axis = 0;

    for (int i = 1; i < v->rank; i++)
        if (v->dim[i] > 1 && (v->dim[axis] <= 1 || llabs(v->step[i]) > llabs(v->step[axis])))
            axis = i;
    return axis;
}

void rf_broadcast_run(struct rf_view *views, int n_views, int part, int n_parts,
                      rf_broadcast_fn *fn, const void *context)
{
    const struct rf_view *pointers[RF_MAX_VIEWS];
    const int axis = outermost(&views[0]);
    struct rf_walk w;

    if (views[0].rank == 0 && part > 0)
        return; /* one element cannot be divided */
    for (int k = 0; k < n_views; k++) {
        size_t first, last;

        pointers[k] = &views[k];
        if (n_parts == 1 || views[0].rank == 0)
            continue;
        rf_part_range((size_t)views[k].dim[axis], part, n_parts, &first, &last);
        rf_view_slice(&views[k], axis, (int64_t)first, (int64_t)(last - first), 1);
    }
    for (rf_walk_begin(&w, pointers, n_views); w.n; rf_walk_next(&w))
        fn(&w, context);
}

/* ---- FP32 ---- */

#define BLOCK 256

/* What the kernel reads: elements that lie side by side, or one for all. */
static const float *gather(const struct rf_walk *w, int k, int64_t at, size_t n, float *buffer)
{
    const int64_t step = w->step[k];
    const float *const from = (const float *)(void *)w->data[k] + at * step;

    if (step == 0 || step == 1)
        return from;
    for (size_t i = 0; i < n; i++)
        buffer[i] = from[(int64_t)i * step];
    return buffer;
}

static bool is_straight(const struct rf_walk *w)
{
    return w->step[0] == 1 && (w->step[1] | 1) == 1 && (w->step[2] | 1) == 1;
}

static void run_floats(const struct rf_walk *w, const void *context)
{
    rf_binary_fn *const fn = *(rf_binary_fn *const *)context;
    float *const y = (float *)(void *)w->data[0], a[BLOCK], b[BLOCK], out[BLOCK];
    const bool a_step = w->step[1] != 0, b_step = w->step[2] != 0;

    if (is_straight(w)) {
        fn(y, (const float *)(void *)w->data[1], a_step, (const float *)(void *)w->data[2], b_step,
           (size_t)w->n);
        return;
    }
    for (int64_t at = 0; at < w->n; at += BLOCK) {
        const size_t n = w->n - at < BLOCK ? (size_t)(w->n - at) : BLOCK;

        fn(out, gather(w, 1, at, n, a), a_step, gather(w, 2, at, n, b), b_step, n);
        for (size_t i = 0; i < n; i++)
            y[(at + (int64_t)i) * w->step[0]] = out[i];
    }
}

/* ---- whole numbers ---- */

#define WHOLE_RUN(op, type, unsigned_type, whole)                                                  \
    static void op##_##type(const struct rf_walk *w, const void *context)                          \
    {                                                                                              \
        typedef type T;                                                                            \
        typedef unsigned_type U;                                                                   \
        (void)context;                                                                             \
        RF_EACH_PAIR(w, T, T, T, (U)(whole))                                                       \
    }
#define BINARY(op, vec, whole)                                                                     \
    WHOLE_RUN(op, int32_t, uint32_t, whole)                                                        \
    WHOLE_RUN(op, int64_t, uint64_t, whole)
#define BINARY_KERNEL(...)
#include "core/ops/binary.def"
#undef BINARY

static rf_broadcast_fn *const whole_runs[RF_N_BINARY][2] = {
#define BINARY(op, ...) [RF_BINARY_##op] = {op##_int32_t, op##_int64_t},
#define BINARY_KERNEL(...)
#include "core/ops/binary.def"
#undef BINARY
};

void rf_broadcast_binary(const struct rf_kernels *k, enum rf_binary op, enum rf_dtype dtype,
                         struct rf_view *views, int part, int n_parts)
{
    if (dtype == RF_F32)
        rf_broadcast_run(views, 3, part, n_parts, run_floats, &k->binary[op]);
    else
        rf_broadcast_run(views, 3, part, n_parts, whole_runs[op][dtype == RF_I64], NULL);
}
