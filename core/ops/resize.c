/*
 * Resize and Upsample: nearest and linear, along any axes, in whatever layout the input has.
 *
 * Every output index along an axis is a mean of two input indices; a table of these for each axis
 * is all there is to know. Linear is separable: a row of the output is a sum of rows of the input,
 * one for each choice of index along the other axes.
 */
#include <math.h>
#include <string.h>

#include "core/view.h"
#include "core/op.h"

#define NO_INPUT (-1)

enum transform {
    HALF_PIXEL,
    HALF_PIXEL_SYMMETRIC,
    PYTORCH_HALF_PIXEL,
    ALIGN_CORNERS,
    ASYMMETRIC,
    TF_HALF_PIXEL_FOR_NN
};
enum rounding { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL, OUTWARD };
enum policy { STRETCH, NOT_LARGER, NOT_SMALLER };

struct state {
    bool linear;
    enum transform transform;
    enum rounding rounding;
    enum policy policy;
    int scales_in, sizes_in; /* inputs, or NO_INPUT */
    const float *scales;     /* of an attribute, or NULL */
    size_t n_scales, n_axes;
    const int64_t *axes; /* NULL: all */
};

/* ---- attributes --------------------------------------------------------------------------------
 */

/* An attribute that is one of some words, the first where it is absent. */
static int choose(struct rf_prepare *p, const char *name, const char *const *words, int n)
{
    const char *const given = rf_attr_string(p, name, words[0]);

    for (int i = 0; i < n; i++)
        if (words[i] && !strcmp(given, words[i]))
            return i;
    rf_prepare_fail(p, RF_UNSUPPORTED, "%s %s is not offered", name, given);
    return 0;
}

#define CHOOSE(p, name, words) choose(p, name, words, (int)(sizeof(words) / sizeof(*(words))))

static void prepare_mode(struct rf_prepare *p, struct state *s)
{
    static const char *const modes[] = {"nearest", "linear"};

    s->linear = CHOOSE(p, "mode", modes);
    s->scales_in = s->sizes_in = NO_INPUT;
}

/* Resize before opset 11, and Upsample. */
static enum rf_status prepare_10(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    prepare_mode(p, s);
    s->scales_in = 1;
    s->transform = ASYMMETRIC;
    s->rounding = OUTWARD;
    return p->status;
}

static enum rf_status prepare_upsample_7(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    prepare_10(p, state);
    s->scales_in = NO_INPUT;
    s->scales = rf_attr_floats(p, "scales", &s->n_scales);
    return p->status;
}

static enum rf_status prepare_11(struct rf_prepare *p, void *state)
{
    static const char *const transforms[] = {[HALF_PIXEL] = "half_pixel",
                                             [HALF_PIXEL_SYMMETRIC] = "half_pixel_symmetric",
                                             [PYTORCH_HALF_PIXEL] = "pytorch_half_pixel",
                                             [ALIGN_CORNERS] = "align_corners",
                                             [ASYMMETRIC] = "asymmetric",
                                             [TF_HALF_PIXEL_FOR_NN] = "tf_half_pixel_for_nn"};
    static const char *const roundings[] = {[ROUND_PREFER_FLOOR] = "round_prefer_floor",
                                            [ROUND_PREFER_CEIL] = "round_prefer_ceil",
                                            [FLOOR] = "floor",
                                            [CEIL] = "ceil"};
    struct state *const s = state;

    prepare_mode(p, s);
    s->scales_in = 2;
    s->sizes_in = 3;
    s->transform = (enum transform)CHOOSE(p, "coordinate_transformation_mode", transforms);
    s->rounding = (enum rounding)CHOOSE(p, "nearest_mode", roundings);
    /* Of mode cubic and tf_crop_and_resize. */
    rf_attr_float(p, "cubic_coeff_a", 0);
    rf_attr_float(p, "extrapolation_value", 0);
    rf_attr_int_in(p, "exclude_outside", 0, 0, 0);
    return p->status;
}

static enum rf_status prepare_18(struct rf_prepare *p, void *state)
{
    static const char *const policies[] = {
        [STRETCH] = "stretch", [NOT_LARGER] = "not_larger", [NOT_SMALLER] = "not_smaller"};
    struct state *const s = state;

    prepare_11(p, state);
    rf_attr_int_in(p, "antialias", 0, 0, 0);
    s->policy = (enum policy)CHOOSE(p, "keep_aspect_ratio_policy", policies);
    s->axes = rf_attr_ints(p, "axes", &s->n_axes, -RF_MAX_RANK, RF_MAX_RANK - 1);
    return p->status;
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

/* What is asked for: a factor or a size for each of `n` axes. */
struct request {
    size_t n, n_scales, n_sizes;
    int axis[RF_MAX_RANK];
    float scale[RF_MAX_RANK];
    int64_t size[RF_MAX_RANK];
};

/* Index o of the output lies at (o + offset) * num / den of the input. */
struct axis {
    int64_t in, out;
    double num, den;
};

static const struct rf_tensor *input(const struct rf_tensor *const *in, int i)
{
    return i == NO_INPUT ? NULL : in[i];
}

/* Of inputs that were checked. */
static void load(const struct state *s, const struct rf_tensor *const *in, struct request *r)
{
    const struct rf_tensor *const scales = input(in, s->scales_in);
    const float *const factors = scales ? scales->data : s->scales;
    const int rank = in[0]->shape.rank;

    r->n = s->axes ? s->n_axes : (size_t)rank;
    r->n_sizes = rf_tensor_ints(input(in, s->sizes_in), r->size, RF_MAX_RANK);
    r->n_scales = scales ? (size_t)rf_numel(&scales->shape) : s->n_scales;
    for (size_t i = 0; i < r->n; i++) {
        const int axis = s->axes ? (int)s->axes[i] : (int)i;

        r->axis[i] = axis < 0 ? axis + rank : axis;
        if (r->n_scales == r->n)
            r->scale[i] = factors[i];
    }
}

/* The one factor that keeps the aspect ratio within the sizes, or beyond them. */
static double common_scale(const struct state *s, const struct rf_shape *in,
                           const struct request *r)
{
    double scale = 0;

    for (size_t i = 0; i < r->n; i++) {
        const double own = (double)r->size[i] / (double)in->dim[r->axis[i]];

        if (!i || (s->policy == NOT_LARGER ? own < scale : own > scale))
            scale = own;
    }
    return scale;
}

static void measure_axis(const struct state *s, const struct request *r, size_t i, double common,
                         struct axis *a)
{
    double out;

    if (r->n_scales) {
        /* In single precision: as exporters compute what they expect. */
        out = (double)floorf(r->scale[i] * (float)a->in);
        a->den = (double)r->scale[i];
    } else if (s->policy == STRETCH) {
        out = (double)r->size[i];
        a->num = (double)a->in;
        a->den = out;
    } else {
        out = floor(common * (double)a->in + 0.5);
        a->den = common;
    }
    a->out = out <= INT32_MAX ? (int64_t)out : -1;
}

/* Sizes of all axes; -1: too large. */
static void measure(const struct state *s, const struct rf_shape *in, const struct request *r,
                    struct axis *axes)
{
    const double common = r->n_sizes && s->policy != STRETCH ? common_scale(s, in, r) : 1;

    for (int d = 0; d < in->rank; d++)
        axes[d] = (struct axis){.in = in->dim[d], .out = in->dim[d], .num = 1, .den = 1};
    for (size_t i = 0; i < r->n; i++)
        measure_axis(s, r, i, common, &axes[r->axis[i]]);
}

static enum rf_status check_axes(const struct state *s, struct rf_infer *x, int rank)
{
    uint32_t seen = 0;

    if (s->n_axes > (size_t)rank)
        return rf_infer_fail(x, RF_SHAPE, "has %zu axes, its input rank %d", s->n_axes, rank);
    for (size_t i = 0; i < s->n_axes; i++) {
        int axis;
        const enum rf_status rc = rf_infer_axis(x, s->axes[i], rank, &axis);

        if (rc)
            return rc;
        if (seen >> axis & 1)
            return rf_infer_fail(x, RF_INVALID, "axis %d is there twice", axis);
        seen |= 1u << axis;
    }
    return RF_OK;
}

static enum rf_status check_inputs(const struct state *s, struct rf_infer *x)
{
    const struct rf_tensor *const scales = input(x->in, s->scales_in);
    int64_t sizes[RF_MAX_RANK];
    size_t n;
    enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);

    if (!rc && scales)
        rc = rf_infer_dtype(x, s->scales_in, 1u << RF_F32);
    if (!rc && scales && !scales->data && rf_numel(&scales->shape) > 0)
        rc = rf_infer_fail(x, RF_UNSUPPORTED, "scales is only known in a run");
    if (!rc && s->sizes_in != NO_INPUT)
        rc = rf_infer_ints(x, s->sizes_in, "sizes", sizes, RF_MAX_RANK, &n);
    return rc ? rc : check_axes(s, x, x->in[0]->shape.rank);
}

static enum rf_status check_request(struct rf_infer *x, const struct request *r)
{
    const bool by_scale = r->n_scales > 0;

    if (by_scale == (r->n_sizes > 0))
        return rf_infer_fail(x, RF_INVALID, "expected either scales or sizes");
    if ((by_scale ? r->n_scales : r->n_sizes) != r->n)
        return rf_infer_fail(x, RF_SHAPE, "%s has %zu elements, expected %zu",
                             by_scale ? "scales" : "sizes", by_scale ? r->n_scales : r->n_sizes,
                             r->n);
    for (size_t i = 0; i < r->n; i++) {
        if (by_scale && !(r->scale[i] > 0 && isfinite(r->scale[i])))
            return rf_infer_fail(x, RF_INVALID, "scales[%zu] is %g, expected more than 0", i,
                                 (double)r->scale[i]);
        if (!by_scale && (r->size[i] < 0 || r->size[i] > INT32_MAX))
            return rf_infer_fail(x, RF_INVALID, "sizes[%zu] is %lld, expected 0 to %d", i,
                                 (long long)r->size[i], INT32_MAX);
    }
    return RF_OK;
}

/* ---- tables ------------------------------------------------------------------------------------
 */

/* An output index is in[lo] * (1 - weight) + in[hi] * weight. */
struct tap {
    int32_t lo, hi;
    float weight;
};

/* Where index o of the output lies. */
static double place(const struct state *s, const struct axis *a, int64_t o)
{
    const double at = (double)o;

    switch (s->transform) {
    case ASYMMETRIC:
        return at * a->num / a->den;
    case TF_HALF_PIXEL_FOR_NN:
        return (at + 0.5) * a->num / a->den;
    case ALIGN_CORNERS:
        return a->out > 1 ? at * (double)(a->in - 1) / (double)(a->out - 1) : 0;
    case PYTORCH_HALF_PIXEL:
        return a->out > 1 ? (at + 0.5) * a->num / a->den - 0.5 : 0;
    case HALF_PIXEL_SYMMETRIC: {
        /* What the output lacks to the exact size is missing at both ends. */
        const double lack = (double)a->in - (double)a->out * a->num / a->den;

        return lack / 2 + (at + 0.5) * a->num / a->den - 0.5;
    }
    default:
        return (at + 0.5) * a->num / a->den - 0.5;
    }
}

static double nearest(const struct state *s, const struct axis *a, double at)
{
    switch (s->rounding) {
    case ROUND_PREFER_FLOOR:
        return ceil(at - 0.5);
    case ROUND_PREFER_CEIL:
        return floor(at + 0.5);
    case FLOOR:
        return floor(at);
    case CEIL:
        return ceil(at);
    default: /* before opset 11: down where it grows, up where it shrinks */
        return a->num > a->den ? ceil(at) : floor(at);
    }
}

static int32_t clamp(double at, const struct axis *a)
{
    return at <= 0 ? 0 : at >= (double)(a->in - 1) ? (int32_t)(a->in - 1) : (int32_t)at;
}

static void fill(const struct state *s, const struct axis *a, struct tap *taps)
{
    for (int64_t o = 0; o < a->out; o++) {
        const double at = place(s, a, o);
        const double lo = s->linear ? floor(at) : nearest(s, a, at);

        taps[o] = (struct tap){
            .lo = clamp(lo, a), .hi = clamp(lo + 1, a), .weight = s->linear ? (float)(at - lo) : 0};
    }
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    struct axis axes[RF_MAX_RANK];
    char text[RF_SHAPE_TEXT];
    struct request r;
    enum rf_status rc = check_inputs(s, x);

    if (rc)
        return rc;
    load(s, x->in, &r);
    rc = check_request(x, &r);
    if (rc)
        return rc;
    measure(s, in, &r, axes);
    *out = *in;
    x->out[0]->dtype = RF_F32;
    for (int d = 0; d < in->rank; d++) {
        out->dim[d] = axes[d].out;
        if (axes[d].out < 0 || (axes[d].out > 0 && axes[d].in < 1) || axes[d].in > INT32_MAX)
            return rf_infer_fail(x, RF_SHAPE, "cannot resize dimension %d of input %s", d,
                                 rf_shape_text(in, text, sizeof(text)));
        x->scratch += (size_t)axes[d].out * sizeof(struct tap);
        x->cost = rf_cost(x->cost ? x->cost : 8, axes[d].out);
    }
    x->algorithm = s->linear ? "linear" : "nearest";
    return RF_OK;
}

/* ---- arithmetic --------------------------------------------------------------------------------
 */

struct pass {
    bool linear;
    int rank;
    /* Dimensions from the outermost in the output's memory. */
    const struct tap *taps[RF_MAX_RANK];
    int64_t in_step[RF_MAX_RANK], out_step[RF_MAX_RANK], out[RF_MAX_RANK];
    int64_t at[RF_MAX_RANK];
};

/* Adds `weight` times the input's rows that the output's row is made of, from dimension d on. */
static void add_rows(const struct pass *p, int d, float *to, const float *from, float weight)
{
    const int64_t step = p->in_step[d];
    const struct tap *const taps = p->taps[d];

    if (d < p->rank - 1) {
        const struct tap t = taps[p->at[d]];

        add_rows(p, d + 1, to, from + t.lo * step, weight * (1 - t.weight));
        if (t.weight > 0)
            add_rows(p, d + 1, to, from + t.hi * step, weight * t.weight);
        return;
    }
    for (int64_t i = 0; i < p->out[d]; i++) {
        const struct tap t = taps[i];
        float value = from[t.lo * step];

        if (t.weight > 0)
            value = value * (1 - t.weight) + from[t.hi * step] * t.weight;
        to[i * p->out_step[d]] = p->linear ? to[i * p->out_step[d]] + weight * value : value;
    }
}

static void run_rows(struct pass *p, int d, float *to, const float *from)
{
    if (d < p->rank - 1) {
        for (p->at[d] = 0; p->at[d] < p->out[d]; p->at[d]++)
            run_rows(p, d + 1, to + p->at[d] * p->out_step[d], from);
        return;
    }
    for (int64_t i = 0; i < p->out[d]; i++)
        to[i * p->out_step[d]] = 0;
    add_rows(p, 0, to, from, 1);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_view in = rf_view_of(x->in[0]), out = rf_view_of(x->out[0]);
    struct pass p = {.linear = s->linear, .rank = in.rank};
    struct tap *taps = x->scratch;
    struct axis axes[RF_MAX_RANK];
    struct request r;

    (void)part, (void)n_parts;
    load(s, x->in, &r);
    measure(s, &x->in[0]->shape, &r, axes);
    for (int i = 0; i < in.rank; i++) {
        /* Channels are innermost in a channels-last image. */
        const bool pixels = x->out[0]->layout == RF_NHWC;
        const int d = !pixels || i == 0 ? i : i == in.rank - 1 ? 1 : i + 1;

        fill(s, &axes[d], taps);
        p.taps[i] = taps;
        p.in_step[i] = in.step[d];
        p.out_step[i] = out.step[d];
        p.out[i] = axes[d].out;
        taps += axes[d].out;
    }
    if (rf_numel(&x->out[0]->shape) > 0)
        run_rows(&p, 0, (float *)out.data, (const float *)in.data);
}

/* ---- rows --------------------------------------------------------------------------------------
 */

#define RESIZE                                                                                     \
    .min_out = 1, .max_out = 1, .flags = RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,               \
    .state_bytes = sizeof(struct state), .infer = infer, .run = run

RF_OP(Upsample7) = {
    RESIZE, .name = "Upsample", .since = 7, .min_in = 1, .max_in = 1, .prepare = prepare_upsample_7,
};

RF_OP(Upsample) = {
    RESIZE,
    .name = "Upsample",
    .since = 9,
    .min_in = 2,
    .max_in = 2,
    .known_in = 1u << 1,
    .prepare = prepare_10,
};

RF_OP(Resize10) = {
    RESIZE,      .name = "Resize",    .since = 10,           .min_in = 2,
    .max_in = 2, .known_in = 1u << 1, .prepare = prepare_10,
};

RF_OP(Resize11) = {
    RESIZE,
    .name = "Resize",
    .since = 11,
    .min_in = 1,
    .max_in = 4,
    .known_in = 1u << 2 | 1u << 3,
    .prepare = prepare_11,
};

RF_OP(Resize) = {
    RESIZE,
    .name = "Resize",
    .since = 18,
    .min_in = 1,
    .max_in = 4,
    .known_in = 1u << 2 | 1u << 3,
    .prepare = prepare_18,
};
