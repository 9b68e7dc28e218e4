/*
 * Normalisations by statistics of the values themselves: Instance-, Layer-, MeanVariance- and
 * LpNormalization. Each is y = x * factor + shift, with a pair in double precision for each group
 * of elements.
 */
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "core/reduce.h"

struct state {
    float epsilon;
    int axis; /* LayerNormalization's first, LpNormalization's only one; may be negative */
    int64_t axes[RF_MAX_RANK]; /* MeanVarianceNormalization's */
    size_t n_axes;
    bool absolute; /* LpNormalization: p is 1 */
};

/* ---- a part's share ---- */

/* Views of one part's elements; `axes` are those along which a pair holds. */
struct share {
    uint32_t axes;
    int axis; /* along which it was cut off, or -1 */
    int64_t first, count;
    struct rf_view in, out, factor, shift;
};

static struct rf_view cut(const struct share *s, struct rf_view v)
{
    if (s->axis >= 0)
        rf_view_slice(&v, s->axis, s->first, s->count, 1);
    return v;
}

/* A tensor spread over input 0's shape; one number where there is none. */
static struct rf_view spread(const struct share *s, const struct rf_exec *x,
                             const struct rf_tensor *t, const float *otherwise)
{
    const struct rf_tensor scalar = {.data = (void *)(uintptr_t)otherwise, .dtype = RF_F32};
    struct rf_view v = rf_view_of(t ? t : &scalar);

    rf_view_broadcast(&v, &x->in[0]->shape);
    return cut(s, v);
}

/* A value for each channel, spread over input 0's shape. */
static struct rf_view spread_channels(const struct share *s, const struct rf_exec *x,
                                      const struct rf_tensor *t)
{
    struct rf_view v = rf_view_of(x->in[0]);

    v.data = t->data;
    for (int i = 0; i < v.rank; i++)
        v.step[i] = i == 1;
    return cut(s, v);
}

static struct share share_of(const struct rf_exec *x, uint32_t axes, int part, int n_parts)
{
    const struct rf_shape *const shape = &x->in[0]->shape;
    const struct rf_shape kept = rf_shape_reduced(shape, axes);
    double *const results = x->scratch;
    struct share s = {.axes = axes, .axis = rf_longest_kept(shape, axes)};
    size_t first = 0, last = 0;

    if (s.axis >= 0)
        rf_part_range((size_t)shape->dim[s.axis], part, n_parts, &first, &last);
    s.first = (int64_t)first;
    s.count = (int64_t)(last - first);
    s.in = cut(&s, rf_view_of(x->in[0]));
    s.out = cut(&s, rf_view_of(x->out[0]));
    s.factor = cut(&s, rf_results_view(results, shape, axes));
    s.shift = cut(&s, rf_results_view(results + rf_numel(&kept), shape, axes));
    return s;
}

static void apply(const struct share *s)
{
    rf_scale_shift(&s->out, &s->in, &s->factor, &s->shift);
}

/* Room for the pairs. */
static enum rf_status infer_share(struct rf_infer *x, uint32_t axes)
{
    const struct rf_shape *const shape = &x->in[0]->shape;
    const struct rf_shape kept = rf_shape_reduced(shape, axes);
    const int axis = rf_longest_kept(shape, axes);

    x->scratch = (size_t)rf_numel(&kept) * 2 * sizeof(double);
    x->max_parts = axis < 0 ? 1 : (size_t)shape->dim[axis];
    x->cost = rf_cost(rf_numel(shape), 16);
    x->algorithm = "statistics";
    return rf_infer_same(NULL, x);
}

static enum rf_status all_floats(struct rf_infer *x)
{
    enum rf_status rc = RF_OK;

    for (int i = 0; i < x->node->n_in && !rc; i++)
        rc = rf_infer_dtype(x, i, 1u << RF_F32);
    return rc;
}

/* ---- mean and variance ---- */

static const float one = 1, zero = 0;

static uint32_t axes_from(int first, int rank)
{
    return (1u << rank) - (1u << (first < rank ? first : rank));
}

/* y = (x - mean) / (sqrt(variance + epsilon) + floor) * scale + bias */
static void pair(double *factor, double *shift, double mean, double variance, double epsilon,
                 double floor, float scale, float bias)
{
    *factor = (double)scale / (sqrt(variance + epsilon) + floor);
    *shift = (double)bias - mean * *factor;
}

/*
 * Pairs that give each group mean 0 and variance 1, then scale and bias. The variance is mean
 * square less squared mean: FP32 elements leave half of a double's digits to that difference.
 */
static void standardise(const struct share *s, double epsilon, double floor,
                        const struct rf_view *scale, const struct rf_view *bias)
{
    const struct rf_view factor = rf_view_kept(&s->factor, s->axes);
    const struct rf_view shift = rf_view_kept(&s->shift, s->axes);
    const struct rf_view *const views[] = {&factor, &shift, scale, bias};
    double n = 1;
    struct rf_walk w;

    for (int i = 0; i < s->in.rank; i++)
        n *= s->axes >> i & 1 ? (double)s->in.dim[i] : 1;
    rf_fold(RF_FOLD_SUM, &s->factor, &s->in, RF_F32, NULL, NULL);
    rf_fold(RF_FOLD_SUM_SQUARES, &s->shift, &s->in, RF_F32, NULL, NULL);
    for (rf_walk_begin(&w, views, 4); w.n; rf_walk_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            double *const f = &((double *)w.data[0])[i * w.step[0]];
            double *const b = &((double *)w.data[1])[i * w.step[1]];
            const double mean = *f / n, variance = *b / n - mean * mean;

            pair(f, b, mean, variance < 0 ? 0 : variance, epsilon, floor,
                 ((const float *)w.data[2])[i * w.step[2]],
                 ((const float *)w.data[3])[i * w.step[3]]);
        }
    }
}

#define NORMALISATION                                                                              \
    .min_out = 1, .flags = RF_OP_INPLACE | RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,             \
    .state_bytes = sizeof(struct state)

/* ---- InstanceNormalization ---- */

static enum rf_status prepare_instance(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    size_t n;

    s->epsilon = rf_attr_float(p, "epsilon", 1e-5f);
    if (p->graph->opset < 6)
        rf_attr_ints(p, "consumed_inputs", &n, INT64_MIN, INT64_MAX);
    return p->status;
}

/* Input i holds one value a channel. */
static enum rf_status check_channels(struct rf_infer *x, int i, const char *what, int64_t n)
{
    const struct rf_shape *const shape = &x->in[i]->shape;
    char text[RF_SHAPE_TEXT];

    if (shape->rank != 1 || shape->dim[0] != n)
        return rf_infer_fail(x, RF_SHAPE, "%s has shape %s, expected [%lld]", what,
                             rf_shape_text(shape, text, sizeof(text)), (long long)n);
    return RF_OK;
}

static enum rf_status infer_instance(const void *state, struct rf_infer *x)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    enum rf_status rc = all_floats(x);
    char text[RF_SHAPE_TEXT];

    (void)state;
    if (!rc && in->rank < 3)
        rc = rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected [N,C,..]",
                           rf_shape_text(in, text, sizeof(text)));
    if (!rc)
        rc = check_channels(x, 1, "scale", in->dim[1]);
    if (!rc)
        rc = check_channels(x, 2, "B", in->dim[1]);
    return rc ? rc : infer_share(x, axes_from(2, in->rank));
}

static void run_instance(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const uint32_t axes = axes_from(2, x->in[0]->shape.rank);
    const struct share share = share_of(x, axes, part, n_parts);
    const struct rf_view scale = spread_channels(&share, x, x->in[1]);
    const struct rf_view bias = spread_channels(&share, x, x->in[2]);

    standardise(&share, (double)s->epsilon, 0, &scale, &bias);
    apply(&share);
}

RF_OP(InstanceNormalization) = {
    NORMALISATION,
    .name = "InstanceNormalization",
    .since = 1,
    .min_in = 3,
    .max_in = 3,
    .max_out = 1,
    .param_in = 1u << 1 | 1u << 2,
    .prepare = prepare_instance,
    .infer = infer_instance,
    .run = run_instance,
};

/* ---- LayerNormalization ---- */

static enum rf_status prepare_layer(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->epsilon = rf_attr_float(p, "epsilon", 1e-5f);
    s->axis = (int)rf_attr_int_in(p, "axis", -1, -RF_MAX_RANK, RF_MAX_RANK - 1);
    rf_attr_int_in(p, "stash_type", 1, 1, 16); /* the statistics' type: at least FP32 here */
    return p->status;
}

static int resolved(int axis, int rank)
{
    return axis < 0 ? axis + rank : axis;
}

/* Input i, if it is there, spreads over input 0. */
static enum rf_status check_spread(struct rf_infer *x, int i, const char *what)
{
    struct rf_shape shape = x->in[0]->shape;
    char want[RF_SHAPE_TEXT], got[RF_SHAPE_TEXT];

    if (!x->in[i] ||
        (rf_shape_broadcast(&shape, &x->in[i]->shape) && rf_shape_equal(&shape, &x->in[0]->shape)))
        return RF_OK;
    return rf_infer_fail(x, RF_SHAPE, "%s has shape %s, its input %s", what,
                         rf_shape_text(&x->in[i]->shape, got, sizeof(got)),
                         rf_shape_text(&x->in[0]->shape, want, sizeof(want)));
}

static enum rf_status infer_layer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    enum rf_status rc = all_floats(x);
    int axis;

    if (!rc)
        rc = rf_infer_axis(x, s->axis, in->rank, &axis);
    if (!rc)
        rc = check_spread(x, 1, "Scale");
    if (!rc)
        rc = check_spread(x, 2, "B");
    if (rc)
        return rc;
    for (int k = 1; k < x->node->n_out; k++) {
        x->out[k]->dtype = RF_F32;
        x->out[k]->shape = rf_shape_reduced(in, axes_from(axis, in->rank));
    }
    return infer_share(x, axes_from(axis, in->rank));
}

/* Mean and InvStdDev, as far as they are wanted. */
static void write_statistics(const struct share *s, const struct rf_exec *x)
{
    const struct rf_view factor = rf_view_kept(&s->factor, s->axes);
    const struct rf_view shift = rf_view_kept(&s->shift, s->axes);

    for (int k = 1; k < 3 && x->out[k]; k++) {
        const struct rf_view to = cut(s, rf_view_of(x->out[k]));
        const struct rf_view *const views[] = {&to, &factor, &shift};
        struct rf_walk w;

        for (rf_walk_begin(&w, views, 3); w.n; rf_walk_next(&w)) {
            for (int64_t i = 0; i < w.n; i++) {
                const double f = ((const double *)w.data[1])[i * w.step[1]];
                const double b = ((const double *)w.data[2])[i * w.step[2]];

                ((float *)w.data[0])[i * w.step[0]] = (float)(k == 1 ? -b / f : f);
            }
        }
    }
}

/* y = y * scale + bias */
static void rescale(const struct share *s, const struct rf_view *scale, const struct rf_view *bias)
{
    const struct rf_view *const views[] = {&s->out, scale, bias};
    struct rf_walk w;

    for (rf_walk_begin(&w, views, 3); w.n; rf_walk_next(&w)) {
        float *const y = (float *)w.data[0];
        const float *const a = (const float *)w.data[1], *const b = (const float *)w.data[2];

        for (int64_t i = 0; i < w.n; i++)
            y[i * w.step[0]] = y[i * w.step[0]] * a[i * w.step[1]] + b[i * w.step[2]];
    }
}

static void run_layer(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const int rank = x->in[0]->shape.rank;
    const uint32_t axes = axes_from(resolved(s->axis, rank), rank);
    const struct share share = share_of(x, axes, part, n_parts);
    const struct rf_view scale = spread(&share, x, x->in[1], &one);
    const struct rf_view bias = spread(&share, x, x->in[2], &zero);
    const struct rf_view no_scale = spread(&share, x, NULL, &one);
    const struct rf_view no_bias = spread(&share, x, NULL, &zero);

    standardise(&share, (double)s->epsilon, 0, &no_scale, &no_bias);
    apply(&share);
    write_statistics(&share, x);
    rescale(&share, &scale, &bias);
}

RF_OP(LayerNormalization) = {
    NORMALISATION,
    .name = "LayerNormalization",
    .since = 17,
    .min_in = 2,
    .max_in = 3,
    .max_out = 3,
    .param_in = 1u << 1 | 1u << 2,
    .prepare = prepare_layer,
    .infer = infer_layer,
    .run = run_layer,
};

/* ---- MeanVarianceNormalization ---- */

static enum rf_status prepare_mvn(struct rf_prepare *p, void *state)
{
    static const int64_t usual[] = {0, 2, 3};
    struct state *const s = state;
    const int64_t *axes = rf_attr_ints(p, "axes", &s->n_axes, -RF_MAX_RANK, RF_MAX_RANK - 1);

    if (!axes) {
        axes = usual;
        s->n_axes = 3;
    }
    if (s->n_axes > RF_MAX_RANK)
        return rf_prepare_fail(p, RF_INVALID, "axes has %zu elements, at most %d are offered",
                               s->n_axes, RF_MAX_RANK);
    memcpy(s->axes, axes, s->n_axes * sizeof(*axes));
    return p->status;
}

static enum rf_status infer_mvn(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const enum rf_status rc = all_floats(x);
    uint32_t axes;

    if (rc)
        return rc;
    if (!rf_axes_mask(s->axes, s->n_axes, x->in[0]->shape.rank, &axes))
        return rf_infer_fail(x, RF_SHAPE, "an axis lies outside of rank %d, or is there twice",
                             x->in[0]->shape.rank);
    return infer_share(x, axes);
}

static void run_mvn(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    uint32_t axes;

    if (!rf_axes_mask(s->axes, s->n_axes, x->in[0]->shape.rank, &axes))
        return;
    const struct share share = share_of(x, axes, part, n_parts);
    const struct rf_view no_scale = spread(&share, x, NULL, &one);
    const struct rf_view no_bias = spread(&share, x, NULL, &zero);

    standardise(&share, 0, 1e-9, &no_scale, &no_bias);
    apply(&share);
}

RF_OP(MeanVarianceNormalization) = {
    NORMALISATION,
    .name = "MeanVarianceNormalization",
    .since = 9,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .prepare = prepare_mvn,
    .infer = infer_mvn,
    .run = run_mvn,
};

/* ---- LpNormalization ---- */

static enum rf_status prepare_lp(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->axis = (int)rf_attr_int_in(p, "axis", -1, -RF_MAX_RANK, RF_MAX_RANK - 1);
    s->absolute = rf_attr_int_in(p, "p", 2, 1, 2) == 1;
    return p->status;
}

static enum rf_status infer_lp(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    enum rf_status rc = all_floats(x);
    int axis;

    if (!rc)
        rc = rf_infer_axis(x, s->axis, x->in[0]->shape.rank, &axis);
    return rc ? rc : infer_share(x, 1u << axis);
}

/* A line of zeros stays as it is. */
static void run_lp(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const uint32_t axes = 1u << resolved(s->axis, x->in[0]->shape.rank);
    const struct share share = share_of(x, axes, part, n_parts);
    const struct rf_view factor = rf_view_kept(&share.factor, axes);
    const struct rf_view shift = rf_view_kept(&share.shift, axes);
    const struct rf_view *const views[] = {&factor, &shift};
    struct rf_walk w;

    rf_fold(s->absolute ? RF_FOLD_SUM_ABS : RF_FOLD_SUM_SQUARES, &share.factor, &share.in, RF_F32,
            NULL, NULL);
    for (rf_walk_begin(&w, views, 2); w.n; rf_walk_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            double *const f = &((double *)w.data[0])[i * w.step[0]];
            const double norm = s->absolute ? *f : sqrt(*f);

            *f = norm == 0 ? 0 : 1 / norm;
            ((double *)w.data[1])[i * w.step[1]] = 0;
        }
    }
    apply(&share);
}

RF_OP(LpNormalization) = {
    NORMALISATION, .name = "LpNormalization", .since = 1,        .min_in = 1,   .max_in = 1,
    .max_out = 1,  .prepare = prepare_lp,     .infer = infer_lp, .run = run_lp,
};
