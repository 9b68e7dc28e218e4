/* Lets the Conv, Gemm or BatchNormalization before an Add do the addition in its epilogue. */
#include "core/op.h"
#include "core/passes/passes.h"

static enum rf_status fuse(struct rf_graph *g, struct rf_node *node, struct rf_node *add,
                           struct rf_error *err)
{
    const rf_value_id other = add->in[add->in[0] == node->out[0]];

    /* Optional inputs that are absent keep their places. */
    while (node->n_in < node->op->max_in)
        node->in[node->n_in++] = RF_NO_VALUE;
    node->residual = node->n_in;
    node->in[node->n_in++] = other; /* rf_graph_node leaves room for it */
    return rf_absorb(g, node, add, err);
}

/* With any sizes; those that an input leaves open are not in its shape. */
static bool same_shape(const struct rf_value *a, const struct rf_value *b)
{
    bool same = a->shape.rank >= 0 && a->shape.rank == b->shape.rank && a->open == b->open &&
                a->alone == b->alone;

    for (int k = 0; same && k < a->shape.rank; k++)
        same = a->shape.dim[k] == b->shape.dim[k] || b->shape.dim[k] < 0;
    return same;
}

static bool can_fuse(const struct rf_graph *g, const struct rf_node *node,
                     const struct rf_node *add)
{
    if (node->removed || node->known || !(node->op->flags & RF_OP_RESIDUAL) || node->activation ||
        node->residual >= 0 || !add || !rf_node_is(add, "Add") || add->activation)
        return false;
    const struct rf_value *const own = &g->values[node->out[0]];
    const struct rf_value *const other = &g->values[add->in[add->in[0] == node->out[0]]];

    return !other->known && other->dtype == RF_F32 && same_shape(own, other) &&
           same_shape(own, &g->values[add->out[0]]);
}

/* From the back: of two branches that meet in an Add, the later one is computed last. */
enum rf_status rf_pass_fuse_residual(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = g->n_nodes; i-- > 0 && !rc;) {
        struct rf_node *const node = g->nodes[i];
        struct rf_node *const next = rf_only_reader(g, node->out[0]);

        if (can_fuse(g, node, next))
            rc = fuse(g, node, next, err);
    }
    return rc ? rc : rf_graph_sort(g, err);
}
