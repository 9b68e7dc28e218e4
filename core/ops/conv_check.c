/* What convolutions of all layouts have to check. */
#include "core/ops/conv.h"

#include <string.h>

enum rf_status rf_conv_prepare(struct rf_prepare *p, struct rf_conv *c)
{
    c->groups = rf_attr_int_in(p, "group", 1, 1, INT32_MAX);
    return rf_window_prepare(p, &c->window);
}

/* Dimension 0 of a Conv's weight is the output channels, of a ConvTranspose's the input channels:
 * groups divide it. */
static enum rf_status check_weight(const struct rf_conv *c, struct rf_infer *x)
{
    const struct rf_shape *const w = &x->in[1]->shape;
    char text[RF_SHAPE_TEXT], in[RF_SHAPE_TEXT];

    rf_shape_text(w, text, sizeof(text));
    if (w->rank != x->in[0]->shape.rank)
        return rf_infer_fail(x, RF_SHAPE, "weight has shape %s, input %s: ranks must be equal",
                             text, rf_shape_text(&x->in[0]->shape, in, sizeof(in)));
    if (w->dim[0] < 1 || w->dim[1] < 1 || w->dim[0] % c->groups)
        return rf_infer_fail(x, RF_SHAPE, "weight has shape %s, which %lld groups do not divide",
                             text, (long long)c->groups);
    return RF_OK;
}

static enum rf_status check_channels(struct rf_infer *x, int64_t in_channels, int64_t out_channels)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    char text[RF_SHAPE_TEXT];

    if (in->dim[1] != in_channels)
        return rf_infer_fail(x, RF_SHAPE, "expects %lld input channels, its input has shape %s",
                             (long long)in_channels, rf_shape_text(in, text, sizeof(text)));
    const struct rf_tensor *const bias = x->in[2];

    if (bias && (bias->shape.rank != 1 || bias->shape.dim[0] != out_channels))
        return rf_infer_fail(x, RF_SHAPE, "bias has shape %s, expected [%lld]",
                             rf_shape_text(&bias->shape, text, sizeof(text)),
                             (long long)out_channels);
    return RF_OK;
}

enum rf_status rf_conv_check(const struct rf_conv *c, struct rf_infer *x, bool transposed,
                             int64_t *out_channels)
{
    const struct rf_shape *const w = &x->in[1]->shape;
    enum rf_status rc = RF_OK;

    for (int i = 0; i < 3 && !rc; i++)
        rc = rf_infer_dtype(x, i, 1u << RF_F32);
    if (!rc)
        rc = check_weight(c, x);
    if (rc)
        return rc;
    /* Times at most 2^31 groups that is no overflow. */
    if (w->dim[1] > INT32_MAX)
        return rf_infer_fail(x, RF_LIMIT, "%lld channels in a group", (long long)w->dim[1]);
    const int64_t in_channels = transposed ? w->dim[0] : w->dim[1] * c->groups;

    *out_channels = transposed ? w->dim[1] * c->groups : w->dim[0];
    return check_channels(x, in_channels, *out_channels);
}

enum rf_status rf_conv_macs(struct rf_infer *x, const struct rf_shape *small)
{
    const struct rf_shape *const w = &x->in[1]->shape;
    char text[RF_SHAPE_TEXT];
    int64_t elements, weights;

    if (rf_shape_numel(small, &elements) && rf_shape_numel(w, &weights) &&
        !__builtin_mul_overflow(elements, weights / w->dim[0], &x->macs))
        return RF_OK;
    return rf_infer_fail(x, RF_LIMIT, "output %s is too large",
                         rf_shape_text(&x->out[0]->shape, text, sizeof(text)));
}

enum rf_status rf_conv_infer(const struct rf_conv *c, struct rf_infer *x, struct rf_window *w)
{
    int64_t channels = 0;
    enum rf_status rc = rf_conv_check(c, x, false, &channels);

    if (!rc)
        rc = rf_window_infer(&c->window, x, &x->in[1]->shape.dim[2], channels, w);
    return rc ? rc : rf_conv_macs(x, &x->out[0]->shape);
}

/* ---- constant weights on channels-last pixels ---- */

bool rf_conv_fits_image(const struct rf_graph *g, const struct rf_node *node)
{
    const int rank = g->values[node->in[0]].shape.rank;

    return (rank == 3 || rank == 4) && g->values[node->in[1]].shape.rank == rank;
}

static bool is_constant(const struct rf_graph *g, const struct rf_node *node, int i)
{
    const struct rf_value *const v =
        i < node->n_in && node->in[i] != RF_NO_VALUE ? &g->values[node->in[i]] : NULL;

    return !v || (v->constant && v->dtype == RF_F32);
}

bool rf_conv_fits_constant(const struct rf_graph *g, const struct rf_node *node)
{
    return rf_conv_fits_image(g, node) && is_constant(g, node, 1) && is_constant(g, node, 2);
}

enum rf_status rf_conv_prepare_constant(struct rf_prepare *p, struct rf_conv_state *s)
{
    const struct rf_value *const weight = rf_prepare_in(p, 1);

    if (rf_conv_prepare(p, &s->conv) || rf_epilogue_prepare(p, &s->epilogue) ||
        !rf_prepare_weights(p, 1, "weight"))
        return p->status;
    const size_t channels = (size_t)weight->shape.dim[0];
    const float *const bias = rf_prepare_vector(p, 2, "bias", weight->shape.dim[0]);

    if (!bias)
        return p->status;
    float *const copy = rf_prepare_alloc(p, channels, sizeof(*copy));
    if (copy)
        memcpy(copy, bias, channels * sizeof(*copy));
    s->epilogue.bias = copy;
    return p->status;
}
