/*
 * Gives every value its layout and inserts conversions where neighbours disagree. Images stay
 * channels-last from the first operator that wants them so to the last. A Flatten between an image
 * and a Gemm goes away: Gemm packs its weights in the order of the pixels.
 */
#include "core/op.h"
#include "core/passes/passes.h"

static bool is_image(const struct rf_value *v)
{
    return v->dtype == RF_F32 && !v->constant && (v->shape.rank == 3 || v->shape.rank == 4);
}

static enum rf_layout wanted(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_value *const in = &g->values[node->in[0]];

    if (!is_image(in) || !(node->op->layouts & RF_ACCEPTS_NHWC))
        return RF_ROWMAJOR;
    /* Channels are counted, and have parameters, where they are neighbours. */
    if (!(node->op->layouts & RF_ACCEPTS_ROWMAJOR) || node->op->kind != RF_KIND_NONE ||
        (node->activation && node->activation->op->kind != RF_KIND_NONE))
        return RF_NHWC;
    return in->layout;
}

/* A converted copy of the value, made once. */
static enum rf_status converted(struct rf_graph *g, rf_value_id from, enum rf_layout layout,
                                rf_value_id *to, struct rf_error *err)
{
    const char *const op = layout == RF_NHWC ? "rectifier.ToNHWC" : "rectifier.ToRowMajor";
    const size_t n = g->n_nodes;

    for (size_t i = 0; i < n; i++) {
        if (g->nodes[i]->in[0] == from && rf_node_is(g->nodes[i], op)) {
            *to = g->nodes[i]->out[0];
            return RF_OK;
        }
    }
    const struct rf_value source = g->values[from];
    const enum rf_status rc = rf_graph_op(g, op, source.name, &from, 1, to, NULL, err);

    if (rc)
        return rc;
    g->values[*to].shape = source.shape;
    g->values[*to].dtype = source.dtype;
    g->values[*to].layout = layout;
    return RF_OK;
}

static bool skips_flatten(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_node *const next = rf_only_reader(g, node->out[0]);
    const struct rf_value *const image = &g->values[node->in[0]];

    return rf_node_is(node, "Flatten") && image->layout == RF_NHWC && next &&
           rf_node_is(next, "Gemm") && next->in[0] == node->out[0] && image->shape.dim[1] > 0 &&
           g->values[node->out[0]].shape.dim[0] == image->shape.dim[0];
}

static enum rf_status lay_out(struct rf_graph *g, struct rf_node *node, struct rf_error *err)
{
    if (skips_flatten(g, node)) {
        rf_only_reader(g, node->out[0])->in[0] = node->in[0];
        node->removed = true;
        return RF_OK;
    }
    const bool image_gemm = rf_node_is(node, "Gemm") && is_image(&g->values[node->in[0]]);
    const enum rf_layout layout = image_gemm ? RF_NHWC : wanted(g, node);

    for (int k = 0; k < node->n_in; k++) {
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
