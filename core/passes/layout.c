/*
 * Gives every value its layout and inserts conversions where neighbours disagree. Images stay
 * channels-last from the first operator that wants them so to the last. A Flatten between an image
 * and a Gemm goes away: Gemm packs its weights in the order of the pixels.
 */
#include "core/op.h"
#include "core/passes/passes.h"

static bool is_image(const struct rf_value *v)
{
    return v->dtype == RF_F32 && !v->known && !v->constant &&
           (v->shape.rank == 3 || v->shape.rank == 4);
}

static bool counts(const struct rf_node *node)
{
    return node->op->kind != RF_KIND_NONE ||
           (node->activation && node->activation->op->kind != RF_KIND_NONE);
}

/* Reads any mix; writes NHWC where an input of the output's rank is, or where it cannot otherwise.
 */
static enum rf_layout followed(const struct rf_graph *g, const struct rf_node *node)
{
    const int rank = g->values[node->out[0]].shape.rank;

    if (!(node->op->layouts & RF_ACCEPTS_ROWMAJOR))
        return RF_NHWC;
    for (int k = 0; k < node->n_in && (node->op->layouts & RF_ACCEPTS_NHWC); k++) {
        const struct rf_value *const in =
            node->in[k] == RF_NO_VALUE ? NULL : &g->values[node->in[k]];

        if (in && in->layout == RF_NHWC && in->shape.rank == rank)
            return RF_NHWC;
    }
    return RF_ROWMAJOR;
}

static enum rf_layout wanted(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_value *const in = &g->values[node->in[0]];

    if (node->op->flags & RF_OP_READS_ANY)
        return followed(g, node);
    if (!is_image(in) || !(node->op->layouts & RF_ACCEPTS_NHWC))
        return RF_ROWMAJOR;
    if (!(node->op->layouts & RF_ACCEPTS_ROWMAJOR))
        return RF_NHWC;
    /* Channels are counted, and have parameters, where they are neighbours. */
    if (node->activation && rf_is_per_channel(g, node->activation))
        return RF_NHWC;
    return counts(node) && !in->channels_last ? RF_NHWC : in->layout;
}

/* A converted copy of the value, made once. */
static enum rf_status converted(struct rf_graph *g, rf_value_id from, enum rf_layout layout,
                                rf_value_id *to, struct rf_error *err)
{
    const char *const op = layout == RF_NHWC ? "rectifier.ToNHWC" : "rectifier.ToRowMajor";
    const struct rf_value source = g->values[from];

    *to = source.twin;
    if (*to != RF_NO_VALUE)
        return RF_OK;
    const enum rf_status rc = rf_graph_op(g, op, source.name, &from, 1, to, NULL, err);

    if (rc)
        return rc;
    g->values[from].twin = *to;
    g->values[*to].shape = source.shape;
    g->values[*to].open = source.open;
    g->values[*to].dtype = source.dtype;
    g->values[*to].layout = layout;
    return RF_OK;
}

static bool skips_flatten(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_node *const next = rf_only_reader(g, node->out[0]);
    const struct rf_value *const image = &g->values[node->in[0]];

    const struct rf_value *const rows = &g->values[node->out[0]];

    return (rf_node_is(node, "Flatten") || rf_node_is(node, "Reshape")) &&
           image->layout == RF_NHWC && next && (next->op->flags & RF_OP_READS_PIXELS) &&
           next->in[0] == node->out[0] && image->shape.dim[1] > 0 && !(image->open & ~1u) &&
           rows->shape.rank == 2 && rows->shape.dim[0] == image->shape.dim[0] &&
           rows->open == image->open;
}

/* A Gemm that reads an image in the order of its pixels. */
static bool reads_pixels(const struct rf_graph *g, const struct rf_node *node)
{
    return (node->op->flags & RF_OP_READS_PIXELS) && is_image(&g->values[node->in[0]]);
}

/* Elementwise on channels-last values, and what makes them. */
static bool has_channels_last(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_value *const in = &g->values[node->in[0]], *const out =
                                                                   &g->values[node->out[0]];

    if (out->dtype != RF_F32 || out->shape.rank < 3 || out->layout != RF_ROWMAJOR)
        return false;
    return (node->op->flags & RF_OP_CHANNELS_LAST) ||
           ((node->op->flags & RF_OP_INPLACE) && in->channels_last &&
            rf_shape_equal(&in->shape, &out->shape));
}

static enum rf_status lay_out(struct rf_graph *g, struct rf_node *node, struct rf_error *err)
{
    if (node->known)
        return RF_OK;
    if (skips_flatten(g, node)) {
        rf_only_reader(g, node->out[0])->in[0] = node->in[0];
        node->removed = true;
        return RF_OK;
    }
    const enum rf_layout layout = reads_pixels(g, node) ? RF_NHWC : wanted(g, node);

    for (int k = 0; k < node->n_in && !(node->op->flags & RF_OP_READS_ANY); k++) {
        const rf_value_id in = node->in[k];

        if (in == RF_NO_VALUE || !is_image(&g->values[in]) || g->values[in].layout == layout)
            continue;
        const enum rf_status rc = converted(g, in, layout, &node->in[k], err);
        if (rc)
            return rc;
    }
    for (int k = 0; k < node->n_out; k++) {
        struct rf_value *const out = &g->values[node->out[k]];

        out->layout = is_image(out) ? layout : RF_ROWMAJOR;
    }
    g->values[node->out[0]].channels_last = has_channels_last(g, node);
    return RF_OK;
}

/* The network's outputs are row-major; the value that carries the name is the converted one. */
static enum rf_status finish_output(struct rf_graph *g, size_t i, struct rf_error *err)
{
    const rf_value_id id = g->outputs[i];
    rf_value_id to;

    if (g->values[id].layout == RF_ROWMAJOR)
        return RF_OK;
    const enum rf_status rc = converted(g, id, RF_ROWMAJOR, &to, err);
    if (rc)
        return rc;
    g->values[id].is_output = false;
    g->values[to].is_output = true;
    g->outputs[i] = to;
    return RF_OK;
}

enum rf_status rf_pass_layout(struct rf_graph *g, struct rf_error *err)
{
    const size_t n = g->n_nodes;
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < n && !rc; i++)
        rc = lay_out(g, g->nodes[i], err);
    for (size_t i = 0; i < g->n_outputs && !rc; i++)
        rc = finish_output(g, i, err);
    if (rc)
        return rc;
    rf_graph_tidy(g);
    return rf_graph_sort(g, err);
}
