#include "core/epilogue.h"

#include "core/layer.h"

void rf_epilogue_scalars(struct rf_epilogue *e, float a, float b)
{
    e->own[0] = a;
    e->own[1] = b;
    e->a = &e->own[0];
    e->b = &e->own[1];
    e->n_params = 1;
}

enum rf_status rf_epilogue_prepare(struct rf_prepare *p, struct rf_epilogue *e)
{
    struct rf_node *const fused = p->node->activation;

    e->unary = RF_UNARY_Identity;
    e->kind = RF_KIND_NONE;
    e->residual = p->node->residual;
    rf_epilogue_scalars(e, 0, 0);
    if (!fused)
        return p->status;

    struct rf_prepare inner = *p;

    inner.node = fused;
    p->status = fused->op->activation(&inner, e);
    return p->status;
}

enum rf_status rf_epilogue_infer(const struct rf_epilogue *e, struct rf_infer *x)
{
    const struct rf_shape *const out = &x->out[0]->shape;
    char want[RF_SHAPE_TEXT], got[RF_SHAPE_TEXT];

    if (e->n_params > 1 &&
        (out->rank < 2 || (size_t)out->dim[rf_tensor_channel_axis(x->out[0])] != e->n_params))
        return rf_infer_fail(x, RF_SHAPE, "activation has %zu slopes, its input has shape %s",
                             e->n_params, rf_shape_text(out, got, sizeof(got)));
    if (e->residual >= 0 && !rf_shape_equal(&x->in[e->residual]->shape, out))
        return rf_infer_fail(x, RF_SHAPE, "adds %s to %s: shapes must be equal",
                             rf_shape_text(&x->in[e->residual]->shape, got, sizeof(got)),
                             rf_shape_text(out, want, sizeof(want)));
    return RF_OK;
}

/* Positions that lie one pitch apart from `at` on, at most `count`. */
static size_t straight_run(const struct rf_pixels *p, size_t at, size_t count)
{
    if (p->row == p->w * p->pitch && p->image == p->h * p->row)
        return count;
    const size_t rest = p->w - at % p->w;

    return rest < count ? rest : count;
}

static float *position(const struct rf_pixels *p, size_t at)
{
    const size_t area = p->h * p->w;

    return p->data + at / area * p->image + at % area / p->w * p->row + at % p->w * p->pitch;
}

/* Where this part counts. */
static void attach_counters(struct rf_rows *r, const struct rf_layer_run *layer, int part,
                            size_t at, size_t c0)
{
    const size_t place = layer->first_place + c0;
    const struct rf_tally *const t = &layer->tallies[part];

    r->mask_pitch = layer->mask_pitch;
    r->fired = layer->fired + at * layer->mask_pitch + c0 / RF_GROUP;
    r->inactive = layer->needs_inactive ? t->counts[RF_COUNT_INACTIVE] + place : NULL;
    r->zero = layer->needs_zero ? t->counts[RF_COUNT_ZEROS] + place : NULL;
    r->top = layer->needs_top ? t->counts[RF_COUNT_SATURATED] + place : NULL;
    r->sum = t->moments.sum + place;
    r->sum_squares = t->moments.sum_squares + place;
    r->max = t->moments.max + place;
    r->nonfinite = t->counts[RF_COUNT_NONFINITE] + place;
    r->nan = t->counts[RF_COUNT_NAN] + place;
}

void rf_epilogue_run(const struct rf_epilogue *e, const struct rf_exec *x, int part, size_t first,
                     size_t count, const float *src, size_t src_pitch, size_t c0, size_t c1)
{
    const struct rf_pixels out = rf_tensor_pixels(x->out[0]);
    struct rf_pixels residual = {0};
    const size_t step = e->n_params > 1;
    struct rf_rows r = {.y_pitch = out.pitch,
                        .x_pitch = src ? src_pitch : out.pitch,
                        .channels = c1 - c0,
                        .scale = e->scale ? e->scale + c0 : NULL,
                        .bias = e->bias ? e->bias + c0 : NULL,
                        .a = e->a + step * c0,
                        .b = e->b + (e->b == e->a ? step * c0 : 0),
                        .param_step = step};
    rf_rows_fn *const run = (x->layer ? x->k->rows_counted : x->k->rows)[e->unary];

    if (e->residual >= 0) {
        struct rf_tensor like = *x->in[e->residual];

        like.channels_last = x->out[0]->channels_last; /* its positions are the output's */
        residual = rf_tensor_pixels(&like);
        r.residual_pitch = residual.pitch;
    }
    for (size_t at = first, end = first + count; at < end; at += r.rows) {
        r.rows = straight_run(&out, at, end - at);
        if (residual.data) {
            r.rows = straight_run(&residual, at, r.rows);
            r.residual = position(&residual, at) + c0;
        }
        r.y = position(&out, at) + c0;
        r.x = src ? src + (at - first) * src_pitch : r.y;
        if (x->layer)
            attach_counters(&r, x->layer, part, at, c0);
        run(&r);
    }
}

/* ---- operators that are an epilogue ---- */

enum rf_status rf_epilogue_only_infer(const void *state, struct rf_infer *x)
{
    const struct rf_epilogue *const e = state;
    enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);

    if (!rc)
        rc = rf_infer_same(state, x);
    if (!rc)
        rc = rf_epilogue_infer(e, x);
    if (rc)
        return rc;
    x->max_parts = (size_t)rf_numel(&x->out[0]->shape) / 4096 + 1;
    x->cost = rf_cost(rf_numel(&x->out[0]->shape), 8);
    x->algorithm = "rows";
    return RF_OK;
}

/* A tensor without channels-last positions is one long row: nothing in it goes by the channel. */
static void run_flat(const struct rf_epilogue *e, const struct rf_exec *x, int part, int n_parts)
{
    size_t first, last;

    rf_part_range((size_t)rf_numel(&x->out[0]->shape), part, n_parts, &first, &last);
    const struct rf_rows r = {
        .y = (float *)x->out[0]->data + first,
        .x = (const float *)x->in[0]->data + first,
        .residual = e->residual < 0 ? NULL : (const float *)x->in[e->residual]->data + first,
        .rows = 1,
        .channels = last - first,
        .a = e->a,
        .b = e->b};

    x->k->rows[e->unary](&r);
}

void rf_epilogue_only_run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_epilogue *const e = x->state;
    size_t first, last;

    if (!rf_tensor_has_pixels(x->out[0])) {
        run_flat(e, x, part, n_parts);
        return;
    }
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]);

    rf_part_range(in.n * in.h * in.w, part, n_parts, &first, &last);
    for (size_t at = first; at < last;) {
        const size_t run = straight_run(&in, at, last - at);

        rf_epilogue_run(e, x, part, at, run, position(&in, at), in.pitch, 0, in.c);
        at += run;
    }
}
