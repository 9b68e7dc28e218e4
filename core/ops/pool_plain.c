/*
 * Pools of any rank on row-major tensors, plain loops over windows: MaxPool with its indices,
 * AveragePool, LpPool, and the global ones, whose only window is the whole plane. Padding is never
 * looked at.
 */
#include <math.h>
#include <string.h>

#include "core/ops/pooling.h"

/* ---- attributes ---- */

static enum rf_status prepare_window(struct rf_prepare *p, struct rf_pooling *s)
{
    struct rf_window_attrs *const w = &s->window;

    if (rf_window_prepare(p, w))
        return p->status;
    w->ceil_mode = rf_attr_int_in(p, "ceil_mode", 0, 0, 1);
    if (!w->has_kernel)
        return rf_prepare_fail(p, RF_INVALID, "attribute kernel_shape is missing");
    /* A window within the padding alone would have nothing to take a maximum or mean of. */
    for (int d = 0; d < w->spatial; d++)
        if (w->before[d] >= w->kernel[d] * w->dilation[d] ||
            w->after[d] >= w->kernel[d] * w->dilation[d])
            return rf_prepare_fail(p, RF_INVALID, "padding is not smaller than the kernel");
    return p->status;
}

enum rf_status rf_pooling_prepare_max(struct rf_prepare *p, void *state)
{
    struct rf_pooling *const s = state;

    s->kind = RF_POOLING_MAX;
    s->column_major = rf_attr_int_in(p, "storage_order", 0, 0, 1);
    return prepare_window(p, s);
}

enum rf_status rf_pooling_prepare_mean(struct rf_prepare *p, void *state)
{
    struct rf_pooling *const s = state;

    s->kind = RF_POOLING_MEAN;
    s->count_include_pad = rf_attr_int_in(p, "count_include_pad", 0, 0, 1);
    return prepare_window(p, s);
}

static void take_p(struct rf_prepare *p, struct rf_pooling *s)
{
    s->kind = RF_POOLING_LP;
    s->p = rf_attr_int_in(p, "p", 2, 1, INT32_MAX);
}

static enum rf_status prepare_lp(struct rf_prepare *p, void *state)
{
    take_p(p, state);
    return prepare_window(p, state);
}

static enum rf_status prepare_global(struct rf_prepare *p, enum rf_pooling_kind kind, void *state)
{
    struct rf_pooling *const s = state;

    s->kind = kind;
    s->global = true;
    return p->status;
}

static enum rf_status prepare_global_max(struct rf_prepare *p, void *state)
{
    return prepare_global(p, RF_POOLING_MAX, state);
}

static enum rf_status prepare_global_mean(struct rf_prepare *p, void *state)
{
    return prepare_global(p, RF_POOLING_MEAN, state);
}

static enum rf_status prepare_global_lp(struct rf_prepare *p, void *state)
{
    take_p(p, state);
    return prepare_global(p, RF_POOLING_LP, state);
}

/* ---- shapes ---- */

static void fit(const struct rf_pooling *s, const struct rf_shape *in, struct rf_window *w)
{
    if (!s->global) {
        rf_window_fit(&s->window, in, NULL, w);
        return;
    }
    *w = (struct rf_window){.spatial = in->rank - 2};
    for (int d = 0; d < w->spatial; d++) {
        w->kernel[d] = w->in[d] = in->dim[d + 2];
        w->stride[d] = w->dilation[d] = w->out[d] = 1;
    }
}

static enum rf_status infer_global(struct rf_infer *x)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape *const out = &x->out[0]->shape;
    char text[RF_SHAPE_TEXT];

    rf_shape_text(in, text, sizeof(text));
    if (in->rank < 3)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected rank 3 or more", text);
    *out = *in;
    for (int d = 2; d < in->rank; d++) {
        if (in->dim[d] < 1)
            return rf_infer_fail(x, RF_SHAPE, "input %s has no pixels", text);
        out->dim[d] = 1;
    }
    x->out[0]->dtype = RF_F32;
    return RF_OK;
}

enum rf_status rf_pooling_infer(const struct rf_pooling *s, struct rf_infer *x, struct rf_window *w)
{
    enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);

    if (rc)
        return rc;
    if (!s->global)
        return rf_window_infer(&s->window, x, NULL, x->in[0]->shape.dim[1], w);
    rc = infer_global(x);
    if (!rc)
        fit(s, &x->in[0]->shape, w);
    return rc;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct rf_shape *const out = &x->out[0]->shape;
    struct rf_window w;
    int64_t size, n;
    const enum rf_status rc = rf_pooling_infer(state, x, &w);

    if (rc)
        return rc;
    if (x->node->n_out > 1) {
        x->out[1]->dtype = RF_I64;
        x->out[1]->shape = *out;
    }
    if (!rf_shape_numel(out, &n) || !rf_window_size(&w, &size))
        size = n = INT64_MAX;
    x->cost = rf_cost(rf_cost(n, size), 4);
    x->max_parts = (size_t)rf_cost(out->dim[0], out->dim[1]);
    x->algorithm = "planes";
    return RF_OK;
}

/* ---- arithmetic ---- */

/* One window. */
struct gathering {
    const struct rf_pooling *s;
    const struct rf_window *w;
    int64_t step[RF_MAX_SPATIAL]; /* elements between neighbours */
    int64_t at[RF_MAX_SPATIAL];   /* the window's place */
    double sum;
    float max;
    const float *top; /* where the maximum is */
};

static void take(struct gathering *g, const float *x)
{
    switch (g->s->kind) {
    case RF_POOLING_MAX:
        if (!g->top || *x > g->max || isnan(*x)) {
            g->max = *x;
            g->top = x;
        }
        break;
    case RF_POOLING_MEAN:
        g->sum += (double)*x;
        break;
    case RF_POOLING_LP:
        g->sum += pow(fabs((double)*x), (double)g->s->p);
        break;
    }
}

/* What the window holds of a plane, from dimension d on. */
static void gather(struct gathering *g, int d, const float *x)
{
    const struct rf_window *const w = g->w;
    const int64_t start = g->at[d] * w->stride[d] - w->before[d];
    int64_t first, last;

    rf_window_taps(w, d, g->at[d], 0, w->in[d], &first, &last);
    for (int64_t k = first; k < last; k++) {
        const float *const from = x + (start + k * w->dilation[d]) * g->step[d];

        if (d < w->spatial - 1)
            gather(g, d + 1, from);
        else
            take(g, from);
    }
}

/* Elements that a mean is over. */
static double counted(const struct gathering *g)
{
    const struct rf_window *const w = g->w;
    const bool all = g->s->count_include_pad;
    double n = 1;

    for (int d = 0; d < w->spatial; d++) {
        int64_t first, last;

        rf_window_taps(w, d, g->at[d], all ? -w->before[d] : 0,
                       all ? w->in[d] + w->after[d] : w->in[d], &first, &last);
        n *= (double)(last - first);
    }
    return n;
}

static float result(const struct gathering *g)
{
    switch (g->s->kind) {
    case RF_POOLING_MAX:
        return g->top ? g->max : -INFINITY;
    case RF_POOLING_MEAN:
        return (float)(g->sum / counted(g));
    default:
        return (float)pow(g->sum, 1 / (double)g->s->p);
    }
}

/* Element i of a plane, counted with the first dimension fastest. */
static int64_t column_major(const struct gathering *g, int64_t i)
{
    int64_t index = 0, step = 1;

    for (int d = 0; d < g->w->spatial; d++) {
        index += i / g->step[d] % g->w->in[d] * step;
        step *= g->w->in[d];
    }
    return index;
}

static int64_t index_in(const struct gathering *g, const float *plane)
{
    const int64_t i = g->top ? g->top - plane : 0;

    return g->s->column_major ? column_major(g, i) : i;
}

/* To the next window of a plane; false after the last. */
static bool advance(struct gathering *g)
{
    for (int d = g->w->spatial - 1; d >= 0; d--) {
        if (++g->at[d] < g->w->out[d])
            return true;
        g->at[d] = 0;
    }
    return false;
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_window w;
    struct gathering g = {.s = x->state, .w = &w};
    int64_t plane = 1, windows = 1;
    size_t first, last;

    fit(g.s, in, &w);
    for (int d = w.spatial - 1; d >= 0; d--) {
        g.step[d] = plane;
        plane *= w.in[d];
        windows *= w.out[d];
    }
    rf_part_range((size_t)in->dim[0] * (size_t)in->dim[1], part, n_parts, &first, &last);
    for (size_t p = first; p < last; p++) {
        const float *const from = (const float *)x->in[0]->data + p * (size_t)plane;
        size_t to = p * (size_t)windows;

        do {
            g.sum = 0;
            g.top = NULL;
            gather(&g, 0, from);
            ((float *)x->out[0]->data)[to] = result(&g);
            if (x->out[1])
                ((int64_t *)x->out[1]->data)[to] = (int64_t)p * plane + index_in(&g, from);
            to++;
        } while (advance(&g));
    }
}

/* ---- rows ---- */

#define PLAIN                                                                                      \
    .min_in = 1, .max_in = 1, .min_out = 1, .layouts = RF_ACCEPTS_ROWMAJOR,                        \
    .state_bytes = sizeof(struct rf_pooling), .infer = infer, .run = run

RF_OP(MaxPoolPlain) = {
    PLAIN, .name = "MaxPool", .since = RF_NO_OPSET, .max_out = 2, .prepare = rf_pooling_prepare_max,
};

RF_OP(AveragePoolPlain) = {
    PLAIN,
    .name = "AveragePool",
    .since = RF_NO_OPSET,
    .max_out = 1,
    .prepare = rf_pooling_prepare_mean,
};

RF_OP(LpPool) = {
    PLAIN, .name = "LpPool", .since = 2, .max_out = 1, .prepare = prepare_lp,
};

RF_OP(GlobalMaxPoolPlain) = {
    PLAIN,        .name = "GlobalMaxPool",       .since = RF_NO_OPSET,
    .max_out = 1, .prepare = prepare_global_max,
};

RF_OP(GlobalAveragePoolPlain) = {
    PLAIN,        .name = "GlobalAveragePool",    .since = RF_NO_OPSET,
    .max_out = 1, .prepare = prepare_global_mean,
};

RF_OP(GlobalLpPool) = {
    PLAIN, .name = "GlobalLpPool", .since = 2, .max_out = 1, .prepare = prepare_global_lp,
};
