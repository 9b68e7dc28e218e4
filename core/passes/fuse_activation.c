/* Puts an activation into the epilogue of the node before it. */
#include "core/op.h"
#include "core/passes/passes.h"

enum rf_status rf_pass_fuse_activation(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        struct rf_node *const node = g->nodes[i];
        struct rf_node *const next = rf_only_reader(g, node->out[0]);

        if (node->removed || !(node->op->flags & RF_OP_EPILOGUE) || node->activation || !next ||
            !next->op->activation || next->in[0] != node->out[0])
            continue;
        node->activation = next;
        rc = rf_absorb(g, node, next, err);
    }
    return rc ? rc : rf_graph_sort(g, err);
}
