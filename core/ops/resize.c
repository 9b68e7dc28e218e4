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
#include "core/ops/resize.h"

/* ---- attributes ---- */

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

static void prepare_mode(struct rf_prepare *p, struct rf_resize *s)
{
    static const char *const modes[] = {"nearest", "linear"};

    s->linear = CHOOSE(p, "mode", modes);
}

/* Resize before opset 11, and Upsample. */
static enum rf_status prepare_10(struct rf_prepare *p, void *state)
{
    struct rf_resize *const s = state;

    prepare_mode(p, s);
    s->scales_in = 1;
    s->transform = RF_RESIZE_ASYMMETRIC;
    s->rounding = RF_RESIZE_OUTWARD;
    return p->status;
}

static enum rf_status prepare_upsample_7(struct rf_prepare *p, void *state)
{
    struct rf_resize *const s = state;

    prepare_10(p, state);
    s->scales_in = 0;
    s->scales = rf_attr_floats(p, "scales", &s->n_scales);
    return p->status;
}

static enum rf_status prepare_11(struct rf_prepare *p, void *state)
{
    static const char *const transforms[] = {
        [RF_RESIZE_HALF_PIXEL] = "half_pixel",
        [RF_RESIZE_HALF_PIXEL_SYMMETRIC] = "half_pixel_symmetric",
        [RF_RESIZE_PYTORCH_HALF_PIXEL] = "pytorch_half_pixel",
        [RF_RESIZE_ALIGN_CORNERS] = "align_corners",
        [RF_RESIZE_ASYMMETRIC] = "asymmetric",
        [RF_RESIZE_TF_HALF_PIXEL_FOR_NN] = "tf_half_pixel_for_nn",
        [RF_RESIZE_TF_CROP_AND_RESIZE] = "tf_crop_and_resize"};
    static const char *const roundings[] = {[RF_RESIZE_ROUND_PREFER_FLOOR] = "round_prefer_floor",
                                            [RF_RESIZE_ROUND_PREFER_CEIL] = "round_prefer_ceil",
                                            [RF_RESIZE_FLOOR] = "floor",
                                            [RF_RESIZE_CEIL] = "ceil"};
    struct rf_resize *const s = state;

    prepare_mode(p, s);
    s->scales_in = 2;
    s->sizes_in = 3;
    s->transform =
        (enum rf_resize_transform)CHOOSE(p, "coordinate_transformation_mode", transforms);
    s->rounding = (enum rf_resize_rounding)CHOOSE(p, "nearest_mode", roundings);
    if (s->transform == RF_RESIZE_TF_CROP_AND_RESIZE)
        s->roi_in = 1;
    s->outside = rf_attr_float(p, "extrapolation_value", 0);
    rf_attr_float(p, "cubic_coeff_a", 0); /* of mode cubic */
    rf_attr_int_in(p, "exclude_outside", 0, 0, 0);
    return p->status;
}

static enum rf_status prepare_18(struct rf_prepare *p, void *state)
{
    static const char *const policies[] = {[RF_RESIZE_STRETCH] = "stretch",
                                           [RF_RESIZE_NOT_LARGER] = "not_larger",
                                           [RF_RESIZE_NOT_SMALLER] = "not_smaller"};
    struct rf_resize *const s = state;

    prepare_11(p, state);
    rf_attr_int_in(p, "antialias", 0, 0, 0);
    s->policy = (enum rf_resize_policy)CHOOSE(p, "keep_aspect_ratio_policy", policies);
    s->axes = rf_attr_ints(p, "axes", &s->n_axes, -RF_MAX_RANK, RF_MAX_RANK - 1);
    return p->status;
}

/* ---- sizes ---- */

static enum rf_status check_axes(const struct rf_resize *s, struct rf_infer *x, int rank)
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

/* Floats that must be known; an absent input has none. */
static enum rf_status check_floats(struct rf_infer *x, int i, const char *what)
{
    const struct rf_tensor *const t = x->in[i];

    if (!t || !i)
        return RF_OK;
    if (!t->data && rf_numel(&t->shape) > 0)
        return rf_infer_fail(x, RF_UNSUPPORTED, "%s is only known in a run", what);
    return rf_infer_dtype(x, i, 1u << RF_F32);
}

static enum rf_status check_inputs(const struct rf_resize *s, struct rf_infer *x)
{
    int64_t sizes[RF_MAX_RANK];
    size_t n;
    enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);

    if (!rc)
        rc = check_floats(x, s->roi_in, "roi");
    if (!rc)
        rc = check_floats(x, s->scales_in, "scales");
    if (!rc && s->sizes_in)
        rc = rf_infer_ints(x, s->sizes_in, "sizes", sizes, RF_MAX_RANK, &n);
    return rc ? rc : check_axes(s, x, x->in[0]->shape.rank);
}

static enum rf_status check_request(const struct rf_resize *s, struct rf_infer *x,
                                    const struct rf_resize_request *r)
{
    const bool by_scale = r->n_scales > 0;

    if (by_scale == (r->n_sizes > 0))
        return rf_infer_fail(x, RF_INVALID, "expected either scales or sizes");
    if ((by_scale ? r->n_scales : r->n_sizes) != r->n)
        return rf_infer_fail(x, RF_SHAPE, "%s has %zu elements, expected %zu",
                             by_scale ? "scales" : "sizes", by_scale ? r->n_scales : r->n_sizes,
                             r->n);
    if (s->roi_in && r->n_roi != 2 * r->n)
        return rf_infer_fail(x, RF_SHAPE, "roi has %zu elements, expected %zu", r->n_roi, 2 * r->n);
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

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct rf_resize *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    struct rf_resize_axis axes[RF_MAX_RANK];
    char text[RF_SHAPE_TEXT];
    struct rf_resize_request r;
    enum rf_status rc = check_inputs(s, x);

    if (rc)
        return rc;
    rf_resize_load(s, x->in, &r);
    rc = check_request(s, x, &r);
    if (rc)
        return rc;
    rf_resize_measure(s, in, &r, axes);
    *out = *in;
    x->out[0]->dtype = RF_F32;
    x->cost = 8;
    for (int d = 0; d < in->rank; d++) {
        out->dim[d] = axes[d].out;
        if (axes[d].out < 0 || (axes[d].out > 0 && axes[d].in < 1) || axes[d].in > INT32_MAX)
            return rf_infer_fail(x, RF_SHAPE, "cannot resize dimension %d of input %s", d,
                                 rf_shape_text(in, text, sizeof(text)));
        x->scratch += (size_t)axes[d].out * sizeof(struct rf_resize_tap);
        x->cost = rf_cost(x->cost, axes[d].out);
    }
    if (x->cost == 0) /* an empty output */
        x->scratch = 0;
    x->algorithm = s->linear ? "linear" : "nearest";
    return RF_OK;
}

/* ---- arithmetic ---- */

struct pass {
    bool linear;
    float outside;
    int rank;
    /* Dimensions from the outermost in the output's memory. */
    const struct rf_resize_tap *taps[RF_MAX_RANK];
    int64_t in_step[RF_MAX_RANK], out_step[RF_MAX_RANK], out[RF_MAX_RANK];
    int64_t at[RF_MAX_RANK];
};

/* An element along dimension d. */
static float element(const struct pass *p, int d, const float *from, const struct rf_resize_tap *t)
{
    const int64_t step = p->in_step[d];

    if (t->lo < 0)
        return p->outside;
    if (t->weight > 0)
        return from[t->lo * step] * (1 - t->weight) + from[t->hi * step] * t->weight;
    return from[t->lo * step];
}

static void add_row(const struct pass *p, float *to, const float *from, float weight)
{
    const int d = p->rank - 1;

    for (int64_t i = 0; i < p->out[d]; i++, to += p->out_step[d]) {
        const float value = from ? element(p, d, from, &p->taps[d][i]) : p->outside;

        *to = p->linear ? *to + weight * value : value;
    }
}

/* Adds the input's rows that the output's row is made of, from dimension d on. */
static void add_rows(const struct pass *p, int d, float *to, const float *from, float weight)
{
    if (d == p->rank - 1) {
        add_row(p, to, from, weight);
        return;
    }
    const struct rf_resize_tap t = p->taps[d][p->at[d]];

    if (t.lo < 0) {
        add_row(p, to, NULL, weight);
        return;
    }
    add_rows(p, d + 1, to, from + t.lo * p->in_step[d], weight * (1 - t.weight));
    if (t.weight > 0)
        add_rows(p, d + 1, to, from + t.hi * p->in_step[d], weight * t.weight);
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
    const struct rf_resize *const s = x->state;
    const struct rf_view in = rf_view_of(x->in[0]), out = rf_view_of(x->out[0]);
    struct pass p = {.linear = s->linear, .outside = s->outside, .rank = in.rank};
    struct rf_resize_tap *taps = x->scratch;
    struct rf_resize_axis axes[RF_MAX_RANK];
    struct rf_resize_request r;

    (void)part, (void)n_parts;
    if (in.rank < 1 || rf_numel(&x->out[0]->shape) == 0)
        return;
    rf_resize_load(s, x->in, &r);
    rf_resize_measure(s, &x->in[0]->shape, &r, axes);
    for (int i = 0; i < in.rank; i++) {
        /* Channels are innermost in a channels-last image. */
        const bool pixels = x->out[0]->layout == RF_NHWC;
        const int d = !pixels || i == 0 ? i : i == in.rank - 1 ? 1 : i + 1;

        rf_resize_fill(s, &axes[d], taps);
        p.taps[i] = taps;
        p.in_step[i] = in.step[d];
        p.out_step[i] = out.step[d];
        p.out[i] = axes[d].out;
        taps += axes[d].out;
    }
    run_rows(&p, 0, x->out[0]->data, x->in[0]->data);
}

/* ---- rows ---- */

#define RESIZE                                                                                     \
    .min_out = 1, .max_out = 1, .flags = RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,               \
    .state_bytes = sizeof(struct rf_resize), .infer = infer, .run = run

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
    .known_in = 1u << 1 | 1u << 2 | 1u << 3,
    .prepare = prepare_11,
};

RF_OP(Resize) = {
    RESIZE,
    .name = "Resize",
    .since = 18,
    .min_in = 1,
    .max_in = 4,
    .known_in = 1u << 1 | 1u << 2 | 1u << 3,
    .prepare = prepare_18,
};
