/* Puts an activation into the epilogue of the node before it. */
#include "core/op.h"
#include "core/passes/passes.h"

static bool can_fuse(const struct rf_graph *g, const struct rf_node *node,
                     const struct rf_node *next)
{
    const struct rf_value *const out = &g->values[node->out[0]];

    if (node->removed || node->known || !(node->op->flags & RF_OP_EPILOGUE) || node->activation ||
        !next || !next->op->activation || next->in[0] != node->out[0])
        return false;
    return out->dtype == RF_F32 && out->shape.rank >= 0 &&
           !((node->op->flags & RF_OP_CHANNELS_LAST) && out->shape.rank != 2 &&
             rf_is_per_channel(g, next));
}

enum rf_status rf_pass_fuse_activation(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        struct rf_node *const node = g->nodes[i];
        struct rf_node *const next = rf_only_reader(g, node->out[0]);

        if (!can_fuse(g, node, next))
            continue;
        node->activation = next;
        rc = rf_absorb(g, node, next, err);
    }
    return rc ? rc : rf_graph_sort(g, err);
}
