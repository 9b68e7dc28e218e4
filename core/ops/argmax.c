/* ArgMax and ArgMin: where along one axis the largest or the smallest element is. */
#include <math.h>

#include "core/op.h"
#include "core/reduce.h"

#define BLOCK 64 /* positions that are searched side by side */

struct state {
    int axis;
    bool smallest, keeps_dims;
    bool last; /* of several equal elements */
};

static enum rf_status prepare_max(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = (int)rf_attr_int_in(p, "axis", 0, -RF_MAX_RANK, RF_MAX_RANK - 1);
    s->keeps_dims = rf_attr_int_in(p, "keepdims", 1, 0, 1);
    if (p->graph->opset >= 12)
        s->last = rf_attr_int_in(p, "select_last_index", 0, 0, 1);
    return p->status;
}

static enum rf_status prepare_min(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->smallest = true;
    return prepare_max(p, state);
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32 | 1u << RF_I32 | 1u << RF_I64);
    char text[RF_SHAPE_TEXT];
    int axis;

    if (!rc)
        rc = rf_infer_axis(x, s->axis, in->rank, &axis);
    if (!rc && !in->dim[axis])
        rc = rf_infer_fail(x, RF_SHAPE, "input %s has nothing along axis %d",
                           rf_shape_text(in, text, sizeof(text)), axis);
    if (rc)
        return rc;
    out->rank = 0;
    for (int i = 0; i < in->rank; i++)
        if (i != axis || s->keeps_dims)
            out->dim[out->rank++] = i == axis ? 1 : in->dim[i];
    x->out[0]->dtype = RF_I64;
    const int longest = rf_longest_kept(in, 1u << axis);

    x->max_parts = longest < 0 ? 1 : (size_t)in->dim[longest];
    x->cost = rf_cost(rf_numel(in), 8);
    x->algorithm = "search";
    return RF_OK;
}

/* Element k of the line at place i, for n <= BLOCK places: `step` from one place to the next, `by`
 * along the line. As in NumPy, NaN is the largest and the smallest of all. */
#define SEARCH(type, is_nan)                                                                       \
    do {                                                                                           \
        const type *const x = data;                                                                \
        type best[BLOCK];                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            best[i] = x[i * step];                                                                 \
            to[i * to_step] = 0;                                                                   \
        }                                                                                          \
        for (int64_t k = 1; k < length; k++) {                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type v = x[i * step + k * by];                                               \
                const bool nan = is_nan(v), beaten = is_nan(best[i]);                              \
                const bool better =                                                                \
                    nan ? !beaten : !beaten && (s->smallest ? v < best[i] : v > best[i]);          \
                if (better || (s->last && (v == best[i] || (nan && beaten)))) {                    \
                    best[i] = v;                                                                   \
                    to[i * to_step] = k;                                                           \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)
#define NEVER(v) ((void)(v), false)

static void search(const struct state *s, enum rf_dtype dtype, const void *data, int64_t step,
                   int64_t n, int64_t by, int64_t length, int64_t *to, int64_t to_step)
{
    if (dtype == RF_F32)
        SEARCH(float, isnan);
    else if (dtype == RF_I32)
        SEARCH(int32_t, NEVER);
    else
        SEARCH(int64_t, NEVER);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_shape *const shape = &x->in[0]->shape;
    const int axis = s->axis < 0 ? s->axis + shape->rank : s->axis;
    const int longest = rf_longest_kept(shape, 1u << axis);
    const struct rf_tensor kept = {
        .data = x->out[0]->data, .dtype = RF_I64, .shape = rf_shape_reduced(shape, 1u << axis)};
    const struct rf_view lines = rf_view_of(x->in[0]);
    struct rf_view in = rf_view_kept(&lines, 1u << axis), out = rf_view_of(&kept);
    const struct rf_view *const views[] = {&in, &out};
    struct rf_walk w;
    size_t first, last;

    if (longest >= 0) {
        rf_part_range((size_t)shape->dim[longest], part, n_parts, &first, &last);
        rf_view_slice(&in, longest, (int64_t)first, (int64_t)(last - first), 1);
        rf_view_slice(&out, longest, (int64_t)first, (int64_t)(last - first), 1);
    }
    for (rf_walk_begin(&w, views, 2); w.n; rf_walk_next(&w))
        for (int64_t i = 0; i < w.n; i += BLOCK)
            search(s, x->in[0]->dtype, w.data[0] + i * w.step[0] * (int64_t)in.size, w.step[0],
                   w.n - i < BLOCK ? w.n - i : BLOCK, lines.step[axis], lines.dim[axis],
                   (int64_t *)w.data[1] + i * w.step[1], w.step[1]);
}

#define SEARCHING                                                                                  \
    .since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .flags = RF_OP_READS_ANY,    \
    .layouts = RF_ACCEPTS_ROWMAJOR, .state_bytes = sizeof(struct state), .infer = infer,           \
    .run = run

RF_OP(ArgMax) = {
    SEARCHING,
    .name = "ArgMax",
    .prepare = prepare_max,
};

RF_OP(ArgMin) = {
    SEARCHING,
    .name = "ArgMin",
    .prepare = prepare_min,
};
