/* A MatMul with constant weights is a linear layer: it packs them, and has an epilogue. */
#include "core/passes/passes.h"

static bool is_linear(const struct rf_graph *g, const struct rf_node *node)
{
    if (node->known || !rf_node_is(node, "MatMul") || !rf_constant_in(g, node, 1, RF_F32))
        return false;
    const struct rf_value *const x = &g->values[node->in[0]];
    const struct rf_shape *const w = &g->values[node->in[1]].shape;

    return x->dtype == RF_F32 && x->shape.rank >= 2 && w->rank == 2 && w->dim[0] > 0 &&
           w->dim[1] > 0;
}

enum rf_status rf_pass_linear(struct rf_graph *g, struct rf_error *err)
{
    (void)err;
    for (size_t i = 0; i < g->n_nodes; i++)
        if (is_linear(g, g->nodes[i]))
            rf_turn_into(g->nodes[i], "rectifier.Linear", 2);
    return RF_OK;
}
