/*
 * LRN, local response normalisation: y = x / (bias + alpha / size * s)^beta, s the sum of squares
 * of the `size` channels around x's.
 */
#include <math.h>

#include "core/op.h"
#include "core/reduce.h"

struct state {
    float alpha, beta, bias;
    int64_t size;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->alpha = rf_attr_float(p, "alpha", 1e-4f);
    s->beta = rf_attr_float(p, "beta", 0.75f);
    s->bias = rf_attr_float(p, "bias", 1);
    s->size = rf_attr_int_in(p, "size", 0, 1, INT32_MAX); /* 0: it must be given */
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    const enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);
    char text[RF_SHAPE_TEXT];

    if (rc)
        return rc;
    if (in->rank < 2)
        return rf_infer_fail(x, RF_SHAPE, "input has shape %s, expected [N,C,..]",
                             rf_shape_text(in, text, sizeof(text)));
    x->max_parts = (size_t)in->dim[rf_longest_kept(in, 1u << 1)];
    x->cost = rf_cost(rf_numel(in), 64);
    x->algorithm = "window";
    return rf_infer_same(state, x);
}

/* One position: its n channels lie `step` apart in x, `to_step` in y. */
static void normalise(const struct state *s, const float *x, int64_t step, float *y,
                      int64_t to_step, int64_t n)
{
    const int64_t before = (s->size - 1) / 2, after = s->size - 1 - before;
    const double scale = (double)s->alpha / (double)s->size;

    for (int64_t c = 0; c < n; c++) {
        const int64_t from = c < before ? 0 : c - before;
        const int64_t to = n - c <= after ? n : c + after + 1;
        double sum = 0;

        for (int64_t k = from; k < to; k++)
            sum += (double)x[k * step] * (double)x[k * step];
        y[c * to_step] = x[c * step] / powf((float)((double)s->bias + scale * sum), s->beta);
    }
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_shape *const shape = &x->in[0]->shape;
    const int longest = rf_longest_kept(shape, 1u << 1);
    const struct rf_view from = rf_view_of(x->in[0]), to = rf_view_of(x->out[0]);
    struct rf_view in = rf_view_kept(&from, 1u << 1), out = rf_view_kept(&to, 1u << 1);
    const struct rf_view *const views[] = {&in, &out};
    struct rf_walk w;
    size_t first, last;

    rf_part_range((size_t)shape->dim[longest], part, n_parts, &first, &last);
    rf_view_slice(&in, longest, (int64_t)first, (int64_t)(last - first), 1);
    rf_view_slice(&out, longest, (int64_t)first, (int64_t)(last - first), 1);
    for (rf_walk_begin(&w, views, 2); w.n; rf_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++)
            normalise(s, (const float *)w.data[0] + i * w.step[0], from.step[1],
                      (float *)w.data[1] + i * w.step[1], to.step[1], shape->dim[1]);
}

RF_OP(LRN) = {
    .name = "LRN",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
